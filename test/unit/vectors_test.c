/* Sets of vectors: what is found is what is there, and near. */
#include "embed/vectors.h"

#include <math.h>

#include "base/rng.h"
#include "cmocka_ready.h"
#include "embed/embedder.h"

enum { DIMS = 128 };

/* The sum of twelve numbers is as good as a normal one. */
static float
normal(struct rng *rng)
{
    double sum = -6;

    for (int i = 0; i < 12; i++)
        sum += rng_unit(rng);
    return (float)sum;
}

static void
any_vector(struct rng *rng, unsigned dims, int8_t *out)
{
    float vector[SCAN_DIMS_MOST];

    for (unsigned i = 0; i < dims; i++)
        vector[i] = normal(rng);
    assert_true(embedder_quantize(vector, dims, out));
}

static double
cosine(const int8_t *a, const int8_t *b, unsigned dims)
{
    double ab = 0, aa = 0, bb = 0;

    for (unsigned i = 0; i < dims; i++) {
        ab += a[i] * b[i];
        aa += a[i] * a[i];
        bb += b[i] * b[i];
    }
    return ab / sqrt(aa * bb);
}

static void
all_processors_count_alike(void **state)
{
    static uint64_t signs[50 * SCAN_WORDS_MOST];
    const struct scan_kernels *all[8];
    size_t count = scan_kernels_all(all, 8);
    struct rng rng;

    (void)state;
    rng_seed(&rng, 1);
    assert_ptr_equal(all[0], scan_kernels_plain());
    assert_ptr_equal(all[count - 1], scan_kernels_best());
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
        signs[i] = rng_next(&rng);
    for (unsigned dims = 32; dims <= SCAN_DIMS_MOST; dims += 32) {
        int8_t a[SCAN_DIMS_MOST], b[SCAN_DIMS_MOST];
        uint16_t expected[50], found[50];
        struct scan_query query;

        any_vector(&rng, dims, a);
        any_vector(&rng, dims, b);
        scan_query_init(&query, a, dims);
        all[0]->distances(&query, signs, 50, expected);
        for (size_t i = 1; i < count; i++) {
            all[i]->distances(&query, signs, 50, found);
            assert_memory_equal(found, expected, sizeof(found));
            assert_int_equal(all[i]->dot(a, b, dims), all[0]->dot(a, b, dims));
        }
    }
}

/* Of two vectors at a known angle, in an uneven space: a few dims carry the most. */
static void
pair_at(struct rng *rng, double wanted, unsigned dims, int8_t *a, int8_t *b)
{
    float x[SCAN_DIMS_MOST], y[SCAN_DIMS_MOST];

    for (unsigned i = 0; i < dims; i++) {
        float weight = expf(-(float)i / 20);
        float common = normal(rng);

        x[i] = weight * common;
        y[i] = weight * ((float)wanted * common + (float)sqrt(1 - wanted * wanted) * normal(rng));
    }
    assert_true(embedder_quantize(x, dims, a) && embedder_quantize(y, dims, b));
}

static void
a_distance_stands_for_a_cosine(void **state)
{
    static const unsigned lengths[] = {64, 96, 128, 256, 288, 1024};
    struct rng rng;

    (void)state;
    rng_seed(&rng, 2);
    for (size_t l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++) {
        unsigned dims = lengths[l], beyond = 0;
        double sum = 0;

        for (int round = 0; round < 1000; round++) {
            int8_t a[SCAN_DIMS_MOST], b[SCAN_DIMS_MOST];
            uint64_t signs[SCAN_WORDS_MOST];
            struct scan_query query;
            uint16_t distance;
            double off;

            pair_at(&rng, rng_unit(&rng), dims, a, b);
            scan_query_init(&query, a, dims);
            scan_signs(b, dims, signs);
            scan_kernels_best()->distances(&query, signs, 1, &distance);
            assert_true(distance <= query.sizes);
            off = (double)scan_cosine(&query, distance) - cosine(a, b, dims);
            sum += off;
            beyond += off < -2.7 * (double)scan_error(&query, (float)cosine(a, b, dims));
            assert_true(fabsf(scan_distance(&query, scan_cosine(&query, distance)) - (float)distance) < 0.01F);
        }
        assert_true(fabs(sum / 1000) < 0.01);
        assert_true(beyond <= 10);
    }
}

