/* Answers put in another API's words: whole, as streams, and errors. */
#include "same_json.h"

#include "dialect/frames_of.h"
#include "dialect/sse.h"
#include "dialect/translate/translate.h"
#include "dialect/whole_of.h"

/* Answers */

static const char chat_answer[] =
    "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m1\",\"choices\":[{\"index\":0,"
    "\"message\":{\"role\":\"assistant\",\"content\":\"Look \\u00e9 at this and at that, "
    "please.\",\"refusal\":null,\"tool_calls\":["
    "{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1.0}\"}},"
    "{\"id\":\"c2\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]},"
    "\"logprobs\":null,\"finish_reason\":\"tool_calls\"}],\"usage\":{\"prompt_tokens\":30,\"completion_tokens\":12,"
    "\"total_tokens\":42,\"prompt_tokens_details\":{\"cached_tokens\":10},\"completion_tokens_details\":{\"reasoning_"
    "tokens\":3}}}";
static const char messages_answer[] =
    "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m1\",\"content\":["
    "{\"type\":\"text\",\"text\":\"Look \\u00e9 at this and at that, please.\"},"
    "{\"type\":\"tool_use\",\"id\":\"c1\",\"name\":\"f\",\"input\":{\"x\":1.0}},"
    "{\"type\":\"tool_use\",\"id\":\"c2\",\"name\":\"g\",\"input\":{}}],"
    "\"stop_reason\":\"tool_use\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":15,\"cache_creation_input_"
    "tokens\":5,"
    "\"cache_read_input_tokens\":10,\"output_tokens\":12}}";
static const char responses_answer[] =
    "{\"id\":\"resp_1\",\"object\":\"response\",\"created_at\":1,\"status\":\"completed\",\"error\":null,"
    "\"incomplete_details\":null,\"model\":\"m1\",\"output\":[{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[]},"
    "{\"type\":\"message\",\"role\":\"assistant\",\"id\":\"msg_9\",\"status\":\"completed\",\"content\":[{\"type\":"
    "\"output_text\","
    "\"annotations\":[],\"text\":\"Look \\u00e9 at this and at that, please.\"}]},"
    "{\"type\":\"function_call\",\"id\":\"fc_1\",\"status\":\"completed\",\"call_id\":\"c1\",\"name\":\"f\","
    "\"arguments\":\"{\\\"x\\\":1.0}\"},"
    "{\"type\":\"function_call\",\"id\":\"fc_2\",\"status\":\"completed\",\"call_id\":\"c2\",\"name\":\"g\","
    "\"arguments\":\"{}\"}],"
    "\"usage\":{\"input_tokens\":30,\"input_tokens_details\":{\"cached_tokens\":10},\"output_tokens\":12,"
    "\"output_tokens_details\":{\"reasoning_tokens\":3},\"total_tokens\":42}}";

static const struct {
    enum api api;
    const char *answer;
} answers[] = {{API_CHAT, chat_answer}, {API_MESSAGES, messages_answer}, {API_RESPONSES, responses_answer}};

enum { MADE_S = 1790000000, MOST = 1024 * 1024 };

/* With its NUL; empty: it cannot be told. The caller frees. */
static struct buffer
whole(enum api from, enum api to, struct slice answer)
{
    struct translation *translation = translation_new(from, to, MADE_S, MOST);
    struct buffer out = {0};

    if (translation_whole(translation, answer, &out) != OK)
        assert_int_equal(buffer_len(&out), 0);
    buffer_add_byte(&out, '\0');
    translation_free(translation);
    return out;
}

static void
assert_whole(enum api from, enum api to, const char *answer, const char *wanted)
{
    struct buffer out = whole(from, to, slice_of(answer));

    if (wanted == NULL)
        assert_string_equal(out.data, "");
    else
        assert_same_json(slice_of(out.data), wanted);
    buffer_free(&out);
}

