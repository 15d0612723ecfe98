#include "money/ledger_sqlite.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "money/journal.h"
#include "money/ledger_names.h"
#include "money/ledger_schema.h"

/* How long a reader waits where the writer is just ending its checkpoint. */
enum { BUSY_TIMEOUT_MS = 2000 };

/* The statements, prepared once. */
enum {
#define STATEMENT(name, sql) name,
#include "money/ledger_sqlite.def"
#undef STATEMENT
    STATEMENTS
};

/* What a column of insert_row is bound to: most say the same as in the row before, and what is bound stays so. */
enum bound { BOUND_NOT_KNOWN, BOUND_NULL, BOUND_NUMBER };

struct last_value {
    struct buffer text; /* of a text: the one that `number` stands for */
    int64_t number;
    enum bound bound;
};

struct sqlite {
    struct ledger_store store;
    sqlite3 *file;
    bool write;
    sqlite3_stmt *statements[STATEMENTS];
    sqlite3_stmt *insert_row, *find_row;
    struct ledger_names names;
    struct last_value *last; /* one for each column */
    struct buffer lines;
};

static struct sqlite *
sqlite_of(struct ledger_store *store)
{
    return (struct sqlite *)store;
}

/* Ends a statement that yields nothing. */
static enum status
run(sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);

    sqlite3_reset(statement);
    return ledger_sqlite_status(code);
}

static void
bind_bytes(sqlite3_stmt *statement, int at, struct slice bytes)
{
    /* A NULL pointer would be NULL and not an empty blob. */
    sqlite3_bind_blob64(statement, at, bytes.data != NULL ? bytes.data : "", bytes.len, SQLITE_STATIC);
}

static struct slice
column_bytes(sqlite3_stmt *statement, int column)
{
    const char *bytes = sqlite3_column_blob(statement, column);

    return slice_make(bytes, (size_t)sqlite3_column_bytes(statement, column));
}

/* Transactions */

static enum status
sqlite_begin(struct ledger_store *store)
{
    struct sqlite *sqlite = sqlite_of(store);

    return run(sqlite->statements[sqlite->write ? BEGIN_WRITE : BEGIN_READ]);
}

static enum status
sqlite_commit(struct ledger_store *store)
{
    return run(sqlite_of(store)->statements[COMMIT]);
}

static void
forget_texts(struct sqlite *sqlite)
{
    for (int i = 0; i < ledger_schema_columns() && sqlite->last != NULL; i++) {
        buffer_free(&sqlite->last[i].text);
        sqlite->last[i].bound = BOUND_NOT_KNOWN;
    }
    if (sqlite->write)
        ledger_names_forget(&sqlite->names);
}

static void
sqlite_rollback(struct ledger_store *store)
{
    struct sqlite *sqlite = sqlite_of(store);

    /* SQLite may have rolled back by itself, when the disk was full. */
    if (!sqlite3_get_autocommit(sqlite->file) && run(sqlite->statements[ROLLBACK]) != OK)
        return;
    forget_texts(sqlite);
}

/* Rows */

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

