/* Engines that are paid by the hour: a request costs its share of the time in which the engine was busy. */
#include "scene.h"

#include "gateway/watch/rent.h"
#include "money/ledger/journal.h"

static const char config[] =
    "backends:\n"
    "  gpus: { url: \"http://gpus.example\", engine: vllm, usd_per_hour: $3.60, models: [ llama ] }\n"
    "  both: { url: \"http://both.example\", engine: vllm, usd_per_hour: $3.60, models: [ llama ] }\n"
    "  api:  { url: \"http://api.example\", models: [ llama ] }\n"
    "routes:\n"
    "  assistant: { reference: gpus/llama }\n"
    "  vectors:   { reference: gpus/llama, levers: { batching: on } }\n"
    "  priced:    { reference: both/llama }\n"
    "  before:    { reference: gpus/llama, baseline: api/llama }\n"
    "prices:\n"
    "  override:\n"
    "    both/llama: { input: $2/M, output: $8/M }\n"
    "    api/llama: { input: $2/M, output: $8/M }\n";

static struct scene *
begin(void **state)
{
    return scene_new(state, (struct scene_options){.seed = 9, .config = config});
}

static void
end(struct scene *s, void **state)
{
    scene_passed(s);
    scene_free(s, state);
}

/* $3.60 an hour are a thousandth of a dollar a second. */
static usd
price_of(usec span_us)
{
    return (usd)(span_us * (USD_ONE / 1000 / USEC_PER_S));
}

static void
a_lone_request_pays_for_its_time(void **state)
{
    struct scene *s = begin(state);
    const struct row *row;

    scene_provider(s, "gpus")->first_word_us = 4 * USEC_PER_S;
    scene_asks(s, (struct ask){.stream = true});
    scene_rest(s);
    row = scene_row(s, 0);
    assert_row_is(s, 0, state, "ok");
    assert_true(row->total_us >= 4 * USEC_PER_S);
    /* but for the way to the gateway and back */
    assert_true(row->cost <= price_of(row->total_us) && row->cost > price_of(row->total_us - USEC_PER_S / 10));
    assert_int_equal(row->baseline, row->cost);
    assert_int_equal(row->tries[0].cost, row->cost);
    assert_true(row->reserved_estimate > 0 && usd_known(row->reserved_estimate));
    end(s, state);
}

/* Together they pay for the time in which any of them was there. */
static void
those_at_the_same_time_share_it(void **state)
{
    struct scene *s = begin(state);
    usd sum = 0;

    scene_provider(s, "gpus")->first_word_us = 4 * USEC_PER_S;
    for (int i = 0; i < 10; i++)
        scene_asks(s, (struct ask){.stream = i % 2 == 0});
    scene_rest(s);
    for (size_t i = 0; i < 10; i++)
        sum += scene_row(s, i)->cost;
    assert_true(sum >= price_of(4 * USEC_PER_S) && sum < price_of(4300 * USEC_PER_MS));
    end(s, state);
}

static void
who_leaves_pays_until_then(void **state)
{
    struct scene *s = begin(state);

    scene_provider(s, "gpus")->first_word_us = 60 * USEC_PER_S;
    scene_asks(s, (struct ask){.stream = true, .client = {.leaves_after_us = 2 * USEC_PER_S}});
    scene_rest(s);
    assert_row_is(s, 0, state, "client gone");
    assert_true(scene_row(s, 0)->cost > price_of(1900 * USEC_PER_MS));
    assert_true(scene_row(s, 0)->cost < price_of(2100 * USEC_PER_MS));
    end(s, state);
}

static void
a_price_by_the_token_wins(void **state)
{
    struct scene *s = begin(state);
    const struct row *row;

    scene_asks(s, (struct ask){.model = "priced"});
    scene_rest(s);
    row = scene_row(s, 0);
    assert_int_equal(row->cost,
                     row->input_tokens * 2 * (USD_ONE / 1000000) + row->output_tokens * 8 * (USD_ONE / 1000000));
    end(s, state);
}

static void
what_it_saves_adds_up(void **state)
{
    struct scene *s = begin(state);
    const struct row *row;

    scene_asks(s, (struct ask){.model = "before"});
    scene_rest(s);
    row = scene_row(s, 0);
    assert_int_equal(row->baseline,
                     row->input_tokens * 2 * (USD_ONE / 1000000) + row->output_tokens * 8 * (USD_ONE / 1000000));
    assert_int_equal(row->saving_count, 1);
    assert_slice_is(row->savings[0].lever, "reference");
    assert_int_equal(row->savings[0].saved, row->baseline - row->cost);
    end(s, state);
}

/* The engine is full of others' requests: what it would add to their waits costs more than the API. */
static const char spills[] =
    "backends:\n"
    "  gpus: { url: \"http://gpus.example\", engine: vllm, usd_per_hour: $3600, models: [ llama ] }\n"
    "  api:  { url: \"http://api.example\", models: [ llama ] }\n"
    "routes:\n"
    "  assistant: { reference: gpus/llama, candidates: [ api/llama ], levers: { alternatives: on } }\n"
    "prices: { override: { api/llama: { input: $1/M, output: $1/M } } }\n";

/* Asks one request after the other while none is over; how many of them the engine got. */
static size_t
fill_up(struct scene *s, size_t count)
{
    size_t before = s->row_count, on_engine = 0;

    for (size_t i = 0; i < count; i++) {
        scene_asks(s, (struct ask){.stream = true});
        history_run_for(s->history, 50 * USEC_PER_MS);
    }
    scene_rest(s);
    assert_int_equal(s->row_count, before + count);
    for (size_t i = before; i < s->row_count; i++)
        on_engine += slice_is(scene_row(s, i)->backend, "gpus");
    return on_engine;
}

