/* What a request may come to cost, reserved from every budget that applies before anything is sent; what it did cost,
 * posted when an attempt has ended; and what is left of it, released in every ending.
 *
 * `strict` reserves the most that an attempt can cost and refuses what nobody can bound. `expected` reserves what 99 of
 * 100 cost, and states what may come on top. Where the rest of a budget is less than either, the output is capped at
 * what it buys.
 *
 * An exchange that no budget applies to has no reservation: everything here is then a look at a NULL. */
#ifndef GATEWAY_RESERVE_H
#define GATEWAY_RESERVE_H

#include "fleet/experience.h"
#include "gateway/exchange.h"
#include "money/budget/budget.h"

/* In the exchange's arena. */
struct reservation {
    struct budget_claim claim;
    bool strict, degrade, observe;
    bool has_money, has_tokens; /* budgets of that unit apply: then output is capped */
    bool has_requests;
    struct budget_amounts
        aside; /* of what the claim holds: for the reference, which is asked if a cascade's is not kept */
    struct budget_info standing[BUDGET_UNITS]; /* of the tightest accounts, once the claim has ended */
    /* Of the plan that serves: */
    int64_t cap;           /* tokens, sent upstream; -1: the request's own, or none */
    int64_t input_tokens;  /* that are reserved */
    int64_t input_most;    /* that the request can come to */
    int64_t output_tokens; /* likewise reserved, of all answers together */
    int64_t output_most;   /* that the attempt can make; INT64_MAX: nothing says */
    unsigned transforms;   /* bits of enum transform */
    /* The stream's text is held against what is reserved (ceiling.h): */
    bool metered;
    bool tranches;          /* at first only a part is reserved, and more when it comes near */
    double tokens_per_byte; /* of that text, by which it is */
    double surely_per_byte; /* the fewest that it can be taken for */
    int64_t lag_tokens;     /* that may be on their way when the stream is ended */
    /* Of the last plan that was refused: */
    bool refused, unbounded;
    struct budget_amounts wanted;
    struct budget_obstacle obstacle;
    const char *why;
};

/* When the route is known: which budgets apply. */
void reserve_begin(struct exchange *exchange);

/* Reserves an attempt by this plan, in place of what was reserved. False: over budget. The plan is marked so; with
 * `on_exceed: degrade`, so are those that are not cheaper than the reference. */
bool reserve_plan(struct exchange *exchange, struct plan *plan);

/* All plans may be tried again: there may be room meanwhile. */
void reserve_again(struct exchange *exchange);

/* Ends the exchange if it is a budget that leaves no plan: 402 where money or what cannot be bounded is the reason, 429
 * for tokens and requests. False: it is not. */
bool reserve_refuses(struct exchange *exchange);

/* How the request differs for the plan that serves. */
/* The member that caps the output in the API in which exchange->plan's backend is asked. */
const char *reserve_cap_name(const struct exchange *exchange);

struct request_change reserve_change(const struct exchange *exchange);

/* Tokens that are reserved for the present attempt; 0 if no budget applies. */
int64_t reserve_tokens(const struct exchange *exchange);

/* The present attempt has ended and did use and cost this. Adds to exchange->counted what budgets count of it, also where
 * there are none: the ledger keeps it, so that a budget that comes later, or a new process, knows what was spent. What
 * is not known counts as it was expected. What a cascade set aside for the reference stays reserved until the next plan
 * reserves, or all is released. */
void reserve_post(struct exchange *exchange, const struct usage *usage, usd cost);

/* Nothing more will be sent. */
void reserve_release(struct exchange *exchange);

/* Sets what the present attempt reserves for output. False: the budgets do not take it. */
bool reserve_output(struct exchange *exchange, int64_t tokens);

/* Output tokens that the budgets would take for the present attempt, those that it holds included. */
int64_t reserve_output_room(struct exchange *exchange);

/* The budget that stands in the way, for a person: "the budget of key web, $50/day, ...". In the exchange's arena. */
const char *reserve_words(struct exchange *exchange);

/* The tightest account of a unit, as it is, or as it was when the reservation was released. False: there is none. */
bool reserve_tightest(struct exchange *exchange, enum budget_unit unit, struct budget_info *out);

/* What the request's row says of how it was changed: bits of enum transform. */
unsigned reserve_transforms(const struct exchange *exchange);

#endif
