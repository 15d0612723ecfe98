/* Who reads a shared answer so slowly that it holds up others (beyond `limits: answer`, for as long as `limits: stall`) is
 * cut off: with an error event, if one fits and is taken within as long again. It pays nothing. The leader's call then
 * goes on for the others. */
#ifndef GATEWAY_STALL_H
#define GATEWAY_STALL_H

#include "gateway/exchange.h"

usec stall_limit_us(const struct exchange *exchange);

/* While its flight is paused: whether that stays so until it reads on. */
bool stall_holds_up(const struct exchange *exchange);

/* In EXCHANGE_ANSWERING. It may end with it: hold it. */
void stall_cut(struct exchange *exchange);

/* It was cut off, and has not taken its last event in time. */
void stall_give_up(struct exchange *exchange);

/* All that is left of the event that the client has the start of goes before anything that we say ourselves. */
void stall_end_event(struct exchange *exchange);

#endif
