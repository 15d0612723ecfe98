#include "dialect/refusal.h"

#include <stdlib.h>
#include <yyjson.h>

#include "base/clock.h"

/* Spans beyond this are mistakes, or dates taken for spans. */
#define SPAN_MOST_US (366 * 86400 * USEC_PER_S)

/* A decimal number at the front of *text, fractions too; false if there is none. */
static bool
take_number(struct slice *text, double *out)
{
    double value = 0, unit = 1;
    size_t at = 0;
    bool fraction = false;

    for (; at < text->len && at < 24; at++) {
        char c = text->data[at];

        if (c == '.' && !fraction && at > 0) {
            fraction = true;
        } else if (c < '0' || c > '9') {
            break;
        } else {
            value = value * 10 + (c - '0');
            unit *= fraction ? 10 : 1;
        }
    }
    *text = slice_from(*text, at);
    *out = value / unit;
    return at > 0;
}

static usec
span_us(double seconds)
{
    double us = seconds * (double)USEC_PER_S;

    return us <= 0 ? 0 : us < (double)SPAN_MOST_US ? (usec)us : SPAN_MOST_US;
}

static usec
until_us(usec date_us, usec wall_us)
{
    usec span = date_us - wall_us;

    return span <= 0 ? 0 : span < SPAN_MOST_US ? span : SPAN_MOST_US;
}

/* Seconds, alone; -1 if it is no number. */
static usec
read_seconds(struct slice text, double unit)
{
    double value;

    return take_number(&text, &value) && text.len == 0 ? span_us(value * unit) : -1;
}

/* What the answer's head calls now: clocks of others may be wrong. */
static usec
wall_of(const struct http_head *head, usec wall_us)
{
    usec theirs;

    return clock_parse_http(http_head_get(head, "date"), &theirs) == OK ? theirs : wall_us;
}

/* -1: it is not there, or says nothing. */
static usec
read_retry_after(const struct http_head *head, usec wall_us)
{
    struct slice value = http_head_get(head, "retry-after-ms");
    usec span = value.len > 0 ? read_seconds(value, 1e-3) : -1, date;

    if (span >= 0)
        return span;
    value = http_head_get(head, "retry-after");
    span = read_seconds(value, 1);
    if (span < 0 && clock_parse_http(value, &date) == OK)
        span = until_us(date, wall_of(head, wall_us));
    return span;
}

/* "6m0s", "1.5s", "120ms"; -1 if it is nothing of the kind. */
static usec
read_duration(struct slice text)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"ms", 1e-3}, {"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}};
    double sum = 0, value;

    if (text.len == 0)
        return -1;
    while (text.len > 0) {
        size_t unit = 0, count = sizeof(units) / sizeof(units[0]);

        if (!take_number(&text, &value))
            return -1;
        while (unit < count && !slice_starts(text, units[unit].name))
            unit++;
        if (unit == count)
            return -1;
        text = slice_from(text, strlen(units[unit].name));
        sum += value * units[unit].seconds;
    }
    return span_us(sum);
}

usec
refusal_reset_us(struct slice text, usec wall_us)
{
    static const usec epoch_like_us = 500000000 * USEC_PER_S; /* fifteen years: no span, but any date */
    struct slice rest = text;
    double seconds;
    usec date, span;

    if (take_number(&rest, &seconds) && rest.len == 0)
        return seconds * (double)USEC_PER_S >= (double)epoch_like_us
                   ? until_us((usec)(seconds * (double)USEC_PER_S), wall_us)
                   : span_us(seconds);
    span = read_duration(text);
    if (span < 0 && clock_parse_utc(text, &date) == OK)
        span = until_us(date, wall_us);
    return span > 0 ? span : 0;
}

/* The longest reset among the limits of which nothing is left. */
static usec
read_limits(const struct http_head *head, usec wall_us)
{
    static const struct {
        const char *left, *reset;
    } limits[] = {
        {"x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"},
        {"x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"},
        {"x-ratelimit-remaining", "x-ratelimit-reset"},
        {"anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"},
        {"anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"},
        {"anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"},
        {"anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"},
    };
    usec longest = 0;

    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        usec span;

        if (!slice_is(http_head_get(head, limits[i].left), "0"))
            continue;
        span = refusal_reset_us(http_head_get(head, limits[i].reset), wall_of(head, wall_us));
        longest = span > longest ? span : longest;
    }
    return longest;
}

