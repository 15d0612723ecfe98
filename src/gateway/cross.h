/* Requests for backends that do not speak their API: put in another's words (dialect/translate.h) once for each API, or
 * found to have no place there, which is why a plan then cannot serve. What a backend answers is put back by its flight
 * (flight_translate.c), so that all that reads answers knows the client's API only. */
#ifndef GATEWAY_CROSS_H
#define GATEWAY_CROSS_H

#include "gateway/exchange.h"

/* Says of every plan in which API its backend is asked, and how. */
void cross_survey(struct exchange *exchange);

/* Whether a backend of the configuration would have to be asked in another API. */
bool cross_may_be(const struct exchange *exchange);

/* Translates what any backend of the configuration may want, off the loop: for bodies that are long. Reads no header. */
void cross_ahead(struct exchange *exchange);

/* No further attempt is possible: what was translated is let go. */
void cross_release(struct exchange *exchange);

/* The body as it is put for exchange->plan: two pieces. */
enum { CROSS_PARTS = 2 };
size_t cross_parts(struct exchange *exchange, struct body_part *out);

/* Whether a client's header goes on to a backend of another API. */
bool cross_header_goes_up(struct slice name);

#endif
