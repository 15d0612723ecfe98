/* How the modelled backend behaves in the virtual world: pace, load, clients that leave, faults, what it tells of itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "twin_bench.h"

/* Pace */

static void
timing_is_as_set(void **state)
{
    struct twin_settings settings;
    struct bench bench;
    struct vclient *one, *other, *whole;
    const char *body = "{\"model\":\"twin-small\",\"stream\":true,\"ignore_eos\":true,\"max_tokens\":11,"
                       "\"messages\":[{\"role\":\"user\",\"content\":\"go on\"}]}";

    (void)state;
    twin_settings_default(&settings, (struct twin_pace){300 * USEC_PER_MS, 20 * USEC_PER_MS});
    settings.slots = 1;
    bench = bench_new(8, &settings);
    one = asks(&bench, "/v1/chat/completions", NULL, body);
    other = asks(&bench, "/v1/chat/completions", NULL, body);
    history_run_to_rest(bench.history);
    whole = asks(&bench, "/v1/chat/completions", NULL,
                 "{\"model\":\"twin-small\",\"ignore_eos\":true,\"max_tokens\":11,"
                 "\"messages\":[{\"role\":\"user\",\"content\":\"go on\"}]}");
    history_run_to_rest(bench.history);
    /* 300 ms, then 10 tokens of 20 ms; hops take up to 0.3 ms each */
    assert_in_range(vclient_first_byte_us(one) - vclient_started_us(one), 300000, 302000);
    assert_in_range(vclient_ended_us(one) - vclient_started_us(one), 500000, 502000);
    assert_in_range(vclient_first_byte_us(other) - vclient_started_us(other), 800000, 804000);
    assert_in_range(vclient_ended_us(whole) - vclient_started_us(whole), 500000, 502000);
    bench_end(&bench);
}

static void
load_slows_down_up_to_the_slots(void **state)
{
    struct twin_settings settings;
    struct bench bench;
    struct vclient *clients[4];

    (void)state;
    twin_settings_default(&settings, (struct twin_pace){100 * USEC_PER_MS, 10 * USEC_PER_MS});
    settings.slots = 4;
    bench = bench_new(9, &settings);
    for (unsigned i = 0; i < 4; i++)
        clients[i] = asks(&bench, "/v1/chat/completions", NULL,
                          "{\"model\":\"twin-small\",\"stream\":true,\"ignore_eos\":true,\"max_tokens\":50,"
                          "\"messages\":[{\"role\":\"user\",\"content\":\"go on\"}]}");
    history_run_to_rest(bench.history);
    /* alone: 590 ms; four of four: times 1.75 from the second token on */
    for (unsigned i = 0; i < 4; i++)
        assert_in_range(vclient_ended_us(clients[i]) - vclient_started_us(clients[i]), 950000, 1035000);
    bench_end(&bench);
}

static void
a_client_that_leaves_stops_the_work(void **state)
{
    struct twin_settings settings;
    struct bench bench;
    struct vclient *before, *during, *queued;
    const char *body = "{\"model\":\"twin-small\",\"stream\":true,\"ignore_eos\":true,\"max_tokens\":100,"
                       "\"messages\":[{\"role\":\"user\",\"content\":\"go on\"}]}";

    (void)state;
    twin_settings_default(&settings, (struct twin_pace){300 * USEC_PER_MS, 20 * USEC_PER_MS});
    settings.slots = 2;
    bench = bench_new(10, &settings);
    before = asks(&bench, "/v1/chat/completions", NULL, body);
    during = asks(&bench, "/v1/chat/completions", NULL, body);
    queued = asks(&bench, "/v1/chat/completions", NULL, body);
    history_run_for(bench.history, 100 * USEC_PER_MS);
    assert_int_equal(page_number(&bench, "/twin/seen", "/total/running"), 2);
    assert_int_equal(page_number(&bench, "/twin/seen", "/total/waiting"), 1);
    vclient_leave(queued);
    vclient_leave(before);
    history_run_for(bench.history, 900 * USEC_PER_MS);
    vclient_leave(during);
    history_run_to_rest(bench.history);
    assert_int_equal(page_number(&bench, "/twin/seen", "/total/client_gone"), 3);
    assert_int_equal(page_number(&bench, "/twin/seen", "/total/running"), 0);
    assert_int_equal(page_number(&bench, "/twin/seen", "/total/waiting"), 0);
    /* some 25 of one, none of the others */
    assert_in_range(page_number(&bench, "/twin/seen", "/total/output_tokens"), 20, 36);
    assert_in_range(page_number(&bench, "/twin/seen", "/total/abandoned_tokens"), 264, 280);
    bench_end(&bench);
}

