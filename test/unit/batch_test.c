/* What a batch comes to by the model, and the largest within a limit. */
#include "fleet/engine/batch.h"

#include <math.h>

#include "cmocka_ready.h"
#include "fleet/health/utilisation.h"

static const struct batch_mix mix = {.prompt = 1000, .cached = 200, .output = 200};

static const struct step_time *
a100(void)
{
    return &engine_pair_find(SLICE_LITERAL("a100-llama-3-8b"))->time;
}

static void
the_gap_by_hand(void **state)
{
    const struct step_time time = {
        .alpha_us = 3000, .beta_us = 4, .delta_us = 0.5, .epsilon_us = 0.001, .gamma_us = 7, .host_us = 11};

    (void)state;
    /* 200 sequences and 800 / 200 tokens of prompts for each: 1,000 tokens, hypot(3000, 4000); contexts of 1,100; 200 / 200
     * prompts of 800 behind 200: 160,000 + 320,000 pairs */
    assert_true(fabs(batch_gap_us(&time, &mix, 200) - (5000 + 0.5 * 200 * 1100 + 0.001 * 480000 + 1400 + 11)) < 1e-6);
    assert_true(fabs(batch_tokens_a_second(&time, &mix, 200) - 200 / batch_gap_us(&time, &mix, 200) * 1e6) < 1e-9);
}

static void
the_most_is_the_largest_within_the_limit(void **state)
{
    bool by_room = true;

    (void)state;
    for (double limit_us = 12e3; limit_us < 80e3; limit_us += 3e3) {
        int64_t most = batch_most(a100(), &mix, 427000, limit_us, &by_room);

        assert_true(batch_gap_us(a100(), &mix, (double)most) <= limit_us);
        assert_true(by_room || batch_gap_us(a100(), &mix, (double)most + 1) > limit_us);
        assert_false(by_room && most != 427000 / 1200);
    }
    assert_int_equal(batch_most(a100(), &mix, 427000, 1, &by_room), 1); /* no batch can do that */
    assert_false(by_room);
    assert_int_equal(batch_most(a100(), &mix, 427000, 0, &by_room), 355);
    assert_true(by_room);
    assert_int_equal(batch_most(a100(), &mix, 100, 0, &by_room), 1);
}

/* By steps taken one by one: an answer ends in each step with the chance that it has, and then a whole prompt is in it. */
static double
put_out(const struct step_time *time, const struct batch_mix *like, double sequences)
{
    double span_us = 0, due = 0, tokens = 0;

    for (unsigned i = 0; i < 20000; i++) {
        double prompts = floor(due += sequences / like->output);

        due -= prompts;
        span_us += hypot(time->alpha_us, time->beta_us * (sequences + prompts * like->prompt)) + time->host_us +
                   time->delta_us * sequences * (like->prompt + like->output / 2) + time->gamma_us * sequences +
                   time->epsilon_us * prompts * like->prompt * like->prompt / 2;
        tokens += sequences;
    }
    return tokens / span_us;
}

static void
enough_puts_out_nearly_what_the_largest_would(void **state)
{
    const struct batch_mix mixes[] = {{1000, 0, 250}, {8000, 0, 100}, {200, 0, 500}, {300, 0, 3000}};

    (void)state;
    for (size_t i = 0; i < sizeof(mixes) / sizeof(mixes[0]); i++)
        for (size_t k = 0; engine_pair_at(k) != NULL; k++) {
            const struct step_time *time = &engine_pair_at(k)->time;
            double enough = batch_enough(time, &mixes[i]), all = put_out(time, &mixes[i], 1e6);

            assert_true(enough > 4 && enough < 2000);
            assert_true(put_out(time, &mixes[i], enough) >= (BATCH_ENOUGH_SHARE - 0.01) * all);
            assert_true(put_out(time, &mixes[i], enough / 1.2) < BATCH_ENOUGH_SHARE * all);
        }
}

static void
a_batch_is_not_bounded_where_more_is_always_worth_it(void **state)
{
    const struct step_time weights_alone = {.alpha_us = 10000}, no_weights = {.beta_us = 10, .delta_us = 0.1};

    (void)state;
    assert_true(isinf(batch_enough(&weights_alone, &mix)));
    assert_true(batch_enough(&no_weights, &mix) < 1.01);
}

