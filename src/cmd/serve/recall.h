/* What a new process has to know of what was spent before it: the counts of budgets, and what keys spent hour by hour. All
 * of it is in the ledger, which has taken over what a dead process left by the time it is asked. */
#ifndef CMD_RECALL_H
#define CMD_RECALL_H

#include "base/problem.h"
#include "gateway/gateway.h"
#include "money/ledger/ledger_store.h"

/* What stores together say was counted by each rule in its bucket of `wall_us`, in one walk over each. */
enum status recall_spent(struct ledger_store *const *stores, size_t store_count, const struct budget_rule *rules,
                         size_t count, usec wall_us, int64_t *out) MUST_CHECK;

/* Fills in what the budgets' present buckets have spent. What cannot be read is told. */
enum status recall_budgets(struct budgets *budgets, const char *data, usec wall_us, struct problems *problems)
    MUST_CHECK;

/* The same for those of a new configuration that are not counted yet, before it is taken over. What is settled between
 * this and the taking over is not in it. Any thread. */
enum status recall_new_budgets(struct budgets *budgets, const struct config *config, usec wall_us,
                               struct problems *problems) MUST_CHECK;

/* All, before anything is served. */
enum status recall_all(struct gateway *gateway, const char *data, usec wall_us, struct problems *problems) MUST_CHECK;

#endif
