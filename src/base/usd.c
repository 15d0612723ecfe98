#include "base/usd.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { DIGITS_MOST = 36, EXPONENT_MOST = 400, DOUBLE_TEXT_SIZE = 40 };

/* A decimal number as it is written: digits without point, and the power of ten of the last one. */
struct decimal {
    char digits[DIGITS_MOST + 1];
    int count;    /* digits kept, without leading zeros */
    int exponent; /* of the last digit kept */
    bool negative;
    bool rest; /* further digits that were not kept were not all zero */
};

static bool
is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static void
decimal_take_digit(struct decimal *decimal, char digit, bool behind_point)
{
    if (decimal->count == 0 && digit == '0') {
        decimal->exponent -= behind_point;
        return;
    }
    if (decimal->count == DIGITS_MOST) {
        decimal->rest |= digit != '0';
        decimal->exponent += !behind_point;
        return;
    }
    decimal->digits[decimal->count++] = digit;
    decimal->exponent -= behind_point;
}

/* Reads digits with at most one point; moves *text behind them. */
static enum status
decimal_take_digits(struct decimal *decimal, struct slice *text)
{
    bool behind_point = false, any = false;

    while (text->len > 0 && (is_digit(text->data[0]) || (text->data[0] == '.' && !behind_point))) {
        if (text->data[0] == '.') {
            behind_point = true;
        } else {
            decimal_take_digit(decimal, text->data[0], behind_point);
            any = true;
        }
        *text = slice_from(*text, 1);
    }
    return any ? OK : ERR_INVALID;
}

/* What stands after the digits: nothing, or "e" and a whole number. */
static enum status
decimal_take_exponent(struct decimal *decimal, struct slice text)
{
    bool negative = false;
    int exponent = 0;

    if (text.len == 0)
        return OK;
    if (text.data[0] != 'e' && text.data[0] != 'E')
        return ERR_INVALID;
    text = slice_from(text, 1);
    if (text.len > 0 && (text.data[0] == '-' || text.data[0] == '+')) {
        negative = text.data[0] == '-';
        text = slice_from(text, 1);
    }
    if (text.len == 0)
        return ERR_INVALID;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.data[i]))
            return ERR_INVALID;
        if (exponent < EXPONENT_MOST)
            exponent = exponent * 10 + (text.data[i] - '0');
    }
    decimal->exponent += negative ? -exponent : exponent;
    return OK;
}

static enum status
decimal_parse(struct slice text, struct decimal *out)
{
    enum status status;

    *out = (struct decimal){0};
    if (text.len > (size_t)1 << 16)
        return ERR_LIMIT;
    if (text.len > 0 && (text.data[0] == '-' || text.data[0] == '+')) {
        out->negative = text.data[0] == '-';
        text = slice_from(text, 1);
    }
    status = decimal_take_digits(out, &text);
    return status != OK ? status : decimal_take_exponent(out, text);
}

/* The first `keep` digits (fewer than all) of the number, rounded half to even by those behind. */
static wide_int
decimal_cut(const struct decimal *decimal, int keep)
{
    bool rest = decimal->rest;
    int next = keep >= 0 && keep < decimal->count ? decimal->digits[keep] - '0' : 0;
    wide_int value = 0;

    for (int i = 0; i < keep; i++)
        value = value * 10 + (decimal->digits[i] - '0');
    for (int i = keep + 1; i < decimal->count; i++)
        rest |= i >= 0 && decimal->digits[i] != '0';
    if (next > 5 || (next == 5 && (rest || value % 2 != 0)))
        value++;
    return value;
}

static bool
decimal_exact_at(const struct decimal *decimal, int keep)
{
    for (int i = keep > 0 ? keep : 0; i < decimal->count; i++)
        if (decimal->digits[i] != '0')
            return false;
    return !decimal->rest;
}

enum status
wide_parse_decimal(struct slice text, unsigned decimals, bool round, wide_int *out)
{
    struct decimal decimal;
    enum status status = decimal_parse(text, &decimal);
    int keep;

    ENSURE(decimals <= 18);
    if (status != OK)
        return status;
    *out = 0;
    if (decimal.count == 0)
        return OK;
    keep = decimal.count + decimal.exponent + (int)decimals;
    if (keep > DIGITS_MOST)
        return ERR_LIMIT;
    if (!round && !decimal_exact_at(&decimal, keep))
        return ERR_LIMIT;
    *out = keep < 0 ? 0 : decimal_cut(&decimal, keep < decimal.count ? keep : decimal.count);
    for (int i = decimal.count; i < keep; i++)
        *out *= 10;
    if (decimal.negative)
        *out = -*out;
    return OK;
}

