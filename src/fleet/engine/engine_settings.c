#include "fleet/engine/engine_settings.h"

#include "fleet/engine/kv_cache.h"

/* Beyond these the sums of engine.c could overflow. */
static const double TERM_US_MOST = 1e9;
static const int64_t TOKENS_MOST = 1 << 30;

static const usec OVERHEAD_LEAST_US = 1 * USEC_PER_MS, OVERHEAD_MOST_US = 15 * USEC_PER_MS;

/* Known pairs */

static const double GAMMA_US = 4.4;

#define ENGINE_PAIR(name, words, alpha_ms, beta_us, delta_ns, epsilon_ns, kv_tokens, step_tokens)                      \
    {name, words, {(alpha_ms)*1e3, beta_us, (delta_ns)*1e-3, (epsilon_ns)*1e-3, GAMMA_US, 0}, kv_tokens, step_tokens},
static const struct engine_pair *
pairs(size_t *count)
{
    static const struct engine_pair table[] = {
#include "fleet/engine/engine_pairs.def"
    };

    *count = sizeof table / sizeof table[0];
    return table;
}
#undef ENGINE_PAIR

const struct engine_pair *
engine_pair_at(size_t index)
{
    size_t count = 0;
    const struct engine_pair *table = pairs(&count);

    return index < count ? &table[index] : NULL;
}

const struct engine_pair *
engine_pair_find(struct slice name)
{
    const struct engine_pair *pair;

    for (size_t i = 0; (pair = engine_pair_at(i)) != NULL; i++)
        if (slice_is(name, pair->name))
            return pair;
    return NULL;
}

/* Settings */

void
engine_settings_of(const struct engine_pair *pair, struct engine_settings *settings)
{
    *settings = (struct engine_settings){
        .time = pair->time,
        .sequences_most = ENGINE_SEQUENCES,
        .step_tokens_most = pair->step_tokens_most,
        .kv_tokens = pair->kv_tokens,
        .overhead_least_us = OVERHEAD_LEAST_US,
        .overhead_most_us = OVERHEAD_MOST_US,
        .seed = 1,
    };
}

const char *
engine_settings_objection(const struct engine_settings *settings)
{
    const struct step_time *time = &settings->time;
    const double terms[] = {time->alpha_us,   time->beta_us,  time->delta_us,
                            time->epsilon_us, time->gamma_us, time->host_us};

    for (size_t i = 0; i < sizeof terms / sizeof terms[0]; i++)
        if (!(terms[i] >= 0 && terms[i] <= TERM_US_MOST))
            return "the times of a step must be from 0 to 1000 s";
    if (settings->sequences_most < 1 || settings->step_tokens_most > TOKENS_MOST)
        return "at least one sequence must run at a time, and a step takes at most 2^30 tokens";
    if (settings->step_tokens_most < (int64_t)settings->sequences_most)
        return "the tokens of a step must be at least as many as the sequences that run at a time";
    if (settings->kv_tokens < KV_BLOCK_TOKENS || settings->kv_tokens > TOKENS_MOST)
        return "the cache must have room for 16 to 2^30 tokens";
    if (settings->overhead_least_us < 1 || settings->overhead_most_us < settings->overhead_least_us ||
        settings->overhead_most_us > USEC_PER_S * 3600)
        return "the time before the queue must be at least 1 us, at most an hour, and its bounds in order";
    return NULL;
}
