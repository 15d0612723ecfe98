/* Answers kept under clients' idempotency keys (draft-ietf-httpapi-idempotency-key-header), shared by all workers under
 * one lock. A key is taken by the first request that shows it; while that is under way, others with the same key are
 * told so; when it ends well its whole answer is kept for a while, for whoever shows the key again with the same
 * request; when it fails the key is free again. Bounded: an answer by what its gatherer allows, all together by the
 * `most` that each of them is kept with; the oldest go first. */
#ifndef GATEWAY_KEPT_H
#define GATEWAY_KEPT_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/chunk.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/timers.h"
#include "world.h"

struct kept_chunk {
    struct chunk *bytes;                     /* held */
    bool usage_only, last_event, open_event; /* as in a flight */
};

/* A whole answer: gathered by its flight on one worker, then immutable and counted by its holders, any thread. */
struct kept_answer {
    atomic_uint holders;
    struct arena arena; /* head and headers */
    uint64_t id;        /* of the request that it was made for */
    const char *target; /* and of the model that made it */
    unsigned status;
    bool is_stream;
    int64_t body_len; /* as the head said; -1: it did not */
    const struct http_header *headers;
    size_t header_count;
    struct kept_chunk *chunks;
    size_t count, size, len; /* chunks, room for chunks, bytes */
    size_t most;             /* bytes; a longer answer is not kept */
    bool too_long;
    bool complete; /* a stream that is known to be whole, though it need not have said so */
};

struct kept_answer *kept_new(size_t most);
void kept_add(struct kept_answer *answer, struct kept_chunk chunk); /* takes its own hold */
struct kept_answer *kept_hold(struct kept_answer *answer);          /* once it is gathered */
void kept_release(struct kept_answer *answer);                      /* NULL is fine */

/* The store */

enum { KEPT_BUCKETS = 4096 };

struct kept_key;

struct kept_answers {
    struct lock lock;
    struct list buckets[KEPT_BUCKETS];
    struct list kept; /* keys with an answer, the oldest first */
    size_t len;       /* what those take, in bytes */
};

void kept_init(struct kept_answers *all);
void kept_free(struct kept_answers *all); /* no key may be under way */

enum kept_state {
    KEPT_NONE,  /* the key was free: it is the caller's now, until kept_end */
    KEPT_BUSY,  /* another request with it is under way */
    KEPT_OTHER, /* it was used for another request */
    KEPT_HERE   /* *answer is held for the caller */
};

/* `mark` stands for the request: equal requests have equal marks. */
enum kept_state kept_take(struct kept_answers *all, struct slice name, uint64_t mark, usec now_us,
                          struct kept_key **mine, struct kept_answer **answer);

/* The end of a key's request. `answer`, whose hold passes to the store, is kept for keep_us; NULL: it failed. All kept
 * answers together take at most `most` bytes. */
void kept_end(struct kept_answers *all, struct kept_key *mine, struct kept_answer *answer, usec now_us, usec keep_us,
              size_t most);

#endif
