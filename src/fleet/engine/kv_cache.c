#include "fleet/engine/kv_cache.h"

#include <stdlib.h>

#include "base/rng.h"
#include "base/status.h"

enum { SIZE_LEAST = 64 };

static const uint32_t NONE = UINT32_MAX;

struct kv_known {
    uint64_t hash;
    uint32_t next; /* in its chain, or of the unused */
    uint32_t holders;
    uint32_t older, newer; /* while nobody holds it */
};

void
kv_cache_init(struct kv_cache *cache, int64_t blocks)
{
    ENSURE(blocks > 0 && blocks < UINT32_MAX / 2);
    *cache = (struct kv_cache){.blocks = blocks, .plain_free = blocks, .unused = NONE, .oldest = NONE, .newest = NONE};
}

void
kv_cache_free(struct kv_cache *cache)
{
    free(cache->known);
    free(cache->places);
}

static uint32_t *
place_of(const struct kv_cache *cache, uint64_t hash)
{
    return &cache->places[rng_mix(hash) & (cache->known_size - 1)];
}

static uint32_t
find(const struct kv_cache *cache, uint64_t hash)
{
    uint32_t at = cache->known_size != 0 ? *place_of(cache, hash) : NONE;

    while (at != NONE && cache->known[at].hash != hash)
        at = cache->known[at].next;
    return at;
}

static void
enter(struct kv_cache *cache, uint32_t at)
{
    uint32_t *place = place_of(cache, cache->known[at].hash);

    cache->known[at].next = *place;
    *place = at;
}

/* All are in use: twice as many. */
static void
grow(struct kv_cache *cache)
{
    uint32_t before = cache->known_size, size = before != 0 ? 2 * before : SIZE_LEAST;

    cache->known = must_realloc(cache->known, size * sizeof *cache->known);
    cache->places = must_realloc(cache->places, size * sizeof *cache->places);
    cache->known_size = size;
    for (uint32_t i = 0; i < size; i++)
        cache->places[i] = NONE;
    for (uint32_t i = 0; i < before; i++)
        enter(cache, i);
    for (uint32_t i = size; i-- > before;) {
        cache->known[i].next = cache->unused;
        cache->unused = i;
    }
}

static void
idle_add(struct kv_cache *cache, uint32_t at)
{
    struct kv_known *block = &cache->known[at];

    block->older = cache->newest;
    block->newer = NONE;
    if (cache->newest != NONE)
        cache->known[cache->newest].newer = at;
    else
        cache->oldest = at;
    cache->newest = at;
    cache->idle++;
}

static void
idle_remove(struct kv_cache *cache, uint32_t at)
{
    struct kv_known *block = &cache->known[at];

    if (block->older != NONE)
        cache->known[block->older].newer = block->newer;
    else
        cache->oldest = block->newer;
    if (block->newer != NONE)
        cache->known[block->newer].older = block->older;
    else
        cache->newest = block->older;
    cache->idle--;
}

/* The oldest idle block is known no more. */
static void
evict(struct kv_cache *cache)
{
    uint32_t at = cache->oldest;
    uint32_t *link;

    ENSURE(at != NONE && cache->known[at].holders == 0);
    link = place_of(cache, cache->known[at].hash);
    idle_remove(cache, at);
    while (*link != at)
        link = &cache->known[*link].next;
    *link = cache->known[at].next;
    cache->known[at].next = cache->unused;
    cache->unused = at;
    cache->plain_free++;
}

size_t
kv_cache_match(const struct kv_cache *cache, const uint64_t *hashes, size_t count, int64_t *idle)
{
    size_t matched = 0;

    *idle = 0;
    for (; matched < count; matched++) {
        uint32_t at = find(cache, hashes[matched]);

        if (at == NONE)
            break;
        *idle += cache->known[at].holders == 0;
    }
    return matched;
}

void
kv_cache_hold(struct kv_cache *cache, const uint64_t *hashes, size_t count, uint32_t *held)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t at = find(cache, hashes[i]);

        ENSURE(at != NONE);
        if (cache->known[at].holders++ == 0)
            idle_remove(cache, at);
        held[i] = at;
    }
}

void
kv_cache_take(struct kv_cache *cache, int64_t count)
{
    ENSURE(count >= 0 && count <= kv_cache_room(cache));
    while (cache->plain_free < count)
        evict(cache);
    cache->plain_free -= count;
}

bool
kv_cache_learn(struct kv_cache *cache, uint64_t hash, uint32_t *held)
{
    uint32_t at;

    if (find(cache, hash) != NONE)
        return false;
    if (cache->unused == NONE)
        grow(cache);
    at = cache->unused;
    cache->unused = cache->known[at].next;
    cache->known[at] = (struct kv_known){.hash = hash, .holders = 1};
    enter(cache, at);
    *held = at;
    return true;
}

void
kv_cache_give_back(struct kv_cache *cache, const uint32_t *held, size_t held_count, int64_t plain)
{
    ENSURE(plain >= 0);
    for (size_t i = held_count; i-- > 0;) {
        ENSURE(cache->known[held[i]].holders > 0);
        if (--cache->known[held[i]].holders == 0)
            idle_add(cache, held[i]);
    }
    cache->plain_free += plain;
    ENSURE(kv_cache_room(cache) <= cache->blocks);
}
