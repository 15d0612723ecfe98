/* Forecasts: what series that are known need, how sure they are, whose word counts, and a day that is remembered. */
#include "fleet/capacity/forecast.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "cmocka_ready.h"

static const usec INTERVAL = 5 * USEC_PER_S;

static struct forecast *
forecast_new(enum forecast_aim aim, double share)
{
    struct forecast *forecast = calloc(1, sizeof *forecast);

    assert_non_null(forecast);
    forecast_init(forecast, INTERVAL, (struct forecast_goal){aim, share});
    return forecast;
}

static void
near_to(double is, double should, double off)
{
    if (fabs(is - should) > off)
        fail_msg("is %g, should be %g", is, should);
}

static void
test_goal(void **state)
{
    struct forecast_goal goal = forecast_goal_of(9, 1);

    (void)state;
    assert_int_equal(goal.aim, FORECAST_QUANTILE);
    near_to(goal.share, 0.9, 1e-12);
    assert_int_equal(forecast_goal_of(-1, 1).aim, FORECAST_FILL);
    assert_int_equal(forecast_goal_of(1, -1).aim, FORECAST_FILL);
    near_to(forecast_goal_of(0, 1).share, FORECAST_SHARE_USUAL, 1e-12);
    assert_true(forecast_goal_of(1e30, 1).share < 1);
}

static void
test_constant(void **state)
{
    struct forecast *forecast = forecast_new(FORECAST_QUANTILE, 0.9);
    double last = 0;

    (void)state;
    near_to(forecast_ahead(forecast, 3), 0, 1e-12); /* nothing is known */
    for (unsigned i = 0; i < 200; i++) {
        forecast_see(forecast, 2.5, i * INTERVAL);
        last = forecast_ahead(forecast, 10);
    }
    near_to(last, 2.5, 1e-9);
    free(forecast);
}

/* Evenly between 0 and 1: nine of ten are below 0.9. */
static void
test_quantile(void **state)
{
    struct forecast *forecast = forecast_new(FORECAST_QUANTILE, 0.9);
    struct rng rng;
    unsigned covered = 0, counted = 0;
    double bound = 0;

    (void)state;
    rng_seed(&rng, 3);
    for (unsigned i = 0; i < 4000; i++) {
        double value = (double)rng_below(&rng, 1000000) / 1e6;

        if (i >= 1000) {
            counted++;
            covered += value <= bound;
        }
        forecast_see(forecast, value, i * INTERVAL);
        bound = forecast_ahead(forecast, 1);
    }
    near_to((double)covered / counted, 0.9, 0.02);
    free(forecast);
}

/* The same, filled to 90 %: at a level c the mean of what lies above is (1 - c)^2 / 2, a tenth of the mean 1/2 at c = 0.684. */
static void
test_fill(void **state)
{
    struct forecast *forecast = forecast_new(FORECAST_FILL, 0.9);
    struct rng rng;
    double bound = 0, wanted = 0, lacked = 0, sum = 0;

    (void)state;
    rng_seed(&rng, 3);
    for (unsigned i = 0; i < 4000; i++) {
        double value = (double)rng_below(&rng, 1000000) / 1e6;

        if (i >= 1000) {
            wanted += value;
            lacked += fmax(0, value - bound);
            sum += bound;
        }
        forecast_see(forecast, value, i * INTERVAL);
        bound = forecast_ahead(forecast, 1);
    }
    near_to(lacked / wanted, 0.1, 0.01);
    near_to(sum / 3000, 0.684, 0.05); /* who follows quickly needs more */
    free(forecast);
}

/* A steady rise is seen ahead of: by who follows trends, and by the others through their errors. */
static void
test_trend(void **state)
{
    struct forecast *forecast = forecast_new(FORECAST_QUANTILE, 0.5);
    double bound = 0;

    (void)state;
    for (unsigned i = 0; i < 600; i++) {
        forecast_see(forecast, 1 + 0.01 * i, i * INTERVAL);
        bound = forecast_ahead(forecast, 20);
    }
    near_to(bound, 1 + 0.01 * (599 + 20), 0.03);
    free(forecast);
}

static double
by_the_hour(usec wall_us)
{
    unsigned hour = (unsigned)(wall_us / (3600 * USEC_PER_S) % 24);

    return hour >= 9 && hour < 17 ? 8 : 2;
}

/* Office hours: half an hour before they begin, who knows yesterday knows. */
static double
before_nine(bool remembers)
{
    struct forecast *forecast = forecast_new(FORECAST_FILL, 0.99), *fresh = forecast_new(FORECAST_FILL, 0.99);
    const usec minute_us = 60 * USEC_PER_S, day_us = 86400 * USEC_PER_S;
    double bound = 0;
    usec at_us = 0;
    struct buffer kept = {0};

    forecast->interval_us = fresh->interval_us = minute_us;
    for (; at_us < 2 * day_us; at_us += minute_us) {
        forecast_see(forecast, by_the_hour(at_us), at_us);
        forecast_ahead(forecast, 30);
    }
    forecast_save(forecast, &kept);
    if (remembers)
        assert_int_equal(forecast_restore(fresh, buffer_content(&kept)), OK);
    for (; at_us < 2 * day_us + 8 * 3600 * USEC_PER_S + 45 * 60 * USEC_PER_S; at_us += minute_us) {
        forecast_see(fresh, by_the_hour(at_us), at_us);
        bound = forecast_ahead(fresh, 30);
    }
    buffer_free(&kept);
    free(forecast);
    free(fresh);
    return bound;
}

