/* One request, told to a person or as JSON: plans and why each lost, attempts, cost line by line, timing, savings. */
#ifndef MONEY_EXPLAIN_H
#define MONEY_EXPLAIN_H

#include "base/buffer.h"
#include "money/row.h"

void explain_write_text(const struct row *row, bool colour, struct buffer *out);

/* All fields of row.def by name (amounts as exact decimal texts in cost_usd and the like, plans as the JSON they are),
 * "savings", "attempt_lines", and "costs" by kind, whose sum is cost_usd exactly. */
void explain_write_json(const struct row *row, struct buffer *out);

#endif
