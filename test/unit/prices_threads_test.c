/* One price book is asked by all workers at once, and each gets the same handles. */
/* labels: threads */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "money/prices/prices.h"

enum { THREADS = 4, ROUNDS = 400, NAMES = 50 };

struct asker {
    pthread_t thread;
    struct price_book *book;
    const struct price *found[NAMES];
    unsigned surprises;
};

static void
make_name(int i, char *out, size_t size)
{
    snprintf(out, size,
             i % 3 == 0   ? "gpt-5-2025-08-%02d"
             : i % 3 == 1 ? "claude-opus-4-7-202511%02d"
                          : "unheard-of-%d",
             i);
}

static void *
ask(void *argument)
{
    struct asker *asker = argument;
    char name[64];

    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < NAMES; i++) {
            const struct price *price;

            make_name(i, name, sizeof name);
            price = prices_resolve(asker->book, "b", i % 3 == 1 ? "anthropic" : "openai", slice_of(name));
            asker->surprises += round > 0 && price != asker->found[i];
            asker->found[i] = price;
        }
    prices_release(asker->book);
    return NULL;
}

static void
all_threads_get_the_same_handles(void **state)
{
    struct price_book *book = prices_builtin();
    static struct asker askers[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++) {
        askers[i].book = prices_hold(book);
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask, &askers[i]), 0);
    }
    prices_release(book);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(askers[i].thread, NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(askers[i].surprises, 0);
        assert_memory_equal(askers[i].found, askers[0].found, sizeof askers[0].found);
    }
    assert_non_null(askers[0].found[0]);
    assert_non_null(askers[0].found[1]);
    assert_null(askers[0].found[2]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_threads_get_the_same_handles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
