/* Model choice, in reports: for each route and other model what it served and saved, what audits of it cost, and how far the
 * evidence is on which it serves. */
#ifndef MONEY_REPORT_CHOICE_H
#define MONEY_REPORT_CHOICE_H

#include "money/ledger/group.h"
#include "money/ledger/text_table.h"
#include "money/report/report.h"

/* How evidence of the router names its lever: this and "backend/model". */
#define REPORT_ROUTER "router "

/* Sums of a group of kind `request`. The table holds one struct report_choice for each route and model. */
void report_choice_add(struct text_table *table, struct arena *arena, const struct group *group, int64_t start,
                       const struct sums *sums);

/* Fills the report's choices: those that have evidence. */
void report_choice_finish(const struct text_table *table, struct report *report);

/* The lines for a person. */
void report_choice_text(const struct report *report, struct buffer *out);

/* ,"choices":[...] */
void report_choice_json(const struct report *report, struct buffer *out);

#endif
