#define _GNU_SOURCE /* asprintf, pthread_condattr_setclock */
#include "live/ledger_writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "live/data_lock.h"
#include "live/gently.h"
#include "live/journal_files.h"
#include "money/amount.h"
#include "money/ledger/ledger_sqlite.h"

#define DEFAULT_APPLY_US (50 * USEC_PER_MS)
#define DEFAULT_CHECK_US (3600 * USEC_PER_S)
#define RELEASE_EVERY_US USEC_PER_S    /* a checkpoint costs a sync of the disk */
#define RETRY_US USEC_PER_S            /* after a failure of the store */
#define SETTLING_US (20 * USEC_PER_MS) /* between adding a row to the totals and appending it, mostly */
enum { SETTLING_TRIES = 25 };          /* on a machine that is too busy to run the worker at once */
#define GENTLE_US (200 * USEC_PER_MS)  /* a turn that takes longer takes its share of the processor */
#define EARLY_FEEDBACK_US (86400 * USEC_PER_S)

/* How much a worker has appended: by it alone, read by anyone. On a cache line of its own. */
struct appended {
    alignas(64) atomic_uint_fast64_t bytes;
};

struct ledger_writer {
    struct ledger_options options;
    int lock;
    struct ledger *ledger;
    struct journal_files *files;
    struct ledger_tail *tail;
    struct appended *appended; /* by worker */
    struct ledger_totals at_start;
    uint64_t last_id; /* at start */
    char *path;       /* of ledger.db, and which file that is */
    ino_t file;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake, drained;
    /* Under the mutex: */
    bool stopping, check_asked;
    uint64_t drain_asked, drain_done; /* numbers of requests to drain */
    struct ledger_writer_counters counters;
    enum status health;
    /* The thread's: */
    usec checked_us, released_us;
    struct gently gently;
};

/* Checks */

static void
say_mismatch(struct ledger_writer *writer, const char *what, const struct ledger_totals *a,
             const struct ledger_totals *b)
{
    char cost_a[AMOUNT_TEXT_SIZE], cost_b[AMOUNT_TEXT_SIZE];

    amount_format(a->cost, cost_a);
    amount_format(b->cost, cost_b);
    log_line(writer->options.log, LOG_ERROR,
             "ledger: %s do not agree: %lld rows, $%s against %lld rows, $%s; please report this", what,
             (long long)a->rows, cost_a, (long long)b->rows, cost_b);
}

static void
count_check(struct ledger_writer *writer, bool agrees)
{
    pthread_mutex_lock(&writer->mutex);
    writer->counters.checks++;
    writer->counters.mismatches += !agrees;
    pthread_mutex_unlock(&writer->mutex);
}

static enum status
take_all(struct ledger_writer *writer)
{
    enum status status = OK;
    bool more = true;

    while (more && status == OK)
        status = ledger_tail_step(writer->tail, &more);
    return status;
}

static void
totals_since_start(struct ledger_totals *totals, const struct ledger_totals *at_start)
{
    totals->rows -= at_start->rows;
    totals->unpriced -= at_start->unpriced;
    totals->cost -= at_start->cost;
    totals->baseline -= at_start->baseline;
    totals->saved -= at_start->saved;
}

/* In a quiet moment all must be equal. Under load the ledger must lie between what the gateway said before and says
 * after: rows only grow, and costs are not negative. */
static bool
totals_agree(const struct ledger_totals *before, const struct ledger_totals *ledger, const struct ledger_totals *after)
{
    if (ledger_totals_equal(before, after))
        return ledger_totals_equal(before, ledger);
    return ledger->rows >= before->rows && ledger->rows <= after->rows && ledger->cost >= before->cost &&
           ledger->cost <= after->cost;
}

/* Whether the ledger has caught up with what the gateway had counted; *known: it could be told. */
static bool
ledger_catches_up(struct ledger_writer *writer, const struct ledger_totals *before, struct ledger_totals *ledger,
                  bool *known)
{
    struct timespec settling = {.tv_nsec = SETTLING_US * 1000};
    struct ledger_totals after;
    bool agree = false;

    for (unsigned i = 0; i < SETTLING_TRIES && !agree; i++) {
        nanosleep(&settling, NULL);
        *known = take_all(writer) == OK && ledger_totals(writer->ledger, ledger) == OK;
        if (!*known)
            return false;
        writer->options.totals(writer->options.totals_user, &after);
        totals_since_start(ledger, &writer->at_start);
        agree = totals_agree(before, ledger, &after);
    }
    return agree;
}

