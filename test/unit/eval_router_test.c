/* Labelled requests judged: reading them, curves worked out by hand, folds that do not leak, and whether the guarantee keeps
 * its word. */
#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "cmd/eval/eval_router_report.h"
#include "cmocka_ready.h"
#include "read_lines.h"

static enum status
reader(FILE *file, const char *name, struct problems *problems, void *out)
{
    return labelled_read(file, name, problems, out);
}

static enum status
read_lines(struct slice lines, struct labelled *out, char *problem)
{
    return read_lines_by(reader, lines, out, problem);
}

static void
lines_are_read_with_care(void **state)
{
    const struct {
        const char *lines, *problem;
    } cases[] = {
        {"[1]", "1: expected a JSON object"},
        {"\n{\"prompt\":1,\"scores\":{\"a\":1}}", "2: expected prompt, a text"},
        {"{\"prompt\":\"\",\"task\":2,\"scores\":{\"a\":1}}", "1: expected task to be a text"},
        {"{\"prompt\":\"\"}", "1: expected scores, an object with a number for each model"},
        {"{\"prompt\":\"\",\"scores\":{}}", "1: expected scores, an object with a number for each model"},
        {"{\"prompt\":\"\",\"scores\":{\"a\":1.5}}", "1: expected each score to be from 0 to 1"},
        {"{\"prompt\":\"\",\"scores\":{\"a\":\"1\"}}", "1: expected each score to be from 0 to 1"},
        {"{\"prompt\":\"\",\"scores\":{\"a\":1,\"a\":1}}", "1: a model has two scores"},
        {"{\"prompt\":\"\",\"scores\":{\"a\":1}}\n{\"prompt\":\"\",\"scores\":{\"b\":1}}",
         "2: expected scores of the same models as in the lines before"},
        {"{\"prompt\":\"\",\"scores\":{\"a\":1}}\n{\"prompt\":\"\",\"scores\":{\"a\":1,\"b\":1}}",
         "2: expected scores of the same models as in the lines before"},
        {"{\"prompt\":\"\",\"scores\":{\"a\":1},\"prices\":{\"a\":-1}}", "1: expected each price to be 0 or more"},
        {"{\"prompt\":\"\",\"scores\":{\"a\":1},\"prices\":3}",
         "1: expected prices to be an object with a number for each model"},
        {" \r\n", "0: it holds no requests"},
    };
    char problem[300];

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct labelled labelled = {.count = 0};

        assert_int_equal(read_lines(slice_of(cases[i].lines), &labelled, problem), ERR_INVALID);
        assert_string_equal(problem, cases[i].problem);
        labelled_free(&labelled);
    }
}

static void
lines_are_taken(void **state)
{
    struct labelled labelled = {.count = 0};
    char problem[300];

    (void)state;
    assert_int_equal(read_lines(SLICE_LITERAL("{\"prompt\":\"one\",\"scores\":{\"a\":true,\"b\":0.25}}\n\n"
                                              "{\"prompt\":\"\",\"task\":\"sums\",\"scores\":{\"b\":1,\"a\":0},"
                                              "\"prices\":{\"b\":2},\"other\":[]}"),
                                &labelled, problem),
                     OK);
    assert_int_equal(labelled.count, 2);
    assert_int_equal(labelled.model_count, 2);
    assert_true(slice_is(labelled_prompt(&labelled, 0), "one"));
    assert_true(labelled_task(&labelled, 0).len == 0);
    assert_true(labelled_prompt(&labelled, 1).len == 0);
    assert_true(slice_is(labelled_task(&labelled, 1), "sums"));
    assert_true(labelled.all[0].scores[0] == 1 && labelled.all[0].scores[1] == .25f);
    assert_true(labelled.all[1].scores[0] == 0 && labelled.all[1].scores[1] == 1);
    assert_true(isnan(labelled.prices[0]) && labelled.prices[1] == 2);
    assert_int_equal(labelled_model(&labelled, SLICE_LITERAL("b")), 1);
    assert_int_equal(labelled_model(&labelled, SLICE_LITERAL("c")), LABELLED_MODELS_MOST);
    labelled_free(&labelled);
}

/* Four requests, in two of which the strong model alone is right. Sent first, they recover all at one half: the gap recovered
 * rises to .5, 1 and stays. Sent last it is the mirror image; with equal needs it is chance. */
