/* What the assistant said, from answers of every API, whole and in events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dialect/text_of.h"

static void
takes_the_text_and_nothing_else(void **state)
{
    static const struct {
        enum api api;
        const char *events[6];
        const char *text;
        bool called;
    } cases[] = {
        {API_CHAT,
         {"{\"choices\":[{\"index\":0,\"message\":{\"content\":\"hi\",\"reasoning\":\"hm\"}}]}"},
         "hi",
         false},
        {API_CHAT,
         {"{\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}",
          "{\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"hm\"}}]}",
          "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"h\"}}]}",
          "{\"choices\":[{\"index\":1,\"delta\":{\"content\":\"other\"}}]}",
          "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"i\"}}]}", "{\"choices\":[],\"usage\":{}}"},
         "hi",
         false},
        {API_CHAT,
         {"{\"choices\":[{\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"h\"},{\"type\":\"thinking\",\"text\":"
          "\"x\"},{\"type\":\"text\",\"text\":\"i\"}]}}]}"},
         "hi",
         false},
        {API_CHAT,
         {"{\"choices\":[{\"index\":0,\"delta\":{\"content\":null,\"tool_calls\":[{\"index\":0}]}}]}"},
         "",
         true},
        {API_CHAT, {"{\"choices\":[{\"message\":{\"content\":null,\"function_call\":{\"name\":\"f\"}}}]}"}, "", true},
        {API_COMPLETIONS,
         {"{\"choices\":[{\"text\":\"h\",\"index\":0}]}", "{\"choices\":[{\"text\":\"i\"}]}"},
         "hi",
         false},
        {API_RESPONSES,
         {"{\"type\":\"response.created\",\"response\":{\"output\":[]}}",
          "{\"type\":\"response.reasoning_summary_text.delta\",\"delta\":\"hm\"}",
          "{\"type\":\"response.output_text.delta\",\"delta\":\"h\"}",
          "{\"type\":\"response.output_text.delta\",\"delta\":\"i\"}",
          "{\"type\":\"response.output_text.done\",\"text\":\"hi\"}",
          "{\"type\":\"response.completed\",\"response\":{\"output\":[{\"type\":\"message\",\"content\":[{\"type\":"
          "\"output_text\",\"text\":\"hi\"}]}]}}"},
         "hi",
         false},
        {API_RESPONSES,
         {"{\"object\":\"response\",\"output\":[{\"type\":\"reasoning\",\"content\":[{\"type\":\"output_text\","
          "\"text\":"
          "\"x\"}]},{\"type\":\"message\",\"content\":[{\"type\":\"output_text\",\"text\":\"hi\"}]}]}"},
         "hi",
         false},
        {API_RESPONSES, {"{\"output\":[{\"type\":\"function_call\"}]}"}, "", true},
        {API_RESPONSES, {"{\"output\":[{\"type\":\"custom_tool_call\"}]}"}, "", true},
        {API_RESPONSES, {"{\"output\":[{\"type\":\"apply_patch_call\"}]}"}, "", true},
        {API_RESPONSES, {"{\"output\":[{\"type\":\"web_search_call\"}]}"}, "", false}, /* the provider did it */
        {API_RESPONSES,
         {"{\"type\":\"response.output_item.added\",\"item\":{\"type\":\"function_call\"}}",
          "{\"type\":\"response.function_call_arguments.delta\",\"delta\":\"{\"}"},
         "",
         true},
        {API_MESSAGES,
         {"{\"type\":\"message\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\"},{\"type\":\"text\",\"text\":"
          "\"hi\"},{\"type\":\"tool_use\"}]}"},
         "hi",
         true},
        {API_MESSAGES,
         {"{\"type\":\"message_start\",\"message\":{\"type\":\"message\",\"content\":[]}}",
          "{\"type\":\"content_block_start\",\"content_block\":{\"type\":\"text\",\"text\":\"\"}}",
          "{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}}",
          "{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"h\"}}",
          "{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"i\"}}",
          "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}"},
         "hi",
         false},
        {API_MESSAGES,
         {"{\"type\":\"content_block_start\",\"content_block\":{\"type\":\"tool_use\"}}",
          "{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\"}}"},
         "",
         true},
        {API_EMBEDDINGS, {"{\"data\":[{\"text\":\"x\"}]}"}, "", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct text_of out = {.wanted = true, .most = 100};

        for (size_t k = 0; k < 6 && cases[i].events[k] != NULL; k++) {
            yyjson_doc *doc = yyjson_read(cases[i].events[k], strlen(cases[i].events[k]), YYJSON_READ_NOFLAG);

            assert_non_null(doc);
            text_of_event(&out, cases[i].api, yyjson_doc_get_root(doc));
            yyjson_doc_free(doc);
        }
        if (!slice_is(buffer_content(&out.text), cases[i].text) || out.called != cases[i].called || out.cut)
            fail_msg("case %zu: '%.*s'", i, SLICE_ARGS(buffer_content(&out.text)));
        buffer_free(&out.text);
    }
}

static void
stops_at_its_limit(void **state)
{
    static const char event[] = "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"abc\"}}]}";
    struct text_of out = {.wanted = true, .most = 6};
    yyjson_doc *doc = yyjson_read(event, strlen(event), YYJSON_READ_NOFLAG);

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        text_of_event(&out, API_CHAT, yyjson_doc_get_root(doc));
        assert_int_equal(out.cut, i >= 2);
    }
    assert_true(slice_is(buffer_content(&out.text), "abcabc"));
    yyjson_doc_free(doc);
    buffer_free(&out.text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_text_and_nothing_else),
        cmocka_unit_test(stops_at_its_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
