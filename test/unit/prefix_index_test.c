/* What engines are expected to keep: against a plain list of what each was sent. */
/* labels: threads */
#include "fleet/dispatch/prefix_index.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/rng.h"
#include "cmocka_ready.h"

enum { TEXT = 64 * 1024 };

static struct prefix_chain *
chain_of(const char *first, size_t first_len, const char *second, size_t second_len, uint64_t salt)
{
    const struct slice pieces[] = {slice_make(first, first_len), slice_make(second, second_len)};

    return prefix_chain_new(pieces, 2, salt);
}

static char *
random_text(uint64_t seed, size_t len)
{
    char *text = must_alloc(len);
    struct rng rng;

    rng_seed(&rng, seed);
    for (size_t i = 0; i < len; i++)
        text[i] = (char)('a' + rng_below(&rng, 26));
    return text;
}

static unsigned
shared(const struct prefix_chain *a, const struct prefix_chain *b)
{
    unsigned count = 0;

    while (count < a->count && count < b->count && a->blocks[count].hash == b->blocks[count].hash)
        count++;
    return count;
}

static void
prompts_that_begin_alike_share_their_start(void **state)
{
    char *text = random_text(1, TEXT), *other = random_text(2, TEXT);
    struct prefix_chain *whole = chain_of(text, TEXT, "", 0, 7),
                        *split = chain_of(text, 1000, text + 1000, TEXT - 1000, 7);
    struct prefix_chain *again = chain_of(text, 1000, text + 1000, TEXT - 1000, 7);
    struct prefix_chain *forked, *salted = chain_of(text, TEXT, "", 0, 8), *tiny = chain_of(text, 255, "", 0, 7);

    (void)state;
    assert_int_equal(whole->bytes, TEXT);
    assert_int_equal(shared(whole, split), 1000 / PREFIX_BLOCK_BYTES); /* tools are not turns */
    assert_int_equal(shared(split, again), split->count);
    assert_int_equal(shared(whole, salted), 0);
    assert_int_equal(tiny->count, 0);
    assert_true(whole->blocks[whole->count - 1].end <= TEXT);
    for (size_t at = 0; at < TEXT; at += 997) {
        unsigned blocks;

        forked = chain_of(text, at, other, TEXT - at, 7);
        blocks = shared(whole, forked);
        /* To a block and a 128th, and never more than is true. */
        assert_true(blocks == 0 || whole->blocks[blocks - 1].end <= at + 3); /* letters may be the same by chance */
        assert_true((blocks == 0 ? 0 : whole->blocks[blocks - 1].end) + PREFIX_BLOCK_BYTES + at / 128 + 1 >= at);
        prefix_chain_release(forked);
    }
    prefix_chain_release(whole);
    prefix_chain_release(split);
    prefix_chain_release(again);
    prefix_chain_release(salted);
    prefix_chain_release(tiny);
    free(text);
    free(other);
}

static void
the_longest_prompt_has_so_many_blocks(void **state)
{
    size_t len = (size_t)64 << 20;
    char *text = must_calloc(1, len);
    struct prefix_chain *chain = chain_of(text, len, "", 0, 0);

    (void)state;
    assert_true(chain->count <= PREFIX_BLOCKS_MOST);
    assert_true(chain->blocks[chain->count - 1].end > len - len / 100);
    assert_int_equal(prefix_chain_tokens(chain, 0, 1000), 0);
    assert_in_range(prefix_chain_tokens(chain, chain->count, 1000), 985, 1000);
    prefix_chain_release(chain);
    free(text);
}

static void
an_index_knows_who_has_read_what(void **state)
{
    struct replicas all;
    struct prefix_index *index = prefix_index_new();
    char *text = random_text(1, TEXT), *other = random_text(2, TEXT);
    struct prefix_chain *chain = chain_of(text, TEXT, "", 0, 7), *half = chain_of(text, TEXT / 2, other, TEXT / 2, 7);
    struct replica *replicas[3];
    unsigned blocks[3], common = shared(chain, half);

    (void)state;
    replicas_init(&all);
    replicas[0] = replicas_of(&all, "a:1", NULL);
    replicas[1] = replicas_of(&all, "b:1", NULL);
    replicas[2] = replicas_of(&all, "c:1", NULL);
    prefix_index_match(index, chain, 1, replicas, 3, blocks);
    assert_int_equal(blocks[0] + blocks[1] + blocks[2], 0);
    prefix_index_learn(index, replicas[0], chain, 1, (uint64_t)4 * TEXT);
    prefix_index_learn(index, replicas[2], half, 1, (uint64_t)4 * TEXT);
    prefix_index_match(index, chain, 1, replicas, 3, blocks);
    assert_int_equal(blocks[0], chain->count);
    assert_int_equal(blocks[1], 0);
    assert_int_equal(blocks[2], common);
    prefix_index_match(index, chain, 2, replicas, 3, blocks); /* another model */
    assert_int_equal(blocks[0] + blocks[1] + blocks[2], 0);
    prefix_index_forget(index, replicas[2], half, 1, 0);
    prefix_index_match(index, chain, 1, replicas, 3, blocks);
    assert_int_equal(blocks[2], 0);
    assert_int_equal(blocks[0], chain->count);
    prefix_index_check(index);
    /* Room for half: the end of it goes first. */
    prefix_index_learn(index, replicas[1], chain, 1, TEXT / 2);
    prefix_index_match(index, chain, 1, replicas, 3, blocks);
    assert_true(chain->blocks[blocks[1] - 1].end <= TEXT / 2 && chain->blocks[blocks[1]].end > TEXT / 2);
    prefix_index_check(index);
    prefix_chain_release(chain);
    prefix_chain_release(half);
    prefix_index_free(index);
    replicas_free(&all);
    free(text);
    free(other);
}

