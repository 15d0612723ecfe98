/* Labelled pairs judged: reading them, what could have been served in hindsight, what evidence would have chosen. */
#include <math.h>

#include <yyjson.h>

#include "base/rng.h"
#include "cmd/eval/eval_report.h"
#include "cmocka_ready.h"

/* The score stands in text_a; "none" has none. */
static bool
score_in_text(void *context, struct slice a, struct slice b, double *score)
{
    char *text = slice_strdup(a);

    (void)context;
    (void)b;
    *score = atof(text);
    free(text);
    return !slice_is(a, "none");
}

/* Reads the pairs from `lines`, with the first problem in `problem` (of 300 bytes). */
static enum status
read_pairs(struct slice lines, struct scored_pairs *out, char *problem)
{
    struct problems problems;
    FILE *file = fmemopen((char *)lines.data, lines.len, "rb");
    enum status status;

    assert_non_null(file);
    problems_init(&problems);
    status = scored_pairs_read(file, "pairs", score_in_text, NULL, &problems, out);
    problem[0] = '\0';
    assert_int_equal(problems.count, status != OK);
    if (problems.count > 0)
        snprintf(problem, 300, "%u: %s", problems.all[0].line, problems.all[0].text);
    problems_free(&problems);
    fclose(file);
    return status;
}

static void
add_pair(struct buffer *lines, double score, bool same)
{
    buffer_printf(lines, "{\"text_a\":\"%.6f\",\"text_b\":\"\",\"label\":%d}\n", score, same);
}

static void
read_well(struct buffer *lines, struct scored_pairs *pairs)
{
    char problem[300];

    assert_int_equal(read_pairs(buffer_content(lines), pairs, problem), OK);
    buffer_free(lines);
}

static void
pairs_are_read_with_care(void **state)
{
    const struct {
        const char *lines, *problem;
    } cases[] = {
        {"\n\n{\"text_a\":\"\",\"text_b\":\"\",\"label\":2}", "3: expected label, 0 or 1"},
        {"{\"text_a\":\"\",\"text_b\":\"\",\"label\":-1}", "1: expected label, 0 or 1"},
        {"{\"text_a\":\"\",\"text_b\":\"\",\"label\":\"1\"}", "1: expected label, 0 or 1"},
        {"{\"text_a\":\"\",\"text_b\":\"\"}", "1: expected label, 0 or 1"},
        {"{\"text_a\":\"\",\"text_b\":1,\"label\":1}", "1: expected text_a and text_b, two texts"},
        {"[1]", "1: expected a JSON object"},
        {" \r\n", "0: it holds no pairs"},
    };
    struct scored_pairs pairs;
    char problem[300];

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(read_pairs(slice_of(cases[i].lines), &pairs, problem), ERR_INVALID);
        assert_string_equal(problem, cases[i].problem);
        assert_null(pairs.all);
    }
    assert_int_equal(read_pairs(SLICE_LITERAL("{\"text_a\":\"1\",\"text_b\":\"\",\"label\":1}\nx"), &pairs, problem),
                     ERR_INVALID);
    assert_memory_equal(problem, "2: ", 3);
}

