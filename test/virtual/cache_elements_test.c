/* Embeddings, element by element (lever exact_cache): what of a batch is known is not bought again. */
#include "embedder.h"
#include "scene.h"

#include <stdio.h>

#define SETTING(mode)                                                                                                  \
    "backends:\n"                                                                                                      \
    "  alpha: { url: \"http://alpha.example\", models: [ embedder ] }\n"                                               \
    "routes:\n"                                                                                                        \
    "  vectors: { reference: alpha/embedder, levers: { exact_cache: " mode " } }\n"                                    \
    "prices: { override: { alpha/embedder: { input: $0.10/M, output: $0/M } } }\n"

static const usd pico_per_token = 100000;

static struct scene *
opens(void **state, uint64_t seed, const char *config, struct embedder *embedder)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = seed, .config = config});

    embedder_runs(embedder, scene_backend(s, "alpha"));
    return s;
}

/* `inputs` as JSON. */
static struct vclient *
asks(struct scene *s, const char *inputs, struct vclient_script conduct)
{
    char body[8192];

    snprintf(body, sizeof(body), "{\"model\":\"vectors\",\"input\":%s}", inputs);
    return scene_asks(s, (struct ask){.api = API_EMBEDDINGS, .body = body, .client = conduct});
}

static struct vclient *
answers(struct scene *s, const char *inputs)
{
    struct vclient *client = asks(s, inputs, (struct vclient_script){0});

    scene_rest(s);
    assert_int_equal(vclient_status(client), 200);
    return client;
}

static size_t
calls(struct scene *s)
{
    return vbackend_seen_count(scene_backend(s, "alpha"));
}

static struct slice
sent(struct scene *s, size_t call)
{
    return vbackend_seen(scene_backend(s, "alpha"), call).body;
}

static void
assert_row_costs(struct scene *s, size_t index, const char *source, size_t bought, size_t all)
{
    const struct row *row = scene_row(s, index);
    usd saved = (usd)(all - bought) * pico_per_token;

    assert_row_is(s, index, state, "ok");
    assert_row_is(s, index, source, source);
    assert_true(row->cost == (usd)bought * pico_per_token);
    assert_true(row->baseline == (usd)all * pico_per_token);
    assert_int_equal(row->input_tokens, bought);
    assert_int_equal(row->counted_cost, row->cost);
    assert_int_equal(row->counted_tokens, bought);
    assert_int_equal(row->saving_count, saved != 0);
    if (saved == 0)
        return;
    assert_slice_is(row->savings[0].lever, "exact_cache");
    assert_true(row->savings[0].saved == saved && !row->savings[0].shadow);
}

static void
what_is_known_is_not_bought(void **state)
{
    struct embedder embedder = {0};
    struct scene *s = opens(state, 1, SETTING("on"), &embedder);
    struct vclient *c;

    c = answers(s, "[\"aa\",\"bbb\",\"cccc\"]");
    assert_slice_is(vclient_header(c, "x-equipoise-source"), "reference");
    c = answers(s, "[\"xxxxx\", \"bbb\", \"aa\", \"yyyyyy\"]");
    assert_embeds_all(c, "xxxxx", "bbb", "aa", "yyyyyy");
    assert_slice_is(vclient_header(c, "x-equipoise-source"), "partly-cached");
    assert_contains(sent(s, 1), "[\"xxxxx\",\"yyyyyy\"]");
    assert_lacks(sent(s, 1), "bbb");
    assert_row_costs(s, 0, "reference", 9, 9);
    assert_row_costs(s, 1, "partly-cached", 11, 16);
    assert_int_equal(gateway_count(&s->gateway, COUNT_CACHE_PARTLY), 1);
    c = answers(s, "[\"yyyyyy\",\"cccc\"]"); /* what was bought as a part is known too */
    assert_embeds_all(c, "yyyyyy", "cccc");
    assert_slice_is(vclient_header(c, "x-equipoise-source"), "cached");
    assert_slice_is(vclient_header(c, "age"), "0");
    assert_row_costs(s, 2, "cached", 0, 10);
    assert_int_equal(calls(s), 2);
    assert_int_equal(gateway_count(&s->gateway, COUNT_CACHE_TOKENS), 15);
    assert_true(gateway_count(&s->gateway, COUNT_CACHE_SAVED_PICO) == 15 * pico_per_token);
    scene_passed(s);
}

