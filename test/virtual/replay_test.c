/* A replay: the trace, the ledger's rows, the gateway's counters and the engines agree about it, and one seed gives one
 * result to the byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/replay/replay_report.h"
#include "xml_check.h"

/* 200 requests, in 20 s. */
static void
write_trace(struct buffer *out)
{
    buffer_add_text(out, "arrival_s,input_tokens,output_tokens\n");
    for (unsigned i = 0; i < 200; i++)
        buffer_printf(out, "%u.%u,%u,%u\n", i / 10, i % 10, 1 + i * 7919 % 3000, 1 + i * 104729 % 400);
}

struct played_trace {
    FILE *file;
    struct problems problems;
    struct trace *trace;
    struct replay_settings settings;
    struct replay_world world;
};

static struct replay_settings
usual(void)
{
    return (struct replay_settings){.engine = "h100-llama-3.1-8b", .replicas = 2, .workers = 1, .seed = 5};
}

static struct played_trace *
start(struct slice text, struct trace_options options, struct replay_settings settings)
{
    struct played_trace *played = must_calloc(1, sizeof(*played));

    played->settings = settings;
    played->file = fmemopen((void *)(uintptr_t)text.data, text.len, "rb");
    assert_non_null(played->file);
    assert_int_equal(trace_open(played->file, "t", &options, &played->problems, &played->trace), OK);
    assert_int_equal(replay_world_new(&played->world, &played->settings, played->trace), CMD_FINE);
    return played;
}

static struct played_trace *
play(struct slice text, struct trace_options options, struct replay_settings settings)
{
    struct played_trace *played = start(text, options, settings);

    while (replay_world_run(&played->world, 1000))
        continue;
    assert_int_equal(played->world.trace_status, ERR_NOT_FOUND);
    return played;
}

static void
end(struct played_trace *played)
{
    replay_world_free(&played->world);
    trace_close(played->trace);
    problems_free(&played->problems);
    fclose(played->file);
    free(played);
}

/* The sums over the rows are those of the gateway's counters, of the samples, and of prices times the trace's tokens. */
static void
money_adds_up(void **state)
{
    struct buffer text = {0};
    struct played_trace *played;
    const struct replay_stats *stats;
    const struct gateway *gateway;
    int64_t input = 0, output = 0;
    wide_int cost = 0;

    (void)state;
    write_trace(&text);
    for (unsigned i = 0; i < 200; i++) {
        input += 1 + i * 7919 % 3000;
        output += 1 + i * 104729 % 400;
    }
    for (unsigned workers = 1; workers <= 3; workers++) {
        struct replay_settings settings = usual();

        settings.workers = workers;
        played = play(buffer_content(&text), (struct trace_options){0}, settings);
        stats = &played->world.stats;
        gateway = &played->world.gateway;
        assert_int_equal(stats->count, 200);
        assert_int_equal(stats->state_count, 1);
        assert_string_equal(stats->states[0].name, "ok");
        assert_int_equal(stats->input_tokens, input);
        assert_int_equal(stats->output_tokens, output);
        cost = 0;
        for (size_t i = 0; i < stats->count; i++)
            cost += stats->samples[i].cost;
        assert_true(stats->cost == cost);
        assert_true(stats->cost == (wide_int)input * 50000 + (wide_int)output * 80000); /* pico-dollars a token */
        assert_true(stats->cost == gateway_count(gateway, COUNT_COST_PICO));
        assert_true(stats->baseline == gateway_count(gateway, COUNT_BASELINE_PICO));
        assert_true(stats->baseline - stats->cost == stats->saved);
        assert_int_equal(stats->backends[0].calls, 200);
        assert_int_equal(stats->backends[0].output_tokens, output);
        end(played);
    }
    buffer_free(&text);
}

/* Two requests far apart have their engine for themselves: overhead, one step for the prompt, one for each further
 * token. What the wire adds is below 5 ms. */
