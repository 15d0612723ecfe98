/* The store of answers: what is kept, what goes first, who finds what. */
#include "cache/store.h"

#include "base/rng.h"
#include "cmocka_ready.h"

#define SECOND USEC_PER_S

static struct digest
key_of(uint64_t number)
{
    uint64_t words[4] = {rng_mix(number), rng_mix(number + 1), number, 0};
    struct digest key;

    memcpy(key.bytes, words, sizeof(key.bytes));
    return key;
}

static struct cache_facts
facts_of(uint64_t number)
{
    return (struct cache_facts){.key = key_of(number),
                                .api = API_CHAT,
                                .status = 200,
                                .tenant = SLICE_LITERAL("acme"),
                                .key_name = SLICE_LITERAL("web"),
                                .route = SLICE_LITERAL("assistant"),
                                .model = SLICE_LITERAL("openai/m"),
                                .cost = 1000,
                                .created_wall_us = 100 * SECOND,
                                .ttl_us = USEC_NEVER};
}

/* `len` bytes that do not compress. */
static struct cache_entry *
entry_of(const struct cache_facts *facts, size_t len)
{
    char *content = must_alloc(len + 1);
    struct cache_entry *entry;

    memset(content, 'x', len);
    entry = cache_entry_new(facts, slice_make(content, len), SIZE_MAX);
    free(content);
    return entry;
}

static enum status
put(struct cache *cache, const struct cache_facts *facts, size_t len)
{
    return cache_put(cache, entry_of(facts, len), cache_purges(cache));
}

static bool
finds(struct cache *cache, uint64_t number, usec now, usec max_age)
{
    struct digest key = key_of(number);
    struct cache_entry *entry = cache_lookup(cache, &key, now, max_age);
    bool found = entry != NULL;

    cache_entry_release(entry);
    return found;
}

static void
what_is_stored_is_found(void **state)
{
    struct cache *cache = cache_new(1 << 20);
    struct cache_facts facts = facts_of(1);
    struct digest key = key_of(1);
    struct cache_entry *entry;
    struct usage usage, read;
    struct chunk *content;

    (void)state;
    usage_init(&usage);
    usage_set(&usage, USAGE_input_tokens, 120);
    usage_set(&usage, USAGE_output_tokens, 0);
    usage.exactness = USAGE_EXACT;
    strcpy(usage.service_tier, "flex");
    facts.usage = &usage;
    facts.first_token_us = 3;
    facts.total_us = 4;
    facts.form = 7;
    assert_int_equal(put(cache, &facts, 10), OK);
    assert_false(finds(cache, 2, 100 * SECOND, USEC_NEVER));
    entry = cache_lookup(cache, &key, 101 * SECOND, USEC_NEVER);
    assert_non_null(entry);
    content = cache_entry_content(entry);
    assert_true(slice_is(chunk_bytes(content), "xxxxxxxxxx"));
    assert_int_equal(entry->status, 200);
    assert_int_equal(entry->form, 7);
    assert_int_equal(entry->api, API_CHAT);
    assert_int_equal(entry->first_token_us, 3);
    assert_int_equal(entry->total_us, 4);
    assert_int_equal(entry->cost, 1000);
    assert_int_equal(cache_entry_age_us(entry, 101 * SECOND), SECOND);
    cache_entry_usage(entry, &read);
    assert_memory_equal(&read, &usage, sizeof(usage));
    chunk_release(content);
    cache_free(cache);
    cache_entry_release(entry); /* may outlive the store */
}

static void
large_answers_are_compressed(void **state)
{
    enum { LEN = 10000 };
    struct cache_facts facts = facts_of(1);
    struct cache_entry *entry;
    struct chunk *content;
    char *text = must_alloc(LEN);
    struct rng rng;

    (void)state;
    for (size_t i = 0; i < LEN; i++)
        text[i] = (char)('a' + i % 7);
    entry = cache_entry_new(&facts, slice_make(text, LEN), 4096);
    assert_true(entry->packed);
    assert_true(cache_entry_bytes(entry) < LEN / 4);
    assert_int_equal(entry->len, LEN);
    content = cache_entry_content(entry);
    assert_true(slice_equal(chunk_bytes(content), slice_make(text, LEN)));
    chunk_release(content);

    /* Damaged, it is no answer. */
    entry->content->data[entry->content->len / 2] ^= 0x55;
    entry->len--;
    assert_null(cache_entry_content(entry));
    cache_entry_release(entry);

    rng_seed(&rng, 1);
    for (size_t i = 0; i < LEN; i++)
        text[i] = (char)rng_next(&rng);
    entry = cache_entry_new(&facts, slice_make(text, LEN), 4096);
    assert_false(entry->packed); /* it would not have got smaller */
    content = cache_entry_content(entry);
    assert_true(slice_equal(chunk_bytes(content), slice_make(text, LEN)));
    chunk_release(content);
    cache_entry_release(entry);
    entry = cache_entry_new(&facts, slice_first(slice_make(text, LEN), 4096), 4096);
    assert_false(entry->packed);
    cache_entry_release(entry);
    free(text);
}

