/* The modelled backend's APIs in the virtual world: whole and streamed, tools, limits, errors, cached input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dialect/meter.h"
#include "dialect/sse.h"
#include "twin_bench.h"

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
    /* what came from the cache is not in input_tokens: the last turn and the rest of a block are */
    assert_in_range(number_of(&bench, "/v1/messages", large, "/usage/input_tokens"), 1, 130);
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
        cmocka_unit_test(long_prompts_are_read_from_the_prefix_cache),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
