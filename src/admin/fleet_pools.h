/* What the fleet's pages show, collected: each model on an engine of one's own that some route names. */
#ifndef ADMIN_FLEET_POOLS_H
#define ADMIN_FLEET_POOLS_H

#include "fleet/engine/batch.h"
#include "fleet/health/utilisation.h"
#include "gateway/gateway.h"

struct fleet_replica {
    const struct seat *seat;
    enum health_state state;
    struct utilisation_view seen;
    double kv; /* share of its cache in use, told by itself or else of ours alone */
    bool kv_told;
    double others, queued; /* requests that are not ours, and all that wait, as it tells; below 0: nothing of late */
};

struct fleet_pool {
    const struct target *target;
    struct engine_fit fit;
    struct batch_mix mix;
    double answers;                /* that the mix is of */
    double gap_limit_us;           /* 0: no limit of a route's bears on it */
    const struct route_config *by; /* whose limit that is */
    int64_t batch_most;            /* 0: nothing is known of its requests */
    bool by_room;                  /* its cache's room says so, not the limit */
    double tokens_a_second;        /* of output at that batch, of one replica */
    struct fleet_replica *replicas;
    size_t replica_count;
};

struct fleet_pools {
    struct arena arena;
    struct fleet_pool *all;
    size_t count;
};

/* On the first worker; to be freed. */
void fleet_pools_collect(struct gateway_worker *worker, struct fleet_pools *out);
void fleet_pools_free(struct fleet_pools *pools);

/* What a replica's idle time comes to in an hour that is as the last minute was; USD_UNKNOWN: it has no price. */
usd fleet_idle_an_hour(const struct fleet_pool *pool, const struct fleet_replica *replica);

/* What a million tokens, read and written, come to as the last minute was, idle time and all: of one replica, and of all of the
 * pool. USD_UNKNOWN: there is no price, or there were none. */
usd fleet_replica_per_million(const struct fleet_pool *pool, const struct fleet_replica *replica);
usd fleet_pool_per_million(const struct fleet_pool *pool);

#endif
