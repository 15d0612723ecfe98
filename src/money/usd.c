#include "money/usd.h"

#include <inttypes.h>
#include <stdio.h>

#define RATE_MOST (USD_RATE_ONE * 1000000000)

enum status
usd_rate_parse(struct slice text, usd_rate *out)
{
    enum status status;

    *out = USD_RATE_NONE;
    if (slice_starts(text, "$"))
        text = slice_from(text, 1);
    status = wide_parse_decimal(text, USD_RATE_DECIMALS, true, out);
    if (status != OK)
        return status;
    if (*out < 0)
        return ERR_INVALID;
    return *out <= RATE_MOST ? OK : ERR_LIMIT;
}

void
usd_rate_format(usd_rate rate, char *out)
{
    int len;

    if (rate == USD_RATE_NONE) {
        snprintf(out, USD_RATE_TEXT_SIZE, "null");
        return;
    }
    ENSURE(rate >= 0);
    len = snprintf(out, USD_RATE_TEXT_SIZE, "%" PRIu64 ".%018" PRIu64, (uint64_t)(rate / USD_RATE_ONE),
                   (uint64_t)(rate % USD_RATE_ONE));
    while (out[len - 1] == '0')
        len--;
    if (out[len - 1] == '.')
        len--;
    out[len] = '\0';
}

enum status
usd_sum_add(struct usd_sum *sum, usd_rate rate, int64_t count, int64_t per)
{
    wide_int times, part;

    ENSURE(rate >= 0 && count >= 0 && per > 0 && USD_SUM_PER % per == 0);
    times = (wide_int)count * (USD_SUM_PER / per);
    if (rate <= INT64_MAX && times <= INT64_MAX) /* nearly always: the product of two times 63 bits fits */
        part = (wide_int)(int64_t)rate * (int64_t)times;
    else if (__builtin_mul_overflow(rate, times, &part))
        return ERR_LIMIT;
    if (__builtin_add_overflow(sum->scaled, part, &part))
        return ERR_LIMIT;
    sum->scaled = part;
    return OK;
}

enum status
usd_sum_total(const struct usd_sum *sum, usd *out)
{
    /* Of the sides and parts of a cost most are nothing, and a division of 128 bits takes its time. */
    wide_int total = sum->scaled != 0 ? wide_divide_half_even(sum->scaled, (USD_RATE_ONE / USD_ONE) * USD_SUM_PER) : 0;

    *out = USD_UNKNOWN;
    if (total > INT64_MAX)
        return ERR_LIMIT;
    *out = (usd)total;
    return OK;
}
