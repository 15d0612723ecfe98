#include "money/budget/budget_rule.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/text.h"
#include "money/usd.h"

static const char *const window_names[BUDGET_WINDOWS] = {"minute", "hour", "day", "week", "month"};

const char *
budget_scope_name(enum budget_scope scope)
{
    static const char *const names[BUDGET_SCOPES] = {"everything", "tenant", "key", "route", "tag"};

    ENSURE(scope < BUDGET_SCOPES);
    return names[scope];
}

const char *
budget_window_name(enum budget_window window)
{
    ENSURE(window < BUDGET_WINDOWS);
    return window_names[window];
}

const char *
budget_unit_name(enum budget_unit unit)
{
    static const char *const names[BUDGET_UNITS] = {"usd", "tokens", "requests"};

    ENSURE(unit < BUDGET_UNITS);
    return names[unit];
}

/* Windows */

static const usec DAY_US = 24 * 3600 * USEC_PER_S;

static usec
floor_to(usec value, usec step, usec offset)
{
    usec over = (value + offset) % step;

    return value - (over < 0 ? over + step : over);
}

static usec
month_start(usec wall_us, int months_later)
{
    struct clock_date date = clock_date_of(wall_us);

    return clock_of_date((struct clock_date){.year = date.year, .month = date.month + months_later, .day = 1});
}

/* The steps of all windows but the month; weeks start on Mondays, and day 0 was a Thursday. */
static usec
step_of(enum budget_window window)
{
    static const int64_t seconds[BUDGET_MONTH] = {60, 3600, 24 * 3600, 7 * 24 * 3600};

    return seconds[window] * USEC_PER_S;
}

usec
budget_window_start(enum budget_window window, usec wall_us)
{
    if (window == BUDGET_MONTH)
        return month_start(wall_us, 0);
    return floor_to(wall_us, step_of(window), window == BUDGET_WEEK ? 3 * DAY_US : 0);
}

usec
budget_window_end(enum budget_window window, usec wall_us)
{
    if (window == BUDGET_MONTH)
        return month_start(wall_us, 1);
    return budget_window_start(window, wall_us) + step_of(window);
}

/* Reading */

static enum status
parse_window(struct slice text, enum budget_window *out, const char **why)
{
    for (unsigned i = 0; i < BUDGET_WINDOWS; i++) {
        if (slice_is(text, window_names[i])) {
            *out = (enum budget_window)i;
            return OK;
        }
    }
    *why = "expected minute, hour, day, week or month behind the '/'";
    return ERR_INVALID;
}

static enum status
parse_money(struct slice text, int64_t *limit, const char **why)
{
    enum status status = usd_parse(slice_from(text, 1), limit);

    *why = status == ERR_LIMIT ? "the amount is too large, or finer than a pico-dollar"
                               : "expected an amount such as $50 or $2.50";
    return status;
}

/* "1,000": a comma stands before three digits. */
static enum status
parse_grouped(struct slice text, int64_t *out)
{
    char digits[32];
    size_t len = 0;
    wide_int value;
    enum status status;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        size_t left = text.len - i;

        if (c == ',' && i > 0 && left > 3 && (left == 4 || text.data[i + 4] == ','))
            continue;
        if (((c < '0' || c > '9') && c != '.') || len == sizeof(digits))
            return ERR_INVALID;
        digits[len++] = c;
    }
    status = wide_parse_decimal(slice_make(digits, len), 9, false, &value);
    if (status != OK)
        return status;
    if (value > (wide_int)INT64_MAX)
        return ERR_LIMIT;
    *out = (int64_t)value;
    return OK;
}

