/* Demand in work: what requests take by the formula, and the rate that a pattern of arrivals needs, by hand. */
#include "fleet/capacity/demand.h"

#include <math.h>

#include "base/rng.h"
#include "cmocka_ready.h"

static const usec S = USEC_PER_S;

static void
near_to(double is, double should, double off)
{
    if (fabs(is - should) > off)
        fail_msg("is %g, should be %g", is, should);
}

static struct engine_settings
plain_engine(void)
{
    return (struct engine_settings){.time = {.alpha_us = 10000, .beta_us = 100},
                                    .sequences_most = 256,
                                    .step_tokens_most = 2048,
                                    .kv_tokens = 1 << 20,
                                    .overhead_least_us = 1,
                                    .overhead_most_us = 1,
                                    .seed = 1};
}

/* At the knee, 100 sequences, a step takes sqrt(2) alpha. */
static void
test_work(void **state)
{
    struct engine_settings engine = plain_engine();
    struct request_size size = {2000, 500, 101};
    struct request_work work = demand_work(&engine, &size);
    double step_us = sqrt(2) * 10000;

    (void)state;
    near_to(work.output_us, 100 * step_us / 100, 1);
    near_to((double)work.output_span_us, 100 * step_us, 2);
    near_to(work.prompt_us, hypot(10000, 100.0 * (99 + 1500)) - hypot(10000, 100.0 * 99), 1);
    size.hit_tokens = 5000; /* more than there is: all but the last token */
    assert_true(demand_work(&engine, &size).prompt_us > 0);
    assert_true(demand_work(&engine, &size).prompt_us < 200);
}

/* The room for keys and values bounds the batch: outputs with a long context cost more each. */
static void
test_room(void **state)
{
    struct engine_settings engine = plain_engine();
    struct request_size size = {9950, 0, 101};
    double roomy = demand_work(&engine, &size).output_us, narrow;

    (void)state;
    engine.kv_tokens = 100000; /* ten of them */
    narrow = demand_work(&engine, &size).output_us;
    near_to(roomy, 100 * sqrt(2) * 100, 1);
    near_to(narrow, 100 * hypot(10000, 1000) / 10, 1);
}

static void
test_mean(void **state)
{
    struct demand demand;

    (void)state;
    demand_init(&demand, 5 * S, 0);
    for (usec at_us = 0; at_us < 5 * S; at_us += S / 10)
        demand_add(&demand, at_us, 0.3 * (double)S / 10, 0);
    near_to(demand_mean(&demand, 5 * S, 5 * S), 0.3, 1e-9);
    near_to(demand_mean(&demand, 10 * S, 5 * S), 0, 1e-9);
    near_to(demand_mean(&demand, 1000 * S, 5 * S), 0, 1e-9); /* all bins are long gone */
}

/* Twelve seconds of work at once, of which none may wait longer than three: four engines. Twice that half a second later:
 * (12 + 12) / (0.5 + 3). */
static void
test_burst(void **state)
{
    struct demand demand;

    (void)state;
    demand_init(&demand, 5 * S, 0);
    demand_add(&demand, 6 * S, 12.0 * (double)S, 0);
    near_to(demand_needed(&demand, 10 * S, 5 * S, 3 * S), 4, 1e-9);
    demand_add(&demand, 10 * S, 0, 0);
    near_to(demand_needed(&demand, 10 * S, 5 * S, 5 * S), 12.0 / 5, 1e-9);
    demand_init(&demand, 5 * S, 0);
    demand_add(&demand, 6 * S, 12.0 * (double)S, 0);
    demand_add(&demand, 6 * S + S / 2, 12.0 * (double)S, 0);
    near_to(demand_needed(&demand, 10 * S, 5 * S, 3 * S), 24 / 3.5, 1e-9);
    /* What came in the interval before is in the way, what came long ago is not. */
    demand_add(&demand, 11 * S, 1.0 * (double)S, 0);
    assert_true(demand_needed(&demand, 15 * S, 5 * S, 3 * S) > 25 / 8.0 - 1e-9);
    near_to(demand_needed(&demand, 25 * S, 5 * S, 3 * S), 0, 1e-9);
}