static void
times_are_the_engines(void **state)
{
    static const char text[] = "arrival_s,input_tokens,output_tokens\n0,1000,101\n60,1000,1\n";
    struct played_trace *played = play(SLICE_LITERAL(text), (struct trace_options){0}, usual());
    const struct engine_pair *pair = engine_pair_find(SLICE_LITERAL("h100-llama-3.1-8b"));
    const struct replay_sample *samples = played->world.stats.samples;
    double prompt_us = step_time_predict_us(
        &pair->time, &(struct step_load){.new_tokens = 1000, .attended = step_attended(0, 1000), .sequences = 1});
    double token_us =
        step_time_predict_us(&pair->time, &(struct step_load){.new_tokens = 1, .kv_tokens = 1050, .sequences = 1});
    double decode_us = (double)(samples[0].total_us - samples[0].first_token_us);

    (void)state;
    assert_int_equal(played->world.stats.count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_true((double)samples[i].first_token_us > prompt_us + 1000);
        assert_true((double)samples[i].first_token_us < prompt_us + 15000 + 5000);
    }
    assert_true(decode_us > 100 * token_us * 0.98 && decode_us < 100 * token_us * 1.02 + 5000);
    end(played);
}

/* A prompt whose blocks the engine knows costs less than one that it does not. */
static void
known_blocks_are_cached(void **state)
{
    static const char text[] =
        "{\"timestamp\": 0, \"input_length\": 2048, \"output_length\": 2, \"hash_ids\": [1, 2, 3, 4]}\n"
        "{\"timestamp\": 9000, \"input_length\": 2048, \"output_length\": 2, \"hash_ids\": [1, 2, 3, 5]}\n"
        "{\"timestamp\": 18000, \"input_length\": 2048, \"output_length\": 2, \"hash_ids\": [9, 2, 3, 5]}\n";
    struct replay_settings settings = usual();
    struct played_trace *played;

    (void)state;
    settings.replicas = 1;
    played = play(SLICE_LITERAL(text), (struct trace_options){0}, settings);
    assert_int_equal(played->world.stats.cache_read_tokens, 3 * TRACE_BLOCK_TOKENS);
    assert_true(played->world.stats.samples[1].cost < played->world.stats.samples[0].cost);
    assert_int_equal(played->world.stats.samples[2].cost, played->world.stats.samples[0].cost);
    end(played);
}

/* No engine finds anything where the trace tells no blocks, so the gateway must not expect it either: it would take its
 * prompts to be short, and what they take to be the steps'. */
static void
prompts_of_which_nothing_is_told_have_nothing_in_common(void **state)
{
    struct replay_settings settings = usual();
    struct buffer text = {0};
    struct played_trace *played;
    int64_t matched = 0, sent = 0;
    struct slice name;
    void *value;
    size_t at = 0;

    (void)state;
    settings.policy = "affinity";
    write_trace(&text);
    played = play(buffer_content(&text), (struct trace_options){0}, settings);
    while (map_next(&played->world.gateway.healths.replicas.by_name, &at, &name, &value)) {
        const struct replica *replica = value;

        matched += replica->totals.matched_tokens;
        sent += replica->totals.sent_tokens;
    }
    assert_int_equal(matched, 0);
    assert_true(sent > 200 * 1000);
    assert_int_equal(played->world.stats.cache_read_tokens, 0);
    end(played);
    buffer_free(&text);
}

/* Whatever their number: 200 lots of 1 in 4 are 50, give or take 4 standard deviations of 6. */
static void
replicas_share_the_work(void **state)
{
    struct replay_settings settings = usual();
    struct buffer text = {0};

    (void)state;
    write_trace(&text);
    for (settings.replicas = 2; settings.replicas <= 5; settings.replicas++) {
        struct played_trace *played = play(buffer_content(&text), (struct trace_options){0}, settings);
        struct replay_work work = replay_engines_work(&played->world.engines.casts[0], USEC_PER_S);

        assert_in_range(work.requests_least, 200 / (int)settings.replicas - 26, 200 / (int)settings.replicas);
        assert_in_range(work.requests_most, 200 / (int)settings.replicas, 200 / (int)settings.replicas + 26);
        end(played);
    }
    buffer_free(&text);
}

/* Everything that a replay can say. */
static struct buffer
all_words(struct replay_settings settings, bool stop_early)
{
    struct buffer text = {0}, out = {0};
    struct played_trace *played;
    struct replay_result result = {.name = "trace"};

    write_trace(&text);
    played = start(buffer_content(&text), (struct trace_options){0}, settings);
    if (stop_early) {
        for (unsigned i = 0; i < 5; i++)
            assert_true(replay_world_run(&played->world, 100));
        replay_world_stop(&played->world);
    }
    while (replay_world_run(&played->world, 1000))
        continue;
    result.world = &played->world;
    result.interrupted = stop_early;
    replay_summarize(&played->world.stats, REPLAY_LINES_MOST, &result.coarse);
    replay_summarize(&played->world.stats, REPLAY_DOTS_MOST, &result.fine);
    replay_write_text(&result, false, &out);
    replay_write_json(&result, &out);
    replay_write_csv(&result, &out);
    replay_write_svg(&result, &out);
    end(played);
    buffer_free(&text);
    return out;
}