/* A text by itself, a batch of one and one of many are the same. */
static void
one_text_has_one_answer(void **state)
{
    struct embedder embedder = {0};
    struct scene *s = opens(state, 2, SETTING("on"), &embedder);

    answers(s, "\"alone\"");
    assert_embeds_all(answers(s, "[\"alone\"]"), "alone");
    assert_embeds_all(answers(s, "[\"alone\",\"other\"]"), "alone", "other");
    assert_embeds_all(answers(s, "\"other\""), "other");
    assert_embeds_all(answers(s, "[\"other\",\"alone\",\"other\"]"), "other", "alone", "other");
    assert_int_equal(calls(s), 2);
    assert_contains(sent(s, 1), "[\"other\"]");
    scene_passed(s);
}

/* What stands twice in a batch is bought once. */
static void
what_is_said_twice_is_bought_once(void **state)
{
    struct embedder embedder = {0};
    struct scene *s = opens(state, 3, SETTING("on"), &embedder);
    struct vclient *c = answers(s, "[\"aa\",\"bbb\",\"aa\",\"aa\"]");

    assert_embeds_all(c, "aa", "bbb", "aa", "aa");
    assert_contains(sent(s, 0), "[\"aa\",\"bbb\"]");
    assert_row_costs(s, 0, "partly-cached", 5, 9);
    scene_passed(s);
}

/* Another parameter, another embedding. */
static void
parameters_count(void **state)
{
    struct embedder embedder = {0};
    struct scene *s = opens(state, 4, SETTING("on"), &embedder);

    answers(s, "[\"aa\",\"bbb\"]");
    scene_asks(s, (struct ask){.api = API_EMBEDDINGS,
                               .body = "{\"model\":\"vectors\",\"dimensions\":2,\"input\":[\"aa\",\"bbb\"]}"});
    scene_rest(s);
    assert_int_equal(calls(s), 2);
    assert_row_is(s, 1, source, "reference");
    scene_passed(s);
}

/* An answer that is not one for each text, or a refusal that may be about one of them: all is asked for, and the client
 * gets what it would have got without us. What the part cost is booked. */
