/* Rents: what replicas cost by the hour, of which the rows take their part and the rest is idle, to the pico-dollar. */
#include "money/rent.h"

#include "base/timers.h"
#include "cmocka_ready.h"
#include "ledger_fixture.h"
#include "money/ledger/ledger_memory.h"
#include "money/ledger/ledger_sqlite.h"
#include "money/report/focus.h"
#include "money/report/report.h"

#define HOUR_US ((int64_t)3600 * USEC_PER_S)
#define NOW_US ((int64_t)1767225600 * USEC_PER_S) /* 2026-01-01 */
/* The buffer's content, as text. */
static const char *
text_of(struct buffer *buffer)
{
    buffer_add_byte(buffer, '\0');
    return buffer_content(buffer).data;
}

#define PRICE ((usd)2499999999999) /* an odd one: nothing comes out even */

static const char *
no_risk(struct slice lever)
{
    (void)lever;
    return "none";
}

static enum status
rent_out(struct ledger *ledger, int64_t from, int64_t until, int64_t replicas)
{
    struct rent rent = {from, until, SLICE_LITERAL("gpus"), SLICE_NONE, false, replicas, PRICE};
    struct buffer record = {0};
    enum status status;

    journal_put_rent(&record, &rent);
    status = ledger_apply(ledger, buffer_content(&record));
    buffer_free(&record);
    return status;
}

static void
book(struct ledger *ledger, uint64_t id, int64_t wall_us, usd cost)
{
    struct buffer record = {0};
    struct row row;

    row_init(&row);
    row.id = id;
    row.arrived_wall_us = wall_us;
    row.route = SLICE_LITERAL("assistant");
    row.backend = SLICE_LITERAL("gpus");
    row.state = SLICE_LITERAL("ok");
    row.source = SLICE_LITERAL("reference");
    row.useful_ppm = 1000000;
    row.useful_source = SLICE_LITERAL("validator");
    row.input_tokens = 900000;
    row.output_tokens = 100000;
    row.cost = row.baseline = cost;
    journal_put_settle(&record, &row);
    assert_int_equal(ledger_apply(ledger, buffer_content(&record)), OK);
    buffer_free(&record);
}

static struct report
report_of(struct ledger *ledger, int64_t since, int64_t until)
{
    struct ledger_store *store = ledger_store(ledger);
    struct report_options options = {.since = since, .until = until, .now = until, .risk = no_risk};
    struct report report;

    assert_int_equal(report_collect(&store, 1, &options, &report), OK);
    return report;
}

static struct ledger *
memory_ledger(void)
{
    struct ledger *ledger;

    assert_int_equal(ledger_open(ledger_memory_open(), &ledger), OK);
    return ledger;
}

static void
amounts_are_whole(void **state)
{
    (void)state;
    assert_true(rent_of_units(rent_units(3, HOUR_US, PRICE)) == (wide_int)3 * PRICE);
    assert_true(rent_of_units(rent_units(1, 1, USD_ONE)) == 277); /* 277.8 pico-dollars a microsecond */
    assert_int_equal(rent_of_time(USD_ONE, 3600e6), USD_ONE);
    assert_int_equal(rent_of_time(USD_ONE, 0.0005), 0);
    assert_int_equal(rent_of_time(3600 * USD_ONE, 0.5), USD_ONE / 2000000);
    assert_int_equal(rent_of_time(USD_ONE, -1), USD_UNKNOWN);
    assert_int_equal(rent_of_time(USD_ONE, 1e300), USD_UNKNOWN);
    assert_int_equal(rent_of_time(USD_UNKNOWN, 1), USD_UNKNOWN);
    assert_int_equal(rent_of_time(INT64_MAX, 9e15), USD_UNKNOWN);
}

