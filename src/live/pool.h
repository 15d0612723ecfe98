/* What a worker keeps of one endpoint: idle connections, addresses, a TLS session to resume.
 *
 * Invariant: `connections` counts the upstreams of this pool that have or want a socket; those on `idle` have no call;
 * those on `waiting` have one and wait for the lookup under way (`looking_up`). */
#ifndef LIVE_POOL_H
#define LIVE_POOL_H

#include "live/loop.h"
#include "live/resolve.h"
#include "live/tls.h"

#define POOL_FRESH_US (30 * USEC_PER_S)  /* addresses are used without asking again */
#define POOL_STALE_US (600 * USEC_PER_S) /* they are used while asking again */
#define POOL_IDLE_US (60 * USEC_PER_S)   /* a connection is kept without use */
#define POOL_DOUBT_US (1 * USEC_PER_S)   /* idle for longer, it is looked at before use */

enum { POOL_WORDS_SIZE = 256 };

struct pool {
    struct tls_session_keeper keeper;
    struct live_world *world;
    unsigned id;
    usec used_us;     /* when a call last asked for it */
    struct list idle; /* the most recently used last */
    struct list waiting;
    unsigned connections;

    struct resolved resolved;
    usec resolved_us; /* when; 0: never */
    bool numeric;     /* the addresses never change */
    bool looking_up;
    char why[POOL_WORDS_SIZE]; /* the last lookup failed; empty: it did not */
    SSL_CTX *tls;              /* once a lookup has prepared it; NULL for plain HTTP */
    SSL_SESSION *session;      /* to resume; NULL: none */
};

/* The pool of that endpoint, made on first use. Endpoints come and go with configurations: whenever a pool is made, those
 * that nobody has asked for since POOL_STALE_US, and that hold nothing any more, are let go. */
struct pool *pool_get(struct live_world *world, const struct endpoint *endpoint);

/* True if connections can be opened at once; refreshes in the background what is stale. False: a lookup is under way, put
 * the upstream on `waiting`; pool_looked_up follows. */
bool pool_ready(struct pool *pool, const struct endpoint *endpoint);

/* The lookup is over; in client.c. */
void pool_looked_up(struct pool *pool);

/* A client's end of TLS for a new connection. */
SSL *pool_tls(struct pool *pool, const struct endpoint *endpoint);

void pools_free(struct live_world *world);

#endif
