/* What engines of one's own cost by the hour, busy or not, and what of it is whose.
 *
 * A backend's replicas are paid for as long as they run: the gateway writes down stretches of that time (JOURNAL_RENT), the
 * ledger sums them by hour and backend, in pico-dollars times microseconds an hour, so that nothing is rounded before a
 * report divides: n replicas for whole hours come to n times the price times the hours, exactly. A request's cost is its
 * share of the time in which the engine was busy (fleet/engine/engine_track.h). What is paid less all rows' cost there is idle. */
#ifndef MONEY_RENT_H
#define MONEY_RENT_H

#include "base/buffer.h"
#include "money/usd.h"

/* Replicas of a backend from one moment to another. */
struct rent {
    int64_t from_wall_us, until_wall_us;
    struct slice backend, provider;
    bool modelled;
    int64_t replicas;
    usd usd_per_hour; /* of one */
};

/* What so many replicas cost in that time, in pico-dollars times microseconds an hour. */
wide_int rent_units(int64_t replicas, int64_t span_us, usd usd_per_hour);

/* As money, rounded down. */
wide_int rent_of_units(wide_int units);

/* What a stretch of one replica's time costs, rounded down; the time counts in whole nanoseconds. */
usd rent_of_time(usd usd_per_hour, double span_us);

#endif
