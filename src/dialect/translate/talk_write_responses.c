/* OpenAI's responses, as a request is sent. */
#include "dialect/translate/talk.h"

enum { NAME_MOST = 64, CAP_LEAST = 16 };

static void
put_image(struct talk *talk, const struct talk_part *part, struct buffer *out)
{
    talk_needs_image(talk, part);
    buffer_add_text(out, "{\"type\":\"input_image\",\"image_url\":\"");
    if (part->media_type.len > 0) {
        buffer_add_text(out, "data:");
        buffer_add_json(out, part->media_type);
        buffer_add_text(out, ";base64,");
    }
    buffer_add_json(out, part->text);
    buffer_add_byte(out, '"');
    talk_put_member(out, "detail", part->detail.len > 0 ? part->detail : SLICE_LITERAL("auto"));
    buffer_add_byte(out, '}');
}

static void
put_part(struct talk *talk, const struct talk_part *part, bool said, struct buffer *out)
{
    if (part->kind == TALK_IMAGE && said) {
        talk_refuse(talk, "an image of the assistant's has no place in responses");
    } else if (part->kind == TALK_IMAGE) {
        put_image(talk, part, out);
    } else if (part->kind == TALK_REFUSAL) {
        buffer_add_text(out, "{\"type\":\"refusal\",\"refusal\":");
        buffer_add_json_string(out, part->text);
        buffer_add_byte(out, '}');
    } else {
        buffer_add_text(out, said ? "{\"type\":\"output_text\",\"annotations\":[],\"text\":"
                                  : "{\"type\":\"input_text\",\"text\":");
        buffer_add_json_string(out, part->text);
        buffer_add_byte(out, '}');
    }
}

static void
put_call(const struct talk_part *call, struct buffer *out)
{
    buffer_add_text(out, "{\"type\":\"function_call\"");
    talk_put_member(out, "call_id", call->id);
    talk_put_member(out, "name", call->name);
    talk_put_member(out, "arguments", call->text);
    buffer_add_byte(out, '}');
}

static void
put_result(struct talk *talk, const struct talk_part *result, struct buffer *out)
{
    const struct talk_part *part = result->inside;
    bool plain = part == NULL || (part->next == NULL && part->kind == TALK_TEXT);

    if (result->failed)
        talk_refuse(talk, "'is_error' of a tool's result has no place in responses");
    buffer_add_text(out, "{\"type\":\"function_call_output\"");
    talk_put_member(out, "call_id", result->id);
    talk_put_name(out, "output");
    if (plain) {
        buffer_add_json_string(out, part != NULL ? part->text : SLICE_NONE);
        buffer_add_byte(out, '}');
        return;
    }
    for (const char *comma = "["; part != NULL; part = part->next, comma = ",") {
        buffer_add_text(out, comma);
        put_part(talk, part, false, out);
    }
    buffer_add_text(out, "]}");
}

static bool
is_item(const struct talk_part *part)
{
    return part->kind == TALK_CALL || part->kind == TALK_RESULT;
}

/* A message of what stands together. Returns what stands behind it. */
static const struct talk_part *
put_message(struct talk *talk, enum talk_role role, const struct talk_part *part, struct buffer *out)
{
    static const char *const roles[] = {
        [TALK_SYSTEM] = "system", [TALK_DEVELOPER] = "developer", [TALK_USER] = "user", [TALK_ASSISTANT] = "assistant"};

    buffer_printf(out, "{\"type\":\"message\",\"role\":\"%s\",\"content\":[", roles[role]);
    for (const char *comma = ""; part != NULL && !is_item(part); part = part->next, comma = ",") {
        buffer_add_text(out, comma);
        put_part(talk, part, role == TALK_ASSISTANT, out);
    }
    buffer_add_text(out, "]}");
    return part;
}

static void
put_input(struct talk *talk, struct buffer *out)
{
    const char *comma = "[";

    talk_put_name(out, "input");
    for (const struct talk_turn *turn = talk->turns; turn != NULL; turn = turn->next)
        for (const struct talk_part *part = turn->parts; part != NULL; comma = ",") {
            buffer_add_text(out, comma);
            if (!is_item(part)) {
                part = put_message(talk, turn->role, part, out);
                continue;
            }
            if (part->kind == TALK_CALL)
                put_call(part, out);
            else
                put_result(talk, part, out);
            part = part->next;
        }
    buffer_add_text(out, comma[0] == '[' ? "[]" : "]");
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
            talk_refuse(talk, "a tool's name is longer than responses take");
        buffer_add_text(out, "{\"type\":\"function\"");
        talk_put_member(out, "name", tool->name);
        if (tool->description.data != NULL)
            talk_put_member(out, "description", tool->description);
        talk_put_name(out, "parameters");
        if (tool->schema != NULL)
            talk_put_json(out, tool->schema);
        else
            buffer_add_text(out, "null");
        /* Where nothing is said it would be strict. */
        buffer_add_text(out, tool->strict ? ",\"strict\":true}" : ",\"strict\":false}");
    }
    buffer_add_byte(out, ']');
}

static void
put_format(struct talk *talk, struct buffer *out)
{
    if (talk->format == TALK_ANY_JSON) {
        buffer_add_text(out, "\"format\":{\"type\":\"json_object\"}");
        return;
    }
    buffer_add_text(out, "\"format\":{\"type\":\"json_schema\"");
    talk_put_member(out, "name", talk_format_name(talk));
    talk_put_schema(talk, out);
    buffer_add_byte(out, '}');
}

static void
put_wishes(struct talk *talk, struct buffer *out)
{
    yyjson_val *verbosity = talk->values[TALK_VERBOSITY], *effort = talk->values[TALK_REASONING_EFFORT];

    if (talk->format != TALK_PLAIN || verbosity != NULL) {
        talk_put_name(out, "text");
        buffer_add_byte(out, '{');
        if (talk->format != TALK_PLAIN)
            put_format(talk, out);
        if (verbosity != NULL) {
            buffer_add_text(out, talk->format != TALK_PLAIN ? ",\"verbosity\":" : "\"verbosity\":");
            talk_put_json(out, verbosity);
        }
        buffer_add_byte(out, '}');
    }
    if (effort != NULL) {
        buffer_add_text(out, ",\"reasoning\":{\"effort\":");
        talk_put_json(out, effort);
        buffer_add_byte(out, '}');
    }
}

void
talk_write_responses(struct talk *talk, struct buffer *out)
{
    put_input(talk, out);
    put_tools(talk, out);
    talk_put_choice(talk, "{\"type\":\"function\",\"name\":", "}", out);
    put_wishes(talk, out);
    if (talk->stop_count > 0)
        talk_refuse(talk, "stop sequences have no place in responses");
    if (talk->cap >= 0 && talk->cap < CAP_LEAST)
        talk_refuse(talk, "the cap on the answer's tokens is below %d, the least that responses take", (int)CAP_LEAST);
    talk_put_values(talk, API_RESPONSES, out);
    if (talk->user.len > 0)
        talk_put_member(out, "user", talk->user);
    /* Nobody here will ask for it again. */
    buffer_add_text(out, talk->stream ? ",\"store\":false,\"stream\":true" : ",\"store\":false");
}