/* --- a set beside a plain list of the same vectors --- */

enum { KEPT_MOST = 4000, SMALL_DIMS = 64, PARTITIONS = 5 };

struct kept {
    bool live;
    uint64_t partition, id;
    int8_t vector[SMALL_DIMS];
};

struct beside {
    struct vectors vectors;
    struct rng rng;
    struct kept kept[1 << 16]; /* by slot */
    uint32_t slots[KEPT_MOST];
    unsigned count;
    uint64_t next_id;
};

static void
beside_add(struct beside *beside)
{
    struct kept kept = {.live = true, .partition = rng_below(&beside->rng, PARTITIONS) * 7, .id = beside->next_id++};
    uint32_t slot;

    /* the first partition gets most of them */
    if (rng_below(&beside->rng, 2) == 0)
        kept.partition = 0;
    any_vector(&beside->rng, SMALL_DIMS, kept.vector);
    assert_int_equal(vectors_add(&beside->vectors, kept.partition, kept.vector, kept.id, &slot), OK);
    assert_true(slot < sizeof(beside->kept) / sizeof(beside->kept[0]));
    assert_false(beside->kept[slot].live);
    beside->kept[slot] = kept;
    beside->slots[beside->count++] = slot;
}

static void
beside_remove(struct beside *beside)
{
    unsigned at = (unsigned)rng_below(&beside->rng, beside->count);
    uint32_t slot = beside->slots[at];

    assert_int_equal(vectors_remove(&beside->vectors, slot, beside->kept[slot].id + 1), ERR_NOT_FOUND);
    assert_int_equal(vectors_remove(&beside->vectors, slot, beside->kept[slot].id), OK);
    assert_int_equal(vectors_remove(&beside->vectors, slot, beside->kept[slot].id), ERR_NOT_FOUND);
    beside->kept[slot].live = false;
    beside->slots[at] = beside->slots[--beside->count];
}

/* How many of the partition are nearer than `similarity`. */
static unsigned
nearer(const struct beside *beside, uint64_t partition, const int8_t *query, double similarity)
{
    unsigned count = 0;

    for (unsigned i = 0; i < beside->count; i++) {
        const struct kept *kept = &beside->kept[beside->slots[i]];

        count += kept->partition == partition && cosine(kept->vector, query, SMALL_DIMS) > similarity + 1e-6;
    }
    return count;
}

static unsigned
count_partition(const struct beside *beside, uint64_t partition)
{
    unsigned count = 0;

    for (unsigned i = 0; i < beside->count; i++)
        count += beside->kept[beside->slots[i]].partition == partition;
    return count;
}

static void
check_search(struct beside *beside, uint64_t partition)
{
    int8_t query[SMALL_DIMS];
    struct vectors_search search;
    unsigned count = count_partition(beside, partition);

    any_vector(&beside->rng, SMALL_DIMS, query);
    assert_int_equal(vectors_partition_count(&beside->vectors, partition), count);
    vectors_search_init(&search, &beside->vectors, partition, query, 3, -1);
    search.exact = true;
    assert_true(vectors_search_step(&search, SIZE_MAX));
    assert_int_equal(search.count, count < 3 ? count : 3);
    assert_true(search.compared == count);
    for (unsigned i = 0; i < search.count; i++) {
        const struct vectors_found *found = &search.found[i];
        const struct kept *kept = &beside->kept[found->slot];

        assert_true(kept->live && kept->partition == partition && kept->id == found->id);
        assert_true(fabs(cosine(kept->vector, query, SMALL_DIMS) - (double)found->similarity) < 1e-5);
        assert_true(nearer(beside, partition, query, (double)found->similarity) <= i);
    }
}