static void
a_part_that_fails_is_no_failure(void **state)
{
    static const struct embedder kinds[] = {
        {.habit = EMBEDDER_FORGETS_LAST, .least = 4}, {.refuses = 400, .least = 4}, {.refuses = 413, .least = 4}};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct embedder embedder = {0};
        struct scene *s = opens(state, 5, SETTING("on"), &embedder);
        struct vclient *c;

        answers(s, "[\"aa\",\"bbb\"]");
        embedder = kinds[i];
        c = answers(s, "[\"aa\",\"bbb\",\"cccc\",\"ddddd\"]");
        assert_embeds_all(c, "aa", "bbb", "cccc", "ddddd");
        assert_slice_is(vclient_header(c, "x-equipoise-source"), "reference");
        assert_int_equal(calls(s), 3);
        assert_contains(sent(s, 1), "[\"cccc\",\"ddddd\"]");
        assert_contains(sent(s, 2), "[\"aa\",\"bbb\",\"cccc\",\"ddddd\"]");
        assert_contains(scene_row(s, 1)->plans, "tried, and failed");
        assert_int_equal(scene_row(s, 1)->try_count, 2);
        assert_true(scene_row(s, 1)->cost == (embedder.habit != EMBEDDER_ORDERLY ? 9 + 14 : 14) * pico_per_token);
        answers(s, "[\"cccc\",\"aa\",\"ddddd\"]");
        assert_int_equal(calls(s), 3);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* What fails as such fails, within the budget of attempts. */
static void
a_backend_that_is_down_is_down(void **state)
{
    struct embedder embedder = {0};
    struct scene *s = opens(state, 6, SETTING("on"), &embedder);
    struct vclient *c;

    answers(s, "[\"aa\",\"bbb\"]");
    embedder = (struct embedder){.refuses = 503, .least = 10};
    c = asks(s, "[\"aa\",\"cc\"]", (struct vclient_script){0});
    scene_rest(s);
    assert_int_equal(vclient_status(c), 503);
    assert_int_equal(calls(s), 2);
    scene_passed(s);
}

static void
the_shadow_tells_what_a_part_would_save(void **state)
{
    struct embedder embedder = {0};
    struct scene *s = opens(state, 7, SETTING("shadow"), &embedder);
    const struct row *row;

    answers(s, "[\"aa\",\"bb\"]");
    answers(s, "[\"aa\",\"cc\"]");
    assert_int_equal(calls(s), 2);
    row = scene_row(s, 1);
    assert_true(row->cost == 4 * pico_per_token);
    assert_int_equal(row->saving_count, 1);
    assert_true(row->savings[0].shadow && row->savings[0].saved == 2 * pico_per_token);
    scene_passed(s);
}

/* Long answers are taken apart and put together away from the loop; the client may leave at any moment. */
static void
long_answers_are_put_together_apart(void **state)
{
    for (usec leaves_us = 0; leaves_us < 14000; leaves_us += 200) {
        struct embedder embedder = {.floats = 20000};
        struct scene *s = opens(state, 8, SETTING("on"), &embedder);
        struct vclient *c;

        answers(s, "[\"aa\",\"bbb\"]");
        c = asks(s, "[\"aa\",\"cccc\"]", (struct vclient_script){.leaves_after_us = leaves_us, .window = 1 << 20});
        scene_rest(s);
        assert_true(calls(s) <= 2);
        if (leaves_us == 0) {
            assert_embeds_all(c, "aa", "cccc");
            assert_row_costs(s, 1, "partly-cached", 4, 6);
            assert_embeds_all(answers(s, "[\"cccc\",\"bbb\"]"), "cccc", "bbb");
            assert_int_equal(calls(s), 2);
        }
        scene_passed(s);
        scene_free(s, state);
    }
}

/* A batch whose texts are long is read off the loop, and is a batch like any other. */
static void
long_batches_are_read_apart(void **state)
{
    struct embedder embedder = {0};
    struct scene *s = opens(state, 10, SETTING("on"), &embedder);
    enum { LONG = 300 * 1024 };
    char *body = must_alloc(2 * LONG + 256);
    int at = sprintf(body, "{\"model\":\"vectors\",\"input\":[\"aa\",\"");
    struct vclient *c;

    memset(body + at, 'x', LONG);
    strcpy(body + at + LONG, "\",\"aa\",\"cccc\"]}");
    answers(s, "[\"aa\",\"bbb\"]");
    c = scene_asks(s, (struct ask){.api = API_EMBEDDINGS, .body = body});
    scene_rest(s);
    assert_int_equal(vclient_status(c), 200);
    assert_row_costs(s, 1, "partly-cached", LONG + 4, LONG + 8);
    answers(s, "[\"cccc\",\"bbb\"]");
    assert_row_is(s, 2, source, "cached");
    c = scene_asks(s, (struct ask){.api = API_EMBEDDINGS, .body = body});
    scene_rest(s);
    assert_int_equal(calls(s), 2);
    assert_row_is(s, 3, source, "cached");
    free(body);
    scene_passed(s);
}

static void
a_repetition_by_key_gets_all_of_it(void **state)
{
    struct embedder embedder = {0};
    struct scene *s = opens(state, 9, SETTING("on"), &embedder);
    struct vclient *c;
    struct ask ask = {.api = API_EMBEDDINGS,
                      .body = "{\"model\":\"vectors\",\"input\":[\"aa\",\"cc\"]}",
                      .headers = "idempotency-key: one\n"};

    answers(s, "[\"aa\",\"bb\"]");
    for (unsigned i = 0; i < 2; i++) {
        c = scene_asks(s, ask);
        scene_rest(s);
        assert_embeds_all(c, "aa", "cc");
    }
    assert_slice_is(vclient_header(c, "idempotent-replayed"), "true");
    assert_int_equal(calls(s), 2);
    scene_passed(s);
}

#define ELEMENTS_TEST(test) cmocka_unit_test_teardown(test, scene_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ELEMENTS_TEST(what_is_known_is_not_bought),
        ELEMENTS_TEST(one_text_has_one_answer),
        ELEMENTS_TEST(what_is_said_twice_is_bought_once),
        ELEMENTS_TEST(parameters_count),
        ELEMENTS_TEST(a_part_that_fails_is_no_failure),
        ELEMENTS_TEST(a_backend_that_is_down_is_down),
        ELEMENTS_TEST(the_shadow_tells_what_a_part_would_save),
        ELEMENTS_TEST(long_answers_are_put_together_apart),
        ELEMENTS_TEST(long_batches_are_read_apart),
        ELEMENTS_TEST(a_repetition_by_key_gets_all_of_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
