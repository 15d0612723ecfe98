/* Tests by betting: what they promise, held against seeded chance. */
#include "quality/betting.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "base/status.h"
#include "cmocka_ready.h"

static struct outcomes
counted(unsigned good, unsigned bad)
{
    struct outcomes outcomes = {0};

    outcomes.count[0][OUTCOME_STEPS] = good;
    outcomes.count[0][0] = bad;
    return outcomes;
}

static bool
chance(struct rng *rng, double share)
{
    return rng_unit(rng) < share;
}

/* How many outcomes of this mean it takes until "at most m" is refuted; `most` if it is not. */
static unsigned
labels_until_above(struct rng *rng, double mean, double m, double alpha, unsigned most)
{
    struct outcomes outcomes = {0};

    for (unsigned n = 1; n < most; n++) {
        outcomes_add(&outcomes, chance(rng, mean) ? 1 : 0, 0);
        if (betting_log_above(&outcomes, m) >= log(1 / alpha))
            return n;
    }
    return most;
}

/* How many it takes until the CUSUM's alarm, after `before` ones of mean `mean_before`. */
static unsigned
labels_until_fall(struct rng *rng, double m, double mean_before, unsigned before, double mean, unsigned most)
{
    struct fall fall;

    fall_reset(&fall);
    for (unsigned n = 0; n < before; n++)
        if (fall_add(&fall, m, chance(rng, mean_before) ? 1 : 0, 0))
            fall_reset(&fall);
    for (unsigned n = 1; n < most; n++)
        if (fall_add(&fall, m, chance(rng, mean) ? 1 : 0, 0))
            return n;
    return most;
}

static int
rising(const void *a, const void *b)
{
    unsigned left = *(const unsigned *)a, right = *(const unsigned *)b;

    return (left > right) - (left < right);
}

static unsigned
median(unsigned *numbers, size_t count)
{
    qsort(numbers, count, sizeof(*numbers), rising);
    return numbers[count / 2];
}

enum { MEDIAN_OF = 101 };

static unsigned
median_until_above(double mean, double m, double alpha)
{
    unsigned labels[MEDIAN_OF];
    struct rng rng;

    rng_seed(&rng, 1);
    for (unsigned i = 0; i < MEDIAN_OF; i++)
        labels[i] = labels_until_above(&rng, mean, m, alpha, 10000);
    return median(labels, MEDIAN_OF);
}

static unsigned
median_until_fall(double m, double mean_before, unsigned before, double mean)
{
    unsigned labels[MEDIAN_OF];
    struct rng rng;

    rng_seed(&rng, 2);
    for (unsigned i = 0; i < MEDIAN_OF; i++)
        labels[i] = labels_until_fall(&rng, m, mean_before, before, mean, 10000);
    return median(labels, MEDIAN_OF);
}

/* Wealth worked out by hand: one good outcome at m = .5 multiplies W_f by 1 + f, one bad by 1 - f. */
static void
wealth_is_the_mean_over_the_bets(void **state)
{
    const double f[BETS] = {.05, .1, .2, .35, .55, .8};
    struct outcomes outcomes = counted(2, 1);
    double k = 0, mirrored = 0;

    (void)state;
    for (unsigned i = 0; i < BETS; i++) {
        k += (1 + f[i]) * (1 + f[i]) * (1 - f[i]) / BETS;
        mirrored += (1 - f[i]) * (1 - f[i]) * (1 + f[i]) / BETS;
    }
    assert_true(fabs(betting_log_above(&outcomes, .5) - log(k)) < 1e-12);
    assert_true(fabs(betting_log_below(&outcomes, .5) - log(mirrored)) < 1e-12);

    /* At a quarter of the bet; and half an outcome, at the mean itself, is no news. */
    outcomes = (struct outcomes){0};
    outcomes_add(&outcomes, 1, 2);
    outcomes_add(&outcomes, .5, 0);
    k = 0;
    for (unsigned i = 0; i < BETS; i++)
        k += (1 + f[i] / 4) / BETS;
    assert_true(fabs(betting_log_above(&outcomes, .5) - log(k)) < 1e-12);
}

static void
outcomes_are_rounded_down_to_twentieths(void **state)
{
    struct outcomes outcomes = {0};

    (void)state;
    for (unsigned i = 0; i <= OUTCOME_STEPS; i++)
        outcomes_add(&outcomes, i / 20.0, 0);
    for (unsigned i = 0; i <= OUTCOME_STEPS; i++)
        assert_int_equal(outcomes.count[0][i], 1);
    outcomes_add(&outcomes, .999, 0);
    assert_int_equal(outcomes.count[0][19], 2);
    assert_int_equal(outcomes.count[0][20], 1);
    assert_int_equal(outcomes_total(&outcomes), 22);
    assert_int_equal(outcomes_mean_ppm(&outcomes), (210 + 19) * 50000 / 22);
}

/* A mean of exactly m, looked at after each of 1,000 outcomes, 2,000 times: refuted in at most alpha of them. */
static void
a_mean_at_the_floor_is_rarely_refuted(void **state)
{
    enum { STREAMS = 2000, LABELS = 1000 };
    const double alpha = .05, floors[] = {.7, .97};

    (void)state;
    for (unsigned k = 0; k < 2; k++) {
        unsigned wrong = 0;
        struct rng rng;

        rng_seed(&rng, 3 + k);
        for (unsigned i = 0; i < STREAMS; i++)
            wrong += labels_until_above(&rng, floors[k], floors[k], alpha, LABELS) < LABELS;
        assert_true(wrong <= alpha * STREAMS + 3 * sqrt(alpha * (1 - alpha) * STREAMS));
        assert_true(wrong > 0); /* or nothing was tested */
    }
}

