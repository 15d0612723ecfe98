/* What became of looking for stored answers, in reports: each look-up of each row is counted once, by lever and route, and
 * the evidence stands beside it. */
#include "books.h"

#include <yyjson.h>

#include "money/report/report.h"

#define NOW_US ((int64_t)1767225600 * USEC_PER_S) /* 2026-01-01 */

static void
book(struct books *books, const char *route, const char *look_ups, usd cost, usd saved)
{
    struct row row;

    row_init(&row);
    row.arrived_wall_us = NOW_US;
    row.route = slice_of(route);
    row.tags = SLICE_LITERAL("feature=chat");
    row.state = SLICE_LITERAL("ok");
    row.source = SLICE_LITERAL("cached");
    row.look_ups = slice_of(look_ups);
    row.cost = cost;
    row.baseline = cost + saved;
    if (saved != 0)
        row.savings[row.saving_count++] = (struct saving_line){SLICE_LITERAL("semantic_cache"), false, saved};
    books_settle(books, &row);
}

static int
set_up(void **state)
{
    struct books *books;

    (void)books_open(state);
    books = *state;
    book(books, "helpdesk", "exact_cache=miss,semantic_cache=hit", 0, 3 * USD_ONE);
    book(books, "helpdesk", "exact_cache=miss,semantic_cache=hit", 0, 4 * USD_ONE);
    book(books, "helpdesk", "exact_cache=hit,semantic_cache=miss", 0, 0);
    book(books, "helpdesk", "exact_cache=miss,semantic_cache=audited", 2 * USD_ONE, 0);
    book(books, "helpdesk", "exact_cache=miss,semantic_cache=near_miss", USD_ONE, 0);
    book(books, "helpdesk", "semantic_cache=unearned", USD_ONE, 0);
    book(books, "other", "exact_cache=miss,of_the_future=perhaps,,=,exact_cache", USD_ONE, 0);
    book(books, "other", "", USD_ONE, 0);
    assert_int_equal(ledger_commit(books->ledger), OK);
    return 0;
}

static const struct report_evidence evidence[] = {
    {.lever = SLICE_CONSTANT("semantic_cache"),
     .route = SLICE_CONSTANT("helpdesk"),
     .words = "serves",
     .of = "of what is served",
     .floor_ppm = 900000,
     .judged_floor_ppm = 900000,
     .serves = true,
     .threshold = 0.8125,
     .mean_ppm = 990000,
     .lower_ppm = 931200,
     .labels = 100,
     .missing = 50,
     .missing_slow = REPORT_NEVER,
     .audits = 200,
     .suspensions = 2,
     .audit_ppm = 100000},
    {.lever = SLICE_CONSTANT("semantic_cache"), .route = SLICE_CONSTANT("quiet"), .words = "scores are still gathered"},
};

static void
collect(struct books *books, struct report *out)
{
    struct report_options options = {.since = NOW_US,
                                     .until = NOW_US + DAY_US,
                                     .now = NOW_US + DAY_US,
                                     .risk = no_risk,
                                     .by = {REPORT_BY_TAG},
                                     .by_count = 1,
                                     .evidence = evidence,
                                     .evidence_count = 2};

    assert_int_equal(report_collect(&books->store, 1, &options, out), OK);
}

static void
each_look_up_counts_once(void **state)
{
    struct report report;
    const struct report_look_ups *line;

    collect(*state, &report);
    assert_int_equal(report.look_ups_count,
                     4); /* exact_cache on two routes, semantic_cache on one, and one with evidence */
    line = &report.look_ups[0];
    assert_true(slice_is(line->lever, "exact_cache") && slice_is(line->route, "helpdesk"));
    assert_int_equal(line->count[LOOK_UP_HIT], 1);
    assert_int_equal(line->count[LOOK_UP_MISS], 4);
    assert_null(line->evidence);
    assert_true(slice_is(report.look_ups[1].route, "other"));
    assert_int_equal(report.look_ups[1].count[LOOK_UP_MISS], 1);
    line = &report.look_ups[2];
    assert_true(slice_is(line->lever, "semantic_cache") && slice_is(line->route, "helpdesk"));
    assert_int_equal(line->count[LOOK_UP_HIT], 2);
    assert_true(line->saved[LOOK_UP_HIT] == 7 * (wide_int)USD_ONE);
    assert_int_equal(line->count[LOOK_UP_AUDITED], 1);
    assert_true(line->cost[LOOK_UP_AUDITED] == 2 * (wide_int)USD_ONE);
    assert_int_equal(line->count[LOOK_UP_NEAR_MISS] + line->count[LOOK_UP_UNEARNED] + line->count[LOOK_UP_MISS], 3);
    assert_ptr_equal(line->evidence, &evidence[0]);
    assert_true(slice_is(report.look_ups[3].route, "quiet"));
    assert_int_equal(report.line_count, 1); /* the tag: a look-up is none */
    assert_int_equal(report.lines[0].sums.rows, 8);
    report_free(&report);
}

