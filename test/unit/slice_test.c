/* Slices, empty ones and those without data too. */
#include "base/slice.h"

#include "cmocka_ready.h"

static void
without_data(void **state)
{
    struct slice none = SLICE_NONE;

    (void)state;
    assert_true(slice_equal(none, SLICE_LITERAL("")));
    assert_true(slice_is(none, "") && slice_is_nocase(none, "") && slice_starts(none, "") && slice_ends(none, ""));
    assert_false(slice_is(none, "a") || slice_starts(none, "a") || slice_ends(none, "a"));
    assert_int_equal(slice_from(none, 0).len, 0);
    assert_int_equal(slice_from(none, 5).len, 0);
    assert_int_equal(slice_first(none, 5).len, 0);
    assert_int_equal(slice_find_byte(none, 'a'), 0);
    assert_int_equal(slice_find(none, SLICE_LITERAL("a")), 0);
    assert_int_equal(slice_trim(none).len, 0);
    assert_null(slice_of(NULL).data);
}

static void
parts(void **state)
{
    struct slice text = SLICE_LITERAL("abcdef");

    (void)state;
    assert_true(slice_is(slice_from(text, 2), "cdef"));
    assert_true(slice_is(slice_from(text, 6), ""));
    assert_true(slice_is(slice_from(text, 7), ""));
    assert_ptr_equal(slice_from(text, 7).data, text.data + 6);
    assert_true(slice_is(slice_first(text, 2), "ab"));
    assert_true(slice_is(slice_first(text, 9), "abcdef"));
}

static void
comparing(void **state)
{
    struct slice text = SLICE_LITERAL("Content-Type");

    (void)state;
    assert_true(slice_is_nocase(text, "content-TYPE"));
    assert_false(slice_is_nocase(text, "content-typ") || slice_is_nocase(text, "content-types"));
    assert_false(slice_is(text, "content-type"));
    assert_true(slice_starts(text, "Content") && slice_ends(text, "Type"));
    assert_false(slice_starts(text, "Content-Type:") || slice_ends(text, "xContent-Type"));
    assert_false(slice_equal(SLICE_LITERAL("a\0b"), SLICE_LITERAL("a\0c")));
}

static void
finding(void **state)
{
    struct slice text = SLICE_LITERAL("one, two, \0 two");

    (void)state;
    assert_int_equal(slice_find(text, SLICE_LITERAL("two")), 5);
    assert_int_equal(slice_find(text, SLICE_LITERAL("\0 two")), 10);
    assert_int_equal(slice_find(text, SLICE_LITERAL("three")), text.len);
    assert_int_equal(slice_find(text, SLICE_LITERAL("")), 0);
    assert_int_equal(slice_find(SLICE_LITERAL("aa"), SLICE_LITERAL("aaa")), 2);
    assert_int_equal(slice_find_byte(text, ','), 3);
    assert_int_equal(slice_find_byte(text, '\0'), 10);
    assert_int_equal(slice_find_byte(text, 'x'), text.len);
    assert_true(slice_is(slice_trim(SLICE_LITERAL(" \t\r\n a b\n ")), "a b"));
    assert_int_equal(slice_trim(SLICE_LITERAL(" \t ")).len, 0);
}

static void
splitting(void **state)
{
    static const char *const wanted[] = {"", "a", "", "b", ""};
    struct slice rest = SLICE_LITERAL(",a,,b,"), only = SLICE_LITERAL("x"), empty = SLICE_LITERAL("");
    size_t count = 0;

    (void)state;
    while (rest.data != NULL) {
        assert_true(count < 5);
        assert_true(slice_is(slice_split(&rest, ','), wanted[count++]));
    }
    assert_int_equal(count, 5);
    assert_true(slice_is(slice_split(&only, ','), "x"));
    assert_null(only.data);
    assert_int_equal(slice_split(&empty, ',').len, 0);
    assert_null(empty.data);
}

static void
copying(void **state)
{
    char *copy = slice_strdup(slice_make("words", 4)), *none = slice_strdup(SLICE_NONE);

    (void)state;
    assert_string_equal(copy, "word");
    assert_string_equal(none, "");
    free(copy);
    free(none);
}

#define FRUITS(X) X("Apple") X("pear") X("kiwi")

/* As a look through the whole list would say, whatever the length or the first letter. */
static void
sets_of_names(void **state)
{
    static const struct slice all[] = {FRUITS(SLICE_LISTED)};
    static const struct slice_set fruits = {all, sizeof(all) / sizeof(*all), 0 FRUITS(SLICE_LENGTH)};
    static const struct {
        const char *name;
        bool among;
    } cases[] = {
        {"apple", true},
        {"APPLE", true},
        {"Pear", true},
        {"KIWI", true},
        {"", false},
        {"pea", false},
        {"pears", false},
        {"bear", false},
        {"peat", false},
        {"kiw", false},
        {"`pple", false},
        {"pe[r", false},
        {"a name of sixty-eight bytes, which is longer than all bits of a word..", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(slice_set_has_nocase(&fruits, slice_of(cases[i].name)), cases[i].among);
        assert_int_equal(slice_is_among_nocase(slice_of(cases[i].name), all, 3), cases[i].among);
    }
    assert_false(slice_equal_nocase(SLICE_LITERAL("[x"), SLICE_LITERAL("{x"))); /* as far apart as A and a */
    assert_true(slice_equal_nocase(SLICE_LITERAL(""), SLICE_NONE));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_data),  cmocka_unit_test(parts),     cmocka_unit_test(comparing),
        cmocka_unit_test(finding),       cmocka_unit_test(splitting), cmocka_unit_test(copying),
        cmocka_unit_test(sets_of_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
