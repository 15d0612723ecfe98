/* Who waits for a place, and who is next: classes by priority, the most urgent first; within a class weighted fair shares
 * by tenant; within a tenant the earliest deadline first.
 *
 * Fair means by work, in engines' time, as the tokens of a prompt and of an answer take very different times of it: of two tenants
 * of one weight that both have somebody waiting, each gets half of what is served, however many requests it sends.
 * Start-time fair queueing (Goyal, Vin, Cheng, 1996): a tenant's next request starts, in virtual time, where its last one
 * ended, or at the present if it was away; the lowest start is served. So who was away saves nothing up, and who came back
 * does not wait for what others had meanwhile. (Sheng et al., Fairness in Serving Large Language Models, 2024, do the same
 * inside of an engine, with tokens as they come.)
 *
 * A fair order alone is not enough before engines that work at many requests at a time: who came first has filled them, and
 * the next one waits, there or here, and is slower beside so many. So it is also known what each tenant has there, and what it needed
 * of late.
 *
 * For one thread at a time: the owner locks. */
#ifndef FLEET_FAIR_QUEUE_H
#define FLEET_FAIR_QUEUE_H

#include "base/heap.h"
#include "base/list.h"
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
    int64_t work_us;          /* of engines' time that serving it takes, at least 1 */
    int64_t tokens;           /* that it has in flight then, at least 1 */
    struct fair_share *there; /* served, and not over; NULL: not */
    int64_t filling;          /* then, tokens of its prompt, as its owner counts them, until it is read */
};

/* The tenants of one class. */
struct fair_class {
    struct map shares;   /* name -> struct fair_share, for good: as many as the configurations had tenants */
    struct list present; /* those of them that needed something of late */
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

/* deadline_us, work_us and tokens are set. */
void fair_queue_add(struct fair_queue *queue, struct fair_waiter *waiter, const struct fair_place *place, usec now_us);

/* The next of that class, which stays where it is; NULL: nobody waits. */
struct fair_waiter *fair_queue_next(const struct fair_queue *queue, unsigned class);

/* Who may start now. */
struct fair_filter {
    bool (*may)(const void *context, const struct fair_waiter *waiter);
    const void *context;
    /* Of the tenants alone that have less there than some other, by weight, of what they have most of: of this room for tokens,
     * or of this one for prompts (A. Ghodsi et al., Dominant resource fairness, 2011). 0: of all. */
    double room, filling_room;
};

/* The first in order of those that may; of one tenant only so many are looked at. NULL: nobody may. */
enum { FAIR_LOOKS_MOST = 64 };
struct fair_waiter *fair_queue_next_that(const struct fair_queue *queue, unsigned class,
                                         const struct fair_filter *filter);

/* It is served: its tenant has had its work, and has its tokens there until fair_queue_over, and so many of its prompt until
 * fair_queue_filled. */
void fair_queue_serve(struct fair_queue *queue, struct fair_waiter *waiter, int64_t filling);
void fair_queue_filled(struct fair_waiter *waiter); /* fine if it was so before */

/* One that was served is over. Fine if it was so before, or was never served. */
void fair_queue_over(struct fair_queue *queue, struct fair_waiter *waiter, usec now_us);

/* It leaves unserved; fine if it does not wait. */
void fair_queue_leave(struct fair_queue *queue, struct fair_waiter *waiter);

/* What others of its class have a claim to, against one tenant. */
struct fair_claims {
    bool shared;     /* there are others */
    double there;    /* tokens that the tenant has in flight */
    double share;    /* of the room that it is entitled to, by weight among all that needed any of late */
    double reserved; /* that others needed of late, and one request more, have not in flight now, and are entitled to */
};

/* `room`: for tokens of this class. `each`: of a request. What was needed fades by half in FAIR_HALF_LIFE_US; less than half of
 * a request is nothing. */
#define FAIR_HALF_LIFE_US (10 * USEC_PER_S)
struct fair_claims fair_queue_claims(struct fair_queue *queue, const struct fair_place *place, double room, double each,
                                     usec now_us);

/* The tokens that will be served before a request of so much work that came now: all of more urgent classes, of its own tenant
 * what has a deadline no later, of each other tenant of its class what its share is worth meanwhile, at most what waits. */
int64_t fair_queue_ahead(const struct fair_queue *queue, const struct fair_place *place, usec deadline_us,
                         int64_t work_us);

/* How many wait, and how many tokens they want, in all classes. */
size_t fair_queue_count(const struct fair_queue *queue);
int64_t fair_queue_tokens(const struct fair_queue *queue);

#endif
