/* A disk that fails. The ledger over a file system whose n-th write or sync fails, for every n, once and for good; and the
 * whole writer on a disk that is really full (the process may make no file longer than a limit) and has room again. */
/* labels: threads */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger_fixture.h"
#include "live/ledger_writer.h"
#include "money/ledger/ledger_memory.h"
#include "money/ledger/ledger_sqlite.h"

#define START_US (1780000000 * USEC_PER_S)

/* SQLite's file system, with a fault (sqlite.org/vfs.html). A file of ours is one of the real file system's, with its own
 * methods kept behind it. */

static struct {
    sqlite3_vfs shim, *real;
    int64_t left;   /* operations until the fault strikes; negative: never */
    bool stays;     /* what failed once goes on failing */
    bool read_only; /* files are opened for reading alone, as where they may not be written */
    int code;
    uint64_t struck;
} disk;

static int
fault(void)
{
    if (disk.left < 0)
        return SQLITE_OK;
    if (disk.left > 0) {
        disk.left--;
        return SQLITE_OK;
    }
    disk.struck++;
    if (!disk.stays)
        disk.left = -1;
    return disk.code;
}

static const sqlite3_io_methods *
real_methods(sqlite3_file *file)
{
    const sqlite3_io_methods *methods;

    memcpy(&methods, (const char *)file + disk.real->szOsFile, sizeof(methods));
    return methods;
}

static int
shim_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at)
{
    int code = fault();

    /* What fails halfway has written half. */
    if (code != SQLITE_OK)
        return len > 1 && real_methods(file)->xWrite(file, bytes, len / 2, at) != SQLITE_OK ? SQLITE_IOERR : code;
    return real_methods(file)->xWrite(file, bytes, len, at);
}

/* No power cut comes: nothing need reach the disk. */
static int
shim_sync(sqlite3_file *file, int flags)
{
    (void)file;
    (void)flags;
    return fault();
}

static int
shim_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    int code = fault();

    return code != SQLITE_OK ? code : real_methods(file)->xTruncate(file, size);
}

/* The methods of each kind of file that the real file system has, with ours among them. */
static const sqlite3_io_methods *
methods_over(const sqlite3_io_methods *real)
{
    static struct {
        const sqlite3_io_methods *real;
        sqlite3_io_methods ours;
    } kinds[8];
    size_t i = 0;

    while (i < 8 && kinds[i].real != NULL && kinds[i].real != real)
        i++;
    assert_true(i < 8);
    kinds[i].real = real;
    kinds[i].ours = *real;
    kinds[i].ours.xWrite = shim_write;
    kinds[i].ours.xSync = shim_sync;
    kinds[i].ours.xTruncate = shim_truncate;
    return &kinds[i].ours;
}

static int
shim_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags, int *out_flags)
{
    int code;

    (void)vfs;
    if (disk.read_only)
        flags = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;
    code = disk.real->xOpen(disk.real, name, file, flags, out_flags);
    if (file->pMethods == NULL)
        return code;
    memcpy((char *)file + disk.real->szOsFile, &file->pMethods, sizeof(file->pMethods));
    file->pMethods = methods_over(file->pMethods);
    return code;
}

static int
take_disk(void **state)
{
    (void)state;
    disk.real = sqlite3_vfs_find(NULL);
    disk.shim = *disk.real;
    disk.shim.zName = "failing";
    disk.shim.szOsFile += (int)sizeof(sqlite3_io_methods *);
    disk.shim.xOpen = shim_open;
    disk.left = -1;
    return sqlite3_vfs_register(&disk.shim, 1) == SQLITE_OK ? 0 : -1;
}

static int
give_disk_back(void **state)
{
    (void)state;
    return sqlite3_vfs_unregister(&disk.shim) == SQLITE_OK && sqlite3_vfs_register(disk.real, 1) == SQLITE_OK ? 0 : -1;
}

/* The ledger on it */

enum { BATCHES = 4, ROWS_IN_BATCH = 12 };