static void
what_is_found_is_what_is_there(void **state)
{
    struct beside *beside = calloc(1, sizeof(*beside));
    size_t empty;

    (void)state;
    assert_non_null(beside);
    rng_seed(&beside->rng, 3);
    vectors_init(&beside->vectors, SMALL_DIMS);
    empty = vectors_bytes(&beside->vectors);
    check_search(beside, 0);
    for (int round = 0; round < 40000; round++) {
        /* grows for a while, shrinks for a while, to nothing and to the most */
        bool grows = rng_below(&beside->rng, 100) < (round / 8000 % 2 == 0 ? 75 : 25);

        if (beside->count == 0 || (grows && beside->count < KEPT_MOST))
            beside_add(beside);
        else
            beside_remove(beside);
        if (round % 100 == 0)
            check_search(beside, rng_below(&beside->rng, PARTITIONS + 1) * 7);
        assert_int_equal(vectors_count(&beside->vectors), beside->count);
    }
    while (beside->count > 0)
        beside_remove(beside);
    /* what is gone has given its memory back, but for the tables of chunks and partitions */
    assert_true(vectors_bytes(&beside->vectors) - empty < 4096);
    assert_int_equal(beside->vectors.partitions.count, 0);
    vectors_free(&beside->vectors);
    free(beside);
}

static void
many_partitions_come_and_go(void **state)
{
    enum { MANY = 20000 };
    static uint32_t slots[MANY];
    struct vectors vectors;
    struct rng rng;
    int8_t vector[32];

    (void)state;
    rng_seed(&rng, 8);
    any_vector(&rng, 32, vector);
    vectors_init(&vectors, 32);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(vectors_add(&vectors, i * 3, vector, i, &slots[i]), OK);
    for (unsigned i = 0; i < MANY; i++)
        if (i % 3 != 0)
            assert_int_equal(vectors_remove(&vectors, slots[i], i), OK);
    for (unsigned i = 0; i < MANY; i++) {
        struct vectors_search search;

        vectors_search_init(&search, &vectors, i * 3, vector, 2, 0.9F);
        assert_true(vectors_search_step(&search, 1));
        assert_int_equal(search.count, i % 3 == 0);
        assert_true(i % 3 != 0 || (search.found[0].id == i && search.found[0].slot == slots[i]));
    }
    vectors_free(&vectors);
}

/* In a partition that is large enough for the signs to be asked first. */
static void
what_was_removed_is_not_found(void **state)
{
    enum { MANY = 6000 };
    static int8_t all[MANY][SMALL_DIMS];
    static uint32_t slots[MANY];
    struct vectors vectors;
    struct vectors_search search;
    struct rng rng;

    (void)state;
    rng_seed(&rng, 9);
    vectors_init(&vectors, SMALL_DIMS);
    for (unsigned i = 0; i < MANY; i++) {
        any_vector(&rng, SMALL_DIMS, all[i]);
        assert_int_equal(vectors_add(&vectors, 5, all[i], i, &slots[i]), OK);
    }
    for (unsigned i = 0; i < MANY; i += 2)
        assert_int_equal(vectors_remove(&vectors, slots[i], i), OK);
    for (unsigned i = 0; i < MANY; i++) {
        vectors_search_init(&search, &vectors, 5, all[i], 1, 0.999F);
        assert_true(vectors_search_step(&search, SIZE_MAX));
        assert_int_equal(search.count, i % 2);
        assert_true(i % 2 == 0 || search.found[0].id == i);
    }
    vectors_free(&vectors);
}

/* --- recall --- */

struct crowd {
    unsigned dims;
    struct vectors vectors;
    struct rng rng;
    const char *kind;
};

enum { CROWD = 10000, CENTRES = 200, QUERIES = 200 };

