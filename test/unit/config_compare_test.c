/* What differs between two configurations, and what they say of levers, keys and prices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "config/compare.h"
#include "config/facts.h"
#include "config/outside.h"
#include "config/table.h"

#define HASH_A "b464ce30b204dc60e335136ee46a01efe74914f4e4a6264f48448448642c9a0c"
#define HASH_B "b464ce30b204dc60e335136ee46a01efe74914f4e4a6264f48448448642c9a0d"

static const char *price_file;

static const char *
variable(const char *name)
{
    return name[0] == 'A' ? "secret-a" : "secret-b";
}

static enum status
any_file(const char *path, size_t most, struct buffer *out)
{
    (void)path;
    (void)most;
    buffer_add_text(out, price_file);
    return OK;
}

static struct config *
load_after(const char *text, const struct config *before)
{
    const struct config_outside outside = {.environment = variable, .read_file = any_file};
    struct problems problems;
    struct config *config = NULL;

    problems_init(&problems);
    if (config_load_input(&(struct config_input){.text = slice_of(text), .before = before, .outside = &outside},
                          &problems, &config) != OK)
        fail_msg("%s", problems.all[0].text);
    problems_free(&problems);
    return config;
}

static void
put(void *context, struct slice path, enum config_difference how, bool restart)
{
    static const char *const marks[] = {"", "+", "-"};

    buffer_printf(context, "%.*s%s%s ", SLICE_ARGS(path), marks[how], restart ? "!" : "");
}

static void
assert_differ(const char *one, const char *other, const char *differences)
{
    struct config *before = load_after(one, NULL), *after = load_after(other, before);
    struct buffer out = {0};

    config_compare(before, after, put, &out);
    buffer_add_byte(&out, '\0');
    assert_string_equal(out.data, differences);
    buffer_free(&out);
    config_release(before);
    config_release(after);
}

#define BACKEND "backends: { a: { url: \"http://a.example\", key: $A } }\n"
#define ROUTE(inside) BACKEND "routes: { r: { reference: a/m" inside " } }\n"

static void
every_difference_has_its_path(void **state)
{
    static const struct {
        const char *one, *other, *differences;
    } cases[] = {
        {"", "", ""},
        {"", "listen: 127.0.0.1:8080\n", ""}, /* the default, written out */
        {"", "listen: 127.0.0.1:8081\n", "listen! "},
        {"", "workers: 2\nobserve: yes\n", "workers! observe "},
        {"", "limits: { body: 1MiB, header: 16KiB }\n", "limits.body limits.header! "},
        {"", "tls: { cert: a.pem, key: b.pem }\n", "tls.cert! tls.key! "},
        {"", BACKEND, "backends.a+ "},
        {BACKEND, "", "backends.a- "},
        {BACKEND, "backends: { a: { url: \"http://a.example\", key: $B } }\n", "backends.a.key "},
        {BACKEND, "backends: { a: { url: [ \"http://a.example\", \"http://b.example\" ], key: $A } }\n",
         "backends.a.url "},
        {BACKEND, "backends: { a: { url: \"http://a.example\", key: $A, timeouts: { idle: 1s } } }\n",
         "backends.a.timeouts.idle "},
        {ROUTE(""), ROUTE(", levers: { alternatives: { on: 5% } }, holdout: 1%, candidates: [ a/n ]"),
         "routes.r.candidates routes.r.levers.alternatives routes.r.holdout "},
        {ROUTE(", levers: { alternatives: { on: 5% } }"), ROUTE(", levers: { alternatives: { on: 6% } }"),
         "routes.r.levers.alternatives "},
        {"keys: { web: { sha256: " HASH_A " } }\n",
         "keys: { web: { sha256: " HASH_B ", routes: [ x ], expires: 2030-01-01 } }\n",
         "keys.web.sha256 keys.web.expires keys.web.routes "},
        {"tenants: { t: { allow: { classes: [ a, b ] } } }\n", "tenants: { t: { allow: { classes: [ a ] } } }\n",
         "tenants.t.allow.classes "},
        {BACKEND "prices: { override: { a/m: { input: $1/M } } }\n",
         BACKEND "prices: { override: { a/m: { input: $2/M }, a/n: { input: $1/M } } }\n",
         "prices.override.a/m.input prices.override.a/n+ "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_differ(cases[i].one, cases[i].other, cases[i].differences);
}