/* No test can take less than ln(1/alpha) / -ln m flawless outcomes: 99 here. The bets of this one take 182. */
static void
flawless_outcomes_earn_soon(void **state)
{
    struct outcomes none = {0};
    uint64_t missing = betting_missing_at_best(&none, .97, log(20));

    (void)state;
    assert_in_range(missing, 99, 190);
    assert_int_equal(median_until_above(1, .97, .05), missing);
}

static void
the_nearer_the_floor_the_longer(void **state)
{
    (void)state;
    assert_in_range(median_until_above(.99, .97, .05), 250, 550);
    assert_in_range(median_until_above(.98, .97, .05), 1000, 2400);
}

static void
bounds_hold_the_mean(void **state)
{
    struct outcomes outcomes = counted(950, 50), none = {0};
    uint32_t lower = betting_lower_ppm(&outcomes, log(20)), upper = betting_upper_ppm(&outcomes, log(20));

    (void)state;
    assert_in_range(lower, 920000, 945000);
    assert_in_range(upper, 955000, 975000);
    assert_true(betting_log_above(&outcomes, lower / 1e6) >= log(20));
    assert_true(betting_log_above(&outcomes, (lower + 1) / 1e6) < log(20));
    assert_true(betting_log_below(&outcomes, upper / 1e6) >= log(20));
    assert_true(betting_log_below(&outcomes, (upper - 1) / 1e6) < log(20));
    assert_int_equal(betting_lower_ppm(&none, log(20)), 0);
    assert_int_equal(betting_upper_ppm(&none, log(20)), PPM);
    outcomes = counted(0, 100);
    assert_int_equal(betting_lower_ppm(&outcomes, log(20)), 0);
    outcomes = counted(100, 0);
    assert_int_equal(betting_upper_ppm(&outcomes, log(20)), PPM);
}

static void
missing_labels_are_what_is_missing(void **state)
{
    struct outcomes outcomes = counted(198, 2);
    uint64_t best = betting_missing_at_best(&outcomes, .97, log(20));
    uint64_t so_far = betting_missing_as_so_far(&outcomes, .97, log(20));
    struct outcomes then = counted(198 + (unsigned)best, 2), before = counted(197 + (unsigned)best, 2);

    (void)state;
    assert_true(betting_log_above(&then, .97) >= log(20));
    assert_true(betting_log_above(&before, .97) < log(20));
    assert_true(so_far > best && so_far < 1000);
    then = counted((unsigned)((200 + (double)so_far) * .99) + 1, (unsigned)((200 + (double)so_far) * .01));
    assert_true(betting_log_above(&then, .97) >= log(20));

    outcomes = counted(190, 10);
    assert_true(betting_missing_as_so_far(&outcomes, .97, log(20)) == BETTING_NEVER);
    assert_true(betting_missing_at_best(&outcomes, .97, log(20)) < 1000);
    outcomes = counted(0, 0);
    assert_true(betting_missing_as_so_far(&outcomes, .97, log(20)) == BETTING_NEVER);
    outcomes = counted(1000, 0);
    assert_int_equal(betting_missing_as_so_far(&outcomes, .97, log(20)), 0);
    assert_int_equal(betting_missing_at_best(&outcomes, .97, log(20)), 0);
}

static void
a_fall_is_seen_soon(void **state)
{
    (void)state;
    assert_in_range(median_until_fall(.97, 1, 500, .5), 5, 40);
    assert_in_range(median_until_fall(.97, .99, 500, .75), 15, 40);
    assert_in_range(median_until_fall(.95, .97, 500, .90), 300, 550); /* a small one takes long */
}

/* However many good answers came before. */
static void
a_fall_is_seen_as_soon_at_any_age(void **state)
{
    double young = median_until_fall(.97, .99, 100, .75), old = median_until_fall(.97, .99, 8000, .75);

    (void)state;
    assert_true(fabs(young - old) <= .25 * young);
}

/* A mean of exactly the floor, for ever: FALL_ALARM outcomes and more between alarms, in the mean. */
static void
false_alarms_are_rare(void **state)
{
    enum { LABELS = 1000000 };
    unsigned alarms = 0;
    struct fall fall;
    struct rng rng;

    (void)state;
    rng_seed(&rng, 5);
    fall_reset(&fall);
    for (unsigned n = 0; n < LABELS; n++)
        if (fall_add(&fall, .9, chance(&rng, .9) ? 1 : 0, 0)) {
            alarms++;
            fall_reset(&fall);
        }
    assert_in_range(alarms, 1, (unsigned)(LABELS / FALL_ALARM));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wealth_is_the_mean_over_the_bets),
        cmocka_unit_test(outcomes_are_rounded_down_to_twentieths),
        cmocka_unit_test(a_mean_at_the_floor_is_rarely_refuted),
        cmocka_unit_test(flawless_outcomes_earn_soon),
        cmocka_unit_test(the_nearer_the_floor_the_longer),
        cmocka_unit_test(bounds_hold_the_mean),
        cmocka_unit_test(missing_labels_are_what_is_missing),
        cmocka_unit_test(a_fall_is_seen_soon),
        cmocka_unit_test(a_fall_is_seen_as_soon_at_any_age),
        cmocka_unit_test(false_alarms_are_rare),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
