#define _GNU_SOURCE /* pthread_condattr_setclock */
#include "live/journal_files.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

/* Each worker has two: one that it appends to, and the next. */
enum { DEFAULT_SEGMENT_BYTES = 16 * 1024 * 1024, DEFAULT_SEGMENTS_BYTES = 512 * 1024 * 1024 };
#define DEFAULT_SYNC_US (100 * USEC_PER_MS)

/* On cache lines of their own: each belongs to another worker. */
struct journal_worker {
    _Alignas(64) struct segment *current; /* the worker's */
    _Atomic(struct segment *) next;       /* made by the upkeep thread, taken by the worker */
    _Atomic(enum status) allocation;      /* how making the next one went last */
    atomic_bool refuses;                  /* the last append failed */
    struct segment *oldest;               /* the upkeep thread's: from here by `following` */
};

struct journal_files {
    struct journal_options options;
    char *dir;
    uint64_t sequence; /* of the next segment; the upkeep thread's */
    struct journal_worker *workers;
    pthread_t upkeep;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool kicked, stopping;
    _Atomic(enum status) syncing; /* how syncing went last */
};

static enum status
fault(struct journal_files *files, enum journal_step step)
{
    return files->options.fault != NULL ? files->options.fault(files->options.fault_user, step) : OK;
}

static enum status
make_segment(struct journal_files *files, unsigned worker, struct segment **out)
{
    enum status status = fault(files, JOURNAL_STEP_ALLOCATE);

    if (status != OK)
        return status;
    return segment_create(files->dir, worker, files->sequence++, files->options.segment_bytes, out);
}

static void
say_allocation(struct journal_files *files, unsigned worker, enum status before, enum status now)
{
    if (now != OK && now != before)
        log_line(files->options.log, LOG_ERROR,
                 "journal: no next segment of %zu bytes for worker %u in %s: %s; make room on the disk: requests are "
                 "refused, or served without record if the configuration says so, once the present segment is full",
                 files->options.segment_bytes, worker, files->dir, status_text(now));
    if (now == OK && before != OK)
        log_line(files->options.log, LOG_INFO, "journal: worker %u has a next segment again", worker);
}

static void
allocate_ahead(struct journal_files *files, unsigned number)
{
    struct journal_worker *worker = &files->workers[number];
    struct segment *segment = NULL;
    enum status before, now;

    if (atomic_load_explicit(&worker->next, memory_order_relaxed) != NULL)
        return;
    now = make_segment(files, number, &segment);
    before = atomic_exchange_explicit(&worker->allocation, now, memory_order_relaxed);
    say_allocation(files, number, before, now);
    if (now == OK)
        atomic_store_explicit(&worker->next, segment, memory_order_release);
}

static void
sync_segment(struct journal_files *files, struct segment *segment)
{
    enum status now = fault(files, JOURNAL_STEP_SYNC);
    enum status before;

    if (now == OK)
        now = segment_sync(segment);
    before = atomic_exchange_explicit(&files->syncing, now, memory_order_relaxed);
    if (now != OK && before == OK)
        log_line(files->options.log, LOG_ERROR,
                 "journal: %s cannot be written to the disk; a power cut would lose what is in it", segment->path);
}

/* Only segments that a following one has replaced are ever done, so the last always stays. */
static void
remove_done(struct journal_worker *worker)
{
    while (atomic_load_explicit(&worker->oldest->done, memory_order_acquire)) {
        struct segment *following = atomic_load_explicit(&worker->oldest->following, memory_order_acquire);

        ENSURE(following != NULL);
        segment_free(worker->oldest, true);
        worker->oldest = following;
    }
}

static void
do_upkeep(struct journal_files *files)
{
    for (unsigned i = 0; i < files->options.workers; i++) {
        struct journal_worker *worker = &files->workers[i];

        allocate_ahead(files, i);
        remove_done(worker);
        for (struct segment *s = worker->oldest; s != NULL;
             s = atomic_load_explicit(&s->following, memory_order_acquire))
            sync_segment(files, s);
    }
}