/* However the time is cut into stretches: busy and idle are replicas x hours x price. */
static void
busy_and_idle_are_what_was_paid(void **state)
{
    struct ledger *ledger = memory_ledger();
    struct report report;
    struct rng rng;
    int64_t at = NOW_US;

    (void)state;
    rng_seed(&rng, 7);
    assert_int_equal(ledger_begin(ledger), OK);
    while (at < NOW_US + 30 * HOUR_US) {
        int64_t until = at + 1 + (int64_t)rng_below(&rng, 5 * USEC_PER_S * 60);

        until = until < NOW_US + 30 * HOUR_US ? until : NOW_US + 30 * HOUR_US;
        assert_int_equal(rent_out(ledger, at, until, 4), OK);
        at = until;
    }
    book(ledger, 1, NOW_US + 5, 1234567890123);
    book(ledger, 2, NOW_US + 2 * HOUR_US, 77);
    assert_int_equal(ledger_commit(ledger), OK);
    report = report_of(ledger, NOW_US, NOW_US + 30 * HOUR_US);
    assert_int_equal(report.pool_count, 1);
    assert_true(report_pool_paid(&report.pools[0]) == (wide_int)4 * 30 * PRICE);
    assert_true(report.pools[0].sums.cost == 1234567890200);
    assert_true(report_pool_idle(&report.pools[0]) + report.pools[0].sums.cost == (wide_int)4 * 30 * PRICE);
    assert_int_equal(report.pools[0].rented_us, 4 * 30 * HOUR_US);
    assert_true(report.all.cost == 1234567890200); /* idle is not among the requests */
    assert_int_equal(report.all.rows, 2);
    report_free(&report);
    report = report_of(ledger, NOW_US + HOUR_US, NOW_US + 2 * HOUR_US); /* an hour in the middle */
    assert_true(report_pool_paid(&report.pools[0]) == (wide_int)4 * PRICE);
    assert_true(report.pools[0].sums.cost == 0);
    report_free(&report);
    ledger_close(ledger);
}

/* A record that is read twice, a clock that goes back, a second process that begins before the first one's end. */
static void
no_time_counts_twice(void **state)
{
    struct ledger *ledger = memory_ledger();
    struct report report;

    (void)state;
    assert_int_equal(ledger_begin(ledger), OK);
    assert_int_equal(rent_out(ledger, NOW_US, NOW_US + 100, 1), OK);
    assert_int_equal(rent_out(ledger, NOW_US, NOW_US + 100, 1), OK);
    assert_int_equal(rent_out(ledger, NOW_US + 40, NOW_US + 90, 1), OK);
    assert_int_equal(rent_out(ledger, NOW_US + 50, NOW_US + 150, 1), OK);
    assert_int_equal(ledger_commit(ledger), OK);
    assert_int_equal(ledger_begin(ledger), OK);
    assert_int_equal(rent_out(ledger, NOW_US + 150, NOW_US + 170, 1), OK);
    ledger_rollback(ledger); /* and once more */
    assert_int_equal(ledger_begin(ledger), OK);
    assert_int_equal(rent_out(ledger, NOW_US + 150, NOW_US + 170, 1), OK);
    assert_int_equal(rent_out(ledger, NOW_US + 200, NOW_US + 210, 1), OK); /* the gateway was down for a while */
    assert_int_equal(ledger_commit(ledger), OK);
    report = report_of(ledger, NOW_US, NOW_US + HOUR_US);
    assert_int_equal(report.pools[0].rented_us, 180);
    report_free(&report);
    ledger_close(ledger);
}

/* The store remembers up to when it counted. */
static void
a_restart_counts_on(void **state)
{
    struct problems problems = {0};
    struct arena arena = {0};
    char *dir = fixture_dir();
    struct report report;

    (void)state;
    for (int run = 0; run < 3; run++) {
        struct ledger_store *store = NULL;
        struct ledger *ledger;

        assert_int_equal(ledger_sqlite_open(fixture_path(&arena, dir, "ledger.db"), LEDGER_WRITE, &problems, &store),
                         OK);
        assert_int_equal(ledger_open(store, &ledger), OK);
        assert_int_equal(ledger_begin(ledger), OK);
        assert_int_equal(rent_out(ledger, NOW_US, NOW_US + HOUR_US, 2), OK); /* each time the whole journal */
        assert_int_equal(ledger_commit(ledger), OK);
        report = report_of(ledger, NOW_US, NOW_US + HOUR_US);
        assert_true(report_pool_paid(&report.pools[0]) == (wide_int)2 * PRICE);
        report_free(&report);
        ledger_close(ledger);
    }
    arena_reset(&arena);
    problems_free(&problems);
    fixture_remove_dir(dir);
}

static void
nonsense_is_left_out(void **state)
{
    struct ledger *ledger = memory_ledger();
    struct report report;

    (void)state;
    assert_int_equal(ledger_begin(ledger), OK);
    assert_int_equal(rent_out(ledger, NOW_US, NOW_US, 1), ERR_INVALID);
    assert_int_equal(rent_out(ledger, NOW_US, NOW_US - 1, 1), ERR_INVALID);
    assert_int_equal(rent_out(ledger, -5, 5, 1), ERR_INVALID);
    assert_int_equal(rent_out(ledger, NOW_US, NOW_US + 1, -1), ERR_INVALID);
    assert_int_equal(rent_out(ledger, 0, NOW_US, 1), ERR_INVALID); /* half a century */
    assert_int_equal(rent_out(ledger, NOW_US, NOW_US + 1, 0), OK); /* no replicas cost nothing */
    assert_int_equal(ledger_commit(ledger), OK);
    report = report_of(ledger, NOW_US, NOW_US + HOUR_US);
    assert_int_equal(report.pool_count, 0);
    report_free(&report);
    ledger_close(ledger);
}

