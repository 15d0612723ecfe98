/* What a router looks at, how it learns, and what it says. */
#include "quality/router.h"

#include <math.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/rng.h"
#include "cmocka_ready.h"

static struct embedder *embedder;

static int
open_embedder(void **state)
{
    (void)state;
    return embedder_open_builtin(&embedder) == OK ? 0 : -1;
}

static int
close_embedder(void **state)
{
    (void)state;
    embedder_close(embedder);
    return 0;
}

static struct features *
features_of(const char *text)
{
    struct features *features = must_alloc(sizeof(*features));

    features_read(features, embedder, &(struct routed_request){.text = slice_of(text), .turns = 1});
    return features;
}

static bool
has_place(const struct features *features, uint32_t place)
{
    for (unsigned i = 0; i < features->count; i++)
        if (features->words[i].place == place)
            return true;
    return false;
}

static unsigned
shared_places(const struct features *a, const struct features *b)
{
    unsigned shared = 0;

    for (unsigned i = 0; i < a->count; i++)
        shared += has_place(b, a->words[i].place);
    return shared;
}

static void
words_are_counted_whatever_their_case(void **state)
{
    struct features *one = features_of("Add 12 apples, add 7 pears"), *two = features_of("add 99 Apples, ADD 3 pears");
    struct features *other = features_of("Paint the wall");
    double square = 0;

    (void)state;
    /* add, (number of 2), apples, ",", (number of 1), pears, and their pairs: the second "add" is no new word. */
    assert_int_equal(one->count, 6 + 6);
    assert_int_equal(shared_places(one, two), one->count);
    assert_int_equal(shared_places(one, other), 0);
    for (unsigned i = 0; i < one->count; i++)
        square += (double)one->words[i].value * (double)one->words[i].value;
    assert_true(fabs(square - 1) < 1e-5);
    assert_int_equal(one->words[0].at, 0);
    assert_int_equal(one->words[0].len, 3);
    free(one);
    free(two);
    free(other);
}

static void
traits_say_what_they_are_called(void **state)
{
    struct features *sum = features_of("What is 12 + 30 * 4 - 7 / 2?"), *code = features_of("if (a[0] == {}) { b(); }");
    struct features *foreign = features_of("Привет, как дела?"), *plain = features_of("Say hello to my friend");
    struct features *rich = must_alloc(sizeof(*rich));

    (void)state;
    assert_true(sum->traits[TRAIT_MATHS] > plain->traits[TRAIT_MATHS]);
    assert_true(sum->traits[TRAIT_NUMBERS] > plain->traits[TRAIT_NUMBERS]);
    assert_true(sum->traits[TRAIT_QUESTIONS] > plain->traits[TRAIT_QUESTIONS]);
    assert_true(code->traits[TRAIT_CODE] > plain->traits[TRAIT_CODE]);
    assert_true(foreign->traits[TRAIT_FOREIGN] > plain->traits[TRAIT_FOREIGN]);
    features_read(rich, embedder,
                  &(struct routed_request){.text = SLICE_LITERAL("Say hello to my friend"),
                                           .json = true,
                                           .tools = 3,
                                           .turns = 9,
                                           .context_bytes = 5000});
    assert_true(rich->traits[TRAIT_JSON] > 0 && plain->traits[TRAIT_JSON] == 0);
    assert_true(rich->traits[TRAIT_TOOLS] > 0 && plain->traits[TRAIT_TOOLS] == 0);
    assert_true(rich->traits[TRAIT_TURNS] > plain->traits[TRAIT_TURNS]);
    assert_true(rich->traits[TRAIT_CONTEXT] > plain->traits[TRAIT_CONTEXT]);
    for (enum trait trait = 0; trait < TRAITS; trait++)
        assert_non_null(trait_words(trait));
    free(sum);
    free(code);
    free(foreign);
    free(plain);
    free(rich);
}

