/* Numbers, ids, hexadecimal, nearness of words, patterns, UTF-8. */
#include "base/text.h"

#include "base/rng.h"
#include "cmocka_ready.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static void
whole_numbers(void **state)
{
    static const struct {
        const char *text;
        enum status status;
        uint64_t value;
    } cases[] = {
        {"0", OK, 0},
        {"007", OK, 7},
        {"18446744073709551615", OK, UINT64_MAX},
        {"18446744073709551616", ERR_LIMIT, 0},
        {"28446744073709551615", ERR_LIMIT, 0},
        {"184467440737095516150", ERR_LIMIT, 0},
        {"", ERR_INVALID, 0},
        {"-1", ERR_INVALID, 0},
        {"+1", ERR_INVALID, 0},
        {" 1", ERR_INVALID, 0},
        {"1 ", ERR_INVALID, 0},
        {"1e3", ERR_INVALID, 0},
        {"0x1", ERR_INVALID, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t value = 0;

        assert_int_equal(text_parse_u64(slice_of(cases[i].text), &value), cases[i].status);
        assert_int_equal(value, cases[i].value);
    }
}

static void
round_trip(uint64_t id)
{
    char text[TEXT_ID_SIZE];
    uint64_t back;

    text_format_id(id, text);
    assert_int_equal(strlen(text), 13);
    assert_int_equal(text_parse_id(slice_of(text), &back), OK);
    assert_int_equal(back, id);
}

static void
ids_come_back_and_keep_their_order(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed(&rng, 5);
    for (int bit = 0; bit < 64; bit++) {
        round_trip((uint64_t)1 << bit);
        round_trip(((uint64_t)1 << bit) - 1);
    }
    for (int i = 0; i < 10000; i++) {
        uint64_t a = rng_next(&rng) >> rng_below(&rng, 64), b = i % 3 == 0 ? a + 1 : rng_next(&rng);
        char x[TEXT_ID_SIZE], y[TEXT_ID_SIZE];
        int order;

        round_trip(a);
        text_format_id(a, x);
        text_format_id(b, y);
        order = strcmp(x, y);
        assert_int_equal((order > 0) - (order < 0), (a > b) - (a < b));
    }
}

static void
odd_ids(void **state)
{
    static const struct {
        const char *text;
        enum status status;
        uint64_t value;
    } cases[] = {
        {"0000000000000", OK, 0},
        {"fzzzzzzzzzzzz", OK, UINT64_MAX},
        {"FZZZZZZZZZZZZ", OK, UINT64_MAX},
        {"000000000000z", OK, 31},
        {"o0O00000000lI", OK, 33},
        {"000000000000L", OK, 1},
        {"g000000000000", ERR_INVALID, 0}, /* above 64 bits */
        {"zzzzzzzzzzzzz", ERR_INVALID, 0},
        {"000000000000u", ERR_INVALID, 0}, /* no letter of the alphabet */
        {"000000000000-", ERR_INVALID, 0},
        {"00000000000\xc3\xa9", ERR_INVALID, 0},
        {"000000000000", ERR_INVALID, 0},
        {"00000000000000", ERR_INVALID, 0},
        {"", ERR_INVALID, 0},
    };
    uint64_t value;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        value = 0;
        assert_int_equal(text_parse_id(slice_of(cases[i].text), &value), cases[i].status);
        assert_int_equal(value, cases[i].value);
    }
    assert_int_equal(text_parse_id(SLICE_LITERAL("000000000000\0"), &value), ERR_INVALID);
}

static void
hexadecimal(void **state)
{
    char text[9];
    unsigned char bytes[4];

    (void)state;
    text_format_hex(SLICE_LITERAL("\x00\x7f\x80\xff"), text);
    assert_string_equal(text, "007f80ff");
    assert_int_equal(text_parse_hex(SLICE_LITERAL("00aAfF9b"), bytes, 4), OK);
    assert_memory_equal(bytes, "\x00\xaa\xff\x9b", 4);
    assert_int_equal(text_parse_hex(SLICE_LITERAL("00aAfF9"), bytes, 4), ERR_INVALID);
    assert_int_equal(text_parse_hex(SLICE_LITERAL("00aAfF9bb"), bytes, 4), ERR_INVALID);
    assert_int_equal(text_parse_hex(SLICE_LITERAL("00aAfF9g"), bytes, 4), ERR_INVALID);
    assert_int_equal(text_parse_hex(SLICE_LITERAL("00 AfF9b"), bytes, 4), ERR_INVALID);
    assert_int_equal(text_parse_hex(SLICE_LITERAL(":0@AfF9b"), bytes, 4), ERR_INVALID);
    text_format_hex(SLICE_NONE, text);
    assert_string_equal(text, "");
}

