/* Recommendations: up for what comes and for what is to come, panic, down one at a time and only after a what-if, cold starts
 * learned. */
#include "fleet/capacity/capacity.h"

#include <math.h>

#include "cmocka_ready.h"

static const usec S = USEC_PER_S;
static const struct capacity_rules rules = {1, 20, {FORECAST_FILL, 0.99}};

/* A second of work in a prompt. */
static const struct request_size one_second = {10000, 0, 1};
static const struct engine_settings engine = {.time = {.alpha_us = 0.001, .beta_us = 100},
                                              .sequences_most = 256,
                                              .step_tokens_most = 10000,
                                              .kv_tokens = 1 << 24,
                                              .overhead_least_us = 1,
                                              .overhead_most_us = 1,
                                              .seed = 1};

struct fleet {
    struct capacity capacity;
    usec now_us, cold_us;
    unsigned there;
    usec coming_us[64]; /* when they are there */
    unsigned coming;
    bool follows, would_do;
    unsigned asked, changes;
};

static struct fleet *
fleet_new(usec cold_us, unsigned there)
{
    struct fleet *fleet = calloc(1, sizeof *fleet);

    assert_non_null(fleet);
    fleet->cold_us = cold_us;
    fleet->there = there;
    fleet->follows = fleet->would_do = true;
    capacity_init(&fleet->capacity, &rules, cold_us, there, 0);
    capacity_set_carry(&fleet->capacity, 1, 2 * S);
    return fleet;
}

static void
follow(struct fleet *fleet)
{
    unsigned left = 0, wanted = fleet->capacity.wanted;

    for (unsigned i = 0; i < fleet->coming; i++)
        if (fleet->coming_us[i] <= fleet->now_us)
            fleet->there++;
        else
            fleet->coming_us[left++] = fleet->coming_us[i];
    fleet->coming = left;
    while (fleet->follows && fleet->there + fleet->coming < wanted)
        fleet->coming_us[fleet->coming++] = fleet->now_us + fleet->cold_us;
    while (fleet->follows && fleet->there > wanted)
        fleet->there--;
}

/* Seconds in each of which so much work comes, evenly. */
static void
run(struct fleet *fleet, unsigned seconds, double work)
{
    for (unsigned i = 0; i < seconds; i++) {
        unsigned before = fleet->capacity.wanted;

        for (unsigned part = 0; part < 20; part++)
            demand_add(&fleet->capacity.demand, fleet->now_us + part * S / 20, work * (double)S / 20, 0);
        fleet->now_us += S;
        follow(fleet);
        if (capacity_tick(&fleet->capacity, fleet->now_us, fleet->now_us, fleet->there, fleet->coming)) {
            fleet->asked++;
            capacity_answer(&fleet->capacity, fleet->capacity.wanted, fleet->would_do);
        }
        fleet->changes += fleet->capacity.wanted != before;
        assert_true(fleet->capacity.wanted >= rules.least && fleet->capacity.wanted <= rules.most);
    }
}

static void
test_unknown(void **state)
{
    struct fleet *fleet = fleet_new(30 * S, 2);

    (void)state;
    capacity_set_carry(&fleet->capacity, -1, 0);
    run(fleet, 60, 5);
    assert_int_equal(fleet->capacity.wanted, 2);
    assert_int_equal(fleet->capacity.reason, CAPACITY_NOTHING_KNOWN);
    capacity_set_carry(&fleet->capacity, 0, 0);
    run(fleet, 60, 5);
    assert_int_equal(fleet->capacity.wanted, 2);
    assert_int_equal(fleet->capacity.reason, CAPACITY_HOPELESS);
    free(fleet);
}

/* 3.5 engines' work a second: four, within an interval. */
static void
test_up(void **state)
{
    struct fleet *fleet = fleet_new(30 * S, 2);

    (void)state;
    run(fleet, 6, 3.5);
    assert_true(fleet->capacity.wanted >= 4);
    run(fleet, 1800, 3.5);
    assert_true(fleet->capacity.wanted >= 4 && fleet->capacity.wanted <= 5);
    assert_true(fleet->capacity.backlog_us < 1e6);
    free(fleet);
}

/* Work that piles up before the fleet follows is demand too: the cold start's arrears are worked off within another one. */
static void
test_backlog(void **state)
{
    struct fleet *fleet = fleet_new(100 * S, 1);

    (void)state;
    fleet->follows = false;
    run(fleet, 50, 1.9); /* no panic: less than twice */
    assert_int_equal(fleet->capacity.panicked, 0);
    assert_true(fabs(fleet->capacity.backlog_us - 45e6) < 3e6);
    assert_int_equal(fleet->capacity.wanted, 3); /* 1.9 + 45 / 100 */
    free(fleet);
}

/* Three times as much as before: at once, not at the interval's end, and twice as much is none. */
static void
test_panic(void **state)
{
    struct fleet *fleet = fleet_new(30 * S, 2);

    (void)state;
    run(fleet, 61, 1.9);
    assert_int_equal(fleet->capacity.panicked, 0);
    run(fleet, 3, 9);
    assert_int_equal(fleet->capacity.panicked, 1);
    assert_true(fleet->capacity.wanted >= 5);
    assert_int_equal(fleet->capacity.reason, CAPACITY_PANIC);
    free(fleet);
}

