/* T(b) = a + s b from what is seen, and what follows from it. */
#include "fleet/engine/batch_time.h"

#include <math.h>

#include "base/rng.h"
#include "cmocka_ready.h"

static void
learn(struct batch_time *time, size_t inputs, double a_us, double s_us, double noise, struct rng *rng)
{
    double factor = 1.0 + noise * (2.0 * rng_unit(rng) - 1.0);

    batch_time_learn(time, inputs, (usec)((a_us + s_us * (double)inputs) * factor), false);
}

static void
assert_near(double value, double expected, double share)
{
    if (fabs(value - expected) > share * expected)
        fail_msg("%f is not near %f", value, expected);
}

static void
nothing_is_concluded_from_nothing(void **state)
{
    struct batch_time time = {0};
    struct batch_fit fit;

    (void)state;
    assert_false(batch_time_fit(&time, &fit));
    assert_int_equal(batch_time_bound_us(&time, 5), 0);
    assert_int_equal(batch_time_largest(&time, 1000, 64), 64);
    assert_true(batch_time_patience_us(&time, 1, 1e3) == USEC_NEVER);
}

static void
a_line_is_found_through_noise(void **state)
{
    struct batch_time time = {0};
    struct batch_fit fit;
    struct rng rng;

    (void)state;
    rng_seed(&rng, 7);
    batch_time_learn(&time, 1, 30 * USEC_PER_S, false); /* it loaded the model: that is forgotten */
    for (unsigned i = 0; i < 400; i++)
        learn(&time, 1 + rng_below(&rng, 40), 20e3, 1500.0, 0.1, &rng);
    assert_true(batch_time_fit(&time, &fit));
    assert_near(fit.a_us, 20e3, 0.15);
    assert_near(fit.s_us, 1500.0, 0.1);
    assert_true(batch_time_bound_us(&time, 10) >= 35000 && batch_time_bound_us(&time, 10) < 35000 * 14 / 10);
}

static void
what_changes_is_learned_anew(void **state)
{
    struct batch_time time = {0};
    struct batch_fit fit;
    struct rng rng;

    (void)state;
    rng_seed(&rng, 8);
    for (unsigned i = 0; i < 300; i++)
        learn(&time, 1 + rng_below(&rng, 40), 20e3, 1500.0, 0.05, &rng);
    for (unsigned i = 0; i < 500; i++)
        learn(&time, 1 + rng_below(&rng, 40), 5e3, 200.0, 0.05, &rng);
    assert_true(batch_time_fit(&time, &fit));
    assert_near(fit.a_us, 5e3, 0.2);
    assert_near(fit.s_us, 200.0, 0.2);
}

/* One size for days, then another: the fit must not have become nervous meanwhile. */
static void
one_size_for_long_does_no_harm(void **state)
{
    struct batch_time time = {0};
    struct batch_fit fit;
    struct rng rng;

    (void)state;
    rng_seed(&rng, 9);
    for (unsigned i = 0; i < 100000; i++)
        learn(&time, 1, 20e3, 1500.0, 0.1, &rng);
    assert_true(batch_time_fit(&time, &fit));
    assert_near(fit.a_us + fit.s_us, 21500.0, 0.05);
    for (unsigned i = 0; i < 60; i++)
        learn(&time, 1 + i % 2 * 31, 20e3, 1500.0, 0.1, &rng);
    assert_true(batch_time_fit(&time, &fit));
    assert_near(fit.a_us + 32.0 * fit.s_us, 20e3 + 32.0 * 1500.0, 0.1);
}

static void
neither_part_is_below_nothing(void **state)
{
    struct batch_time falls = {0}, steep = {0};
    struct batch_fit fit;
    struct rng rng;

    (void)state;
    rng_seed(&rng, 10);
    for (unsigned i = 0; i < 200; i++) {
        size_t inputs = 1 + rng_below(&rng, 10);

        learn(&falls, inputs, 50e3, -1000.0, 0.0, &rng);
        learn(&steep, inputs, -900.0, 1000.0, 0.0, &rng);
    }
    assert_true(batch_time_fit(&falls, &fit));
    assert_true(fit.s_us == 0.0 && fit.a_us > 35e3 && fit.a_us < 52e3);
    assert_true(batch_time_fit(&steep, &fit));
    assert_true(fit.a_us == 0.0 && fit.s_us > 500.0 && fit.s_us < 1000.0);
}

