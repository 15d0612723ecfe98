/* The balance: which plan serves. */
#ifndef GATEWAY_BALANCE_H
#define GATEWAY_BALANCE_H

#include "levers/lever.h"

/* The cheapest acceptable plan, ties to the faster; the reference when none is acceptable. Plans that were tried and
 * failed are out. NULL: nothing is left, or the tenant may not be served by any. Every loser gets the reason it lost.
 * `bypass`: only the reference is acceptable. */
struct plan *balance_choose(struct plans *plans, const struct request *request, bool bypass);

/* After balance_choose found none: of the plans that would do, but whose places are ejected, the one that is due
 * soonest. Somebody must be asked when all are out: a mark of ours never refuses a request. NULL: there is none. */
struct plan *balance_last_resort(struct plans *plans);

#endif