static void
a_slow_reader_gets_everything(void **state)
{
    struct bench bench = bench_instant(11);
    struct vclient_script script = {
        .target = "/v1/chat/completions",
        .body = SLICE_LITERAL("{\"model\":\"twin-small\",\"stream\":true,\"messages\":"
                              "[{\"role\":\"user\",\"content\":\"Write 2000 words\"}]}"),
        .window = 512,
        .read_len = 100,
        .read_gap_us = 10,
    };
    struct vclient *client = vclient_start(bench.history, &script);
    struct told told = {.roles = 0};

    (void)state;
    history_run_to_rest(bench.history);
    assert_true(vclient_done(client));
    walk_frames(vclient_body(client), put_chat_together, &told);
    assert_int_equal(buffer_len(&told.text), 3000 * 4);
    told_free(&told);
    bench_end(&bench);
}

/* Faults */

#define STREAM_OF_100                                                                                                  \
    "{\"model\":\"twin-small\",\"stream\":true,\"ignore_eos\":true,\"max_tokens\":100,"                                \
    "\"stream_options\":{\"include_usage\":true},\"messages\":[{\"role\":\"user\",\"content\":\"go on\"}]}"

#define WHOLE_OF_100                                                                                                   \
    "{\"model\":\"twin-small\",\"ignore_eos\":true,\"max_tokens\":100,\"messages\":[{\"role\":\"user\","               \
    "\"content\":\"go on\"}]}"

static struct vclient *
asks_with_fault(struct bench *bench, const char *fault, const char *body)
{
    struct vclient *client = asks(bench, "/v1/chat/completions", fault, body);

    history_run_for(bench->history, 10 * USEC_PER_S);
    return client;
}

static void
connections_break_where_they_are_told_to(void **state)
{
    struct bench bench = bench_instant(12);
    struct vclient *client;

    (void)state;
    client = asks_with_fault(&bench, "x-twin-fault: drop-before-first-byte", STREAM_OF_100);
    assert_true(vclient_cut(client));
    assert_int_equal(vclient_status(client), 0);

    client = asks_with_fault(&bench, "x-twin-fault: drop-after-first-byte", STREAM_OF_100);
    assert_true(vclient_cut(client));
    assert_int_equal(walk_frames(vclient_body(client), NULL, NULL), 1);

    client = asks_with_fault(&bench, "x-twin-fault: cut-after=40", STREAM_OF_100);
    assert_true(vclient_cut(client));
    assert_int_equal(walk_frames(vclient_body(client), NULL, NULL), 41); /* the role's chunk comes first */

    client = asks_with_fault(&bench, "x-twin-fault: end-early=40", STREAM_OF_100);
    assert_true(vclient_done(client));
    assert_int_equal(walk_frames(vclient_body(client), NULL, NULL), 41);

    client = asks_with_fault(&bench, "x-twin-fault: cut-mid-stream", WHOLE_OF_100);
    assert_true(vclient_cut(client));
    assert_in_range((int64_t)vclient_body(client).len, vclient_body_len(client) / 2 - 1, vclient_body_len(client) / 2);

    client = asks_with_fault(&bench, "x-twin-fault: stall-after=40", STREAM_OF_100);
    assert_true(vclient_waits(client));
    assert_int_equal(walk_frames(vclient_body(client), NULL, NULL), 41);
    vclient_leave(client);
    history_run_to_rest(bench.history);
    assert_int_equal(page_number(&bench, "/twin/seen", "/total/broken_by_fault"), 5);
    bench_end(&bench);
}

static void
other_faults_strike_too(void **state)
{
    struct bench bench = bench_instant(13);
    struct vclient *client;

    (void)state;
    client = asks_with_fault(&bench, "x-twin-fault: status-429", STREAM_OF_100);
    assert_int_equal(vclient_status(client), 429);
    assert_true(slice_is(vclient_header(client, "retry-after"), "1"));

    client = asks_with_fault(&bench, "x-twin-fault: delay=2s", WHOLE_OF_100);
    assert_in_range(vclient_first_byte_us(client) - vclient_started_us(client), 2000000, 2002000);

    client = asks_with_fault(&bench, "x-twin-fault: slow=50ms, no-usage", STREAM_OF_100);
    assert_in_range(vclient_ended_us(client) - vclient_started_us(client), 4950000, 4953000);
    assert_true(slice_find(vclient_body(client), SLICE_LITERAL("\"usage\":{")) == vclient_body(client).len);

    client = asks_with_fault(&bench, "x-twin-fault: malformed-sse", STREAM_OF_100);
    assert_true(vclient_done(client));
    assert_true(slice_find(vclient_body(client), SLICE_LITERAL("\"delta\": \n")) < vclient_body(client).len);

    client = asks_with_fault(&bench, "x-twin-fault: cut-efter=3", STREAM_OF_100);
    assert_int_equal(vclient_status(client), 400);
    bench_end(&bench);
}

