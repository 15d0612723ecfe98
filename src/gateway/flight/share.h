/* Shared flights (single flight): equal requests that come while the first of them is under way share its call. Who makes
 * the call leads; the others follow, on whatever worker they are. The leader's exchange goes on as if it were alone: its
 * attempts, within its one budget, are for all. Followers read mirrors of its flight (mirror.h) and make no attempts.
 *
 * What the call came to is split evenly among those who were there when it ended, to the pico-dollar and the token; who
 * left before pays nothing. So the row of a member is written when the flight has ended, not before: an exchange whose client
 * left waits for it, and the leader's goes on without a client as long as others read. When all have left, the call is
 * closed at once and the last who left pays.
 *
 * In the shadow nobody follows: a share then only tells that an equal request was under way. */
#ifndef GATEWAY_SHARE_H
#define GATEWAY_SHARE_H

#include <stdatomic.h>

#include "base/hash.h"
#include "base/lock.h"
#include "gateway/exchange.h"

/* What a shared flight came to. */
struct share_bill {
    usd cost; /* of the attempt that answered; what failed before it is the leader's */
    struct usage usage;
    struct cost kinds;
    struct usage
        stands_for;        /* of the whole answer: more than `usage` where the call was for a part of it (elements.h) */
    bool of_part;          /* then it was */
    const char *unpriced;  /* why the cost is unknown; NULL: it is not */
    unsigned parts, taken; /* into how many it is split; how many have taken theirs */
    uint64_t payer;        /* the one who pays, where nobody was left; 0: those who were there */
    size_t target;         /* that served, as share_target counts */
    enum lever_id lever;   /* that chose it */
    struct plan_cache cache; /* what was done there for its prompt cache */
    bool spares_others; /* it was cut: who wanted it in another form got nothing, pays nothing, and goes on alone */
    bool refused;       /* no answer came; then all are told so: */
    enum ending ending;
    enum error_kind kind;
    char why[512];
    usec retry_after_us;
    struct refusal said;
};

/* Owned by its holders: the leader, the mirrors and the followers, on any worker. */
struct share {
    struct list link; /* in its bucket until it is billed */
    struct shares *all;
    atomic_uint holders;
    struct digest key;
    const struct snapshot *snapshot; /* equal requests under another configuration do not share; held by the leader, so
                                        only to be compared, and only while it is open */
    unsigned part;                   /* the slice of the route that it is in: what one has earned serves no other */
    size_t answer_most;              /* limits: answer */
    bool streams;                    /* what its call brings; followers may want it otherwise (share_form.h) */
    bool shadow;
    usec since_us; /* when the first one came to it */
    struct gateway *gateway;
    unsigned owner; /* the leader's worker */
    /* Under the lock of `all`: */
    bool open;         /* may be joined */
    bool listed;       /* in its bucket */
    unsigned attached; /* members who want the answer */
    unsigned others;   /* of them, those who want it in another form than it comes */
    unsigned paying;   /* and who had enough of it: they want no more and pay all the same */
    unsigned mirror_count;
    uint64_t last_left; /* the request that left last */
    bool billed;
    struct share_bill bill; /* does not change any more once `billed`, but for `taken` */
    /* The owner's alone: */
    struct exchange *leader; /* until it has settled */
    struct cursor keeper;    /* keeps the start of the flight for those whose mirrors are on their way */
    bool answered;           /* the flight whose answer goes to the client has begun to bring it */
    struct list mirrors;     /* that have arrived */
    unsigned arrived_count;
    struct timer stall; /* the leader may be who holds up the others */
    struct message all_left;
};

/* Those that are open, of all workers. */
struct shares *shares_new(void) __attribute__((returns_nonnull));
void shares_free(struct shares *all); /* none is open any more */

void share_release(struct share *share);

/* Sets exchange->request.under_way: the flight of equal requests that this one could be another member of. */
void share_look(struct exchange *exchange);

/* The plan is about to serve. SHARE_ENTERED: go on (sharing, or by itself where it shares nothing). SHARE_MISSED: what the
 * balance saw is so no longer: weigh again. */
enum share_entry { SHARE_ENTERED, SHARE_MISSED };
enum share_entry share_enter(struct exchange *exchange, struct plan *plan);

/* A follower's cursor gets its flight. */
void share_read(struct exchange *exchange, void (*wake)(struct cursor *));

/* The leader's flight is the one whose answer goes to the client: from now on, to all. */
void share_first_byte(struct exchange *exchange);

/* A leader's attempt failed and another follows: what it cost is the leader's alone. */
void share_keep_attempt(struct exchange *exchange);

/* The exchange wants no more of it. True: it has to wait for the bill, or, leading, to go on for others, without a client.
 * `pays`: it had as much as it could pay for. */
bool share_leave(struct exchange *exchange, bool pays);

/* A follower that joined a moment ago cannot be served after all: it was never there. False: too late, it has a part to
 * pay, and gets what it pays for. */
bool share_withdraw(struct exchange *exchange);

/* Takes the exchange's part of the bill, if it shares: its cost, usage and kinds are then its part. Once. */
void share_take_part(struct exchange *exchange);

/* The leader's last attempt is over, or nobody wants it any more: it is booked, the bill is made out, all hear of it, and
 * the leader's part is taken and posted to its budgets. Nothing if that was done, or nothing is shared. */
void share_end(struct exchange *exchange);

/* Whether it follows, to its end, a call for what of its answer was not known before. */
bool share_is_of_part(const struct exchange *exchange);

/* Whether it is not known yet what it has to pay. */
bool share_unbilled(const struct exchange *exchange);

bool share_is_open(struct share *share);
void share_shut(struct share *share); /* nobody can join any more; on any worker */

/* Whether it leads a flight that others read, or may come to. */
bool share_leads(const struct exchange *exchange);

#endif
