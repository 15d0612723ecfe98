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
    PLAN_CHOSEN,
    NOTHING_FITS,
    FIRST_BYTE,
    ATTEMPT_FAILED,
    ATTEMPTS_SPENT,
    ANSWER_COMPLETE,
    ANSWER_CUT,
    CLIENT_GONE,
    LAST_HOLD_DROPPED
};

void exchange_move(struct exchange *exchange, enum exchange_event event);

/* Moves, having said why the request is not served; `why` stays valid as long as the exchange. */
void exchange_give_up(struct exchange *exchange, enum exchange_event event, enum ending ending, enum error_kind kind,
                      const char *why);

/* Something came from the flight. */
void exchange_progress(struct exchange *exchange);

/* The same while no byte has gone to the client: it may be time to answer, or to try elsewhere. */
void attempt_progress(struct exchange *exchange);

#endif