static void
check_gateway(struct ledger_writer *writer)
{
    struct ledger_totals before, ledger;
    bool agree, known = false;

    if (writer->options.totals == NULL)
        return;
    writer->options.totals(writer->options.totals_user, &before);
    if (writer->options.before_check != NULL)
        writer->options.before_check(writer->options.totals_user);
    agree = ledger_catches_up(writer, &before, &ledger, &known);
    if (!known)
        return;
    count_check(writer, agree);
    if (!agree)
        say_mismatch(writer, "the gateway's counters and the ledger", &before, &ledger);
    if (writer->options.after_check != NULL)
        count_check(writer,
                    writer->options.after_check(writer->options.totals_user, ledger_store(writer->ledger)) == 0);
}

/* Rows of the hours since the last check, one by one, against their sums. */
static void
check_rows(struct ledger_writer *writer)
{
    usec since = clock_wall_us() - writer->options.check_us - 3600 * USEC_PER_S;
    struct ledger_totals rows, sums;
    enum status status;

    since -= since % (3600 * USEC_PER_S);
    status = ledger_check(writer->ledger, since, &rows, &sums);
    if (status != OK && status != ERR_CORRUPT)
        return;
    count_check(writer, status == OK);
    if (status == ERR_CORRUPT)
        say_mismatch(writer, "the ledger's rows and their sums", &rows, &sums);
}

static void
drop_old_feedback(struct ledger_writer *writer)
{
    size_t dropped = 0;
    enum status status = ledger_begin(writer->ledger);

    if (status == OK)
        status = ledger_drop_old_feedback(writer->ledger, clock_wall_us() - EARLY_FEEDBACK_US, &dropped);
    if (status == OK)
        status = ledger_commit(writer->ledger);
    if (status != OK)
        ledger_rollback(writer->ledger);
    else if (dropped > 0)
        log_line(writer->options.log, LOG_WARN, "ledger: feedback on %zu requests that never came was dropped",
                 dropped);
}

static void
check_all(struct ledger_writer *writer)
{
    check_gateway(writer);
    check_rows(writer);
    drop_old_feedback(writer);
    writer->checked_us = clock_now_us();
}

/* The thread */

/* Once: whoever does it may do it often. */
static void
say_foreign(struct ledger_writer *writer)
{
    uint64_t now = ledger_foreign_feedback(writer->ledger), before;

    pthread_mutex_lock(&writer->mutex);
    before = writer->counters.foreign;
    writer->counters.foreign = now;
    pthread_mutex_unlock(&writer->mutex);
    if (before == 0 && now > 0)
        log_line(writer->options.log, LOG_WARN,
                 "ledger: feedback came with another tenant's key than its request; it is left out, here and from now "
                 "on (equipoise_feedback_foreign_total counts it)");
}

static void
say_health(struct ledger_writer *writer, enum status now)
{
    enum status before;

    pthread_mutex_lock(&writer->mutex);
    before = writer->health;
    writer->health = now;
    writer->counters.tail = ledger_tail_counters(writer->tail);
    writer->counters.given_way = writer->gently.given_way;
    pthread_mutex_unlock(&writer->mutex);
    if (now != OK && before == OK)
        log_line(writer->options.log, LOG_ERROR,
                 "ledger: %s/ledger.db cannot be written: %s; nothing is lost as long as the journal has room: make "
                 "room on the disk",
                 writer->options.dir, status_text(now));
    if (now == OK && before != OK)
        log_line(writer->options.log, LOG_INFO, "ledger: it can be written again");
}

/* SQLite would go on writing to a file that nobody finds any more. What the journal has waits for the next start. */
static bool
ledger_is_there(const struct ledger_writer *writer)
{
    struct stat about;

    return stat(writer->path, &about) == 0 && about.st_ino == writer->file;
}

static void
turn(struct ledger_writer *writer)
{
    enum status status;
    bool clean;

    gently_for(&writer->gently, GENTLE_US);
    status = ledger_is_there(writer) ? take_all(writer) : ERR_NOT_FOUND;
    if (status == OK && clock_now_us() - writer->released_us >= RELEASE_EVERY_US) {
        status = ledger_tail_release(writer->tail, &clean);
        writer->released_us = clock_now_us();
    }
    gently_for(&writer->gently, 0);
    say_foreign(writer);
    say_health(writer, status);
}