/* Every write and sync is tried; under the thread sanitizer, which takes longest and learns nothing new of each, some. */
#ifdef __SANITIZE_THREAD__
enum { FAULT_EVERY = 7 };
#else
enum { FAULT_EVERY = 1 };
#endif

/* A batch of requests, some of which stay open until the next batch; the same each time. */
static enum status
apply_batch(struct ledger *ledger, unsigned batch)
{
    struct buffer record = {0};
    struct arena arena = {0};
    struct rng rng;
    struct row row;
    enum status status = ledger_begin(ledger);

    rng_seed(&rng, batch);
    for (uint64_t i = 0; i < ROWS_IN_BATCH && status == OK; i++) {
        uint64_t id = 1 + batch * ROWS_IN_BATCH + i;

        fixture_row(&rng, &arena, id, START_US + (int64_t)id * 600 * USEC_PER_S, &row);
        buffer_clear(&record);
        if (i % 3 == 0)
            journal_put_open(&record, &row);
        else
            journal_put_settle(&record, &row);
        status = ledger_apply(ledger, buffer_content(&record));
    }
    if (status == OK)
        status = ledger_set_position(ledger, 1, batch);
    if (status == OK)
        status = ledger_commit(ledger);
    if (status != OK)
        ledger_rollback(ledger);
    buffer_free(&record);
    arena_reset(&arena);
    return status;
}

static struct ledger *
open_ledger(const char *path)
{
    struct problems problems;
    struct ledger_store *store;
    struct ledger *ledger;

    problems_init(&problems);
    assert_int_equal(ledger_sqlite_open(path, LEDGER_WRITE, &problems, &store), OK);
    assert_int_equal(ledger_open(store, &ledger), OK);
    problems_free(&problems);
    return ledger;
}

static void
assert_as_never_failed(struct ledger *ledger)
{
    struct ledger *expected;
    struct ledger_totals rows, sums;

    assert_int_equal(ledger_open(ledger_memory_open(), &expected), OK);
    for (unsigned i = 0; i < BATCHES; i++)
        assert_int_equal(apply_batch(expected, i), OK);
    assert_stores_equal(ledger_store(ledger), ledger_store(expected));
    assert_int_equal(ledger_check(ledger, INT64_MIN, &rows, &sums), OK);
    assert_int_equal(rows.rows, BATCHES * (ROWS_IN_BATCH - ROWS_IN_BATCH / 3));
    ledger_close(expected);
}

/* True if the fault struck. A batch that fails is tried again when the disk works again; a dead process's next one opens
 * the file anew. */
static bool
survive_fault(int64_t after, int code, bool stays, bool dies)
{
    char *dir = fixture_dir();
    struct arena arena = {0};
    const char *path = fixture_path(&arena, dir, "ledger.db");
    struct ledger *ledger = open_ledger(path);
    struct ledger_store *store = ledger_store(ledger);
    bool complete;

    disk.code = code;
    disk.stays = stays;
    disk.left = after;
    disk.struck = 0;
    for (unsigned i = 0; i < BATCHES; i++) {
        enum status status = apply_batch(ledger, i);

        assert_true(status == OK || status == ERR_IO || status == ERR_FULL);
        if (status == OK && i % 2 == 1 && store->ops->checkpoint(store, &complete) == OK)
            continue;
        disk.left = disk.struck > 0 ? -1 : disk.left;
        if (status != OK && dies) {
            ledger_close(ledger);
            ledger = open_ledger(path);
            store = ledger_store(ledger);
        }
        if (status != OK)
            assert_int_equal(apply_batch(ledger, i), OK);
    }
    disk.left = -1;
    assert_as_never_failed(ledger);
    ledger_close(ledger);
    arena_reset(&arena);
    fixture_remove_dir(dir);
    return disk.struck > 0;
}

