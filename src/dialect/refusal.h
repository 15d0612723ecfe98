/* What a backend's refusal means: when it may be asked again, and whether the account's money is at its end, which no
 * waiting mends. Read from the head and the body of an error's answer, whoever's dialect it is: providers differ more
 * among themselves than dialects do. */
#ifndef DIALECT_REFUSAL_H
#define DIALECT_REFUSAL_H

#include "world.h"

struct refusal {
    bool spend_limit;    /* a quota of money or credits is used up */
    bool final;          /* it says itself that no retry helps (x-should-retry: false) */
    bool logprobs;       /* it speaks of logprobs, which this model does not tell */
    usec retry_after_us; /* a span; 0: not told */
};

/* More of a body than this is not needed. */
enum { REFUSAL_BODY_MOST = 16 * 1024 };

/* When may it be asked again? By `retry-after-ms`, by `retry-after` (RFC 9110, 10.2.3: seconds or a date, which is held
 * against the answer's own Date), else by the reset of the rate limit whose rest is 0 (x-ratelimit-reset-*,
 * anthropic-ratelimit-*-reset). A span; 0: it does not say. */
usec refusal_retry_after_us(const struct http_head *head, usec wall_us);

/* A reset as the many write it: a duration ("6m0s"), seconds, seconds since the epoch, or a date. A span; 0: it is none. */
usec refusal_reset_us(struct slice text, usec wall_us);

/* Is this error about a spend limit? `body` may be cut. */
bool refusal_is_spend_limit(unsigned status, struct slice body);

struct refusal refusal_read(const struct http_head *head, struct slice body, usec wall_us);

#endif
