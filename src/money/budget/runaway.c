#include "money/budget/runaway.h"

#include <stdlib.h>

#include "base/status.h"

#define MINUTE_US (60 * USEC_PER_S)

enum { MINUTES_OF_HOUR = 60, HOURS_OF_DAY = 24 };

struct past_day {
    int64_t day; /* since the epoch */
    unsigned hours;
    usd dearest;
};

/* Invariant: `window` is the sum of `minutes`, which holds the RUNAWAY_MINUTES up to `minute`, each at its number modulo
 * their count; hour_spent is of the hour of `minute`. */
struct runaway_key {
    int64_t minute; /* the newest, since the epoch */
    usd minutes[RUNAWAY_MINUTES];
    wide_int window;
    usd hour_spent;
    struct past_day days[RUNAWAY_DAYS]; /* by day modulo their count */
    usd dearest;                        /* of all days that still count, as of `minute` */
    unsigned hours;
};

void
runaways_init(struct runaways *runaways)
{
    lock_init(&runaways->lock);
    map_init(&runaways->by_key);
}

void
runaways_free(struct runaways *runaways)
{
    struct slice key;
    void *value;
    size_t at = 0;

    while (map_next(&runaways->by_key, &at, &key, &value))
        free(value);
    map_free(&runaways->by_key);
    lock_destroy(&runaways->lock);
}

static usd
narrow(wide_int amount)
{
    return amount > INT64_MAX ? INT64_MAX : (usd)amount;
}

static void
look_back(struct runaway_key *key)
{
    int64_t today = key->minute / (MINUTES_OF_HOUR * HOURS_OF_DAY);

    key->dearest = 0;
    key->hours = 0;
    for (unsigned i = 0; i < RUNAWAY_DAYS; i++) {
        const struct past_day *day = &key->days[i];

        if (day->hours == 0 || day->day <= today - RUNAWAY_DAYS)
            continue;
        key->hours += day->hours;
        key->dearest = day->dearest > key->dearest ? day->dearest : key->dearest;
    }
}

/* The hour of `minute` is over. */
static void
end_hour(struct runaway_key *key)
{
    int64_t number = key->minute / (MINUTES_OF_HOUR * HOURS_OF_DAY);
    struct past_day *day = &key->days[number % RUNAWAY_DAYS];
    usd most = key->dearest > INT64_MAX / 2 ? INT64_MAX : 2 * key->dearest;
    usd spent = key->hour_spent;

    key->hour_spent = 0;
    if (spent == 0)
        return;
    if (key->hours >= RUNAWAY_HOURS_LEAST && spent > most)
        spent = most;
    if (day->day != number)
        *day = (struct past_day){.day = number};
    day->hours++;
    day->dearest = spent > day->dearest ? spent : day->dearest;
}

/* Up to this minute. A clock that went back a little changes nothing; one that went back further starts the window
 * anew, or it would never end. */
static void
move_to(struct runaway_key *key, int64_t minute)
{
    if (minute < key->minute - RUNAWAY_MINUTES) {
        memset(key->minutes, 0, sizeof(key->minutes));
        key->window = key->hour_spent = 0;
        key->minute = minute;
    }
    if (minute <= key->minute)
        return;
    if (minute / MINUTES_OF_HOUR != key->minute / MINUTES_OF_HOUR)
        end_hour(key);
    for (unsigned i = 0; i < RUNAWAY_MINUTES && key->minute < minute; i++) {
        usd *oldest = &key->minutes[++key->minute % RUNAWAY_MINUTES];

        key->window -= *oldest;
        *oldest = 0;
    }
    key->minute = minute;
    look_back(key);
}

static struct runaway_key *
key_of(struct runaways *runaways, struct slice name, int64_t minute)
{
    struct runaway_key *key = map_get(&runaways->by_key, name);

    if (key == NULL) {
        key = must_calloc(1, sizeof(*key));
        key->minute = minute;
        map_put(&runaways->by_key, name, key);
    }
    move_to(key, minute);
    return key;
}

static void
spend(struct runaway_key *key, usd spent)
{
    usd *minute = &key->minutes[key->minute % RUNAWAY_MINUTES];
    usd before = *minute;

    *minute = narrow((wide_int)*minute + spent);
    key->window += *minute - before;
    key->hour_spent = narrow((wide_int)key->hour_spent + spent);
}

static bool
runs_away(const struct runaway_key *key, unsigned times, usd at_least)
{
    return times > 0 && key->hours >= RUNAWAY_HOURS_LEAST && key->window >= at_least &&
           key->window > (wide_int)key->dearest * times;
}

bool
runaways_add(struct runaways *runaways, struct slice name, usd spent, usec wall_us, unsigned times, usd at_least,
             struct runaway *out)
{
    struct runaway_key *key;
    bool away;

    ENSURE(spent >= 0 && wall_us >= 0);
    lock_take(&runaways->lock);
    key = key_of(runaways, name, wall_us / MINUTE_US);
    spend(key, spent);
    away = runs_away(key, times, at_least);
    *out = (struct runaway){narrow(key->window), key->dearest, key->hours};
    lock_drop(&runaways->lock);
    return away;
}

void
runaways_recall(struct runaways *runaways, struct slice name, usec hour_wall_us, usd spent)
{
    ENSURE(spent >= 0 && hour_wall_us >= 0);
    lock_take(&runaways->lock);
    spend(key_of(runaways, name, hour_wall_us / MINUTE_US), spent);
    lock_drop(&runaways->lock);
}
