/* Outcomes: after the complete answer of a route with validators, they judge what it said (validation.h), apart from the
 * client, who has its answer by then. All must accept it; what they say goes into the journal as feedback with the source
 * "validator". A text that could not be judged has no outcome, and is counted. What was judged before it was served, as the
 * cascade does, is not judged again. */
#ifndef GATEWAY_OUTCOME_H
#define GATEWAY_OUTCOME_H

#include "gateway/exchange.h"

/* Lets the flight gather what the assistant says, if the route has validators. */
void outcome_gather(struct exchange *exchange, struct flight *flight);

/* Judges the answer of the exchange's flight, whose row is written; the text is taken from it. */
void outcome_start(struct exchange *exchange);

#endif