static void
curves_are_those_worked_out_by_hand(void **state)
{
    struct routed best[] = {{.1, 1, 1}, {.9, 0, 1}, {.2, 0, 0}, {.8, 0, 1}};
    struct routed worst[] = {{.9, 1, 1}, {.1, 0, 1}, {.8, 0, 0}, {.2, 0, 1}};
    struct routed equal[] = {{.5, 1, 1}, {.5, 0, 1}, {.5, 0, 0}, {.5, 0, 1}};
    struct routed none[] = {{.5, 1, 0}, {.4, 0, 1}};
    struct router_curve curve;

    (void)state;
    router_curve_measure(&curve, best, 4, 1, 10);
    assert_true(curve.weak == .25 && curve.strong == .75);
    assert_true(fabs(curve.apgr - (.25 + .75 + 1 + 1) / 4) < 1e-12);
    assert_true(curve.cpt50 == .25 && curve.cpt80 == .5);
    assert_true(curve.points[0].accuracy == .25 && curve.points[0].cost == 1);
    assert_true(curve.points[5].accuracy == .75 && curve.points[5].cost == 5.5);
    assert_true(curve.points[10].accuracy == .75 && curve.points[10].cost == 10);
    router_curve_measure(&curve, worst, 4, NAN, NAN);
    assert_true(fabs(curve.apgr - .25) < 1e-12);
    assert_true(curve.cpt50 == .75 && isnan(curve.points[3].cost));
    router_curve_measure(&curve, equal, 4, 1, 1);
    assert_true(fabs(curve.apgr - .5) < 1e-12);
    router_curve_measure(&curve, none, 2, 1, 1);
    assert_true(isnan(curve.apgr));
}

static void
lambda_trades_accuracy_for_cost(void **state)
{
    const float expected[] = {.9f, .95f, .2f, .9f}, scores[] = {1, 1, 0, 1};
    const double prices[] = {1, 10};
    struct lambda_point points[LAMBDA_POINTS_MOST];
    size_t count = lambda_curve(points, expected, scores, prices, 2, 2);

    (void)state;
    assert_int_equal(count, 3); /* both to the dear one, the first to the cheap one, both */
    assert_true(points[0].accuracy == 1 && points[0].cost == 10);
    assert_true(points[1].accuracy == 1 && points[1].cost == 5.5);
    assert_true(points[2].accuracy == .5 && points[2].cost == 1);
    assert_true(lambda_accuracy_at(points, count, 9) == 1);
    assert_true(lambda_accuracy_at(points, count, 5) == .5);
    assert_true(isnan(lambda_accuracy_at(points, count, .5)));
}

static void
hindsight_counts(void **state)
{
    const struct scored_request five[] = {{.3, 0, 1}, {.9, 1, 1}, {.7, 1, 0}, {.5, 0, 1}, {.7, 0, 0}};
    struct scored_set set;

    (void)state;
    scored_set_init(&set, five, 5);
    assert_true(fabs(scored_set_quality(&set, FLOOR_SERVED, .7) - 2. / 3) < 1e-12);
    assert_true(fabs(scored_set_quality(&set, FLOOR_ROUTE, .7) - 4. / 5) < 1e-12);
    assert_true(fabs(scored_set_quality(&set, FLOOR_RELATIVE, .7) - 4. / 3) < 1e-12); /* 2 of its own and 2 more */
    assert_true(fabs(scored_set_quality(&set, FLOOR_RELATIVE, 0) - 2. / 3) < 1e-12);
    assert_true(isnan(scored_set_quality(&set, FLOOR_SERVED, 1)));
    assert_true(scored_set_quality(&set, FLOOR_ROUTE, 1) == 1);
    assert_true(fabs(scored_set_share(&set, .7) - .6) < 1e-12);
    assert_true(fabs(scored_set_best(&set, FLOOR_SERVED, 900000) - .2) < 1e-12);
    assert_true(fabs(scored_set_best(&set, FLOOR_SERVED, 660000) - .6) < 1e-12);
    assert_true(fabs(scored_set_best(&set, FLOOR_ROUTE, 800000) - .6) < 1e-12);
    assert_true(fabs(scored_set_best(&set, FLOOR_RELATIVE, 900000) - .8) < 1e-12);
    scored_set_free(&set);
}

/* Requests that are the likelier right the higher their score. */
static void
make_set(struct scored_set *set, uint64_t seed, double exponent)
{
    enum { COUNT = 1000 };
    struct scored_request requests[COUNT];
    struct rng rng;

    rng_seed(&rng, seed);
    for (unsigned i = 0; i < COUNT; i++) {
        double score = rng_unit(&rng);

        requests[i] = (struct scored_request){.score = score};
        requests[i].outcome = rng_unit(&rng) < pow(score, exponent) ? 1 : 0;
        requests[i].reference = rng_unit(&rng) < .9 ? 1 : 0;
    }
    scored_set_init(set, requests, COUNT);
}

