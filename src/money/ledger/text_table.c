#include "money/ledger/text_table.h"

#include <stdlib.h>

void *
text_table_get(struct text_table *table, struct arena *arena, struct slice key, size_t size)
{
    void *found = map_get(&table->map, key);

    if (found != NULL)
        return found;
    found = arena_alloc(arena, size);
    map_put(&table->map, key, found);
    if (table->count == table->size) {
        table->size = table->size != 0 ? 2 * table->size : 64;
        table->all = must_realloc(table->all, table->size * sizeof(void *));
    }
    table->all[table->count++] = found;
    return found;
}

void
text_table_free(struct text_table *table)
{
    map_free(&table->map);
    free(table->all);
    *table = (struct text_table){0};
}

void
text_key_add(struct buffer *key, struct slice part)
{
    uint32_t len = (uint32_t)part.len;

    buffer_add(key, slice_make((const char *)&len, sizeof(len)));
    buffer_add(key, part);
}
