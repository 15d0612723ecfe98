/* The ledger's store in one SQLite file (write-ahead log, one writer, any number of readers). The schema, and what each
 * table is for, stands in ledger_schema.c. */
#ifndef MONEY_LEDGER_SQLITE_H
#define MONEY_LEDGER_SQLITE_H

#include "base/problem.h"
#include "money/ledger/ledger_store.h"

enum ledger_access {
    LEDGER_WRITE, /* the one writer; the file is made, or brought to this program's schema */
    LEDGER_READ   /* never changes the file; sees one state from begin to rollback */
};

/* ERR_NOT_FOUND: there is no file to read (no problem is added). ERR_INVALID: not a ledger, or one of a newer program.
 * ERR_IO. Closed by its `close`. */
enum status ledger_sqlite_open(const char *path, enum ledger_access access, struct problems *problems,
                               struct ledger_store **out) MUST_CHECK;

/* Called after every page that is written: a commit or a checkpoint is one call here, and many pages. */
struct ledger_between {
    void (*pieces)(void *user);
    void *user;
};

/* The one writer, whose work is done in pieces. */
enum status ledger_sqlite_open_in_pieces(const char *path, struct ledger_between between, struct problems *problems,
                                         struct ledger_store **out) MUST_CHECK;

#endif