static void
one_seed_gives_one_result(void **state)
{
    struct replay_settings settings = usual();
    struct buffer first, again;

    (void)state;
    for (unsigned workers = 1; workers <= 3; workers += 2) {
        settings.seed = 5;
        settings.workers = workers;
        first = all_words(settings, false);
        again = all_words(settings, false);
        assert_true(slice_equal(buffer_content(&first), buffer_content(&again)));
        buffer_free(&again);
        settings.seed = 6;
        again = all_words(settings, false);
        assert_false(slice_equal(buffer_content(&first), buffer_content(&again)));
        buffer_free(&first);
        buffer_free(&again);
    }
}

/* What had ended by then is told; clients that were left do not count as if they had gone by themselves. */
static void
stopped_early(void **state)
{
    struct buffer words = all_words(usual(), true);
    struct slice all = buffer_content(&words);

    (void)state;
    assert_true(slice_find(all, SLICE_LITERAL("Interrupted: this is what had ended by then.")) < all.len);
    assert_true(slice_find(all, SLICE_LITERAL("\"interrupted\":true")) < all.len);
    assert_true(slice_find(all, SLICE_LITERAL("client gone")) == all.len);
    buffer_free(&words);
}

static void
the_picture_is_xml(void **state)
{
    static const char *const traces[] = {"arrival_s,input_tokens,output_tokens\n0,10,1\n",
                                         "arrival_s,input_tokens,output_tokens\n0,10,1\n1000000,10,900\n",
                                         "arrival_s,input_tokens,output_tokens\n0,10,1\n0,10,1\n0,3,4\n"};

    (void)state;
    for (size_t i = 0; i < sizeof(traces) / sizeof(traces[0]); i++) {
        struct played_trace *played = play(slice_of(traces[i]), (struct trace_options){0}, usual());
        struct replay_result *result = must_calloc(1, sizeof(*result));
        struct buffer out = {0};

        result->world = &played->world;
        result->name = "<&\x01\xff>";
        replay_summarize(&played->world.stats, REPLAY_LINES_MOST, &result->coarse);
        replay_summarize(&played->world.stats, REPLAY_DOTS_MOST, &result->fine);
        replay_write_svg(result, &out);
        assert_xml_well_formed(buffer_content(&out));
        assert_true(buffer_len(&out) > 2000);
        buffer_free(&out);
        free(result);
        end(played);
    }
}

/* Quantiles by nearest rank, goodput by the route's limits, from rows made by hand. */
static void
the_summary_is_exact(void **state)
{
    static const char text[] = "backends: { a: { url: \"http://a.example\" } }\n"
                               "routes: { r: { reference: a/m, acceptable: { first_token: 50ms, total: 100s } } }\n";
    struct replay_summary *summary = must_calloc(1, sizeof(*summary));
    struct problems problems = {0};
    struct replay_stats stats;
    struct config *config;

    (void)state;
    assert_int_equal(config_load("c", SLICE_LITERAL(text), &problems, &config), OK);
    problems_free(&problems);
    replay_stats_init(&stats, config, 1000);
    for (int64_t i = 1; i <= 100; i++) {
        struct row row;

        row_init(&row);
        row.arrived_wall_us = 1000 + i * USEC_PER_S;
        row.state = i == 100 ? SLICE_LITERAL("upstream failed") : SLICE_LITERAL("ok");
        row.route = SLICE_LITERAL("r");
        row.streamed = 1;
        row.first_token_us = i * USEC_PER_MS;
        row.total_us = i * USEC_PER_MS + 10 * 20 * USEC_PER_MS;
        row.output_tokens = 21;
        row.cost = i == 100 ? USD_UNKNOWN : 3;
        row.baseline = 5;
        replay_stats_row(&stats, &row);
    }
    replay_summarize(&stats, REPLAY_LINES_MOST, summary);
    assert_int_equal(summary->first_token.count, 99);
    assert_true(summary->first_token.p50 == 50e3 && summary->first_token.p90 == 90e3);
    assert_true(summary->first_token.p99 == 99e3 && summary->first_token.most == 99e3);
    assert_true(summary->per_token.p50 == 10e3 && summary->per_token.most == 10e3);
    assert_true(summary->total.most == 299e3);
    assert_true(stats.cost == 99 * 3 && stats.baseline == 99 * 5);
    assert_int_equal(stats.unpriced, 1);
    assert_int_equal(stats.limited, 100);
    assert_int_equal(stats.within, 50);
    assert_int_equal(summary->span_us, 100300 * USEC_PER_MS);
    assert_int_equal(summary->slice_us, 10 * USEC_PER_S);
    assert_int_equal(summary->slice_count, 11);
    assert_int_equal(summary->slices[1].arrived, 10);
    assert_int_equal(summary->in_flight_most, 1);
    replay_stats_free(&stats);
    config_release(config);
    free(summary);
}

