#include "virtual/vhead.h"

#include <stdlib.h>

#include "base/buffer.h"

enum { HEADERS_MOST = 256 };

/* Copies `text` to *at and moves *at behind it. */
static struct slice
put(char **at, struct slice text)
{
    struct slice copy = {*at, text.len};

    if (text.len != 0)
        memcpy(*at, text.data, text.len);
    *at += text.len;
    return copy;
}

static size_t
size_of(const struct http_head *head)
{
    size_t size = head->header_count * sizeof(struct http_header) + head->method.len + head->target.len;

    for (size_t i = 0; i < head->header_count; i++)
        size += head->headers[i].name.len + head->headers[i].value.len;
    return size;
}

void
vhead_copy(struct vhead *out, const struct http_head *head)
{
    size_t size = size_of(head);
    char *block = must_alloc(size != 0 ? size : 1);
    struct http_header *headers = (struct http_header *)(void *)block;
    char *at = block + head->header_count * sizeof(*headers);

    *out = (struct vhead){.head = *head, .block = block, .size = size};
    out->head.headers = headers;
    for (size_t i = 0; i < head->header_count; i++) {
        struct slice name = put(&at, head->headers[i].name);

        headers[i] = (struct http_header){name, put(&at, head->headers[i].value)};
    }
    out->head.method = put(&at, head->method);
    out->head.target = put(&at, head->target);
    ENSURE((size_t)(at - block) == size);
}

void
vhead_parse(struct vhead *out, const struct http_head *start, const char *lines)
{
    struct http_header headers[HEADERS_MOST];
    struct http_head head = *start;
    struct slice rest = slice_of(lines);

    head.headers = headers;
    head.header_count = 0;
    while (rest.data != NULL) {
        struct slice line = slice_split(&rest, '\n');
        size_t colon = slice_find_byte(line, ':');

        if (colon == line.len)
            continue;
        ENSURE(head.header_count < HEADERS_MOST);
        headers[head.header_count++] =
            (struct http_header){slice_first(line, colon), slice_trim(slice_from(line, colon + 1))};
    }
    vhead_copy(out, &head);
}

void
vhead_free(struct vhead *head)
{
    if (head->block != NULL)
        memset(head->block, 0xdd, head->size);
    free(head->block);
    *head = (struct vhead){0};
}

/* RFC 9110, 5.6.2 */
static bool
is_token(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (strchr("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", text.data[i]) ==
                NULL ||
            text.data[i] == '\0')
            return false;
    return text.len != 0;
}

/* RFC 9110, 5.5 */
static bool
is_value(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] < 0x20 ? text.data[i] != '\t' : text.data[i] == 0x7f)
            return false;
    return true;
}

const char *
vhead_fault(const struct http_header *headers, size_t count)
{
    static const char *const framing[] = {"content-length",  "transfer-encoding", "connection", "keep-alive", "te",
                                          "trailer",         "upgrade",           "host",       "date",       "expect",
                                          "proxy-connection"};

    for (size_t i = 0; i < count; i++) {
        if (!is_token(headers[i].name))
            return "a header's name is not a token";
        if (!is_value(headers[i].value))
            return "a header's value holds a control character";
        for (size_t k = 0; k < sizeof(framing) / sizeof(framing[0]); k++)
            if (slice_is_nocase(headers[i].name, framing[k]))
                return framing[k];
    }
    return NULL;
}

void
vhead_print(const struct http_head *head, struct buffer *out)
{
    for (size_t i = 0; i < head->header_count; i++)
        buffer_printf(out, "%.*s: %.*s\n", SLICE_ARGS(head->headers[i].name), SLICE_ARGS(head->headers[i].value));
}
