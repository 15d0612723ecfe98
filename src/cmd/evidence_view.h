/* What levers had earned when the gateway last wrote it down, for the report. */
#ifndef CMD_EVIDENCE_VIEW_H
#define CMD_EVIDENCE_VIEW_H

#include "money/report/report.h"
#include "quality/evidences.h"

struct evidence_view {
    struct evidences all;
    struct report_evidence *lines; /* their texts are of `all` */
    size_t count;
};

/* Of the file in that data folder; without one, or if it cannot be read, there are no lines. Freed in any case. */
void evidence_view_open(const char *dir, struct evidence_view *view);
void evidence_view_close(struct evidence_view *view);

#endif
