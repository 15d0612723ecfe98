/* Fleet sizes side by side: what each came to is what it comes to by itself, hours and dollars add up, the cheapest that is
 * enough is told, and one seed gives the same bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/replay/replay_sizes.h"
#include "cmd/replay/replay_variants.h"
#include "xml_check.h"

enum { REQUESTS = 400 };

static const usd HOUR = 2500000000000; /* $2.50 */

/* A minute of requests that come faster and faster: one replica has too much of them, four have enough to spare. */
static void
write_trace(struct buffer *out)
{
    double at_s = 0;

    buffer_add_text(out, "arrival_s,input_tokens,output_tokens\n");
    for (unsigned i = 0; i < REQUESTS; i++) {
        at_s += 0.4 - 0.00095 * i;
        buffer_printf(out, "%.3f,%u,%u\n", at_s, 1 + i * 7919 % 6000, 1 + i * 104729 % 300);
    }
}

static int64_t
tokens_of_trace(void)
{
    int64_t tokens = 0;

    for (unsigned i = 0; i < REQUESTS; i++)
        tokens += 2 + i * 7919 % 6000 + i * 104729 % 300;
    return tokens;
}

struct file {
    char path[32];
};

static struct file
write_file(struct slice text)
{
    struct file file = {"/tmp/replay_sizes_XXXXXX"};
    int fd = mkstemp(file.path);

    assert_true(fd >= 0 && write(fd, text.data, text.len) == (ssize_t)text.len);
    close(fd);
    return file;
}

static struct file
trace_file(void)
{
    struct buffer text = {0};
    struct file file;

    write_trace(&text);
    file = write_file(buffer_content(&text));
    buffer_free(&text);
    return file;
}

static struct replay_settings
usual(void)
{
    return (struct replay_settings){.engine = "a100-llama-3-8b",
                                    .pool = "",
                                    .workers = 1,
                                    .seed = 5,
                                    .first_token_us = 1500 * USEC_PER_MS,
                                    .usd_per_hour = HOUR};
}

/* Played with these numbers of replicas; 0 ends them. */
static struct replay_comparison *
play(const struct file *trace, struct replay_settings settings, const unsigned *sizes)
{
    struct replay_comparison *comparison = must_calloc(1, sizeof(*comparison));

    comparison->sizes_vary = true;
    comparison->attain_ppm = 990000;
    comparison->trace = "trace";
    for (; *sizes != 0; sizes++) {
        settings.replicas = *sizes;
        replay_variant_add(comparison, &settings);
    }
    assert_int_equal(replay_variants_play(comparison, trace->path, &(struct trace_options){0}), CMD_FINE);
    return comparison;
}

/* Each line is that of a replay by itself, counted here from its samples; hours are replicas by time, dollars hours by the
 * price, and the rest follows from these. */
static void
each_figure_adds_up(void **state)
{
    static const unsigned sizes[] = {1, 2, 4, 0};
    struct file file = trace_file();
    struct replay_comparison *comparison = play(&file, usual(), sizes);

    (void)state;
    for (size_t i = 0; i < comparison->count; i++) {
        const struct replay_outcome *outcome = &comparison->variants[i].outcome;
        struct replay_settings settings = usual();
        struct replay_world *world = must_calloc(1, sizeof(*world));
        struct replay_trace trace;
        uint64_t within = 0;
        usec end_us = 0;
        double hours;

        settings.replicas = sizes[i];
        assert_int_equal(replay_trace_open(&trace, file.path, &(struct trace_options){0}), CMD_FINE);
        assert_int_equal(replay_world_new(world, &settings, trace.trace), CMD_FINE);
        while (replay_world_run(world, 1000))
            continue;
        for (size_t k = 0; k < world->stats.count; k++) {
            const struct replay_sample *sample = &world->stats.samples[k];

            within += sample->ok && sample->first_token_us <= settings.first_token_us ? 1 : 0;
            end_us = sample->arrived_us + sample->total_us > end_us ? sample->arrived_us + sample->total_us : end_us;
        }
        hours = (double)end_us / 3600e6 * sizes[i];
        assert_int_equal(outcome->requests, REQUESTS);
        assert_int_equal(outcome->limited, REQUESTS);
        assert_int_equal(outcome->within, within);
        assert_int_equal(outcome->tokens, tokens_of_trace());
        assert_int_equal(outcome->engines, sizes[i]);
        assert_true(fabs(outcome->engine_hours - hours) < 1e-9);
        assert_true(outcome->engines_priced);
        assert_true(fabs((double)outcome->paid - hours * (double)HOUR) < 1000); /* a billionth of a dollar */
        assert_true(outcome->engines_cost == outcome->paid);
        replay_world_free(world);
        replay_trace_close(&trace);
        free(world);
    }
    assert_true(replay_attained(&comparison->variants[0].outcome) < 0.9);
    assert_true(replay_attained(&comparison->variants[2].outcome) > 0.99);
    free(comparison);
    unlink(file.path);
}