static void
distances(void **state)
{
    static const struct {
        const char *a, *b;
        unsigned edits;
    } cases[] = {
        {"", "", 0},        {"a", "", 1},      {"abc", "abc", 0},   {"abc", "abd", 1},        {"abc", "ab", 1},
        {"abc", "xabc", 1}, {"abc", "acb", 1}, {"abcd", "badc", 2}, {"kitten", "sitting", 3}, {"gpt-4o", "gpt-40", 1},
        {"ab", "ba", 1},    {"abc", "xyz", 3},
    };
    char sixty_four[65], sixty_five[66];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(text_distance(slice_of(cases[i].a), slice_of(cases[i].b)), cases[i].edits);
        assert_int_equal(text_distance(slice_of(cases[i].b), slice_of(cases[i].a)), cases[i].edits);
    }
    memset(sixty_four, 'x', 64);
    memset(sixty_five, 'x', 65);
    sixty_four[64] = sixty_five[65] = '\0';
    assert_int_equal(text_distance(slice_of(sixty_four), slice_of(sixty_four)), 0);
    assert_int_equal(text_distance(slice_of(sixty_five), slice_of(sixty_five)), 64);
    assert_int_equal(text_distance(slice_of(sixty_four), slice_of("")), 64);
}

static void
nearest_words(void **state)
{
    static const char *const words[] = {"listen", "workers", "admin", "route", "routes", "a-rather-long-word"};
    static const struct {
        const char *word, *nearest;
    } cases[] = {
        {"lisen", "listen"},
        {"listen", "listen"},
        {"route", "route"},
        {"routes", "routes"},
        {"roote", "route"},
        {"wrokesr", "workers"},
        {"amdni", NULL}, /* two edits in five letters */
        {"zzz", NULL},
        {"", NULL},
        {"a-rather-longwerd", "a-rather-long-word"},
        {"arather-longwrd", "a-rather-long-word"},
        {"arathr-longwrd", NULL}, /* four edits */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *nearest = text_nearest(slice_of(cases[i].word), words, COUNT_OF(words));

        if (cases[i].nearest == NULL)
            assert_null(nearest);
        else
            assert_string_equal(nearest, cases[i].nearest);
    }
}

static void
patterns(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool fits;
    } cases[] = {
        {"", "", true},           {"", "a", false},         {"*", "", true},
        {"*", "abc", true},       {"?", "", false},         {"?", "a", true},
        {"a*c", "abbbc", true},   {"a*c", "abbb", false},   {"*a*b", "xaxbxb", true},
        {"a?c", "abc", true},     {"a?c", "ac", false},     {"**", "", true},
        {"gpt-*", "gpt-5", true}, {"gpt-*", "gp-5", false}, {"*.json", "a.json.json", true},
        {"abc", "abcd", false},
    };
    char many_stars[201], many_as[201];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(text_glob(slice_of(cases[i].pattern), slice_of(cases[i].text)), cases[i].fits);
    for (int i = 0; i < 200; i++) { /* what is exponential in a plain recursion */
        many_stars[i] = i % 2 == 0 ? '*' : 'a';
        many_as[i] = 'a';
    }
    many_stars[199] = 'b';
    many_stars[200] = many_as[200] = '\0';
    assert_false(text_glob(slice_of(many_stars), slice_of(many_as)));
}

static void
utf8(void **state)
{
    static const struct slice good[] = {
        SLICE_LITERAL(""),
        SLICE_LITERAL("\0\x7f"),
        SLICE_LITERAL("\xc2\x80\xdf\xbf"),
        SLICE_LITERAL("\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"),
        SLICE_LITERAL("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"),
    };
    static const struct slice bad[] = {
        SLICE_LITERAL("\x80"), /* a continuation first */
        SLICE_LITERAL("\xbf"),
        SLICE_LITERAL("\xc2"), /* cut */
        SLICE_LITERAL("\xe2\x82"),
        SLICE_LITERAL("\xf0\x9f\x98"),
        SLICE_LITERAL("\xc2"
                      "a"), /* another byte instead of a continuation */
        SLICE_LITERAL("\xe2\x82"
                      "a"),
        SLICE_LITERAL("\xe2"
                      "a\x82"),
        SLICE_LITERAL("\xf0\x9f\x98"
                      "a"),
        SLICE_LITERAL("\xc0\x80"), /* overlong */
        SLICE_LITERAL("\xc1\xbf"),
        SLICE_LITERAL("\xe0\x9f\xbf"),
        SLICE_LITERAL("\xf0\x8f\xbf\xbf"),
        SLICE_LITERAL("\xed\xa0\x80"), /* surrogates */
        SLICE_LITERAL("\xed\xbf\xbf"),
        SLICE_LITERAL("\xf4\x90\x80\x80"), /* above U+10FFFF */
        SLICE_LITERAL("\xf5\x80\x80\x80"),
        SLICE_LITERAL("\xfe"),
        SLICE_LITERAL("\xff"),
        SLICE_LITERAL("fine\xc3\xa9, then not\xff"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_true(text_is_utf8(good[i]));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(text_is_utf8(bad[i]));
    assert_int_equal(text_utf8_len(SLICE_LITERAL("\xe2\x82\xac...")), 3);
    assert_int_equal(text_utf8_len(SLICE_LITERAL("\xe2\x82")), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers), cmocka_unit_test(ids_come_back_and_keep_their_order),
        cmocka_unit_test(odd_ids),       cmocka_unit_test(hexadecimal),
        cmocka_unit_test(distances),     cmocka_unit_test(nearest_words),
        cmocka_unit_test(patterns),      cmocka_unit_test(utf8),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