static void
the_report_tells_the_loaded_price(void **state)
{
    struct ledger *ledger = memory_ledger();
    struct buffer out = {0};
    struct report report;

    (void)state;
    assert_int_equal(ledger_begin(ledger), OK);
    assert_int_equal(rent_out(ledger, NOW_US, NOW_US + 2 * HOUR_US, 1), OK);
    book(ledger, 1, NOW_US + 5, USD_ONE);
    book(ledger, 2, NOW_US + 6, USD_ONE / 4);
    assert_int_equal(ledger_commit(ledger), OK);
    report = report_of(ledger, NOW_US, NOW_US + 2 * HOUR_US);
    report_write_text(&report, false, &out);
    assert_non_null(strstr(text_of(&out), "Engines paid by the hour"));
    assert_non_null(strstr(text_of(&out), "gpus                         2.000        $5.00        $1.25        "
                                          "$3.75   25.0%         $2.5         $2.5"));
    buffer_clear(&out);
    report_write_json(&report, &out);
    assert_non_null(strstr(
        text_of(&out),
        "{\"backend\":\"gpus\",\"modelled\":false,\"replica_hours\":2.000000000,\"replica_us\":7200000000,\"paid_usd\":"
        "\"4.999999999998\",\"busy_usd\":\"1.25\",\"idle_usd\":\"3.749999999998\",\"used\":0.250000,"
        "\"requests\":2,\"input_tokens\":1800000,\"output_tokens\":200000,"
        "\"loaded_usd_per_million_tokens\":2.5,\"loaded_usd_per_useful\":2.5}"));
    buffer_clear(&out);
    report_write_pools_csv(&report, &out);
    assert_non_null(strstr(text_of(&out), "\r\ngpus,0,2.000000000,4.999999999998,1.25,3.749999999998,0.250000,2,"
                                          "1800000,200000,2.5,2.5\r\n"));
    buffer_free(&out);
    report_free(&report);
    ledger_close(ledger);
}

/* The sum of a column of the file. */
static wide_int
sum_of_costs(struct slice csv, unsigned *idle_rows)
{
    wide_int sum = 0;

    slice_split(&csv, '\n'); /* the header */
    while (csv.len > 0) {
        struct slice line = slice_split(&csv, '\n'), cost = slice_split(&line, ',');
        usd amount;

        if (cost.len == 0)
            continue;
        assert_int_equal(usd_parse(cost, &amount), OK);
        sum += amount;
        *idle_rows += slice_find(line, SLICE_LITERAL(",idle,")) < line.len;
    }
    return sum;
}

static void
the_export_has_idle_lines(void **state)
{
    struct ledger *ledger = memory_ledger();
    struct ledger_store *store = ledger_store(ledger);
    struct buffer out = {0};
    unsigned idle_rows = 0;

    (void)state;
    assert_int_equal(ledger_begin(ledger), OK);
    assert_int_equal(rent_out(ledger, NOW_US, NOW_US + 3 * HOUR_US, 2), OK);
    book(ledger, 1, NOW_US + 5, 1234567);
    book(ledger, 2, NOW_US + 2 * HOUR_US, 3 * PRICE); /* more than its hour */
    assert_int_equal(ledger_commit(ledger), OK);
    assert_int_equal(focus_write(&store, 1, NOW_US, NOW_US + 3 * HOUR_US, &out), OK);
    assert_true(sum_of_costs(buffer_content(&out), &idle_rows) == (wide_int)6 * PRICE);
    assert_int_equal(idle_rows, 3);
    buffer_free(&out);
    ledger_close(ledger);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(amounts_are_whole),         cmocka_unit_test(busy_and_idle_are_what_was_paid),
        cmocka_unit_test(no_time_counts_twice),      cmocka_unit_test(a_restart_counts_on),
        cmocka_unit_test(nonsense_is_left_out),      cmocka_unit_test(the_report_tells_the_loaded_price),
        cmocka_unit_test(the_export_has_idle_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
