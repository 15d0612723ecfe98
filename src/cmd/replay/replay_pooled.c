#include "cmd/replay/replay_pooled.h"

#include <stdlib.h>

#include "base/rng.h"
#include "cmd/cmd.h"
#include "fleet/engine/kv_cache.h"

struct pooled {
    struct kv_cache cache;
    uint64_t *hashes;
    uint32_t *held;
    size_t size;
    double asked, found;
    bool told; /* some request told its blocks */
};

enum { PIECES = TRACE_BLOCK_TOKENS / KV_BLOCK_TOKENS };

/* As the modelled backend does (twin/said.c): of the prompt's whole blocks, each for all that was before it too. */
static size_t
hash_blocks(struct pooled *pooled, const struct trace_request *request)
{
    size_t whole = (size_t)request->input_tokens / TRACE_BLOCK_TOKENS;
    size_t blocks = request->block_count < whole ? request->block_count : whole, count = 0;
    uint64_t hash = 0;

    if (blocks * PIECES > pooled->size) {
        pooled->size = blocks * PIECES * 2;
        pooled->hashes = must_realloc(pooled->hashes, pooled->size * sizeof(pooled->hashes[0]));
        pooled->held = must_realloc(pooled->held, pooled->size * sizeof(pooled->held[0]));
    }
    for (size_t i = 0; i < blocks; i++)
        for (size_t k = 0; k < PIECES; k++)
            pooled->hashes[count++] = hash = rng_mix(hash ^ rng_mix(request->blocks[i]));
    return count;
}

static void
read_prompt(struct pooled *pooled, const struct trace_request *request)
{
    size_t count = hash_blocks(pooled, request), known, held;
    int64_t idle, found, plain = 0;

    known = held = kv_cache_match(&pooled->cache, pooled->hashes, count, &idle);
    found = (int64_t)known * KV_BLOCK_TOKENS;
    pooled->asked += (double)request->input_tokens;
    pooled->found += (double)(found < request->input_tokens ? found : request->input_tokens - 1);
    kv_cache_hold(&pooled->cache, pooled->hashes, known, pooled->held);
    for (size_t i = known; i < count && kv_cache_room(&pooled->cache) > 0; i++) {
        kv_cache_take(&pooled->cache, 1);
        if (kv_cache_learn(&pooled->cache, pooled->hashes[i], &pooled->held[held]))
            held++;
        else
            plain++;
    }
    kv_cache_give_back(&pooled->cache, pooled->held, held, plain);
}

int
replay_pooled_share(const char *path, const struct trace_options *options, int64_t kv_tokens, double *share)
{
    struct pooled pooled = {0};
    struct replay_trace trace;
    struct trace_request request;
    int exit_status = replay_trace_open(&trace, path, options);

    kv_cache_init(&pooled.cache, kv_tokens / KV_BLOCK_TOKENS);
    while (exit_status == CMD_FINE && trace_next(trace.trace, &request) == OK) {
        pooled.told |= request.block_count > 0;
        if (request.input_tokens > 0)
            read_prompt(&pooled, &request);
    }
    *share = pooled.told && pooled.asked > 0 ? pooled.found / pooled.asked : -1;
    replay_trace_close(&trace);
    kv_cache_free(&pooled.cache);
    free(pooled.hashes);
    free(pooled.held);
    return exit_status;
}
