/* What the files of the cache's file know of each other: file.c (what waits, and is written), file_records.c (how records are
 * put down), file_read.c (what a start reads). */
#ifndef CACHE_FILE_INSIDE_H
#define CACHE_FILE_INSIDE_H

#include "base/lock.h"
#include "cache/file.h"

enum { CACHE_FILE_VERSION = 1, KIND_ENTRY = 1, KIND_PURGE = 2, KIND_NOTE = 3, PIECE_BYTES = 1 << 20 };

/* An answer that is larger is kept in memory only. */
#define RECORD_BYTES_MOST ((size_t)64 << 20)

/* A file this small is not worth writing anew. */
#define SMALL_BYTES ((uint64_t)1 << 20)

struct file_head {
    char magic[8];
    uint32_t version, zero;
    uint64_t sum;
};

struct record_head {
    char magic[8];
    uint32_t len, zero; /* of the payload */
    uint64_t sum;
};

struct queued; /* file.c: what waits */

/* Invariant: `queue`, `rewrite`, `writing` and `stats` under the lock, the disk and `readable` under disk_lock. */
struct cache_file {
    struct cache_follower follower;
    struct cache *cache;
    struct cache_disk *disk;
    struct cache_notes *notes; /* NULL: none */
    uint64_t seed;
    struct lock lock;
    struct lock disk_lock; /* held while the disk is written, by whoever may wait that long; taken before `lock` */
    struct queued *queue;
    size_t count, size, bytes;
    bool rewrite; /* whatever its garbage: there was a purge, or the file lacks something */
    bool writing;
    bool full;     /* the file held what has no room in the store */
    bool readable; /* the file has our head, so that what is appended is found */
    struct cache_file_stats stats;
};

/* file_records.c */
extern const char cache_record_magic[8];
uint64_t cache_file_seed(const struct digest *secret);
uint64_t cache_file_sum(uint64_t seed, struct slice payload);
struct file_head cache_file_head_of(uint64_t seed);
void cache_file_put_entry(const struct cache_file *file, struct buffer *out, const struct cache_entry *entry,
                          uint64_t uses);
void cache_file_put_purge(const struct cache_file *file, struct buffer *out, enum cache_mark which, uint64_t mark);
void cache_file_put_note(const struct cache_file *file, struct buffer *out, struct slice note);

/* file_read.c: all that the file holds goes into the store and to the notes. */
void cache_file_load(struct cache_file *file, usec now_wall_us);

#endif
