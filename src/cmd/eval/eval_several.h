/* What evidence would have let several cheaper models serve of labelled requests that come in random orders, as the router lever does
 * on a route with a floor beside its reference (`of: relative`): the cheapest whose own evidence lets it serves, each has its share of
 * what may be lost and of alpha, a lot says whose audit it is (gateway/judging/audit.c), and a learning budget how many there are. All
 * that was served and spent is counted: audits, and what was asked before anything served, are in. */
#ifndef CMD_EVAL_SEVERAL_H
#define CMD_EVAL_SEVERAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SEVERAL_MOST = 15,
    SEVERAL_LEARNING_PPM = 50000 /* of what the reference's answers cost, as a route's by default */
};

/* Requests of which all is known. */
struct several_set {
    size_t count;
    unsigned candidates;         /* the cheapest first, without the reference */
    double prices[SEVERAL_MOST]; /* of an answer */
    double reference_price;
    float *scores;    /* count x candidates: the higher, the less is lost by asking it */
    float *right;     /* count x candidates: how right its answer is, 0 to 1 */
    float *reference; /* count */
};

void several_set_init(struct several_set *set, size_t count, unsigned candidates);
void several_set_free(struct several_set *set);

/* How right all answers are as a share of the reference's, if each request went to the cheapest candidate whose score is at least its
 * threshold (INFINITY: none), else to the reference. */
double several_quality(const struct several_set *set, const double *thresholds);

struct several_wanted {
    uint32_t floor_ppm, alpha_ppm;
    uint64_t seed;
    unsigned passes; /* over all requests, each in an order of its own */
};

/* One random order. */
struct several_outcome {
    uint64_t requests, audits, served;
    double right, spent; /* of all answers that clients got; for those, and audits */
    double later_spent;  /* of the second half */
    unsigned serving;    /* candidates that do in the end */
    bool violated;       /* candidates served that would, over the whole set, not have kept the floor together */
};

struct several_outcome several_play(const struct several_set *set, const struct several_wanted *wanted);

/* Many of them, with the seeds wanted->seed, wanted->seed + 1, ... Medians over them, for each request. */
struct several_summary {
    unsigned orders, violated, serving;
    double share, right, spent, later_spent, audits;
};

struct several_summary several_play_all(const struct several_set *set, const struct several_wanted *wanted,
                                        unsigned orders);

#endif
