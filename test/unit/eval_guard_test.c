/* Answers by version of a model: reading them, which changes there are, how soon they are noticed. */
#include <math.h>

#include "cmd/eval/eval_drift.h"
#include "cmd/eval/guard_file.h"
#include "cmocka_ready.h"
#include "read_lines.h"

static enum status
reader(FILE *file, const char *name, struct problems *problems, void *out)
{
    return guard_answers_read(file, name, problems, out);
}

static enum status
read_lines(const char *lines, struct guard_answers *out, char *problem)
{
    return read_lines_by(reader, slice_of(lines), out, problem);
}

static void
lines_are_read_with_care(void **state)
{
    const struct {
        const char *lines, *problem;
    } cases[] = {
        {"1", "1: expected a JSON object"},
        {"\n{\"correct\":1}", "2: expected model, a text"},
        {"{\"model\":\"a\"}", "1: expected correct, a number from 0 to 1"},
        {"{\"model\":\"a\",\"correct\":2}", "1: expected correct, a number from 0 to 1"},
        {"\n", "0: it holds no answers"},
    };
    char problem[300];

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct guard_answers answers;

        assert_int_equal(read_lines(cases[i].lines, &answers, problem), ERR_INVALID);
        assert_string_equal(problem, cases[i].problem);
        guard_answers_free(&answers);
    }
}

/* Questions that both versions answered are compared; where there are none, answers are right or wrong by themselves. */
static void
versions_are_compared_question_by_question(void **state)
{
    struct guard_answers answers;
    struct guard_change *changes;
    char problem[300];

    (void)state;
    assert_int_equal(read_lines("{\"model\":\"m-1\",\"correct\":0,\"task\":\"t\",\"id\":\"x\"}\n"
                                "{\"model\":\"m-1\",\"correct\":1,\"task\":\"t\",\"id\":\"y\"}\n"
                                "{\"model\":\"m-1\",\"correct\":1,\"task\":\"t\",\"id\":\"z\"}\n"
                                "{\"model\":\"other\",\"correct\":1,\"task\":\"t\",\"id\":\"x\"}\n"
                                "{\"model\":\"m-2\",\"correct\":false,\"task\":\"t\",\"id\":\"y\"}\n"
                                "{\"model\":\"m-2\",\"correct\":1,\"task\":\"t\",\"id\":\"x\"}\n"
                                "{\"model\":\"m-2\",\"correct\":0.75,\"task\":\"t\",\"id\":\"z\"}\n"
                                "{\"model\":\"m-2\",\"correct\":1,\"task\":\"t\",\"id\":\"w\"}\n"
                                "{\"model\":\"m-2\",\"correct\":0,\"task\":\"t\",\"id\":\"w\"}\n"
                                "{\"model\":\"m-1\",\"correct\":1,\"task\":\"u\"}\n"
                                "{\"model\":\"m-1\",\"correct\":0,\"task\":\"u\"}\n"
                                "{\"model\":\"m-2\",\"correct\":1,\"task\":\"u\"}\n"
                                "{\"model\":\"m-2\",\"correct\":1,\"task\":\"v\"}\n",
                                &answers, problem),
                     OK);
    assert_int_equal(guard_changes(&answers, &changes), 2);
    assert_string_equal(changes[0].from, "m-1");
    assert_string_equal(changes[0].to, "m-2");
    assert_string_equal(changes[0].task, "t");
    assert_true(changes[0].paired);
    assert_int_equal(changes[0].before_count, 1);
    assert_true(changes[0].before[0] == 1);
    assert_int_equal(changes[0].after_count, 3); /* in whatever order: 0, 1, .75 */
    assert_true(changes[0].after[0] + changes[0].after[1] + changes[0].after[2] == 1.75f);
    assert_string_equal(changes[1].task, "u");
    assert_false(changes[1].paired);
    assert_int_equal(changes[1].before_count, 2);
    assert_int_equal(changes[1].after_count, 1);
    guard_changes_free(changes, 2);
    guard_answers_free(&answers);
}

static const struct drift_wanted usual = {.floor_ppm = 970000,
                                          .alpha_ppm = 50000,
                                          .before = {.chance = .99},
                                          .after = {.chance = .75},
                                          .age = 100,
                                          .most = 5000,
                                          .histories = 40,
                                          .seed = 1};

static void
a_fall_is_seen_as_soon_at_any_age(void **state)
{
    struct drift_wanted old = usual;
    struct drift_summary young = drift_play(&usual), late;

    (void)state;
    old.age = 3000;
    late = drift_play(&old);
    assert_int_equal(young.suspended, usual.histories);
    assert_int_equal(late.suspended, usual.histories);
    assert_int_equal(young.never_served + late.never_served, 0);
    assert_true(young.median > 15 && young.median < 40);
    assert_true(fabs(late.median - young.median) <= .25 * young.median);
    assert_true(young.p95 >= young.median && young.relearned > 200);
}

static void
what_stays_good_goes_on_serving(void **state)
{
    struct drift_wanted wanted = usual;
    struct drift_summary sum;

    (void)state;
    wanted.after = wanted.before;
    wanted.most = 500;
    sum = drift_play(&wanted);
    assert_int_equal(sum.suspended, 0);
    assert_true(isinf(sum.median) && isinf(sum.p95));
    assert_int_equal(sum.relearned, 0);
}

/* What is below the floor from the beginning has nothing to lose; the same for the source of one outcome, whose history is
 * made once. */
static void
what_never_served_is_said(void **state)
{
    const float bad = .2f, good = 1, mixed[] = {0, 1};
    struct drift_wanted wanted = usual;
    struct drift_summary sum;

    (void)state;
    wanted.histories = 3;
    wanted.before = (struct drift_source){.outcomes = &bad, .count = 1};
    assert_int_equal(drift_play(&wanted).never_served, 3);
    wanted.before = (struct drift_source){.outcomes = &good, .count = 1};
    wanted.after = (struct drift_source){.outcomes = mixed, .count = 2};
    assert_true(drift_source_mean(&wanted.after) == .5);
    sum = drift_play(&wanted);
    assert_int_equal(sum.never_served, 0);
    assert_int_equal(sum.suspended, 3);
    assert_true(sum.p95 < 40);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read_with_care),
        cmocka_unit_test(versions_are_compared_question_by_question),
        cmocka_unit_test(a_fall_is_seen_as_soon_at_any_age),
        cmocka_unit_test(what_stays_good_goes_on_serving),
        cmocka_unit_test(what_never_served_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
