/* Which of a backend's open places a request goes to. A policy only orders what is open: health, rests and tried places
 * are decided before it (gateway/attempt/reach.c), and a retry asks it again for what is left.
 *
 * All but round_robin see what is there of ours from the moment it is sent, and what others have there as the engine tells
 * (told.h): another gateway, or who asks it directly.
 *
 * round_robin        in turn
 * least_in_flight    where the fewest requests are; by lot among equals
 * p2c                two drawn by lot, the one with fewer requests (Mitzenmacher, The power of two choices, 2001)
 * lmetric            least (tokens to be computed x requests there) with what each engine knows of the prompt taken off
 *                    (Zhang et al., LMetric, 2026)
 * chwbl              by the prompt's beginning on a ring of hashes, past places with more than 1.25 times their share
 *                    (Mirrokni, Thorup, Zadimoghaddam, Consistent hashing with bounded loads, 2018)
 * affinity           least cost in time, of this request and of those it holds up (policy_affinity.c) */
#ifndef FLEET_POLICY_H
#define FLEET_POLICY_H

#include "fleet/dispatch/prefix_index.h"
#include "fleet/health/health.h"

/* Of a larger backend only so many are looked at, another stretch each time. */
enum { POLICY_SEATS_MOST = PREFIX_PLACES_MOST };

/* What is asked. */
struct policy_ask {
    const struct seat *seats;
    const unsigned *open;             /* which of them may be asked, rising; at least one */
    unsigned open_count;              /* at most POLICY_SEATS_MOST */
    uint64_t lot;                     /* the request's own, even over all numbers */
    const struct prefix_chain *chain; /* of its prompt; NULL: not known */
    uint64_t model;                   /* as the index wants it */
    struct prefix_index *index;       /* NULL: nothing is known of what engines keep */
    struct replica_wish wish;         /* matched_tokens are not looked at */
    struct pool *pool;
    struct shared_fit *fit; /* what was learned of such engines; NULL: each place is as its own model says */
    usec now_us;
    bool line_is_in_front; /* who comes next waits before the engines, not at one of them (admission.h) */
};

struct policy_choice {
    unsigned seat;
    unsigned second; /* the next best; = seat: there is none */
    double cost_us;  /* of the seat, and of the second; below 0: this policy knows no cost */
    double second_cost_us;
    unsigned matched_blocks; /* of the chain, that the seat's engine is expected to know */
    int64_t matched_tokens;  /* likewise, of the prompt */
};

struct policy_ops {
    const char *name;
    bool reads_prompt; /* wants ask.chain */
    void (*choose)(const struct policy_ask *ask, struct policy_choice *out);
};

/* Never NULL; POLICY_USUAL has none of its own (config.h resolves it). */
const struct policy_ops *policy_of(enum policy_id id);

/* For policies. How many requests are there, ours and others', to the nearest whole one: what fades makes no difference
 * between places before it is half a request. */
int64_t policy_requests(const struct policy_ask *ask, unsigned seat);

/* For policies. How many blocks of the prompt each open place is expected to keep, in the order of ask->open. */
void policy_match(const struct policy_ask *ask, unsigned *blocks);

/* What the chosen place is expected to keep of the prompt, where that had no say in the choice: it is held against what the
 * engine finds, and what was known before is not taken back when the request fails. */
void policy_match_chosen(const struct policy_ask *ask, struct policy_choice *choice);

/* For policies. How high a place stands with this key: the highest is the key's own. */
uint64_t policy_rendezvous(const struct policy_ask *ask, unsigned seat, uint64_t key);

extern const struct policy_ops policy_round_robin, policy_least_in_flight, policy_p2c, policy_lmetric, policy_chwbl,
    policy_affinity;

#endif