static void
faults_are_set_while_it_runs(void **state)
{
    struct bench bench = bench_instant(14);
    unsigned failed = 0;

    (void)state;
    asks(&bench, "/twin/faults", NULL, "{\"faults\":[\"status=503*2\"]}");
    history_run_to_rest(bench.history);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(vclient_status(asks_with_fault(&bench, NULL, WHOLE_OF_100)), i < 2 ? 503 : 200);
    assert_int_equal(page_number(&bench, "/twin/faults", "/faults/0/struck"), 2);
    assert_int_equal(page_number(&bench, "/twin/seen", "/total/refused"), 2);

    asks(&bench, "/twin/faults", NULL, "{\"faults\":[\"status=500:25%\"]}");
    history_run_to_rest(bench.history);
    for (unsigned i = 0; i < 400; i++)
        failed += vclient_status(asks_with_fault(&bench, NULL, WHOLE_OF_100)) == 500 ? 1 : 0;
    assert_in_range(failed, 70, 130); /* 100 expected, 3.5 deviations of 8.7 */
    bench_end(&bench);
}

/* What arrived */

static void
the_last_request_is_shown_byte_for_byte(void **state)
{
    struct bench bench = bench_instant(15);
    const char *body =
        "{ \"model\" : \"twin-small\",\n \"messages\":[{\"role\":\"user\",\"content\":\"\\u00e9 \xc3\xa9\"}]}";
    struct vclient *client;
    yyjson_doc *doc;

    (void)state;
    asks(&bench, "/v1/chat/completions?a=b", "Authorization: Bearer hush\nX-Thing: 7", body);
    history_run_to_rest(bench.history);
    client = vclient_start(bench.history, &(struct vclient_script){.target = "/twin/last/body"});
    history_run_to_rest(bench.history);
    assert_true(slice_is(vclient_body(client), body));
    client = vclient_start(bench.history, &(struct vclient_script){.target = "/twin/last"});
    history_run_to_rest(bench.history);
    doc = json_of(vclient_body(client));
    assert_true(slice_is(string_at(doc, "/target"), "/v1/chat/completions?a=b"));
    assert_int_equal(number_at(doc, "/body_bytes"), (int64_t)strlen(body));
    assert_true(slice_find(vclient_body(client), SLICE_LITERAL("[\"X-Thing\",\"7\"]")) < vclient_body(client).len);
    assert_true(slice_find(vclient_body(client), SLICE_LITERAL("hush")) == vclient_body(client).len);
    yyjson_doc_free(doc);
    bench_end(&bench);
}

static void
metrics_have_vllms_names(void **state)
{
    static const char *const lines[] = {
        "vllm:num_requests_running{engine=\"0\",model_name=\"twin-small\"} 0\n",
        "vllm:generation_tokens_total{engine=\"0\",model_name=\"twin-small\"} 100\n",
        "vllm:time_to_first_token_seconds_count{engine=\"0\",model_name=\"twin-small\"} 1\n",
        "vllm:request_success_total{engine=\"0\",finished_reason=\"length\",model_name=\"twin-small\"} 1\n",
    };
    struct bench bench = bench_instant(16);
    struct vclient *client;

    (void)state;
    asks_with_fault(&bench, NULL, WHOLE_OF_100);
    client = vclient_start(bench.history, &(struct vclient_script){.target = "/metrics"});
    history_run_to_rest(bench.history);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (slice_find(vclient_body(client), slice_of(lines[i])) == vclient_body(client).len)
            fail_msg("no line %s in\n%.*s", lines[i], SLICE_ARGS(vclient_body(client)));
    bench_end(&bench);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timing_is_as_set),
        cmocka_unit_test(load_slows_down_up_to_the_slots),
        cmocka_unit_test(a_client_that_leaves_stops_the_work),
        cmocka_unit_test(a_slow_reader_gets_everything),
        cmocka_unit_test(connections_break_where_they_are_told_to),
        cmocka_unit_test(other_faults_strike_too),
        cmocka_unit_test(faults_are_set_while_it_runs),
        cmocka_unit_test(the_last_request_is_shown_byte_for_byte),
        cmocka_unit_test(metrics_have_vllms_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
