/* The modelled backend with an engine: its answers come when the engine has them, headers say how long they are, and its
 * metrics are the engine's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"
#include "twin_bench.h"

/* Steps of 10 ms, and 1 ms before the queue. */
static struct twin_settings
engine_settings(void)
{
    struct twin_settings settings;

    twin_settings_default(&settings, (struct twin_pace){300 * USEC_PER_MS, 20 * USEC_PER_MS});
    settings.models[0].engine = (struct engine_settings){
        .time = {.alpha_us = 10000},
        .sequences_most = 4,
        .step_tokens_most = 1000,
        .kv_tokens = 16000,
        .overhead_least_us = 1000,
        .overhead_most_us = 1000,
        .seed = 1,
    };
    return settings;
}

#define ASKS(more) "{\"model\":\"twin-small\"," more "\"messages\":[{\"role\":\"user\",\"content\":\"go on\"}]}"

static const char stream[] = ASKS("\"stream\":true,\"stream_options\":{\"include_usage\":true},");

static void
keep_usage(yyjson_doc *doc, struct slice event, void *user)
{
    int64_t *usage = user;

    (void)event;
    if (!yyjson_is_obj(yyjson_doc_ptr_get(doc, "/usage")))
        return;
    usage[0] = number_at(doc, "/usage/prompt_tokens");
    usage[1] = number_at(doc, "/usage/completion_tokens");
    usage[2] = yyjson_get_sint(yyjson_doc_ptr_get(doc, "/usage/prompt_tokens_details/cached_tokens"));
}

static void
answers_come_as_the_engine_has_them(void **state)
{
    struct twin_settings settings = engine_settings();
    struct bench bench = bench_new(1, &settings);
    struct vclient *streamed, *whole;
    int64_t usage[3] = {0, 0, 0};
    yyjson_doc *doc;

    (void)state;
    streamed = asks(&bench, "/v1/chat/completions", "x-twin-prompt-tokens: 3500\nx-twin-output-tokens: 21", stream);
    history_run_to_rest(bench.history);
    /* four steps for the prompt and twenty for the rest; hops take up to 0.3 ms each */
    assert_in_range(vclient_first_byte_us(streamed) - vclient_started_us(streamed), 41000, 42000);
    assert_in_range(vclient_ended_us(streamed) - vclient_started_us(streamed), 241000, 242000);
    walk_frames(vclient_body(streamed), keep_usage, usage);
    assert_int_equal(usage[0], 3500);
    assert_int_equal(usage[1], 21);
    whole = asks(&bench, "/v1/chat/completions", "x-twin-output-tokens: 5", ASKS(""));
    history_run_to_rest(bench.history);
    assert_in_range(vclient_first_byte_us(whole) - vclient_started_us(whole), 51000, 52000);
    doc = json_of(vclient_body(whole));
    assert_int_equal(number_at(doc, "/usage/completion_tokens"), 5);
    assert_true(slice_is(string_at(doc, "/choices/0/finish_reason"), "stop"));
    yyjson_doc_free(doc);
    bench_end(&bench);
}

static void
a_stream_interval_puts_tokens_together(void **state)
{
    static const struct {
        int64_t interval;
        unsigned pieces; /* the first, and the rest of 40 */
    } cases[] = {{0, 40}, {1, 40}, {13, 4}, {100, 2}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct twin_settings settings = engine_settings();
        struct bench bench;
        struct vclient *client;
        struct told told = {.roles = 0};
        unsigned frames;

        settings.stream_interval = cases[i].interval;
        bench = bench_new(2, &settings);
        client = asks(&bench, "/v1/chat/completions", "x-twin-output-tokens: 40", stream);
        history_run_to_rest(bench.history);
        frames = walk_frames(vclient_body(client), put_chat_together, &told);
        assert_int_equal(buffer_len(&told.text), 160);
        assert_int_equal(frames, cases[i].pieces + 4); /* role, finish, usage, [DONE] */
        assert_in_range(vclient_ended_us(client) - vclient_started_us(client), 401000, 402000);
        told_free(&told);
        bench_end(&bench);
    }
}

static void
cached_blocks_are_told(void **state)
{
    struct twin_settings settings = engine_settings();
    struct bench bench = bench_new(3, &settings);
    static const char *const blocks[] = {
        "x-twin-prompt-tokens: 200\nx-twin-block-tokens: 64\nx-twin-blocks: 7,8,9\nx-twin-output-tokens: 2",
        "x-twin-prompt-tokens: 200\nx-twin-block-tokens: 64\nx-twin-blocks: 7,8,9\nx-twin-output-tokens: 2",
        "x-twin-prompt-tokens: 200\nx-twin-block-tokens: 64\nx-twin-blocks: 7,1,9\nx-twin-output-tokens: 2",
        "x-twin-prompt-tokens: 200\nx-twin-output-tokens: 2",
    };
    static const int64_t expected[] = {0, 192, 64, 0};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct vclient *client = asks(&bench, "/v1/chat/completions", blocks[i], stream);
        int64_t usage[3] = {0, 0, 0};

        history_run_to_rest(bench.history);
        walk_frames(vclient_body(client), keep_usage, usage);
        assert_int_equal(usage[2], expected[i]);
    }
    bench_end(&bench);
}

