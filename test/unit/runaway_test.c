/* Runaway spend, on seeded series: no alarm while a key goes on as it did, hardly any by chance, and soon when it runs
 * away. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"
#include "base/status.h"
#include "money/budget/runaway.h"

#define MINUTE_US (60 * USEC_PER_S)
#define HOUR_US (60 * MINUTE_US)
#define DAY_US (24 * HOUR_US)
#define WEEK_US (7 * DAY_US)
#define START_US ((usec)1767225600 * USEC_PER_S)

#define WEB SLICE_LITERAL("web")

static const unsigned TIMES = 3;

struct series {
    struct runaways runaways;
    struct rng rng;
    struct runaway last;
};

static int
set_up(void **state)
{
    struct series *series = must_calloc(1, sizeof(*series));

    runaways_init(&series->runaways);
    rng_seed(&series->rng, 30);
    *state = series;
    return 0;
}

static int
tear_down(void **state)
{
    struct series *series = *state;

    runaways_free(&series->runaways);
    free(series);
    return 0;
}

static bool
spends(struct series *series, struct slice key, usec at_us, usd amount, unsigned times)
{
    return runaways_add(&series->runaways, key, amount, at_us, times, USD_ONE, &series->last);
}

/* `count` hours of a dollar a minute, from START_US on. */
static void
goes_on(struct series *series, unsigned count)
{
    for (unsigned minute = 0; minute < 60 * count; minute++)
        assert_false(spends(series, WEB, START_US + minute * MINUTE_US, USD_ONE, TIMES));
}

/* Bursts and pauses of all kinds, the same every week: with a factor of 2 nothing is ever said from the second week on,
 * wherever in an hour they start. */
static void
what_repeats_never_runs_away(void **state)
{
    struct series *series = *state;

    for (unsigned seed = 0; seed < 40; seed++) {
        struct slice key = {(const char[]){(char)('a' + seed)}, 1};
        usd plan[7 * 24 * 4] = {0}; /* by quarters of an hour */
        size_t quarters = sizeof(plan) / sizeof(plan[0]);
        usec shift_us = (usec)rng_below(&series->rng, (uint64_t)HOUR_US);

        for (size_t i = 0; i < quarters; i++)
            if (rng_below(&series->rng, 1 + seed) == 0)
                plan[i] = (usd)(exp(4.0 * rng_unit(&series->rng)) * (double)USD_ONE);
        for (size_t i = 0; i < 6 * quarters; i++) {
            usec at_us = START_US + shift_us + (usec)i * 15 * MINUTE_US;
            bool away = plan[i % quarters] != 0 && spends(series, key, at_us, plan[i % quarters], 2);

            assert_false(away && i >= quarters);
        }
    }
}

/* A normally distributed number (Box and Muller, 1958). */
static double
normal(struct rng *rng)
{
    return sqrt(-2.0 * log(1.0 - rng_unit(rng))) * cos(6.283185307179586 * rng_unit(rng));
}

/* Hours that vary by a heavy-tailed (log-normal) factor on top of day and night, for half a year: at most one false alarm
 * in a year of one key. */
static void
chance_hardly_ever_raises_an_alarm(void **state)
{
    struct series *series = *state;
    unsigned keys = 40, alarms = 0;

    for (unsigned k = 0; k < keys; k++) {
        struct slice key = {(const char[]){(char)('A' + k)}, 1};

        for (usec hour = 0; hour < 26 * 7 * 24; hour++) {
            double rate = exp(normal(&series->rng)) * (hour % 24 >= 8 && hour % 24 < 20 ? 1.0 : 0.1);
            bool away = false;

            for (unsigned part = 0; part < 6; part++)
                away |= spends(series, key, START_US + hour * HOUR_US + part * 10 * MINUTE_US,
                               (usd)(rate / 6.0 * (double)USD_ONE), TIMES);
            alarms += away;
        }
    }
    print_message("%u false alarms in %u half-years of a key\n", alarms, keys);
    assert_true(alarms <= keys / 2);
}

/* How many minutes it takes, at so many times the usual rate. */
static unsigned
minutes_until_seen(struct series *series, usec from_us, unsigned factor)
{
    for (unsigned minute = 0; minute < 600; minute++)
        if (spends(series, WEB, from_us + minute * MINUTE_US, (usd)factor * USD_ONE, TIMES))
            return minute + 1;
    return 0;
}

/* What is spent of the last hour at the usual rate ages out meanwhile. */
static void
a_runaway_is_seen_after_its_threshold(void **state)
{
    struct series *series = *state;
    usec end_us = START_US + 48 * HOUR_US;

    goes_on(series, 48);
    assert_int_equal(minutes_until_seen(series, end_us, 1000), 1);
    assert_true(series->last.dearest == 60 * USD_ONE);
    assert_int_equal(series->last.hours, 48);
}

static void
the_faster_it_burns_the_sooner_it_is_seen(void **state)
{
    struct series *series = *state;
    static const unsigned cases[][2] = {{4, 41}, {10, 14}, {100, 2}};

    for (size_t i = 0; i < 3; i++) {
        runaways_free(&series->runaways);
        runaways_init(&series->runaways);
        goes_on(series, 48);
        assert_int_equal(minutes_until_seen(series, START_US + 48 * HOUR_US, cases[i][0]), cases[i][1]);
    }
}

static void
three_times_as_much_is_no_runaway(void **state)
{
    struct series *series = *state;

    goes_on(series, 48);
    assert_int_equal(minutes_until_seen(series, START_US + 48 * HOUR_US, 3), 0);
}

