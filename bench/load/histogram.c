#include "load/histogram.h"

#include <math.h>

/* Values of at most HISTOGRAM_BITS bits have a bucket each; above, their highest HISTOGRAM_BITS bits choose. */
static unsigned
bucket_of(uint64_t value)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(value | 1), shift;

    if (bits <= HISTOGRAM_BITS)
        return (unsigned)value;
    shift = bits - HISTOGRAM_BITS;
    return shift * HISTOGRAM_PARTS + (unsigned)(value >> shift);
}

/* The middle of a bucket. */
static uint64_t
value_of(unsigned bucket)
{
    unsigned shift;
    uint64_t low;

    if (bucket < 2 * HISTOGRAM_PARTS)
        return bucket;
    shift = bucket / HISTOGRAM_PARTS - 1;
    low = (uint64_t)(bucket - shift * HISTOGRAM_PARTS) << shift;
    return low + ((UINT64_C(1) << shift) - 1) / 2;
}

void
histogram_add(struct histogram *histogram, uint64_t value)
{
    histogram->buckets[bucket_of(value)]++;
    histogram->count++;
    histogram->sum += value;
    if (value > histogram->max)
        histogram->max = value;
}

uint64_t
histogram_at(const struct histogram *histogram, double share)
{
    uint64_t rank = (uint64_t)ceil(share * (double)histogram->count), seen = 0;

    if (histogram->count == 0)
        return 0;
    for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        seen += histogram->buckets[bucket];
        if (seen >= rank && seen > 0) {
            uint64_t value = value_of(bucket);
            return value < histogram->max ? value : histogram->max;
        }
    }
    return histogram->max;
}

double
histogram_mean(const struct histogram *histogram)
{
    return histogram->count == 0 ? 0 : (double)histogram->sum / (double)histogram->count;
}
