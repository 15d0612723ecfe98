/* The modelled engine: small cases by hand, and random histories against a model that takes every step by itself. */
#include "fleet/engine/engine.h"

#include "base/rng.h"
#include "cmocka_ready.h"
#include "engine_naive.h"
#include "fleet/engine/kv_cache.h"

enum { PEOPLE_MOST = NAIVE_REQUESTS_MOST };

/* A request and the news of it. */
struct person {
    struct engine_request request; /* first */
    usec first_us, last_us;
    unsigned news;
    struct rig *rig;
};

struct rig {
    struct engine_model *engine;
    struct person people[PEOPLE_MOST];
    usec now_us;
    struct naive_news log[NAIVE_NEWS_MOST];
    size_t logged;
};

static void
on_tokens(struct engine_request *request)
{
    struct person *person = (struct person *)(void *)request;
    struct rig *rig = person->rig;

    if (person->news++ == 0)
        person->first_us = request->told_at_us;
    person->last_us = request->told_at_us;
    assert_true(rig->logged < NAIVE_NEWS_MOST);
    rig->log[rig->logged++] = (struct naive_news){(size_t)(person - rig->people), request->tokens, request->told_at_us};
    assert_int_equal(request->state == ENGINE_OUTSIDE, request->tokens == request->output_tokens);
}

/* Steps of 1 ms whatever is in them; 10 us before the queue. */
static struct engine_settings
plain_settings(void)
{
    return (struct engine_settings){
        .time = {.alpha_us = 1000},
        .sequences_most = 8,
        .step_tokens_most = 1024,
        .kv_tokens = 16384,
        .overhead_least_us = 10,
        .overhead_most_us = 10,
        .seed = 1,
    };
}

static struct rig *
rig_new(const struct engine_settings *settings)
{
    struct rig *rig = calloc(1, sizeof *rig);

    assert_non_null(rig);
    assert_null(engine_settings_objection(settings));
    rig->engine = engine_new(settings, on_tokens);
    return rig;
}

static struct engine_metrics
look(struct rig *rig)
{
    struct engine_metrics metrics;

    engine_metrics(rig->engine, rig->now_us, &metrics);
    return metrics;
}

/* As a world's timer would: only where the engine says that something happens. */
static void
go_to(struct rig *rig, usec to_us)
{
    while (engine_next_us(rig->engine) <= to_us) {
        usec next_us = engine_next_us(rig->engine);

        assert_true(next_us >= rig->now_us);
        rig->now_us = next_us;
        engine_advance(rig->engine, next_us);
    }
    rig->now_us = to_us;
}

static void
go_to_the_end(struct rig *rig)
{
    while (engine_next_us(rig->engine) != USEC_NEVER)
        go_to(rig, engine_next_us(rig->engine));
}

static void
rig_end(struct rig *rig)
{
    struct engine_metrics metrics;

    go_to_the_end(rig);
    metrics = look(rig);
    assert_int_equal(metrics.kv_used, 0);
    assert_int_equal(metrics.running, 0);
    assert_int_equal(metrics.waiting, 0);
    engine_free(rig->engine);
    free(rig);
}

static struct person *
submit_with(struct rig *rig, unsigned who, int64_t prompt, int64_t output, const uint64_t *hashes, size_t hash_count)
{
    struct person *person = &rig->people[who];

    *person = (struct person){.request = {.prompt_tokens = prompt,
                                          .output_tokens = output,
                                          .interval = 1,
                                          .block_hashes = hashes,
                                          .block_count = hash_count},
                              .rig = rig};
    assert_int_equal(engine_submit(rig->engine, &person->request, rig->now_us), OK);
    return person;
}

static struct person *
submit(struct rig *rig, unsigned who, int64_t prompt, int64_t output)
{
    return submit_with(rig, who, prompt, output, NULL, 0);
}

/* By hand */

