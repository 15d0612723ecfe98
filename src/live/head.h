/* Pieces of messages as they are written to either side. */
#ifndef LIVE_HEAD_H
#define LIVE_HEAD_H

#include "base/buffer.h"
#include "world.h"

/* One line each, but for those that are the world's own business. Line ends within a name or value become spaces: they would make a header of somebody else's wish. */
void head_add_headers(struct buffer *out, const struct http_header *headers, size_t count);

/* One chunk (RFC 9112, 7.1); `bytes` must not be empty, that would be the end. */
void head_add_chunk(struct buffer *out, struct slice bytes);

#endif
