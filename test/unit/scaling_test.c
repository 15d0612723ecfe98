/* Fleets that change: what they cost is their replicas over time, a cold start is paid and waited for, and each scaler
 * decides as it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "fleet/capacity/scaler.h"

enum { REQUESTS_MOST = 4000 };

static struct carried requests[REQUESTS_MOST];

static struct scaling_traffic
usual(size_t count)
{
    struct scaling_traffic traffic = {.requests = requests,
                                      .count = count,
                                      .end_us = requests[count - 1].at_us,
                                      .cold_us = 20 * USEC_PER_S,
                                      .limits = {2 * USEC_PER_S, USEC_NEVER},
                                      .least = 1,
                                      .most = 16,
                                      .start = 1,
                                      .goal = {FORECAST_FILL, FORECAST_SHARE_USUAL}};

    engine_settings_of(engine_pair_find(SLICE_LITERAL("a100-llama-3-8b")), &traffic.engine);
    return traffic;
}

/* One each second at its half, over before the next look. */
static size_t
write_drops(size_t seconds)
{
    for (size_t i = 0; i < seconds; i++)
        requests[i] = (struct carried){(usec)i * USEC_PER_S + USEC_PER_S / 2, {100, 0, 2}};
    return seconds;
}

/* Two a second, and sixteen from 300 s to 360 s. */
static size_t
write_burst(void)
{
    size_t count = 0;

    for (usec at_us = 0; at_us < 600 * USEC_PER_S; at_us += USEC_PER_S / 2) {
        bool burst = at_us >= 300 * USEC_PER_S && at_us < 360 * USEC_PER_S;

        for (unsigned i = 0; i < (burst ? 8 : 1); i++)
            requests[count++] = (struct carried){at_us, {2000, 0, 100}};
    }
    assert_true(count <= REQUESTS_MOST);
    return count;
}

static void
static_fleets_cost_replicas_by_time(void **state)
{
    struct scaling_traffic traffic = usual(write_burst());

    (void)state;
    for (unsigned count = 1; count <= 8; count++) {
        struct scaling_outcome outcome = scaling_play(&traffic, SCALER_STATIC, count);
        struct model_pool *pool = model_pool_new(&traffic.engine, &traffic.limits, count);
        struct model_pool_totals totals;

        for (size_t i = 0; i < traffic.count; i++)
            model_pool_submit(pool, requests[i].at_us, &requests[i].size);
        model_pool_finish(pool);
        model_pool_totals(pool, &totals);
        model_pool_free(pool);
        assert_int_equal(outcome.requests, traffic.count);
        assert_int_equal(outcome.within, totals.within);
        assert_int_equal(outcome.tokens, 2100 * (int64_t)traffic.count);
        assert_int_equal(outcome.most, count);
        assert_int_equal(outcome.replica_us, (traffic.end_us / USEC_PER_S + 1) * USEC_PER_S * count);
    }
}

/* The same as scaling.c does, second by second, summed up here: when nothing is under way as the fleet is looked at, what
 * costs is what was wanted. */
static void
costs_are_what_was_wanted(void **state)
{
    struct scaling_traffic traffic = usual(write_drops(400));

    (void)state;
    for (enum scaler scaler = 0; scaler < SCALER_COUNT; scaler++) {
        static const struct scaler_ops *const all[] = {&scaler_static, &scaler_in_flight, &scaler_capacity,
                                                       &scaler_oracle};
        static const double knobs[] = {3, 0.01, 0, 40};
        const struct scaler_ops *ops = all[scaler];
        unsigned now = traffic.start, most = 0;
        struct scaling_outcome outcome;
        usec sum_us = 0;
        struct model_pool *pool;
        void *by;

        traffic.slack_us = USEC_PER_S;
        traffic.carry = 1;
        by = ops->begin(&traffic, knobs[scaler], &now);
        pool = model_pool_new(&traffic.engine, &traffic.limits, now);
        for (usec at_us = USEC_PER_S; at_us <= 400 * USEC_PER_S; at_us += USEC_PER_S) {
            struct model_pool_totals totals;
            size_t i = (size_t)(at_us / USEC_PER_S) - 1;

            sum_us += now * USEC_PER_S;
            model_pool_submit(pool, requests[i].at_us, &requests[i].size);
            if (ops->sees != NULL)
                ops->sees(by, &traffic, &requests[i]);
            model_pool_advance(pool, at_us);
            model_pool_totals(pool, &totals);
            assert_int_equal(totals.in_flight, 0);
            now = ops->wants(by, &traffic, at_us, &totals);
            most = now > most ? now : most;
            model_pool_scale(pool, at_us, now, traffic.cold_us);
        }
        model_pool_free(pool);
        free(by);
        outcome = scaling_play(&traffic, scaler, knobs[scaler]);
        assert_int_equal(outcome.replica_us, sum_us);
        assert_int_equal(outcome.most, most);
    }
}

