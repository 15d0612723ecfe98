/* How soon evidence (quality/evidence.h) suspends a lever whose answers have become worse, and how rarely without that: many
 * histories, each by its own seed. A history is audited from the beginning until the lever serves everything, then for a
 * while longer, and then the change comes. */
#ifndef CMD_EVAL_DRIFT_H
#define CMD_EVAL_DRIFT_H

#include <stddef.h>

#include "quality/evidence.h"

/* What audits find: one of these outcomes, any of them with the same chance; or, without any, 1 with a chance and else 0. */
struct drift_source {
    const float *outcomes;
    size_t count;
    double chance;
};

double drift_source_mean(const struct drift_source *source);

struct drift_wanted {
    uint32_t floor_ppm, alpha_ppm;
    struct drift_source before, after;
    unsigned age;  /* audits from the moment that it serves until the change */
    unsigned most; /* audits after the change that are watched */
    unsigned histories;
    uint64_t seed;
};

struct drift_summary {
    unsigned histories;
    unsigned
        never_served;   /* histories that earned nothing before the change could come: they are in none of the rest */
    unsigned early;     /* suspended before the change: false alarms, after which they earned anew */
    unsigned suspended; /* after it, within `most` audits */
    double median, p95; /* audits from the change to the suspension; INFINITY: not within `most` */
    unsigned
        relearned; /* median of good audits until the lever serves again, after the suspension; 0: none suspended */
};

struct drift_summary drift_play(const struct drift_wanted *wanted);

#endif