/* Down: not before enough is known, one at a time with a question for each, and never without the answer. */
static void
test_down(void **state)
{
    struct fleet *fleet = fleet_new(30 * S, 8);
    unsigned before;

    (void)state;
    run(fleet, 400, 1.5);
    assert_int_equal(fleet->capacity.wanted, 8);
    assert_int_equal(fleet->asked, 0);
    fleet->would_do = false;
    run(fleet, 1200, 1.5);
    assert_int_equal(fleet->capacity.wanted, 8);
    assert_true(fleet->asked > 3);
    assert_true(fleet->asked < 60); /* a no stands for a window */
    fleet->would_do = true;
    before = fleet->asked;
    run(fleet, 40, 1.5);
    assert_true(fleet->capacity.wanted < 8);
    assert_int_equal(8 - fleet->capacity.wanted, fleet->asked - before);
    run(fleet, 3600, 1.5);
    assert_int_equal(fleet->capacity.wanted, 2);
    free(fleet);
}

/* Where bursts are over before a replica would be there, one is no reason for more, and a pause none for fewer as long as
 * another may be larger; what lasts is followed all the same. */
static void
test_bursts(void **state)
{
    static const double heights[] = {7, 2, 9, 4, 3, 11, 5, 2, 8, 6};
    struct fleet *fleet = fleet_new(30 * S, 12);

    (void)state;
    for (unsigned i = 0; i < 12; i++) {
        run(fleet, 10, heights[i % 10]);
        run(fleet, 110, 0.1);
    }
    assert_int_equal(fleet->capacity.wanted, 12);
    run(fleet, 5, 16);
    assert_int_equal(fleet->capacity.wanted, 12);
    run(fleet, 300, 16);
    assert_true(fleet->capacity.wanted >= 16);
    free(fleet);
}

/* An answer to a question of before is no answer. */
static void
test_late_answer(void **state)
{
    struct fleet *fleet = fleet_new(30 * S, 4);

    (void)state;
    capacity_answer(&fleet->capacity, 5, true);
    assert_int_equal(fleet->capacity.wanted, 4);
    capacity_answer(&fleet->capacity, 4, true);
    assert_int_equal(fleet->capacity.wanted, 3);
    free(fleet);
}

/* Work that swings within the window: the fleet does not follow each swing. */
static void
test_no_flapping(void **state)
{
    struct fleet *fleet = fleet_new(60 * S, 6);

    (void)state;
    for (unsigned i = 0; i < 60; i++)
        run(fleet, 30, i % 2 == 0 ? 1 : 4.5);
    fleet->changes = 0;
    for (unsigned i = 0; i < 60; i++)
        run(fleet, 30, i % 2 == 0 ? 1 : 4.5);
    assert_true(fleet->capacity.wanted >= 5);
    assert_true(fleet->changes <= 2);
    free(fleet);
}

static void
test_cold_starts(void **state)
{
    struct cold_starts starts;
    struct fleet *fleet = fleet_new(200 * S, 1);

    (void)state;
    cold_starts_init(&starts, 120 * S);
    assert_int_equal(cold_starts_p90_us(&starts), 120 * S);
    for (int i = 1; i <= 10; i++)
        cold_starts_see(&starts, i * S);
    assert_int_equal(cold_starts_p90_us(&starts), 10 * S); /* the tenth of eleven */
    fleet->cold_us = 45 * S;                               /* it takes less than was said */
    run(fleet, 900, 2.5);
    run(fleet, 900, 8);
    run(fleet, 900, 14);
    assert_true(fleet->capacity.starts.count > 10);
    assert_true(llabs((long long)(cold_starts_p90_us(&fleet->capacity.starts) - 45 * S)) <= 2 * S);
    assert_true(capacity_window_us(&fleet->capacity) < 60 * S);
    free(fleet);
}

/* Nobody follows: wishes are forgotten, no cold start of an hour is learned. */
static void
test_not_followed(void **state)
{
    struct fleet *fleet = fleet_new(30 * S, 1);

    (void)state;
    fleet->follows = false;
    run(fleet, 3600, 5);
    fleet->there = 6;
    run(fleet, 5, 5);
    assert_int_equal(fleet->capacity.starts.asked, 0);
    assert_int_equal(fleet->capacity.starts.count, 1);
    assert_int_equal(cold_starts_p90_us(&fleet->capacity.starts), 30 * S);
    free(fleet);
}

static void
test_rules(void **state)
{
    struct fleet *fleet = fleet_new(30 * S, 5);
    struct capacity_rules others = {2, 3, {FORECAST_QUANTILE, 0.9}};

    (void)state;
    capacity_set_rules(&fleet->capacity, &others);
    assert_int_equal(fleet->capacity.wanted, 3);
    run(fleet, 60, 15);
    assert_int_equal(fleet->capacity.wanted, 3);
    free(fleet);
}

static void
test_study(void **state)
{
    struct fleet *fleet = fleet_new(30 * S, 5);

    (void)state;
    assert_false(capacity_study_due(&fleet->capacity, 0));
    for (unsigned i = 0; i < CARRY_REQUESTS_LEAST; i++)
        capacity_arrives(&fleet->capacity, i, &engine, &one_second);
    assert_true(capacity_study_due(&fleet->capacity, S));
    assert_false(capacity_study_due(&fleet->capacity, 2 * CAPACITY_STUDY_US)); /* nothing came */
    capacity_arrives(&fleet->capacity, S, &engine, &one_second);
    assert_false(capacity_study_due(&fleet->capacity, 2 * S));
    assert_true(capacity_study_due(&fleet->capacity, 2 * CAPACITY_STUDY_US));
    free(fleet);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown),      cmocka_unit_test(test_up),          cmocka_unit_test(test_backlog),
        cmocka_unit_test(test_panic),        cmocka_unit_test(test_down),        cmocka_unit_test(test_bursts),
        cmocka_unit_test(test_late_answer),  cmocka_unit_test(test_no_flapping), cmocka_unit_test(test_cold_starts),
        cmocka_unit_test(test_not_followed), cmocka_unit_test(test_rules),       cmocka_unit_test(test_study),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
