/* The engine's fit, from what a gateway sees of a modelled engine: when requests were sent, their first tokens and their
 * ends. It must come to predict the engine's true step times, whatever it started from. */
#include "fleet/engine/engine_fit.h"

#include <math.h>

#include "base/rng.h"
#include "cmocka_ready.h"
#include "fleet/engine/engine.h"
#include "fleet/engine/engine_track.h"

#define assert_near(a, b, share) assert_true(fabs((a) - (b)) <= (share)*fabs(b))

enum { PEOPLE = 640 };

struct person {
    struct engine_request request; /* first */
    struct engine_turn turn;
    struct rig *rig;
    bool streams;
};

/* One engine, its track, and a crowd that asks it at random times. */
struct rig {
    struct engine_model *engine;
    struct engine_fit *fit;
    struct engine_track track;
    struct person people[PEOPLE];
    struct rng rng;
    usec now_us;
    double apart_us;         /* mean time between requests */
    unsigned streams_of_ten; /* how many of ten answers stream */
    int64_t prompt_most, output_most;
    int64_t cold;    /* so many answers come ten times slower than they were */
    double share_us; /* of all that are over */
    uint64_t over;
    struct step_time view_time;
};

static struct engine_view
view_of(struct rig *rig)
{
    rig->view_time = engine_fit_time(rig->fit);
    return (struct engine_view){&rig->view_time, 2048};
}

static void
on_tokens(struct engine_request *request)
{
    struct person *person = (struct person *)(void *)request;
    struct rig *rig = person->rig;
    struct engine_lesson lesson;

    if (person->streams)
        engine_track_begun(&rig->track, view_of(rig), &person->turn, request->told_at_us);
    if (request->tokens < request->output_tokens)
        return;
    engine_track_end(&rig->track, view_of(rig), &person->turn, request->prompt_tokens, 0, request->output_tokens, false,
                     request->told_at_us, &lesson);
    rig->share_us += lesson.share_us;
    rig->over++;
    if (rig->cold > 0) {
        rig->cold--;
        lesson.first_token.seen_us *= 10;
        lesson.rest.seen_us *= 10;
    }
    engine_fit_learn_lesson(rig->fit, &lesson);
}

static void
rig_init(struct rig *rig, struct engine_fit *fit, const struct engine_settings *settings, double apart_us,
         uint64_t seed)
{
    *rig =
        (struct rig){.fit = fit, .apart_us = apart_us, .streams_of_ten = 10, .prompt_most = 4000, .output_most = 400};
    rig->engine = engine_new(settings, on_tokens);
    rng_seed(&rig->rng, seed);
}

static void
send_one(struct rig *rig)
{
    for (size_t i = 0; i < PEOPLE; i++) {
        struct person *person = &rig->people[i];

        if (person->request.state != ENGINE_OUTSIDE)
            continue;
        *person = (struct person){.rig = rig, .streams = rng_below(&rig->rng, 10) < rig->streams_of_ten};
        person->request.prompt_tokens = 20 + (int64_t)rng_below(&rig->rng, (uint64_t)rig->prompt_most);
        person->request.output_tokens = 5 + (int64_t)rng_below(&rig->rng, (uint64_t)rig->output_most);
        engine_track_take(&rig->track, view_of(rig), &person->turn, person->request.prompt_tokens, 0, person->streams,
                          rig->now_us);
        assert_int_equal(engine_submit(rig->engine, &person->request, rig->now_us), OK);
        return;
    }
}

/* News as of their own times: the engine must not run past the next request. */
static void
advance_to(struct rig *rig, usec until_us)
{
    while (engine_next_us(rig->engine) <= until_us) {
        rig->now_us = engine_next_us(rig->engine) > rig->now_us ? engine_next_us(rig->engine) : rig->now_us;
        engine_advance(rig->engine, rig->now_us);
    }
    rig->now_us = until_us;
}

static void
run(struct rig *rig, usec span_us)
{
    usec until_us = rig->now_us + span_us;

    while (rig->now_us < until_us) {
        advance_to(rig, rig->now_us + (usec)(-log(1 - rng_unit(&rig->rng)) * rig->apart_us) + 1);
        send_one(rig);
    }
}