/* From outcomes made by hand: what is enough, what is cheapest, and when that cannot be said. */
static void
the_cheapest_that_is_enough(void **state)
{
    struct replay_comparison *comparison = must_calloc(1, sizeof(*comparison));
    struct replay_variant *variants = comparison->variants;

    (void)state;
    comparison->sizes_vary = true;
    comparison->attain_ppm = 990000;
    for (unsigned i = 0; i < 4; i++) {
        struct replay_settings settings = usual();

        settings.replicas = i + 1;
        replay_variant_add(comparison, &settings);
        variants[i].played = variants[i].whole = true;
        variants[i].outcome = (struct replay_outcome){.limited = 1000,
                                                      .within = 980 + 9 * i,
                                                      .paid = (i + 1) * 100,
                                                      .engine_hours = i + 1,
                                                      .engines_priced = true};
    }
    assert_ptr_equal(replay_variants_cheapest(comparison), &variants[2]); /* 998 of 1000 */
    variants[1].outcome.beyond = 1;                                       /* 989 of 999 is just 99 % */
    assert_ptr_equal(replay_variants_cheapest(comparison), &variants[2]);
    variants[1].outcome.within = 990;
    assert_ptr_equal(replay_variants_cheapest(comparison), &variants[1]);
    variants[1].whole = false; /* interrupted */
    assert_ptr_equal(replay_variants_cheapest(comparison), &variants[2]);
    variants[3].outcome.paid = 299;
    assert_ptr_equal(replay_variants_cheapest(comparison), &variants[3]);
    variants[3].outcome.engines_priced = false; /* then by hours */
    assert_ptr_equal(replay_variants_cheapest(comparison), &variants[2]);
    comparison->attain_ppm = 1000000;
    variants[3].outcome.within = 999;
    assert_null(replay_variants_cheapest(comparison));
    for (unsigned i = 0; i < 4; i++)
        variants[i].outcome.limited = variants[i].outcome.beyond = 0;
    assert_null(replay_variants_cheapest(comparison));
    free(comparison);
}

/* Everything that it can say. */
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
    static const unsigned sizes[] = {4, 1, 2, 0};
    struct file file = trace_file();
    struct replay_settings settings = usual();
    struct buffer words[3];

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct replay_comparison *comparison;

        settings.seed = i < 2 ? 5 : 6;
        comparison = play(&file, settings, sizes);
        words[i] = all_words(comparison);
        free(comparison);
    }
    assert_true(slice_equal(buffer_content(&words[0]), buffer_content(&words[1])));
    assert_false(slice_equal(buffer_content(&words[0]), buffer_content(&words[2])));
    assert_true(says(&words[0], "* 4 "));
    assert_true(says(&words[0], "* The cheapest that answers 99 % within the limits: 4 replicas, "));
    assert_true(says(&words[0], "\"attain\":0.990000,\"compared_by\":\"paid_usd\",\"cheapest\":\"4\""));
    assert_true(says(&words[0], "class=\"best\""));
    for (unsigned i = 0; i < 3; i++)
        buffer_free(&words[i]);
    unlink(file.path);
}

/* What is too little, or has no limits or price, is said in words. */
static void
what_cannot_be_said_is_said(void **state)
{
    static const unsigned sizes[] = {1, 2, 0};
    struct file file = trace_file();
    struct replay_settings settings = usual();
    struct replay_comparison *comparison;
    struct buffer words;

    (void)state;
    settings.first_token_us = 60 * USEC_PER_MS; /* too short for long prompts on any fleet */
    comparison = play(&file, settings, sizes);
    words = all_words(comparison);
    assert_true(comparison->variants[0].outcome.beyond > 100);
    assert_int_equal(comparison->variants[0].outcome.beyond, comparison->variants[1].outcome.beyond);
    assert_true(says(&words, "None of these answers 99 % within the limits. The nearest: 2 replicas, "));
    assert_true(says(&words, " of 400 requests could not have been in time with a replica for themselves"));
    assert_true(says(&words, "\"cheapest\":null"));
    free(comparison);
    buffer_free(&words);
    settings.first_token_us = USEC_PER_MS; /* too short for all */
    comparison = play(&file, settings, sizes);
    words = all_words(comparison);
    assert_true(says(&words, "Which is enough cannot be said: the limits are too short for every request."));
    assert_true(says(&words, "400 of 400 requests could not have been in time with a replica for themselves"));
    free(comparison);
    buffer_free(&words);
    settings.first_token_us = 0;
    settings.usd_per_hour = 0;
    comparison = play(&file, settings, sizes);
    words = all_words(comparison);
    assert_true(says(&words, "Which is enough cannot be said: no route has limits"));
    assert_true(says(&words, "The replicas have no price by the hour"));
    assert_true(comparison->variants[0].outcome.paid == comparison->variants[0].outcome.cost);
    free(comparison);
    buffer_free(&words);
    unlink(file.path);
}

