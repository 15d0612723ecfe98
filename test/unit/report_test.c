/* What reports say is what the ledger holds: every grouping adds up to the whole, to the pico-dollar. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <yyjson.h>

#include "base/timers.h"
#include "ledger_fixture.h"
#include "money/ledger/ledger_memory.h"
#include "money/report/report.h"

#define START_US ((int64_t)1767225600 * USEC_PER_S) /* 2026-01-01 */
#define HOUR_US ((int64_t)3600 * USEC_PER_S)
#define DAY_US (24 * HOUR_US)
enum { ROWS = 800, DAYS = 20 };

/* Two stores, as the file and the journal's surplus. */
struct books {
    struct ledger *ledgers[2];
    struct ledger_store *stores[2];
    struct arena arena;
    struct ledger_totals totals;
};

static const char *
no_risk(struct slice lever)
{
    (void)lever;
    return "none";
}

static int
set_up(void **state)
{
    struct books *books = must_calloc(1, sizeof(*books));
    struct buffer record = {0};
    struct rng rng;
    struct row row;

    rng_seed(&rng, 21);
    for (int i = 0; i < 2; i++) {
        books->stores[i] = ledger_memory_open();
        assert_int_equal(ledger_open(books->stores[i], &books->ledgers[i]), OK);
        assert_int_equal(ledger_begin(books->ledgers[i]), OK);
    }
    for (uint64_t id = 1; id <= ROWS; id++) {
        fixture_row(&rng, &books->arena, id, START_US + (int64_t)id * DAYS * DAY_US / (ROWS + 1), &row);
        row.modelled = 1;
        ledger_totals_add(&books->totals, &row);
        buffer_clear(&record);
        journal_put_settle(&record, &row);
        assert_int_equal(ledger_apply(books->ledgers[id > ROWS - 20], buffer_content(&record)), OK);
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(ledger_commit(books->ledgers[i]), OK);
    buffer_free(&record);
    *state = books;
    return 0;
}

static int
tear_down(void **state)
{
    struct books *books = *state;

    ledger_close(books->ledgers[0]);
    ledger_close(books->ledgers[1]);
    arena_reset(&books->arena);
    free(books);
    return 0;
}

static struct report_options
whole_time(void)
{
    return (struct report_options){
        .since = START_US, .until = START_US + DAYS * DAY_US, .now = START_US + DAYS * DAY_US, .risk = no_risk};
}

static void
collect(struct books *books, struct report_options options, struct report *out)
{
    assert_int_equal(report_collect(books->stores, 2, &options, out), OK);
}

static void
every_grouping_adds_up(void **state)
{
    struct books *books = *state;

    for (int by = 0; by < REPORT_BYS; by++) {
        struct report_options options = whole_time();
        struct report report;
        wide_int cost = 0, saved = 0;
        int64_t rows = 0;

        options.by[options.by_count++] = (enum report_by)by;
        if (by != REPORT_BY_TAG && by != REPORT_BY_DAY)
            options.by[options.by_count++] = REPORT_BY_DAY;
        collect(books, options, &report);
        assert_int_equal(report.all.rows, ROWS);
        assert_true(report.all.cost == books->totals.cost);
        assert_true(report.all.saved == books->totals.saved);
        for (size_t i = 0; i < report.line_count; i++) {
            rows += report.lines[i].sums.rows;
            cost += report.lines[i].sums.cost;
            saved += report.lines[i].sums.saved;
        }
        if (by != REPORT_BY_TAG) { /* a request has none or several */
            assert_int_equal(rows, ROWS);
            assert_true(cost == books->totals.cost && saved == books->totals.saved);
        }
        assert_true(report.line_count > 1);
        report_free(&report);
    }
}

/* Cut anywhere, two spans make the whole: days and hours agree. */
static void
spans_add_up(void **state)
{
    struct books *books = *state;

    for (int64_t cut = 0; cut <= DAYS * 24; cut += 7) {
        struct report_options options = whole_time();
        struct report before, after;

        options.until = START_US + cut * HOUR_US;
        collect(books, options, &before);
        options = whole_time();
        options.since = START_US + cut * HOUR_US;
        collect(books, options, &after);
        assert_int_equal(before.all.rows + after.all.rows, ROWS);
        assert_true(before.all.cost + after.all.cost == books->totals.cost);
        report_free(&before);
        report_free(&after);
    }
}

static void
savings_are_baseline_less_cost(void **state)
{
    struct report report;
    wide_int booked = 0;

    collect(*state, whole_time(), &report);
    assert_true(report.all.saved == report.all.baseline - (report.all.cost - report.all.cost_without_baseline));
    for (size_t i = 0; i < report.lever_count; i++)
        booked += report.levers[i].shadow ? 0 : report.levers[i].sums.saved;
    assert_true(booked == report.all.saved);
    assert_true(report.lever_count == 2);
    report_free(&report);
}

static void
useful_lies_between_seen_and_possible(void **state)
{
    struct report report;
    struct interval each;

    collect(*state, whole_time(), &report);
    assert_true(report.useful.known);
    assert_true(report.useful.low <= report.useful.middle && report.useful.middle <= report.useful.high);
    assert_true(report.useful.low >= (double)report.all.useful_ppm / 1e6);
    assert_true(report.useful.high <= (double)report.all.useful_ppm / 1e6 + (double)report.all.unjudged);
    each = report_cost_per_useful(&report.all, report.useful);
    assert_true(each.known && each.low <= each.middle && each.middle <= each.high);
    assert_true(report.month.known && report.month.low <= report.month.middle);
    report_free(&report);
}

static void
no_outcomes_are_unknown_and_not_zero(void **state)
{
    struct report_options options = whole_time();
    struct report report;
    struct buffer text = {0};

    options.since = options.until = START_US - DAY_US;
    collect(*state, options, &report);
    assert_false(report.useful.known);
    assert_false(report_cost_per_useful(&report.all, report.useful).known);
    report_write_text(&report, false, &text);
    assert_true(slice_find(buffer_content(&text), SLICE_LITERAL("no requests")) < buffer_len(&text));
    buffer_free(&text);
    report_free(&report);
}

static void
intervals_are_those_of_the_books(void **state)
{
    struct interval few = estimate_share(9, 10), none = estimate_share(0, 20);
    const double days[] = {10, 12, 8, 10};
    struct interval month = estimate_forecast(40, days, 4, 2);

    (void)state;
    assert_true(few.low > 0.5957 && few.low < 0.5959 && few.high > 0.9820 && few.high < 0.9822);
    assert_true(none.low == 0 && none.high > 0.161 && none.high < 0.162);
    assert_false(estimate_share(0, 0).known);
    assert_true(month.middle == 60 && month.low > 40 && month.high > 60);
    assert_false(estimate_forecast(40, days, 2, 2).known);
}

static yyjson_doc *
read_json(struct buffer *text)
{
    yyjson_doc *doc = yyjson_read(buffer_content(text).data, buffer_len(text), 0);

    assert_non_null(doc);
    return doc;
}

static void
json_is_json_and_modelled_is_said(void **state)
{
    struct report_options options = whole_time();
    struct report report;
    struct buffer text = {0};
    yyjson_doc *doc;

    options.by[options.by_count++] = REPORT_BY_MODEL;
    collect(*state, options, &report);
    report_write_json(&report, &text);
    doc = read_json(&text);
    assert_int_equal(yyjson_get_int(yyjson_ptr_get(yyjson_doc_get_root(doc), "/modelled/rows")), ROWS);
    assert_int_equal(yyjson_arr_size(yyjson_ptr_get(yyjson_doc_get_root(doc), "/lines")), report.line_count);
    yyjson_doc_free(doc);
    buffer_clear(&text);
    report_write_text(&report, false, &text);
    assert_true(slice_find(buffer_content(&text), SLICE_LITERAL("modelled: all")) < buffer_len(&text));
    assert_true(slice_find(buffer_content(&text), SLICE_LITERAL("UNPRICED")) < buffer_len(&text));
    assert_int_equal(slice_find(buffer_content(&text), SLICE_LITERAL("\033")), buffer_len(&text));
    buffer_free(&text);
    report_free(&report);
}

int
main(void)
{
#define ON_BOOKS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ON_BOOKS(every_grouping_adds_up),
        ON_BOOKS(spans_add_up),
        ON_BOOKS(savings_are_baseline_less_cost),
        ON_BOOKS(useful_lies_between_seen_and_possible),
        ON_BOOKS(no_outcomes_are_unknown_and_not_zero),
        cmocka_unit_test(intervals_are_those_of_the_books),
        ON_BOOKS(json_is_json_and_modelled_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