static void
rig_end(struct rig *rig)
{
    for (size_t i = 0; i < PEOPLE; i++)
        engine_cancel(rig->engine, &rig->people[i].request, rig->now_us);
    engine_free(rig->engine);
}

/* The median over random steps of how far its prediction is off: decoding alone, and with a chunk. */
static double
error_over_random_steps(const struct engine_fit *fit, const struct step_time *truth, double sequences_most)
{
    struct step_sample samples[400];
    struct step_time time = engine_fit_time(fit);
    struct rng rng;

    rng_seed(&rng, 99);
    for (unsigned i = 0; i < 400; i++) {
        struct step_load *load = &samples[i].load;
        int64_t chunk = i % 2 == 0 ? 0 : 100 + (int64_t)rng_below(&rng, 1900);

        load->sequences = 1 + (int64_t)rng_below(&rng, (uint64_t)sequences_most);
        load->kv_tokens = load->sequences * (500 + (int64_t)rng_below(&rng, 3000));
        load->new_tokens = load->sequences + chunk;
        load->attended = step_attended((int64_t)rng_below(&rng, 2000), chunk);
        samples[i].time_us = step_time_predict_us(truth, load);
    }
    return step_time_median_error(&time, samples, 400);
}

static struct engine_settings
settings_of(const char *pair)
{
    struct engine_settings settings;

    engine_settings_of(engine_pair_find(slice_of(pair)), &settings);
    settings.step_tokens_most = 2048;
    return settings;
}

/* Every known engine, from what is only common: within 3 % of the true step times over random loads. */
static void
it_converges_to_the_true_step_times(void **state)
{
    static const double apart_us[] = {600e3, 1500e3, 250e3, 450e3, 250e3};

    (void)state;
    for (size_t i = 0; engine_pair_at(i) != NULL; i++) {
        struct engine_settings settings = settings_of(engine_pair_at(i)->name);
        struct engine_fit fit;
        struct rig rig;
        double before, after;

        engine_fit_init(&fit, NULL);
        rig_init(&rig, &fit, &settings, apart_us[i], 5 + i);
        before = error_over_random_steps(&fit, &settings.time, 32);
        run(&rig, 1500 * USEC_PER_S);
        after = error_over_random_steps(&fit, &settings.time, 32);
        assert_true(i == 0 || before > 0.2); /* the first is the common one */
        assert_true(after < 0.03);
        assert_true(engine_errors_median(&fit.gaps) < 0.02);
        assert_true(engine_errors_median(&fit.first_tokens) < 0.15);
        rig_end(&rig);
    }
}

/* Answers that do not stream show only their ends; some that do not among those that do are no harm either. */
static void
answers_that_do_not_stream_teach_too(void **state)
{
    static const struct {
        unsigned streams_of_ten;
        double error;
    } cases[] = {{5, 0.05}, {0, 0.15}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct engine_settings settings = settings_of("h100-llama-3.1-8b");
        struct engine_fit fit;
        struct rig rig;

        engine_fit_init(&fit, NULL);
        rig_init(&rig, &fit, &settings, 250e3, 77);
        rig.streams_of_ten = cases[i].streams_of_ten;
        run(&rig, 1500 * USEC_PER_S);
        assert_true(error_over_random_steps(&fit, &settings.time, 32) < cases[i].error);
        rig_end(&rig);
    }
}

/* Scenario 42: cold-start samples poison the model. Neither the first answers of a replica nor a spell of slow ones later
 * change what was learned. */
static void
cold_start_samples_do_not_poison_the_model(void **state)
{
    struct engine_settings settings = settings_of("a100-llama-3-8b");
    struct engine_fit fit;
    struct rig rig;
    double warm;

    (void)state;
    engine_fit_init(&fit, NULL);
    rig_init(&rig, &fit, &settings, 600e3, 42);
    rig.cold = ENGINE_WARM_UP;
    run(&rig, 400 * USEC_PER_S);
    warm = error_over_random_steps(&fit, &settings.time, 32);
    assert_true(warm < 0.05);
    assert_int_equal(fit.restarts, 0);
    rig.cold = 12; /* as after a restart that nobody told us of */
    run(&rig, 15 * USEC_PER_S);
    assert_true(fit.gated >= 12);
    assert_true(error_over_random_steps(&fit, &settings.time, 32) < 0.05);
    run(&rig, 100 * USEC_PER_S);
    assert_true(error_over_random_steps(&fit, &settings.time, 32) < 0.05);
    rig_end(&rig);
}

