/* Budgets: ceilings on dollars, tokens and requests for a scope and a window, shared by all workers.
 *
 * An account keeps the count of one budget, in one bucket for each window. A request claims the buckets of its arrival
 * and keeps to them all its life, so that the ledger's rows add up to the same. What it may come to cost is reserved
 * before anything is sent: all of its accounts are checked, then all are charged, under one lock. When an attempt has
 * ended, what it did cost is posted and the rest of its reservation is free again.
 *
 * One lock over everything; nothing is called while it is held.
 *
 * Invariant (budgets_check): in each bucket, `reserved` is the sum of what the claims on it hold, and so is `exposed`;
 * nothing is negative. */
#ifndef MONEY_BUDGET_H
#define MONEY_BUDGET_H

#include "base/arena.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/map.h"
#include "money/budget/budget_rule.h"
#include "money/usd.h"

struct budget_account;
struct budget_bucket;

/* An amount of each unit: pico-dollars, tokens, requests. */
struct budget_amounts {
    int64_t of[BUDGET_UNITS];
};

/* What is left to be told of an account: a copy, good for as long as the budgets are. */
struct budget_info {
    struct budget_rule rule; /* limit and texts as of the newest configuration */
    usec start_wall_us, end_wall_us;
    int64_t spent, reserved;
    int64_t
        exposed; /* what the requests under way may come to cost beyond what they reserved, as far as it is bounded */
    uint64_t unbounded; /* requests under way whose cost nothing bounds; all of them were admitted as `expected` */
    uint64_t refusals;  /* in this bucket */
};

enum budget_event_kind {
    BUDGET_SHARE_REACHED, /* what is spent reached a share of the limit; once for each share and bucket */
    BUDGET_REFUSED,       /* the first request that was refused in this bucket */
    BUDGET_OVERRUN        /* a request cost more than it had reserved, and the bucket is now above its limit */
};

struct budget_event {
    enum budget_event_kind kind;
    unsigned share_ppm;      /* BUDGET_SHARE_REACHED: which */
    struct budget_info info; /* as of the event */
};

enum { BUDGET_SHARES_MOST = 8, BUDGET_EVENTS_MOST = 256 };

struct budgets {
    struct lock lock;
    struct map by_identity; /* -> struct budget_account */
    struct budget_account **accounts;
    size_t count, size;
    struct list claims;
    struct arena texts;
    unsigned shares_ppm[BUDGET_SHARES_MOST]; /* rising */
    unsigned share_count;
    struct budget_event events[BUDGET_EVENTS_MOST]; /* a ring */
    size_t event_first, event_count;
    uint64_t events_lost; /* nobody took them in time */
};

/* One budget that a claim counts for. */
struct budget_line {
    struct budget_account *account;
    struct budget_bucket *bucket;
};

/* A request's hold on its accounts; embedded in the exchange. All zeros: no budget applies. */
struct budget_claim {
    struct list link; /* in budgets->claims while anything may be reserved */
    struct budget_line *lines;
    size_t count;
    struct budget_amounts reserved; /* now, in each bucket of the unit */
    struct budget_amounts exposed;  /* what may come on top */
    bool unbounded;                 /* or nothing says how much that is */
    bool request_spent;             /* further attempts count as the same request */
};

/* What stands in the way of a reservation: of the accounts that do not take it, the one whose window ends last, and how much
 * of each unit there was in all accounts together. */
struct budget_obstacle {
    struct budget_info info;
    size_t line;                /* of the claim */
    int64_t left;               /* that this account would still take; another one may have less, below 0: overspent */
    struct budget_amounts room; /* the least of any account; INT64_MAX: no budget of that unit */
};

void budgets_init(struct budgets *budgets);
void budgets_free(struct budgets *budgets);

/* The budgets of a new configuration. Accounts that stay keep their counts, whatever becomes of their limits; those that
 * go are no longer listed or enforced, and are remembered in case they come back. Any thread, also while claims live. */
void budgets_configure(struct budgets *budgets, const struct budget_rule *rules, size_t count);

