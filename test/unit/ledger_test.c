/* The ledger on both its stores: rows and sums agree, every record counts once, nothing that was spent is forgotten. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/timers.h"
#include "ledger_fixture.h"
#include "money/ledger/group.h"
#include "money/ledger/ledger_memory.h"
#include "money/ledger/ledger_schema.h"
#include "money/ledger/ledger_sqlite.h"

#define START_US ((int64_t)1767225600 * USEC_PER_S) /* 2026-01-01 */

/* One ledger on each kind of store. */
struct pair {
    char *dir;
    struct ledger *memory, *sqlite;
    struct arena arena;
    struct buffer bytes;
    struct rng rng;
};

static struct ledger *
open_sqlite(struct pair *pair)
{
    struct problems problems = {0};
    struct ledger_store *store = NULL;
    struct ledger *ledger = NULL;
    char *path = fixture_path(&pair->arena, pair->dir, "ledger.db");

    assert_int_equal(ledger_sqlite_open(path, LEDGER_WRITE, &problems, &store), OK);
    assert_int_equal(ledger_open(store, &ledger), OK);
    return ledger;
}

static int
set_up(void **state)
{
    struct pair *pair = must_calloc(1, sizeof(*pair));

    rng_seed(&pair->rng, 7);
    pair->dir = fixture_dir();
    pair->sqlite = open_sqlite(pair);
    assert_int_equal(ledger_open(ledger_memory_open(), &pair->memory), OK);
    *state = pair;
    return 0;
}

static int
tear_down(void **state)
{
    struct pair *pair = *state;

    ledger_close(pair->memory);
    ledger_close(pair->sqlite);
    fixture_remove_dir(pair->dir);
    buffer_free(&pair->bytes);
    arena_reset(&pair->arena);
    free(pair);
    return 0;
}

static void
apply_all(struct ledger *ledger, struct slice rest)
{
    struct journal_record *record = must_alloc(sizeof(*record));

    while (rest.len > 0) {
        struct slice one = rest;

        assert_int_equal(journal_take(&rest, record), OK);
        one.len -= rest.len;
        assert_int_equal(ledger_apply(ledger, one), OK);
    }
    free(record);
}

static void
batch(struct ledger *ledger, struct slice records)
{
    assert_int_equal(ledger_begin(ledger), OK);
    apply_all(ledger, records);
    assert_int_equal(ledger_commit(ledger), OK);
}

/* To both, and forgets the records. */
static void
batch_both(struct pair *pair)
{
    batch(pair->memory, buffer_content(&pair->bytes));
    batch(pair->sqlite, buffer_content(&pair->bytes));
    buffer_clear(&pair->bytes);
}

static void
some_row(struct pair *pair, uint64_t id, struct row *row)
{
    fixture_row(&pair->rng, &pair->arena, id, START_US + (int64_t)id * 977 * USEC_PER_S, row);
}

static void
assert_checks(struct ledger *ledger, int64_t expected_rows)
{
    struct ledger_totals rows, sums, days;

    assert_int_equal(ledger_check(ledger, INT64_MIN, &rows, &sums), OK);
    assert_int_equal(rows.rows, expected_rows);
    assert_int_equal(ledger_totals(ledger, &days), OK);
    assert_true(ledger_totals_equal(&rows, &days));
}

static struct row
row_of(struct pair *pair, struct ledger *ledger, uint64_t id)
{
    struct ledger_store *store = ledger_store(ledger);
    struct row row;

    assert_int_equal(store->ops->find_row(store, id, &pair->arena, &row), OK);
    return row;
}

static void
rows_sums_and_stores_agree(void **state)
{
    struct pair *pair = *state;
    struct ledger_totals expected = {0}, found;

    for (uint64_t id = 1; id <= 400; id++) {
        struct row row;

        some_row(pair, id, &row);
        journal_put_open(&pair->bytes, &row);
        journal_put_settle(&pair->bytes, &row);
        ledger_totals_add(&expected, &row);
        if (id % 37 == 0)
            batch_both(pair);
    }
    batch_both(pair);
    assert_stores_equal(ledger_store(pair->memory), ledger_store(pair->sqlite));
    assert_checks(pair->sqlite, 400);
    assert_checks(pair->memory, 400);
    assert_int_equal(ledger_totals(pair->sqlite, &found), OK);
    assert_true(ledger_totals_equal(&expected, &found));
    assert_int_equal(ledger_open_count(pair->sqlite), 0);
}

