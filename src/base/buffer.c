#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

enum { SMALLEST_BYTES = 256 };

void
buffer_init(struct buffer *buffer)
{
    *buffer = (struct buffer){0};
}

void
buffer_free(struct buffer *buffer)
{
    free(buffer->data);
    buffer_init(buffer);
}

static void
buffer_compact(struct buffer *buffer)
{
    size_t len = buffer_len(buffer);

    if (len != 0)
        memmove(buffer->data, buffer->data + buffer->start, len);
    buffer->start = 0;
    buffer->end = len;
}

char *
buffer_grow(struct buffer *buffer, size_t len)
{
    size_t size = buffer->size != 0 ? buffer->size : SMALLEST_BYTES;

    ENSURE(buffer->start <= buffer->end && buffer->end <= buffer->size);
    /* Moving is worth it only when at least half is free: so bytes move at most about once each. */
    if (buffer->start >= buffer->size / 2 && buffer->data != NULL) {
        buffer_compact(buffer);
        if (buffer->size - buffer->end >= len)
            return buffer->data + buffer->end;
    }
    ENSURE(len < SIZE_MAX / 4);
    while (size - buffer->end < len)
        size *= 2;
    buffer->data = must_realloc(buffer->data, size);
    buffer->size = size;
    return buffer->data + buffer->end;
}

void
buffer_add(struct buffer *buffer, struct slice bytes)
{
    if (bytes.len == 0)
        return;
    memcpy(buffer_reserve(buffer, bytes.len), bytes.data, bytes.len);
    buffer->end += bytes.len;
}

void
buffer_add_text(struct buffer *buffer, const char *text)
{
    buffer_add(buffer, slice_of(text));
}

void
buffer_add_byte(struct buffer *buffer, char byte)
{
    *buffer_reserve(buffer, 1) = byte;
    buffer->end++;
}

void
buffer_add_number(struct buffer *buffer, uint64_t number)
{
    buffer->end += text_format_u64(number, buffer_reserve(buffer, TEXT_U64_SIZE));
}

void
buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ENSURE(len >= 0);
    buffer_reserve(buffer, (size_t)len + 1);
    va_start(args, format);
    vsnprintf(buffer->data + buffer->end, (size_t)len + 1, format, args);
    va_end(args);
    buffer->end += (size_t)len;
}

static const char *
json_escape(unsigned char c)
{
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        return NULL;
    }
}

/* True only if all eight bytes are ASCII and stand for themselves in a JSON string: most text is of such. A byte of x
 * that is 0 makes (x - 1) & ~x & 0x80 of its place; a borrow from below may do so too, which only costs a second look. */
static bool
is_plain_word(const char *bytes)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    uint64_t word, quotes, slashes;

    memcpy(&word, bytes, sizeof(word));
    quotes = word ^ ones * '"';
    slashes = word ^ ones * '\\';
    return (((word - ones * 0x20) | word | ((quotes - ones) & ~quotes) | ((slashes - ones) & ~slashes)) & tops) == 0;
}

/* How many bytes at the front stand for themselves in a JSON string. */
static size_t
plain_len(struct slice text)
{
    size_t at = 0;

    while (at < text.len) {
        unsigned char c = (unsigned char)text.data[at];
        bool word = text.len - at >= sizeof(uint64_t) && is_plain_word(text.data + at);
        size_t len = word                                ? sizeof(uint64_t)
                     : c < 0x20 || c == '"' || c == '\\' ? 0
                     : c < 0x80                          ? 1
                                                         : text_utf8_len(slice_from(text, at));

        if (len == 0)
            break;
        at += len;
    }
    return at;
}

void
buffer_add_json(struct buffer *buffer, struct slice text)
{
    for (;;) {
        size_t plain = plain_len(text);
        unsigned char c;

        buffer_add(buffer, slice_first(text, plain));
        text = slice_from(text, plain);
        if (text.len == 0)
            return;
        c = (unsigned char)text.data[0];
        text = slice_from(text, 1);
        if (json_escape(c) != NULL)
            buffer_add_text(buffer, json_escape(c));
        else if (c < 0x20)
            buffer_printf(buffer, "\\u%04x", c);
        else
            buffer_add_text(buffer, "\xef\xbf\xbd");
    }
}

void
buffer_add_json_string(struct buffer *buffer, struct slice text)
{
    buffer_add_byte(buffer, '"');
    buffer_add_json(buffer, text);
    buffer_add_byte(buffer, '"');
}

void
buffer_add_json_member(struct buffer *buffer, const char *name, struct slice text)
{
    buffer_printf(buffer, "\"%s\":", name);
    buffer_add_json_string(buffer, text);
}

void
buffer_consume(struct buffer *buffer, size_t len)
{
    ENSURE(len <= buffer_len(buffer));
    buffer->start += len;
    if (buffer->start == buffer->end)
        buffer_clear(buffer);
}

void
buffer_trim(struct buffer *buffer, size_t keep)
{
    if (buffer_len(buffer) == 0 && buffer->size > keep)
        buffer_free(buffer);
}
