/* Takes the journal over into the ledger: what a dead process left behind at start, then what the workers append. No
 * thread of its own: ledger_writer.h runs it, tests step through it. */
#ifndef LIVE_LEDGER_TAIL_H
#define LIVE_LEDGER_TAIL_H

#include "live/gently.h"
#include "live/journal_files.h"
#include "money/ledger/ledger.h"

struct ledger_tail;

/* For tests: asked before each step; anything but OK ends the step there, as if the process had died. */
enum ledger_step {
    LEDGER_STEP_BEGIN,
    LEDGER_STEP_APPLY,
    LEDGER_STEP_POSITION,
    LEDGER_STEP_COMMIT,
    LEDGER_STEP_COMMITTED,
    LEDGER_STEP_CHECKPOINT,
    LEDGER_STEP_REMOVE
};
typedef enum status ledger_fault(void *user, enum ledger_step step);

struct ledger_tail_options {
    const char *journal_dir;
    size_t batch_records;  /* most in one transaction; 0: 8192 */
    struct gently *gently; /* gives way between records; NULL: never */
    struct log *log;
    ledger_fault *fault; /* NULL: none */
    void *fault_user;
};

struct ledger_tail_counters {
    uint64_t records; /* taken over */
    uint64_t bytes;   /* taken over of what the workers append */
    uint64_t batches;
    uint64_t damaged;  /* records, or ends of segments, that could not be read */
    uint64_t failures; /* batches that had to be rolled back */
    uint64_t charged;  /* requests of a dead process, charged at their estimate */
};

/* Takes over what other processes left in the journal, and charges what they left open. `ledger` stays the caller's.
 * *next_sequence: for new segments. On error the ledger is as before and the segments stay. */
enum status ledger_tail_recover(const struct ledger_tail_options *options, struct ledger *ledger,
                                struct problems *problems, struct ledger_tail **out, uint64_t *next_sequence)
    MUST_CHECK;

/* From now on follows these workers' segments. */
void ledger_tail_follow(struct ledger_tail *tail, struct journal_files *files, unsigned workers);

/* Takes over one batch. *more: there may be more at once. After an error everything is as before; call again later. */
enum status ledger_tail_step(struct ledger_tail *tail, bool *more) MUST_CHECK;

/* Removes segments that are wholly taken over, once the ledger has them safely on the disk. OK also if it is not yet
 * possible; *clean: nothing is left to remove. */
enum status ledger_tail_release(struct ledger_tail *tail, bool *clean) MUST_CHECK;

struct ledger_tail_counters ledger_tail_counters(const struct ledger_tail *tail);
void ledger_tail_free(struct ledger_tail *tail);

#endif
