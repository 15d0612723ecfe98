/* The journal on disk: what was appended is read by a follower and by the next process; a full disk is said and survived. */
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
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger_fixture.h"
#include "live/data_lock.h"
#include "live/journal_files.h"

enum { SEGMENT_BYTES = 8192 };

struct disk {
    char *dir;
    struct fixture_log log;
    struct problems problems;
    _Atomic(enum status) allocate; /* what allocating shall return */
};

static int
set_up(void **state)
{
    struct disk *disk = must_calloc(1, sizeof(*disk));

    disk->dir = fixture_dir();
    fixture_log_init(&disk->log);
    *state = disk;
    return 0;
}

static int
tear_down(void **state)
{
    struct disk *disk = *state;

    fixture_remove_dir(disk->dir);
    problems_free(&disk->problems);
    free(disk);
    return 0;
}

static enum status
disk_fault(void *user, enum journal_step step)
{
    struct disk *disk = user;

    return step == JOURNAL_STEP_ALLOCATE ? atomic_load(&disk->allocate) : OK;
}

static struct journal_files *
open_files(struct disk *disk, unsigned workers)
{
    struct journal_files *files = NULL;
    struct journal_options options = {.dir = disk->dir,
                                      .workers = workers,
                                      .segment_bytes = SEGMENT_BYTES,
                                      .sync_us = USEC_PER_MS,
                                      .first_sequence = 1,
                                      .log = &disk->log.log,
                                      .fault = disk_fault,
                                      .fault_user = disk};

    assert_int_equal(journal_files_open(&options, &disk->problems, &files), OK);
    return files;
}

/* Feedback makes a small record; its id counts. */
static void
put_record(struct buffer *out, uint64_t number)
{
    struct feedback feedback = {.id = number,
                                .useful_ppm = 1,
                                .value = USD_UNKNOWN,
                                .reason =
                                    SLICE_LITERAL("a reason that makes the record somewhat longer than a few bytes")};

    buffer_clear(out);
    journal_put_feedback(out, &feedback);
}

/* Appends, waiting for the next segment where it is not yet there. */
static void
append(struct journal_files *files, unsigned worker, uint64_t number, struct buffer *scratch)
{
    put_record(scratch, number);
    while (journal_append(files, worker, buffer_content(scratch)) != OK)
        usleep(100);
}

struct follower {
    struct segment *segment;
    size_t offset;
    struct journal_record record;
};

/* The next record's number, 0 if there is none yet. Marks segments it has left as done. */
static uint64_t
follow(struct journal_files *files, struct follower *follower)
{
    struct slice bytes;

    for (;;) {
        enum segment_found found = segment_look(follower->segment, follower->offset, &bytes);
        struct segment *before = follower->segment;

        assert_int_not_equal(found, SEGMENT_TORN);
        if (found == SEGMENT_WAIT)
            return 0;
        if (found == SEGMENT_RECORD) {
            follower->offset += bytes.len;
            assert_int_equal(journal_take(&bytes, &follower->record), OK);
            return follower->record.feedback.id;
        }
        follower->segment = atomic_load(&before->following);
        follower->offset = SEGMENT_HEAD_BYTES;
        atomic_store(&before->done, true);
        journal_files_kick(files);
    }
}

enum { MANY = 3000 };

static void *
append_many(void *user)
{
    struct buffer scratch = {0};

    for (uint64_t i = 1; i <= MANY; i++)
        append(user, 1, i, &scratch);
    buffer_free(&scratch);
    return NULL;
}

static void
a_follower_sees_every_record_whole(void **state)
{
    struct disk *disk = *state;
    struct journal_files *files = open_files(disk, 2);
    struct follower follower = {.segment = journal_files_oldest(files, 1), .offset = SEGMENT_HEAD_BYTES};
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, append_many, files), 0);
    for (uint64_t i = 1; i <= MANY;) {
        uint64_t number = follow(files, &follower);

        if (number == 0)
            continue;
        assert_int_equal(number, i);
        i++;
    }
    pthread_join(thread, NULL);
    journal_files_close(files, true);
    assert_int_equal(fixture_count_files(disk->dir), 0);
    assert_int_equal(disk->log.lines, 0);
}

static void
what_is_not_taken_over_stays(void **state)
{
    struct disk *disk = *state;
    struct journal_files *files = open_files(disk, 2);
    struct buffer scratch = {0};
    struct segment **left;
    struct journal_record *record = must_alloc(sizeof(*record));
    size_t count;
    uint64_t number = 0;

    for (uint64_t i = 1; i <= 500; i++)
        append(files, 0, i, &scratch);
    journal_files_close(files, false); /* as much as a dead process leaves: nothing is written on closing */
    assert_int_equal(segment_list(disk->dir, &disk->problems, &left, &count), OK);
    assert_true(count > 3);
    for (size_t i = 0; i < count; i++) {
        size_t offset = SEGMENT_HEAD_BYTES;
        struct slice bytes;

        assert_int_equal(left[i]->worker, 0);
        while (segment_look(left[i], offset, &bytes) == SEGMENT_RECORD) {
            offset += bytes.len;
            assert_int_equal(journal_take(&bytes, record), OK);
            assert_int_equal(record->feedback.id, ++number);
        }
        segment_free(left[i], false);
    }
    assert_int_equal(number, 500);
    free(left);
    free(record);
    buffer_free(&scratch);
}