/* Ten times as much as ever, for good. */
static void
a_new_level_becomes_usual_within_hours(void **state)
{
    struct series *series = *state;
    unsigned last = 0;

    goes_on(series, 48);
    for (unsigned minute = 0; minute < 60 * 24; minute++)
        if (spends(series, WEB, START_US + 48 * HOUR_US + minute * MINUTE_US, 10 * USD_ONE, TIMES))
            last = minute;
    assert_true(last > 10 && last < 4 * 60);
}

/* A hundred times for an hour: the next one still stands out. */
static void
a_runaway_does_not_hide_the_next(void **state)
{
    struct series *series = *state;
    usec at_us = START_US + 48 * HOUR_US;

    goes_on(series, 48);
    for (unsigned minute = 0; minute < 60; minute++)
        spends(series, WEB, at_us + minute * MINUTE_US, 100 * USD_ONE, TIMES);
    assert_int_equal(minutes_until_seen(series, at_us + 5 * HOUR_US, 100), 4);
    assert_true(series->last.dearest == 120 * USD_ONE);
}

static void
little_history_says_nothing(void **state)
{
    struct series *series = *state;

    goes_on(series, RUNAWAY_HOURS_LEAST - 1);
    assert_int_equal(minutes_until_seen(series, START_US + 2 * DAY_US, 1000), 0);
}

static void
small_amounts_and_switched_off_say_nothing(void **state)
{
    struct series *series = *state;

    for (unsigned hour = 0; hour < 48; hour++)
        spends(series, WEB, START_US + hour * HOUR_US, 1, TIMES);
    assert_false(spends(series, WEB, START_US + 49 * HOUR_US, USD_ONE / 2, TIMES));
    assert_true(spends(series, WEB, START_US + 49 * HOUR_US, USD_ONE / 2, TIMES));
    assert_false(spends(series, WEB, START_US + 49 * HOUR_US, 1000 * USD_ONE, 0));
}

static void
what_is_long_past_is_forgotten(void **state)
{
    struct series *series = *state;

    goes_on(series, 48);
    spends(series, WEB, START_US + 27 * DAY_US, 1, TIMES);
    assert_int_equal(series->last.hours, 48);
    spends(series, WEB, START_US + 30 * DAY_US, 1, TIMES);
    assert_int_equal(series->last.hours, 1);
    assert_true(series->last.dearest == 1);
}

static void
keys_do_not_mix(void **state)
{
    struct series *series = *state;

    goes_on(series, 48);
    assert_false(spends(series, SLICE_LITERAL("batch"), START_US + 48 * HOUR_US, 1000 * USD_ONE, TIMES));
    assert_true(spends(series, WEB, START_US + 48 * HOUR_US, 1000 * USD_ONE, TIMES));
}

static void
the_largest_amounts_do_not_overflow(void **state)
{
    struct series *series = *state;

    for (unsigned hour = 0; hour < 24; hour++)
        for (unsigned i = 0; i < 3; i++)
            assert_false(spends(series, WEB, START_US + hour * HOUR_US + i * MINUTE_US, INT64_MAX, TIMES));
    assert_true(series->last.spent == INT64_MAX);
}

/* Forward by a year and back; no window that never ends. */
static void
a_clock_that_jumps_raises_no_alarm_for_ever(void **state)
{
    struct series *series = *state;
    usec at_us = START_US + 48 * HOUR_US;

    goes_on(series, 48);
    spends(series, WEB, at_us + 365 * DAY_US, USD_ONE, TIMES);
    for (unsigned minute = 0; minute < 60 * 24; minute++)
        assert_false(spends(series, WEB, at_us + minute * MINUTE_US, USD_ONE, TIMES));
    assert_true(series->last.spent == 60 * USD_ONE);
}

/* The same by the minute while serving, and by the hour from the ledger after a restart. */
static void
history_is_rebuilt_from_hours(void **state)
{
    struct series *series = *state;
    struct slice again = SLICE_LITERAL("again");
    struct runaway lived;

    for (usec hour = 0; hour < 40 * 24; hour++) {
        usd amount = (usd)(exp(3.0 * rng_unit(&series->rng)) * (double)USD_ONE);

        if (rng_below(&series->rng, 3) == 0)
            continue;
        for (unsigned part = 0; part < 4; part++)
            spends(series, WEB, START_US + hour * HOUR_US + part * 14 * MINUTE_US, amount, TIMES);
        runaways_recall(&series->runaways, again, START_US + hour * HOUR_US, 4 * amount);
    }
    spends(series, WEB, START_US + 41 * DAY_US, USD_ONE, TIMES);
    lived = series->last;
    spends(series, again, START_US + 41 * DAY_US, USD_ONE, TIMES);
    assert_true(lived.hours > 300);
    assert_int_equal(lived.hours, series->last.hours);
    assert_true(lived.dearest == series->last.dearest);
    assert_true(lived.spent == series->last.spent);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_repeats_never_runs_away),
        TEST(chance_hardly_ever_raises_an_alarm),
        TEST(a_runaway_is_seen_after_its_threshold),
        TEST(the_faster_it_burns_the_sooner_it_is_seen),
        TEST(three_times_as_much_is_no_runaway),
        TEST(a_new_level_becomes_usual_within_hours),
        TEST(a_runaway_does_not_hide_the_next),
        TEST(little_history_says_nothing),
        TEST(small_amounts_and_switched_off_say_nothing),
        TEST(what_is_long_past_is_forgotten),
        TEST(keys_do_not_mix),
        TEST(the_largest_amounts_do_not_overflow),
        TEST(a_clock_that_jumps_raises_no_alarm_for_ever),
        TEST(history_is_rebuilt_from_hours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
