/* The gateway's whole ledger behind three functions: start (takes the data directory, takes over what a dead process
 * left), append (by each worker), stop (takes everything over and leaves a ledger without a journal).
 *
 *   DIR/lock       held while the process lives
 *   DIR/journal/   segments, which go once the ledger has them
 *   DIR/ledger.db  the ledger
 *
 * One thread follows the journal and applies it in batches; at hours' ends it checks that nothing was lost. */
#ifndef LIVE_LEDGER_WRITER_H
#define LIVE_LEDGER_WRITER_H

#include "live/ledger_tail.h"

struct ledger_writer;

struct ledger_options {
    const char *dir;
    unsigned workers;
    usec sync_us;         /* how much a power cut may lose; 0: 100 ms */
    usec apply_us;        /* how far the ledger may lag; 0: 50 ms */
    usec check_us;        /* how often to check; 0: an hour */
    size_t segment_bytes; /* 0: as journal_files.h says */
    size_t batch_records; /* 0: 8192 */
    struct log *log;
    /* What the gateway has settled since it started; NULL: not compared. Called on the writer's thread. The gateway adds
     * a row to its totals before it appends the row, and not at all if the append fails. */
    void (*totals)(void *user, struct ledger_totals *out);
    /* More to be compared, both on the writer's thread: before what was appended is taken over, and after; returns how
     * much does not agree, which it has said. NULL: nothing. */
    void (*before_check)(void *user);
    size_t (*after_check)(void *user, struct ledger_store *store);
    void *totals_user;
};

struct ledger_writer_counters {
    struct ledger_tail_counters tail;
    uint64_t checks;     /* comparisons made */
    uint64_t lag_bytes;  /* of the journal, appended and not in the ledger; 0: the ledger has everything */
    uint64_t mismatches; /* how many of them did not come out even: each is an error in the log */
    uint64_t foreign;    /* feedback that was left out: another tenant's request */
    uint64_t given_way;  /* times that the writer let others on the processor in the midst of its work */
};

/* All problems are said, with what to do. ERR_DENIED: another process has the directory. */
enum status ledger_writer_start(const struct ledger_options *options, struct problems *problems,
                                struct ledger_writer **out) MUST_CHECK;

/* As journal_append; `writer` is a struct ledger_writer. */
enum status ledger_writer_append(void *writer, unsigned worker, struct slice record) MUST_CHECK;

/* Blocks until everything that was appended before is in the ledger. Not on a worker's loop. ERR_IO: it cannot be. */
enum status ledger_writer_drain(struct ledger_writer *writer) MUST_CHECK;

/* Asks for a check soon; its result is in the counters and the log. */
void ledger_writer_check(struct ledger_writer *writer);

/* OK, or why journal or ledger last failed to write. Any thread. */
enum status ledger_writer_health(struct ledger_writer *writer);

/* True while appends fail: from the first that did until there is room again. Any thread. */
bool ledger_writer_refuses(const struct ledger_writer *writer);

/* The highest id in the ledger when it was opened: new ones must be above it. */
uint64_t ledger_writer_last_id(const struct ledger_writer *writer);

struct ledger_writer_counters ledger_writer_counters(struct ledger_writer *writer);

/* When no worker appends any more. What cannot be taken over stays in the journal for the next start. */
void ledger_writer_stop(struct ledger_writer *writer);

#endif
