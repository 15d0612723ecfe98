/* All budgets as JSON, for the admin's pages and `equipoise budget`:
 *
 *     {"at":"2026-01-31T12:00:00Z","budgets":[{"budget":"key web usd/day","scope":"key","name":"web","limit_text":"$50/day",
 *      "unit":"usd","window":"day","limit":"50","spent":"12.5","reserved":"0.2","left":"37.3","resets_at":"...",
 *      "resets_in_s":43200,"forecast":"25","refusals":0,"on_exceed":"refuse","exposure":"expected",
 *      "exposed":"0.1","unbounded":0,"exposure_words":"..."}]}
 *
 * Dollars are exact decimal texts, tokens and requests are numbers. */
#ifndef ADMIN_BUDGET_PAGE_H
#define ADMIN_BUDGET_PAGE_H

#include "config/config.h"
#include "money/budget/budget.h"

void budget_page_write(struct budgets *budgets, const struct config *config, usec wall_us, struct buffer *out);

#endif
