/* Texts as numbers, so that a row stays small: the writer's side of the table `names`. It knows the texts of late; one that
 * comes back after a long time gets a new number. */
#ifndef MONEY_LEDGER_NAMES_H
#define MONEY_LEDGER_NAMES_H

#include <sqlite3.h>

#include "base/map.h"
#include "base/status.h"

/* Invariant: what is in `young` or `old` stands in the table, in this transaction or before it. */
struct ledger_names {
    struct map young, old; /* text -> number, as a pointer; when `young` is full it becomes `old` */
    int64_t next;
    sqlite3_stmt *insert;
};

enum status ledger_names_open(struct ledger_names *names, sqlite3 *file) MUST_CHECK;
void ledger_names_close(struct ledger_names *names);

/* The text's number; inserts it if need be. */
enum status ledger_names_number(struct ledger_names *names, struct slice text, int64_t *out) MUST_CHECK;

/* After a rollback: what was inserted may be gone. Numbers are never given twice in one process. */
void ledger_names_forget(struct ledger_names *names);

#endif
