/* Batches of requests: embeddings of several clients for one model go out in one call, and its answer is dealt out again
 * (lever batching). Each request stays its own exchange, with its reservation, its attempts and its row; only its flight
 * is one that makes no call, but is fed with what the batch's call brings for it. So all that follows a flight (metering,
 * other attempts, caches, followers) is as if it had been asked alone.
 *
 * Who goes together: on one worker, what would be the same call but for `input` (every other byte of the body, and every
 * header that may mean something), of one tenant, or of all where the configuration says so. Who waits, waits in a queue.
 * It goes at once when no call of the queue is under way; else when a batch is as large as may be, when waiting for one
 * more does not pay (fleet/engine/batch_time.h), when a limit comes near, or when the last call is over.
 *
 * A batch that brings an error, or an answer that cannot be dealt out, says nothing of any one of its requests: all are
 * asked for again, in groups of about the square root of their number, and what such a group shared, alone. That counts
 * among a request's attempts in its row, but does not use up the route's; only a 429 is passed on as it is, in words of
 * ours: what a backend says of a batch may repeat what is another's.
 *
 * In the shadow nobody waits. It is noted who would have: who comes while such a request is under way.
 *
 * What the call cost is split by tokens, exactly. A client that leaves before its batch goes leaves no trace of it; one that
 * leaves later waits, as an exchange, for what it has to pay, unless all have left: then the call is closed. */
#ifndef GATEWAY_BATCH_H
#define GATEWAY_BATCH_H

#include "dialect/embedding_batch.h"
#include "gateway/exchange.h"

/* An exchange's, in its arena, for all its attempts. */
struct batch_ticket {
    struct batch_queue *queue; /* it waits there */
    struct batch *batch;       /* it is one of its members, and the call is under way */
    struct slice body;         /* as it would be sent alone */
    struct embedding_inputs inputs;
    size_t bytes;               /* of the inputs */
    usec since_us;              /* when it came to the queue */
    unsigned spoiled;           /* calls that it shared, and that brought nothing */
    size_t group;               /* how many requests may share the next, once one was spoiled */
    struct batch_queue *shadow; /* it only notes with whom it would have gone */
};

/* An attempt is about to be made (in the shadow: it is noted). True: it waits, and goes with others, or alone, when the time has come. */
bool batch_takes(struct exchange *exchange, const char *secret);

/* The exchange ends: it waits no more. */
void batch_forget(struct exchange *exchange);

/* It is settled: whoever would have waited for it in the shadow would go now. */
void batch_end(struct exchange *exchange);

/* Its client left. True: its call is under way for others too, and it has to wait for its end, without a client. */
bool batch_leave(struct exchange *exchange);

/* What its flight brought was not for this request alone, and does not answer it: it is to be asked again. */
bool batch_spoilt(const struct exchange *exchange);

/* The part of its present flight, if that was a call for several; NULL: it was not. */
const struct batch_part *batch_part_of(const struct exchange *exchange);

/* The worker ends; nobody waits any more. */
void batch_queues_free(struct gateway_worker *worker);

#endif
