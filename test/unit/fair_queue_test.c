/* The fair queue: the urgent class first, tenants by the weight of their shares, within one the earliest deadline. */
#include "fleet/fair_queue.h"

#include "base/list.h"
#include "base/rng.h"
#include "cmocka_ready.h"

struct one {
    struct fair_waiter waiter;
    char tenant;
};

static struct fair_place
place_of(char tenant, unsigned class, unsigned weight)
{
    static char names[256][2];

    names[(unsigned char)tenant][0] = tenant;
    return (struct fair_place){.class = class, .tenant = slice_of(names[(unsigned char)tenant]), .weight = weight};
}

static void
add(struct fair_queue *queue, struct one *one, struct fair_place place, usec deadline_us, int64_t tokens)
{
    *one = (struct one){.waiter = {.deadline_us = deadline_us, .tokens = tokens}, .tenant = place.tenant.data[0]};
    fair_queue_add(queue, &one->waiter, &place);
}

/* Whoever is next in any class, served; '-': nobody. */
static char
serve(struct fair_queue *queue)
{
    for (unsigned class = 0; class < FAIR_CLASSES_MOST; class ++) {
        struct fair_waiter *next = fair_queue_next(queue, class);

        if (next == NULL)
            continue;
        fair_queue_serve(queue, next);
        return CONTAINER_OF(next, struct one, waiter)->tenant;
    }
    return '-';
}

static void
the_earliest_deadline_of_a_tenant_goes_first(void **state)
{
    struct fair_queue queue;
    struct one all[4];

    (void)state;
    fair_queue_init(&queue);
    add(&queue, &all[0], place_of('a', 0, 1), USEC_NEVER, 1);
    add(&queue, &all[1], place_of('a', 0, 1), 300, 1);
    add(&queue, &all[2], place_of('a', 0, 1), 100, 1);
    add(&queue, &all[3], place_of('a', 0, 1), 300, 1);
    assert_ptr_equal(fair_queue_next(&queue, 0), &all[2].waiter);
    fair_queue_serve(&queue, &all[2].waiter);
    assert_ptr_equal(fair_queue_next(&queue, 0), &all[1].waiter); /* of equals who came first */
    fair_queue_leave(&queue, &all[1].waiter);
    fair_queue_leave(&queue, &all[1].waiter);
    assert_ptr_equal(fair_queue_next(&queue, 0), &all[3].waiter);
    fair_queue_serve(&queue, &all[3].waiter);
    fair_queue_serve(&queue, &all[0].waiter);
    assert_int_equal(fair_queue_count(&queue), 0);
    assert_int_equal(fair_queue_tokens(&queue), 0);
    fair_queue_free(&queue);
}

static void
a_crowd_gets_no_more_than_its_share(void **state)
{
    enum { MANY = 900, FEW = 100 };
    static struct one many[MANY], few[FEW];
    struct fair_queue queue;
    unsigned of_few = 0;

    (void)state;
    fair_queue_init(&queue);
    for (unsigned i = 0; i < MANY; i++)
        add(&queue, &many[i], place_of('m', 0, 1), USEC_NEVER, 10);
    for (unsigned i = 0; i < FEW; i++)
        add(&queue, &few[i], place_of('f', 0, 1), USEC_NEVER, 10);
    for (unsigned i = 0; i < 2 * FEW; i++)
        of_few += serve(&queue) == 'f';
    assert_in_range(of_few, FEW - 1, FEW);
    while (serve(&queue) != '-')
        continue;
    fair_queue_free(&queue);
}

static void
weights_and_sizes_count(void **state)
{
    enum { EACH = 300 };
    static struct one heavy[EACH], light[EACH];
    struct fair_queue queue;
    int64_t tokens[2] = {0};

    (void)state;
    fair_queue_init(&queue);
    for (unsigned i = 0; i < EACH; i++) {
        add(&queue, &heavy[i], place_of('h', 0, 3), USEC_NEVER, 50);
        add(&queue, &light[i], place_of('l', 0, 1), USEC_NEVER, 7);
    }
    for (unsigned i = 0; i < 400; i++) {
        if (serve(&queue) == 'h')
            tokens[0] += 50;
        else
            tokens[1] += 7;
    }
    assert_true(llabs(tokens[0] - 3 * tokens[1]) <= 3 * 7 + 50);
    while (serve(&queue) != '-')
        continue;
    fair_queue_free(&queue);
}

