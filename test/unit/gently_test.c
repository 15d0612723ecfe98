/* The ledger's thread gives way between the pages of a commit, which is one call of SQLite's: for as long as it is told to, and no longer. */
#include "cmocka_ready.h"

#include <sqlite3.h>
#include <stdlib.h>

#include "ledger_fixture.h"
#include "live/gently.h"
#include "money/ledger/ledger_sqlite.h"

enum { PAGES = 4000 }; /* a thousand are some milliseconds, and a piece is a tenth of one */

static void
run(sqlite3 *file, const char *sql)
{
    assert_int_equal(sqlite3_exec(file, sql, NULL, NULL, NULL), SQLITE_OK);
}

/* How often a commit of so many pages gave way. */
static uint64_t
pauses_of_commit(sqlite3 *file)
{
    uint64_t before = gently_paused();

    run(file, "BEGIN");
    for (unsigned i = 0; i < PAGES; i++)
        run(file, "INSERT INTO pages VALUES (zeroblob(4000))");
    assert_int_equal(gently_paused(), before); /* they are in memory so far */
    run(file, "COMMIT");
    return gently_paused() - before;
}

static void
a_commit_gives_way_while_it_is_told_to(void **state)
{
    char *dir = fixture_dir();
    struct arena arena = {0};
    sqlite3 *file;

    (void)state;
    ledger_sqlite_after_pages(gently_pause);
    ledger_sqlite_after_pages(gently_pause); /* twice is as once */
    assert_int_equal(sqlite3_open(fixture_path(&arena, dir, "ledger.db"), &file), SQLITE_OK);
    run(file, "PRAGMA journal_mode = WAL; PRAGMA cache_size = 100000; CREATE TABLE pages (page BLOB)");
    assert_int_equal(pauses_of_commit(file), 0);
    gently_for(3600 * USEC_PER_S);
    assert_true(pauses_of_commit(file) > 1);
    gently_for(0);
    assert_int_equal(pauses_of_commit(file), 0);
    gently_for(1); /* over by now, or after the first look */
    assert_true(pauses_of_commit(file) <= 1);
    assert_int_equal(sqlite3_close(file), SQLITE_OK);
    fixture_remove_dir(dir);
    arena_reset(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_commit_gives_way_while_it_is_told_to)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
