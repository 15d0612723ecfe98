/* Immutable bytes with a count of holders, which may sit on several threads: request bodies, the pieces of a flight's
 * answer. Written once by chunk_new or chunk_from, then never changed. */
#ifndef BASE_CHUNK_H
#define BASE_CHUNK_H

#include <stdatomic.h>

#include "base/slice.h"

struct chunk {
    atomic_uint holders;
    size_t len;
    char *data; /* behind this struct, or malloced (see chunk_take) */
    bool apart;
};

/* A copy of the bytes with one holder, the caller. */
struct chunk *chunk_from(struct slice bytes) __attribute__((returns_nonnull));

/* Takes over malloced `data` (freed with the chunk), with one holder, the caller. `data` may be NULL if len is 0. */
struct chunk *chunk_take(char *data, size_t len) __attribute__((returns_nonnull));

/* One more holder; returns the same chunk. */
struct chunk *chunk_hold(struct chunk *chunk);

/* One holder fewer; freed with the last. NULL is fine. */
void chunk_release(struct chunk *chunk);

static inline struct slice
chunk_bytes(const struct chunk *chunk)
{
    return (struct slice){chunk->data, chunk->len};
}

#endif