/* Another engine in the same place: slower all over. */
static void
a_changed_engine_is_learned_anew(void **state)
{
    struct engine_settings fast = settings_of("h100-llama-3.1-8b"), slow = settings_of("a100-llama-3-8b");
    struct engine_fit fit;
    struct rig rig;

    (void)state;
    engine_fit_init(&fit, engine_pair_find(SLICE_LITERAL("h100-llama-3.1-8b")));
    rig_init(&rig, &fit, &fast, 600e3, 3);
    run(&rig, 600 * USEC_PER_S);
    assert_true(error_over_random_steps(&fit, &fast.time, 16) < 0.05);
    assert_true(error_over_random_steps(&fit, &slow.time, 16) > 0.3);
    rig_end(&rig);
    rig_init(&rig, &fit, &slow, 600e3, 4);
    run(&rig, 100 * USEC_PER_S); /* some 200 answers */
    assert_int_equal(fit.restarts, 1);
    assert_true(error_over_random_steps(&fit, &slow.time, 16) < 0.03);
    rig_end(&rig);
}

/* In a jam each step is as full as can be, with parts of several prompts in it, and all are alike: what is learned there must
 * not be paid for with what was known of the others. */
static void
a_jam_teaches_nothing_wrong(void **state)
{
    struct engine_settings settings = settings_of("a100-llama-3-70b-tp4");
    struct step_time learned;
    struct engine_fit fit;
    struct rig rig;

    (void)state;
    engine_fit_init(&fit, engine_pair_find(SLICE_LITERAL("a100-llama-3-70b-tp4")));
    rig_init(&rig, &fit, &settings, 500e3, 7);
    rig.prompt_most = 2300;
    for (unsigned jams = 0; jams < 2; jams++) {
        rig.apart_us = 500e3;
        run(&rig, 300 * USEC_PER_S);
        rig.apart_us = 200e3;
        run(&rig, 240 * USEC_PER_S);
        assert_true(rig.track.filling > 100 && rig.track.decoding > 200);
        learned = engine_fit_time(&fit);
        assert_true(error_over_random_steps(&fit, &settings.time, 32) < 0.03);
        assert_true(engine_errors_median(&fit.gaps) < 0.01);
        assert_near(learned.beta_us, settings.time.beta_us, 0.08);
        assert_near(learned.epsilon_us, settings.time.epsilon_us, 0.4);
        assert_near(learned.alpha_us + learned.host_us, settings.time.alpha_us, 0.1);
        assert_int_equal(fit.restarts, 0);
    }
    rig_end(&rig);
}

/* What nobody sees keeps its starting value, and what stands in for each other is said to. */
static void
only_what_was_seen_is_learned(void **state)
{
    struct engine_settings settings = settings_of("a100-llama-3-8b");
    const struct engine_pair *pair = engine_pair_find(SLICE_LITERAL("a100-llama-3-70b-tp4"));
    struct step_time learned;
    struct engine_fit fit;
    struct rig rig;

    (void)state;
    engine_fit_init(&fit, pair);
    rig_init(&rig, &fit, &settings, 3e6, 8);
    rig.prompt_most = 10; /* far from where a token costs anything */
    rig.output_most = 200;
    run(&rig, 3000 * USEC_PER_S);
    learned = engine_fit_time(&fit);
    assert_false(engine_fit_tells_alpha(&fit));
    assert_near(learned.alpha_us + learned.host_us, settings.time.alpha_us, 0.03); /* their sum is what there is */
    assert_near(learned.epsilon_us, pair->time.epsilon_us, 0.01);
    for (unsigned i = 0; i < ENGINE_PARTS; i++) {
        assert_true(fit.parts[i] >= 0);
        assert_true(fit.doubt[i][i] <= fit.doubt_most[i] * (1 + 1e-9));
    }
    rig_end(&rig);
}

