#include "live/head.h"

#include "live/framing.h"

/* Not 0 if one of the eight bytes may be below 14, as CR, LF and NUL are. */
static uint64_t
low_bytes(const char *eight)
{
    static const uint64_t each = 0x0101010101010101u, high = 0x8080808080808080u;
    uint64_t word;

    memcpy(&word, eight, sizeof(word));
    return (word - each * 14) & ~word & high;
}

/* True if some byte may break a line; eight at a time, as every header passes here. The last eight may overlap. */
static bool
may_break_lines(const char *text, size_t len)
{
    uint64_t low = 0;

    if (len >= 8) {
        for (size_t at = 0; at + 8 < len; at += 8)
            low |= low_bytes(text + at);
        return (low | low_bytes(text + len - 8)) != 0;
    }
    for (size_t at = 0; at < len; at++)
        low |= (unsigned char)text[at] < 14;
    return low != 0;
}

/* What an application got from elsewhere must not end a line of ours. Returns the end of what was written. */
static char *
put_safely(char *to, struct slice text)
{
    if (text.len == 0)
        return to;
    memcpy(to, text.data, text.len);
    if (!may_break_lines(to, text.len))
        return to + text.len;
    for (size_t i = 0; i < text.len; i++)
        if (to[i] == '\r' || to[i] == '\n' || to[i] == '\0')
            to[i] = ' ';
    return to + text.len;
}

void
head_add_headers(struct buffer *out, const struct http_header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct slice name = headers[i].name, value = headers[i].value;
        char *to;

        if (framing_owns(name))
            continue;
        to = buffer_reserve(out, name.len + value.len + 4);
        to = put_safely(to, name);
        *to++ = ':';
        *to++ = ' ';
        to = put_safely(to, value);
        *to++ = '\r';
        *to++ = '\n';
        out->end += name.len + value.len + 4;
    }
}

void
head_add_chunk(struct buffer *out, struct slice bytes)
{
    static const char digits[] = "0123456789abcdef";
    char size[16];
    size_t at = sizeof(size);
    size_t len = bytes.len;

    ENSURE(len > 0);
    do
        size[--at] = digits[len & 15];
    while ((len >>= 4) != 0);
    buffer_add(out, slice_make(size + at, sizeof(size) - at));
    buffer_add(out, SLICE_LITERAL("\r\n"));
    buffer_add(out, bytes);
    buffer_add(out, SLICE_LITERAL("\r\n"));
}
