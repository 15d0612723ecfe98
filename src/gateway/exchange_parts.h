/* What the files of an exchange know of each other: exchange.c (the story), exchange_leave.c (clients who leave),
 * exchange_upload.c (pass-through). */
#ifndef GATEWAY_EXCHANGE_PARTS_H
#define GATEWAY_EXCHANGE_PARTS_H

#include "gateway/attempt/attempt.h"

/* Every way to an end comes through here, once. */
void exchange_settle(struct exchange *exchange);

/* The client is done with: nothing may be said to it any more. */
void exchange_let_client_go(struct exchange *exchange, void (*how)(struct client *));

/* What the table of moves calls for clients who leave. */
void exchange_part(struct exchange *exchange);
void exchange_pay(struct exchange *exchange);
void exchange_abandon(struct exchange *exchange);

/* Something came for an exchange without a client: others read it. */
void exchange_lead_on(struct exchange *exchange);

/* Of an asker: its client is gone; a piece of a pass-through's body. */
void exchange_take_gone(struct asker *asker);
void exchange_take_body(struct asker *asker, struct slice piece, bool last);

#endif