static void
one_request_takes_its_steps(void **state)
{
    struct engine_settings settings = plain_settings();
    struct rig *rig;
    struct person *one;

    (void)state;
    /* 3, 4, 5: hypot(3000, 4 x 1000) = 5000 */
    settings.time = (struct step_time){
        .alpha_us = 3000, .beta_us = 4, .delta_us = 0.5, .epsilon_us = 0.001, .gamma_us = 7, .host_us = 11};
    rig = rig_new(&settings);
    one = submit(rig, 0, 1000, 3);
    assert_int_equal(look(rig).waiting, 1);
    go_to_the_end(rig);
    /* prompt: 5000 + 0.001 x 1000 x 1001 / 2 + 7 + 11 = 5518.5; then hypot(3000, 4) = 3000.002667 + 0.5 x 1001 + 18,
     * and 0.5 more for the third */
    assert_int_equal(one->first_us, 5529); /* 10 + 5518.5, rounded up */
    assert_int_equal(one->last_us, 12567); /* 5528.5 + 3518.502667 + 3519.002667 = 12566.005 */
    assert_int_equal(one->news, 3);
    assert_int_equal(look(rig).steps, 3);
    assert_int_equal(look(rig).busy_us, 12556);
    assert_int_equal(look(rig).prompt_tokens, 1000);
    assert_int_equal(look(rig).generated_tokens, 3);
    assert_int_equal(look(rig).requests, 1);
    rig_end(rig);
}

static void
prompts_are_computed_in_chunks_beside_decoding(void **state)
{
    struct engine_settings settings = plain_settings();
    struct rig *rig;
    struct person *first, *second, *third;

    (void)state;
    settings.step_tokens_most = 8;
    rig = rig_new(&settings);
    first = submit(rig, 0, 8, 6);
    go_to(rig, 100);
    second = submit(rig, 1, 20, 2);
    third = submit(rig, 2, 3, 1);
    go_to_the_end(rig);
    /* Steps: 8 of the first; then 1 + 7, 1 + 7, 1 + 6 of the second and 1 of the third; 1 + 1 + 2 of the third. */
    assert_int_equal(first->first_us, 1010);
    assert_int_equal(first->last_us, 6010);
    assert_int_equal(second->first_us, 4010);
    assert_int_equal(second->last_us, 5010);
    assert_int_equal(third->first_us, 5010);
    rig_end(rig);
}

static void
only_so_many_run_at_a_time(void **state)
{
    struct engine_settings settings = plain_settings();
    struct rig *rig;
    struct person *people[3];

    (void)state;
    settings.sequences_most = 2;
    rig = rig_new(&settings);
    for (unsigned i = 0; i < 3; i++)
        people[i] = submit(rig, i, 10, 3 + i);
    go_to(rig, 1500);
    assert_int_equal(look(rig).running, 2);
    assert_int_equal(look(rig).waiting, 1);
    go_to_the_end(rig);
    assert_int_equal(people[0]->last_us, 3010);
    assert_int_equal(people[1]->last_us, 4010);
    assert_int_equal(people[2]->first_us, 4010);
    rig_end(rig);
}

static void
the_latest_makes_way_and_is_computed_again(void **state)
{
    struct engine_settings settings = plain_settings();
    struct rig *rig;
    struct person *first, *second;

    (void)state;
    settings.kv_tokens = 4 * 16;
    rig = rig_new(&settings);
    first = submit(rig, 0, 30, 10);
    second = submit(rig, 1, 30, 10);
    go_to(rig, 3000);
    assert_int_equal(look(rig).kv_used, 4);
    assert_int_equal(look(rig).preemptions, 0);
    go_to(rig, 3500); /* the fourth step computes the 33rd token of both, and there is no fifth block */
    assert_int_equal(look(rig).kv_used, 3);
    assert_int_equal(look(rig).preemptions, 1);
    assert_int_equal(look(rig).running, 1);
    assert_int_equal(look(rig).waiting, 1);
    go_to_the_end(rig);
    assert_int_equal(first->request.preemptions, 0);
    assert_int_equal(first->last_us, 10010);
    assert_int_equal(second->request.preemptions, 1);
    assert_int_equal(second->last_us, 17010); /* all 33 tokens in one step, which brings the fourth of its output */
    assert_int_equal(second->news, 10);
    assert_int_equal(look(rig).generated_tokens, 20);
    assert_int_equal(look(rig).prompt_tokens, 60);
    rig_end(rig);
}

