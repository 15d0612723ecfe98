#include "cache/store.h"

#include <stdlib.h>

#include "base/lock.h"

enum {
    SHARDS_MOST = 64,
    SLOTS_LEAST = 64,
    PRIORITY_SCALE = 1024 /* of a pico-dollar per byte: small answers of cheap models still differ */
};

/* A shard has room for its largest answers several times over; until then there is only one. */
#define SHARD_BYTES_LEAST ((size_t)16 << 20)

/* The word tells most others apart, and where an entry belongs, without a look at it. */
struct slot {
    uint64_t word; /* of the key, see key_word */
    struct cache_entry *entry;
};

/* Invariant: slots is a power of two and count at most 3/4 of it; each entry stands in the table by linear probing from
 * its key, and in heap[entry->place.heap - 1]; a parent's (priority, touched) is below its children's; bytes is the sum
 * of cache_entry_bytes of all. The clock never goes back. */
struct shard {
    struct lock lock;
    struct slot *table;
    struct cache_entry **heap;
    size_t slots, count, heap_size;
    size_t bytes, bytes_most;
    wide_int clock;
    uint64_t touches;
    size_t sweep_at;
    struct cache_stats stats;
};

struct cache {
    unsigned shard_count;
    struct cache_follower *follower; /* NULL: none */
    atomic_uint_least64_t purges;
    atomic_uint sweep_shard;
    struct shard shards[SHARDS_MOST];
};

/* Entries that left the table, to be released without the lock; threaded by malloc rather than by the entries, which
 * others may hold. */
struct leavers {
    struct cache_entry **all;
    size_t count, size;
};

static void
leave(struct leavers *leavers, struct cache_entry *entry)
{
    if (leavers->count == leavers->size) {
        leavers->size = leavers->size != 0 ? 2 * leavers->size : 16;
        leavers->all = must_realloc(leavers->all, leavers->size * sizeof(struct cache_entry *));
    }
    leavers->all[leavers->count++] = entry;
}

static void
release_all(struct leavers *leavers)
{
    for (size_t i = 0; i < leavers->count; i++)
        cache_entry_release(leavers->all[i]);
    free(leavers->all);
}

static uint64_t
key_word(const struct digest *key, unsigned which)
{
    uint64_t word;

    memcpy(&word, key->bytes + which * sizeof(word), sizeof(word));
    return word;
}

static struct shard *
shard_of(struct cache *cache, const struct digest *key)
{
    return &cache->shards[key_word(key, 0) & (cache->shard_count - 1)];
}

/* The heap */

static bool
goes_before(const struct cache_entry *a, const struct cache_entry *b)
{
    if (a->place.priority != b->place.priority)
        return a->place.priority < b->place.priority;
    return a->place.touched < b->place.touched;
}

static void
heap_set(struct shard *shard, size_t at, struct cache_entry *entry)
{
    shard->heap[at] = entry;
    entry->place.heap = at + 1;
}

