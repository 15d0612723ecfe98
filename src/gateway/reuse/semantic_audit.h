/* Audits of the semantic cache: what it would have served is judged by the fresh answer that was bought, off the path of
 * the request, and the route's evidence learns of it. What is near what it may serve is judged beyond that: the evidence
 * does not learn of it, but if it passes the pair is promoted (levers/promotions.h). */
#ifndef GATEWAY_SEMANTIC_AUDIT_H
#define GATEWAY_SEMANTIC_AUDIT_H

#include "gateway/exchange.h"

/* By the whole answer that the exchange's flight has gathered. `counts`: the coin drew it. */
void semantic_audit(struct exchange *exchange, const struct plan *plan, bool counts);

#endif
