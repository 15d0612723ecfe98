/* All that the serving program asks of backends and about them: themselves (gateway/watch/asking.h), and where their replicas are
 * (rediscover.h). */
#ifndef CMD_INQUIRIES_H
#define CMD_INQUIRIES_H

#include "cmd/serve/rediscover.h"

struct inquiries;

/* For the worker's present view; others follow a reload. */
struct inquiries *inquiries_start(const struct rediscover_options *options);
void inquiries_stop(struct inquiries *inquiries); /* NULL is fine */

#endif
