/* Rows in the ledger's SQLite store. */
#include <stdlib.h>

#include "money/ledger/journal.h"
#include "money/ledger/ledger_sqlite_inside.h"

/* What a column of insert_row is bound to: most say the same as in the row before, and what is bound stays so. */
enum bound { BOUND_NOT_KNOWN, BOUND_NULL, BOUND_NUMBER };

struct last_value {
    struct buffer text; /* of a text: the one that `number` stands for */
    int64_t number;
    enum bound bound;
};

void
sqlite_rows_init(struct sqlite *sqlite)
{
    sqlite->last = must_calloc((size_t)ledger_schema_columns(), sizeof(struct last_value));
}

void
sqlite_rows_forget(struct sqlite *sqlite)
{
    for (int i = 0; i < ledger_schema_columns(); i++) {
        buffer_free(&sqlite->last[i].text);
        sqlite->last[i].bound = BOUND_NOT_KNOWN;
    }
}

void
sqlite_rows_free(struct sqlite *sqlite)
{
    sqlite_rows_forget(sqlite);
    buffer_free(&sqlite->lines);
    free(sqlite->last);
}

/* Writing */

static void
bind_null(struct sqlite *sqlite, int column)
{
    struct last_value *last = &sqlite->last[column];

    if (last->bound != BOUND_NULL)
        sqlite3_bind_null(sqlite->insert_row, column + 1);
    last->bound = BOUND_NULL;
}

static void
bind_number(struct sqlite *sqlite, int column, int64_t number)
{
    struct last_value *last = &sqlite->last[column];

    if (last->bound != BOUND_NUMBER || last->number != number)
        sqlite3_bind_int64(sqlite->insert_row, column + 1, number);
    last->bound = BOUND_NUMBER;
    last->number = number;
}

static enum status
bind_name(struct sqlite *sqlite, int column, struct slice text)
{
    struct last_value *last = &sqlite->last[column];
    int64_t number = last->number;

    if (text.len == 0) {
        bind_null(sqlite, column);
        return OK;
    }
    if (!slice_equal(buffer_content(&last->text), text)) {
        enum status status = ledger_names_number(&sqlite->names, text, &number);

        buffer_clear(&last->text);
        if (status != OK)
            return status;
        buffer_add(&last->text, text);
    }
    bind_number(sqlite, column, number);
    return OK;
}

static void
bind_known(sqlite3_stmt *statement, int at, int64_t number, int64_t unknown)
{
    if (number != unknown)
        sqlite3_bind_int64(statement, at, number);
    else
        sqlite3_bind_null(statement, at);
}

static enum status
bind_field(struct sqlite *sqlite, const struct row *row, int column)
{
    const struct row_field *field = &row_fields[column];
    struct slice text;

    if (field->kind == ROW_IS_TEXT)
        return bind_name(sqlite, column, row_text(row, field));
    if (field->kind == ROW_IS_OWN_TEXT) {
        text = row_text(row, field);
        sqlite3_bind_text64(sqlite->insert_row, column + 1, text.len != 0 ? text.data : NULL, text.len, SQLITE_STATIC,
                            SQLITE_UTF8);
    } else if (field->kind == ROW_IS_ID || field->kind == ROW_IS_NUMBER || row_says(row, field)) {
        bind_number(sqlite, column, row_number(row, field));
    } else {
        bind_null(sqlite, column);
    }
    return OK;
}

static enum status
bind_row(struct sqlite *sqlite, const struct row *row)
{
    enum status worst = OK;

    for (int column = 0; column < ROW_FIELDS; column++) {
        enum status status = bind_field(sqlite, row, column);

        worst = status != OK ? status : worst;
    }
    buffer_clear(&sqlite->lines);
    if (row->saving_count != 0 || row->try_count != 0)
        journal_put_lines(&sqlite->lines, row);
    sqlite3_bind_blob64(sqlite->insert_row, ROW_FIELDS + 1, buffer_len(&sqlite->lines) != 0 ? sqlite->lines.data : NULL,
                        buffer_len(&sqlite->lines), SQLITE_STATIC);
    ENSURE(ROW_FIELDS + 1 == ledger_schema_columns());
    return worst;
}

enum status
sqlite_insert_row(struct ledger_store *store, const struct row *row, bool *inserted)
{
    struct sqlite *sqlite = sqlite_of(store);
    enum status status = bind_row(sqlite, row);

    if (status == OK)
        status = ledger_sqlite_run(sqlite->insert_row);
    *inserted = status == OK && sqlite3_changes(sqlite->file) == 1;
    return status;
}

/* Reading */

static struct slice
column_text(sqlite3_stmt *statement, int column, struct arena *arena)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    struct slice slice = {text, (size_t)sqlite3_column_bytes(statement, column)};

    return slice.len != 0 ? arena_copy(arena, slice) : SLICE_NONE;
}

static int64_t
column_known(sqlite3_stmt *statement, int column, int64_t unknown)
{
    return sqlite3_column_type(statement, column) != SQLITE_NULL ? sqlite3_column_int64(statement, column) : unknown;
}

