/* Spare blocks are apart from each other, what is given back is taken next, and no more is kept than was said. */
#include "base/spares.h"

#include "base/sanitize.h"
#include "cmocka_ready.h"

enum { BLOCK_BYTES = 200, BLOCKS = 50, KEPT_MOST = 10 };

static void
blocks_are_aligned_and_apart(void **state)
{
    struct spares spares;
    unsigned char *blocks[BLOCKS];

    (void)state;
    spares_init(&spares, BLOCK_BYTES, BLOCKS);
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < BLOCKS; i++) {
            blocks[i] = spares_take(&spares);
            assert_int_equal((uintptr_t)blocks[i] % 16, 0);
            memset(blocks[i], (int)i, BLOCK_BYTES);
        }
        for (size_t i = 0; i < BLOCKS; i++)
            for (size_t at = 0; at < BLOCK_BYTES; at++)
                assert_int_equal(blocks[i][at], i);
        for (size_t i = 0; i < BLOCKS; i++)
            spares_give(&spares, blocks[i]);
    }
    spares_clear(&spares);
    assert_int_equal(spares.count, 0);
}

static void
keeps_no_more_than_was_said(void **state)
{
    struct spares spares;
    void *blocks[BLOCKS];

    (void)state;
    spares_init(&spares, BLOCK_BYTES, KEPT_MOST);
    for (size_t i = 0; i < BLOCKS; i++)
        blocks[i] = spares_take(&spares);
    for (size_t i = 0; i < BLOCKS; i++)
        spares_give(&spares, blocks[i]);
#ifdef HAVE_ASAN
    assert_int_equal(spares.count, 0); /* a late use of a block is to be found */
#else
    assert_int_equal(spares.count, KEPT_MOST);
    assert_ptr_equal(spares_take(&spares), blocks[KEPT_MOST - 1]);
    spares_give(&spares, blocks[KEPT_MOST - 1]);
#endif
    spares_give(&spares, NULL);
    spares_clear(&spares);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_aligned_and_apart),
        cmocka_unit_test(keeps_no_more_than_was_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
