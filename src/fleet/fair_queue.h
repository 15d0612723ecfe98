/* Who waits for a place, and who is next: classes by priority, the most urgent first; within a class weighted fair shares
 * by tenant; within a tenant the earliest deadline first.
 *
 * Fair means by work, in tokens: of two tenants of one weight that both have somebody waiting, each gets half of what is
 * served, however many requests it sends. Start-time fair queueing (Goyal, Vin, Cheng, 1996): a tenant's next request
 * starts, in virtual time, where its last one ended, or at the present if it was away; the lowest start is served. So
 * who was away saves nothing up, and who came back does not wait for what others had meanwhile.
 *
 * For one thread at a time: the owner locks. */
#ifndef FLEET_FAIR_QUEUE_H
#define FLEET_FAIR_QUEUE_H

#include "base/heap.h"
#include "base/map.h"
#include "base/timers.h"

enum { FAIR_CLASSES_MOST = 8 };

struct fair_share;

/* One who waits. Embedded in its owner's struct; zeroed before its first use. */
struct fair_waiter {
    struct heap_node node;    /* among its tenant's */
    struct fair_share *share; /* NULL: it does not wait */
    usec deadline_us;         /* by which it should be served; USEC_NEVER: none */
    uint64_t order;           /* equal deadlines: first come, first served */
    int64_t tokens;           /* what serving it takes, at least 1 */
};

/* The tenants of one class. */
struct fair_class {
    struct map shares;   /* name -> struct fair_share, for good: as many as the configurations had tenants */
    struct heap waiting; /* the shares that have somebody waiting, by virtual start */
    double now;          /* virtual time: the start of what was served last */
    int64_t tokens;      /* of all that wait */
    size_t count;
};

struct fair_queue {
    struct fair_class classes[FAIR_CLASSES_MOST]; /* 0 is the most urgent */
    uint64_t orders;
};

void fair_queue_init(struct fair_queue *queue);
void fair_queue_free(struct fair_queue *queue); /* nobody waits any more */

/* Whose a request is. */
struct fair_place {
    unsigned class;      /* below FAIR_CLASSES_MOST */
    struct slice tenant; /* its name */
    unsigned weight;     /* at least 1; a change counts from the tenant's next request on */
};

/* deadline_us and tokens are set. */
void fair_queue_add(struct fair_queue *queue, struct fair_waiter *waiter, const struct fair_place *place);

/* The next of that class, which stays where it is; NULL: nobody waits. */
struct fair_waiter *fair_queue_next(const struct fair_queue *queue, unsigned class);

/* It is served: its tenant has had its tokens. */
void fair_queue_serve(struct fair_queue *queue, struct fair_waiter *waiter);

/* It leaves unserved; fine if it does not wait. */
void fair_queue_leave(struct fair_queue *queue, struct fair_waiter *waiter);

/* The tokens that will be served before a request of so many that came now: all of more urgent classes, of its own tenant
 * what has a deadline no later, of each other tenant of its class what its share is worth meanwhile, at most what waits. */
int64_t fair_queue_ahead(const struct fair_queue *queue, const struct fair_place *place, usec deadline_us,
                         int64_t tokens);

/* How many wait, and how many tokens they want, in all classes. */
size_t fair_queue_count(const struct fair_queue *queue);
int64_t fair_queue_tokens(const struct fair_queue *queue);

#endif
