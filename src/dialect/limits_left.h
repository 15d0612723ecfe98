/* What is left of an account's rate limits, as a provider's answers tell it in their heads. */
#ifndef DIALECT_LIMITS_LEFT_H
#define DIALECT_LIMITS_LEFT_H

#include "world.h"

enum limit_unit { LIMIT_REQUESTS, LIMIT_TOKENS, LIMIT_UNITS };

/* limit below 0: not told. */
struct limit_left {
    int64_t limit, left;
    usec reset_us; /* a span, until all of the limit is there again */
};

struct limits_left {
    struct limit_left of[LIMIT_UNITS];
};

/* By x-ratelimit-{limit,remaining,reset}-{requests,tokens} (OpenAI and those who do as it does) and
 * anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}; of several for one unit the
 * one of which the smallest share is left. True if anything was told. */
bool limits_left_read(const struct http_head *head, usec wall_us, struct limits_left *out);

#endif
