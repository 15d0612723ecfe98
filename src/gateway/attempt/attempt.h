/* Attempts: from the credential to the first byte that is worth giving to the client, or to the next plan. And the moves
 * of the exchange that they make. */
#ifndef GATEWAY_ATTEMPT_H
#define GATEWAY_ATTEMPT_H

#include "gateway/exchange.h"

/* What happens to an exchange; exchange.c has the table of what then follows. */
enum exchange_event {
    BODY_READ,
    BODY_PARSED,
    BODY_INVALID,
    KEY_READY,
    PLANS_READY,
    PLAN_CHOSEN,
    PLANS_REST,
    REST_OVER,
    NOTHING_FITS,
    ANSWER_KEPT,
    FIRST_BYTE,
    ATTEMPT_FAILED,
    ATTEMPTS_SPENT,
    ANSWER_COMPLETE,
    ANSWER_CUT,
    CLIENT_GONE,
    PARTS,     /* it is done with a shared flight that is not over */
    BILL_HERE, /* and now it is */
    LAST_HOLD_DROPPED
};

void exchange_move(struct exchange *exchange, enum exchange_event event);

/* Moves, having said why the request is not served; `why` stays valid as long as the exchange. */
void exchange_give_up(struct exchange *exchange, enum exchange_event event, enum ending ending, enum error_kind kind,
                      const char *why);

/* What to do next: the plan to serve by; or NULL, and *wait_us how long to wait for a backend that rests, 0 if there is
 * nothing to wait for. Marks every plan of `plans` with its verdict. */
struct plan *attempt_next(struct exchange *exchange, struct plans *plans, usec *wait_us);

/* Starts the wait of exchange->wait_us; then REST_OVER. */
void attempt_wait(struct exchange *exchange);

/* Says why nothing is left that could serve, and moves. */
void attempt_none_left(struct exchange *exchange);

/* The attempt brought nothing that serves, and nothing of it has gone to the client: it is booked, and the plans are weighed
 * again, beyond the budget of attempts. For a lever whose call was not what the client asked for. */
void attempt_again(struct exchange *exchange, const char *why);

/* Something came from the flight: as a cursor's `wake`, and for the exchange. */
void exchange_wake(struct cursor *cursor);
void exchange_progress(struct exchange *exchange);

/* Whether it is time to answer with what the flight has brought. */
bool attempt_is_ready(const struct exchange *exchange);

/* The same while no byte has gone to the client: it may be time to answer, or to try elsewhere. */
void attempt_progress(struct exchange *exchange);

#endif
