/* Answers of servers that speak an API in their own way: what they say is told, or it is said that it cannot be. Nothing is
 * lost in silence, and what was cut off does not look whole. */
#include "cmocka_ready.h"

#include "dialect/sse.h"
#include "dialect/translate/translate.h"

enum { MADE_S = 1790000000, MOST = 1024 * 1024 };

struct told {
    struct buffer all;
    unsigned last;
};

static void
take(void *context, const struct translated_event *event)
{
    struct told *told = context;

    assert_int_equal(told->last, 0);
    buffer_add(&told->all, event->frame);
    told->last += event->last;
}

static enum status
tell(enum api from, enum api to, struct slice stream, struct told *told)
{
    struct translation *translation = translation_new(from, to, MADE_S, MOST);
    enum status status = OK;
    struct sse_framer framer;
    struct slice frame;

    translation_called(translation, SLICE_LITERAL("our-own"));
    sse_init(&framer, MOST);
    while (status == OK && sse_next(&framer, &stream, &frame) == SSE_FRAME)
        status = translation_frame(translation, frame, take, told);
    translation_end(translation, take, told);
    buffer_add_byte(&told->all, '\0');
    sse_free(&framer);
    translation_free(translation);
    return status;
}

/* The stream is told to its end: with these words, once. */
static void
assert_told_once(enum api from, enum api to, const char *stream, const char *words)
{
    struct told told = {0};
    const char *at;

    assert_int_equal(tell(from, to, slice_of(stream), &told), OK);
    at = strstr(told.all.data, words);
    if (at == NULL || strstr(at + 1, words) != NULL)
        fail_msg("wanted %s once in %s", words, told.all.data);
    assert_int_equal(told.last, 1);
    buffer_free(&told.all);
}

/* The attempt fails: its end is not told. */
static void
assert_not_whole(enum api from, enum api to, const char *stream)
{
    struct told told = {0};

    assert_int_equal(tell(from, to, slice_of(stream), &told), ERR_INVALID);
    assert_int_equal(told.last, 0);
    buffer_free(&told.all);
}

/* Empty words: it cannot be told, and nothing is written. */
static void
assert_whole(enum api from, enum api to, const char *answer, const char *words)
{
    struct translation *translation = translation_new(from, to, MADE_S, MOST);
    struct buffer out = {0};
    enum status status = translation_whole(translation, slice_of(answer), &out);

    buffer_add_byte(&out, '\0');
    if (status != (words[0] != '\0' ? OK : ERR_INVALID) || strstr(out.data, words) == NULL)
        fail_msg("wanted %s of %s, not %s", words, answer, out.data);
    translation_free(translation);
    buffer_free(&out);
}

#define EVENT(json) "data: " json "\n\n"

/* Responses */

#define CREATED EVENT("{\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",\"model\":\"m\"}}")
#define TEXT_ITEM(text) "{\"type\":\"message\",\"content\":[{\"type\":\"output_text\",\"text\":\"" text "\"}]}"
#define CALL_ITEM "{\"type\":\"function_call\",\"call_id\":\"c1\",\"name\":\"f\",\"arguments\":\"{7}\"}"
#define DONE(n, item) EVENT("{\"type\":\"response.output_item.done\",\"output_index\":" n ",\"item\":" item "}")
#define DELTA(n, text) EVENT("{\"type\":\"response.output_text.delta\",\"output_index\":" n ",\"delta\":\"" text "\"}")
#define COMPLETED(output)                                                                                              \
    EVENT("{\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\",\"model\":\"m\",\"status\":\"completed\"," \
          "\"output\":[" output "]}}")

