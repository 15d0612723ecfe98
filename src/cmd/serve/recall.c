#include "cmd/serve/recall.h"

#include <stdlib.h>

#include "cmd/ledger_view.h"
#include "money/ledger/ledger_spent.h"

static const usec DAY_US = 86400 * USEC_PER_S;

static enum dimension
dimension_of(enum budget_scope scope)
{
    switch (scope) {
    case BUDGET_EVERYTHING:
        return DIMENSION_kind;
    case BUDGET_TENANT:
        return DIMENSION_tenant;
    case BUDGET_KEY:
        return DIMENSION_key;
    case BUDGET_ROUTE:
        return DIMENSION_route;
    case BUDGET_TAG:
        return DIMENSION_tag;
    case BUDGET_SCOPES:
        break;
    }
    ENSURE(false); /* there is no such scope */
    return DIMENSIONS;
}

static wide_int
amount_of(const struct ledger_spent *spent, enum budget_unit unit)
{
    return unit == BUDGET_USD ? spent->cost : unit == BUDGET_TOKENS ? spent->tokens : spent->requests;
}

enum status
recall_spent(struct ledger_store *const *stores, size_t store_count, const struct budget_rule *rules, size_t count,
             usec wall_us, int64_t *out)
{
    struct ledger_spent *asked = must_calloc(count, sizeof(*asked));
    enum status status = OK;

    for (size_t i = 0; i < count; i++)
        asked[i] = (struct ledger_spent){.of = dimension_of(rules[i].scope),
                                         .name = rules[i].name,
                                         .from_wall_us = budget_window_start(rules[i].window, wall_us),
                                         .until_wall_us = budget_window_end(rules[i].window, wall_us)};
    for (size_t i = 0; status == OK && i < store_count; i++)
        status = ledger_spent(stores[i], asked, count);
    for (size_t i = 0; i < count; i++) {
        wide_int spent = amount_of(&asked[i], rules[i].unit);

        out[i] = spent < 0 ? 0 : spent < INT64_MAX ? (int64_t)spent : INT64_MAX;
    }
    free(asked);
    return status;
}

static enum status
read_spent(const char *data, const struct budget_rule *rules, size_t count, usec wall_us, int64_t *out,
           struct problems *problems)
{
    struct ledger_view view;
    enum status status = ledger_view_open(data, problems, &view);

    if (status == OK)
        status = recall_spent(view.stores, view.count, rules, count, wall_us, out);
    ledger_view_close(&view);
    return status;
}

/* The rules of the configured budgets; the caller's to free. */
static struct budget_rule *
list_rules(struct budgets *budgets, usec wall_us, size_t *count)
{
    struct budget_rule *rules;
    struct budget_info info;
    size_t most = 1;

    for (size_t at = 0; budgets_next(budgets, &at, wall_us, &info);)
        most++;
    rules = must_calloc(most, sizeof(*rules));
    *count = 0;
    for (size_t at = 0; *count < most && budgets_next(budgets, &at, wall_us, &info);)
        rules[(*count)++] = info.rule;
    return rules;
}

static struct budget_rule *
list_new_rules(struct budgets *budgets, const struct config *config, size_t *count)
{
    struct budget_rule *rules = must_calloc(config->all_budgets.count + 1, sizeof(*rules));

    *count = 0;
    for (size_t i = 0; i < config->all_budgets.count; i++)
        if (!budgets_counts(budgets, config->all_budgets.all[i].identity))
            rules[(*count)++] = config->all_budgets.all[i];
    return rules;
}

enum status
recall_budgets(struct budgets *budgets, const char *data, usec wall_us, struct problems *problems)
{
    size_t count;
    struct budget_rule *rules = list_rules(budgets, wall_us, &count);
    int64_t *spent = must_calloc(count + 1, sizeof(*spent));
    enum status status = count > 0 ? read_spent(data, rules, count, wall_us, spent, problems) : OK;

    for (size_t i = 0; i < count && status == OK; i++)
        budgets_restore(budgets, rules[i].identity, wall_us, spent[i]);
    free(rules);
    free(spent);
    return status;
}

enum status
recall_new_budgets(struct budgets *budgets, const struct config *config, usec wall_us, struct problems *problems)
{
    size_t count;
    struct budget_rule *rules = list_new_rules(budgets, config, &count);
    int64_t *spent = must_calloc(count + 1, sizeof(*spent));
    enum status status = count > 0 ? read_spent(config->data, rules, count, wall_us, spent, problems) : OK;

    for (size_t i = 0; i < count && status == OK; i++)
        budgets_foresee(budgets, &rules[i], wall_us, spent[i]);
    free(rules);
    free(spent);
    return status;
}

static void
take_key_hour(void *user, struct slice key, int64_t hour_wall_us, wide_int cost)
{
    if (hour_wall_us >= 0)
        runaways_recall(user, key, hour_wall_us, cost < INT64_MAX ? (usd)cost : INT64_MAX);
}

static enum status
restore_keys(struct gateway *gateway, const char *data, usec wall_us, struct problems *problems)
{
    struct ledger_view view;
    enum status status = ledger_view_open(data, problems, &view);

    if (status == OK && view.file != NULL)
        status = ledger_key_hours(view.file, wall_us - RUNAWAY_DAYS * DAY_US, take_key_hour, &gateway->runaways);
    ledger_view_close(&view);
    return status;
}

enum status
recall_all(struct gateway *gateway, const char *data, usec wall_us, struct problems *problems)
{
    enum status status = recall_budgets(&gateway->budgets, data, wall_us, problems);

    if (status == OK)
        status = restore_keys(gateway, data, wall_us, problems);
    if (status != OK && problems->errors == 0)
        problems_add(problems, (struct problem){.file = data},
                     "what was spent cannot be read from the ledger: %s; without it budgets would start anew",
                     status_text(status));
    return status;
}
