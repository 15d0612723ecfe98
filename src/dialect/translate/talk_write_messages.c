/* Anthropic's messages, as a request is sent. */
#include "dialect/translate/talk.h"

#include <stdlib.h>

enum { USER_MOST = 256 };

static void
put_image(struct talk *talk, const struct talk_part *part, struct buffer *out)
{
    static const char *const taken[] = {"image/jpeg", "image/png", "image/gif", "image/webp"};
    bool takes = part->media_type.len == 0;

    talk_needs_image(talk, part);
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
        takes |= slice_is(part->media_type, taken[i]);
    if (!takes)
        talk_refuse(talk, "an image is of a media type that messages do not take");
    if (part->detail.len > 0)
        talk_refuse(talk, "'detail' of an image has no place in messages");
    buffer_add_text(out, "{\"type\":\"image\",\"source\":{");
    if (part->media_type.len > 0) {
        buffer_add_text(out, "\"type\":\"base64\"");
        talk_put_member(out, "media_type", part->media_type);
        talk_put_member(out, "data", part->text);
    } else {
        buffer_add_text(out, "\"type\":\"url\"");
        talk_put_member(out, "url", part->text);
    }
    buffer_add_text(out, "}}");
}

static void
put_text(struct talk *talk, struct slice text, struct buffer *out)
{
    if (slice_trim(text).len == 0)
        talk_refuse(talk, "a text is empty, which messages do not take");
    buffer_add_text(out, "{\"type\":\"text\",\"text\":");
    buffer_add_json_string(out, text);
    buffer_add_byte(out, '}');
}

/* Of letters, digits, _ and - only. */
static void
check_id(struct talk *talk, struct slice id)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

    for (size_t i = 0; i < id.len; i++)
        if (id.data[i] == '\0' || strchr(plain, id.data[i]) == NULL)
            talk_refuse(talk, "the id of a tool's call has characters that messages do not take");
}

static void
put_call(struct talk *talk, const struct talk_part *call, struct buffer *out)
{
    check_id(talk, call->id);
    buffer_add_text(out, "{\"type\":\"tool_use\"");
    talk_put_member(out, "id", call->id);
    talk_put_member(out, "name", call->name);
    talk_put_name(out, "input");
    buffer_add(out, call->text);
    buffer_add_byte(out, '}');
}

/* A result may say nothing at all. */
static void
put_result(struct talk *talk, const struct talk_part *result, struct buffer *out)
{
    const char *comma = ",\"content\":[";

    check_id(talk, result->id);
    buffer_add_text(out, "{\"type\":\"tool_result\"");
    talk_put_member(out, "tool_use_id", result->id);
    for (const struct talk_part *part = result->inside; part != NULL; part = part->next) {
        if (part->kind == TALK_TEXT && part->text.len == 0)
            continue;
        buffer_add_text(out, comma);
        if (part->kind == TALK_TEXT)
            put_text(talk, part->text, out);
        else
            put_image(talk, part, out);
        comma = ",";
    }
    if (comma[1] == '\0')
        buffer_add_byte(out, ']');
    buffer_add_text(out, result->failed ? ",\"is_error\":true}" : "}");
}

static void
put_part(struct talk *talk, const struct talk_part *part, struct buffer *out)
{
    switch (part->kind) {
    case TALK_TEXT:
        put_text(talk, part->text, out);
        break;
    case TALK_REFUSAL:
        talk_refuse(talk, "a refusal among the turns has no place in messages");
        break;
    case TALK_IMAGE:
        put_image(talk, part, out);
        break;
    case TALK_CALL:
        put_call(talk, part, out);
        break;
    case TALK_RESULT:
        put_result(talk, part, out);
        break;
    }
}

static bool
is_instruction(const struct talk_turn *turn)
{
    return turn->role == TALK_SYSTEM || turn->role == TALK_DEVELOPER;
}

/* Returns the first turn that is none. */
static const struct talk_turn *
put_system(struct talk *talk, struct buffer *out)
{
    const struct talk_turn *turn = talk->turns;
    const char *comma = ",\"system\":[";

    for (; turn != NULL && is_instruction(turn); turn = turn->next)
        for (const struct talk_part *part = turn->parts; part != NULL; part = part->next) {
            if (part->kind != TALK_TEXT)
                talk_refuse(talk, "an image in a system's message has no place in messages");
            if (part->text.len == 0)
                continue;
            buffer_add_text(out, comma);
            put_text(talk, part->text, out);
            comma = ",";
        }
    if (comma[1] == '\0')
        buffer_add_byte(out, ']');
    return turn;
}

/* What goes on in the same role is one turn. In it, results stand first. */
static const struct talk_turn *
put_turn(struct talk *talk, const struct talk_turn *turn, struct buffer *out)
{
    enum talk_role role = turn->role;
    const char *comma = "";
    bool spoke = false;

    buffer_add_text(out,
                    role == TALK_USER ? "{\"role\":\"user\",\"content\":[" : "{\"role\":\"assistant\",\"content\":[");
    for (; turn != NULL && turn->role == role; turn = turn->next)
        for (const struct talk_part *part = turn->parts; part != NULL; part = part->next) {
            if (part->kind == TALK_RESULT && spoke)
                talk_refuse(talk, "a tool's result stands behind other parts of its turn, which messages do not take");
            spoke |= part->kind != TALK_RESULT;
            buffer_add_text(out, comma);
            put_part(talk, part, out);
            comma = ",";
        }
    buffer_add_text(out, "]}");
    return turn;
}

