/* A price file's mistakes are all found, with their places, before it is used. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "money/prices/prices.h"

#define MODEL(id, prices) "{\"id\":\"" id "\",\"match\":{\"equals\":\"" id "\"},\"prices\":" prices "}"
#define FILE_OF(models) "[{\"id\":\"acme\",\"models\":[\n" models "]}]"

static const struct problem *
find(const struct problems *problems, const char *words)
{
    for (size_t i = 0; i < problems->count; i++)
        if (strstr(problems->all[i].text, words) != NULL)
            return &problems->all[i];
    return NULL;
}

/* Lints, and wants a problem of that severity with these words on that line (0: any). */
static void
assert_found(const char *json, enum severity severity, unsigned line, const char *words)
{
    struct problems problems;
    const struct problem *found;

    problems_init(&problems);
    prices_lint(slice_of(json), "made-up.json", &problems);
    found = find(&problems, words);
    if (found == NULL)
        print_error("not found: %s\n", words);
    assert_non_null(found);
    assert_int_equal(found->severity, severity);
    assert_string_equal(found->file, "made-up.json");
    if (line != 0)
        assert_int_equal(found->line, line);
    problems_free(&problems);
}

static void
a_good_file_has_no_problems(void **state)
{
    struct problems problems;

    (void)state;
    problems_init(&problems);
    prices_lint(slice_of(FILE_OF(MODEL("m", "{\"input_mtok\":2,\"cache_read_mtok\":0.2,\"output_mtok\":8}"))), "f",
                &problems);
    assert_int_equal(problems.count, 0);
    problems_free(&problems);
}

static void
what_cannot_be_meant_is_refused(void **state)
{
    (void)state;
    assert_found("{", PROBLEM_ERROR, 1, "not JSON");
    assert_found("", PROBLEM_ERROR, 1, "not JSON");
    assert_found("{}", PROBLEM_ERROR, 0, "a price file is a list of providers");
    assert_found("[1]", PROBLEM_ERROR, 0, "a provider must be an object");
    assert_found("[{\"models\":[]}]", PROBLEM_ERROR, 0, "\"id\"");
    assert_found("[{\"id\":\"acme\"}]", PROBLEM_ERROR, 0, "\"models\" must be a list");
    assert_found(FILE_OF("{\"id\":\"m\"}"), PROBLEM_ERROR, 0, "a match must be an object");
    assert_found(FILE_OF("{\"id\":\"m\",\"match\":{\"equals\":\"m\"}}"), PROBLEM_ERROR, 0, "\"prices\" must be");
    assert_found(FILE_OF(MODEL("m", "[]")), PROBLEM_ERROR, 0, "empty list");
    assert_found(FILE_OF(MODEL("m", "{\"input_mtok\":-2}")), PROBLEM_ERROR, 2, "0 or more");
    assert_found(FILE_OF(MODEL("m", "{\"input_mtok\":\"two\"}")), PROBLEM_ERROR, 2, "0 or more");
    assert_found(FILE_OF(MODEL("m", "{\"input_mtok\":0.0000025}")), PROBLEM_ERROR, 2, "cannot be meant");
    assert_found(FILE_OF(MODEL("m", "{\"input_mtok\":2500000}")), PROBLEM_ERROR, 2, "cannot be meant");
    assert_found(FILE_OF(MODEL("m", "{\"input_mtok\":1,\"input_mtok\":2}")), PROBLEM_ERROR, 2, "given twice");
    assert_found(FILE_OF(MODEL("m", "{\"input_mtok\":{\"base\":1,\"tiers\":[{\"start\":-1,\"price\":2}]}}")),
                 PROBLEM_ERROR, 2, "whole number of tokens");
    assert_found(FILE_OF(MODEL("m", "[{\"prices\":{},\"constraint\":{\"start_date\":\"soon\"}}]")), PROBLEM_ERROR, 2,
                 "must be a date");
    assert_found(FILE_OF(MODEL("m", "[{\"prices\":{},\"constraint\":{\"start_time\":\"25:00\"}}]")), PROBLEM_ERROR, 2,
                 "time of day");
}

