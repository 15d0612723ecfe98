#include "dialect/frames_of.h"

#include <stdlib.h>

#include "dialect/frames_of_inside.h"

/* Of a piece of text: about as much as a few tokens. */
enum { PIECE_BYTES = 24 };

static const yyjson_write_flag WRITE_FLAGS = YYJSON_WRITE_ALLOW_INVALID_UNICODE | YYJSON_WRITE_ALLOW_INF_AND_NAN;

/* What all dialects share */

void
frame_value(struct frames *frames, yyjson_val *value)
{
    size_t len = 0;
    char *text = value != NULL ? yyjson_val_write(value, WRITE_FLAGS, &len) : NULL;

    if (text != NULL)
        buffer_add(&frames->frame, slice_make(text, len));
    else
        buffer_add_text(&frames->frame, "null");
    free(text);
}

void
frame_string(struct frames *frames, struct slice text)
{
    buffer_add_byte(&frames->frame, '"');
    buffer_add_json(&frames->frame, text);
    buffer_add_byte(&frames->frame, '"');
}

void
frame_text(struct frames *frames, const char *text)
{
    buffer_add_text(&frames->frame, text);
}

void
frame_put(struct frames *frames)
{
    frame_text(frames, "\n\n");
    frames->put(frames->context, buffer_content(&frames->frame));
    buffer_clear(&frames->frame);
}

struct slice
frame_slice(yyjson_val *value)
{
    return slice_make(yyjson_get_str(value), yyjson_get_len(value));
}

/* Ends after a space if there is one in sight, and never within a letter. */
struct slice
frame_piece(struct slice *rest)
{
    size_t len = rest->len < PIECE_BYTES ? rest->len : PIECE_BYTES;
    struct slice piece;

    while (len < rest->len && ((unsigned char)rest->data[len] & 0xc0u) == 0x80u)
        len++;
    for (size_t at = len; len < rest->len && at > PIECE_BYTES / 2; at--)
        if (rest->data[at - 1] == ' ') {
            len = at;
            break;
        }
    piece = slice_first(*rest, len);
    *rest = slice_from(*rest, len);
    return piece;
}

/* Chat and completions */

/* `data: {` and what every chunk repeats: all members but the choices and the usage. */
static void
begin_chunk(struct frames *frames)
{
    size_t i, most;
    yyjson_val *key, *value;

    frame_text(frames, "data: {");
    yyjson_obj_foreach(frames->root, i, most, key, value)
    {
        if (yyjson_equals_str(key, "choices") || yyjson_equals_str(key, "usage"))
            continue;
        frame_string(frames, frame_slice(key));
        frame_text(frames, ":");
        if (yyjson_equals_str(key, "object") && frames->api == API_CHAT)
            frame_text(frames, "\"chat.completion.chunk\"");
        else
            frame_value(frames, value);
        frame_text(frames, ",");
    }
    frame_text(frames, "\"choices\":[");
}

static void
end_chunk(struct frames *frames)
{
    frame_text(frames, frames->tell_usage ? "],\"usage\":null}" : "]}");
    frame_put(frames);
}

/* `{"index":0,"delta":{`; the delta's members follow. */
static void
begin_delta(struct frames *frames, yyjson_val *choice)
{
    begin_chunk(frames);
    frame_text(frames, "{\"index\":");
    frame_value(frames, yyjson_obj_get(choice, "index"));
    frame_text(frames, ",\"delta\":{");
}

static void
end_delta(struct frames *frames)
{
    frame_text(frames, "},\"logprobs\":null,\"finish_reason\":null}");
    end_chunk(frames);
}

static void
delta_member(struct frames *frames, yyjson_val *choice, struct slice name, yyjson_val *value)
{
    begin_delta(frames, choice);
    frame_string(frames, name);
    frame_text(frames, ":");
    frame_value(frames, value);
    end_delta(frames);
}

/* A text of the message, piece by piece; `before` and `after` stand around each. */
static void
delta_pieces(struct frames *frames, yyjson_val *choice, const char *before, struct slice text, const char *after)
{
    while (text.len > 0) {
        begin_delta(frames, choice);
        frame_text(frames, before);
        frame_string(frames, frame_piece(&text));
        frame_text(frames, after);
        end_delta(frames);
    }
}

/* A call's members, but with no arguments yet: they follow. */
static void
put_function(struct frames *frames, yyjson_val *function)
{
    size_t i, most;
    yyjson_val *key, *value;
    const char *comma = "";

    frame_text(frames, "{");
    yyjson_obj_foreach(function, i, most, key, value)
    {
        frame_text(frames, comma);
        comma = ",";
        frame_string(frames, frame_slice(key));
        frame_text(frames, ":");
        if (yyjson_equals_str(key, "arguments") && yyjson_is_str(value))
            frame_text(frames, "\"\"");
        else
            frame_value(frames, value);
    }
    frame_text(frames, "}");
}

static void
put_tool_call(struct frames *frames, yyjson_val *choice, size_t index, yyjson_val *call)
{
    yyjson_val *key, *value, *function = yyjson_obj_get(call, "function");
    char before[64];
    size_t i, most;

    begin_delta(frames, choice);
    buffer_printf(&frames->frame, "\"tool_calls\":[{\"index\":%zu", index);
    yyjson_obj_foreach(call, i, most, key, value)
    {
        frame_text(frames, ",");
        frame_string(frames, frame_slice(key));
        frame_text(frames, ":");
        if (value == function)
            put_function(frames, function);
        else
            frame_value(frames, value);
    }
    frame_text(frames, "}]");
    end_delta(frames);
    snprintf(before, sizeof(before), "\"tool_calls\":[{\"index\":%zu,\"function\":{\"arguments\":", index);
    delta_pieces(frames, choice, before, frame_slice(yyjson_obj_get(function, "arguments")), "}}]");
}

