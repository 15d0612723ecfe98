/* Reading a ledger from outside: the file and, on top, what the journal holds beyond it; nothing twice, nothing lost. */
#define _GNU_SOURCE /* mkdir */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/timers.h"
#include "cmd/ledger_view.h"
#include "ledger_fixture.h"
#include "live/segment.h"
#include "money/ledger/journal.h"
#include "money/ledger/ledger_sqlite.h"
#include "money/report/report.h"

#define START_US ((int64_t)1767225600 * USEC_PER_S) /* 2026-01-01 */
#define DAY_US ((int64_t)86400 * USEC_PER_S)
enum { SEGMENT_BYTES = 65536, IN_FILE = 3, SETTLED = 5, OPEN_ID = 6, SEQUENCE = 7 };

struct place {
    char *dir;
    struct arena arena;
    struct buffer records; /* the journal's */
    size_t taken_over;     /* how much of it the file has */
    wide_int cost;
    struct ledger_view view;
};

static void
make_records(struct place *place)
{
    struct rng rng;
    struct row row;

    rng_seed(&rng, 4);
    for (uint64_t id = 1; id <= SETTLED; id++) {
        fixture_row(&rng, &place->arena, id, START_US + (int64_t)id, &row);
        row.useful_ppm = ROW_UNKNOWN;
        row.useful_source = SLICE_NONE;
        place->cost += usd_known(row.cost) ? row.cost : 0;
        journal_put_open(&place->records, &row);
        journal_put_settle(&place->records, &row);
        if (id == IN_FILE)
            place->taken_over = buffer_len(&place->records);
    }
    fixture_row(&rng, &place->arena, OPEN_ID, START_US, &row);
    journal_put_open(&place->records, &row);
    journal_put_feedback(&place->records, &(struct feedback){.id = SETTLED,
                                                             .useful_ppm = 1000000,
                                                             .value = USD_UNKNOWN,
                                                             .source = SLICE_LITERAL("feedback"),
                                                             .wall_us = START_US});
    journal_put_feedback(&place->records, &(struct feedback){.id = 1,
                                                             .useful_ppm = 1000000,
                                                             .value = USD_UNKNOWN,
                                                             .source = SLICE_LITERAL("feedback"),
                                                             .wall_us = START_US});
}

static void
make_segment(struct place *place, char *journal)
{
    struct segment *segment = NULL;

    assert_int_equal(mkdir(journal, 0700), 0);
    assert_int_equal(segment_create(journal, 0, SEQUENCE, SEGMENT_BYTES, &segment), OK);
    assert_int_equal(segment_append(segment, buffer_content(&place->records)), OK);
    assert_int_equal(segment_sync(segment), OK);
    segment_free(segment, false);
}

/* As the writer had got when it was looked at. */
static void
make_file(struct place *place, const char *path)
{
    struct problems problems = {0};
    struct ledger_store *store = NULL;
    struct ledger *ledger = NULL;
    struct slice rest = slice_first(buffer_content(&place->records), place->taken_over);
    struct journal_head head;

    assert_int_equal(ledger_sqlite_open(path, LEDGER_WRITE, &problems, &store), OK);
    assert_int_equal(ledger_open(store, &ledger), OK);
    assert_int_equal(ledger_begin(ledger), OK);
    for (; rest.len > 0; rest = slice_from(rest, head.bytes)) {
        assert_int_equal(journal_look(rest, &head), OK);
        assert_int_equal(ledger_apply(ledger, rest), OK);
    }
    assert_int_equal(ledger_set_position(ledger, SEQUENCE, SEGMENT_HEAD_BYTES + place->taken_over), OK);
    assert_int_equal(ledger_commit(ledger), OK);
    ledger_close(ledger);
    problems_free(&problems);
}

static int
set_up(void **state)
{
    struct place *place = must_calloc(1, sizeof(*place));

    place->dir = fixture_dir();
    make_records(place);
    *state = place;
    return 0;
}

