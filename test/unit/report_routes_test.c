/* Routes and models in reports: what is promised, who serves, savings with their interval, the holdout beside the rest, and
 * what a useful output of each model costs. */
#include <math.h>
#include <yyjson.h>

#include "books.h"
#include "money/report/report_routes.h"

#define NOW_US ((int64_t)1767225600 * USEC_PER_S) /* 2026-01-01 */

struct booked {
    const char *source, *backend, *model;
    usd cost, saved;
    int64_t useful_ppm;
    bool holdout;
    const char *about;
};

static void
book(struct books *books, struct booked what)
{
    struct row row;

    row_init(&row);
    row.arrived_wall_us = NOW_US;
    row.route = SLICE_LITERAL("assistant");
    row.state = SLICE_LITERAL("ok");
    row.source = slice_of(what.source);
    row.backend = slice_of(what.backend);
    row.model_served = slice_of(what.model);
    row.cost = what.cost;
    row.baseline = what.about == NULL ? what.cost + what.saved : USD_UNKNOWN;
    row.useful_ppm = what.useful_ppm;
    row.holdout = what.holdout;
    row.about = slice_of(what.about != NULL ? what.about : "");
    if (what.saved != 0)
        row.savings[row.saving_count++] =
            (struct saving_line){slice_of(what.about != NULL ? ROW_AUDITS : "router"), false, what.saved};
    books_settle(books, &row);
}

/* 40 by the reference, of which 30 are the holdout; 60 by a model at a tenth of the cost; ten audits, two judges, of whom one has no
 * price, and a further answer. */
static int
set_up(void **state)
{
    struct books *books;

    (void)books_open(state);
    books = *state;
    for (unsigned i = 0; i < 40; i++)
        book(books, (struct booked){.source = "reference",
                                    .backend = "alpha",
                                    .model = "big",
                                    .cost = (i % 2 == 0 ? 9 : 11) * USD_ONE,
                                    .useful_ppm = i < 20 ? (i % 10 < 9 ? 1000000 : 0) : ROW_UNKNOWN,
                                    .holdout = i < 30});
    for (unsigned i = 0; i < 60; i++)
        book(books, (struct booked){.source = "model",
                                    .backend = "beta",
                                    .model = "small",
                                    .cost = USD_ONE,
                                    .saved = (i % 2 == 0 ? 8 : 10) * USD_ONE,
                                    .useful_ppm = i < 30 ? (i % 10 < 8 ? 1000000 : 0) : ROW_UNKNOWN});
    for (unsigned i = 0; i < 10; i++)
        book(books, (struct booked){.source = "audit",
                                    .backend = "beta",
                                    .model = "small",
                                    .cost = USD_ONE,
                                    .saved = -USD_ONE,
                                    .useful_ppm = 1000000,
                                    .about = "0000000000001"});
    book(books, (struct booked){.source = "judge",
                                .backend = "gamma",
                                .model = "referee",
                                .cost = 2 * USD_ONE,
                                .saved = -2 * USD_ONE,
                                .useful_ppm = ROW_UNKNOWN,
                                .about = "0000000000001"});
    book(books, (struct booked){.source = "sample",
                                .backend = "beta",
                                .model = "small",
                                .cost = USD_ONE,
                                .saved = -USD_ONE,
                                .useful_ppm = ROW_UNKNOWN,
                                .about = "0000000000001"});
    book(books, (struct booked){.source = "judge",
                                .backend = "gamma",
                                .model = "unheard-of",
                                .cost = USD_UNKNOWN,
                                .useful_ppm = ROW_UNKNOWN,
                                .about = "0000000000001"});
    assert_int_equal(ledger_commit(books->ledger), OK);
    return 0;
}

static const struct report_evidence evidence[] = {
    {.lever = SLICE_CONSTANT("router beta/small"),
     .model = SLICE_CONSTANT("beta/small"),
     .route = SLICE_CONSTANT("assistant"),
     .words = "serves",
     .of = "of what is served",
     .floor_ppm = 900000,
     .judged_floor_ppm = 921000,
     .arm = 7,
     .arms = 20,
     .serves = true,
     .threshold = 0.5,
     .mean_ppm = 990000,
     .lower_ppm = 931200,
     .labels = 100,
     .audits = 200,
     .suspensions = 2,
     .fall_to_ppm = 700000,
     .noticed_after = 1234},
    {.lever = SLICE_CONSTANT(REPORT_JUDGE),
     .route = SLICE_CONSTANT("assistant"),
     .words = "no arm reaches the floor",
     .of = "of what is served",
     .floor_ppm = 921000,
     .judged_floor_ppm = 921000,
     .arms = 20,
     .mean_ppm = 850000,
     .lower_ppm = 800000,
     .upper_ppm = 900000,
     .labels = 300},
};

