/* Requests that go to a backend together (lever batching): each gets its own answer and pays its own part, whatever
 * happens to the others. */
#include "embedder.h"
#include "scene.h"

#include <stdio.h>

#include "gateway/attempt/batch.h"

#define BACKENDS                                                                                                       \
    "backends:\n"                                                                                                      \
    "  alpha: { url: \"http://alpha.example\", models: [ embedder ] }\n"                                               \
    "prices: { override: { alpha/embedder: { input: $0.10/M, output: $0/M } } }\n"

#define SETTING(mode, more)                                                                                            \
    BACKENDS "routes:\n  vectors: { reference: alpha/embedder, levers: { batching: " mode " }" more " }\n"

static const usd pico_per_token = 100000;

static struct scene *
opens(void **state, struct scene_options options, struct embedder *embedder)
{
    struct scene *s;

    if (options.config == NULL)
        options.config = SETTING("on", "");
    s = scene_new(state, options);
    embedder_runs(embedder, scene_backend(s, "alpha"));
    return s;
}

static struct vclient *
asks_with(struct scene *s, const char *more, const char *inputs, struct vclient_script conduct)
{
    char body[8192];

    snprintf(body, sizeof(body), "{\"model\":\"vectors\"%s,\"input\":%s}", more, inputs);
    return scene_asks(s, (struct ask){.api = API_EMBEDDINGS, .body = body, .client = conduct});
}

static struct vclient *
asks(struct scene *s, const char *inputs)
{
    return asks_with(s, "", inputs, (struct vclient_script){0});
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

static usd
all_costs(struct scene *s)
{
    usd sum = 0;

    for (size_t i = 0; i < s->row_count; i++)
        sum += scene_row(s, i)->cost;
    return sum;
}

static int64_t
all_tokens(struct scene *s)
{
    int64_t sum = 0;

    for (size_t i = 0; i < s->row_count; i++)
        sum += scene_row(s, i)->input_tokens;
    return sum;
}

/* How many rows say that their request went with others. */
static size_t
batched_rows(struct scene *s)
{
    size_t rows = 0;

    for (size_t i = 0; i < s->row_count; i++)
        rows += (scene_row(s, i)->transforms & TRANSFORM_BATCHED) != 0;
    return rows;
}

/* The first finds nobody, and goes. Who comes while its call is under way goes with the next. */
static void
who_would_wait_goes_together(void **state)
{
    struct embedder embedder = {0};
    struct scene *s = opens(state, (struct scene_options){.seed = 1}, &embedder);
    struct vclient *c[4];

    c[0] = asks(s, "\"first\"");
    history_run_until(s->history, calls(s) == 1);
    c[1] = asks(s, "\"a\"");
    c[2] = asks(s, "[\"bb\", \"ccc\"]");
    c[3] = asks(s, "[\"dddd\"]");
    scene_rest(s);
    assert_int_equal(calls(s), 2);
    assert_contains(sent(s, 0), "\"input\":\"first\"");
    assert_embeds_all(c[0], "first");
    assert_embeds_some(c[1], false, "a");
    assert_embeds_some(c[2], false, "bb", "ccc");
    assert_embeds_some(c[3], false, "dddd");
    assert_int_equal(all_tokens(s), 5 + 10);
    assert_true(all_costs(s) == 15 * pico_per_token);
    assert_int_equal(batched_rows(s), 3);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(vclient_status(c[i]), 200);
        assert_row_is(s, i, state, "ok");
        assert_row_is(s, i, source, "reference");
        assert_row_is(s, i, exactness, "exact");
        assert_int_equal(scene_row(s, i)->attempts, 1);
        assert_true(scene_row(s, i)->baseline == scene_row(s, i)->cost); /* tokens cost what they cost */
        assert_int_equal(scene_row(s, i)->saving_count, 0);
    }
    assert_int_equal(gateway_count(&s->gateway, COUNT_ATTEMPTS), 4);
    assert_int_equal(gateway_count(&s->gateway, COUNT_BATCHED_REQUESTS), 4);
    assert_int_equal(gateway_count(&s->gateway, COUNT_BATCHED_INPUTS), 5);
    assert_int_equal(gateway_count(&s->gateway, COUNT_BATCHES_IDLE), 1);
    assert_int_equal(gateway_count(&s->gateway, COUNT_BATCHES_NEXT), 1);
    assert_true(gateway_count(&s->gateway, COUNT_BATCH_HELD_US) > 0);
    scene_passed(s);
}

/* Behind a first call, all of them wait together. */
static void
fill(struct scene *s, const char *const *inputs, size_t count, struct vclient **clients, struct vclient_script conduct)
{
    size_t before = calls(s);

    asks(s, "\"before\"");
    history_run_until(s->history, calls(s) == before + 1);
    for (size_t i = 0; i < count; i++)
        clients[i] = asks_with(s, "", inputs[i], conduct);
}