/* Empty, without words, with any bytes, and longer than is read. */
static void
any_bytes_are_a_text(void **state)
{
    enum { LONG = 100000 };
    char *bytes = must_alloc(LONG);
    struct features *features = must_alloc(sizeof(*features));
    struct rng rng;

    (void)state;
    rng_seed(&rng, 1);
    for (unsigned i = 0; i < LONG; i++)
        bytes[i] = (char)rng_next(&rng);
    for (unsigned len = 0; len < LONG; len = len < 40 ? len + 1 : len * 2) {
        features_read(features, embedder, &(struct routed_request){.text = slice_make(bytes, len)});
        assert_true(features->count <= FEATURE_WORDS_MOST);
        for (unsigned i = 0; i < features->count; i++)
            assert_true(isfinite(features->words[i].value) && features->words[i].place < FEATURE_PLACES &&
                        features->words[i].at + features->words[i].len <= len);
        for (unsigned i = 0; i < TRAITS; i++)
            assert_true(features->traits[i] >= -1 && features->traits[i] < 3);
    }
    features_read(features, embedder, &(struct routed_request){.text = SLICE_NONE});
    assert_int_equal(features->count, 0);
    assert_int_equal(features->dims, 0);
    free(bytes);
    free(features);
}

/* A world of two models: one is good at colours alone, the other at nearly everything. */
static const char *const things[] = {"sky", "sea", "grass", "sun", "moon", "stone", "river", "bird", "house", "tree"};

struct world {
    struct rng rng;
    struct features features;
    float outcomes[2];
};

static void
ask(struct world *world)
{
    bool colour = rng_below(&world->rng, 2) == 0;
    const char *thing = things[rng_below(&world->rng, 10)];
    char text[200];

    if (colour)
        snprintf(text, sizeof(text), "What colour has the %s on a clear day?", thing);
    else
        snprintf(text, sizeof(text), "Prove that every %s is the sum of %u squares.", thing,
                 (unsigned)rng_below(&world->rng, 9) + 1);
    features_read(&world->features, embedder, &(struct routed_request){.text = slice_of(text), .turns = 1});
    world->outcomes[0] = rng_unit(&world->rng) < (colour ? .95 : .2) ? 1 : 0;
    world->outcomes[1] = rng_unit(&world->rng) < .9 ? 1 : 0;
}

static struct router *
taught(struct world *world, unsigned requests)
{
    struct router *router = router_new(2, embedder_table_id(embedder), embedder_dims(embedder));

    for (unsigned i = 0; i < requests; i++) {
        ask(world);
        router_learn(router, &world->features, world->outcomes, i);
    }
    return router;
}

static void
it_learns_what_a_model_is_good_at(void **state)
{
    struct world *world = must_calloc(1, sizeof(*world));
    struct features *colour = features_of("What colour has the cloud on a clear day?");
    struct features *proof = features_of("Prove that every cloud is the sum of 3 squares.");
    struct router *router;
    float p[2];

    (void)state;
    rng_seed(&world->rng, 1);
    router = taught(world, 400);
    assert_int_equal(router_labels(router), 400);
    assert_int_equal(router_models(router), 2);
    router_score(router, colour, p);
    assert_true(fabsf(p[0] - .95f) < .08f);
    assert_true(fabsf(p[1] - .9f) < .08f);
    router_score(router, proof, p);
    assert_true(fabsf(p[0] - .2f) < .1f);
    assert_true(fabsf(p[1] - .9f) < .08f);
    router_free(router);
    free(world);
    free(colour);
    free(proof);
}

static void
before_it_has_learned_it_does_not_know(void **state)
{
    struct router *router = router_new(1, embedder_table_id(embedder), embedder_dims(embedder));
    struct features *features = features_of("What colour has the sky?"), *none = features_of("");
    float p, once = 1;

    (void)state;
    router_score(router, features, &p);
    assert_true(fabsf(p - .5f) < 1e-6f);
    router_learn(router, none, &once, 1); /* without a word there is no vector: the rest is learned from */
    router_score(router, none, &p);
    assert_true(p > .5f);
    router_free(router);
    free(features);
    free(none);
}

/* Who is told of one model only learns nothing of the other. */
static void
unknown_outcomes_teach_nothing(void **state)
{
    struct world *world = must_calloc(1, sizeof(*world));
    struct router *router = router_new(2, embedder_table_id(embedder), embedder_dims(embedder));
    float p[2];

    (void)state;
    rng_seed(&world->rng, 2);
    for (unsigned i = 0; i < 100; i++) {
        ask(world);
        world->outcomes[1] = NAN;
        router_learn(router, &world->features, world->outcomes, i);
    }
    router_score(router, &world->features, p);
    assert_true(fabsf(p[0] - .5f) > .2f);
    assert_true(fabsf(p[1] - .5f) < 1e-6f);
    router_free(router);
    free(world);
}

