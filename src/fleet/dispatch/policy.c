/* The policies that take one look at each place. */
#include "fleet/dispatch/policy.h"

#include <float.h>
#include <math.h>

#include "base/rng.h"
#include "fleet/health/told.h"

/* chwbl: nobody gets more than this times the mean of what is under way, and one. */
static const double BOUND = 1.25;

/* chwbl: prompts that begin alike go to one place; so much of the beginning counts, in blocks of 256 bytes. */
enum { KEY_BLOCKS = 4 };

const struct policy_ops *
policy_of(enum policy_id id)
{
    static const struct policy_ops *const all[] = {
        [POLICY_ROUND_ROBIN] = &policy_round_robin,
        [POLICY_LEAST_IN_FLIGHT] = &policy_least_in_flight,
        [POLICY_P2C] = &policy_p2c,
        [POLICY_LMETRIC] = &policy_lmetric,
        [POLICY_CHWBL] = &policy_chwbl,
        [POLICY_AFFINITY] = &policy_affinity,
    };

    ENSURE((size_t)id < sizeof(all) / sizeof(all[0]) && all[id] != NULL);
    return all[id];
}

/* The i-th open place from where the turn, or a lot, stands: among equals it is not always the first. */
static unsigned
in_turn(const struct policy_ask *ask, uint64_t turn, unsigned i)
{
    return ask->open[(turn + i) % ask->open_count];
}

int64_t
policy_requests(const struct policy_ask *ask, unsigned seat)
{
    return llround(told_requests(ask->seats[seat].replica, ask->now_us));
}

static void
no_cost(struct policy_choice *out, unsigned seat)
{
    *out = (struct policy_choice){.seat = seat, .second = seat, .cost_us = -1, .second_cost_us = -1};
}

static void
choose_in_turn(const struct policy_ask *ask, struct policy_choice *out)
{
    no_cost(out, in_turn(ask, atomic_fetch_add_explicit(&ask->pool->turn, 1, memory_order_relaxed), 0));
}

const struct policy_ops policy_round_robin = {.name = "round_robin", .choose = choose_in_turn};

static void
choose_least(const struct policy_ask *ask, struct policy_choice *out)
{
    uint64_t turn = rng_mix(ask->lot);
    int64_t least = INT64_MAX;

    for (unsigned i = 0; i < ask->open_count; i++) {
        unsigned seat = in_turn(ask, turn, i);
        int64_t requests = policy_requests(ask, seat);

        if (requests >= least)
            continue;
        least = requests;
        no_cost(out, seat);
    }
}

const struct policy_ops policy_least_in_flight = {.name = "least_in_flight", .choose = choose_least};

static void
choose_of_two(const struct policy_ask *ask, struct policy_choice *out)
{
    unsigned first = (unsigned)(rng_mix(ask->lot) % ask->open_count);
    unsigned other = ask->open_count > 1 ? (unsigned)(rng_mix(ask->lot + 1) % (ask->open_count - 1)) : 0;

    other += ask->open_count > 1 && other >= first;
    first = ask->open[first];
    other = ask->open[other];
    no_cost(out, policy_requests(ask, other) < policy_requests(ask, first) ? other : first);
}

const struct policy_ops policy_p2c = {.name = "p2c", .choose = choose_of_two};

void
policy_match(const struct policy_ask *ask, unsigned *blocks)
{
    struct replica *replicas[PREFIX_PLACES_MOST];
    unsigned count = ask->open_count < PREFIX_PLACES_MOST ? ask->open_count : PREFIX_PLACES_MOST;

    for (unsigned i = 0; i < ask->open_count; i++)
        blocks[i] = 0;
    if (ask->chain == NULL || ask->index == NULL)
        return;
    for (unsigned i = 0; i < count; i++)
        replicas[i] = ask->seats[ask->open[i]].replica;
    prefix_index_match(ask->index, ask->chain, ask->model, replicas, count, blocks);
}

void
policy_match_chosen(const struct policy_ask *ask, struct policy_choice *choice)
{
    struct policy_ask alone = *ask;

    alone.open = &choice->seat;
    alone.open_count = 1;
    policy_match(&alone, &choice->matched_blocks);
    choice->matched_tokens =
        ask->chain != NULL ? prefix_chain_tokens(ask->chain, choice->matched_blocks, ask->wish.prompt_tokens) : 0;
}

static double
product_of(const struct policy_ask *ask, struct replica *replica, int64_t matched)
{
    struct replica_look look;
    struct told_load load;

    replica_look(replica, ask->now_us, &look);
    told_load(&look, &ask->wish, ask->now_us, &load);
    return (load.filling_tokens + (double)(ask->wish.prompt_tokens - matched) + 1) * (load.requests + 1);
}

static void
choose_least_product(const struct policy_ask *ask, struct policy_choice *out)
{
    unsigned blocks[POLICY_SEATS_MOST];
    uint64_t turn = rng_mix(ask->lot);
    double least = DBL_MAX;

    policy_match(ask, blocks);
    for (unsigned k = 0; k < ask->open_count; k++) {
        unsigned i = (unsigned)((turn + k) % ask->open_count);
        int64_t matched = ask->chain != NULL ? prefix_chain_tokens(ask->chain, blocks[i], ask->wish.prompt_tokens) : 0;
        double product = product_of(ask, ask->seats[ask->open[i]].replica, matched);

        if (product >= least)
            continue;
        least = product;
        no_cost(out, ask->open[i]);
        out->matched_blocks = blocks[i];
        out->matched_tokens = matched;
    }
}

const struct policy_ops policy_lmetric = {.name = "lmetric", .reads_prompt = true, .choose = choose_least_product};

/* Where on the ring a prompt lies: rendezvous hashing gives each prompt its own order of all places, and moves no more
 * prompts than a ring does when a place comes or goes. */
uint64_t
policy_rendezvous(const struct policy_ask *ask, unsigned seat, uint64_t key)
{
    return rng_mix(key ^ hash_fast(slice_of(ask->seats[seat].replica->name), 0));
}

static uint64_t
key_of(const struct policy_ask *ask)
{
    const struct prefix_chain *chain = ask->chain;

    if (chain == NULL || chain->count == 0)
        return ask->lot;
    return chain->blocks[chain->count < KEY_BLOCKS ? chain->count - 1 : KEY_BLOCKS - 1].hash;
}

static void
choose_bounded(const struct policy_ask *ask, struct policy_choice *out)
{
    int64_t requests[POLICY_SEATS_MOST], sum = 0;
    uint64_t key = key_of(ask), highest = 0;
    double most;

    for (unsigned i = 0; i < ask->open_count; i++)
        sum += requests[i] = policy_requests(ask, ask->open[i]);
    most = BOUND * (double)(sum + 1) / (double)ask->open_count;
    for (unsigned i = 0; i < ask->open_count; i++) {
        uint64_t height = policy_rendezvous(ask, ask->open[i], key);

        if ((double)requests[i] + 1 > most + 1 || height < highest)
            continue;
        highest = height;
        no_cost(out, ask->open[i]);
    }
    policy_match_chosen(ask, out);
}

const struct policy_ops policy_chwbl = {.name = "chwbl", .reads_prompt = true, .choose = choose_bounded};