static void
wait_a_turn(struct journal_files *files)
{
    struct timespec until;
    int64_t nanoseconds;

    clock_gettime(CLOCK_MONOTONIC, &until);
    nanoseconds = until.tv_nsec + files->options.sync_us * 1000;
    until.tv_sec += nanoseconds / 1000000000;
    until.tv_nsec = nanoseconds % 1000000000;
    while (!files->kicked && !files->stopping)
        if (pthread_cond_timedwait(&files->wake, &files->mutex, &until) == ETIMEDOUT)
            break;
    files->kicked = false;
}

static void *
upkeep_main(void *user)
{
    struct journal_files *files = user;
    bool stopping = false;

    while (!stopping) {
        pthread_mutex_lock(&files->mutex);
        wait_a_turn(files);
        stopping = files->stopping;
        pthread_mutex_unlock(&files->mutex);
        do_upkeep(files);
    }
    return NULL;
}

static void
wake_upkeep(struct journal_files *files, bool stopping)
{
    pthread_mutex_lock(&files->mutex);
    files->kicked = true;
    files->stopping = files->stopping || stopping;
    pthread_cond_signal(&files->wake);
    pthread_mutex_unlock(&files->mutex);
}

void
journal_files_kick(struct journal_files *files)
{
    wake_upkeep(files, false);
}

static enum status
make_first_segments(struct journal_files *files)
{
    for (unsigned i = 0; i < files->options.workers; i++) {
        struct journal_worker *worker = &files->workers[i];
        enum status status = make_segment(files, i, &worker->current);

        atomic_init(&worker->next, NULL);
        atomic_init(&worker->allocation, OK);
        atomic_init(&worker->refuses, false);
        worker->oldest = worker->current;
        if (status != OK)
            return status;
    }
    return OK;
}

static void
free_files(struct journal_files *files)
{
    pthread_mutex_destroy(&files->mutex);
    pthread_cond_destroy(&files->wake);
    free(files->workers);
    free(files->dir);
    free(files);
}

static size_t
default_segment_bytes(unsigned workers)
{
    size_t share = DEFAULT_SEGMENTS_BYTES / (2 * (size_t)workers);

    return share < DEFAULT_SEGMENT_BYTES ? share & ~(size_t)4095 : DEFAULT_SEGMENT_BYTES;
}

