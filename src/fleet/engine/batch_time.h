/* How long a call for a batch of b inputs takes at a target, T(b) = a + s b, fitted by recursive least squares that forget
 * (L. Ljung, System Identification, 1999, section 11.2), and what follows from it: how large a batch may get, and whether
 * it pays to wait for one more. No clock, no lock: it is its owner's (experience.h), who has both. */
#ifndef FLEET_BATCH_TIME_H
#define FLEET_BATCH_TIME_H

#include <stdbool.h>

#include "base/timers.h"
#include "fleet/latency.h"

struct batch_time {
    double a_ms, s_ms;                  /* as fitted; may be below 0 where noise is all there is: read batch_time_fit */
    double aa, as, ss;                  /* covariance of the two, up to the noise's variance */
    double mean_inputs, mean_ms;        /* of lately */
    struct latency overruns;            /* measured / expected, 1 counting as a second */
    double most;                        /* inputs in a batch, as limits that were broken or kept say; 0: nothing yet */
    double mean_requests, mean_held_us; /* requests in a call, and how long each was held for it; of lately */
    double crowding; /* how many times longer calls take that are sent while another is under way; 0: not known */
    unsigned learned;
};

/* a and s, none below 0. False: too little was seen. */
struct batch_fit {
    double a_us, s_us;
};
bool batch_time_fit(const struct batch_time *time, struct batch_fit *out);

/* A call for so many inputs took so long; `crowded`: it was sent while another was under way. */
void batch_time_learn(struct batch_time *time, size_t inputs, usec took_us, bool crowded);

/* Whether it takes calls one by one, as far as is known: what is sent while another is under way only waits there. */
bool batch_time_is_serial(const struct batch_time *time);

/* How many requests one call answered, and how long each was held for it on average. */
void batch_time_learn_held(struct batch_time *time, size_t requests, usec held_us);

/* Requests were answered within their limits, or one was not: a tenth fewer inputs at most, or one more, up to `most`. */
void batch_time_adapt(struct batch_time *time, bool kept, size_t most);

/* What 99 of 100 calls for so many inputs take no longer than; 0: too little was seen. */
usec batch_time_bound_us(const struct batch_time *time, size_t inputs);

/* The largest batch, at least 1 and at most `most`, whose answer comes within left_us (USEC_NEVER: whenever). */
size_t batch_time_largest(const struct batch_time *time, usec left_us, size_t most);

/* How long waiting for one more request pays, where `waiting` of them wait and the next is to be expected in gap_us: all
 * of them wait that long (k gap), and together save the part of `a` that one more takes over, a k / (k + 1). 0: it does
 * not pay. USEC_NEVER: too little was seen to tell. */
usec batch_time_patience_us(const struct batch_time *time, size_t waiting, double gap_us);

#endif
