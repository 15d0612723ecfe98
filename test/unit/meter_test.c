/* What answers cost in tokens, for each API, streamed and buffered, told in every way that servers have. */
#include "dialect/meter.h"

#include "cmocka_ready.h"
#include "dialect/sse.h"

/* A stream in pieces of `piece` bytes; `kinds` gets a letter for each event: p(lain), u(sage only), l(ast), e(rror). */
static struct meter
stream_in(enum api api, struct slice bytes, size_t piece, char *kinds)
{
    struct sse_framer framer;
    struct meter meter;
    size_t count = 0;

    sse_init(&framer, 65536);
    meter_init(&meter, api, api_dialect(api));
    while (bytes.len > 0) {
        struct slice input = slice_first(bytes, piece), frame;

        bytes = slice_from(bytes, piece);
        while (sse_next(&framer, &input, &frame) == SSE_FRAME)
            kinds[count++] = "pule"[meter_frame(&meter, frame)];
    }
    meter.answer_bytes += (int64_t)sse_rest(&framer).len; /* a last LF that came behind its CR */
    kinds[count] = '\0';
    sse_free(&framer);
    return meter;
}

/* The same whatever the pieces. */
static struct meter
stream(enum api api, const char *text, const char *wanted_kinds)
{
    struct slice bytes = slice_of(text);
    char kinds[64];
    struct meter meter = stream_in(api, bytes, bytes.len, kinds);

    assert_string_equal(kinds, wanted_kinds);
    for (size_t piece = 1; piece < 20; piece++) {
        struct meter cut = stream_in(api, bytes, piece, kinds);

        assert_string_equal(kinds, wanted_kinds);
        assert_memory_equal(&cut.usage, &meter.usage, sizeof(cut.usage));
        assert_int_equal(cut.text_bytes, meter.text_bytes);
        assert_int_equal(cut.answer_bytes, meter.answer_bytes);
        assert_true(cut.finished == meter.finished && cut.failed == meter.failed);
        meter_free(&cut);
    }
    return meter;
}

static struct meter
whole(enum api api, struct slice bytes, size_t piece)
{
    struct meter meter;

    meter_init(&meter, api, api_dialect(api));
    for (; bytes.len > 0; bytes = slice_from(bytes, piece))
        meter_piece(&meter, slice_first(bytes, piece));
    meter_end(&meter);
    return meter;
}

static void
expect(struct meter *meter, int64_t input, int64_t cached, int64_t output)
{
    assert_true(meter->usage_seen);
    assert_int_equal(meter->usage.input_tokens, input);
    assert_int_equal(meter->usage.cache_read_tokens, cached);
    assert_int_equal(meter->usage.output_tokens, output);
    assert_int_equal(meter->usage.exactness, USAGE_EXACT);
    assert_false(meter->usage_partial);
    assert_null(usage_fault(&meter->usage));
}

/* Both tell the same; the streamed one says how it ended. */
static void
expect_alike(struct meter *streamed, struct meter *buffered)
{
    assert_memory_equal(&streamed->usage, &buffered->usage, sizeof(streamed->usage));
    assert_int_equal(streamed->text_bytes, buffered->text_bytes);
    assert_string_equal(streamed->model, buffered->model);
    assert_true(streamed->finished && buffered->finished && !streamed->failed && !buffered->failed);
    meter_free(streamed);
    meter_free(buffered);
}

#define CHAT_USAGE                                                                                                     \
    "\"usage\":{\"prompt_tokens\":20,\"completion_tokens\":7,\"total_tokens\":27,\"prompt_tokens_details\":{"          \
    "\"cached_tokens\":16},\"completion_tokens_details\":{\"reasoning_tokens\":3}}"

static const char chat_buffered[] =
    "{\"id\":\"c\",\"model\":\"m-1\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"
    "\"Hello\","
    "\"reasoning_content\":\"hm\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},"
    "\"finish_reason\":\"stop\"}]," CHAT_USAGE "}";

