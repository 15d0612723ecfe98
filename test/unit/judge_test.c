/* Judges: which answers are as acceptable as the reference's, and what cannot be judged. */
#include "quality/judge.h"

#include <math.h>

#include "base/rng.h"
#include "cmocka_ready.h"
#include "dialect/json/json_schema.h"

enum { NOT, ACCEPTABLE, FAILED };

/* What the judge said, with the texts shown where it is not what was expected. */
static void
expect(const struct judge_rule *rule, const char *reference, const char *candidate, unsigned expected)
{
    double outcome = -1;
    enum status status = judge_compare(rule, slice_of(reference), slice_of(candidate), &outcome);
    unsigned said = status != OK ? FAILED : outcome == 1 ? ACCEPTABLE : NOT;

    if (said != expected)
        print_error("\"%s\" against \"%s\"\n", candidate, reference);
    assert_int_equal(said, expected);
    assert_true(status != OK || outcome == 0 || outcome == 1);
}

static void
exact_looks_past_white_space_case_and_a_full_stop(void **state)
{
    const struct judge_rule rule = {.judge = JUDGE_EXACT};

    (void)state;
    expect(&rule, "Paris", "Paris", ACCEPTABLE);
    expect(&rule, "Paris", " paris.\n", ACCEPTABLE);
    expect(&rule, "in  the\nevening", "in the evening", ACCEPTABLE);
    expect(&rule, "", "", ACCEPTABLE);
    expect(&rule, "", " ", ACCEPTABLE);
    expect(&rule, "Paris", "Paris, France", NOT);
    expect(&rule, "Paris, France", "Paris", NOT);
    expect(&rule, "in the", "inthe", NOT);
    expect(&rule, "wait", "wait...", NOT);
    expect(&rule, "1.5", "15", NOT);
    expect(&rule, "Paris", "", NOT);
    expect(&rule, "\xc3\x89t\xc3\xa9", "\xc3\xa9t\xc3\xa9", NOT); /* only ASCII letters */
}

static void
numeric_compares_the_last_number(void **state)
{
    const struct judge_rule last = {.judge = JUDGE_NUMERIC, .tolerance = 1e-6};
    const struct judge_rule any = {.judge = JUDGE_NUMERIC, .tolerance = 1e-6, .any_number = true};
    const struct judge_rule rough = {.judge = JUDGE_NUMERIC, .tolerance = .01};

    (void)state;
    expect(&last, "3 + 4 = 7", "The answer is 7.", ACCEPTABLE);
    expect(&last, "7", "7 of 9", NOT);
    expect(&any, "7", "7 of 9", ACCEPTABLE);
    expect(&any, "7 of 9", "7", NOT); /* the last of the reference */
    expect(&last, "1234567.5", "$1,234,567.50", ACCEPTABLE);
    expect(&last, "-5", "it falls by -$5", ACCEPTABLE);
    expect(&last, "5", "-5", NOT);
    expect(&last, "-5",
           "\xe2\x88\x92"
           "5",
           ACCEPTABLE);
    expect(&last,
           "\xe2\x82\xac"
           "50",
           "50", ACCEPTABLE);
    expect(&last, "1e3", "1000", ACCEPTABLE);
    expect(&last, ".5", "0.5", ACCEPTABLE);
    expect(&last, "0", "-0", ACCEPTABLE);
    expect(&last, "3.1416", "3.1415", NOT);
    expect(&rough, "3.1416", "3.1415", ACCEPTABLE);
    expect(&rough, "100", "98.9", NOT);
    expect(&last, "7", "none", NOT);
    expect(&last, "7", "", NOT);
    expect(&last, "none", "7", FAILED);
    expect(&last, "none", "none", ACCEPTABLE);
    expect(&last, "1e999", "2e999", FAILED);
    expect(&last, "7", "1e999", NOT);
}

static void
expect_numbers(const char *text, const double *numbers, size_t count)
{
    struct slice slice = slice_of(text);
    size_t at = 0, found = 0;
    double number;

    for (; judge_next_number(slice, &at, &number); found++) {
        assert_true(found < count);
        assert_true(number == numbers[found]);
    }
    assert_int_equal(found, count);
}