usec
refusal_retry_after_us(const struct http_head *head, usec wall_us)
{
    usec span = read_retry_after(head, wall_us);

    if (span >= 0)
        return span;
    return head->status == 429 ? read_limits(head, wall_us) : 0;
}

/* Spend limits */

static struct slice
text_of(yyjson_val *value)
{
    return yyjson_is_str(value) ? slice_make(yyjson_get_str(value), yyjson_get_len(value)) : SLICE_NONE;
}

static bool
is_one_of(struct slice word, const char *const *words)
{
    for (; *words != NULL; words++)
        if (slice_is(word, *words))
            return true;
    return false;
}

/* Codes and types that stand for nothing else. */
static bool
says_code(struct slice word)
{
    static const char *const codes[] = {"insufficient_quota",     "billing_hard_limit_reached", "billing_not_active",
                                        "billing_error",          "insufficient_balance",       "insufficient_credits",
                                        "credit_balance_too_low", "spend_limit_reached",        NULL};

    return is_one_of(word, codes);
}

/* Sentences that are about money whatever stands around them. Only statuses under which no provider repeats the
 * client's own words are searched for them. */
static bool
says_words(struct slice message)
{
    static const char *const words[] = {"credit balance is too low",
                                        "available credits",
                                        "nsufficient balance",
                                        "nsufficient credits",
                                        "spending limit",
                                        "spend limit",
                                        "spending cap",
                                        "run out of credits",
                                        "billing hard limit",
                                        "specified API usage limits",
                                        "prepayment credits",
                                        NULL};

    for (const char *const *word = words; *word != NULL; word++)
        if (slice_find(message, slice_of(*word)) < message.len)
            return true;
    return false;
}

/* Under 400 a message may hold the client's words: only its beginning counts. */
static bool
begins_so(struct slice message)
{
    return slice_starts(message, "Your credit balance is too low") ||
           slice_starts(message, "You have reached your specified API usage limits");
}

bool
refusal_is_spend_limit(unsigned status, struct slice body)
{
    yyjson_doc *doc;
    yyjson_val *root, *error;
    struct slice message;
    bool about_money;

    if (status == 402)
        return true; /* Payment Required */
    if (status != 429 && status != 400 && status != 403)
        return false;
    doc = yyjson_read(body.data, body.len, YYJSON_READ_STOP_WHEN_DONE);
    root = yyjson_doc_get_root(doc);
    if (yyjson_is_arr(root)) /* Gemini's endpoint for OpenAI's clients */
        root = yyjson_arr_get_first(root);
    error = yyjson_obj_get(root, "error");
    message = text_of(yyjson_is_obj(error) ? yyjson_obj_get(error, "message") : error);
    if (message.data == NULL)
        message = text_of(yyjson_obj_get(root, "message"));
    about_money =
        says_code(text_of(yyjson_obj_get(error, "code"))) || says_code(text_of(yyjson_obj_get(error, "type"))) ||
        says_code(text_of(yyjson_obj_get(root, "code"))) || (status == 400 ? begins_so(message) : says_words(message));
    yyjson_doc_free(doc);
    return about_money;
}

/* "You are not allowed to request logprobs from this model" (403), "Logprobs is not supported for ..." (400). */
static bool
speaks_of_logprobs(unsigned status, struct slice body)
{
    return (status == 400 || status == 403 || status == 422) &&
           (slice_find(body, SLICE_LITERAL("logprobs")) < body.len ||
            slice_find(body, SLICE_LITERAL("Logprobs")) < body.len);
}

struct refusal
refusal_read(const struct http_head *head, struct slice body, usec wall_us)
{
    return (struct refusal){
        .spend_limit = refusal_is_spend_limit(head->status, body),
        .final = slice_is_nocase(http_head_get(head, "x-should-retry"), "false"),
        .logprobs = speaks_of_logprobs(head->status, body),
        .retry_after_us = refusal_retry_after_us(head, wall_us),
    };
}
