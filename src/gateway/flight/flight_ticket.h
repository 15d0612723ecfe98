/* A flight's ticket at its replica (fleet/dispatch/replica.h): taken when the call is opened, told what the answer brings, given
 * back when the flight's state says that it is over. The pool that the engine belongs to hears of both, for the number of
 * replicas that it needs (fleet/capacity/pool_size.h). */
#ifndef GATEWAY_FLIGHT_TICKET_H
#define GATEWAY_FLIGHT_TICKET_H

#include "gateway/flight/flight.h"

void flight_ticket_take(struct flight *flight, struct replica *replica, const struct replica_wish *wish,
                        double bytes_per_output_token);

/* A piece of the body came, and is metered as far as it can be. */
void flight_ticket_tell(struct flight *flight);

/* It is over, by flight->state. */
void flight_ticket_end(struct flight *flight);

#endif