static void
blocks_that_are_known_need_no_computing(void **state)
{
    static const uint64_t hashes[] = {11, 12, 13, 14}, other[] = {11, 12, 99, 14};
    struct engine_settings settings = plain_settings();
    struct rig *rig;
    struct person *second, *third, *fourth;

    (void)state;
    settings.step_tokens_most = 16;
    rig = rig_new(&settings);
    submit_with(rig, 0, 64, 1, hashes, 4); /* four steps */
    go_to_the_end(rig);
    assert_int_equal(rig->now_us, 4010);
    assert_int_equal(look(rig).prefix_asked, 64);
    assert_int_equal(look(rig).prefix_found, 0);
    second = submit_with(rig, 1, 64, 1, hashes, 4); /* all but the last block, whose last token is needed: one step */
    go_to_the_end(rig);
    assert_int_equal(second->request.cached_tokens, 48);
    assert_int_equal(second->last_us, 4010 + 1010);
    third = submit_with(rig, 2, 65, 1, hashes, 4); /* all four */
    fourth = submit_with(rig, 3, 64, 1, other, 4); /* two */
    go_to_the_end(rig);
    assert_int_equal(third->request.cached_tokens, 64);
    assert_int_equal(fourth->request.cached_tokens, 32);
    assert_int_equal(look(rig).prefix_found, 48 + 64 + 32);
    assert_int_equal(look(rig).prompt_tokens, 64 + 64 + 65 + 64);
    rig_end(rig);
}

static void
the_output_is_known_when_it_is_over(void **state)
{
    static const uint64_t hashes[] = {1, 2, 3};
    struct engine_settings settings = plain_settings();
    struct rig *rig = rig_new(&settings);
    struct person *next;

    (void)state;
    submit_with(rig, 0, 16, 33, hashes, 3); /* its last token is never computed: 48 are */
    go_to_the_end(rig);
    next = submit_with(rig, 1, 60, 1, hashes, 3);
    go_to_the_end(rig);
    assert_int_equal(next->request.cached_tokens, 48);
    rig_end(rig);
}

static void
the_least_recently_held_goes_first(void **state)
{
    static const uint64_t a[] = {1, 2}, b[] = {3, 4}, c[] = {5};
    struct engine_settings settings = plain_settings();
    struct rig *rig;

    (void)state;
    settings.kv_tokens = 5 * 16;
    rig = rig_new(&settings);
    submit_with(rig, 0, 33, 1, a, 2);
    go_to_the_end(rig);
    submit_with(rig, 1, 33, 1, b, 2);
    go_to_the_end(rig);
    submit_with(rig, 2, 33, 1, a, 2); /* held again: b is older now */
    go_to_the_end(rig);
    assert_int_equal(rig->people[2].request.cached_tokens, 32);
    submit_with(rig, 3, 30, 1, c, 1); /* two blocks: the free one, and b's last */
    go_to_the_end(rig);
    submit_with(rig, 4, 33, 1, b, 2);
    go_to_the_end(rig);
    assert_int_equal(rig->people[4].request.cached_tokens, 16);
    rig_end(rig);
}

