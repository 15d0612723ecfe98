#include "twin/scan.h"

#include "base/clock.h"

enum { DIGITS_MOST = 15 };

static const usec DAY_US = 24 * 3600 * USEC_PER_S;

static bool
is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static void
skip_blanks(struct slice *rest)
{
    while (rest->len != 0 && (*rest->data == ' ' || *rest->data == '\n' || *rest->data == '\t' || *rest->data == '\r'))
        *rest = slice_from(*rest, 1);
}

size_t
scan_find(struct slice text, struct slice word)
{
    if (word.len == 0)
        return 0;
    for (size_t at = 0; word.len <= text.len && at <= text.len - word.len; at++)
        if (strncasecmp(text.data + at, word.data, word.len) == 0)
            return at;
    return text.len;
}

bool
scan_past(struct slice *rest, const char *marker)
{
    size_t at = scan_find(*rest, slice_of(marker));

    if (at == rest->len)
        return false;
    *rest = slice_from(*rest, at + strlen(marker));
    return true;
}

bool
scan_word(struct slice *rest, const char *word)
{
    struct slice at = *rest;

    skip_blanks(&at);
    if (at.len < strlen(word) || strncasecmp(at.data, word, strlen(word)) != 0)
        return false;
    *rest = slice_from(at, strlen(word));
    return true;
}

bool
scan_integer(struct slice *rest, int64_t *out)
{
    struct slice at = *rest;
    size_t digits = 0;
    int64_t value = 0;

    skip_blanks(&at);
    while (digits < at.len && is_digit(at.data[digits]) && digits <= DIGITS_MOST)
        value = value * 10 + (at.data[digits++] - '0');
    if (digits == 0 || digits > DIGITS_MOST)
        return false;
    *rest = slice_from(at, digits);
    *out = value;
    return true;
}

/* The up to three digits after a point; a point without a digit is the end of a sentence. */
static int64_t
scan_decimals(struct slice *rest)
{
    int64_t value = 0;
    size_t used = 0;

    if (rest->len < 2 || rest->data[0] != '.' || !is_digit(rest->data[1]))
        return 0;
    *rest = slice_from(*rest, 1);
    for (size_t unit = 100; used < rest->len && is_digit(rest->data[used]); used++, unit /= 10)
        value += (rest->data[used] - '0') * (int64_t)unit;
    *rest = slice_from(*rest, used);
    return value;
}

bool
scan_thousandths(struct slice *rest, int64_t *out)
{
    struct slice at = *rest;
    int64_t whole = 0;
    bool minus = scan_word(&at, "-");

    if (!scan_integer(&at, &whole) || whole > INT64_MAX / 1000 - 1)
        return false;
    *out = whole * 1000 + scan_decimals(&at);
    if (minus)
        *out = -*out;
    *rest = at;
    return true;
}

bool
scan_date(struct slice *rest, int64_t *day)
{
    struct slice at = *rest;
    usec when = 0;

    skip_blanks(&at);
    if (at.len < 10 || !is_digit(at.data[0]) || clock_parse_utc(slice_first(at, 10), &when) != OK)
        return false;
    *day = when / DAY_US - (when % DAY_US < 0 ? 1 : 0);
    *rest = slice_from(at, 10);
    return true;
}

bool
scan_quoted(struct slice *rest, struct slice *out)
{
    size_t open = slice_find_byte(*rest, '"');
    struct slice inside = slice_from(*rest, open + 1);
    size_t close = slice_find_byte(inside, '"');

    if (open == rest->len || close == inside.len)
        return false;
    *out = slice_first(inside, close);
    *rest = slice_from(inside, close + 1);
    return true;
}
