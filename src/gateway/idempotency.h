/* Requests with an `Idempotency-Key`: sent upstream once, however often the client repeats them. The key is the
 * tenant's and API key's own. A repetition while the first is under way gets 409 with retry-after, which SDKs obey;
 * after a success it gets the first one's answer again, byte for byte (a stream as its events), marked
 * `idempotent-replayed: true`, at no cost and with a row of its own; with another body it gets 422. What failed, broke
 * off or was abandoned frees the key. Not for pass-through, whose bodies are not held, and not while only observing:
 * there the key goes to the backend. */
#ifndef GATEWAY_IDEMPOTENCY_H
#define GATEWAY_IDEMPOTENCY_H

#include "gateway/exchange.h"

/* What an exchange has to do with its key; exchange->claim is NULL for requests without one. */
struct claim {
    struct slice key;           /* as the client sent it */
    uint64_t mark;              /* of API and body */
    struct kept_key *mine;      /* while it is the one that made it; NULL: it is not */
    struct kept_answer *replay; /* held; NULL: it is not a repetition */
};

/* From the request's head. */
void idempotency_note(struct exchange *exchange);

/* The body is here; may run on another thread. */
void idempotency_mark(struct exchange *exchange);

/* Before anything is weighed. False: the request goes no further, it was told why, or gets a kept answer. */
bool idempotency_enter(struct exchange *exchange);

/* Its answer is to be kept for repetitions. */
bool idempotency_gathers(const struct exchange *exchange);

/* The flight is to gather its whole answer. */
void idempotency_watch(struct exchange *exchange, struct flight *flight);

/* The exchange has ended, its flight still joined. */
void idempotency_end(struct exchange *exchange);

/* For a backend that gets the client's request as it is: the same key, made the tenant's own, as our credential is
 * shared by all. */
struct slice idempotency_upstream(struct exchange *exchange, struct slice key);

#endif
