/* The gateway's side of the cascade (levers/cascade.h). Its attempt is one like others, but that nothing of its answer goes
 * to the client before all of it is there and has an acceptance score for which evidence stands. If it has none it is booked
 * as an attempt that was rejected, and the plans are weighed again, with the next model of the cascade among them where its
 * turn has come: its evidence is about what those before it refused, not about what they failed to answer. Whatever becomes of it, the request is no worse off:
 * such attempts do not count among those that its route allows, and budgets have room for the reference before they begin. */
#ifndef GATEWAY_CASCADING_H
#define GATEWAY_CASCADING_H

#include "gateway/exchange.h"

/* Before levers make their plans, after choosing_begin. */
void cascading_begin(struct exchange *exchange);

/* How many models it may ask, one after the other, for anybody who may reach the one that scores their answers. */
size_t cascading_models(const struct request *request);

/* Whether the text of this exchange's answer is wanted, as it may be scored. */
bool cascading_scores(const struct exchange *exchange);

/* Whether the answer that it got was found useful by its route's validators before. */
bool cascading_validated(const struct exchange *exchange);

/* When an answer of it must be there, and scored, so that the reference's would still come in time; USEC_NEVER: nobody is in
 * a hurry. */
usec cascading_due_us(const struct exchange *exchange);

/* A flight was joined: it has so long that something else may serve in time. */
void cascading_watch(struct exchange *exchange);

/* Something of a cascade's answer is here. True: that is all there is to do. */
bool cascading_progress(struct exchange *exchange);

/* It brought none. False: it is no cascade's attempt. */
bool cascading_failed(struct exchange *exchange, const char *why);

/* The time that it had is over. */
void cascading_late(struct exchange *exchange);

/* Whether the error that its backend answered is about logprobs, which the client did not ask for: of any attempt, and not if the
 * request, whose body this is, speaks of them itself: an error may repeat what it does not like. */
bool cascading_refuses_logprobs(const struct exchange *exchange, struct slice body);

/* The exchange has ended: nobody waits for the score of an answer any more. */
void cascading_end(struct exchange *exchange);

#endif