static void
collect_at(struct books *books, const struct report_evidence *standings, int64_t now, struct report *out)
{
    struct report_options options = {.since = NOW_US,
                                     .until = NOW_US + DAY_US,
                                     .now = now,
                                     .risk = no_risk,
                                     .evidence = standings,
                                     .evidence_count = 2};

    assert_int_equal(report_collect(&books->store, 1, &options, out), OK);
}

static void
collect(struct books *books, struct report *out)
{
    collect_at(books, evidence, NOW_US + DAY_US, out);
}

static bool
near(double a, double b)
{
    return fabs(a - b) < 1e-6 * fmax(1, fabs(b));
}

static void
a_route_adds_up(void **state)
{
    struct report report;
    const struct report_route *route;
    struct interval saved, difference;

    collect(*state, &report);
    assert_int_equal(report.route_count, 1);
    route = &report.routes[0];
    assert_int_equal(route->all.rows, 100);
    assert_int_equal(route->holdout.rows, 30);
    assert_int_equal(route->treated.rows, 70);
    assert_int_equal(route->audits, 13);
    assert_true(route->audit_cost == 13 * (wide_int)USD_ONE);
    saved = report_saved(&route->all);
    assert_true(saved.known && near(saved.middle, 60 * 9 - 13));
    /* 113 rows: 30 times 8, 30 times 10, 41 times 0, eleven times -1, once -2: squares 4,935 in all. */
    assert_true(near(saved.high - saved.middle, 1.959964 * sqrt((4935 - 527.0 * 527 / 113) * 113 / 112)));
    difference = report_cost_difference(&route->treated, &route->holdout);
    assert_true(difference.known && near(difference.middle, 10 - (100 + 60 + 13) / 70.0));
    assert_true(difference.low > 6 && difference.high < 9);
    report_free(&report);
}

static void
models_have_a_cost_for_each_useful_output(void **state)
{
    struct report report;
    struct interval each;

    collect(*state, &report);
    assert_int_equal(report.model_count, 2); /* a judge answers nobody */
    assert_true(slice_is(report.models[0].model, "beta/small"));
    assert_int_equal(report.models[0].sums.rows, 60);
    assert_true(report.models[0].sums.cost == 60 * (wide_int)USD_ONE); /* without audits */
    assert_int_equal(report.models[0].sums.judged, 30);
    each = report_cost_per_useful(&report.models[0].sums, report.models[0].useful);
    assert_true(each.known && near(each.middle, 60 / (60 * .8)) && each.low < each.middle && each.middle < each.high);
    each = report_cost_per_useful(&report.models[1].sums, report.models[1].useful);
    assert_true(each.known && near(each.middle, 400 / (40 * .9)));
    report_free(&report);
}

/* Hours of an older program have no squares: then there is no interval, and none that is too narrow. */
static void
what_has_no_squares_has_no_interval(void **state)
{
    struct sums sums = {.rows = 10, .saved = 100 * (wide_int)USD_ONE, .saved_rows = 4};

    (void)state;
    assert_false(report_saved(&sums).known);
    assert_false(estimate_sum(10, 1, 10).known);
    assert_false(estimate_sum(1, 1, 1).known);
    assert_true(estimate_sum(10, 10, 10).known);
}

static void
assert_says(const struct buffer *text, const char *words)
{
    if (slice_find(buffer_content(text), slice_of(words)) == buffer_len(text))
        fail_msg("\"%s\" is not in:\n%.*s", words, SLICE_ARGS(buffer_content(text)));
}

static void
a_person_reads_it(void **state)
{
    struct report report;
    struct buffer text = {0};

    collect(*state, &report);
    report_write_text(&report, false, &text);
    assert_says(&text, "assistant        100 requests; saved $527.00 ($");
    assert_says(&text, "after $13.00 for 13 calls of our own (audits, judges, verifiers, samples)");
    assert_says(&text, "served by beta/small 60.0%, alpha/big 40.0%");
    assert_says(&text,
                "router beta/small: serves by arm 7 of 20; floor 90% of what is served, lower bound now 93.12%; 2 "
                "suspensions");
    assert_says(&text, "were it to fall to 70%, some 1234 requests would be served before that is noticed");
    assert_says(&text, "which has to accept 92.10% for that");
    assert_says(
        &text,
        "its judge accepts 85.0% of 300 second answers of the reference itself (80.0 to 90.0%): the floor cannot "
        "be reached with this judge");
    assert_says(&text, "holdout, 30 requests: the others cost $7.53 less each ($");
    assert_says(&text, "; useful -10.0% (");
    assert_says(&text, "beta/small                             60 for $60.00; useful 80.0% of 30 judged (");
    assert_says(&text, "; $1.25 each ($");
    buffer_free(&text);
    report_free(&report);
}

