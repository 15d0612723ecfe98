/* Random histories of the real gateway: many clients, several workers, providers of all habits, faults anywhere; each
 * replayable from its seed. What must hold whatever happens is checked for each. */
#include "scene.h"

enum { HISTORIES = 300, CLIENTS_MOST = 12, FAULTS_PLANNED_MOST = 4, STEPS_EXPECTED = 600 };

static bool
one_in(struct rng *rng, unsigned n)
{
    return rng_below(rng, n) == 0;
}

static usec
some_ms(struct rng *rng, unsigned most)
{
    return (usec)rng_below(rng, most) * USEC_PER_MS;
}

/* Counts that tell the providers apart. */
static void
choose_habits(struct rng *rng, struct scene *s)
{
    static const unsigned statuses[] = {400, 401, 404, 429, 500, 502, 529};

    for (size_t i = 0; i < s->config->backend_count; i++) {
        struct provider *p = &s->providers[i];

        p->words = (unsigned)rng_below(rng, 30);
        p->input = 100 + (int64_t)i;
        p->cached = (int64_t)rng_below(rng, 50);
        p->output = 10 + (int64_t)rng_below(rng, 100);
        p->reasoning = (int64_t)rng_below(rng, 10);
        p->usage_place = (enum usage_place)rng_below(rng, 3);
        p->line_end = (enum line_end)rng_below(rng, 3);
        p->no_done = one_in(rng, 5);
        p->pings = one_in(rng, 3);
        p->multi_line = one_in(rng, 3);
        p->byte_by_byte = one_in(rng, 6);
        p->repeats_input = one_in(rng, 2);
        p->first_word_us = some_ms(rng, 2000);
        p->word_gap_us = some_ms(rng, 100);
        p->cut_after = one_in(rng, 5) ? 1 + (unsigned)rng_below(rng, 10) : 0;
        p->status = one_in(rng, 4) ? statuses[rng_below(rng, 7)] : 0;
        vbackend_set_refusing(s->backends[i], one_in(rng, 10));
        vbackend_set_silent(s->backends[i], one_in(rng, 20));
        vbackend_set_stale(s->backends[i], one_in(rng, 10));
    }
}

static struct vclient_script
choose_client(struct rng *rng, unsigned workers)
{
    struct vclient_script client = {.worker = (unsigned)rng_below(rng, workers), .after_us = some_ms(rng, 3000)};

    if (one_in(rng, 2))
        client.piece_len = 1 + rng_below(rng, 50);
    client.chunked = one_in(rng, 3);
    client.body_breaks = one_in(rng, 20);
    client.body_stalls = one_in(rng, 20);
    if (one_in(rng, 3)) {
        client.read_len = 1 + rng_below(rng, 400);
        client.read_gap_us = 1 + some_ms(rng, 50);
    }
    client.window = 4096 + rng_below(rng, 8192);
    if (one_in(rng, 4))
        client.leaves_after_us = 1 + some_ms(rng, 4000);
    if (one_in(rng, 6))
        client.leaves_at_byte = 1 + rng_below(rng, 2000);
    return client;
}

static struct vclient *
choose_request(struct rng *rng, struct scene *s, unsigned workers)
{
    static const enum api apis[] = {API_CHAT, API_CHAT, API_COMPLETIONS, API_RESPONSES, API_EMBEDDINGS, API_MESSAGES};
    static const char *const targets[] = {"/backend/alpha/v1/chat/completions", "/backend/claude/v1/messages",
                                          "/backend/nobody/x", "/v1/models", "/v1/other"};
    struct ask ask = {.api = apis[rng_below(rng, 6)], .client = choose_client(rng, workers)};

    ask.stream = ask.api != API_EMBEDDINGS && !one_in(rng, 3);
    ask.wants_usage = ask.stream && (ask.api == API_CHAT || ask.api == API_COMPLETIONS) && one_in(rng, 2);
    if (one_in(rng, 15))
        ask.key = "sk-wrong";
    if (one_in(rng, 15))
        ask.model = "nothing";
    if (one_in(rng, 25))
        ask.body = "{\"model\": ";
    if (one_in(rng, 8))
        ask.target = targets[rng_below(rng, 5)];
    if (one_in(rng, 5))
        ask.headers = "x-equipoise-include: cost\n";
    return scene_asks(s, ask);
}

