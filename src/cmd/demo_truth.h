/* What the demo's customers know and the gateway does not: whether answers were right. Beside what routes promise of the
 * models that the router lets serve. */
#ifndef CMD_DEMO_TRUTH_H
#define CMD_DEMO_TRUTH_H

#include "base/buffer.h"
#include "money/report/report.h"
#include "twin/customers.h"

/* Appends nothing if no route chooses among models. */
void demo_truth_text(const struct customers_tally *tallies, size_t tally_count, const struct report_evidence *evidence,
                     size_t evidence_count, struct buffer *out);

#endif
