/* From a request that was read to the plan that serves it. */
#ifndef GATEWAY_WEIGH_H
#define GATEWAY_WEIGH_H

#include "gateway/exchange.h"

/* Finds the route, lets levers make their plans, reserves and chooses; then PLAN_CHOSEN, PLANS_REST or NOTHING_FITS.
 * Where the key or a look-up takes longer than a worker should, KEY_READY or PLANS_READY comes before all that. */
void weigh_plans(struct exchange *exchange);

/* The key of a long body is here: what is stored under it is looked up. */
void weigh_keyed(struct exchange *exchange);

/* What the plans waited for is here, or late. */
void weigh_on(struct exchange *exchange);

/* The same plans again, after one of them failed or a backend has had its rest. */
void weigh_again(struct exchange *exchange);

#endif