static void
choose_faults(struct rng *rng, struct scene *s)
{
    size_t count = rng_below(rng, FAULTS_PLANNED_MOST + 1);

    for (size_t i = 0; i < count; i++) {
        static const enum fault_kind kinds[] = {FAULT_CLIENT_LEAVES, FAULT_CALL_CUT, FAULT_CALL_CUT, FAULT_APPEND_FAILS,
                                                FAULT_WALL_JUMPS};
        struct fault fault = {.kind = kinds[rng_below(rng, 5)], .step = 1 + rng_below(rng, STEPS_EXPECTED)};

        fault.jump_us = (usec)rng_below(rng, 7200) * USEC_PER_S - 3600 * USEC_PER_S;
        s->journal_fails |= fault.kind == FAULT_APPEND_FAILS;
        history_plan_fault(s->history, fault);
    }
}

/* Every call that reached a backend stands in some row; what the provider told is what was booked. */
static void
check_attempts(struct scene *s)
{
    size_t seen = 0, tries = 0;

    for (size_t i = 0; i < s->config->backend_count; i++)
        seen += vbackend_seen_count(s->backends[i]);
    for (size_t r = 0; r < s->row_count; r++) {
        const struct row *row = scene_row(s, r);

        tries += row->try_count;
        if (!slice_is(row->state, "ok") || !slice_is(row->exactness, "exact") || row->input_tokens == 0)
            continue;
        for (size_t i = 0; i < s->config->backend_count; i++) {
            const struct provider *p = &s->providers[i];

            if (!slice_is(row->backend, s->config->backends[i].name))
                continue;
            assert_int_equal(row->input_tokens, p->input + (slice_is(row->backend, "claude") ? p->cached : 0));
            assert_int_equal(row->output_tokens, p->output);
        }
    }
    if (!s->journal_fails)
        assert_true(seen <= tries);
}

static uint64_t
play(void **state, uint64_t seed)
{
    unsigned workers = 1 + (unsigned)(seed % 3);
    struct scene *s =
        scene_new(state, (struct scene_options){.seed = seed,
                                                .workers = workers,
                                                .split_answers = seed % 2 == 0,
                                                .more = seed % 5 == 0 ? "journal: { when_full: serve }\n" : NULL});
    struct vclient *clients[CLIENTS_MOST];
    struct rng rng;
    size_t count;
    uint64_t digest;

    rng_seed(&rng, seed);
    choose_habits(&rng, s);
    choose_faults(&rng, s);
    count = 1 + rng_below(&rng, CLIENTS_MOST);
    for (size_t i = 0; i < count; i++)
        clients[i] = choose_request(&rng, s, workers);
    scene_rest(s);
    for (size_t i = 0; i < count; i++)
        assert_false(vclient_waits(clients[i]));
    check_attempts(s);
    history_run_for(s->history, 3600 * USEC_PER_S); /* nothing stirs afterwards */
    assert_int_equal(history_calls_open(s->history), 0);
    digest = history_log_digest(s->history);
    scene_passed(s);
    scene_free(s, state);
    return digest;
}

static void
random_histories_lose_nothing(void **state)
{
    for (uint64_t seed = 1; seed <= HISTORIES; seed++)
        play(state, seed);
}

static void
the_same_seed_is_the_same_history(void **state)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        uint64_t digest = play(state, seed);

        assert_true(play(state, seed) == digest);
        assert_true(play(state, seed + 1) != digest);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(random_histories_lose_nothing, scene_teardown),
        cmocka_unit_test_teardown(the_same_seed_is_the_same_history, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