/* An answer that comes whole is held to the total only; where there is none, to nothing. */
static void
whole_answers_have_no_first_token(void **state)
{
    static const char text[] = "backends: { a: { url: \"http://a.example\" } }\n"
                               "routes: { r: { reference: a/m, acceptable: { first_token: 50ms, total: 2s } },\n"
                               "          s: { reference: a/m, acceptable: { first_token: 50ms } } }\n";
    struct problems problems = {0};
    struct replay_stats stats;
    struct config *config;

    (void)state;
    assert_int_equal(config_load("c", SLICE_LITERAL(text), &problems, &config), OK);
    problems_free(&problems);
    replay_stats_init(&stats, config, 1000);
    for (unsigned i = 0; i < 8; i++) {
        struct row row;

        row_init(&row);
        row.arrived_wall_us = 1000;
        row.state = SLICE_LITERAL("ok");
        row.route = i < 4 ? SLICE_LITERAL("r") : SLICE_LITERAL("s");
        row.streamed = i & 1;
        row.first_token_us = row.total_us = (i & 2) != 0 ? USEC_PER_S : 3 * USEC_PER_S;
        replay_stats_row(&stats, &row);
    }
    assert_int_equal(stats.limited, 4 + 2);
    assert_int_equal(stats.within, 1);
    assert_true(stats.samples[2].within); /* r, whole, in a second */
    replay_stats_free(&stats);
    config_release(config);
}

static void
add_span(struct replay_stats *stats, usec arrived_us, usec total_us)
{
    struct row row;

    row_init(&row);
    row.arrived_wall_us = 1000 + arrived_us;
    row.total_us = total_us;
    row.state = SLICE_LITERAL("ok");
    replay_stats_row(stats, &row);
}

/* What is refused at once was never in flight; rows may be booked in another order than they ended in. */
static void
most_in_flight_is_counted(void **state)
{
    static const char text[] = "backends: { a: { url: \"http://a.example\" } }\nroutes: { r: { reference: a/m } }\n";
    struct replay_summary *summary = must_calloc(1, sizeof(*summary));
    struct problems problems = {0};
    struct replay_stats stats;
    struct config *config;

    (void)state;
    assert_int_equal(config_load("c", SLICE_LITERAL(text), &problems, &config), OK);
    problems_free(&problems);
    replay_stats_init(&stats, config, 1000);
    for (unsigned i = 0; i < 4; i++)
        add_span(&stats, 5, 0);
    replay_summarize(&stats, REPLAY_LINES_MOST, summary);
    assert_int_equal(summary->in_flight_most, 0);
    add_span(&stats, 10, 90);
    add_span(&stats, 10, 10);
    add_span(&stats, 20, 5); /* comes as one ends */
    replay_summarize(&stats, REPLAY_LINES_MOST, summary);
    assert_int_equal(summary->in_flight_most, 2);
    add_span(&stats, 24, 1);
    replay_summarize(&stats, REPLAY_LINES_MOST, summary);
    assert_int_equal(summary->in_flight_most, 3);
    replay_stats_free(&stats);
    config_release(config);
    free(summary);
}

