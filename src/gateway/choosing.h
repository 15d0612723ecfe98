/* The gateway's side of the router (levers/router.h): which candidates of a route are other models, how they score a
 * request, and whether the coin says that one of them is judged by the reference's answer. */
#ifndef GATEWAY_CHOOSING_H
#define GATEWAY_CHOOSING_H

#include "gateway/exchange.h"

/* Before levers make their plans. */
void choosing_begin(struct exchange *exchange);

/* On the metrics page: how the evidence of each candidate stands. */
void choosing_print(struct gateway *gateway, struct buffer *out);

#endif