static void
a_row_comes_back_whole(void **state)
{
    struct pair *pair = *state;

    for (uint64_t i = 1; i <= 50; i++) {
        struct row row, found;

        fixture_wild_row(&pair->rng, &pair->arena, &row);
        row.id = i;
        row.arrived_wall_us = START_US;
        /* Texts are UTF-8 in our records; SQLite keeps them as such. */
#define ROW_ID(name, words)
#define ROW_NUMBER(name, words)
#define ROW_MAYBE(name, words)
#define ROW_USD(name, words)
#define ROW_TEXT(name, words) row.name = slice_of(arena_printf(&pair->arena, "%s-%d é", #name, (int)(i % 7)));
#include "money/row.def"
#undef ROW_ID
#undef ROW_NUMBER
#undef ROW_MAYBE
#undef ROW_USD
#undef ROW_TEXT
        journal_put_settle(&pair->bytes, &row);
        batch_both(pair);
        found = row_of(pair, pair->sqlite, i);
        assert_rows_equal(&row, &found);
    }
    assert_stores_equal(ledger_store(pair->memory), ledger_store(pair->sqlite));
}

static void
a_record_counts_once(void **state)
{
    struct pair *pair = *state;
    struct row row;

    for (uint64_t id = 1; id <= 20; id++) {
        some_row(pair, id, &row);
        journal_put_open(&pair->bytes, &row);
        journal_put_settle(&pair->bytes, &row);
    }
    batch(pair->memory, buffer_content(&pair->bytes));
    for (int i = 0; i < 3; i++)
        batch(pair->sqlite, buffer_content(&pair->bytes));
    assert_checks(pair->sqlite, 20);
    assert_stores_equal(ledger_store(pair->memory), ledger_store(pair->sqlite));
}

/* OPEN, a failed attempt, then nothing: charged for both, when the process is known to be dead and not before. */
static void
an_open_request_is_charged(void **state)
{
    struct pair *pair = *state;
    struct attempt_line attempt = {.target = SLICE_LITERAL("here/large-1"), .state = SLICE_LITERAL("cut"), .cost = 400};
    struct row row, found;
    size_t charged;

    some_row(pair, 5, &row);
    row.reserved_estimate = 1000;
    row.baseline = 5000;
    journal_put_open(&pair->bytes, &row);
    journal_put_attempt(&pair->bytes, 5, &attempt);
    batch_both(pair);
    assert_checks(pair->sqlite, 0);
    assert_int_equal(ledger_open_count(pair->sqlite), 1);

    ledger_close(pair->sqlite); /* the process dies */
    pair->sqlite = open_sqlite(pair);
    assert_int_equal(ledger_begin(pair->sqlite), OK);
    assert_int_equal(ledger_charge_open(pair->sqlite, &charged), OK);
    assert_int_equal(ledger_commit(pair->sqlite), OK);
    assert_int_equal(charged, 1);
    assert_checks(pair->sqlite, 1);
    found = row_of(pair, pair->sqlite, 5);
    assert_true(slice_is(found.state, "unknown"));
    assert_true(slice_is(found.exactness, "estimated"));
    assert_int_equal(found.cost, 1400);
    assert_int_equal(found.try_count, 1);
    assert_int_equal(row_booked(&found), 3600);
    assert_int_equal(ledger_open_count(pair->sqlite), 0);
}

