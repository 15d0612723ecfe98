/* How busy replicas were over the last minute and the last hour: sums as they stood every five seconds and every minute, of
 * which a window is a difference. One thread's (the first worker's); a few kilobytes a replica. */
#ifndef FLEET_UTILISATION_H
#define FLEET_UTILISATION_H

#include "fleet/dispatch/replica.h"

#define UTILISATION_EVERY_US (5 * USEC_PER_S)

enum { UTILISATION_STEPS = 13, UTILISATION_MINUTES = 61 };

struct utilisation;

struct utilisation *utilisation_new(void) __attribute__((returns_nonnull));
void utilisation_free(struct utilisation *utilisation);

/* Writes down how all of them stand: to be called every UTILISATION_EVERY_US. */
void utilisation_sample(struct utilisation *utilisation, struct replicas *replicas, usec now_us);

/* Means over a window that ends now; what is there of it, where it is younger. */
struct utilisation_window {
    double seconds;                     /* how long it is; 0: nothing is known yet, and all below is 0 */
    double busy;                        /* share of the time in which anything was there */
    double requests;                    /* in flight, in the mean */
    double batch;                       /* sequences decoding while it was busy; 0 where that is not followed */
    double context_tokens;              /* likewise, which the cache held for us */
    double input_tokens, output_tokens; /* a second, of answers that ended within it */
};

struct utilisation_view {
    struct replica_look look; /* now */
    struct utilisation_window minute, hour;
    float busy[UTILISATION_MINUTES - 1]; /* by minute, the newest at the end; below 0: not known */
};

void utilisation_look(struct utilisation *utilisation, struct replica *replica, usec now_us,
                      struct utilisation_view *out);

#endif
