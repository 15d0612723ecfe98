/* A stream and the whole answer that it amounts to: each can be made from the other. */
#include "cmocka_ready.h"

#include "dialect/frames_of.h"
#include "dialect/sse.h"
#include "dialect/whole_of.h"

#include <yyjson.h>

/* The whole of a stream, as JSON with its NUL; the caller frees. Empty: there is none. */
static struct buffer
whole(enum api api, const char *stream)
{
    struct whole_of *gatherer = whole_of_new(api);
    struct buffer out = {0};
    struct sse_framer framer;
    struct slice input = slice_of(stream), frame;

    sse_init(&framer, 1 << 20);
    while (sse_next(&framer, &input, &frame) == SSE_FRAME)
        whole_of_frame(gatherer, frame);
    if (whole_of_end(gatherer, &out) != OK)
        assert_int_equal(buffer_len(&out), 0);
    buffer_add_byte(&out, '\0');
    sse_free(&framer);
    whole_of_free(gatherer);
    return out;
}

static void
assert_same_json(const char *got, const char *wanted)
{
    yyjson_doc *a = yyjson_read(got, strlen(got), 0), *b = yyjson_read(wanted, strlen(wanted), 0);

    if (a == NULL || b == NULL || !yyjson_equals(yyjson_doc_get_root(a), yyjson_doc_get_root(b)))
        fail_msg("got    %s\nwanted %s", got, wanted);
    yyjson_doc_free(a);
    yyjson_doc_free(b);
}

static void
assert_whole(enum api api, const char *stream, const char *wanted)
{
    struct buffer out = whole(api, stream);

    if (wanted == NULL)
        assert_string_equal(out.data, "");
    else
        assert_same_json(out.data, wanted);
    buffer_free(&out);
}

static void
take_frame(void *context, struct slice frame)
{
    buffer_add(context, frame);
}

/* The stream of an answer, with its NUL; the caller frees. */
static struct buffer
stream_of(enum api api, const char *answer, bool tell_usage)
{
    struct buffer out = {0};

    assert_int_equal(frames_of(api, slice_of(answer), tell_usage, take_frame, &out), OK);
    buffer_add_byte(&out, '\0');
    return out;
}

static void
assert_round_trip(enum api api, const char *answer, size_t events_least)
{
    struct buffer stream = stream_of(api, answer, true);
    size_t events = 0;

    for (const char *at = stream.data; (at = strstr(at, "\n\n")) != NULL; at += 2)
        events++;
    assert_true(events >= events_least);
    assert_whole(api, stream.data, answer);
    buffer_free(&stream);
}

static const char chat_answer[] =
    "{\"id\":\"c-1\",\"object\":\"chat.completion\",\"created\":1700000001,\"model\":\"m\",\"system_fingerprint\":"
    "\"f\","
    "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Grüße aus Köln, \\\"wie\\\" man sagt: "
    "ein längerer Satz.\\n\",\"refusal\":null,\"reasoning_content\":\"hm, let me think about this one\"},"
    "\"logprobs\":null,\"finish_reason\":\"stop\"},"
    "{\"index\":1,\"message\":{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"t1\",\"type\":"
    "\"function\","
    "\"function\":{\"name\":\"look_up\",\"arguments\":\"{\\\"city\\\": \\\"Köln\\\", \\\"days\\\": [1, 2, 3]}\"}},"
    "{\"id\":\"t2\",\"type\":\"function\",\"function\":{\"name\":\"now\",\"arguments\":\"{}\"}}]},"
    "\"logprobs\":null,\"finish_reason\":\"tool_calls\"}],"
    "\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":30,\"total_tokens\":39,"
    "\"prompt_tokens_details\":{\"cached_tokens\":4}}}";

static const char completions_answer[] =
    "{\"id\":\"p-1\",\"object\":\"text_completion\",\"created\":5,\"model\":\"m\",\"choices\":[{\"index\":0,\"text\":"
    "\"one two three four five six seven\",\"logprobs\":null,\"finish_reason\":\"length\"}],"
    "\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":7,\"total_tokens\":8}}";

