/* What engines are expected to keep of the prompts that went to them (fleet/dispatch/prefix_index.h), as far as the gateway sees to
 * it: a request's chain is made when a policy first asks for it. An engine that a request is sent to is expected to know its
 * prompt from then on: whoever comes behind it there finds it computed. If no answer begins (refused, failed, nobody
 * waited), that is taken back, and what breaks off takes all of it back. What was never sent teaches nothing. */
#ifndef GATEWAY_PREFIXES_H
#define GATEWAY_PREFIXES_H

#include "fleet/dispatch/policy.h"
#include "gateway/exchange.h"

/* By what its index is asked: chain, model and index; left alone where it makes no difference what engines keep. The exchange
 * holds the chain. */
void prefixes_ask(struct exchange *exchange, const struct plan *plan, struct policy_ask *ask);

/* For a large body, off the loop: what chains are made of is hashed there already. */
void prefixes_read(struct exchange *exchange);

/* The flight learns and forgets for the exchange's prompt from now on. */
void prefixes_watch(struct exchange *exchange, struct flight *flight);

/* For flight_ticket.c. */
void prefixes_end(struct flight *flight);

#endif
