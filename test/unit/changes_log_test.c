/* The log of changes: what a start and a reload add to it, and that it survives torn lines and a full disk. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cmd/cmd.h"
#include "cmd/serve/changes_log.h"
#include "ledger_fixture.h"

#define HASH_A "b464ce30b204dc60e335136ee46a01efe74914f4e4a6264f48448448642c9a0c"
#define HASH_B "b464ce30b204dc60e335136ee46a01efe74914f4e4a6264f48448448642c9a0d"
#define BACKEND "backends: { a: { url: \"http://a.example\" } }\n"

struct scene {
    char *dir;
    struct changes_log *log;
    struct buffer text; /* as of the last look */
};

static int
setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));

    scene->dir = fixture_dir();
    *state = scene;
    return changes_log_open(scene->dir, &scene->log) == OK ? 0 : -1;
}

static int
teardown(void **state)
{
    struct scene *scene = *state;

    changes_log_close(scene->log);
    buffer_free(&scene->text);
    fixture_remove_dir(scene->dir);
    free(scene);
    return 0;
}

static void
reopen(struct scene *scene)
{
    changes_log_close(scene->log);
    assert_int_equal(changes_log_open(scene->dir, &scene->log), OK);
}

static enum status
compare(struct scene *scene, const char *config_text, const char *who, bool start)
{
    struct problems problems;
    struct config *config = NULL;
    enum status status;

    problems_init(&problems);
    if (config_load(NULL, slice_of(config_text), &problems, &config) != OK)
        fail_msg("%s", problems.all[0].text);
    problems_free(&problems);
    status = changes_log_compare(scene->log, config, 1, who, start, 1767225600 * USEC_PER_S);
    config_release(config);
    return status;
}

static struct slice
file_text(struct scene *scene)
{
    struct arena arena = {0};

    buffer_clear(&scene->text);
    assert_int_equal(cmd_read_file(changes_log_path(&arena, scene->dir), 1 << 20, &scene->text), OK);
    arena_reset(&arena);
    return buffer_content(&scene->text);
}

static size_t
line_count(struct scene *scene)
{
    struct slice text = file_text(scene);
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += text.data[i] == '\n';
    return count;
}

static void
assert_last(struct scene *scene, const char *end)
{
    struct slice text = file_text(scene);

    if (!slice_ends(text, end))
        fail_msg("\"%.*s\" does not end with \"%s\"", SLICE_ARGS(text), end);
}

static void
only_what_differs_is_added(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(
        compare(scene, BACKEND "routes: { r: { reference: a/m, levers: { alternatives: shadow } } }", "start", true),
        OK);
    assert_int_equal(line_count(scene), 1);
    assert_last(scene,
                "{\"time\":\"2026-01-01T00:00:00Z\",\"who\":\"start\",\"what\":\"lever\",\"name\":\"r alternatives\","
                "\"before\":\"off\",\"after\":\"shadow\"}\n");
    reopen(scene);
    assert_int_equal(
        compare(scene, BACKEND "routes: { r: { reference: a/m, levers: { alternatives: shadow } } }", "start", true),
        OK);
    assert_int_equal(line_count(scene), 1);
    assert_int_equal(compare(scene, BACKEND "keys: { web: { sha256: " HASH_A " } }", "file reload", false), OK);
    assert_int_equal(line_count(scene), 3); /* the key, and the lever with its route */
    assert_int_equal(compare(scene, BACKEND "keys: { web: { sha256: " HASH_B " } }", "file reload", false), OK);
    assert_int_equal(line_count(scene), 4); /* another key, by its mark */
    assert_int_equal(compare(scene, BACKEND, "file reload", false), OK);
    assert_last(scene, "\"after\":null}\n");
    assert_int_equal(line_count(scene), 5);
}

#define RUN_TIME                                                                                                       \
    "{\"time\":\"2026-01-01T00:00:00Z\",\"who\":\"anna\",\"from\":\"127.0.0.1:1\",\"what\":\"lever at run "            \
    "time\",\"name\":"                                                                                                 \
    "\"r alternatives\",\"before\":null,\"after\":\"off\"}\n"

/* A reload leaves it, a start ends it. */
static void
what_was_set_at_run_time_ends_with_a_start(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(changes_log_add(scene->log, SLICE_LITERAL(RUN_TIME)), OK);
    assert_int_equal(compare(scene, BACKEND, "file reload", false), OK);
    assert_int_equal(line_count(scene), 1);
    reopen(scene);
    assert_int_equal(compare(scene, BACKEND, "start", true), OK);
    assert_last(scene,
                "\"who\":\"start\",\"what\":\"lever at run time\",\"name\":\"r alternatives\",\"before\":\"off\","
                "\"after\":null}\n");
    assert_int_equal(line_count(scene), 2);
}

static void
a_torn_line_spoils_no_other(void **state)
{
    struct scene *scene = *state;
    struct arena arena = {0};
    FILE *file = fopen(changes_log_path(&arena, scene->dir), "a");

    fputs(RUN_TIME "{\"time\":\"2026-01-01T00:0", file);
    fclose(file);
    arena_reset(&arena);
    reopen(scene);
    assert_int_equal(compare(scene, BACKEND, "start", true), OK);
    assert_int_equal(line_count(scene), 3);
    assert_last(scene,
                "00:0\n{\"time\":\"2026-01-01T00:00:00Z\",\"who\":\"start\",\"what\":\"lever at run time\",\"name\":"
                "\"r alternatives\",\"before\":\"off\",\"after\":null}\n");
}

