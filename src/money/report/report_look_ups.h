/* What came of looking for stored answers, in reports: by lever and route, with the evidence on which a lever serves. */
#ifndef MONEY_REPORT_LOOK_UPS_H
#define MONEY_REPORT_LOOK_UPS_H

#include "money/ledger/group.h"
#include "money/ledger/text_table.h"
#include "money/report/report.h"

/* Sums of a group of kind `look_up`. The table holds one struct report_look_ups for each lever and route. */
void report_look_ups_add(struct text_table *table, struct arena *arena, const struct group *group,
                         const struct sums *sums);

/* Fills the report's look_ups, in order: also those that have evidence and did not look. */
void report_look_ups_finish(const struct text_table *table, struct report *report);

/* All that was looked for, whatever came of it. */
int64_t report_look_ups_total(const struct report_look_ups *look_ups);

/* What else there is to say of a lever on a route, for a person: how far its evidence is. Appends whole lines, or nothing
 * if there is none. */
void report_evidence_text(const struct report *report, const struct report_look_ups *look_ups, struct buffer *out);

/* ,"evidence":{...}; NULL: ,"evidence":null */
void report_evidence_json(const struct report_evidence *evidence, struct buffer *out);

/* ,"look_ups":[...] */
void report_look_ups_json(const struct report *report, struct buffer *out);

#endif
