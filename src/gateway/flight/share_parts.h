/* What the rooms of shared flights know of each other: share.c (who comes and who leaves), share_owner.c (what the leader's
 * worker sends to the others'), share_bill.c (who pays what). */
#ifndef GATEWAY_SHARE_PARTS_H
#define GATEWAY_SHARE_PARTS_H

#include "gateway/flight/share.h"

enum { SHARE_BUCKETS = 1024 };

/* Those that are open; the lock is also for what of each share several workers write. */
struct shares {
    struct lock lock;
    struct list buckets[SHARE_BUCKETS]; /* by key */
};

struct share *share_hold(struct share *share);

/* As share_shut, where the lock is held. */
void share_shut_locked(struct share *share);

/* It is under way no more. */
void share_unlist(struct share *share);

/* The start of the flight is kept until nobody can come who needs it. On the owner's worker. */
void share_let_start_go(struct share *share);

/* All mirrors that have arrived get what has come. On the owner's worker. */
void share_tell_mirrors(struct share *share);

/* The stall limit is over: who holds up the others may be the leader's client. */
void share_on_stall(struct timer *timer);

/* Whether the exchange wants its answer in another form than the call of its share brings. */
bool share_is_other(const struct exchange *exchange);

/* A follower that has answered nothing yet is not served by what it follows: it is weighed again, for a call of its own. */
void share_go_alone(struct exchange *exchange, const char *why);

/* On the owner's worker: the last member was a follower, who has left. */
void share_all_have_left(struct message *message, struct world *to);

#endif
