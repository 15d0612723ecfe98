/* The accounts of budgets as gauges on the metrics page. */
#ifndef MONEY_BUDGET_PRINT_H
#define MONEY_BUDGET_PRINT_H

#include "base/buffer.h"
#include "money/budget/budget.h"

/* Limit, spent, reserved and exposed of every account as of a moment (Prometheus text format 0.0.4); dollars in
 * pico-dollars. Nothing if there are no budgets. */
void budgets_print(struct budgets *budgets, usec wall_us, struct buffer *out);

#endif
