/* The journal on disk: each worker appends to a segment of its own; one thread besides allocates the next segments ahead,
 * syncs what was written, and removes what the ledger has taken over. */
#ifndef LIVE_JOURNAL_FILES_H
#define LIVE_JOURNAL_FILES_H

#include "base/log.h"
#include "live/segment.h"

struct journal_files;

/* For tests: asked before each step that may fail; anything but OK is what the step then returns. */
enum journal_step { JOURNAL_STEP_ALLOCATE, JOURNAL_STEP_SYNC };

struct journal_options {
    const char *dir; /* made if need be */
    unsigned workers;
    size_t segment_bytes;    /* 0: 16 MiB, with more than 16 workers less, so that all together take 512 MiB */
    usec sync_us;            /* how much a power cut may lose; 0: 100 ms */
    uint64_t first_sequence; /* of the first new segment; above all that ever were */
    struct log *log;
    enum status (*fault)(void *user, enum journal_step step); /* NULL: none */
    void *fault_user;
};

/* Makes the first segments and starts the thread. ERR_FULL, ERR_IO: not even the first ones could be made. */
enum status journal_files_open(const struct journal_options *options, struct problems *problems,
                               struct journal_files **out) MUST_CHECK;

/* When nobody appends or reads any more: syncs, stops the thread, unmaps. `taken_over`: the ledger has all of it, so no
 * file stays; else only those that are `done` or never got a record are removed. */
void journal_files_close(struct journal_files *files, bool taken_over);

/* By worker number `worker` only; never blocks on the disk. `record` as from money/ledger/journal.h, one or several, which a
 * reader then sees together. When it returns OK the record outlives the process; the power after at most sync_us.
 * ERR_FULL, ERR_IO: it is not kept, as no next segment could be allocated; later calls may succeed. ERR_LIMIT: larger
 * than a segment. */
enum status journal_append(struct journal_files *files, unsigned worker, struct slice record) MUST_CHECK;

/* The worker's oldest segment, where a reader starts; it goes on by `following` and marks what it has left as `done`. */
struct segment *journal_files_oldest(struct journal_files *files, unsigned worker);

/* OK, or why the last allocation or sync failed. Any thread. */
enum status journal_files_health(struct journal_files *files);

/* True from a failed append of some worker until it has a next segment. Any thread. */
bool journal_files_refuse(const struct journal_files *files);

/* Wakes the thread: something is done, or should be synced now. Any thread. */
void journal_files_kick(struct journal_files *files);

#endif
