/* Asks every backend now and then which models it has (GET /v1/models), so that clients may name them without a route.
 * One worker does it for all. */
#ifndef GATEWAY_DISCOVERY_H
#define GATEWAY_DISCOVERY_H

#include "gateway/gateway.h"

struct discovery;

/* Starts asking, from this worker, the backends of its present view. Another discovery follows a reload. */
struct discovery *discovery_start(struct gateway_worker *worker);
void discovery_stop(struct discovery *discovery);

#endif