static void
wait_for_turn(struct ledger_writer *writer)
{
    struct timespec until;
    usec wait_us = writer->health == OK ? writer->options.apply_us : RETRY_US;
    int64_t nanoseconds;

    clock_gettime(CLOCK_MONOTONIC, &until);
    nanoseconds = until.tv_nsec + wait_us * 1000;
    until.tv_sec += nanoseconds / 1000000000;
    until.tv_nsec = nanoseconds % 1000000000;
    while (!writer->stopping && !writer->check_asked && writer->drain_done == writer->drain_asked)
        if (pthread_cond_timedwait(&writer->wake, &writer->mutex, &until) == ETIMEDOUT)
            break;
}

static void *
writer_main(void *user)
{
    struct ledger_writer *writer = user;
    bool stopping = false, check;
    uint64_t drain;

    while (!stopping) {
        pthread_mutex_lock(&writer->mutex);
        wait_for_turn(writer);
        stopping = writer->stopping;
        check = writer->check_asked || clock_now_us() - writer->checked_us >= writer->options.check_us;
        writer->check_asked = false;
        drain = writer->drain_asked;
        pthread_mutex_unlock(&writer->mutex);
        turn(writer);
        if (check || stopping)
            check_all(writer);
        pthread_mutex_lock(&writer->mutex);
        writer->drain_done = drain;
        pthread_cond_broadcast(&writer->drained);
        pthread_mutex_unlock(&writer->mutex);
    }
    return NULL;
}

/* Start and stop */

static void
between_pages(void *user)
{
    gently_between(user);
}

static enum status
open_ledger(struct ledger_writer *writer, struct problems *problems)
{
    struct ledger_store *store = NULL;
    struct stat about;
    enum status status;

    if (asprintf(&writer->path, "%s/ledger.db", writer->options.dir) < 0)
        return ERR_NO_MEMORY;
    status = ledger_sqlite_open_in_pieces(writer->path, (struct ledger_between){between_pages, &writer->gently},
                                          problems, &store);
    if (status == OK && stat(writer->path, &about) == 0)
        writer->file = about.st_ino;
    if (status == OK) {
        status = ledger_open(store, &writer->ledger);
        if (status != OK)
            problems_add(problems, (struct problem){.file = writer->path}, "cannot be read: %s", status_text(status));
    }
    return status;
}

static enum status
open_journal(struct ledger_writer *writer, struct problems *problems)
{
    char *dir = NULL;
    uint64_t next_sequence = 0;
    enum status status;

    if (asprintf(&dir, "%s/journal", writer->options.dir) < 0)
        return ERR_NO_MEMORY;
    status = ledger_tail_recover(&(struct ledger_tail_options){.journal_dir = dir,
                                                               .batch_records = writer->options.batch_records,
                                                               .gently = &writer->gently,
                                                               .log = writer->options.log},
                                 writer->ledger, problems, &writer->tail, &next_sequence);
    if (status == OK)
        status = journal_files_open(&(struct journal_options){.dir = dir,
                                                              .workers = writer->options.workers,
                                                              .segment_bytes = writer->options.segment_bytes,
                                                              .sync_us = writer->options.sync_us,
                                                              .first_sequence = next_sequence,
                                                              .log = writer->options.log},
                                    problems, &writer->files);
    free(dir);
    if (status != OK)
        return status;
    ledger_tail_follow(writer->tail, writer->files, writer->options.workers);
    status = ledger_last_id(writer->ledger, &writer->last_id);
    return status == OK ? ledger_totals(writer->ledger, &writer->at_start) : status;
}

static void
free_writer(struct ledger_writer *writer, bool taken_over)
{
    ledger_tail_free(writer->tail);
    journal_files_close(writer->files, taken_over);
    ledger_close(writer->ledger);
    if (writer->lock >= 0)
        data_lock_release(writer->lock);
    pthread_mutex_destroy(&writer->mutex);
    pthread_cond_destroy(&writer->wake);
    pthread_cond_destroy(&writer->drained);
    free((char *)(uintptr_t)writer->options.dir);
    free(writer->path);
    free(writer->appended);
    free(writer);
}

