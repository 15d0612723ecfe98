/* Timers, soonest first: what both worlds keep their time with. A binary heap whose nodes know their place, so that
 * stopping is cheap; a timer that is moved later stays where it is and is put right when it comes up, so that
 * re-arming an idle timeout on every byte costs nothing.
 *
 * Invariant: heap[i]->place == i + 1; heap[i]->key <= heap[i]->at; parents' (key, order) are not above their children's. */
#ifndef BASE_TIMERS_H
#define BASE_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Microseconds, since an arbitrary start or as a span. */
typedef int64_t usec;

#define USEC_PER_MS ((usec)1000)
#define USEC_PER_S ((usec)1000000)
#define USEC_NEVER INT64_MAX

struct timer {
    void (*fire)(struct timer *timer); /* set by the owner; called once per start, the timer is stopped by then */
    usec at;                           /* when to fire */
    usec key;                          /* what the heap sorts by: at some time `at`, never later than it */
    uint64_t order;                    /* and, among equal keys, by this: `started` as it was when `key` was set */
    uint64_t started;                  /* equal times fire in the order of their last starts */
    size_t place;                      /* 1 + index in the heap; 0: not running */
};

struct timers {
    struct timer **heap;
    size_t count, size;
    uint64_t orders;
};

void timers_init(struct timers *timers);
void timers_free(struct timers *timers); /* the timers themselves belong to others */

/* (Re)arms for the time `at`. */
void timers_start(struct timers *timers, struct timer *timer, usec at);
void timers_stop(struct timers *timers, struct timer *timer); /* fine if not running */

/* When the next timer is due (USEC_NEVER: none). May be early, never late. */
usec timers_next(const struct timers *timers);

/* Fires the earliest timer due at or before `now`; false if none is. */
bool timers_fire_one(struct timers *timers, usec now);

static inline bool
timer_running(const struct timer *timer)
{
    return timer->place != 0;
}

#endif
