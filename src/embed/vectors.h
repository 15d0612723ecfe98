/* A set of vectors in partitions, and the nearest ones of a partition. No index: a search looks at the signs of all vectors
 * of the partition (vector_scan.h), then compares those exactly that come near enough, so that nothing has to be built and
 * nothing can be stale.
 *
 * For any number of threads. A search holds the lock for a few thousand vectors at a time, so that one who adds waits for
 * microseconds, however long the search. */
#ifndef EMBED_VECTORS_H
#define EMBED_VECTORS_H

#include "base/lock.h"
#include "embed/vector_partition.h"
#include "embed/vector_scan.h"
#include "embed/vector_store.h"

/* A search's most results; and the slots that a thread looks at before it lets others in. */
enum { VECTORS_FOUND_MOST = 16, VECTORS_AT_A_TIME = STORE_CHUNK_SLOTS };

struct vectors {
    unsigned dims;
    const struct scan_kernels *kernels;
    struct shared_lock lock; /* over all below */
    struct vector_store store;
    struct partition_directory partitions;
    uint64_t count;
};

/* dims: a multiple of 32, at most SCAN_DIMS_MOST. */
void vectors_init(struct vectors *vectors, unsigned dims);
void vectors_free(struct vectors *vectors);

/* Adds a copy of dims numbers, which are not all zero (embedder_quantize). *slot is its place until it is removed.
 * ERR_FULL: no memory, or 2^28 slots. */
enum status vectors_add(struct vectors *vectors, uint64_t partition, const int8_t *vector, uint64_t id, uint32_t *slot)
    MUST_CHECK;

/* ERR_NOT_FOUND: no vector with this id is in the slot. */
enum status vectors_remove(struct vectors *vectors, uint32_t slot, uint64_t id) MUST_CHECK;

/* Copies it; likewise. */
enum status vectors_get(struct vectors *vectors, uint32_t slot, uint64_t id, int8_t *out) MUST_CHECK;

/* How many there are, and in a partition: what a search would have to look at. */
uint64_t vectors_count(struct vectors *vectors);
uint32_t vectors_partition_count(struct vectors *vectors, uint64_t partition);

/* All memory that they hold. */
size_t vectors_bytes(struct vectors *vectors);

struct vectors_found {
    uint32_t slot;
    uint64_t id;
    float similarity; /* the cosine, -1 to 1 */
};

/* A search under way: it may go on on another thread. What is added or removed meanwhile may be found or not; whatever else
 * there is, is. */
struct vectors_search {
    struct vectors *vectors;
    uint64_t partition;
    const int8_t *query; /* the caller's, for as long as the search */
    float query_inverse;
    struct scan_query scan;
    bool exact;           /* compare all exactly: to measure what the signs miss */
    uint32_t place, step; /* the next place for runs that it looks at; how far the next is */
    float least;
    unsigned most;
    unsigned count;
    struct vectors_found found[VECTORS_FOUND_MOST]; /* the nearest first */
    uint64_t compared;                              /* vectors that were compared exactly */
};

/* The `most` nearest to `query` of the partition, of those whose cosine is at least `least`: the higher that is, the less
 * there is to compare. most: 1 to VECTORS_FOUND_MOST. */
void vectors_search_init(struct vectors_search *search, struct vectors *vectors, uint64_t partition,
                         const int8_t *query, unsigned most, float least);

/* Makes this search one of `parts` that together look at all, say on several threads; before its first step. */
void vectors_search_share(struct vectors_search *search, uint32_t part, uint32_t parts);

/* Looks at some `slots` more, at least one run of them; true when there is nothing left. */
bool vectors_search_step(struct vectors_search *search, size_t slots);

/* Adds what another part found. */
void vectors_search_merge(struct vectors_search *search, const struct vectors_search *part);

#endif
