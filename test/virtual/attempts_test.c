/* One attempt budget: retries and failover over endpoints and backends, rests that are obeyed, places that are left
 * alone for a while, and accounts whose money is used up. */
#include "scene.h"

/* A pool of three equal servers, and one elsewhere. `alone` has nobody else to ask. */
static const char fleet[] =
    "backends:\n"
    "  gpus:   { url: [ \"http://one.example\", \"http://two.example\", \"http://three.example\" ], models: [ big ] }\n"
    "  spare:  { url: \"http://spare.example\", models: [ big ], timeouts: { connect: 2s, first_byte: 3s, idle: 1s } "
    "}\n"
    "  sister: { url: \"http://sister.example\", models: [ big, small ], key: $HOME }\n"
    "  twin:   { url: \"http://twin.example\", models: [ big ], key: $HOME }\n"
    "routes:\n"
    "  pool:      { reference: gpus/big }\n"
    "  both:      { reference: gpus/big, candidates: [ spare/big ], levers: { alternatives: on } }\n"
    "  alone:     { reference: spare/big }\n"
    "  hasty:     { reference: spare/big, acceptable: { total: 2s } }\n"
    "  careful:   { reference: spare/big, candidates: [ gpus/big ], levers: { alternatives: on }, retry: safe }\n"
    "  daring:    { reference: spare/big, candidates: [ gpus/big ], levers: { alternatives: on }, retry: sent }\n"
    "  account:   { reference: sister/big, candidates: [ twin/big ], levers: { alternatives: on } }\n"
    "  account2:  { reference: sister/big, candidates: [ twin/big, spare/big ], levers: { alternatives: on } }\n"
    "prices:\n"
    "  override:\n"
    "    gpus/big:   { input: $2/M, output: $8/M }\n"
    "    spare/big:  { input: $0.10/M, output: $0.40/M }\n"
    "    sister/big: { input: $0.01/M, output: $0.04/M }\n"
    "    sister/small: { input: $1/M, output: $4/M }\n"
    "    twin/big:   { input: $2/M, output: $8/M }\n";

/* Nobody else to ask, and nothing asked twice. */
static const char single[] = "backends: { spare: { url: \"http://spare.example\" } }\n"
                             "routes: { alone: { reference: spare/big, attempts: 1 } }\n"
                             "prices: { override: { spare/big: { input: $1/M, output: $4/M } } }\n";

static struct scene *
open_fleet(void **state, uint64_t seed)
{
    return scene_new(state, (struct scene_options){.seed = seed, .config = fleet});
}

static struct vclient *
ask_for(struct scene *s, const char *model)
{
    return scene_asks(s, (struct ask){.model = model});
}

/* Asks and waits for the end. */
static struct vclient *
answer_of(struct scene *s, const char *model)
{
    struct vclient *client = ask_for(s, model);

    scene_rest(s);
    return client;
}

#define plays(backend, ...)                                                                                            \
    do {                                                                                                               \
        struct vbackend *played = (backend);                                                                           \
        vbackend_decides(played, NULL, NULL);                                                                          \
        vbackend_plays(played, __VA_ARGS__);                                                                           \
    } while (0)

#define ERROR_JSON "content-type: application/json\n"
#define TOO_MANY "{\"error\":{\"message\":\"slow down\",\"type\":\"requests\",\"code\":\"rate_limit_exceeded\"}}"
#define NO_MONEY "{\"error\":{\"message\":\"no\",\"type\":\"insufficient_quota\",\"code\":\"insufficient_quota\"}}"
#define REFUSES(status, headers, body) play_head((status), ERROR_JSON headers), play_text(body), play_end()
#define ANSWERS                                                                                                        \
    play_head(200, ERROR_JSON),                                                                                        \
        play_text("{\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5}}"), play_end()

/* Half of an answer that was to be longer. */
#define BREAKS_OFF play_head(200, ERROR_JSON "content-length: 500\n"), play_text("{\"choices\":[{"), play_cut()

static size_t
seen_by_pool(struct scene *s)
{
    size_t seen = 0;

    for (size_t i = 0; i < 3; i++)
        seen += vbackend_seen_count(scene_replica(s, "gpus", i));
    return seen;
}

static void
all_replicas_answer(struct scene *s, unsigned status)
{
    for (size_t i = 0; i < 3; i++)
        scene_replica_provider(s, "gpus", i)->status = status;
}

