/* What-if questions: a modelled pool whose times are known by hand, and what its replicas carry. */
#include "fleet/engine/carry.h"

#include <math.h>

#include "base/rng.h"
#include "cmocka_ready.h"

static const usec S = USEC_PER_S;

/* 100 us a token and nothing else: a prompt of 10,000 tokens and one token of output is a second of work. */
static struct engine_settings
plain_engine(void)
{
    return (struct engine_settings){.time = {.alpha_us = 0.001, .beta_us = 100},
                                    .sequences_most = 256,
                                    .step_tokens_most = 10000,
                                    .kv_tokens = 1 << 24,
                                    .overhead_least_us = 1,
                                    .overhead_most_us = 1,
                                    .seed = 1};
}

static const struct request_size one_second = {10000, 0, 1};
static const struct request_limits two_seconds = {2 * USEC_PER_S + 10000, USEC_NEVER};

static void
near_to(double is, double should, double off)
{
    if (fabs(is - should) > off)
        fail_msg("is %g, should be %g", is, should);
}

/* Three at once on one engine: after one, two and three seconds. */
static void
test_pool(void **state)
{
    struct engine_settings engine = plain_engine();
    struct model_pool *pool = model_pool_new(&engine, &two_seconds, 1);
    struct model_pool_totals totals;

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        model_pool_submit(pool, 0, &one_second);
    model_pool_totals(pool, &totals);
    assert_int_equal(totals.in_flight, 3);
    near_to(totals.work_us, 3e6, 1);
    model_pool_finish(pool);
    model_pool_totals(pool, &totals);
    assert_int_equal(totals.over, 3);
    assert_int_equal(totals.within, 2);
    near_to((double)totals.replica_us, 3e6, 100);
    model_pool_free(pool);
}

/* One asked for at 1 s is there at 11 s and costs from the wish on; requests of that time go to it. It drains: what it has
 * it finishes, and costs until then. */
static void
test_scaling(void **state)
{
    struct engine_settings engine = plain_engine();
    struct model_pool *pool = model_pool_new(&engine, &two_seconds, 1);
    struct model_pool_totals totals;

    (void)state;
    model_pool_scale(pool, 1 * S, 2, 10 * S);
    model_pool_advance(pool, 10 * S);
    model_pool_totals(pool, &totals);
    assert_int_equal(totals.ready, 1);
    assert_int_equal(totals.coming, 1);
    model_pool_submit(pool, 11 * S, &one_second);
    model_pool_submit(pool, 11 * S, &one_second);
    model_pool_totals(pool, &totals);
    assert_int_equal(totals.ready, 2);
    model_pool_scale(pool, 11 * S + 1, 1, 10 * S);
    model_pool_finish(pool);
    model_pool_advance(pool, 20 * S);
    model_pool_totals(pool, &totals);
    assert_int_equal(totals.within, 2);
    near_to((double)totals.replica_us, (20 + 11) * 1e6, 1000);
    /* Who is still to come goes first, without having served. */
    model_pool_scale(pool, 20 * S, 3, 10 * S);
    model_pool_scale(pool, 21 * S, 1, 10 * S);
    model_pool_totals(pool, &totals);
    assert_int_equal(totals.ready, 1);
    assert_int_equal(totals.coming, 0);
    near_to((double)totals.replica_us, (21 + 11 + 2) * 1e6, 1000);
    model_pool_free(pool);
}

/* Nobody is there: the first that comes gets it. */
static void
test_nobody(void **state)
{
    struct engine_settings engine = plain_engine();
    struct model_pool *pool = model_pool_new(&engine, &two_seconds, 0);
    struct model_pool_totals totals;

    (void)state;
    model_pool_submit(pool, 0, &one_second);
    model_pool_scale(pool, 0, 1, 5 * S);
    model_pool_finish(pool);
    model_pool_totals(pool, &totals);
    assert_int_equal(totals.over, 1);
    assert_int_equal(totals.within, 0);
    near_to((double)totals.replica_us, 6e6, 1000);
    model_pool_free(pool);
}

static struct carry_record *
record_new(void)
{
    struct carry_record *record = calloc(1, sizeof *record);

    assert_non_null(record);
    carry_record_init(record, 3600 * S);
    return record;
}

/* Evenly spaced requests of one second: an engine carries a second of work a second, whatever rate they came at, four
 * engines four. */
static void
test_rate(void **state)
{
    struct engine_settings engine = plain_engine();

    (void)state;
    for (unsigned replicas = 1; replicas <= 4; replicas += 3) {
        struct carry_record *record = record_new();

        assert_true(carry_rate(record, &engine, &two_seconds, replicas, 5 * S, S) < 1e-9);
        for (int i = 0; i < CARRY_REQUESTS_LEAST; i++)
            carry_record_add(record, (usec)i * 3 * S, &one_second);
        near_to(carry_rate(record, &engine, &two_seconds, replicas, 5 * S, S), 1, 0.12);
        free(record);
    }
}

/* Many light requests in a short time: what one replica carries is at least a multiple of that, however fast it is, and not
 * nothing because nothing is left of the time. Too short a time tells nothing. */
static void
test_short(void **state)
{
    struct engine_settings engine = plain_engine();
    struct request_size light = {100, 0, 1};
    struct carry_record *record = record_new();

    (void)state;
    for (int i = 0; i < 2000; i++)
        carry_record_add(record, (usec)i * S / 100, &light);
    assert_false(carry_record_tells(record, 5 * S));
    for (int i = 2000; i < 5000; i++)
        carry_record_add(record, (usec)i * S / 100, &light);
    assert_true(carry_record_tells(record, 5 * S));
    near_to(carry_rate(record, &engine, &two_seconds, 8, 5 * S, S), 1.0 * 50 / 20 / 8, 0.1);
    near_to(carry_rate(record, &engine, &two_seconds, 1, 5 * S, S), 1, 0.15);
    free(record);
}

