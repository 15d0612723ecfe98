/* A growing run of bytes. Invariant: `start` <= `end` <= `size`; the content is data[start..end). */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include "base/slice.h"
#include "base/status.h"

struct buffer {
    char *data;
    size_t start, end, size;
};

void buffer_init(struct buffer *buffer);
void buffer_free(struct buffer *buffer);

static inline struct slice
buffer_content(const struct buffer *buffer)
{
    return buffer->data != NULL ? (struct slice){buffer->data + buffer->start, buffer->end - buffer->start}
                                : SLICE_NONE;
}

static inline size_t
buffer_len(const struct buffer *buffer)
{
    return buffer->end - buffer->start;
}

static inline void
buffer_clear(struct buffer *buffer)
{
    buffer->start = buffer->end = 0;
}

/* As buffer_reserve, where there is not enough room. */
char *buffer_grow(struct buffer *buffer, size_t len) __attribute__((returns_nonnull));

/* Room for at least `len` more bytes at data + end; the caller then adds to `end` what it wrote. */
static inline char *
buffer_reserve(struct buffer *buffer, size_t len)
{
    if (buffer->data != NULL && buffer->size - buffer->end >= len)
        return buffer->data + buffer->end;
    return buffer_grow(buffer, len);
}

void buffer_add(struct buffer *buffer, struct slice bytes);
void buffer_add_text(struct buffer *buffer, const char *text);
void buffer_add_byte(struct buffer *buffer, char byte);
void buffer_add_number(struct buffer *buffer, uint64_t number); /* decimal */
void buffer_printf(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);

/* `text` as the inside of a JSON string (RFC 8259, 7), without the quotes. Always valid: each byte that does not belong
 * to well-formed UTF-8 becomes U+FFFD. */
void buffer_add_json(struct buffer *buffer, struct slice text);

/* The same with its quotes. */
void buffer_add_json_string(struct buffer *buffer, struct slice text);

/* A member of a JSON object whose value is a text: "name":"text". The name needs no escapes. */
void buffer_add_json_member(struct buffer *buffer, const char *name, struct slice text);

/* Drops `len` bytes from the front. */
void buffer_consume(struct buffer *buffer, size_t len);

/* Frees the memory if it is empty and larger than `keep` bytes. */
void buffer_trim(struct buffer *buffer, size_t keep);

#endif