static struct journal_files *
new_files(const struct journal_options *options)
{
    struct journal_files *files = must_calloc(1, sizeof(*files));
    pthread_condattr_t monotonic;

    files->options = *options;
    if (files->options.segment_bytes == 0)
        files->options.segment_bytes = default_segment_bytes(options->workers);
    if (files->options.sync_us <= 0)
        files->options.sync_us = DEFAULT_SYNC_US;
    files->dir = must_strdup(options->dir);
    files->sequence = options->first_sequence;
    files->workers = aligned_alloc(_Alignof(struct journal_worker), options->workers * sizeof(struct journal_worker));
    ENSURE(files->workers != NULL);
    memset(files->workers, 0, options->workers * sizeof(struct journal_worker));
    atomic_init(&files->syncing, OK);
    pthread_mutex_init(&files->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&files->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return files;
}

/* Removes what nobody needs: done, or never written to. */
static void
free_worker(struct journal_worker *worker, bool taken_over)
{
    struct segment *segment = worker->oldest;

    while (segment != NULL) {
        struct segment *following = atomic_load_explicit(&segment->following, memory_order_acquire);
        bool unused = atomic_load_explicit(&segment->published, memory_order_acquire) == SEGMENT_HEAD_BYTES;

        segment_free(segment, taken_over || unused || atomic_load_explicit(&segment->done, memory_order_acquire));
        segment = following;
    }
    segment_free(atomic_load_explicit(&worker->next, memory_order_acquire), true);
}

static enum status
fail_open(struct journal_files *files, enum status status, struct problems *problems)
{
    problems_add(problems, (struct problem){.hint = "make room, or choose another directory with `data:`"},
                 "the journal in %s cannot be started: a segment of %zu bytes cannot be allocated: %s", files->dir,
                 files->options.segment_bytes, status_text(status));
    for (unsigned i = 0; i < files->options.workers; i++)
        free_worker(&files->workers[i], true);
    free_files(files);
    return status;
}

enum status
journal_files_open(const struct journal_options *options, struct problems *problems, struct journal_files **out)
{
    struct journal_files *files = new_files(options);
    enum status status = OK;

    ENSURE(options->workers > 0 && options->log != NULL);
    if (mkdir(files->dir, 0700) != 0 && errno != EEXIST)
        status = ERR_IO;
    segment_clear_unfinished(files->dir);
    if (status == OK)
        status = make_first_segments(files);
    if (status != OK)
        return fail_open(files, status, problems);
    files->kicked = true;
    if (pthread_create(&files->upkeep, NULL, upkeep_main, files) != 0)
        return fail_open(files, ERR_NO_MEMORY, problems);
    *out = files;
    return OK;
}

void
journal_files_close(struct journal_files *files, bool taken_over)
{
    if (files == NULL)
        return;
    wake_upkeep(files, true);
    pthread_join(files->upkeep, NULL);
    for (unsigned i = 0; i < files->options.workers; i++)
        free_worker(&files->workers[i], taken_over);
    free_files(files);
}

/* Goes on in the segment that was made ahead. */
static enum status
next_segment(struct journal_files *files, struct journal_worker *worker)
{
    struct segment *next = atomic_exchange_explicit(&worker->next, NULL, memory_order_acquire);
    struct segment *full = worker->current;
    enum status why;

    if (next == NULL) {
        /* The thread tries again at its next turn; waking it for every refused request would only load a sick disk. */
        atomic_store_explicit(&worker->refuses, true, memory_order_relaxed);
        why = atomic_load_explicit(&worker->allocation, memory_order_relaxed);
        return why != OK ? why : ERR_FULL;
    }
    atomic_store_explicit(&worker->refuses, false, memory_order_relaxed);
    wake_upkeep(files, false);
    worker->current = next;
    atomic_store_explicit(&full->following, next, memory_order_release);
    segment_seal(full);
    return OK;
}

enum status
journal_append(struct journal_files *files, unsigned worker_number, struct slice record)
{
    struct journal_worker *worker = &files->workers[worker_number];
    enum status status;

    ENSURE(worker_number < files->options.workers);
    if (segment_append(worker->current, record) == OK)
        return OK;
    if (record.len + SEGMENT_HEAD_BYTES + sizeof(uint64_t) > files->options.segment_bytes)
        return ERR_LIMIT;
    status = next_segment(files, worker);
    return status == OK ? segment_append(worker->current, record) : status;
}

struct segment *
journal_files_oldest(struct journal_files *files, unsigned worker)
{
    ENSURE(worker < files->options.workers);
    return files->workers[worker].oldest;
}

bool
journal_files_refuse(const struct journal_files *files)
{
    for (unsigned i = 0; i < files->options.workers; i++)
        if (atomic_load_explicit(&files->workers[i].refuses, memory_order_relaxed) &&
            atomic_load_explicit(&files->workers[i].next, memory_order_relaxed) == NULL)
            return true;
    return false;
}

enum status
journal_files_health(struct journal_files *files)
{
    for (unsigned i = 0; i < files->options.workers; i++) {
        enum status status = atomic_load_explicit(&files->workers[i].allocation, memory_order_relaxed);

        if (status != OK)
            return status;
    }
    return atomic_load_explicit(&files->syncing, memory_order_relaxed);
}
