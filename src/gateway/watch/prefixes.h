/* What engines are expected to keep of the prompts that went to them (fleet/dispatch/prefix_index.h), as far as the gateway sees to
 * it: a request's chain is made when a policy first asks for it. An engine that a request is sent to is expected to know its
 * prompt from then on: whoever comes behind it there finds it computed. If no answer begins (refused, failed, nobody
 * waited), that is taken back, and what breaks off takes all of it back. What was never sent teaches nothing. */
#ifndef GATEWAY_PREFIXES_H
#define GATEWAY_PREFIXES_H

#include "gateway/exchange.h"

/* Of exchange->plan's model. NULL: its prompt is not known (pass-through). The exchange holds it. */
const struct prefix_chain *prefixes_chain(struct exchange *exchange);

/* For a large body, off the loop: what chains are made of is hashed there already. */
void prefixes_read(struct exchange *exchange);

/* The flight learns and forgets for the exchange's prompt from now on. */
void prefixes_watch(struct exchange *exchange, struct flight *flight);

/* Which model it is for, to the index. */
uint64_t prefixes_model(const struct target *target);

/* For flight_ticket.c. */
void prefixes_end(struct flight *flight);

#endif
