/* What an engine's page of metrics told when it was probed, or why it told nothing. Without a page the engine serves all the
 * same: what others have there is not seen, and that is all. */
#ifndef CMD_PROBE_PAGE_H
#define CMD_PROBE_PAGE_H

#include "cmd/probe/probe_backends.h"
#include "fleet/health/engine_metrics.h"

struct probe_page {
    bool read; /* false: `why` */
    struct engine_told told;
    enum engine looks_like; /* whose names are on it; ENGINE_HOSTED: nobody's that is known, or there is no page */
    char why[512];
};

void probe_page_read(const struct probe_result *result, struct probe_page *out);

/* A line: "0 running, 3 waiting, 12 % of its cache of keys and values in use". */
void probe_page_text(const struct probe_page *page, const struct probe_result *result, struct buffer *out);

/* An object. */
void probe_page_json(const struct probe_page *page, const struct probe_result *result, struct buffer *out);

#endif
