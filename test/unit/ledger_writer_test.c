/* From the workers' appends to the ledger: whatever step the process dies at, the next one ends with the same ledger. */
/* labels: threads */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>
#include <unistd.h>

#include "ledger_fixture.h"
#include "live/ledger_writer.h"
#include "money/ledger/ledger_memory.h"
#include "money/ledger/ledger_sqlite.h"

enum { SEGMENT_BYTES = 16384, WORKERS = 2 };
#define START_US ((int64_t)1767225600 * USEC_PER_S)

/* A data directory, and what the ledger in it should come to. */
struct scene {
    char *dir;
    char *journal;
    struct arena arena;
    struct fixture_log log;
    struct problems problems;
    struct ledger *expected; /* in memory */
    struct rng rng;
    int fail_at, steps; /* the step to die at, counted; how many there were */
};

static int
set_up(void **state)
{
    struct scene *scene = must_calloc(1, sizeof(*scene));

    scene->dir = fixture_dir();
    scene->journal = fixture_path(&scene->arena, scene->dir, "journal");
    fixture_log_init(&scene->log);
    rng_seed(&scene->rng, 11);
    assert_int_equal(ledger_open(ledger_memory_open(), &scene->expected), OK);
    *state = scene;
    return 0;
}

static int
tear_down(void **state)
{
    struct scene *scene = *state;

    ledger_close(scene->expected);
    problems_free(&scene->problems);
    fixture_remove_dir(scene->dir);
    arena_reset(&scene->arena);
    free(scene);
    return 0;
}

static struct ledger *
open_ledger(struct scene *scene)
{
    struct ledger_store *store;
    struct ledger *ledger;

    assert_int_equal(ledger_sqlite_open(fixture_path(&scene->arena, scene->dir, "ledger.db"), LEDGER_WRITE,
                                        &scene->problems, &store),
                     OK);
    assert_int_equal(ledger_open(store, &ledger), OK);
    return ledger;
}

static struct journal_files *
open_files(struct scene *scene, uint64_t sequence)
{
    struct journal_files *files;
    struct journal_options options = {.dir = scene->journal,
                                      .workers = WORKERS,
                                      .segment_bytes = SEGMENT_BYTES,
                                      .first_sequence = sequence,
                                      .log = &scene->log.log};

    assert_int_equal(journal_files_open(&options, &scene->problems, &files), OK);
    return files;
}

static void
expect(struct scene *scene, struct slice record)
{
    assert_int_equal(ledger_begin(scene->expected), OK);
    assert_int_equal(ledger_apply(scene->expected, record), OK);
    assert_int_equal(ledger_commit(scene->expected), OK);
}

static void
append(struct scene *scene, struct journal_files *files, unsigned worker, struct buffer *record)
{
    while (journal_append(files, worker, buffer_content(record)) != OK)
        usleep(100);
    expect(scene, buffer_content(record));
    buffer_clear(record);
}

/* Some requests on both workers, one of them never settled, and feedback on another worker than the request's. */
static void
append_traffic(struct scene *scene, struct journal_files *files, uint64_t first_id, uint64_t count)
{
    struct buffer record = {0};
    struct row row;

    for (uint64_t id = first_id; id < first_id + count; id++) {
        unsigned worker = id % WORKERS;
        struct feedback feedback = {.id = id,
                                    .useful_ppm = 1000000,
                                    .value = USD_UNKNOWN,
                                    .source = SLICE_LITERAL("feedback"),
                                    .wall_us = START_US};

        fixture_row(&scene->rng, &scene->arena, id, START_US + (int64_t)id * USEC_PER_S, &row);
        journal_put_open(&record, &row);
        append(scene, files, worker, &record);
        if (id == first_id)
            continue;
        journal_put_settle(&record, &row);
        append(scene, files, worker, &record);
        if (id % 5 != 0)
            continue;
        journal_put_feedback(&record, &feedback);
        append(scene, files, 1 - worker, &record);
    }
    buffer_free(&record);
}

static enum status
die_at_step(void *user, enum ledger_step step)
{
    struct scene *scene = user;

    (void)step;
    return ++scene->steps == scene->fail_at ? ERR_IO : OK;
}

static struct ledger_tail_options
tail_options(struct scene *scene, bool dies)
{
    return (struct ledger_tail_options){.journal_dir = scene->journal,
                                        .batch_records = 40,
                                        .log = &scene->log.log,
                                        .fault = dies ? die_at_step : NULL,
                                        .fault_user = scene};
}

