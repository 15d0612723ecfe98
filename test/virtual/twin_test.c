/* The modelled backend, served in the virtual world: every API whole and streamed, pace, faults, clients that leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <yyjson.h>

#include "dialect/meter.h"
#include "dialect/sse.h"
#include "twin/tasks.h"
#include "twin/twin.h"
#include "virtual/vclient.h"

struct bench {
    struct history *history;
    struct twin *twin;
    struct application *application;
};

static struct bench
bench_new(uint64_t seed, const struct twin_settings *settings)
{
    struct bench bench = {.history = history_new((struct history_options){.seed = seed})};

    bench.twin = twin_new(settings);
    bench.application = twin_worker_new(bench.twin, history_world(bench.history, 0));
    history_serve(bench.history, 0, bench.application);
    return bench;
}

static struct bench
bench_instant(uint64_t seed)
{
    struct twin_settings settings;

    twin_settings_default(&settings, (struct twin_pace){0, 0});
    return bench_new(seed, &settings);
}

/* Nothing may be left open. */
static void
bench_end(struct bench *bench)
{
    history_run_to_rest(bench->history);
    assert_int_equal(history_clients_open(bench->history), 0);
    assert_int_equal(history_timers_running(bench->history), 0);
    twin_worker_free(bench->application);
    twin_free(bench->twin);
    history_free(bench->history);
}

static struct vclient *
asks(struct bench *bench, const char *target, const char *headers, const char *body)
{
    return vclient_start(bench->history,
                         &(struct vclient_script){.target = target, .headers = headers, .body = slice_of(body)});
}

static yyjson_doc *
json_of(struct slice text)
{
    yyjson_doc *doc = yyjson_read(text.data, text.len, 0);

    if (doc == NULL)
        fail_msg("not JSON: %.*s", SLICE_ARGS(text));
    return doc;
}

static struct slice
string_at(yyjson_doc *doc, const char *pointer)
{
    yyjson_val *value = yyjson_doc_ptr_get(doc, pointer);

    if (!yyjson_is_str(value))
        fail_msg("no text at %s", pointer);
    return slice_make(yyjson_get_str(value), yyjson_get_len(value));
}

static int64_t
number_at(yyjson_doc *doc, const char *pointer)
{
    yyjson_val *value = yyjson_doc_ptr_get(doc, pointer);

    if (!yyjson_is_int(value))
        fail_msg("no whole number at %s", pointer);
    return yyjson_get_sint(value);
}

/* GET of a page, and a number in it. */
static int64_t
page_number(struct bench *bench, const char *target, const char *pointer)
{
    struct vclient *client = vclient_start(bench->history, &(struct vclient_script){.target = target});
    yyjson_doc *doc;
    int64_t number;

    history_run_until(bench->history, !vclient_waits(client));
    assert_int_equal(vclient_status(client), 200);
    doc = json_of(vclient_body(client));
    number = number_at(doc, pointer);
    yyjson_doc_free(doc);
    return number;
}

/* Frames: each one's data is JSON, but for [DONE]. `each` (may be NULL) sees them. */
static unsigned
walk_frames(struct slice stream, void (*each)(yyjson_doc *, struct slice event, void *), void *user)
{
    struct sse_framer framer;
    struct buffer joined;
    struct slice frame, event, data;
    unsigned count = 0;

    sse_init(&framer, 1 << 20);
    buffer_init(&joined);
    while (sse_next(&framer, &stream, &frame) == SSE_FRAME) {
        yyjson_doc *doc;

        assert_true(sse_parse(frame, &joined, &event, &data));
        count++;
        if (slice_is(data, "[DONE]"))
            continue;
        doc = json_of(data);
        if (each != NULL)
            each(doc, event, user);
        yyjson_doc_free(doc);
    }
    assert_int_equal(sse_rest(&framer).len, 0);
    sse_free(&framer);
    buffer_free(&joined);
    return count;
}

/* The same question to every API, whole and streamed: the same usage, as the gateway's own meter reads it. */

static struct usage
metered(enum api api, bool streamed, struct slice body)
{
    struct meter meter;
    struct usage usage;

    meter_init(&meter, api, api_dialect(api));
    if (streamed) {
        struct sse_framer framer;
        struct slice frame;

        sse_init(&framer, 1 << 20);
        while (sse_next(&framer, &body, &frame) == SSE_FRAME)
            meter_frame(&meter, frame);
        sse_free(&framer);
    } else {
        meter_piece(&meter, body);
    }
    meter_end(&meter);
    assert_true(meter.usage_seen);
    assert_true(meter.finished);
    usage = meter.usage;
    meter_free(&meter);
    return usage;
}

