#include "money/ledger/ledger_schema.h"

/* Marks the file as ours (sqlite.org/fileformat2.html, 1.3.17): "EqLg". */
enum { APPLICATION_ID = 0x45714c67 };

/* rows is made from row.def. Texts of few different values are numbers into `names`, as are the plans: a row stays small,
 * and has no index but its id, which grows with time. A text may stand in `names` more than once (the writer knows
 * only the latest ones): compare texts, not numbers. `lines`: saving lines and attempts (journal.h).
 *
 * hours and days hold what reports read: the sums (sums.h) of each group for each hour and day that has any, keyed so
 * that a span of time is one run of the tree; days so that long spans stay short.
 *
 * notes: records of requests that are still open, and feedback that came before its request. positions: up to where
 * each journal segment has been taken over, written in the same transaction as what was taken over. */
static const char tables[] =
    "CREATE TABLE names (id INTEGER PRIMARY KEY, text TEXT NOT NULL);"
    "CREATE TABLE groups (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);"
    "CREATE TABLE hours (start INTEGER NOT NULL, grp INTEGER NOT NULL, sums BLOB NOT NULL, PRIMARY KEY (start, grp))"
    " WITHOUT ROWID;"
    "CREATE TABLE days (start INTEGER NOT NULL, grp INTEGER NOT NULL, sums BLOB NOT NULL, PRIMARY KEY (start, grp))"
    " WITHOUT ROWID;"
    "CREATE TABLE notes (id INTEGER NOT NULL, kind INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (id, kind))"
    " WITHOUT ROWID;"
    "CREATE TABLE positions (segment INTEGER PRIMARY KEY, offset INTEGER NOT NULL);";

#define NAMED_TEXT(name) "(SELECT text FROM names WHERE names.id = rows." #name ") AS " #name

int
ledger_schema_columns(void)
{
    int columns = 1;

#define ROW_ID(name, words) columns++;
#define ROW_NUMBER(name, words) columns++;
#define ROW_MAYBE(name, words) columns++;
#define ROW_USD(name, words) columns++;
#define ROW_TEXT(name, words) columns++;
#include "money/row.def"
#undef ROW_ID
#undef ROW_NUMBER
#undef ROW_MAYBE
#undef ROW_USD
#undef ROW_TEXT
    return columns;
}

static void
add_rows_table(struct buffer *out)
{
    buffer_add_text(out, "CREATE TABLE rows (");
#define ROW_ID(name, words) buffer_add_text(out, #name " INTEGER PRIMARY KEY");
#define ROW_NUMBER(name, words) buffer_add_text(out, ", " #name " INTEGER");
#define ROW_MAYBE(name, words) buffer_add_text(out, ", " #name " INTEGER");
#define ROW_USD(name, words) buffer_add_text(out, ", " #name " INTEGER");
#define ROW_TEXT(name, words) buffer_add_text(out, ", " #name " INTEGER");
#define ROW_OWN_TEXT(name, words) buffer_add_text(out, ", " #name " TEXT");
#include "money/row.def"
#undef ROW_ID
#undef ROW_NUMBER
#undef ROW_MAYBE
#undef ROW_USD
#undef ROW_TEXT
    buffer_add_text(out, ", lines BLOB);");
}

static void
add_select(struct buffer *out)
{
    buffer_add_text(out, "SELECT ");
#define ROW_ID(name, words) buffer_add_text(out, #name);
#define ROW_NUMBER(name, words) buffer_add_text(out, ", " #name);
#define ROW_MAYBE(name, words) buffer_add_text(out, ", " #name);
#define ROW_USD(name, words) buffer_add_text(out, ", " #name);
#define ROW_TEXT(name, words) buffer_add_text(out, ", " NAMED_TEXT(name));
#define ROW_OWN_TEXT(name, words) buffer_add_text(out, ", " #name);
#include "money/row.def"
#undef ROW_ID
#undef ROW_NUMBER
#undef ROW_MAYBE
#undef ROW_USD
#undef ROW_TEXT
    buffer_add_text(out, ", lines FROM rows");
}

void
ledger_schema_select(struct buffer *out)
{
    add_select(out);
    buffer_add_text(out, " WHERE id = ?");
    buffer_add_byte(out, '\0');
}

/* Columns are named: in a file that was brought up to date they stand in another order. */
void
ledger_schema_insert(struct buffer *out)
{
    buffer_add_text(out, "INSERT OR IGNORE INTO rows (");
#define ROW_ID(name, words) buffer_add_text(out, #name);
#define ROW_NUMBER(name, words) buffer_add_text(out, ", " #name);
#define ROW_MAYBE(name, words) buffer_add_text(out, ", " #name);
#define ROW_USD(name, words) buffer_add_text(out, ", " #name);
#define ROW_TEXT(name, words) buffer_add_text(out, ", " #name);
#include "money/row.def"
#undef ROW_ID
#undef ROW_NUMBER
#undef ROW_MAYBE
#undef ROW_USD
#undef ROW_TEXT
    buffer_add_text(out, ", lines) VALUES (?");
    for (int i = 1; i < ledger_schema_columns(); i++)
        buffer_add_text(out, ", ?");
    buffer_add_text(out, ")");
    buffer_add_byte(out, '\0');
}

