/* Which runs of slots each partition has. A directory of many small tables, so that growing one takes microseconds. Not for
 * several threads at a time.
 *
 * Invariant: a partition that is in the directory has live > 0, live <= capacity, and its runs hold `capacity` slots. */
#ifndef EMBED_VECTOR_PARTITION_H
#define EMBED_VECTOR_PARTITION_H

#include "embed/vector_store.h"

struct vector_partition {
    uint64_t key;
    uint32_t live, capacity;
    uint32_t run_count; /* places for runs; a place may be SLOT_NONE, so that the others keep theirs */
    uint32_t hint;      /* the place where a dead slot was last found */
    union {
        uint32_t one;   /* run_count <= 1 */
        uint32_t *many; /* run_count >= 2: the first slot of each */
    } runs;
};

struct partition_table {
    struct vector_partition *places; /* live == 0: free; open addressing, linear probing */
    uint32_t count, size;            /* size: 0 or a power of two, count <= 3/4 of it */
};

enum { PARTITION_TABLES = 256 };

struct partition_directory {
    struct partition_table tables[PARTITION_TABLES];
    uint64_t count;
};

void partitions_init(struct partition_directory *directory);
void partitions_free(struct partition_directory *directory);

/* NULL if there is none. Valid until the directory changes. */
struct vector_partition *partitions_find(const struct partition_directory *directory, uint64_t key);

/* A dead slot of the partition, which is made if it is not there, and is counted as live. ERR_FULL as store_take_run. */
enum status partitions_take_slot(struct partition_directory *directory, struct vector_store *store, uint64_t key,
                                 uint32_t *slot) MUST_CHECK;

/* A slot of the partition has died: its run goes back to the store when it was the last live one in it, and so does the
 * partition. */
void partitions_give_slot(struct partition_directory *directory, struct vector_store *store, uint64_t key,
                          uint32_t slot);

/* The first slot at a place for runs; SLOT_NONE: none there. */
static inline uint32_t
partition_run(const struct vector_partition *partition, uint32_t place)
{
    return partition->run_count >= 2 ? partition->runs.many[place] : partition->runs.one;
}

size_t partitions_bytes(const struct partition_directory *directory);

#endif