wide_int
wide_divide_half_even(wide_int value, wide_int by)
{
    wide_int whole, rest;

    ENSURE(by > 0);
    if (value == 0)
        return 0; /* divisions of 128 bits take long, and many sums are 0 */
    whole = value / by;
    rest = value - whole * by;
    if (rest < 0)
        rest = -rest;
    if (rest > by - rest || (rest == by - rest && whole % 2 != 0))
        whole += value < 0 ? -1 : 1;
    return whole;
}

static enum status
narrow(wide_int value, usd *out)
{
    *out = USD_UNKNOWN;
    if (value > INT64_MAX || value <= (wide_int)INT64_MIN)
        return ERR_LIMIT;
    *out = (usd)value;
    return OK;
}

static enum status
parse(struct slice text, bool round, usd *out)
{
    wide_int value;
    enum status status;

    *out = USD_UNKNOWN;
    if (slice_starts(text, "$"))
        text = slice_from(text, 1);
    status = wide_parse_decimal(text, USD_DECIMALS, round, &value);
    return status != OK ? status : narrow(value, out);
}

enum status
usd_parse(struct slice text, usd *out)
{
    return parse(text, false, out);
}

enum status
usd_parse_rounded(struct slice text, usd *out)
{
    return parse(text, true, out);
}

enum status
usd_from_double(double value, usd *out)
{
    char text[DOUBLE_TEXT_SIZE];

    *out = USD_UNKNOWN;
    if (!isfinite(value))
        return ERR_INVALID;
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    return usd_parse_rounded(slice_of(text), out);
}

void
usd_format(usd amount, char *out)
{
    uint64_t size = amount < 0 ? 0 - (uint64_t)amount : (uint64_t)amount;
    char text[USD_TEXT_SIZE];
    size_t at = sizeof(text);

    if (!usd_known(amount)) {
        memcpy(out, "null", sizeof("null"));
        return;
    }
    /* From the right, by hand: every answer and every row carries several of these. */
    text[--at] = '\0';
    for (unsigned place = 0; place < USD_DECIMALS; place++, size /= 10)
        if (size % 10 != 0 || text[at] != '\0')
            text[--at] = (char)('0' + size % 10);
    if (text[at] != '\0')
        text[--at] = '.';
    do
        text[--at] = (char)('0' + size % 10);
    while ((size /= 10) != 0);
    if (amount < 0)
        text[--at] = '-';
    memcpy(out, text + at, sizeof(text) - at);
}

void
usd_format_places(usd amount, unsigned places, char *out)
{
    wide_int unit = 1, rounded, whole = USD_ONE;
    const char *sign;

    ENSURE(places <= USD_DECIMALS);
    if (!usd_known(amount)) {
        snprintf(out, USD_PEOPLE_SIZE, "unknown");
        return;
    }
    for (unsigned i = places; i < USD_DECIMALS; i++) {
        unit *= 10;
        whole /= 10;
    }
    rounded = wide_divide_half_even(amount, unit);
    sign = rounded < 0 ? "-" : "";
    if (rounded < 0)
        rounded = -rounded;
    if (places == 0)
        snprintf(out, USD_PEOPLE_SIZE, "%s$%" PRIu64, sign, (uint64_t)rounded);
    else
        snprintf(out, USD_PEOPLE_SIZE, "%s$%" PRIu64 ".%0*" PRIu64, sign, (uint64_t)(rounded / whole), (int)places,
                 (uint64_t)(rounded % whole));
}

enum status
usd_add(usd a, usd b, usd *out)
{
    *out = USD_UNKNOWN;
    return usd_known(a) && usd_known(b) ? narrow((wide_int)a + b, out) : OK;
}

enum status
usd_sub(usd a, usd b, usd *out)
{
    *out = USD_UNKNOWN;
    return usd_known(a) && usd_known(b) ? narrow((wide_int)a - b, out) : OK;
}

enum status
usd_mul(usd a, int64_t times, usd *out)
{
    *out = USD_UNKNOWN;
    return usd_known(a) ? narrow((wide_int)a * times, out) : OK;
}

enum status
usd_share(usd amount, int64_t ppm, usd *out)
{
    ENSURE(ppm >= -1000000000 && ppm <= 1000000000);
    *out = USD_UNKNOWN;
    return usd_known(amount) ? narrow(wide_divide_half_even((wide_int)amount * ppm, 1000000), out) : OK;
}
