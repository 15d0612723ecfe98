#include "live/head.h"

#include "live/framing.h"

static void
add_safely(struct buffer *out, struct slice text)
{
    char *to = buffer_reserve(out, text.len);

    if (text.len == 0)
        return;
    memcpy(to, text.data, text.len);
    out->end += text.len;
    if (memchr(to, '\r', text.len) == NULL && memchr(to, '\n', text.len) == NULL && memchr(to, '\0', text.len) == NULL)
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
