/* Told as messages: blocks that open, grow and close. */
#include <inttypes.h>

#include "dialect/translate/retell.h"

static const char *
stop_reason(enum said_stop stop)
{
    switch (stop) {
    case STOP_BY_SEQUENCE:
        return "stop_sequence";
    case STOP_BY_LENGTH:
        return "max_tokens";
    case STOP_BY_CALLS:
        return "tool_use";
    case STOP_BY_FILTER:
        return "refusal";
    default:
        return "end_turn";
    }
}

static void
put_head(const struct translation *translation, struct buffer *out)
{
    buffer_add_text(out, slice_starts(translation->id, "msg_") ? "{\"id\":\"" : "{\"id\":\"msg_");
    buffer_add_json(out, translation->id);
    buffer_add_text(out, "\",\"type\":\"message\",\"role\":\"assistant\",\"model\":");
    buffer_add_json_string(out, translation->model);
    buffer_add_text(out, ",\"content\":[");
}

/* What touched the cache comes on top. `output`: as far as it has come. */
static void
put_usage(const struct translation *translation, int64_t output, struct buffer *out)
{
    const struct usage *usage = &translation->usage;
    int64_t cached = usage->cache_read_tokens + usage->cache_write_tokens;

    buffer_printf(out,
                  "\"usage\":{\"input_tokens\":%" PRId64 ",\"cache_creation_input_tokens\":%" PRId64
                  ",\"cache_read_input_tokens\":%" PRId64 ",\"output_tokens\":%" PRId64,
                  usage->input_tokens > cached ? usage->input_tokens - cached : 0, usage->cache_write_tokens,
                  usage->cache_read_tokens, output);
    if (output > 0 && usage->output_reasoning_tokens > 0)
        buffer_printf(out, ",\"output_tokens_details\":{\"thinking_tokens\":%" PRId64 "}",
                      usage->output_reasoning_tokens);
    buffer_add_byte(out, '}');
}

static void
put_stop(enum said_stop stop, struct slice sequence, struct buffer *out)
{
    buffer_printf(out, "\"stop_reason\":\"%s\",\"stop_sequence\":", stop_reason(stop));
    if (stop == STOP_BY_SEQUENCE)
        buffer_add_json_string(out, sequence);
    else
        buffer_add_text(out, "null");
}

/* Events */

static struct buffer *
begin(struct translation *translation, const char *type)
{
    buffer_printf(&translation->frame, "event: %s\ndata: {\"type\":\"%s\"", type, type);
    return &translation->frame;
}

static void
end(struct translation *translation, bool last)
{
    buffer_add_byte(&translation->frame, '}');
    retell_put(translation, false, last);
}

static void
close_block(struct translation *translation)
{
    if (!translation->open)
        return;
    buffer_printf(begin(translation, "content_block_stop"), ",\"index\":%zu", translation->index++);
    end(translation, false);
    translation->open = false;
}

static struct buffer *
open_block(struct translation *translation, enum said_kind kind)
{
    struct buffer *out = begin(translation, "content_block_start");

    translation->open = true;
    translation->kind = kind;
    buffer_printf(out, ",\"index\":%zu,\"content_block\":", translation->index);
    return out;
}

static void
tell_delta(struct translation *translation, const char *type, const char *member, struct slice text)
{
    struct buffer *out = begin(translation, "content_block_delta");

    buffer_printf(out, ",\"index\":%zu,\"delta\":{\"type\":\"%s\",\"%s\":", translation->index, type, member);
    buffer_add_json_string(out, text);
    buffer_add_byte(out, '}');
    end(translation, false);
}

/* A refusal is a text that stops as one. */
static void
tell_text(struct translation *translation, const struct said *said)
{
    if (translation->open && translation->kind != SAID_TEXT)
        close_block(translation);
    if (!translation->open) {
        buffer_add_text(open_block(translation, SAID_TEXT), "{\"type\":\"text\",\"text\":\"\"}");
        end(translation, false);
    }
    tell_delta(translation, "text_delta", "text", said->text);
}