static void
bind_maybe(struct sqlite *sqlite, int column, int64_t number, int64_t unknown)
{
    if (number != unknown)
        bind_number(sqlite, column, number);
    else
        bind_null(sqlite, column);
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
bind_row(struct sqlite *sqlite, const struct row *row)
{
    sqlite3_stmt *insert = sqlite->insert_row;
    enum status worst = OK, status;
    int column = 0;

#define ROW_ID(name, words) bind_number(sqlite, column++, (int64_t)row->name);
#define ROW_NUMBER(name, words) bind_number(sqlite, column++, row->name);
#define ROW_MAYBE(name, words) bind_maybe(sqlite, column++, row->name, ROW_UNKNOWN);
#define ROW_USD(name, words) bind_maybe(sqlite, column++, row->name, USD_UNKNOWN);
#define ROW_TEXT(name, words)                                                                                          \
    status = bind_name(sqlite, column++, row->name);                                                                   \
    worst = status != OK ? status : worst;
#define ROW_OWN_TEXT(name, words)                                                                                      \
    sqlite3_bind_text64(insert, ++column, row->name.len != 0 ? row->name.data : NULL, row->name.len, SQLITE_STATIC,    \
                        SQLITE_UTF8);
#include "money/row.def"
#undef ROW_ID
#undef ROW_NUMBER
#undef ROW_MAYBE
#undef ROW_USD
#undef ROW_TEXT
    buffer_clear(&sqlite->lines);
    if (row->saving_count != 0 || row->try_count != 0)
        journal_put_lines(&sqlite->lines, row);
    sqlite3_bind_blob64(insert, ++column, buffer_len(&sqlite->lines) != 0 ? sqlite->lines.data : NULL,
                        buffer_len(&sqlite->lines), SQLITE_STATIC);
    ENSURE(column == ledger_schema_columns());
    return worst;
}

static enum status
sqlite_insert_row(struct ledger_store *store, const struct row *row, bool *inserted)
{
    struct sqlite *sqlite = sqlite_of(store);
    enum status status = bind_row(sqlite, row);

    if (status == OK)
        status = run(sqlite->insert_row);
    *inserted = status == OK && sqlite3_changes(sqlite->file) == 1;
    return status;
}

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
    struct slice lines = column_bytes(statement, column);

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

static enum status
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

static enum status
name_or_none(struct sqlite *sqlite, struct slice text, int64_t *out)
{
    *out = 0;
    return text.len != 0 ? ledger_names_number(&sqlite->names, text, out) : OK;
}

static enum status
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
    return run(set);
}

static enum status
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

static enum status
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

/* Groups and sums */

static enum status
sqlite_find_group(struct ledger_store *store, uint64_t group, struct arena *arena, struct slice *bytes)
{
    sqlite3_stmt *find = sqlite_of(store)->statements[FIND_GROUP];
    int code;

    sqlite3_bind_int64(find, 1, (int64_t)group);
    code = sqlite3_step(find);
    if (code == SQLITE_ROW)
        *bytes = arena_copy(arena, column_bytes(find, 0));
    sqlite3_reset(find);
    return code == SQLITE_DONE ? ERR_NOT_FOUND : ledger_sqlite_status(code);
}

static enum status
sqlite_put_group(struct ledger_store *store, uint64_t group, struct slice bytes)
{
    sqlite3_stmt *put = sqlite_of(store)->statements[PUT_GROUP];

    sqlite3_bind_int64(put, 1, (int64_t)group);
    bind_bytes(put, 2, bytes);
    return run(put);
}

static enum status
sqlite_find_sums(struct ledger_store *store, enum ledger_period period, int64_t start, uint64_t group,
                 struct buffer *out)
{
    sqlite3_stmt *find = sqlite_of(store)->statements[period == LEDGER_HOUR ? FIND_HOUR : FIND_DAY];
    int code;

    sqlite3_bind_int64(find, 1, start);
    sqlite3_bind_int64(find, 2, (int64_t)group);
    code = sqlite3_step(find);
    if (code == SQLITE_ROW)
        buffer_add(out, column_bytes(find, 0));
    sqlite3_reset(find);
    return code == SQLITE_DONE ? ERR_NOT_FOUND : ledger_sqlite_status(code);
}

static enum status
sqlite_put_sums(struct ledger_store *store, enum ledger_period period, int64_t start, uint64_t group,
                struct slice bytes)
{
    sqlite3_stmt *put = sqlite_of(store)->statements[period == LEDGER_HOUR ? PUT_HOUR : PUT_DAY];

    sqlite3_bind_int64(put, 1, start);
    sqlite3_bind_int64(put, 2, (int64_t)group);
    bind_bytes(put, 3, bytes);
    return run(put);
}

static enum status
sqlite_each_sums(struct ledger_store *store, enum ledger_period period, int64_t from, int64_t until,
                 ledger_sums_visit *visit, void *user)
{
    sqlite3_stmt *each = sqlite_of(store)->statements[period == LEDGER_HOUR ? EACH_HOUR : EACH_DAY];
    enum status status = OK;
    int code = SQLITE_DONE;

    sqlite3_bind_int64(each, 1, from);
    sqlite3_bind_int64(each, 2, until);
    while (status == OK && (code = sqlite3_step(each)) == SQLITE_ROW)
        status =
            visit(user, sqlite3_column_int64(each, 0), (uint64_t)sqlite3_column_int64(each, 1), column_bytes(each, 2));
    sqlite3_reset(each);
    return status != OK ? status : ledger_sqlite_status(code);
}