static void
test_day(void **state)
{
    (void)state;
    near_to(before_nine(false), 2, 0.2);
    assert_true(before_nine(true) > 4);
}

static void
test_kept(void **state)
{
    struct forecast *forecast = forecast_new(FORECAST_FILL, 0.99);
    struct buffer kept = {0};
    char nothing[(FORECAST_SLOTS + 1 + 2 * FORECAST_FASHIONS) * sizeof(double)];

    (void)state;
    forecast_save(forecast, &kept);
    assert_int_equal(forecast_restore(forecast, slice_first(buffer_content(&kept), 100)), ERR_CORRUPT);
    assert_int_equal(buffer_len(&kept), sizeof(nothing));
    memset(nothing, 0xff, sizeof(nothing)); /* not numbers */
    memcpy(nothing, buffer_content(&kept).data, 8);
    assert_int_equal(forecast_restore(forecast, slice_make(nothing, sizeof(nothing))), ERR_CORRUPT);
    assert_int_equal(forecast_restore(forecast, buffer_content(&kept)), OK);
    buffer_free(&kept);
    free(forecast);
}

/* 1 in a hundred needs a hundred; and mistakes that last ten intervals, of one unit in two, fifty stretches of ten. */
static void
test_knows(void **state)
{
    struct forecast *forecast = forecast_new(FORECAST_FILL, 0.99);
    unsigned many = 0, few = 0;

    (void)state;
    for (unsigned i = 1; i < 1000; i++) {
        forecast_see(forecast, 1, i * INTERVAL);
        forecast_ahead(forecast, 10);
        if (many == 0 && forecast_knows(forecast, 10, 1000, 1))
            many = i;
        if (few == 0 && forecast_knows(forecast, 10, 2, 1))
            few = i;
    }
    near_to(many, 110, 1);
    near_to(few, 500, 1);
    free(forecast);
}

/* Bursts of ever other heights: with a level that they have hardly reached so far it is not enough to have kept up with those
 * that came. A level that sways a little is done with what it needs. Both are seen for as long. */
static void
test_tail(void **state)
{
    struct forecast *bursts = forecast_new(FORECAST_FILL, 0.99), *calm = forecast_new(FORECAST_FILL, 0.99);
    struct rng rng;

    (void)state;
    rng_seed(&rng, 4);
    for (unsigned i = 0; i < 600; i++) {
        double lot = ((double)rng_below(&rng, 1000000) + 1) / 1e6;

        forecast_see(bursts, i % 10 != 0 ? 0.1 : -3 * log(lot), i * INTERVAL);
        forecast_see(calm, 5 + lot, i * INTERVAL);
        forecast_ahead(bursts, 10);
        forecast_ahead(calm, 10);
    }
    assert_true(forecast_knows(calm, 10, 1000, 6));
    assert_true(forecast_knows(calm, 10, 1000, 5.9));
    assert_true(forecast_knows(calm, 10, 1000, 3)); /* that came often enough: the what-if will say */
    assert_false(forecast_knows(bursts, 10, 1000, 8));
    assert_true(forecast_knows(bursts, 10, 1000, 30));
    bursts->goal =
        (struct forecast_goal){FORECAST_QUANTILE, 0.998}; /* in two intervals of a thousand it may be short */
    assert_false(forecast_knows(bursts, 10, 1000, 8));
    bursts->goal.share = 0.99;
    assert_true(forecast_knows(bursts, 10, 1000, 8));
    free(bursts);
    free(calm);
}

static void
test_lasting(void **state)
{
    struct forecast *bursts = forecast_new(FORECAST_FILL, 0.99), *level = forecast_new(FORECAST_FILL, 0.99);

    (void)state;
    near_to(forecast_lasting(level), 1, 1e-12); /* nothing is known */
    for (unsigned i = 0; i < 400; i++) {
        forecast_see(bursts, i % 37 < 3 ? 10 : 0, i * INTERVAL);
        forecast_see(level, 7, i * INTERVAL);
        forecast_ahead(bursts, 10);
        forecast_ahead(level, 10);
    }
    near_to(forecast_lasting(level), 1, 1e-9);
    assert_true(forecast_lasting(bursts) < 0.1);
    free(bursts);
    free(level);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goal),    cmocka_unit_test(test_constant), cmocka_unit_test(test_quantile),
        cmocka_unit_test(test_fill),    cmocka_unit_test(test_trend),    cmocka_unit_test(test_day),
        cmocka_unit_test(test_kept),    cmocka_unit_test(test_knows),    cmocka_unit_test(test_tail),
        cmocka_unit_test(test_lasting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