/* What comes in one piece, with its item or only with the end, is told; what came in pieces is not told again. */
static void
items_that_come_in_one_piece(void **state)
{
    (void)state;
    assert_told_once(API_RESPONSES, API_CHAT,
                     CREATED DONE("0", TEXT_ITEM("Only here")) COMPLETED(TEXT_ITEM("Only here")),
                     "\"content\":\"Only here\"");
    assert_told_once(API_RESPONSES, API_CHAT, CREATED COMPLETED(TEXT_ITEM("Only here") "," CALL_ITEM),
                     "\"content\":\"Only here\"");
    assert_told_once(API_RESPONSES, API_MESSAGES, COMPLETED(CALL_ITEM), "\"partial_json\":\"{7}\"");
    assert_told_once(API_RESPONSES, API_MESSAGES, CREATED DONE("0", CALL_ITEM) COMPLETED(CALL_ITEM),
                     "\"partial_json\":\"{7}\"");
    assert_told_once(API_RESPONSES, API_CHAT,
                     CREATED DELTA("0", "pieces") DONE("0", TEXT_ITEM("pieces")) COMPLETED(TEXT_ITEM("pieces")),
                     "pieces");
    /* The second has no pieces; two that come at once; one under a wrong number. */
    assert_told_once(API_RESPONSES, API_CHAT,
                     CREATED DELTA("0", "one") DONE("0", TEXT_ITEM("one")) DONE("1", TEXT_ITEM("two")) COMPLETED(""),
                     "two");
    assert_told_once(API_RESPONSES, API_CHAT,
                     CREATED DELTA("0", "one") DELTA("1", "two") DONE("0", TEXT_ITEM("one")) DONE("1", TEXT_ITEM("two"))
                         COMPLETED(""),
                     "two");
    assert_told_once(API_RESPONSES, API_CHAT, CREATED DELTA("3", "one") DONE("0", TEXT_ITEM("one")) COMPLETED(""),
                     "one");
}

/* Chat */

#define CHOICE(rest) EVENT("{\"id\":\"c1\",\"model\":\"m\",\"choices\":[{\"index\":0," rest "}]}")
#define SAYS(content) CHOICE("\"delta\":{\"content\":" content "}")
#define ENDS(reason) CHOICE("\"delta\":{},\"finish_reason\":" reason)
#define ALL_DONE "data: [DONE]\n\n"
#define WHOLE(content, reason)                                                                                         \
    "{\"id\":\"c1\",\"model\":\"m\",\"choices\":[{\"message\":{\"content\":" content "},\"finish_reason\":" reason "}" \
    "]"                                                                                                                \
    "}"

/* Thoughts are left out, texts are told; what is neither is not passed over. */
static void
content_in_a_list(void **state)
{
    static const char *const bad[] = {"5", "{\"text\":\"x\"}", "[\"x\"]", "[{\"type\":\"image_url\"}]",
                                      "[{\"type\":\"text\",\"text\":{}}]"};
    static const char list[] =
        SAYS("[{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\",\"text\":\"Hm\"}]},{\"type\":\"text\",\"text\":"
             "\"42\"}]") SAYS("\" and more\"") SAYS("null") ENDS("\"stop\"") ALL_DONE;

    (void)state;
    assert_told_once(API_CHAT, API_MESSAGES, list, "\"text\":\"42\"");
    assert_told_once(API_CHAT, API_MESSAGES, list, "\"text\":\" and more\"");
    assert_whole(API_CHAT, API_MESSAGES,
                 WHOLE("[{\"type\":\"thinking\",\"thinking\":[]},{\"type\":\"text\",\"text\":\"42\"}]", "\"stop\""),
                 "\"content\":[{\"type\":\"text\",\"text\":\"42\"}]");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct buffer answer = {0};

        buffer_printf(&answer, WHOLE("%s", "\"stop\""), bad[i]);
        buffer_add_byte(&answer, '\0');
        assert_whole(API_CHAT, API_MESSAGES, answer.data, "");
        buffer_free(&answer);
    }
}

