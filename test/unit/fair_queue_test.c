/* The fair queue: the urgent class first, tenants by the weight of their shares, within one the earliest deadline. */
#include "fleet/admission/fair_queue.h"

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
    *one = (struct one){.waiter = {.deadline_us = deadline_us, .work_us = tokens, .tokens = tokens},
                        .tenant = place.tenant.data[0]};
    fair_queue_add(queue, &one->waiter, &place, 0);
}

/* Whoever is next in any class, served; '-': nobody. */
static char
serve(struct fair_queue *queue)
{
    for (unsigned class = 0; class < FAIR_CLASSES_MOST; class ++) {
        struct fair_waiter *next = fair_queue_next(queue, class);

        if (next == NULL)
            continue;
        fair_queue_serve(queue, next, 0);
        fair_queue_over(queue, next, 0);
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
    fair_queue_serve(&queue, &all[2].waiter, 0);
    assert_ptr_equal(fair_queue_next(&queue, 0), &all[1].waiter); /* of equals who came first */
    fair_queue_leave(&queue, &all[1].waiter);
    fair_queue_leave(&queue, &all[1].waiter);
    assert_ptr_equal(fair_queue_next(&queue, 0), &all[3].waiter);
    fair_queue_serve(&queue, &all[3].waiter, 0);
    fair_queue_serve(&queue, &all[0].waiter, 0);
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

/* Work counts, not tokens: who asks for what takes long gets fewer of them. */
static void
work_is_what_is_shared(void **state)
{
    enum { EACH = 300 };
    static struct one slow[EACH], quick[EACH];
    struct fair_queue queue;
    unsigned of_slow = 0;

    (void)state;
    fair_queue_init(&queue);
    for (unsigned i = 0; i < EACH; i++) {
        add(&queue, &slow[i], place_of('s', 0, 1), USEC_NEVER, 1);
        add(&queue, &quick[i], place_of('q', 0, 1), USEC_NEVER, 1);
        fair_queue_leave(&queue, &slow[i].waiter);
        slow[i].waiter.work_us = 5;
        fair_queue_add(&queue, &slow[i].waiter, &(struct fair_place){0, SLICE_LITERAL("s"), 1}, 0);
    }
    for (unsigned i = 0; i < 300; i++)
        of_slow += serve(&queue) == 's';
    assert_in_range(of_slow, 49, 51);
    while (serve(&queue) != '-')
        continue;
    fair_queue_free(&queue);
}

static bool
is_even(const void *context, const struct fair_waiter *waiter)
{
    (void)context;
    return waiter->tokens % 2 == 0;
}

static void
who_has_less_there_is_told_apart(void **state)
{
    struct fair_filter less = {is_even, NULL, 100, 10}, all_of_them = {is_even, NULL, 0, 0};
    struct fair_queue queue;
    struct one all[5];

    (void)state;
    fair_queue_init(&queue);
    add(&queue, &all[0], place_of('a', 1, 1), USEC_NEVER, 40);
    add(&queue, &all[1], place_of('a', 1, 1), USEC_NEVER, 30);
    add(&queue, &all[2], place_of('a', 1, 1), 5, 31);    /* the soonest, but it may not */
    assert_null(fair_queue_next_that(&queue, 1, &less)); /* there is nobody with more */
    assert_ptr_equal(fair_queue_next_that(&queue, 1, &all_of_them), &all[0].waiter);
    fair_queue_serve(&queue, &all[0].waiter, 1);
    assert_null(fair_queue_next_that(&queue, 1, &less));
    add(&queue, &all[3], place_of('b', 1, 2), USEC_NEVER, 70);
    assert_ptr_equal(fair_queue_next_that(&queue, 1, &less), &all[3].waiter);
    fair_queue_serve(&queue, &all[3].waiter, 0);
    add(&queue, &all[4], place_of('b', 1, 2), USEC_NEVER, 2);
    assert_ptr_equal(fair_queue_next_that(&queue, 1, &less),
                     &all[4].waiter); /* 40 of 100, and 70 with twice the weight */
    fair_queue_leave(&queue, &all[4].waiter);
    add(&queue, &all[4], place_of('b', 1, 2), USEC_NEVER, 20);
    fair_queue_serve(&queue, &all[4].waiter, 9);
    assert_ptr_equal(fair_queue_next_that(&queue, 1, &less), &all[1].waiter); /* 45 of 100 against 40 */
    fair_queue_over(&queue, &all[3].waiter, 0);
    assert_ptr_equal(fair_queue_next_that(&queue, 1, &less),
                     &all[1].waiter); /* 9 of 10, with twice the weight, of prompts */
    fair_queue_filled(&all[4].waiter);
    fair_queue_filled(&all[4].waiter);
    assert_null(fair_queue_next_that(&queue, 1, &less));
    fair_queue_over(&queue, &all[0].waiter, 0);
    fair_queue_over(&queue, &all[0].waiter, 0);
    assert_ptr_equal(fair_queue_next_that(&queue, 1, &less), &all[1].waiter);
    fair_queue_leave(&queue, &all[1].waiter);
    fair_queue_leave(&queue, &all[2].waiter);
    fair_queue_over(&queue, &all[4].waiter, 0);
    fair_queue_free(&queue);
}

/* What others needed of late and have not there now is theirs, up to their share; it fades, and then they share no more. */
static void
what_was_needed_of_late_is_claimed(void **state)
{
    struct fair_place quiet = place_of('q', 0, 1), loud = place_of('l', 0, 3);
    struct fair_claims claims;
    struct fair_queue queue;
    struct one all[2];

    (void)state;
    fair_queue_init(&queue);
    claims = fair_queue_claims(&queue, &loud, 400, 10, 0);
    assert_true(claims.share == 400 && claims.reserved == 0 && claims.there == 0 && !claims.shared);
    add(&queue, &all[0], quiet, USEC_NEVER, 40);
    claims = fair_queue_claims(&queue, &loud, 400, 10, 0);
    assert_true(claims.shared && claims.share == 300 && claims.reserved == 50); /* what waits, and one request more */
    fair_queue_serve(&queue, &all[0].waiter, 0);
    claims = fair_queue_claims(&queue, &loud, 400, 10, 0);
    assert_true(claims.share == 300 && claims.reserved == 10);
    fair_queue_over(&queue, &all[0].waiter, 0);
    claims = fair_queue_claims(&queue, &loud, 400, 10, FAIR_HALF_LIFE_US);
    assert_true(claims.share == 300 && claims.reserved > 29.99 && claims.reserved < 30.01);
    claims = fair_queue_claims(&queue, &loud, 80, 10, FAIR_HALF_LIFE_US);
    assert_true(claims.share == 60 && claims.reserved == 20); /* no more than its share */
    claims = fair_queue_claims(&queue, &loud, 400, 10, 4 * FAIR_HALF_LIFE_US);
    assert_true(claims.share == 400 && claims.reserved == 0);
    add(&queue, &all[1], loud, USEC_NEVER, 7);
    fair_queue_serve(&queue, &all[1].waiter, 0);
    claims = fair_queue_claims(&queue, &loud, 400, 10, 4 * FAIR_HALF_LIFE_US);
    assert_true(claims.there == 7);
    fair_queue_over(&queue, &all[1].waiter, 4 * FAIR_HALF_LIFE_US);
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

            fair_queue_serve(&queue, next, 0);
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
        cmocka_unit_test(work_is_what_is_shared),
        cmocka_unit_test(who_has_less_there_is_told_apart),
        cmocka_unit_test(what_was_needed_of_late_is_claimed),
        cmocka_unit_test(the_urgent_class_goes_first),
        cmocka_unit_test(what_is_ahead_comes_true),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