/* Through a configuration with keys, a secret that is not there, a route with a cheaper alternative and limits. */
static void
through_a_configuration(void **state)
{
    static const char yaml[] =
        "backends:\n"
        "  dear:  { url: \"https://api.example.com\", key: $A_SECRET_THAT_IS_NOT_THERE }\n"
        "  cheap: { url: [ \"http://10.0.0.1:8000\", \"http://10.0.0.2:8000\" ], engine: vllm, usd_per_hour: $2.50,\n"
        "           engine_model: a100-llama-3-8b }\n"
        "routes:\n"
        "  chat: { reference: dear/m, candidates: [ cheap/m ], levers: { alternatives: on },\n"
        "          acceptable: { first_token: 30s } }\n"
        "keys:\n"
        "  web: { sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08, tenant: acme }\n"
        "prices: { override: { dear/m: { input: $3/M, output: $15/M }, cheap/m: { input: $0.1/M, output: $0.2/M } } "
        "}\n";
    char path[] = "/tmp/replay_test_XXXXXX";
    int fd = mkstemp(path);
    struct replay_settings settings = usual();
    struct buffer text = {0};
    struct played_trace *played;
    const struct replay_stats *stats;

    (void)state;
    assert_true(fd >= 0 && write(fd, yaml, sizeof(yaml) - 1) == (ssize_t)sizeof(yaml) - 1);
    close(fd);
    settings.config_file = path;
    write_trace(&text);
    played = play(buffer_content(&text), (struct trace_options){0}, settings);
    stats = &played->world.stats;
    assert_int_equal(stats->count, 200);
    assert_int_equal(played->world.unidentified, 0);
    assert_string_equal(stats->states[0].name, "ok");
    assert_int_equal(stats->states[0].count, 200);
    assert_int_equal(stats->limited, 200);
    assert_int_equal(stats->within, 200);
    assert_true(stats->backends[1].calls > 150);
    assert_true(stats->saved > 0 && stats->baseline - stats->cost == stats->saved);
    assert_int_equal(played->world.engines.casts[1].engine_count, 2);
    end(played);
    buffer_free(&text);
    unlink(path);
}

/* Why a request was not answered is told, and so is what was played otherwise than the trace has it. */
static void
what_did_not_fit_is_told(void **state)
{
    static const char text[] = "arrival_s,input_tokens,output_tokens\n"
                               "0,10,10\n1,900000,10\n2,10,900000\n3,0,10\n4,10,0\n5,16777216,1\n";
    struct played_trace *played = play(SLICE_LITERAL(text), (struct trace_options){0}, usual());
    struct replay_result *result = must_calloc(1, sizeof(*result));
    struct replay_work work = replay_engines_work(&played->world.engines.casts[0], USEC_PER_S);
    struct buffer out = {0};

    (void)state;
    assert_int_equal(work.too_long, 2);
    assert_true(work.context_most > 100000 && work.context_most < 900000);
    assert_int_equal(played->world.writer.rounded, 2);
    *result = (struct replay_result){.world = &played->world, .name = "t"};
    replay_summarize(&played->world.stats, REPLAY_LINES_MOST, &result->coarse);
    replay_summarize(&played->world.stats, REPLAY_DOTS_MOST, &result->fine);
    replay_write_text(result, false, &out);
    assert_true(slice_find(buffer_content(&out), SLICE_LITERAL("as the gateway said first: ")) < buffer_len(&out));
    assert_true(slice_find(buffer_content(&out), SLICE_LITERAL("too long               2 for engines: prompt and "
                                                               "answer together may have ")) < buffer_len(&out));
    assert_true(slice_find(buffer_content(&out), SLICE_LITERAL("of no tokens           2 asked for no token of input "
                                                               "or of output")) < buffer_len(&out));
    buffer_clear(&out);
    replay_write_json(result, &out);
    assert_true(slice_find(buffer_content(&out), SLICE_LITERAL("\"reasons\":{\"invalid\":\"")) < buffer_len(&out));
    assert_true(slice_find(buffer_content(&out), SLICE_LITERAL("\"too_long\":2,")) < buffer_len(&out));
    assert_true(slice_find(buffer_content(&out), SLICE_LITERAL("\"rounded\":2,")) < buffer_len(&out));
    buffer_free(&out);
    free(result);
    end(played);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(money_adds_up),
        cmocka_unit_test(times_are_the_engines),
        cmocka_unit_test(known_blocks_are_cached),
        cmocka_unit_test(prompts_of_which_nothing_is_told_have_nothing_in_common),
        cmocka_unit_test(replicas_share_the_work),
        cmocka_unit_test(one_seed_gives_one_result),
        cmocka_unit_test(stopped_early),
        cmocka_unit_test(the_picture_is_xml),
        cmocka_unit_test(the_summary_is_exact),
        cmocka_unit_test(whole_answers_have_no_first_token),
        cmocka_unit_test(most_in_flight_is_counted),
        cmocka_unit_test(through_a_configuration),
        cmocka_unit_test(what_did_not_fit_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
