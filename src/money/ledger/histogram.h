/* How often which duration was seen: buckets that grow with the value, 16 to each power of two, so that a quantile is off
 * by at most 1/32 of itself. They add up exactly, whatever the order. (HdrHistogram's layout.) */
#ifndef MONEY_HISTOGRAM_H
#define MONEY_HISTOGRAM_H

#include <stdint.h>

#include "money/wire.h"

enum {
    HISTOGRAM_SUB_BITS = 4,
    HISTOGRAM_SUB = 1 << HISTOGRAM_SUB_BITS,
    HISTOGRAM_TOP_BITS = 33, /* 2^33 us, above two hours: all beyond is counted in the last bucket */
    HISTOGRAM_BUCKETS = (HISTOGRAM_TOP_BITS - HISTOGRAM_SUB_BITS + 1) * HISTOGRAM_SUB,
    HISTOGRAM_BYTES_MOST = 5 + HISTOGRAM_BUCKETS * 7
};

struct histogram {
    uint32_t counts[HISTOGRAM_BUCKETS];
};

void histogram_count(struct histogram *histogram, int64_t value); /* negative counts as 0 */
void histogram_add(struct histogram *to, const struct histogram *from);
uint64_t histogram_total(const struct histogram *histogram);

/* The value below which `share` (0 to 1) of what was seen lies, within its bucket by proportion; -1 if nothing was. */
double histogram_quantile(const struct histogram *histogram, double share);

unsigned char *histogram_put(unsigned char *at, const struct histogram *histogram);
void histogram_take(struct wire_reader *in, struct histogram *out);

#endif
