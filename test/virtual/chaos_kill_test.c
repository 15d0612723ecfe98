/* Three hundred histories stop dead; test/soak kills ten thousand. */
#include "chaos_kill.h"
#include "chaos_tell.h"

#include <unistd.h>

enum { KILLS = 300, SQLITE_EVERY = 10 };

static void
nothing_is_lost_or_booked_twice(void **state)
{
    static struct chaos_script script;
    char *folder = chaos_kill_folder();

    for (uint64_t seed = 1; seed <= KILLS; seed++) {
        chaos_write(seed, &script);
        script.killed = true;
        chaos_tell_of(&script);
        chaos_kill(state, &script, folder, seed % SQLITE_EVERY == 0);
        chaos_tell_of(NULL);
    }
    rmdir(folder);
    free(folder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(nothing_is_lost_or_booked_twice, chaos_tell_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
