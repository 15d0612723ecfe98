/* Pricing answers for `equipoise prices quote`. */
#ifndef CMD_PRICES_QUOTE_H
#define CMD_PRICES_QUOTE_H

#include "base/buffer.h"
#include "money/prices/prices.h"

/* What is known beside the answer; texts may be NULL. */
struct quote {
    const struct price_book *book;
    const char *provider, *flavor, *model;
    usec at;
};

/* Prices one answer and appends a JSON object over several lines. The exit status: CMD_FAILED if it is not JSON. */
int quote_body(struct slice json, const struct quote *quote, struct buffer *out);

/* Prices many: lines of JSON objects with "body", and "provider", "flavor", "model" in the place of the quote's. Appends
 * one line for each. */
int quote_lines(struct slice lines, const struct quote *quote, struct buffer *out);

#endif