static const struct {
    enum api api;
    const char *target, *rest; /* members besides model and stream */
} apis[] = {
    {API_CHAT, "/v1/chat/completions",
     "\"stream_options\":{\"include_usage\":true},\"messages\":[{\"role\":\"user\",\"content\":\"Tell me about "
     "bees\"}]"},
    {API_COMPLETIONS, "/v1/completions",
     "\"stream_options\":{\"include_usage\":true},\"prompt\":\"Tell me about bees\""},
    {API_RESPONSES, "/v1/responses", "\"input\":\"Tell me about bees\""},
    {API_MESSAGES, "/v1/messages",
     "\"max_tokens\":500,\"messages\":[{\"role\":\"user\",\"content\":\"Tell me about bees\"}]"},
};

enum { APIS = sizeof apis / sizeof apis[0] };

static void
streamed_and_whole_tell_the_same_usage(void **state)
{
    static const char *const models[] = {"twin-small", "twin-large-thinking"};
    struct bench bench = bench_instant(1);

    (void)state;
    for (size_t i = 0; i < APIS; i++)
        for (size_t m = 0; m < sizeof models / sizeof models[0]; m++) {
            char body[2][500];
            struct vclient *clients[2];
            struct usage usage[2];

            for (int streamed = 0; streamed < 2; streamed++) {
                snprintf(body[streamed], sizeof body[0], "{\"model\":\"%s\",%s%s}", models[m],
                         streamed ? "\"stream\":true," : "", apis[i].rest);
                clients[streamed] = asks(&bench, apis[i].target, NULL, body[streamed]);
            }
            history_run_to_rest(bench.history);
            for (int streamed = 0; streamed < 2; streamed++) {
                assert_int_equal(vclient_status(clients[streamed]), 200);
                assert_true(vclient_done(clients[streamed]));
                usage[streamed] = metered(apis[i].api, streamed == 1, vclient_body(clients[streamed]));
            }
            assert_true(walk_frames(vclient_body(clients[1]), NULL, NULL) > 10);
            assert_memory_equal(&usage[0], &usage[1], sizeof usage[0]);
        }
    bench_end(&bench);
}

struct told {
    struct buffer text, arguments[2];
    char ids[2][64], names[2][64];
    char finish[32];
    unsigned roles, usages;
};

static void
copy_text(yyjson_val *value, char *out, size_t size)
{
    assert_true(yyjson_get_len(value) < size);
    memcpy(out, yyjson_get_str(value), yyjson_get_len(value) + 1);
}

static void
put_chat_together(yyjson_doc *doc, struct slice event, void *user)
{
    struct told *told = user;
    yyjson_val *delta = yyjson_doc_ptr_get(doc, "/choices/0/delta");
    yyjson_val *call = yyjson_arr_get_first(yyjson_obj_get(delta, "tool_calls"));
    yyjson_val *finish = yyjson_doc_ptr_get(doc, "/choices/0/finish_reason");
    yyjson_val *function = yyjson_obj_get(call, "function");
    size_t at = yyjson_get_uint(yyjson_obj_get(call, "index"));

    assert_int_equal(event.len, 0);
    assert_true(slice_is(string_at(doc, "/object"), "chat.completion.chunk"));
    told->roles += yyjson_obj_get(delta, "role") != NULL ? 1 : 0;
    told->usages += yyjson_is_obj(yyjson_doc_ptr_get(doc, "/usage")) ? 1 : 0;
    if (yyjson_is_str(yyjson_obj_get(delta, "content")))
        buffer_add_text(&told->text, yyjson_get_str(yyjson_obj_get(delta, "content")));
    if (yyjson_is_str(finish))
        copy_text(finish, told->finish, sizeof told->finish);
    if (call == NULL)
        return;
    assert_true(at < 2);
    if (yyjson_obj_get(call, "id") != NULL) {
        assert_string_equal(told->ids[at], "");
        copy_text(yyjson_obj_get(call, "id"), told->ids[at], sizeof told->ids[at]);
        copy_text(yyjson_obj_get(function, "name"), told->names[at], sizeof told->names[at]);
    }
    buffer_add_text(&told->arguments[at], yyjson_get_str(yyjson_obj_get(function, "arguments")));
}