static void
tell_call(struct translation *translation, const struct said *said)
{
    struct buffer *out;

    close_block(translation);
    out = open_block(translation, SAID_CALL);
    buffer_add_text(out, "{\"type\":\"tool_use\",\"id\":");
    buffer_add_json_string(out, said->id);
    buffer_add_text(out, ",\"name\":");
    buffer_add_json_string(out, said->name);
    buffer_add_text(out, ",\"input\":{}}");
    end(translation, false);
}

static void
tell_begin(struct translation *translation)
{
    struct buffer *out = begin(translation, "message_start");

    buffer_add_text(out, ",\"message\":");
    put_head(translation, out);
    buffer_add_text(out, "],\"stop_reason\":null,\"stop_sequence\":null,");
    put_usage(translation, 0, out);
    buffer_add_byte(out, '}');
    end(translation, false);
}

static void
tell_end(struct translation *translation, const struct said *said)
{
    struct buffer *out;

    close_block(translation);
    out = begin(translation, "message_delta");
    buffer_add_text(out, ",\"delta\":{");
    put_stop(said->stop, said->text, out);
    buffer_add_text(out, "},");
    put_usage(translation, translation->usage.output_tokens, out);
    end(translation, false);
    begin(translation, "message_stop");
    end(translation, true);
}

static void
tell(struct translation *translation, const struct said *said)
{
    switch (said->kind) {
    case SAID_BEGIN:
        tell_begin(translation);
        break;
    case SAID_TEXT:
    case SAID_REFUSAL:
        tell_text(translation, said);
        break;
    case SAID_CALL:
        tell_call(translation, said);
        break;
    case SAID_ARGUMENTS:
        tell_delta(translation, "input_json_delta", "partial_json", said->text);
        break;
    case SAID_END:
        tell_end(translation, said);
        break;
    case SAID_ERROR:
        retell_put_error(translation, said);
        break;
    }
}

/* Whole */

static bool
is_object(struct slice text)
{
    yyjson_doc *doc = text.len > 0 ? yyjson_read(text.data, text.len, YYJSON_READ_NUMBER_AS_RAW) : NULL;
    bool object = yyjson_is_obj(yyjson_doc_get_root(doc));

    yyjson_doc_free(doc);
    return object;
}

/* Arguments are a text elsewhere, here a value. Those that the cap on the answer cut off are none; then the API itself
 * shows an empty object. Others that are no object cannot be told. */
static void
put_input(struct translation *translation, const struct said_part *part, struct buffer *out)
{
    struct slice text = slice_trim(buffer_content(&part->text));

    if (is_object(text))
        buffer_add(out, text);
    else if (text.len == 0 || translation->stop == STOP_BY_LENGTH)
        buffer_add_text(out, "{}");
    else
        translation->broken = true;
}

static void
put_block(struct translation *translation, const struct said_part *part, struct buffer *out)
{
    if (part->kind != SAID_CALL) {
        buffer_add_text(out, "{\"type\":\"text\",\"text\":");
        buffer_add_json_string(out, buffer_content(&part->text));
        buffer_add_byte(out, '}');
        return;
    }
    buffer_add_text(out, "{\"type\":\"tool_use\",\"id\":");
    buffer_add_json_string(out, part->id);
    buffer_add_text(out, ",\"name\":");
    buffer_add_json_string(out, part->name);
    buffer_add_text(out, ",\"input\":");
    put_input(translation, part, out);
    buffer_add_byte(out, '}');
}

static void
whole(struct translation *translation, struct buffer *out)
{
    put_head(translation, out);
    for (size_t i = 0; i < translation->part_count; i++) {
        buffer_add_text(out, i > 0 ? "," : "");
        put_block(translation, &translation->parts[i], out);
    }
    buffer_add_text(out, "],");
    put_stop(translation->stop, translation->sequence, out);
    buffer_add_byte(out, ',');
    put_usage(translation, translation->usage.output_tokens, out);
    buffer_add_byte(out, '}');
}

const struct retell_ops retell_messages = {.say = tell, .whole = whole};
