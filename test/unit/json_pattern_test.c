/* Regular expressions as JSON Schema means them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dialect/json/json_pattern.h"

static bool
finds(const char *expression, const char *text)
{
    struct arena arena;
    const struct pattern *pattern;
    const char *why;
    uint64_t work = 1000000;
    bool found;

    arena_init(&arena);
    pattern = pattern_compile(&arena, slice_of(expression), &why);
    if (pattern == NULL)
        fail_msg("%s: %s", expression, why);
    found = pattern_finds(pattern, slice_of(text), &work);
    assert_true(work > 0);
    arena_reset(&arena);
    return found;
}

static void
finds_what_ecma_262_says(void **state)
{
    static const struct {
        const char *expression, *fits, *fits_not;
    } cases[] = {
        {"b", "abc", "ac"},
        {"^b", "bc", "ab"},
        {"b$", "ab", "ba"},
        {"^$", "", "a"},
        {"^a*$", "aaa", "aab"},
        {"^(a|bc)+$", "abca", "abcb"},
        {"^a?b$", "b", "aab"},
        {"^a{2,3}$", "aaa", "aaaa"},
        {"^a{2,}$", "aaaaa", "a"},
        {"^a{2}$", "aa", "aaa"},
        {"^(?:ab){2}$", "abab", "ab"},
        {"^(?<year>\\d{4})-(?<month>\\d\\d)$", "2024-07", "2024-7"},
        {"^[^a-c]$", "d", "b"},
        {"^[a\\-c]$", "-", "b"},
        {"^[a-]$", "-", "b"},
        {"^[\\]\\\\]$", "]", "["},
        {"^[\\w.]+$", "a_1.b", "a b"},
        {"^[\\D]$", "x", "7"},
        {"^\\S\\s\\S$", "a b", "abc"},
        {"^\\S\\s\\S$",
         "a\xc2\xa0"
         "b",
         "abc"},
        {"\\bfoo\\b", "a foo b", "afoob"},
        {"\\Boo", "foo", "oo"},
        {"^...$", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac"},
        {"^[\xc3\xa0-\xc3\xbf]$", "\xc3\xa4", "a"},
        {"^\\u00e4$", "\xc3\xa4", "a"},
        {"^\\ud83d\\ude00$", "\xf0\x9f\x98\x80", "a"},
        {"^\\u{1f600}$", "\xf0\x9f\x98\x80", "a"},
        {"^\\x41$", "A", "x41"},
        {"^.$", "a", "\n"},
        {"^a.*?b$", "axxb", "axx"},
        {"^a{,2}$", "a{,2}", "aa"},
        {"^{}$", "{}", "a"},
        {"^[]$|^x$", "x", ""},
        {"^[^]$", "\n", ""},
        {"^(a*)*$", "aaa", "b"},
        {"^(|a)+$", "", "b"},
        {"a|b|", "zzz", NULL},
        {"^\\/\\.\\$$", "/.$", "x.$"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (!finds(cases[i].expression, cases[i].fits))
            fail_msg("%s should be found in '%s'", cases[i].expression, cases[i].fits);
        if (cases[i].fits_not != NULL && finds(cases[i].expression, cases[i].fits_not))
            fail_msg("%s should not be found in '%s'", cases[i].expression, cases[i].fits_not);
    }
}

static void
says_what_it_does_not_take(void **state)
{
    static const struct {
        const char *expression, *why;
    } cases[] = {
        {"(a)\\1", "back-references"},
        {"(?=a)", "lookaheads"},
        {"(?!a)", "lookaheads"},
        {"(?<=a)b", "lookbehinds"},
        {"(?<!a)b", "lookbehinds"},
        {"(?i)a", "inline flags"},
        {"(?<a", "(?< without >"},
        {"\\p{L}", "\\p{...}"},
        {"\\q", "an escape that is not known"},
        {"a\\", "ends with a backslash"},
        {"(a", "( without )"},
        {"a)", ") without ("},
        {"[a", "[ without ]"},
        {"*a", "nothing before"},
        {"a**", "nothing before"},
        {"[b-a]", "a range in"},
        {"a{3,2}", "the wrong way round"},
        {"a{1001}", "more than 1000"},
        {"a{1,1001}", "more than 1000"},
        {"(a{1000}){1000}", "too large"},
        {"(((){1000}){1000}){1000}", "too large"},
        {"\\u12", "hexadecimal"},
        {"\\u{110000}", "hexadecimal"},
        {"^*", "cannot be repeated"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena arena;
        const char *why = NULL;

        arena_init(&arena);
        assert_null(pattern_compile(&arena, slice_of(cases[i].expression), &why));
        if (strstr(why, cases[i].why) == NULL)
            fail_msg("%s: '%s' does not say '%s'", cases[i].expression, why, cases[i].why);
        arena_reset(&arena);
    }
}

/* What makes a backtracking matcher work for years takes a few steps per character. */
static void
takes_linear_work(void **state)
{
    struct arena arena;
    const struct pattern *pattern;
    const char *why;
    char text[2001];
    uint64_t work = 100 * sizeof(text), little = 100;

    (void)state;
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    arena_init(&arena);
    pattern = pattern_compile(&arena, SLICE_LITERAL("^(a|a|aa)+$b"), &why);
    assert_non_null(pattern);
    assert_false(pattern_finds(pattern, slice_of(text), &work));
    assert_true(work > 0);
    assert_false(pattern_finds(pattern, slice_of(text), &little));
    assert_int_equal(little, 0);
    arena_reset(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_ecma_262_says),
        cmocka_unit_test(says_what_it_does_not_take),
        cmocka_unit_test(takes_linear_work),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