/* What happened to be settled in a later batch leaves nothing open. */
static void
a_later_settle_closes(void **state)
{
    struct pair *pair = *state;
    struct row row;
    size_t charged;

    some_row(pair, 9, &row);
    journal_put_open(&pair->bytes, &row);
    batch_both(pair);
    journal_put_settle(&pair->bytes, &row);
    batch_both(pair);
    ledger_close(pair->sqlite);
    pair->sqlite = open_sqlite(pair);
    assert_int_equal(ledger_begin(pair->sqlite), OK);
    assert_int_equal(ledger_charge_open(pair->sqlite, &charged), OK);
    assert_int_equal(ledger_commit(pair->sqlite), OK);
    assert_int_equal(charged, 0);
    assert_stores_equal(ledger_store(pair->memory), ledger_store(pair->sqlite));
}

static void
put_feedback(struct pair *pair, uint64_t id, int64_t useful_ppm, const char *source, usd value)
{
    struct feedback feedback = {.id = id,
                                .useful_ppm = useful_ppm,
                                .value = value,
                                .source = slice_of(source),
                                .reason = SLICE_LITERAL("said so"),
                                .wall_us = START_US};

    journal_put_feedback(&pair->bytes, &feedback);
}

struct outcome_sums {
    struct ledger_store *store;
    struct arena arena;
    struct sums all;
};

static enum status
add_request_sums(void *user, int64_t start, uint64_t id, struct slice bytes)
{
    struct outcome_sums *out = user;
    struct slice group_bytes;
    struct group group;
    static struct sums sums;

    (void)start;
    assert_int_equal(out->store->ops->find_group(out->store, id, &out->arena, &group_bytes), OK);
    assert_int_equal(group_take(group_bytes, &group), OK);
    assert_int_equal(sums_take(bytes, &sums), OK);
    if (slice_is(group.of[DIMENSION_kind], "request"))
        sums_add(&out->all, &sums);
    return OK;
}

static void
assert_request_sums(struct ledger *ledger, const struct sums *expected)
{
    struct outcome_sums out = {.store = ledger_store(ledger)};
    struct buffer want = {0}, have = {0};

    assert_int_equal(out.store->ops->each_sums(out.store, LEDGER_HOUR, INT64_MIN, INT64_MAX, add_request_sums, &out),
                     OK);
    arena_reset(&out.arena);
    sums_put(&want, expected);
    sums_put(&have, &out.all);
    assert_true(slice_equal(buffer_content(&want), buffer_content(&have)));
    buffer_free(&want);
    buffer_free(&have);
}

/* Before the row, after it, and twice: the sums are those of the rows as they stand. */
static void
feedback_counts_whenever_it_comes(void **state)
{
    struct pair *pair = *state;
    struct sums expected = {0};
    struct row row;

    put_feedback(pair, 3, 0, "feedback", 250);                /* before its request */
    put_feedback(pair, 99, 1000000, "feedback", USD_UNKNOWN); /* of a request that never comes */
    batch_both(pair);
    for (uint64_t id = 1; id <= 60; id++) {
        some_row(pair, id, &row);
        journal_put_settle(&pair->bytes, &row);
    }
    batch_both(pair);
    for (uint64_t id = 1; id <= 60; id += 2)
        put_feedback(pair, id, (int64_t)(id % 3) * 500000, id % 4 == 1 ? "validator" : "feedback", (usd)id * 10);
    batch(pair->sqlite, buffer_content(&pair->bytes)); /* twice */
    batch_both(pair);
    assert_stores_equal(ledger_store(pair->memory), ledger_store(pair->sqlite));

    for (uint64_t id = 1; id <= 60; id++) {
        row = row_of(pair, pair->sqlite, id);
        sums_add_row(&expected, &row, row_booked(&row));
    }
    assert_request_sums(pair->sqlite, &expected);
    row = row_of(pair, pair->sqlite, 3);
    assert_int_equal(row.useful_ppm, 0);
    assert_true(slice_is(row.useful_reason, "said so"));
}

