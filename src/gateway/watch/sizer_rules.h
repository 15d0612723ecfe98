/* What a configuration and the health of places say of a pool's size: for sizer.c. */
#ifndef GATEWAY_SIZER_RULES_H
#define GATEWAY_SIZER_RULES_H

#include "config/config.h"
#include "fleet/capacity/pool_size.h"
#include "fleet/health/health.h"

/* The limits are the strictest of the routes that name the backend. */
struct pool_rules sizer_rules(const struct config *config, const struct backend_config *backend);

/* How many of its places take requests, and what its engines are like. */
unsigned sizer_there(struct healths *healths, const struct backend_config *backend, usec now_us,
                     struct replica_model *model);

/* How sure to be. A replica's work costs `usd_per_hour` over what it carries. Work that no replica takes costs what the route
 * says that an answer is worth, the most of the routes that name the backend, or what the cheapest hosted model among those
 * routes' plans takes for it, whichever is less: it could go there. */
struct forecast_goal sizer_goal(const struct config *config, const struct backend_config *backend,
                                const struct pool_study *study, usec wall_us);

#endif
