/* Several cheaper models beside a reference, in histories: what is served and paid, worked out by hand where it can be, and whether the
 * floor holds. */
#include "cmd/eval/eval_several.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "cmocka_ready.h"

static const struct several_wanted usual = {.floor_ppm = 950000, .alpha_ppm = 50000, .seed = 1, .passes = 1};

static void
quality_is_that_of_who_answers(void **state)
{
    struct several_set set;

    (void)state;
    several_set_init(&set, 4, 2);
    for (unsigned i = 0; i < 4; i++) {
        set.reference[i] = i != 3; /* right three times */
        set.scores[2 * i] = (float)i;
        set.scores[2 * i + 1] = -(float)i;
        set.right[2 * i] = i == 3;
        set.right[2 * i + 1] = i == 1;
    }
    assert_true(several_quality(&set, (double[]){INFINITY, INFINITY}) == 1);
    assert_true(fabs(several_quality(&set, (double[]){3, INFINITY}) - 4 / 3.) < 1e-9);
    assert_true(fabs(several_quality(&set, (double[]){3, 0}) - 3 / 3.) < 1e-9);  /* number 0 to the second, wrong */
    assert_true(fabs(several_quality(&set, (double[]){0, 0}) - 1 / 3.) < 1e-9);  /* all to the first */
    assert_true(fabs(several_quality(&set, (double[]){9, -3}) - 1 / 3.) < 1e-9); /* all to the second */
    several_set_free(&set);
}

/* `right`: how often each candidate is, whatever its score; the reference is right in four of five. */
static struct several_set
made_up(size_t count, double first, double second)
{
    struct several_set set;
    struct rng rng;

    rng_seed(&rng, 7);
    several_set_init(&set, count, 2);
    set.reference_price = 10;
    set.prices[0] = 1;
    set.prices[1] = 2;
    for (size_t i = 0; i < count; i++) {
        set.reference[i] = rng_unit(&rng) < .8;
        for (unsigned k = 0; k < 2; k++) {
            set.scores[2 * i + k] = (float)rng_unit(&rng);
            set.right[2 * i + k] = rng_unit(&rng) < (k == 0 ? first : second);
        }
    }
    return set;
}

/* Both are better than the reference: what is not audited the cheapest serves in the end, and the second of two has nothing left. */
static void
the_cheapest_that_will_do_serves(void **state)
{
    struct several_set set = made_up(20000, .95, .95);
    struct several_outcome out;

    (void)state;
    out = several_play(&set, &usual);
    assert_int_equal(out.requests, 20000);
    assert_false(out.violated);
    assert_true(out.served > 15000 && out.audits > 500);
    assert_true(out.right > .9 * 20000);
    assert_true(out.later_spent < 2.2 * 10000); /* served at 1, some audited at 11 */
    /* Each audit costs its candidate beside the reference: between 1 and 2 more. */
    assert_true(out.spent >= 10. * (double)(20000 - out.served) + (double)out.served + (double)out.audits);
    assert_true(out.spent <= 10. * (double)(20000 - out.served) + 2. * (double)(out.served + out.audits));
    several_set_free(&set);
}

/* Where the cheapest will not do, the other may. */
static void
who_is_wrong_serves_nothing(void **state)
{
    struct several_set set = made_up(20000, .2, .95);
    struct several_outcome out;

    (void)state;
    out = several_play(&set, &usual);
    assert_false(out.violated);
    assert_int_equal(out.serving, 1);
    assert_true(out.served > 8000);
    assert_true(out.spent >= 10. * (double)(20000 - out.served) + 2. * (double)out.served);
    several_set_free(&set);
    set = made_up(20000, .2, .3);
    out = several_play(&set, &usual);
    assert_int_equal(out.served, 0);
    assert_true(out.audits > 100 && out.spent > 200000 && out.spent < 1.1 * 200000); /* as the learning budget has it */
    several_set_free(&set);
}

/* Just below what is promised, over many orders: at most so many may be wrong, and are. */
static void
the_floor_holds(void **state)
{
    struct several_set set = made_up(3000, .74, .75);
    struct several_wanted wanted = usual;
    struct several_summary sum;

    (void)state;
    wanted.passes = 3;
    sum = several_play_all(&set, &wanted, 40);
    assert_int_equal(sum.orders, 40);
    assert_true(sum.violated <= 5); /* of a chance of 5 %: more in one of a hundred such tests */
    several_set_free(&set);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quality_is_that_of_who_answers),
        cmocka_unit_test(the_cheapest_that_will_do_serves),
        cmocka_unit_test(who_is_wrong_serves_nothing),
        cmocka_unit_test(the_floor_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
