/* A distribution of times, in a few hundred bytes. */
#ifndef FLEET_LATENCY_H
#define FLEET_LATENCY_H

#include "base/timers.h"

/* Logarithmic classes, four to the doubling (19 % wide), from 1 ms to over an hour. Old samples fade: all counts are
 * halved when their sum reaches FADE_AT. */
enum { LATENCY_CLASSES = 96, LATENCY_FADE_AT = 4096 };

struct latency {
    uint16_t counts[LATENCY_CLASSES];
    unsigned sum;
};

void latency_add(struct latency *latency, usec span_us);

/* The upper end of the class that holds this share (ppm) of the samples; 0 while there are none. */
usec latency_quantile(const struct latency *latency, unsigned share_ppm);

#endif