static void
indices_tell_whose_is_which(void **state)
{
    struct embedder embedder = {.habit = EMBEDDER_REVERSES};
    struct scene *s = opens(state, (struct scene_options){.seed = 2}, &embedder);
    struct vclient *c[3];

    fill(s, (const char *const[]){"\"a\"", "[\"bb\",\"ccc\"]", "\"dddd\""}, 3, c, (struct vclient_script){0});
    scene_rest(s);
    assert_int_equal(calls(s), 2);
    assert_embeds_some(c[0], false, "a");
    assert_embeds_some(c[1], false, "bb", "ccc");
    assert_embeds_some(c[2], false, "dddd");
    scene_passed(s);
}

/* What cannot be told apart is asked for alone; what it cost is booked, and split exactly. */
static void
an_answer_that_cannot_be_dealt_out_serves_nobody(void **state)
{
    static const enum embedder_habit habits[] = {EMBEDDER_FORGETS_LAST, EMBEDDER_REPEATS, EMBEDDER_ADDS,
                                                 EMBEDDER_IS_UNEVEN};

    for (size_t i = 0; i < sizeof(habits) / sizeof(habits[0]); i++) {
        struct embedder embedder = {.habit = habits[i]};
        struct scene *s = opens(state, (struct scene_options){.seed = 3}, &embedder);
        struct vclient *c[3];

        fill(s, (const char *const[]){"\"a\"", "\"bb\"", "\"cccc\""}, 3, c, (struct vclient_script){0});
        scene_rest(s);
        assert_int_equal(calls(s), 1 + 1 + 3);
        assert_embeds_all(c[0], "a");
        assert_embeds_all(c[1], "bb");
        assert_embeds_all(c[2], "cccc");
        assert_true(all_costs(s) == (6 + 7 + 7) * pico_per_token);
        assert_int_equal(gateway_count(&s->gateway, COUNT_BATCHES_SPOILED), 1);
        assert_int_equal(batched_rows(s), 0);
        for (size_t k = 1; k < 4; k++) {
            assert_int_equal(scene_row(s, k)->attempts, 2);
            assert_row_is(s, k, state, "ok");
        }
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Whatever a backend says to one bad input, and however few attempts the route allows: the others are answered. */
static void
a_bad_one_fails_alone(void **state)
{
    static const unsigned statuses[] = {400, 413, 422, 404, 403, 500, 503, 0};

    for (size_t i = 0; i < 2 * sizeof(statuses) / sizeof(statuses[0]); i++) {
        struct embedder embedder = {.poison = "bad", .poisoned = statuses[i / 2]};
        const char *config = i % 2 == 0 ? SETTING("on", "") : SETTING("on", ", attempts: 1");
        struct scene *s = opens(state, (struct scene_options){.seed = 4, .config = config}, &embedder);
        struct vclient *c[9];

        fill(s,
             (const char *const[]){"\"a\"", "\"bb\"", "\"ccc\"", "\"a bad one\"", "[\"d\",\"e\"]", "\"f\"", "\"g\"",
                                   "\"h\"", "\"i\""},
             9, c, (struct vclient_script){0});
        scene_rest(s);
        for (size_t k = 0; k < 9; k++) {
            if (k == 3)
                continue;
            assert_int_equal(vclient_status(c[k]), 200);
        }
        assert_embeds_some(c[4], false, "d", "e");
        assert_int_equal(vclient_status(c[3]), statuses[i / 2] != 0 ? statuses[i / 2] : 502);
        if (statuses[i / 2] == 400) {
            assert_contains(vclient_body(c[3]), "about an input"); /* it was asked alone: the words are its own */
            assert_int_equal(calls(s), 1 + 1 + 3 + 3);             /* all, groups of 3, the bad one's apart */
        }
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Where a call broke off, a route that risks no second billing is told so. */
static void
what_may_have_been_billed_is_not_risked(void **state)
{
    struct embedder embedder = {.poison = "bad"};
    struct scene *s =
        opens(state, (struct scene_options){.seed = 5, .config = SETTING("on", ", retry: safe")}, &embedder);
    struct vclient *c[2];

    fill(s, (const char *const[]){"\"a\"", "\"bad\""}, 2, c, (struct vclient_script){0});
    scene_rest(s);
    assert_int_equal(calls(s), 2);
    assert_int_equal(vclient_status(c[0]), 502);
    scene_passed(s);
}

/* A limit by the call: fewer go together, once it has rested. Its words about all are nobody's. */
static void
too_many_at_once_is_no_failure(void **state)
{
    struct embedder embedder = {.limit = 3};
    struct scene *s = opens(state, (struct scene_options){.seed = 6}, &embedder);
    struct vclient *c[8];

    fill(s, (const char *const[]){"\"a\"", "\"b\"", "\"c\"", "\"d\"", "\"e\"", "\"f\"", "\"g\"", "\"h\""}, 8, c,
         (struct vclient_script){0});
    scene_rest(s);
    for (size_t k = 0; k < 8; k++)
        assert_int_equal(vclient_status(c[k]), 200);
    scene_passed(s);
}

static void
words_about_all_are_nobodys(void **state)
{
    struct embedder embedder = {.limit = 1};
    struct scene *s =
        opens(state, (struct scene_options){.seed = 7, .config = SETTING("on", ", attempts: 1")}, &embedder);
    struct vclient *c[2];

    fill(s, (const char *const[]){"\"a\"", "\"b\""}, 2, c, (struct vclient_script){0});
    scene_rest(s);
    for (size_t k = 0; k < 2; k++) {
        assert_int_equal(vclient_status(c[k]), 429);
        assert_contains(vclient_body(c[k]), "shared with others");
        assert_lacks(vclient_body(c[k]), "about an input");
        assert_slice_is(vclient_header(c[k], "retry-after-ms"), "20");
    }
    scene_passed(s);
}

/* Leaving before the batch goes leaves no trace of it; later, a part is paid, exactly, unless nobody is left. */
static void
clients_may_leave_at_any_time(void **state)
{
    bool before = false, within = false;

    for (usec leaves_us = 200; leaves_us < 26000; leaves_us += 200) {
        struct embedder embedder = {.floats = leaves_us / 200 % 2 == 0 ? 20000 : 0};
        struct scene *s = opens(state, (struct scene_options){.seed = 8}, &embedder);
        struct vclient *c[2], *leaver;

        fill(s, (const char *const[]){"\"a\"", "\"bb\""}, 2, c, (struct vclient_script){.window = 1 << 22});
        leaver = asks_with(s, "", "\"ccc\"", (struct vclient_script){.leaves_after_us = leaves_us});
        scene_rest(s);
        assert_int_equal(calls(s), 2);
        assert_embeds_some(c[0], false, "a");
        assert_embeds_some(c[1], false, "bb");
        if (slice_find(sent(s, 1), slice_of("ccc")) < sent(s, 1).len) {
            assert_true(all_costs(s) == 12 * pico_per_token);
            within |= vclient_left(leaver);
        } else {
            assert_true(all_costs(s) == 9 * pico_per_token);
            before = true;
        }
        assert_int_equal(s->row_count, 4);
        scene_passed(s);
        scene_free(s, state);
    }
    assert_true(before && within);
}

static void
when_all_have_left_the_call_is_closed(void **state)
{
    struct embedder embedder = {.a_us = 2 * USEC_PER_S};
    struct scene *s = opens(state, (struct scene_options){.seed = 9}, &embedder);
    struct vclient *c[3];

    fill(s, (const char *const[]){"\"a\"", "\"bb\"", "\"ccc\""}, 3, c, (struct vclient_script){0});
    history_run_until(s->history, calls(s) == 2);
    for (size_t i = 0; i < 3; i++)
        vclient_leave(c[i]);
    scene_rest(s);
    assert_true(vbackend_seen(scene_backend(s, "alpha"), 1).over_us -
                    vbackend_seen(scene_backend(s, "alpha"), 1).arrived_us <
                USEC_PER_S);
    assert_int_equal(s->row_count, 4);
    for (size_t i = 1; i < 4; i++) {
        assert_row_is(s, i, state, "client gone");
        assert_row_is(s, i, exactness, "estimated");
        assert_true(scene_row(s, i)->cost > 0);
    }
    scene_passed(s);
}

/* What is another call does not go with this one. */
static void
what_differs_does_not_mix(void **state)
{
    static const struct {
        const char *more, *headers;
    } others[] = {{",\"dimensions\":2", NULL},
                  {",\"encoding_format\":\"float\"", NULL},
                  {",\"user\":\"u1\"", NULL},
                  {"", "x-mode: other\n"}};

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct embedder embedder = {0};
        struct scene *s = opens(state, (struct scene_options){.seed = 10}, &embedder);
        char body[256];

        snprintf(body, sizeof(body), "{\"model\":\"vectors\"%s,\"input\":\"b\"}", others[i].more);
        asks(s, "\"first\"");
        history_run_until(s->history, calls(s) == 1);
        asks(s, "\"a\"");
        scene_asks(s, (struct ask){.api = API_EMBEDDINGS, .body = body, .headers = others[i].headers});
        scene_rest(s);
        for (size_t k = 0; k < calls(s); k++)
            assert_true(slice_find(sent(s, k), slice_of("\"a\"")) == sent(s, k).len ||
                        slice_find(sent(s, k), slice_of("\"b\"")) == sent(s, k).len);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Texts and tokens, and who says nothing of himself. */
static void
what_says_nothing_does_not_keep_apart(void **state)
{
    struct embedder embedder = {0};
    struct scene *s = opens(state, (struct scene_options){.seed = 11}, &embedder);
    struct vclient *c;

    asks(s, "\"first\"");
    history_run_until(s->history, calls(s) == 1);
    asks(s, "\"a\"");
    c = scene_asks(s, (struct ask){.api = API_EMBEDDINGS,
                                   .body = "{\"model\":\"vectors\",\"input\":\"b\"}",
                                   .headers = "user-agent: other\nx-stainless-lang: js\ntraceparent: 00-1\n"});
    scene_rest(s);
    assert_int_equal(calls(s), 2);
    assert_embeds_some(c, false, "b");
    assert_int_equal(vbackend_seen_header(scene_backend(s, "alpha"), 1, "traceparent").len, 0);
    scene_passed(s);
}

/* Off, in the shadow, for whoever is held out, bypassed or only observed, nobody waits. */
static void
nobody_waits_where_it_is_not_on(void **state)
{
    static const char *const configs[] = {SETTING("off", ""), SETTING("shadow", ""), SETTING("on", ", holdout: 100%"),
                                          "observe: yes\n" SETTING("on", "")};

    for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]) + 1; i++) {
        struct embedder embedder = {0};
        bool bypass = i == sizeof(configs) / sizeof(configs[0]);
        struct scene *s = opens(
            state, (struct scene_options){.seed = 12, .config = bypass ? SETTING("on", "") : configs[i]}, &embedder);
        struct vclient *c[3];

        atomic_store(&s->gateway.bypass, bypass);
        fill(s, (const char *const[]){"\"a\"", "\"b\"", "\"c\""}, 3, c, (struct vclient_script){0});
        scene_rest(s);
        assert_int_equal(calls(s), 4);
        assert_int_equal(batched_rows(s), 0);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Tenants */

#define OTHER_KEY "sk-of-another"
#define ACROSS "batching: { across_tenants: yes }\n"

static struct scene *
opens_for_two(void **state, uint64_t seed, const char *config, struct embedder *embedder)
{
    char hex[65], more[256];
    struct digest digest = hash_sha256(slice_of(OTHER_KEY));

    text_format_hex(slice_make((const char *)digest.bytes, sizeof(digest.bytes)), hex);
    hex[64] = '\0';
    snprintf(more, sizeof(more), "  other: { sha256: \"%s\", tenant: globex }\n", hex);
    return opens(state, (struct scene_options){.seed = seed, .config = config, .more = more}, embedder);
}

static struct vclient *
asks_as(struct scene *s, const char *key, const char *inputs)
{
    char body[1024];

    snprintf(body, sizeof(body), "{\"model\":\"vectors\",\"input\":%s}", inputs);
    return scene_asks(s, (struct ask){.api = API_EMBEDDINGS, .body = body, .key = key});
}

static bool
any_call_has_both(struct scene *s, const char *a, const char *b)
{
    for (size_t k = 0; k < calls(s); k++)
        if (slice_find(sent(s, k), slice_of(a)) < sent(s, k).len &&
            slice_find(sent(s, k), slice_of(b)) < sent(s, k).len)
            return true;
    return false;
}

/* Only the configuration may put tenants together; what they get is still each its own. */
static void
tenants_go_together_only_if_told_so(void **state)
{
    for (unsigned across = 0; across < 2; across++) {
        struct embedder embedder = {.habit = EMBEDDER_REVERSES};
        struct scene *s =
            opens_for_two(state, 13, across != 0 ? ACROSS SETTING("on", "") : SETTING("on", ""), &embedder);
        struct vclient *c[4];

        asks_as(s, NULL, "\"before\"");
        asks_as(s, OTHER_KEY, "\"as well\"");
        history_run_until(s->history, calls(s) >= 1);
        c[0] = asks_as(s, NULL, "\"mine\"");
        c[1] = asks_as(s, OTHER_KEY, "\"theirs!\"");
        c[2] = asks_as(s, NULL, "\"of me too\"");
        c[3] = asks_as(s, OTHER_KEY, "[\"of\",\"them\"]");
        scene_rest(s);
        assert_true(any_call_has_both(s, "mine", "theirs!") == (across != 0));
        assert_true(any_call_has_both(s, "mine", "of me too"));
        assert_embeds_some(c[0], false, "mine");
        assert_embeds_some(c[1], false, "theirs!");
        assert_embeds_some(c[2], false, "of me too");
        assert_embeds_some(c[3], false, "of", "them");
        assert_int_equal(all_tokens(s), 6 + 7 + 4 + 7 + 9 + 6);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Whose data may not go there is not taken along. */
static void
nobody_goes_where_he_may_not(void **state)
{
    struct embedder embedder = {0};
    struct scene *s = opens_for_two(
        state, 14, ACROSS "tenants: { globex: { allow: { region: eu } } }\n" SETTING("on", ""), &embedder);
    struct vclient *theirs;

    asks_as(s, NULL, "\"before\"");
    history_run_until(s->history, calls(s) == 1);
    asks_as(s, NULL, "\"mine\"");
    theirs = asks_as(s, OTHER_KEY, "\"theirs!\"");
    scene_rest(s);
    assert_int_equal(vclient_status(theirs), 403);
    for (size_t k = 0; k < calls(s); k++)
        assert_lacks(sent(s, k), "theirs!");
    scene_passed(s);
}

/* With the other levers, and whatever else a request may have to do with */

static void
what_is_known_is_not_asked_for_together_either(void **state)
{
    struct embedder embedder = {0};
    struct scene *s =
        opens(state,
              (struct scene_options){.seed = 15,
                                     .config = BACKENDS "routes:\n  vectors: { reference: alpha/embedder, "
                                                        "levers: { batching: on, exact_cache: on } }\n"},
              &embedder);
    struct vclient *c[3];
    size_t before;

    asks(s, "[\"aa\",\"bbb\"]");
    scene_rest(s);
    fill(s, (const char *const[]){"[\"aa\",\"cccc\"]", "\"bbb\"", "\"ddddd\""}, 3, c, (struct vclient_script){0});
    scene_rest(s);
    assert_int_equal(calls(s), 3);
    assert_contains(sent(s, 2), "\"cccc\"");
    assert_contains(sent(s, 2), "\"ddddd\"");
    assert_lacks(sent(s, 2), "aa");
    assert_embeds_some(c[0], false, "aa", "cccc");
    assert_embeds_all(c[1], "bbb");
    assert_embeds_some(c[2], false, "ddddd");
    assert_slice_is(vclient_header(c[0], "x-equipoise-source"), "partly-cached");
    assert_true(all_costs(s) == (5 + 6 + 9) * pico_per_token);
    before = calls(s);
    asks(s, "[\"cccc\",\"ddddd\"]"); /* what came together is stored one by one */
    scene_rest(s);
    assert_int_equal(calls(s), before);
    scene_passed(s);
}

/* A client that left may still have paid for what others then find. */
static void
what_was_paid_for_is_stored(void **state)
{
    struct embedder embedder = {0};
    struct scene *s =
        opens(state,
              (struct scene_options){.seed = 16,
                                     .config = BACKENDS "routes:\n  vectors: { reference: alpha/embedder, "
                                                        "levers: { batching: on, exact_cache: on } }\n"},
              &embedder);
    struct vclient *c[2];

    fill(s, (const char *const[]){"\"aa\"", "\"bbb\""}, 2, c, (struct vclient_script){0});
    history_run_until(s->history, calls(s) == 2);
    vclient_leave(c[1]);
    scene_rest(s);
    assert_true(slice_is(scene_row(s, 1)->state, "client gone") || slice_is(scene_row(s, 2)->state, "client gone"));
    assert_true(all_costs(s) == (6 + 5) * pico_per_token);
    asks(s, "\"bbb\"");
    scene_rest(s);
    assert_int_equal(calls(s), 2);
    assert_row_is(s, 3, source, "cached");
    scene_passed(s);
}

static void
who_follows_another_goes_along(void **state)
{
    struct embedder embedder = {0};
    struct scene *s =
        opens(state,
              (struct scene_options){.seed = 17,
                                     .config = BACKENDS "routes:\n  vectors: { reference: alpha/embedder, "
                                                        "levers: { batching: on, coalesce: on } }\n"},
              &embedder);
    struct vclient *c[4];

    fill(s, (const char *const[]){"\"aa\"", "\"bbb\"", "\"aa\"", "\"aa\""}, 4, c, (struct vclient_script){0});
    history_run_until(s->history, calls(s) == 2);
    vclient_leave(c[0]); /* who leads for the others */
    scene_rest(s);
    assert_int_equal(calls(s), 2);
    assert_true(any_call_has_both(s, "\"aa\"", "\"bbb\""));
    assert_embeds_some(c[1], false, "bbb");
    assert_embeds_some(c[2], false, "aa");
    assert_embeds_some(c[3], false, "aa");
    assert_true(all_costs(s) == (6 + 5) * pico_per_token);
    scene_passed(s);
}

static void
a_repetition_by_key_gets_its_own(void **state)
{
    struct embedder embedder = {0};
    struct scene *s = opens(state, (struct scene_options){.seed = 18}, &embedder);
    struct ask ask = {
        .api = API_EMBEDDINGS, .body = "{\"model\":\"vectors\",\"input\":\"aa\"}", .headers = "idempotency-key: one\n"};
    struct vclient *c;

    asks(s, "\"before\"");
    history_run_until(s->history, calls(s) == 1);
    scene_asks(s, ask);
    asks(s, "\"bbb\"");
    scene_rest(s);
    assert_true(any_call_has_both(s, "\"aa\"", "\"bbb\""));
    c = scene_asks(s, ask);
    scene_rest(s);
    assert_slice_is(vclient_header(c, "idempotent-replayed"), "true");
    assert_embeds_some(c, false, "aa");
    assert_int_equal(calls(s), 2);
    scene_passed(s);
}

/* A cost that the provider tells is split by the tokens, to the last pico-dollar; so is one that the book tells. */
static void
costs_add_up_exactly(void **state)
{
    static const char odd[] = "backends:\n  alpha: { url: \"http://alpha.example\", models: [ embedder ] }\n"
                              "routes:\n  vectors: { reference: alpha/embedder, levers: { batching: on } }\n"
                              "prices: { override: { alpha/embedder: { input: $0.0333337/M, output: $0/M } } }\n";

    for (unsigned told = 0; told < 2; told++) {
        struct embedder embedder = {.cost = told != 0 ? "0.000000000007" : NULL};
        struct scene *s = opens(state, (struct scene_options){.seed = 19, .config = odd}, &embedder);
        struct vclient *c[5];

        fill(s, (const char *const[]){"\"a\"", "\"bb\"", "\"ccc\"", "\"dd\"", "[\"e\",\"ffff\"]"}, 5, c,
             (struct vclient_script){0});
        scene_rest(s);
        assert_int_equal(calls(s), 2);
        assert_int_equal(all_tokens(s), 6 + 13);
        /* 33,333.7 pico-dollars a token, each call rounded once */
        assert_true(all_costs(s) == (told != 0 ? 14 : 200002 + 433338));
        for (size_t i = 0; i < s->row_count; i++)
            assert_int_equal(scene_row(s, i)->saving_count, 0);
        scene_passed(s);
        scene_free(s, state);
    }
}

static void
what_is_not_told_is_estimated(void **state)
{
    struct embedder embedder = {.silent = true};
    struct scene *s = opens(state, (struct scene_options){.seed = 20}, &embedder);
    struct vclient *c[2];

    fill(s, (const char *const[]){"\"a\"", "\"bb\""}, 2, c, (struct vclient_script){0});
    scene_rest(s);
    assert_int_equal(calls(s), 2);
    for (size_t i = 0; i < 3; i++) {
        assert_row_is(s, i, exactness, "estimated");
        assert_true(scene_row(s, i)->input_tokens > 0 && scene_row(s, i)->cost > 0);
    }
    scene_passed(s);
}

/* Each member takes its own place in budgets; who finds none is refused, and is in no call. */
static void
each_has_a_budget_of_its_own(void **state)
{
    struct embedder embedder = {0};
    struct scene *s =
        opens(state, (struct scene_options){.seed = 21, .key = "budget: 4 requests/day", .config = SETTING("on", "")},
              &embedder);
    struct vclient *c[5];
    unsigned served = 0;

    fill(s, (const char *const[]){"\"a\"", "\"bb\"", "\"ccc\"", "\"dd\"", "\"e\""}, 5, c, (struct vclient_script){0});
    scene_rest(s);
    for (size_t i = 0; i < 5; i++)
        served += vclient_status(c[i]) == 200;
    assert_int_equal(served, 3);
    assert_int_equal(calls(s), 2);
    assert_lacks(sent(s, 1), "\"e\"");
    scene_passed(s);
}

/* Where a route has a limit, a batch goes in time, and gets no larger than its call may take. */
static void
limits_are_kept(void **state)
{
    struct embedder embedder = {.a_us = 20 * USEC_PER_MS, .s_us = 5 * USEC_PER_MS};
    struct scene *s =
        opens(state, (struct scene_options){.seed = 22, .config = SETTING("on", ", acceptable: { total: 100ms }")},
              &embedder);
    struct vclient *all[600];
    unsigned late = 0;

    for (size_t i = 0; i < 600; i++)
        all[i] = asks_with(s, "", "\"some text\"", (struct vclient_script){.after_us = (usec)i * 4 * USEC_PER_MS});
    scene_rest(s);
    for (size_t i = 100; i < 600; i++)
        late += vclient_ended_us(all[i]) - vclient_started_us(all[i]) > 101 * USEC_PER_MS;
    assert_true(late <= 5);
    assert_true(calls(s) < 400);
    for (size_t k = 20; k < calls(s); k++)
        assert_true(slice_find(sent(s, k), slice_of("text")) < sent(s, k).len);
    scene_passed(s);
}

/* Who stands in line for an engine has a place of its own there, and gives it back, whatever becomes of the call. */
static void
each_has_a_place_of_its_own(void **state)
{
    static const char engine[] = "backends:\n  alpha: { url: \"http://alpha.example\", models: [ embedder ], "
                                 "admission: { mode: on, requests: 3 } }\n"
                                 "prices: { override: { alpha/embedder: { input: $0.10/M, output: $0/M } } }\n"
                                 "routes:\n  vectors: { reference: alpha/embedder, levers: { batching: on } }\n";

    for (usec leaves_us = 0; leaves_us < 40000; leaves_us += 2500) {
        struct embedder embedder = {.poison = "bad", .poisoned = 400};
        struct scene *s = opens(state, (struct scene_options){.seed = 27, .config = engine}, &embedder);
        struct vclient *c[8];

        fill(s, (const char *const[]){"\"a\"", "\"b\"", "\"c\"", "\"bad\"", "\"d\"", "\"e\"", "\"f\"", "\"g\""}, 7, c,
             (struct vclient_script){0});
        c[7] = asks_with(s, "", "\"h\"", (struct vclient_script){.leaves_after_us = leaves_us});
        scene_rest(s);
        for (size_t k = 0; k < 7; k++)
            assert_int_equal(vclient_status(c[k]), k == 3 ? 400 : 200);
        assert_true(gateway_count(&s->gateway, COUNT_QUEUE_WAITED) > 0);
        for (size_t k = 0; k < 6; k++) /* all places are free again */
            c[k] = asks(s, "\"again\"");
        scene_rest(s);
        for (size_t k = 0; k < 6; k++)
            assert_int_equal(vclient_status(c[k]), 200);
        scene_passed(s);
        scene_free(s, state);
    }
}

static void
no_call_gets_too_large(void **state)
{
    struct embedder embedder = {.a_us = 50 * USEC_PER_MS};
    struct scene *s = opens(
        state, (struct scene_options){.seed = 23, .config = "batching: { inputs: 4 }\n" SETTING("on", "")}, &embedder);
    struct vclient *c[9];

    fill(s,
         (const char *const[]){"\"a\"", "\"b\"", "\"c\"", "[\"d\",\"e\",\"f\"]", "[\"g\",\"h\"]", "\"i\"",
                               "[\"1\",\"2\",\"3\",\"4\",\"5\"]", "\"j\"", "\"k\""},
         9, c, (struct vclient_script){0});
    scene_rest(s);
    for (size_t k = 0; k < 9; k++)
        assert_int_equal(vclient_status(c[k]), 200);
    for (size_t k = 0; k < calls(s); k++)
        assert_true(slice_find(sent(s, k), slice_of("\"4\"")) <
                        sent(s, k).len || /* what one asked for stays together */
                    vbackend_seen(scene_backend(s, "alpha"), k).body.len <= strlen("{\"model\":\"embedder\",\"input\":"
                                                                                   "[\"a\",\"b\",\"c\",\"d\"]}"));
    assert_true(gateway_count(&s->gateway, COUNT_BATCHES_FULL) > 0);
    scene_passed(s);
}

/* What is paid for by the call, all who share it pay for together. */

#define BY_CALL(mode)                                                                                                  \
    "backends:\n"                                                                                                      \
    "  alpha: { url: \"http://alpha.example\", provider: acme, models: [ embedder ] }\n"                               \
    "prices: { file: test/virtual/per_call.prices.json }\n"                                                            \
    "routes:\n  vectors: { reference: alpha/embedder, levers: { batching: " mode " } }\n"

static const usd pico_per_call = INT64_C(5000000000);

static usd
all_saved(struct scene *s, bool shadow)
{
    usd sum = 0;

    for (size_t i = 0; i < s->row_count; i++)
        for (size_t k = 0; k < scene_row(s, i)->saving_count; k++) {
            const struct saving_line *line = &scene_row(s, i)->savings[k];

            assert_slice_is(line->lever, "batching");
            assert_true(line->shadow == shadow);
            sum += line->saved;
        }
    return sum;
}

static void
a_price_by_the_call_is_shared(void **state)
{
    struct embedder embedder = {0};
    struct scene *s = opens(state, (struct scene_options){.seed = 25, .config = BY_CALL("on")}, &embedder);
    struct vclient *c[3];

    fill(s, (const char *const[]){"\"a\"", "\"bb\"", "\"ccc\""}, 3, c, (struct vclient_script){0});
    scene_rest(s);
    assert_int_equal(calls(s), 2);
    assert_true(all_costs(s) == 12 * pico_per_token + 2 * pico_per_call);
    assert_true(all_saved(s, false) == 2 * pico_per_call);
    scene_passed(s);
}

static void
the_shadow_tells_what_would_be_spared(void **state)
{
    struct embedder embedder = {0};
    struct scene *s = opens(state, (struct scene_options){.seed = 26, .config = BY_CALL("shadow")}, &embedder);
    struct vclient *c[3];

    for (unsigned round = 0; round < 5; round++) {
        fill(s, (const char *const[]){"\"a\"", "\"bb\"", "\"ccc\""}, 3, c, (struct vclient_script){0});
        scene_rest(s);
        assert_int_equal(gateway_count(&s->gateway, COUNT_BATCH_CALLS_SPARED), 2 * (round + 1));
    }
    assert_int_equal(calls(s), 20);
    assert_int_equal(gateway_count(&s->gateway, COUNT_BATCHED_REQUESTS), 0);
    assert_true(all_costs(s) == 5 * 12 * pico_per_token + 20 * pico_per_call);
    assert_true(all_saved(s, true) > 0 && all_saved(s, true) <= 10 * pico_per_call);
    scene_passed(s);
}

/* Whatever happens at whatever step. */

static size_t
plays_with_a_fault(void **state, struct fault fault)
{
    struct embedder embedder = {.poison = "bad", .poisoned = 400};
    struct scene *s = opens(state, (struct scene_options){.seed = 24}, &embedder);
    struct vclient *c[4];
    size_t steps;

    history_plan_fault(s->history, fault);
    for (size_t i = 0; i < 4; i++)
        c[i] = asks_with(s, "", i == 2 ? "\"bad\"" : "\"good\"",
                         (struct vclient_script){.after_us = (usec)i * 3 * USEC_PER_MS});
    if (fault.kind == FAULT_APPEND_FAILS)
        s->journal_fails = true;
    scene_rest(s);
    for (size_t i = 0; i < 4; i++)
        assert_false(vclient_waits(c[i]));
    steps = history_steps(s->history);
    scene_passed(s);
    scene_free(s, state);
    return steps;
}

static void
whatever_breaks_at_whatever_step(void **state)
{
    static const enum fault_kind kinds[] = {FAULT_CLIENT_LEAVES, FAULT_CALL_CUT, FAULT_APPEND_FAILS, FAULT_WALL_JUMPS};

    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
        for (uint64_t step = 1; step < 400; step++)
            if (plays_with_a_fault(state, (struct fault){.kind = kinds[k], .step = step, .jump_us = -USEC_PER_S}) <
                step)
                break;
}

#define BATCHING_TEST(test) cmocka_unit_test_teardown(test, scene_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BATCHING_TEST(who_would_wait_goes_together),
        BATCHING_TEST(indices_tell_whose_is_which),
        BATCHING_TEST(an_answer_that_cannot_be_dealt_out_serves_nobody),
        BATCHING_TEST(a_bad_one_fails_alone),
        BATCHING_TEST(what_may_have_been_billed_is_not_risked),
        BATCHING_TEST(too_many_at_once_is_no_failure),
        BATCHING_TEST(words_about_all_are_nobodys),
        BATCHING_TEST(clients_may_leave_at_any_time),
        BATCHING_TEST(when_all_have_left_the_call_is_closed),
        BATCHING_TEST(what_differs_does_not_mix),
        BATCHING_TEST(what_says_nothing_does_not_keep_apart),
        BATCHING_TEST(nobody_waits_where_it_is_not_on),
        BATCHING_TEST(tenants_go_together_only_if_told_so),
        BATCHING_TEST(nobody_goes_where_he_may_not),
        BATCHING_TEST(what_is_known_is_not_asked_for_together_either),
        BATCHING_TEST(what_was_paid_for_is_stored),
        BATCHING_TEST(who_follows_another_goes_along),
        BATCHING_TEST(a_repetition_by_key_gets_its_own),
        BATCHING_TEST(costs_add_up_exactly),
        BATCHING_TEST(what_is_not_told_is_estimated),
        BATCHING_TEST(each_has_a_budget_of_its_own),
        BATCHING_TEST(limits_are_kept),
        BATCHING_TEST(each_has_a_place_of_its_own),
        BATCHING_TEST(no_call_gets_too_large),
        BATCHING_TEST(a_price_by_the_call_is_shared),
        BATCHING_TEST(the_shadow_tells_what_would_be_spared),
        BATCHING_TEST(whatever_breaks_at_whatever_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
