/* Fleets that change, as the command plays and tells them: money is hours by the price, what is told is the best of what was
 * tried, the configuration's pool says how many there may be, and one seed gives the same bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/replay/replay_scaling.h"
#include "xml_check.h"

enum { WORDS_MOST = 24 };

struct file {
    char path[40];
};

static struct file
write_file(struct slice text)
{
    struct file file = {"/tmp/replay_scaling_XXXXXX"};
    int fd = mkstemp(file.path);

    assert_true(fd >= 0 && write(fd, text.data, text.len) == (ssize_t)text.len);
    close(fd);
    return file;
}

/* Ten minutes at two a second, two at so many, ten more at two. */
static struct file
trace_file_at(unsigned busy_rate)
{
    struct buffer text = {0};
    struct file file;

    buffer_add_text(&text, "arrival_s,input_tokens,output_tokens\n");
    for (unsigned tenth = 0; tenth < 22 * 600; tenth++) {
        bool busy = tenth >= 6000 && tenth < 7200;

        for (unsigned i = 0; i < 12; i++)
            if (busy ? (tenth * 12 + i) % (120 / busy_rate) == 0 : (tenth * 12 + i) % 60 == 0)
                buffer_printf(&text, "%u.%u,%u,%u\n", tenth / 10, tenth % 10, 500 + tenth * 7919 % 1500,
                              1 + tenth * 104729 % 200);
    }
    file = write_file(buffer_content(&text));
    buffer_free(&text);
    return file;
}

static struct file
trace_file(void)
{
    return trace_file_at(12);
}

/* "replay TRACE" with these further words, NULL ends them. */
static int
play(const struct file *trace, const char *const *more, struct replay_comparison **out)
{
    struct replay_wanted wanted;
    char words[WORDS_MOST][80];
    char *argv[WORDS_MOST + 1] = {0};
    int argc = 0, exit_status;

    snprintf(words[argc++], sizeof(words[0]), "replay");
    snprintf(words[argc++], sizeof(words[0]), "%s", trace->path);
    for (; *more != NULL; more++)
        snprintf(words[argc++], sizeof(words[0]), "%s", *more);
    for (int i = 0; i < argc; i++)
        argv[i] = words[i];
    *out = must_calloc(1, sizeof(**out));
    exit_status = replay_wanted_read(&wanted, argc, argv);
    if (exit_status != OPTIONS_GO_ON)
        return exit_status;
    (*out)->fleets_change = true;
    (*out)->attain_ppm = wanted.attain_ppm;
    (*out)->trace = "trace";
    exit_status = replay_scaling_play(&wanted, *out);
    for (size_t i = 0; i < (*out)->count; i++)
        (*out)->variants[i].settings.pool = ""; /* was within `wanted` */
    return exit_status;
}

static const char *const usual[] = {"--scaling",     "all", "--cold-start",   "30s",  "--engine", "a100-llama-3-8b",
                                    "--first-token", "1s",  "--usd-per-hour", "2.50", NULL};

static const struct replay_variant *
told(const struct replay_comparison *comparison, const char *scaler)
{
    const struct replay_variant *found = NULL;

    for (size_t i = 0; i < comparison->count; i++)
        if (replay_variant_is_shown(&comparison->variants[i]) && strcmp(comparison->variants[i].scaler, scaler) == 0) {
            assert_null(found);
            found = &comparison->variants[i];
        }
    assert_non_null(found);
    return found;
}

static void
money_is_hours_by_price(void **state)
{
    struct file file = trace_file();
    struct replay_comparison *comparison;
    unsigned statics = 0;

    (void)state;
    assert_int_equal(play(&file, usual, &comparison), CMD_FINE);
    for (size_t i = 0; i < comparison->count; i++) {
        const struct replay_variant *variant = &comparison->variants[i];
        const struct replay_outcome *outcome = &variant->outcome;

        assert_int_equal(outcome->requests, comparison->variants[0].outcome.requests);
        assert_int_equal(outcome->tokens, comparison->variants[0].outcome.tokens);
        assert_true(fabs((double)outcome->paid - outcome->engine_hours * 2.5 * (double)USD_ONE) < 1000);
        assert_true(outcome->engine_hours > 1319.0 / 3600 &&
                    outcome->engine_hours <= 1320.0 / 3600 * (double)outcome->engines);
        if (strcmp(variant->scaler, "static") != 0)
            continue;
        statics++;
        assert_true(fabs(outcome->engine_hours - variant->knob * 1320.0 / 3600) < 1e-9);
        assert_true(outcome->engines == (int64_t)variant->knob);
    }
    assert_true(statics >= 2);
    assert_int_equal(comparison->cold_us, 30 * USEC_PER_S);
    free(comparison);
    unlink(file.path);
}