/* Half of what is there is somebody else's, and not seen: worse, but no nonsense. */
static void
load_that_is_not_ours_is_survived(void **state)
{
    struct engine_settings settings = settings_of("h100-llama-3.1-8b");
    struct engine_fit fit;
    struct engine_errors *errors = &fit.gaps;
    struct rig rig;

    (void)state;
    engine_fit_init(&fit, engine_pair_find(SLICE_LITERAL("h100-llama-3.1-8b")));
    rig_init(&rig, &fit, &settings, 250e3, 21);
    settings.time.delta_us *= 2; /* as if each sequence had another beside it */
    settings.time.gamma_us *= 2;
    engine_free(rig.engine);
    rig.engine = engine_new(&settings, on_tokens);
    run(&rig, 800 * USEC_PER_S);
    assert_true(engine_errors_median(errors) < 0.05); /* for the load that it does see */
    rig_end(&rig);
}

/* Shares of the busy time add up to it, whoever leaves when. */
static void
shares_add_up_to_the_busy_time(void **state)
{
    struct engine_settings settings = settings_of("a100-llama-3-8b");
    struct engine_fit fit;
    struct rig rig;
    double busy_us;

    (void)state;
    engine_fit_init(&fit, NULL);
    rig_init(&rig, &fit, &settings, 500e3, 11);
    rig.streams_of_ten = 8;
    run(&rig, 300 * USEC_PER_S);
    while (rig.track.decoding + rig.track.filling > 0)
        advance_to(&rig, engine_next_us(rig.engine));
    busy_us = rig.track.busy_us;
    assert_true(rig.over > 400 && busy_us > 100e6);
    assert_near(rig.share_us, busy_us, 1e-9);
    rig_end(&rig);
}

static void
a_lone_request_has_all_of_the_time(void **state)
{
    const struct step_time *time = &engine_pair_find(SLICE_LITERAL("a100-llama-3-8b"))->time;
    struct engine_view view = {time, 2048};
    struct engine_track track = {0};
    struct engine_turn turn = {0}, other = {0};
    struct engine_lesson lesson;

    (void)state;
    engine_track_take(&track, view, &turn, 1000, 0, true, 100);
    engine_track_begun(&track, view, &turn, 70100);
    engine_track_end(&track, view, &turn, 1000, 0, 50, false, 1070100, &lesson);
    assert_near(lesson.share_us, 1070000.0, 1e-9);
    assert_true(lesson.rest.seen_us == 0); /* the first answers teach nothing */
    /* two of one size share evenly; of what comes later nothing is charged to who left */
    engine_track_take(&track, view, &turn, 500, 0, false, 2000000);
    engine_track_take(&track, view, &other, 500, 0, false, 2000000);
    engine_track_end(&track, view, &turn, 500, 0, 50, false, 3000000, &lesson);
    assert_near(lesson.share_us, 500000.0, 1e-6);
    engine_track_end(&track, view, &other, 500, 0, 50, false, 3500000, &lesson);
    assert_near(lesson.share_us, 1000000.0, 1e-6);
    engine_track_end(&track, view, &other, 500, 0, 50, false, 3500000, &lesson); /* once is enough */
    assert_true(lesson.share_us == 0);
    assert_true(track.decoding == 0 && track.filling == 0 && track.fresh == 0);
}

/* A lone answer of a prompt of 1000; returns the context of it at its end, as it was thought of. */
static double
answer_alone(struct engine_track *track, struct engine_view view, int64_t output, usec lasts_us)
{
    usec now_us = track->at_us + USEC_PER_S;
    struct engine_turn turn = {0};
    struct engine_lesson lesson;
    double context;

    engine_track_take(track, view, &turn, 1000, 0, true, now_us);
    engine_track_begun(track, view, &turn, now_us + USEC_PER_S);
    engine_track_advance(track, view, now_us + USEC_PER_S + lasts_us);
    context = engine_track_context(track);
    engine_track_end(track, view, &turn, 1000, 0, output, false, now_us + USEC_PER_S + lasts_us, &lesson);
    return context;
}