static void
whole_answers(void **state)
{
    (void)state;
    assert_whole(
        API_CHAT, API_MESSAGES, chat_answer,
        "{\"id\":\"msg_chatcmpl-1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m1\",\"content\":["
        "{\"type\":\"text\",\"text\":\"Look \\u00e9 at this and at that, please.\"},"
        "{\"type\":\"tool_use\",\"id\":\"c1\",\"name\":\"f\",\"input\":{\"x\":1.0}},"
        "{\"type\":\"tool_use\",\"id\":\"c2\",\"name\":\"g\",\"input\":{}}],\"stop_reason\":\"tool_use\","
        "\"stop_sequence\":null,\"usage\":{\"input_tokens\":20,\"cache_creation_input_tokens\":0,"
        "\"cache_read_input_tokens\":10,\"output_tokens\":12,\"output_tokens_details\":{\"thinking_tokens\":3}}}");
    assert_whole(
        API_MESSAGES, API_CHAT, messages_answer,
        "{\"id\":\"chatcmpl-msg_1\",\"object\":\"chat.completion\",\"created\":1790000000,\"model\":\"m1\",\"choices\":"
        "[{"
        "\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Look \\u00e9 at this and at that, please.\","
        "\"refusal\":null,\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\","
        "\"arguments\":\"{\\\"x\\\":1.0}\"}},"
        "{\"id\":\"c2\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]},\"logprobs\":null,"
        "\"finish_reason\":\"tool_calls\"}],\"usage\":{\"prompt_tokens\":30,\"completion_tokens\":12,\"total_tokens\":"
        "42,"
        "\"prompt_tokens_details\":{\"cached_tokens\":10},\"completion_tokens_details\":{\"reasoning_tokens\":0}}}");
    assert_whole(
        API_MESSAGES, API_RESPONSES, messages_answer,
        "{\"id\":\"resp_msg_1\",\"object\":\"response\",\"created_at\":1790000000,\"status\":\"completed\",\"error\":"
        "null,"
        "\"incomplete_details\":null,\"model\":\"m1\",\"output\":[{\"type\":\"message\",\"role\":\"assistant\","
        "\"id\":\"msg_msg_1_0\",\"status\":\"completed\",\"content\":[{\"type\":\"output_text\",\"annotations\":[],"
        "\"logprobs\":[],"
        "\"text\":\"Look \\u00e9 at this and at that, please.\"}]},{\"type\":\"function_call\",\"id\":\"fc_msg_1_1\","
        "\"status\":\"completed\",\"call_id\":\"c1\",\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1.0}\"},{\"type\":"
        "\"function_call\","
        "\"id\":\"fc_msg_1_2\",\"status\":\"completed\",\"call_id\":\"c2\",\"name\":\"g\",\"arguments\":\"{}\"}],"
        "\"previous_response_id\":null,\"store\":false,\"usage\":{\"input_tokens\":30,\"input_tokens_details\":"
        "{\"cached_tokens\":10},\"output_tokens\":12,\"output_tokens_details\":{\"reasoning_tokens\":0},\"total_"
        "tokens\":42}}");
}

