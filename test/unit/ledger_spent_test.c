/* What was spent, read from sums or rows, is what the rows say one by one: for every scope and window, on both stores. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/timers.h"
#include "ledger_fixture.h"
#include "money/ledger/ledger_memory.h"
#include "money/ledger/ledger_spent.h"
#include "money/ledger/ledger_sqlite.h"

#define MINUTE_US (60 * USEC_PER_S)
#define HOUR_US (60 * MINUTE_US)
#define DAY_US (24 * HOUR_US)
#define START_US ((int64_t)1767225600 * USEC_PER_S) /* 2026-01-01, a Thursday */

enum { ROWS = 4000, QUESTIONS = 60 };

struct book {
    char *dir;
    struct ledger *ledgers[2];
    struct row *rows;
    struct arena arena;
    struct rng rng;
};

static int
set_up(void **state)
{
    struct book *book = must_calloc(1, sizeof(*book));
    struct problems problems = {0};
    struct ledger_store *store = NULL;

    rng_seed(&book->rng, 12);
    book->dir = fixture_dir();
    book->rows = must_calloc(ROWS, sizeof(struct row));
    assert_int_equal(
        ledger_sqlite_open(fixture_path(&book->arena, book->dir, "ledger.db"), LEDGER_WRITE, &problems, &store), OK);
    assert_int_equal(ledger_open(store, &book->ledgers[0]), OK);
    assert_int_equal(ledger_open(ledger_memory_open(), &book->ledgers[1]), OK);
    *state = book;
    return 0;
}

static int
tear_down(void **state)
{
    struct book *book = *state;

    for (unsigned i = 0; i < 2; i++)
        ledger_close(book->ledgers[i]);
    fixture_remove_dir(book->dir);
    arena_reset(&book->arena);
    free(book->rows);
    free(book);
    return 0;
}

static void
keep(struct book *book, size_t count)
{
    struct buffer bytes = {0};

    for (size_t i = 0; i < count; i++)
        journal_put_settle(&bytes, &book->rows[i]);
    for (unsigned i = 0; i < 2; i++) {
        struct slice rest = buffer_content(&bytes);
        struct journal_record record;

        assert_int_equal(ledger_begin(book->ledgers[i]), OK);
        while (rest.len > 0) {
            assert_int_equal(ledger_apply(book->ledgers[i], rest), OK);
            assert_int_equal(journal_take(&rest, &record), OK);
        }
        assert_int_equal(ledger_commit(book->ledgers[i]), OK);
    }
    buffer_free(&bytes);
}

/* Requests over five weeks, the last quarter of them within the last five minutes. */
static int64_t
fill(struct book *book)
{
    int64_t end_us = START_US + 35 * DAY_US + 12 * HOUR_US + 34 * MINUTE_US;

    for (size_t i = 0; i < ROWS; i++) {
        int64_t span = i < ROWS - ROWS / 4 ? end_us - START_US : 5 * MINUTE_US;
        int64_t wall_us = end_us - 1 - (int64_t)rng_below(&book->rng, (uint64_t)span);
        uint64_t id = (uint64_t)(wall_us / USEC_PER_MS) << 20 | (i & 0xfffff);

        fixture_row(&book->rng, &book->arena, id, wall_us, &book->rows[i]);
    }
    keep(book, ROWS);
    return end_us;
}

static bool
has(struct slice tags, struct slice tag)
{
    while (tags.len > 0)
        if (slice_equal(slice_split(&tags, ','), tag))
            return true;
    return false;
}

static void
add_up(const struct book *book, struct ledger_spent *spent)
{
    for (size_t i = 0; i < ROWS; i++) {
        const struct row *row = &book->rows[i];

        if (row->arrived_wall_us < spent->from_wall_us || row->arrived_wall_us >= spent->until_wall_us ||
            (spent->of == DIMENSION_key && !slice_equal(row->key_name, spent->name)) ||
            (spent->of == DIMENSION_tenant && !slice_equal(row->tenant, spent->name)) ||
            (spent->of == DIMENSION_route && !slice_equal(row->route, spent->name)) ||
            (spent->of == DIMENSION_tag && !has(row->tags, spent->name)))
            continue;
        spent->cost += usd_known(row->counted_cost) ? row->counted_cost : 0;
        spent->tokens += row->counted_tokens;
        spent->requests += row->counted_requests;
    }
}

