/* How long what is known of a place stays. Where replicas come and go (config/found.h) there are ever new names, and what is
 * kept by name, for all workers, would grow without an end. A place is gone when the newest configuration does not name it; what is known of
 * it stays for a while after that, so that one that comes back is known again and its counters are read to their end, and then
 * it is forgotten, unless somebody still uses it.
 *
 * Under the lock of the table that the value stands in. */
#ifndef FLEET_TENURE_H
#define FLEET_TENURE_H

#include "base/map.h"
#include "base/timers.h"

/* Prometheus takes a series for gone after five minutes: by then it has seen the last of it. */
#define TENURE_KEPT_US (600 * USEC_PER_S)

/* Of those that are gone; the longest gone are forgotten sooner. */
enum { TENURE_GONE_MOST = 1024 };

/* The name under which counters of what was forgotten go on, all together. */
#define TENURE_FORGOTTEN "(gone)"

/* Part of a value. Zeroed: named, and held by nobody. */
struct tenure {
    unsigned holders; /* they use it beyond the lock */
    uint64_t sweep;   /* the number of the one that named it last */
    usec gone_us;     /* since when a sweep has not; 0: it does */
};

typedef struct tenure *tenure_of(void *value);

/* Whether it may be forgotten now; NULL: it may. */
typedef bool tenure_may_end(void *value);

/* All that this sweep has named have `tenure.sweep` set to its number, which is another each time. Takes out of the map what is to be
 * forgotten: returns how many, in an array that is the caller's to free. */
size_t tenures_end(struct map *map, tenure_of *of, tenure_may_end *may_end, uint64_t sweep, usec now_us, void ***ended);

#endif