/* At which shares of its limit an account raises an event; at most BUDGET_SHARES_MOST, rising. Default: 50 %, 80 %,
 * 100 %. */
void budgets_set_shares(struct budgets *budgets, const unsigned *shares_ppm, size_t count);

/* What the ledger says was spent in the bucket that holds `wall_us`: before serving begins, after a restart. Raises no
 * event for shares that were reached before. An account that is not configured is left alone. */
void budgets_restore(struct budgets *budgets, struct slice identity, usec wall_us, int64_t spent);

/* Whether requests are counted for it now. */
bool budgets_counts(struct budgets *budgets, struct slice identity);

/* Before budgets_configure with a rule that is not counted yet: what the ledger says was spent in its present bucket. */
void budgets_foresee(struct budgets *budgets, const struct budget_rule *rule, usec wall_us, int64_t spent);

/* Every configured account, as of the bucket of `wall_us`: start with *at = 0; false at the end. */
bool budgets_next(struct budgets *budgets, size_t *at, usec wall_us, struct budget_info *out);

/* Takes events, oldest first; returns how many. */
size_t budgets_take_events(struct budgets *budgets, struct budget_event *out, size_t most);

/* Begins a claim for a request that arrived at `wall_us`. `lines` has room for all the rules and stays until the claim
 * ended; rules whose account is gone count for nothing. False: no budget applies, nothing is to be ended. */
bool budgets_claim(struct budgets *budgets, struct budget_claim *claim, struct budget_line *lines, usec wall_us,
                   const struct budget_rules *rules, size_t rules_count);

/* Whether a claim counts for a budget of this unit. */
bool budget_claim_has(const struct budget_claim *claim, enum budget_unit unit);

/* Sets what the claim holds to `wanted`, in all accounts or in none. What it held before is free for it. `force`: without
 * looking at limits (--observe, and what is known to be used already). False: it does not fit, nothing changed, and
 * *refusal tells why; no refusal is counted. */
bool budgets_reserve(struct budgets *budgets, struct budget_claim *claim, const struct budget_amounts *wanted,
                     bool force, struct budget_obstacle *obstacle);

/* What may come on top of what is reserved; `unbounded`: nobody can say. Told in budget_info until the next post. */
void budgets_expose(struct budgets *budgets, struct budget_claim *claim, const struct budget_amounts *more,
                    bool unbounded);

/* The least room in any of the claim's accounts, what it holds itself included; INT64_MAX: no budget of that unit. */
void budgets_room(struct budgets *budgets, const struct budget_claim *claim, struct budget_amounts *out);

/* Counts a request as refused by the account that `refusal` names. */
void budgets_count_refusal(struct budgets *budgets, const struct budget_claim *claim,
                           const struct budget_obstacle *obstacle);

/* An attempt ended: `actual` is spent, all that was reserved is free. Returns true if it cost more than was reserved and
 * an account is above its limit now. */
bool budgets_post(struct budgets *budgets, struct budget_claim *claim, const struct budget_amounts *actual);

/* The same, but `kept` stays reserved: a part of what is, for an attempt that may follow, and that nobody else gets between
 * the two. What this attempt had reserved is the rest; true if that was too little and an account
 * is above its limit with both. */
bool budgets_post_keeping(struct budgets *budgets, struct budget_claim *claim, const struct budget_amounts *actual,
                          const struct budget_amounts *kept);

/* Ends the claim: what it still holds is free. Harmless if it never began or ended before. */
void budgets_release(struct budgets *budgets, struct budget_claim *claim);

/* The account of this unit with the least left, for the x-ratelimit headers. False: there is none. */
bool budgets_tightest(struct budgets *budgets, const struct budget_claim *claim, enum budget_unit unit,
                      struct budget_info *out);

/* Everything reserved, over all accounts and units: 0 at rest. */
int64_t budgets_reserved(struct budgets *budgets);

/* Stops the program if the invariant does not hold. */
void budgets_check(struct budgets *budgets);

/* What its exposure is, for a person: "reserved worst case; ...". */
const char *budget_exposure_words(const struct budget_info *info, char *out, size_t size);

#endif