/* Ten pairs by falling score, worked out by hand. */
static void
hindsight_counts(void **state)
{
    const struct {
        double score;
        bool same;
    } ten[] = {{.9, true}, {.8, true},  {.7, false}, {.6, true},  {.6, true},
               {.6, true}, {.5, false}, {.5, true},  {.4, false}, {.1, true}};
    struct buffer lines = {0};
    struct scored_pairs pairs;
    struct pairs_served best;

    (void)state;
    for (unsigned i = 0; i < 10; i++)
        add_pair(&lines, ten[(i * 7 + 3) % 10].score, ten[(i * 7 + 3) % 10].same);
    buffer_add_text(&lines, "{\"text_a\":\"none\",\"text_b\":\"\",\"label\":false}\n");
    read_well(&lines, &pairs);
    assert_int_equal(pairs.count, 11);
    assert_int_equal(pairs.scored, 10);
    assert_int_equal(pairs.same, 7);
    /* Of 7 x 4 pairs of pairs: above .7 stand 2, above .5 5 and one tied, above .4 6, above no score 7. */
    assert_true(fabs(scored_pairs_auc(&pairs) - (2 + 5.5 + 6 + 7) / 28) < 1e-12);

    assert_int_equal(scored_pairs_from(&pairs, .6).hits, 6);
    assert_int_equal(scored_pairs_from(&pairs, .6).wrong, 1);
    assert_int_equal(scored_pairs_from(&pairs, .61).hits, 3);
    assert_int_equal(scored_pairs_from(&pairs, 2).hits, 0);
    assert_int_equal(scored_pairs_from(&pairs, -2).hits, 10);

    best = scored_pairs_best(&pairs, 0);
    assert_int_equal(best.hits, 2);
    assert_true(best.threshold == .8);
    best = scored_pairs_best(&pairs, 200000); /* one of six; at two of seven it is beyond */
    assert_int_equal(best.hits, 6);
    assert_int_equal(best.wrong, 1);
    best = scored_pairs_best(&pairs, PPM);
    assert_int_equal(best.hits, 10); /* what has no score is never served */
    scored_pairs_free(&pairs);

    add_pair(&lines, .5, false);
    read_well(&lines, &pairs);
    assert_true(isnan(scored_pairs_auc(&pairs)));
    assert_true(isnan(scored_pairs_best(&pairs, 10000).threshold));
    scored_pairs_free(&pairs);
}

/* Pairs whose score tells how surely they are the same: 1 - (1 - score)^2 / hardness. */
static void
make_pairs(struct scored_pairs *pairs, unsigned count, double hardness)
{
    struct buffer lines = {0};
    struct rng rng;

    rng_seed(&rng, 11);
    for (unsigned i = 0; i < count; i++) {
        double score = rng_unit(&rng);

        add_pair(&lines, score, rng_unit(&rng) >= (1 - score) * (1 - score) / hardness);
    }
    read_well(&lines, pairs);
}

static void
evidence_serves_within_the_limit(void **state)
{
    struct stream_wanted wanted = {.limit_ppm = 100000, .alpha_ppm = 50000, .seed = 1, .passes = 1};
    struct stream_summary sum;
    struct stream_outcome one, again;
    struct scored_pairs pairs;

    (void)state;
    make_pairs(&pairs, 4000, 1);
    sum = stream_play_all(&pairs, &wanted, 40);
    assert_int_equal(sum.orders, 40);
    assert_true(sum.serving >= 38 && sum.kept >= 38);
    assert_true(sum.arm > .2 && sum.arm <= .6); /* up to .55 of the pairs one could serve */
    assert_true(sum.arm_wrong <= .1 && sum.false_hits <= .1 && sum.hits > .1);
    assert_true(sum.false_hits > .01);

    one = stream_play(&pairs, &wanted);
    again = stream_play(&pairs, &wanted);
    assert_int_equal(one.requests, 4000);
    assert_memory_equal(&one.arm, &again.arm, sizeof(one.arm));
    assert_true(one.hits == again.hits && one.wrong == again.wrong && one.audits == again.audits);
    assert_int_equal(one.verdict.reason, EVIDENCE_SERVES);
    assert_int_equal(one.verdict.audits, one.audits);
    wanted.seed = 2;
    again = stream_play(&pairs, &wanted);
    assert_true(one.hits != again.hits || one.wrong != again.wrong || one.audits != again.audits);
    wanted.passes = 3;
    assert_int_equal(stream_play(&pairs, &wanted).requests, 12000);
    scored_pairs_free(&pairs);
}