/* Before the row and after it; what we say ourselves names no tenant. */
static void
feedback_with_another_tenants_key_is_left_out(void **state)
{
    struct pair *pair = *state;
    struct feedback feedback = {.useful_ppm = 0,
                                .value = 5,
                                .source = SLICE_LITERAL("feedback"),
                                .reason = SLICE_LITERAL("theirs"),
                                .wall_us = START_US};
    struct row row;

    for (uint64_t round = 0; round < 2; round++) {
        for (uint64_t id = 1; id <= 2; id++) {
            feedback.id = id;
            feedback.tenant = id == 1 ? SLICE_LITERAL("acme-2") : SLICE_LITERAL("acme");
            feedback.value = 5 + (usd)round;
            journal_put_feedback(&pair->bytes, &feedback);
        }
        batch_both(pair);
        assert_int_equal(ledger_foreign_feedback(pair->sqlite), round * 2);
        for (uint64_t id = 1; id <= 2 && round == 0; id++) {
            some_row(pair, id, &row);
            row.tenant = SLICE_LITERAL("acme");
            row.useful_ppm = ROW_UNKNOWN;
            row.useful_source = row.useful_reason = SLICE_NONE;
            row.value = USD_UNKNOWN;
            journal_put_settle(&pair->bytes, &row);
        }
        if (round == 0)
            batch_both(pair);
        assert_int_equal(ledger_foreign_feedback(pair->sqlite), round + 1);
        row = row_of(pair, pair->sqlite, 1);
        assert_int_equal(row.useful_ppm, ROW_UNKNOWN);
        assert_false(usd_known(row.value));
        row = row_of(pair, pair->sqlite, 2);
        assert_int_equal(row.useful_ppm, 0);
        assert_int_equal(row.value, 5 + (usd)round);
    }
    assert_stores_equal(ledger_store(pair->memory), ledger_store(pair->sqlite));
    assert_checks(pair->sqlite, 2);

    feedback.id = 1;
    feedback.tenant = SLICE_LITERAL("acme-2");
    journal_put_feedback(&pair->bytes, &feedback);
    assert_int_equal(ledger_begin(pair->memory), OK);
    assert_int_equal(ledger_apply(pair->memory, buffer_content(&pair->bytes)), OK);
    ledger_rollback(pair->memory);
    assert_int_equal(ledger_foreign_feedback(pair->memory), 2);
    batch(pair->memory, buffer_content(&pair->bytes));
    assert_int_equal(ledger_foreign_feedback(pair->memory), 3);
}

static void
the_caller_is_believed_before_a_validator(void **state)
{
    struct pair *pair = *state;
    struct row row;

    some_row(pair, 1, &row);
    row.useful_ppm = ROW_UNKNOWN;
    row.useful_source = SLICE_NONE;
    journal_put_settle(&pair->bytes, &row);
    put_feedback(pair, 1, 1000000, "validator", USD_UNKNOWN);
    put_feedback(pair, 1, 0, "feedback", USD_UNKNOWN);
    put_feedback(pair, 1, 1000000, "validator", 77);
    batch_both(pair);
    row = row_of(pair, pair->sqlite, 1);
    assert_int_equal(row.useful_ppm, 0);
    assert_true(slice_is(row.useful_source, "feedback"));
    assert_int_equal(row.value, 77);
}

static void
old_early_feedback_goes(void **state)
{
    struct pair *pair = *state;
    size_t dropped;

    put_feedback(pair, 7, 0, "feedback", USD_UNKNOWN);
    batch_both(pair);
    assert_int_equal(ledger_begin(pair->sqlite), OK);
    assert_int_equal(ledger_drop_old_feedback(pair->sqlite, START_US, &dropped), OK);
    assert_int_equal(dropped, 0);
    assert_int_equal(ledger_drop_old_feedback(pair->sqlite, START_US + 1, &dropped), OK);
    assert_int_equal(dropped, 1);
    assert_int_equal(ledger_commit(pair->sqlite), OK);
}

/* A client may say it for ever of an id that never comes: neither memory nor the note in the store may grow with it. */
static enum status
measure_feedback(void *user, enum ledger_note kind, uint64_t id, struct slice bytes)
{
    size_t *sizes = user;

    (void)id;
    if (kind == LEDGER_NOTE_FEEDBACK) {
        sizes[0]++;
        sizes[1] += bytes.len;
    }
    return OK;
}

