/* Tasks of computable truth: what is made is solved from its prompt alone, checks tell right from wrong, and models of
 * higher ability are right more often. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "twin/tasks.h"

enum { SEEDS = 500 };

static void
every_task_is_solved_from_its_prompt(void **state)
{
    (void)state;
    for (enum task_family family = 0; family < TASK_FAMILIES; family++)
        for (unsigned i = 0; i < SEEDS; i++) {
            struct arena arena;
            struct task task;
            struct solution solution;

            arena_init(&arena);
            task_make(&task, family, 1 + i % TASK_DIFFICULTY_MOST, i, &arena);
            if (!task_solve(slice_of(task.prompt), &arena, &solution))
                fail_msg("not solved: %s", task.prompt);
            assert_int_equal(solution.family, family);
            if (solution.difficulty != task.difficulty)
                fail_msg("difficulty %u read as %u: %s", task.difficulty, solution.difficulty, task.prompt);
            if (!solution_check(&solution, slice_of(task.truth)))
                fail_msg("%s\ntruth %s, solved %s", task.prompt, task.truth, solution.right);
            assert_true(task_check(slice_of(task.prompt), slice_of(task.truth)));
            arena_reset(&arena);
        }
}

static void
mistakes_are_not_useful(void **state)
{
    (void)state;
    for (enum task_family family = 0; family < TASK_FAMILIES; family++)
        for (unsigned i = 0; i < SEEDS; i++) {
            struct arena arena;
            struct task task;
            struct solution solution;

            arena_init(&arena);
            task_make(&task, family, 1 + i % TASK_DIFFICULTY_MOST, i, &arena);
            assert_true(task_solve(slice_of(task.prompt), &arena, &solution));
            for (unsigned w = 0; w < solution.wrong_count; w++)
                if (task_check(slice_of(task.prompt), slice_of(solution.wrong[w])))
                    fail_msg("passes for right: %s\n%s", task.prompt, solution.wrong[w]);
            assert_false(task_check(slice_of(task.prompt), slice_of("")));
            assert_false(task_check(slice_of(task.prompt), slice_of("I do not know.")));
            arena_reset(&arena);
        }
}

static void
the_same_seed_makes_the_same_task(void **state)
{
    struct arena arena;
    struct task first, again, other;

    (void)state;
    arena_init(&arena);
    task_make(&first, TASK_LOOKUP, 4, 7, &arena);
    task_make(&again, TASK_LOOKUP, 4, 7, &arena);
    task_make(&other, TASK_LOOKUP, 4, 8, &arena);
    assert_string_equal(first.prompt, again.prompt);
    assert_string_not_equal(first.prompt, other.prompt);
    arena_reset(&arena);
}

/* Truths worked out by hand, not by this program. */
static void
answers_agree_with_ones_worked_out_by_hand(void **state)
{
    static const struct {
        const char *prompt, *answer;
        bool useful;
    } cases[] = {
        {"What is 2+2?", "4", true},
        {"What is 2 + 3 * 4?", "That makes 14.", true},
        {"What is 2 + 3 * 4?", "20", false},
        {"Calculate (2 + 3) * 4 - 1.", "19", true},
        {"How much is 7 - 10?", "-3", true},
        {"How much is 7 - 10?", "3", false},
        {"Convert 26.2 miles to kilometres.", "42.16", true},
        {"Convert 26.2 miles to kilometres.", "16.28", false},
        {"Convert 100 degrees Celsius to degrees Fahrenheit.", "212", true},
        {"Convert 98.6 degrees Fahrenheit to degrees Celsius.", "37", true},
        {"Convert -40 degrees Celsius to degrees Fahrenheit.", "-40", true},
        {"Convert 1 pounds to grams.", "453.59 grams", true},
        {"Which date is 20 days after 2024-02-10?", "2024-03-01", true},
        {"Which date is 20 days after 2023-02-10?", "It is 2023-03-02.", true},
        {"Which date is 1 days before 2000-03-01?", "2000-02-29", true},
        {"On which weekday does 2026-01-01 fall?", "Thursday", true},
        {"On which weekday does 2026-01-01 fall?", "Friday", false},
        {"On which weekday does 2026-01-01 fall?", "Thursday or Friday", false},
        {"How many days are there from 2023-01-01 to 2025-01-01?", "731", true},
        {"Write a poem.", "4", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (task_check(slice_of(cases[i].prompt), slice_of(cases[i].answer)) != cases[i].useful)
            fail_msg("%s -> %s: not %s", cases[i].prompt, cases[i].answer, cases[i].useful ? "useful" : "refused");
}

static void
hostile_prompts_are_no_tasks(void **state)
{
    static const char *const prompts[] = {
        "",
        "What is ",
        "What is 999999999999999 * 999999999999999?",
        "What is ((((((((((",
        "Convert 5 miles to hours.",
        "Convert 999999999999 metres to feet.",
        "Which date is 99999999 days after 2024-01-01?",
        "On which weekday does 2024-13-01 fall?",
        "Price list:\n- a: $1, 2\nQuestion: what is the price of the b",
        "as JSON with exactly these keys: \"amount\". Message: I paid $many for it.",
        "Classify the message as one of: message: \"",
    };
    char deep[20001];

    (void)state;
    for (size_t i = 0; i < sizeof prompts / sizeof prompts[0]; i++)
        assert_false(task_check(slice_of(prompts[i]), slice_of("1")));
    memset(deep, '(', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    memcpy(deep, "What is ", 8);
    assert_false(task_check(slice_of(deep), slice_of("1")));
}

static void
higher_ability_and_lower_difficulty_raise_the_chance(void **state)
{
    struct arena arena;
    struct task easy, hard;
    struct solution solution_easy, solution_hard;

    (void)state;
    arena_init(&arena);
    for (enum task_family family = 0; family < TASK_FAMILIES; family++) {
        task_make(&easy, family, 1, 3, &arena);
        task_make(&hard, family, 5, 3, &arena);
        assert_true(task_solve(slice_of(easy.prompt), &arena, &solution_easy));
        assert_true(task_solve(slice_of(hard.prompt), &arena, &solution_hard));
        assert_true(solution_chance(&solution_easy, 2) > solution_chance(&solution_hard, 2));
        assert_true(solution_chance(&solution_hard, 4) > solution_chance(&solution_hard, 2));
    }
    arena_reset(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_is_solved_from_its_prompt),
        cmocka_unit_test(mistakes_are_not_useful),
        cmocka_unit_test(the_same_seed_makes_the_same_task),
        cmocka_unit_test(answers_agree_with_ones_worked_out_by_hand),
        cmocka_unit_test(hostile_prompts_are_no_tasks),
        cmocka_unit_test(higher_ability_and_lower_difficulty_raise_the_chance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
