/* Scenarios 11 and 13: all workers reserve at once, and a budget for ten lets ten through; every increment counts. */
/* labels: threads */
#include "cmocka_ready.h"

#include <pthread.h>

#include "money/budget/budget.h"

enum { THREADS = 4, ROUNDS = 500, FITS = 10 };

static const struct budget_rule rule = {
    .scope = BUDGET_EVERYTHING,
    .window = BUDGET_DAY,
    .unit = BUDGET_USD,
    .limit = 7 * FITS,
    .text = SLICE_LITERAL("as written"),
    .identity = SLICE_LITERAL("everything usd/day"),
};

static const struct budget_rules rules = {&rule, 1};

struct asker {
    pthread_t thread;
    struct budgets *budgets;
    struct budget_claim claims[ROUNDS];
    struct budget_line lines[ROUNDS];
    unsigned passed;
    unsigned spent; /* of the rounds that spend */
};

static void *
ask_at_once(void *argument)
{
    static const struct budget_amounts wanted = {{7, 0, 1}};
    struct asker *asker = argument;
    struct budget_obstacle obstacle;

    for (unsigned i = 0; i < ROUNDS; i++) {
        budgets_claim(asker->budgets, &asker->claims[i], &asker->lines[i], 0, &rules, 1);
        if (budgets_reserve(asker->budgets, &asker->claims[i], &wanted, false, &obstacle))
            asker->passed++;
        else
            budgets_count_refusal(asker->budgets, &asker->claims[i], &obstacle);
    }
    return NULL;
}

/* Each reserves two and spends one; what is spent and reserved never exceeds the limit. */
static void *
spend(void *argument)
{
    static const struct budget_amounts wanted = {{2, 0, 1}}, actual = {{1, 0, 1}};
    struct asker *asker = argument;
    struct budget_obstacle obstacle;

    for (unsigned i = 0; i < ROUNDS; i++) {
        struct budget_claim *claim = &asker->claims[i];
        struct budget_info info;
        size_t at = 0;

        budgets_release(asker->budgets, claim);
        budgets_claim(asker->budgets, claim, &asker->lines[i], 0, &rules, 1);
        if (budgets_reserve(asker->budgets, claim, &wanted, false, &obstacle)) {
            asker->spent++;
            budgets_post(asker->budgets, claim, &actual);
        }
        if (budgets_next(asker->budgets, &at, 0, &info) && info.spent + info.reserved > info.rule.limit)
            abort();
        budgets_release(asker->budgets, claim);
        if (i % 100 == 0)
            budgets_check(asker->budgets);
    }
    return NULL;
}

static void
run(struct asker *askers, void *(*what)(void *))
{
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&askers[i].thread, NULL, what, &askers[i]), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(askers[i].thread, NULL), 0);
}

static void
concurrent_requests_share_one_count(void **state)
{
    static struct asker askers[THREADS];
    static struct budgets budgets;
    unsigned passed = 0, spent = 0;
    struct budget_info info;
    size_t at = 0;

    (void)state;
    budgets_init(&budgets);
    budgets_configure(&budgets, &rule, 1);
    for (int i = 0; i < THREADS; i++)
        askers[i].budgets = &budgets;
    run(askers, ask_at_once);
    for (int i = 0; i < THREADS; i++)
        passed += askers[i].passed;
    assert_int_equal(passed, FITS);
    assert_int_equal(budgets_reserved(&budgets), 7 * FITS);
    run(askers, spend);
    for (int i = 0; i < THREADS; i++)
        spent += askers[i].spent;
    assert_true(budgets_next(&budgets, &at, 0, &info));
    assert_int_equal(info.spent, spent);
    assert_int_equal(info.refusals, THREADS * ROUNDS - FITS);
    assert_int_equal(budgets_reserved(&budgets), 0);
    budgets_check(&budgets);
    budgets_free(&budgets);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(concurrent_requests_share_one_count)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
