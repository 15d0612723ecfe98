/* Where vectors lie: chunks of 4096 slots, each array of a chunk in one piece, so that growing copies no vector and a slot
 * keeps its number. Slots are handed out in runs of a power of two (buddies; Knuth 2.5), so that the vectors of one
 * partition lie side by side, of a small one without waste. Not for several threads at a time.
 *
 * Invariant: a slot is live, or dead, or in a free run; the chunk of a live or dead slot is there. */
#ifndef EMBED_VECTOR_STORE_H
#define EMBED_VECTOR_STORE_H

#include "base/slice.h"
#include "base/status.h"

#define SLOT_NONE UINT32_MAX

enum { STORE_RUN_LEVEL_MOST = 12, STORE_CHUNK_SLOTS = 1 << STORE_RUN_LEVEL_MOST };

struct vector_chunk {
    void *memory;         /* of all that follows */
    int8_t *vectors;      /* dims each, from a cache line's beginning on */
    uint64_t *signs;      /* scan_words(dims) each */
    uint64_t *ids;        /* the caller's */
    uint64_t *partitions; /* their keys */
    float *inverses;      /* 1 / length */
    uint8_t *levels;      /* of the run that a slot is in; of free runs only at their first slot, with a mark */
    uint64_t live[STORE_CHUNK_SLOTS / 64];
};

struct vector_store {
    unsigned dims, words;
    struct vector_chunk **chunks; /* NULL: given back */
    uint32_t count, size;
    uint32_t free_runs[STORE_RUN_LEVEL_MOST]; /* by level, lists through ids (next) and partitions (before) */
};

void store_init(struct vector_store *store, unsigned dims);
void store_free(struct vector_store *store);

/* 2^level slots side by side, all dead; the first. ERR_FULL: no more slots. */
enum status store_take_run(struct vector_store *store, unsigned level, uint32_t *first) MUST_CHECK;

/* Back again; none of its slots is live. */
void store_give_run(struct vector_store *store, uint32_t first);

/* The memory that it holds. */
size_t store_bytes(const struct vector_store *store);

static inline uint32_t
store_slots(const struct vector_store *store)
{
    return store->count * STORE_CHUNK_SLOTS;
}

static inline struct vector_chunk *
store_chunk(const struct vector_store *store, uint32_t slot)
{
    return store->chunks[slot / STORE_CHUNK_SLOTS];
}

static inline uint32_t
store_at(uint32_t slot)
{
    return slot % STORE_CHUNK_SLOTS;
}

/* Of a run that was taken. */
static inline unsigned
store_level(const struct vector_store *store, uint32_t slot)
{
    return store_chunk(store, slot)->levels[store_at(slot)];
}

static inline bool
store_is_live(const struct vector_chunk *chunk, uint32_t at)
{
    return (chunk->live[at / 64] >> at % 64 & 1) != 0;
}

static inline void
store_set_live(struct vector_chunk *chunk, uint32_t at, bool live)
{
    uint64_t bit = (uint64_t)1 << at % 64;

    chunk->live[at / 64] = live ? chunk->live[at / 64] | bit : chunk->live[at / 64] & ~bit;
}

/* The live slots among the 64 from `at` on, or of a shorter run that `at` begins; bit 0 is `at`. */
static inline uint64_t
store_live_bits(const struct vector_chunk *chunk, uint32_t at, uint32_t run_len)
{
    uint64_t bits = chunk->live[at / 64] >> at % 64;

    return run_len < 64 ? bits & (((uint64_t)1 << run_len) - 1) : bits;
}

/* A dead slot of a run, or SLOT_NONE. */
uint32_t store_find_dead(const struct vector_store *store, uint32_t first);

/* Is no slot of the run live? */
bool store_run_is_dead(const struct vector_store *store, uint32_t first);

#endif
