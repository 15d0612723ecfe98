#include "live/head.h"

#include "live/framing.h"

/* True if some byte may be below 14, as CR, LF and NUL are; eight bytes at a time, as every header passes here. */
static bool
may_break_lines(const char *text, size_t len)
{
    static const uint64_t each = 0x0101010101010101u, high = 0x8080808080808080u;
    uint64_t low = 0, word;

    for (; len >= sizeof(word); len -= sizeof(word), text += sizeof(word)) {
        memcpy(&word, text, sizeof(word));
        low |= (word - each * 14) & ~word & high;
    }
    for (; len > 0; len--, text++)
        low |= (unsigned char)*text < 14;
    return low != 0;
}

/* What an application got from elsewhere must not end a line of ours. */
static void
add_safely(struct buffer *out, struct slice text)
{
    char *to = buffer_reserve(out, text.len);

    if (text.len == 0)
        return;
    memcpy(to, text.data, text.len);
    out->end += text.len;
    if (!may_break_lines(to, text.len))
        return;
    for (size_t i = 0; i < text.len; i++)
        if (to[i] == '\r' || to[i] == '\n' || to[i] == '\0')
            to[i] = ' ';
}

void
head_add_headers(struct buffer *out, const struct http_header *headers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (framing_owns(headers[i].name))
            continue;
        add_safely(out, headers[i].name);
        buffer_add(out, SLICE_LITERAL(": "));
        add_safely(out, headers[i].value);
        buffer_add(out, SLICE_LITERAL("\r\n"));
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