static void
who_was_away_saves_nothing_up(void **state)
{
    enum { EACH = 40 };
    static struct one first[EACH], back[EACH];
    struct fair_queue queue;
    unsigned of_back = 0;

    (void)state;
    fair_queue_init(&queue);
    for (unsigned i = 0; i < EACH; i++)
        add(&queue, &first[i], place_of('f', 0, 1), USEC_NEVER, 1);
    for (unsigned i = 0; i < EACH / 2; i++)
        assert_int_equal(serve(&queue), 'f');
    for (unsigned i = 0; i < EACH; i++)
        add(&queue, &back[i], place_of('b', 0, 1), USEC_NEVER, 1);
    for (unsigned i = 0; i < EACH / 2; i++)
        of_back += serve(&queue) == 'b';
    assert_in_range(of_back, EACH / 4 - 1, EACH / 4 + 1);
    while (serve(&queue) != '-')
        continue;
    fair_queue_free(&queue);
}

static void
the_urgent_class_goes_first(void **state)
{
    struct fair_queue queue;
    struct one all[3];

    (void)state;
    fair_queue_init(&queue);
    add(&queue, &all[0], place_of('z', 2, 1), 1, 1);
    add(&queue, &all[1], place_of('y', 1, 1), 2, 1);
    add(&queue, &all[2], place_of('x', 0, 1), 3, 1);
    assert_int_equal(serve(&queue), 'x');
    assert_int_equal(serve(&queue), 'y');
    assert_int_equal(serve(&queue), 'z');
    assert_int_equal(serve(&queue), '-');
    fair_queue_free(&queue);
}

/* What is said to be ahead of a request is what is served before it, but for one request of each tenant, as requests are
 * served whole. */
static void
what_is_ahead_comes_true(void **state)
{
    enum { WAITING = 60, TENANTS = 5, TOKENS_MOST = 50 };
    struct rng rng;

    (void)state;
    rng_seed(&rng, 2);
    for (unsigned round = 0; round < 300; round++) {
        struct one all[WAITING], own;
        struct fair_queue queue;
        struct fair_place place = place_of((char)('a' + rng_below(&rng, TENANTS)), (unsigned)rng_below(&rng, 2), 1);
        int64_t said, served = 0;
        struct fair_waiter *next;

        fair_queue_init(&queue);
        for (unsigned i = 0; i < WAITING; i++)
            add(&queue, &all[i], place_of((char)('a' + rng_below(&rng, TENANTS)), (unsigned)rng_below(&rng, 3), 1),
                (usec)rng_below(&rng, 1000), 1 + (int64_t)rng_below(&rng, TOKENS_MOST));
        for (unsigned i = 0; i < rng_below(&rng, WAITING / 2); i++)
            serve(&queue);
        said = fair_queue_ahead(&queue, &place, 500, 10);
        add(&queue, &own, place, 500, 10);
        while ((next = fair_queue_next(&queue, 0)) != NULL || (next = fair_queue_next(&queue, 1)) != NULL ||
               (next = fair_queue_next(&queue, 2)) != NULL) {
            int64_t tokens = next->tokens;

            fair_queue_serve(&queue, next);
            if (next == &own.waiter)
                break;
            served += tokens;
        }
        assert_true(llabs(said - served) <= TENANTS * TOKENS_MOST);
        while (serve(&queue) != '-')
            continue;
        fair_queue_free(&queue);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_earliest_deadline_of_a_tenant_goes_first),
        cmocka_unit_test(a_crowd_gets_no_more_than_its_share),
        cmocka_unit_test(weights_and_sizes_count),
        cmocka_unit_test(who_was_away_saves_nothing_up),
        cmocka_unit_test(the_urgent_class_goes_first),
        cmocka_unit_test(what_is_ahead_comes_true),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
