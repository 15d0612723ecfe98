/* Searches on several threads, while others add and remove. */
/* labels: threads */
#include "embed/vectors.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/rng.h"
#include "cmocka_ready.h"
#include "embed/embedder.h"

enum { DIMS = 64, READERS = 3, ROUNDS = 6000, LASTING = 3000 };

struct shared {
    struct vectors vectors;
    atomic_bool over;
    atomic_uint readers, searches;
};

/* A vector that its id tells; those of one kind are near each other. */
static void
vector_of(uint64_t id, int8_t *out)
{
    struct rng kind, own;

    rng_seed(&kind, id % 50);
    rng_seed(&own, id);
    for (unsigned i = 0; i < DIMS; i++)
        out[i] = (int8_t)((int)rng_below(&kind, 161) - 80 + (int)rng_below(&own, 21) - 10);
}

static uint64_t
partition_of(uint64_t id)
{
    return id % 3;
}

/* What lasts is found; whatever else is found is of this partition, and as near as it is said to be. */
static void
search_once(struct shared *shared, uint64_t id)
{
    int8_t query[DIMS], found[DIMS];
    struct vectors_search search;

    vector_of(id, query);
    vectors_search_init(&search, &shared->vectors, partition_of(id), query, 4, 0.5F);
    while (!vectors_search_step(&search, 1)) {
    }
    ENSURE(search.count > 0 && search.found[0].id == id);
    for (unsigned i = 0; i < search.count; i++) {
        float expected, square = 0, length = 0, dot = 0;

        ENSURE(partition_of(search.found[i].id) == partition_of(id));
        vector_of(search.found[i].id, found);
        for (unsigned d = 0; d < DIMS; d++) {
            dot += (float)(query[d] * found[d]);
            square += (float)(query[d] * query[d]);
            length += (float)(found[d] * found[d]);
        }
        expected = dot * dot / (square * length);
        ENSURE(search.found[i].similarity * search.found[i].similarity - expected < 1e-4F);
        ENSURE(expected - search.found[i].similarity * search.found[i].similarity < 1e-4F);
    }
    atomic_fetch_add(&shared->searches, 1);
}

static void *
reader(void *user)
{
    struct shared *shared = user;
    struct rng rng;

    rng_seed(&rng, atomic_fetch_add(&shared->readers, 1));
    while (!atomic_load(&shared->over))
        search_once(shared, rng_below(&rng, LASTING));
    return NULL;
}

static void
add(struct shared *shared, uint64_t id, uint32_t *slot)
{
    int8_t vector[DIMS];

    vector_of(id, vector);
    ENSURE(vectors_add(&shared->vectors, partition_of(id), vector, id, slot) == OK);
}

static void
searches_and_changes_go_on_together(void **state)
{
    static uint32_t slots[ROUNDS];
    struct shared shared = {0};
    pthread_t threads[READERS];
    uint32_t slot;

    (void)state;
    vectors_init(&shared.vectors, DIMS);
    for (uint64_t id = 0; id < LASTING; id++)
        add(&shared, id, &slot);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, reader, &shared), 0);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        add(&shared, LASTING + i, &slots[i]);
        if (i >= 500)
            assert_int_equal(vectors_remove(&shared.vectors, slots[i - 500], LASTING + i - 500), OK);
    }
    while (atomic_load(&shared.searches) < 50) {
    }
    atomic_store(&shared.over, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(vectors_count(&shared.vectors), LASTING + 500);
    vectors_free(&shared.vectors);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(searches_and_changes_go_on_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