static void
a_price_file_differs_by_its_content(void **state)
{
    struct config *before, *same, *after;
    struct buffer out = {0};

    (void)state;
    price_file = "[]";
    before = load_after("prices: { file: book.json }\n", NULL);
    same = load_after("prices: { file: book.json }\n", before);
    price_file = "[ ]";
    after = load_after("prices: { file: book.json }\n", same);
    config_compare(before, same, put, &out);
    assert_int_equal(buffer_len(&out), 0);
    config_compare(same, after, put, &out);
    assert_true(slice_is(buffer_content(&out), "prices.file (its content) "));
    buffer_free(&out);
    config_release(before);
    config_release(same);
    config_release(after);
}

/* Every key that is read at the start only keeps its value; every other one is the new one. */
static void
what_is_read_at_the_start_stays(void **state)
{
    struct config *before = load_after("listen: 127.0.0.1:1000\ndata: here\nworkers: 2\n"
                                       "limits: { header: 8KiB, body: 1MiB, drain_timeout: 7s }\n",
                                       NULL);
    struct config *after = load_after("listen: 127.0.0.1:2000\nadmin: 127.0.0.1:3000\ndata: there\nworkers: 3\n"
                                      "observe: yes\nlimits: { header: 16KiB, body: 2MiB, drain_timeout: 9s }\n",
                                      before);

    (void)state;
    config_keep_started(after, before);
    assert_int_equal(after->listen.port, 1000);
    assert_int_equal(after->admin.port, 9090);
    assert_string_equal(after->data, before->data);
    assert_int_equal(after->workers, 2);
    assert_int_equal(after->limits.header_max, 8192);
    assert_int_equal(after->limits.drain_timeout_us, 7 * USEC_PER_S);
    assert_int_equal(after->limits.body_max, 2 << 20);
    assert_true(after->observe);
    config_release(before); /* nothing of it is in the other */
    assert_string_equal(after->listen.host, "127.0.0.1");
    config_release(after);
}

static const char *
value_of(const struct config_fact *facts, size_t count, const char *what, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(facts[i].what, what) == 0 && strcmp(facts[i].name, name) == 0)
            return facts[i].value;
    return NULL;
}

static void
facts_tell_no_secret(void **state)
{
    static const char text[] = ROUTE(", levers: { alternatives: { on: 5% } }") //
        "keys:\n"
        "  web: { sha256: " HASH_A ", tenant: acme, routes: [ r, s ], expires: 2030-01-02 }\n"
        "  app: { sha256: " HASH_B " }\n"
        "prices: { override: { a/m: { input: $1/M, output: $2/M } }, discount: { openai: 10% }, file: book.json }\n";
    struct arena arena = {0};
    struct config *config;
    struct config_fact *facts, *salted;
    size_t count;

    (void)state;
    price_file = "[]";
    config = load_after(text, NULL);
    count = config_facts(config, 1, &arena, &facts);
    assert_int_equal(config_facts(config, 2, &arena, &salted), count);
    assert_int_equal(count, 6);
    assert_string_equal(value_of(facts, count, "lever", "r alternatives"), "on 5%");
    assert_string_equal(value_of(facts, count, "price", "a/m"), "input: $1/M, output: $2/M");
    assert_string_equal(value_of(facts, count, "discount", "openai"), "10%");
    assert_non_null(value_of(facts, count, "price file", "book.json"));
    assert_true(slice_starts(slice_of(value_of(facts, count, "key", "web")),
                             "tenant acme, routes r s, until 2030-01-02T00:00:00Z, mark "));
    assert_string_not_equal(value_of(facts, count, "key", "app"), value_of(salted, count, "key", "app"));
    for (size_t i = 0; i < count; i++) {
        struct slice value = slice_of(facts[i].value);

        assert_true(slice_find(value, SLICE_LITERAL("secret")) == value.len);
        assert_true(slice_find(value, slice_first(SLICE_LITERAL(HASH_A), 8)) == value.len);
    }
    arena_reset(&arena);
    config_release(config);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_difference_has_its_path),
        cmocka_unit_test(a_price_file_differs_by_its_content),
        cmocka_unit_test(what_is_read_at_the_start_stays),
        cmocka_unit_test(facts_tell_no_secret),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
