/* Structs by text, in the order in which they came. */
#ifndef MONEY_TEXT_TABLE_H
#define MONEY_TEXT_TABLE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/map.h"

struct text_table {
    struct map map;
    void **all;
    size_t count, size;
};

/* The struct of this key; a new one of `size` bytes, zeroed, in the arena, if there is none. The key is copied. */
void *text_table_get(struct text_table *table, struct arena *arena, struct slice key, size_t size);
void text_table_free(struct text_table *table); /* not what the arena holds */

/* One part of a key: keys of the same number of parts differ exactly when a part does. */
void text_key_add(struct buffer *key, struct slice part);

#endif