/* The text of a conversation's next turn begins with that of its last. */
static void
equal_texts_share_their_blocks(void **state)
{
    struct twin_settings settings = engine_settings();
    struct bench bench = bench_new(4, &settings);
    struct vclient *client;
    int64_t usage[3] = {0, 0, 0};
    char body[4096], prompt[1601];

    (void)state;
    for (unsigned i = 0; i < 1600; i++)
        prompt[i] = (char)('a' + i * i % 23 % 26);
    prompt[1600] = '\0';
    for (unsigned i = 0; i < 2; i++) {
        snprintf(body, sizeof body,
                 "{\"model\":\"twin-small\",\"stream\":true,\"stream_options\":{\"include_usage\":true},\"messages\":["
                 "{\"role\":\"user\",\"content\":\"%s%s\"}]}",
                 prompt, i == 0 ? "" : " and more");
        client = asks(&bench, "/v1/chat/completions", NULL, body);
        history_run_to_rest(bench.history);
        walk_frames(vclient_body(client), keep_usage, usage);
        assert_int_equal(usage[2], i == 0 ? 0 : 400);
    }
    bench_end(&bench);
}

static void
the_next_turn_finds_the_answer_too(void **state)
{
    struct twin_settings settings = engine_settings();
    struct bench bench = bench_new(8, &settings);
    struct told told = {.roles = 0};
    struct vclient *client;
    int64_t first[3] = {0, 0, 0}, second[3] = {0, 0, 0};
    char body[4096];

    (void)state;
    client = asks(&bench, "/v1/chat/completions", NULL, stream);
    history_run_to_rest(bench.history);
    walk_frames(vclient_body(client), put_chat_together, &told);
    walk_frames(vclient_body(client), keep_usage, first);
    snprintf(body, sizeof body,
             "{\"model\":\"twin-small\",\"stream\":true,\"stream_options\":{\"include_usage\":true},\"messages\":["
             "{\"role\":\"user\",\"content\":\"go on\"},{\"role\":\"assistant\",\"content\":\"%.*s\"},"
             "{\"role\":\"user\",\"content\":\"and on\"}]}",
             SLICE_ARGS(buffer_content(&told.text)));
    client = asks(&bench, "/v1/chat/completions", NULL, body);
    history_run_to_rest(bench.history);
    walk_frames(vclient_body(client), keep_usage, second);
    /* whole blocks of what was read and written, but for the last token, which the engine never read */
    assert_true(first[1] >= 32);
    assert_int_equal(second[2], (first[0] + first[1] - 1) / 16 * 16);
    told_free(&told);
    bench_end(&bench);
}

static double
metric(struct bench *bench, const char *name)
{
    struct vclient *client =
        vclient_start(bench->history, &(struct vclient_script){.method = "GET", .target = "/metrics"});
    struct slice page;
    char line[128];
    size_t at;

    history_run_until(bench->history, vclient_done(client));
    page = vclient_body(client);
    snprintf(line, sizeof line, "\nvllm:%s{engine=\"0\",model_name=\"twin-small\"} ", name);
    at = slice_find(page, slice_of(line));
    assert_true(at < page.len);
    return strtod(slice_from(page, at).data + strlen(line), NULL);
}

static void
its_metrics_are_the_engines(void **state)
{
    struct twin_settings settings = engine_settings();
    struct bench bench;
    struct vclient *clients[6];

    (void)state;
    settings.models[0].engine.kv_tokens = 1600;
    bench = bench_new(5, &settings);
    for (unsigned i = 0; i < 6; i++)
        clients[i] = asks(&bench, "/v1/chat/completions",
                          "x-twin-prompt-tokens: 200\nx-twin-output-tokens: 1000\nx-twin-blocks: 1,2", stream);
    history_run_for(bench.history, 55 * USEC_PER_MS);
    assert_int_equal(metric(&bench, "num_requests_running"), 4);
    assert_int_equal(metric(&bench, "num_requests_waiting"), 2);
    assert_int_equal(metric(&bench, "prompt_tokens_total"), 800);
    assert_int_equal(metric(&bench, "generation_tokens_total"), 17); /* the first came a step earlier */
    assert_int_equal(metric(&bench, "prefix_cache_queries_total"), 800);
    assert_int_equal(metric(&bench, "prefix_cache_hits_total"), 96);
    assert_true(metric(&bench, "kv_cache_usage_perc") == 0.46); /* 13 each, of which two are the same */
    vclient_leave(clients[0]);
    vclient_leave(clients[5]);
    history_run_for(bench.history, 20 * USEC_PER_MS);
    assert_int_equal(metric(&bench, "num_requests_running"), 4);
    assert_int_equal(metric(&bench, "num_requests_waiting"), 0);
    history_run_to_rest(bench.history);
    assert_int_equal(metric(&bench, "num_requests_running"), 0);
    assert_true(metric(&bench, "kv_cache_usage_perc") == 0);
    assert_true(metric(&bench, "num_preemptions_total") > 0); /* four of 1,200 tokens in 1,600 */
    assert_int_equal(page_number(&bench, "/twin/seen", "/total/client_gone"), 2);
    assert_int_equal(page_number(&bench, "/twin/seen", "/total/stop"), 4);
    bench_end(&bench);
}