/* Every place is told apart, and the oldest makes way, whatever was asked in between. */
static void
the_least_recently_used_goes_first(void **state)
{
    struct replicas all;
    struct prefix_index *index = prefix_index_new();
    struct prefix_chain *chains[8];
    struct replica *replica;
    struct prefix_index_stats stats;
    unsigned blocks;

    (void)state;
    replicas_init(&all);
    replica = replicas_of(&all, "a:1", NULL);
    for (unsigned i = 0; i < 8; i++) {
        char *text = random_text(100 + i, 8192);

        chains[i] = chain_of(text, 8192, "", 0, 0);
        free(text);
        prefix_index_learn(index, replica, chains[i], 0, (uint64_t)4 * 8192);
        prefix_index_learn(index, replica, chains[0], 0, (uint64_t)4 * 8192); /* in use all the time */
    }
    for (unsigned i = 0; i < 8; i++) {
        prefix_index_match(index, chains[i], 0, &replica, 1, &blocks);
        assert_int_equal(blocks, i == 0 || i >= 5 ? chains[i]->count : 0);
        prefix_chain_release(chains[i]);
    }
    prefix_index_stats(index, &stats);
    assert_int_equal(stats.places, 1);
    assert_int_equal(stats.kept, 4 * 32);
    assert_int_equal(stats.evicted, 4 * 32);
    prefix_index_check(index);
    prefix_index_free(index);
    replicas_free(&all);
}

static void
more_places_than_there_is_room_for_take_turns(void **state)
{
    struct replicas all;
    struct prefix_index *index = prefix_index_new();
    char *text = random_text(1, 4096);
    struct prefix_chain *chain = chain_of(text, 4096, "", 0, 0);
    struct prefix_index_stats stats;
    unsigned blocks;

    (void)state;
    replicas_init(&all);
    for (unsigned i = 0; i < PREFIX_PLACES_MOST + 10; i++) {
        char name[32];
        struct replica *replica;

        snprintf(name, sizeof(name), "host-%u:80", i);
        replica = replicas_of(&all, name, NULL);
        prefix_index_learn(index, replica, chain, 0, 1 << 20);
        prefix_index_match(index, chain, 0, &replica, 1, &blocks);
        assert_int_equal(blocks, chain->count);
    }
    prefix_index_stats(index, &stats);
    assert_int_equal(stats.places, PREFIX_PLACES_MOST);
    assert_int_equal(stats.known, chain->count);
    prefix_index_check(index);
    prefix_chain_release(chain);
    prefix_index_free(index);
    replicas_free(&all);
    free(text);
}

struct shared_index {
    struct prefix_index *index;
    struct replica *replica;
    uint64_t seed;
};

static void *
learn_and_forget(void *context)
{
    struct shared_index *of = context;

    for (uint64_t i = 0; i < 200; i++) {
        char *text = random_text(of->seed + i % 7, 8192);
        struct prefix_chain *chain = chain_of(text, 8192, "", 0, 0);
        unsigned blocks;

        prefix_index_learn(of->index, of->replica, chain, 0, (uint64_t)3 * 8192);
        prefix_index_match(of->index, chain, 0, &of->replica, 1, &blocks);
        if (i % 5 == 0)
            prefix_index_forget(of->index, of->replica, chain, 0, (unsigned)(i % 10));
        prefix_chain_release(chain);
        free(text);
    }
    return NULL;
}

static void
many_threads_share_one(void **state)
{
    struct replicas all;
    struct prefix_index *index = prefix_index_new();
    struct shared_index of[4];
    pthread_t threads[4];

    (void)state;
    replicas_init(&all);
    for (unsigned i = 0; i < 4; i++) {
        of[i] = (struct shared_index){index, replicas_of(&all, i % 2 == 0 ? "a:1" : "b:1", NULL), 50 + i};
        assert_int_equal(pthread_create(&threads[i], NULL, learn_and_forget, &of[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    prefix_index_check(index);
    prefix_index_free(index);
    replicas_free(&all);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prompts_that_begin_alike_share_their_start),
        cmocka_unit_test(the_longest_prompt_has_so_many_blocks),
        cmocka_unit_test(an_index_knows_who_has_read_what),
        cmocka_unit_test(the_least_recently_used_goes_first),
        cmocka_unit_test(more_places_than_there_is_room_for_take_turns),
        cmocka_unit_test(many_threads_share_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
