/* The tables of the ledger's file, and how an older file becomes a present one. */
#ifndef MONEY_LEDGER_SCHEMA_H
#define MONEY_LEDGER_SCHEMA_H

#include <sqlite3.h>

#include "base/buffer.h"
#include "base/problem.h"

/* Grows with every change to the tables. */
enum { LEDGER_SCHEMA_VERSION = 5 };

/* Columns of `rows`, in the order of row.def, and after them `lines`. */
int ledger_schema_columns(void);

/* INSERT OR IGNORE INTO rows with a parameter for each column. */
void ledger_schema_insert(struct buffer *out);

/* SELECT of all columns of rows, texts in place of their numbers, with "WHERE id = ?". */
void ledger_schema_select(struct buffer *out);

/* Checks the file's version and makes or changes tables where `write` allows it. ERR_INVALID: not ours, or newer than
 * this program, or older and not to be written. */
enum status ledger_schema_apply(sqlite3 *file, const char *path, bool write, struct problems *problems) MUST_CHECK;

enum status ledger_sqlite_status(int code);

#endif