enum status
ledger_sqlite_status(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE:
    case SQLITE_ROW:
        return OK;
    case SQLITE_FULL:
        return ERR_FULL;
    case SQLITE_NOMEM:
        return ERR_NO_MEMORY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_CORRUPT;
    default:
        return ERR_IO;
    }
}

static enum status
read_number(sqlite3 *file, const char *sql, int64_t *out)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(file, sql, -1, &statement, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *out = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return code == SQLITE_ROW ? OK : ledger_sqlite_status(code != SQLITE_OK ? code : SQLITE_ERROR);
}

static enum status
refuse(const char *path, struct problems *problems, const char *text, const char *hint)
{
    problems_add(problems, (struct problem){.file = path, .hint = hint}, "%s", text);
    return ERR_INVALID;
}

/* Rows of some 400 bytes come one after the other: larger pages than usual save writes. */
enum { PAGE_BYTES = 16384 };

/* The first schema: everything, and a view for people, with texts in place. */
static enum status
make_tables(sqlite3 *file)
{
    struct buffer sql = {0};
    int code;

    buffer_printf(&sql, "PRAGMA page_size = %d; BEGIN IMMEDIATE;", PAGE_BYTES);
    add_rows_table(&sql);
    buffer_add_text(&sql, tables);
    buffer_add_text(&sql, "CREATE VIEW requests AS ");
    add_select(&sql);
    buffer_printf(&sql, "; PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT;", APPLICATION_ID,
                  LEDGER_SCHEMA_VERSION);
    buffer_add_byte(&sql, '\0');
    code = sqlite3_exec(file, sql.data, NULL, NULL, NULL);
    buffer_free(&sql);
    return ledger_sqlite_status(code);
}

static bool
has_column(sqlite3 *file, const char *name)
{
    return sqlite3_table_column_metadata(file, "main", "rows", name, NULL, NULL, NULL, NULL, NULL) == SQLITE_OK;
}

static void
add_column(sqlite3 *file, struct buffer *out, const char *name, const char *type)
{
    if (!has_column(file, name))
        buffer_printf(out, "ALTER TABLE rows ADD COLUMN %s %s;", name, type);
}

/* From any earlier schema: the columns that row.def has got since. What older rows do not know is NULL in them. */
static enum status
add_columns(sqlite3 *file)
{
    struct buffer sql = {0};
    int code;

    buffer_add_text(&sql, "BEGIN IMMEDIATE; DROP VIEW requests;");
#define ROW_ID(name, words)
#define ROW_NUMBER(name, words) add_column(file, &sql, #name, "INTEGER");
#define ROW_MAYBE(name, words) add_column(file, &sql, #name, "INTEGER");
#define ROW_USD(name, words) add_column(file, &sql, #name, "INTEGER");
#define ROW_TEXT(name, words) add_column(file, &sql, #name, "INTEGER");
#define ROW_OWN_TEXT(name, words) add_column(file, &sql, #name, "TEXT");
#include "money/row.def"
#undef ROW_ID
#undef ROW_NUMBER
#undef ROW_MAYBE
#undef ROW_USD
#undef ROW_TEXT
    buffer_add_text(&sql, "CREATE VIEW requests AS ");
    add_select(&sql);
    buffer_printf(&sql, "; PRAGMA user_version = %d; COMMIT;", LEDGER_SCHEMA_VERSION);
    buffer_add_byte(&sql, '\0');
    code = sqlite3_exec(file, sql.data, NULL, NULL, NULL);
    if (code != SQLITE_OK)
        sqlite3_exec(file, "ROLLBACK", NULL, NULL, NULL);
    buffer_free(&sql);
    return ledger_sqlite_status(code);
}

static enum status
apply_version(sqlite3 *file, const char *path, int64_t application, int64_t version, bool write,
              struct problems *problems)
{
    if (application != APPLICATION_ID && (application != 0 || version != 0))
        return refuse(path, problems, "is an SQLite file, but not a ledger of equipoise",
                      "move it away, or choose another directory with `data:`");
    if (version > LEDGER_SCHEMA_VERSION)
        return refuse(path, problems, "was written by a newer equipoise than this one",
                      "use the newer program; a ledger is never taken back to an older form");
    if (version == LEDGER_SCHEMA_VERSION)
        return OK;
    if (!write)
        return refuse(path, problems, "is of an older form, or not yet complete",
                      "start `equipoise serve` once, which brings it up to date");
    return version == 0 ? make_tables(file) : add_columns(file);
}

enum status
ledger_schema_apply(sqlite3 *file, const char *path, bool write, struct problems *problems)
{
    int64_t application = 0, version = 0;
    enum status status = read_number(file, "PRAGMA application_id", &application);

    if (status == OK)
        status = read_number(file, "PRAGMA user_version", &version);
    if (status == ERR_CORRUPT)
        return refuse(path, problems, "is not an SQLite file, or a damaged one",
                      "move it away: a new one is made, and what the journal still holds goes into it");
    if (status == OK)
        return apply_version(file, path, application, version, write, problems);
    problems_add(problems, (struct problem){.file = path}, "cannot be read: %s", sqlite3_errmsg(file));
    return status;
}
