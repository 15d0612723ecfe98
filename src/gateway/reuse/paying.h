/* Levers that look for stored answers rest where that does not pay (levers/pays.h). What looking and keeping cost is worked
 * out from the bytes and what the machine costs (config: cache, core_hour and gib_hour), with times that were measured once:
 * so it does not depend on how busy the machine is, and the same history decides the same. */
#ifndef GATEWAY_PAYING_H
#define GATEWAY_PAYING_H

#include "gateway/exchange.h"

/* When the key is known and before anything is looked up: levers that rest on this route are off for this request. */
void paying_begin(struct exchange *exchange);

/* Once, when the exchange has ended, its plans still hold what was found. `kept`: its answer is being stored. */
void paying_end(struct exchange *exchange, bool kept);

/* On the metrics page. */
void paying_print(struct gateway *gateway, struct buffer *out);

#endif
