/* A table from text to pointer; keys are copied. Not for use by several threads unless nobody changes it. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/slice.h"

struct map_entry;

/* Invariant: count <= 3/4 of size; size is 0 or a power of two. Open addressing, linear probing. */
struct map {
    struct map_entry *entries;
    size_t count, size;
};

void map_init(struct map *map);
void map_free(struct map *map); /* not the values */

/* NULL if absent. */
void *map_get(const struct map *map, struct slice key);

/* Sets or replaces; value must not be NULL. Returns the value that was there before, or NULL. */
void *map_put(struct map *map, struct slice key, void *value);

/* Takes it out: what it was, or NULL if it was absent. Not during a walk. */
void *map_take(struct map *map, struct slice key);

/* Walks all entries in no particular order: start with *at = 0; false at the end. */
bool map_next(const struct map *map, size_t *at, struct slice *key, void **value);

#endif
