/* Audits of model choice, the router's and the cascade's. When the coin has drawn a conversation (choosing.h), the reference answers its client; a candidate
 * that would have served if evidence let it is sent the same body by a mission, off the client's path, and judged by the
 * reference's answer. The evidence of that candidate on that route learns of it. Where cheaper models of a cascade serve, they are asked
 * before it, as they would be for a client: it is judged where it would have been asked. What the balance would have given to
 * somebody else in any case is no audit; a request that was drawn is never skipped for what it is or says. */
#ifndef GATEWAY_AUDIT_H
#define GATEWAY_AUDIT_H

#include "gateway/exchange.h"

struct audit_run;

/* The plans are made: whether one of them is to be judged, and which. */
void audit_draw(struct exchange *exchange);

/* The flight that may bring the reference's answer. */
void audit_watch(struct exchange *exchange, struct flight *flight);

/* The exchange has ended and its row is written; its head is still there. NULL: there is nothing to judge. */
struct audit_run *audit_prepare(struct exchange *exchange);

/* When its client has all that it gets. NULL is fine. */
void audit_go(struct audit_run *run);

/* The exchange is no more. */
void audit_forget(struct exchange *exchange);

#endif