static void
time_passes(void **state)
{
    struct cache *cache = cache_new(1 << 20);
    struct cache_facts facts = facts_of(1);
    struct cache_stats stats;

    (void)state;
    facts.ttl_us = 10 * SECOND;
    assert_int_equal(put(cache, &facts, 10), OK);
    facts.key = key_of(2);
    assert_int_equal(put(cache, &facts, 10), OK);
    assert_true(finds(cache, 1, 50 * SECOND, 0)); /* the clock was put back */
    assert_true(finds(cache, 1, 105 * SECOND, 5 * SECOND));
    assert_false(finds(cache, 1, 105 * SECOND + 1, 5 * SECOND));
    assert_true(finds(cache, 1, 110 * SECOND - 1, USEC_NEVER));
    assert_false(finds(cache, 1, 110 * SECOND, USEC_NEVER));
    cache_stats(cache, &stats);
    assert_int_equal(stats.expired, 1);
    assert_int_equal(stats.entries, 1);
    assert_int_equal(stats.hits, 3);
    assert_int_equal(stats.misses, 2);
    cache_sweep(cache, 109 * SECOND, 100);
    assert_true(finds(cache, 2, 109 * SECOND, USEC_NEVER));
    cache_sweep(cache, 111 * SECOND, 100);
    cache_stats(cache, &stats);
    assert_int_equal(stats.expired, 2);
    assert_int_equal(stats.entries, 0);
    cache_free(cache);
}

static void
purges_drop_what_they_name(void **state)
{
    struct cache *cache = cache_new((size_t)256 << 20);
    struct cache_stats stats;

    (void)state;
    for (uint64_t i = 0; i < 600; i++) {
        struct cache_facts facts = facts_of(i);

        facts.tenant = i % 2 != 0 ? SLICE_LITERAL("acme") : SLICE_LITERAL("other");
        facts.key_name = i % 3 != 0 ? SLICE_LITERAL("web") : SLICE_LITERAL("batch");
        facts.model = i % 5 != 0 ? SLICE_LITERAL("openai/m") : SLICE_LITERAL("openai/n");
        assert_int_equal(put(cache, &facts, 100), OK);
    }
    assert_int_equal(cache_purge(cache, CACHE_TENANT, cache_mark_of(SLICE_LITERAL("nobody"))), 0);
    assert_int_equal(cache_purge(cache, CACHE_TENANT, cache_mark_of(SLICE_LITERAL("other"))), 300);
    assert_int_equal(cache_purge(cache, CACHE_KEY_NAME, cache_mark_of(SLICE_LITERAL("batch"))), 100);
    assert_int_equal(cache_purge(cache, CACHE_MODEL, cache_mark_of(SLICE_LITERAL("openai/n"))), 40);
    for (uint64_t i = 0; i < 600; i++)
        assert_int_equal(finds(cache, i, 100 * SECOND, USEC_NEVER), i % 2 != 0 && i % 3 != 0 && i % 5 != 0);
    assert_int_equal(cache_purge(cache, CACHE_MARKS, 0), 160);
    cache_stats(cache, &stats);
    assert_int_equal(stats.entries, 0);
    assert_int_equal(stats.purged, 600);
    cache_free(cache);
}

static void
what_was_under_way_during_a_purge_is_not_stored(void **state)
{
    struct cache *cache = cache_new(1 << 20);
    struct cache_facts facts = facts_of(1);
    uint64_t before = cache_purges(cache);

    (void)state;
    assert_int_equal(cache_purge(cache, CACHE_TENANT, 1), 0);
    assert_int_equal(cache_put(cache, entry_of(&facts, 10), before), ERR_STOPPING);
    assert_false(finds(cache, 1, 100 * SECOND, USEC_NEVER));
    assert_int_equal(put(cache, &facts, 10), OK);
    cache_free(cache);
}

static void
what_is_too_large_is_refused(void **state)
{
    struct cache *cache = cache_new(1 << 20);
    struct cache_facts facts = facts_of(1);
    struct cache_stats stats;

    (void)state;
    facts.cost = INT64_MAX;
    assert_int_equal(put(cache, &facts, 2 << 20), ERR_FULL);
    cache_stats(cache, &stats);
    assert_int_equal(stats.refused, 1);
    assert_int_equal(stats.entries, 0);
    cache_free(cache);
}

static void
a_smaller_bound_holds_at_once(void **state)
{
    struct cache *cache = cache_new(1 << 20);
    struct cache_stats stats;

    (void)state;
    for (uint64_t i = 0; i < 500; i++) {
        struct cache_facts facts = facts_of(i);

        assert_int_equal(put(cache, &facts, 1000), OK);
    }
    cache_resize(cache, 1 << 18);
    cache_stats(cache, &stats);
    assert_true(stats.bytes <= 1 << 18 && stats.entries > 100);
    cache_free(cache);
}

