/* Reads a page of metrics as engines show it: Prometheus text format 0.0.4, and what OpenMetrics 1.0 adds to it (exemplars,
 * `# EOF`, times in seconds). Strict, as Prometheus itself is: a page with a bad line is no page, since a value cut in
 * two would be believed. Nothing is copied and nothing is allocated; the time taken is linear in the bytes. */
#ifndef FLEET_METRICS_PAGE_H
#define FLEET_METRICS_PAGE_H

#include "base/slice.h"
#include "base/status.h"

/* Larger pages, lines and numbers are refused. Engines with many models and histograms show some 500 KB. */
enum {
    METRICS_PAGE_BYTES_MOST = 4 * 1024 * 1024,
    METRICS_LINE_BYTES_MOST = 64 * 1024,
    METRICS_LABELS_MOST = 64,
    METRICS_NUMBER_BYTES_MOST = 64
};

struct metrics_label {
    struct slice name, value; /* the value as it stands there, with its escapes */
};

/* One line. The slices are the page's; the labels stay until the next is read. */
struct metrics_sample {
    struct slice name;
    struct metrics_label labels[METRICS_LABELS_MOST];
    size_t label_count;
    double value; /* may be infinite or no number */
};

struct metrics_page {
    struct slice rest;
    unsigned line;   /* that was read last, from 1 */
    const char *why; /* what is wrong with it, for a person; NULL: nothing */
    bool ended;      /* by # EOF */
};

void metrics_page_init(struct metrics_page *page, struct slice text);

/* The next sample. ERR_NOT_FOUND: there is none any more, and the page is good. ERR_INVALID, ERR_LIMIT: page->line is
 * bad, page->why says how, and nothing of the page is to be believed. */
enum status metrics_page_next(struct metrics_page *page, struct metrics_sample *out) MUST_CHECK;

/* SLICE_NONE if the sample has no such label. */
struct slice metrics_label_of(const struct metrics_sample *sample, const char *name);

#endif
