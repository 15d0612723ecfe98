/* Budgets against the ledger: what agrees is silent, what does not is said, and what is under way is no mistake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cmd/serve/conserve.h"
#include "ledger_fixture.h"
#include "money/ledger/ledger_memory.h"

#define WALL_US ((usec)1767225600 * USEC_PER_S + 40 * USEC_PER_S) /* 2026-01-01, 40 s into the day */

static const struct budget_rule rules[] = {
    {.scope = BUDGET_EVERYTHING,
     .window = BUDGET_DAY,
     .unit = BUDGET_USD,
     .limit = 1000000,
     .text = {"$x/day", 6},
     .identity = {"everything usd/day", 18}},
    {.scope = BUDGET_KEY,
     .name = {"web", 3},
     .window = BUDGET_MINUTE,
     .unit = BUDGET_REQUESTS,
     .limit = 100,
     .text = {"100 requests/minute", 19},
     .identity = {"key web requests/minute", 23}},
};

struct scale {
    struct budgets budgets;
    struct ledger *ledger;
    struct conserve conserve;
    struct fixture_log log;
};

static int
set_up(void **state)
{
    struct scale *scale = must_calloc(1, sizeof(*scale));

    budgets_init(&scale->budgets);
    budgets_configure(&scale->budgets, rules, 2);
    assert_int_equal(ledger_open(ledger_memory_open(), &scale->ledger), OK);
    conserve_init(&scale->conserve, &scale->budgets);
    fixture_log_init(&scale->log);
    *state = scale;
    return 0;
}

static int
tear_down(void **state)
{
    struct scale *scale = *state;

    conserve_free(&scale->conserve);
    ledger_close(scale->ledger);
    budgets_free(&scale->budgets);
    free(scale);
    return 0;
}

static void
spend(struct scale *scale, int64_t amount)
{
    struct budget_rules both = {rules, 2};
    struct budget_line lines[2];
    struct budget_claim claim = {0};
    struct budget_amounts used = {{amount, 0, 1}};

    assert_true(budgets_claim(&scale->budgets, &claim, lines, WALL_US, &both, 1));
    budgets_post(&scale->budgets, &claim, &used);
    budgets_release(&scale->budgets, &claim);
}

static void
book(struct scale *scale, uint64_t number, int64_t amount)
{
    struct buffer bytes = {0};
    struct row row;

    row_init(&row);
    row.id = ((uint64_t)(WALL_US / USEC_PER_MS) << 20) + number;
    row.arrived_wall_us = WALL_US;
    row.key_name = slice_of("web");
    row.cost = row.counted_cost = amount;
    row.counted_requests = 1;
    journal_put_settle(&bytes, &row);
    assert_int_equal(ledger_begin(scale->ledger), OK);
    assert_int_equal(ledger_apply(scale->ledger, buffer_content(&bytes)), OK);
    assert_int_equal(ledger_commit(scale->ledger), OK);
    buffer_free(&bytes);
}

static size_t
compared(struct scale *scale)
{
    return conserve_after(&scale->conserve, ledger_store(scale->ledger), INT64_MIN, &scale->log.log);
}

static void
what_agrees_is_silent(void **state)
{
    struct scale *scale = *state;

    for (unsigned i = 0; i < 5; i++) {
        spend(scale, 100 + i);
        book(scale, i, 100 + i);
    }
    conserve_before(&scale->conserve, WALL_US);
    assert_int_equal(compared(scale), 0);
    assert_int_equal(scale->log.lines, 0);
}

static void
a_pico_dollar_too_much_or_too_little_is_said(void **state)
{
    struct scale *scale = *state;

    spend(scale, 100);
    book(scale, 1, 99);
    conserve_before(&scale->conserve, WALL_US);
    assert_int_equal(compared(scale), 1);
    assert_non_null(strstr(scale->log.last, "everything usd/day"));
    book(scale, 2, 2);
    assert_int_equal(compared(scale), 2); /* one request too many as well */
}

/* Posted, and its row not written yet: less in the ledger is no mistake; more is. */
static void
what_is_under_way_is_no_mistake(void **state)
{
    struct scale *scale = *state;
    struct budget_rules both = {rules, 2};
    struct budget_line lines[2];
    struct budget_claim claim = {0};
    struct budget_amounts used = {{70, 0, 1}}, next = {{50, 0, 1}};
    struct budget_obstacle obstacle;

    assert_true(budgets_claim(&scale->budgets, &claim, lines, WALL_US, &both, 1));
    budgets_post(&scale->budgets, &claim, &used);
    assert_true(budgets_reserve(&scale->budgets, &claim, &next, false, &obstacle));
    conserve_before(&scale->conserve, WALL_US);
    spend(scale, 30);
    assert_int_equal(compared(scale), 0);
    book(scale, 1, 101);
    assert_int_equal(compared(scale), 1);
    budgets_release(&scale->budgets, &claim);
}

static void
buckets_from_before_a_reload_are_left_out(void **state)
{
    struct scale *scale = *state;

    spend(scale, 100);
    conserve_before(&scale->conserve, WALL_US);
    assert_int_equal(compared(scale), 2);
    assert_int_equal(
        conserve_after(&scale->conserve, ledger_store(scale->ledger), WALL_US - 20 * USEC_PER_S, &scale->log.log), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_agrees_is_silent),
        TEST(a_pico_dollar_too_much_or_too_little_is_said),
        TEST(what_is_under_way_is_no_mistake),
        TEST(buckets_from_before_a_reload_are_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
