/* What questions for a replica's health say, and for how long. */
#include "fleet/health/health.h"

#include "cmocka_ready.h"

#define EVERY (5 * USEC_PER_S)

static void
a_place_that_never_answered_is_not_up(void **state)
{
    struct pulse pulse = {.failed = 0};

    (void)state;
    assert_int_equal(pulse_state(&pulse, 0), PULSE_UNKNOWN);
    assert_true(pulse_told(&pulse, PULSE_BAD, 1, 2, EVERY));
    assert_int_equal(pulse_state(&pulse, 3), PULSE_DOWN);
    assert_true(pulse_told(&pulse, PULSE_GOOD, 4, 5, EVERY));
    assert_int_equal(pulse_state(&pulse, 6), PULSE_UP);
}

/* One that was up may lose a question; a second in a row is believed. */
static void
one_question_may_be_lost(void **state)
{
    struct pulse pulse = {.failed = 0};

    (void)state;
    pulse_told(&pulse, PULSE_GOOD, 1, 2, EVERY);
    assert_false(pulse_told(&pulse, PULSE_BAD, 3, 4, EVERY));
    assert_int_equal(pulse_state(&pulse, 5), PULSE_UP);
    pulse_told(&pulse, PULSE_GOOD, 6, 7, EVERY);
    assert_false(pulse_told(&pulse, PULSE_BAD, 8, 9, EVERY));
    assert_true(pulse_told(&pulse, PULSE_BAD, 10, 11, EVERY));
    assert_int_equal(pulse_state(&pulse, 12), PULSE_DOWN);
}

/* 503: on its way where it was not up, ill where it was. */
static void
loading_is_no_failure(void **state)
{
    struct pulse pulse = {.failed = 0};

    (void)state;
    assert_true(pulse_told(&pulse, PULSE_NOT_YET, 1, 2, EVERY));
    assert_int_equal(pulse_state(&pulse, 3), PULSE_LOADING);
    pulse_told(&pulse, PULSE_NOT_YET, 4, 5, EVERY);
    assert_int_equal(pulse_state(&pulse, 6), PULSE_LOADING);
    pulse_told(&pulse, PULSE_GOOD, 7, 8, EVERY);
    assert_false(pulse_told(&pulse, PULSE_NOT_YET, 9, 10, EVERY));
    assert_true(pulse_told(&pulse, PULSE_NOT_YET, 11, 12, EVERY));
    assert_int_equal(pulse_state(&pulse, 13), PULSE_DOWN);
    assert_true(pulse_told(&pulse, PULSE_NOT_YET, 14, 15, EVERY)); /* it starts anew */
    assert_int_equal(pulse_state(&pulse, 16), PULSE_LOADING);
}

/* Scenario 41: a mark that nobody renews ends. */
static void
every_mark_ends(void **state)
{
    static const enum pulse_answer answers[] = {PULSE_GOOD, PULSE_NOT_YET, PULSE_BAD};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct pulse pulse = {.failed = 0};

        pulse_told(&pulse, answers[i], 1, 2, EVERY);
        assert_int_not_equal(pulse_state(&pulse, 2 + PULSE_INTERVALS * EVERY - 1), PULSE_UNKNOWN);
        assert_int_equal(pulse_state(&pulse, 2 + PULSE_INTERVALS * EVERY), PULSE_UNKNOWN);
    }
}

/* Who serves is up, whatever became of the question. */
static void
an_answered_request_says_more_than_a_question(void **state)
{
    struct pulse pulse = {.failed = 0};

    (void)state;
    pulse_told(&pulse, PULSE_BAD, 1, 2, EVERY);
    pulse_worked(&pulse, 3);
    assert_int_equal(pulse_state(&pulse, 4), PULSE_UP);
    pulse_worked(&pulse, 10);
    for (unsigned i = 0; i < 4; i++)
        assert_false(pulse_told(&pulse, PULSE_BAD, 9, 11 + i, EVERY));
    assert_int_equal(pulse_state(&pulse, 20), PULSE_UP);
}

/* A place that is down or loading is out, and is a probe away from being in when it answers again. */
static void
the_pulse_is_part_of_the_health(void **state)
{
    struct endpoint endpoint = {.host = "a", .port = 1};
    struct healths all;
    struct health *health;
    usec probe_us;

    (void)state;
    healths_init(&all);
    health = healths_place(&all, &endpoint);
    assert_ptr_equal(health, healths_place(&all, &endpoint));
    assert_int_equal(health_state(health, 1), HEALTH_IN);
    assert_true(health_told(health, PULSE_NOT_YET, 1, 2, EVERY));
    assert_int_equal(health_state(health, 3), HEALTH_OUT);
    assert_false(health_claim(health, 3, &probe_us));
    assert_int_equal(health_due_us(health), 2 + PULSE_INTERVALS * EVERY);
    assert_true(health_told(health, PULSE_GOOD, 4, 5, EVERY));
    assert_int_equal(health_state(health, 6), HEALTH_IN);
    /* It dies: requests and questions both see it. */
    for (unsigned i = 0; i < HEALTH_FAILURES_IN_A_ROW; i++)
        health_failed(health, 7, 8);
    assert_int_equal(health_state(health, 9), HEALTH_OUT);
    health_told(health, PULSE_BAD, 9, 10, EVERY);
    health_told(health, PULSE_BAD, 11, 12, EVERY);
    assert_int_equal(health_state(health, 13), HEALTH_OUT);
    assert_int_equal(health_state(health, 12 + HEALTH_BACK_OFF_US), HEALTH_OUT); /* still down */
    /* It is back long before any back-off is over: the next request is the probe. */
    assert_true(health_told(health, PULSE_GOOD, 20, 21, EVERY));
    assert_int_equal(health_state(health, 22), HEALTH_DUE);
    assert_true(health_claim(health, 22, &probe_us));
    assert_int_equal(health_state(health, 23), HEALTH_OUT);
    assert_int_equal(health_worked(health, 22, 24), HEALTH_READMITTED);
    assert_int_equal(health_state(health, 25), HEALTH_IN);
    healths_free(&all);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_place_that_never_answered_is_not_up),
        cmocka_unit_test(one_question_may_be_lost),
        cmocka_unit_test(loading_is_no_failure),
        cmocka_unit_test(every_mark_ends),
        cmocka_unit_test(an_answered_request_says_more_than_a_question),
        cmocka_unit_test(the_pulse_is_part_of_the_health),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