static size_t
heap_up(struct shard *shard, size_t at)
{
    struct cache_entry *entry = shard->heap[at];

    while (at > 0 && goes_before(entry, shard->heap[(at - 1) / 2])) {
        heap_set(shard, at, shard->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    heap_set(shard, at, entry);
    return at;
}

static void
heap_down(struct shard *shard, size_t at)
{
    struct cache_entry *entry = shard->heap[at];

    for (size_t child = 2 * at + 1; child < shard->count; child = 2 * at + 1) {
        if (child + 1 < shard->count && goes_before(shard->heap[child + 1], shard->heap[child]))
            child++;
        if (!goes_before(shard->heap[child], entry))
            break;
        heap_set(shard, at, shard->heap[child]);
        at = child;
    }
    heap_set(shard, at, entry);
}

/* The entry's uses, or the clock, have changed. */
static void
touch(struct shard *shard, struct cache_entry *entry)
{
    wide_int worth = (wide_int)entry->cost * PRIORITY_SCALE * (wide_int)entry->place.uses;

    entry->place.priority = shard->clock + worth / (wide_int)cache_entry_bytes(entry);
    entry->place.touched = ++shard->touches;
    heap_down(shard, heap_up(shard, entry->place.heap - 1));
}

/* The table */

/* Where the key's entry stands, or the empty slot where it would. */
static size_t
slot_of(const struct shard *shard, const struct digest *key)
{
    uint64_t word = key_word(key, 1);
    size_t at = word & (shard->slots - 1);

    while (shard->table[at].entry != NULL &&
           (shard->table[at].word != word || memcmp(&shard->table[at].entry->key, key, sizeof(*key)) != 0))
        at = (at + 1) & (shard->slots - 1);
    return at;
}

static void
double_table(struct shard *shard)
{
    struct slot *old = shard->table;
    size_t old_slots = shard->slots;

    shard->slots *= 2;
    shard->table = must_calloc(shard->slots, sizeof(struct slot));
    for (size_t i = 0; i < old_slots; i++) {
        size_t at = old[i].word & (shard->slots - 1);

        if (old[i].entry == NULL)
            continue;
        while (shard->table[at].entry != NULL)
            at = (at + 1) & (shard->slots - 1);
        shard->table[at] = old[i];
    }
    free(old);
}

static void
make_room(struct shard *shard)
{
    if (4 * (shard->count + 1) > 3 * shard->slots)
        double_table(shard);
    if (shard->count == shard->heap_size) {
        shard->heap_size *= 2;
        shard->heap = must_realloc(shard->heap, shard->heap_size * sizeof(struct cache_entry *));
    }
}

/* Closes the gap: those behind it that it would cut off from where their probing begins move up (Knuth, 6.4, R). */
static void
clear_slot(struct shard *shard, size_t gap)
{
    size_t mask = shard->slots - 1;

    for (size_t at = (gap + 1) & mask; shard->table[at].entry != NULL; at = (at + 1) & mask) {
        size_t home = shard->table[at].word & mask;

        if (((at - home) & mask) < ((at - gap) & mask))
            continue;
        shard->table[gap] = shard->table[at];
        gap = at;
    }
    shard->table[gap] = (struct slot){0};
}

static void
take_in(struct shard *shard, struct cache_entry *entry)
{
    make_room(shard);
    shard->table[slot_of(shard, &entry->key)] = (struct slot){key_word(&entry->key, 1), entry};
    heap_set(shard, shard->count++, entry);
    shard->bytes += cache_entry_bytes(entry);
    touch(shard, entry);
}

static void
take_out(struct shard *shard, struct cache_entry *entry, struct leavers *leavers)
{
    size_t at = entry->place.heap - 1;

    clear_slot(shard, slot_of(shard, &entry->key));
    shard->count--;
    if (at != shard->count) {
        heap_set(shard, at, shard->heap[shard->count]);
        heap_down(shard, heap_up(shard, at));
    }
    entry->place.heap = 0;
    shard->bytes -= cache_entry_bytes(entry);
    leave(leavers, entry);
}

static size_t
bytes_of(const struct shard *shard)
{
    return shard->bytes + shard->slots * sizeof(struct slot) + shard->heap_size * sizeof(struct cache_entry *);
}

static void
evict(struct shard *shard, struct leavers *leavers)
{
    while (shard->count > 0 && bytes_of(shard) > shard->bytes_most) {
        struct cache_entry *least = shard->heap[0];

        ENSURE(least->place.priority >= shard->clock);
        shard->clock = least->place.priority;
        take_out(shard, least, leavers);
        shard->stats.evicted++;
    }
}

/* The store */

static unsigned
shards_for(size_t bytes)
{
    unsigned count = 1;

    while (count < SHARDS_MOST && bytes / (2 * count) >= SHARD_BYTES_LEAST)
        count *= 2;
    return count;
}

struct cache *
cache_new(size_t bytes_most)
{
    struct cache *cache = must_calloc(1, sizeof(*cache));

    cache->shard_count = shards_for(bytes_most);
    atomic_init(&cache->purges, 0);
    atomic_init(&cache->sweep_shard, 0);
    for (unsigned i = 0; i < cache->shard_count; i++) {
        struct shard *shard = &cache->shards[i];

        lock_init(&shard->lock);
        shard->slots = shard->heap_size = SLOTS_LEAST;
        shard->table = must_calloc(shard->slots, sizeof(struct slot));
        shard->heap = must_calloc(shard->heap_size, sizeof(struct cache_entry *));
        shard->bytes_most = bytes_most / cache->shard_count;
    }
    return cache;
}

void
cache_free(struct cache *cache)
{
    for (unsigned i = 0; i < cache->shard_count; i++) {
        struct shard *shard = &cache->shards[i];

        for (size_t at = 0; at < shard->count; at++) {
            shard->heap[at]->place.heap = 0;
            cache_entry_release(shard->heap[at]);
        }
        free(shard->table);
        free(shard->heap);
        lock_destroy(&shard->lock);
    }
    free(cache);
}

void
cache_resize(struct cache *cache, size_t bytes_most)
{
    for (unsigned i = 0; i < cache->shard_count; i++) {
        struct shard *shard = &cache->shards[i];
        struct leavers leavers = {0};

        lock_take(&shard->lock);
        shard->bytes_most = bytes_most / cache->shard_count;
        evict(shard, &leavers);
        lock_drop(&shard->lock);
        release_all(&leavers);
    }
}

struct cache_entry *
cache_lookup(struct cache *cache, const struct digest *key, usec now_wall_us, usec max_age_us)
{
    struct shard *shard = shard_of(cache, key);
    struct leavers leavers = {0};
    struct cache_entry *entry;

    lock_take(&shard->lock);
    entry = shard->table[slot_of(shard, key)].entry;
    if (entry != NULL && cache_entry_expired(entry, now_wall_us)) {
        take_out(shard, entry, &leavers);
        shard->stats.expired++;
        entry = NULL;
    }
    if (entry != NULL && cache_entry_age_us(entry, now_wall_us) > max_age_us)
        entry = NULL;
    if (entry != NULL)
        cache_entry_hold(entry);
    shard->stats.hits += entry != NULL;
    shard->stats.misses += entry == NULL;
    lock_drop(&shard->lock);
    release_all(&leavers);
    return entry;
}

bool
cache_has(struct cache *cache, const struct digest *key)
{
    struct shard *shard = shard_of(cache, key);
    bool has;

    lock_take(&shard->lock);
    has = shard->table[slot_of(shard, key)].entry != NULL;
    lock_drop(&shard->lock);
    return has;
}

static void
add_saved(usd *total, usd more)
{
    if (usd_known(more) && __builtin_add_overflow(*total, more, total))
        *total = INT64_MAX;
}

void
cache_used(struct cache *cache, struct cache_entry *entry, usd saved)
{
    struct shard *shard = shard_of(cache, &entry->key);

    lock_take(&shard->lock);
    add_saved(&shard->stats.saved, saved);
    if (entry->place.heap != 0) {
        entry->place.uses++;
        touch(shard, entry);
    }
    lock_drop(&shard->lock);
}

void
cache_drop(struct cache *cache, struct cache_entry *entry)
{
    struct shard *shard = shard_of(cache, &entry->key);
    struct leavers leavers = {0};

    lock_take(&shard->lock);
    if (entry->place.heap != 0)
        take_out(shard, entry, &leavers);
    lock_drop(&shard->lock);
    release_all(&leavers);
}

uint64_t
cache_purges(const struct cache *cache)
{
    return atomic_load_explicit(&cache->purges, memory_order_acquire);
}

static enum status
put(struct cache *cache, struct shard *shard, struct cache_entry *entry, uint64_t purges, uint64_t uses,
    struct leavers *leavers)
{
    struct cache_entry *before = shard->table[slot_of(shard, &entry->key)].entry;

    entry->place.uses = 0;
    /* Under the lock, which a purge takes after it has counted itself: one of the two sees the other. */
    if (cache_purges(cache) != purges)
        return ERR_STOPPING;
    if (cache_entry_bytes(entry) > shard->bytes_most)
        return ERR_FULL;
    entry->place.uses = uses;
    if (before != NULL) {
        entry->place.uses += before->place.uses;
        take_out(shard, before, leavers);
    }
    take_in(shard, entry);
    shard->stats.stored++;
    evict(shard, leavers);
    return entry->place.heap != 0 ? OK : ERR_FULL;
}

static enum status
put_used(struct cache *cache, struct cache_entry *entry, uint64_t purges, uint64_t uses)
{
    struct shard *shard = shard_of(cache, &entry->key);
    struct leavers leavers = {0};
    enum status status;
    bool taken;

    ENSURE(entry->place.heap == 0 && uses > 0);
    lock_take(&shard->lock);
    status = put(cache, shard, entry, purges, uses, &leavers);
    taken = entry->place.uses != 0;
    shard->stats.refused += status != OK;
    lock_drop(&shard->lock);
    if (!taken)
        cache_entry_release(entry);
    release_all(&leavers);
    return status;
}

enum status
cache_put(struct cache *cache, struct cache_entry *entry, uint64_t purges)
{
    struct cache_follower *follower = cache->follower;
    struct cache_entry *held = follower != NULL ? cache_entry_hold(entry) : NULL;
    enum status status = put_used(cache, entry, purges, 1);

    if (held != NULL && status == OK)
        follower->stored(follower, held, purges);
    cache_entry_release(held);
    return status;
}

enum status
cache_restore(struct cache *cache, struct cache_entry *entry, uint64_t uses)
{
    return put_used(cache, entry, cache_purges(cache), uses);
}

void
cache_follow(struct cache *cache, struct cache_follower *follower)
{
    cache->follower = follower;
}

static size_t
purge_shard(struct shard *shard, enum cache_mark which, uint64_t mark)
{
    struct leavers leavers = {0};
    size_t count;

    lock_take(&shard->lock);
    for (size_t at = 0; at < shard->count; at++)
        if (which == CACHE_MARKS || shard->heap[at]->marks[which] == mark)
            leave(&leavers, shard->heap[at]);
    count = leavers.count;
    leavers.count = 0;
    for (size_t i = 0; i < count; i++)
        take_out(shard, leavers.all[i], &leavers); /* puts each where it stood */
    shard->stats.purged += count;
    lock_drop(&shard->lock);
    release_all(&leavers);
    return count;
}

size_t
cache_purge(struct cache *cache, enum cache_mark which, uint64_t mark)
{
    size_t count = 0;

    atomic_fetch_add_explicit(&cache->purges, 1, memory_order_acq_rel);
    for (unsigned i = 0; i < cache->shard_count; i++)
        count += purge_shard(&cache->shards[i], which, mark);
    if (cache->follower != NULL)
        cache->follower->purged(cache->follower, which, mark);
    return count;
}

static void
sweep_shard(struct shard *shard, usec now_wall_us, size_t most)
{
    struct leavers leavers = {0};

    lock_take(&shard->lock);
    for (size_t i = 0; i < most && shard->count > 0; i++) {
        if (shard->sweep_at >= shard->count)
            shard->sweep_at = 0;
        if (cache_entry_expired(shard->heap[shard->sweep_at], now_wall_us)) {
            take_out(shard, shard->heap[shard->sweep_at], &leavers);
            shard->stats.expired++;
        } else {
            shard->sweep_at++;
        }
    }
    lock_drop(&shard->lock);
    release_all(&leavers);
}

void
cache_sweep(struct cache *cache, usec now_wall_us, size_t most)
{
    unsigned next = atomic_fetch_add_explicit(&cache->sweep_shard, 1, memory_order_relaxed);

    sweep_shard(&cache->shards[next & (cache->shard_count - 1)], now_wall_us, most);
}

void
cache_stats(struct cache *cache, struct cache_stats *out)
{
    *out = (struct cache_stats){0};
    for (unsigned i = 0; i < cache->shard_count; i++) {
        struct shard *shard = &cache->shards[i];
        struct cache_stats part;

        lock_take(&shard->lock);
        part = shard->stats;
        part.entries = shard->count;
        part.bytes = bytes_of(shard);
        part.bytes_most = shard->bytes_most;
        lock_drop(&shard->lock);
        out->entries += part.entries;
        out->bytes += part.bytes;
        out->bytes_most += part.bytes_most;
        out->hits += part.hits;
        out->misses += part.misses;
        out->stored += part.stored;
        out->refused += part.refused;
        out->evicted += part.evicted;
        out->expired += part.expired;
        out->purged += part.purged;
        add_saved(&out->saved, part.saved);
    }
}

unsigned
cache_shards(const struct cache *cache)
{
    return cache->shard_count;
}

size_t
cache_hold_all(struct cache *cache, unsigned which, struct cache_held **out)
{
    struct shard *shard = &cache->shards[which];
    size_t count;

    ENSURE(which < cache->shard_count);
    lock_take(&shard->lock);
    count = shard->count;
    *out = must_alloc((count + 1) * sizeof(struct cache_held));
    for (size_t i = 0; i < count; i++)
        (*out)[i] = (struct cache_held){cache_entry_hold(shard->heap[i]), shard->heap[i]->place.uses};
    lock_drop(&shard->lock);
    return count;
}
