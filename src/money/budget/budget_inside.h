/* What the two files of the budgets share: budget.c (accounts, their buckets and events) and budget_claim.c (claims on
 * them). Everything here is called under the lock. */
#ifndef MONEY_BUDGET_INSIDE_H
#define MONEY_BUDGET_INSIDE_H

#include "money/budget/budget.h"

struct budget_bucket {
    struct budget_bucket *next; /* used less recently */
    usec start_wall_us, end_wall_us;
    wide_int spent, reserved, exposed;
    uint64_t claims, unbounded, refusals;
    unsigned shares_told;
    bool refused_told, overrun_told;
};

struct budget_account {
    struct budget_rule rule;
    bool configured;
    struct budget_bucket *buckets; /* the one used last stands first */
};

/* The bucket of a moment, made if there is none yet. A clock that jumps, either way, finds the bucket that it left. */
struct budget_bucket *budget_bucket_at(struct budget_account *account, usec wall_us);

struct budget_info budget_info_of(const struct budget_account *account, const struct budget_bucket *bucket);

void budget_put_event(struct budgets *budgets, enum budget_event_kind kind, unsigned share_ppm,
                      const struct budget_account *account, const struct budget_bucket *bucket);

/* An event for each share of the limit that has been reached since the last one. */
void budget_tell_shares(struct budgets *budgets, const struct budget_account *account, struct budget_bucket *bucket);

#endif
