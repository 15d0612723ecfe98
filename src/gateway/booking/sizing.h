/* What an attempt by a plan may come to in tokens and money: by what the request allows, the target's prices, and what
 * was seen of it (fleet/experience.h). reserve.c reserves it; nothing here touches a budget. The exchange has a
 * reservation. */
#ifndef GATEWAY_SIZING_H
#define GATEWAY_SIZING_H

#include "gateway/booking/reserve.h"

/* Sets the sizes in the reservation, its cap and how its stream is metered. */
void sizing_plan(const struct exchange *exchange, const struct plan *plan, struct reservation *r);

/* What `strict` cannot bound, for a person, in the exchange's arena; NULL: it can. */
const char *sizing_objection(struct exchange *exchange, const struct plan *plan);

/* What so many tokens come to. Unknown money is none: in strict it never comes so far, else it is stated as exposure. */
struct budget_amounts sizing_amounts(const struct exchange *exchange, const struct plan *plan, int64_t input,
                                     int64_t output);

/* Output tokens that this room buys, at most `most`; -1: not even the input fits. */
int64_t sizing_affordable(const struct exchange *exchange, const struct plan *plan, const struct budget_amounts *room,
                          int64_t most);

/* What may come on top of what is reserved, as far as anything bounds it. */
struct budget_amounts sizing_exposure(const struct exchange *exchange, const struct plan *plan, bool *unbounded);

bool sizing_makes_output(const struct exchange *exchange);

/* At most USAGE_COUNT_MOST. */
int64_t sizing_add_tokens(int64_t a, int64_t b);

#endif
