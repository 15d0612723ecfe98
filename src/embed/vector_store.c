#include "embed/vector_store.h"

#include <stdlib.h>

#include "embed/vector_scan.h"

enum {
    LEVEL_FREE = 0x80, /* marks a free run's first slot */
    CHUNKS_MOST = 1 << 16,
    LINE_BYTES = 64,
};

void
store_init(struct vector_store *store, unsigned dims)
{
    ENSURE(dims > 0 && dims % 32 == 0 && dims <= SCAN_DIMS_MOST);
    *store = (struct vector_store){.dims = dims, .words = scan_words(dims)};
    for (unsigned level = 0; level < STORE_RUN_LEVEL_MOST; level++)
        store->free_runs[level] = SLOT_NONE;
}

static void
chunk_free(struct vector_chunk *chunk)
{
    if (chunk != NULL)
        free(chunk->memory);
    free(chunk);
}

void
store_free(struct vector_store *store)
{
    for (uint32_t i = 0; i < store->count; i++)
        chunk_free(store->chunks[i]);
    free(store->chunks);
    *store = (struct vector_store){0};
}

static size_t
chunk_bytes(const struct vector_store *store)
{
    size_t slot = store->dims + store->words * sizeof(uint64_t) + 2 * sizeof(uint64_t) + sizeof(float) + 1;

    return slot * STORE_CHUNK_SLOTS + LINE_BYTES;
}

size_t
store_bytes(const struct vector_store *store)
{
    size_t bytes = store->size * sizeof(store->chunks[0]);

    for (uint32_t i = 0; i < store->count; i++)
        if (store->chunks[i] != NULL)
            bytes += chunk_bytes(store) + sizeof(struct vector_chunk);
    return bytes;
}

/* All its arrays in one piece of memory, each aligned by the lengths of those before it. Their pages come when they are
 * touched. */
static struct vector_chunk *
chunk_new(const struct vector_store *store)
{
    struct vector_chunk *chunk = must_calloc(1, sizeof(*chunk));
    char *memory = calloc(1, chunk_bytes(store));

    if (memory == NULL) {
        free(chunk);
        return NULL;
    }
    chunk->memory = memory;
    memory += LINE_BYTES - (uintptr_t)memory % LINE_BYTES;
    chunk->vectors = (int8_t *)memory;
    memory += (size_t)store->dims * STORE_CHUNK_SLOTS;
    chunk->signs = (void *)memory;
    memory += store->words * sizeof(uint64_t) * STORE_CHUNK_SLOTS;
    chunk->ids = (void *)memory;
    memory += sizeof(uint64_t) * STORE_CHUNK_SLOTS;
    chunk->partitions = (void *)memory;
    memory += sizeof(uint64_t) * STORE_CHUNK_SLOTS;
    chunk->inverses = (void *)memory;
    memory += sizeof(float) * STORE_CHUNK_SLOTS;
    chunk->levels = (uint8_t *)memory;
    return chunk;
}

static uint64_t *
next_of(const struct vector_store *store, uint32_t first)
{
    return &store_chunk(store, first)->ids[store_at(first)];
}

static uint64_t *
before_of(const struct vector_store *store, uint32_t first)
{
    return &store_chunk(store, first)->partitions[store_at(first)];
}

static void
list_run(struct vector_store *store, uint32_t first, unsigned level)
{
    uint32_t next = store->free_runs[level];

    store_chunk(store, first)->levels[store_at(first)] = (uint8_t)(LEVEL_FREE | level);
    *next_of(store, first) = next;
    *before_of(store, first) = SLOT_NONE;
    if (next != SLOT_NONE)
        *before_of(store, next) = first;
    store->free_runs[level] = first;
}

static void
unlist_run(struct vector_store *store, uint32_t first, unsigned level)
{
    uint32_t next = (uint32_t)*next_of(store, first), before = (uint32_t)*before_of(store, first);

    ENSURE(store_chunk(store, first)->levels[store_at(first)] == (LEVEL_FREE | level));
    if (next != SLOT_NONE)
        *before_of(store, next) = before;
    if (before != SLOT_NONE)
        *next_of(store, before) = next;
    else
        store->free_runs[level] = next;
}

/* The first slot of a new chunk, where one was given back or at the end. */
static enum status
add_chunk(struct vector_store *store, uint32_t *first)
{
    struct vector_chunk *chunk;
    uint32_t at = 0;

    while (at < store->count && store->chunks[at] != NULL)
        at++;
    if (at == CHUNKS_MOST)
        return ERR_FULL;
    chunk = chunk_new(store);
    if (chunk == NULL)
        return ERR_FULL;
    if (at == store->size) {
        store->size = store->size != 0 ? store->size * 2 : 16;
        store->chunks = must_realloc(store->chunks, store->size * sizeof(store->chunks[0]));
    }
    if (at == store->count)
        store->count++;
    store->chunks[at] = chunk;
    *first = at * STORE_CHUNK_SLOTS;
    return OK;
}

enum status
store_take_run(struct vector_store *store, unsigned level, uint32_t *first)
{
    unsigned found = level;
    enum status status;

    ENSURE(level <= STORE_RUN_LEVEL_MOST);
    while (found < STORE_RUN_LEVEL_MOST && store->free_runs[found] == SLOT_NONE)
        found++;
    if (found < STORE_RUN_LEVEL_MOST) {
        *first = store->free_runs[found];
        unlist_run(store, *first, found);
    } else {
        status = add_chunk(store, first);
        if (status != OK)
            return status;
    }
    while (found > level) {
        found--;
        list_run(store, *first + (1u << found), found); /* the upper half stays free */
    }
    memset(store_chunk(store, *first)->levels + store_at(*first), (int)level, 1u << level);
    return OK;
}

void
store_give_run(struct vector_store *store, uint32_t first)
{
    unsigned level = store_level(store, first);
    struct vector_chunk *chunk = store_chunk(store, first);

    ENSURE(level <= STORE_RUN_LEVEL_MOST && store_run_is_dead(store, first));
    while (level < STORE_RUN_LEVEL_MOST) {
        uint32_t buddy = first ^ (1u << level);

        if (chunk->levels[store_at(buddy)] != (LEVEL_FREE | level))
            break;
        unlist_run(store, buddy, level);
        first = first < buddy ? first : buddy;
        level++;
    }
    if (level < STORE_RUN_LEVEL_MOST) {
        list_run(store, first, level);
        return;
    }
    chunk_free(chunk);
    store->chunks[first / STORE_CHUNK_SLOTS] = NULL;
}

uint32_t
store_find_dead(const struct vector_store *store, uint32_t first)
{
    const struct vector_chunk *chunk = store_chunk(store, first);
    uint32_t len = 1u << store_level(store, first);
    uint64_t all = len < 64 ? ((uint64_t)1 << len) - 1 : UINT64_MAX;

    for (uint32_t i = 0; i < len; i += 64) {
        uint64_t dead = ~store_live_bits(chunk, store_at(first) + i, len) & all;

        if (dead != 0)
            return first + i + (uint32_t)__builtin_ctzll(dead);
    }
    return SLOT_NONE;
}

bool
store_run_is_dead(const struct vector_store *store, uint32_t first)
{
    const struct vector_chunk *chunk = store_chunk(store, first);
    uint32_t len = 1u << store_level(store, first);

    for (uint32_t i = 0; i < len; i += 64)
        if (store_live_bits(chunk, store_at(first) + i, len) != 0)
            return false;
    return true;
}