/* One life of a process that dies at scene->fail_at; true if it got to its end. */
static bool
live_and_die(struct scene *scene, uint64_t first_id)
{
    struct ledger *ledger = open_ledger(scene);
    struct ledger_tail *tail = NULL;
    struct journal_files *files;
    struct ledger_tail_options options = tail_options(scene, true);
    enum status status;
    bool more = true, clean;
    uint64_t sequence;

    status = ledger_tail_recover(&options, ledger, &scene->problems, &tail, &sequence);
    if (status != OK) {
        ledger_close(ledger);
        return false;
    }
    files = open_files(scene, sequence);
    ledger_tail_follow(tail, files, WORKERS);
    append_traffic(scene, files, first_id, 60);
    while (more && status == OK)
        status = ledger_tail_step(tail, &more);
    if (status == OK)
        status = ledger_tail_release(tail, &clean);
    ledger_tail_free(tail);
    journal_files_close(files, false);
    ledger_close(ledger);
    return status == OK;
}

/* What the next process makes of it. */
static void
assert_recovers(struct scene *scene)
{
    struct ledger *ledger = open_ledger(scene);
    struct ledger_tail_options options = tail_options(scene, false);
    struct ledger_tail *tail;
    struct ledger_totals rows, sums;
    uint64_t sequence;
    size_t charged;

    assert_int_equal(ledger_tail_recover(&options, ledger, &scene->problems, &tail, &sequence), OK);
    assert_int_equal(ledger_tail_counters(tail).damaged, 0);
    assert_int_equal(ledger_begin(scene->expected), OK);
    assert_int_equal(ledger_charge_open(scene->expected, &charged), OK);
    assert_int_equal(ledger_commit(scene->expected), OK);
    assert_stores_equal(ledger_store(ledger), ledger_store(scene->expected));
    assert_int_equal(ledger_check(ledger, INT64_MIN, &rows, &sums), OK);
    assert_int_equal(fixture_count_files(scene->journal), 0);
    ledger_tail_free(tail);
    ledger_close(ledger);
}

static void
dying_at_any_step_changes_nothing(void **state)
{
    bool ended = false;
    int deaths = 0;

    (void)state;
    for (int step = 1; !ended; step += step < 12 ? 1 : 7) {
        void *fresh;
        struct scene *scene;

        set_up(&fresh);
        scene = fresh;
        scene->fail_at = step;
        ended = live_and_die(scene, 1);
        deaths += !ended;
        assert_recovers(scene);
        tear_down(&fresh);
    }
    assert_true(deaths > 20);
}

/* The second process dies while it takes over what the first left. */
static void
dying_in_recovery_changes_nothing(void **state)
{
    bool ended = false;

    (void)state;
    for (int step = 1; !ended; step += 5) {
        void *fresh;
        struct scene *scene;
        size_t charged;

        set_up(&fresh);
        scene = fresh;
        scene->fail_at = 3; /* soon: most stays in the journal */
        assert_false(live_and_die(scene, 1));
        assert_int_equal(ledger_begin(scene->expected), OK);
        assert_int_equal(ledger_charge_open(scene->expected, &charged), OK);
        assert_int_equal(ledger_commit(scene->expected), OK);
        scene->steps = 0;
        scene->fail_at = step;
        ended = live_and_die(scene, 1001);
        assert_recovers(scene);
        tear_down(&fresh);
    }
}

static void
a_torn_tail_is_cut(void **state)
{
    struct scene *scene = *state;
    struct journal_files *files;
    struct ledger *ledger = open_ledger(scene);
    struct ledger_tail *tail;
    struct ledger_tail_options options = tail_options(scene, false);
    struct buffer record = {0};
    struct row row;
    struct segment *segment;
    uint64_t sequence;

    files = open_files(scene, 1);
    append_traffic(scene, files, 1, 5);
    /* A record of which only the length and some bytes reached the disk before the power went. */
    fixture_row(&scene->rng, &scene->arena, 77, START_US, &row);
    journal_put_settle(&record, &row);
    segment = journal_files_oldest(files, 0);
    memcpy(segment->bytes + segment->end, record.data, buffer_len(&record) / 2);
    journal_files_close(files, false);
    assert_int_equal(ledger_tail_recover(&options, ledger, &scene->problems, &tail, &sequence), OK);
    assert_int_equal(ledger_tail_counters(tail).damaged, 1);
    assert_int_equal(ledger_store(ledger)->ops->find_row(ledger_store(ledger), 77, &scene->arena, &row), ERR_NOT_FOUND);
    ledger_tail_free(tail);
    ledger_close(ledger);
    buffer_free(&record);
}

/* The whole machine, with threads. */

