/* A mission: an exchange of our own, without a client. It sends a body that we have to one target, once, and hands its
 * answer to whoever sent it; nothing of it goes to a client. It takes the same way as any request, so that it is reserved
 * from the same budgets, admitted, metered and journaled, and leaves a row of its own, which names the request that it is
 * about. It is no request of a client's: limits on requests do not count it, it never waits (where a client would have to,
 * it is dropped), and it is not tried again. */
#ifndef GATEWAY_MISSION_H
#define GATEWAY_MISSION_H

#include "gateway/exchange.h"

/* Under way on a worker at most; beyond it none is sent. */
enum { MISSIONS_AT_ONCE_MOST = 64 };

/* Why it was dropped. */
#define MISSION_NO_PLACE "dropped: its backend has no place for it now"

struct mission {
    enum source source;   /* SOURCE_AUDIT, SOURCE_JUDGE, SOURCE_VERIFIER, SOURCE_SAMPLE */
    bool as_asked;        /* with all headers of the client's request, and its answer is wanted whole, as a text */
    bool is_scored;       /* its answer gets an acceptance score, as a cascade's would (acceptance.h) */
    const char *unwanted; /* it was stopped before it was sent, for this reason; NULL: it was not */
    const struct target *target;
    /* Its exchange has ended and its row is written; what its flight gathered can be held. Once; the mission is the
     * caller's again. */
    void (*done)(struct mission *, struct exchange *);
    char about[16];            /* the id of the request that it is about */
    struct exchange *exchange; /* NULL before it is prepared, and after `done` */
};

/* Whether the worker may have another. */
bool mission_may_start(const struct gateway_worker *worker);

/* Makes its exchange: on behalf of whoever sent the request `about`, by the configuration that goes by, with its headers
 * (copied: they live no longer than its client) and this body. */
void mission_prepare(struct mission *mission, const struct exchange *about, enum api api, struct chunk *body);

/* Sends it. It may be done on return. */
void mission_go(struct mission *mission);

/* Nobody wants its answer any more: it is ended, and so is its call. It may be done on return. Fine if it is over; one that
 * is still to be sent ends when it is, and nobody is called. */
void mission_stop(struct mission *mission, const char *why);

/* The program stops: those under way end now, and no more begin, as they serve no client. On the worker. */
void missions_stop(struct gateway_worker *worker);

/* Steps of its exchange. */
void mission_weigh(struct exchange *exchange);       /* its body is read */
void mission_weigh_again(struct exchange *exchange); /* an attempt failed, or its backend has no place */
void mission_gather(struct exchange *exchange, struct flight *flight);
void mission_read(struct exchange *exchange); /* something of its answer is here */
void mission_end(struct exchange *exchange);  /* its row is written */

/* What became of it. */
enum mission_result {
    MISSION_ANSWERED, /* whole, and as it would have come to a client */
    MISSION_BAD,      /* a client would have got an error, or an answer that breaks off */
    MISSION_FAILED,   /* somebody else would have been asked in its place */
    MISSION_DROPPED   /* by us: no place, no budget, cut short by a budget */
};

enum mission_result mission_result(const struct exchange *exchange);

#endif
