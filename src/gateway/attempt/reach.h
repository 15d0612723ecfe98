/* Whom a request can reach now: which plans have an endpoint that is neither ejected nor at rest, which endpoint an
 * attempt goes to, and what its end says of the place (fleet/health/health.h). */
#ifndef GATEWAY_REACH_H
#define GATEWAY_REACH_H

#include "fleet/dispatch/policy.h"
#include "gateway/exchange.h"

/* Says of every plan why it cannot be reached now, if so: to be asked before the balance. */
void reach_survey(const struct exchange *exchange, struct plans *plans);

/* Which of a plan's seats an attempt may go to now, in the order of the seats; of more than can be looked at
 * (POLICY_SEATS_MOST), those from the lot's turn on. Returns how many. */
unsigned reach_open_seats(const struct exchange *exchange, const struct plan *plan, usec now_us, unsigned *open);

/* The endpoint for the next attempt at exchange->plan. When all that are left are out, the one due soonest. */
const struct endpoint *reach_pick(struct exchange *exchange);

/* The exchange's attempt is a part of that of `with`, at the same endpoint, and teaches nothing about it. */
void reach_go_along(struct exchange *exchange, const struct exchange *with);

/* What an error's answer says of when to come again, and of money. */
struct refusal reach_read_refusal(const struct flight *flight, struct arena *scratch, usec wall_us);

/* Learns from the flight as it stands: the health of its endpoint, the rest that it asked for, its account's spend limit
 * (exchange->said). Once for each flight; further calls do nothing. */
void reach_report(struct exchange *exchange);

/* Takes where this attempt was from what this request may still try: its endpoint, or after a spend limit everything
 * with that account. An endpoint that named a time when to come again stays. */
void reach_strike(const struct exchange *exchange, struct plans *plans);

#endif