static void
numbers_are_found_as_people_write_them(void **state)
{
    (void)state;
    expect_numbers("10-5", (double[]){10, 5}, 2);
    expect_numbers("10 - -5", (double[]){10, -5}, 2);
    expect_numbers("gpt4 x86 covid-19 3rd", (double[]){19, 3}, 2);
    expect_numbers("1,234 1,23 12,345,678 1234,567", (double[]){1234, 1, 23, 12345678, 1234, 567}, 6);
    expect_numbers("1.2.3", (double[]){1.2}, 1);
    expect_numbers("5. And 6,", (double[]){5, 6}, 2);
    expect_numbers("2e 2e- 2e-1", (double[]){2, 2, .2}, 3);
    expect_numbers("no . - , e", NULL, 0);
    expect_numbers("", NULL, 0);
    expect_numbers("11111111111111111111111111111111111111111111111111111111111111111", (double[]){INFINITY}, 1);
}

static void
json_is_compared_field_by_field(void **state)
{
    const struct judge_rule rule = {.judge = JUDGE_JSON, .same_fields = true};

    (void)state;
    expect(&rule, "{\"a\": 1, \"b\": [true, null]}", "{\"b\":[true,null],\"a\":1.0}", ACCEPTABLE);
    expect(&rule, "{\"a\": \"x\"}", "{\"a\": \"X\"}", NOT);
    expect(&rule, "{\"a\": 1}", "{\"a\": 1, \"b\": 2}", NOT);
    expect(&rule, "{\"a\": 1, \"b\": 2}", "{\"a\": 1}", NOT);
    expect(&rule, "{\"a\": 1}", "{\"b\": 1}", NOT);
    expect(&rule, "{\"a\": 1, \"a\": 1}", "{\"a\": 1, \"b\": 2}", NOT);
    expect(&rule, "{\"ab\": 1, \"a\": 2}", "{\"a\": 2, \"ab\": 1}", ACCEPTABLE);
    expect(&rule, "[1, 2]", "[2, 1]", NOT);
    expect(&rule, "[1, 2]", "[1]", NOT);
    expect(&rule, "[1]", "[1, 2]", NOT);
    expect(&rule, "18446744073709551615", "18446744073709551614", NOT);
    expect(&rule, "1", "\"1\"", NOT);
    expect(&rule, "[{}, [[]]]", " [ {}, [[]]]", ACCEPTABLE);
    expect(&rule, "{}", "not JSON", NOT);
    expect(&rule, "{}", "", NOT);
    expect(&rule, "not JSON", "{}", FAILED);
    expect(&rule, "not JSON", "not JSON", ACCEPTABLE);
}

static void
json_may_have_to_fit_a_schema(void **state)
{
    char problem[SCHEMA_WORDS_SIZE];
    struct arena arena;
    struct judge_rule rule = {.judge = JUDGE_JSON};

    (void)state;
    arena_init(&arena);
    rule.schema =
        json_schema_compile(&arena, SLICE_LITERAL("{\"type\": \"object\", \"required\": [\"city\"]}"), problem);
    assert_non_null(rule.schema);
    expect(&rule, "{\"city\": \"Rome\"}", "{\"city\": \"Oslo\"}", ACCEPTABLE);
    expect(&rule, "whatever it is", "{\"city\": \"Oslo\"}", ACCEPTABLE);
    expect(&rule, "{\"city\": \"Rome\"}", "{\"town\": \"Rome\"}", NOT);
    expect(&rule, "{\"city\": \"Rome\"}", "Rome", NOT);
    expect(&rule, "I cannot help with that.", "I cannot help with that.", NOT);
    expect(&rule, "{\"city\": \"Rome\"}", "{\"city\": \"Rome\"}", ACCEPTABLE);
    rule.same_fields = true;
    expect(&rule, "{\"city\": \"Rome\"}", "{\"city\": \"Oslo\"}", NOT);
    expect(&rule, "{\"city\": \"Rome\"}", "{ \"city\": \"Rome\" }", ACCEPTABLE);
    expect(&rule, "{\"town\": \"Rome\"}", "{\"town\":  \"Rome\"}", NOT);
    rule = (struct judge_rule){.judge = JUDGE_JSON};
    expect(&rule, "{}", "{ }", FAILED); /* nothing was asked of it */
    arena_reset(&arena);
}

