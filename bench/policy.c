/* What time of a processor a routing decision takes, on one thread, with all looks at the places and the prompt's match:
 *
 *     cmake --build --preset release --target bench_policy && build/release/bench_policy
 *
 * The index is as full as engines of 427,000 tokens make it; prompts of 6,000 tokens, a third of them known somewhere. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/rng.h"
#include "fleet/dispatch/policy.h"

enum { PLACES_MOST = 256, BYTES = 24000, PROMPTS = 4096, ROUNDS = 20000 };

static double
now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static struct prefix_chain *
random_chain(struct rng *rng, char *text)
{
    for (size_t i = 0; i < BYTES; i += 8) {
        uint64_t word = rng_next(rng);

        memcpy(text + i, &word, 8);
    }
    return prefix_chain_new(&(struct slice){text, BYTES}, 1, 0);
}

static void
measure(enum policy_id id, unsigned places, struct replicas *all, struct seat *seats, struct prefix_chain **chains)
{
    static unsigned open[PLACES_MOST];
    struct policy_choice choice;
    struct policy_ask ask = {.seats = seats,
                             .open = open,
                             .open_count = places,
                             .index = replicas_index(all),
                             .pool = replicas_pool(all, "gpus"),
                             .wish = {.prompt_tokens = BYTES / 4, .output_tokens = 256}};
    double start_us;

    for (unsigned i = 0; i < places; i++)
        open[i] = i;
    start_us = now_us();
    for (unsigned i = 0; i < ROUNDS; i++) {
        ask.chain = chains[rng_mix(i) % (2 * PROMPTS)];
        ask.lot = rng_mix(i + 1);
        ask.now_us = i;
        policy_of(id)->choose(&ask, &choice);
    }
    printf("  %-16s %4u places %8.2f us\n", policy_name(id), places, (now_us() - start_us) / ROUNDS);
}

int
main(void)
{
    static struct seat seats[PLACES_MOST];
    static struct replica_ticket tickets[PLACES_MOST][8];
    struct prefix_chain **chains = must_calloc(2 * PROMPTS, sizeof(*chains));
    char *text = must_alloc(BYTES);
    struct replicas all;
    struct rng rng;

    rng_seed(&rng, 1);
    replicas_init(&all);
    for (unsigned i = 0; i < PLACES_MOST; i++) {
        char name[32];

        snprintf(name, sizeof(name), "10.0.%u.%u:8000", i / 16, i % 16);
        seats[i].replica = replicas_of(&all, name, NULL);
        for (unsigned k = 0; k < rng_below(&rng, 8); k++)
            replica_take(seats[i].replica, &tickets[i][k],
                         &(struct replica_wish){
                             .prompt_tokens = 2000, .matched_tokens = 0, .output_tokens = 256, .streamed = true},
                         0);
    }
    for (unsigned i = 0; i < 2 * PROMPTS; i++)
        chains[i] = random_chain(&rng, text);
    for (unsigned i = 0; i < PROMPTS; i++) /* the other half is new to all */
        prefix_index_learn(replicas_index(&all), seats[rng_below(&rng, i % 4 == 0 ? 16 : PLACES_MOST)].replica,
                           chains[i], 0, (uint64_t)427000 * 4);
    for (enum policy_id id = 0; id < POLICY_COUNT; id++) {
        measure(id, 16, &all, seats, chains);
        measure(id, PLACES_MOST, &all, seats, chains);
    }
    return 0;
}