/* The tag tells what the words do not. */
static void
tags_are_learned(void **state)
{
    struct router *router = router_new(1, embedder_table_id(embedder), embedder_dims(embedder));
    struct features *features = must_alloc(sizeof(*features));
    struct routed_request request = {.text = SLICE_LITERAL("Do it again, please")};
    float outcome, easy, hard;

    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        request.tag = i % 2 == 0 ? SLICE_LITERAL("easy") : SLICE_LITERAL("hard");
        outcome = i % 2 == 0 ? 1 : 0;
        features_read(features, embedder, &request);
        router_learn(router, features, &outcome, i);
    }
    router_score(router, features, &hard);
    request.tag = SLICE_LITERAL("easy");
    features_read(features, embedder, &request);
    router_score(router, features, &easy);
    assert_true(easy > .8f && hard < .2f);
    router_free(router);
    free(features);
}

/* A view says bit by bit what the router said when it was frozen, whatever is learned since. */
static void
a_view_stays_as_it_was(void **state)
{
    struct world *world = must_calloc(1, sizeof(*world));
    struct router_view *view;
    struct router *router;
    float then[2], now[2];

    (void)state;
    rng_seed(&world->rng, 3);
    router = taught(world, 300);
    view = router_freeze(router);
    for (unsigned i = 0; i < 50; i++) {
        ask(world);
        router_score(router, &world->features, then);
        router_view_score(view, &world->features, now);
        assert_memory_equal(then, now, sizeof(then));
    }
    for (unsigned i = 0; i < 100; i++) {
        world->outcomes[0] = 0;
        router_learn(router, &world->features, world->outcomes, 1000 + i);
    }
    router_view_score(view, &world->features, now);
    assert_memory_equal(then, now, sizeof(then));
    router_score(router, &world->features, now);
    assert_true(now[0] < then[0]);
    router_view_free(view);
    router_free(router);
    free(world);
}

static void
it_says_why(void **state)
{
    struct world *world = must_calloc(1, sizeof(*world));
    const char *const text = "What colour has the cloud on a clear day?";
    struct features *colour = features_of(text);
    struct router_explanation why;
    struct router_view *view;
    struct router *router;
    bool named = false;
    float p[2];

    (void)state;
    rng_seed(&world->rng, 4);
    router = taught(world, 300);
    view = router_freeze(router);
    router_view_score(view, colour, p);
    router_view_explain(view, colour, 0, &why);
    assert_true(fabs(why.p - (double)p[0]) < 1e-6);
    assert_true(why.regression > .5 && why.near > .8);
    assert_int_equal(why.reason_count, ROUTER_REASONS);
    for (unsigned i = 0; i < why.reason_count; i++) {
        struct slice words = slice_first(slice_from(slice_of(text), why.reasons[i].at), why.reasons[i].len);

        assert_true(i == 0 || fabs(why.reasons[i].weight) <= fabs(why.reasons[i - 1].weight));
        named |= why.reasons[i].kind == REASON_WORDS && why.reasons[i].weight > 0 && words.len > 0;
    }
    assert_true(named);
    assert_int_equal(why.neighbour_count, NEIGHBOURS_SHOWN);
    for (unsigned i = 0; i < why.neighbour_count; i++) {
        assert_true(i == 0 || why.neighbours[i].similarity <= why.neighbours[i - 1].similarity);
        assert_true(why.neighbours[i].similarity > .5f && why.neighbours[i].id < 300);
    }
    router_view_free(view);
    router_free(router);
    free(world);
    free(colour);
}