/* Vectors anywhere; or around centres, with most of it in few dims, as texts are. */
static void
crowd_vector(struct crowd *crowd, int8_t *out)
{
    float vector[SCAN_DIMS_MOST];
    struct rng centre;

    rng_seed(&centre, rng_below(&crowd->rng, CENTRES));
    for (unsigned i = 0; i < crowd->dims; i++) {
        if (strcmp(crowd->kind, "anywhere") == 0)
            vector[i] = normal(&crowd->rng);
        else if (strcmp(crowd->kind, "clusters") == 0)
            vector[i] = normal(&centre) + 0.5F * normal(&crowd->rng);
        else
            vector[i] =
                expf(-(float)i * 4 / (float)crowd->dims) * (0.5F + normal(&centre) + 0.5F * normal(&crowd->rng));
    }
    assert_true(embedder_quantize(vector, crowd->dims, out));
}

static struct crowd *
crowd_new(const char *kind, unsigned dims, unsigned count)
{
    struct crowd *crowd = calloc(1, sizeof(*crowd));

    assert_non_null(crowd);
    crowd->kind = kind;
    crowd->dims = dims;
    rng_seed(&crowd->rng, 4);
    vectors_init(&crowd->vectors, dims);
    for (unsigned i = 0; i < count; i++) {
        int8_t vector[SCAN_DIMS_MOST];
        uint32_t slot;

        crowd_vector(crowd, vector);
        assert_int_equal(vectors_add(&crowd->vectors, 1, vector, i, &slot), OK);
    }
    return crowd;
}

static void
crowd_free(struct crowd *crowd)
{
    vectors_free(&crowd->vectors);
    free(crowd);
}

static void
check_recall(struct crowd *crowd, float least, unsigned compared_share)
{
    unsigned asked = 0, met = 0;
    uint64_t compared = 0;

    for (int i = 0; i < QUERIES; i++) {
        struct vectors_search exact, search;
        int8_t query[SCAN_DIMS_MOST];

        crowd_vector(crowd, query);
        vectors_search_init(&exact, &crowd->vectors, 1, query, 1, least);
        exact.exact = true;
        vectors_search_init(&search, &crowd->vectors, 1, query, 1, least);
        assert_true(vectors_search_step(&exact, SIZE_MAX) && vectors_search_step(&search, SIZE_MAX));
        assert_int_equal(exact.compared, CROWD);
        asked += exact.count;
        met += exact.count == 1 && search.count == 1 && search.found[0].id == exact.found[0].id;
        compared += search.compared;
    }
    print_message("%s, %u dims, at least %.1f: %u of %u found, 1 in %.0f compared\n", crowd->kind, crowd->dims,
                  (double)least, met, asked, QUERIES * (double)CROWD / (double)compared);
    assert_true(asked >= QUERIES / 2 && met * 100 >= asked * 99);
    assert_true(compared * compared_share < (uint64_t)QUERIES * CROWD);
}

static void
signs_miss_less_than_one_in_a_hundred(void **state)
{
    (void)state;
    for (unsigned dims = 128; dims <= 256; dims *= 2) {
        struct crowd *anywhere = crowd_new("anywhere", dims, CROWD);

        check_recall(anywhere, -1, 6);
        crowd_free(anywhere);
        for (int k = 0; k < 2; k++) {
            struct crowd *near = crowd_new(k == 0 ? "clusters" : "few dims", dims, CROWD);

            check_recall(near, -1, 50);
            check_recall(near, 0.7F, 200);
            crowd_free(near);
        }
    }
}