/* The gateway's own recommendation, through the gateway: replicas come when the busy minutes begin and go after them; all that counts
 * is counted, and answered, whoever leaves meanwhile. */
static void
replicas_come_and_go_through_the_gateway(void **state)
{
    static const char yaml[] =
        "backends:\n"
        "  gpus: { url: \"http://10.0.0.1:8000\", engine: vllm, usd_per_hour: $2.50, engine_model: a100-llama-3-8b,\n"
        "          replicas: { min: 1, max: 6, cold_start: 30s, command: \"false\" } }\n"
        "routes:\n"
        "  own: { reference: gpus/m, acceptable: { first_token: 1s } }\n";
    struct file config = write_file(SLICE_LITERAL(yaml)), file = trace_file_at(30);
    const char *words[] = {"--scaling", "gateway", "--config", config.path, "--replicas", "1", NULL, NULL, NULL};
    struct replay_comparison *comparison, *learned;
    const struct replay_outcome *changing;
    uint64_t requests;

    (void)state;
    assert_int_equal(play(&file, words, &comparison), CMD_FINE);
    assert_int_equal(comparison->count, 1);
    changing = &told(comparison, "gateway")->outcome;
    requests = changing->requests;
    assert_in_range(requests, 5900, 6100);
    assert_int_equal(changing->ok, requests);
    assert_in_range(changing->engines, 2, 7); /* one may be paid that has not gone yet */
    assert_true(replay_attained(changing) > 0.8);
    assert_true(changing->engine_hours > 1.05 * 1320.0 / 3600);
    assert_true(changing->engine_hours <
                1320.0 / 3600 + 0.75 * 690.0 / 3600 * (double)(changing->engines - 1)); /* those that came have left */
    assert_true(fabs((double)changing->paid - changing->engine_hours * 2.5 * (double)USD_ONE) < 1000);
    words[6] = "--learn";
    words[7] = "10m";
    assert_int_equal(play(&file, words, &learned), CMD_FINE);
    assert_true(told(learned, "gateway")->outcome.requests < requests);
    assert_true(told(learned, "gateway")->outcome.engine_hours < changing->engine_hours - 0.9 * 600.0 / 3600);
    free(comparison);
    free(learned);
    unlink(config.path);
    unlink(file.path);
}

/* Of each scaler one line: no other run of it is enough and costs less. What wins is none that knows the future. */
static void
the_best_of_each_is_told(void **state)
{
    static const char *const scalers[] = {"static", "in_flight", "capacity", "oracle"};
    struct file file = trace_file();
    struct replay_comparison *comparison;
    const struct replay_variant *cheapest;

    (void)state;
    assert_int_equal(play(&file, usual, &comparison), CMD_FINE);
    cheapest = replay_variants_cheapest(comparison);
    assert_non_null(cheapest);
    assert_string_not_equal(cheapest->scaler, "oracle");
    for (size_t i = 0; i < 4; i++) {
        const struct replay_variant *best = told(comparison, scalers[i]);
        bool enough = replay_attains(&best->outcome, 990000);

        for (size_t k = 0; k < comparison->count; k++) {
            const struct replay_variant *other = &comparison->variants[k];

            if (strcmp(other->scaler, scalers[i]) != 0)
                continue;
            assert_true(enough || !replay_attains(&other->outcome, 990000));
            if (enough && replay_attains(&other->outcome, 990000))
                assert_true(best->outcome.paid <= other->outcome.paid);
        }
        if (enough && !best->bound)
            assert_true(cheapest->outcome.paid <= best->outcome.paid);
    }
    assert_true(told(comparison, "oracle")->outcome.paid < told(comparison, "static")->outcome.paid);
    assert_true(replay_attains(&told(comparison, "oracle")->outcome, 990000));
    free(comparison);
    unlink(file.path);
}

