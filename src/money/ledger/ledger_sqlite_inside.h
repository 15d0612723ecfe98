/* What the two files of the ledger's SQLite store share: ledger_sqlite.c (the file, transactions, groups, sums, notes,
 * positions) and ledger_sqlite_rows.c (rows). */
#ifndef MONEY_LEDGER_SQLITE_INSIDE_H
#define MONEY_LEDGER_SQLITE_INSIDE_H

#include <sqlite3.h>

#include "money/ledger/ledger_names.h"
#include "money/ledger/ledger_schema.h"
#include "money/ledger/ledger_store.h"

/* The statements, prepared once. */
enum {
#define STATEMENT(name, sql) name,
#include "money/ledger/ledger_sqlite.def"
#undef STATEMENT
    STATEMENTS
};

struct last_value;
struct pages;

struct sqlite {
    struct ledger_store store;
    sqlite3 *file;
    struct pages *pages; /* that tell of every one written (ledger_sqlite_pages.h); NULL: nobody asks */
    bool write;
    sqlite3_stmt *statements[STATEMENTS];
    sqlite3_stmt *insert_row, *find_row;
    struct ledger_names names;
    struct last_value *last; /* what each column of insert_row is bound to */
    struct buffer lines;     /* scratch */
};

static inline struct sqlite *
sqlite_of(struct ledger_store *store)
{
    return (struct sqlite *)store;
}

/* Ends a statement that yields nothing. */
enum status ledger_sqlite_run(sqlite3_stmt *statement);

/* Until the statement's next step. */
struct slice ledger_sqlite_bytes(sqlite3_stmt *statement, int column);

/* ledger_sqlite_rows.c */

/* Before the first row is written. */
void sqlite_rows_init(struct sqlite *sqlite);
void sqlite_rows_free(struct sqlite *sqlite);

/* After a rollback: what the columns are bound to may name what is gone. */
void sqlite_rows_forget(struct sqlite *sqlite);

enum status sqlite_insert_row(struct ledger_store *store, const struct row *row, bool *inserted);
enum status sqlite_find_row(struct ledger_store *store, uint64_t id, struct arena *arena, struct row *row);
enum status sqlite_set_outcome(struct ledger_store *store, const struct row *row);
enum status sqlite_each_row(struct ledger_store *store, ledger_row_visit *visit, void *user);
enum status sqlite_each_counted(struct ledger_store *store, uint64_t from, ledger_row_visit *visit, void *user);

#endif
