/* What a batch adds to the ledger's sums, gathered in memory so that a batch writes each group once. */
#ifndef MONEY_ACCOUNTS_H
#define MONEY_ACCOUNTS_H

#include "money/ledger/ledger_store.h"
#include "money/rent.h"

struct accounts;

struct accounts *accounts_new(struct ledger_store *store);
void accounts_free(struct accounts *accounts);

/* Adds a new row to all its groups. */
void accounts_add_row(struct accounts *accounts, const struct row *row);

/* Adds what replicas cost within one hour. */
void accounts_add_rent(struct accounts *accounts, const struct rent *rent);

/* A row that is booked already has another outcome now: usefulness and value. */
void accounts_change_outcome(struct accounts *accounts, const struct row *before, const struct row *after);

/* Writes what was gathered to the store; then nothing is gathered. */
enum status accounts_flush(struct accounts *accounts) MUST_CHECK;

/* Forgets what was gathered, and what it knows of the store: after a rollback. */
void accounts_forget(struct accounts *accounts);

/* The start of the hour or day that holds this time. */
int64_t ledger_period_start(enum ledger_period period, int64_t wall_us);

#endif