/* The gate of eval/router.py in small: streams drawn from a set, of which an arm below the floor may serve in alpha at most. */
static void
the_guarantee_keeps_its_word(void **state)
{
    enum { STREAMS = 60 };
    const uint32_t floors_ppm[] = {800000, 900000, 950000};
    const double most = .05 * STREAMS + 3 * sqrt(.05 * .95 * STREAMS);
    unsigned serving = 0;

    (void)state;
    for (enum floor_scope scope = FLOOR_SERVED; scope <= FLOOR_RELATIVE; scope++)
        for (unsigned i = 0; i < 3; i++) {
            struct guarantee_wanted wanted = {.scope = scope, .alpha_ppm = 50000, .passes = 2, .bootstrap = true};
            struct guarantee_summary sum;
            struct scored_set set;

            wanted.floor_ppm = floors_ppm[i];
            wanted.seed = 100 * i + scope;
            make_set(&set, i, .2);
            sum = guarantee_play_all(&set, &wanted, STREAMS);
            assert_true(sum.violated <= most);
            serving += sum.serving;
            scored_set_free(&set);
        }
    assert_true(serving > 5 * STREAMS); /* and it is not for serving nothing */
}

/* One who is always wrong serves nothing of its own, and of a route what the floor leaves. */
static void
wrong_answers_are_never_served(void **state)
{
    struct guarantee_wanted wanted = {.scope = FLOOR_SERVED, .floor_ppm = 900000, .alpha_ppm = 50000, .passes = 5};
    struct guarantee_summary sum;
    struct scored_set set;

    (void)state;
    wanted.price_ratio = .1;
    make_set(&set, 1, 1e9);
    sum = guarantee_play_all(&set, &wanted, 20);
    assert_int_equal(sum.serving, 0);
    assert_int_equal(sum.below, 20);
    assert_true(sum.share == 0 && sum.later_share == 0 && sum.best == 0);
    assert_true(sum.saved < 0 && sum.saved > -.11); /* all audits, and nothing for it */
    wanted.scope = FLOOR_ROUTE;
    sum = guarantee_play_all(&set, &wanted, 20);
    assert_true(fabs(sum.best - .1) < .01);
    assert_true(sum.later_share <= .1);
    scored_set_free(&set);
}

/* Prompts that all differ, and scores that nothing tells: a fold that had been taught its own requests would know them. */
static void
folds_do_not_leak(void **state)
{
    struct labelled labelled = {.count = 0};
    struct router_result result = {.labelled = &labelled, .name = "random"};
    struct fit_wanted wanted = {.weak = 0, .strong = 1, .folds = 5, .seed = 1};
    struct embedder *embedder;
    struct buffer lines = {0};
    char problem[300];
    struct rng rng;

    (void)state;
    rng_seed(&rng, 1);
    for (unsigned i = 0; i < 400; i++)
        buffer_printf(&lines, "{\"prompt\":\"%llx %llx %llx\",\"scores\":{\"a\":%d,\"b\":%d}}\n",
                      (unsigned long long)rng_next(&rng), (unsigned long long)rng_next(&rng),
                      (unsigned long long)rng_next(&rng), rng_below(&rng, 2) == 0, rng_below(&rng, 4) != 0);
    assert_int_equal(read_lines(buffer_content(&lines), &labelled, problem), OK);
    assert_int_equal(embedder_open_builtin(&embedder), OK);
    result.fit = &wanted;
    for (unsigned folds = 0; folds <= 5; folds += 5) {
        wanted.folds = folds; /* none: each is scored before it is learned from */
        fit(&labelled, embedder, &wanted, &result.fitted);
        eval_router_judge(&result);
        assert_true(result.brier > .95 * result.base_brier);
        assert_true(fabs(result.curve.apgr - .5) < .15);
        fitted_free(&result.fitted);
    }
    embedder_close(embedder);
    labelled_free(&labelled);
    buffer_free(&lines);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read_with_care),
        cmocka_unit_test(lines_are_taken),
        cmocka_unit_test(curves_are_those_worked_out_by_hand),
        cmocka_unit_test(lambda_trades_accuracy_for_cost),
        cmocka_unit_test(hindsight_counts),
        cmocka_unit_test(the_guarantee_keeps_its_word),
        cmocka_unit_test(wrong_answers_are_never_served),
        cmocka_unit_test(folds_do_not_leak),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
