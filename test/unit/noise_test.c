/* A judge's mistakes: what labelled examples bound of them, and that a floor is kept in spite of them. */
#include <math.h>

#include "base/rng.h"
#include "cmocka_ready.h"
#include "quality/evidence.h"

enum { ALPHA_PPM = 50000, WORLDS = 200, AUDITS = 1500 };

/* How often a judge accepts what is acceptable, and what is not. */
struct mistakes {
    double accepts, passes;
};

static bool
happens(struct rng *rng, double chance)
{
    return rng_unit(rng) < chance;
}

static struct judge_noise
calibrated(struct rng *rng, struct mistakes of, unsigned examples)
{
    struct outcomes acceptable = {.of_pairs = false}, others = {.of_pairs = false};

    for (unsigned i = 0; i < examples; i++) {
        outcomes_add(&acceptable, happens(rng, of.accepts), 0);
        outcomes_add(&others, happens(rng, of.passes), 0);
    }
    return noise_of(&acceptable, &others, log((double)NOISE_BOUND_PART * PPM / ALPHA_PPM));
}

/* Does a candidate of which this share is acceptable ever serve? */
static bool
ever_serves(struct rng *rng, struct mistakes of, double acceptable, const struct evidence_terms *terms,
            uint32_t *claimed)
{
    struct score_sample sample = {.count = 0};
    struct evidence evidence;
    enum evidence_reason reason;

    while (!score_sample_add(&sample, 1)) {
    }
    assert_int_equal(evidence_begin(&evidence, terms, &sample), OK);
    for (unsigned i = 0; i < AUDITS; i++) {
        bool right = happens(rng, acceptable);
        struct audit audit = {.score = 1, .outcome = happens(rng, right ? of.accepts : of.passes)};

        evidence_observe(&evidence, &audit);
        *claimed = evidence_may_serve(&evidence, 1, &reason);
        if (*claimed > 0)
            return true;
    }
    return false;
}

static unsigned
how_many_serve(uint64_t seed, struct mistakes of, double acceptable, uint32_t floor_ppm, unsigned examples)
{
    unsigned serve = 0;
    struct rng rng;
    uint32_t claimed;

    rng_seed(&rng, seed);
    for (unsigned i = 0; i < WORLDS; i++) {
        struct evidence_terms terms = {.floor_ppm = floor_ppm, .alpha_ppm = ALPHA_PPM};

        if (examples > 0) {
            terms.noise = calibrated(&rng, of, examples);
            terms.alpha_ppm = ALPHA_PPM / NOISE_EARN_PART;
        }
        serve += ever_serves(&rng, of, acceptable, &terms, &claimed);
    }
    return serve;
}

/* A judge that lets half of what is bad pass makes 75 % look like 87 %. At alpha 5 % at most 18 of 200 worlds may serve (a chance
 * of less than 1 % of more). */
static void
a_lenient_judge_lets_nothing_below_the_floor_serve(void **state)
{
    const struct mistakes lenient = {.accepts = 1, .passes = .5};

    (void)state;
    assert_true(how_many_serve(1, lenient, .75, 800000, 0) > WORLDS / 2);
    assert_true(how_many_serve(2, lenient, .75, 800000, 300) <= 18);
    assert_true(how_many_serve(3, lenient, .80, 800000, 300) <= 18);
    assert_true(how_many_serve(4, lenient, .95, 800000, 3000) > WORLDS / 2);
}

/* A judge that rejects a part of what is good says too little, which costs savings alone. */
static void
a_strict_judge_is_allowed_for(void **state)
{
    const struct mistakes strict = {.accepts = .93, .passes = .02};

    (void)state;
    assert_int_equal(how_many_serve(5, strict, 1, 950000, 0), 0); /* it never accepts 95 % */
    assert_true(how_many_serve(6, strict, 1, 950000, 4000) > 0);
    assert_true(how_many_serve(7, strict, .95, 950000, 4000) <= 18);
}

/* A floor of the route: an arm that holds a part of it may be as bad as that part allows. */
static void
a_floor_of_the_route_is_kept(void **state)
{
    const struct mistakes lenient = {.accepts = 1, .passes = .5};
    unsigned serve = 0;
    struct rng rng;

    (void)state;
    rng_seed(&rng, 8);
    for (unsigned i = 0; i < WORLDS; i++) {
        struct score_sample sample = {.count = 0};
        struct evidence evidence;
        struct evidence_terms terms = {.scope = FLOOR_ROUTE,
                                       .floor_ppm = 900000,
                                       .alpha_ppm = ALPHA_PPM / NOISE_EARN_PART,
                                       .noise = calibrated(&rng, lenient, 300)};

        while (!score_sample_add(&sample, rng_unit(&rng))) {
        }
        assert_int_equal(evidence_begin(&evidence, &terms, &sample), OK);
        /* Nothing of what it answers is acceptable: an arm that holds more than a tenth of the route breaks the floor. */
        for (unsigned k = 0; k < AUDITS; k++)
            evidence_observe(&evidence, &(struct audit){.score = rng_unit(&rng), .outcome = happens(&rng, .5)});
        serve += evidence.serving != ARM_NONE && 1 - evidence.arms.threshold[evidence.serving] > .1;
    }
    assert_true(serve <= 18);
}