static void
chat(void **state)
{
    struct meter buffered = whole(API_CHAT, slice_of(chat_buffered), 7);
    struct meter streamed = stream(
        API_CHAT,
        "data: {\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}],"
        "\"usage\":null}\n\n"
        "data: {\"model\":\"m-1\",\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n"
        ": ping\n\n"
        "data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\ndata: "
        "{\"choices\":[{\"delta\":{\"content\":\"lo\"}}]}\n\n"
        "data: "
        "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}]}}]}"
        "\n\n"
        "data: "
        "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":{\"arguments\":\"}\"}}]},\"finish_reason\":\"stop\"}]}"
        "\n\n"
        "data: {\"choices\":[]," CHAT_USAGE "}\n\n"
        "data: [DONE]\n\n",
        "pppppppul");

    (void)state;
    expect(&streamed, 20, 16, 7);
    assert_int_equal(streamed.usage.output_reasoning_tokens, 3);
    assert_int_equal(streamed.text_bytes, 5 + 2 + 3);
    expect_alike(&streamed, &buffered);
}

/* Scenario 1: the usage comes with a last chunk that still has a choice. It counts, and the chunk is the client's. */
static void
usage_beside_a_choice(void **state)
{
    struct meter meter = stream(API_CHAT,
                                "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n"
                                "data: {\"choices\":[{\"index\":0,\"delta\":{}}]," CHAT_USAGE "}\n\n"
                                "data: [DONE]\n\n",
                                "ppl");

    (void)state;
    expect(&meter, 20, 16, 7);
    meter_free(&meter);
}

/* Some servers tell the usage so far with every chunk: the last one holds. */
static void
usage_in_every_chunk(void **state)
{
    struct meter meter =
        stream(API_COMPLETIONS,
               "data: {\"choices\":[{\"text\":\"a\"}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1}}\n\n"
               "data: {\"choices\":[{\"text\":\"b\",\"finish_reason\":\"stop\"}],"
               "\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n",
               "ppl");
    struct meter buffered = whole(API_COMPLETIONS,
                                  SLICE_LITERAL("{\"choices\":[{\"text\":\"ab\",\"finish_reason\":\"stop\"}],"
                                                "\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}"),
                                  1000);

    (void)state;
    expect(&meter, 5, 0, 2);
    expect_alike(&meter, &buffered);
}

/* Scenario 2: without a usage nothing is claimed, least of all that it cost nothing. */
static void
no_usage_is_unknown(void **state)
{
    static const char *const usages[] = {"", ",\"usage\":null", ",\"usage\":{}", ",\"usage\":{\"prompt_tokens\":-1}",
                                         ",\"usage\":{\"prompt_tokens\":\"many\"}"};

    (void)state;
    for (size_t i = 0; i < sizeof(usages) / sizeof(usages[0]); i++) {
        char text[256];
        struct meter meter;

        snprintf(text, sizeof(text), "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]%s}\n\ndata: [DONE]\n\n",
                 usages[i]);
        meter = stream(API_CHAT, text, "pl");
        assert_false(meter.usage_seen);
        assert_int_equal(meter.usage.exactness, USAGE_UNKNOWN);
        assert_true(!usd_known(meter.usage.provider_cost) && meter.usage.reported == 0);
        assert_int_equal(meter.text_bytes, 2);
        meter_free(&meter);
    }
}

#define ITEM                                                                                                           \
    "{\"type\":\"reasoning\",\"summary\":[{\"type\":\"summary_text\",\"text\":\"why\"}]},{\"type\":\"message\","       \
    "\"content\":[{\"type\":\"output_text\",\"text\":\"Hello\"}]},{\"type\":\"function_call\",\"arguments\":\"{}\"}"
#define RESPONSE                                                                                                       \
    "{\"id\":\"r\",\"model\":\"m-2\",\"error\":null,\"output\":[" ITEM "],\"usage\":{\"input_tokens\":30,"             \
    "\"input_tokens_details\":{\"cached_tokens\":8},\"output_tokens\":9}}"

static void
responses(void **state)
{
    struct meter buffered = whole(API_RESPONSES, SLICE_LITERAL(RESPONSE), 11);
    struct meter streamed =
        stream(API_RESPONSES,
               "event: response.created\ndata: "
               "{\"type\":\"response.created\",\"response\":{\"model\":\"m-2\",\"usage\":null}}\n\n"
               "data: {\"type\":\"response.reasoning_summary_text.delta\",\"delta\":\"why\"}\n\n"
               "data: {\"type\":\"response.output_text.delta\",\"delta\":\"Hel\"}\n\n"
               "data: {\"type\":\"response.output_text.delta\",\"delta\":\"lo\"}\n\n"
               "data: {\"type\":\"response.function_call_arguments.delta\",\"delta\":\"{}\"}\n\n"
               "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":" RESPONSE "}\n\n",
               "pppppl");

    (void)state;
    expect(&streamed, 30, 8, 9);
    assert_int_equal(streamed.text_bytes, 3 + 5 + 2);
    expect_alike(&streamed, &buffered);
}

