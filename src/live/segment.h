/* A segment of the journal: a file of fixed size, allocated beforehand and mapped, to which one worker appends and which
 * one reader follows. Beforehand, because a write to a mapped page that the disk has no room for kills the process.
 *
 * Head of 64 bytes, then records (money/ledger/journal.h), then zeros or JOURNAL_SEALED. Invariant: a record's length is stored
 * last, so what a reader finds is whole; 8 bytes always stay for the seal. */
#ifndef LIVE_SEGMENT_H
#define LIVE_SEGMENT_H

#include <stdatomic.h>

#include "base/problem.h"
#include "base/timers.h"

enum { SEGMENT_HEAD_BYTES = 64 };

struct segment {
    char *path;
    unsigned worker;
    uint64_t sequence; /* unique in the data directory, growing */
    unsigned char *bytes;
    size_t size;
    size_t end;                          /* the appending worker's */
    atomic_size_t published;             /* `end`, for whoever syncs */
    size_t synced;                       /* the syncing thread's */
    _Atomic(struct segment *) following; /* set before the segment is sealed */
    atomic_bool done;                    /* nobody reads or appends any more: the file may go */
};

/* A new file DIR/WORKER-SEQUENCE.journal with its room allocated. ERR_FULL: no room on the disk; ERR_IO. */
enum status segment_create(const char *dir, unsigned worker, uint64_t sequence, size_t size, struct segment **out)
    MUST_CHECK;

/* Maps an existing file for reading. ERR_INVALID: not a segment, or of a newer program (said as a problem); ERR_IO. */
enum status segment_map(const char *path, struct problems *problems, struct segment **out) MUST_CHECK;

/* Unmaps, and removes the file if told. */
void segment_free(struct segment *segment, bool remove_file);

/* Writes what was appended since the last time to the disk. ERR_IO. */
enum status segment_sync(struct segment *segment) MUST_CHECK;

/* By the one appending worker. `record` is one record or several, as money/ledger/journal.h makes them; readers see all or none.
 * ERR_FULL: no room left in it. */
enum status segment_append(struct segment *segment, struct slice record) MUST_CHECK;

/* By the appending worker, when `following` is set: nothing comes any more. It must not touch the segment afterwards. */
void segment_seal(struct segment *segment);

/* What a reader finds at *offset (start with SEGMENT_HEAD_BYTES). */
enum segment_found {
    SEGMENT_RECORD, /* *record is whole, its checksum not verified; the next is at *offset + record->len */
    SEGMENT_WAIT,   /* nothing yet */
    SEGMENT_SEALED, /* nothing ever; goes on in `following` */
    SEGMENT_TORN    /* the length is impossible */
};
enum segment_found segment_look(const struct segment *segment, size_t offset, struct slice *record);

/* The segments in a directory, oldest first; freed by the caller with segment_free and free. Problems say what could not
 * be read, and where a newer program is needed; none of those is in the list, and the status is not OK. */
enum status segment_list(const char *dir, struct problems *problems, struct segment ***out, size_t *count) MUST_CHECK;

/* Removes what a process that died while making a segment has left. Only for the one process that holds the directory. */
void segment_clear_unfinished(const char *dir);

#endif