static struct ledger_spent
some_question(struct book *book, int64_t end_us)
{
    static const struct {
        enum dimension of;
        const char *name;
    } scopes[] = {{DIMENSION_kind, NULL},
                  {DIMENSION_key, "web"},
                  {DIMENSION_key, "nobody"},
                  {DIMENSION_tenant, "globex"},
                  {DIMENSION_tenant, "acme"},
                  {DIMENSION_route, "search"},
                  {DIMENSION_tag, "feature=search"},
                  {DIMENSION_tag, "customer=42"},
                  {DIMENSION_tag, "feature"}};
    static const int64_t lengths[] = {MINUTE_US, HOUR_US, DAY_US, 7 * DAY_US, 31 * DAY_US};
    size_t scope = rng_below(&book->rng, sizeof(scopes) / sizeof(scopes[0]));
    int64_t length = lengths[rng_below(&book->rng, sizeof(lengths) / sizeof(lengths[0]))];
    int64_t back_us = length == MINUTE_US ? 6 * MINUTE_US : end_us - START_US;
    int64_t from = end_us - (int64_t)rng_below(&book->rng, (uint64_t)back_us);

    from -= from % (length < DAY_US ? length : DAY_US);
    return (struct ledger_spent){.of = scopes[scope].of,
                                 .name = slice_of(scopes[scope].name),
                                 .from_wall_us = from,
                                 .until_wall_us = from + length};
}

static void
every_scope_and_window_is_exact(void **state)
{
    struct book *book = *state;
    int64_t end_us = fill(book);
    struct ledger_spent asked[QUESTIONS], truth[QUESTIONS];
    size_t something = 0;

    for (size_t i = 0; i < QUESTIONS; i++) {
        asked[i] = truth[i] = some_question(book, end_us);
        add_up(book, &truth[i]);
        something += truth[i].cost > 0;
    }
    assert_true(something > QUESTIONS / 2);
    for (unsigned k = 0; k < 2; k++) {
        struct ledger_spent got[QUESTIONS];

        memcpy(got, asked, sizeof(got));
        assert_int_equal(ledger_spent(ledger_store(book->ledgers[k]), got, QUESTIONS), OK);
        for (size_t i = 0; i < QUESTIONS; i++) {
            assert_true(got[i].cost == truth[i].cost);
            assert_true(got[i].tokens == truth[i].tokens);
            assert_true(got[i].requests == truth[i].requests);
        }
    }
}

/* One dollar more than 64 bits of pico-dollars hold. */
static void
nothing_overflows(void **state)
{
    struct book *book = *state;
    struct ledger_spent spent = {.of = DIMENSION_kind, .from_wall_us = START_US, .until_wall_us = START_US + DAY_US};

    for (size_t i = 0; i < 3; i++) {
        fixture_row(&book->rng, &book->arena, i + 1, START_US, &book->rows[i]);
        book->rows[i].counted_cost = INT64_MAX;
    }
    keep(book, 3);
    assert_int_equal(ledger_spent(ledger_store(book->ledgers[0]), &spent, 1), OK);
    assert_true(spent.cost == 3 * (wide_int)INT64_MAX);
}

/* A request that was open when its process died counts what was expected, and what its attempts are known to have
 * cost. */
static void
what_was_open_counts_at_its_estimate(void **state)
{
    struct book *book = *state;
    struct ledger_spent spent = {
        .of = DIMENSION_key, .name = slice_of("web"), .from_wall_us = START_US, .until_wall_us = START_US + HOUR_US};
    struct attempt_line attempt = {.cost = 30, .input_tokens = 7, .output_tokens = 2};
    struct buffer bytes = {0};
    struct slice rest;
    struct row row;
    size_t charged;

    row_init(&row);
    row.id = 5;
    row.arrived_wall_us = START_US;
    row.key_name = slice_of("web");
    row.reserved_estimate = 1000;
    row.counted_tokens = 500;
    journal_put_open(&bytes, &row);
    journal_put_attempt(&bytes, 5, &attempt);
    rest = buffer_content(&bytes);
    assert_int_equal(ledger_begin(book->ledgers[0]), OK);
    while (rest.len > 0) {
        struct journal_record record;

        assert_int_equal(ledger_apply(book->ledgers[0], rest), OK);
        assert_int_equal(journal_take(&rest, &record), OK);
    }
    assert_int_equal(ledger_charge_open(book->ledgers[0], &charged), OK);
    assert_int_equal(ledger_commit(book->ledgers[0]), OK);
    assert_int_equal(charged, 1);
    assert_int_equal(ledger_spent(ledger_store(book->ledgers[0]), &spent, 1), OK);
    assert_true(spent.cost == 1030);
    assert_true(spent.tokens == 509);
    assert_true(spent.requests == 1);
    buffer_free(&bytes);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_scope_and_window_is_exact, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_overflows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_open_counts_at_its_estimate, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