static void
early_feedback_said_again_takes_no_more_room(void **state)
{
    struct pair *pair = *state;
    size_t once[2] = {0}, often[2] = {0};

    for (unsigned round = 0; round < 1000; round++) {
        struct ledger_store *store = ledger_store(pair->sqlite);

        put_feedback(pair, 7, 0, "feedback", USD_UNKNOWN);
        put_feedback(pair, 7, ROW_UNKNOWN, "feedback", 5);
        put_feedback(pair, 7, 1000000, "validator", USD_UNKNOWN);
        batch_both(pair);
        if (round == 0)
            assert_int_equal(store->ops->each_note(store, measure_feedback, once), OK);
        else if (round == 999)
            assert_int_equal(store->ops->each_note(store, measure_feedback, often), OK);
    }
    assert_int_equal(once[0], 1);
    assert_int_equal(often[0], 1);
    assert_int_equal(often[1], once[1]);
}

/* Whether a note keeps all that was said, or only what is not covered, the row is judged the same. */
static void
early_feedback_judges_as_late_feedback(void **state)
{
    static const char *const sources[] = {"audit", "validator", "feedback"};
    struct pair *pair = *state;
    struct rng rng;

    rng_seed(&rng, 11);
    for (uint64_t id = 1; id <= 400; id++) {
        struct row row, expected;
        size_t count = 1 + rng_below(&rng, 6);

        some_row(pair, id, &row);
        row.useful_ppm = ROW_UNKNOWN;
        row.useful_source = row.useful_reason = SLICE_NONE;
        row.value = USD_UNKNOWN;
        expected = row;
        for (size_t i = 0; i < count; i++) {
            struct feedback feedback = {.id = id,
                                        .useful_ppm =
                                            rng_below(&rng, 3) == 0 ? ROW_UNKNOWN : (int64_t)rng_below(&rng, 1000000),
                                        .value = rng_below(&rng, 2) == 0 ? USD_UNKNOWN : (usd)rng_below(&rng, 1000),
                                        .source = slice_of(sources[rng_below(&rng, 3)]),
                                        .tenant = rng_below(&rng, 3) == 0 ? SLICE_LITERAL("another") : row.tenant,
                                        .wall_us = START_US};

            journal_put_feedback(&pair->bytes, &feedback);
            ledger_judge_row(&expected, &feedback);
        }
        batch_both(pair);
        journal_put_settle(&pair->bytes, &row);
        batch_both(pair);
        row = row_of(pair, pair->sqlite, id);
        assert_int_equal(row.useful_ppm, expected.useful_ppm);
        assert_true(slice_equal(row.useful_source, expected.useful_source));
        assert_int_equal(row.value, expected.value);
    }
    assert_stores_equal(ledger_store(pair->memory), ledger_store(pair->sqlite));
}

static void
early_feedback_is_kept_of_so_many_requests(void **state)
{
    enum { MOST = 16384, MORE = 10 };
    struct pair *pair = *state;
    struct ledger_store *store = ledger_store(pair->sqlite);
    size_t found[2] = {0}, dropped;
    struct row row;

    for (uint64_t id = 1; id <= MOST + MORE; id++)
        put_feedback(pair, id, 0, "feedback", USD_UNKNOWN);
    batch_both(pair);
    assert_int_equal(store->ops->each_note(store, measure_feedback, found), OK);
    assert_int_equal(found[0], MOST);

    for (uint64_t id = MORE; id <= MORE + 1; id++) { /* the last that made room, and the oldest that is kept */
        some_row(pair, id, &row);
        row.useful_ppm = ROW_UNKNOWN;
        row.useful_source = SLICE_NONE;
        journal_put_settle(&pair->bytes, &row);
    }
    batch_both(pair);
    row = row_of(pair, pair->sqlite, MORE);
    assert_int_equal(row.useful_ppm, ROW_UNKNOWN);
    row = row_of(pair, pair->sqlite, MORE + 1);
    assert_int_equal(row.useful_ppm, 0);

    assert_int_equal(ledger_begin(pair->sqlite), OK);
    assert_int_equal(ledger_drop_old_feedback(pair->sqlite, START_US, &dropped), OK);
    assert_int_equal(dropped, MORE);
    assert_int_equal(ledger_drop_old_feedback(pair->sqlite, START_US + 1, &dropped), OK);
    assert_int_equal(dropped, MOST - 1);
    assert_int_equal(ledger_commit(pair->sqlite), OK);
}

