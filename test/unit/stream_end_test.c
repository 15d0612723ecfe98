/* Streams that are ended in the middle: whatever has begun is closed, and the reason told. */
#include "cmocka_ready.h"

#include "dialect/stream_end.h"

/* Ends a stream that has said so much; the caller frees. */
static struct buffer
ended(enum api api, const char *const *events, bool tell_usage)
{
    struct stream_so_far so_far = {.wanted = true};
    struct buffer out = {0};
    struct usage usage;

    usage_init(&usage);
    usage_set(&usage, USAGE_input_tokens, 7);
    usage_set(&usage, USAGE_output_tokens, 11);
    for (; *events != NULL; events++) {
        yyjson_doc *doc = yyjson_read(*events, strlen(*events), 0);

        assert_non_null(doc);
        stream_so_far_event(&so_far, api, yyjson_doc_get_root(doc));
        yyjson_doc_free(doc);
    }
    stream_end(&so_far, api, &usage, tell_usage, &out);
    stream_so_far_free(&so_far);
    buffer_add_byte(&out, '\0');
    return out;
}

static void
assert_end(enum api api, const char *const *events, bool tell_usage, const char *expected)
{
    struct buffer out = ended(api, events, tell_usage);

    assert_string_equal(out.data, expected);
    buffer_free(&out);
}

static void
choices_that_go_on_are_ended(void **state)
{
    static const char *const two[] = {
        "{\"id\":\"c\",\"created\":5,\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}]}",
        "{\"id\":\"c\",\"choices\":[{\"index\":1,\"delta\":{\"content\":\"x\"}}]}",
        "{\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}", NULL};
    static const char *const one[] = {"{\"choices\":[{\"index\":0,\"text\":\"x\",\"finish_reason\":null}]}", NULL};
    static const char *const none[] = {NULL};

    (void)state;
    assert_end(API_CHAT, two, true,
               "data: {\"id\":\"c\",\"created\":5,\"choices\":[{\"index\":1,\"delta\":{},\"logprobs\":null,"
               "\"finish_reason\":\"length\"}]}\n\n"
               "data: {\"id\":\"c\",\"created\":5,\"choices\":[],\"usage\":{\"prompt_tokens\":7,"
               "\"completion_tokens\":11,\"total_tokens\":18}}\n\ndata: [DONE]\n\n");
    assert_end(API_COMPLETIONS, one, false,
               "data: {\"choices\":[{\"index\":0,\"text\":\"\",\"logprobs\":null,\"finish_reason\":\"length\"}]}\n\n"
               "data: [DONE]\n\n");
    assert_end(API_CHAT, none, false,
               "data: {\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"length\"}]}\n\n"
               "data: [DONE]\n\n");
}

static void
an_open_block_is_closed(void **state)
{
    static const char *const open[] = {"{\"type\":\"content_block_start\",\"index\":0}",
                                       "{\"type\":\"content_block_stop\",\"index\":0}",
                                       "{\"type\":\"content_block_start\",\"index\":1}", NULL};
    static const char *const closed[] = {"{\"type\":\"content_block_start\",\"index\":0}",
                                         "{\"type\":\"content_block_stop\",\"index\":0}", NULL};
    static const char stop[] = "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\n";
    static const char end[] =
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\","
        "\"stop_sequence\":null},\"usage\":{\"output_tokens\":11}}\n\n"
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    char both[512];

    (void)state;
    snprintf(both, sizeof(both), "%s%s", stop, end);
    assert_end(API_MESSAGES, open, false, both);
    assert_end(API_MESSAGES, closed, false, end);
}

static void
a_response_is_incomplete(void **state)
{
    static const char *const events[] = {
        "{\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"r\",\"status\":\"in_progress\"}}",
        "{\"type\":\"response.output_item.added\",\"sequence_number\":1,\"output_index\":0,\"item\":{\"id\":\"a\"}}",
        "{\"type\":\"response.output_item.done\",\"sequence_number\":2,\"output_index\":0,\"item\":{\"id\":\"a\","
        "\"status\":\"completed\"}}",
        "{\"type\":\"response.output_item.added\",\"sequence_number\":3,\"output_index\":1,\"item\":{\"id\":\"b\","
        "\"content\":[]}}",
        "{\"type\":\"response.content_part.added\",\"sequence_number\":4,\"content_index\":0,\"part\":{\"type\":"
        "\"output_text\"}}",
        "{\"type\":\"response.output_text.delta\",\"sequence_number\":5,\"delta\":\"one \"}",
        "{\"type\":\"response.output_text.delta\",\"sequence_number\":6,\"delta\":\"\\\"two\\\"\"}",
        NULL};

    (void)state;
    assert_end(
        API_RESPONSES, events, false,
        "event: response.output_text.done\ndata: {\"type\":\"response.output_text.done\",\"sequence_number\":7,"
        "\"item_id\":\"b\",\"output_index\":1,\"content_index\":0,\"text\":\"one \\\"two\\\"\",\"logprobs\":[]}\n\n"
        "event: response.content_part.done\ndata: {\"type\":\"response.content_part.done\",\"sequence_number\":8,"
        "\"item_id\":\"b\",\"output_index\":1,\"content_index\":0,\"part\":{\"type\":\"output_text\",\"annotations\":[]"
        ",\"text\":\"one \\\"two\\\"\"}}\n\n"
        "event: response.output_item.done\ndata: {\"type\":\"response.output_item.done\",\"sequence_number\":9,"
        "\"output_index\":1,\"item\":{\"id\":\"b\",\"content\":[{\"type\":\"output_text\",\"annotations\":[],\"text\":"
        "\"one \\\"two\\\"\"}],\"status\":\"incomplete\"}}\n\n"
        "event: response.incomplete\ndata: {\"type\":\"response.incomplete\",\"sequence_number\":10,\"response\":{"
        "\"id\":\"r\",\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"max_output_tokens\"},\"output\":["
        "{\"id\":\"a\",\"status\":\"completed\"},{\"id\":\"b\",\"content\":[{\"type\":\"output_text\",\"annotations\":"
        "[],\"text\":\"one \\\"two\\\"\"}],\"status\":\"incomplete\"}],\"usage\":{\"input_tokens\":7,"
        "\"input_tokens_details\":{\"cached_tokens\":0},\"output_tokens\":11,\"output_tokens_details\":{"
        "\"reasoning_tokens\":0},\"total_tokens\":18}}}\n\n");
}

