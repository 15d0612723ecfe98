/* A modelled pool of engines (engine.h) for what-if questions: requests go where their first token is expected soonest, as the
 * gateway's own policy shares them out, replicas come after their cold start and drain when they leave, and every request is
 * held against limits. Time is told by whoever asks. Deterministic. */
#ifndef FLEET_MODEL_POOL_H
#define FLEET_MODEL_POOL_H

#include "fleet/capacity/demand.h"

/* What a request must keep to count as within limits. USEC_NEVER: no limit. */
struct request_limits {
    usec first_token_us, total_us;
};

struct model_pool;

/* `count` replicas that are there at once. */
struct model_pool *model_pool_new(const struct engine_settings *engine, const struct request_limits *limits,
                                  unsigned count) __attribute__((returns_nonnull));
void model_pool_free(struct model_pool *pool);

/* All of these bring the pool to that time, which never goes back. */
void model_pool_advance(struct model_pool *pool, usec now_us);

/* One that no replica can take waits for the first that comes; one that would never fit counts as late. */
void model_pool_submit(struct model_pool *pool, usec now_us, const struct request_size *size);

/* So many replicas are wanted. More: those that drain come back first, others are there after the cold start. Fewer: those
 * that are still to come go first, then the one with the least work drains. */
void model_pool_scale(struct model_pool *pool, usec now_us, unsigned wanted, usec cold_start_us);

/* Until no request is under way. */
void model_pool_finish(struct model_pool *pool);

struct model_pool_totals {
    uint64_t requests, over, within; /* submitted; of these answered, or refused; within the limits */
    usec replica_us;                 /* replicas that cost something, times time: coming, there or draining */
    unsigned ready, coming;
    uint64_t in_flight; /* requests */
    double work_us;     /* under way or waiting, as demand.h counts it when a request arrives */
};

void model_pool_totals(const struct model_pool *pool, struct model_pool_totals *out);

/* Is told of each request that is over. */
struct model_pool_news {
    struct request_size size;
    usec arrived_us;
    usec first_token_us, total_us; /* after that; total_us < 0: it would never fit */
    bool within;
};

typedef void model_pool_told(void *context, const struct model_pool_news *news);
void model_pool_tell(struct model_pool *pool, model_pool_told *told, void *context);

#endif