/* Notes and positions */

static enum status
sqlite_put_note(struct ledger_store *store, enum ledger_note kind, uint64_t id, struct slice bytes)
{
    sqlite3_stmt *put = sqlite_of(store)->statements[PUT_NOTE];

    sqlite3_bind_int64(put, 1, (int64_t)id);
    sqlite3_bind_int64(put, 2, kind);
    bind_bytes(put, 3, bytes);
    return run(put);
}

static enum status
sqlite_drop_note(struct ledger_store *store, enum ledger_note kind, uint64_t id)
{
    sqlite3_stmt *drop = sqlite_of(store)->statements[DROP_NOTE];

    sqlite3_bind_int64(drop, 1, (int64_t)id);
    sqlite3_bind_int64(drop, 2, kind);
    return run(drop);
}

static enum status
sqlite_each_note(struct ledger_store *store, ledger_note_visit *visit, void *user)
{
    sqlite3_stmt *each = sqlite_of(store)->statements[EACH_NOTE];
    enum status status = OK;
    int code = SQLITE_DONE;

    while (status == OK && (code = sqlite3_step(each)) == SQLITE_ROW)
        status = visit(user, (enum ledger_note)sqlite3_column_int(each, 1), (uint64_t)sqlite3_column_int64(each, 0),
                       column_bytes(each, 2));
    sqlite3_reset(each);
    return status != OK ? status : ledger_sqlite_status(code);
}

static enum status
sqlite_put_position(struct ledger_store *store, uint64_t segment, uint64_t offset)
{
    sqlite3_stmt *put = sqlite_of(store)->statements[PUT_POSITION];

    sqlite3_bind_int64(put, 1, (int64_t)segment);
    sqlite3_bind_int64(put, 2, (int64_t)offset);
    return run(put);
}

static enum status
sqlite_drop_position(struct ledger_store *store, uint64_t segment)
{
    sqlite3_stmt *drop = sqlite_of(store)->statements[DROP_POSITION];

    sqlite3_bind_int64(drop, 1, (int64_t)segment);
    return run(drop);
}

static enum status
sqlite_each_position(struct ledger_store *store, ledger_position_visit *visit, void *user)
{
    sqlite3_stmt *each = sqlite_of(store)->statements[EACH_POSITION];
    enum status status = OK;
    int code = SQLITE_DONE;

    while (status == OK && (code = sqlite3_step(each)) == SQLITE_ROW)
        status = visit(user, (uint64_t)sqlite3_column_int64(each, 0), (uint64_t)sqlite3_column_int64(each, 1));
    sqlite3_reset(each);
    return status != OK ? status : ledger_sqlite_status(code);
}

/* The file */

static enum status
sqlite_checkpoint(struct ledger_store *store, bool *complete)
{
    int frames = 0, moved = 0;
    int code = sqlite3_wal_checkpoint_v2(sqlite_of(store)->file, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames, &moved);

    *complete = code == SQLITE_OK && frames == moved;
    return (code & 0xff) == SQLITE_BUSY ? OK : ledger_sqlite_status(code);
}

