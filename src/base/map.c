#include "base/map.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/status.h"

struct map_entry {
    uint64_t hash;
    struct slice key; /* malloced */
    void *value;      /* NULL: free */
};

void
map_init(struct map *map)
{
    *map = (struct map){0};
}

void
map_free(struct map *map)
{
    for (size_t i = 0; i < map->size; i++)
        free((char *)(uintptr_t)map->entries[i].key.data);
    free(map->entries);
    map_init(map);
}

/* The entry of the key, or the free one where it belongs. */
static struct map_entry *
find(const struct map *map, struct slice key, uint64_t hash)
{
    size_t mask = map->size - 1;

    for (size_t at = hash & mask;; at = (at + 1) & mask) {
        struct map_entry *entry = &map->entries[at];

        if (entry->value == NULL || (entry->hash == hash && slice_equal(entry->key, key)))
            return entry;
    }
}

static void
grow(struct map *map)
{
    struct map_entry *old = map->entries;
    size_t old_size = map->size;

    map->size = old_size != 0 ? old_size * 2 : 16;
    map->entries = must_calloc(map->size, sizeof(struct map_entry));
    for (size_t i = 0; i < old_size; i++)
        if (old[i].value != NULL)
            *find(map, old[i].key, old[i].hash) = old[i];
    free(old);
}

void *
map_get(const struct map *map, struct slice key)
{
    return map->size != 0 ? find(map, key, hash_fast(key, 0))->value : NULL;
}

void *
map_put(struct map *map, struct slice key, void *value)
{
    uint64_t hash = hash_fast(key, 0);
    struct map_entry *entry;
    void *before;

    ENSURE(value != NULL);
    if ((map->count + 1) * 4 > map->size * 3)
        grow(map);
    entry = find(map, key, hash);
    before = entry->value;
    if (before == NULL) {
        entry->hash = hash;
        entry->key = (struct slice){slice_strdup(key), key.len};
        map->count++;
    }
    entry->value = value;
    return before;
}

/* What stands behind the hole and is looked for from its place or from before it moves up, so that a look for it does not
 * end at the hole (D. Knuth, The Art of Computer Programming 3, 6.4, algorithm R). */
static void
close_hole(struct map *map, size_t hole)
{
    size_t mask = map->size - 1;

    for (size_t at = (hole + 1) & mask; map->entries[at].value != NULL; at = (at + 1) & mask) {
        size_t home = map->entries[at].hash & mask;

        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        map->entries[hole] = map->entries[at];
        hole = at;
    }
    map->entries[hole] = (struct map_entry){0};
}

void *
map_take(struct map *map, struct slice key)
{
    struct map_entry *entry = map->size != 0 ? find(map, key, hash_fast(key, 0)) : NULL;
    void *value;

    if (entry == NULL || entry->value == NULL)
        return NULL;
    value = entry->value;
    free((char *)(uintptr_t)entry->key.data);
    map->count--;
    close_hole(map, (size_t)(entry - map->entries));
    return value;
}

bool
map_next(const struct map *map, size_t *at, struct slice *key, void **value)
{
    for (; *at < map->size; (*at)++) {
        const struct map_entry *entry = &map->entries[*at];

        if (entry->value == NULL)
            continue;
        *key = entry->key;
        *value = entry->value;
        (*at)++;
        return true;
    }
    return false;
}
