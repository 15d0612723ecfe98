#include "base/text_lines.h"

enum { READ_BYTES = 64 * 1024, GZIP_WINDOW_BITS = 15 + 16 };

void
text_lines_init(struct text_lines *lines, FILE *file, size_t most)
{
    *lines = (struct text_lines){.file = file, .most = most};
}

void
text_lines_free(struct text_lines *lines)
{
    if (lines->compressed)
        inflateEnd(&lines->inflater);
    buffer_free(&lines->in);
    buffer_free(&lines->text);
}

/* Appends what the file has next; nothing at its end. */
static enum status
read_some(struct text_lines *lines, struct buffer *to)
{
    size_t got = fread(buffer_reserve(to, READ_BYTES), 1, READ_BYTES, lines->file);

    to->end += got;
    lines->bytes += got;
    if (got == 0 && ferror(lines->file))
        return ERR_IO;
    lines->ended = got == 0;
    return OK;
}

/* RFC 1952, 2.3.1: the two bytes that a member starts with. */
static bool
is_gzip(struct slice bytes)
{
    return slice_starts(bytes, "\x1f\x8b");
}

static enum status
start(struct text_lines *lines)
{
    enum status status = read_some(lines, &lines->in);
    struct slice head = buffer_content(&lines->in);

    lines->started = true;
    if (status != OK)
        return status;
    if (is_gzip(head)) {
        if (inflateInit2(&lines->inflater, GZIP_WINDOW_BITS) != Z_OK)
            return ERR_NO_MEMORY;
        lines->compressed = true;
        return OK;
    }
    if (slice_starts(head, "\xef\xbb\xbf")) /* a byte order mark */
        head = slice_from(head, 3);
    buffer_add(&lines->text, head);
    buffer_free(&lines->in);
    return OK;
}

/* One step of decompression; the file is at its end when `in` is empty. */
static enum status
inflate_some(struct text_lines *lines)
{
    struct slice in = buffer_content(&lines->in);
    z_stream *inflater = &lines->inflater;
    char *room = buffer_reserve(&lines->text, READ_BYTES);
    int code;

    if (!lines->in_member && !is_gzip(in)) { /* zeros as padding, or rubbish: gzip(1) ignores both */
        lines->ended = true;
        return OK;
    }
    lines->in_member = true;
    inflater->next_in = (unsigned char *)(uintptr_t)in.data;
    inflater->avail_in = (unsigned)in.len;
    inflater->next_out = (unsigned char *)room;
    inflater->avail_out = READ_BYTES;
    code = inflate(inflater, Z_NO_FLUSH);
    buffer_consume(&lines->in, in.len - inflater->avail_in);
    lines->text.end += READ_BYTES - inflater->avail_out;
    lines->inflated += READ_BYTES - inflater->avail_out;
    if (code == Z_STREAM_END) {
        lines->in_member = false;
        return inflateReset(inflater) == Z_OK ? OK : ERR_CORRUPT;
    }
    lines->damaged = code != Z_OK && code != Z_BUF_ERROR; /* known once the lines before it have been read */
    return OK;
}

static enum status
decompress(struct text_lines *lines)
{
    enum status status = lines->damaged ? ERR_CORRUPT : OK;

    if (status == OK && buffer_len(&lines->in) < 2) /* a member's mark may be cut by a read */
        status = read_some(lines, &lines->in);
    if (status != OK)
        return status;
    if (buffer_len(&lines->in) == 0)
        return lines->in_member ? ERR_CORRUPT : OK;
    lines->ended = false;
    return inflate_some(lines);
}

static enum status
fill(struct text_lines *lines)
{
    if (!lines->started)
        return start(lines);
    return lines->compressed ? decompress(lines) : read_some(lines, &lines->text);
}

static struct slice
take_line(struct text_lines *lines, size_t len, size_t with_end)
{
    struct slice line = slice_first(buffer_content(&lines->text), len);

    if (slice_ends(line, "\r"))
        line.len--;
    buffer_consume(&lines->text, with_end);
    lines->searched = 0;
    lines->number++;
    return line;
}

enum status
text_lines_next(struct text_lines *lines, struct slice *line)
{
    for (;;) {
        struct slice text = buffer_content(&lines->text);
        size_t at = lines->searched + slice_find_byte(slice_from(text, lines->searched), '\n');
        enum status status;

        if (at > lines->most) {
            lines->number++;
            return ERR_LIMIT;
        }
        if (at < text.len) {
            *line = take_line(lines, at, at + 1);
            return OK;
        }
        if (lines->ended) {
            if (text.len == 0)
                return ERR_NOT_FOUND;
            *line = take_line(lines, text.len, text.len);
            return OK;
        }
        lines->searched = text.len;
        status = fill(lines);
        if (status != OK)
            return status;
    }
}

uint64_t
text_lines_taken(const struct text_lines *lines)
{
    uint64_t begun = lines->bytes - buffer_len(&lines->in), waiting = buffer_len(&lines->text);

    if (!lines->compressed)
        return begun - waiting;
    return lines->inflated != 0 ? begun - (uint64_t)((double)begun * (double)waiting / (double)lines->inflated) : 0;
}