static struct buffer
all_words(const struct replay_comparison *comparison)
{
    struct buffer out = {0}, picture = {0};

    replay_variants_text(comparison, false, &out);
    replay_variants_json(comparison, &out);
    replay_variants_svg(comparison, &picture);
    assert_xml_well_formed(buffer_content(&picture));
    buffer_add(&out, buffer_content(&picture));
    buffer_free(&picture);
    return out;
}

static bool
says(const struct buffer *words, const char *text)
{
    return slice_find(buffer_content(words), slice_of(text)) < buffer_len(words);
}

static void
one_seed_gives_the_same_bytes(void **state)
{
    struct file file = trace_file();
    struct buffer words[2];

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct replay_comparison *comparison;

        assert_int_equal(play(&file, usual, &comparison), CMD_FINE);
        words[i] = all_words(comparison);
        free(comparison);
    }
    assert_true(slice_equal(buffer_content(&words[0]), buffer_content(&words[1])));
    assert_true(says(&words[0], "a replica is there 30 s after the wish for it"));
    assert_true(says(&words[0], "Played without the gateway, but for the line of that name: "));
    assert_true(says(&words[0], "* The cheapest that answers 99 % within the limits: "));
    assert_true(says(&words[0], "oracle knows the future, "));
    assert_true(says(&words[0], "\"scaler\":\"capacity\",\"knob\":0.000000,\"told\":true"));
    assert_true(says(&words[0], "\"varies\":\"scaling\""));
    buffer_free(&words[0]);
    buffer_free(&words[1]);
    unlink(file.path);
}

/* How many there may be, how long they take to come, limits and the price are the pool's. */
static void
the_pool_says_how_many(void **state)
{
    static const char yaml[] =
        "backends:\n"
        "  gpus: { url: \"http://10.0.0.1:8000\", engine: vllm, usd_per_hour: $3, engine_model: a100-llama-3-8b,\n"
        "          replicas: { min: 2, max: 3, cold_start: 45s } }\n"
        "routes:\n"
        "  own: { reference: gpus/m, acceptable: { first_token: 1s } }\n";
    struct file config = write_file(SLICE_LITERAL(yaml)), file = trace_file();
    struct buffer said;
    const char *words[] = {"--scaling", "static,capacity", "--config", config.path, NULL, NULL, NULL};
    struct replay_comparison *comparison;

    (void)state;
    assert_int_equal(play(&file, words, &comparison), CMD_FINE);
    assert_int_equal(comparison->cold_us, 45 * USEC_PER_S);
    for (size_t i = 0; i < comparison->count; i++) {
        const struct replay_outcome *outcome = &comparison->variants[i].outcome;

        assert_in_range(outcome->engines, 2, 3);
        assert_true(fabs((double)outcome->paid - outcome->engine_hours * 3 * (double)USD_ONE) < 1000);
        assert_true(outcome->engine_hours >= 2 * 1319.0 / 3600);
    }
    assert_true(told(comparison, "capacity") != NULL);
    said = all_words(comparison);
    assert_false(says(&said, "oracle"));
    buffer_free(&said);
    free(comparison);
    words[4] = "--replicas";
    words[5] = "4";
    assert_int_equal(play(&file, words, &comparison), CMD_USAGE);
    free(comparison);
    words[5] = "3";
    assert_int_equal(play(&file, words, &comparison), CMD_FINE);
    free(comparison);
    unlink(config.path);
    unlink(file.path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(money_is_hours_by_price),  cmocka_unit_test(replicas_come_and_go_through_the_gateway),
        cmocka_unit_test(the_best_of_each_is_told), cmocka_unit_test(one_seed_gives_the_same_bytes),
        cmocka_unit_test(the_pool_says_how_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
