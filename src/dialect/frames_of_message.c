/* Anthropic messages: each block of the content opens, grows and closes. */
#include "dialect/frames_of_inside.h"

static void
begin(struct frames *frames, const char *type)
{
    buffer_printf(&frames->frame, "event: %s\ndata: {\"type\":\"%s\"", type, type);
}

static void
end(struct frames *frames)
{
    frame_text(frames, "}");
    frame_put(frames);
}

static void
put_members(struct frames *frames, yyjson_val *object, const char *const *hidden, const char *with)
{
    size_t i, most;
    yyjson_val *key, *value;
    const char *comma = "";

    frame_text(frames, "{");
    yyjson_obj_foreach(object, i, most, key, value)
    {
        bool hide = false;

        for (const char *const *name = hidden; *name != NULL; name++)
            hide |= yyjson_equals_str(key, *name);
        frame_text(frames, comma);
        comma = ",";
        frame_string(frames, frame_slice(key));
        frame_text(frames, ":");
        if (hide && !yyjson_is_null(value))
            frame_text(frames, yyjson_is_arr(value) ? "[]" : with);
        else
            frame_value(frames, value);
    }
    frame_text(frames, "}");
}

static void
put_start(struct frames *frames)
{
    static const char *const ends[] = {"stop_reason", "stop_sequence", NULL};
    static const char *const output[] = {"output_tokens", NULL};
    size_t i, most;
    yyjson_val *key, *value;
    const char *comma = "";

    begin(frames, "message_start");
    frame_text(frames, ",\"message\":{");
    yyjson_obj_foreach(frames->root, i, most, key, value)
    {
        frame_text(frames, comma);
        comma = ",";
        frame_string(frames, frame_slice(key));
        frame_text(frames, ":");
        if (yyjson_equals_str(key, "content"))
            frame_text(frames, "[]");
        else if (yyjson_equals_str(key, ends[0]) || yyjson_equals_str(key, ends[1]))
            frame_text(frames, "null");
        else if (yyjson_equals_str(key, "usage"))
            put_members(frames, value, output, "0");
        else
            frame_value(frames, value);
    }
    frame_text(frames, "}");
    end(frames);
}

static void
put_pieces(struct frames *frames, size_t index, const char *type, const char *member, struct slice text)
{
    while (text.len > 0) {
        begin(frames, "content_block_delta");
        buffer_printf(&frames->frame, ",\"index\":%zu,\"delta\":{\"type\":\"%s\",\"%s\":", index, type, member);
        frame_string(frames, frame_piece(&text));
        frame_text(frames, "}");
        end(frames);
    }
}

static void
put_whole(struct frames *frames, size_t index, const char *type, const char *member, yyjson_val *value)
{
    begin(frames, "content_block_delta");
    buffer_printf(&frames->frame, ",\"index\":%zu,\"delta\":{\"type\":\"%s\",\"%s\":", index, type, member);
    frame_value(frames, value);
    frame_text(frames, "}");
    end(frames);
}

static void
put_input(struct frames *frames, size_t index, yyjson_val *input)
{
    struct buffer made = frames->frame, text;

    frames->frame = (struct buffer){0};
    frame_value(frames, input);
    text = frames->frame;
    frames->frame = made;
    put_pieces(frames, index, "input_json_delta", "partial_json", buffer_content(&text));
    buffer_free(&text);
}

/* What grows, and with what it starts. Blocks of other kinds come whole. */
static void
put_block(struct frames *frames, size_t index, yyjson_val *block)
{
    static const char *const grows[][4] = {
        {"text", "citations", NULL}, {"thinking", "signature", NULL}, {"input", NULL}, {NULL}};
    static const char *const starts[] = {"\"\"", "\"\"", "{}", ""};
    yyjson_val *type = yyjson_obj_get(block, "type"), *citation;
    bool called = yyjson_equals_str(type, "tool_use") || yyjson_equals_str(type, "server_tool_use");
    size_t kind = yyjson_equals_str(type, "text")       ? 0
                  : yyjson_equals_str(type, "thinking") ? 1
                  : called                              ? 2
                                                        : 3,
           i, most;

    begin(frames, "content_block_start");
    buffer_printf(&frames->frame, ",\"index\":%zu,\"content_block\":", index);
    put_members(frames, block, grows[kind], starts[kind]);
    end(frames);
    if (kind == 0) {
        put_pieces(frames, index, "text_delta", "text", frame_slice(yyjson_obj_get(block, "text")));
        yyjson_arr_foreach(yyjson_obj_get(block, "citations"), i, most, citation)
            put_whole(frames, index, "citations_delta", "citation", citation);
    } else if (kind == 1) {
        put_pieces(frames, index, "thinking_delta", "thinking", frame_slice(yyjson_obj_get(block, "thinking")));
        if (yyjson_is_str(yyjson_obj_get(block, "signature")))
            put_whole(frames, index, "signature_delta", "signature", yyjson_obj_get(block, "signature"));
    } else if (kind == 2) {
        put_input(frames, index, yyjson_obj_get(block, "input"));
    }
    begin(frames, "content_block_stop");
    buffer_printf(&frames->frame, ",\"index\":%zu", index);
    end(frames);
}

void
frames_of_message(struct frames *frames)
{
    size_t i, most;
    yyjson_val *block;

    put_start(frames);
    yyjson_arr_foreach(yyjson_obj_get(frames->root, "content"), i, most, block) put_block(frames, i, block);
    begin(frames, "message_delta");
    frame_text(frames, ",\"delta\":{\"stop_reason\":");
    frame_value(frames, yyjson_obj_get(frames->root, "stop_reason"));
    frame_text(frames, ",\"stop_sequence\":");
    frame_value(frames, yyjson_obj_get(frames->root, "stop_sequence"));
    frame_text(frames, "},\"usage\":");
    frame_value(frames, yyjson_obj_get(frames->root, "usage"));
    end(frames);
    begin(frames, "message_stop");
    end(frames);
}
