#include "cmd/recall.h"

#include "cmd/ledger_view.h"
#include "money/ledger_spent.h"

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
    ENSURE(false && "a scope of a budget");
    return DIMENSIONS;
}

static wide_int
amount_of(const struct ledger_spent *spent, enum budget_unit unit)
{
    return unit == BUDGET_USD ? spent->cost : unit == BUDGET_TOKENS ? spent->tokens : spent->requests;
}

static size_t
list_budgets(struct budgets *budgets, usec wall_us, struct arena *arena, struct recalled **out)
{
    struct budget_info info;
    size_t count = 0, most = 0;

    for (size_t at = 0; budgets_next(budgets, &at, wall_us, &info);)
        most++;
    *out = arena_alloc(arena, most * sizeof(**out));
    for (size_t at = 0; count < most && budgets_next(budgets, &at, wall_us, &info);)
        (*out)[count++] = (struct recalled){.info = info};
    return count;
}

/* In one walk over the ledger for all of them. */
static enum status
read_spent(const struct ledger_view *view, struct recalled *all, size_t count)
{
    struct ledger_spent *asked = must_calloc(count + 1, sizeof(*asked));
    enum status status = OK;

    for (size_t i = 0; i < count; i++)
        asked[i] = (struct ledger_spent){.of = dimension_of(all[i].info.rule.scope),
                                         .name = all[i].info.rule.name,
                                         .from_wall_us = all[i].info.start_wall_us,
                                         .until_wall_us = all[i].info.end_wall_us};
    for (size_t i = 0; i < view->count && status == OK; i++)
        status = ledger_spent(view->stores[i], asked, count);
    for (size_t i = 0; i < count && status == OK; i++)
        all[i].spent = amount_of(&asked[i], all[i].info.rule.unit);
    free(asked);
    return status;
}

enum status
recall_budgets(const char *data, struct budgets *budgets, usec wall_us, struct arena *arena, struct recalled **out,
               size_t *count, struct problems *problems)
{
    struct ledger_view view;
    enum status status;

    *count = list_budgets(budgets, wall_us, arena, out);
    if (*count == 0)
        return OK;
    status = ledger_view_open(data, problems, &view);
    if (status == OK)
        status = read_spent(&view, *out, *count);
    ledger_view_close(&view);
    return status;
}

enum status
recall_into(struct budgets *budgets, const char *data, usec wall_us, struct problems *problems)
{
    struct arena arena = {0};
    struct recalled *all;
    size_t count;
    enum status status = recall_budgets(data, budgets, wall_us, &arena, &all, &count, problems);

    for (size_t i = 0; i < count && status == OK; i++) {
        wide_int spent = all[i].spent > 0 ? all[i].spent : 0;

        budgets_restore(budgets, all[i].info.rule.identity, wall_us, spent < INT64_MAX ? (int64_t)spent : INT64_MAX);
    }
    arena_reset(&arena);
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
    enum status status = recall_into(&gateway->budgets, data, wall_us, problems);

    if (status == OK)
        status = restore_keys(gateway, data, wall_us, problems);
    if (status != OK && problems->errors == 0)
        problems_add(problems, (struct problem){.file = data},
                     "what was spent cannot be read from the ledger: %s; without it budgets would start anew",
                     status_text(status));
    return status;
}