/* A response repeats what was asked for, and what holds where nothing was. */
static void
a_response_repeats_its_request(void **state)
{
    static const char body[] =
        "{\"model\":\"a\",\"input\":\"Hi\",\"temperature\":0.50,\"metadata\":{\"k\":\"v\"},\"instructions\":\"I\","
        "\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"strict\":false}]}";
    struct translation *translation = translation_new(API_CHAT, API_RESPONSES, MADE_S, MOST);
    struct translated translated;
    struct buffer out = {0};
    struct arena arena;

    (void)state;
    arena_init(&arena);
    translated = translate_request(API_RESPONSES, API_CHAT, slice_of(body), &arena);
    translation_echoes(translation, translated.echo);
    assert_int_equal(translation_whole(translation,
                                       slice_of("{\"id\":\"1\",\"model\":\"m\",\"choices\":[{\"message\":{\"content\":"
                                                "\"\"},\"finish_reason\":\"stop\"}]}"),
                                       &out),
                     OK);
    assert_same_json(
        buffer_content(&out),
        "{\"id\":\"resp_1\",\"object\":\"response\",\"created_at\":1790000000,\"status\":\"completed\",\"error\":null,"
        "\"incomplete_details\":null,\"model\":\"m\",\"output\":[],\"instructions\":\"I\",\"max_output_tokens\":null,"
        "\"metadata\":{\"k\":\"v\"},\"parallel_tool_calls\":true,\"reasoning\":{\"effort\":null,\"summary\":null},"
        "\"temperature\":0.50,"
        "\"text\":{\"format\":{\"type\":\"text\"}},\"tool_choice\":\"auto\",\"tools\":[{\"type\":\"function\",\"name\":"
        "\"f\",\"strict\":false}],"
        "\"top_p\":null,\"truncation\":\"disabled\",\"user\":null,\"previous_response_id\":null,\"store\":false,"
        "\"usage\":null}");
    chunk_release(translated.rest);
    translation_free(translation);
    buffer_free(&out);
    arena_reset(&arena);
}

