/* What a person should hear of as soon as a row is settled: that its key runs away, that its model has no price. Raises
 * alerts (alert.h). */
#ifndef GATEWAY_NOTICE_H
#define GATEWAY_NOTICE_H

#include "gateway/gateway.h"

/* By whoever settles, on any worker. */
void notice_row(struct gateway_worker *worker, const struct row *row);

#endif
