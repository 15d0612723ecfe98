/* Answers under idempotency keys, asked for by many threads at a time. */
#include "gateway/kept.h"

#include <pthread.h>
#include <stdio.h>

#include "cmocka_ready.h"

enum { THREADS = 4, ROUNDS = 3000, KEYS = 7 };

#define KEEP_US (10 * USEC_PER_S)

struct asker {
    struct kept_answers *all;
    atomic_uint *under_way; /* by key */
    uint64_t seed;
    unsigned states[4];
};

static struct kept_answer *
answer_of(unsigned key)
{
    struct kept_answer *answer = kept_new(1000);
    struct chunk *chunk = chunk_from(slice_make("0123456789", key + 1));

    kept_add(answer, (struct kept_chunk){.bytes = chunk});
    kept_add(answer, (struct kept_chunk){.bytes = chunk, .last_event = true});
    chunk_release(chunk);
    answer->id = key;
    return answer;
}

/* A time of its own for each round, so that answers come and go. */
static void
ask(struct asker *asker, unsigned key, usec now_us)
{
    struct kept_answer *answer = NULL;
    struct kept_key *mine = NULL;
    char name[16];
    int len = snprintf(name, sizeof(name), "key %u", key);
    enum kept_state state =
        kept_take(asker->all, slice_make(name, (size_t)len), asker->seed % 50 == 0 ? 1 : 0, now_us, &mine, &answer);

    asker->states[state]++;
    if (state == KEPT_HERE) {
        assert_int_equal(answer->id, key);
        assert_int_equal(answer->len, 2 * (key + 1));
        kept_release(answer);
    } else if (state == KEPT_NONE) {
        assert_int_equal(atomic_fetch_add(&asker->under_way[key], 1), 0); /* nobody else has it */
        answer = asker->seed % 5 == 0 || asker->seed % 50 == 0 ? NULL : answer_of(key);
        atomic_fetch_sub(&asker->under_way[key], 1);
        kept_end(asker->all, mine, answer, now_us, KEEP_US, 1500);
    }
}

static void *
ask_many_times(void *context)
{
    struct asker *asker = context;

    for (usec round = 0; round < ROUNDS; round++) {
        asker->seed = asker->seed * 6364136223846793005u + 1442695040888963407u;
        ask(asker, (unsigned)(asker->seed >> 33) % KEYS, round * USEC_PER_S / 10);
    }
    return NULL;
}

static void
one_thread_at_a_time_makes_an_answer(void **state)
{
    struct kept_answers all;
    atomic_uint under_way[KEYS] = {0};
    pthread_t threads[THREADS];
    struct asker askers[THREADS];

    (void)state;
    kept_init(&all);
    for (unsigned i = 0; i < THREADS; i++) {
        askers[i] = (struct asker){.all = &all, .under_way = under_way, .seed = i};
        assert_int_equal(pthread_create(&threads[i], NULL, ask_many_times, &askers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_true(askers[i].states[KEPT_NONE] > 0 && askers[i].states[KEPT_HERE] > 0);
    }
    assert_true(all.len <= 1500);
    kept_free(&all);
}

static void
a_too_long_answer_holds_nothing(void **state)
{
    struct kept_answer *answer = kept_new(15);
    struct chunk *chunk = chunk_from(SLICE_LITERAL("0123456789"));

    (void)state;
    kept_add(answer, (struct kept_chunk){.bytes = chunk});
    assert_int_equal(answer->len, 10);
    kept_add(answer, (struct kept_chunk){.bytes = chunk});
    assert_true(answer->too_long);
    assert_int_equal(answer->len, 0);
    assert_int_equal(atomic_load(&chunk->holders), 1);
    kept_add(answer, (struct kept_chunk){.bytes = chunk}); /* nor does a short end make it whole */
    assert_int_equal(answer->len, 0);
    kept_release(answer);
    chunk_release(chunk);
}

/* A head may be as large as a body: it counts too. */
static void
heads_take_room(void **state)
{
    static char value[1000];
    struct kept_answers *all = must_calloc(1, sizeof(*all));

    (void)state;
    memset(value, 'x', sizeof(value));
    kept_init(all);
    for (unsigned i = 0; i < 10; i++) {
        struct http_header header = {SLICE_LITERAL("x-note"), {value, sizeof(value)}};
        struct kept_answer *answer = answer_of(1);
        struct http_header *headers = arena_alloc(&answer->arena, sizeof(*headers));
        struct kept_key *mine = NULL;
        struct kept_answer *none = NULL;
        char name = (char)('a' + i);

        *headers = header;
        answer->headers = headers;
        answer->header_count = 1;
        assert_int_equal(kept_take(all, slice_make(&name, 1), 0, 0, &mine, &none), KEPT_NONE);
        kept_end(all, mine, answer, 0, KEEP_US, 5000);
        assert_true(all->len >= (i < 3 ? i + 1 : 3) * sizeof(value));
        assert_true(all->len <= 5000);
    }
    kept_free(all);
    free(all);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_at_a_time_makes_an_answer),
        cmocka_unit_test(a_too_long_answer_holds_nothing),
        cmocka_unit_test(heads_take_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