/* Counts the calls in `context`: the shorter text's share of the longer; none if a text is "?". */
static bool
by_length(void *context, struct slice a, struct slice b, double *cosine)
{
    ++*(unsigned *)context;
    *cosine = (double)(a.len < b.len ? a.len : b.len) / (double)(a.len < b.len ? b.len : a.len);
    return !slice_is(a, "?") && !slice_is(b, "?");
}

static void
embedding_asks_for_a_cosine(void **state)
{
    unsigned calls = 0;
    const struct judge_rule rule = {
        .judge = JUDGE_EMBEDDING, .cosine_least = .75, .similarity = by_length, .context = &calls};

    (void)state;
    expect(&rule, "four", "thr", ACCEPTABLE);
    expect(&rule, "four", "tw", NOT);
    expect(&rule, "four", "?", FAILED);
    assert_int_equal(calls, 3);
    expect(&rule, "same", "same", ACCEPTABLE);
    expect(&rule, "same", " \n", NOT);
    assert_int_equal(calls, 3); /* not asked where it is clear */
}

static void
judges_have_names(void **state)
{
    enum judge judge;

    (void)state;
    for (unsigned i = 0; i < JUDGE_COUNT; i++) {
        assert_true(judge_of_name(slice_of(judge_name((enum judge)i)), &judge));
        assert_int_equal(judge, i);
    }
    assert_false(judge_of_name(SLICE_LITERAL("exac"), &judge));
}

/* Any bytes: deep, cut, without a NUL behind them. */
static void
any_bytes_are_a_text(void **state)
{
    const char alphabet[] = "01.,-+e$[]{}\":a \xe2\x88\x92\x00\xff";
    struct rng rng;

    (void)state;
    rng_seed(&rng, 1);
    for (unsigned i = 0; i < 20000; i++) {
        size_t len = rng_below(&rng, 24), cut = len > 0 ? rng_below(&rng, len + 1) : 0;
        char *text = must_alloc(len + 1);
        struct judge_rule rule = {
            .judge = (enum judge)rng_below(&rng, JUDGE_EMBEDDING), .same_fields = true, .any_number = i % 2 == 0};
        double outcome = -1;

        for (size_t k = 0; k < len; k++)
            text[k] = alphabet[rng_below(&rng, sizeof(alphabet) - 1)];
        if (judge_compare(&rule, slice_make(text, cut), slice_make(text + cut, len - cut), &outcome) == OK)
            assert_true(outcome == 0 || outcome == 1);
        free(text);
    }
}

static void
deep_values_are_not_followed_for_ever(void **state)
{
    enum { DEPTH = 100000 };
    const struct judge_rule rule = {.judge = JUDGE_JSON, .same_fields = true};
    char *deep = must_alloc(2 * DEPTH + 2), *other = must_alloc(2 * DEPTH + 2);
    double outcome = -1;

    (void)state;
    memset(deep, '[', DEPTH);
    memset(deep + DEPTH, ']', DEPTH);
    memcpy(other, deep, 2 * DEPTH);
    other[2 * DEPTH] = ' ';
    assert_int_equal(judge_compare(&rule, slice_make(deep, 2 * DEPTH), slice_make(other, 2 * DEPTH + 1), &outcome), OK);
    assert_true(outcome == 0);
    free(deep);
    free(other);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_looks_past_white_space_case_and_a_full_stop),
        cmocka_unit_test(numeric_compares_the_last_number),
        cmocka_unit_test(numbers_are_found_as_people_write_them),
        cmocka_unit_test(json_is_compared_field_by_field),
        cmocka_unit_test(json_may_have_to_fit_a_schema),
        cmocka_unit_test(embedding_asks_for_a_cosine),
        cmocka_unit_test(judges_have_names),
        cmocka_unit_test(any_bytes_are_a_text),
        cmocka_unit_test(deep_values_are_not_followed_for_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