static void
told_free(struct told *told)
{
    buffer_free(&told->text);
    buffer_free(&told->arguments[0]);
    buffer_free(&told->arguments[1]);
}

static void
a_streamed_chat_puts_together_to_the_whole_one(void **state)
{
    struct bench bench = bench_instant(2);
    struct vclient *whole = asks(&bench, "/v1/chat/completions", NULL,
                                 "{\"model\":\"twin-large\",\"messages\":[{\"role\":\"user\",\"content\":\"Sing\"}]}");
    struct vclient *stream = asks(&bench, "/v1/chat/completions", NULL,
                                  "{\"model\":\"twin-large\",\"stream\":true,"
                                  "\"messages\":[{\"role\":\"user\",\"content\":\"Sing\"}]}");
    struct told told = {.roles = 0};
    yyjson_doc *doc;

    (void)state;
    history_run_to_rest(bench.history);
    doc = json_of(vclient_body(whole));
    walk_frames(vclient_body(stream), put_chat_together, &told);
    assert_true(slice_equal(string_at(doc, "/choices/0/message/content"), buffer_content(&told.text)));
    assert_string_equal(told.finish, "stop");
    assert_int_equal(told.roles, 1);
    assert_int_equal(told.usages, 0); /* not asked for */
    assert_true(slice_ends(vclient_body(stream), "data: [DONE]\n\n"));
    assert_true(slice_starts(vclient_header(stream, "content-type"), "text/event-stream"));
    yyjson_doc_free(doc);
    told_free(&told);
    bench_end(&bench);
}

#define TWO_TOOLS                                                                                                      \
    "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"parameters\":{\"type\":\"object\","    \
    "\"properties\":{\"city\":{\"type\":\"string\"},\"unit\":{\"enum\":[\"kelvin\",\"celsius\"]}}}}},"                 \
    "{\"type\":\"function\",\"function\":{\"name\":\"add_numbers\",\"parameters\":{\"type\":\"object\","               \
    "\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"number\"}}}}}]"

static void
parallel_calls_keep_their_ids_and_names(void **state)
{
    struct bench bench = bench_instant(3);
    struct vclient *stream =
        asks(&bench, "/v1/chat/completions", NULL,
             "{\"model\":\"twin-small\",\"stream\":true," TWO_TOOLS ",\"messages\":[{\"role\":\"user\",\"content\":"
             "\"What is the weather in Oslo in celsius, and add the numbers 17 and 2.5\"}]}");
    struct told told = {.roles = 0};

    (void)state;
    history_run_to_rest(bench.history);
    walk_frames(vclient_body(stream), put_chat_together, &told);
    assert_string_equal(told.finish, "tool_calls");
    assert_string_equal(told.names[0], "get_weather");
    assert_string_equal(told.names[1], "add_numbers");
    assert_string_not_equal(told.ids[0], told.ids[1]);
    assert_true(slice_starts(slice_of(told.ids[0]), "call_"));
    assert_true(slice_is(buffer_content(&told.arguments[0]), "{\"city\": \"Oslo\", \"unit\": \"celsius\"}"));
    assert_true(slice_is(buffer_content(&told.arguments[1]), "{\"a\": 17, \"b\": 2.5}"));
    assert_int_equal(told.text.end, 0);
    told_free(&told);
    bench_end(&bench);
}

/* One chat's message at `pointer` of the whole answer. */
static void
assert_answers(struct bench *bench, const char *target, const char *body, const char *pointer, const char *text)
{
    struct vclient *client = asks(bench, target, NULL, body);
    yyjson_doc *doc;

    history_run_until(bench->history, !vclient_waits(client));
    doc = json_of(vclient_body(client));
    if (!slice_is(string_at(doc, pointer), text))
        fail_msg("%s instead of %s in %.*s", pointer, text, SLICE_ARGS(vclient_body(client)));
    yyjson_doc_free(doc);
}

