/* Equal batches of embeddings of which a part is known (levers exact_cache and coalesce): who come while the rest is bought
 * share that call, on several workers. */
#include "embedder.h"
#include "scene.h"

#include <stdio.h>

enum { WORKERS = 3, MEMBERS = 5, BOUGHT = 11, ALL = 16 };

#define SETTING(coalesce)                                                                                              \
    "backends:\n"                                                                                                      \
    "  alpha: { url: \"http://alpha.example\", models: [ embedder ] }\n"                                               \
    "routes:\n"                                                                                                        \
    "  vectors: { reference: alpha/embedder, levers: { exact_cache: on, coalesce: " coalesce " } }\n"                  \
    "prices: { override: { alpha/embedder: { input: $0.10/M, output: $0/M } } }\n"

static const usd pico_per_token = 100000;
static const char batch[] = "[\"xxxxx\",\"bbb\",\"aa\",\"yyyyyy\"]";

static struct vclient *
asks(struct scene *s, const char *inputs, struct vclient_script conduct)
{
    char body[256];

    snprintf(body, sizeof(body), "{\"model\":\"vectors\",\"input\":%s}", inputs);
    return scene_asks(s, (struct ask){.api = API_EMBEDDINGS, .body = body, .client = conduct});
}

/* "aa" and "bbb" are known. */
static struct scene *
opens(void **state, uint64_t seed, const char *coalesce, struct embedder *embedder)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = seed, .workers = WORKERS, .config = coalesce});

    embedder_runs(embedder, scene_backend(s, "alpha"));
    asks(s, "[\"aa\",\"bbb\"]", (struct vclient_script){0});
    scene_rest(s);
    return s;
}

static void
all_ask(struct scene *s, struct vclient *clients[MEMBERS], struct vclient_script conduct)
{
    for (unsigned i = 0; i < MEMBERS; i++) {
        conduct.worker = i % WORKERS;
        clients[i] = asks(s, batch, conduct);
        conduct.leaves_after_us = 0; /* the first alone */
        history_run_for(s->history, 400);
    }
}

static size_t
calls(struct scene *s)
{
    return vbackend_seen_count(scene_backend(s, "alpha"));
}

static int64_t
counted(struct scene *s, enum counter which)
{
    return gateway_count(&s->gateway, which);
}

/* The rows behind that of the first batch: each has what was known for nothing, and of the call its part. */
static void
assert_split(struct scene *s)
{
    unsigned shared = 0;
    usd cost = 0;
    int64_t tokens = 0;

    assert_int_equal(s->row_count, 1 + MEMBERS);
    for (size_t i = 1; i <= MEMBERS; i++) {
        const struct row *row = scene_row(s, i);

        assert_slice_is(row->state, "ok");
        assert_true(row->baseline == ALL * pico_per_token);
        assert_true(scene_saved(row, "exact_cache") == (ALL - BOUGHT) * pico_per_token);
        assert_true(scene_saved(row, "coalesce") == BOUGHT * pico_per_token - row->cost);
        assert_true(row->cost == BOUGHT * pico_per_token / MEMBERS);
        assert_int_equal(row->saving_count, 2);
        shared += slice_is(row->source, "shared");
        cost += row->cost;
        tokens += row->input_tokens;
    }
    assert_int_equal(shared, MEMBERS - 1);
    assert_true(cost == BOUGHT * pico_per_token);
    assert_int_equal(tokens, BOUGHT);
}

