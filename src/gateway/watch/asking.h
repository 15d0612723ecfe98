/* All that one worker asks backends about themselves: their models (discovery.h), their metrics (scrape.h), their health
 * (probes.h). */
#ifndef GATEWAY_ASKING_H
#define GATEWAY_ASKING_H

#include "gateway/gateway.h"

struct asking;

/* Starts with the backends of the worker's present view. Another follows a reload. */
struct asking *asking_start(struct gateway_worker *worker);
void asking_stop(struct asking *asking);

#endif
