#include "base/chunk.h"

#include <stdlib.h>

#include "base/status.h"

struct chunk *
chunk_from(struct slice bytes)
{
    struct chunk *chunk = must_alloc(sizeof(*chunk) + bytes.len);

    atomic_init(&chunk->holders, 1);
    chunk->len = bytes.len;
    chunk->apart = false;
    chunk->data = (char *)(chunk + 1);
    if (bytes.len != 0)
        memcpy(chunk->data, bytes.data, bytes.len);
    return chunk;
}

struct chunk *
chunk_take(char *data, size_t len)
{
    struct chunk *chunk = must_alloc(sizeof(*chunk));

    atomic_init(&chunk->holders, 1);
    chunk->len = len;
    chunk->apart = true;
    chunk->data = data;
    return chunk;
}

struct chunk *
chunk_hold(struct chunk *chunk)
{
    unsigned before = atomic_fetch_add_explicit(&chunk->holders, 1, memory_order_relaxed);

    ENSURE(before > 0);
    return chunk;
}

void
chunk_release(struct chunk *chunk)
{
    unsigned before;

    if (chunk == NULL)
        return;
    before = atomic_fetch_sub_explicit(&chunk->holders, 1, memory_order_acq_rel);
    ENSURE(before > 0);
    if (before > 1)
        return;
    if (chunk->apart)
        free(chunk->data);
    free(chunk);
}
