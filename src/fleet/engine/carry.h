/* What-if questions to the engine model, for work off the loop: what a replica carries within the limits of a route, and
 * whether fewer replicas would have served what came lately. */
#ifndef FLEET_CARRY_H
#define FLEET_CARRY_H

#include "fleet/capacity/model_pool.h"

/* So large a share of the requests has to be within the limits; those that would not be with an engine for themselves are
 * not counted, as no number of replicas helps them. */
enum { CARRY_SHARE_PPM = 990000, CARRY_REQUESTS_LEAST = 512 };

/* Its limits leave it time with an engine for itself. */
bool carry_is_possible(const struct engine_settings *engine, const struct request_limits *limits,
                       const struct request_size *size);

/* What came lately: the newest requests, each CARRY_STRIDE'th if there are too many to keep over the time wanted. */
struct carried {
    usec at_us;
    struct request_size size;
};

enum { CARRIED_MOST = 32768 };

/* Invariant: of all requests that came, every stride'th was kept; those older than `keep_us` may go. */
struct carry_record {
    usec keep_us;
    uint64_t came;
    unsigned stride;
    size_t count; /* in order of time */
    struct carried kept[CARRIED_MOST];
};

void carry_record_init(struct carry_record *record, usec keep_us);

/* One that came a little before those that were added last goes before them. */
void carry_record_add(struct carry_record *record, usec now_us, const struct request_size *size);

/* Is there enough in it to learn from: requests, and time that can be played faster? */
bool carry_record_tells(const struct carry_record *record, usec interval_us);

/* The demand (demand_needed, over intervals of that length, at the level that leaves 1 - CARRY_SHARE short) that one of so
 * many replicas carries within the limits: by bisection of the speed at which the pool plays what came. So how unevenly
 * requests come, how they get in each other's way on an engine, and what many replicas do better than one is all in it.
 * Of what came in a short time it may be too little, as that cannot be played at any speed.
 * 0: hardly any request keeps the limits even by itself, or the record does not tell. Up to a second of work. */
double carry_rate(const struct carry_record *record, const struct engine_settings *engine,
                  const struct request_limits *limits, unsigned replicas, usec interval_us, usec slack_us);

/* Would so many replicas have served what was kept, from `since_us` on, within the limits? With a stride of k by a k'th of the
 * replicas (rounded up) or, as a few carry less each than many that share requests out, by four, to which what came comes as
 * much faster as they are more than a k'th. Nothing kept: yes, also for none. */
bool carry_would_do(const struct carry_record *record, const struct engine_settings *engine,
                    const struct request_limits *limits, unsigned replicas, usec since_us);

/* How long a request's first token may wait behind others and be within the limits all the same: what the limits leave
 * beside what the request takes by itself, for nineteen of twenty of what came and can keep them. Without limits `without_us`. */
usec carry_slack_us(const struct carry_record *record, const struct engine_settings *engine,
                    const struct request_limits *limits, usec without_us);

#endif