static void
tool_choice_and_tool_results_are_heeded(void **state)
{
    struct bench bench = bench_instant(4);

    (void)state;
    assert_answers(&bench, "/v1/chat/completions",
                   "{\"model\":\"twin-small\"," TWO_TOOLS ",\"tool_choice\":\"required\","
                   "\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}",
                   "/choices/0/message/tool_calls/0/function/name", "get_weather");
    assert_answers(&bench, "/v1/chat/completions",
                   "{\"model\":\"twin-small\"," TWO_TOOLS ",\"tool_choice\":{\"type\":\"function\",\"function\":"
                   "{\"name\":\"add_numbers\"}},\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}",
                   "/choices/0/message/tool_calls/0/function/name", "add_numbers");
    assert_answers(&bench, "/v1/chat/completions",
                   "{\"model\":\"twin-small\"," TWO_TOOLS ",\"tool_choice\":\"none\","
                   "\"messages\":[{\"role\":\"user\",\"content\":\"get_weather now\"}]}",
                   "/choices/0/finish_reason", "stop");
    assert_answers(&bench, "/v1/chat/completions",
                   "{\"model\":\"twin-small\"," TWO_TOOLS ",\"messages\":[{\"role\":\"user\",\"content\":\"weather\"},"
                   "{\"role\":\"tool\",\"tool_call_id\":\"x\",\"content\":\"rain\"}]}",
                   "/choices/0/message/content", "The tool says: rain");
    assert_answers(&bench, "/v1/messages",
                   "{\"model\":\"twin-small\",\"max_tokens\":99,\"tools\":[{\"name\":\"get_weather\",\"input_schema\":"
                   "{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}}}}],"
                   "\"messages\":[{\"role\":\"user\",\"content\":\"The weather in Paris?\"}]}",
                   "/content/0/input/city", "Paris");
    assert_answers(&bench, "/v1/responses",
                   "{\"model\":\"twin-small\",\"tools\":[{\"type\":\"function\",\"name\":\"get_weather\","
                   "\"parameters\":{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}}}}],"
                   "\"input\":\"The weather in Paris?\"}",
                   "/output/0/arguments", "{\"city\": \"Paris\"}");
    bench_end(&bench);
}

static void
limits_stops_and_json_are_heeded(void **state)
{
    struct bench bench = bench_instant(5);

    (void)state;
    assert_answers(&bench, "/v1/chat/completions",
                   "{\"model\":\"twin-large\",\"max_tokens\":3,\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}",
                   "/choices/0/finish_reason", "length");
    assert_answers(&bench, "/v1/messages",
                   "{\"model\":\"twin-large\",\"max_tokens\":3,\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}",
                   "/stop_reason", "max_tokens");
    assert_answers(&bench, "/v1/responses", "{\"model\":\"twin-large\",\"max_output_tokens\":3,\"input\":\"Hi\"}",
                   "/incomplete_details/reason", "max_output_tokens");
    assert_answers(&bench, "/v1/messages",
                   "{\"model\":\"twin-large\",\"max_tokens\":300,\"stop_sequences\":[\" the \"],"
                   "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}",
                   "/stop_sequence", " the ");
    assert_answers(
        &bench, "/v1/chat/completions",
        "{\"model\":\"twin-large\",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":"
        "{\"type\":\"object\",\"properties\":{\"answer\":{\"type\":\"integer\"},\"unit\":{\"const\":\"m\"}}}}},"
        "\"messages\":[{\"role\":\"user\",\"content\":\"What is 20 + 22?\"}]}",
        "/choices/0/message/content", "{\"answer\": 42, \"unit\": \"m\"}");
    bench_end(&bench);
}

/* A schema that refers to itself ends. */
static void
a_schema_without_end_is_cut(void **state)
{
    struct bench bench = bench_instant(6);
    struct vclient *client = asks(
        &bench, "/v1/chat/completions", NULL,
        "{\"model\":\"twin-large\",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":"
        "{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#\"},\"b\":{\"$ref\":\"#\"},\"c\":{\"$ref\":\"#\"},"
        "\"d\":{\"$ref\":\"#\"}}}}},\"messages\":[{\"role\":\"user\",\"content\":\"go\"}]}");

    (void)state;
    history_run_to_rest(bench.history);
    assert_int_equal(vclient_status(client), 200);
    assert_true(vclient_body(client).len < (1 << 19));
    bench_end(&bench);
}

/* Errors */

