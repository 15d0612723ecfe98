/* Money (base/usd.h) and prices: what a unit costs, exactly, and how prices times counts become an amount. */
#ifndef MONEY_USD_H
#define MONEY_USD_H

#include "base/usd.h"

/* What `per` units of something cost, in 10^-18 dollars: for tokens dollars per million, so that "0.0375" and even
 * "0.08333333333333334" are held exactly. Never negative. */
typedef wide_int usd_rate;

#define USD_RATE_DECIMALS 18
#define USD_RATE_NONE ((usd_rate)-1)
#define USD_RATE_ONE ((usd_rate)USD_ONE * 1000000) /* one dollar */

/* A decimal number of dollars ("0.05", "$0.05"); more than 18 decimals are rounded half to even. ERR_INVALID: no number
 * or negative. ERR_LIMIT: above 10^9 dollars. */
enum status usd_rate_parse(struct slice text, usd_rate *out) MUST_CHECK;

/* Exact, without trailing zeros: "0.0375". `out` needs USD_RATE_TEXT_SIZE bytes. */
#define USD_RATE_TEXT_SIZE 48
void usd_rate_format(usd_rate rate, char *out);

/* A sum of counts times rates, exact until usd_sum_total rounds it once, half to even, to the pico-dollar. */
struct usd_sum {
    wide_int scaled; /* in 10^-18 dollars / USD_SUM_PER */
};

/* Every `per` divides this: per million (tokens), thousand (requests), 10^9 (pixels), an hour in microseconds. */
#define USD_SUM_PER ((int64_t)18000000000)

/* Adds rate * count / per. ERR_LIMIT: does not fit; the sum is unchanged. */
enum status usd_sum_add(struct usd_sum *sum, usd_rate rate, int64_t count, int64_t per) MUST_CHECK;

/* ERR_LIMIT: does not fit. */
enum status usd_sum_total(const struct usd_sum *sum, usd *out) MUST_CHECK;

#endif
