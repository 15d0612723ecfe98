#include "dialect/limits_left.h"

#include "base/clock.h"
#include "base/text.h"
#include "dialect/refusal.h"

static const struct names {
    enum limit_unit unit;
    const char *limit, *left, *reset;
} names[] = {
    {LIMIT_REQUESTS, "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"},
    {LIMIT_TOKENS, "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"},
    {LIMIT_REQUESTS, "anthropic-ratelimit-requests-limit", "anthropic-ratelimit-requests-remaining",
     "anthropic-ratelimit-requests-reset"},
    {LIMIT_TOKENS, "anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-remaining",
     "anthropic-ratelimit-tokens-reset"},
    {LIMIT_TOKENS, "anthropic-ratelimit-input-tokens-limit", "anthropic-ratelimit-input-tokens-remaining",
     "anthropic-ratelimit-input-tokens-reset"},
    {LIMIT_TOKENS, "anthropic-ratelimit-output-tokens-limit", "anthropic-ratelimit-output-tokens-remaining",
     "anthropic-ratelimit-output-tokens-reset"},
};

enum { COUNT_MOST = 1000000000 };

static bool
read_count(struct slice text, int64_t *out)
{
    uint64_t value;

    if (text_parse_u64(text, &value) != OK || value > COUNT_MOST)
        return false;
    *out = (int64_t)value;
    return true;
}

static bool
read_one(const struct http_head *head, const struct names *at, usec wall_us, struct limit_left *out)
{
    if (!read_count(http_head_get(head, at->left), &out->left) ||
        !read_count(http_head_get(head, at->limit), &out->limit))
        return false;
    if (out->left > out->limit)
        out->left = out->limit;
    out->reset_us = refusal_reset_us(http_head_get(head, at->reset), wall_us);
    return out->limit > 0;
}

static bool
is_tighter(const struct limit_left *a, const struct limit_left *b)
{
    return b->limit < 0 || a->left * b->limit < b->left * a->limit;
}

/* Most answers say nothing of limits: then neither the clock nor any of the names need be looked at. */
static bool
speaks_of_limits(const struct http_head *head)
{
    for (size_t i = 0; i < head->header_count; i++)
        if (slice_starts_nocase(head->headers[i].name, "x-ratelimit-") ||
            slice_starts_nocase(head->headers[i].name, "anthropic-ratelimit-"))
            return true;
    return false;
}

bool
limits_left_read(const struct http_head *head, usec wall_us, struct limits_left *out)
{
    struct limit_left left;
    usec theirs;
    bool any = false;

    for (unsigned unit = 0; unit < LIMIT_UNITS; unit++)
        out->of[unit] = (struct limit_left){.limit = -1, .left = -1};
    if (!speaks_of_limits(head))
        return false;
    if (clock_parse_http(http_head_get(head, "date"), &theirs) == OK)
        wall_us = theirs;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!read_one(head, &names[i], wall_us, &left) || !is_tighter(&left, &out->of[names[i].unit]))
            continue;
        out->of[names[i].unit] = left;
        any = true;
    }
    return any;
}
