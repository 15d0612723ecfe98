/* What a modelled engine (engine.h) is like, and the pairs of a model and a device of which that is known. */
#ifndef FLEET_ENGINE_SETTINGS_H
#define FLEET_ENGINE_SETTINGS_H

#include "fleet/engine/step_time.h"

/* Known pairs of a model and what it runs on: engine_pairs.def. */
struct engine_pair {
    const char *name; /* "a100-llama-3-8b" */
    const char *words;
    struct step_time time;
    int64_t kv_tokens;        /* room for this many tokens of context */
    int64_t step_tokens_most; /* what vLLM takes into one step there if not told otherwise */
};

const struct engine_pair *engine_pair_find(struct slice name); /* NULL if not known */
const struct engine_pair *engine_pair_at(size_t index);        /* in the order of the table; NULL at its end */

struct engine_settings {
    struct step_time time;
    unsigned sequences_most;                  /* that run at a time, at least 1 */
    int64_t step_tokens_most;                 /* the token budget; at least sequences_most */
    int64_t kv_tokens;                        /* rounded down to blocks of 16; at least one block */
    usec overhead_least_us, overhead_most_us; /* before a request reaches the queue; at least 1 us */
    uint64_t seed;
};

enum { ENGINE_SEQUENCES = 256 }; /* vLLM's --max-num-seqs */

/* A known pair with 256 sequences, 1 to 15 ms before the queue, and seed 1. */
void engine_settings_of(const struct engine_pair *pair, struct engine_settings *settings);

/* What is wrong with the settings, for a person; NULL if nothing is. */
const char *engine_settings_objection(const struct engine_settings *settings);

#endif