static void
all_mistakes_are_shown_and_not_only_the_first(void **state)
{
    struct problems problems;

    (void)state;
    problems_init(&problems);
    prices_lint(slice_of(FILE_OF(MODEL("a", "{\"input_mtok\":-2}") ",\n" MODEL("b", "{\"input_mtok\":-3}"))), "f",
                &problems);
    assert_int_equal(problems.errors, 2);
    assert_int_equal(problems.all[0].line, 2);
    assert_int_equal(problems.all[1].line, 3);
    problems_free(&problems);
}

static void
what_looks_odd_is_warned_of(void **state)
{
    (void)state;
    assert_found(FILE_OF(MODEL("m", "{\"input_mtok\":10,\"output_mtok\":2}")), PROBLEM_WARNING, 2,
                 "much cheaper than input");
    assert_found(FILE_OF(MODEL("m", "{\"input_mtok\":1,\"cache_read_mtok\":2,\"output_mtok\":2}")), PROBLEM_WARNING, 2,
                 "dearer than input");
    assert_found(FILE_OF(MODEL("m", "{\"inptu_mtok\":1}")), PROBLEM_WARNING, 2, "no unit that can be priced");
    assert_found(FILE_OF(MODEL("m", "{\"output_mtok\":1,\"cache_read_mtok\":1}")), PROBLEM_WARNING, 2,
                 "no cost can be computed");
    assert_found(FILE_OF(MODEL("m", "{\"input_mtok\":1,\"output_mtok\":2}")), PROBLEM_WARNING, 1,
                 "1 of 1 models have no cache_read_mtok");
    assert_found(FILE_OF(MODEL("m", "{}")), PROBLEM_WARNING, 2, "everything costs 0");
    assert_found(FILE_OF(MODEL("m", "{\"input_mtok\":1}") ",\n" MODEL("m", "{\"input_mtok\":2}")), PROBLEM_WARNING, 3,
                 "cannot be reached");
    assert_found(FILE_OF(MODEL("m", "[{\"prices\":{\"input_mtok\":1},\"constraint\":{\"start_date\":\"2026-05-01\"}},\n"
                                    "{\"prices\":{\"input_mtok\":2},\"constraint\":{\"start_date\":\"2026-05-01\"}}]")),
                 PROBLEM_WARNING, 3, "dates overlap");
    assert_found(FILE_OF(MODEL("m", "[{\"prices\":{\"input_mtok\":1}},{\"prices\":{\"input_mtok\":2}}]")),
                 PROBLEM_WARNING, 2, "always hold");
    assert_found(FILE_OF("{\"id\":\"m\",\"match\":{\"regex\":\"(?=x)\"},\"prices\":{\"input_mtok\":1}}"),
                 PROBLEM_WARNING, 2, "never matches");
    assert_found("[{\"id\":\"a\",\"models\":[]},\n{\"id\":\"a\",\"models\":[]}]", PROBLEM_WARNING, 2, "there twice");
}

static void
expressions_that_could_take_forever_are_not_compiled(void **state)
{
    static const char *const patterns[] = {"((((a{64}){64}){64}){64})", "(((((((((((((a+)+)+)+)+)+)+)+)+)+)+)+)+)+",
                                           "(a)\\\\1", "a+?", "["};
    char json[512];

    (void)state;
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        snprintf(json, sizeof json,
                 "[{\"id\":\"a\",\"models\":[{\"id\":\"m\",\"match\":{\"regex\":\"%s\"},\"prices\":{}}]}]",
                 patterns[i]);
        assert_found(json, PROBLEM_WARNING, 1, "not understood");
    }
}

static void
the_place_is_right_behind_escaped_line_ends(void **state)
{
    (void)state;
    assert_found(FILE_OF("{\"id\":\"a\\nb\\n\",\"match\":{\"equals\":\"m\"},\n\"prices\":{\"input_mtok\":-1}}"),
                 PROBLEM_ERROR, 3, "0 or more");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_file_has_no_problems),
        cmocka_unit_test(what_cannot_be_meant_is_refused),
        cmocka_unit_test(all_mistakes_are_shown_and_not_only_the_first),
        cmocka_unit_test(what_looks_odd_is_warned_of),
        cmocka_unit_test(expressions_that_could_take_forever_are_not_compiled),
        cmocka_unit_test(the_place_is_right_behind_escaped_line_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