static enum status
column_lines(sqlite3_stmt *statement, int column, struct arena *arena, struct row *row)
{
    struct slice lines = ledger_sqlite_bytes(statement, column);

    if (lines.len == 0)
        return OK;
    return journal_take_lines(arena != NULL ? arena_copy(arena, lines) : lines, row);
}

static enum status
read_row(sqlite3_stmt *statement, struct arena *arena, struct row *row)
{
    int column = 0;

    row_init(row);
#define ROW_ID(name, words) row->name = (uint64_t)sqlite3_column_int64(statement, column++);
#define ROW_NUMBER(name, words) row->name = sqlite3_column_int64(statement, column++);
#define ROW_MAYBE(name, words) row->name = column_known(statement, column++, ROW_UNKNOWN);
#define ROW_USD(name, words) row->name = column_known(statement, column++, USD_UNKNOWN);
#define ROW_TEXT(name, words) row->name = column_text(statement, column++, arena);
#include "money/row.def"
#undef ROW_ID
#undef ROW_NUMBER
#undef ROW_MAYBE
#undef ROW_USD
#undef ROW_TEXT
    return column_lines(statement, column, arena, row);
}

enum status
sqlite_find_row(struct ledger_store *store, uint64_t id, struct arena *arena, struct row *row)
{
    sqlite3_stmt *find = sqlite_of(store)->find_row;
    enum status status = ERR_NOT_FOUND;
    int code;

    sqlite3_bind_int64(find, 1, (int64_t)id);
    code = sqlite3_step(find);
    if (code == SQLITE_ROW)
        status = read_row(find, arena, row);
    else if (code != SQLITE_DONE)
        status = ledger_sqlite_status(code);
    sqlite3_reset(find);
    return status;
}

/* Outcomes */

static enum status
name_or_none(struct sqlite *sqlite, struct slice text, int64_t *out)
{
    *out = 0;
    return text.len != 0 ? ledger_names_number(&sqlite->names, text, out) : OK;
}

enum status
sqlite_set_outcome(struct ledger_store *store, const struct row *row)
{
    struct sqlite *sqlite = sqlite_of(store);
    sqlite3_stmt *set = sqlite->statements[SET_OUTCOME];
    int64_t source;
    enum status status = name_or_none(sqlite, row->useful_source, &source);

    if (status != OK)
        return status;
    bind_known(set, 1, row->useful_ppm, ROW_UNKNOWN);
    bind_known(set, 2, source, 0);
    sqlite3_bind_text64(set, 3, row->useful_reason.data, row->useful_reason.len, SQLITE_STATIC, SQLITE_UTF8);
    bind_known(set, 4, row->value, USD_UNKNOWN);
    sqlite3_bind_int64(set, 5, (int64_t)row->id);
    return ledger_sqlite_run(set);
}

/* All of them */

enum status
sqlite_each_row(struct ledger_store *store, ledger_row_visit *visit, void *user)
{
    sqlite3_stmt *each = sqlite_of(store)->statements[EACH_ROW];
    struct row row;
    enum status status = OK;
    int code = SQLITE_ROW;

    row_init(&row);
    while (status == OK && (code = sqlite3_step(each)) == SQLITE_ROW) {
        row.id = (uint64_t)sqlite3_column_int64(each, 0);
        row.arrived_wall_us = sqlite3_column_int64(each, 1);
        row.cost = column_known(each, 2, USD_UNKNOWN);
        row.baseline = column_known(each, 3, USD_UNKNOWN);
        row.saving_count = row.try_count = 0;
        status = column_lines(each, 4, NULL, &row);
        if (status == OK)
            status = visit(user, &row);
    }
    sqlite3_reset(each);
    return status != OK ? status : ledger_sqlite_status(code);
}

static struct slice
column_passing_text(sqlite3_stmt *statement, int column)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);

    return slice_make(text, (size_t)sqlite3_column_bytes(statement, column));
}

enum status
sqlite_each_counted(struct ledger_store *store, uint64_t from, ledger_row_visit *visit, void *user)
{
    sqlite3_stmt *each = sqlite_of(store)->statements[EACH_COUNTED];
    struct row row;
    enum status status = OK;
    int code = SQLITE_ROW;

    row_init(&row);
    sqlite3_bind_int64(each, 1, (int64_t)from);
    while (status == OK && (code = sqlite3_step(each)) == SQLITE_ROW) {
        row.id = (uint64_t)sqlite3_column_int64(each, 0);
        row.arrived_wall_us = sqlite3_column_int64(each, 1);
        row.counted_cost = column_known(each, 2, USD_UNKNOWN);
        row.counted_tokens = sqlite3_column_int64(each, 3);
        row.counted_requests = sqlite3_column_int64(each, 4);
        row.key_name = column_passing_text(each, 5);
        row.tenant = column_passing_text(each, 6);
        row.route = column_passing_text(each, 7);
        row.tags = column_passing_text(each, 8);
        status = visit(user, &row);
    }
    sqlite3_reset(each);
    return status != OK ? status : ledger_sqlite_status(code);
}
