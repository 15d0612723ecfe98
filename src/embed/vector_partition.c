#include "embed/vector_partition.h"

#include <stdlib.h>

#include "base/rng.h"

void
partitions_init(struct partition_directory *directory)
{
    *directory = (struct partition_directory){0};
}

static void
free_runs(struct vector_partition *partition)
{
    if (partition->run_count >= 2)
        free(partition->runs.many);
}

void
partitions_free(struct partition_directory *directory)
{
    for (unsigned t = 0; t < PARTITION_TABLES; t++) {
        struct partition_table *table = &directory->tables[t];

        for (uint32_t i = 0; i < table->size; i++)
            if (table->places[i].live > 0)
                free_runs(&table->places[i]);
        free(table->places);
    }
    partitions_init(directory);
}

size_t
partitions_bytes(const struct partition_directory *directory)
{
    size_t bytes = sizeof(*directory);

    for (unsigned t = 0; t < PARTITION_TABLES; t++) {
        const struct partition_table *table = &directory->tables[t];

        bytes += table->size * sizeof(table->places[0]);
        for (uint32_t i = 0; i < table->size; i++)
            if (table->places[i].run_count >= 2)
                bytes += table->places[i].run_count * 2 * sizeof(uint32_t); /* at most */
    }
    return bytes;
}

/* Keys are not ours: they are mixed. The upper byte chooses the table, the lower ones the place. */
static struct partition_table *
table_of(const struct partition_directory *directory, uint64_t key)
{
    return (struct partition_table *)(uintptr_t)&directory->tables[rng_mix(key) >> 56];
}

/* The partition's place, or the free one where it belongs. */
static struct vector_partition *
place_of(const struct partition_table *table, uint64_t key)
{
    uint32_t mask = table->size - 1;

    for (uint32_t at = (uint32_t)rng_mix(key) & mask;; at = (at + 1) & mask) {
        struct vector_partition *partition = &table->places[at];

        if (partition->live == 0 || partition->key == key)
            return partition;
    }
}

struct vector_partition *
partitions_find(const struct partition_directory *directory, uint64_t key)
{
    const struct partition_table *table = table_of(directory, key);
    struct vector_partition *partition;

    if (table->count == 0)
        return NULL;
    partition = place_of(table, key);
    return partition->live > 0 ? partition : NULL;
}

static void
grow(struct partition_table *table)
{
    struct partition_table old = *table;

    table->size = old.size != 0 ? old.size * 2 : 8;
    table->places = must_calloc(table->size, sizeof(table->places[0]));
    for (uint32_t i = 0; i < old.size; i++)
        if (old.places[i].live > 0)
            *place_of(table, old.places[i].key) = old.places[i];
    free(old.places);
}

/* Those behind it move up into the gap, as far as they may (Knuth 6.4, algorithm R). */
static void
remove_place(struct partition_table *table, struct vector_partition *partition)
{
    uint32_t mask = table->size - 1, gap = (uint32_t)(partition - table->places);

    for (uint32_t at = (gap + 1) & mask; table->places[at].live > 0; at = (at + 1) & mask) {
        uint32_t home = (uint32_t)rng_mix(table->places[at].key) & mask;

        if (((at - home) & mask) >= ((at - gap) & mask)) {
            table->places[gap] = table->places[at];
            gap = at;
        }
    }
    table->places[gap] = (struct vector_partition){0};
    table->count--;
}

static void
set_run(struct vector_partition *partition, uint32_t place, uint32_t first)
{
    if (partition->run_count >= 2)
        partition->runs.many[place] = first;
    else
        partition->runs.one = first;
}

/* One more place at the end. The room doubles when the count is a power of two. */
static void
add_place(struct vector_partition *partition)
{
    uint32_t count = partition->run_count, one = partition->runs.one;

    if (count == 1) {
        partition->runs.many = must_alloc(2 * sizeof(uint32_t));
        partition->runs.many[0] = one;
    } else if (count >= 2 && (count & (count - 1)) == 0) {
        partition->runs.many = must_realloc(partition->runs.many, 2 * (size_t)count * sizeof(uint32_t));
    }
    partition->run_count++;
    set_run(partition, count, SLOT_NONE);
}

