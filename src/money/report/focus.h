/* The ledger as a FOCUS 1.4 data set (FinOps Open Cost and Usage Specification, focus.finops.org): one CSV row for each hour, key,
 * model (with backend and source) and kind of token. The sum of BilledCost is the ledger's, to the pico-dollar. */
#ifndef MONEY_FOCUS_H
#define MONEY_FOCUS_H

#include "money/ledger/ledger_store.h"

/* Rows of hours with since <= start < until. */
enum status focus_write(struct ledger_store *const *stores, size_t count, int64_t since, int64_t until,
                        struct buffer *out) MUST_CHECK;

#endif
