/* Asks every replica of the configuration now and then how it is (`backends.NAME.health`, every `probe`): for replicas
 * that no request goes to, and so that a model that is still being loaded is not taken for a failure. What comes of it
 * is the replica's pulse (fleet/health/pulse.h). One worker asks for all. */
#ifndef GATEWAY_PROBES_H
#define GATEWAY_PROBES_H

#include "gateway/gateway.h"

struct probes;

/* Starts asking, from this worker, the replicas of its present view. Others follow a reload. */
struct probes *probes_start(struct gateway_worker *worker);
void probes_stop(struct probes *probes);

#endif