static void
assert_report(struct books *books, const struct report_evidence *standings, int64_t now, const char *words)
{
    struct report report;
    struct buffer text = {0};

    collect_at(books, standings, now, &report);
    report_write_text(&report, false, &text);
    report_write_json(&report, &text);
    assert_says(&text, words);
    buffer_free(&text);
    report_free(&report);
}

/* No view is proved by the hour that taught it. */
static void
audits_that_do_not_count_are_told(void **state)
{
    struct report_evidence standings[] = {evidence[0], evidence[1]};

    assert_report(*state, standings, NOW_US + DAY_US,
                  "; audits: 100, 99.00% acceptable, at least 93.12%; 2 suspensions");
    standings[0].labels = 0;
    assert_report(*state, standings, NOW_US + DAY_US,
                  "; none of its audits counts for it now: those of the hour that taught its view do not; 2 ");
}

/* Ten audits in a day, of which a half counts, at $1 and a tenth of the judge's $2. */
static void
what_is_missing_has_a_time_and_a_price(void **state)
{
    const char pace[] = "; 50 more if all to come are: some 10 days and $120.00 at this pace; 0 suspensions";
    struct report_evidence standings[] = {evidence[0], evidence[1]};
    const int64_t end = NOW_US + DAY_US;

    standings[0].missing = 50;
    assert_report(*state, standings, end, "; 50 more if all to come are; 2 suspensions"); /* others than serve now */
    standings[0].serves = false;
    standings[0].suspensions = 0;
    assert_report(*state, standings, end, pace);
    assert_report(*state, standings, end, "\"to_earn\":{\"days\":10,\"usd\":\"120");
    assert_report(*state, standings, end + 60 * DAY_US, pace); /* a day that is long over was as long as it was */
    /* What was learned before a suspension is no pace: the audits go on being counted, the labels begin anew. */
    standings[0].suspensions = 1;
    assert_report(*state, standings, end, "; 50 more if all to come are; 1 suspensions");
    standings[0].suspensions = 0;
    standings[0].labels = 0;
    assert_report(*state, standings, end, "; 50 more if all to come are; 0 suspensions");
}

static void
who_was_refused_was_served_by_nobody(void **state)
{
    struct report report;
    struct buffer text = {0};

    assert_int_equal(ledger_begin(((struct books *)*state)->ledger), OK);
    for (unsigned i = 0; i < 100; i++)
        book(*state, (struct booked){.source = "", .backend = "", .model = "", .useful_ppm = ROW_UNKNOWN});
    assert_int_equal(ledger_commit(((struct books *)*state)->ledger), OK);
    collect(*state, &report);
    report_write_text(&report, false, &text);
    assert_says(&text, "nobody 50.0%");
    buffer_free(&text);
    report_free(&report);
}

static void
a_program_reads_the_same(void **state)
{
    struct report report;
    struct buffer text = {0};
    yyjson_doc *doc;
    yyjson_val *route;

    collect(*state, &report);
    report_write_json(&report, &text);
    doc = yyjson_read(buffer_content(&text).data, buffer_len(&text), 0);
    assert_non_null(doc);
    route = yyjson_doc_ptr_get(doc, "/routes/0");
    assert_string_equal(yyjson_get_str(yyjson_obj_get(route, "audits_paid_usd")), "13");
    assert_true(near(yyjson_get_num(yyjson_ptr_get(route, "/saved_interval_usd/estimate")), 527));
    assert_int_equal(yyjson_get_int(yyjson_ptr_get(route, "/holdout/requests")), 30);
    assert_int_equal(yyjson_get_int(yyjson_ptr_get(route, "/evidence/0/arm")), 7);
    assert_int_equal(yyjson_get_int(yyjson_ptr_get(route, "/evidence/0/evidence/suspensions")), 2);
    assert_true(near(yyjson_get_num(yyjson_ptr_get(route, "/holdout_useful_difference/estimate")), -.1));
    assert_string_equal(yyjson_get_str(yyjson_doc_ptr_get(doc, "/models/1/model")), "alpha/big");
    assert_int_equal(report.look_ups_count, 0); /* a judge is none */
    yyjson_doc_free(doc);
    buffer_free(&text);
    report_free(&report);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_route_adds_up, set_up, books_close),
        cmocka_unit_test_setup_teardown(models_have_a_cost_for_each_useful_output, set_up, books_close),
        cmocka_unit_test(what_has_no_squares_has_no_interval),
        cmocka_unit_test_setup_teardown(a_person_reads_it, set_up, books_close),
        cmocka_unit_test_setup_teardown(audits_that_do_not_count_are_told, set_up, books_close),
        cmocka_unit_test_setup_teardown(what_is_missing_has_a_time_and_a_price, set_up, books_close),
        cmocka_unit_test_setup_teardown(who_was_refused_was_served_by_nobody, set_up, books_close),
        cmocka_unit_test_setup_teardown(a_program_reads_the_same, set_up, books_close),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