struct gateway {
    pthread_mutex_t mutex;
    struct ledger_totals totals;
    struct ledger_writer *writer;
};

static void
gateway_totals(void *user, struct ledger_totals *out)
{
    struct gateway *gateway = user;

    pthread_mutex_lock(&gateway->mutex);
    *out = gateway->totals;
    pthread_mutex_unlock(&gateway->mutex);
}

struct load {
    struct gateway *gateway;
    unsigned worker;
};

enum { LOAD_ROWS = 2000 };

static void *
serve(void *user)
{
    struct load *load = user;
    struct arena arena = {0};
    struct buffer record = {0};
    struct rng rng;
    struct row row;

    rng_seed(&rng, load->worker);
    for (uint64_t i = 0; i < LOAD_ROWS; i++) {
        fixture_row(&rng, &arena, i * WORKERS + load->worker + 1, START_US + (int64_t)i * 1000, &row);
        pthread_mutex_lock(&load->gateway->mutex);
        ledger_totals_add(&load->gateway->totals, &row);
        pthread_mutex_unlock(&load->gateway->mutex);
        journal_put_open(&record, &row);
        journal_put_settle(&record, &row);
        while (ledger_writer_append(load->gateway->writer, load->worker, buffer_content(&record)) != OK)
            usleep(100);
        buffer_clear(&record);
        arena_reset(&arena);
    }
    buffer_free(&record);
    return NULL;
}

static void
start_writer(struct scene *scene, struct gateway *gateway)
{
    struct ledger_options options = {.dir = scene->dir,
                                     .workers = WORKERS,
                                     .segment_bytes = 65536,
                                     .apply_us = USEC_PER_MS,
                                     .batch_records = 100,
                                     .log = &scene->log.log,
                                     .totals = gateway_totals,
                                     .totals_user = gateway};

    *gateway = (struct gateway){.mutex = PTHREAD_MUTEX_INITIALIZER};
    assert_int_equal(ledger_writer_start(&options, &scene->problems, &gateway->writer), OK);
}

