/* Counts of nanosecond values in buckets that are at most 0.4 % wide (the idea of HdrHistogram: powers of two, each cut
 * into equal parts). Recording costs a few instructions, whatever the range. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

enum {
    HISTOGRAM_BITS = 9,                          /* the leading bits of a value that tell it from others */
    HISTOGRAM_PARTS = 1 << (HISTOGRAM_BITS - 1), /* of each power of two */
    HISTOGRAM_BUCKETS = (64 - HISTOGRAM_BITS + 2) * HISTOGRAM_PARTS
};

/* All zero: empty. */
struct histogram {
    uint64_t count, sum, max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t value);

/* The value below or at which `share` (0 to 1) of all values lie, to the width of a bucket; 0 if there are none. */
uint64_t histogram_at(const struct histogram *histogram, double share);

/* 0 if there are none. */
double histogram_mean(const struct histogram *histogram);

#endif
