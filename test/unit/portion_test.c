/* Parts by weights: what matters is that nothing is lost. */
#include "base/portion.h"

#include "base/rng.h"
#include "cmocka_ready.h"

static void
expect(int64_t total, const int64_t *weights, size_t count, const int64_t *expected)
{
    int64_t parts[8];

    portion_split(total, weights, count, parts);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(parts[i], expected[i]);
}

static void
the_largest_remainders_get_what_is_left(void **state)
{
    (void)state;
    expect(11, (const int64_t[]){6, 3}, 2, (const int64_t[]){7, 4});
    expect(10, (const int64_t[]){1, 1, 1}, 3, (const int64_t[]){4, 3, 3});
    expect(10, (const int64_t[]){10, 45, 45}, 3, (const int64_t[]){1, 5, 4});
    expect(2, (const int64_t[]){1, 1000, 2}, 3, (const int64_t[]){0, 2, 0});
    expect(3, (const int64_t[]){0, 0}, 2, (const int64_t[]){2, 1});
    expect(0, (const int64_t[]){5, 5}, 2, (const int64_t[]){0, 0});
    expect(7, (const int64_t[]){0, 5}, 2, (const int64_t[]){0, 7});
    expect(INT64_MAX, (const int64_t[]){INT64_MAX, INT64_MAX}, 2, (const int64_t[]){INT64_MAX / 2 + 1, INT64_MAX / 2});
    portion_split(5, NULL, 0, NULL);
}

static void
parts_are_the_whole(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed(&rng, 5);
    for (unsigned turn = 0; turn < 2000; turn++) {
        int64_t weights[16], parts[16], total = (int64_t)(rng_next(&rng) >> (1 + rng_next(&rng) % 62));
        size_t count = 1 + rng_next(&rng) % 16;
        int64_t sum = 0;

        for (size_t i = 0; i < count; i++)
            weights[i] = (int64_t)(rng_next(&rng) >> (1 + rng_next(&rng) % 62));
        portion_split(total, weights, count, parts);
        for (size_t i = 0; i < count; i++) {
            assert_true(parts[i] >= 0);
            sum += parts[i];
            for (size_t k = 0; k < count; k++) /* who weighs more gets no less, but for one by the remainder */
                assert_true(weights[i] < weights[k] || parts[i] + 1 >= parts[k]);
        }
        assert_true(sum == total);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_largest_remainders_get_what_is_left),
        cmocka_unit_test(parts_are_the_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
