/* The world of a replay: a trace as its clients, the real gateway, modelled engines as its backends. */
#ifndef CMD_REPLAY_WORLD_H
#define CMD_REPLAY_WORLD_H

#include "base/log.h"
#include "base/rng.h"
#include "cmd/replay/replay_config.h"
#include "cmd/replay/replay_engines.h"
#include "cmd/replay/replay_request.h"
#include "cmd/replay/replay_stats.h"
#include "gateway/gateway.h"
#include "virtual/trace.h"

struct replay_world {
    const struct replay_settings *settings;
    struct config *config;
    struct history *history;
    struct gateway gateway;
    bool gateway_there;
    struct log log;
    unsigned complaints; /* the gateway's */
    struct replay_engines engines;
    struct replay_writer writer;
    struct trace *trace;
    struct trace_request first; /* read ahead */
    bool first_waits;
    enum status trace_status; /* ERR_NOT_FOUND: all was read; OK: there is more */
    struct rng rng;           /* which worker a request comes to */
    struct player *player;
    struct replay_stats stats;
    struct journal_record record; /* scratch */
    bool deaf;                    /* what happens from now on is not counted */
    uint64_t answered,
        unidentified;               /* of clients: answered at all; refused without a row, as who asked was not known */
    usec start_wall_us, started_us; /* started_us: history time */
};

/* CMD_FINE, or the exit status once it has said what is wrong. Freed in any case. The trace stays the caller's. */
int replay_world_new(struct replay_world *world, const struct replay_settings *settings, struct trace *trace);
void replay_world_free(struct replay_world *world);

/* Some steps on. False: it is over. */
bool replay_world_run(struct replay_world *world, unsigned steps);

/* Ends it where it is. */
void replay_world_stop(struct replay_world *world);

#endif
