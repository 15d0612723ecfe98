#include "money/ledger/ledger_memory.h"

#include <stdlib.h>

#include "base/map.h"
#include "money/ledger/journal.h"

/* Everything is bytes under a key: the table, then up to three numbers. */
enum table { TABLE_ROWS, TABLE_GROUPS, TABLE_HOURS, TABLE_DAYS, TABLE_NOTES, TABLE_POSITIONS };

struct key {
    uint64_t table;
    uint64_t first, second;
};

struct value {
    struct key key;
    bool present;
    struct buffer bytes;
};

/* What a key held before the batch touched it. */
struct undo {
    struct value *value;
    bool present;
    struct buffer bytes;
};

struct memory {
    struct ledger_store store;
    struct map values; /* key -> struct value, never removed */
    struct undo *undo;
    size_t undo_count, undo_size;
    bool in_batch;
};

static struct memory *
memory_of(struct ledger_store *store)
{
    return (struct memory *)store;
}

static struct slice
key_bytes(const struct key *key)
{
    return slice_make((const char *)key, sizeof(*key));
}

static struct value *
find(struct memory *memory, enum table table, uint64_t first, uint64_t second)
{
    struct key key = {table, first, second};
    struct value *value = map_get(&memory->values, key_bytes(&key));

    return value != NULL && value->present ? value : NULL;
}

static void
remember(struct memory *memory, struct value *value)
{
    ENSURE(memory->in_batch);
    if (memory->undo_count == memory->undo_size) {
        memory->undo_size = memory->undo_size != 0 ? 2 * memory->undo_size : 64;
        memory->undo = must_realloc(memory->undo, memory->undo_size * sizeof(struct undo));
    }
    memory->undo[memory->undo_count++] = (struct undo){value, value->present, value->bytes};
    buffer_init(&value->bytes);
}

static enum status
put(struct memory *memory, enum table table, uint64_t first, uint64_t second, struct slice bytes)
{
    struct key key = {table, first, second};
    struct value *value = map_get(&memory->values, key_bytes(&key));

    if (value == NULL) {
        value = must_calloc(1, sizeof(*value));
        value->key = key;
        map_put(&memory->values, key_bytes(&key), value);
    }
    remember(memory, value);
    value->present = true;
    buffer_add(&value->bytes, bytes);
    return OK;
}

static enum status
drop(struct memory *memory, enum table table, uint64_t first, uint64_t second)
{
    struct value *value = find(memory, table, first, second);

    if (value == NULL)
        return OK;
    remember(memory, value);
    value->present = false;
    return OK;
}

static int
by_key(const void *a, const void *b)
{
    const struct key *left = &(*(struct value *const *)a)->key, *right = &(*(struct value *const *)b)->key;

    if (left->first != right->first)
        return (int64_t)left->first < (int64_t)right->first ? -1 : 1;
    return (left->second > right->second) - (left->second < right->second);
}

/* All values of a table by key; freed by the caller. */
static struct value **
sorted(struct memory *memory, enum table table, size_t *count)
{
    struct value **all = must_alloc((memory->values.count + 1) * sizeof(struct value *));
    struct slice key;
    void *found;
    size_t at = 0;

    *count = 0;
    while (map_next(&memory->values, &at, &key, &found)) {
        struct value *value = found;

        if (value->present && value->key.table == table)
            all[(*count)++] = value;
    }
    qsort(all, *count, sizeof(struct value *), by_key);
    return all;
}

static enum status
memory_begin(struct ledger_store *store)
{
    ENSURE(!memory_of(store)->in_batch);
    memory_of(store)->in_batch = true;
    return OK;
}

static enum status
memory_commit(struct ledger_store *store)
{
    struct memory *memory = memory_of(store);

    for (size_t i = 0; i < memory->undo_count; i++)
        buffer_free(&memory->undo[i].bytes);
    memory->undo_count = 0;
    memory->in_batch = false;
    return OK;
}

static void
memory_rollback(struct ledger_store *store)
{
    struct memory *memory = memory_of(store);

    while (memory->undo_count > 0) {
        struct undo *undo = &memory->undo[--memory->undo_count];

        buffer_free(&undo->value->bytes);
        undo->value->bytes = undo->bytes;
        undo->value->present = undo->present;
    }
    memory->in_batch = false;
}

