/* labels: threads */
/* What is known of stored answers by their meaning, kept in step with the store by many threads at once: some store, some
 * purge, one writes the file. For TSan; and afterwards nothing is known of an answer that is gone, in memory or in the file. */
#include <pthread.h>
#include <unistd.h>

#include "base/rng.h"
#include "cmocka_ready.h"
#include "config/config.h"
#include "gateway/reuse/turn_keeper.h"
#include "ledger_fixture.h"
#include "levers/pays.h"
#include "live/cache_disk.h"

enum { STORERS = 3, ROUNDS = 1500, KEYS = 200, PURGES = 60 };

static const char config_text[] = "backends:\n"
                                  "  alpha: { url: \"http://alpha.example\", models: [ big ] }\n"
                                  "routes:\n"
                                  "  assistant: { reference: alpha/big }\n";

struct house {
    struct config *config;
    struct log log;
    struct gateway gateway;
    struct cache_notes *notes;
    char *dir;
    atomic_bool over;
};

struct storer {
    pthread_t thread;
    struct house *house;
    uint64_t seed;
};

static struct digest
key_of(uint64_t number)
{
    return hash_sha256(slice_make((const char *)&number, sizeof(number)));
}

static struct semantic_turn
turn_of(const struct house *house, uint64_t number)
{
    struct semantic_turn turn = {.partition = number % 3, .check = number % 3};

    for (unsigned i = 0; i < embedder_dims(house->gateway.embedder); i++)
        turn.vector[i] = (int8_t)(rng_mix(number + i) % 200 - 100);
    return turn;
}

static void
put(struct house *house, uint64_t number)
{
    struct cache_facts facts = {.key = key_of(number),
                                .status = 200,
                                .form = CACHE_TEXT,
                                .tenant = number % 2 != 0 ? SLICE_LITERAL("odd") : SLICE_LITERAL("even"),
                                .cost = 1,
                                .ttl_us = USEC_NEVER};
    uint64_t purges = cache_purges(house->gateway.cache);
    struct cache_entry *entry = cache_entry_new(&facts, SLICE_LITERAL("{\"an\":\"answer\"}"), 1000);
    struct semantic_turn turn = turn_of(house, number);
    struct promotion promotion = {key_of(number + 1000), facts.key, 0, 7};

    if (cache_put(house->gateway.cache, entry, purges) != OK)
        return;
    turns_remember(&house->gateway, &turn, &facts.key);
    turns_promote(&house->gateway, &promotion);
}

static void *
store(void *argument)
{
    struct storer *storer = argument;
    struct house *house = storer->house;
    struct pay_book *book = pay_books_at(&house->gateway.paying, "assistant", "semantic_cache");
    struct rng rng;

    rng_seed(&rng, storer->seed);
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t number = rng_below(&rng, KEYS);
        struct semantic_turn turn = turn_of(house, number);
        struct semantic_matches near;
        bool looks;

        (void)pay_book_request(book, &looks);
        put(house, number);
        semantic_index_search(house->gateway.turns, &turn, &near);
        (void)pay_book_learn(book, &(struct pay){.spent = 1, .found = near.count > 0, .worth = 2, .bought = 1});
    }
    return NULL;
}

static void *
purge(void *argument)
{
    struct house *house = argument;

    for (unsigned i = 0; i < PURGES; i++) {
        cache_purge(house->gateway.cache, CACHE_TENANT, cache_mark_of(SLICE_LITERAL("odd")));
        turns_forget_gone(&house->gateway);
        usleep(1000);
    }
    return NULL;
}

static void *
write_down(void *argument)
{
    struct house *house = argument;

    while (!atomic_load(&house->over)) {
        assert_int_equal(cache_file_write(house->gateway.cache_file), OK);
        usleep(500);
    }
    return NULL;
}

static void
open_house(struct house *house, const char *path)
{
    struct problems problems = {0};
    struct cache_disk *disk;

    assert_int_equal(config_load(NULL, slice_of(config_text), &problems, &house->config), OK);
    gateway_init(&house->gateway, house->config, &house->log, 1);
    gateway_open_meanings(&house->gateway);
    house->notes = turn_keeper_new(&house->gateway);
    assert_int_equal(cache_disk_open(path, &problems, &disk), OK);
    house->gateway.cache_file = cache_file_open(house->gateway.cache, disk, &house->gateway.secret, house->notes, 1);
    turns_forget_gone(&house->gateway);
    problems_free(&problems);
}

static void
close_house(struct house *house)
{
    cache_file_close(house->gateway.cache_file);
    turn_keeper_free(house->notes);
    gateway_free(&house->gateway);
    config_release(house->config);
}

/* How many turns there are; each answer that they are of is there. */
static uint64_t
count_turns(struct house *house)
{
    struct semantic_turn turn;
    struct promotion promotion;
    struct digest key;
    uint64_t at = 0, count = 0;

    for (; semantic_index_next(house->gateway.turns, &at, &turn, &key); count++)
        assert_true(cache_has(house->gateway.cache, &key));
    at = 0;
    while (promotions_next(house->gateway.promotions, &at, &promotion))
        assert_true(cache_has(house->gateway.cache, &promotion.answer));
    return count;
}

static void
turns_and_answers_stay_together(void **state)
{
    struct house house = {.log = log_to_stderr(LOG_ERROR)}, again = {.log = log_to_stderr(LOG_ERROR)};
    struct storer storers[STORERS];
    pthread_t purger, writer;
    char path[512];
    uint64_t count;

    (void)state;
    house.dir = fixture_dir();
    snprintf(path, sizeof(path), "%s/answers.cache", house.dir);
    open_house(&house, path);
    assert_int_equal(pthread_create(&writer, NULL, write_down, &house), 0);
    assert_int_equal(pthread_create(&purger, NULL, purge, &house), 0);
    for (unsigned i = 0; i < STORERS; i++) {
        storers[i] = (struct storer){.house = &house, .seed = i};
        assert_int_equal(pthread_create(&storers[i].thread, NULL, store, &storers[i]), 0);
    }
    for (unsigned i = 0; i < STORERS; i++)
        pthread_join(storers[i].thread, NULL);
    pthread_join(purger, NULL);
    atomic_store(&house.over, true);
    pthread_join(writer, NULL);
    cache_purge(house.gateway.cache, CACHE_TENANT, cache_mark_of(SLICE_LITERAL("odd")));
    turns_forget_gone(&house.gateway);
    count = count_turns(&house);
    assert_int_equal(count, KEYS / 2); /* all others were stored by now */
    close_house(&house);
    open_house(&again, path);
    assert_int_equal(count_turns(&again), count);
    close_house(&again);
    fixture_remove_dir(house.dir);
}

/* An answer that was purged while its turn was on the way here leaves nothing behind. */
static void
what_is_gone_meanwhile_is_not_remembered(void **state)
{
    struct house house = {.log = log_to_stderr(LOG_ERROR)};
    char path[512];
    struct semantic_turn turn;
    struct digest gone = key_of(1);
    struct promotion promotion = {key_of(2), gone, 0, 7};

    (void)state;
    house.dir = fixture_dir();
    snprintf(path, sizeof(path), "%s/answers.cache", house.dir);
    open_house(&house, path);
    turn = turn_of(&house, 1);
    turns_remember(&house.gateway, &turn, &gone);
    turns_promote(&house.gateway, &promotion);
    assert_int_equal(count_turns(&house), 0);
    close_house(&house);
    fixture_remove_dir(house.dir);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns_and_answers_stay_together),
        cmocka_unit_test(what_is_gone_meanwhile_is_not_remembered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
