/* OpenAI's chat completions, as a request is sent. */
#include "dialect/translate/talk.h"

enum { STOPS_MOST = 4, NAME_MOST = 64 };

static void
put_image(struct talk *talk, const struct talk_part *part, struct buffer *out)
{
    talk_needs_image(talk, part);
    buffer_add_text(out, "{\"type\":\"image_url\",\"image_url\":{\"url\":\"");
    if (part->media_type.len > 0) {
        buffer_add_text(out, "data:");
        buffer_add_json(out, part->media_type);
        buffer_add_text(out, ";base64,");
    }
    buffer_add_json(out, part->text);
    buffer_add_byte(out, '"');
    if (part->detail.len > 0)
        talk_put_member(out, "detail", part->detail);
    buffer_add_text(out, "}}");
}

static void
put_part(struct talk *talk, const struct talk_part *part, struct buffer *out)
{
    if (part->kind == TALK_IMAGE) {
        put_image(talk, part, out);
        return;
    }
    buffer_add_text(out,
                    part->kind == TALK_TEXT ? "{\"type\":\"text\",\"text\":" : "{\"type\":\"refusal\",\"refusal\":");
    buffer_add_json_string(out, part->text);
    buffer_add_byte(out, '}');
}

/* What stands there but for calls: a text if it is one, else a list. */
static void
put_content(struct talk *talk, const struct talk_part *parts, struct buffer *out)
{
    const struct talk_part *only = NULL;
    const char *comma = "[";
    size_t count = 0;

    for (const struct talk_part *part = parts; part != NULL; part = part->next)
        if (part->kind != TALK_CALL)
            only = part, count++;
    if (count == 1 && only->kind == TALK_TEXT) {
        buffer_add_json_string(out, only->text);
        return;
    }
    for (const struct talk_part *part = parts; part != NULL; part = part->next) {
        if (part->kind == TALK_CALL)
            continue;
        buffer_add_text(out, comma);
        put_part(talk, part, out);
        comma = ",";
    }
    buffer_add_text(out, count == 0 ? "null" : "]");
}

static void
put_call(const struct talk_part *call, struct buffer *out)
{
    buffer_add_text(out, "{\"id\":");
    buffer_add_json_string(out, call->id);
    buffer_add_text(out, ",\"type\":\"function\",\"function\":{\"name\":");
    buffer_add_json_string(out, call->name);
    talk_put_member(out, "arguments", call->text);
    buffer_add_text(out, "}}");
}

/* One message, which has texts and calls apart: what an assistant says behind its calls stands there before them, as it
 * does where the same model is asked in chat. */
static void
put_assistant(struct talk *talk, const struct talk_turn *turn, struct buffer *out)
{
    const char *comma = ",\"tool_calls\":[";

    buffer_add_text(out, "{\"role\":\"assistant\"");
    talk_put_name(out, "content");
    put_content(talk, turn->parts, out);
    for (const struct talk_part *call = turn->parts; call != NULL; call = call->next) {
        if (call->kind != TALK_CALL)
            continue;
        buffer_add_text(out, comma);
        put_call(call, out);
        comma = ",";
    }
    buffer_add_text(out, comma[1] == '\0' ? "]}" : "}");
}

static void
put_result(struct talk *talk, const struct talk_part *result, struct buffer *out)
{
    if (result->failed)
        talk_refuse(talk, "'is_error' of a tool's result has no place in chat");
    for (const struct talk_part *part = result->inside; part != NULL; part = part->next)
        if (part->kind != TALK_TEXT)
            talk_refuse(talk, "an image in a tool's result has no place in chat");
    buffer_add_text(out, "{\"role\":\"tool\"");
    talk_put_member(out, "tool_call_id", result->id);
    talk_put_name(out, "content");
    if (result->inside != NULL)
        put_content(talk, result->inside, out);
    else
        buffer_add_text(out, "\"\"");
    buffer_add_byte(out, '}');
}

