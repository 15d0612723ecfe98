/* Whether a replica answers questions for its health, asked at an interval: beside what requests themselves show
 * (health.h), which they go before. Every mark ends by itself some intervals after the last question: a place that is
 * asked no more is as if it had never been asked. Read by all workers without a lock; one worker asks. */
#ifndef FLEET_PULSE_H
#define FLEET_PULSE_H

#include <stdatomic.h>

#include "base/timers.h"

enum pulse_state {
    PULSE_UNKNOWN, /* not asked, or too long ago */
    PULSE_UP,
    PULSE_LOADING, /* it is there and loads its model */
    PULSE_DOWN     /* it does not answer, or says that it cannot serve */
};

/* "up", "loading". */
const char *pulse_state_name(enum pulse_state state);

/* Of a place that has answered, so many questions in a row must fail before it is taken for down: one may be lost. A
 * place that has never answered is not up. */
enum { PULSE_FAILURES = 2 };

/* A mark holds for so many intervals after the question that set it. */
enum { PULSE_INTERVALS = 3 };

/* Zeroed: never asked. */
struct pulse {
    atomic_uint state;      /* enum pulse_state */
    _Atomic usec until_us;  /* how long it holds */
    _Atomic usec worked_us; /* when a request was last answered there */
    unsigned failed;        /* questions in a row; the asker's */
};

enum pulse_state pulse_state(const struct pulse *pulse, usec now_us);

/* Until when a mark holds. */
usec pulse_until_us(const struct pulse *pulse);

/* What a question came to. */
enum pulse_answer {
    PULSE_GOOD,
    PULSE_NOT_YET, /* 503, as servers say it that load */
    PULSE_BAD      /* no answer, or an error */
};

/* `asked_us`: when it was sent; the next follows `every_us` later. True if the state is another than before. */
bool pulse_told(struct pulse *pulse, enum pulse_answer answer, usec asked_us, usec now_us, usec every_us);

/* A request was answered there: whatever questions say, it serves. */
void pulse_worked(struct pulse *pulse, usec now_us);

#endif
