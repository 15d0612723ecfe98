#include "money/rent.h"

#include "base/timers.h"

static const wide_int HOUR_US = (wide_int)3600 * USEC_PER_S;
enum { NS_PER_US = 1000 };

/* Beyond this (three centuries) a time is no time. */
static const double SPAN_US_MOST = 9e15;

wide_int
rent_units(int64_t replicas, int64_t span_us, usd usd_per_hour)
{
    return (wide_int)replicas * span_us * usd_per_hour;
}

wide_int
rent_of_units(wide_int units)
{
    return units / HOUR_US;
}

usd
rent_of_time(usd usd_per_hour, double span_us)
{
    wide_int amount;

    if (!usd_known(usd_per_hour) || !(span_us >= 0) || span_us > SPAN_US_MOST)
        return USD_UNKNOWN;
    amount = (wide_int)(int64_t)(span_us * NS_PER_US) * usd_per_hour / (HOUR_US * NS_PER_US);
    return amount <= INT64_MAX ? (usd)amount : USD_UNKNOWN;
}
