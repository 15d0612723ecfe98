/* What a replay is asked to do, and the configuration that comes of it: a file's or the usual one, with what the command
 * line says in place of it. */
#ifndef CMD_REPLAY_CONFIG_H
#define CMD_REPLAY_CONFIG_H

#include "config/config.h"

/* Of a pool whose replicas come and go (replay_fleet.h). */
struct replay_changes {
    unsigned start; /* that are there to begin with: its first; 0: none comes or goes */
    unsigned least, most;
    usec cold_us;  /* until one that is wanted is there */
    usec learn_us; /* what came before is played, and not counted */
};

struct replay_settings {
    const char *config_file; /* NULL: a route `assistant` over modelled engines */
    const char *engine;      /* REPLAY_ENGINE_USUAL */
    const char *policy;      /* for all backends with several URLs; NULL: as each says */
    const char *route, *key; /* NULL: the configuration's first */
    const char *pool;        /* of the configuration, whose replicas are told; NULL or "": its only one */
    uint64_t replicas;       /* 0, only with a configuration: as it says */
    usec first_token_us;     /* limits in place of each route's own; 0: as they say */
    usec total_us;
    usd usd_per_hour; /* of a replica, without a configuration; 0: paid by the token */
    uint64_t workers; /* logical ones, of the gateway */
    uint64_t seed;
    uint64_t limit; /* of the trace, for the progress bar; 0: none */
    struct replay_changes changes;
    usec wall_us; /* when it plays; 0: when the trace says, else on the day of the built-in prices */
};

/* CMD_FINE, or the exit status once it has said what is wrong. *out is the caller's to release, in any case; NULL: there is
 * none. No secrets are read. */
int replay_config_load(const struct replay_settings *settings, struct config **out) MUST_CHECK;

#endif
