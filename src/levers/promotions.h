/* Pairs that a judge let pass: a request, and the stored answer to another turn that will do for it. The semantic cache finds
 * an answer whose score is below what it has earned, a fresh one is bought, and the judge finds the old one acceptable
 * by it: from then on that answer may serve that very request, though none whose score is the same.
 *
 * A pair is what a judge said of one request and one answer. It is no sample of an arm, and so never evidence for one; and
 * it holds for as long as that answer is the one that was judged, under the evidence it was judged under.
 *
 * Shared by all workers, bounded; where there is no room, what was not found of late makes some. */
#ifndef LEVERS_PROMOTIONS_H
#define LEVERS_PROMOTIONS_H

#include "base/hash.h"
#include "base/timers.h"

struct promotion {
    struct digest request;  /* the key of the request that it serves */
    struct digest answer;   /* the key under which the store has the answer */
    usec answer_created_us; /* wall clock: another answer under that key is not the one that was judged */
    uint64_t under;         /* stands for the epoch and round of evidence */
};

struct promotions;

/* Room for that many or some more, at least eight; memory that is not used yet is never touched. */
struct promotions *promotions_new(uint32_t most);
void promotions_free(struct promotions *promotions); /* NULL is fine */

/* In place of the one that the request had. */
void promotions_put(struct promotions *promotions, const struct promotion *promotion);

/* False: the request has none. */
bool promotions_find(struct promotions *promotions, const struct digest *request, struct promotion *out);

/* True: there was one. */
bool promotions_drop(struct promotions *promotions, const struct digest *request);

/* Walks all of them: *at is 0 at first. False: that was all. */
bool promotions_next(struct promotions *promotions, uint64_t *at, struct promotion *out);

struct promotions_stats {
    uint64_t count, most, bytes;
};

void promotions_stats(struct promotions *promotions, struct promotions_stats *out);

#endif
