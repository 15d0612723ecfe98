/* Two thousand random histories; test/soak plays a million. */
#include "chaos.h"

#include "base/text.h"

enum { HISTORIES = 2000 };

static uint64_t
play(void **state, uint64_t seed)
{
    static struct chaos_script script;
    uint64_t digest;

    chaos_write(seed, &script);
    digest = chaos_play(state, &script);
    return digest;
}

static void
random_histories_lose_nothing(void **state)
{
    for (uint64_t seed = 1; seed <= HISTORIES; seed++)
        play(state, seed);
}

static void
the_same_seed_is_the_same_history(void **state)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint64_t digest = play(state, seed);

        assert_true(play(state, seed) == digest);
        assert_true(play(state, seed + 1) != digest);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(random_histories_lose_nothing, scene_teardown),
        cmocka_unit_test_teardown(the_same_seed_is_the_same_history, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
