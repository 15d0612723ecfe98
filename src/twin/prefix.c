#include "twin/prefix.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/status.h"
#include "twin/tokens.h"

enum { PLACES = 1 << 16 };

static const usec KEPT_US = 300 * USEC_PER_S, KEPT_HOUR_US = 3600 * USEC_PER_S;

/* A table in which a newer block takes the place of an older one. */
struct prefix_cache {
    struct {
        uint64_t hash; /* 0: free */
        usec life_us, until_us;
    } places[PLACES];
};

struct prefix_cache *
prefix_new(void)
{
    return must_calloc(1, sizeof(struct prefix_cache));
}

void
prefix_free(struct prefix_cache *cache)
{
    free(cache);
}

int64_t
prefix_use(struct prefix_cache *cache, uint64_t salt, struct slice text, size_t hour_bytes, usec now_us)
{
    const char *hour_end = hour_bytes != 0 ? text.data + hour_bytes : NULL;
    uint64_t hash = salt;
    int64_t cached = 0;
    bool known = true;

    for (int64_t left = token_count(text); left >= PREFIX_BLOCK_TOKENS; left -= PREFIX_BLOCK_TOKENS) {
        struct slice block = token_first(text, PREFIX_BLOCK_TOKENS);
        bool hour = hour_end != NULL && block.data + block.len <= hour_end;
        size_t place;

        hash = hash_fast(block, hash) | 1;
        place = (size_t)(hash >> 20) % PLACES;
        known = known && cache->places[place].hash == hash && now_us <= cache->places[place].until_us;
        cached += known ? PREFIX_BLOCK_TOKENS : 0;
        if (!known)
            cache->places[place].life_us = hour ? KEPT_HOUR_US : KEPT_US;
        cache->places[place].hash = hash;
        cache->places[place].until_us = now_us + cache->places[place].life_us;
        text = slice_from(text, block.len);
    }
    return cached >= PREFIX_TOKENS_LEAST ? cached : 0;
}
