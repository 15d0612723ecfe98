#include "money/ledger/id_map.h"

#include <stdlib.h>

#include "base/rng.h"
#include "base/status.h"

enum { SMALLEST = 64 };

void
id_map_free(struct id_map *map)
{
    free(map->slots);
    *map = (struct id_map){0};
}

/* Where the id stands, or the free slot where it would. */
static size_t
find(const struct id_map *map, uint64_t id)
{
    size_t at = rng_mix(id) & (map->size - 1);

    while (map->slots[at].value != NULL && map->slots[at].id != id)
        at = (at + 1) & (map->size - 1);
    return at;
}

void *
id_map_get(const struct id_map *map, uint64_t id)
{
    return map->size != 0 ? map->slots[find(map, id)].value : NULL;
}

static void
grow(struct id_map *map)
{
    struct id_map old = *map;

    map->size = old.size != 0 ? old.size * 2 : SMALLEST;
    map->slots = must_calloc(map->size, sizeof(struct id_map_slot));
    for (size_t i = 0; i < old.size; i++)
        if (old.slots[i].value != NULL)
            map->slots[find(map, old.slots[i].id)] = old.slots[i];
    free(old.slots);
}

void
id_map_put(struct id_map *map, uint64_t id, void *value)
{
    size_t at;

    ENSURE(value != NULL);
    if (2 * (map->count + 1) > map->size)
        grow(map);
    at = find(map, id);
    map->count += map->slots[at].value == NULL;
    map->slots[at] = (struct id_map_slot){id, value};
}

/* What follows in the run moves up, so that no search ends too early (Knuth, volume 3, 6.4, algorithm R). */
static void
close_gap(struct id_map *map, size_t gap)
{
    size_t mask = map->size - 1;

    for (size_t at = (gap + 1) & mask; map->slots[at].value != NULL; at = (at + 1) & mask) {
        size_t home = rng_mix(map->slots[at].id) & mask;

        if (((at - home) & mask) >= ((at - gap) & mask)) {
            map->slots[gap] = map->slots[at];
            gap = at;
        }
    }
    map->slots[gap] = (struct id_map_slot){0};
}

void *
id_map_remove(struct id_map *map, uint64_t id)
{
    size_t at;
    void *value;

    if (map->size == 0)
        return NULL;
    at = find(map, id);
    value = map->slots[at].value;
    if (value == NULL)
        return NULL;
    map->count--;
    close_gap(map, at);
    return value;
}

void *
id_map_next(const struct id_map *map, size_t *at)
{
    while (*at < map->size) {
        void *value = map->slots[(*at)++].value;

        if (value != NULL)
            return value;
    }
    return NULL;
}
