/* OpenAI's headers of rate limits, where budgets of requests or tokens apply: what the tightest of each unit has left
 * and when it starts anew. */
#ifndef GATEWAY_RATELIMIT_H
#define GATEWAY_RATELIMIT_H

#include "gateway/exchange.h"

enum { RATELIMIT_HEADERS = 6 };

/* x-ratelimit-{limit,remaining,reset}-{requests,tokens}; returns how many, at most RATELIMIT_HEADERS. */
size_t ratelimit_headers(struct exchange *exchange, struct http_header *out);

/* Is this header of a backend's answer replaced by one of ours? */
bool ratelimit_replaces(const struct exchange *exchange, struct slice name);

#endif
