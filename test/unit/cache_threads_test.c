/* labels: threads */
/* The store under many threads at once: for TSan, and for sums that must agree afterwards. */
#include <pthread.h>

#include "base/rng.h"
#include "cache/store.h"
#include "cmocka_ready.h"

enum { THREADS = 6, ROUNDS = 6000, KEYS = 300, CONTENT_MOST = 3000 };

struct worker {
    pthread_t thread;
    struct cache *cache;
    uint64_t seed;
    uint64_t lookups, puts;
    usd saved;
};

static struct digest
key_of(uint64_t number)
{
    uint64_t words[4] = {rng_mix(number), rng_mix(~number), number, 0};
    struct digest key;

    memcpy(key.bytes, words, sizeof(key.bytes));
    return key;
}

/* An answer says its own number in every byte. */
static void
fill(struct worker *worker, struct rng *rng, uint64_t number)
{
    char content[CONTENT_MOST];
    size_t len = 1 + (size_t)rng_below(rng, CONTENT_MOST);
    struct cache_facts facts = {.key = key_of(number),
                                .status = 200,
                                .tenant = number % 2 != 0 ? SLICE_LITERAL("a") : SLICE_LITERAL("b"),
                                .cost = (usd)number,
                                .ttl_us = USEC_NEVER};
    struct cache_entry *entry;
    enum status status;

    memset(content, (int)(number & 0xff), len);
    entry = cache_entry_new(&facts, slice_make(content, len), 1000);
    status = cache_put(worker->cache, entry, cache_purges(worker->cache));
    worker->puts++;
    (void)status;
}

static void
read_one(struct worker *worker, uint64_t number)
{
    struct digest key = key_of(number);
    struct cache_entry *entry = cache_lookup(worker->cache, &key, 1, USEC_NEVER);
    struct chunk *content;

    worker->lookups++;
    if (entry == NULL)
        return;
    content = cache_entry_content(entry);
    for (size_t i = 0; i < content->len; i++)
        ENSURE((unsigned char)content->data[i] == (number & 0xff));
    chunk_release(content);
    cache_used(worker->cache, entry, 3);
    worker->saved += 3;
    cache_entry_release(entry);
}

static void *
work(void *user)
{
    struct worker *worker = user;
    struct cache_held *all;
    struct rng rng;

    rng_seed(&rng, worker->seed);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t number = rng_below(&rng, KEYS), what = rng_below(&rng, 1000);

        if (what < 300) {
            fill(worker, &rng, number);
        } else if (what < 995) {
            read_one(worker, number);
        } else if (what < 997) {
            cache_purge(worker->cache, CACHE_TENANT, cache_mark_of(SLICE_LITERAL("a")));
        } else if (what < 999) {
            cache_sweep(worker->cache, 2, 50);
        } else {
            size_t count = cache_hold_all(worker->cache, (unsigned)number % cache_shards(worker->cache), &all);

            for (size_t j = 0; j < count; j++)
                cache_entry_release(all[j].entry);
            free(all);
        }
    }
    return NULL;
}

static void
sums_agree(void **state)
{
    static const size_t bounds[] = {60 * 1000, (size_t)32 << 20};

    (void)state;
    for (size_t round = 0; round < 2; round++) {
        struct cache *cache = cache_new(bounds[round]);
        struct worker workers[THREADS] = {{0}};
        struct cache_stats stats;
        uint64_t lookups = 0, puts = 0;
        usd saved = 0;

        for (int i = 0; i < THREADS; i++) {
            workers[i].cache = cache;
            workers[i].seed = (uint64_t)i + 1;
            assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
        }
        for (int i = 0; i < THREADS; i++) {
            pthread_join(workers[i].thread, NULL);
            lookups += workers[i].lookups;
            puts += workers[i].puts;
            saved += workers[i].saved;
        }
        cache_stats(cache, &stats);
        assert_int_equal(stats.hits + stats.misses, lookups);
        assert_true(stats.stored <= puts && stats.stored + stats.refused >= puts);
        assert_true(stats.saved == saved);
        assert_true(stats.bytes <= bounds[round]);
        assert_true(stats.hits > 0 && stats.purged > 0);
        assert_true(round != 0 || stats.evicted > 0);
        cache_purge(cache, CACHE_MARKS, 0);
        cache_stats(cache, &stats);
        assert_int_equal(stats.entries, 0);
        cache_free(cache);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sums_agree)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