static void
what_is_no_answer_is_not_told(void **state)
{
    static const char *const bad[] = {"", "{", "[]", "{}", "{\"choices\":[]}", "{\"error\":{\"message\":\"x\"}}"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        for (size_t from = 0; from < 3; from++)
            for (size_t to = 0; to < 3; to++)
                if (from != to)
                    assert_whole(answers[from].api, answers[to].api, bad[i], NULL);
    /* Arguments that are no object, though nothing cut them off; and two answers. */
    assert_whole(API_CHAT, API_MESSAGES,
                 "{\"choices\":[{\"message\":{\"tool_calls\":[{\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":"
                 "\"{\\\"x\\\"\"}}]},"
                 "\"finish_reason\":\"tool_calls\"}]}",
                 NULL);
    assert_whole(API_CHAT, API_MESSAGES, "{\"choices\":[{\"message\":{}},{\"message\":{}}]}", NULL);
}

static void
reasons_to_stop(void **state)
{
    static const struct {
        enum api from, to;
        const char *answer, *wanted;
    } cases[] = {
        {API_CHAT, API_MESSAGES, "{\"choices\":[{\"message\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}",
         "\"stop_reason\":\"end_turn\""},
        {API_CHAT, API_MESSAGES, "{\"choices\":[{\"message\":{\"content\":\"x\"},\"finish_reason\":\"length\"}]}",
         "\"stop_reason\":\"max_tokens\""},
        {API_CHAT, API_MESSAGES,
         "{\"choices\":[{\"message\":{\"content\":\"x\"},\"finish_reason\":\"content_filter\"}]}",
         "\"stop_reason\":\"refusal\""},
        {API_CHAT, API_MESSAGES,
         "{\"choices\":[{\"message\":{\"content\":\"x\"},\"finish_reason\":\"stop\",\"stop_reason\":\"END\"}]}",
         "\"stop_reason\":\"stop_sequence\",\"stop_sequence\":\"END\""},
        /* A function that was named is called, and the reason is \"stop\". */
        {API_CHAT, API_MESSAGES,
         "{\"choices\":[{\"message\":{\"tool_calls\":[{\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}"
         "]},\"finish_reason\":\"stop\"}]}",
         "\"stop_reason\":\"tool_use\""},
        /* Arguments that the cap cut off */
        {API_CHAT, API_MESSAGES,
         "{\"choices\":[{\"message\":{\"tool_calls\":[{\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":\"{"
         "\\\"x\"}}]},\"finish_reason\":\"length\"}]}",
         "\"input\":{}"},
        {API_CHAT, API_RESPONSES, "{\"choices\":[{\"message\":{\"content\":\"x\"},\"finish_reason\":\"length\"}]}",
         "\"status\":\"incomplete\",\"error\":null,\"incomplete_details\":{\"reason\":\"max_output_tokens\"}"},
        {API_CHAT, API_RESPONSES, "{\"choices\":[{\"message\":{\"refusal\":\"No.\"},\"finish_reason\":\"stop\"}]}",
         "{\"type\":\"refusal\",\"refusal\":\"No.\"}"},
        {API_MESSAGES, API_CHAT, "{\"content\":[],\"stop_reason\":\"stop_sequence\",\"stop_sequence\":\"E\"}",
         "\"finish_reason\":\"stop\""},
        {API_MESSAGES, API_CHAT, "{\"content\":[],\"stop_reason\":\"refusal\"}",
         "\"finish_reason\":\"content_filter\""},
        {API_MESSAGES, API_CHAT,
         "{\"content\":[{\"type\":\"thinking\",\"thinking\":\"h\"}],\"stop_reason\":\"max_tokens\"}",
         "\"content\":\"\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"length\""},
        {API_RESPONSES, API_CHAT,
         "{\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"content_filter\"},\"output\":[]}",
         "\"finish_reason\":\"content_filter\""},
        {API_RESPONSES, API_MESSAGES, "{\"status\":\"completed\",\"output\":[]}", "\"stop_reason\":\"end_turn\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer out = whole(cases[i].from, cases[i].to, slice_of(cases[i].answer));

        if (strstr(out.data, cases[i].wanted) == NULL)
            fail_msg("case %zu: wanted %s in %s", i, cases[i].wanted, out.data);
        buffer_free(&out);
    }
}

/* Streams */

struct told {
    struct buffer all;
    unsigned usage_only, last;
};

static void
take(void *context, const struct translated_event *event)
{
    struct told *told = context;

    assert_int_equal(told->last, 0); /* nothing comes after the last */
    buffer_add(&told->all, event->frame);
    told->usage_only += event->usage_only;
    told->last += event->last;
}

static void
add_frame(void *context, struct slice frame)
{
    buffer_add(context, frame);
}

static enum status
tell(enum api from, enum api to, struct slice stream, struct told *told)
{
    struct translation *translation = translation_new(from, to, MADE_S, MOST);
    enum status status = OK;
    struct sse_framer framer;
    struct slice frame;

    sse_init(&framer, 1 << 20);
    while (status == OK && sse_next(&framer, &stream, &frame) == SSE_FRAME)
        status = translation_frame(translation, frame, take, told);
    translation_end(translation, take, told);
    sse_free(&framer);
    translation_free(translation);
    return status;
}

static struct buffer
gathered(enum api api, struct slice stream)
{
    struct whole_of *gatherer = whole_of_new(api);
    struct sse_framer framer;
    struct buffer out = {0};
    struct slice frame;

    sse_init(&framer, 1 << 20);
    while (sse_next(&framer, &stream, &frame) == SSE_FRAME)
        whole_of_frame(gatherer, frame);
    if (whole_of_end(gatherer, &out) != OK)
        fail_msg("no whole stream: %.*s", SLICE_ARGS(stream));
    sse_free(&framer);
    whole_of_free(gatherer);
    return out;
}

/* Whatever stands in both must be the same; what only one form of an API has is no matter. */
static void
assert_agree(yyjson_val *a, yyjson_val *b, const char *name)
{
    size_t i, most;
    yyjson_val *key, *value, *other;

    if (yyjson_is_obj(a) && yyjson_is_obj(b)) {
        yyjson_obj_foreach(a, i, most, key, value)
        {
            other = yyjson_obj_get(b, yyjson_get_str(key));
            if (other != NULL)
                assert_agree(value, other, yyjson_get_str(key));
        }
    } else if (yyjson_is_arr(a) && yyjson_is_arr(b)) {
        assert_int_equal(yyjson_arr_size(a), yyjson_arr_size(b));
        yyjson_arr_foreach(a, i, most, value) assert_agree(value, yyjson_arr_get(b, i), name);
    } else if (!yyjson_equals(a, b)) {
        fail_msg("'%s' differs", name);
    }
}

/* An answer that streams says what it would have said whole: told event by event, and gathered, it is the whole answer
 * told at once. */
static void
streams_say_what_whole_answers_say(void **state)
{
    (void)state;
    for (size_t from = 0; from < 3; from++)
        for (size_t to = 0; to < 3; to++) {
            struct buffer stream = {0}, at_once, in_pieces;
            struct told told = {0};
            yyjson_doc *a, *b;

            if (from == to)
                continue;
            assert_int_equal(frames_of(answers[from].api, slice_of(answers[from].answer), true, add_frame, &stream),
                             OK);
            assert_int_equal(tell(answers[from].api, answers[to].api, buffer_content(&stream), &told), OK);
            assert_int_equal(told.last, 1);
            assert_int_equal(told.usage_only, answers[to].api == API_CHAT);
            in_pieces = gathered(answers[to].api, buffer_content(&told.all));
            at_once = whole(answers[from].api, answers[to].api, slice_of(answers[from].answer));
            a = yyjson_read(at_once.data, strlen(at_once.data), 0);
            b = yyjson_read(in_pieces.data, buffer_len(&in_pieces), 0);
            assert_non_null(a);
            assert_non_null(b);
            assert_agree(yyjson_doc_get_root(a), yyjson_doc_get_root(b), "");
            yyjson_doc_free(a);
            yyjson_doc_free(b);
            buffer_free(&stream);
            buffer_free(&told.all);
            buffer_free(&at_once);
            buffer_free(&in_pieces);
        }
}

/* The names of a stream's events, without those that repeat; of chat, what each delta has. */
static void
add_names(struct slice stream, struct buffer *out)
{
    struct slice line, last = SLICE_NONE;

    while (stream.data != NULL) {
        line = slice_split(&stream, '\n');
        if (!slice_starts(line, "event: ") || slice_equal(line, last))
            continue;
        buffer_printf(out, "%.*s ", SLICE_ARGS(slice_from(line, 7)));
        last = line;
    }
    buffer_add_byte(out, '\0');
}

/* What opens closes, before anything else opens. */
static void
events_come_in_their_apis_order(void **state)
{
    static const struct {
        enum api to;
        const char *names;
    } cases[] = {
        {API_MESSAGES, "message_start content_block_start content_block_delta content_block_stop content_block_start "
                       "content_block_delta content_block_stop content_block_start content_block_delta "
                       "content_block_stop message_delta message_stop "},
        {API_RESPONSES, "response.created response.in_progress response.output_item.added response.content_part.added "
                        "response.output_text.delta response.output_text.done response.content_part.done "
                        "response.output_item.done response.output_item.added response.function_call_arguments.delta "
                        "response.function_call_arguments.done response.output_item.done response.output_item.added "
                        "response.function_call_arguments.delta response.function_call_arguments.done "
                        "response.output_item.done response.completed "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer stream = {0}, names = {0};
        struct told told = {0};

        assert_int_equal(frames_of(API_CHAT, slice_of(chat_answer), true, add_frame, &stream), OK);
        assert_int_equal(tell(API_CHAT, cases[i].to, buffer_content(&stream), &told), OK);
        add_names(buffer_content(&told.all), &names);
        assert_string_equal(names.data, cases[i].names);
        buffer_free(&stream);
        buffer_free(&names);
        buffer_free(&told.all);
    }
}

#define CHUNK(delta) "data: {\"id\":\"x\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":" delta "}]}\n\n"
#define CALL(n, rest) "{\"tool_calls\":[{\"index\":" n rest "}]}"

/* Calls that a backend goes on with at the same time are told one after another, whole. */
static void
calls_that_are_made_at_once(void **state)
{
    static const char stream[] = CHUNK(CALL("0", ",\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}"))
        CHUNK(CALL("1", ",\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":\"{\\\"y\\\":\"}"))
            CHUNK(CALL("0", ",\"function\":{\"arguments\":\"}\"}")) CHUNK(
                CALL("1", ",\"function\":{\"arguments\":\"2}\"}")) "data: "
                                                                   "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_"
                                                                   "reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n";
    struct told told = {0};
    struct buffer out;

    (void)state;
    assert_int_equal(tell(API_CHAT, API_MESSAGES, slice_of(stream), &told), OK);
    out = gathered(API_MESSAGES, buffer_content(&told.all));
    assert_same_json(
        buffer_content(&out),
        "{\"id\":\"msg_x\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":["
        "{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"f\",\"input\":{}},"
        "{\"type\":\"tool_use\",\"id\":\"b\",\"name\":\"g\",\"input\":{\"y\":2}}],\"stop_reason\":\"tool_use\","
        "\"stop_sequence\":null,\"usage\":{\"input_tokens\":0,\"cache_creation_input_tokens\":0,"
        "\"cache_read_input_tokens\":0,\"output_tokens\":0}}");
    buffer_free(&out);
    buffer_free(&told.all);
}

static void
assert_told(enum api from, enum api to, const char *stream, enum status status, const char *words, unsigned last)
{
    struct told told = {0};

    assert_int_equal(tell(from, to, slice_of(stream), &told), status);
    buffer_add_byte(&told.all, '\0');
    if (strstr(told.all.data, words) == NULL)
        fail_msg("wanted %s in %s", words, told.all.data);
    assert_int_equal(told.last, last);
    buffer_free(&told.all);
}

static void
streams_that_end_otherwise(void **state)
{
    (void)state;
    /* An error is told in the client's words; nothing comes behind it. */
    assert_told(
        API_MESSAGES, API_CHAT,
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"a\",\"model\":\"m\"}}\n\n"
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Busy\"}}\n\n",
        OK, "data: {\"error\":{\"message\":\"Busy\",\"type\":\"server_error\"", 0);
    assert_told(API_CHAT, API_MESSAGES,
                CHUNK("{\"content\":\"x\"}") "data: {\"error\":{\"message\":\"No\",\"type\":\"server_error\"}}\n\n", OK,
                "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"No\"}", 0);
    /* Some just end, without a mark. */
    assert_told(API_CHAT, API_MESSAGES,
                "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\n\n", OK,
                "event: message_stop", 1);
    /* One that is cut has no end that could be told. */
    assert_told(API_CHAT, API_MESSAGES, CHUNK("{\"content\":\"x\"}"), OK, "text_delta", 0);
    /* What cannot be told is said to be so: a second answer, a letter that is no event, arguments for a call that is over. */
    assert_told(API_CHAT, API_MESSAGES, "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"x\"}}]}\n\n",
                ERR_INVALID, "", 0);
    assert_told(API_CHAT, API_MESSAGES, "data: nonsense\n\n", ERR_INVALID, "", 0);
    assert_told(API_CHAT, API_MESSAGES,
                CHUNK(CALL("0", ",\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}"))
                    CHUNK("{\"content\":\"x\"}") CHUNK(CALL("0", ",\"function\":{\"arguments\":\"}\"}")),
                ERR_INVALID, "tool_use", 0);
    /* Comments and pings are nobody's words. */
    assert_told(
        API_MESSAGES, API_CHAT,
        ": ping\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n"
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"a\",\"model\":\"m\"}}\n\n"
        "event: content_block_start\ndata: "
        "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t\",\"name\":"
        "\"f\",\"input\":{}}}\n\n"
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"}}\n\n"
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        OK, "\"arguments\":\"{}\"", 1);
}

/* What a responses client is told once more at the end is gathered, within a bound. */
static void
what_is_gathered_is_bounded(void **state)
{
    struct translation *translation = translation_new(API_CHAT, API_RESPONSES, MADE_S, 40);
    struct told told = {0};

    (void)state;
    assert_int_equal(translation_frame(translation, slice_of(CHUNK("{\"content\":\"0123456789012345\"}")), take, &told),
                     OK);
    assert_int_equal(translation_frame(translation, slice_of(CHUNK("{\"content\":\"0123456789012345\"}")), take, &told),
                     OK);
    assert_int_equal(translation_frame(translation, slice_of(CHUNK("{\"content\":\"0123456789012345\"}")), take, &told),
                     ERR_INVALID);
    translation_end(translation, take, &told);
    assert_int_equal(told.last, 0);
    translation_free(translation);
    buffer_free(&told.all);
}

static void
errors_in_the_clients_words(void **state)
{
    static const struct {
        enum api to;
        unsigned status;
        const char *answer, *wanted;
    } cases[] = {
        {API_CHAT, 529, "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}",
         "{\"error\":{\"message\":\"Overloaded\",\"type\":\"server_error\",\"param\":null,\"code\":null}}"},
        {API_CHAT, 400,
         "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"Your credit balance is too "
         "low\"}}",
         "{\"error\":{\"message\":\"Your credit balance is too "
         "low\",\"type\":\"insufficient_quota\",\"param\":null,\"code\":\"insufficient_quota\"}}"},
        {API_MESSAGES, 429,
         "{\"error\":{\"message\":\"You exceeded your current "
         "quota\",\"type\":\"insufficient_quota\",\"code\":\"insufficient_quota\"}}",
         "{\"type\":\"error\",\"error\":{\"type\":\"billing_error\",\"message\":\"You exceeded your current quota\"}}"},
        {API_MESSAGES, 404,
         "{\"error\":{\"message\":\"no such model\",\"type\":\"invalid_request_error\",\"code\":\"model_not_found\"}}",
         "{\"type\":\"error\",\"error\":{\"type\":\"not_found_error\",\"message\":\"no such model\"}}"},
        /* Gemini's endpoint for OpenAI's clients tells errors in a list. */
        {API_MESSAGES, 400,
         "[{\"error\":{\"code\":400,\"message\":\"API key not valid.\",\"status\":\"INVALID_ARGUMENT\"}}]",
         "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"API key not valid.\"}}"},
        {API_RESPONSES, 429,
         "[{\"error\":{\"code\":429,\"message\":\"Your prepayment credits are depleted.\",\"status\":"
         "\"RESOURCE_EXHAUSTED\"}}]",
         "{\"error\":{\"message\":\"Your prepayment credits are depleted.\",\"type\":\"insufficient_quota\",\"param\":"
         "null,\"code\":\"insufficient_quota\"}}"},
        {API_MESSAGES, 500, "[]",
         "{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"the backend answered with status "
         "500\"}}"},
        {API_MESSAGES, 502, "<html>",
         "{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"the backend answered with status "
         "502\"}}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer out = {0};

        translate_error(cases[i].to, cases[i].status, slice_of(cases[i].answer), &out);
        assert_same_json(buffer_content(&out), cases[i].wanted);
        buffer_free(&out);
    }
    assert_int_equal(translate_status(API_CHAT, 529), 503);
    assert_int_equal(translate_status(API_MESSAGES, 529), 529);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_answers),
        cmocka_unit_test(a_response_repeats_its_request),
        cmocka_unit_test(what_is_no_answer_is_not_told),
        cmocka_unit_test(reasons_to_stop),
        cmocka_unit_test(streams_say_what_whole_answers_say),
        cmocka_unit_test(events_come_in_their_apis_order),
        cmocka_unit_test(calls_that_are_made_at_once),
        cmocka_unit_test(streams_that_end_otherwise),
        cmocka_unit_test(what_is_gathered_is_bounded),
        cmocka_unit_test(errors_in_the_clients_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
