/* Small files that are written and read whole. */
#include "base/sealed.h"

#include "cmocka_ready.h"

static const char mark[SEALED_MARK_BYTES] = "EQTEST1", other[SEALED_MARK_BYTES] = "EQTEST2";

static struct buffer
a_file(void)
{
    struct buffer file = {0};

    sealed_begin(&file, mark);
    sealed_put(&file, SLICE_LITERAL("one"));
    sealed_put(&file, SLICE_NONE);
    sealed_put(&file, SLICE_LITERAL("three"));
    sealed_end(&file);
    return file;
}

static void
texts_come_back_in_order(void **state)
{
    struct buffer file = a_file();
    struct slice rest, text;

    (void)state;
    assert_int_equal(sealed_open(buffer_content(&file), mark, &rest), OK);
    assert_true(sealed_take(&rest, &text) && slice_is(text, "one"));
    assert_true(sealed_take(&rest, &text) && text.len == 0);
    assert_true(sealed_take(&rest, &text) && slice_is(text, "three"));
    assert_false(sealed_take(&rest, &text));
    buffer_free(&file);
}

static void
what_is_damaged_short_or_of_another_is_refused(void **state)
{
    struct buffer file = a_file();
    struct slice all = buffer_content(&file), rest;

    (void)state;
    assert_int_equal(sealed_open(all, other, &rest), ERR_CORRUPT);
    for (size_t i = 0; i < all.len; i++) {
        assert_int_equal(sealed_open(slice_first(all, i), mark, &rest), ERR_CORRUPT);
        file.data[file.start + i] ^= 1;
        assert_int_equal(sealed_open(all, mark, &rest), ERR_CORRUPT);
        file.data[file.start + i] ^= 1;
    }
    buffer_free(&file);
}

/* A length that leads beyond the end is no text. */
static void
no_text_reaches_beyond_the_end(void **state)
{
    struct buffer file = {0};
    uint32_t len = 5;
    struct slice rest, text;

    (void)state;
    sealed_begin(&file, mark);
    buffer_add(&file, slice_make((const char *)&len, sizeof(len)));
    buffer_add_text(&file, "four");
    sealed_end(&file);
    assert_int_equal(sealed_open(buffer_content(&file), mark, &rest), OK);
    assert_false(sealed_take(&rest, &text));
    buffer_free(&file);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_come_back_in_order),
        cmocka_unit_test(what_is_damaged_short_or_of_another_is_refused),
        cmocka_unit_test(no_text_reaches_beyond_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