/* Windows of a replica that works half of each minute, one request at a time. */
static void
windows_tell_the_busy_share(void **state)
{
    struct utilisation *utilisation = utilisation_new();
    struct utilisation_view view;
    struct engine_fits fits;
    struct replicas replicas;
    struct replica_wish wish = {.prompt_tokens = 100, .output_tokens = 30, .streamed = true};
    struct replica_metered metered = {100, 0, 30};
    struct replica_ticket ticket = {0};
    struct replica *replica;
    usec now_us = 7;

    (void)state;
    engine_fits_init(&fits);
    replicas_init(&replicas);
    replica = replicas_of(&replicas, "one:80", NULL);
    wish.fit = engine_fits_of(&fits, SLICE_LITERAL("gpus/llama"), NULL);
    utilisation_look(utilisation, replica, now_us, &view);
    assert_true(view.minute.seconds == 0 && view.hour.busy == 0 && view.busy[59] < 0);
    for (int minute = 0; minute < 70; minute++) {
        for (int step = 0; step < 12; step++) {
            utilisation_sample(utilisation, &replicas, now_us);
            if (step == 0)
                replica_take(replica, &ticket, &wish, now_us);
            now_us += UTILISATION_EVERY_US;
            if (step == 1)
                replica_begun(&ticket, now_us);
            if (step == 5)
                replica_give_back(&ticket, REPLICA_COMPLETED, &metered, now_us);
        }
    }
    utilisation_look(utilisation, replica, now_us, &view);
    assert_true(fabs(view.minute.seconds - 65) < 1e-6 && fabs(view.minute.busy - 30.0 / 65) < 1e-6);
    assert_true(fabs(view.hour.seconds - 61 * 60) < 1e-6 && fabs(view.hour.busy - 0.5) < 1e-6);
    assert_true(fabs(view.hour.requests - 0.5) < 1e-6);
    assert_true(fabs(view.hour.batch - 20.0 / 30) < 1e-6); /* it decodes for 20 of its 30 s */
    assert_true(fabs(view.hour.output_tokens - 0.5) < 1e-6 && fabs(view.hour.input_tokens - 100.0 / 60) < 1e-6);
    for (size_t i = 0; i < UTILISATION_MINUTES - 1; i++)
        assert_true(fabs((double)view.busy[i] - 0.5) < 1e-6);
    /* one that was not there at the last sample: all that it did was since then */
    replica = replicas_of(&replicas, "two:80", NULL);
    utilisation_sample(utilisation, &replicas, now_us);
    replica = replicas_of(&replicas, "three:80", NULL);
    replica_take(replica, &ticket, &wish, now_us + USEC_PER_S);
    replica_give_back(&ticket, REPLICA_COMPLETED, &metered, now_us + 3 * USEC_PER_S);
    utilisation_look(utilisation, replica, now_us + 4 * USEC_PER_S, &view);
    assert_true(view.minute.seconds == 4 && view.minute.busy == 0.5);
    replicas_free(&replicas);
    engine_fits_free(&fits);
    utilisation_free(utilisation);
}

static void
the_curve_keeps_what_was_measured(void **state)
{
    struct engine_curve curve = {.weight = {0}};

    (void)state;
    for (int i = 0; i < 300; i++) {
        engine_curve_add(&curve, 1, 10000);
        engine_curve_add(&curve, 8 + i % 2, 12000 + 1000 * (i % 2));
        engine_curve_add(&curve, 5000, 90000);
    }
    assert_true(curve.batch[0] == 1 && curve.gap_us[0] == 10000);
    assert_true(fabs(curve.batch[6] - 8.5) < 0.01 && fabs(curve.gap_us[6] - 12500) < 10);
    assert_true(curve.weight[6] > 90 && curve.weight[6] < 100.001); /* older ones fade */
    assert_true(curve.gap_us[ENGINE_CURVE_CLASSES - 1] == 90000);
    assert_true(curve.weight[5] == 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_gap_by_hand),
        cmocka_unit_test(the_most_is_the_largest_within_the_limit),
        cmocka_unit_test(enough_puts_out_nearly_what_the_largest_would),
        cmocka_unit_test(a_batch_is_not_bounded_where_more_is_always_worth_it),
        cmocka_unit_test(windows_tell_the_busy_share),
        cmocka_unit_test(the_curve_keeps_what_was_measured),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