static struct ledger_writer *
new_writer(const struct ledger_options *options)
{
    struct ledger_writer *writer = must_calloc(1, sizeof(*writer));
    pthread_condattr_t monotonic;

    writer->options = *options;
    writer->options.dir = must_strdup(options->dir);
    if (writer->options.apply_us <= 0)
        writer->options.apply_us = DEFAULT_APPLY_US;
    if (writer->options.check_us <= 0)
        writer->options.check_us = DEFAULT_CHECK_US;
    writer->appended = aligned_alloc(alignof(struct appended), options->workers * sizeof(struct appended));
    ENSURE(writer->appended != NULL);
    for (unsigned i = 0; i < options->workers; i++)
        atomic_init(&writer->appended[i].bytes, 0);
    writer->lock = -1;
    writer->checked_us = writer->released_us = clock_now_us();
    pthread_mutex_init(&writer->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&writer->wake, &monotonic);
    pthread_cond_init(&writer->drained, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return writer;
}

enum status
ledger_writer_start(const struct ledger_options *options, struct problems *problems, struct ledger_writer **out)
{
    struct ledger_writer *writer = new_writer(options);
    enum status status = data_lock_take(options->dir, problems, &writer->lock);

    if (status == OK)
        status = open_ledger(writer, problems);
    if (status == OK)
        status = open_journal(writer, problems);
    if (status == OK && pthread_create(&writer->thread, NULL, writer_main, writer) != 0)
        status = ERR_NO_MEMORY;
    if (status == OK)
        *out = writer;
    else
        free_writer(writer, false);
    return status;
}

enum status
ledger_writer_append(void *user, unsigned worker, struct slice record)
{
    struct ledger_writer *writer = user;
    enum status status = journal_append(writer->files, worker, record);

    if (status == OK)
        atomic_fetch_add_explicit(&writer->appended[worker].bytes, record.len, memory_order_relaxed);
    return status;
}

enum status
ledger_writer_drain(struct ledger_writer *writer)
{
    enum status status;
    uint64_t number;

    pthread_mutex_lock(&writer->mutex);
    number = ++writer->drain_asked;
    pthread_cond_signal(&writer->wake);
    while (writer->drain_done < number)
        pthread_cond_wait(&writer->drained, &writer->mutex);
    status = writer->health;
    pthread_mutex_unlock(&writer->mutex);
    return status;
}

void
ledger_writer_check(struct ledger_writer *writer)
{
    pthread_mutex_lock(&writer->mutex);
    writer->check_asked = true;
    pthread_cond_signal(&writer->wake);
    pthread_mutex_unlock(&writer->mutex);
}

enum status
ledger_writer_health(struct ledger_writer *writer)
{
    enum status status;

    pthread_mutex_lock(&writer->mutex);
    status = writer->health;
    pthread_mutex_unlock(&writer->mutex);
    return status != OK ? status : journal_files_health(writer->files);
}

/* Who appends counts after its record can be read: for a moment the ledger may be ahead of the count. */
static uint64_t
lag_bytes(struct ledger_writer *writer, uint64_t taken)
{
    uint64_t appended = 0;

    for (unsigned i = 0; i < writer->options.workers; i++)
        appended += atomic_load_explicit(&writer->appended[i].bytes, memory_order_relaxed);
    return appended > taken ? appended - taken : 0;
}

bool
ledger_writer_refuses(const struct ledger_writer *writer)
{
    return journal_files_refuse(writer->files);
}

uint64_t
ledger_writer_last_id(const struct ledger_writer *writer)
{
    return writer->last_id;
}

struct ledger_writer_counters
ledger_writer_counters(struct ledger_writer *writer)
{
    struct ledger_writer_counters counters;

    pthread_mutex_lock(&writer->mutex);
    counters = writer->counters;
    pthread_mutex_unlock(&writer->mutex);
    counters.lag_bytes = lag_bytes(writer, counters.tail.bytes);
    return counters;
}

/* Everything is in the ledger and on the disk, so that the journal may go. */
static bool
taken_over(struct ledger_writer *writer)
{
    struct ledger_store *store = ledger_store(writer->ledger);
    bool complete = false, more = true;

    return ledger_is_there(writer) && ledger_tail_step(writer->tail, &more) == OK && !more &&
           store->ops->checkpoint(store, &complete) == OK && complete;
}

void
ledger_writer_stop(struct ledger_writer *writer)
{
    if (writer == NULL)
        return;
    pthread_mutex_lock(&writer->mutex);
    writer->stopping = true;
    pthread_cond_signal(&writer->wake);
    pthread_mutex_unlock(&writer->mutex);
    pthread_join(writer->thread, NULL);
    free_writer(writer, taken_over(writer));
}