static void
it_spills_over_while_that_is_cheaper_than_waiting(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 4, .config = spills});
    size_t at_once, later;

    scene_provider(s, "gpus")->first_word_us = 20 * USEC_PER_S;
    assert_int_equal(fill_up(s, 1), 1); /* the engine is idle: it costs nothing more */
    assert_contains(scene_row(s, 0)->plans, "\"p\":\"0\"");
    assert_true(scene_row(s, 0)->cost > 0); /* though that is charged its share */
    at_once = fill_up(s, 40);
    assert_true(at_once > 10 && at_once < 25); /* and no more, however many come */
    assert_contains(scene_row(s, 40)->plans, "\"s\":\"reference\"");
    later = fill_up(s, 3); /* the load is over: back to the engine */
    assert_int_equal(later, 3);
    end(s, state);
}

/* A call that batching makes for one alone is the engine's time as any other. */
static void
a_lone_embedding_pays_for_its_time(void **state)
{
    struct scene *s = begin(state);
    const struct row *row;

    scene_provider(s, "gpus")->first_word_us = 2 * USEC_PER_S;
    scene_asks(s, (struct ask){.api = API_EMBEDDINGS, .model = "vectors"});
    scene_rest(s);
    row = scene_row(s, 0);
    assert_row_is(s, 0, state, "ok");
    assert_true(row->cost > 0 && row->cost <= price_of(row->total_us));
    end(s, state);
}

/* All of a batch have left: the engine worked until then. */
static void
a_batch_that_all_leave_pays_until_then(void **state)
{
    struct scene *s = begin(state);
    struct vclient *clients[4];
    usd sum = 0;

    scene_provider(s, "gpus")->first_word_us = 30 * USEC_PER_S;
    scene_asks(s, (struct ask){.api = API_EMBEDDINGS, .model = "vectors"}); /* the others wait for its end, together */
    history_run_until(s->history, vbackend_working(scene_backend(s, "gpus")));
    for (int i = 0; i < 4; i++)
        clients[i] = scene_asks(s, (struct ask){.api = API_EMBEDDINGS, .model = "vectors"});
    history_run_for(s->history, 45 * USEC_PER_S);
    for (int i = 0; i < 4; i++)
        vclient_leave(clients[i]);
    scene_rest(s);
    for (size_t i = 1; i < s->row_count; i++) {
        assert_row_is(s, i, state, "client gone");
        sum += scene_row(s, i)->cost;
    }
    assert_int_equal(s->row_count, 5);
    assert_true(sum > price_of(5 * USEC_PER_S) && sum < price_of(20 * USEC_PER_S));
    end(s, state);
}

static const char found[] = "backends:\n"
                            "  gpus: { url: [ %s ], engine: vllm, usd_per_hour: $3.60, models: [ llama ] }\n"
                            "routes:\n"
                            "  assistant: { reference: gpus/llama }\n";

/* What the journal says was paid for, in replica-microseconds. */
static int64_t
paid_us(struct scene *s)
{
    struct slice rest = history_journal(s->history, 0);
    struct journal_record record;
    int64_t sum = 0;

    while (journal_take(&rest, &record) == OK)
        if (record.type == JOURNAL_RENT)
            sum += record.rent.replicas * (record.rent.until_wall_us - record.rent.from_wall_us);
    return sum;
}

/* Replicas that are found join, and leave, by a configuration that is taken over: each is paid for from then until then, to the
 * moment, wherever in an interval that is. */
static void
who_comes_and_goes_is_paid_for_the_time_between(void **state)
{
    static const char *const lists[] = {
        "\"http://a.example\"", "\"http://a.example\", \"http://b.example\", \"http://c.example\"",
        "\"http://c.example\"", "\"http://a.example\", \"http://c.example\"", "\"http://c.example\""};
    static const usec spans_us[] = {17 * 60 * USEC_PER_S + 1234567, 20 * 60 * USEC_PER_S + 7654321,
                                    400 * USEC_PER_S + 99, 1700 * USEC_PER_MS,
                                    9 * USEC_PER_S}; /* the fourth is gone before any record */
    static const int64_t replicas[] = {1, 3, 1, 2, 1};
    struct rent_keeper *keeper = NULL;
    struct scene *s = NULL;
    struct arena arena;
    int64_t expected = 0;

    arena_init(&arena);
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        const char *text = arena_printf(&arena, found, lists[i]);

        if (s == NULL) {
            s = scene_new(state, (struct scene_options){.seed = 3, .workers = 2, .config = text});
            keeper = rent_keeper_start(s->gateway.workers[0]);
        } else {
            scene_reload(s, text);
        }
        history_run_for(s->history, spans_us[i]);
        expected += replicas[i] * spans_us[i];
    }
    rent_keeper_stop(keeper);
    assert_int_equal(paid_us(s), expected);
    arena_reset(&arena);
    end(s, state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_lone_request_pays_for_its_time, scene_teardown),
        cmocka_unit_test_teardown(those_at_the_same_time_share_it, scene_teardown),
        cmocka_unit_test_teardown(a_lone_embedding_pays_for_its_time, scene_teardown),
        cmocka_unit_test_teardown(a_batch_that_all_leave_pays_until_then, scene_teardown),
        cmocka_unit_test_teardown(who_leaves_pays_until_then, scene_teardown),
        cmocka_unit_test_teardown(a_price_by_the_token_wins, scene_teardown),
        cmocka_unit_test_teardown(what_it_saves_adds_up, scene_teardown),
        cmocka_unit_test_teardown(it_spills_over_while_that_is_cheaper_than_waiting, scene_teardown),
        cmocka_unit_test_teardown(who_comes_and_goes_is_paid_for_the_time_between, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