/* An engine four times slower, or faster, than its model says: the outputs of others are followed as they are, not half way. */
static void
steps_are_corrected_all_the_way(void **state)
{
    static const double times[] = {0.25, 1, 4};
    const struct step_time time = {.alpha_us = 1000};
    struct engine_view view = {&time, 2048};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct engine_track track = {0};
        double context = 0;

        for (unsigned k = 0; k < 400; k++)
            context = answer_alone(&track, view, 101, (usec)(100 * 1000 * times[i]));
        assert_near(context - 1000, 100.0, 0.06);
    }
}

/* Prompts that are sent only to be kept have no tokens of output: that is no step, and not a step back. */
static void
answers_of_no_tokens_turn_no_step_back(void **state)
{
    const struct step_time time = {.alpha_us = 1000};
    struct engine_view view = {&time, 2048};
    struct engine_track track = {0};

    (void)state;
    for (unsigned k = 0; k < 200; k++)
        answer_alone(&track, view, 0, 0);
    assert_near(answer_alone(&track, view, 101, 100 * USEC_PER_MS) - 1000, 100.0, 0.01);
}

static void
work_by_hand(void **state)
{
    const struct step_time time = {
        .alpha_us = 3000, .beta_us = 4, .delta_us = 0.5, .epsilon_us = 0.001, .gamma_us = 7, .host_us = 11};
    struct engine_work work = engine_fit_work_us(&time, 0, 1000, 0, 3), beside, known;

    (void)state;
    /* hypot(3000, 4000) + 11 + 7 + 0.001 * 500500; twice hypot(3000, 4) + 11 + 7 + 0.5 * 1001.5 */
    assert_near(work.prefill_us, 5018 + 500.5, 1e-9);
    assert_near(work.decode_us, 2 * (hypot(3000, 4) + 18 + 500.75), 1e-9);
    beside = engine_fit_work_us(&time, 9, 1000, 0, 3);
    assert_near(beside.decode_us, 2 * ((hypot(3000, 40) + 11) / 10 + 7 + 500.75), 1e-9);
    assert_true(beside.prefill_us < work.prefill_us);
    known = engine_fit_work_us(&time, 9, 1000, 900, 3);
    assert_true(known.prefill_us < beside.prefill_us / 10 && known.decode_us == beside.decode_us);
    assert_true(engine_fit_work_us(&time, 4, 10, 0, 0).decode_us == 0);
}

static void
fits_are_shared_by_name(void **state)
{
    struct engine_fits fits;
    struct shared_fit *fit, *same, *other;

    (void)state;
    engine_fits_init(&fits);
    fit = engine_fits_of(&fits, SLICE_LITERAL("gpus/llama"), "h100-llama-3.1-8b");
    same = engine_fits_of(&fits, SLICE_LITERAL("gpus/llama"), NULL);
    other = engine_fits_of(&fits, SLICE_LITERAL("gpus/other"), NULL);
    assert_ptr_equal(fit, same);
    assert_ptr_not_equal(fit, other);
    assert_true(fit->fit.from_pair && !other->fit.from_pair);
    assert_true(fit->fit.parts[ENGINE_ALPHA] == 6800);
    assert_true(engine_errors_median(&fit->fit.gaps) < 0);
    engine_fits_free(&fits);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_converges_to_the_true_step_times),
        cmocka_unit_test(answers_that_do_not_stream_teach_too),
        cmocka_unit_test(cold_start_samples_do_not_poison_the_model),
        cmocka_unit_test(a_changed_engine_is_learned_anew),
        cmocka_unit_test(a_jam_teaches_nothing_wrong),
        cmocka_unit_test(only_what_was_seen_is_learned),
        cmocka_unit_test(load_that_is_not_ours_is_survived),
        cmocka_unit_test(shares_add_up_to_the_busy_time),
        cmocka_unit_test(a_lone_request_has_all_of_the_time),
        cmocka_unit_test(steps_are_corrected_all_the_way),
        cmocka_unit_test(answers_of_no_tokens_turn_no_step_back),
        cmocka_unit_test(work_by_hand),
        cmocka_unit_test(fits_are_shared_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