static const char messages_answer[] =
    "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude\",\"content\":["
    "{\"type\":\"thinking\",\"thinking\":\"first this, then that, then the rest\",\"signature\":\"c2ln\"},"
    "{\"type\":\"text\",\"text\":\"A sentence that is long enough to be cut.\"},"
    "{\"type\":\"tool_use\",\"id\":\"tu_1\",\"name\":\"look_up\",\"input\":{\"city\":\"Köln\",\"deep\":{\"n\":[1,2.5,"
    "null]}}},"
    "{\"type\":\"tool_use\",\"id\":\"tu_2\",\"name\":\"now\",\"input\":{}}],"
    "\"stop_reason\":\"tool_use\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":12,\"cache_read_input_tokens\":3,"
    "\"output_tokens\":40}}";

static const char responses_answer[] =
    "{\"id\":\"resp_1\",\"object\":\"response\",\"created_at\":7,\"status\":\"completed\",\"model\":\"m\",\"output\":["
    "{\"id\":\"rs_1\",\"type\":\"reasoning\",\"summary\":[{\"type\":\"summary_text\",\"text\":\"thought about it\"}]},"
    "{\"id\":\"fc_1\",\"type\":\"function_call\",\"status\":\"completed\",\"call_id\":\"x\",\"name\":\"f\","
    "\"arguments\":"
    "\"{\\\"a\\\":1}\"},"
    "{\"id\":\"msg_1\",\"type\":\"message\",\"status\":\"completed\",\"role\":\"assistant\",\"content\":[{\"type\":"
    "\"output_text\",\"text\":\"Hello there, this is the answer.\",\"annotations\":[]}]}],"
    "\"usage\":{\"input_tokens\":3,\"output_tokens\":9,\"total_tokens\":12}}";

static void
what_is_cut_up_comes_together_again(void **state)
{
    (void)state;
    assert_round_trip(API_CHAT, chat_answer, 10);
    assert_round_trip(API_COMPLETIONS, completions_answer, 4);
    assert_round_trip(API_MESSAGES, messages_answer, 12);
    assert_round_trip(API_RESPONSES, responses_answer, 16);
}

static void
pieces_end_between_letters(void **state)
{
    static const char answer[] =
        "{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"
        "\"ääääääääääääääääääääääääääääääääääääääääääääääääää\"},\"finish_reason\":\"stop\"}]}";
    struct buffer stream = stream_of(API_CHAT, answer, false);

    (void)state;
    assert_null(strstr(stream.data, "\xef\xbf\xbd"));
    assert_null(strstr(stream.data, "usage"));
    assert_whole(API_CHAT, stream.data,
                 "{\"choices\":[{\"index\":0,\"logprobs\":null,\"message\":{\"role\":\"assistant\",\"content\":"
                 "\"ääääääääääääääääääääääääääääääääääääääääääääääääää\"},\"finish_reason\":\"stop\"}]}");
    buffer_free(&stream);
}

