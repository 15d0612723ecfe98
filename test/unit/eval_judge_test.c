/* equipoise eval judge: labelled comparisons are read with care, what is counted of a judge, and what a configuration takes of
 * that. */
#include <math.h>

#include "cmd/eval/eval_judge.h"
#include "cmocka_ready.h"
#include "config/calibration.h"
#include "read_lines.h"

static enum status
reader(FILE *file, const char *name, struct problems *problems, void *out)
{
    return comparisons_read(file, name, problems, out);
}

static enum status
read_lines(const char *lines, struct comparisons *out, char *problem)
{
    return read_lines_by(reader, slice_of(lines), out, problem);
}

#define ANSWERS "\"reference\":\"a\",\"candidate\":\"b\""

static void
lines_are_read_with_care(void **state)
{
    const struct {
        const char *lines, *problem;
    } cases[] = {
        {"1", "1: expected a JSON object"},
        {"{\"request\":\"x\",\"reference\":\"a\",\"acceptable\":1}", "1: expected reference and candidate, two texts"},
        {"{\"request\":\"x\"," ANSWERS "}", "1: expected acceptable, true, false or a number from 0 to 1"},
        {"{\"request\":\"x\"," ANSWERS ",\"acceptable\":1.5}",
         "1: expected acceptable, true, false or a number from 0 to 1"},
        {"{\"request\":\"x\"," ANSWERS ",\"acceptable\":\"yes\"}",
         "1: expected acceptable, true, false or a number from 0 to 1"},
        {"\n{" ANSWERS ",\"acceptable\":1}", "2: expected request, a text or the body of a request"},
        {"{\"request\":[]," ANSWERS ",\"acceptable\":1}", "1: expected request, a text or the body of a request"},
        {"{\"request\":\"x\"," ANSWERS ",\"acceptable\":1,\"again\":3}", "1: expected again to be a text"},
        {"\n", "0: it holds no comparisons"},
    };
    char problem[300];
    struct comparisons read;

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(read_lines(cases[i].lines, &read, problem), ERR_INVALID);
        assert_string_equal(problem, cases[i].problem);
        comparisons_free(&read);
    }
    assert_int_equal(read_lines("{\"request\":\"a \\\"b\\\"\"," ANSWERS
                                ",\"acceptable\":true,\"again\":\"c\",\"more\":[]}\n\n"
                                "{\"request\":{\"messages\":[ ]}," ANSWERS ",\"acceptable\":0.5}",
                                &read, problem),
                     OK);
    assert_int_equal(read.count, 2);
    assert_true(slice_is(comparisons_text(&read, read.all[0].request),
                         "{\"messages\":[{\"role\":\"user\",\"content\":\"a \\\"b\\\"\"}]}"));
    assert_true(slice_is(comparisons_text(&read, read.all[0].again), "c"));
    assert_true(read.all[0].has_again && read.all[0].acceptable == 1.0f && read.all[1].acceptable == 0.5f);
    assert_true(slice_is(comparisons_text(&read, read.all[1].request), "{\"messages\":[]}"));
    assert_false(read.all[1].has_again);
    comparisons_free(&read);
}

/* Numbers: ten of twelve are the same, of which two are labelled otherwise; one is empty, one refuses. */
static void
make_file(struct buffer *lines)
{
    for (unsigned i = 0; i < 12; i++)
        buffer_printf(
            lines,
            "{\"request\":\"what is %u?\",\"reference\":\"It is %u.\",\"candidate\":\"I get %u\",\"acceptable\":%u,"
            "\"again\":\"so: %u\"}\n",
            i, i, i < 10 ? i : i + 100, i < 8 || i == 11, i < 9 ? i : 77);
    buffer_add_text(lines, "{\"request\":\"x\",\"reference\":\"5\",\"candidate\":\" \",\"acceptable\":0}\n"
                           "{\"request\":\"y\",\"reference\":\"5\",\"candidate\":\"I'm sorry, but I can't say 5\","
                           "\"acceptable\":1}\n"
                           "{\"request\":\"z\",\"reference\":\"6\",\"candidate\":\"6 \",\"acceptable\":1}\n");
    buffer_add_byte(lines, '\0');
}

static const struct judge_config numbers = {.is_set = true, .judge = JUDGE_NUMERIC};

static void
tell(const struct comparisons *read, struct judge_asking *asking, struct judge_told *told)
{
    *asking = (struct judge_asking){.judge = &numbers, .route = "", .rule = {.judge = JUDGE_NUMERIC}};
    *told = (struct judge_told){.name = "lines", .words = "numeric, 0% apart", .alpha_ppm = 50000};
    assert_int_equal(eval_judge_ask(read, read->count, asking, told), OK);
}