/* GreedyDual-Size-Frequency as it stands in the paper, over a plain list: the same entries must be there after each
 * step. */

enum { KEYS = 400, STEPS = 20000, BYTES_MOST = 100000 };

struct naive {
    bool here[KEYS];
    wide_int priority[KEYS];
    uint64_t touched[KEYS], uses[KEYS], now;
    usd cost[KEYS];
    size_t bytes[KEYS];
    wide_int clock;
    size_t count, slots, heap_size; /* of the store's tables, which double and take their share of the room */
};

static void
naive_touch(struct naive *naive, size_t key)
{
    naive->priority[key] =
        naive->clock + (wide_int)naive->cost[key] * 1024 * (wide_int)naive->uses[key] / (wide_int)naive->bytes[key];
    naive->touched[key] = ++naive->now;
}

static size_t
naive_least(const struct naive *naive)
{
    size_t least = KEYS;

    for (size_t i = 0; i < KEYS; i++)
        if (naive->here[i] &&
            (least == KEYS || naive->priority[i] < naive->priority[least] ||
             (naive->priority[i] == naive->priority[least] && naive->touched[i] < naive->touched[least])))
            least = i;
    return least;
}

static void
naive_evict(struct naive *naive)
{
    for (;;) {
        size_t sum = 16 * naive->slots + 8 * naive->heap_size, least = naive_least(naive);

        for (size_t i = 0; i < KEYS; i++)
            sum += naive->here[i] ? naive->bytes[i] : 0;
        if (sum <= BYTES_MOST)
            return;
        naive->clock = naive->priority[least];
        naive->here[least] = false;
        naive->count--;
    }
}

static void
compare(struct cache *cache, const struct naive *naive)
{
    size_t count = 0;
    struct cache_held *all;
    size_t held = cache_hold_all(cache, 0, &all);

    for (size_t i = 0; i < KEYS; i++)
        count += naive->here[i];
    assert_int_equal(held, count);
    for (size_t i = 0; i < held; i++) {
        uint64_t number;

        memcpy(&number, all[i].entry->key.bytes + 16, sizeof(number));
        assert_true(naive->here[number]);
        assert_true(all[i].entry->place.priority == naive->priority[number]);
        cache_entry_release(all[i].entry);
    }
    free(all);
}

static void
naive_put(struct naive *naive, size_t key, usd cost, size_t bytes)
{
    naive->uses[key] = naive->here[key] ? naive->uses[key] + 1 : 1;
    naive->cost[key] = cost;
    naive->bytes[key] = bytes;
    naive->count -= naive->here[key];
    naive->here[key] = true;
    naive->slots *= 4 * (naive->count + 1) > 3 * naive->slots ? 2 : 1;
    naive->heap_size *= naive->count == naive->heap_size ? 2 : 1;
    naive->count++;
    naive_touch(naive, key);
    naive_evict(naive);
}

static void
steps(struct cache *cache, struct naive *naive, struct rng *rng)
{
    for (int i = 0; i < STEPS; i++) {
        size_t key = (size_t)(rng_below(rng, 2) == 0 ? rng_below(rng, KEYS) : rng_below(rng, 20));
        struct cache_facts facts = facts_of(key);
        struct cache_entry *entry;

        if (rng_below(rng, 3) == 0) {
            facts.cost = rng_below(rng, 3) == 0 ? 0 : (usd)rng_below(rng, 1000000);
            entry = entry_of(&facts, (size_t)rng_below(rng, 4000));
            naive_put(naive, key, facts.cost, cache_entry_bytes(entry));
            assert_int_equal(cache_put(cache, entry, 0), naive->here[key] ? OK : ERR_FULL);
        } else if ((entry = cache_lookup(cache, &facts.key, 0, USEC_NEVER)) != NULL) {
            cache_used(cache, entry, 5);
            cache_entry_release(entry);
            naive->uses[key]++;
            naive_touch(naive, key);
        }
        if (i % 50 == 0)
            compare(cache, naive);
    }
}

static void
as_the_naive_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct cache *cache = cache_new(BYTES_MOST);
        struct naive *naive = must_calloc(1, sizeof(*naive));
        struct cache_stats stats;
        struct rng rng;

        naive->slots = naive->heap_size = 64;
        rng_seed(&rng, seed);
        steps(cache, naive, &rng);
        cache_stats(cache, &stats);
        assert_true(stats.evicted > 100);
        assert_true(stats.bytes <= BYTES_MOST);
        cache_free(cache);
        free(naive);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_stored_is_found),
        cmocka_unit_test(large_answers_are_compressed),
        cmocka_unit_test(time_passes),
        cmocka_unit_test(purges_drop_what_they_name),
        cmocka_unit_test(what_was_under_way_during_a_purge_is_not_stored),
        cmocka_unit_test(what_is_too_large_is_refused),
        cmocka_unit_test(a_smaller_bound_holds_at_once),
        cmocka_unit_test(as_the_naive_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
