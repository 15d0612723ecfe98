/* Random histories of requests that may go together: whoever stays and asks nothing bad is answered, with what it asked for
 * and nothing else; and all rows together say what the backend billed. Any of them can be played again by its seed:
 *
 *     BATCHING_SEED=17 virtual_batching_random_test
 */
#include "embedder.h"
#include "scene.h"

#include <stdio.h>

enum { HISTORIES = 400, CLIENTS_MOST = 30, TEXTS_MOST = 3, TEXT_SIZE = 48 };

static const usd pico_per_token = 100000;

#define OTHER_KEY "sk-of-another"

struct asker_of {
    struct vclient *client;
    char texts[TEXTS_MOST][TEXT_SIZE];
    size_t count;
    bool bad, other;
};

struct episode {
    struct rng rng;
    struct scene *scene;
    struct embedder embedder;
    struct asker_of askers[CLIENTS_MOST];
    size_t count;
    bool leaves;  /* some clients do */
    bool cuts;    /* calls are cut, or the journal fails: then anything may be told */
    bool across;  /* tenants may go together */
    bool repeats; /* levers are on that look at equal ones */
};

static bool
one_in(struct rng *rng, uint64_t n)
{
    return rng_below(rng, n) == 0;
}

static void
draw_embedder(struct episode *play)
{
    static const enum embedder_habit habits[] = {EMBEDDER_ORDERLY,  EMBEDDER_ORDERLY,  EMBEDDER_REVERSES,
                                                 EMBEDDER_REVERSES, EMBEDDER_REPEATS,  EMBEDDER_FORGETS_LAST,
                                                 EMBEDDER_ADDS,     EMBEDDER_IS_UNEVEN};
    static const unsigned statuses[] = {400, 413, 422, 500, 503};

    play->embedder = (struct embedder){.a_us = (usec)rng_below(&play->rng, 30000) + 100,
                                       .s_us = (usec)rng_below(&play->rng, 3000),
                                       .habit = habits[rng_below(&play->rng, 8)],
                                       .floats = one_in(&play->rng, 4) ? 4000 : 0,
                                       .poison = "bad",
                                       .poisoned = statuses[rng_below(&play->rng, 5)]};
    if (play->embedder.habit != EMBEDDER_ORDERLY && play->embedder.habit != EMBEDDER_REVERSES)
        play->embedder.spoils_from = TEXTS_MOST + 1; /* what one client asks is answered well */
}

static void
write_config(struct episode *play, char *out, size_t size)
{
    struct rng *rng = &play->rng;

    play->across = one_in(rng, 2);
    play->repeats = one_in(rng, 3);
    snprintf(out, size,
             "batching: { inputs: %u, across_tenants: %s }\n"
             "backends:\n  alpha: { url: \"http://alpha.example\", models: [ embedder ] }\n"
             "prices: { override: { alpha/embedder: { input: $0.10/M, output: $0/M } } }\n"
             "routes:\n  vectors: { reference: alpha/embedder, attempts: %u%s, levers: { batching: on%s } }\n",
             (unsigned)(4 + rng_below(rng, 30)), play->across ? "yes" : "no", (unsigned)(1 + rng_below(rng, 3)),
             one_in(rng, 2) ? ", acceptable: { total: 120ms }" : "",
             play->repeats ? ", exact_cache: on, coalesce: on" : "");
}

static void
open_scene(struct episode *play, void **state, uint64_t seed)
{
    char config[1024], hex[65], more[256];
    struct digest digest = hash_sha256(slice_of(OTHER_KEY));

    write_config(play, config, sizeof(config));
    text_format_hex(slice_make((const char *)digest.bytes, sizeof(digest.bytes)), hex);
    hex[64] = '\0';
    snprintf(more, sizeof(more), "  other: { sha256: \"%s\", tenant: globex }\n", hex);
    play->scene = scene_new(state, (struct scene_options){.seed = seed,
                                                          .config = config,
                                                          .more = more,
                                                          .workers = 1 + (unsigned)rng_below(&play->rng, 2),
                                                          .split_answers = one_in(&play->rng, 2)});
    embedder_runs(&play->embedder, scene_backend(play->scene, "alpha"));
}

/* Texts begin with whose they are; where equal ones matter there are few of them. */
static void
write_text(struct episode *play, struct asker_of *asker, size_t number, char *out)
{
    struct rng *rng = &play->rng;
    uint64_t mark = play->repeats ? rng_below(rng, 4) : number * TEXTS_MOST + asker->count;

    snprintf(out, TEXT_SIZE, "%c%s of %u%.*s", asker->other ? 'o' : 'm',
             asker->bad && asker->count == 0 ? "bad" : "good", (unsigned)mark,
             (int)(play->repeats ? mark : rng_below(rng, 20)), "xxxxxxxxxxxxxxxxxxxx");
}