#define MESSAGE_START                                                                                                  \
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"m-3\",\"usage\":{"               \
    "\"input_tokens\":10,\"cache_read_input_tokens\":100,\"cache_creation_input_tokens\":5,\"output_tokens\":1}}}\n\n" \
    "data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}}\n\n"         \
    "data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello\"}}\n\n"              \
    "data: "                                                                                                           \
    "{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"a\\\"\"}}\n\n" \
    "data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\":1}\"}}\n\n"
#define MESSAGE_STOP "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"

/* Scenario 8: the last message_delta has no input_tokens: those of message_start stay. */
static void
messages(void **state)
{
    struct meter streamed =
        stream(API_MESSAGES,
               MESSAGE_START "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},"
                             "\"usage\":{\"output_tokens\":12}}\n\n" MESSAGE_STOP,
               "ppppppl");
    struct meter buffered =
        whole(API_MESSAGES,
              SLICE_LITERAL(
                  "{\"type\":\"message\",\"model\":\"m-3\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\"},"
                  "{\"type\":\"text\",\"text\":\"Hello\"},{\"type\":\"tool_use\",\"input\":{ \"a\": 1 }}],"
                  "\"usage\":{\"input_tokens\":10,\"cache_read_input_tokens\":100,"
                  "\"cache_creation_input_tokens\":5,\"output_tokens\":12}}"),
              3);

    (void)state;
    expect(&streamed, 115, 100, 12);
    assert_int_equal(streamed.usage.cache_write_tokens, 5);
    assert_int_equal(streamed.text_bytes, 2 + 5 + 7);
    expect_alike(&streamed, &buffered);
}

/* Scenario 8, the other way: it has input_tokens, and the final value wins. */
static void
the_final_input_wins(void **state)
{
    struct meter meter =
        stream(API_MESSAGES,
               MESSAGE_START "data: {\"type\":\"message_delta\",\"delta\":{},\"usage\":{\"input_tokens\":40,"
                             "\"cache_read_input_tokens\":100,\"output_tokens\":12}}\n\n" MESSAGE_STOP,
               "ppppppl");

    (void)state;
    expect(&meter, 145, 100, 12);
    meter_free(&meter);
}

/* Cut after message_start: the input is known, the output is not. */
static void
a_cut_message_is_partial(void **state)
{
    struct meter meter = stream(API_MESSAGES, MESSAGE_START, "ppppp");

    (void)state;
    assert_true(meter.usage_seen && meter.usage_partial && !meter.finished);
    meter_free(&meter);
}

/* `before` bytes of vectors, then the usage. */
static struct meter
embeddings(size_t before, size_t piece, const char *ending)
{
    struct buffer text = {0};
    struct meter meter;

    buffer_add_text(&text, "{\"object\":\"list\",\"data\":[0");
    while (buffer_len(&text) < before)
        buffer_add_text(&text, ",1");
    while (buffer_len(&text) > before)
        text.end--;
    if (text.data[text.end - 1] == ',')
        text.data[text.end - 1] = ' ';
    buffer_add_text(&text, ending);
    meter = whole(API_EMBEDDINGS, buffer_content(&text), piece);
    assert_int_equal(meter.answer_bytes, buffer_len(&text));
    assert_true(meter.head.size + meter.tail.size <= 4 * 1024 * 1024);
    buffer_free(&text);
    return meter;
}

