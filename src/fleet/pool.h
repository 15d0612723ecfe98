/* The replicas of a target together, as they are loaded now. */
#ifndef FLEET_POOL_H
#define FLEET_POOL_H

#include "fleet/health.h"

struct pool_now {
    double replicas;
    double requests, filling; /* of ours, on all of them */
    double context_tokens;
    struct step_time time; /* of one */
    double kv_tokens;      /* likewise */
};

void pool_look(const struct standing *standing, struct pool_now *out);

/* A request's part of the engine's time if it is one of as many as there are on a replica now, itself counted. */
double pool_work_us(const struct pool_now *now, int64_t prompt, int64_t cached, int64_t output);

#endif