static void
assert_says(const struct buffer *text, const char *words)
{
    if (slice_find(buffer_content(text), slice_of(words)) == buffer_len(text))
        fail_msg("\"%s\" is not in:\n%.*s", words, SLICE_ARGS(buffer_content(text)));
}

static void
a_person_reads_why(void **state)
{
    struct report report;
    struct buffer text = {0};

    collect(*state, &report);
    report_write_text(&report, false, &text);
    assert_says(&text, "served: $7.00");
    assert_says(&text, "drawn for an audit, the reference answered: for $2.00");
    assert_says(&text, "near, but differed literally");
    assert_says(&text, "evidence: floor 90%, serves from similarity 0.812 on");
    assert_says(&text, "of 100 audits there 99% were acceptable, which bounds it at 93.12% or more; 10% are audited, 2 "
                       "suspensions");
    assert_says(&text, "to serve more: 50 more audits of the kind if all are acceptable; 50 days or more at this pace");
    assert_says(&text, "evidence: scores are still gathered");
    buffer_free(&text);
    report_free(&report);
}

static void
a_program_reads_the_same(void **state)
{
    struct report report;
    struct buffer text = {0};
    yyjson_doc *doc;
    yyjson_val *line;

    collect(*state, &report);
    report_write_json(&report, &text);
    doc = yyjson_read(buffer_content(&text).data, buffer_len(&text), 0);
    assert_non_null(doc);
    line = yyjson_doc_ptr_get(doc, "/look_ups/2");
    assert_string_equal(yyjson_get_str(yyjson_obj_get(line, "route")), "helpdesk");
    assert_int_equal(yyjson_get_int(yyjson_obj_get(line, "all")), 6);
    assert_int_equal(yyjson_get_int(yyjson_obj_get(line, "hit")), 2);
    assert_string_equal(yyjson_get_str(yyjson_obj_get(line, "saved_usd")), "7");
    assert_string_equal(yyjson_get_str(yyjson_obj_get(line, "audits_paid_usd")), "2");
    assert_int_equal(yyjson_get_int(yyjson_ptr_get(line, "/evidence/labels_missing")), 50);
    assert_true(yyjson_is_null(yyjson_ptr_get(line, "/evidence/labels_missing_as_so_far")));
    assert_true(yyjson_is_null(yyjson_doc_ptr_get(doc, "/look_ups/0/evidence")));
    yyjson_doc_free(doc);
    buffer_free(&text);
    report_free(&report);
}

/* Every line has as many fields as the head. */
static void
a_spreadsheet_reads_the_same(void **state)
{
    struct report report;
    struct buffer text = {0};
    struct slice rest, line;
    size_t lines = 0, commas = 0;

    collect(*state, &report);
    report_write_look_ups_csv(&report, &text);
    rest = buffer_content(&text);
    while (rest.len > 0) {
        size_t here = 0;

        line = slice_split(&rest, '\n');
        for (size_t i = 0; i < line.len; i++)
            here += line.data[i] == ',';
        commas = lines++ == 0 ? here : commas;
        assert_int_equal(here, commas);
    }
    assert_int_equal(lines, 5);
    assert_says(&text, "\nsemantic_cache,helpdesk,6,2,0,0,0,1,1,1,0,0,1,0,0,7,0,2,1,0.900000,0.812500,");
    buffer_free(&text);
    report_free(&report);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(each_look_up_counts_once, set_up, books_close),
    cmocka_unit_test_setup_teardown(a_person_reads_why, set_up, books_close),
    cmocka_unit_test_setup_teardown(a_program_reads_the_same, set_up, books_close),
    cmocka_unit_test_setup_teardown(a_spreadsheet_reads_the_same, set_up, books_close),
};

int
main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
