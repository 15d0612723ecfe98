/* The replicas of a target together, as they are loaded now. */
#ifndef FLEET_POOL_H
#define FLEET_POOL_H

#include "fleet/health/health.h"

struct pool_now {
    double replicas;
    double requests, filling; /* of ours, on all of them, and of others where those are asked for */
    double context_tokens;
    struct step_time time; /* of one */
    double kv_tokens;      /* likewise */
};

/* What is there of ours: among that its time is split. */
void pool_look(const struct standing *standing, struct pool_now *out);

/* And of others, as its replicas tell (told.h): with those one more request has to share them. */
void pool_look_all(const struct standing *standing, usec now_us, struct pool_now *out);

/* A request's part of the engine's time if it is one of as many as there are on a replica now, itself counted. */
double pool_work_us(const struct pool_now *now, int64_t prompt, int64_t cached, int64_t output);

/* What a further request there costs more, in microseconds of one engine's time: its marginal price is this times the
 * engine's. Below what it will be charged, which is a part of a time that is paid for anyway; an idle engine costs nothing.
 *
 * Two things can be done with a request when others are there, and the cheaper one counts:
 *   - they wait for each other: it makes all of them later by what it adds to the steps. A second that a request waits is
 *     worth what its seat in the engine costs in that second, as it could be somebody's else: the engine's price over its
 *     seats, which are as many requests of this size as its cache has room for.
 *   - there is one replica more, all paid: its share of the engine's time, as loaded as each then is. */
double pool_marginal_us(const struct pool_now *now, int64_t prompt, int64_t cached, int64_t output);

/* How many requests of the size that is there now (or of this one, if none is) one engine has room for. */
double pool_seats(const struct pool_now *now, int64_t prompt, int64_t output);

#endif
