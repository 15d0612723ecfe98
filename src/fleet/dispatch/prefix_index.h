/* Which beginnings of prompts each engine of ours is expected to keep: hashes (prefix_chain.h), and for each of them the
 * places that were sent it and have begun to answer. Per place the least recently used go first, once what it is expected
 * to keep is more than its engine has room for; as engines do, of one prompt the last block first. Shared by all workers,
 * under its own lock; nothing is freed by time, for engines forget by room.
 *
 * Bounded: PREFIX_KEPT_MOST pairs of a beginning and a place, PREFIX_KNOWN_MOST beginnings, PREFIX_PLACES_MOST places: 80
 * MB when all of it is used, some 0.5 MB for an engine with room for 427,000 tokens. Memory comes as it is used.
 *
 * Invariant: a beginning is known as long as some place keeps it; each place's pairs are on its list from oldest to
 * newest, and `bytes` is their sum. */
#ifndef FLEET_PREFIX_INDEX_H
#define FLEET_PREFIX_INDEX_H

#include "fleet/dispatch/prefix_chain.h"
#include "fleet/dispatch/replica.h"

enum { PREFIX_PLACES_MOST = 512, PREFIX_KEPT_MOST = 1 << 20, PREFIX_KNOWN_MOST = 1 << 19 };

struct prefix_index;

struct prefix_index *prefix_index_new(void) __attribute__((returns_nonnull));
void prefix_index_free(struct prefix_index *index); /* of NULL: nothing */

/* `model`: a number for the model that the prompt is for, in all of these.
 *
 * How many blocks of the chain, from its first on, each of these is expected to keep. A few memory accesses for each
 * different answer, not for each block or place. */
void prefix_index_match(struct prefix_index *index, const struct prefix_chain *chain, uint64_t model,
                        struct replica *const *replicas, unsigned count, unsigned *blocks);

/* This one has read it. `bytes_most`: what it has room for, in bytes of prompts. */
void prefix_index_learn(struct prefix_index *index, struct replica *replica, const struct prefix_chain *chain,
                        uint64_t model, uint64_t bytes_most);

/* It cannot be relied on to keep that, from its block `from` on. */
void prefix_index_forget(struct prefix_index *index, struct replica *replica, const struct prefix_chain *chain,
                         uint64_t model, unsigned from);

/* It is no more. */
void prefix_index_forget_place(struct prefix_index *index, struct replica *replica);

struct prefix_index_stats {
    uint64_t known, kept, evicted; /* beginnings; pairs; pairs that made way, since the start */
    unsigned places;
};

void prefix_index_stats(struct prefix_index *index, struct prefix_index_stats *out);

/* Aborts if an invariant does not hold; for tests. */
void prefix_index_check(struct prefix_index *index);

#endif