/* A file that may not grow stands for a disk that is full: what was not kept is not known, and comes with the next. */
static void
a_full_disk_is_told_and_made_good(void **state)
{
    struct scene *scene = *state;
    struct rlimit before, tight;

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    tight = before;
    tight.rlim_cur = 20;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    assert_int_not_equal(compare(scene, BACKEND "keys: { web: { sha256: " HASH_A " } }", "file reload", false), OK);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(compare(scene, BACKEND "keys: { web: { sha256: " HASH_A " } }", "file reload", false), OK);
    assert_int_equal(line_count(scene), 2); /* the torn one has an end now */
    assert_last(scene, "\"}\n");
    reopen(scene);
    assert_int_equal(compare(scene, BACKEND "keys: { web: { sha256: " HASH_A " } }", "start", true), OK);
    assert_int_equal(line_count(scene), 2);
}

static void
it_is_for_its_owner_alone(void **state)
{
    struct scene *scene = *state;
    struct arena arena = {0};
    struct stat status;

    assert_int_equal(stat(changes_log_path(&arena, scene->dir), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    arena_reset(&arena);
}

static void
assert_holds(struct scene *scene, const char *text)
{
    struct slice lines = file_text(scene);

    if (slice_find(lines, slice_of(text)) == lines.len)
        fail_msg("\"%.*s\" does not hold \"%s\"", SLICE_ARGS(lines), text);
}

/* Their limits, their windows, and what becomes of what exceeds them. */
static void
budgets_are_in_it(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(compare(scene, BACKEND "budget: $50/day", "start", true), OK);
    assert_last(scene, "\"what\":\"budget\",\"name\":\"everything usd/day\",\"before\":null,\"after\":\"$50/day\"}\n");
    assert_int_equal(line_count(scene), 1);
    assert_int_equal(compare(scene, BACKEND "budget: $60/day\nexposure: strict", "file reload", false), OK);
    assert_int_equal(line_count(scene), 3);
    assert_holds(scene, "\"name\":\"everything usd/day\",\"before\":\"$50/day\",\"after\":\"$60/day\"}\n");
    assert_last(scene, "\"what\":\"budget policy\",\"name\":\"everything\",\"before\":null,\"after\":\"exposure "
                       "strict\"}\n");
    assert_int_equal(compare(scene, BACKEND "budget: $60/week\nexposure: strict", "file reload", false), OK);
    assert_int_equal(line_count(scene), 5);
    assert_holds(scene, "\"name\":\"everything usd/day\",\"before\":\"$60/day\",\"after\":null}\n");
    assert_holds(scene, "\"name\":\"everything usd/week\",\"before\":null,\"after\":\"$60/week\"}\n");
    assert_int_equal(compare(scene,
                             BACKEND
                             "keys: { web: { sha256: " HASH_A
                             ", tenant: acme, budget: 5 requests/hour, on_exceed: degrade, exposure: strict } }\n"
                             "tenants: { acme: { exposure: expected } }\n"
                             "routes: { r: { reference: a/m, on_exceed: refuse } }\n"
                             "tag_budgets: { feature=search: $1/day }\n",
                             "file reload", false),
                     OK);
    assert_holds(scene, "\"name\":\"key web requests/hour\",\"before\":null,\"after\":\"5 requests/hour\"}\n");
    assert_holds(scene, "\"name\":\"key web\",\"before\":null,\"after\":\"on_exceed degrade, exposure strict\"}\n");
    assert_holds(scene, "\"name\":\"tenant acme\",\"before\":null,\"after\":\"exposure expected\"}\n");
    assert_holds(scene, "\"name\":\"route r\",\"before\":null,\"after\":\"on_exceed refuse\"}\n");
    assert_holds(scene, "\"name\":\"tag feature=search usd/day\",\"before\":null,\"after\":\"$1/day\"}\n");
    assert_holds(scene, "\"name\":\"everything\",\"before\":\"exposure strict\",\"after\":null}\n");
}

/* What a replica costs by the hour is a price as well as what a token costs. */
static void
prices_by_the_hour_are_in_it(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(
        compare(scene, "backends: { a: { url: \"http://a.example\", usd_per_hour: $2.50 } }\n", "start", true), OK);
    assert_int_equal(line_count(scene), 1);
    assert_last(scene, "\"what\":\"price\",\"name\":\"a\",\"before\":null,\"after\":\"$2.5/hour\"}\n");
    assert_int_equal(
        compare(scene, "backends: { a: { url: \"http://a.example\", usd_per_hour: $4 } }\n", "file reload", false), OK);
    assert_last(scene, "\"name\":\"a\",\"before\":\"$2.5/hour\",\"after\":\"$4/hour\"}\n");
    assert_int_equal(compare(scene, BACKEND, "file reload", false), OK);
    assert_last(scene, "\"name\":\"a\",\"before\":\"$4/hour\",\"after\":null}\n");
    assert_int_equal(line_count(scene), 3);
}

#define LOG_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(only_what_differs_is_added),   LOG_TEST(what_was_set_at_run_time_ends_with_a_start),
        LOG_TEST(a_torn_line_spoils_no_other),  LOG_TEST(a_full_disk_is_told_and_made_good),
        LOG_TEST(it_is_for_its_owner_alone),    LOG_TEST(budgets_are_in_it),
        LOG_TEST(prices_by_the_hour_are_in_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