/* Half an answer does not look whole, whatever its server calls the reason. */
static void
reasons_that_are_a_servers_own(void **state)
{
    static const char *const given_up[] = {"error", "abort", "insufficient_system_resource",
                                           "function_call_filter: MALFORMED_FUNCTION_CALL"};
    static const char *const other[][2] = {{"model_length", "max_tokens"},
                                           {"content_filter: RECITATION", "refusal"},
                                           {"eos", "end_turn"},
                                           {"function_call", "end_turn"}};
    struct buffer answer = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(given_up) / sizeof(given_up[0]); i++) {
        buffer_clear(&answer);
        buffer_printf(&answer, WHOLE("\"Half\"", "\"%s\""), given_up[i]);
        buffer_add_byte(&answer, '\0');
        assert_whole(API_CHAT, API_MESSAGES, answer.data + answer.start, "");
        buffer_clear(&answer);
        buffer_printf(&answer, SAYS("\"Half\"") ENDS("\"%s\"") ALL_DONE, given_up[i]);
        buffer_add_byte(&answer, '\0');
        assert_not_whole(API_CHAT, API_MESSAGES, answer.data + answer.start);
    }
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
        buffer_clear(&answer);
        buffer_printf(&answer, SAYS("\"Half\"") ENDS("\"%s\"") ALL_DONE, other[i][0]);
        buffer_add_byte(&answer, '\0');
        assert_told_once(API_CHAT, API_MESSAGES, answer.data + answer.start, other[i][1]);
    }
    buffer_free(&answer);
    assert_whole(API_CHAT, API_MESSAGES, WHOLE("\"Whole\"", "null"), "\"end_turn\"");
    assert_whole(API_MESSAGES, API_CHAT, "{\"content\":[],\"stop_reason\":\"pause_turn\"}", "");
    assert_not_whole(API_RESPONSES, API_CHAT,
                     CREATED EVENT("{\"type\":\"response.completed\",\"response\":{\"status\":\"cancelled\"}}"));
}

/* A mark at the end makes no whole answer of one that never said why it stops. */
static void
a_mark_without_an_end(void **state)
{
    struct told told = {0};

    (void)state;
    assert_not_whole(API_CHAT, API_MESSAGES, SAYS("\"Half\"") ALL_DONE);
    assert_not_whole(API_CHAT, API_RESPONSES, SAYS("\"Half\"") ENDS("\"\"") ALL_DONE);
    assert_not_whole(API_CHAT, API_MESSAGES, ALL_DONE);
    assert_int_equal(
        tell(API_CHAT, API_MESSAGES,
             slice_of(SAYS("\"Half\"") EVENT("{\"object\":\"error\",\"message\":\"engine died\"}") ALL_DONE), &told),
        OK);
    assert_non_null(strstr(told.all.data, "event: error\n"));
    assert_non_null(strstr(told.all.data, "engine died"));
    assert_int_equal(told.last, 0);
    buffer_free(&told.all);
}

/* The answer is called as its backend calls it, however late it says so; else it has a name of ours: none is called like
 * all others. */
static void
answers_have_a_name(void **state)
{
    static const char first[] =
        EVENT("{\"choices\":[],\"created\":0,\"id\":\"\",\"model\":\"\",\"object\":\"\",\"prompt_filter_results\":[]}")
            SAYS("\"Hi\"") ENDS("\"stop\"") ALL_DONE;
    static const char none[] =
        EVENT("{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}") ALL_DONE;

    (void)state;
    assert_told_once(API_CHAT, API_MESSAGES, first, "\"id\":\"msg_c1\"");
    assert_told_once(API_CHAT, API_MESSAGES, first, "\"model\":\"m\"");
    assert_told_once(API_CHAT, API_MESSAGES, none, "\"id\":\"msg_our-own\"");
    assert_told_once(API_CHAT, API_RESPONSES, none,
                     "\"output_index\":0,\"item\":{\"type\":\"message\",\"role\":\"assistant\","
                     "\"id\":\"msg_our-own_0\",\"status\":\"in_progress\"");
}

