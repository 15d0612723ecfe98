/* The store's file on disk: over restarts, over kill -9 at any moment, and against a second process. */
#define _GNU_SOURCE
#include "live/cache_disk.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rng.h"
#include "cmocka_ready.h"
#include "ledger_fixture.h"

static const struct digest secret = {"a secret of a test"};

static struct digest
key_of(uint64_t number)
{
    uint64_t words[4] = {rng_mix(number), rng_mix(~number), number, 7};
    struct digest key;

    memcpy(key.bytes, words, sizeof(key.bytes));
    return key;
}

/* Every byte of an answer says which it is. */
static void
put(struct cache *cache, uint64_t number)
{
    char content[2000];
    struct cache_facts facts = {.key = key_of(number), .status = 200, .ttl_us = USEC_NEVER};
    struct cache_entry *entry;

    memset(content, (int)(number & 0xff), sizeof(content));
    entry = cache_entry_new(&facts, slice_make(content, 100 + number % 1900), SIZE_MAX);
    assert_int_equal(cache_put(cache, entry, cache_purges(cache)), OK);
}

struct running {
    struct cache *cache;
    struct cache_file *file;
};

static struct running
start(const char *path)
{
    struct running run = {.cache = cache_new((size_t)8 << 20)};
    struct problems problems;
    struct cache_disk *disk;

    problems_init(&problems);
    assert_int_equal(cache_disk_open(path, &problems, &disk), OK);
    problems_free(&problems);
    run.file = cache_file_open(run.cache, disk, &secret, NULL, 1);
    return run;
}

static void
stop(struct running run)
{
    cache_file_close(run.file);
    cache_free(run.cache);
}

static size_t
check_all(struct running run)
{
    struct cache_held *all;
    size_t count = cache_hold_all(run.cache, 0, &all);

    for (size_t i = 0; i < count; i++) {
        struct chunk *content = cache_entry_content(all[i].entry);
        uint64_t number;

        memcpy(&number, all[i].entry->key.bytes + 16, sizeof(number));
        assert_int_equal(content->len, 100 + number % 1900);
        for (size_t at = 0; at < content->len; at++)
            assert_int_equal((unsigned char)content->data[at], number & 0xff);
        chunk_release(content);
        cache_entry_release(all[i].entry);
    }
    free(all);
    return count;
}

static void
a_restart_finds_what_was_stored(void **state)
{
    char *dir = fixture_dir(), path[512];
    struct running run;
    struct stat about;

    (void)state;
    snprintf(path, sizeof(path), "%s/made/answers", dir);
    run = start(path);
    for (uint64_t i = 1; i <= 50; i++)
        put(run.cache, i);
    stop(run);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    run = start(path);
    assert_int_equal(check_all(run), 50);
    put(run.cache, 51);
    assert_int_equal(cache_file_write(run.file), OK);
    cache_purge(run.cache, CACHE_MARKS, 0);
    put(run.cache, 52);
    assert_int_equal(cache_file_write(run.file), OK);
    assert_int_equal(stat(path, &about), 0);
    assert_true(about.st_size < 2000); /* what was purged is not on the disk any more */
    stop(run);
    run = start(path);
    assert_int_equal(check_all(run), 1);
    stop(run);
    fixture_remove_dir(dir);
}

static void
a_second_process_is_refused(void **state)
{
    char *dir = fixture_dir(), path[512];
    struct problems problems;
    struct cache_disk *disk;
    struct running run;

    (void)state;
    snprintf(path, sizeof(path), "%s/answers", dir);
    run = start(path);
    put(run.cache, 1);
    assert_int_equal(cache_file_write(run.file), OK); /* written anew: the lock is the new file's */
    problems_init(&problems);
    assert_int_equal(cache_disk_open(path, &problems, &disk), ERR_DENIED);
    assert_int_equal(problems.count, 1);
    snprintf(path, sizeof(path), "%s/answers/below", dir);
    assert_int_equal(cache_disk_open(path, &problems, &disk), ERR_IO);
    assert_int_equal(problems.count, 2);
    problems_free(&problems);
    stop(run);
    fixture_remove_dir(dir);
}

/* Stores, purges and writes until it is killed; tells each time a write is over. */
_Noreturn static void
write_until_killed(const char *path, int tell)
{
    struct running run = start(path);

    for (uint64_t i = 1;; i++) {
        put(run.cache, i % 997);
        if (i % 20 == 0 && (cache_file_write(run.file) != OK || write(tell, "", 1) != 1))
            _exit(1);
        if (i % 5000 == 0)
            cache_purge(run.cache, CACHE_MARKS, 0);
    }
}

static void
kill_9_loses_at_most_what_was_not_written(void **state)
{
    char *dir = fixture_dir(), path[512];
    struct rng rng;

    (void)state;
    rng_seed(&rng, 9);
    snprintf(path, sizeof(path), "%s/answers", dir);
    for (int i = 0; i < 12; i++) {
        int pipes[2], status;
        uint64_t writes = 1 + rng_below(&rng, 60);
        struct cache_file_stats stats;
        struct running run;
        pid_t child;
        char told;

        assert_int_equal(pipe(pipes), 0);
        child = fork();
        if (child == 0)
            write_until_killed(path, pipes[1]);
        close(pipes[1]);
        while (writes-- > 0)
            assert_int_equal(read(pipes[0], &told, 1), 1);
        assert_int_equal(kill(child, SIGKILL), 0); /* in the midst of whatever it does now */
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status));
        close(pipes[0]);
        run = start(path);
        assert_true(check_all(run) > 0);
        cache_file_stats(run.file, &stats);
        assert_true(stats.damaged <= 1); /* the torn tail */
        stop(run);
    }
    fixture_remove_dir(dir);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_restart_finds_what_was_stored),
        cmocka_unit_test(a_second_process_is_refused),
        cmocka_unit_test(kill_9_loses_at_most_what_was_not_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