static void
cancelling_frees_at_once(void **state)
{
    struct engine_settings settings = plain_settings();
    struct rig *rig;
    struct person *second;

    (void)state;
    settings.kv_tokens = 4 * 16;
    settings.sequences_most = 4;
    rig = rig_new(&settings);
    submit(rig, 0, 40, 20);
    second = submit(rig, 1, 40, 2);
    go_to(rig, 2500); /* the first alone; in its third step */
    assert_int_equal(look(rig).kv_used, 3);
    engine_cancel(rig->engine, &rig->people[0].request, 2500);
    assert_int_equal(look(rig).kv_used, 0);
    assert_int_equal(look(rig).running, 0);
    assert_int_equal(rig->people[0].request.tokens, 2);
    engine_cancel(rig->engine, &rig->people[0].request, 2500); /* again: nothing */
    go_to_the_end(rig);
    assert_int_equal(second->first_us, 4010); /* the step under way ended at 3010 */
    submit(rig, 2, 10, 10);
    engine_cancel(rig->engine, &rig->people[2].request, rig->now_us); /* before it reached the queue */
    assert_int_equal(engine_next_us(rig->engine), USEC_NEVER);
    rig_end(rig);
}

static void
what_can_never_fit_is_refused(void **state)
{
    struct engine_settings settings = plain_settings();
    struct rig *rig;
    struct person big = {.request = {.prompt_tokens = 60, .output_tokens = 5}};

    (void)state;
    settings.kv_tokens = 4 * 16 + 15;
    rig = rig_new(&settings);
    assert_int_equal(engine_context_most(rig->engine), 64);
    assert_int_equal(engine_submit(rig->engine, &big.request, 0), ERR_LIMIT);
    submit(rig, 0, 60, 4);
    go_to_the_end(rig);
    assert_int_equal(rig->people[0].request.tokens, 4);
    rig_end(rig);
}

