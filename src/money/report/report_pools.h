/* Engines that are paid by the hour, in reports: how much of the time that was paid for was used, what is idle, and what a
 * million tokens and a useful output cost with all of it. */
#ifndef MONEY_REPORT_POOLS_H
#define MONEY_REPORT_POOLS_H

#include "money/ledger/text_table.h"
#include "money/report/report.h"

/* The line of a backend; the table holds one struct report_pool for each. */
struct report_pool *report_pools_line(struct text_table *table, struct arena *arena, struct slice backend);

/* Fills the report's pools; those that were not rented are left out. */
void report_pools_finish(const struct text_table *table, struct report *report);

/* In dollars, everything that was paid included; below 0: there is nothing to divide by. */
double report_pool_usd_per_million(const struct report_pool *pool);
struct interval report_pool_per_useful(const struct report_pool *pool);

/* The lines for a person. */
void report_pools_text(const struct report *report, struct buffer *out);

/* ,"pools":[...] */
void report_pools_json(const struct report *report, struct buffer *out);

#endif