/* Whichever of the three is the only good one, and whoever is asked first. */
static void
every_endpoint_of_a_backend_is_tried(void **state)
{
    for (size_t good = 0; good < 3; good++) {
        struct scene *s = open_fleet(state, good);
        struct vclient *c;

        all_replicas_answer(s, 503);
        scene_replica_provider(s, "gpus", good)->status = 0;
        for (unsigned i = 0; i < 8; i++) {
            c = answer_of(s, "pool");
            assert_int_equal(vclient_status(c), 200);
            assert_int_equal(vclient_header(c, "x-should-retry").len, 0);
            assert_true(scene_row(s, i)->attempts <= 3);
            assert_int_equal(scene_row(s, i)->try_count, scene_row(s, i)->attempts);
        }
        for (size_t i = 0; i < 3; i++) /* their lots differ, so that all were asked */
            assert_true(vbackend_seen_count(scene_replica(s, "gpus", i)) > 0);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Connections that are refused, and ones that are never made. */
static void
an_endpoint_without_a_server_costs_nobody_an_error(void **state)
{
    struct scene *s = open_fleet(state, 2);

    vbackend_set_refusing(scene_replica(s, "gpus", 0), true);
    vbackend_set_silent(scene_replica(s, "gpus", 1), true);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(vclient_status(answer_of(s, "pool")), 200);
        assert_row_is(s, i, state, "ok");
        assert_int_equal(scene_row(s, i)->tries[0].cost<scene_row(s, i)->cost, scene_row(s, i)->try_count> 1);
    }
    assert_int_equal(vbackend_seen_count(scene_replica(s, "gpus", 2)), 6);
    scene_passed(s);
}

/* Scenario 35: a fallback does not begin a new cycle of retries. */
static void
failover_does_not_reset_the_attempt_budget(void **state)
{
    struct scene *s = open_fleet(state, 35);
    struct vclient *c;

    all_replicas_answer(s, 500);
    scene_provider(s, "spare")->status = 500;
    c = answer_of(s, "both");
    assert_int_equal(vclient_status(c), 500);
    assert_int_equal(seen_by_pool(s) + vbackend_seen_count(scene_backend(s, "spare")), 3);
    assert_int_equal(scene_row(s, 0)->attempts, 3);
    assert_int_equal(scene_row(s, 0)->try_count, 3);
    assert_row_is(s, 0, state, "upstream failed");
    assert_slice_is(vclient_header(c, "x-should-retry"), "false"); /* it has been tried again already */
    scene_passed(s);
}

/* Scenario 36: one click, an SDK that repeats errors twice, and backends that work but whose answers break off. */
static void
one_click_is_not_multiplied(void **state)
{
    struct scene *s = open_fleet(state, 36);
    struct vclient *c;
    unsigned clicks = 0;
    usd cost = 0;

    for (size_t i = 0; i < 3; i++)
        plays(scene_replica(s, "gpus", i), BREAKS_OFF);
    do
        c = answer_of(s, "pool");
    while (++clicks < 3 && vclient_status(c) >= 500 && !slice_is(vclient_header(c, "x-should-retry"), "false"));
    assert_int_equal(clicks, 1);
    assert_int_equal(seen_by_pool(s), 3); /* attempts: 3, and not 9 */
    assert_int_equal(s->row_count, 1);
    for (size_t i = 0; i < 3; i++) {
        assert_true(scene_row(s, 0)->tries[i].cost > 0); /* each may be billed, so each is booked */
        cost += scene_row(s, 0)->tries[i].cost;
    }
    assert_true(scene_row(s, 0)->cost == cost);
    scene_passed(s);
}

/* Scenario 10: each attempt at its own model's price. */
static void
every_attempt_is_priced_at_its_own_model(void **state)
{
    struct scene *s = open_fleet(state, 10);
    const struct row *row;

    plays(scene_backend(s, "spare"), BREAKS_OFF); /* cheaper, so asked first */
    assert_int_equal(vclient_status(answer_of(s, "daring")), 200);
    row = scene_row(s, 0);
    assert_int_equal(row->try_count, 2);
    assert_slice_is(row->tries[0].target, "spare/big");
    assert_slice_is(row->tries[1].target, "gpus/big");
    assert_true(row->tries[0].cost ==
                row->tries[0].input_tokens * 100000 + row->tries[0].output_tokens * 400000); /* $1/M is 10^6 pico */
    assert_true(row->tries[1].cost == 1000 * (usd)2000000 + 60 * (usd)8000000);
    assert_true(row->cost == row->tries[0].cost + row->tries[1].cost);
    assert_row_is(s, 0, backend, "gpus");
    scene_passed(s);
}

/* What was sent and broke off is tried again only if the route allows it; what was refused or never sent, always. */
static void
a_route_may_forbid_second_bills(void **state)
{
    struct scene *s = open_fleet(state, 4);
    struct vclient *c;

    plays(scene_backend(s, "spare"), BREAKS_OFF);
    c = answer_of(s, "careful");
    assert_int_equal(vclient_status(c), 502);
    assert_int_equal(vclient_header(c, "x-should-retry").len, 0); /* the decision is the client's */
    assert_int_equal(scene_row(s, 0)->attempts, 1);
    assert_int_equal(seen_by_pool(s), 0);
    plays(scene_backend(s, "spare"), play_hang());
    assert_int_equal(vclient_status(answer_of(s, "careful")), 504);
    assert_int_equal(seen_by_pool(s), 0);
    vbackend_set_refusing(scene_backend(s, "spare"), true);
    assert_int_equal(vclient_status(answer_of(s, "careful")), 200);
    vbackend_set_refusing(scene_backend(s, "spare"), false);
    plays(scene_backend(s, "spare"), REFUSES(503, "", "{}"));
    assert_int_equal(vclient_status(answer_of(s, "careful")), 200);
    assert_int_equal(seen_by_pool(s), 2);
    scene_passed(s);
}

/* The client has a byte of an answer: no other can follow it. */
static void
a_stream_is_never_begun_twice(void **state)
{
    struct scene *s = open_fleet(state, 5);
    struct vclient *c;

    scene_provider(s, "spare")->cut_after = 3;
    c = scene_asks(s, (struct ask){.model = "daring", .stream = true});
    scene_rest(s);
    assert_int_equal(vclient_status(c), 200);
    assert_contains(vclient_body(c), "w1 ");
    assert_contains(vclient_body(c), "\"error\"");
    assert_lacks(vclient_body(c), "[DONE]");
    assert_int_equal(seen_by_pool(s), 0);
    assert_row_is(s, 0, state, "cut");
    scene_passed(s);
}

/* Scenario 37: money that is used up does not come back by asking again. */
static void
a_spend_limit_is_not_retried(void **state)
{
    struct scene *s = open_fleet(state, 37);
    struct vclient *c;

    plays(scene_backend(s, "spare"), REFUSES(429, "retry-after: 1\nx-should-retry: true\n", NO_MONEY));
    c = answer_of(s, "alone");
    assert_int_equal(vclient_status(c), 429);
    assert_slice_is(vclient_body(c), NO_MONEY);
    assert_slice_is(vclient_header(c, "x-should-retry"), "false");
    assert_int_equal(vbackend_seen_count(scene_backend(s, "spare")), 1);
    assert_int_equal(scene_row(s, 0)->attempts, 1);
    assert_true(scene_row(s, 0)->cost == 0);
    assert_int_equal(gateway_count(&s->gateway, COUNT_SPEND_LIMITS), 1);
    assert_int_equal(gateway_count(&s->gateway, COUNT_RETRY_WAITS), 0);
    scene_passed(s);
}

/* Another backend with the same credential is the same account; one with another is not. */
static void
a_spend_limit_holds_for_the_account(void **state)
{
    struct scene *s = open_fleet(state, 38);
    struct vclient *c;

    plays(scene_backend(s, "sister"), REFUSES(400, "",
                                              "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\","
                                              "\"message\":\"Your credit balance is too low\"}}"));
    c = answer_of(s, "account");
    assert_int_equal(vclient_status(c), 400);
    assert_slice_is(vclient_header(c, "x-should-retry"), "false");
    assert_int_equal(vbackend_seen_count(scene_backend(s, "twin")), 0);
    c = answer_of(s, "account2");
    assert_int_equal(vclient_status(c), 200);
    assert_int_equal(vbackend_seen_count(scene_backend(s, "twin")), 0);
    assert_int_equal(vbackend_seen_count(scene_backend(s, "spare")), 1);
    scene_passed(s);
}

/* What is known of the account spares the next requests the detour, and is forgotten by itself. */
static void
an_account_without_money_is_asked_less_often(void **state)
{
    struct scene *s = open_fleet(state, 39);
    size_t asked;

    plays(scene_backend(s, "sister"), REFUSES(402, "", "{}"));
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(vclient_status(answer_of(s, "account2")), 200);
    asked = vbackend_seen_count(scene_backend(s, "sister"));
    assert_true(asked < 5);
    plays(scene_backend(s, "sister"), ANSWERS);
    history_run_for(s->history, 2 * HEALTH_BACK_OFF_MOST_US);
    answer_of(s, "account2");
    assert_int_equal(vbackend_seen_count(scene_backend(s, "sister")), asked + 1);
    assert_row_is(s, s->row_count - 1, backend, "sister");
    assert_int_equal(gateway_count(&s->gateway, COUNT_READMISSIONS), 1);
    scene_passed(s);
}

/* Only an answer that was paid for shows that there is money again. */
static void
only_a_paid_answer_clears_an_account(void **state)
{
    for (unsigned how = 0; how < 3; how++) {
        struct scene *s = open_fleet(state, 70 + how);
        struct vbackend *sister = scene_backend(s, "sister");
        size_t asked;

        plays(sister, REFUSES(402, "", "{}"));
        answer_of(s, "account2");
        asked = vbackend_seen_count(sister);
        if (how == 0)
            plays(sister, REFUSES(400, "", "{\"error\":{\"message\":\"no\"}}")); /* read to its end */
        else if (how == 1)
            plays(sister, BREAKS_OFF);
        else
            plays(sister, REFUSES(402, "", "{}"));
        history_run_for(s->history, 2 * HEALTH_BACK_OFF_MOST_US);
        answer_of(s, "account2"); /* the probe */
        assert_int_equal(vbackend_seen_count(sister), asked + 1);
        assert_int_equal(gateway_count(&s->gateway, COUNT_READMISSIONS), 0);
        assert_int_equal(gateway_count(&s->gateway, COUNT_SPEND_LIMITS), how == 2 ? 2 : 1);
        plays(sister, ANSWERS);
        if (how == 2)
            history_run_for(s->history, 2 * HEALTH_BACK_OFF_MOST_US);
        answer_of(s, "account2"); /* at once, if the probe told nothing */
        assert_int_equal(vbackend_seen_count(sister), asked + 2);
        assert_int_equal(gateway_count(&s->gateway, COUNT_READMISSIONS), 1);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Leaves so many kept connections to it behind. */
static void
keep_connections(struct scene *s, size_t count)
{
    plays(scene_backend(s, "spare"), play_wait(USEC_PER_S), ANSWERS);
    for (size_t i = 0; i < count; i++)
        ask_for(s, "alone");
    scene_rest(s);
}

/* A kept connection that its peer has closed says nothing against the server; one that breaks within an answer does. */
static void
a_closed_connection_is_no_failure(void **state)
{
    for (unsigned how = 0; how < 2; how++) {
        struct scene *s = scene_new(state, (struct scene_options){.seed = 80 + how, .config = single});

        keep_connections(s, HEALTH_FAILURES_IN_A_ROW);
        if (how == 0)
            vbackend_set_stale(scene_backend(s, "spare"), true);
        else
            plays(scene_backend(s, "spare"), BREAKS_OFF);
        for (size_t i = 0; i < HEALTH_FAILURES_IN_A_ROW; i++)
            answer_of(s, "alone");
        for (size_t i = HEALTH_FAILURES_IN_A_ROW; i < s->row_count; i++)
            assert_row_is(s, i, state, how == 0 ? "ok" : "upstream failed"); /* on a new connection */
        assert_int_equal(gateway_count(&s->gateway, COUNT_EJECTIONS), how);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* One replica is dead, and the other closes kept connections, as engines do after so many requests: the request has only
 * one place to go to, on a new connection. */
static void
a_closed_connection_costs_no_attempt_while_others_are_dead(void **state)
{
    static const char two[] = "backends:\n"
                              "  gpus: { url: [ \"http://one.example\", \"http://two.example\" ], models: [ big ] }\n"
                              "routes:\n"
                              "  alone: { reference: gpus/big, attempts: 2 }\n"
                              "prices: { override: { gpus/big: { input: $1/M, output: $2/M } } }\n";

    for (uint64_t seed = 0; seed < 8; seed++) {
        struct scene *s = scene_new(state, (struct scene_options){.seed = seed, .config = two});

        for (size_t i = 0; i < 8; i++)
            ask_for(s, "alone");
        scene_rest(s);
        vbackend_set_refusing(scene_replica(s, "gpus", 0), true);
        vbackend_set_stale(scene_replica(s, "gpus", 1), true);
        for (size_t i = 0; i < 8; i++)
            answer_of(s, "alone");
        for (size_t i = 0; i < s->row_count; i++)
            assert_row_is(s, i, state, "ok");
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Rests */

static void
a_short_rest_is_waited_for(void **state)
{
    struct scene *s = open_fleet(state, 50);
    struct vclient *c;

    plays(scene_backend(s, "spare"), REFUSES(429, "retry-after-ms: 700\n", TOO_MANY));
    plays(scene_backend(s, "spare"), ANSWERS);
    c = answer_of(s, "alone");
    assert_int_equal(vclient_status(c), 200);
    assert_int_equal(scene_row(s, 0)->attempts, 2);
    assert_true(vbackend_seen(scene_backend(s, "spare"), 1).arrived_us -
                    vbackend_seen(scene_backend(s, "spare"), 0).over_us >=
                700 * USEC_PER_MS);
    assert_true(vclient_ended_us(c) - vclient_started_us(c) < 1500 * USEC_PER_MS);
    assert_int_equal(gateway_count(&s->gateway, COUNT_RETRY_WAITS), 1);
    scene_passed(s);
}

static void
nobody_waits_where_another_can_serve(void **state)
{
    struct scene *s = open_fleet(state, 51);
    struct vclient *c;

    plays(scene_backend(s, "spare"), REFUSES(429, "retry-after: 1\n", TOO_MANY));
    c = answer_of(s, "daring");
    assert_int_equal(vclient_status(c), 200);
    assert_int_equal(seen_by_pool(s), 1);
    assert_int_equal(gateway_count(&s->gateway, COUNT_RETRY_WAITS), 0);
    scene_passed(s);
}

/* Nobody asks before the time is over: not this request, not others, not on other workers. */
static void
a_long_rest_is_told_to_the_client(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 52, .config = fleet, .workers = 3});
    struct vclient *first, *second, *third;

    plays(scene_backend(s, "spare"), REFUSES(429, "retry-after: 40\n", TOO_MANY));
    plays(scene_backend(s, "spare"), ANSWERS);
    first = scene_asks(s, (struct ask){.model = "alone"});
    scene_rest(s);
    assert_int_equal(vclient_status(first), 429);
    assert_slice_is(vclient_body(first), TOO_MANY); /* its own words */
    assert_slice_is(vclient_header(first, "retry-after"), "40");
    assert_int_equal(vclient_header(first, "x-should-retry").len, 0);
    history_run_for(s->history, 10 * USEC_PER_S);
    second = scene_asks(s, (struct ask){.model = "alone", .client = {.worker = 1}});
    scene_rest(s);
    assert_int_equal(vclient_status(second), 429);
    assert_slice_is(vclient_header(second, "retry-after"), "30");
    assert_int_equal(vclient_header(second, "x-should-retry").len, 0);
    assert_int_equal(vbackend_seen_count(scene_backend(s, "spare")), 1);
    assert_row_is(s, 1, state, "refused");
    assert_int_equal(scene_row(s, 1)->attempts, 0);
    assert_contains(scene_row(s, 1)->plans, "asked to be left alone");
    history_run_for(s->history, 31 * USEC_PER_S);
    third = scene_asks(s, (struct ask){.model = "alone", .client = {.worker = 2}});
    scene_rest(s);
    assert_int_equal(vclient_status(third), 200);
    scene_passed(s);
}

/* A rate limit is of one model; a rest without end is none that we believe. */
static void
a_rest_is_of_its_model_and_has_an_end(void **state)
{
    struct scene *s = open_fleet(state, 53);

    plays(scene_backend(s, "sister"), REFUSES(503, "retry-after: 86400\n", "{}"));
    plays(scene_backend(s, "sister"), ANSWERS);
    assert_int_equal(vclient_status(answer_of(s, "sister/big")), 503);
    assert_int_equal(vclient_status(answer_of(s, "sister/big")), 429);
    assert_int_equal(vclient_status(answer_of(s, "sister/small")), 200);
    history_run_for(s->history, REST_MOST_US);
    assert_int_equal(vclient_status(answer_of(s, "sister/big")), 200);
    scene_passed(s);
}

static void
a_wait_ends_with_its_client(void **state)
{
    struct scene *s = open_fleet(state, 54);
    struct vclient *c;

    plays(scene_backend(s, "spare"), REFUSES(429, "retry-after: 3\n", TOO_MANY));
    c = scene_asks(s, (struct ask){.model = "alone", .client = {.leaves_after_us = USEC_PER_S}});
    scene_rest(s);
    assert_true(vclient_left(c));
    assert_int_equal(vbackend_seen_count(scene_backend(s, "spare")), 1);
    assert_row_is(s, 0, state, "client gone");
    assert_int_equal(scene_row(s, 0)->attempts, 1);
    assert_int_equal(history_timers_running(s->history), 0);
    scene_passed(s);
}

static void
nobody_waits_beyond_the_routes_limit(void **state)
{
    struct scene *s = open_fleet(state, 55);
    struct vclient *c;

    plays(scene_backend(s, "spare"), REFUSES(429, "retry-after: 3\n", TOO_MANY));
    c = answer_of(s, "hasty");
    assert_int_equal(vclient_status(c), 429);
    assert_slice_is(vclient_header(c, "retry-after"), "3");
    assert_int_equal(gateway_count(&s->gateway, COUNT_RETRY_WAITS), 0);
    scene_passed(s);
}

/* That those who wait do not all come back at once makes no wait longer than it may be. */
static void
no_lot_makes_a_wait_too_long(void **state)
{
    for (uint64_t seed = 0; seed < 12; seed++) {
        struct scene *s = open_fleet(state, seed);
        struct vclient *c;

        plays(scene_backend(s, "spare"), REFUSES(429, "retry-after-ms: 4900\n", TOO_MANY));
        plays(scene_backend(s, "spare"), ANSWERS);
        c = answer_of(s, "alone");
        assert_int_equal(vclient_status(c), 200);
        assert_true(vbackend_seen(scene_backend(s, "spare"), 1).arrived_us - vclient_started_us(c) <
                    5050 * USEC_PER_MS);
        plays(scene_backend(s, "spare"), REFUSES(429, "retry-after-ms: 1900\n", TOO_MANY));
        plays(scene_backend(s, "spare"), ANSWERS);
        c = answer_of(s, "hasty"); /* total: 2s */
        if (vclient_status(c) == 200)
            assert_true(vbackend_seen(scene_backend(s, "spare"), 3).arrived_us - vclient_started_us(c) <=
                        2010 * USEC_PER_MS);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Waits have a sum, attempts have a number: whatever a backend says, it ends. */
static void
waits_do_not_go_on_for_ever(void **state)
{
    struct scene *s = open_fleet(state, 56);
    struct vclient *c;

    plays(scene_backend(s, "spare"), REFUSES(429, "retry-after-ms: 1\n", TOO_MANY));
    c = answer_of(s, "alone");
    assert_int_equal(vclient_status(c), 429);
    assert_int_equal(scene_row(s, 0)->attempts, 3);
    assert_int_equal(vclient_header(c, "x-should-retry").len, 0); /* refusals cost nothing: the client may come again */
    plays(scene_backend(s, "spare"), REFUSES(429, "retry-after-ms: 3000\n", TOO_MANY));
    history_run_for(s->history, USEC_PER_S);
    c = answer_of(s, "alone");
    assert_int_equal(scene_row(s, 1)->attempts, 2); /* 3 s, and not 3 s more */
    assert_true(vclient_ended_us(c) - vclient_started_us(c) < 5 * USEC_PER_S);
    scene_passed(s);
}

/* Who only observes refuses nobody, whatever a backend asked for. */
static void
rests_do_not_refuse_while_observing(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 57, .config = fleet, .more = "observe: yes\n"});

    plays(scene_backend(s, "spare"), REFUSES(429, "retry-after: 40\n", TOO_MANY));
    assert_int_equal(vclient_status(answer_of(s, "alone")), 429);
    assert_int_equal(vclient_status(answer_of(s, "alone")), 429);
    assert_int_equal(vbackend_seen_count(scene_backend(s, "spare")), 2);
    scene_passed(s);
}

/* One of the three asked for rest; the others fail, and are asked again before it. */
static void
who_rests_is_asked_after_all_others(void **state)
{
    for (uint64_t seed = 0; seed < 6; seed++) {
        struct scene *s =
            scene_new(state, (struct scene_options){.seed = seed, .config = fleet, .more = "observe: yes\n"});

        for (size_t i = 0; i < 3; i++)
            plays(scene_replica(s, "gpus", i), REFUSES(503, "", "{}"));
        plays(scene_replica(s, "gpus", 1), REFUSES(429, "retry-after: 40\n", TOO_MANY));
        while (vbackend_seen_count(scene_replica(s, "gpus", 1)) < 2) /* its second answer asks for the rest */
            answer_of(s, "pool");
        for (unsigned i = 0; i < 4; i++)
            assert_int_equal(vclient_status(answer_of(s, "pool")), 503);
        assert_int_equal(vbackend_seen_count(scene_replica(s, "gpus", 1)), 2);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Ejection */

/* Scenario 41: an overloaded mark clears by itself, and as long as it is there nobody gets an error for it. */
static void
no_mark_is_for_ever(void **state)
{
    struct scene *s = open_fleet(state, 41);
    size_t asked;

    scene_provider(s, "spare")->status = 503;
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(vclient_status(answer_of(s, "daring")), 200);
    asked = vbackend_seen_count(scene_backend(s, "spare"));
    assert_true(asked < 10); /* it was left alone */
    assert_true(gateway_count(&s->gateway, COUNT_EJECTIONS) > 0);
    assert_contains(scene_row(s, HEALTH_FAILURES_IN_A_ROW)->plans, "left alone for a while");
    scene_provider(s, "spare")->status = 0;
    history_run_for(s->history, 2 * HEALTH_BACK_OFF_MOST_US);
    answer_of(s, "daring"); /* the probe */
    answer_of(s, "daring");
    assert_row_is(s, 20, backend, "spare");
    assert_row_is(s, 21, backend, "spare");
    assert_int_equal(gateway_count(&s->gateway, COUNT_READMISSIONS), 1);
    scene_passed(s);
}

/* When all are out, somebody is asked all the same: a mark of ours refuses nobody. */
static void
the_last_one_is_never_ejected(void **state)
{
    struct scene *s = open_fleet(state, 42);

    vbackend_set_refusing(scene_backend(s, "spare"), true);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(vclient_status(answer_of(s, "alone")), 502);
        assert_true(scene_row(s, i)->attempts > 0);
    }
    assert_true(gateway_count(&s->gateway, COUNT_EJECTIONS) > 0);
    vbackend_set_refusing(scene_backend(s, "spare"), false);
    assert_int_equal(vclient_status(answer_of(s, "alone")), 200); /* at once, whatever its back-off */
    assert_int_equal(gateway_count(&s->gateway, COUNT_READMISSIONS), 1);
    scene_passed(s);
}

/* One of three servers is down: after a few requests it is known, and nobody pays for the discovery any more. */
static void
a_dead_endpoint_is_left_out_of_the_turn(void **state)
{
    struct scene *s = open_fleet(state, 43);
    unsigned detours = 0;

    vbackend_set_refusing(scene_replica(s, "gpus", 1), true);
    for (unsigned i = 0; i < 60; i++) {
        assert_int_equal(vclient_status(answer_of(s, "pool")), 200);
        detours += scene_row(s, i)->attempts > 1;
    }
    assert_true(detours >= HEALTH_FAILURES_IN_A_ROW && detours < 12);
    scene_passed(s);
}

/* Timeouts are failures: of the connection, of the first byte, between two pieces. */
static void
slow_and_stuck_backends_are_ejected(void **state)
{
    for (unsigned how = 0; how < 3; how++) {
        struct scene *s = open_fleet(state, 60 + how);

        if (how == 0)
            vbackend_set_silent(scene_backend(s, "spare"), true);
        else if (how == 1)
            plays(scene_backend(s, "spare"), play_hang());
        else
            plays(scene_backend(s, "spare"), play_head(200, ERROR_JSON), play_text("{"), play_hang());
        for (unsigned i = 0; i < HEALTH_FAILURES_IN_A_ROW; i++)
            assert_int_equal(vclient_status(answer_of(s, "daring")), 200);
        assert_int_equal(gateway_count(&s->gateway, COUNT_EJECTIONS), 1);
        answer_of(s, "daring");
        assert_int_equal(scene_row(s, HEALTH_FAILURES_IN_A_ROW)->attempts, 1);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* What clients do, and what they ask wrongly, says nothing against a backend. */
static void
clients_eject_nobody(void **state)
{
    struct scene *s = open_fleet(state, 44);

    scene_provider(s, "spare")->word_gap_us = USEC_PER_S / 2;
    for (unsigned i = 0; i < 10; i++)
        scene_asks(s, (struct ask){.model = "alone",
                                   .stream = i % 2 == 0,
                                   .client = {.leaves_after_us = 100 * USEC_PER_MS + i * 50 * USEC_PER_MS}});
    scene_rest(s);
    scene_provider(s, "spare")->status = 400;
    for (unsigned i = 0; i < 10; i++)
        answer_of(s, "alone");
    assert_int_equal(gateway_count(&s->gateway, COUNT_EJECTIONS), 0);
    scene_passed(s);
}

/* A drop at every step of requests that wait, fail over and probe. */

static bool
history_struck_at(void **state, enum fault_kind kind, uint64_t step)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = step, .config = fleet});
    struct vclient *clients[4];
    bool reached;

    history_plan_fault(s->history, (struct fault){.kind = kind, .step = step});
    plays(scene_backend(s, "spare"), REFUSES(429, "retry-after-ms: 400\n", TOO_MANY));
    plays(scene_backend(s, "spare"), REFUSES(503, "", "{}"));
    plays(scene_backend(s, "spare"), ANSWERS);
    vbackend_set_refusing(scene_replica(s, "gpus", 0), true);
    clients[0] = ask_for(s, "alone");
    clients[1] = ask_for(s, "alone");
    clients[2] = ask_for(s, "both");
    clients[3] = scene_asks(s, (struct ask){.model = "pool", .stream = true});
    scene_rest(s);
    for (size_t at = 0; at < s->backend_count; at++)
        assert_false(vbackend_working(s->backends[at]));
    for (unsigned i = 0; i < 4; i++)
        assert_true(vclient_left(clients[i]) || vclient_done(clients[i]) || vclient_cut(clients[i]));
    assert_true(s->row_count <= 4);
    assert_int_equal(history_timers_running(s->history), 0);
    reached = history_steps(s->history) >= step;
    scene_passed(s);
    scene_free(s, state);
    return reached;
}

static void
drops_at_every_step_of_waits_and_detours(void **state)
{
    static const enum fault_kind kinds[] = {FAULT_CLIENT_LEAVES, FAULT_CALL_CUT, FAULT_WALL_JUMPS};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        uint64_t step = 1;

        while (history_struck_at(state, kinds[i], step))
            step++;
        assert_true(step > 20);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(every_endpoint_of_a_backend_is_tried, scene_teardown),
        cmocka_unit_test_teardown(an_endpoint_without_a_server_costs_nobody_an_error, scene_teardown),
        cmocka_unit_test_teardown(failover_does_not_reset_the_attempt_budget, scene_teardown),
        cmocka_unit_test_teardown(one_click_is_not_multiplied, scene_teardown),
        cmocka_unit_test_teardown(every_attempt_is_priced_at_its_own_model, scene_teardown),
        cmocka_unit_test_teardown(a_route_may_forbid_second_bills, scene_teardown),
        cmocka_unit_test_teardown(a_stream_is_never_begun_twice, scene_teardown),
        cmocka_unit_test_teardown(a_spend_limit_is_not_retried, scene_teardown),
        cmocka_unit_test_teardown(a_spend_limit_holds_for_the_account, scene_teardown),
        cmocka_unit_test_teardown(only_a_paid_answer_clears_an_account, scene_teardown),
        cmocka_unit_test_teardown(a_closed_connection_is_no_failure, scene_teardown),
        cmocka_unit_test_teardown(a_closed_connection_costs_no_attempt_while_others_are_dead, scene_teardown),
        cmocka_unit_test_teardown(an_account_without_money_is_asked_less_often, scene_teardown),
        cmocka_unit_test_teardown(a_short_rest_is_waited_for, scene_teardown),
        cmocka_unit_test_teardown(nobody_waits_where_another_can_serve, scene_teardown),
        cmocka_unit_test_teardown(a_long_rest_is_told_to_the_client, scene_teardown),
        cmocka_unit_test_teardown(a_rest_is_of_its_model_and_has_an_end, scene_teardown),
        cmocka_unit_test_teardown(a_wait_ends_with_its_client, scene_teardown),
        cmocka_unit_test_teardown(nobody_waits_beyond_the_routes_limit, scene_teardown),
        cmocka_unit_test_teardown(no_lot_makes_a_wait_too_long, scene_teardown),
        cmocka_unit_test_teardown(waits_do_not_go_on_for_ever, scene_teardown),
        cmocka_unit_test_teardown(rests_do_not_refuse_while_observing, scene_teardown),
        cmocka_unit_test_teardown(who_rests_is_asked_after_all_others, scene_teardown),
        cmocka_unit_test_teardown(no_mark_is_for_ever, scene_teardown),
        cmocka_unit_test_teardown(the_last_one_is_never_ejected, scene_teardown),
        cmocka_unit_test_teardown(a_dead_endpoint_is_left_out_of_the_turn, scene_teardown),
        cmocka_unit_test_teardown(slow_and_stuck_backends_are_ejected, scene_teardown),
        cmocka_unit_test_teardown(clients_eject_nobody, scene_teardown),
        cmocka_unit_test_teardown(drops_at_every_step_of_waits_and_detours, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
