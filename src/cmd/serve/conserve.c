#include "cmd/serve/conserve.h"

#include <stdlib.h>

#include "cmd/serve/recall.h"

void
conserve_init(struct conserve *conserve, struct budgets *budgets)
{
    *conserve = (struct conserve){.budgets = budgets};
}

void
conserve_free(struct conserve *conserve)
{
    free(conserve->before);
    conserve->before = NULL;
    conserve->count = 0;
}

/* As of one moment each; the caller's to free. */
static struct budget_info *
look(struct budgets *budgets, usec wall_us, size_t *count)
{
    struct budget_info *all, info;
    size_t most = 1;

    for (size_t at = 0; budgets_next(budgets, &at, wall_us, &info);)
        most++;
    all = must_calloc(most, sizeof(*all));
    *count = 0;
    for (size_t at = 0; *count < most && budgets_next(budgets, &at, wall_us, &info);)
        all[(*count)++] = info;
    return all;
}

void
conserve_before(struct conserve *conserve, usec wall_us)
{
    conserve_free(conserve);
    conserve->wall_us = wall_us;
    conserve->before = look(conserve->budgets, wall_us, &conserve->count);
}

static const struct budget_info *
find(const struct budget_info *all, size_t count, const struct budget_info *wanted)
{
    for (size_t i = 0; i < count; i++)
        if (slice_equal(all[i].rule.identity, wanted->rule.identity) && all[i].start_wall_us == wanted->start_wall_us)
            return &all[i];
    return NULL;
}

static bool
is_idle(const struct budget_info *info)
{
    return info->reserved == 0 && info->exposed == 0 && info->unbounded == 0;
}

static bool
agree(const struct budget_info *before, int64_t ledger, const struct budget_info *after)
{
    if (before->spent == after->spent && is_idle(before) && is_idle(after))
        return ledger == after->spent;
    return ledger <= after->spent;
}

static void
say(struct log *log, const struct budget_info *info, int64_t ledger)
{
    char counted[BUDGET_AMOUNT_SIZE], booked[BUDGET_AMOUNT_SIZE];

    budget_format_amount(info->rule.unit, info->spent, counted);
    budget_format_amount(info->rule.unit, ledger, booked);
    log_line(log, LOG_ERROR,
             "ledger: budget %.*s and the ledger do not agree: %s (%lld) against %s (%lld); please report this",
             SLICE_ARGS(info->rule.identity), counted, (long long)info->spent, booked, (long long)ledger);
}

size_t
conserve_after(struct conserve *conserve, struct ledger_store *store, usec since_wall_us, struct log *log)
{
    size_t count = 0, wrong = 0;
    struct budget_rule *rules = must_calloc(conserve->count + 1, sizeof(*rules));
    int64_t *ledger = must_calloc(conserve->count + 1, sizeof(*ledger));
    struct budget_info *now;

    for (size_t i = 0; i < conserve->count; i++)
        rules[i] = conserve->before[i].rule;
    if (conserve->count == 0 || recall_spent(&store, 1, rules, conserve->count, conserve->wall_us, ledger) != OK) {
        free(rules);
        free(ledger);
        return 0;
    }
    now = look(conserve->budgets, conserve->wall_us, &count);
    for (size_t i = 0; i < conserve->count; i++) {
        const struct budget_info *after = find(now, count, &conserve->before[i]);

        if (after == NULL || after->start_wall_us < since_wall_us || agree(&conserve->before[i], ledger[i], after))
            continue;
        say(log, after, ledger[i]);
        wrong++;
    }
    free(rules);
    free(ledger);
    free(now);
    return wrong;
}
