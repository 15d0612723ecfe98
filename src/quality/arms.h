/* Arms: rules for sets of requests, each holding the one before it. Arm i is "the score is at least threshold[i]"; the
 * thresholds are chosen by coverage (arm i holds the i-th twentieth of what was seen, best scores first) when an epoch
 * begins and then stay: a threshold set beforehand may hold no request at all, and nothing would ever be learned of it.
 * Only scores are looked at, never outcomes, so the choice takes nothing from the tests. */
#ifndef QUALITY_ARMS_H
#define QUALITY_ARMS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    ARMS = 20,
    ARM_NONE = ARMS,            /* no arm: the score is below all of them */
    ARMS_START_REQUESTS = 10000 /* within so many requests the first arm of a walk is to gather its labels */
};

/* Invariant: thresholds are finite and do not rise; start < ARMS. */
struct arms {
    double threshold[ARMS];
    unsigned start; /* where the walk starts: narrower ones gather labels too slowly */
};

/* The scores seen lately, from which the arms of the next epoch are made. */
enum { SAMPLE_SCORES = 200 }; /* the first arm then holds 2 to 8 % of the requests that have a score, 19 times of 20 */

struct score_sample {
    double scores[SAMPLE_SCORES];
    unsigned count;
    uint64_t requests; /* among which they came: some had none, as nothing alike was there */
};

/* Counts a request with its score; one that is not finite stands for none. True when the sample is full. */
bool score_sample_add(struct score_sample *sample, double score);

/* From a sample with scores, which are sorted, the best first. `labels_needed`: what the first arm is to gather within
 * ARMS_START_REQUESTS when each of its requests is audited; if none will, the walk starts at the widest. */
void arms_freeze(struct arms *arms, struct score_sample *sample, double labels_needed);

/* The narrowest arm that holds the score. */
unsigned arms_of(const struct arms *arms, double score);

#endif