/* Mean in flight over target, rounded up, after 15 s; a tolerance of a tenth; down only after five minutes of less. */
static void
in_flight_is_kubernetes(void **state)
{
    struct scaling_traffic traffic = usual(write_drops(10));
    struct model_pool_totals totals = {.ready = 4};
    unsigned start = 4;
    void *by = scaler_in_flight.begin(&traffic, 10, &start);

    (void)state;
    for (usec s = 1; s <= 1000; s++) {
        unsigned wants;

        totals.in_flight = s <= 15 ? 43 : s <= 30 ? 66 : 1;
        wants = scaler_in_flight.wants(by, &traffic, s * USEC_PER_S, &totals);
        if (s == 15)
            assert_int_equal(wants, 4); /* 4.3 is within the tolerance */
        else if (s == 30)
            assert_int_equal(wants, 7);
        else if (s == 330 - 15)
            assert_int_equal(wants, 7);
        else if (s == 330)
            assert_int_equal(wants, 1);
        totals.ready = wants;
    }
    free(by);
}

/* A replica that comes later answers less. */
static void
a_cold_start_is_waited_for(void **state)
{
    struct scaling_traffic traffic = usual(write_burst());
    struct scaling_outcome soon, late;

    (void)state;
    traffic.cold_us = USEC_PER_S;
    soon = scaling_play(&traffic, SCALER_IN_FLIGHT, 4);
    traffic.cold_us = 60 * USEC_PER_S;
    late = scaling_play(&traffic, SCALER_IN_FLIGHT, 4);
    assert_true(late.within + 100 < soon.within);
}

/* It has them when the burst comes, asked for a cold start before, and not much else. */
static void
the_oracle_knows(void **state)
{
    struct scaling_traffic traffic = usual(write_burst());
    struct scaling_outcome oracle, peak, low;
    unsigned enough = 1;

    (void)state;
    while (enough < 12 && scaling_play(&traffic, SCALER_STATIC, enough).within < traffic.count)
        enough++;
    assert_in_range(enough, 2, 11);
    traffic.start = enough;
    scaling_learn(&traffic);
    assert_true(traffic.carry > 0.1 && traffic.carry < 2);
    oracle = scaling_play(&traffic, SCALER_ORACLE, 1.25);
    peak = scaling_play(&traffic, SCALER_STATIC, enough);
    low = scaling_play(&traffic, SCALER_STATIC, 1);
    assert_true(oracle.within > low.within + 100);
    assert_true(oracle.within * 100 >= traffic.count * 99);
    assert_true(oracle.replica_us < peak.replica_us / 2);
    assert_true(oracle.most >= enough - 1);
    /* Of which each further replica costs the burst, the cold start before it, and the parts of intervals at both ends. */
    assert_true(oracle.replica_us - low.replica_us >= (oracle.most - 1) * 60 * USEC_PER_S);
    assert_true(oracle.replica_us - low.replica_us <= (oracle.most - 1) * (60 + 20 + 4 * 5) * USEC_PER_S);
}

/* Three requests tell nobody what a replica carries: then no number of them follows from what is needed. */
static void
an_oracle_that_knows_nothing_changes_nothing(void **state)
{
    struct scaling_traffic traffic = usual(write_drops(3));
    struct scaling_outcome oracle, fixed;

    (void)state;
    traffic.start = 2;
    scaling_learn(&traffic);
    assert_true(traffic.carry <= 0);
    oracle = scaling_play(&traffic, SCALER_ORACLE, 1);
    fixed = scaling_play(&traffic, SCALER_STATIC, 2);
    assert_int_equal(oracle.most, 2);
    assert_int_equal(oracle.replica_us, fixed.replica_us);
}

