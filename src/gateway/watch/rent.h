/* Writes down, every few seconds, how busy replicas were (fleet/health/utilisation.h), and for how long the replicas of backends
 * with a price by the hour have been paid for (money/rent.h): those that the configuration names or has found, each from
 * when it was taken over with it to when it is gone from it. What is known of those that are gone is forgotten in its time
 * (fleet/health/tenure.h). On the first worker. What a gateway that was killed had not written, at most RENT_EVERY_US, is not booked,
 * nor is the time in which none runs: nobody knows then whether the replicas did. */
#ifndef GATEWAY_RENT_H
#define GATEWAY_RENT_H

#include "gateway/gateway.h"

#define RENT_EVERY_US (5 * USEC_PER_S) /* UTILISATION_EVERY_US too */

struct rent_keeper;

/* From now on they are paid for. */
struct rent_keeper *rent_keeper_start(struct gateway_worker *worker);

/* From now on this configuration says who is paid; what was until now is written down by the one before. NULL is fine. */
void rent_keeper_takes(struct rent_keeper *keeper, struct config *config);

/* Writes what is left, and ends. */
void rent_keeper_stop(struct rent_keeper *keeper);

#endif
