/* Requests for backends that do not speak their API: put in another's words (dialect/translate/translate.h) once for each API, or
 * found to have no place there, which is why a plan then cannot serve. What a backend answers is put back by its flight
 * (flight_translate.c), so that all that reads answers knows the client's API only. */
#ifndef GATEWAY_CROSS_H
#define GATEWAY_CROSS_H

#include "gateway/exchange.h"

/* Says of every plan in which API its backend is asked, and how. */
void cross_survey(struct exchange *exchange);

/* Whether a backend of the configuration would have to be asked in another API. */
bool cross_may_be(const struct exchange *exchange);

/* Translates what those may want whom its route names, or the one that is asked for its model, and reads the beginnings of
 * the prompts that come of it; off the loop: for bodies that are long. Reads no header. */
void cross_ahead(struct exchange *exchange);

/* No further attempt is possible: what was translated is let go. */
void cross_release(struct exchange *exchange);

/* What stands before the members that were translated, for exchange->plan: the brace, the model and the cap, a comma. In the
 * arena. */
struct slice cross_head(struct exchange *exchange, const struct request_change *change);

/* Whether a client's header goes on to a backend of another API. */
bool cross_header_goes_up(struct slice name);

#endif
