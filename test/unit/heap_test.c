/* The heap: what comes out is sorted, whatever was put in and taken out before. */
#include "base/heap.h"

#include "base/list.h"
#include "base/rng.h"
#include "cmocka_ready.h"

enum { NODES = 300, STEPS = 20000 };

struct number {
    struct heap_node node;
    uint64_t value;
};

static bool
is_smaller(const struct heap_node *a, const struct heap_node *b)
{
    return CONTAINER_OF(a, struct number, node)->value < CONTAINER_OF(b, struct number, node)->value;
}

static const struct number *
smallest_in(const struct number *all)
{
    const struct number *smallest = NULL;

    for (size_t i = 0; i < NODES; i++)
        if (all[i].node.place != 0 && (smallest == NULL || all[i].value < smallest->value))
            smallest = &all[i];
    return smallest;
}

static void
the_first_is_the_smallest(void **state)
{
    static struct number all[NODES];
    struct heap heap;
    struct rng rng;

    (void)state;
    rng_seed(&rng, 1);
    heap_init(&heap, is_smaller);
    for (unsigned step = 0; step < STEPS; step++) {
        struct number *one = &all[rng_below(&rng, NODES)];
        const struct number *smallest;

        if (one->node.place != 0) {
            heap_take(&heap, &one->node);
        } else {
            one->value = rng_next(&rng);
            heap_put(&heap, &one->node);
        }
        smallest = smallest_in(all);
        assert_ptr_equal(heap_first(&heap), smallest != NULL ? &smallest->node : NULL);
        for (size_t i = 0; i < heap.count; i++)
            assert_int_equal(heap.nodes[i]->place, i + 1);
    }
    heap_free(&heap);
}

static void
who_is_in_none_can_be_taken_out(void **state)
{
    struct number one = {.value = 1};
    struct heap heap;

    (void)state;
    heap_init(&heap, is_smaller);
    heap_take(&heap, &one.node);
    assert_null(heap_first(&heap));
    heap_put(&heap, &one.node);
    heap_take(&heap, &one.node);
    heap_take(&heap, &one.node);
    assert_int_equal(heap.count, 0);
    heap_free(&heap);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_is_the_smallest),
        cmocka_unit_test(who_is_in_none_can_be_taken_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