/* M/D/1 (A. K. Erlang, 1909): at half of its capacity 99 % of Poisson arrivals wait no more than about 2.9 services. With
 * 3.9 services to the first token one engine does for 0.5 a second, and does not for 0.9, where it would be twenty. */
static void
test_poisson(void **state)
{
    struct engine_settings engine = plain_engine();
    struct request_limits limits = {3900 * USEC_PER_MS, USEC_NEVER};
    struct rng rng;

    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        struct carry_record *record = record_new();
        double at_s = 0, rate = round == 0 ? 0.45 : 0.9;

        rng_seed(&rng, 5);
        record->keep_us = 100000 * S;
        for (unsigned i = 0; i < 6000; i++) {
            at_s -= log((double)(1 + rng_below(&rng, 1000000)) / 1e6) / rate;
            carry_record_add(record, (usec)(at_s * 1e6), &one_second);
        }
        assert_int_equal(carry_would_do(record, &engine, &limits, 1, 0), round == 0);
        assert_true(carry_would_do(record, &engine, &limits, 3, 0));
        free(record);
    }
}

/* Requests that no fleet could serve in time are no reason for more of it. */
static void
test_impossible(void **state)
{
    struct engine_settings engine = plain_engine();
    struct request_size long_one = {30000, 0, 1};
    struct carry_record *record = record_new();

    (void)state;
    assert_true(carry_is_possible(&engine, &two_seconds, &one_second));
    assert_false(carry_is_possible(&engine, &two_seconds, &long_one));
    for (int i = 0; i < 800; i++)
        carry_record_add(record, (usec)i * 10 * S, i % 4 == 0 ? &long_one : &one_second);
    assert_true(carry_would_do(record, &engine, &two_seconds, 2, 0));
    assert_true(carry_rate(record, &engine, &two_seconds, 2, 5 * S, S) > 0.1);
    assert_true(carry_would_do(record, &engine, &two_seconds, 0, 1000000 * S)); /* nothing came since */
    assert_false(carry_would_do(record, &engine, &two_seconds, 0, 0));
    free(record);
}

/* More than can be kept: each second one, then each fourth; all of the time is covered. */
static void
test_record(void **state)
{
    struct carry_record *record = record_new();

    (void)state;
    for (int i = 0; i < 3 * CARRIED_MOST; i++)
        carry_record_add(record, (usec)i * 1000, &one_second);
    assert_int_equal(record->stride, 4);
    assert_true(record->count > CARRIED_MOST / 2);
    assert_true(record->kept[0].at_us < 10000);
    carry_record_init(record, 3600 * S);
    for (usec at_us = 1; at_us <= 64; at_us++)
        carry_record_add(record, at_us ^ 5, &one_second); /* not quite in order */
    for (size_t i = 1; i < record->count; i++)
        assert_true(record->kept[i].at_us > record->kept[i - 1].at_us);
    /* What is too old goes, and then all are kept again. */
    for (int i = 0; i < 16 * CARRIED_MOST; i++)
        carry_record_add(record, (usec)(7200 + i) * S, &one_second);
    assert_int_equal(record->stride, 1);
    assert_true(record->kept[0].at_us > 7200 * S);
    free(record);
}

/* How many replicas it takes, as a record says it. */
static unsigned
enough(const struct carry_record *record, const struct engine_settings *engine)
{
    unsigned replicas = 1;

    while (!carry_would_do(record, engine, &two_seconds, replicas, 0))
        replicas++;
    return replicas;
}

/* Each eighth request of a pool of eight tells nearly what all of them do: how many it takes, and what one carries there. */
static void
test_every_eighth(void **state)
{
    struct engine_settings engine = plain_engine();
    struct carry_record *all = record_new(), *eighth = record_new();
    struct rng rng;
    double at_us = 0, rate;
    unsigned replicas;

    (void)state;
    rng_seed(&rng, 7);
    eighth->stride = 8;
    for (int i = 0; i < 16000; i++) {
        at_us += -log1p(-rng_unit(&rng)) * 1e6 / 6;
        carry_record_add(all, (usec)at_us, &one_second);
        carry_record_add(eighth, (usec)at_us, &one_second);
    }
    assert_int_equal(eighth->count, 2000);
    replicas = enough(all, &engine);
    assert_in_range(replicas, 8, 14);
    assert_in_range(enough(eighth, &engine), replicas - 1, replicas + 1);
    rate = carry_rate(all, &engine, &two_seconds, replicas, 5 * S, S);
    near_to(carry_rate(eighth, &engine, &two_seconds, replicas, 5 * S, S) / rate, 1, 0.2);
    free(all);
    free(eighth);
}

static void
test_slack(void **state)
{
    struct engine_settings engine = plain_engine();
    struct request_limits none = {USEC_NEVER, USEC_NEVER};
    struct carry_record *record = record_new();

    (void)state;
    for (int i = 0; i < 100; i++)
        carry_record_add(record, (usec)i * S, &one_second);
    near_to((double)carry_slack_us(record, &engine, &two_seconds, 7), 1010000, 1000);
    assert_int_equal(carry_slack_us(record, &engine, &none, 7), 7);
    free(record);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pool),         cmocka_unit_test(test_scaling), cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_rate),         cmocka_unit_test(test_poisson), cmocka_unit_test(test_short),
        cmocka_unit_test(test_impossible),   cmocka_unit_test(test_record),  cmocka_unit_test(test_slack),
        cmocka_unit_test(test_every_eighth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
