#include "dialect/sse.h"

void
sse_init(struct sse_framer *framer, size_t frame_most)
{
    *framer = (struct sse_framer){.frame_most = frame_most, .line_empty = true};
}

void
sse_free(struct sse_framer *framer)
{
    buffer_free(&framer->kept);
}

/* Where the line ends: the first LF or CR, or text.len. In stretches, so that many short lines which one of the two ends
 * are not searched for the other again and again. */
static size_t
line_len(struct slice text)
{
    enum { STRETCH = 256 };

    for (size_t at = 0; at < text.len; at += STRETCH) {
        struct slice stretch = slice_first(slice_from(text, at), STRETCH);
        size_t line_feed = slice_find_byte(stretch, '\n');
        size_t end = slice_find_byte(slice_first(stretch, line_feed), '\r');

        if (end < stretch.len)
            return at + end;
    }
    return text.len;
}

/* How many bytes of `text` belong to the current frame; *ended if it ends there. */
static size_t
scan_frame(struct sse_framer *framer, struct slice text, bool *ended)
{
    size_t at = 0;

    *ended = false;
    while (at < text.len && !*ended) {
        size_t len = line_len(slice_from(text, at));
        bool second_of_crlf;

        if (len > 0) {
            framer->line_empty = framer->after_cr = false;
            framer->any_byte = true;
            at += len;
            continue;
        }
        second_of_crlf = text.data[at] == '\n' && framer->after_cr;
        framer->after_cr = text.data[at++] == '\r';
        if (second_of_crlf)
            continue;
        *ended = framer->line_empty && framer->any_byte;
        framer->line_empty = true;
    }
    return at;
}

/* Puts the frame's earlier bytes before it, if there are any. */
static void
prepend_kept(struct sse_framer *framer, struct slice *frame)
{
    if (buffer_len(&framer->kept) == 0)
        return;
    buffer_add(&framer->kept, *frame);
    *frame = buffer_content(&framer->kept);
    framer->given_out = true;
}

/* A CR ended the frame and its LF is here already: it goes with it. */
static size_t
take_line_feed(struct sse_framer *framer, struct slice text, size_t at)
{
    if (!framer->after_cr || at >= text.len || text.data[at] != '\n')
        return at;
    framer->after_cr = false;
    return at + 1;
}

static void
start_frame(struct sse_framer *framer)
{
    framer->line_empty = true;
    framer->any_byte = false;
    framer->oversized = false;
}

enum sse_piece
sse_next(struct sse_framer *framer, struct slice *input, struct slice *frame)
{
    bool ended;
    size_t len;

    if (framer->given_out)
        buffer_clear(&framer->kept);
    framer->given_out = false;
    if (input->len == 0)
        return SSE_NOTHING;
    len = scan_frame(framer, *input, &ended);
    framer->oversized |= buffer_len(&framer->kept) + len > framer->frame_most;
    if (ended)
        len = take_line_feed(framer, *input, len);
    *frame = slice_first(*input, len);
    *input = slice_from(*input, len);
    if (framer->oversized) {
        prepend_kept(framer, frame);
        if (ended)
            start_frame(framer);
        return SSE_OVERSIZED;
    }
    if (!ended) {
        buffer_add(&framer->kept, *frame);
        return SSE_NOTHING;
    }
    prepend_kept(framer, frame);
    start_frame(framer);
    return SSE_FRAME;
}

struct slice
sse_rest(const struct sse_framer *framer)
{
    return framer->given_out ? SLICE_NONE : buffer_content(&framer->kept);
}

/* Cuts the next line off *rest, whatever ends it. */
static struct slice
take_line(struct slice *rest)
{
    size_t at = line_len(*rest);
    struct slice line = slice_first(*rest, at);

    if (at < rest->len && rest->data[at] == '\r' && at + 1 < rest->len && rest->data[at + 1] == '\n')
        at++;
    *rest = slice_from(*rest, at + 1);
    return line;
}

/* The value of a line "name: value" or "name:value"; false if it has another name. */
static bool
field_value(struct slice line, const char *name, struct slice *value)
{
    size_t len = strlen(name);

    if (!slice_starts(line, name))
        return false;
    if (line.len == len) {
        *value = slice_from(line, len);
        return true;
    }
    if (line.data[len] != ':')
        return false;
    *value = slice_from(line, len + 1);
    if (value->len > 0 && value->data[0] == ' ')
        *value = slice_from(*value, 1);
    return true;
}

bool
sse_parse(struct slice frame, struct buffer *joined, struct slice *event, struct slice *data)
{
    unsigned data_lines = 0;

    *event = *data = SLICE_NONE;
    while (frame.len > 0) {
        struct slice line = take_line(&frame), value;

        if (field_value(line, "event", &value)) {
            *event = value;
        } else if (field_value(line, "data", &value)) {
            if (data_lines == 1) {
                buffer_clear(joined);
                buffer_add(joined, *data);
            }
            if (data_lines >= 1) {
                buffer_add_byte(joined, '\n');
                buffer_add(joined, value);
            }
            *data = value;
            data_lines++;
        }
    }
    if (data_lines > 1)
        *data = buffer_content(joined);
    return data_lines > 0;
}
