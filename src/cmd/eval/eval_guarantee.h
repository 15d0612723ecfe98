/* What evidence (quality/evidence.h) would have let a cheaper model serve of labelled requests that come in random orders,
 * each with the score that a router gives it; beside what the best fixed threshold would have served, which only hindsight
 * knows; and whether an arm below the floor ever served. */
#ifndef CMD_EVAL_GUARANTEE_H
#define CMD_EVAL_GUARANTEE_H

#include <stddef.h>

#include "quality/evidence.h"

/* A request of which all is known. */
struct scored_request {
    double score;
    float outcome;   /* of the cheaper model's answer, 0 to 1: how acceptable, or for FLOOR_RELATIVE how right */
    float reference; /* FLOOR_RELATIVE: how right the reference's is */
};

/* Best scores first, with sums over the first i of them. */
struct scored_set {
    size_t count;
    struct scored_request *all;
    double *outcomes, *references; /* count + 1 */
};

/* Copies the requests. */
void scored_set_init(struct scored_set *set, const struct scored_request *requests, size_t count);
void scored_set_free(struct scored_set *set);

/* What the floor speaks of, if all from a score on were served: NAN where nothing is. */
double scored_set_quality(const struct scored_set *set, enum floor_scope scope, double threshold);

/* The share of requests with at least that score. */
double scored_set_share(const struct scored_set *set, double threshold);

/* The largest share that a threshold could serve at a floor. */
double scored_set_best(const struct scored_set *set, enum floor_scope scope, uint32_t floor_ppm);

struct guarantee_wanted {
    enum floor_scope scope;
    uint32_t floor_ppm, alpha_ppm;
    uint64_t seed;
    unsigned passes;    /* over all requests */
    bool bootstrap;     /* each request is any of the set, drawn anew; else each pass has all in an order of its own */
    size_t later_from;  /* of requests that come in an order: where the second half begins */
    bool warm;          /* arms are cut before the stream, of scores drawn from the set: as those of a router that was
                         * scoring in shadow already; else of the stream's first scores */
    double price_ratio; /* what the cheaper model's answer costs, as a share of the reference's */
};

/* One random order. */
struct guarantee_outcome {
    uint64_t requests, audits, served;
    uint64_t later_requests, later_served; /* of the second half */
    double served_good;                    /* sum of the outcomes of what was served */
    double spent;                          /* where the reference's answer costs 1 */
    unsigned suspensions;
    bool violated; /* an arm served whose quality over the whole set is below the floor */
    struct evidence_verdict verdict;
};

/* `order`: the requests as they come, where their scores were learned on the way: one pass. NULL: random orders. */
struct guarantee_outcome guarantee_play(const struct scored_set *set, const struct scored_request *order,
                                        const struct guarantee_wanted *wanted);

/* Many of them, with the seeds wanted->seed, wanted->seed + 1, ... Medians over them. */
struct guarantee_summary {
    unsigned orders, violated, serving, below, suspended;
    double best;        /* in hindsight */
    double later_share; /* served of the second half */
    double share, quality, audits,
        saved; /* served of all; of what was served; per request; of the reference's cost, net */
};

struct guarantee_summary guarantee_play_all(const struct scored_set *set, const struct guarantee_wanted *wanted,
                                            unsigned orders);

#endif