static enum status
memory_insert_row(struct ledger_store *store, const struct row *row, bool *inserted)
{
    struct buffer bytes = {0};
    enum status status;

    *inserted = find(memory_of(store), TABLE_ROWS, row->id, 0) == NULL;
    if (!*inserted)
        return OK;
    journal_put_settle(&bytes, row);
    status = put(memory_of(store), TABLE_ROWS, row->id, 0, buffer_content(&bytes));
    buffer_free(&bytes);
    return status;
}

static enum status
take_row(struct slice bytes, struct row *out)
{
    struct journal_record *record = must_alloc(sizeof(*record));
    enum status status = journal_take(&bytes, record);

    if (status == OK)
        *out = record->row;
    free(record);
    return status;
}

static enum status
memory_find_row(struct ledger_store *store, uint64_t id, struct arena *arena, struct row *row)
{
    struct value *value = find(memory_of(store), TABLE_ROWS, id, 0);

    return value != NULL ? take_row(arena_copy(arena, buffer_content(&value->bytes)), row) : ERR_NOT_FOUND;
}

static enum status
memory_set_outcome(struct ledger_store *store, const struct row *row)
{
    struct value *value = find(memory_of(store), TABLE_ROWS, row->id, 0);
    struct buffer bytes = {0};
    struct row whole;
    enum status status = value != NULL ? take_row(buffer_content(&value->bytes), &whole) : ERR_NOT_FOUND;

    if (status != OK)
        return status;
    whole.useful_ppm = row->useful_ppm;
    whole.useful_source = row->useful_source;
    whole.useful_reason = row->useful_reason;
    whole.value = row->value;
    journal_put_settle(&bytes, &whole);
    status = put(memory_of(store), TABLE_ROWS, row->id, 0, buffer_content(&bytes));
    buffer_free(&bytes);
    return status;
}

static enum status
memory_each_row(struct ledger_store *store, ledger_row_visit *visit, void *user)
{
    size_t count;
    struct value **all = sorted(memory_of(store), TABLE_ROWS, &count);
    struct row row;
    enum status status = OK;

    while (count > 0 && status == OK) {
        status = take_row(buffer_content(&all[--count]->bytes), &row);
        if (status == OK)
            status = visit(user, &row);
    }
    free(all);
    return status;
}

static enum status
memory_each_counted(struct ledger_store *store, uint64_t from, ledger_row_visit *visit, void *user)
{
    size_t count;
    struct value **all = sorted(memory_of(store), TABLE_ROWS, &count);
    struct row row;
    enum status status = OK;

    for (size_t i = 0; i < count && status == OK; i++) {
        status = take_row(buffer_content(&all[i]->bytes), &row);
        if (status == OK && row.id >= from)
            status = visit(user, &row);
    }
    free(all);
    return status;
}

static enum status
memory_find_group(struct ledger_store *store, uint64_t group, struct arena *arena, struct slice *bytes)
{
    struct value *value = find(memory_of(store), TABLE_GROUPS, group, 0);

    if (value == NULL)
        return ERR_NOT_FOUND;
    *bytes = arena_copy(arena, buffer_content(&value->bytes));
    return OK;
}

static enum status
memory_put_group(struct ledger_store *store, uint64_t group, struct slice bytes)
{
    return put(memory_of(store), TABLE_GROUPS, group, 0, bytes);
}

static enum table
table_of(enum ledger_period period)
{
    return period == LEDGER_HOUR ? TABLE_HOURS : TABLE_DAYS;
}

static enum status
memory_find_sums(struct ledger_store *store, enum ledger_period period, int64_t start, uint64_t group,
                 struct buffer *out)
{
    struct value *value = find(memory_of(store), table_of(period), (uint64_t)start, group);

    if (value == NULL)
        return ERR_NOT_FOUND;
    buffer_add(out, buffer_content(&value->bytes));
    return OK;
}

