/* The ledger's thread gives way between the pages of a commit, which is one call of SQLite's: for as long as it is told to, and no longer. */
#include "cmocka_ready.h"

#include "ledger_fixture.h"
#include "live/gently.h"
#include "money/ledger/ledger_sqlite.h"

enum { NOTE_BYTES = 16 << 20 }; /* 4,000 pages: some milliseconds, and a piece is a tenth of one */

static void
between(void *user)
{
    gently_between(user);
}

/* How often a transaction with a large note gave way. */
static uint64_t
gave_way(struct ledger_store *store, struct gently *gently, char fill)
{
    char *note = must_alloc(NOTE_BYTES);
    uint64_t before = gently->given_way;

    memset(note, fill, NOTE_BYTES);
    assert_int_equal(store->ops->begin(store), OK);
    assert_int_equal(store->ops->put_note(store, LEDGER_NOTE_OPEN, (uint64_t)fill, (struct slice){note, NOTE_BYTES}),
                     OK);
    assert_int_equal(store->ops->commit(store), OK);
    free(note);
    return gently->given_way - before;
}

static void
a_commit_gives_way_while_it_is_told_to(void **state)
{
    char *dir = fixture_dir();
    struct arena arena = {0};
    struct problems problems = {0};
    struct gently gently = {0};
    struct ledger_store *store;

    (void)state;
    assert_int_equal(ledger_sqlite_open_in_pieces(fixture_path(&arena, dir, "ledger.db"),
                                                  (struct ledger_between){between, &gently}, &problems, &store),
                     OK);
    assert_int_equal(gave_way(store, &gently, 'a'), 0);
    gently_for(&gently, 3600 * USEC_PER_S);
    assert_true(gave_way(store, &gently, 'b') > 1);
    gently_for(&gently, 0);
    assert_int_equal(gave_way(store, &gently, 'c'), 0);
    gently_for(&gently, 1); /* over by now, or after the first look */
    assert_true(gave_way(store, &gently, 'd') <= 1);
    store->ops->close(store);
    problems_free(&problems);
    fixture_remove_dir(dir);
    arena_reset(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_commit_gives_way_while_it_is_told_to)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
