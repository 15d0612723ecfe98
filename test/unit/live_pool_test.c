/* What a worker keeps of endpoints comes and goes with configurations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "live/pool.h"

static struct pool *
asks(struct live_world *world, unsigned id, usec now_us)
{
    const struct endpoint endpoint = {.id = id};

    world->now_us = now_us;
    return pool_get(world, &endpoint);
}

static void
what_nobody_asks_for_is_let_go(void **state)
{
    struct live_world world = {0};
    struct pool *first, *busy;

    (void)state;
    map_init(&world.pools);
    first = asks(&world, 1, USEC_PER_S);
    busy = asks(&world, 2, USEC_PER_S);
    busy->connections = 1; /* a stream that goes on */
    asks(&world, 3, USEC_PER_S);
    assert_int_equal(world.pools.count, 3);
    assert_ptr_equal(asks(&world, 1, USEC_PER_S + POOL_STALE_US / 2), first);
    asks(&world, 4, USEC_PER_S + POOL_STALE_US);
    assert_int_equal(world.pools.count, 3); /* the third is gone */
    assert_ptr_equal(asks(&world, 1, USEC_PER_S + POOL_STALE_US), first);
    assert_ptr_equal(asks(&world, 2, USEC_PER_S + POOL_STALE_US), busy);
    busy->connections = 0;
    asks(&world, 5, 10 * POOL_STALE_US);
    assert_int_equal(world.pools.count, 1);
    pools_free(&world);
    map_free(&world.pools);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_nobody_asks_for_is_let_go)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
