/* The call of a batch: sent for all its members, its answer dealt out, its cost split. batch.h tells the whole. */
#ifndef GATEWAY_BATCH_CALL_H
#define GATEWAY_BATCH_CALL_H

#include "gateway/attempt/batch.h"

struct batch_member {
    struct exchange *exchange; /* held */
    struct flight *flight;     /* held; that the exchange reads */
    bool left;                 /* its client is gone */
};

struct batch {
    struct cursor cursor; /* over the call */
    struct gateway_worker *worker;
    struct batch_queue *queue; /* told when the call is over */
    struct batch_member *members;
    size_t count, inputs;
    usec held_us;  /* for this call, on average */
    size_t wanted; /* members whose clients are there */
    bool crowded;  /* another call was under way when this one was sent */
    bool over;     /* the call is; what it brought is being dealt out */
    struct job job;
    struct buffer whole; /* the call's answer, while it is dealt out */
    /* Of each member: */
    struct embedding_share *shares;
    int64_t *weights; /* by which the cost is split */
    struct buffer *answers;
    enum status dealt; /* OK: these are good */
};

/* Sends the call for these exchanges, whose tickets are filled in, in this order; takes over the holds on them. */
struct batch *batch_send(struct batch_queue *queue, struct exchange **exchanges, size_t count, const char *secret,
                         bool crowded);

/* batch_over: the call is over; nothing of it has been given to anybody. In batch.c. */
void batch_over(struct batch *batch);

/* Whether a header of one member goes with the call of all. */
bool batch_shares_header(struct slice name);

/* The member wants no more. True: others do. */
bool batch_call_leave(struct batch *batch, const struct exchange *exchange);

#endif