static void
drop_empty_places(struct vector_partition *partition)
{
    while (partition->run_count > 0 && partition_run(partition, partition->run_count - 1) == SLOT_NONE) {
        if (partition->run_count == 2) {
            uint32_t one = partition->runs.many[0];

            free(partition->runs.many);
            partition->runs.one = one;
        }
        partition->run_count--;
    }
}

/* A quarter of what is there, rounded down to a power of two: little is wasted, and a partition has few runs. */
static unsigned
next_level(const struct vector_partition *partition)
{
    unsigned level = 0;

    while (level < STORE_RUN_LEVEL_MOST && (4u << (level + 1)) <= partition->capacity)
        level++;
    return level;
}

static enum status
add_run(struct vector_partition *partition, struct vector_store *store)
{
    uint32_t first, place = 0;
    unsigned level = next_level(partition);
    enum status status = store_take_run(store, level, &first);

    if (status != OK)
        return status;
    while (place < partition->run_count && partition_run(partition, place) != SLOT_NONE)
        place++;
    if (place == partition->run_count)
        add_place(partition);
    set_run(partition, place, first);
    partition->capacity += 1u << level;
    partition->hint = place;
    return OK;
}

/* There is one: live < capacity. */
static uint32_t
find_dead(struct vector_partition *partition, const struct vector_store *store)
{
    for (uint32_t i = 0; i < partition->run_count; i++) {
        uint32_t place = (partition->hint + i) % partition->run_count;
        uint32_t first = partition_run(partition, place);
        uint32_t slot = first != SLOT_NONE ? store_find_dead(store, first) : SLOT_NONE;

        if (slot != SLOT_NONE) {
            partition->hint = place;
            return slot;
        }
    }
    return SLOT_NONE;
}

enum status
partitions_take_slot(struct partition_directory *directory, struct vector_store *store, uint64_t key, uint32_t *slot)
{
    struct partition_table *table = table_of(directory, key);
    struct vector_partition *partition;
    enum status status = OK;

    if ((table->count + 1) * 4 > table->size * 3)
        grow(table);
    partition = place_of(table, key);
    if (partition->live == 0)
        *partition = (struct vector_partition){.key = key};
    if (partition->live == partition->capacity)
        status = add_run(partition, store);
    if (status != OK)
        return status;
    if (partition->live == 0) {
        table->count++;
        directory->count++;
    }
    *slot = find_dead(partition, store);
    ENSURE(*slot != SLOT_NONE);
    partition->live++;
    store_set_live(store_chunk(store, *slot), store_at(*slot), true);
    return OK;
}

static void
give_run(struct vector_partition *partition, struct vector_store *store, uint32_t first)
{
    uint32_t place = 0;

    while (partition_run(partition, place) != first)
        place++;
    ENSURE(place < partition->run_count);
    partition->capacity -= 1u << store_level(store, first);
    set_run(partition, place, SLOT_NONE);
    store_give_run(store, first);
    drop_empty_places(partition);
}

void
partitions_give_slot(struct partition_directory *directory, struct vector_store *store, uint64_t key, uint32_t slot)
{
    struct vector_partition *partition = partitions_find(directory, key);
    uint32_t first = slot & ~((1u << store_level(store, slot)) - 1);

    ENSURE(partition != NULL && store_is_live(store_chunk(store, slot), store_at(slot)));
    store_set_live(store_chunk(store, slot), store_at(slot), false);
    partition->live--;
    if (store_run_is_dead(store, first))
        give_run(partition, store, first);
    if (partition->live > 0)
        return;
    ENSURE(partition->capacity == 0 && partition->run_count == 0);
    remove_place(table_of(directory, key), partition);
    directory->count--;
}