static void
floors_are_what_the_bounds_say(void **state)
{
    const struct judge_noise none = {.sensitive_high_ppm = 0};
    const struct judge_noise noise = {.sensitive_low_ppm = 960000,
                                      .sensitive_high_ppm = 980000,
                                      .specific_low_ppm = 800000,
                                      .specific_high_ppm = 900000};
    static const struct judge_noise backward = {850000, 910000, 20000, 50000};

    (void)state;
    assert_false(noise_is_set(&none));
    assert_int_equal(noise_earn_ppm(&none, false, 900000), 900000);
    assert_int_equal(noise_fall_ppm(&none, 900000), 900000);
    assert_true(noise_reachable(&none, false, 999999));
    assert_int_equal(noise_truth_low_ppm(&none, true, 123456), 123456);
    assert_int_equal(noise_earn_ppm(&noise, false, 900000), 902000);    /* .9 x .98 + .1 x .2 */
    assert_int_equal(noise_earn_ppm(&noise, true, 900000), 920000);     /* 1 - .1 x .8 */
    assert_int_equal(noise_earn_ppm(&backward, false, 900000), 980000); /* what it accepts of bad answers alone */
    assert_int_equal(noise_fall_ppm(&noise, 900000), 874000);           /* .9 x .96 + .1 x .1 */
    assert_in_range(noise_truth_low_ppm(&noise, false, 902000), 899998, 900000);
    assert_in_range(noise_truth_low_ppm(&noise, true, 920000), 899998, 900000);
    assert_in_range(noise_truth_high_ppm(&noise, 874000), 899998, 900002);
    assert_true(noise_reachable(&noise, false, 900000));
    assert_false(noise_reachable(&noise, false, 990000)); /* it would have to accept .972, and accepts .97 */
    assert_true(noise_reachable(&noise, true, 990000));
}

/* Few examples bound little: the floor is out of reach, and that is what is said. */
static void
few_examples_are_out_of_reach(void **state)
{
    struct judge_noise noise;
    struct rng rng;
    struct evidence evidence = {.begun = false};
    struct score_sample sample = {.count = 0};

    (void)state;
    rng_seed(&rng, 9);
    noise = calibrated(&rng, (struct mistakes){.accepts = .97, .passes = .1}, 40);
    assert_false(noise_reachable(&noise, false, 950000));
    while (!score_sample_add(&sample, 1)) {
    }
    assert_int_equal(evidence_begin(&evidence,
                                    &(struct evidence_terms){.floor_ppm = 950000, .alpha_ppm = 25000, .noise = noise},
                                    &sample),
                     OK);
    assert_int_equal(evidence_verdict(&evidence).reason, EVIDENCE_JUDGE_UNFIT);
    assert_true(evidence_verdict(&evidence).judged_floor_ppm > 950000);
}

/* Saved and restored with them; without, the bytes are those of before. */
static void
mistakes_are_kept(void **state)
{
    struct evidence_terms terms = {.floor_ppm = 800000, .alpha_ppm = 50000, .epoch = 3};
    struct buffer bytes = {0}, again = {0};

    (void)state;
    for (unsigned noisy = 0; noisy < 2; noisy++) {
        struct score_sample sample = {.count = 0};
        struct evidence evidence, restored;

        if (noisy)
            terms.noise = (struct judge_noise){900000, 950000, 700000, 800000};
        while (!score_sample_add(&sample, 1)) {
        }
        assert_int_equal(evidence_begin(&evidence, &terms, &sample), OK);
        for (unsigned i = 0; i < 100; i++)
            evidence_observe(&evidence, &(struct audit){.score = 1, .outcome = i % 10 > 0});
        buffer_clear(&bytes);
        buffer_clear(&again);
        evidence_save(&evidence, &bytes);
        assert_int_equal(buffer_content(&bytes).data[4], noisy ? 2 : 1); /* the version */
        assert_int_equal(evidence_restore(&restored, buffer_content(&bytes)), OK);
        assert_true(evidence_is_for(&restored, &terms));
        evidence_save(&restored, &again);
        assert_true(slice_equal(buffer_content(&bytes), buffer_content(&again)));
        assert_int_equal(restored.bound_ppm, evidence.bound_ppm);
    }
    buffer_free(&bytes);
    buffer_free(&again);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lenient_judge_lets_nothing_below_the_floor_serve),
        cmocka_unit_test(a_strict_judge_is_allowed_for),
        cmocka_unit_test(a_floor_of_the_route_is_kept),
        cmocka_unit_test(floors_are_what_the_bounds_say),
        cmocka_unit_test(few_examples_are_out_of_reach),
        cmocka_unit_test(mistakes_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
