/* From a request that was read to the plan that serves it. */
#ifndef GATEWAY_WEIGH_H
#define GATEWAY_WEIGH_H

#include "gateway/exchange.h"

/* Finds the route, lets levers make their plans, reserves and chooses; then PLAN_CHOSEN, PLANS_REST or NOTHING_FITS. */
void weigh_plans(struct exchange *exchange);

/* The same plans again, after one of them failed or a backend has had its rest. */
void weigh_again(struct exchange *exchange);

#endif