static void
headers_that_make_no_sense_are_refused(void **state)
{
    static const char *const headers[] = {
        "x-twin-prompt-tokens: 0",
        "x-twin-output-tokens: many",
        "x-twin-output-tokens: 16777217",
        "x-twin-blocks: 1,2",
        "x-twin-prompt-tokens: 64\nx-twin-blocks: 1,,2",
        "x-twin-prompt-tokens: 64\nx-twin-blocks: 1,x",
        "x-twin-prompt-tokens: 64\nx-twin-block-tokens: 24\nx-twin-blocks: 1",
        "x-twin-prompt-tokens: 16000\nx-twin-output-tokens: 1", /* more than the engine has room for */
    };
    struct twin_settings settings = engine_settings();
    struct bench bench = bench_new(6, &settings);

    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        struct vclient *client = asks(&bench, "/v1/chat/completions", headers[i], stream);

        history_run_to_rest(bench.history);
        assert_int_equal(vclient_status(client), 400);
    }
    bench_end(&bench);
}

/* A fault strikes within what the engine hands over in one piece. */
static void
faults_strike_at_their_token(void **state)
{
    struct twin_settings settings = engine_settings();
    struct bench bench;
    struct vclient *cut, *slow;
    struct told told = {.roles = 0};

    (void)state;
    settings.stream_interval = 50;
    bench = bench_new(7, &settings);
    cut = asks(&bench, "/v1/chat/completions", "x-twin-output-tokens: 100\nx-twin-fault: end-early=40", stream);
    history_run_to_rest(bench.history);
    walk_frames(vclient_body(cut), put_chat_together, &told);
    assert_int_equal(buffer_len(&told.text), 160);
    told_free(&told);
    slow = asks(&bench, "/v1/chat/completions", "x-twin-output-tokens: 10\nx-twin-fault: slow=50ms", stream);
    history_run_to_rest(bench.history);
    assert_true(vclient_ended_us(slow) - vclient_started_us(slow) >= 450 * USEC_PER_MS);
    bench_end(&bench);
}

/* Whoever leaves whenever, and whatever breaks: nothing is left in the engine, which engine_free sees to. */
static void
nothing_is_left_behind(void **state)
{
    static const char *const faults[] = {"", "\nx-twin-fault: cut-after=7", "\nx-twin-fault: stall-after=3",
                                         "\nx-twin-fault: delay=40ms", "\nx-twin-fault: slow=15ms"};

    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct twin_settings settings = engine_settings();
        struct bench bench;
        struct rng rng;

        rng_seed(&rng, seed);
        settings.models[0].engine.kv_tokens = 16 * (40 + (int64_t)rng_below(&rng, 40));
        settings.stream_interval = (int64_t)rng_below(&rng, 9);
        bench = bench_new(seed, &settings);
        for (unsigned i = 0; i < 25; i++) {
            char headers[256];

            snprintf(headers, sizeof headers,
                     "x-twin-prompt-tokens: %u\nx-twin-output-tokens: %u\nx-twin-block-tokens: 32\n"
                     "x-twin-blocks: %u,2,3,4,5%s",
                     1 + (unsigned)rng_below(&rng, 300), 1 + (unsigned)rng_below(&rng, 200),
                     (unsigned)rng_below(&rng, 3), faults[rng_below(&rng, sizeof faults / sizeof faults[0])]);
            vclient_start(bench.history,
                          &(struct vclient_script){.target = "/v1/chat/completions",
                                                   .headers = headers,
                                                   .body = slice_of(rng_below(&rng, 3) == 0 ? ASKS("") : stream),
                                                   .leaves_after_us = 1 + (usec)rng_below(&rng, 8 * USEC_PER_S)});
            history_run_for(bench.history, (usec)rng_below(&rng, 50 * USEC_PER_MS));
        }
        bench_end(&bench);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_come_as_the_engine_has_them),
        cmocka_unit_test(a_stream_interval_puts_tokens_together),
        cmocka_unit_test(cached_blocks_are_told),
        cmocka_unit_test(equal_texts_share_their_blocks),
        cmocka_unit_test(the_next_turn_finds_the_answer_too),
        cmocka_unit_test(its_metrics_are_the_engines),
        cmocka_unit_test(headers_that_make_no_sense_are_refused),
        cmocka_unit_test(faults_strike_at_their_token),
        cmocka_unit_test(nothing_is_left_behind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
