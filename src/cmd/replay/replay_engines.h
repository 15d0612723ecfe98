/* Who plays the backends of a configuration in a replay: for each of their URLs a modelled backend of its own, paced by a
 * modelled engine. Nobody real is ever contacted. */
#ifndef CMD_REPLAY_ENGINES_H
#define CMD_REPLAY_ENGINES_H

#include "config/config.h"
#include "fleet/engine/engine.h"
#include "money/row.h"
#include "virtual/history.h"

/* An API of somebody else's: so long to the first token, so long for each further one, whatever the load. */
#define REPLAY_HOSTED_FIRST_US (500 * USEC_PER_MS)
#define REPLAY_HOSTED_TOKEN_US (15 * USEC_PER_MS)

extern const char *const REPLAY_ENGINE_USUAL; /* "h100-llama-3.1-8b" */

struct replay_engine;

/* One backend of the configuration. */
struct replay_cast {
    const struct engine_pair *pair; /* NULL: at a constant pace */
    struct replay_engine *engines;  /* one for each URL */
    size_t engine_count;            /* 0: no route has a model of it, so it is not played */
};

/* In all of its engines together. */
struct replay_work {
    int64_t steps, preemptions, prefix_asked, prefix_found;
    int64_t too_long, context_most;        /* refused: longer than that, prompt and answer together */
    int64_t requests_least, requests_most; /* of one engine: how evenly work was shared out */
    double busy;                           /* share of `span_us` in which an engine was at work, the mean of all */
};

struct replay_engines {
    struct replay_cast *casts; /* as in the configuration */
    size_t count;
};

/* Is there an engine of that name? If not, it says so. */
bool replay_engines_know(const char *name);

/* CMD_FINE, or the exit status once it has said what is wrong. `usual`, which is known, plays backends that are engines
 * and name none. */
int replay_engines_start(struct replay_engines *engines, struct history *history, const struct config *config,
                         const char *usual, uint64_t seed);
void replay_engines_free(struct replay_engines *engines); /* before the history */

/* It takes no connections from now on, or does again. */
void replay_engine_refuses(const struct replay_cast *cast, size_t engine, bool refuses);

/* Which modelled engine plays it; NULL: a constant pace. *exit_status is CMD_FINE, or it has said what is wrong. */
const struct engine_pair *replay_engines_pair(const struct backend_config *backend, const char *usual,
                                              int *exit_status);

/* Could one of the route's models have answered this within the route's limits, with its engine for itself? An API could. */
bool replay_engines_could(const struct replay_engines *engines, const struct route_config *route,
                          const struct row *row);

struct replay_work replay_engines_work(const struct replay_cast *cast, usec span_us);

/* The names of all pairs, for messages and for --engines. */
void replay_engines_list(struct buffer *out);

#endif
