/* The gateway's side of the router (levers/router.h): which candidates of a route are other models, how they score a
 * request, and whether the coin says that one of them is judged by the reference's answer. */
#ifndef GATEWAY_CHOOSING_H
#define GATEWAY_CHOOSING_H

#include "gateway/exchange.h"

/* Before levers make their plans. */
void choosing_begin(struct exchange *exchange);

/* When they are made: whoever asks about the request is told what the router's plans went by. */
void choosing_explain(struct exchange *exchange);

/* What the cascade shares with it: whether such a request may be answered by another model at all; those models, with the
 * evidence of a lever, without terms, and with the best score that there is; and the coin, for when they are in order. */
bool choosing_fits(enum api api);
struct choosing choosing_list(struct exchange *exchange, enum lever_id lever);
void choosing_draw(struct exchange *exchange, enum lever_id lever, struct choosing *choosing);

/* On the metrics page: how the evidence of each candidate stands. */
void choosing_print(struct gateway *gateway, struct buffer *out);

#endif