static void
put_messages(struct talk *talk, const struct talk_turn *turn, struct buffer *out)
{
    enum talk_role last = TALK_ASSISTANT;
    const char *comma = "";

    if (turn == NULL || turn->role != TALK_USER)
        talk_refuse(talk, "the first turn is not the user's, as messages want it");
    talk_put_name(out, "messages");
    buffer_add_byte(out, '[');
    while (turn != NULL) {
        if (is_instruction(turn)) {
            talk_refuse(talk, "a system's message behind the first turn has no place in messages");
            break;
        }
        buffer_add_text(out, comma);
        comma = ",";
        last = turn->role;
        turn = put_turn(talk, turn, out);
    }
    buffer_add_byte(out, ']');
    if (last == TALK_ASSISTANT)
        talk_refuse(talk, "the last turn is the assistant's, which messages would go on with");
}

static void
put_tools(struct talk *talk, struct buffer *out)
{
    if (talk->tools == NULL)
        return;
    talk_put_name(out, "tools");
    for (const struct talk_tool *tool = talk->tools; tool != NULL; tool = tool->next) {
        buffer_add_text(out, tool == talk->tools ? "[{\"name\":" : ",{\"name\":");
        buffer_add_json_string(out, tool->name);
        if (tool->description.len > 0)
            talk_put_member(out, "description", tool->description);
        talk_put_name(out, "input_schema");
        if (tool->schema != NULL)
            talk_put_json(out, tool->schema);
        else
            buffer_add_text(out, "{\"type\":\"object\",\"properties\":{}}");
        buffer_add_text(out, tool->strict ? ",\"strict\":true}" : "}");
    }
    buffer_add_byte(out, ']');
}

static void
put_choice(struct talk *talk, struct buffer *out)
{
    static const char *const words[] = {
        [TALK_CHOOSES] = "auto", [TALK_CALLS_NONE] = "none", [TALK_CALLS_SOME] = "any", [TALK_CALLS_NAMED] = "tool"};

    if (talk->tools == NULL || (talk->choice == TALK_CHOOSES && !talk->one_call_at_most))
        return;
    buffer_printf(out, ",\"tool_choice\":{\"type\":\"%s\"", words[talk->choice]);
    if (talk->choice == TALK_CALLS_NAMED)
        talk_put_member(out, "name", talk->named);
    if (talk->one_call_at_most && talk->choice != TALK_CALLS_NONE)
        buffer_add_text(out, ",\"disable_parallel_tool_use\":true");
    buffer_add_byte(out, '}');
}

static void
put_stops(struct talk *talk, struct buffer *out)
{
    for (size_t i = 0; i < talk->stop_count; i++) {
        if (slice_trim(talk->stops[i]).len == 0)
            talk_refuse(talk, "a stop sequence is empty or white space, which messages do not take");
        buffer_add_text(out, i == 0 ? ",\"stop_sequences\":[" : ",");
        buffer_add_json_string(out, talk->stops[i]);
    }
    if (talk->stop_count > 0)
        buffer_add_byte(out, ']');
}

/* Messages know schemas only, which are kept to in any case; the name that others give one is a label. */
static void
put_format(struct talk *talk, struct buffer *out)
{
    const char *name = talk->from == API_RESPONSES ? "text.format" : "response_format";

    if (talk->format == TALK_PLAIN)
        return;
    if (talk->format == TALK_ANY_JSON)
        talk_refuse(talk, "JSON without a schema ('%s') has no place in messages", name);
    if (!talk->format_strict || !yyjson_is_obj(talk->format_schema))
        talk_refuse(talk, "a schema that is not 'strict' ('%s') has no place in messages", name);
    if (talk->format_description.len > 0)
        talk_refuse(talk, "the description of a schema ('%s') has no place in messages", name);
    if (talk->why != NULL)
        return;
    buffer_add_text(out, ",\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":");
    talk_put_json(out, talk->format_schema);
    buffer_add_text(out, "}}");
}

/* Temperatures go from 0 to 1 there, elsewhere to 2. */
static void
check_temperature(struct talk *talk)
{
    yyjson_val *value = talk->values[TALK_TEMPERATURE];

    if (value != NULL && (!yyjson_is_raw(value) || strtod(yyjson_get_raw(value), NULL) > 1.0))
        talk_refuse(talk, "'temperature' is above 1, the most that messages take");
}

/* Who the end user is helps providers to find abuse; both names of OpenAI's APIs are for that. */
static void
put_user(struct talk *talk, struct buffer *out)
{
    yyjson_val *identifier = talk->values[TALK_SAFETY_IDENTIFIER];
    struct slice user = talk->user;

    if (user.len == 0 && yyjson_is_str(identifier))
        user = slice_make(yyjson_get_str(identifier), yyjson_get_len(identifier));
    if (user.len == 0 || user.len > USER_MOST)
        return;
    buffer_add_text(out, ",\"metadata\":{\"user_id\":");
    buffer_add_json_string(out, user);
    buffer_add_byte(out, '}');
}

void
talk_write_messages(struct talk *talk, struct buffer *out)
{
    const struct talk_turn *turns = put_system(talk, out);

    put_messages(talk, turns, out);
    put_tools(talk, out);
    put_choice(talk, out);
    put_stops(talk, out);
    check_temperature(talk);
    put_format(talk, out);
    talk_put_values(talk, API_MESSAGES, out);
    put_user(talk, out);
    if (talk->stream)
        buffer_add_text(out, ",\"stream\":true");
}
