/* What engines told of themselves, for the metrics page (Prometheus text format 0.0.4). */
#ifndef FLEET_TOLD_PRINT_H
#define FLEET_TOLD_PRINT_H

#include "base/buffer.h"
#include "fleet/dispatch/replica.h"

/* For each replica that ever told anything: what it told last, and how old that is. */
void told_print(struct replicas *replicas, usec now_us, struct buffer *out);

#endif
