/* Whether what budgets count is what the ledger's rows add up to: the third part of the hourly check, beside rows against
 * sums and rows against counters.
 *
 * Asked twice: before the ledger takes over what was appended, and after. A budget that nobody used in between must agree
 * to the pico-dollar; of one in use, whose requests under way have posted attempts and not written their rows, the ledger may
 * have less, never more. Left out are buckets that began before `since`: a budget that came with a reload may lack what
 * was under way then. */
#ifndef CMD_CONSERVE_H
#define CMD_CONSERVE_H

#include "base/log.h"
#include "money/budget/budget.h"
#include "money/ledger/ledger_store.h"

struct conserve {
    struct budgets *budgets;
    struct budget_info *before; /* as of conserve_before */
    size_t count;
    usec wall_us;
};

void conserve_init(struct conserve *conserve, struct budgets *budgets);
void conserve_free(struct conserve *conserve);

/* All of it on one thread. */
void conserve_before(struct conserve *conserve, usec wall_us);

/* Says in the log which do not agree, and returns how many; 0 if the ledger cannot be read. */
size_t conserve_after(struct conserve *conserve, struct ledger_store *store, usec since_wall_us, struct log *log);

#endif