/* Results are messages of their own, and stand before what the user says to them. */
static void
put_user(struct talk *talk, const struct talk_turn *turn, struct buffer *out)
{
    const struct talk_part *part = turn->parts;
    const char *comma = "";

    for (; part != NULL && part->kind == TALK_RESULT; part = part->next, comma = ",") {
        buffer_add_text(out, comma);
        put_result(talk, part, out);
    }
    if (part == NULL && turn->parts != NULL)
        return;
    for (const struct talk_part *rest = part; rest != NULL; rest = rest->next)
        if (rest->kind == TALK_RESULT)
            talk_refuse(talk, "a tool's result stands behind other parts of its turn, which has no place in chat");
    buffer_add_text(out, comma);
    buffer_add_text(out, "{\"role\":\"user\"");
    talk_put_name(out, "content");
    put_content(talk, part, out);
    buffer_add_byte(out, '}');
}

static void
put_instruction(struct talk *talk, const struct talk_turn *turn, struct buffer *out)
{
    for (const struct talk_part *part = turn->parts; part != NULL; part = part->next)
        if (part->kind != TALK_TEXT)
            talk_refuse(talk, "an image in a system's message has no place in chat");
    buffer_add_text(out,
                    "{\"role\":\"system\""); /* as all servers know it; a developer's is the same, by a newer name */
    talk_put_name(out, "content");
    put_content(talk, turn->parts, out);
    buffer_add_byte(out, '}');
}

static void
put_messages(struct talk *talk, struct buffer *out)
{
    talk_put_name(out, "messages");
    buffer_add_byte(out, '[');
    for (const struct talk_turn *turn = talk->turns; turn != NULL; turn = turn->next) {
        if (turn != talk->turns)
            buffer_add_byte(out, ',');
        if (turn->role == TALK_ASSISTANT)
            put_assistant(talk, turn, out);
        else if (turn->role == TALK_USER)
            put_user(talk, turn, out);
        else
            put_instruction(talk, turn, out);
    }
    buffer_add_byte(out, ']');
}

static void
put_tools(struct talk *talk, struct buffer *out)
{
    if (talk->tools == NULL)
        return;
    talk_put_name(out, "tools");
    for (const struct talk_tool *tool = talk->tools; tool != NULL; tool = tool->next) {
        buffer_add_text(out, tool == talk->tools ? "[" : ",");
        if (tool->name.len > NAME_MOST)
            talk_refuse(talk, "a tool's name is longer than chat takes");
        buffer_add_text(out, "{\"type\":\"function\",\"function\":{\"name\":");
        buffer_add_json_string(out, tool->name);
        if (tool->description.data != NULL)
            talk_put_member(out, "description", tool->description);
        if (tool->schema != NULL) {
            talk_put_name(out, "parameters");
            talk_put_json(out, tool->schema);
        }
        buffer_add_text(out, tool->strict ? ",\"strict\":true}}" : "}}");
    }
    buffer_add_byte(out, ']');
}

static void
put_stops(struct talk *talk, struct buffer *out)
{
    if (talk->stop_count == 0)
        return;
    if (talk->from == API_MESSAGES) /* whose answers tell it */
        talk_refuse(talk, "chat does not tell which of 'stop_sequences' ended an answer");
    if (talk->stop_count > STOPS_MOST)
        talk_refuse(talk, "there are more stop sequences than chat takes");
    talk_put_name(out, "stop");
    for (size_t i = 0; i < talk->stop_count; i++) {
        buffer_add_byte(out, i == 0 ? '[' : ',');
        buffer_add_json_string(out, talk->stops[i]);
    }
    buffer_add_byte(out, ']');
}

static void
put_format(struct talk *talk, struct buffer *out)
{
    if (talk->format == TALK_ANY_JSON)
        buffer_add_text(out, ",\"response_format\":{\"type\":\"json_object\"}");
    if (talk->format != TALK_JSON_SCHEMA)
        return;
    buffer_add_text(out, ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":");
    buffer_add_json_string(out, talk_format_name(talk));
    talk_put_schema(talk, out);
    buffer_add_text(out, "}}");
}

void
talk_write_chat(struct talk *talk, struct buffer *out)
{
    put_messages(talk, out);
    put_tools(talk, out);
    talk_put_choice(talk, "{\"type\":\"function\",\"function\":{\"name\":", "}}", out);
    put_stops(talk, out);
    put_format(talk, out);
    talk_put_values(talk, API_CHAT, out);
    if (talk->user.len > 0)
        talk_put_member(out, "user", talk->user);
    if (talk->stream)
        buffer_add_text(out, ",\"stream\":true,\"stream_options\":{\"include_usage\":true}");
}