static void
streams_as_servers_send_them_amount_to_answers(void **state)
{
    (void)state;
    assert_whole(
        API_CHAT,
        ": ping\n\n"
        "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{\"index\":0,"
        "\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n"
        "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"},\"logprobs\":{\"content\":"
        "[{\"token\":\"Hel\",\"logprob\":-0.5}]},\"finish_reason\":null}]}\n\n"
        "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lo\"},\"logprobs\":{\"content\":"
        "[{\"token\":\"lo\",\"logprob\":-0.25}]},\"finish_reason\":null}]}\n\n"
        "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
        "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\n"
        "data: [DONE]\n\n",
        "{\"id\":\"c\",\"object\":\"chat.completion\",\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":{"
        "\"role\":\"assistant\",\"content\":\"Hello\"},\"finish_reason\":\"stop\",\"logprobs\":{\"content\":["
        "{\"token\":\"Hel\",\"logprob\":-0.5},{\"token\":\"lo\",\"logprob\":-0.25}]}}],\"usage\":{"
        "\"prompt_tokens\":1}}");
    /* Choices and calls may come in any order, and their pieces mixed. */
    assert_whole(
        API_CHAT,
        "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"b\"}}]}\n\n"
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":1,\"id\":\"y\",\"function\":{"
        "\"name\":\"g\",\"arguments\":\"{\"}},{\"index\":0,\"id\":\"x\",\"function\":{\"name\":\"f\","
        "\"arguments\":\"\"}}]}}]}\n\n"
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":"
        "\"1\"}},{\"index\":1,\"function\":{\"arguments\":\"}\"}}]}},{\"index\":1,\"delta\":{\"content\":\"c\"}}]}"
        "\n\ndata: [DONE]\n\n",
        "{\"choices\":[{\"index\":0,\"message\":{\"tool_calls\":[{\"id\":\"x\",\"function\":{\"name\":\"f\","
        "\"arguments\":\"1\"}},{\"id\":\"y\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]}},"
        "{\"index\":1,\"message\":{\"content\":\"bc\"}}]}");
}

static void
what_is_not_whole_amounts_to_nothing(void **state)
{
    static const char cut_call[] =
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"content\":[]}}\n\n"
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":"
        "\"tool_use\",\"input\":{}}}\n\n"
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":"
        "\"input_json_delta\",\"partial_json\":\"{\\\"a\\\":\"}}\n\n"
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

    (void)state;
    assert_whole(API_CHAT, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n", NULL);
    assert_whole(API_CHAT, "data: [DONE]\n\n", NULL);
    assert_whole(API_CHAT, "data: {\"choices\":[]}\n\ndata: {\"error\":{\"message\":\"x\"}}\n\ndata: [DONE]\n\n", NULL);
    assert_whole(API_CHAT, "data: {\"choices\":\n\ndata: [DONE]\n\n", NULL);
    assert_whole(API_MESSAGES, cut_call, NULL);
    assert_whole(API_RESPONSES, "data: {\"type\":\"response.failed\",\"response\":{\"status\":\"failed\"}}\n\n", NULL);
}

/* Each is looked for among the others: so many would take for ever. */
static void
a_stream_of_a_thousand_choices_is_not_gathered(void **state)
{
    struct buffer stream = {0};

    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        buffer_printf(&stream, "data: {\"choices\":[{\"index\":%u,\"delta\":{\"content\":\"x\"}}]}\n\n", i);
    buffer_add_text(&stream, "data: [DONE]\n\n");
    buffer_add_byte(&stream, '\0');
    assert_whole(API_CHAT, stream.data, NULL);
    buffer_free(&stream);
}

static void
what_is_no_answer_has_no_stream(void **state)
{
    struct buffer out = {0};

    (void)state;
    assert_int_equal(frames_of(API_CHAT, SLICE_LITERAL("{\"error\":{}}"), true, take_frame, &out), ERR_INVALID);
    assert_int_equal(frames_of(API_MESSAGES, SLICE_LITERAL("[]"), true, take_frame, &out), ERR_INVALID);
    assert_int_equal(frames_of(API_EMBEDDINGS, SLICE_LITERAL("{\"data\":[]}"), true, take_frame, &out), ERR_INVALID);
    assert_int_equal(frames_of(API_RESPONSES, SLICE_LITERAL("no"), true, take_frame, &out), ERR_INVALID);
    assert_int_equal(buffer_len(&out), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_cut_up_comes_together_again),
        cmocka_unit_test(pieces_end_between_letters),
        cmocka_unit_test(streams_as_servers_send_them_amount_to_answers),
        cmocka_unit_test(what_is_not_whole_amounts_to_nothing),
        cmocka_unit_test(a_stream_of_a_thousand_choices_is_not_gathered),
        cmocka_unit_test(what_is_no_answer_has_no_stream),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
