/* With which of a backend's accounts an attempt is sent. Each account has a health (its spend limit), a rest (429) and
 * rate limits of its own (fleet/admission/quota.h). A conversation stays with the account that its lot fell on, for the provider's
 * prompt caches, as long as that has room; else the next serves. What an attempt takes of the limits is taken when its
 * plan is chosen, atomically for all workers, given back if it is not sent after all, and set right at its end. */
#ifndef GATEWAY_ACCOUNT_H
#define GATEWAY_ACCOUNT_H

#include "gateway/exchange.h"

/* Whether no account of the plan's backend can be used now: sets plan->away and until when. */
void account_survey(const struct exchange *exchange, struct plan *plan, usec now_us);

/* Chooses the account and takes what the plan needs of its limits. False: none has room, though one had a moment ago. */
bool account_claim(struct exchange *exchange, const struct plan *plan);

/* What was claimed and not sent is free again; harmless if nothing was. */
void account_unclaim(struct exchange *exchange);

/* The attempt is a part of another request's with the same account: it takes tokens of its limits, but is no request. */
void account_go_along(struct exchange *exchange);

/* The one of the present attempt, and what proves it: of several its own key, else what the backend has. */
struct account *account_of(const struct exchange *exchange);
const char *account_secret(const struct exchange *exchange, const char *secret);

/* The attempt is over: its usage is known, as far as it will be, and what its answer's head says of limits. */
void account_settle(struct exchange *exchange);

/* Whether every account of the plan's backend is out for its spend limit. */
bool account_all_spent(const struct exchange *exchange, const struct plan *plan);

#endif
