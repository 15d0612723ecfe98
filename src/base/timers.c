#include "base/timers.h"

#include <stdlib.h>

void
timers_init(struct timers *timers)
{
    *timers = (struct timers){0};
}

void
timers_free(struct timers *timers)
{
    free(timers->heap);
    timers_init(timers);
}

static bool
before(const struct timer *a, const struct timer *b)
{
    return a->key < b->key || (a->key == b->key && a->order < b->order);
}

static void
put(struct timers *timers, size_t index, struct timer *timer)
{
    timers->heap[index] = timer;
    timer->place = index + 1;
}

static void
sift_up(struct timers *timers, size_t index)
{
    struct timer *timer = timers->heap[index];

    while (index > 0) {
        size_t parent = (index - 1) / 2;

        if (!before(timer, timers->heap[parent]))
            break;
        put(timers, index, timers->heap[parent]);
        index = parent;
    }
    put(timers, index, timer);
}

static void
sift_down(struct timers *timers, size_t index)
{
    struct timer *timer = timers->heap[index];

    for (;;) {
        size_t child = 2 * index + 1;

        if (child >= timers->count)
            break;
        if (child + 1 < timers->count && before(timers->heap[child + 1], timers->heap[child]))
            child++;
        if (!before(timers->heap[child], timer))
            break;
        put(timers, index, timers->heap[child]);
        index = child;
    }
    put(timers, index, timer);
}

/* Sorts a timer in by when it shall fire. */
static void
move(struct timers *timers, struct timer *timer)
{
    timer->key = timer->at;
    timer->order = timer->started;
    sift_up(timers, timer->place - 1);
    sift_down(timers, timer->place - 1);
}

void
timers_start(struct timers *timers, struct timer *timer, usec at)
{
    ENSURE(timer->fire != NULL);
    timer->at = at;
    timer->started = ++timers->orders;
    if (timer_running(timer)) {
        if (at <= timer->key)
            move(timers, timer);
        return; /* one that is moved later is put right when it comes up */
    }
    if (timers->count == timers->size) {
        timers->size = timers->size != 0 ? timers->size * 2 : 64;
        timers->heap = must_realloc(timers->heap, timers->size * sizeof(struct timer *));
    }
    put(timers, timers->count++, timer);
    move(timers, timer);
}

void
timers_stop(struct timers *timers, struct timer *timer)
{
    size_t index;
    struct timer *last;

    if (!timer_running(timer))
        return;
    index = timer->place - 1;
    ENSURE(index < timers->count && timers->heap[index] == timer);
    timer->place = 0;
    last = timers->heap[--timers->count];
    if (last == timer)
        return;
    put(timers, index, last);
    sift_up(timers, index);
    sift_down(timers, last->place - 1);
}

usec
timers_next(const struct timers *timers)
{
    return timers->count != 0 ? timers->heap[0]->key : USEC_NEVER;
}

bool
timers_fire_one(struct timers *timers, usec now)
{
    while (timers->count != 0 && timers->heap[0]->key <= now) {
        struct timer *timer = timers->heap[0];

        if (timer->at > timer->key) {
            move(timers, timer);
            continue;
        }
        timers_stop(timers, timer);
        timer->fire(timer);
        return true;
    }
    return false;
}
