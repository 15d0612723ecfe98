/* Arenas: what they hand out is aligned, zeroed, apart from each other, and stays until the reset. */
#include "base/arena.h"

#include "base/rng.h"
#include "cmocka_ready.h"

enum { PIECES = 3000 };

static void
pieces_are_zeroed_aligned_and_apart(void **state)
{
    struct arena arena;
    struct rng rng;
    unsigned char *pieces[PIECES];
    size_t sizes[PIECES];

    (void)state;
    rng_seed(&rng, 1);
    arena_init(&arena);
    for (size_t i = 0; i < PIECES; i++) {
        sizes[i] = i % 100 == 99 ? 300000 : rng_below(&rng, 200);
        pieces[i] = arena_alloc(&arena, sizes[i]);
        assert_int_equal((uintptr_t)pieces[i] % 16, 0);
        for (size_t at = 0; at < sizes[i]; at++)
            assert_int_equal(pieces[i][at], 0);
        memset(pieces[i], (int)(i % 251 + 1), sizes[i]);
    }
    for (size_t i = 0; i < PIECES; i++)
        for (size_t at = 0; at < sizes[i]; at++)
            assert_int_equal(pieces[i][at], i % 251 + 1);
    arena_reset(&arena);
}

/* What an earlier round wrote does not shine through. */
static void
it_may_be_used_again(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena);
    arena_reset(&arena);
    for (int round = 0; round < 3; round++) {
        char *text = arena_alloc(&arena, 4000);

        assert_true(text[0] == 0 && text[3999] == 0);
        memset(text, 'x', 4000);
        arena_reset(&arena);
        assert_null(arena.blocks);
    }
}

static void
texts_are_copied(void **state)
{
    struct arena arena;
    char before[] = {'a', '\0', 'b'};
    struct slice copy;

    (void)state;
    arena_init(&arena);
    copy = arena_copy(&arena, slice_make(before, 3));
    before[0] = 'z';
    assert_memory_equal(copy.data, "a\0b", 4); /* and a NUL behind it */
    assert_int_equal(copy.len, 3);
    assert_null(arena_copy(&arena, SLICE_NONE).data);
    assert_non_null(arena_copy(&arena, SLICE_LITERAL("")).data);
    assert_string_equal(arena_strdup(&arena, "word"), "word");
    assert_string_equal(arena_slice_text(&arena, slice_make("words", 4)), "word");
    assert_string_equal(arena_slice_text(&arena, SLICE_NONE), "");
    arena_reset(&arena);
}

static void
prints_of_any_length(void **state)
{
    struct arena arena;
    char *text;

    (void)state;
    arena_init(&arena);
    assert_string_equal(arena_printf(&arena, "%d %s", 7, "seven"), "7 seven");
    text = arena_printf(&arena, "%0100000d", 5);
    assert_int_equal(strlen(text), 100000);
    assert_int_equal(text[99999], '5');
    arena_reset(&arena);
}

/* What fits is taken from the lender, what does not is the arena's own; after the reset the memory is the lender's. */
static void
begins_with_memory_that_is_lent(void **state)
{
    _Alignas(16) char lent[256];
    struct arena arena;
    char *small, *large;

    (void)state;
    memset(lent, 'x', sizeof(lent));
    arena_lend(&arena, lent, sizeof(lent));
    small = arena_alloc(&arena, 100);
    assert_true(small >= lent && small + 100 <= lent + sizeof(lent));
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(small[i], 0);
    large = arena_alloc(&arena, 200);
    assert_true(large + 200 <= lent || large >= lent + sizeof(lent));
    memset(small, 1, 100);
    memset(large, 2, 200);
    arena_reset(&arena);
    memset(lent, 'y', sizeof(lent));
    assert_true(arena_alloc(&arena, 8) != NULL);
    arena_reset(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_zeroed_aligned_and_apart),
        cmocka_unit_test(it_may_be_used_again),
        cmocka_unit_test(texts_are_copied),
        cmocka_unit_test(prints_of_any_length),
        cmocka_unit_test(begins_with_memory_that_is_lent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
