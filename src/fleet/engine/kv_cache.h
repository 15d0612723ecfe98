/* The key-value cache of a modelled engine: so many blocks of 16 tokens, some of them known by a hash of all text up to
 * their end, so that requests which begin alike share them (as vLLM's automatic prefix caching and SGLang's RadixAttention
 * do). A known block that nobody holds stays until its room is needed: the one least recently held goes first, of one
 * request its last.
 *
 * Only known blocks are kept one by one; the others, which no one but their owner will ever read, are counted.
 *
 * Invariant: plain_free + idle <= blocks; idle known blocks, and only they, are on the list from oldest to newest. */
#ifndef FLEET_KV_CACHE_H
#define FLEET_KV_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KV_BLOCK_TOKENS = 16 };

struct kv_known;

struct kv_cache {
    int64_t blocks, plain_free;
    int64_t idle;           /* known and held by nobody */
    struct kv_known *known; /* [known_size] */
    uint32_t *places;       /* hash table over `known`: heads of chains, [known_size] */
    uint32_t known_size, unused;
    uint32_t oldest, newest;
};

void kv_cache_init(struct kv_cache *cache, int64_t blocks);
void kv_cache_free(struct kv_cache *cache);

static inline int64_t
kv_cache_room(const struct kv_cache *cache)
{
    return cache->plain_free + cache->idle;
}

static inline int64_t
kv_cache_blocks_for(int64_t tokens)
{
    return (tokens + KV_BLOCK_TOKENS - 1) / KV_BLOCK_TOKENS;
}

/* How many of the hashes, from the first on without a gap, are known; *idle of these nobody holds. */
size_t kv_cache_match(const struct kv_cache *cache, const uint64_t *hashes, size_t count, int64_t *idle);

/* Holds these blocks, all of them known; which they are goes to held[0 .. count - 1]. */
void kv_cache_hold(struct kv_cache *cache, const uint64_t *hashes, size_t count, uint32_t *held);

/* Takes blocks; kv_cache_room must have them. Known ones make way. */
void kv_cache_take(struct kv_cache *cache, int64_t count);

/* A block that the caller took becomes known by this hash, and held: true and *held. False: another one is known by it
 * already, and the caller's stays as it is. */
bool kv_cache_learn(struct kv_cache *cache, uint64_t hash, uint32_t *held);

/* Gives back blocks that were held, the last first, and `plain` that were only taken. */
void kv_cache_give_back(struct kv_cache *cache, const uint32_t *held, size_t held_count, int64_t plain);

#endif
