/* Requests, and answers that are errors. */
#include "dialect/translate/translate.h"

#include <stdio.h>

#include "dialect/json/json.h"
#include "dialect/refusal.h"
#include "dialect/translate/retell.h"
#include "dialect/translate/talk.h"

/* Each of a stream's three events that show the response would repeat it. */
enum { ECHO_MOST = 256 * 1024 };

static bool
is_chat(enum api api)
{
    return api == API_CHAT || api == API_MESSAGES || api == API_RESPONSES;
}

bool
translate_knows(enum api from, enum api to)
{
    return is_chat(from) && is_chat(to) && from != to;
}

static void
read_talk(struct talk *talk, yyjson_val *root)
{
    if (talk->from == API_MESSAGES)
        talk_read_messages(talk, root);
    else if (talk->from == API_RESPONSES)
        talk_read_responses(talk, root);
    else
        talk_read_chat(talk, root);
    if (talk->turns == NULL)
        talk_refuse(talk, "there are no turns");
    for (const struct talk_turn *turn = talk->turns; turn != NULL; turn = turn->next)
        if (turn->parts == NULL)
            talk_refuse(talk, "a turn says nothing");
    if (talk->tools == NULL && (talk->choice == TALK_CALLS_SOME || talk->choice == TALK_CALLS_NAMED))
        talk_refuse(talk, "'tool_choice' wants a call, and there are no tools");
}

static void
write_talk(struct talk *talk, enum api to, struct buffer *out)
{
    if (to == API_MESSAGES)
        talk_write_messages(talk, out);
    else if (to == API_RESPONSES)
        talk_write_responses(talk, out);
    else
        talk_write_chat(talk, out);
    if (talk->why != NULL)
        return;
    out->data[out->start] = '{'; /* was the comma before the first of its members, of which the turns are one */
    buffer_add_byte(out, '}');
}

struct translated
translate_request(enum api from, enum api to, struct slice body, struct arena *arena)
{
    struct talk talk = {.arena = arena, .from = from, .cap = -1};
    struct translated translated = {.api = to, .cap = -1};
    yyjson_doc *doc = yyjson_read(body.data, body.len, YYJSON_READ_NUMBER_AS_RAW);
    struct buffer out = {0};

    ENSURE(translate_knows(from, to));
    if (yyjson_is_obj(yyjson_doc_get_root(doc)))
        read_talk(&talk, yyjson_doc_get_root(doc));
    else
        talk_refuse(&talk, "the body is no JSON object");
    if (talk.why == NULL)
        write_talk(&talk, to, &out);
    if (talk.why == NULL) {
        translated.rest = chunk_from(buffer_content(&out));
        translated.prompt = arena_alloc(arena, sizeof(*translated.prompt));
    }
    if (talk.why == NULL && from == API_RESPONSES) {
        buffer_clear(&out);
        talk_echo_responses(yyjson_doc_get_root(doc), &out);
        if (buffer_len(&out) <= ECHO_MOST)
            translated.echo = arena_copy(arena, buffer_content(&out));
    }
    translated.why = talk.why;
    translated.cap = talk.cap < 0 && to == API_MESSAGES ? TRANSLATE_CAP_IF_NONE : talk.cap;
    buffer_free(&out);
    yyjson_doc_free(doc);
    return translated;
}

/* Errors */

static const struct {
    const char *type;
    enum error_kind kind;
} error_types[] = {
    {"invalid_request_error", ERROR_BAD_REQUEST}, {"authentication_error", ERROR_UNKNOWN_KEY},
    {"permission_error", ERROR_FORBIDDEN},        {"not_found_error", ERROR_NO_SUCH_MODEL},
    {"request_too_large", ERROR_TOO_LARGE},       {"rate_limit_error", ERROR_RATE_LIMITED},
    {"overloaded_error", ERROR_UNAVAILABLE},      {"timeout_error", ERROR_UPSTREAM_TIMEOUT},
};

enum error_kind
translate_error_kind(struct slice type)
{
    for (size_t i = 0; i < sizeof(error_types) / sizeof(error_types[0]); i++)
        if (slice_is(type, error_types[i].type))
            return error_types[i].kind;
    return ERROR_INTERNAL;
}

static enum error_kind
kind_of_status(unsigned status)
{
    static const struct {
        unsigned status;
        enum error_kind kind;
    } kinds[] = {{401, ERROR_UNKNOWN_KEY},      {402, ERROR_OVER_BUDGET},  {403, ERROR_FORBIDDEN},
                 {404, ERROR_NO_SUCH_MODEL},    {408, ERROR_TIMEOUT},      {413, ERROR_TOO_LARGE},
                 {415, ERROR_CODING},           {429, ERROR_RATE_LIMITED}, {503, ERROR_UNAVAILABLE},
                 {504, ERROR_UPSTREAM_TIMEOUT}, {529, ERROR_UNAVAILABLE}};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (kinds[i].status == status)
            return kinds[i].kind;
    return status < 500 ? ERROR_BAD_REQUEST : ERROR_INTERNAL;
}

unsigned
translate_status(enum api to, unsigned status)
{
    return status == 529 && api_dialect(to) == DIALECT_OPENAI ? 503 : status;
}

/* Some tell it in a list, whose only element it is (Gemini's endpoint for OpenAI's clients). */
static struct slice
message_of(yyjson_val *root)
{
    yyjson_val *told = yyjson_is_arr(root) ? yyjson_arr_get_first(root) : root;
    yyjson_val *error = yyjson_obj_get(told, "error");
    yyjson_val *message = yyjson_is_obj(error) ? yyjson_obj_get(error, "message") : error;

    if (!yyjson_is_str(message))
        message = yyjson_obj_get(told, "message");
    if (!yyjson_is_str(message))
        message = yyjson_obj_get(told, "detail"); /* FastAPI's */
    return retell_slice(message);
}

/* That the account's money is at its end must be told, whatever words another API has for it. */
static void
put_spent(enum api to, struct slice message, struct buffer *out)
{
    if (api_dialect(to) == DIALECT_ANTHROPIC) {
        error_body(DIALECT_ANTHROPIC, ERROR_OVER_BUDGET, message, SLICE_NONE, out);
        return;
    }
    buffer_add_text(out, "{\"error\":{\"message\":");
    buffer_add_json_string(out, message);
    buffer_add_text(out, ",\"type\":\"insufficient_quota\",\"param\":null,\"code\":\"insufficient_quota\"}}");
}

void
translate_error(enum api to, unsigned status, struct slice answer, struct buffer *out)
{
    struct json_scratch scratch;
    yyjson_doc *doc = answer.len > 0 ? json_parse_lenient(answer, false, &scratch) : NULL;
    struct slice message = message_of(yyjson_doc_get_root(doc));
    char told[64];

    if (message.len == 0) {
        snprintf(told, sizeof(told), "the backend answered with status %u", status);
        message = slice_of(told);
    }
    message = slice_first(message, 2048);
    if (refusal_is_spend_limit(status, answer))
        put_spent(to, message, out);
    else
        error_body(api_dialect(to), kind_of_status(status), message, SLICE_NONE, out);
    yyjson_doc_free(doc);
}
