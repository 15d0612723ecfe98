/* A table from 64-bit ids to pointers. Not for use by several threads. Invariant: at most half full; linear probing; a
 * slot with value NULL is free. */
#ifndef MONEY_ID_MAP_H
#define MONEY_ID_MAP_H

#include <stddef.h>
#include <stdint.h>

struct id_map_slot {
    uint64_t id;
    void *value;
};

struct id_map {
    struct id_map_slot *slots;
    size_t count, size; /* size is 0 or a power of two */
};

void id_map_free(struct id_map *map); /* not the values; the map may be used again */
void *id_map_get(const struct id_map *map, uint64_t id);
void id_map_put(struct id_map *map, uint64_t id, void *value); /* value not NULL; replaces */
void *id_map_remove(struct id_map *map, uint64_t id);          /* what was there, or NULL */

/* Any one value, or NULL when empty; and in no order all of them: start with *at = 0, NULL at the end. */
void *id_map_next(const struct id_map *map, size_t *at);

#endif