static void
assert_refused(struct bench *bench, const char *target, const char *headers, const char *body, unsigned status,
               const char *pointer, const char *text)
{
    struct vclient *client = asks(bench, target, headers, body);
    yyjson_doc *doc;

    history_run_until(bench->history, !vclient_waits(client));
    if (vclient_status(client) != status)
        fail_msg("%u instead of %u for %s", vclient_status(client), status, body);
    doc = json_of(vclient_body(client));
    assert_true(slice_is(string_at(doc, pointer), text));
    yyjson_doc_free(doc);
}

static void
errors_are_in_the_callers_dialect(void **state)
{
    struct twin_settings settings;
    struct bench bench;

    (void)state;
    twin_settings_default(&settings, (struct twin_pace){0, 0});
    settings.key = "secret";
    settings.body_most = 200;
    bench = bench_new(7, &settings);
    assert_refused(&bench, "/v1/chat/completions", NULL, "{}", 401, "/error/code", "invalid_api_key");
    assert_refused(&bench, "/v1/messages", NULL, "{}", 401, "/error/type", "authentication_error");
    assert_refused(&bench, "/v1/chat/completions", "authorization: Bearer secret", "{\"model\": 1,,}", 400,
                   "/error/type", "invalid_request_error");
    assert_refused(&bench, "/v1/messages", "x-api-key: secret", "{\"model\":\"x\",\"messages\":[]}", 400, "/error/type",
                   "invalid_request_error");
    assert_refused(&bench, "/v1/chat/completions", "authorization: Bearer secret",
                   "{\"model\":\"nobody\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 404, "/error/code",
                   "model_not_found");
    assert_refused(&bench, "/v1/embeddings", "authorization: Bearer secret",
                   "{\"model\":\"twin-small\",\"input\":\"x\"}", 404, "/error/code", "model_not_found");
    assert_refused(&bench, "/v1/embeddings", "authorization: Bearer secret",
                   "{\"model\":\"twin-embed\",\"input\":\"x\",\"dimensions\":100000}", 400, "/error/type",
                   "invalid_request_error");
    assert_refused(&bench, "/nowhere", "authorization: Bearer secret", "{}", 404, "/error/type",
                   "invalid_request_error");
    assert_refused(&bench, "/v1/messages", "x-api-key: secret",
                   "{                                                                                             "
                   "                                                                                                 "
                   "                                                                                               }",
                   413, "/error/type", "request_too_large");
    bench_end(&bench);
}

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

static char *
long_chat(const char *model, const char *word, const char *tail)
{
    struct buffer body;
    char *text;

    buffer_init(&body);
    buffer_printf(&body,
                  "{\"model\":\"%s\",\"max_tokens\":50,\"messages\":[{\"role\":\"user\",\"content\":[{"
                  "\"type\":\"text\",\"text\":\"",
                  model);
    for (unsigned i = 0; i < 400; i++)
        buffer_printf(&body, "line %u of a %s text. ", i, word);
    buffer_printf(&body, "\",\"cache_control\":{\"type\":\"ephemeral\"}},{\"type\":\"text\",\"text\":\"%s\"}]}]}",
                  tail);
    text = slice_strdup(buffer_content(&body));
    buffer_free(&body);
    return text;
}

static int64_t
number_of(struct bench *bench, const char *target, const char *body, const char *pointer)
{
    struct vclient *client = asks(bench, target, NULL, body);
    yyjson_doc *doc;
    int64_t number;

    history_run_to_rest(bench->history);
    doc = json_of(vclient_body(client));
    number = number_at(doc, pointer);
    yyjson_doc_free(doc);
    return number;
}

static void
long_prompts_are_read_from_the_prefix_cache(void **state)
{
    struct bench bench = bench_instant(17);
    char *one = long_chat("twin-small", "long", "one"), *other = long_chat("twin-small", "long", "other");
    const char *cached = "/usage/prompt_tokens_details/cached_tokens";
    char *large = long_chat("twin-large", "long", "other");
    char *wide = long_chat(
        "twin-large",
        "\xe9\x95\xb7\xe9\x95\xb7\xe9\x95\xb7\xe9\x95\xb7\xe9\x95\xb7\xe9\x95\xb7\xe9\x95\xb7\xe9\x95\xb7", "end");
    int64_t read, written;

    (void)state;
    assert_int_equal(number_of(&bench, "/v1/chat/completions", one, cached), 0);
    read = number_of(&bench, "/v1/chat/completions", other, cached);
    assert_true(read >= 1024 && read % 128 == 0);
    written = number_of(&bench, "/v1/messages", large, "/usage/cache_creation_input_tokens");
    assert_true(written >= 1024);
    assert_int_equal(number_of(&bench, "/v1/messages", large, "/usage/cache_read_input_tokens"), written);
    assert_int_equal(number_of(&bench, "/v1/messages", large, "/usage/cache_creation_input_tokens"), 0);
    /* characters of three bytes: fewer tokens than a quarter of the bytes */
    assert_int_equal(number_of(&bench, "/v1/chat/completions", wide, cached), 0);
    assert_in_range(number_of(&bench, "/v1/chat/completions", wide, cached),
                    number_of(&bench, "/v1/chat/completions", wide, "/usage/prompt_tokens") - 128,
                    number_of(&bench, "/v1/chat/completions", wide, "/usage/prompt_tokens"));
    history_run_for(bench.history, 301 * USEC_PER_S);
    assert_int_equal(number_of(&bench, "/v1/chat/completions", one, cached), 0);
    free(one);
    free(other);
    free(large);
    free(wide);
    bench_end(&bench);
}

