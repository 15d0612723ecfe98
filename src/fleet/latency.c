#include "fleet/latency.h"

#include <math.h>

enum { CLASSES_PER_DOUBLING = 4 };

static unsigned
class_of(usec span_us)
{
    double ms = (double)span_us / (double)USEC_PER_MS;
    double place = ms > 1.0 ? ceil(log2(ms) * CLASSES_PER_DOUBLING) : 0.0;

    return place < LATENCY_CLASSES ? (unsigned)place : LATENCY_CLASSES - 1;
}

void
latency_add(struct latency *latency, usec span_us)
{
    latency->counts[class_of(span_us)]++;
    if (++latency->sum < LATENCY_FADE_AT)
        return;
    latency->sum = 0;
    for (unsigned i = 0; i < LATENCY_CLASSES; i++) {
        latency->counts[i] /= 2;
        latency->sum += latency->counts[i];
    }
}

usec
latency_quantile(const struct latency *latency, unsigned share_ppm)
{
    uint64_t want = ((uint64_t)latency->sum * share_ppm + 999999) / 1000000, seen = 0;

    for (unsigned i = 0; i < LATENCY_CLASSES; i++) {
        seen += latency->counts[i];
        if (seen >= want && seen > 0)
            return (usec)(exp2((double)i / CLASSES_PER_DOUBLING) * (double)USEC_PER_MS);
    }
    return 0;
}
