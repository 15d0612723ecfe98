/* Money as exact integers: pico-dollars (10^-12 USD) in 64 bits, at most about 9.2 million dollars. No floating point is
 * used in money; what a provider states as a JSON number is taken by its decimal digits. */
#ifndef BASE_USD_H
#define BASE_USD_H

#include "base/slice.h"
#include "base/status.h"

typedef int64_t usd;

/* A cost that is not known. Never 0: what is unknown must not look free. */
#define USD_UNKNOWN INT64_MIN

#define USD_DECIMALS 12
#define USD_ONE ((usd)1000000000000)

static inline bool
usd_known(usd amount)
{
    return amount != USD_UNKNOWN;
}

/* A decimal number "0.05", "-3", "1e-6", "$50", exactly: ERR_INVALID if it is none, ERR_LIMIT if it does not fit or has
 * digits below a pico-dollar. */
enum status usd_parse(struct slice text, usd *out) MUST_CHECK;

/* As usd_parse, digits below a pico-dollar rounded half to even: for costs that others computed. */
enum status usd_parse_rounded(struct slice text, usd *out) MUST_CHECK;

/* The amount whose shortest decimal digits name this double (as JSON parsers give it), rounded to the pico-dollar. */
enum status usd_from_double(double value, usd *out) MUST_CHECK;

/* Exact, without trailing zeros: "0.000042", "-3", "0". USD_UNKNOWN: "null". `out` needs USD_TEXT_SIZE bytes. */
#define USD_TEXT_SIZE 24
void usd_format(usd amount, char *out);

/* For people: with exactly `places` (0 to 12) decimals, rounded half to even: "$12.35". USD_UNKNOWN: "unknown". */
#define USD_PEOPLE_SIZE 32
void usd_format_places(usd amount, unsigned places, char *out);

/* Checked arithmetic. Unknown with anything is unknown, and OK. ERR_LIMIT: does not fit, *out is USD_UNKNOWN. */
enum status usd_add(usd a, usd b, usd *out) MUST_CHECK;
enum status usd_sub(usd a, usd b, usd *out) MUST_CHECK;
enum status usd_mul(usd a, int64_t times, usd *out) MUST_CHECK;

/* amount * ppm / 1,000,000, rounded half to even; unknown stays unknown. ppm at most 10^9. */
enum status usd_share(usd amount, int64_t ppm, usd *out) MUST_CHECK;

/* Wide integers, for sums and products that do not fit 64 bits. */
__extension__ typedef __int128 wide_int;

/* Decimal text as an integer with `decimals` (0 to 18) digits behind the point; further digits are rounded half to even
 * if `round`, else ERR_LIMIT unless they are zeros. An optional sign; no "$". Magnitude below 10^36. */
enum status wide_parse_decimal(struct slice text, unsigned decimals, bool round, wide_int *out) MUST_CHECK;

/* value / by, rounded half to even; by > 0. */
wide_int wide_divide_half_even(wide_int value, wide_int by);

#endif