/* The role, what is empty or null, and the start of what comes in pieces. */
static void
put_first_delta(struct frames *frames, yyjson_val *choice, yyjson_val *message)
{
    size_t i, most;
    yyjson_val *key, *value;
    const char *comma = "";

    begin_delta(frames, choice);
    yyjson_obj_foreach(message, i, most, key, value)
    {
        bool role = yyjson_equals_str(key, "role");

        if (!role && !yyjson_is_null(value) && !yyjson_equals_str(key, "content"))
            continue;
        frame_text(frames, comma);
        comma = ",";
        frame_string(frames, frame_slice(key));
        frame_text(frames, ":");
        if (!role && yyjson_is_str(value))
            frame_text(frames, "\"\"");
        else
            frame_value(frames, value);
    }
    end_delta(frames);
}

static void
put_message(struct frames *frames, yyjson_val *choice, yyjson_val *message)
{
    size_t i, j, most, count;
    yyjson_val *key, *value, *call;

    put_first_delta(frames, choice, message);
    yyjson_obj_foreach(message, i, most, key, value)
    {
        if (yyjson_equals_str(key, "role") || yyjson_is_null(value))
            continue;
        if (yyjson_equals_str(key, "tool_calls")) {
            yyjson_arr_foreach(value, j, count, call) put_tool_call(frames, choice, j, call);
        } else if (yyjson_is_str(value)) {
            struct buffer before = {0};

            buffer_add_byte(&before, '"');
            buffer_add_json(&before, frame_slice(key));
            buffer_add(&before, slice_make("\":", 3)); /* its NUL too */
            delta_pieces(frames, choice, before.data, frame_slice(value), "");
            buffer_free(&before);
        } else if (!yyjson_equals_str(key, "content")) {
            delta_member(frames, choice, frame_slice(key), value);
        }
    }
}

/* The choice's own members, with an empty delta or text: its end. */
static void
put_choice_end(struct frames *frames, yyjson_val *choice)
{
    size_t i, most;
    yyjson_val *key, *value;

    begin_chunk(frames);
    frame_text(frames, frames->api == API_CHAT ? "{\"delta\":{}" : "{\"text\":\"\"");
    yyjson_obj_foreach(choice, i, most, key, value)
    {
        if (yyjson_equals_str(key, "message") || yyjson_equals_str(key, "text"))
            continue;
        frame_text(frames, ",");
        frame_string(frames, frame_slice(key));
        frame_text(frames, ":");
        frame_value(frames, value);
    }
    frame_text(frames, "}");
    end_chunk(frames);
}

static void
put_text(struct frames *frames, yyjson_val *choice, struct slice text)
{
    while (text.len > 0) {
        begin_chunk(frames);
        frame_text(frames, "{\"index\":");
        frame_value(frames, yyjson_obj_get(choice, "index"));
        frame_text(frames, ",\"text\":");
        frame_string(frames, frame_piece(&text));
        frame_text(frames, ",\"logprobs\":null,\"finish_reason\":null}");
        end_chunk(frames);
    }
}

static void
put_choices(struct frames *frames)
{
    size_t i, most;
    yyjson_val *choice, *usage = yyjson_obj_get(frames->root, "usage");

    yyjson_arr_foreach(yyjson_obj_get(frames->root, "choices"), i, most, choice)
    {
        if (frames->api == API_CHAT)
            put_message(frames, choice, yyjson_obj_get(choice, "message"));
        else
            put_text(frames, choice, frame_slice(yyjson_obj_get(choice, "text")));
        put_choice_end(frames, choice);
    }
    if (frames->tell_usage && yyjson_is_obj(usage)) {
        begin_chunk(frames);
        frame_text(frames, "],\"usage\":");
        frame_value(frames, usage);
        frame_text(frames, "}");
        frame_put(frames);
    }
    frame_text(frames, "data: [DONE]");
    frame_put(frames);
}

/* All */

static bool
is_answer(enum api api, yyjson_val *root)
{
    if (api == API_MESSAGES)
        return yyjson_is_arr(yyjson_obj_get(root, "content"));
    if (api == API_RESPONSES)
        return yyjson_is_arr(yyjson_obj_get(root, "output"));
    return (api == API_CHAT || api == API_COMPLETIONS) && yyjson_is_arr(yyjson_obj_get(root, "choices"));
}

enum status
frames_of(enum api api, struct slice answer, bool tell_usage, frames_of_put *put, void *context)
{
    struct frames frames = {.api = api, .tell_usage = tell_usage, .put = put, .context = context};
    yyjson_doc *doc = yyjson_read(answer.data, answer.len, YYJSON_READ_NUMBER_AS_RAW | YYJSON_READ_ALLOW_INF_AND_NAN);
    bool fits;

    frames.root = yyjson_doc_get_root(doc);
    fits = is_answer(api, frames.root);
    if (fits && api == API_MESSAGES)
        frames_of_message(&frames);
    else if (fits && api == API_RESPONSES)
        frames_of_response(&frames);
    else if (fits)
        put_choices(&frames);
    buffer_free(&frames.frame);
    yyjson_doc_free(doc);
    return fits ? OK : ERR_INVALID;
}
