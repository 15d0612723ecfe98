/* What the evidence procedure (quality/evidence.h) would have chosen and served of labelled pairs that come as requests in
 * random orders: the first ones are the sample of scores, each later one is audited if the coin says so, and else
 * served if its score is in the arm that serves. */
#ifndef CMD_EVAL_STREAM_H
#define CMD_EVAL_STREAM_H

#include "cmd/eval/eval_pairs.h"
#include "quality/evidence.h"

struct stream_wanted {
    uint32_t limit_ppm; /* of false hits among hits: 1 - floor */
    uint32_t alpha_ppm;
    uint64_t seed;
    unsigned passes; /* over all pairs, each in an order of its own */
};

/* One random order. */
struct stream_outcome {
    uint64_t requests, audits, hits, wrong;
    struct evidence_verdict verdict; /* at its end; its reason is EVIDENCE_NO_EPOCH if there were too few scores */
    struct pairs_served arm; /* what the arm that serves at the end would serve of all pairs; threshold NAN: none */
    bool kept;               /* each arm that ever served is within the limit over all pairs */
};

struct stream_outcome stream_play(const struct scored_pairs *pairs, const struct stream_wanted *wanted);

/* Many of them, with the seeds wanted->seed, wanted->seed + 1, ... Shares of the pairs, medians over the orders. */
struct stream_summary {
    unsigned orders, serving, kept; /* how many, how many serve at the end, how many kept the limit */
    double hits, false_hits; /* of the stream: hits per request, false hits per hit; over orders with hits, else 0 */
    double arm, arm_wrong;   /* of all pairs: in the chosen arm, false ones in it; over orders that serve */
    double threshold;        /* likewise */
    double labels;           /* audits of an order */
    /* Over the orders that serve nothing at the end: */
    unsigned below;            /* how many of them found that no arm will reach the floor */
    double missing_at_best;    /* labels of the arm that is waited for, if all to come are good */
    double missing_as_so_far;  /* if they are as so far; INFINITY: that will never do */
    double labels_per_request; /* of that arm, while all requests are audited */
};

struct stream_summary stream_play_all(const struct scored_pairs *pairs, const struct stream_wanted *wanted,
                                      unsigned orders);

#endif