static void
sqlite_close(struct ledger_store *store)
{
    struct sqlite *sqlite = sqlite_of(store);

    for (unsigned i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(sqlite->statements[i]);
    sqlite3_finalize(sqlite->insert_row);
    sqlite3_finalize(sqlite->find_row);
    forget_texts(sqlite);
    if (sqlite->write)
        ledger_names_close(&sqlite->names);
    sqlite3_close(sqlite->file);
    buffer_free(&sqlite->lines);
    free(sqlite->last);
    free(sqlite);
}

static const struct ledger_store_ops sqlite_ops = {
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .insert_row = sqlite_insert_row,
    .find_row = sqlite_find_row,
    .set_outcome = sqlite_set_outcome,
    .each_row = sqlite_each_row,
    .each_counted = sqlite_each_counted,
    .find_group = sqlite_find_group,
    .put_group = sqlite_put_group,
    .find_sums = sqlite_find_sums,
    .put_sums = sqlite_put_sums,
    .each_sums = sqlite_each_sums,
    .put_note = sqlite_put_note,
    .drop_note = sqlite_drop_note,
    .each_note = sqlite_each_note,
    .put_position = sqlite_put_position,
    .drop_position = sqlite_drop_position,
    .each_position = sqlite_each_position,
    .checkpoint = sqlite_checkpoint,
    .close = sqlite_close,
};

static enum status
prepare(struct sqlite *sqlite, const char *sql, sqlite3_stmt **out)
{
    return ledger_sqlite_status(sqlite3_prepare_v3(sqlite->file, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL));
}

static enum status
prepare_all(struct sqlite *sqlite)
{
    static const char *const texts[] = {
#define STATEMENT(name, sql) sql,
#include "money/ledger_sqlite.def"
#undef STATEMENT
    };
    struct buffer sql = {0};
    enum status status = OK;

    for (unsigned i = 0; i < STATEMENTS && status == OK; i++)
        status = prepare(sqlite, texts[i], &sqlite->statements[i]);
    ledger_schema_select(&sql);
    if (status == OK)
        status = prepare(sqlite, sql.data, &sqlite->find_row);
    buffer_clear(&sql);
    ledger_schema_insert(&sql);
    if (status == OK)
        status = prepare(sqlite, sql.data, &sqlite->insert_row);
    buffer_free(&sql);
    return status;
}

/* With NORMAL a commit reaches the disk at the next checkpoint; until then the journal's segments stay. */
static const char writer_settings[] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                                      "PRAGMA wal_autocheckpoint = 2000; PRAGMA cache_size = -16384;"
                                      "PRAGMA journal_size_limit = 67108864;";

static enum status
open_file(struct sqlite *sqlite, const char *path, struct problems *problems)
{
    int flags = sqlite->write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    int code = sqlite3_open_v2(path, &sqlite->file, flags | SQLITE_OPEN_NOMUTEX, NULL);
    enum status status;

    if (code != SQLITE_OK) {
        problems_add(problems, (struct problem){.file = path}, "cannot be opened: %s", sqlite3_errmsg(sqlite->file));
        return ledger_sqlite_status(code);
    }
    sqlite3_busy_timeout(sqlite->file, BUSY_TIMEOUT_MS);
    status = ledger_schema_apply(sqlite->file, path, sqlite->write, problems);
    if (status != OK)
        return status;
    if (sqlite->write)
        status = ledger_sqlite_status(sqlite3_exec(sqlite->file, writer_settings, NULL, NULL, NULL));
    if (status == OK)
        status = prepare_all(sqlite);
    if (status == OK && sqlite->write)
        status = ledger_names_open(&sqlite->names, sqlite->file);
    if (status != OK)
        problems_add(problems, (struct problem){.file = path}, "cannot be used: %s", sqlite3_errmsg(sqlite->file));
    return status;
}

/* Who paid how much for what is nobody else's business. SQLite gives the files beside it the same mode. */
static void
make_private(const char *path)
{
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (file >= 0)
        close(file); /* else SQLite meets the same and says it */
}

enum status
ledger_sqlite_open(const char *path, enum ledger_access access, struct problems *problems, struct ledger_store **out)
{
    struct sqlite *sqlite;
    struct stat about;
    enum status status;

    if (access == LEDGER_READ && stat(path, &about) != 0)
        return ERR_NOT_FOUND;
    if (access == LEDGER_WRITE)
        make_private(path);
    sqlite = must_calloc(1, sizeof(*sqlite));
    sqlite->store.ops = &sqlite_ops;
    sqlite->write = access == LEDGER_WRITE;
    sqlite->last = must_calloc((size_t)ledger_schema_columns(), sizeof(struct last_value));
    status = open_file(sqlite, path, problems);
    if (status == OK)
        *out = &sqlite->store;
    else
        sqlite_close(&sqlite->store);
    return status;
}