static void
parts_and_steps_find_the_same(void **state)
{
    struct crowd *crowd = crowd_new("clusters", DIMS, 9000);

    (void)state;
    for (int i = 0; i < 50; i++) {
        struct vectors_search whole, stepped, parts[3];
        int8_t query[DIMS];
        unsigned steps = 1;

        crowd_vector(crowd, query);
        vectors_search_init(&whole, &crowd->vectors, 1, query, 10, -1);
        assert_true(vectors_search_step(&whole, SIZE_MAX));
        vectors_search_init(&stepped, &crowd->vectors, 1, query, 10, -1);
        while (!vectors_search_step(&stepped, 1))
            steps++;
        assert_true(steps > 2);
        assert_memory_equal(stepped.found, whole.found, sizeof(whole.found[0]) * whole.count);
        for (uint32_t p = 0; p < 3; p++) {
            vectors_search_init(&parts[p], &crowd->vectors, 1, query, 10, -1);
            vectors_search_share(&parts[p], p, 3);
            assert_true(vectors_search_step(&parts[p], SIZE_MAX));
            assert_true(parts[p].compared > 0);
        }
        vectors_search_merge(&parts[0], &parts[1]);
        vectors_search_merge(&parts[0], &parts[2]);
        assert_int_equal(parts[0].count, 10);
        assert_int_equal(parts[0].found[0].id, whole.found[0].id);
        for (int k = 1; k < 10; k++)
            assert_true(parts[0].found[k - 1].similarity >= parts[0].found[k].similarity);
    }
    crowd_free(crowd);
}

/* Chunks and tables come in steps: of many. */
static void
an_entry_takes_less_than_400_bytes(void **state)
{
    enum { ENTRIES = 20000 };
    struct vectors together, alone;
    int8_t vector[256];
    struct rng rng;

    (void)state;
    rng_seed(&rng, 6);
    any_vector(&rng, 256, vector);
    vectors_init(&together, 256);
    vectors_init(&alone, 256);
    for (unsigned i = 0; i < ENTRIES; i++) {
        uint32_t slot;

        assert_int_equal(vectors_add(&together, 1, vector, i, &slot), OK);
        assert_int_equal(vectors_add(&alone, i, vector, i, &slot), OK);
    }
    print_message("%zu bytes each in one partition, %zu in one each\n", vectors_bytes(&together) / ENTRIES,
                  vectors_bytes(&alone) / ENTRIES);
    assert_true(vectors_bytes(&together) / ENTRIES < 350);
    assert_true(vectors_bytes(&alone) / ENTRIES < 400);
    vectors_free(&together);
    vectors_free(&alone);
}

static void
the_least_similarity_is_kept(void **state)
{
    struct vectors vectors;
    int8_t a[DIMS] = {127}, b[DIMS] = {127, 127};
    struct vectors_search search;
    uint32_t slot;

    (void)state;
    vectors_init(&vectors, DIMS);
    assert_int_equal(vectors_add(&vectors, 9, b, 77, &slot), OK);
    vectors_search_init(&search, &vectors, 9, a, 1, 0.70F); /* the cosine is 0.7071 */
    assert_true(vectors_search_step(&search, 1));
    assert_int_equal(search.count, 1);
    assert_int_equal(search.found[0].id, 77);
    assert_int_equal(search.found[0].slot, slot);
    vectors_search_init(&search, &vectors, 9, a, 1, 0.71F);
    assert_true(vectors_search_step(&search, 1));
    assert_int_equal(search.count, 0);
    vectors_search_init(&search, &vectors, 8, a, 1, 0);
    assert_true(vectors_search_step(&search, 1));
    assert_int_equal(search.count, 0);
    vectors_free(&vectors);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_processors_count_alike),     cmocka_unit_test(a_distance_stands_for_a_cosine),
        cmocka_unit_test(what_is_found_is_what_is_there), cmocka_unit_test(many_partitions_come_and_go),
        cmocka_unit_test(what_was_removed_is_not_found),  cmocka_unit_test(signs_miss_less_than_one_in_a_hundred),
        cmocka_unit_test(parts_and_steps_find_the_same),  cmocka_unit_test(an_entry_takes_less_than_400_bytes),
        cmocka_unit_test(the_least_similarity_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
