/* A mirror: a flight without a call, on the worker of followers, fed with what a shared flight brings on the leader's. One
 * for each share and worker. A single message goes to and fro between the two: from the leader's worker with whatever has
 * come meanwhile, back when it was taken in; so there is one post per worker and flight at a time, and who does not take
 * in slows nobody but, beyond the bound on what is kept, the flight.
 *
 * Followers do not slow the flight up to `limits: answer` of what a mirror keeps. Beyond it the slowest does, until
 * `limits: stall` is over: then that client is cut off. */
#ifndef GATEWAY_MIRROR_H
#define GATEWAY_MIRROR_H

#include "gateway/flight/share.h"

struct mirror {
    struct message message;
    struct share *share; /* held */
    /* The reader's: */
    struct gateway_worker *reader;
    struct list link;      /* reader->mirrors, until the end has come */
    struct flight *flight; /* held */
    struct list members;   /* exchanges, each held, that have not had the bill */
    struct cursor keeper;  /* keeps the start as long as others may come who need it */
    bool full;             /* the message stays until there is room */
    struct timer stall;
    /* The owner's: */
    struct list place;    /* share->mirrors */
    struct cursor cursor; /* over the leader's flight */
    bool home;            /* the message is here */
    bool head_sent, end_sent;
    /* What the message brings; the owner fills it, the reader takes it. */
    struct kept_answer *batch; /* NULL: nothing new */
    bool with_head;
    bool last; /* the flight is over, the bill is made out: */
    enum flight_state state;
    enum call_failure failure;
    char *why;        /* malloced; NULL: nothing failed */
    bool said_failed; /* the answer itself said so */
};

/* On the reader's worker: the mirror of a share; NULL: there is none that still brings something. */
struct mirror *mirror_find(const struct gateway_worker *worker, const struct share *share);

/* A new one, on its way to the owner. Takes over a hold on the share. */
struct mirror *mirror_new(struct gateway_worker *worker, struct share *share, enum api api);

/* A follower reads from it, and waits for the bill. */
void mirror_add(struct mirror *mirror, struct exchange *exchange);

/* On the owner's worker: sends what has come since the last time, if the message is here. */
void mirror_send(struct mirror *mirror);

/* The leader's flight is there: what it brings from now on is sent as it comes. */
void mirror_follow(struct mirror *mirror, struct flight *flight);

/* mirror_home: the message came (for the first time, or back) to the owner. In share_owner.c. */
void share_mirror_home(struct mirror *mirror);

#endif