static void
serve_on_all(struct gateway *gateway)
{
    pthread_t threads[WORKERS];
    struct load loads[WORKERS];

    for (unsigned i = 0; i < WORKERS; i++) {
        loads[i] = (struct load){gateway, i};
        assert_int_equal(pthread_create(&threads[i], NULL, serve, &loads[i]), 0);
    }
    ledger_writer_check(gateway->writer); /* under load */
    for (unsigned i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
}

/* Said once, however often it comes. */
static void
feedback_with_another_tenants_key_is_said_once(void **state)
{
    struct scene *scene = *state;
    struct ledger_options options = {.dir = scene->dir, .workers = WORKERS, .log = &scene->log.log};
    struct feedback feedback = {.id = 1, .useful_ppm = 0, .value = USD_UNKNOWN, .tenant = SLICE_LITERAL("nobody's")};
    struct ledger_writer *writer;
    struct buffer record = {0};
    struct row row;

    assert_int_equal(ledger_writer_start(&options, &scene->problems, &writer), OK);
    fixture_row(&scene->rng, &scene->arena, 1, START_US, &row);
    journal_put_settle(&record, &row);
    assert_int_equal(ledger_writer_append(writer, 0, buffer_content(&record)), OK);
    for (unsigned i = 1; i <= 3; i++) {
        buffer_clear(&record);
        journal_put_feedback(&record, &feedback);
        assert_int_equal(ledger_writer_append(writer, 0, buffer_content(&record)), OK);
        assert_int_equal(ledger_writer_drain(writer), OK);
        assert_int_equal(ledger_writer_counters(writer).foreign, i);
        assert_int_equal(scene->log.lines, 1);
    }
    assert_non_null(strstr(scene->log.last, "another tenant's key"));
    ledger_writer_stop(writer);
    buffer_free(&record);
}

static void
nothing_is_lost_between_workers_and_ledger(void **state)
{
    struct scene *scene = *state;
    struct gateway gateway;
    struct ledger *ledger;
    struct ledger_totals totals;
    struct ledger_writer_counters counters;

    start_writer(scene, &gateway);
    serve_on_all(&gateway);
    assert_int_equal(ledger_writer_drain(gateway.writer), OK);
    ledger_writer_check(gateway.writer);
    assert_int_equal(ledger_writer_drain(gateway.writer), OK);
    counters = ledger_writer_counters(gateway.writer);
    assert_true(counters.checks >= 2);
    assert_int_equal(counters.mismatches, 0);
    assert_int_equal(counters.tail.records, 2 * WORKERS * LOAD_ROWS);
    assert_int_equal(counters.lag_bytes, 0);
    ledger_writer_stop(gateway.writer);
    assert_int_equal(fixture_count_files(scene->journal), 0);
    ledger = open_ledger(scene);
    assert_int_equal(ledger_totals(ledger, &totals), OK);
    assert_true(ledger_totals_equal(&totals, &gateway.totals));
    ledger_close(ledger);
    assert_int_equal(scene->log.lines, 0);
}

/* Many milliseconds of work for one turn, of which a tenth of one is a piece: requests on the same processor get a turn between. */
static void
much_work_gives_way(void **state)
{
    enum { MUCH = 8000 };
    struct scene *scene = *state;
    struct ledger_options options = {
        .dir = scene->dir, .workers = 1, .apply_us = 3600 * USEC_PER_S, .log = &scene->log.log};
    struct ledger_writer *writer;
    struct buffer record = {0};
    struct row row;

    assert_int_equal(ledger_writer_start(&options, &scene->problems, &writer), OK);
    for (uint64_t id = 1; id <= MUCH; id++) {
        fixture_row(&scene->rng, &scene->arena, id, START_US + (int64_t)id * 1000, &row);
        journal_put_settle(&record, &row);
        assert_int_equal(ledger_writer_append(writer, 0, buffer_content(&record)), OK);
        buffer_clear(&record);
    }
    assert_int_equal(ledger_writer_drain(writer), OK);
    assert_int_equal(ledger_writer_counters(writer).tail.records, MUCH);
    assert_true(ledger_writer_counters(writer).given_way > 0);
    ledger_writer_stop(writer);
    buffer_free(&record);
}

/* A gateway that counted a row which it never appended. */
static void
a_lost_row_is_noticed(void **state)
{
    struct scene *scene = *state;
    struct gateway gateway;

    start_writer(scene, &gateway);
    gateway.totals.rows = 1;
    ledger_writer_check(gateway.writer);
    assert_int_equal(ledger_writer_drain(gateway.writer), OK);
    assert_int_equal(ledger_writer_counters(gateway.writer).mismatches, 1);
    assert_non_null(strstr(scene->log.last, "do not agree"));
    ledger_writer_stop(gateway.writer);
}

/* A writer whose turn never comes by itself. */
static void
what_waits_for_the_ledger_is_counted(void **state)
{
    struct scene *scene = *state;
    struct ledger_options options = {
        .dir = scene->dir, .workers = WORKERS, .apply_us = 3600 * USEC_PER_S, .log = &scene->log.log};
    struct ledger_writer *writer;
    struct arena arena = {0};
    struct buffer record = {0};
    struct rng rng;
    struct row row;

    rng_seed(&rng, 1);
    fixture_row(&rng, &arena, 1, START_US, &row);
    journal_put_open(&record, &row);
    journal_put_settle(&record, &row);
    assert_int_equal(ledger_writer_start(&options, &scene->problems, &writer), OK);
    assert_int_equal(ledger_writer_drain(writer), OK);
    assert_int_equal(ledger_writer_counters(writer).lag_bytes, 0);
    assert_int_equal(ledger_writer_append(writer, 1, buffer_content(&record)), OK);
    assert_int_equal(ledger_writer_counters(writer).lag_bytes, buffer_len(&record));
    assert_int_equal(ledger_writer_drain(writer), OK);
    assert_int_equal(ledger_writer_counters(writer).lag_bytes, 0);
    ledger_writer_stop(writer);
    buffer_free(&record);
    arena_reset(&arena);
}

static void
a_second_writer_is_refused(void **state)
{
    struct scene *scene = *state;
    struct gateway gateway;
    struct ledger_writer *second;

    start_writer(scene, &gateway);
    assert_int_equal(
        ledger_writer_start(&(struct ledger_options){.dir = scene->dir, .workers = 1, .log = &scene->log.log},
                            &scene->problems, &second),
        ERR_DENIED);
    ledger_writer_stop(gateway.writer);
}

int
main(void)
{
#define IN_SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dying_at_any_step_changes_nothing),
        cmocka_unit_test(dying_in_recovery_changes_nothing),
        IN_SCENE(a_torn_tail_is_cut),
        IN_SCENE(feedback_with_another_tenants_key_is_said_once),
        IN_SCENE(nothing_is_lost_between_workers_and_ledger),
        IN_SCENE(much_work_gives_way),
        IN_SCENE(a_lost_row_is_noticed),
        IN_SCENE(what_waits_for_the_ledger_is_counted),
        IN_SCENE(a_second_writer_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
