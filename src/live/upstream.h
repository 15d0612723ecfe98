/* A connection to a backend, and the call that it serves.
 *
 * Invariant: call != NULL in every phase but UPSTREAM_IDLE; then it is on pool->idle and all that was written is sent. */
#ifndef LIVE_UPSTREAM_H
#define LIVE_UPSTREAM_H

#include "live/pool.h"
#include "live/reader.h"
#include "live/stream.h"

enum upstream_phase {
    UPSTREAM_REFUSED,
    UPSTREAM_RESOLVING,
    UPSTREAM_CONNECTING,
    UPSTREAM_ASKING,
    UPSTREAM_ANSWERING,
    UPSTREAM_IDLE
};

enum { UPSTREAM_UNSENT_MOST_BYTES = 256 * 1024, UPSTREAM_UNSENT_LOW_BYTES = 64 * 1024, UPSTREAM_WORDS_SIZE = 512 };

struct upstream {
    struct stream stream;
    struct reader reader;
    struct live_world *world;
    struct pool *pool;
    struct list node;  /* of world->upstreams */
    struct list place; /* on pool->idle or pool->waiting */
    struct timer timer;
    enum upstream_phase phase;
    struct call *call;
    const struct endpoint *endpoint; /* the call's; not to be used without one */
    size_t address_at;               /* which of the pool's addresses */
    usec idle_since_us;
    uint64_t sent_before; /* stream.sent when the call began */
    bool counted;         /* in pool->connections */
    bool paused;
    bool starved;         /* call_write took less than offered */
    bool chunked;         /* the request's body is streamed in chunks */
    bool request_whole;   /* all of it is written */
    int64_t request_left; /* of a streamed body with a length; -1: not known */
};

/* upstream.c: the connection's life. */
struct upstream *upstream_new(struct live_world *world, struct pool *pool, struct call *call,
                              const struct endpoint *endpoint);
void upstream_begin(struct upstream *upstream);   /* resolves, then connects */
void upstream_connect(struct upstream *upstream); /* resolved: connects, or tries the next address */
void upstream_reuse(struct upstream *upstream, struct call *call, const struct endpoint *endpoint);
bool upstream_is_alive(struct upstream *upstream); /* an idle one: as far as one can see */
void upstream_retire(struct upstream *upstream);   /* to the pool, or closed */
void upstream_close(struct upstream *upstream);
void upstream_rearm(struct upstream *upstream);

/* client.c: the call. */
void upstream_fail(struct upstream *upstream, enum call_failure failure, const char *text);
void upstream_take(struct upstream *upstream, struct slice bytes);
void upstream_ended(struct upstream *upstream);
extern const struct reader_events upstream_reader_events;

#endif
