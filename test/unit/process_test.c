/* What the process may: as many files as the system lets it, and no memory left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "live/process.h"

static void
files_are_raised_as_far_as_allowed(void **state)
{
    struct rlimit files = {100, 300};

    (void)state;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    assert_int_equal(process_raise_files(), 300);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    assert_int_equal(files.rlim_cur, 300);
    assert_int_equal(process_raise_files(), 300);
}

static void
clients_leave_files_for_their_calls(void **state)
{
    (void)state;
    assert_int_equal(process_clients_of(0, 1), 8);
    assert_int_equal(process_clients_of(64 + 16 + 200, 1), 100);
    assert_int_equal(process_clients_of(64 + 32 + 400, 2), 100);
    assert_int_equal(process_clients_of(1 << 20, 1), 16384);
    for (unsigned files = 256; files < 100000; files += 777)
        for (unsigned workers = 1; workers <= 8; workers++)
            assert_true(process_clients_of(files, workers) == 8 ||
                        2 * workers * process_clients_of(files, workers) < files);
}

static void
memory_is_private(void **state)
{
    struct rlimit core;

    (void)state;
    process_keep_memory_private();
    assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
    assert_int_equal(getrlimit(RLIMIT_CORE, &core), 0);
    assert_int_equal(core.rlim_cur, 0);
    assert_int_equal(core.rlim_max, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_raised_as_far_as_allowed),
        cmocka_unit_test(clients_leave_files_for_their_calls),
        cmocka_unit_test(memory_is_private),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