static void
start_asker(struct episode *play, size_t number)
{
    struct rng *rng = &play->rng;
    struct asker_of *asker = &play->askers[number];
    size_t wanted = one_in(rng, 3) ? 1 + rng_below(rng, TEXTS_MOST) : 1;
    struct vclient_script conduct = {.after_us = (usec)rng_below(rng, 60000), .window = 1 << 22};
    struct buffer body = {0};

    *asker = (struct asker_of){.bad = one_in(rng, 12), .other = one_in(rng, 3)};
    buffer_add_text(&body, "{\"model\":\"vectors\",\"input\":[");
    while (asker->count < wanted) {
        write_text(play, asker, number, asker->texts[asker->count]);
        buffer_printf(&body, "%s\"%s\"", asker->count > 0 ? "," : "", asker->texts[asker->count]);
        asker->count++;
    }
    buffer_add(&body, slice_make("]}", 3));
    if (play->leaves && one_in(rng, 4))
        conduct.leaves_after_us = 1 + (usec)rng_below(rng, 60000);
    conduct.worker = (unsigned)rng_below(rng, play->scene->gateway.worker_count);
    asker->client = scene_asks(play->scene, (struct ask){.api = API_EMBEDDINGS,
                                                         .body = body.data + body.start,
                                                         .key = asker->other ? OTHER_KEY : NULL,
                                                         .client = conduct});
    buffer_free(&body);
}

static void
plan_fault(struct episode *play)
{
    struct rng *rng = &play->rng;
    struct fault fault = {.kind = one_in(rng, 2) ? FAULT_CALL_CUT : FAULT_APPEND_FAILS,
                          .step = 1 + rng_below(rng, 600)};

    play->cuts = one_in(rng, 4);
    if (!play->cuts)
        return;
    play->scene->journal_fails = fault.kind == FAULT_APPEND_FAILS;
    history_plan_fault(play->scene->history, fault);
}

static void
check_answers(const struct episode *play)
{
    for (size_t i = 0; i < play->count; i++) {
        const struct asker_of *asker = &play->askers[i];
        const char *texts[TEXTS_MOST];

        assert_false(vclient_waits(asker->client));
        if (vclient_left(asker->client))
            continue;
        for (size_t k = 0; k < asker->count; k++)
            texts[k] = asker->texts[k];
        if (!asker->bad && !play->cuts)
            assert_int_equal(vclient_status(asker->client), 200);
        if (asker->bad)
            assert_int_not_equal(vclient_status(asker->client), 200);
        if (vclient_status(asker->client) == 200)
            assert_embeds_(vclient_body(asker->client), texts, asker->count, false);
        else
            assert_lacks(vclient_body(asker->client), "good"); /* nobody hears of another's */
    }
}

static void
check_calls(const struct episode *play)
{
    const struct vbackend *alpha = scene_backend(play->scene, "alpha");

    for (size_t k = 0; k < vbackend_seen_count(alpha) && !play->across; k++) {
        struct slice body = vbackend_seen(alpha, k).body;
        bool mine = slice_find(body, slice_of("\"mgood")) < body.len || slice_find(body, slice_of("\"mbad")) < body.len;
        bool theirs =
            slice_find(body, slice_of("\"ogood")) < body.len || slice_find(body, slice_of("\"obad")) < body.len;

        assert_false(mine && theirs);
    }
}

/* What was not cut or closed is booked as it was billed, however it was split. */
static void
check_bill(const struct episode *play)
{
    int64_t tokens = 0;
    usd costs = 0;

    if (play->cuts || play->leaves)
        return;
    for (size_t i = 0; i < play->scene->row_count; i++) {
        const struct row *row = scene_row(play->scene, i);

        for (size_t k = 0; k < row->try_count; k++)
            tokens += row->tries[k].input_tokens;
        costs += row->cost;
    }
    assert_int_equal(tokens, play->embedder.billed);
    assert_true(costs == (usd)play->embedder.billed * pico_per_token);
}

static int64_t
play_history(void **state, uint64_t seed)
{
    static struct episode play;
    int64_t together;

    memset(&play, 0, sizeof(play));
    rng_seed(&play.rng, rng_mix(seed));
    play.leaves = one_in(&play.rng, 2);
    draw_embedder(&play);
    open_scene(&play, state, seed);
    plan_fault(&play);
    play.count = 1 + rng_below(&play.rng, CLIENTS_MOST);
    for (size_t i = 0; i < play.count; i++)
        start_asker(&play, i);
    scene_rest(play.scene);
    check_answers(&play);
    check_calls(&play);
    check_bill(&play);
    together = gateway_count(&play.scene->gateway, COUNT_BATCHED_REQUESTS);
    scene_passed(play.scene);
    scene_free(play.scene, state);
    return together;
}

static void
random_histories(void **state)
{
    const char *one = getenv("BATCHING_SEED");
    int64_t together = 0;

    if (one != NULL) {
        play_history(state, strtoull(one, NULL, 10));
        return;
    }
    for (uint64_t seed = 1; seed <= HISTORIES; seed++)
        together += play_history(state, seed);
    assert_true(together > HISTORIES);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(random_histories, scene_teardown)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