/* With a configuration one of its pools gets that many; others, and what an API charges, stay in the sum. */
static void
a_pool_of_a_configuration(void **state)
{
    static const char yaml[] =
        "backends:\n"
        "  api:  { url: \"https://api.example.com\" }\n"
        "  gpus: { url: [ \"http://10.0.0.1:8000\", \"http://10.0.0.2:8000\" ], engine: vllm, usd_per_hour: $2.50,\n"
        "          engine_model: a100-llama-3-8b }\n"
        "  spare: { url: \"http://10.0.0.3:8000\", engine: vllm, usd_per_hour: $1, engine_model: a100-llama-3-8b }\n"
        "routes:\n"
        "  own:   { reference: gpus/m, candidates: [ spare/m ], acceptable: { first_token: 400ms } }\n"
        "  hired: { reference: api/m }\n"
        "prices: { override: { api/m: { input: $3/M, output: $15/M } } }\n";
    static const unsigned sizes[] = {1, 3, 0};
    struct file file = write_file(SLICE_LITERAL(yaml)), trace;
    struct replay_settings settings = usual();
    struct replay_comparison *comparison;
    struct buffer text = {0};
    wide_int hired = 0;

    (void)state;
    buffer_add_text(&text, "arrival_s,input_tokens,output_tokens,route\n");
    for (unsigned i = 0; i < 60; i++) {
        buffer_printf(&text, "%u,1000,100,%s\n", i, i % 3 == 0 ? "hired" : "own");
        hired += i % 3 == 0 ? 1000 * (wide_int)3000000 + 100 * (wide_int)15000000 : 0;
    }
    trace = write_file(buffer_content(&text));
    settings.config_file = file.path;
    settings.pool = "gpus";
    settings.first_token_us = 0;
    comparison = play(&trace, settings, sizes);
    for (size_t i = 0; i < comparison->count; i++) {
        const struct replay_outcome *outcome = &comparison->variants[i].outcome;
        double span_h = (double)outcome->summary.span_us / 3600e6, dollars = span_h * (2.5 * sizes[i] + 1);

        assert_int_equal(outcome->ok, 60);
        assert_int_equal(outcome->engines, sizes[i] + 1);
        assert_int_equal(outcome->limited, 40);
        assert_true(fabs(outcome->engine_hours - span_h * (sizes[i] + 1)) < 1e-9);
        assert_true(fabs((double)(outcome->paid - hired) - dollars * (double)USD_ONE) < 1000);
        assert_true(outcome->cost > hired); /* with shares of the engines' time */
    }
    free(comparison);
    buffer_free(&text);
    unlink(file.path);
    unlink(trace.path);
}

static void
what_is_charged_adds_up(void **state)
{
    struct file file = trace_file();
    struct replay_settings settings = usual();

    (void)state;
    settings.replicas = 2;
    for (unsigned i = 0; i < 2; i++) {
        struct replay_world *world = must_calloc(1, sizeof(*world));
        struct replay_trace trace;

        settings.usd_per_hour = i == 0 ? HOUR : 0;
        assert_int_equal(replay_trace_open(&trace, file.path, &(struct trace_options){0}), CMD_FINE);
        assert_int_equal(replay_world_new(world, &settings, trace.trace), CMD_FINE);
        while (replay_world_run(world, 1000))
            continue;
        assert_true(world->stats.cost > 0);
        assert_true(world->stats.backends[0].charged == world->stats.cost);
        replay_world_free(world);
        replay_trace_close(&trace);
        free(world);
    }
    unlink(file.path);
}

static void
sizes_are_read(void **state)
{
    static const char *const wrong[] = {"",      "0",    "65",    "2,",   ",2",  "4-2",  "2-",  "-3",
                                        "2,,3",  "x",    "2,4-x", "gpus", "a=",  "=2,3", "2.5", "2 4",
                                        "a=b=2", "1-65", "+2",    "2;3",  "2,2", "1-4,3"};
    struct replay_sizes sizes;

    (void)state;
    assert_true(replay_sizes_read("4", &sizes));
    assert_true(sizes.count == 1 && sizes.counts[0] == 4 && sizes.pool[0] == '\0');
    assert_true(replay_sizes_read("gpus=8, 2-4,1", &sizes));
    assert_string_equal(sizes.pool, "gpus");
    assert_int_equal(sizes.count, 5);
    assert_true(sizes.counts[0] == 8 && sizes.counts[1] == 2 && sizes.counts[3] == 4 && sizes.counts[4] == 1);
    assert_true(replay_sizes_read("1-64", &sizes));
    assert_int_equal(sizes.count, 64);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(replay_sizes_read(wrong[i], &sizes));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_figure_adds_up),
        cmocka_unit_test(the_cheapest_that_is_enough),
        cmocka_unit_test(one_seed_gives_the_same_bytes),
        cmocka_unit_test(what_cannot_be_said_is_said),
        cmocka_unit_test(a_pool_of_a_configuration),
        cmocka_unit_test(what_is_charged_adds_up),
        cmocka_unit_test(sizes_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
