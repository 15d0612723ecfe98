/* What was asked, by its meaning: for each stored answer the vector and the literals of the user's turn that it answers,
 * and the key under which the store has it. Shared by all workers. Only turns of one partition are ever compared: the
 * same tenant, route, model and the same words before the turn.
 *
 * The store knows nothing of this: an answer may have left it, and then whoever finds that out takes its turn out here.
 * Bounded in turns; what was not found again for a while goes first. */
#ifndef LEVERS_SEMANTIC_INDEX_H
#define LEVERS_SEMANTIC_INDEX_H

#include "base/hash.h"
#include "embed/embedder.h"
#include "embed/literals.h"
#include "embed/vectors.h"

/* A turn, ready to be compared. The partition is the first half of canonical_conversation's `rest`, told by 128 bits of
 * a keyed hash. */
struct semantic_turn {
    uint64_t partition, check;
    struct literals literals;
    int8_t vector[EMBED_DIMS_MOST]; /* embedder_dims of them */
};

/* False: it has no word that the embedder knows, so nothing is like it. */
bool semantic_turn_of(const struct embedder *embedder, const struct digest *rest, struct slice text,
                      struct semantic_turn *out);

struct semantic_index;

/* Room for all entries is asked for at once, so that nothing is ever copied to grow; what is not used is never touched, and
 * so costs nothing. */
struct semantic_index *semantic_index_new(unsigned dims, uint32_t entries_most);
void semantic_index_free(struct semantic_index *index); /* NULL is fine */

/* The turn's answer is in the store under that key; a turn that was there with this key is replaced. Without memory it
 * does nothing. */
void semantic_index_add(struct semantic_index *index, const struct semantic_turn *turn, const struct digest *key);

/* The key's answer is gone. */
void semantic_index_remove(struct semantic_index *index, const struct digest *key);

/* A turn that is near. */
struct semantic_match {
    struct digest key;
    float similarity;        /* cosine */
    bool differs;            /* in what is said literally: its answer must not serve */
    enum literal_kind where; /* in what, if so */
};

/* Turns are compared down to this cosine: what is less alike has another meaning. */
#define SEMANTIC_LEAST 0.5f

/* The nearest turns, the nearest first. */
struct semantic_matches {
    struct semantic_match all[VECTORS_FOUND_MOST];
    unsigned count;
};

/* How many turns a search looks at: beyond SEMANTIC_AT_ONCE it takes too long for a worker's loop (some 0.1 ms). */
enum { SEMANTIC_AT_ONCE = 16384 };
uint32_t semantic_index_to_search(struct semantic_index *index, const struct semantic_turn *turn);

void semantic_index_search(struct semantic_index *index, const struct semantic_turn *turn,
                           struct semantic_matches *out);

/* Its answer served, or would have: it stays longer. */
void semantic_index_used(struct semantic_index *index, const struct digest *key);

/* Walks all turns, each with its answer's key: *at is 0 at first. What is added or taken out meanwhile may come or not.
 * False: that was all. */
bool semantic_index_next(struct semantic_index *index, uint64_t *at, struct semantic_turn *turn, struct digest *key);

struct semantic_index_stats {
    uint64_t entries, entries_most, bytes;
    uint64_t evicted; /* made room for others */
};

void semantic_index_stats(struct semantic_index *index, struct semantic_index_stats *out);

#endif