static const char embedded[] = "],\"model\":\"e-1\",\"usage\":{\"prompt_tokens\":4321,\"total_tokens\":4321}}";

static void
usage_at_the_end_of_a_large_answer(void **state)
{
    static const char *const endings[] = {
        embedded,
        "],\"usage\": {\"prompt_tokens\" : 4321, \"total_tokens\":4321 } ,\"model\":\"e-1\",\"x\":[\"usage\"]}\n",
        "],\"model\":\"e-1\",\"usage\":{\"prompt_tokens\":4321,\"total_tokens\":4321}, broken",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
        for (size_t size = 1200000; size < 6000000; size *= 2) {
            struct meter meter = embeddings(size, 16384, endings[i]);

            assert_true(meter.usage_seen);
            assert_int_equal(meter.usage.input_tokens, 4321);
            assert_string_equal(meter.model, "e-1");
            meter_free(&meter);
        }
}

/* At every place around the size up to which answers are read whole. */
static void
usage_across_the_border(void **state)
{
    (void)state;
    for (size_t size = 1048576 - 100; size < 1048576 + 20; size++) {
        struct meter meter = embeddings(size, size % 3 == 0 ? 10000000 : 65536 - 7, embedded);

        assert_true(meter.usage_seen && meter.finished);
        assert_int_equal(meter.usage.input_tokens, 4321);
        assert_string_equal(meter.model, "e-1");
        meter_free(&meter);
    }
}

static void
a_large_answer_without_usage(void **state)
{
    struct meter meter = embeddings(1500000, 65536, "]}");

    (void)state;
    assert_false(meter.usage_seen);
    assert_int_equal(meter.usage.exactness, USAGE_UNKNOWN);
    meter_free(&meter);
}

static void
errors_in_a_stream(void **state)
{
    static const struct {
        enum api api;
        const char *text, *kinds;
    } cases[] = {
        {API_CHAT, "data: {\"error\":{\"message\":\"no\"}}\n\n", "e"},
        {API_CHAT, "data: {\"error\":\"no\"}\n\n", "e"},
        {API_CHAT, "event: error\ndata: {\"message\":\"no\"}\n\n", "e"},
        {API_CHAT, "event: error\ndata: not JSON\n\n", "e"},
        {API_CHAT, "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"error\":{}}\n\ndata: [DONE]\n\n",
         "pel"},
        {API_MESSAGES, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n", "e"},
        {API_CHAT,
         "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"
         "data: {\"object\":\"error\",\"message\":\"no\",\"code\":500}\n\ndata: [DONE]\n\n",
         "pel"},
        {API_RESPONSES, "data: {\"type\":\"response.failed\",\"response\":{}}\n\n", "e"},
        {API_RESPONSES, "data: {\"type\":\"error\",\"message\":\"no\"}\n\n", "e"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct meter meter = stream(cases[i].api, cases[i].text, cases[i].kinds);

        assert_true(meter.failed);
        meter_free(&meter);
    }
}

static void
how_streams_end(void **state)
{
    static const struct {
        const char *text, *kinds;
        bool finished;
    } cases[] = {
        {"data: [DONE]\n\n", "l", true},
        {"data:[DONE]\n\n", "l", true},
        {"data:   [DONE] \r\n\r\n", "l", true},
        {"data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\n", "p", true}, /* no [DONE] */
        {"data: {\"choices\":[{\"delta\":{},\"finish_reason\":null}]}\n\n", "p", false},
        {"data: {\"choices\":[{\"index\":1,\"delta\":{}}]}\n\n"
         "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
         "pp", false}, /* the other goes on */
        {"data: {\"choices\":[{\"index\":1,\"delta\":{}},{\"index\":0,\"finish_reason\":\"stop\"}]}\n\n"
         "data: {\"choices\":[{\"index\":1,\"finish_reason\":\"stop\"}]}\n\n",
         "pp", true},
        {"data: {\"choices\":[{\"index\":0,\"delta\":{}}]}\n\ndata: [DONE]\n\n", "pl", true},
        {"data: \"[DONE]\"\n\n", "p", false},
        {": [DONE]\n\n", "p", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct meter meter = stream(API_CHAT, cases[i].text, cases[i].kinds);

        assert_int_equal(meter.finished, cases[i].finished);
        meter_free(&meter);
    }
}

/* Half a letter, NaN, data over several lines: the usage in the same event counts. */
static void
events_that_are_not_quite_json(void **state)
{
    static const char *const events[] = {
        "data: {\"choices\":[{\"delta\":{\"content\":\"\xe2\x82\"}}]," CHAT_USAGE "}\n\n",
        "data: {\"choices\":[{\"logprobs\":[NaN,-Infinity],\"delta\":{}}]," CHAT_USAGE "}\n\n",
        "data: {\"choices\":[{\"delta\":{}}],\ndata:" CHAT_USAGE "\r\ndata: }\n\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        struct meter meter = stream(API_CHAT, events[i], "p");
        struct slice json = slice_trim(slice_from(slice_of(events[i]), 6));
        struct meter buffered;

        expect(&meter, 20, 16, 7);
        meter_free(&meter);
        if (i == 2)
            continue;
        buffered = whole(API_CHAT, json, 50);
        expect(&buffered, 20, 16, 7);
        meter_free(&buffered);
    }
}

static void
nonsense_is_no_answer(void **state)
{
    static const struct slice bodies[] = {SLICE_LITERAL(""), SLICE_LITERAL("<html>"), SLICE_LITERAL("[]"),
                                          SLICE_LITERAL("{\"usage\":[]}"),
                                          SLICE_LITERAL("{\"usage\":{\"prompt_tokens\":1")};

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        for (unsigned api = 0; api < API_COUNT; api++) {
            struct meter meter = whole((enum api)api, bodies[i], 2);

            assert_false(meter.usage_seen);
            assert_int_equal(meter.usage.reported, 0);
            meter_free(&meter);
        }
}

/* {"content":[{"content":[ ... {"text":"abc"} ... ]}]} */
static int64_t
text_bytes_within(unsigned depth)
{
    struct buffer body = {0};
    struct meter meter;
    int64_t bytes;

    for (unsigned i = 0; i < depth; i++)
        buffer_add_text(&body, "{\"content\":[");
    buffer_add_text(&body, "{\"text\":\"abc\"}");
    for (unsigned i = 0; i < depth; i++)
        buffer_add_text(&body, "]}");
    meter_init(&meter, API_MESSAGES, DIALECT_ANTHROPIC);
    meter_whole(&meter, buffer_content(&body));
    assert_true(meter.finished); /* it is JSON */
    bytes = meter.text_bytes;
    meter_free(&meter);
    buffer_free(&body);
    return bytes;
}

/* A megabyte holds more brackets than a stack has room for calls. */
static void
answers_are_not_read_without_end(void **state)
{
    (void)state;
    assert_int_equal(text_bytes_within(1), 3);
    assert_int_equal(text_bytes_within(3), 3);
    assert_int_equal(text_bytes_within(20), 0);
    assert_int_equal(text_bytes_within(70000), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chat),
        cmocka_unit_test(usage_beside_a_choice),
        cmocka_unit_test(usage_in_every_chunk),
        cmocka_unit_test(no_usage_is_unknown),
        cmocka_unit_test(responses),
        cmocka_unit_test(messages),
        cmocka_unit_test(the_final_input_wins),
        cmocka_unit_test(a_cut_message_is_partial),
        cmocka_unit_test(usage_at_the_end_of_a_large_answer),
        cmocka_unit_test(usage_across_the_border),
        cmocka_unit_test(a_large_answer_without_usage),
        cmocka_unit_test(errors_in_a_stream),
        cmocka_unit_test(how_streams_end),
        cmocka_unit_test(events_that_are_not_quite_json),
        cmocka_unit_test(nonsense_is_no_answer),
        cmocka_unit_test(answers_are_not_read_without_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
