#include "money/ledger/ledger_sqlite.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "money/ledger/ledger_sqlite_inside.h"
#include "money/ledger/ledger_sqlite_pages.h"

/* How long a reader waits where the writer is just ending its checkpoint. */
enum { BUSY_TIMEOUT_MS = 2000 };

enum status
ledger_sqlite_run(sqlite3_stmt *statement)
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

struct slice
ledger_sqlite_bytes(sqlite3_stmt *statement, int column)
{
    const char *bytes = sqlite3_column_blob(statement, column);

    return slice_make(bytes, (size_t)sqlite3_column_bytes(statement, column));
}

/* Transactions */

static enum status
sqlite_begin(struct ledger_store *store)
{
    struct sqlite *sqlite = sqlite_of(store);

    return ledger_sqlite_run(sqlite->statements[sqlite->write ? BEGIN_WRITE : BEGIN_READ]);
}

static enum status
sqlite_commit(struct ledger_store *store)
{
    return ledger_sqlite_run(sqlite_of(store)->statements[COMMIT]);
}

static void
sqlite_rollback(struct ledger_store *store)
{
    struct sqlite *sqlite = sqlite_of(store);

    /* SQLite may have rolled back by itself, when the disk was full. */
    if (!sqlite3_get_autocommit(sqlite->file) && ledger_sqlite_run(sqlite->statements[ROLLBACK]) != OK)
        return;
    sqlite_rows_forget(sqlite);
    if (sqlite->write)
        ledger_names_forget(&sqlite->names);
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
        *bytes = arena_copy(arena, ledger_sqlite_bytes(find, 0));
    sqlite3_reset(find);
    return code == SQLITE_DONE ? ERR_NOT_FOUND : ledger_sqlite_status(code);
}

static enum status
sqlite_put_group(struct ledger_store *store, uint64_t group, struct slice bytes)
{
    sqlite3_stmt *put = sqlite_of(store)->statements[PUT_GROUP];

    sqlite3_bind_int64(put, 1, (int64_t)group);
    bind_bytes(put, 2, bytes);
    return ledger_sqlite_run(put);
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
        buffer_add(out, ledger_sqlite_bytes(find, 0));
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
    return ledger_sqlite_run(put);
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
        status = visit(user, sqlite3_column_int64(each, 0), (uint64_t)sqlite3_column_int64(each, 1),
                       ledger_sqlite_bytes(each, 2));
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
    return ledger_sqlite_run(put);
}

static enum status
sqlite_drop_note(struct ledger_store *store, enum ledger_note kind, uint64_t id)
{
    sqlite3_stmt *drop = sqlite_of(store)->statements[DROP_NOTE];

    sqlite3_bind_int64(drop, 1, (int64_t)id);
    sqlite3_bind_int64(drop, 2, kind);
    return ledger_sqlite_run(drop);
}

static enum status
sqlite_each_note(struct ledger_store *store, ledger_note_visit *visit, void *user)
{
    sqlite3_stmt *each = sqlite_of(store)->statements[EACH_NOTE];
    enum status status = OK;
    int code = SQLITE_DONE;

    while (status == OK && (code = sqlite3_step(each)) == SQLITE_ROW)
        status = visit(user, (enum ledger_note)sqlite3_column_int(each, 1), (uint64_t)sqlite3_column_int64(each, 0),
                       ledger_sqlite_bytes(each, 2));
    sqlite3_reset(each);
    return status != OK ? status : ledger_sqlite_status(code);
}

static enum status
sqlite_put_position(struct ledger_store *store, uint64_t segment, uint64_t offset)
{
    sqlite3_stmt *put = sqlite_of(store)->statements[PUT_POSITION];

    sqlite3_bind_int64(put, 1, (int64_t)segment);
    sqlite3_bind_int64(put, 2, (int64_t)offset);
    return ledger_sqlite_run(put);
}

static enum status
sqlite_drop_position(struct ledger_store *store, uint64_t segment)
{
    sqlite3_stmt *drop = sqlite_of(store)->statements[DROP_POSITION];

    sqlite3_bind_int64(drop, 1, (int64_t)segment);
    return ledger_sqlite_run(drop);
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
    if (sqlite->write)
        ledger_names_close(&sqlite->names);
    sqlite3_close(sqlite->file);
    pages_free(sqlite->pages);
    sqlite_rows_free(sqlite);
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
#define STATEMENT(name, sql) (sql),
#include "money/ledger/ledger_sqlite.def"
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
    int code = sqlite3_open_v2(path, &sqlite->file, flags | SQLITE_OPEN_NOMUTEX,
                               sqlite->pages != NULL ? pages_vfs(sqlite->pages) : NULL);
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

static enum status
open_with(const char *path, enum ledger_access access, struct pages *pages, struct problems *problems,
          struct ledger_store **out)
{
    struct sqlite *sqlite = must_calloc(1, sizeof(*sqlite));
    enum status status;

    sqlite->store.ops = &sqlite_ops;
    sqlite->pages = pages;
    sqlite->write = access == LEDGER_WRITE;
    sqlite_rows_init(sqlite);
    if (sqlite->write)
        make_private(path);
    status = open_file(sqlite, path, problems);
    if (status == OK)
        *out = &sqlite->store;
    else
        sqlite_close(&sqlite->store);
    return status;
}

enum status
ledger_sqlite_open(const char *path, enum ledger_access access, struct problems *problems, struct ledger_store **out)
{
    struct stat about;

    if (access == LEDGER_READ && stat(path, &about) != 0)
        return ERR_NOT_FOUND;
    return open_with(path, access, NULL, problems, out);
}

enum status
ledger_sqlite_open_in_pieces(const char *path, struct ledger_between between, struct problems *problems,
                             struct ledger_store **out)
{
    return open_with(path, LEDGER_WRITE, pages_new(between), problems, out);
}
