/* Asks every replica of the configuration now and then for its page of metrics (`backends.NAME.metrics`, every
 * `scrape`), and tells its struct replica what that says, for all workers. One worker asks for all; never more than one
 * question is under way to one replica, and each is bounded in time. A replica that does not answer keeps what it told
 * last, which fades (fleet/health/told.h). */
#ifndef GATEWAY_SCRAPE_H
#define GATEWAY_SCRAPE_H

#include "gateway/gateway.h"

struct scrapes;

/* Starts asking, from this worker, the replicas of its present view. Others follow a reload. */
struct scrapes *scrapes_start(struct gateway_worker *worker);
void scrapes_stop(struct scrapes *scrapes);

#endif