static void
a_batch_is_kept_whole_or_not_at_all(void **state)
{
    static const int codes[] = {SQLITE_FULL, SQLITE_IOERR_WRITE, SQLITE_IOERR_FSYNC};

    (void)state;
    for (unsigned kind = 0; kind < 4; kind++) {
        int64_t after = 0;

        while (survive_fault(after, codes[after % 3], kind % 2 == 1, kind / 2 == 1))
            after += FAULT_EVERY;
        assert_true(after > 2 * BATCHES); /* every batch writes and syncs */
    }
}

/* On a disk that is mounted for reading, or somebody else's: said at the start, and not at the first request. */
static void
a_ledger_that_may_not_be_written_is_refused(void **state)
{
    char *dir = fixture_dir();
    struct arena arena = {0};
    const char *path = fixture_path(&arena, dir, "ledger.db");
    struct problems problems;
    struct ledger_store *store = NULL;
    struct ledger *ledger = open_ledger(path);

    (void)state;
    assert_int_equal(apply_batch(ledger, 0), OK);
    ledger_close(ledger);
    disk.read_only = true;
    problems_init(&problems);
    assert_int_not_equal(ledger_sqlite_open(path, LEDGER_WRITE, &problems, &store), OK);
    assert_null(store);
    assert_int_equal(problems.errors, 1);
    disk.read_only = false;
    ledger = open_ledger(path); /* and nothing happened to it */
    assert_int_equal(apply_batch(ledger, 1), OK);
    ledger_close(ledger);
    problems_free(&problems);
    arena_reset(&arena);
    fixture_remove_dir(dir);
}

/* A full disk, by the kernel's own word */

