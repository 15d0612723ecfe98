/* Slices that have evidence of their own: places, their alpha, lists that change, and what is kept of them. */
#include "quality/parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { LIST = 7, OTHER = 8 };

static unsigned
place(struct parts *parts, const char *name)
{
    bool is_new;

    return parts_place(parts, "chat", LIST, name, &is_new);
}

static void
who_comes_first_is_first(void **state)
{
    struct parts parts;
    struct buffer name = {0};
    bool is_new;

    (void)state;
    parts_init(&parts);
    assert_int_equal(place(&parts, "tenant=a"), 0); /* nobody said that this route is cut */
    assert_true(parts_follow(&parts, "chat", LIST));
    assert_false(parts_follow(&parts, "chat", LIST));
    assert_false(parts_follow(&parts, "other", 0));
    assert_int_equal(parts_place(&parts, "chat", LIST, "tenant=a", &is_new), 1);
    assert_true(is_new);
    assert_int_equal(place(&parts, "tenant=b"), 2);
    assert_int_equal(parts_place(&parts, "chat", LIST, "tenant=a", &is_new), 1);
    assert_false(is_new);
    assert_int_equal(parts_place(&parts, "chat", OTHER, "tenant=a", &is_new), 0);
    assert_true(parts_at(&parts, "chat", 2, &name));
    assert_true(slice_is(buffer_content(&name), "tenant=b"));
    assert_false(parts_at(&parts, "chat", 3, &name) || parts_at(&parts, "chat", 0, &name) ||
                 parts_at(&parts, "other", 1, &name));
    buffer_free(&name);
    parts_free(&parts);
}

/* Whatever comes, there is an end of places, and of alpha. */
static void
places_are_bounded_and_so_is_their_alpha(void **state)
{
    struct parts parts;
    uint64_t sum = 0;
    char *longest = malloc(PART_NAME_BYTES_MOST + 2);

    (void)state;
    parts_init(&parts);
    assert_true(parts_follow(&parts, "chat", LIST));
    assert_non_null(longest);
    memset(longest, 'x', PART_NAME_BYTES_MOST + 1);
    longest[PART_NAME_BYTES_MOST + 1] = '\0';
    assert_int_equal(place(&parts, longest), 0);
    for (unsigned i = 0; i < 2 * PARTS_MOST; i++) {
        char name[32];

        snprintf(name, sizeof(name), "tenant=%u", i);
        assert_int_equal(place(&parts, name), i < PARTS_MOST ? i + 1 : 0);
    }
    assert_true(parts_is_first_without(&parts, "chat"));
    assert_false(parts_is_first_without(&parts, "chat"));
    for (unsigned i = 1; i <= PARTS_MOST; i++)
        sum += parts_alpha_ppm(25000, i);
    assert_int_equal(parts_alpha_ppm(25000, 1), 12500);
    assert_int_equal(parts_alpha_ppm(25000, 2), 4166);
    assert_true(sum <= 25000);
    assert_int_equal(parts_alpha_ppm(5, 2), 0);
    assert_true(parts_follow(&parts, "chat", 0)); /* another list: nobody has a place */
    assert_true(parts_follow(&parts, "chat", LIST));
    assert_int_equal(place(&parts, "tenant=9"), 1);
    assert_true(parts_is_first_without(&parts, "chat"));
    free(longest);
    parts_free(&parts);
}

static void
what_is_kept_comes_back(void **state)
{
    struct parts parts, again;
    struct buffer kept = {0}, twice = {0};

    (void)state;
    parts_init(&parts);
    parts_init(&again);
    parts_save(&parts, "chat", &kept);
    assert_int_equal(buffer_len(&kept), 0);
    assert_true(parts_follow(&parts, "chat", LIST));
    assert_int_equal(place(&parts, "tenant=a"), 1);
    assert_int_equal(place(&parts, "tenant=b, tag:x="), 2);
    parts_save(&parts, "chat", &kept);
    assert_int_equal(parts_restore(&again, "chat", buffer_content(&kept)), OK);
    assert_true(parts_are(&again, "chat", LIST));
    assert_int_equal(place(&again, "tenant=b, tag:x="), 2);
    parts_save(&again, "chat", &twice);
    assert_true(slice_equal(buffer_content(&kept), buffer_content(&twice)));
    for (size_t i = 0; i < buffer_len(&kept); i++) { /* cut anywhere, nothing changes */
        assert_int_equal(parts_restore(&again, "chat", slice_first(buffer_content(&kept), i)), ERR_CORRUPT);
        assert_int_equal(place(&again, "tenant=b, tag:x="), 2);
    }
    buffer_free(&kept);
    buffer_free(&twice);
    parts_free(&parts);
    parts_free(&again);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_comes_first_is_first),
        cmocka_unit_test(places_are_bounded_and_so_is_their_alpha),
        cmocka_unit_test(what_is_kept_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
