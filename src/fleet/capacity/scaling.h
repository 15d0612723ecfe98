/* Fleets whose number of replicas changes, over traffic that is known: who decides about it (a scaler) is played over a
 * modelled pool (model_pool.h) whose replicas come after a cold start. For what-if questions; nothing here is served.
 * Deterministic.
 *
 * Looked at each second. A replica costs from the wish for it until it is let go and empty. */
#ifndef FLEET_SCALING_H
#define FLEET_SCALING_H

#include "base/slice.h"
#include "fleet/capacity/forecast.h"
#include "fleet/engine/carry.h"

enum scaler {
    SCALER_STATIC,    /* knob: so many, always */
    SCALER_IN_FLIGHT, /* knob: requests in flight per replica. Kubernetes' HPA with its standard settings: every 15 s, a
                       * tolerance of 10 %, down to the largest wish of five minutes */
    SCALER_CAPACITY,  /* what is recommended here (capacity.h); no knob */
    SCALER_ORACLE,    /* knob: a factor on what it takes to be needed. Knows the future: has for each five seconds what
                       * they need, asks for a replica a cold start before, and keeps it over gaps shorter than one */
    SCALER_COUNT
};

const char *scaler_name(enum scaler scaler);
bool scaler_find(struct slice name, enum scaler *out) MUST_CHECK;

/* What is played; the requests are the owner's, in order of time. */
struct scaling_traffic {
    const struct carried *requests;
    size_t count;
    usec end_us;   /* of the last one */
    usec learn_us; /* what came before is played, but counts neither in what was attained nor in what it cost */
    usec cold_us;
    struct engine_settings engine;
    struct request_limits limits;
    unsigned least, most;      /* replicas */
    unsigned start;            /* that changing fleets begin with */
    struct forecast_goal goal; /* of what is recommended */
    double carry;              /* for the oracle, which knows even that (scaling_learn); 0: nobody can; */
    usec slack_us;             /* as capacity.h has them */
};

/* What the oracle knows of what one replica carries in a fleet of `start`: from all that comes. */
void scaling_learn(struct scaling_traffic *traffic);

struct scaling_outcome {
    uint64_t requests, within; /* that count */
    uint64_t beyond;           /* of these: not even an idle replica could have answered in time */
    int64_t tokens;            /* of input and output */
    usec replica_us;           /* replicas times time */
    unsigned most;             /* that were wanted at a time */
    uint64_t answered;         /* those that fit an engine; their times to the first token: */
    double first_mean_us, first_p50_us, first_p99_us;
};

struct scaling_outcome scaling_play(const struct scaling_traffic *traffic, enum scaler scaler, double knob);

#endif