static void
a_full_disk_is_said_and_survived(void **state)
{
    struct disk *disk = *state;
    struct journal_files *files = open_files(disk, 1);
    struct buffer scratch = {0};
    enum status status = OK;
    uint64_t kept = 0;

    atomic_store(&disk->allocate, ERR_FULL);
    /* A segment whose making had begun before is still used up; then the thread finds out. */
    while (status == OK || journal_files_health(files) == OK) {
        put_record(&scratch, kept + 1);
        status = journal_append(files, 0, buffer_content(&scratch));
        kept += status == OK;
    }
    assert_int_equal(status, ERR_FULL);
    assert_true(kept > 50);
    assert_int_equal(journal_files_health(files), ERR_FULL);
    atomic_store(&disk->allocate, OK);
    append(files, 0, kept + 1, &scratch);
    assert_int_equal(journal_files_health(files), OK);
    journal_files_close(files, true);
    assert_non_null(strstr(disk->log.last, "no next segment"));
    buffer_free(&scratch);
}

/* What could not be brought to the disk is brought there the next time; nothing is taken for kept meanwhile. */
static void
a_sync_that_fails_is_said_and_made_up_for(void **state)
{
    struct disk *disk = *state;
    struct segment *segment;
    struct buffer scratch = {0};
    size_t synced;
    void *again;
    int file;

    assert_int_equal(segment_create(disk->dir, 0, 1, SEGMENT_BYTES, &segment), OK);
    put_record(&scratch, 1);
    assert_int_equal(segment_append(segment, buffer_content(&scratch)), OK);
    synced = segment->synced;
    assert_int_equal(munmap(segment->bytes, SEGMENT_BYTES), 0); /* msync(2): ENOMEM */
    assert_int_equal(segment_sync(segment), ERR_IO);
    assert_int_equal(segment->synced, synced);
    file = open(segment->path, O_RDWR | O_CLOEXEC);
    again = mmap(segment->bytes, SEGMENT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0);
    assert_ptr_equal(again, segment->bytes);
    close(file);
    assert_int_equal(segment_sync(segment), OK);
    assert_true(segment->synced > synced);
    segment_free(segment, true);
    buffer_free(&scratch);
}

/* No folder, a folder in the file's place, more room than there is: said, and nothing is left lying about. */
static void
a_segment_that_cannot_be_made_leaves_nothing(void **state)
{
    struct disk *disk = *state;
    struct arena arena = {0};
    struct segment *segment = NULL;

    assert_int_equal(segment_create(fixture_path(&arena, disk->dir, "nowhere"), 0, 1, SEGMENT_BYTES, &segment), ERR_IO);
    assert_int_equal(segment_create(disk->dir, 0, 1, (size_t)1 << 62, &segment), ERR_FULL);
    assert_null(segment);
    assert_int_equal(rmdir(disk->dir), 0); /* it is empty */
    assert_int_equal(mkdir(disk->dir, 0700), 0);
    arena_reset(&arena);
}

static void
too_large_a_record_is_refused(void **state)
{
    struct disk *disk = *state;
    struct journal_files *files = open_files(disk, 1);
    struct buffer scratch = {0};
    char *long_text = must_calloc(1, SEGMENT_BYTES);
    struct feedback feedback = {.id = 1, .reason = slice_make(long_text, SEGMENT_BYTES)};

    journal_put_feedback(&scratch, &feedback);
    assert_int_equal(journal_append(files, 0, buffer_content(&scratch)), ERR_LIMIT);
    append(files, 0, 1, &scratch);
    journal_files_close(files, true);
    buffer_free(&scratch);
    free(long_text);
}

static void
a_newer_segment_is_refused(void **state)
{
    struct disk *disk = *state;
    struct segment *segment, **left;
    size_t count;
    uint32_t newer = JOURNAL_VERSION + 1;

    assert_int_equal(segment_create(disk->dir, 0, 1, SEGMENT_BYTES, &segment), OK);
    memcpy(segment->bytes + 8, &newer, sizeof(newer));
    segment_free(segment, false);
    assert_int_equal(segment_list(disk->dir, &disk->problems, &left, &count), ERR_INVALID);
    assert_int_equal(count, 0);
    assert_non_null(strstr(disk->problems.all[0].text, "newer"));
    free(left);
}

static void
two_processes_never_share(void **state)
{
    struct disk *disk = *state;
    int first, second;

    assert_int_equal(data_lock_take(disk->dir, &disk->problems, &first), OK);
    assert_int_equal(data_lock_take(disk->dir, &disk->problems, &second), ERR_DENIED);
    assert_non_null(strstr(disk->problems.all[0].text, "in use"));
    assert_non_null(strstr(disk->problems.all[0].text, disk->dir));
    data_lock_release(first);
    assert_int_equal(data_lock_take(disk->dir, &disk->problems, &second), OK);
    data_lock_release(second);
}

int
main(void)
{
#define ON_DISK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ON_DISK(a_follower_sees_every_record_whole), ON_DISK(what_is_not_taken_over_stays),
        ON_DISK(a_full_disk_is_said_and_survived),   ON_DISK(too_large_a_record_is_refused),
        ON_DISK(a_full_disk_is_said_and_survived),   ON_DISK(a_sync_that_fails_is_said_and_made_up_for),
        ON_DISK(a_full_disk_is_said_and_survived),   ON_DISK(a_segment_that_cannot_be_made_leaves_nothing),
        ON_DISK(a_newer_segment_is_refused),         ON_DISK(two_processes_never_share),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