/* The number in front, with k, M or G, in billionths: a fraction must come out whole. */
static enum status
parse_count(struct slice text, int64_t *limit, const char **why)
{
    static const struct {
        char letter;
        int64_t times;
    } scales[] = {{'k', 1000}, {'K', 1000}, {'M', 1000000}, {'G', 1000000000}};
    static const int64_t BILLIONTH = 1000000000;
    int64_t times = 1, billionths;
    wide_int whole;
    enum status status;

    *why = "expected a number such as 1000, 200k or 1.5M";
    for (size_t i = 0; i < sizeof(scales) / sizeof(scales[0]); i++)
        if (text.len > 0 && text.data[text.len - 1] == scales[i].letter)
            times = scales[i].times;
    if (times != 1)
        text.len--;
    status = parse_grouped(slice_trim(text), &billionths);
    if (status != OK)
        return status;
    whole = (wide_int)billionths * times;
    if (whole % BILLIONTH != 0)
        return ERR_INVALID;
    *limit = (int64_t)(whole / BILLIONTH);
    return OK;
}

static enum status
parse_unit(struct slice word, enum budget_unit *out, const char **why)
{
    if (slice_is(word, "tokens") || slice_is(word, "token"))
        *out = BUDGET_TOKENS;
    else if (slice_is(word, "requests") || slice_is(word, "request"))
        *out = BUDGET_REQUESTS;
    else {
        *why = "expected $AMOUNT, or a number of tokens or requests";
        return ERR_INVALID;
    }
    return OK;
}

static enum status
parse_amount(struct slice text, struct budget_rule *out, const char **why, size_t *at)
{
    size_t blank = slice_find_byte(text, ' ');
    struct slice word;
    enum status status;

    if (slice_starts(text, "$")) {
        out->unit = BUDGET_USD;
        return parse_money(text, &out->limit, why);
    }
    word = slice_trim(slice_from(text, blank));
    status = parse_unit(word, &out->unit, why);
    if (status != OK)
        *at = blank < text.len ? (size_t)(word.data - text.data) : 0;
    else
        status = parse_count(slice_first(text, blank), &out->limit, why);
    return status;
}

enum status
budget_parse(struct slice text, struct budget_rule *out, const char **why, size_t *at)
{
    size_t slash = slice_find_byte(text, '/');
    struct slice window = slice_trim(slice_from(text, slash + 1)), amount = slice_first(text, slash);
    struct budget_rule read = {.text = text};
    enum status status;

    *at = slash;
    if (slash == text.len) {
        *why = "expected an amount and a window, such as $50/day";
        return ERR_INVALID;
    }
    status = parse_window(window, &read.window, why);
    if (status != OK) {
        *at = window.len > 0 ? (size_t)(window.data - text.data) : slash;
        return status;
    }
    *at = 0;
    while (slice_ends(amount, " "))
        amount.len--;
    status = parse_amount(amount, &read, why, at);
    if (status == OK && read.limit < 1) {
        *why = "a budget of nothing lets nothing through; take the key, route or tenant away instead";
        status = ERR_INVALID;
    }
    if (status != OK)
        return status;
    out->window = read.window;
    out->unit = read.unit;
    out->limit = read.limit;
    out->text = text;
    return OK;
}

/* Showing */

static void
group_digits(int64_t amount, char *out)
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%" PRId64, amount);

    for (int i = 0; i < len; i++) {
        *out++ = digits[i];
        if (digits[i] != '-' && i + 1 < len && (len - i - 1) % 3 == 0)
            *out++ = ',';
    }
    *out = '\0';
}

/* Small amounts keep the digits that tell them from nothing. */
static unsigned
places_for(usd amount)
{
    usd size = amount < 0 ? -amount : amount;
    unsigned places = 2;

    for (usd unit = USD_ONE; places < USD_DECIMALS && size != 0 && size < unit; unit /= 10)
        places++;
    return places;
}

void
budget_format_amount(enum budget_unit unit, int64_t amount, char *out)
{
    char text[40];

    if (unit == BUDGET_USD) {
        usd_format_places(amount, places_for(amount), text);
        snprintf(out, BUDGET_AMOUNT_SIZE, "%s", text);
        return;
    }
    group_digits(amount, text);
    snprintf(out, BUDGET_AMOUNT_SIZE, "%s %s%s", text, unit == BUDGET_TOKENS ? "token" : "request",
             amount == 1 ? "" : "s");
}
