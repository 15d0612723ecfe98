#include "money/ledger/histogram.h"

static unsigned
bucket_of(uint64_t value)
{
    unsigned bits, shift;

    if (value < HISTOGRAM_SUB)
        return (unsigned)value;
    bits = 64 - (unsigned)__builtin_clzll(value);
    if (bits > HISTOGRAM_TOP_BITS)
        return HISTOGRAM_BUCKETS - 1;
    shift = bits - HISTOGRAM_SUB_BITS - 1;
    return (shift + 1) * HISTOGRAM_SUB + (unsigned)(value >> shift) - HISTOGRAM_SUB;
}

/* The least value that is counted in this bucket. */
static uint64_t
bucket_start(unsigned bucket)
{
    unsigned shift;

    if (bucket < 2 * HISTOGRAM_SUB)
        return bucket;
    shift = bucket / HISTOGRAM_SUB - 1;
    return (uint64_t)(bucket % HISTOGRAM_SUB + HISTOGRAM_SUB) << shift;
}

static void
add_saturating(uint32_t *count, uint64_t more)
{
    uint64_t sum = *count + more;

    *count = sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
}

void
histogram_count(struct histogram *histogram, int64_t value)
{
    add_saturating(&histogram->counts[bucket_of(value > 0 ? (uint64_t)value : 0)], 1);
}

void
histogram_add(struct histogram *to, const struct histogram *from)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        add_saturating(&to->counts[i], from->counts[i]);
}

uint64_t
histogram_total(const struct histogram *histogram)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        total += histogram->counts[i];
    return total;
}

double
histogram_quantile(const struct histogram *histogram, double share)
{
    double wanted = share * (double)histogram_total(histogram);
    double seen = 0;
    unsigned last = HISTOGRAM_BUCKETS;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        double count = histogram->counts[i];
        double start = (double)bucket_start(i);

        if (count == 0)
            continue;
        last = i;
        if (seen + count >= wanted)
            return start + ((double)bucket_start(i + 1) - start) * (wanted - seen) / count;
        seen += count;
    }
    return last < HISTOGRAM_BUCKETS ? (double)bucket_start(last + 1) : -1;
}

unsigned char *
histogram_put(unsigned char *at, const struct histogram *histogram)
{
    unsigned used = 0, before = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        used += histogram->counts[i] != 0;
    at = wire_put(at, used);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (histogram->counts[i] == 0)
            continue;
        at = wire_put(at, i - before);
        at = wire_put(at, histogram->counts[i]);
        before = i;
    }
    return at;
}

void
histogram_take(struct wire_reader *in, struct histogram *out)
{
    uint64_t used = wire_take(in), bucket = 0;

    memset(out, 0, sizeof(*out));
    for (uint64_t i = 0; i < used && !in->bad; i++) {
        bucket += wire_take(in);
        if (bucket >= HISTOGRAM_BUCKETS) {
            in->bad = true;
            return;
        }
        add_saturating(&out->counts[bucket], wire_take(in));
    }
}