/* What was learned from counts for nothing else. */
static void
what_is_learned_is_not_counted(void **state)
{
    struct scaling_traffic traffic = usual(write_burst());
    struct scaling_outcome whole = scaling_play(&traffic, SCALER_STATIC, 3), part;

    (void)state;
    traffic.learn_us = 400 * USEC_PER_S;
    part = scaling_play(&traffic, SCALER_STATIC, 3);
    assert_int_equal(part.requests, 200 * 2);
    assert_int_equal(part.within, part.requests);
    assert_int_equal(whole.replica_us - part.replica_us, 3 * traffic.learn_us);
}

/* What not even an idle replica could answer in time is counted, and what fits no engine has no times. */
static void
what_could_not_be_is_counted(void **state)
{
    struct scaling_traffic traffic = usual(write_drops(100));
    struct scaling_outcome outcome;

    (void)state;
    requests[10].size.prompt_tokens = 200000;
    requests[20].size.prompt_tokens = 10000000;
    outcome = scaling_play(&traffic, SCALER_STATIC, 2);
    assert_int_equal(outcome.requests, 100);
    assert_int_equal(outcome.beyond, 2);
    assert_int_equal(outcome.answered, 99);
    assert_in_range(outcome.within, 90, 98);
}

static void
one_traffic_has_one_outcome(void **state)
{
    static const double knobs[] = {3, 2, 0, 1.1};
    struct scaling_traffic traffic = usual(write_burst());

    (void)state;
    scaling_learn(&traffic);
    for (enum scaler scaler = 0; scaler < SCALER_COUNT; scaler++) {
        struct scaling_outcome first = scaling_play(&traffic, scaler, knobs[scaler]);
        struct scaling_outcome again = scaling_play(&traffic, scaler, knobs[scaler]);
        enum scaler found;

        assert_memory_equal(&first, &again, sizeof(first));
        assert_true(scaler_find(slice_of(scaler_name(scaler)), &found));
        assert_int_equal(found, scaler);
    }
    assert_false(scaler_find(SLICE_LITERAL("best"), &(enum scaler){0}));
}

/* One replica has a long answer to give, another a long prompt to read: less work, but who comes next would wait for it. */
static void
requests_go_where_their_first_token_comes_soonest(void **state)
{
    static const struct request_size long_answer = {100, 0, 20000}, long_prompt = {20000, 0, 2}, small = {100, 0, 2};
    static const struct request_limits limits = {USEC_PER_S / 2, USEC_NEVER};
    struct engine_settings engine;
    struct model_pool_totals totals;
    struct model_pool *pool;

    (void)state;
    engine_settings_of(engine_pair_find(SLICE_LITERAL("a100-llama-3-8b")), &engine);
    assert_true(demand_work(&engine, &long_answer).output_us > 2 * demand_work(&engine, &long_prompt).prompt_us);
    pool = model_pool_new(&engine, &limits, 2);
    model_pool_submit(pool, 0, &long_answer);
    model_pool_submit(pool, USEC_PER_S, &long_prompt);
    model_pool_submit(pool, USEC_PER_S + USEC_PER_S / 10, &small);
    model_pool_finish(pool);
    model_pool_totals(pool, &totals);
    assert_int_equal(totals.over, 3);
    assert_int_equal(totals.within, 2); /* the long prompt alone is late */
    model_pool_free(pool);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(static_fleets_cost_replicas_by_time),
        cmocka_unit_test(costs_are_what_was_wanted),
        cmocka_unit_test(in_flight_is_kubernetes),
        cmocka_unit_test(a_cold_start_is_waited_for),
        cmocka_unit_test(the_oracle_knows),
        cmocka_unit_test(an_oracle_that_knows_nothing_changes_nothing),
        cmocka_unit_test(what_is_learned_is_not_counted),
        cmocka_unit_test(what_could_not_be_is_counted),
        cmocka_unit_test(one_traffic_has_one_outcome),
        cmocka_unit_test(requests_go_where_their_first_token_comes_soonest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
