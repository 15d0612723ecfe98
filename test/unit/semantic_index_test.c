/* Turns by their meaning: what was added is found in its own partition alone, what was removed or made room is not. */
#include "levers/semantic_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/rng.h"
#include "cmocka_ready.h"

enum { DIMS = 64, KEYS = 300, STEPS = 20000, PARTITIONS = 5 };

static struct digest
key_of(uint64_t number)
{
    return hash_sha256(slice_make((const char *)&number, sizeof(number)));
}

static struct semantic_turn
turn_of(uint64_t number)
{
    struct semantic_turn turn = {.partition = number % PARTITIONS, .check = number % PARTITIONS};
    uint64_t random = number;

    for (unsigned i = 0; i < DIMS; i++)
        turn.vector[i] = (int8_t)((random = rng_mix(random)) % 200 - 100);
    turn.literals.digests[LITERAL_NUMBERS] = number % 2;
    return turn;
}

static bool
finds(struct semantic_index *index, uint64_t number)
{
    struct semantic_turn turn = turn_of(number);
    struct digest key = key_of(number);
    struct semantic_matches near;

    semantic_index_search(index, &turn, &near);
    for (unsigned i = 0; i < near.count; i++)
        if (digest_equal(&near.all[i].key, &key)) {
            assert_int_equal(i, 0); /* nothing is nearer to it than itself */
            assert_true(near.all[i].similarity > 0.999f && !near.all[i].differs);
            return true;
        }
    return false;
}

static void
it_holds_what_a_set_would(void **state)
{
    struct semantic_index *index = semantic_index_new(DIMS, KEYS);
    bool there[KEYS] = {0};
    uint64_t random = 1, count = 0;
    struct semantic_index_stats stats;

    (void)state;
    for (unsigned step = 0; step < STEPS; step++) {
        uint64_t number = (random = rng_mix(random)) % KEYS, what = (random >> 32) % 4;
        struct semantic_turn turn = turn_of(number);
        struct digest key = key_of(number);

        if (what == 0) {
            count -= there[number];
            there[number] = false;
            semantic_index_remove(index, &key);
        } else if (what == 1) {
            count += !there[number];
            there[number] = true;
            semantic_index_add(index, &turn, &key);
        } else {
            assert_int_equal(finds(index, number), there[number]);
        }
        semantic_index_stats(index, &stats);
        assert_int_equal(stats.entries, count);
    }
    semantic_index_free(index);
}

/* The half of a partition's name that vectors are not kept by counts as well. */
static void
both_halves_of_a_partition_count(void **state)
{
    struct semantic_index *index = semantic_index_new(DIMS, KEYS);
    struct semantic_turn turn = turn_of(1);
    struct digest key = key_of(1);
    struct semantic_matches near;

    (void)state;
    semantic_index_add(index, &turn, &key);
    turn.check++;
    semantic_index_search(index, &turn, &near);
    assert_int_equal(near.count, 0);
    semantic_index_free(index);
}

static void
what_differs_literally_is_told(void **state)
{
    struct semantic_index *index = semantic_index_new(DIMS, KEYS);
    struct semantic_turn turn = turn_of(1);
    struct digest key = key_of(1);
    struct semantic_matches near;

    (void)state;
    semantic_index_add(index, &turn, &key);
    turn.literals.digests[LITERAL_NAMES] = 9;
    semantic_index_search(index, &turn, &near);
    assert_int_equal(near.count, 1);
    assert_true(near.all[0].differs && near.all[0].where == LITERAL_NAMES);
    semantic_index_free(index);
}

/* What was used since stays when there is no room. */
static void
what_is_used_stays_longer(void **state)
{
    enum { MOST = 50 };
    struct semantic_index *index = semantic_index_new(DIMS, MOST);
    struct semantic_index_stats stats;

    (void)state;
    for (uint64_t i = 0; i < 500; i++) {
        struct semantic_turn turn = turn_of(i);
        struct digest key = key_of(i), first = key_of(0);

        semantic_index_add(index, &turn, &key);
        semantic_index_used(index, &first);
    }
    semantic_index_stats(index, &stats);
    assert_int_equal(stats.entries, MOST);
    assert_true(finds(index, 0));
    assert_false(finds(index, 1));
    assert_true(finds(index, 499));
    semantic_index_free(index);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_holds_what_a_set_would),
        cmocka_unit_test(both_halves_of_a_partition_count),
        cmocka_unit_test(what_differs_literally_is_told),
        cmocka_unit_test(what_is_used_stays_longer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
