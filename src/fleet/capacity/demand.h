/* Demand in work: how many seconds of an engine's time requests take, per second. What a request takes does not depend on
 * who serves it or how full it is there, so that work can be added up, compared over hours and divided by what a replica
 * carries (carry.h).
 *
 * It is what a request adds to an engine (engine_fit_work_us) at the batch where reading the weights takes as long as
 * computing with them: alpha / beta sequences, or as many as the engine has room for.
 *
 * Demand is kept in short bins, because it is not the mean that makes requests late but what comes
 * at once: demand_needed() is the least rate at which no work waits longer than it may, given what really arrived. That is
 * the least rate whose service curve lies above the arrivals' (J.-Y. Le Boudec and P. Thiran, Network Calculus, 2001,
 * section 1.3), and has a closed form.
 *
 * Work that was refused or waits in a queue is demand like any other: it is added when it arrives. */
#ifndef FLEET_DEMAND_H
#define FLEET_DEMAND_H

#include "fleet/engine/engine_fit.h"

/* What a request asks of an engine. */
struct request_size {
    int64_t prompt_tokens, hit_tokens, output_tokens; /* hit_tokens: of the prompt, known to the engine's cache */
};

struct request_work {
    double prompt_us, output_us; /* of an engine */
    usec output_span_us;         /* from the first token to the last */
};

struct request_work demand_work(const struct engine_settings *engine, const struct request_size *size);

enum { DEMAND_BINS = 1024, DEMAND_BINS_IN_INTERVAL = 20 };

/* Invariant: bins[i % DEMAND_BINS] holds the work of bin i for newest - DEMAND_BINS / 2 < i < newest + DEMAND_BINS / 2;
 * those after `newest` are work that has been foreseen. None is below 0. */
struct demand {
    usec bin_us;
    int64_t newest; /* the bin of the last time that was told */
    double bins[DEMAND_BINS];
};

void demand_init(struct demand *demand, usec interval_us, usec now_us);

/* This much work is wanted evenly over a span that starts now: a prompt over as long as one engine takes for it, since no
 * second one can help, an output while it is written. Below 0: less than was foreseen; no bin gets below 0. */
void demand_add(struct demand *demand, usec now_us, double work_us, usec span_us);

/* A whole request that comes to such an engine. */
void demand_take(struct demand *demand, usec now_us, const struct engine_settings *engine,
                 const struct request_size *size);

/* Work per time (engines) over the last `span_us`, which is at most a quarter of all bins. */
double demand_mean(struct demand *demand, usec now_us, usec span_us);

/* The rate that the work of the last `span_us` needs if none of it may wait longer than `slack_us`, not less than the mean.
 * What came in as much time before is looked at too: it was in the way. */
double demand_needed(struct demand *demand, usec now_us, usec span_us, usec slack_us);

/* The least level at which of all that these values (of equal stretches of time) want no more than `short_most` is missing:
 * the sum over values of what lies above it. Sorts the values. */
double demand_level(double *values, size_t count, double short_most);

#endif