/* An output is wanted while it is written, and what was foreseen can be taken back. */
static void
test_span(void **state)
{
    struct demand demand;

    (void)state;
    demand_init(&demand, 5 * S, 0);
    demand_add(&demand, 0, 9.75 * (double)S, 10 * S - S / 4);
    near_to(demand_mean(&demand, 5 * S, 5 * S), 0.975, 1e-9);
    near_to(demand_mean(&demand, 10 * S, 5 * S), 0.975, 1e-9);
    demand_add(&demand, 11 * S, 2.0 * (double)S, 0);
    demand_add(&demand, 11 * S, -1.0 * (double)S, 0);
    near_to(demand_mean(&demand, 15 * S, 5 * S), 0.2, 1e-9);
    demand_add(&demand, 16 * S, -5.0 * (double)S, 0);
    near_to(demand_mean(&demand, 20 * S, 5 * S), 0, 1e-9);
}

/* Against a queue that is served at that rate: with a hair more nothing waits longer than it may, with a hundredth less
 * something does. The queue sees bins, as the answer does. */
static double
longest_wait_s(const double *bins, size_t count, double rate, double bin_s)
{
    double queue = 0, longest = 0;

    for (size_t i = 0; i < count; i++) {
        queue += bins[i];
        longest = fmax(longest, queue / rate);
        queue = fmax(0, queue - rate * bin_s);
    }
    return longest;
}

static void
test_against_queue(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed(&rng, 7);
    for (unsigned round = 0; round < 200; round++) {
        struct demand demand;
        double bins[2 * DEMAND_BINS_IN_INTERVAL] = {0}, needed;

        demand_init(&demand, 5 * S, 0);
        for (size_t i = DEMAND_BINS_IN_INTERVAL; i < 2 * DEMAND_BINS_IN_INTERVAL; i++) {
            bins[i] = rng_below(&rng, 3) == 0 ? (double)rng_below(&rng, 1000) / 100 : 0;
            demand_add(&demand, (usec)i * S / 4, bins[i] * (double)S, 0);
        }
        bins[DEMAND_BINS_IN_INTERVAL] += 1; /* not nothing */
        demand_add(&demand, 0, 0, 0);
        demand.bins[DEMAND_BINS_IN_INTERVAL] += 1.0 * (double)S;
        needed = demand_needed(&demand, 10 * S, 5 * S, 2 * S);
        assert_true(longest_wait_s(bins, 2 * DEMAND_BINS_IN_INTERVAL, needed * 1.001, 0.25) <= 2.0);
        if (needed > demand_mean(&demand, 10 * S, 5 * S) * 1.02)
            assert_true(longest_wait_s(bins, 2 * DEMAND_BINS_IN_INTERVAL, needed * 0.99, 0.25) > 2.0);
    }
}

static void
test_level(void **state)
{
    double values[] = {1, 5, 3, 9}, flat[] = {2, 2, 2}, one[] = {4};

    (void)state;
    near_to(demand_level(values, 4, 0), 9, 1e-9);
    near_to(demand_level(values, 4, 4), 5, 1e-9);        /* 9 is short by four */
    near_to(demand_level(values, 4, 6), 4, 1e-9);        /* 9 by five, 5 by one */
    near_to(demand_level(values, 4, 10), 7.0 / 3, 1e-9); /* 9 by 6.67, 5 by 2.67, 3 by 0.67 */
    near_to(demand_level(flat, 3, 3), 2, 1e-9);
    near_to(demand_level(one, 1, 1), 4, 1e-9);
    near_to(demand_level(one, 0, 1), 0, 1e-9);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_work),  cmocka_unit_test(test_room), cmocka_unit_test(test_mean),
        cmocka_unit_test(test_burst), cmocka_unit_test(test_span), cmocka_unit_test(test_against_queue),
        cmocka_unit_test(test_level),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
