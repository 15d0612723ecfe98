/* How much a pool may have in flight: by the mean request, by what engines are like, by latency. */
#include "fleet/admission/token_limit.h"

#include <math.h>

#include "cmocka_ready.h"
#include "fleet/engine/engine_settings.h"

static const struct engine_pair *
engine(void)
{
    return engine_pair_find(SLICE_LITERAL("h100-llama-3.1-8b"));
}

static void
admit(struct token_limit *limit, unsigned count, int64_t prompt, int64_t fresh, int64_t output)
{
    for (unsigned i = 0; i < count; i++)
        token_limit_admitted(limit, prompt + output / 2, fresh, output);
}

/* By what is known, and of a learned engine that is never worth more. */
static double
batch_of(struct token_limit *limit)
{
    struct step_time none = {0};

    token_limit_engine(limit, &engine()->time, &none);
    return limit->batch;
}

static void
assert_about(double seen, double wanted)
{
    if (fabs(seen - wanted) > 0.02 * fabs(wanted))
        fail_msg("%g instead of about %g", seen, wanted);
}

/* Nothing that was not cached, or no token of an answer, is a size as any other: a first one behind a hundred of them is a
 * hundredth of the mean, and no more. */
static void
a_mean_of_none_is_a_mean(void **state)
{
    struct token_limit cached, embeddings;
    double before;

    (void)state;
    token_limit_init(&cached, 16.0);
    admit(&cached, 100, 8000, 0, 250);
    before = batch_of(&cached);
    admit(&cached, 1, 8000, 8000, 250);
    assert_about(cached.mean_fresh, 80);
    assert_true(batch_of(&cached) > 0.9 * before);
    token_limit_init(&embeddings, 16.0);
    admit(&embeddings, 100, 500, 500, 0);
    admit(&embeddings, 1, 500, 500, 1000);
    assert_about(embeddings.mean_output, 10);
}

/* What is cached need not be read: more are worth it than of prompts that do, and fewer of such as are half cached. */
static void
what_is_cached_makes_a_larger_batch_worth_it(void **state)
{
    static const int64_t fresh[] = {0, 1000, 2000};
    double batches[3];

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct batch_mix mix = {.prompt = 2000, .cached = (double)(2000 - fresh[i]), .output = 250};
        struct token_limit limit;

        token_limit_init(&limit, 16.0);
        admit(&limit, 100, 2000, fresh[i], 250);
        batches[i] = batch_of(&limit);
        assert_about(batches[i], batch_enough(&engine()->time, &mix));
    }
    assert_true(batches[0] > 1.1 * batches[1] && batches[1] > 1.1 * batches[2]);
}

/* The larger of the two counts, and that for each replica. Without one that is known nothing is bounded. */
static void
an_engine_that_was_learned_to_be_worth_more_gets_more(void **state)
{
    struct step_time learned = engine()->time;
    struct token_limit limit;
    double known;

    (void)state;
    token_limit_init(&limit, 16.0);
    token_limit_pool(&limit, 2, 0, 0);
    admit(&limit, 100, 1000, 1000, 250);
    known = batch_of(&limit);
    learned.alpha_us *= 2;
    token_limit_engine(&limit, &engine()->time, &learned);
    assert_true(limit.batch > 1.3 * known);
    assert_about(limit.batch,
                 2 * batch_enough(&learned, &(struct batch_mix){.prompt = 1000, .cached = 0, .output = 250}));
    learned.alpha_us /= 4;
    token_limit_engine(&limit, &engine()->time, &learned);
    assert_about(limit.batch, known);
    token_limit_engine(&limit, NULL, &learned);
    assert_true(isinf(limit.batch));
}

/* While latency says that nothing waits there, the limit of an unknown engine grows; when first tokens take longer and
 * longer it stops. */
static void
the_gradient_finds_a_limit(void **state)
{
    struct token_limit limit;
    double grown;

    (void)state;
    token_limit_init(&limit, 16.0);
    token_limit_admitted(&limit, 100, 100, 0);
    for (unsigned i = 0; i < 2000; i++)
        token_limit_first_token(&limit, 1000, 1000, token_limit_tokens(&limit));
    grown = limit.requests;
    assert_true(grown > 20.0);
    for (unsigned i = 0; i < 300; i++)
        token_limit_first_token(&limit, 4000, 1000, token_limit_tokens(&limit));
    assert_true(limit.requests < grown);
    grown = limit.requests;
    for (unsigned i = 0; i < 2000; i++) /* hardly used: it tells nothing */
        token_limit_first_token(&limit, 1000, 1000, token_limit_tokens(&limit) / 3);
    assert_true(limit.requests <= grown && limit.requests >= grown);
}
int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mean_of_none_is_a_mean),
        cmocka_unit_test(what_is_cached_makes_a_larger_batch_worth_it),
        cmocka_unit_test(an_engine_that_was_learned_to_be_worth_more_gets_more),
        cmocka_unit_test(the_gradient_finds_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
