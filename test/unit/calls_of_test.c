/* Which tools an answer calls, from whole answers of every API, as JSON that can be compared. */
#include "cmocka_ready.h"

#include "dialect/calls_of.h"

static void
says_which_tools_are_called(void **state)
{
    static const struct {
        enum api api;
        const char *answer, *calls;
    } cases[] = {
        {API_CHAT, "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"hi\"}}]}", ""},
        {API_CHAT,
         "{\"choices\":[{\"index\":1,\"message\":{\"tool_calls\":[{\"function\":{\"name\":\"other\"}}]}},"
         "{\"index\":0,\"message\":{\"content\":\"\",\"tool_calls\":[{\"id\":\"a\",\"function\":{\"name\":\"f\","
         "\"arguments\":\"{ \\\"x\\\": 1 }\"}},{\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":\"no "
         "JSON\"}}]}}]}",
         "[{\"name\":\"f\",\"arguments\":{\"x\":1}},{\"name\":\"g\",\"arguments\":\"no JSON\"}]"},
        {API_CHAT,
         "{\"choices\":[{\"message\":{\"function_call\":{\"name\":\"f\",\"arguments\":\"{}\"},"
         "\"tool_calls\":[{\"custom\":{\"name\":\"shell\",\"input\":\"ls -l\"}}]}}]}",
         "[{\"name\":\"f\",\"arguments\":{}},{\"name\":\"shell\",\"arguments\":\"ls -l\"}]"},
        {API_MESSAGES,
         "{\"type\":\"message\",\"content\":[{\"type\":\"text\",\"text\":\"hm\"},{\"type\":\"tool_use\",\"id\":\"t\","
         "\"name\":\"f\",\"input\":{\"x\":[1,2]}}]}",
         "[{\"name\":\"f\",\"arguments\":{\"x\":[1,2]}}]"},
        {API_RESPONSES,
         "{\"output\":[{\"type\":\"reasoning\"},{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"f\","
         "\"arguments\":\"{\\\"x\\\":null}\"}]}",
         "[{\"name\":\"f\",\"arguments\":{\"x\":null}}]"},
        {API_RESPONSES, "{\"output\":[{\"type\":\"function_call\",\"arguments\":\"{}\"}]}", ""}, /* of no name */
        {API_RESPONSES,
         "{\"output\":[{\"type\":\"shell_call\",\"action\":{\"commands\":[\"ls\"]}},{\"type\":\"custom_tool_call\","
         "\"name\":\"sql\",\"input\":\"SELECT 1\"}]}",
         "[{\"name\":\"sql\",\"arguments\":\"SELECT "
         "1\"},{\"name\":\"shell_call\",\"arguments\":{\"commands\":[\"ls\"]}}]"},
        {API_MESSAGES, "[]", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        yyjson_doc *doc = yyjson_read(cases[i].answer, strlen(cases[i].answer), 0);
        struct buffer calls = {0};

        assert_non_null(doc);
        calls_of(cases[i].api, yyjson_doc_get_root(doc), &calls);
        buffer_add_byte(&calls, '\0');
        assert_string_equal(calls.data + calls.start, cases[i].calls);
        buffer_free(&calls);
        yyjson_doc_free(doc);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(says_which_tools_are_called)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