static struct batch_time
fitted(void)
{
    struct batch_time time = {0};
    struct rng rng;

    rng_seed(&rng, 11);
    for (unsigned i = 0; i < 200; i++)
        learn(&time, 1 + i % 30, 20e3, 1000.0, 0.0, &rng);
    return time;
}

static void
batches_grow_to_what_limits_allow(void **state)
{
    struct batch_time time = fitted();
    size_t all, within;

    (void)state;
    assert_int_equal(batch_time_largest(&time, USEC_NEVER, 64), 64);
    within = batch_time_largest(&time, 60 * USEC_PER_MS, 64);
    assert_true(within > 20 && within <= 40); /* 40 by the line, fewer by what 99 of 100 take */
    assert_true(batch_time_bound_us(&time, within) <= 60 * USEC_PER_MS);
    assert_int_equal(batch_time_largest(&time, 10 * USEC_PER_MS, 64), 1); /* somebody has to go */
    batch_time_adapt(&time, true, 64);
    for (unsigned i = 0; i < 10; i++)
        batch_time_adapt(&time, false, 64);
    all = batch_time_largest(&time, USEC_NEVER, 64);
    assert_int_equal(all, 22); /* 64 x 0.9^10 */
    for (unsigned i = 0; i < 5; i++)
        batch_time_adapt(&time, true, 64);
    assert_int_equal(batch_time_largest(&time, USEC_NEVER, 64), all + 5);
    for (unsigned i = 0; i < 100; i++)
        batch_time_adapt(&time, false, 64);
    assert_int_equal(batch_time_largest(&time, USEC_NEVER, 64), 1);
}

/* k gap < a k / (k + 1), with a of 20 ms. */
static void
waiting_has_to_pay(void **state)
{
    struct batch_time time = fitted();

    (void)state;
    assert_true((double)batch_time_patience_us(&time, 1, 9e3) > 9e3);
    assert_int_equal(batch_time_patience_us(&time, 1, 11e3), 0);
    assert_true((double)batch_time_patience_us(&time, 9, 1.8e3) > 1.8e3);
    assert_int_equal(batch_time_patience_us(&time, 9, 2.2e3), 0);
}

/* What waits behind another call tells that, and not how long a call takes. */
static void
what_takes_one_by_one_is_known(void **state)
{
    struct batch_time serial = fitted(), parallel = fitted();
    struct batch_fit before, after;

    (void)state;
    assert_false(batch_time_is_serial(&serial));
    assert_true(batch_time_fit(&serial, &before));
    for (unsigned i = 0; i < 50; i++) {
        batch_time_learn(&serial, 10, 30 * USEC_PER_MS + (usec)(i % 30) * USEC_PER_MS, true);
        batch_time_learn(&parallel, 10, 31 * USEC_PER_MS, true);
    }
    assert_true(batch_time_is_serial(&serial));
    assert_false(batch_time_is_serial(&parallel));
    assert_true(batch_time_fit(&serial, &after));
    assert_near(after.a_us + 10.0 * after.s_us, before.a_us + 10.0 * before.s_us, 0.25);
    for (unsigned i = 0; i < 50; i++) /* it was given a second device */
        batch_time_learn(&serial, 10, 30 * USEC_PER_MS, true);
    assert_false(batch_time_is_serial(&serial));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_concluded_from_nothing),
        cmocka_unit_test(a_line_is_found_through_noise),
        cmocka_unit_test(what_changes_is_learned_anew),
        cmocka_unit_test(one_size_for_long_does_no_harm),
        cmocka_unit_test(neither_part_is_below_nothing),
        cmocka_unit_test(batches_grow_to_what_limits_allow),
        cmocka_unit_test(waiting_has_to_pay),
        cmocka_unit_test(what_takes_one_by_one_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
