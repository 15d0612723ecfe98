/* Counters, one set per worker so that none waits for another; read from any thread. */
#ifndef GATEWAY_COUNTERS_H
#define GATEWAY_COUNTERS_H

#include <stdatomic.h>

#include "base/buffer.h"

enum counter {
#define COUNTER(id, name, labels, help) id,
#include "gateway/running/counters.def"
#undef COUNTER
    COUNTER_COUNT
};

struct counters {
    _Atomic int64_t values[COUNTER_COUNT];
};

/* Only the owning worker counts, so no locked instruction is needed. */
static inline void
count(struct counters *counters, enum counter which, int64_t by)
{
    int64_t now = atomic_load_explicit(&counters->values[which], memory_order_relaxed);

    atomic_store_explicit(&counters->values[which], now + by, memory_order_relaxed);
}

static inline int64_t
counter_read(const struct counters *counters, enum counter which)
{
    return atomic_load_explicit(&counters->values[which], memory_order_relaxed);
}

/* The sums over all sets as a metrics page (Prometheus text format 0.0.4). */
void counters_print(const struct counters *const *sets, size_t set_count, struct buffer *out);

#endif
