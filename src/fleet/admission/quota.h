/* The rate limits of one account at a provider: requests and tokens a minute, as the configuration says them and as the
 * provider's answers tell what is left. Shared by all workers: who wants to send takes from it before, so that many who ask
 * at once do not take the same room twice.
 *
 * By the configuration, no 60 seconds see more than the limit: stricter than the windows and buckets of providers, so
 * that none of them has a reason to refuse. By what answers tell (x-ratelimit-*), what was left then, less what was
 * taken since that request was sent, plus what has grown back: a limit that is used up in part is taken to grow back
 * evenly until the reset that was told (RFC draft httpapi-ratelimit-headers leaves it open; OpenAI's and Anthropic's are
 * token buckets). */
#ifndef FLEET_QUOTA_H
#define FLEET_QUOTA_H

#include <stdatomic.h>

#include "base/lock.h"
#include "dialect/limits_left.h"

#define QUOTA_WINDOW_US (60 * USEC_PER_S)

enum { QUOTA_SLOTS = 61 }; /* of a second: the window, and the one that is going on */

/* Of each unit. */
struct quota_need {
    int64_t of[LIMIT_UNITS];
};

struct quota {
    struct lock lock;            /* of all but `bound` */
    atomic_bool bound;           /* some limit is known: else nothing needs to be reckoned */
    int64_t limits[LIMIT_UNITS]; /* a minute; 0: the configuration has none */
    int64_t used[LIMIT_UNITS][QUOTA_SLOTS];
    int64_t second;             /* up to which the slots are right */
    int64_t taken[LIMIT_UNITS]; /* ever */
    struct limit_left told[LIMIT_UNITS];
    usec told_us[LIMIT_UNITS];       /* when that was; 0: never */
    int64_t taken_then[LIMIT_UNITS]; /* when the request was sent whose answer told it, that request included */
};

/* What one request took. Zeroed: nothing. */
struct quota_ticket {
    struct quota *quota;
    struct quota_need need;
    int64_t second;
    int64_t taken_then[LIMIT_UNITS];
};

void quota_init(struct quota *quota);
void quota_free(struct quota *quota);

/* A minute's limits by the configuration, 0: none. What was used stays used. */
void quota_limit(struct quota *quota, const int64_t limits[LIMIT_UNITS]);

/* When there is room for it: 0, now. A need above a limit has room when nothing else is there. */
usec quota_open_us(struct quota *quota, const struct quota_need *need, usec now_us);

/* Takes it if there is room now. */
bool quota_take(struct quota *quota, const struct quota_need *need, usec now_us, struct quota_ticket *ticket);

/* It was not sent: all of it is free again. Does nothing with an empty ticket. */
void quota_refund(struct quota_ticket *ticket, usec now_us);

/* It goes with another request, as one: only its tokens stay taken. Likewise. */
void quota_forgo_request(struct quota_ticket *ticket, usec now_us);

/* It is over, and this is what it used; below 0: not known, what was taken stays. Likewise. */
void quota_settle(struct quota_ticket *ticket, int64_t tokens, usec now_us);

/* What the answer's head told, before it is settled. */
void quota_learn(struct quota_ticket *ticket, const struct limits_left *left, usec now_us);

/* What is left now: INT64_MAX, no limit is known. */
int64_t quota_left(struct quota *quota, enum limit_unit unit, usec now_us);

#endif
