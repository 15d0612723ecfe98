/* Stored answers: given to requests that are equal to one that was answered before, and stored when an answer is complete
 * (lever exact_cache). One form is kept, the whole answer as its API says it when it does not stream; a request that
 * streams gets it as events, one that does not gets the very bytes.
 *
 * A request's `cache-control` (RFC 9111, 5.2.1) is honoured: with no-store nothing is looked up and nothing kept, with
 * no-cache nothing is looked up, with max-age=N only what is no older than N seconds serves. */
#ifndef GATEWAY_CACHED_H
#define GATEWAY_CACHED_H

#include "gateway/reuse/elements.h"

/* Before plans are made: whether they may look up an answer, and whether this one's may be stored. */
void cached_begin(struct exchange *exchange);

/* Answers by exchange->plan, at once or soon; if its answer is damaged, the plans are weighed again. */
void cached_serve(struct exchange *exchange);

/* The seconds since the answer was made, as header `age` (RFC 9111, 5.1). */
struct slice cached_age(struct exchange *exchange);

/* The flight is to gather its whole answer, if it may be stored. */
void cached_watch(struct exchange *exchange, struct flight *flight);

/* The exchange has ended, its row is written, its flight still joined: what can serve again is stored. */
void cached_end(struct exchange *exchange);

/* Nothing reads any more what was looked up. */
void cached_release(struct exchange *exchange);

/* Where the answer of the present call goes, once it is booked. */
struct elements_store cached_store(const struct exchange *exchange);

/* On the metrics page: what the store holds and did, and what share of requests, tokens and dollars it served. */
void cached_print(const struct gateway *gateway, struct buffer *out);

#endif