/* Ability: over 300 tasks the larger model is useful more often, and the same question gets the same answer. */

static bool
model_is_useful(struct bench *bench, const char *model, const char *prompt)
{
    struct buffer body;
    struct vclient *client;
    yyjson_doc *doc;
    bool useful;

    buffer_init(&body);
    buffer_printf(&body, "{\"model\":\"%s\",\"temperature\":0,\"messages\":[{\"role\":\"user\",\"content\":\"", model);
    buffer_add_json(&body, slice_of(prompt));
    buffer_add_text(&body, "\"}]}");
    client = vclient_start(bench->history,
                           &(struct vclient_script){.target = "/v1/chat/completions", .body = buffer_content(&body)});
    history_run_until(bench->history, !vclient_waits(client));
    doc = json_of(vclient_body(client));
    useful = task_check(slice_of(prompt), string_at(doc, "/choices/0/message/content"));
    yyjson_doc_free(doc);
    buffer_free(&body);
    return useful;
}

static void
larger_models_are_useful_more_often(void **state)
{
    static const char *const models[] = {"twin-small", "twin-medium", "twin-large"};
    struct bench bench = bench_instant(18);

    (void)state;
    for (enum task_family family = 0; family < TASK_FAMILIES; family++) {
        unsigned useful[3] = {0};

        for (unsigned i = 0; i < 300; i++) {
            struct arena arena;
            struct task task;

            arena_init(&arena);
            task_make(&task, family, 1 + i % TASK_DIFFICULTY_MOST, 1000 + i, &arena);
            for (unsigned m = 0; m < 3; m++)
                useful[m] += model_is_useful(&bench, models[m], task.prompt) ? 1 : 0;
            assert_int_equal(model_is_useful(&bench, models[0], task.prompt),
                             model_is_useful(&bench, models[0], task.prompt));
            arena_reset(&arena);
        }
        print_message("%s: useful of 300: small %u, medium %u, large %u\n", task_family_name(family), useful[0],
                      useful[1], useful[2]);
        assert_true(useful[0] + 30 < useful[1] && useful[1] + 15 < useful[2]);
    }
    bench_end(&bench);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streamed_and_whole_tell_the_same_usage),
        cmocka_unit_test(a_streamed_chat_puts_together_to_the_whole_one),
        cmocka_unit_test(parallel_calls_keep_their_ids_and_names),
        cmocka_unit_test(tool_choice_and_tool_results_are_heeded),
        cmocka_unit_test(limits_stops_and_json_are_heeded),
        cmocka_unit_test(a_schema_without_end_is_cut),
        cmocka_unit_test(errors_are_in_the_callers_dialect),
        cmocka_unit_test(timing_is_as_set),
        cmocka_unit_test(load_slows_down_up_to_the_slots),
        cmocka_unit_test(a_client_that_leaves_stops_the_work),
        cmocka_unit_test(a_slow_reader_gets_everything),
        cmocka_unit_test(connections_break_where_they_are_told_to),
        cmocka_unit_test(other_faults_strike_too),
        cmocka_unit_test(faults_are_set_while_it_runs),
        cmocka_unit_test(the_last_request_is_shown_byte_for_byte),
        cmocka_unit_test(metrics_have_vllms_names),
        cmocka_unit_test(long_prompts_are_read_from_the_prefix_cache),
        cmocka_unit_test(larger_models_are_useful_more_often),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