/* Arguments come in pieces, which the item in the end repeats as far as they came. */
static void
a_tool_call_keeps_its_arguments(void **state)
{
    static const char *const events[] = {
        "{\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"r\"}}",
        "{\"type\":\"response.output_item.added\",\"sequence_number\":1,\"output_index\":0,\"item\":{\"id\":\"f\","
        "\"type\":\"function_call\",\"name\":\"look\",\"arguments\":\"\"}}",
        "{\"type\":\"response.function_call_arguments.delta\",\"sequence_number\":2,\"delta\":\"{\\\"at\\\":\"}",
        "{\"type\":\"response.function_call_arguments.delta\",\"sequence_number\":3,\"delta\":\"\\\"ho\"}", NULL};
    static const char *const custom[] = {
        "{\"type\":\"response.output_item.added\",\"sequence_number\":1,\"output_index\":0,\"item\":{\"id\":\"f\","
        "\"type\":\"custom_tool_call\",\"input\":\"\"}}",
        "{\"type\":\"response.custom_tool_call_input.delta\",\"sequence_number\":2,\"delta\":\"ls\"}", NULL};
    static const char *const over[] = {
        "{\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{\"id\":\"f\",\"arguments\":\"\"}}",
        "{\"type\":\"response.function_call_arguments.delta\",\"delta\":\"{}\"}",
        "{\"type\":\"response.function_call_arguments.done\",\"arguments\":\"{}\"}", NULL};
    struct buffer out = ended(API_RESPONSES, events, false);

    (void)state;
    assert_non_null(strstr(out.data, "event: response.function_call_arguments.done\ndata: "
                                     "{\"type\":\"response.function_call_arguments.done\",\"sequence_number\":4,"
                                     "\"item_id\":\"f\",\"output_index\":0,\"arguments\":\"{\\\"at\\\":\\\"ho\"}\n\n"
                                     "event: response.output_item.done\n"));
    assert_non_null(strstr(out.data, "\"output\":[{\"id\":\"f\",\"type\":\"function_call\",\"name\":\"look\","
                                     "\"arguments\":\"{\\\"at\\\":\\\"ho\",\"status\":\"incomplete\"}]"));
    buffer_free(&out);
    out = ended(API_RESPONSES, custom, false);
    assert_non_null(strstr(out.data, "\"type\":\"response.custom_tool_call_input.done\""));
    assert_non_null(strstr(out.data, "\"output\":[{\"id\":\"f\",\"type\":\"custom_tool_call\",\"input\":\"ls\","));
    buffer_free(&out);
    out = ended(API_RESPONSES, over, false);
    assert_null(strstr(out.data, "arguments.done")); /* it was said */
    assert_non_null(strstr(out.data, "\"arguments\":\"{}\""));
    buffer_free(&out);
}

/* What a hostile backend may say is nothing that hurts. */
static void
nonsense_is_survived(void **state)
{
    static const char *const events[] = {
        "7",
        "{}",
        "{\"choices\":7}",
        "{\"choices\":[{\"index\":-1},{\"index\":9000000000000000000}]}",
        "{\"type\":\"content_block_start\",\"index\":-5}",
        "{\"type\":\"response.created\"}",
        "{\"type\":\"response.output_item.done\"}",
        "{\"type\":\"response.output_item.added\",\"item\":[1]}",
        "{\"type\":\"response.content_part.added\",\"part\":{\"type\":\"output_text\"}}",
        "{\"type\":\"response.output_text.delta\",\"delta\":{}}",
        "{\"type\":\"response.function_call_arguments.delta\",\"delta\":7}",
        "{\"type\":\"response.function_call_arguments.delta\",\"delta\":\"x\"}",
        "{\"type\":\"response.in_progress\",\"sequence_number\":9223372036854775807}",
        NULL};

    (void)state;
    for (unsigned api = 0; api < API_PASSTHROUGH; api++) {
        struct buffer out = ended((enum api)api, events, true);

        assert_true(strlen(out.data) > 20);
        assert_null(strstr(out.data, "\"sequence_number\":-")); /* there is one behind each */
        buffer_free(&out);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(choices_that_go_on_are_ended), cmocka_unit_test(an_open_block_is_closed),
        cmocka_unit_test(a_response_is_incomplete),     cmocka_unit_test(a_tool_call_keeps_its_arguments),
        cmocka_unit_test(nonsense_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