/* Scores that say nothing, all pairs just beyond the limit: whatever is served is beyond it. */
static void
evidence_rarely_serves_beyond_the_limit(void **state)
{
    struct stream_wanted wanted = {.limit_ppm = 100000, .alpha_ppm = 50000, .seed = 1, .passes = 2};
    struct stream_summary sum;
    struct buffer lines = {0};
    struct scored_pairs pairs;

    (void)state;
    for (unsigned i = 0; i < 3000; i++)
        add_pair(&lines, .5, i % 9 != 0);
    read_well(&lines, &pairs);
    sum = stream_play_all(&pairs, &wanted, 100);
    assert_true(sum.kept >= 95);
    assert_int_equal(sum.serving, 100 - sum.kept);
    scored_pairs_free(&pairs);
}

static void
what_is_missing_is_said(void **state)
{
    struct stream_wanted wanted = {.limit_ppm = 10000, .alpha_ppm = 50000, .seed = 1, .passes = 1};
    struct stream_summary sum, longer;
    struct scored_pairs pairs;

    (void)state;
    make_pairs(&pairs, 1500, 10); /* the safest arm is wrong in 1 of some 12,000 */
    sum = stream_play_all(&pairs, &wanted, 20);
    assert_int_equal(sum.serving, 0);
    assert_true(sum.missing_at_best > 100 && sum.missing_as_so_far >= sum.missing_at_best);
    assert_true(sum.labels_per_request > .02 && sum.labels_per_request < .2);
    wanted.passes = 1 + (unsigned)ceil(2 * sum.missing_as_so_far / sum.labels_per_request / 1500);
    longer = stream_play_all(&pairs, &wanted, 20);
    assert_true(longer.serving >= 15);
    scored_pairs_free(&pairs);

    make_pairs(&pairs, SAMPLE_SCORES - 1, 1);
    wanted.passes = 1;
    sum = stream_play_all(&pairs, &wanted, 5);
    assert_int_equal(sum.serving, 0);
    assert_true(sum.labels_per_request == 0); /* too few scores for any arm */
    scored_pairs_free(&pairs);
}

static void
the_table_and_the_json_say_the_same(void **state)
{
    struct eval_result result = {.name = "a \"file\"",
                                 .settings = {.alpha_ppm = 50000, .seed = 1, .orders = 5, .passes = 1}};
    struct buffer text = {0}, json = {0};
    yyjson_doc *doc;
    yyjson_val *root, *limit;

    (void)state;
    make_pairs(&result.pairs, 3000, 1);
    eval_pairs_judge(&result);
    eval_pairs_text(&result, &text);
    eval_pairs_json(&result, &json);
    doc = yyjson_read(json.data, buffer_len(&json), 0);
    root = yyjson_doc_get_root(doc);
    assert_non_null(root);
    assert_string_equal(yyjson_get_str(yyjson_obj_get(root, "pairs")), "a \"file\"");
    assert_int_equal(yyjson_arr_size(yyjson_obj_get(root, "limits")), EVAL_LIMITS);
    limit = yyjson_arr_get(yyjson_obj_get(root, "limits"), 3);
    assert_true(fabs(yyjson_get_num(yyjson_obj_get(limit, "limit")) - .1) < 1e-9);
    assert_int_equal(yyjson_get_uint(yyjson_obj_get(yyjson_obj_get(limit, "evidence"), "serving")), 5);
    assert_true(yyjson_is_null(yyjson_obj_get(yyjson_obj_get(limit, "evidence"), "missing_labels")));
    assert_true(slice_find(buffer_content(&text), SLICE_LITERAL("3,000 pairs of a \"file\"")) == 0);
    assert_true(slice_find(buffer_content(&text), SLICE_LITERAL("\n  10 %")) < buffer_len(&text));
    yyjson_doc_free(doc);
    buffer_free(&text);
    buffer_free(&json);
    scored_pairs_free(&result.pairs);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_are_read_with_care),         cmocka_unit_test(hindsight_counts),
        cmocka_unit_test(evidence_serves_within_the_limit), cmocka_unit_test(evidence_rarely_serves_beyond_the_limit),
        cmocka_unit_test(what_is_missing_is_said),          cmocka_unit_test(the_table_and_the_json_say_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
