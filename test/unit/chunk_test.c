/* Chunks held and let go by several threads at once are freed once, by the last. Run under ASan and TSan. */
/* labels: threads */
#include "base/chunk.h"

#include <pthread.h>

#include "cmocka_ready.h"

enum { THREADS = 4, ROUNDS = 20000 };

/* Each thread has a hold of its own when it starts, and drops it as its last act. */
static void *
hold_and_release(void *context)
{
    struct chunk *chunk = context;

    for (int round = 0; round < ROUNDS; round++) {
        struct chunk *held = chunk_hold(chunk);

        if (held->data[round % 5] != "words"[round % 5])
            return "the bytes changed";
        chunk_release(held);
    }
    chunk_release(chunk);
    return NULL;
}

static void
several_threads(void **state)
{
    struct chunk *chunk = chunk_from(SLICE_LITERAL("words"));
    pthread_t threads[THREADS];
    void *wrong;

    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hold_and_release, chunk_hold(chunk)), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    assert_int_equal(atomic_load(&chunk->holders), 1);
    chunk_release(chunk);
}

static void
bytes_are_copied_or_taken_over(void **state)
{
    char text[] = "abc";
    char *given = malloc(3);
    struct chunk *copy = chunk_from(slice_make(text, 3)), *taken, *empty = chunk_take(NULL, 0);

    (void)state;
    memcpy(given, "def", 3);
    taken = chunk_take(given, 3);
    text[0] = 'z';
    assert_true(slice_is(chunk_bytes(copy), "abc"));
    assert_true(slice_is(chunk_bytes(taken), "def"));
    assert_ptr_equal(taken->data, given);
    assert_int_equal(chunk_bytes(empty).len, 0);
    chunk_release(copy);
    chunk_release(taken);
    chunk_release(empty);
    chunk_release(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_threads),
        cmocka_unit_test(bytes_are_copied_or_taken_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
