/* Anthropic messages. Thinking is shown where the request enabled it. Cached input comes on top of input_tokens. */
#include "twin/render.h"

static const char *
stop_reason(enum finish finish)
{
    switch (finish) {
    case FINISH_LENGTH:
        return "max_tokens";
    case FINISH_CALLS:
        return "tool_use";
    case FINISH_STOP_SEQUENCE:
        return "stop_sequence";
    default:
        return "end_turn";
    }
}

static bool
is_shown(const struct render *render, const struct part *part)
{
    return part->kind != PART_REASONING || render->ask->thinking_shown;
}

/* The position among the blocks that are shown. */
static unsigned
block_index(const struct render *render, unsigned part)
{
    unsigned index = 0;

    for (unsigned i = 0; i < part; i++)
        index += is_shown(render, render_part(render, 0, i)) ? 1 : 0;
    return index;
}

static void
add_stop(const struct reply_choice *choice, struct buffer *out)
{
    buffer_printf(out, "\"stop_reason\":\"%s\",\"stop_sequence\":", stop_reason(choice->finish));
    if (choice->finish == FINISH_STOP_SEQUENCE)
        render_string(out, choice->stop_sequence);
    else
        buffer_add_text(out, "null");
}

static void
add_usage(const struct render *render, int64_t output, struct buffer *out)
{
    const struct reply_usage *usage = &render->reply->usage;
    long long written = (long long)usage->cache_written, hour = (long long)usage->cache_written_hour;

    buffer_printf(out,
                  "\"usage\":{\"input_tokens\":%lld,\"cache_creation_input_tokens\":%lld,"
                  "\"cache_read_input_tokens\":%lld,\"cache_creation\":{\"ephemeral_5m_input_tokens\":%lld,"
                  "\"ephemeral_1h_input_tokens\":%lld},\"output_tokens\":%lld,\"service_tier\":\"standard\"}",
                  (long long)(usage->input - usage->cache_read - usage->cache_written), written,
                  (long long)usage->cache_read, written - hour, hour, (long long)output);
}

/* A message up to its content. */
static void
add_head(const struct render *render, struct buffer *out)
{
    buffer_printf(out, "{\"id\":\"msg_%s\",\"type\":\"message\",\"role\":\"assistant\",\"model\":", render->id);
    render_string(out, render->ask->model);
    buffer_add_text(out, ",\"content\":[");
}

/* Arguments that a limit cut off are no JSON any more; the API then shows an empty object. */
static struct slice
call_input(const struct part *part)
{
    yyjson_doc *doc = yyjson_read(part->text.data, part->text.len, 0);
    bool whole = doc != NULL;

    yyjson_doc_free(doc);
    return whole ? part->text : SLICE_LITERAL("{}");
}

static void
add_block(const struct part *part, bool empty, struct buffer *out)
{
    struct slice text = empty ? SLICE_LITERAL("") : part->text;

    switch (part->kind) {
    case PART_REASONING:
        buffer_add_text(out, "{\"type\":\"thinking\",\"thinking\":");
        render_string(out, text);
        buffer_printf(out, ",\"signature\":\"%s\"}", empty ? "" : "dHdpbg==");
        break;
    case PART_TEXT:
        buffer_add_text(out, "{\"type\":\"text\",\"text\":");
        render_string(out, text);
        buffer_add_byte(out, '}');
        break;
    case PART_CALL:
        buffer_printf(out, "{\"type\":\"tool_use\",\"id\":\"toolu_%s\",\"name\":", part->id);
        render_string(out, part->name);
        buffer_add_text(out, ",\"input\":");
        buffer_add(out, empty ? SLICE_LITERAL("{}") : call_input(part));
        buffer_add_byte(out, '}');
        break;
    }
}

static void
messages_whole(struct render *render, struct buffer *out)
{
    const struct reply_choice *choice = &render->reply->choices[0];
    unsigned shown = 0;

    add_head(render, out);
    for (unsigned i = 0; i < choice->part_count; i++) {
        if (!is_shown(render, &choice->parts[i]))
            continue;
        buffer_add_text(out, shown++ == 0 ? "" : ",");
        add_block(&choice->parts[i], false, out);
    }
    buffer_add_text(out, "],");
    add_stop(choice, out);
    if (!render->no_usage) {
        buffer_add_byte(out, ',');
        add_usage(render, render->reply->usage.output, out);
    }
    buffer_add_byte(out, '}');
}

static void
messages_begin(struct render *render, struct buffer *out)
{
    buffer_add_text(out, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":");
    add_head(render, out);
    buffer_add_text(out, "],\"stop_reason\":null,\"stop_sequence\":null");
    if (!render->no_usage) {
        buffer_add_byte(out, ',');
        add_usage(render, 1, out);
    }
    buffer_add_text(out, "}}\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n");
}

static void
messages_part_open(struct render *render, unsigned choice, unsigned at, struct buffer *out)
{
    const struct part *part = render_part(render, choice, at);

    if (!is_shown(render, part))
        return;
    buffer_printf(out,
                  "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":%u,"
                  "\"content_block\":",
                  block_index(render, at));
    add_block(part, true, out);
    buffer_add_text(out, "}\n\n");
}

static void
add_delta(const struct render *render, unsigned at, const char *type, const char *member, struct slice text,
          struct buffer *out)
{
    buffer_printf(out,
                  "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":%u,"
                  "\"delta\":{\"type\":\"%s\",\"%s\":",
                  block_index(render, at), type, member);
    render_string(out, text);
    buffer_add_text(out, "}}\n\n");
}

static void
messages_piece(struct render *render, unsigned choice, unsigned at, struct slice text, struct buffer *out)
{
    const struct part *part = render_part(render, choice, at);

    if (!is_shown(render, part))
        return;
    if (part->kind == PART_CALL)
        add_delta(render, at, "input_json_delta", "partial_json", text, out);
    else if (part->kind == PART_TEXT)
        add_delta(render, at, "text_delta", "text", text, out);
    else
        add_delta(render, at, "thinking_delta", "thinking", text, out);
}

static void
messages_part_close(struct render *render, unsigned choice, unsigned at, struct buffer *out)
{
    const struct part *part = render_part(render, choice, at);

    if (!is_shown(render, part))
        return;
    if (part->kind == PART_REASONING)
        add_delta(render, at, "signature_delta", "signature", SLICE_LITERAL("dHdpbg=="), out);
    buffer_printf(out, "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":%u}\n\n",
                  block_index(render, at));
}

static void
messages_choice_end(struct render *render, unsigned choice, struct buffer *out)
{
    buffer_add_text(out, "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{");
    add_stop(&render->reply->choices[choice], out);
    buffer_add_byte(out, '}');
    if (!render->no_usage) {
        buffer_add_byte(out, ',');
        add_usage(render, render->reply->usage.output, out);
    }
    buffer_add_text(out, "}\n\n");
}

static void
messages_end(struct render *render, struct buffer *out)
{
    (void)render;
    buffer_add_text(out, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
}

const struct render_ops render_messages = {
    .whole = messages_whole,
    .begin = messages_begin,
    .part_open = messages_part_open,
    .piece = messages_piece,
    .part_close = messages_part_close,
    .choice_end = messages_choice_end,
    .end = messages_end,
};