static void
what_a_judge_says_is_counted(void **state)
{
    struct buffer lines = {0};
    struct comparisons read;
    struct judge_asking asking;
    struct judge_told told;
    char problem[300];

    (void)state;
    make_file(&lines);
    assert_int_equal(read_lines(lines.data + lines.start, &read, problem), OK);
    tell(&read, &asking, &told);
    assert_int_equal(told.comparisons, 15);
    assert_int_equal(told.screened, 2);
    assert_int_equal(told.equal, 0); /* a rule is not spared: nobody is called */
    assert_int_equal(told.failed, 0);
    assert_int_equal(told.agrees.count, 15);
    assert_true(told.agrees.sum ==
                15 - 2 - 1 - 1); /* 8 and 9 are the same and labelled 0, 11 differs, one was screened */
    assert_int_equal(outcomes_total(&told.acceptable), 11);
    assert_int_equal(told.acceptable.count[0][OUTCOME_STEPS], 9);
    assert_int_equal(outcomes_total(&told.others), 4);
    assert_int_equal(told.others.count[0][OUTCOME_STEPS], 2);
    assert_true(told.in_order.count == 13 && told.in_order.sum == 13);
    assert_true(told.again.count == 12 && told.again.sum == 9);
    assert_true(told.attacked[ATTACK_CONSTANT].alone.count ==
                13);                                            /* "5" twice is the most common, and no attack there */
    assert_true(told.attacked[ATTACK_CONSTANT].alone.sum == 1); /* where the reference says "It is 5." */
    assert_true(told.attacked[ATTACK_EMPTY].alone.sum == 0);
    assert_true(told.attacked[ATTACK_INSTRUCTING].alone.count == 15);
    assert_true(told.attacked[ATTACK_INSTRUCTING].gateway.sum == 0);
    comparisons_free(&read);
    buffer_free(&lines);
}

/* By the embedder of nobody: all texts are alike. */
static bool
alike(void *context, struct slice a, struct slice b, double *cosine)
{
    (void)context;
    (void)a;
    (void)b;
    *cosine = 1;
    return true;
}

/* A judge that accepts anything is fooled by all attacks; the screens stop those that can be told. */
static void
screens_stop_what_a_judge_lets_pass(void **state)
{
    const struct judge_config judge = {.is_set = true, .judge = JUDGE_EMBEDDING, .similar_ppm = 900000};
    struct judge_asking asking = {
        .judge = &judge, .route = "", .rule = {.judge = JUDGE_EMBEDDING, .cosine_least = .9, .similarity = alike}};
    struct judge_told told = {.name = "lines", .words = "embedding", .alpha_ppm = 50000};
    struct buffer lines = {0};
    struct comparisons read;
    char problem[300];

    (void)state;
    for (unsigned i = 0; i < 100; i++)
        buffer_printf(&lines, "{\"request\":\"q%u\",\"reference\":\"r%u\",\"candidate\":\"c%u\",\"acceptable\":0}\n", i,
                      i, i);
    buffer_add_byte(&lines, '\0');
    assert_int_equal(read_lines(lines.data + lines.start, &read, problem), OK);
    assert_int_equal(eval_judge_ask(&read, 60, &asking, &told), OK);
    assert_true(told.attacked[ATTACK_CONSTANT].alone.count == 59 && told.attacked[ATTACK_CONSTANT].alone.sum == 59);
    assert_true(told.attacked[ATTACK_CONSTANT].gateway.sum < 10); /* until it has been seen often enough */
    assert_true(told.attacked[ATTACK_FLATTERING].alone.sum == 60);
    assert_true(told.attacked[ATTACK_INSTRUCTING].gateway.sum <= 30);
    assert_true(told.attacked[ATTACK_EMPTY].gateway.sum == 0);
    comparisons_free(&read);
    buffer_free(&lines);
}

/* What is printed as JSON is read back by a configuration, for that judge and for no other. */
static void
a_calibration_is_read_back(void **state)
{
    struct buffer lines = {0}, json = {0};
    const struct judge_calibration *calibration;
    struct comparisons read;
    struct judge_asking asking;
    struct judge_told told;
    struct arena arena;
    const char *why;
    char problem[300];

    (void)state;
    arena_init(&arena);
    make_file(&lines);
    assert_int_equal(read_lines(lines.data + lines.start, &read, problem), OK);
    tell(&read, &asking, &told);
    eval_judge_json(&told, &json);
    assert_string_equal(judge_words(&numbers, &arena), told.words);
    calibration = calibration_read(buffer_content(&json), told.words, &arena, &why);
    assert_non_null(calibration);
    for (unsigned i = 0; i < CALIBRATION_STEPS; i++) {
        assert_int_equal(calibration->acceptable[i], told.acceptable.count[0][i]);
        assert_int_equal(calibration->others[i], told.others.count[0][i]);
    }
    assert_null(calibration_read(buffer_content(&json), "exact", &arena, &why));
    assert_non_null(strstr(why, "it is of another judge, \"numeric, 0% apart\""));
    assert_null(calibration_read(SLICE_LITERAL("{}"), "exact", &arena, &why));
    assert_non_null(strstr(why, "eval judge --json"));
    assert_null(calibration_read(
        SLICE_LITERAL("{\"calibration\":{\"judge\":\"exact\",\"acceptable\":[1],\"not_acceptable\":[]}}"), "exact",
        &arena, &why));
    assert_null(calibration_read(SLICE_NONE, "exact", &arena, &why));
    comparisons_free(&read);
    buffer_free(&lines);
    buffer_free(&json);
    arena_reset(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read_with_care),
        cmocka_unit_test(what_a_judge_says_is_counted),
        cmocka_unit_test(screens_stop_what_a_judge_lets_pass),
        cmocka_unit_test(a_calibration_is_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