static enum status
memory_put_sums(struct ledger_store *store, enum ledger_period period, int64_t start, uint64_t group,
                struct slice bytes)
{
    return put(memory_of(store), table_of(period), (uint64_t)start, group, bytes);
}

static enum status
memory_each_sums(struct ledger_store *store, enum ledger_period period, int64_t from, int64_t until,
                 ledger_sums_visit *visit, void *user)
{
    size_t count;
    struct value **all = sorted(memory_of(store), table_of(period), &count);
    enum status status = OK;

    for (size_t i = 0; i < count && status == OK; i++) {
        int64_t start = (int64_t)all[i]->key.first;

        if (start >= from && start < until)
            status = visit(user, start, all[i]->key.second, buffer_content(&all[i]->bytes));
    }
    free(all);
    return status;
}

static enum status
memory_put_note(struct ledger_store *store, enum ledger_note kind, uint64_t id, struct slice bytes)
{
    return put(memory_of(store), TABLE_NOTES, id, kind, bytes);
}

static enum status
memory_drop_note(struct ledger_store *store, enum ledger_note kind, uint64_t id)
{
    return drop(memory_of(store), TABLE_NOTES, id, kind);
}

static enum status
memory_each_note(struct ledger_store *store, ledger_note_visit *visit, void *user)
{
    size_t count;
    struct value **all = sorted(memory_of(store), TABLE_NOTES, &count);
    enum status status = OK;

    for (size_t i = 0; i < count && status == OK; i++)
        status = visit(user, (enum ledger_note)all[i]->key.second, all[i]->key.first, buffer_content(&all[i]->bytes));
    free(all);
    return status;
}

static enum status
memory_put_position(struct ledger_store *store, uint64_t segment, uint64_t offset)
{
    return put(memory_of(store), TABLE_POSITIONS, segment, 0, slice_make((const char *)&offset, sizeof(offset)));
}

static enum status
memory_drop_position(struct ledger_store *store, uint64_t segment)
{
    return drop(memory_of(store), TABLE_POSITIONS, segment, 0);
}

static enum status
memory_each_position(struct ledger_store *store, ledger_position_visit *visit, void *user)
{
    size_t count;
    struct value **all = sorted(memory_of(store), TABLE_POSITIONS, &count);
    enum status status = OK;

    for (size_t i = 0; i < count && status == OK; i++) {
        struct slice bytes = buffer_content(&all[i]->bytes);
        uint64_t offset;

        ENSURE(bytes.data != NULL && bytes.len == sizeof(offset));
        memcpy(&offset, bytes.data, sizeof(offset));
        status = visit(user, all[i]->key.first, offset);
    }
    free(all);
    return status;
}

static enum status
memory_checkpoint(struct ledger_store *store, bool *complete)
{
    (void)store;
    *complete = true;
    return OK;
}

static void
memory_close(struct ledger_store *store)
{
    struct memory *memory = memory_of(store);
    struct slice key;
    void *found;
    size_t at = 0;

    memory_rollback(store);
    while (map_next(&memory->values, &at, &key, &found)) {
        buffer_free(&((struct value *)found)->bytes);
        free(found);
    }
    map_free(&memory->values);
    free(memory->undo);
    free(memory);
}

static const struct ledger_store_ops memory_ops = {
    .begin = memory_begin,
    .commit = memory_commit,
    .rollback = memory_rollback,
    .insert_row = memory_insert_row,
    .find_row = memory_find_row,
    .set_outcome = memory_set_outcome,
    .each_row = memory_each_row,
    .each_counted = memory_each_counted,
    .find_group = memory_find_group,
    .put_group = memory_put_group,
    .find_sums = memory_find_sums,
    .put_sums = memory_put_sums,
    .each_sums = memory_each_sums,
    .put_note = memory_put_note,
    .drop_note = memory_drop_note,
    .each_note = memory_each_note,
    .put_position = memory_put_position,
    .drop_position = memory_drop_position,
    .each_position = memory_each_position,
    .checkpoint = memory_checkpoint,
    .close = memory_close,
};

struct ledger_store *
ledger_memory_open(void)
{
    struct memory *memory = must_calloc(1, sizeof(*memory));

    memory->store.ops = &memory_ops;
    return &memory->store;
}