static void
what_nobody_knows_is_bought_once(void **state)
{
    for (uint64_t seed = 0; seed < 8; seed++) {
        struct embedder embedder = {0};
        struct scene *s = opens(state, seed, SETTING("on"), &embedder);
        struct vclient *clients[MEMBERS], *later;

        all_ask(s, clients, (struct vclient_script){0});
        scene_rest(s);
        assert_int_equal(calls(s), 2);
        assert_contains(vbackend_seen(scene_backend(s, "alpha"), 1).body, "[\"xxxxx\",\"yyyyyy\"]");
        for (unsigned i = 0; i < MEMBERS; i++) {
            assert_embeds_all(clients[i], "xxxxx", "bbb", "aa", "yyyyyy");
            assert_true(slice_equal(vclient_body(clients[i]), vclient_body(clients[0])));
        }
        assert_split(s);
        assert_int_equal(counted(s, COUNT_COALESCED), MEMBERS - 1);
        assert_int_equal(counted(s, COUNT_COALESCED_FLIGHTS), 1);
        assert_int_equal(counted(s, COUNT_COALESCED_TOKENS), (MEMBERS - 1) * BOUGHT);
        assert_true(counted(s, COUNT_COALESCED_SAVED_PICO) == (MEMBERS - 1) * BOUGHT * pico_per_token);
        assert_int_equal(counted(s, COUNT_CACHE_PARTLY), MEMBERS);
        assert_int_equal(counted(s, COUNT_CACHE_TOKENS), MEMBERS * (ALL - BOUGHT));
        later = asks(s, "[\"yyyyyy\",\"xxxxx\"]", (struct vclient_script){0});
        scene_rest(s);
        assert_embeds_all(later, "yyyyyy", "xxxxx");
        assert_int_equal(calls(s), 2);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Whenever the one who makes the call leaves: while it is under way, while its answer is taken apart and put together. */
static void
the_first_may_leave(void **state)
{
    for (usec leaves_us = 1000; leaves_us < 16000; leaves_us += 300) {
        struct embedder embedder = {.floats = 20000};
        struct scene *s = opens(state, (uint64_t)leaves_us, SETTING("on"), &embedder);
        struct vclient *clients[MEMBERS];
        usd cost = 0;

        all_ask(s, clients, (struct vclient_script){.leaves_after_us = leaves_us, .window = 1 << 20});
        scene_rest(s);
        for (unsigned i = 1; i < MEMBERS; i++)
            assert_embeds_all(clients[i], "xxxxx", "bbb", "aa", "yyyyyy");
        for (size_t i = 1; i <= MEMBERS; i++)
            cost += scene_row(s, i)->cost;
        assert_int_equal(calls(s), 2);
        assert_true(cost == BOUGHT * pico_per_token);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* All is asked for: once, for all. The part is what failed before, and is paid by who asked for it. */
static void
a_part_that_fails_is_no_failure(void **state)
{
    struct embedder embedder = {0};
    struct scene *s = opens(state, 20, SETTING("on"), &embedder);
    struct vclient *clients[MEMBERS];
    usd cost = 0;

    embedder = (struct embedder){.habit = EMBEDDER_FORGETS_LAST, .least = 4};
    all_ask(s, clients, (struct vclient_script){0});
    scene_rest(s);
    assert_int_equal(calls(s), 3);
    for (unsigned i = 0; i < MEMBERS; i++)
        assert_embeds_all(clients[i], "xxxxx", "bbb", "aa", "yyyyyy");
    for (size_t i = 1; i <= MEMBERS; i++) {
        const struct row *row = scene_row(s, i);

        cost += row->cost;
        if (slice_is(row->source, "shared"))
            assert_true(row->cost == ALL * pico_per_token / MEMBERS && scene_saved(row, "exact_cache") == 0);
    }
    assert_true(cost == (BOUGHT + ALL) * pico_per_token);
    assert_int_equal(counted(s, COUNT_CACHE_PARTLY), 0);
    scene_passed(s);
}

/* Alone, and where the lever only looks on, a row is as without it. */
static void
who_shares_nothing_is_booked_as_before(void **state)
{
    static const char *const settings[] = {SETTING("off"), SETTING("on"), SETTING("shadow")};

    for (size_t i = 0; i < 3; i++) {
        struct embedder embedder = {0};
        struct scene *s = opens(state, 30 + i, settings[i], &embedder);
        const struct row *row;

        asks(s, batch, (struct vclient_script){0});
        scene_rest(s);
        row = scene_row(s, 1);
        assert_slice_is(row->source, "partly-cached");
        assert_true(row->cost == BOUGHT * pico_per_token && row->baseline == ALL * pico_per_token);
        assert_int_equal(row->saving_count, 1);
        assert_true(scene_saved(row, "exact_cache") == (ALL - BOUGHT) * pico_per_token);
        assert_int_equal(counted(s, COUNT_COALESCED_TOKENS), 0);
        assert_int_equal(counted(s, COUNT_COALESCED_FLIGHTS), 0);
        scene_passed(s);
        scene_free(s, state);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_nobody_knows_is_bought_once),
        cmocka_unit_test(the_first_may_leave),
        cmocka_unit_test_teardown(a_part_that_fails_is_no_failure, scene_teardown),
        cmocka_unit_test(who_shares_nothing_is_booked_as_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