static void
news_come_at_the_interval(void **state)
{
    struct engine_settings settings = plain_settings();
    struct rig *rig = rig_new(&settings);
    static const int64_t every_four[] = {1, 5, 9, 10}, ends_only[] = {1, 10};

    (void)state;
    submit(rig, 0, 5, 10)->request.interval = 4;
    go_to_the_end(rig);
    assert_int_equal(rig->logged, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(rig->log[i].tokens, every_four[i]);
    rig->logged = 0;
    submit(rig, 0, 5, 10)->request.interval = 0;
    go_to_the_end(rig);
    assert_int_equal(rig->logged, 2);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(rig->log[i].tokens, ends_only[i]);
    rig_end(rig);
}

/* Against the naive one */

enum { FAMILIES = 5, FAMILY_BLOCKS = 24 };

struct story {
    struct rng rng;
    struct rig *rig;
    struct naive naive;
    uint64_t hashes[FAMILIES][FAMILY_BLOCKS];
    size_t people;
    usec cancel_at[PEOPLE_MOST];
};

static struct engine_settings
random_settings(struct rng *rng)
{
    struct engine_settings settings = {
        .time = {.alpha_us = 500 + rng_unit(rng) * 3000,
                 .beta_us = rng_unit(rng) * 100,
                 .delta_us = rng_unit(rng) / 4,
                 .epsilon_us = rng_unit(rng) / 100,
                 .gamma_us = rng_unit(rng) * 10,
                 .host_us = rng_unit(rng) * 100},
        .sequences_most = 1 + (unsigned)rng_below(rng, 12),
        .kv_tokens = 16 * (int64_t)(30 + rng_below(rng, 170)),
        .overhead_least_us = 1 + (usec)rng_below(rng, 3000),
        .seed = 1,
    };

    settings.step_tokens_most = settings.sequences_most + (int64_t)rng_below(rng, 200);
    settings.overhead_most_us = settings.overhead_least_us; /* the naive one draws nothing */
    return settings;
}

static void
both_submit(struct story *story, usec at_us, usec ready_us)
{
    struct naive_request *naive = &story->naive.requests[story->people];
    int64_t prompt = 1 + (int64_t)rng_below(&story->rng, 300), output = 1 + (int64_t)rng_below(&story->rng, 120);
    uint64_t family = rng_below(&story->rng, FAMILIES + 1);
    size_t known = rng_below(&story->rng, FAMILY_BLOCKS + 1), most = (size_t)(prompt + output) / KV_BLOCK_TOKENS;
    struct person *person;

    known = family == FAMILIES ? 0 : known < most ? known : most;
    story->rig->now_us = at_us;
    person = submit_with(story->rig, (unsigned)story->people, prompt, output, known != 0 ? story->hashes[family] : NULL,
                         known);
    person->request.interval = (int64_t)rng_below(&story->rng, 5) * (int64_t)rng_below(&story->rng, 5);
    *naive = (struct naive_request){.prompt = prompt,
                                    .output = output,
                                    .interval = person->request.interval,
                                    .hashes = person->request.block_hashes,
                                    .hash_count = known};
    naive_submit(&story->naive, story->people, ready_us);
    story->cancel_at[story->people] =
        rng_below(&story->rng, 4) == 0 ? at_us + 1 + (usec)rng_below(&story->rng, 400000) : USEC_NEVER;
    story->people++;
}

static void
both_go_to(struct story *story, usec at_us)
{
    struct engine_metrics metrics;

    go_to(story->rig, at_us);
    naive_run(&story->naive, at_us);
    metrics = look(story->rig);
    assert_int_equal(metrics.running, naive_running(&story->naive));
    assert_int_equal(metrics.kv_used, naive_blocks_used(&story->naive));
    assert_int_equal(metrics.steps, story->naive.steps);
    assert_int_equal(metrics.preemptions, story->naive.preemptions);
    assert_int_equal(metrics.generated_tokens, story->naive.generated);
    assert_int_equal(metrics.busy_us, story->naive.busy_ps / 1000000);
}

/* The next who leaves before that time does. */
static bool
next_leaves(struct story *story, usec before_us)
{
    size_t who = PEOPLE_MOST;

    for (size_t i = 0; i < story->people; i++)
        if (story->cancel_at[i] < before_us && (who == PEOPLE_MOST || story->cancel_at[i] < story->cancel_at[who]))
            who = i;
    if (who == PEOPLE_MOST)
        return false;
    both_go_to(story, story->cancel_at[who]);
    engine_cancel(story->rig->engine, &story->rig->people[who].request, story->cancel_at[who]);
    naive_cancel(&story->naive, who);
    story->cancel_at[who] = USEC_NEVER;
    return true;
}

static int
by_time_and_request(const void *a, const void *b)
{
    const struct naive_news *x = a, *y = b;

    if (x->at_us != y->at_us)
        return x->at_us < y->at_us ? -1 : 1;
    return x->request != y->request ? (x->request < y->request ? -1 : 1)
                                    : (x->tokens > y->tokens) - (x->tokens < y->tokens);
}

static void
assert_same_news(struct story *story)
{
    struct rig *rig = story->rig;

    assert_int_equal(rig->logged, story->naive.news_count);
    for (size_t i = 1; i < rig->logged; i++)
        assert_true(rig->log[i - 1].at_us <= rig->log[i].at_us);
    qsort(rig->log, rig->logged, sizeof rig->log[0], by_time_and_request);
    qsort(story->naive.news, rig->logged, sizeof rig->log[0], by_time_and_request);
    for (size_t i = 0; i < rig->logged; i++) {
        assert_int_equal(rig->log[i].request, story->naive.news[i].request);
        assert_int_equal(rig->log[i].tokens, story->naive.news[i].tokens);
        assert_int_equal(rig->log[i].at_us, story->naive.news[i].at_us);
    }
    for (size_t i = 0; i < story->people; i++) {
        assert_int_equal(rig->people[i].request.preemptions, story->naive.requests[i].preemptions);
        assert_int_equal(rig->people[i].request.cached_tokens, story->naive.requests[i].cached);
    }
}

struct happened {
    int64_t preemptions, found, cancelled;
};

static void
tell_story(uint64_t seed, struct happened *happened)
{
    struct story *story = calloc(1, sizeof *story);
    struct engine_settings settings;
    usec at_us = 0;
    struct engine_metrics metrics;

    assert_non_null(story);
    rng_seed(&story->rng, seed);
    settings = random_settings(&story->rng);
    story->rig = rig_new(&settings);
    naive_init(&story->naive, &settings);
    for (size_t f = 0; f < FAMILIES; f++)
        for (size_t b = 0; b < FAMILY_BLOCKS; b++)
            story->hashes[f][b] = rng_mix(f * 1000 + b);
    while (story->people < 40) {
        at_us += (usec)rng_below(&story->rng, 40000);
        while (next_leaves(story, at_us))
            happened->cancelled++;
        both_go_to(story, at_us);
        both_submit(story, at_us, at_us + settings.overhead_least_us);
    }
    while (next_leaves(story, USEC_NEVER))
        happened->cancelled++;
    both_go_to(story, at_us + 3600 * USEC_PER_S);
    assert_same_news(story);
    metrics = look(story->rig);
    happened->preemptions += metrics.preemptions;
    happened->found += metrics.prefix_found;
    rig_end(story->rig);
    free(story);
}

static void
jumping_is_as_stepping(void **state)
{
    struct happened happened = {0};

    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++)
        tell_story(seed, &happened);
    /* what could go wrong did happen */
    assert_true(happened.preemptions > 300);
    assert_true(happened.found > 10000);
    assert_true(happened.cancelled > 1000);
}