static int
tear_down(void **state)
{
    struct place *place = *state;

    ledger_view_close(&place->view);
    fixture_remove_dir(place->dir);
    buffer_free(&place->records);
    arena_reset(&place->arena);
    free(place);
    return 0;
}

static const char *
no_risk(struct slice lever)
{
    (void)lever;
    return "none";
}

static void
view(struct place *place)
{
    struct problems problems = {0};

    assert_int_equal(ledger_view_open(place->dir, &problems, &place->view), OK);
    assert_int_equal(problems.count, 0);
    problems_free(&problems);
}

static void
assert_report(struct place *place)
{
    struct report_options options = {
        .since = START_US, .until = START_US + DAY_US, .now = START_US + DAY_US, .risk = no_risk};
    struct report report;

    assert_int_equal(report_collect(place->view.stores, place->view.count, &options, &report), OK);
    assert_int_equal(report.all.rows, SETTLED);
    assert_true(report.all.cost == place->cost);
    report_free(&report);
}

static void
assert_found(struct place *place, uint64_t id, const char *state, int64_t useful_ppm)
{
    struct row row;

    assert_int_equal(ledger_view_find(&place->view, id, &place->arena, &row), OK);
    assert_int_equal(row.id, id);
    assert_int_equal(row.useful_ppm, useful_ppm);
    if (state != NULL)
        assert_true(slice_is(row.state, state));
}

static void
the_surplus_comes_on_top_of_the_file(void **state)
{
    struct place *place = *state;
    struct row row;

    make_segment(place, fixture_path(&place->arena, place->dir, "journal"));
    make_file(place, fixture_path(&place->arena, place->dir, "ledger.db"));
    view(place);
    assert_int_equal(place->view.count, 2);
    assert_report(place);
    for (uint64_t id = 2; id < SETTLED; id++)
        assert_found(place, id, NULL, ROW_UNKNOWN);
    assert_found(place, SETTLED, NULL, 1000000);
    assert_int_equal(ledger_view_find(&place->view, OPEN_ID + 1, &place->arena, &row), ERR_NOT_FOUND);
}

static void
a_request_that_is_open_is_found(void **state)
{
    struct place *place = *state;

    make_segment(place, fixture_path(&place->arena, place->dir, "journal"));
    make_file(place, fixture_path(&place->arena, place->dir, "ledger.db"));
    view(place);
    assert_int_equal(ledger_view_find(&place->view, OPEN_ID, &place->arena, &(struct row){0}), OK);
}

/* What was said a moment ago of a row that the file has already. */
static void
pending_feedback_is_told_with_its_row(void **state)
{
    struct place *place = *state;

    make_segment(place, fixture_path(&place->arena, place->dir, "journal"));
    make_file(place, fixture_path(&place->arena, place->dir, "ledger.db"));
    view(place);
    assert_found(place, 1, NULL, 1000000);
}

static void
a_journal_alone_is_enough(void **state)
{
    struct place *place = *state;

    make_segment(place, fixture_path(&place->arena, place->dir, "journal"));
    view(place);
    assert_null(place->view.file);
    assert_report(place);
    assert_found(place, 1, NULL, 1000000);
}

static void
nothing_at_all_is_said(void **state)
{
    struct place *place = *state;
    struct problems problems = {0};

    assert_int_equal(ledger_view_open(place->dir, &problems, &place->view), ERR_NOT_FOUND);
    assert_int_equal(problems.count, 1);
    problems_free(&problems);
}

int
main(void)
{
#define ON_PLACE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ON_PLACE(the_surplus_comes_on_top_of_the_file),
        ON_PLACE(a_request_that_is_open_is_found),
        ON_PLACE(pending_feedback_is_told_with_its_row),
        ON_PLACE(a_journal_alone_is_enough),
        ON_PLACE(nothing_at_all_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
