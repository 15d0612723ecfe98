/* Long streams against their reservation. While a stream goes on, the text that came is held against what is reserved;
 * before it is outrun, more is reserved. A stream for which the budgets have no more is ended as its own API would end it
 * at a cap on output; its backend is closed at once, and what it said so far is booked. */
#ifndef GATEWAY_CEILING_H
#define GATEWAY_CEILING_H

#include "gateway/exchange.h"

/* The flight that was opened will be watched, if need be. */
void ceiling_watch(struct exchange *exchange, struct flight *flight);

/* Something came: reserves more when it is time to; true if there is no more, and the stream must end here. */
bool ceiling_reached(struct exchange *exchange);

/* Closes the backend and books, unless others read its answer too. What came before is still the client's. */
void ceiling_end(struct exchange *exchange);

/* The events that end the stream, into exchange->pending. */
void ceiling_say_end(struct exchange *exchange);

#endif