/* A stream that does not begin with its begin has one for the client, before anything else; what comes late is none. */
static void
the_begin_comes_first(void **state)
{
    static const char *const late[] = {CREATED, ""};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct buffer stream = {0};
        struct told told = {0};

        buffer_printf(&stream, DELTA("0", "Hi") "%s" DELTA("0", "Ho") COMPLETED(""), late[i]);
        assert_int_equal(tell(API_RESPONSES, API_MESSAGES, buffer_content(&stream), &told), OK);
        assert_ptr_equal(strstr(told.all.data, "event: message_start\n"), told.all.data);
        assert_null(strstr(told.all.data + 1, "event: message_start\n"));
        assert_int_equal(told.last, 1);
        buffer_free(&stream);
        buffer_free(&told.all);
    }
}

/* Messages have no part for a refusal: it is a text, and the reason to stop says what it is. */
static void
refusals_in_words(void **state)
{
    static const char stream[] = CHOICE("\"delta\":{\"refusal\":\"No.\"}") ENDS("\"stop\"") ALL_DONE;
    static const char answer[] =
        "{\"id\":\"c1\",\"model\":\"m\",\"choices\":[{\"message\":{\"content\":null,\"refusal\":\"No.\"},"
        "\"finish_reason\":\"stop\"}]}";

    (void)state;
    assert_told_once(API_CHAT, API_MESSAGES, stream, "\"stop_reason\":\"refusal\"");
    assert_told_once(API_CHAT, API_RESPONSES, stream, "\"type\":\"response.completed\"");
    assert_whole(API_CHAT, API_MESSAGES, answer, "\"stop_reason\":\"refusal\"");
    assert_whole(API_CHAT, API_RESPONSES, answer, "\"status\":\"completed\",\"error\"");
}

/* Messages */

#define MESSAGE EVENT("{\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"m\"}}")
#define TOOL(input)                                                                                                    \
    EVENT("{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t\","       \
          "\"name\":\"f\",\"input\":" input "}}")
#define PIECE                                                                                                          \
    EVENT("{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":"   \
          "\"{\\\"x\\\":1}\"}}")
#define STOP EVENT("{\"type\":\"content_block_stop\",\"index\":0}")
#define STOPPED(reason) EVENT("{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"" reason "\"}}")
#define MESSAGE_END(reason) STOPPED(reason) EVENT("{\"type\":\"message_stop\"}")

/* A call's input that comes with its begin is told, but not beside the one that comes in pieces. */
static void
input_that_comes_with_the_begin(void **state)
{
    (void)state;
    assert_told_once(API_MESSAGES, API_CHAT, MESSAGE TOOL("{\"x\":1}") STOP MESSAGE_END("tool_use"),
                     "\"arguments\":\"{\\\"x\\\":1}\"");
    assert_told_once(API_MESSAGES, API_CHAT, MESSAGE TOOL("{\"x\":1}") PIECE STOP MESSAGE_END("tool_use"),
                     "\"arguments\":\"{\\\"x\\\":1}\"");
    assert_told_once(API_MESSAGES, API_CHAT, MESSAGE TOOL("{}") STOP MESSAGE_END("tool_use"), "\"arguments\":\"{}\"");
    /* It was kept, but its call never came to its end. */
    assert_not_whole(API_MESSAGES, API_CHAT, MESSAGE TOOL("{\"x\":1}") MESSAGE_END("tool_use"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_that_come_in_one_piece),
        cmocka_unit_test(content_in_a_list),
        cmocka_unit_test(reasons_that_are_a_servers_own),
        cmocka_unit_test(a_mark_without_an_end),
        cmocka_unit_test(answers_have_a_name),
        cmocka_unit_test(refusals_in_words),
        cmocka_unit_test(the_begin_comes_first),
        cmocka_unit_test(input_that_comes_with_the_begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
