/* Answers kept for equal requests, shared by all workers. In shards by key, each with a lock of its own, within which
 * nothing is copied, compressed or freed and nobody is called.
 *
 * Bounded in bytes, everything included. What goes first is what saves the least money per byte: GreedyDual-Size-Frequency
 * (Cherkasova 1998). An entry's priority is the shard's clock when it was last used, plus uses * cost / bytes; when
 * there is no room the lowest goes and the clock becomes its priority. So what was dear stays longer, what is never
 * asked again goes in the end, and among answers that cost nothing the least recently used go first.
 *
 * Tenants are kept apart by their keys (dialect/canonical.h): a look-up takes the same time whatever others have
 * stored, and nothing here is counted by tenant. */
#ifndef CACHE_STORE_H
#define CACHE_STORE_H

#include "cache/entry.h"

struct cache;

struct cache *cache_new(size_t bytes_most);
void cache_free(struct cache *cache); /* nobody uses it any more; entries live as long as they are held */

/* Another bound from now on; what is too much goes at once. */
void cache_resize(struct cache *cache, size_t bytes_most);

/* The entry of that key, held for the caller, if it is neither past its time nor older than max_age_us (USEC_NEVER: any
 * age; `cache-control: max-age`). NULL: none. Counted as a hit or a miss; changes nothing else. */
struct cache_entry *cache_lookup(struct cache *cache, const struct digest *key, usec now_wall_us, usec max_age_us);

/* Whether it is in the store, be it past its time or not; counts nothing. */
bool cache_has(struct cache *cache, const struct digest *key);

/* Its answer was served, or would have been (shadow: saved 0): it becomes dearer to the store. */
void cache_used(struct cache *cache, struct cache_entry *entry, usd saved);

/* It turned out to be damaged: it goes, if it is still there. */
void cache_drop(struct cache *cache, struct cache_entry *entry);

/* How many purges there were. Whoever starts a call whose answer will be stored asks before. */
uint64_t cache_purges(const struct cache *cache);

/* Stores the entry, in place of the one of its key if there is one. Takes over the caller's hold. `purges` as
 * cache_purges said when the call began: an answer that was under way during a purge is not stored. ERR_FULL: larger
 * than a shard may be, or dropped at once as worth less than all that is there. ERR_STOPPING: a purge came between. */
enum status cache_put(struct cache *cache, struct cache_entry *entry, uint64_t purges) MUST_CHECK;

/* The same for an entry that was used so often in an earlier life. */
enum status cache_restore(struct cache *cache, struct cache_entry *entry, uint64_t uses) MUST_CHECK;

/* Drops all entries with that mark (cache_mark_of a name); CACHE_MARKS: all. Returns how many. May take milliseconds. */
size_t cache_purge(struct cache *cache, enum cache_mark which, uint64_t mark);

/* Drops what is past its time among the next `most` entries, going round: now and then, so that what nobody asks for
 * does not fill the room. */
void cache_sweep(struct cache *cache, usec now_wall_us, size_t most);

/* Whoever keeps a record of it: told of each entry that was stored, with `purges` as cache_put had it, and of each purge
 * when it is done. Any thread; not under a lock of the store's. */
struct cache_follower {
    void (*stored)(struct cache_follower *, struct cache_entry *entry, uint64_t purges);
    void (*purged)(struct cache_follower *, enum cache_mark which, uint64_t mark);
};

/* NULL: nobody. Before the workers run, or when they have ended. */
void cache_follow(struct cache *cache, struct cache_follower *follower);

struct cache_stats {
    uint64_t entries, bytes, bytes_most;
    uint64_t hits, misses;    /* look-ups */
    uint64_t stored, refused; /* refused: ERR_FULL and ERR_STOPPING of cache_put */
    uint64_t evicted, expired, purged;
    usd saved; /* as cache_used was told */
};

void cache_stats(struct cache *cache, struct cache_stats *out);

/* For whoever writes the store down: the number of shards, and all entries of one, each held for the caller, in an array
 * that the caller frees. */
struct cache_held {
    struct cache_entry *entry;
    uint64_t uses;
};
unsigned cache_shards(const struct cache *cache);
size_t cache_hold_all(struct cache *cache, unsigned shard, struct cache_held **out);

#endif