static void
let_files_grow_to(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void
settle_one(struct rng *rng, uint64_t id, struct buffer *record)
{
    struct arena arena = {0};
    struct row row;

    fixture_row(rng, &arena, id, START_US + (int64_t)id, &row);
    buffer_clear(record);
    journal_put_settle(record, &row);
    arena_reset(&arena);
}

/* Until the journal refuses; returns how many it took. */
static uint64_t
fill_journal(struct ledger_writer *writer, struct rng *rng)
{
    struct buffer record = {0};
    enum status status = OK;
    uint64_t kept = 0;

    while (status == OK) {
        settle_one(rng, kept + 1, &record);
        status = ledger_writer_append(writer, 0, buffer_content(&record));
        kept += status == OK;
        usleep(100);
    }
    assert_int_equal(status, ERR_FULL);
    assert_true(ledger_writer_refuses(writer));
    while (ledger_writer_health(writer) == OK)
        usleep(1000);
    buffer_free(&record);
    return kept;
}

static void
a_full_disk_loses_nothing_and_goes_on(void **state)
{
    char *dir = fixture_dir();
    struct fixture_log log;
    struct problems problems;
    struct ledger_options options = {
        .dir = dir, .workers = 1, .segment_bytes = 65536, .sync_us = USEC_PER_MS, .apply_us = USEC_PER_MS};
    struct ledger_writer *writer;
    struct rng rng;
    uint64_t kept;

    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    fixture_log_init(&log);
    problems_init(&problems);
    rng_seed(&rng, 7);
    options.log = &log.log;
    assert_int_equal(ledger_writer_start(&options, &problems, &writer), OK);
    let_files_grow_to(16384);
    kept = fill_journal(writer, &rng);
    assert_true(kept > 50);
    let_files_grow_to(RLIM_INFINITY);
    while (ledger_writer_refuses(writer))
        usleep(1000);
    while (ledger_writer_drain(writer) != OK)
        usleep(1000);
    assert_int_equal(ledger_writer_counters(writer).tail.records, kept);
    ledger_writer_stop(writer);
    problems_free(&problems);
    fixture_remove_dir(dir);
}

/* A writer with one record in its ledger. */
static struct ledger_writer *
start_with_one(const char *dir, struct fixture_log *log, struct rng *rng)
{
    struct ledger_options options = {.dir = dir, .workers = 1, .segment_bytes = 65536, .apply_us = USEC_PER_MS};
    struct buffer record = {0};
    struct problems problems;
    struct ledger_writer *writer;

    fixture_log_init(log);
    problems_init(&problems);
    options.log = &log->log;
    assert_int_equal(ledger_writer_start(&options, &problems, &writer), OK);
    settle_one(rng, 1, &record);
    assert_int_equal(ledger_writer_append(writer, 0, buffer_content(&record)), OK);
    assert_int_equal(ledger_writer_drain(writer), OK);
    buffer_free(&record);
    problems_free(&problems);
    return writer;
}

static void
append_second(struct ledger_writer *writer, struct rng *rng)
{
    struct buffer record = {0};

    settle_one(rng, 2, &record);
    assert_int_equal(ledger_writer_append(writer, 0, buffer_content(&record)), OK);
    while (ledger_writer_health(writer) == OK)
        usleep(1000);
    buffer_free(&record);
}

/* It is said, and what the journal has goes into the next ledger. */
static void
a_ledger_that_is_deleted_is_missed(void **state)
{
    char *dir = fixture_dir();
    struct arena arena = {0};
    const char *path = fixture_path(&arena, dir, "ledger.db");
    struct fixture_log log;
    struct ledger_totals totals;
    struct ledger *ledger;
    struct rng rng;
    struct ledger_writer *writer;

    (void)state;
    rng_seed(&rng, 9);
    writer = start_with_one(dir, &log, &rng);
    assert_int_equal(unlink(path), 0);
    append_second(writer, &rng);
    assert_non_null(strstr(log.last, "cannot be written"));
    ledger_writer_stop(writer);
    unlink(fixture_path(&arena, dir, "ledger.db-wal"));
    unlink(fixture_path(&arena, dir, "ledger.db-shm"));
    ledger_writer_stop(start_with_one(dir, &log, &rng));
    ledger = open_ledger(path);
    assert_int_equal(ledger_totals(ledger, &totals), OK);
    assert_int_equal(totals.rows, 2);
    ledger_close(ledger);
    arena_reset(&arena);
    fixture_remove_dir(dir);
}

/* By somebody who has begun to write to it and forgot to end. */
static void
a_locked_ledger_is_waited_for(void **state)
{
    char *dir = fixture_dir();
    struct arena arena = {0};
    struct fixture_log log;
    sqlite3 *other;
    struct rng rng;
    struct ledger_writer *writer;

    (void)state;
    rng_seed(&rng, 10);
    writer = start_with_one(dir, &log, &rng);
    assert_int_equal(sqlite3_open(fixture_path(&arena, dir, "ledger.db"), &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    append_second(writer, &rng);
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    while (ledger_writer_drain(writer) != OK)
        usleep(1000);
    assert_int_equal(ledger_writer_counters(writer).tail.records, 2);
    ledger_writer_stop(writer);
    arena_reset(&arena);
    fixture_remove_dir(dir);
}

static void
nobody_else_may_read(void **state)
{
    static const char *const names[] = {"ledger.db", "ledger.db-wal", "ledger.db-shm"};
    char *dir = fixture_dir();
    struct arena arena = {0};
    struct stat about;
    struct ledger *ledger;

    (void)state;
    umask(0022);
    ledger = open_ledger(fixture_path(&arena, dir, "ledger.db"));
    assert_int_equal(apply_batch(ledger, 0), OK);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(stat(fixture_path(&arena, dir, names[i]), &about), 0);
        assert_int_equal(about.st_mode & 0777, 0600);
    }
    ledger_close(ledger);
    arena_reset(&arena);
    fixture_remove_dir(dir);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_batch_is_kept_whole_or_not_at_all, take_disk, give_disk_back),
        cmocka_unit_test_setup_teardown(a_ledger_that_may_not_be_written_is_refused, take_disk, give_disk_back),
        cmocka_unit_test(a_full_disk_loses_nothing_and_goes_on),
        cmocka_unit_test(a_ledger_that_is_deleted_is_missed),
        cmocka_unit_test(a_locked_ledger_is_waited_for),
        cmocka_unit_test(nobody_else_may_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
