/* Waiting in front of a backend (fleet/admission/admission.h). An attempt that makes a call asks for a place when its plan serves, and
 * waits in line for it where the backend's engines have enough to do. The flight takes the place with it and gives it back
 * when its call is over, in every ending; who leaves the line before is forgotten.
 *
 * A plan whose backend would bring the first token too late counts as away, as one at rest does: another may serve, and if
 * none can, the client is told at once, and when it would have been in time. Who only observes waits for nothing. */
#ifndef GATEWAY_ADMIT_H
#define GATEWAY_ADMIT_H

#include "gateway/exchange.h"

/* Reads x-equipoise-deadline: "800ms", "2s", from the request's arrival to the end of its answer. False: it is no duration,
 * and *why says so, for the client. */
bool admit_read_deadline(struct exchange *exchange, const char **why);

/* Who has to wait for the plan's engines waits here, not at one of them. */
bool admit_holds_the_line(const struct exchange *exchange, const struct plan *plan);

/* After reach_survey: which plans are away for their backend's line, and how long others would wait. */
void admit_survey(struct exchange *exchange, struct plans *plans);

/* exchange->plan is about to serve. True: it may. False: it waits, and exchange_admitted follows; or it was refused, and the
 * plans were weighed again. */
bool admit_ask(struct exchange *exchange);

/* An engine of the backend has told anew what others have there. On the first worker. */
void admit_told(struct gateway_worker *worker, const struct backend_config *backend);

/* The flight has the exchange's place from now on, if there is one. */
void admit_hand_over(struct exchange *exchange, struct flight *flight);

/* The exchange waits no more and has no place; fine if it has none. */
void admit_forget(struct exchange *exchange);

/* Of a flight: its answer has begun; it is over. Fine if it has no place. */
void admit_begun(struct flight *flight);
void admit_over(struct flight *flight);

#endif
