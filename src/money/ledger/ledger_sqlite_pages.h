/* A file system for SQLite that tells of every page written: the default one's, whose files write by a function of ours first. */
#ifndef MONEY_LEDGER_SQLITE_PAGES_H
#define MONEY_LEDGER_SQLITE_PAGES_H

#include "money/ledger/ledger_sqlite.h"

struct pages;

/* NULL: SQLite has no file system, or takes no other. */
struct pages *pages_new(struct ledger_between between);

/* For sqlite3_open_v2. */
const char *pages_vfs(const struct pages *pages);

/* Once its files are closed. NULL: nothing to do. */
void pages_free(struct pages *pages);

#endif
