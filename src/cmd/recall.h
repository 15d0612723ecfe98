/* What a new process has to know of what was spent before it: the counts of budgets, and what keys spent hour by hour. All
 * of it is in the ledger, which has taken over what a dead process left by the time it is asked. */
#ifndef CMD_RECALL_H
#define CMD_RECALL_H

#include "base/problem.h"
#include "gateway/gateway.h"

/* A budget as the ledger has it. */
struct recalled {
    struct budget_info info; /* its bucket; what is spent is from the ledger */
    wide_int spent;
};

/* Of the buckets of `wall_us`; the array is the arena's. `budgets` says which there are. */
enum status recall_budgets(const char *data, struct budgets *budgets, usec wall_us, struct arena *arena,
                           struct recalled **out, size_t *count, struct problems *problems) MUST_CHECK;

/* The same, put into the budgets. */
enum status recall_into(struct budgets *budgets, const char *data, usec wall_us, struct problems *problems) MUST_CHECK;

/* Before anything is served. What cannot be read is told. */
enum status recall_all(struct gateway *gateway, const char *data, usec wall_us, struct problems *problems) MUST_CHECK;

#endif
