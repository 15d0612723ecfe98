/* What a further request costs a pool, at the margin and as its share. */
#include "fleet/capacity/pool.h"

#include <math.h>

#include "cmocka_ready.h"
#include "fleet/health/told.h"

static struct pool_now
pool_of(double replicas, double requests)
{
    const struct engine_pair *pair = engine_pair_find(SLICE_LITERAL("a100-llama-3-8b"));

    return (struct pool_now){.replicas = replicas,
                             .requests = requests,
                             .context_tokens = requests * 2000,
                             .time = pair->time,
                             .kv_tokens = (double)pair->kv_tokens};
}

static double
marginal(double replicas, double requests)
{
    struct pool_now now = pool_of(replicas, requests);

    return pool_marginal_us(&now, 1000, 0, 200);
}

static double
work(double replicas, double requests)
{
    struct pool_now now = pool_of(replicas, requests);

    return pool_work_us(&now, 1000, 0, 200);
}

static void
an_idle_engine_costs_nothing_more(void **state)
{
    (void)state;
    assert_true(marginal(1, 0) == 0);
    assert_true(work(1, 0) > 2e6); /* 200 steps of 10.5 ms, all its own */
}

static void
it_grows_with_load_up_to_the_next_replica(void **state)
{
    double before = 0;

    (void)state;
    for (double requests = 1; requests < 2000; requests *= 1.5) {
        double now = marginal(1, requests), next = work(2, requests);

        assert_true(now >= before * 0.999 || now == next);
        assert_true(now > 0 && now <= next);
        before = now;
    }
    /* far beyond what it has room for, a replica more is the cheaper way; when all seats are taken, about what it adds */
    assert_true(marginal(1, 2000) == work(2, 2000));
    assert_true(marginal(1, 20) < work(1, 20) / 5);
}

static void
the_same_load_on_more_replicas_is_less(void **state)
{
    (void)state;
    assert_true(marginal(4, 40) < marginal(1, 40) / 3);
    assert_true(fabs(marginal(4, 40) - marginal(1, 10)) < 1e-6 * marginal(1, 10));
}

static void
seats_are_what_its_cache_has_room_for(void **state)
{
    struct pool_now now = pool_of(1, 10), idle = pool_of(1, 0);

    (void)state;
    assert_true(pool_seats(&now, 1, 1) == 427000.0 / 2000);
    assert_true(pool_seats(&idle, 400000, 27000) == 1);
    assert_true(pool_seats(&idle, 10, 10) == ENGINE_SEQUENCES);
}

/* By hand: 4 others, each of 4 seats taken, so the wait is all that it adds. */
static void
by_hand(void **state)
{
    struct pool_now now = {.replicas = 1, .requests = 4, .context_tokens = 4000, .kv_tokens = 4000};

    (void)state;
    now.time = (struct step_time){.alpha_us = 1000, .beta_us = 0, .delta_us = 0.5, .gamma_us = 7, .host_us = 11};
    /* prefill adds gamma; each of 10 steps adds gamma and the mean context */
    assert_true(fabs(pool_marginal_us(&now, 100, 0, 11) - (7 + 10 * (7 + 0.5 * 105.5))) < 1e-6);
}

/* Another gateway's requests are there as ours are: the marginal price sees them, until what was told is old. */
static void
what_others_have_there_makes_it_dearer(void **state)
{
    struct replicas all;
    struct seat seat = {0};
    struct standing standing = {.seats = &seat, .count = 1};
    struct pool_now ours, both;

    (void)state;
    replicas_init(&all);
    seat.replica = replicas_of(&all, "a:1", NULL);
    replica_tell(seat.replica,
                 &(struct replica_told){.at_us = USEC_PER_S, .queued = 10, .running = 30, .kv_share = 0.2});
    pool_look(&standing, &ours);
    assert_true(ours.requests == 0 && pool_marginal_us(&ours, 1000, 0, 200) == 0);
    pool_look_all(&standing, USEC_PER_S, &both);
    assert_true(both.requests == 40 && both.filling == 10);
    assert_true(fabs(both.context_tokens - 0.2 * both.kv_tokens) < 1e-6);
    assert_true(pool_marginal_us(&both, 1000, 0, 200) > 0.5 * marginal(1, 40));
    pool_look_all(&standing, 2 * USEC_PER_S + TOLD_GONE_US, &both);
    assert_true(both.requests == 0 && both.context_tokens == 0);
    replicas_free(&all);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_engine_costs_nothing_more),
        cmocka_unit_test(it_grows_with_load_up_to_the_next_replica),
        cmocka_unit_test(the_same_load_on_more_replicas_is_less),
        cmocka_unit_test(seats_are_what_its_cache_has_room_for),
        cmocka_unit_test(by_hand),
        cmocka_unit_test(what_others_have_there_makes_it_dearer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
