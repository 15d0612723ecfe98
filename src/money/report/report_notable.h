/* What in a report deserves a look: whose cost moved most against the span before, and which models have no price. */
#ifndef MONEY_REPORT_NOTABLE_H
#define MONEY_REPORT_NOTABLE_H

#include "money/ledger/text_table.h"
#include "money/report/report.h"

struct notable {
    struct text_table movers, unpriced;
    struct buffer key;
};

/* Sums of a group of kind `request`: in the report's span, and in the span of the same length before it. */
void notable_add(struct notable *notable, struct arena *arena, const struct group *group, const struct sums *sums);
void notable_add_before(struct notable *notable, struct arena *arena, const struct group *group,
                        const struct sums *sums);

/* Fills the report's movers and unpriced, in order. */
void notable_finish(struct notable *notable, struct report *report);
void notable_free(struct notable *notable);

#endif
