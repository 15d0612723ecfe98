/* The store's file, which keeps it over a restart. Records are appended; when more than half of it is no longer in the
 * store, and after a purge, what is there is written anew beside it and takes its place. Nothing is written on a
 * worker's loop, and no look-up ever waits for it.
 *
 *   head:   "EQCACHE" and a zero, u32 version, u32 zero, u64 sum of these
 *   record: 8 bytes that say so, u32 length, u32 zero, u64 sum of length and payload, payload: u8 kind, then an entry
 *           (cache/entry.h), or u8 mark and u64 its hash of a purge, or a note
 *
 * Sums are xxHash with a seed that is made of the secret which also keys the entries: a file of another secret, whose
 * keys nobody can ask for, is as one that is damaged; and nobody can get a record in by what a model answers. Whatever
 * is damaged is left out, where the next record begins is looked for; a file of another version is ignored. So a process
 * that is killed at any moment loses what was not yet written, and never starts with something that was not stored.
 * What others did to the file in between, it cannot know: it is as private as the ledger. */
#ifndef CACHE_FILE_H
#define CACHE_FILE_H

#include "base/buffer.h"
#include "cache/store.h"

/* Where the bytes are: files in the live world (live/cache_disk.h), memory in tests. One thread at a time. */
struct cache_disk {
    const struct cache_disk_ops *ops;
};

struct cache_disk_ops {
    /* Reads from the file; *got is less than len only at its end. No file: *got is 0. ERR_IO. */
    enum status (*read)(struct cache_disk *, uint64_t at, char *out, size_t len, size_t *got);
    /* Behind all that was written. On failure some of it may be. ERR_FULL, ERR_IO. */
    enum status (*append)(struct cache_disk *, struct slice bytes);
    /* A new, empty file beside it, to which `append` goes from now on. One that was begun before is dropped. */
    enum status (*begin)(struct cache_disk *);
    /* The new file takes the place of the old one, or both are as if `begin` had not been called: all or nothing, also
     * when the power is cut. */
    enum status (*replace)(struct cache_disk *);
    void (*abandon)(struct cache_disk *); /* the new file is dropped */
    void (*close)(struct cache_disk *);
};

/* What somebody else knows of stored answers, for the file to keep with them: notes, whose bytes mean nothing to the store.
 * Each may come several times, and for answers that are gone. */
struct cache_notes {
    const struct cache_notes_ops *ops;
};

enum { CACHE_NOTE_MOST = 64 * 1024 }; /* a note is shorter */

struct cache_notes_ops {
    /* One that was written earlier; at the start, behind the answers it is about. False: it is damaged. */
    bool (*read)(struct cache_notes *, struct slice note);
    /* Appends the next one that still holds. *at is 0 at first, and then theirs. False: there is none. Any thread. */
    bool (*next)(struct cache_notes *, uint64_t *at, struct buffer *out);
    /* What all that hold take, about. */
    uint64_t (*bytes)(struct cache_notes *);
};

/* For small files: the whole of it, ERR_LIMIT if it has more bytes than that; and another in its place, or none. */
enum status cache_disk_read_whole(struct cache_disk *disk, size_t most, struct buffer *out) MUST_CHECK;
enum status cache_disk_write_whole(struct cache_disk *disk, struct slice bytes) MUST_CHECK;

struct cache_file;

struct cache_file_stats {
    uint64_t loaded;         /* entries found at the start that are in the store */
    uint64_t damaged;        /* places at the start where something was not as it had been written */
    uint64_t dropped;        /* entries that were not written, as more came than the disk took */
    uint64_t failed;         /* writes */
    uint64_t written, bytes; /* entries, and the size of the file */
};

/* Reads the file into the store and follows it from then on. Takes over the disk. Reads at most four times what the
 * store may hold. `notes`: NULL: nobody keeps any; else it outlives the file. Blocks: not for a worker's loop. */
struct cache_file *cache_file_open(struct cache *cache, struct cache_disk *disk, const struct digest *secret,
                                   struct cache_notes *notes, usec now_wall_us) __attribute__((returns_nonnull));

/* There is a new note: it goes into the file behind what was stored before. Any thread. */
void cache_file_note(struct cache_file *file, struct slice note);

/* Something waits to be written, or the file wants to be written anew; any thread. */
bool cache_file_due(struct cache_file *file);

/* Writes it; for a thread that may block, also behind another that does so already. OK: what was stored and purged
 * before the call is in the file. ERR_FULL, ERR_IO: what was to be
 * written is not in the file, and will be when it is next written anew. */
enum status cache_file_write(struct cache_file *file) MUST_CHECK;

/* The beginning of a file, and a record of any payload, appended to *out: for whoever makes files to try this with. */
void cache_file_write_head(const struct digest *secret, struct buffer *out);
void cache_file_write_record(const struct digest *secret, struct slice payload, struct buffer *out);

void cache_file_stats(struct cache_file *file, struct cache_file_stats *out);

/* Writes what still waits, and closes the disk. When nobody uses the store any more. */
void cache_file_close(struct cache_file *file);

#endif
