/* The gateway's side of the semantic cache (levers/semantic_cache.h): what was asked is made comparable and looked up
 * before plans are made, turns are kept with the answers that are stored, and audits are judged when the client has its
 * answer. */
#ifndef GATEWAY_SEMANTIC_H
#define GATEWAY_SEMANTIC_H

#include "gateway/exchange.h"

struct semantic_turn;

/* Before levers make their plans, after cached_begin. False: it is looked up off the loop, and PLANS_READY comes within
 * some milliseconds, with or without a result. */
bool semantic_begin(struct exchange *exchange);

/* The turn that the exchange's answer answers, if it is to be found by its meaning; NULL: it is not. */
const struct semantic_turn *semantic_turn(const struct exchange *exchange);

/* The exchange has ended, its row is written, its plans still hold what they found. `fresh`: its flight gathered a whole
 * answer that may stand for what the route's models say. */
void semantic_end(struct exchange *exchange, bool fresh);

/* On the metrics page: the index, and how each route's evidence stands. */
void semantic_print(struct gateway *gateway, struct buffer *out);

#endif