/* Advancing late, in one go, brings the same news. */
static void
a_late_timer_changes_nothing(void **state)
{
    struct engine_settings settings = plain_settings();
    struct rig *often, *once;

    (void)state;
    settings.kv_tokens = 40 * 16;
    often = rig_new(&settings);
    once = rig_new(&settings);
    for (unsigned i = 0; i < 12; i++) {
        submit(often, i, 20 + 7 * i, 5 + 11 * i);
        submit(once, i, 20 + 7 * i, 5 + 11 * i);
    }
    for (usec at_us = 0; at_us < USEC_PER_S; at_us += 137)
        engine_advance(often->engine, at_us);
    engine_advance(once->engine, USEC_PER_S);
    assert_int_equal(often->logged, once->logged);
    assert_memory_equal(often->log, once->log, often->logged * sizeof often->log[0]);
    once->now_us = often->now_us = USEC_PER_S;
    rig_end(often);
    rig_end(once);
}

static void
settings_are_held_to_their_bounds(void **state)
{
    struct engine_settings settings = plain_settings();

    (void)state;
    assert_null(engine_settings_objection(&settings));
    settings.time.delta_us = -1;
    assert_non_null(engine_settings_objection(&settings));
    settings = plain_settings();
    settings.sequences_most = 2000;
    assert_non_null(engine_settings_objection(&settings));
    settings = plain_settings();
    settings.kv_tokens = 15;
    assert_non_null(engine_settings_objection(&settings));
    settings = plain_settings();
    settings.overhead_least_us = 0;
    assert_non_null(engine_settings_objection(&settings));
    for (size_t i = 0; engine_pair_at(i) != NULL; i++) {
        engine_settings_of(engine_pair_at(i), &settings);
        assert_null(engine_settings_objection(&settings));
        assert_ptr_equal(engine_pair_find(slice_of(engine_pair_at(i)->name)), engine_pair_at(i));
    }
    assert_null(engine_pair_find(SLICE_LITERAL("abacus")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_request_takes_its_steps),
        cmocka_unit_test(prompts_are_computed_in_chunks_beside_decoding),
        cmocka_unit_test(only_so_many_run_at_a_time),
        cmocka_unit_test(the_latest_makes_way_and_is_computed_again),
        cmocka_unit_test(blocks_that_are_known_need_no_computing),
        cmocka_unit_test(the_output_is_known_when_it_is_over),
        cmocka_unit_test(the_least_recently_held_goes_first),
        cmocka_unit_test(cancelling_frees_at_once),
        cmocka_unit_test(what_can_never_fit_is_refused),
        cmocka_unit_test(news_come_at_the_interval),
        cmocka_unit_test(jumping_is_as_stepping),
        cmocka_unit_test(a_late_timer_changes_nothing),
        cmocka_unit_test(settings_are_held_to_their_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
