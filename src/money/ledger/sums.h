/* Sums over requests: what the ledger keeps for each hour, day and group, and what every report adds up. Exact: wide
 * integers, no floating point, so the order does not matter. */
#ifndef MONEY_SUMS_H
#define MONEY_SUMS_H

#include "base/buffer.h"
#include "money/ledger/histogram.h"
#include "money/row.h"

struct sums {
#define SUM_COUNT(name, words) int64_t name;
#define SUM_USD(name, words) wide_int name;
#include "money/ledger/sums.def"
#undef SUM_COUNT
#undef SUM_USD
    struct histogram first_token_us, total_us; /* of requests answered in full */
};

/* Adds one request. `saved` is what its saving lines add up to in the group that is summed. */
void sums_add_row(struct sums *sums, const struct row *row, wide_int saved);

/* Adds (sign 1) or takes out (sign -1) what depends on a request's outcome: usefulness and value. Part of sums_add_row. */
void sums_add_outcome(struct sums *sums, const struct row *row, int sign);

void sums_add(struct sums *to, const struct sums *from);

void sums_put(struct buffer *out, const struct sums *sums);
enum status sums_take(struct slice bytes, struct sums *out) MUST_CHECK; /* ERR_CORRUPT */

#endif