/* Saved, restored and taught on, it is as if nothing had been; also when the oldest neighbours are forgotten already. */
static void
what_is_saved_comes_back(void **state)
{
    const unsigned sizes[] = {0, 30, NEIGHBOURS_MOST + 77};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct world *world = must_calloc(1, sizeof(*world));
        struct buffer saved = {0}, one = {0}, other = {0};
        struct router *router, *again;

        rng_seed(&world->rng, 5);
        router = taught(world, sizes[i]);
        router_save(router, &saved);
        assert_int_equal(
            router_restore(buffer_content(&saved), 2, embedder_table_id(embedder), embedder_dims(embedder), &again),
            OK);
        for (unsigned k = 0; k < 40; k++) {
            ask(world);
            router_learn(router, &world->features, world->outcomes, k);
            router_learn(again, &world->features, world->outcomes, k);
        }
        router_save(router, &one);
        router_save(again, &other);
        assert_true(slice_equal(buffer_content(&one), buffer_content(&other)));
        assert_false(slice_equal(buffer_content(&one), buffer_content(&saved)));
        buffer_free(&saved);
        buffer_free(&one);
        buffer_free(&other);
        router_free(router);
        router_free(again);
        free(world);
    }
}

/* The n-th byte of what was saved is another, and the checksum right again. */
static enum status
restore_with(struct buffer *saved, size_t at, char byte)
{
    size_t content = buffer_len(saved) - 8;
    char *data = saved->data + saved->start, was = data[at];
    uint64_t sum;
    struct router *router;
    enum status status;

    data[at] = byte;
    sum = hash_fast(slice_make(data, content), 0x54554f52u);
    memcpy(data + content, &sum, sizeof(sum));
    status = router_restore(buffer_content(saved), 2, embedder_table_id(embedder), embedder_dims(embedder), &router);
    router_free(router);
    data[at] = was;
    return status;
}

static void
damaged_bytes_are_refused(void **state)
{
    struct world *world = must_calloc(1, sizeof(*world));
    uint64_t table = embedder_table_id(embedder);
    unsigned dims = embedder_dims(embedder);
    struct buffer saved = {0};
    struct router *router;
    struct slice bytes;

    (void)state;
    rng_seed(&world->rng, 6);
    router = taught(world, 10);
    router_save(router, &saved);
    router_free(router);
    bytes = buffer_content(&saved);
    for (size_t i = 0; i < bytes.len; i += i < 100 ? 1 : 9973) {
        assert_int_equal(router_restore(slice_first(bytes, i), 2, table, dims, &router), ERR_CORRUPT);
        saved.data[i] ^= 4;
        assert_int_equal(router_restore(bytes, 2, table, dims, &router), ERR_CORRUPT);
        saved.data[i] ^= 4;
    }
    assert_int_equal(router_restore(bytes, 3, table, dims, &router), ERR_INVALID);
    assert_int_equal(router_restore(bytes, 2, table + 1, dims, &router), ERR_INVALID);
    assert_int_equal(router_restore(bytes, 2, table, dims + 32, &router), ERR_INVALID);
    assert_null(router);
    assert_int_equal(restore_with(&saved, 0, saved.data[0]), OK);
    assert_int_equal(restore_with(&saved, 4, 3), ERR_CORRUPT);               /* a version to come */
    assert_int_equal(restore_with(&saved, 5, 3), ERR_INVALID);               /* three models */
    assert_int_equal(restore_with(&saved, 23, 127), ERR_CORRUPT);            /* more labels than there will ever be */
    assert_int_equal(restore_with(&saved, 24 + 7, 127), ERR_CORRUPT);        /* a weight beyond all reason */
    assert_int_equal(restore_with(&saved, bytes.len - 9, 127), ERR_CORRUPT); /* an outcome above 1 */
    buffer_free(&saved);
    free(world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_counted_whatever_their_case),
        cmocka_unit_test(traits_say_what_they_are_called),
        cmocka_unit_test(any_bytes_are_a_text),
        cmocka_unit_test(it_learns_what_a_model_is_good_at),
        cmocka_unit_test(before_it_has_learned_it_does_not_know),
        cmocka_unit_test(unknown_outcomes_teach_nothing),
        cmocka_unit_test(tags_are_learned),
        cmocka_unit_test(a_view_stays_as_it_was),
        cmocka_unit_test(it_says_why),
        cmocka_unit_test(what_is_saved_comes_back),
        cmocka_unit_test(damaged_bytes_are_refused),
    };

    return cmocka_run_group_tests(tests, open_embedder, close_embedder);
}
