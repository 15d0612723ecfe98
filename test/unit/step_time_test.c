/* Step times: the formula by hand, and fits that find again what made the samples. */
#include "fleet/engine/step_time.h"

#include <math.h>

#include "base/rng.h"
#include "cmocka_ready.h"
#include "fleet/engine/engine_settings.h"

#define assert_near(a, b, share) assert_true(fabs((a) - (b)) <= (share)*fabs(b))

static void
the_formula_by_hand(void **state)
{
    const struct step_time time = {
        .alpha_us = 3000, .beta_us = 4, .delta_us = 0.5, .epsilon_us = 0.001, .gamma_us = 7, .host_us = 11};
    const struct step_load load = {
        .new_tokens = 1000, .kv_tokens = 600, .attended = step_attended(500, 998), .sequences = 3};

    (void)state;
    assert_int_equal(step_attended(0, 1), 1);
    assert_int_equal(step_attended(10, 3), 11 + 12 + 13);
    assert_int_equal(load.attended, 499000 + 498501);
    /* hypot(3000, 4000) + 300 + 997.501 + 21 + 11 */
    assert_near(step_time_predict_us(&time, &load), 6329.501, 1e-12);
}

enum { SAMPLES = 600 };

/* Steps as they come: decoding alone, prompts alone, both. */
static void
draw_samples(struct rng *rng, const struct step_time *time, double noise, struct step_sample samples[SAMPLES])
{
    for (unsigned i = 0; i < SAMPLES; i++) {
        struct step_load *load = &samples[i].load;
        int64_t decoding = i % 3 == 1 ? 0 : 1 + (int64_t)rng_below(rng, 128);
        int64_t fresh = i % 3 == 0 ? 0 : 16 + (int64_t)rng_below(rng, 2048);

        *load = (struct step_load){.new_tokens = decoding + fresh, .sequences = decoding + (fresh != 0)};
        load->kv_tokens = decoding * (1 + (int64_t)rng_below(rng, 8000));
        load->attended = step_attended((int64_t)rng_below(rng, 4000), fresh);
        samples[i].time_us = step_time_predict_us(time, load) * (1 + noise * (2 * rng_unit(rng) - 1));
    }
}

static void
exact_samples_give_their_parameters_back(void **state)
{
    struct step_time time = {0, 0, 0, 0, 0, 0};
    const struct step_time truth = {
        .alpha_us = 10500, .beta_us = 70.7, .delta_us = 0.125, .epsilon_us = 0.0034, .gamma_us = 4.4, .host_us = 800};
    struct step_sample samples[SAMPLES];
    struct rng rng;

    (void)state;
    rng_seed(&rng, 1);
    draw_samples(&rng, &truth, 0, samples);
    assert_int_equal(step_time_fit(samples, SAMPLES, &time), OK);
    assert_near(time.alpha_us, truth.alpha_us, 1e-3);
    assert_near(time.beta_us, truth.beta_us, 1e-3);
    assert_near(time.delta_us, truth.delta_us, 1e-3);
    assert_near(time.epsilon_us, truth.epsilon_us, 1e-3);
    assert_near(time.gamma_us, truth.gamma_us, 1e-2);
    assert_near(time.host_us, truth.host_us, 1e-2);
    assert_true(step_time_median_error(&time, samples, SAMPLES) < 1e-4);
}

static void
noisy_samples_give_nearly_their_parameters_back(void **state)
{
    (void)state;
    for (size_t i = 0; engine_pair_at(i) != NULL; i++) {
        const struct step_time *truth = &engine_pair_at(i)->time;
        struct step_sample samples[SAMPLES];
        struct step_time time;
        struct rng rng;

        rng_seed(&rng, 7 + i);
        draw_samples(&rng, truth, 0.1, samples);
        assert_int_equal(step_time_fit(samples, SAMPLES, &time), OK);
        /* alpha and host stand in for each other */
        assert_near(time.alpha_us + time.host_us, truth->alpha_us, 0.05);
        assert_near(time.beta_us, truth->beta_us, 0.05);
        assert_near(time.delta_us, truth->delta_us, 0.05);
        assert_near(time.epsilon_us, truth->epsilon_us, 0.15);
        assert_true(time.gamma_us >= 0 && time.gamma_us < 40);
        /* the noise is even between -10 % and 10 %: its median size is 5 % */
        assert_near(step_time_median_error(&time, samples, SAMPLES), 0.05, 0.15);
    }
}

static void
a_few_wrong_samples_do_not_matter(void **state)
{
    const struct step_time *truth = &engine_pair_find(SLICE_LITERAL("a100-llama-3-8b"))->time;
    struct step_sample samples[SAMPLES];
    struct step_time time;
    struct rng rng;

    (void)state;
    rng_seed(&rng, 3);
    draw_samples(&rng, truth, 0.02, samples);
    for (unsigned i = 0; i < SAMPLES; i += 20)
        samples[i].time_us /= 10;
    assert_int_equal(step_time_fit(samples, SAMPLES, &time), OK);
    assert_near(time.alpha_us + time.host_us, truth->alpha_us, 0.03);
    assert_near(time.beta_us, truth->beta_us, 0.03);
    assert_near(time.delta_us, truth->delta_us, 0.03);
    assert_near(time.epsilon_us, truth->epsilon_us, 0.1);
}

static void
what_samples_do_not_tell_is_left_out(void **state)
{
    struct step_sample samples[40];
    struct step_time time;

    (void)state;
    /* decoding only, on 2,000 tokens each */
    for (int i = 0; i < 40; i++) {
        samples[i].load = (struct step_load){.new_tokens = i + 1, .sequences = i + 1, .kv_tokens = 2000 * (i + 1)};
        samples[i].time_us = 9000 + 300 * (i + 1);
    }
    assert_int_equal(step_time_fit(samples, 40, &time), OK);
    assert_true(time.epsilon_us == 0);
    assert_true(step_time_median_error(&time, samples, 40) < 1e-6);
    assert_true(time.alpha_us >= 0 && time.beta_us >= 0 && time.delta_us >= 0 && time.gamma_us >= 0 &&
                time.host_us >= 0);
    /* one sample: any parameters that give it */
    assert_int_equal(step_time_fit(samples, 1, &time), OK);
    assert_near(step_time_predict_us(&time, &samples[0].load), 9300.0, 1e-6);
}

static void
nonsense_is_refused(void **state)
{
    struct step_sample samples[2] = {{{10, 0, 0, 1}, 100}, {{10, 0, 0, 1}, 0}};
    struct step_time time;

    (void)state;
    assert_int_equal(step_time_fit(samples, 0, &time), ERR_INVALID);
    assert_int_equal(step_time_fit(samples, 2, &time), ERR_INVALID);
    samples[1].time_us = NAN;
    assert_int_equal(step_time_fit(samples, 2, &time), ERR_INVALID);
    assert_true(step_time_median_error(&time, samples, 0) == 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_formula_by_hand),
        cmocka_unit_test(exact_samples_give_their_parameters_back),
        cmocka_unit_test(noisy_samples_give_nearly_their_parameters_back),
        cmocka_unit_test(a_few_wrong_samples_do_not_matter),
        cmocka_unit_test(what_samples_do_not_tell_is_left_out),
        cmocka_unit_test(nonsense_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