static void
a_rolled_back_batch_leaves_nothing(void **state)
{
    struct pair *pair = *state;
    struct row row;

    for (uint64_t id = 1; id <= 30; id++) {
        some_row(pair, id, &row);
        if (id % 5 == 0)
            journal_put_open(&pair->bytes, &row);
        else
            journal_put_settle(&pair->bytes, &row);
    }
    put_feedback(pair, 2, 0, "feedback", 5);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ledger_begin(pair->sqlite), OK);
        apply_all(pair->sqlite, buffer_content(&pair->bytes));
        ledger_rollback(pair->sqlite);
        assert_int_equal(ledger_begin(pair->memory), OK);
        apply_all(pair->memory, buffer_content(&pair->bytes));
        ledger_rollback(pair->memory);
        assert_checks(pair->sqlite, 0);
        assert_checks(pair->memory, 0);
    }
    batch_both(pair);
    assert_checks(pair->sqlite, 24);
    assert_int_equal(ledger_open_count(pair->sqlite), 6);
    assert_stores_equal(ledger_store(pair->memory), ledger_store(pair->sqlite));
}

static void
a_check_finds_a_changed_row(void **state)
{
    struct pair *pair = *state;
    struct ledger_totals rows, sums;
    struct row row;
    sqlite3 *file;
    char *path = fixture_path(&pair->arena, pair->dir, "ledger.db");

    for (uint64_t id = 1; id <= 10; id++) {
        some_row(pair, id, &row);
        row.cost = row.baseline = 1000;
        row.saving_count = 0;
        journal_put_settle(&pair->bytes, &row);
    }
    batch_both(pair);
    assert_int_equal(sqlite3_open(path, &file), SQLITE_OK);
    assert_int_equal(sqlite3_exec(file, "UPDATE rows SET cost = cost + 1 WHERE id = 4", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(file);
    assert_int_equal(ledger_check(pair->sqlite, INT64_MIN, &rows, &sums), ERR_CORRUPT);
    assert_true(rows.cost == sums.cost + 1);
    assert_int_equal(ledger_check(pair->memory, INT64_MIN, &rows, &sums), OK);
}

static void
people_can_read_the_file(void **state)
{
    struct pair *pair = *state;
    struct row row;
    sqlite3 *file;
    sqlite3_stmt *select;
    char *path = fixture_path(&pair->arena, pair->dir, "ledger.db");

    some_row(pair, 1, &row);
    journal_put_settle(&pair->bytes, &row);
    batch_both(pair);
    assert_int_equal(sqlite3_open(path, &file), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(file, "SELECT key_name FROM requests", -1, &select, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(select), SQLITE_ROW);
    assert_true(slice_is(row.key_name, (const char *)sqlite3_column_text(select, 0)));
    sqlite3_finalize(select);
    sqlite3_close(file);
}

static void
set_version(struct pair *pair, const char *path, int version)
{
    sqlite3 *file;

    assert_int_equal(sqlite3_open(path, &file), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(file, arena_printf(&pair->arena, "PRAGMA user_version = %d", version), NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(file);
}

static void
a_newer_file_is_refused(void **state)
{
    struct pair *pair = *state;
    struct problems problems = {0};
    struct ledger_store *store = NULL;
    char *path = fixture_path(&pair->arena, pair->dir, "newer.db");

    assert_int_equal(ledger_sqlite_open(path, LEDGER_READ, &problems, &store), ERR_NOT_FOUND);
    assert_int_equal(ledger_sqlite_open(path, LEDGER_WRITE, &problems, &store), OK);
    store->ops->close(store);
    set_version(pair, path, LEDGER_SCHEMA_VERSION + 1);
    assert_int_equal(ledger_sqlite_open(path, LEDGER_WRITE, &problems, &store), ERR_INVALID);
    assert_int_equal(ledger_sqlite_open(path, LEDGER_READ, &problems, &store), ERR_INVALID);
    assert_int_equal(problems.count, 2);
    assert_non_null(strstr(problems.all[0].text, "newer"));
    problems_free(&problems);
}

/* As a program made it that did not know of budgets. */
static void
make_older(struct pair *pair, const char *path)
{
    sqlite3 *file;

    assert_int_equal(sqlite3_open(path, &file), SQLITE_OK);
    assert_int_equal(sqlite3_exec(file,
                                  "DROP VIEW requests; ALTER TABLE rows DROP COLUMN counted_cost;"
                                  "ALTER TABLE rows DROP COLUMN counted_tokens; ALTER TABLE rows DROP COLUMN "
                                  "counted_requests; CREATE VIEW requests AS SELECT id FROM rows",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(file);
    set_version(pair, path, 1);
}

static void
an_older_file_is_brought_up_to_date(void **state)
{
    struct pair *pair = *state;
    struct problems problems = {0};
    struct ledger_store *store = NULL;
    char *path = fixture_path(&pair->arena, pair->dir, "ledger.db");
    struct row before, after, row;

    some_row(pair, 1, &before);
    journal_put_settle(&pair->bytes, &before);
    batch_both(pair);
    ledger_close(pair->sqlite);
    make_older(pair, path);
    assert_int_equal(ledger_sqlite_open(path, LEDGER_READ, &problems, &store), ERR_INVALID);
    assert_non_null(strstr(problems.all[0].text, "older form"));
    problems_free(&problems);
    pair->sqlite = open_sqlite(pair);
    some_row(pair, 2, &after);
    journal_put_settle(&pair->bytes, &after);
    batch_both(pair);
    store = ledger_store(pair->sqlite);
    assert_int_equal(store->ops->find_row(store, 1, &pair->arena, &row), OK);
    before.counted_cost = USD_UNKNOWN;
    before.counted_tokens = before.counted_requests = 0;
    assert_rows_equal(&row, &before);
    assert_int_equal(store->ops->find_row(store, 2, &pair->arena, &row), OK);
    assert_rows_equal(&row, &after);
}

static void
another_file_is_refused(void **state)
{
    struct pair *pair = *state;
    struct problems problems = {0};
    struct ledger_store *store = NULL;
    char *path = fixture_path(&pair->arena, pair->dir, "other.db");
    FILE *file = fopen(path, "w");

    fputs("this is a text that somebody keeps here, and no ledger at all, though it is long enough to look at. Really.",
          file);
    fclose(file);
    assert_int_equal(ledger_sqlite_open(path, LEDGER_WRITE, &problems, &store), ERR_INVALID);
    set_version(pair, fixture_path(&pair->arena, pair->dir, "foreign.db"), 3);
    assert_int_equal(
        ledger_sqlite_open(fixture_path(&pair->arena, pair->dir, "foreign.db"), LEDGER_WRITE, &problems, &store),
        ERR_INVALID);
    assert_non_null(strstr(problems.all[1].text, "not a ledger"));
    problems_free(&problems);
}

int
main(void)
{
#define ON_BOTH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ON_BOTH(rows_sums_and_stores_agree),
        ON_BOTH(a_row_comes_back_whole),
        ON_BOTH(a_record_counts_once),
        ON_BOTH(an_open_request_is_charged),
        ON_BOTH(a_later_settle_closes),
        ON_BOTH(feedback_counts_whenever_it_comes),
        ON_BOTH(feedback_with_another_tenants_key_is_left_out),
        ON_BOTH(the_caller_is_believed_before_a_validator),
        ON_BOTH(old_early_feedback_goes),
        ON_BOTH(early_feedback_said_again_takes_no_more_room),
        ON_BOTH(early_feedback_judges_as_late_feedback),
        ON_BOTH(early_feedback_is_kept_of_so_many_requests),
        ON_BOTH(a_rolled_back_batch_leaves_nothing),
        ON_BOTH(a_check_finds_a_changed_row),
        ON_BOTH(people_can_read_the_file),
        ON_BOTH(a_newer_file_is_refused),
        ON_BOTH(an_older_file_is_brought_up_to_date),
        ON_BOTH(another_file_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
