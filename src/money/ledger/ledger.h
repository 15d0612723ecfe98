/* The ledger: takes over the journal's records, one row for each request, and keeps the sums that reports read. All in
 * integers, and every step idempotent: a record that is applied twice counts once.
 *
 * A request whose OPEN was seen and whose SETTLE was not is remembered; only when the process that served it is known to
 * be dead (ledger_charge_open, at start) it becomes a row in state "unknown", charged at its estimate. */
#ifndef MONEY_LEDGER_H
#define MONEY_LEDGER_H

#include "money/ledger/journal.h"
#include "money/ledger/ledger_store.h"

struct ledger;

/* What was booked in all. The gateway keeps the same, to be compared. */
struct ledger_totals {
    int64_t rows;
    int64_t unpriced;  /* rows whose cost is not known */
    wide_int cost;     /* of all rows where it is known */
    wide_int baseline; /* of all rows where cost and baseline are known */
    wide_int saved;    /* all saving lines in mode `on` */
};

bool ledger_totals_equal(const struct ledger_totals *a, const struct ledger_totals *b);

/* One row's part of them. */
void ledger_totals_add(struct ledger_totals *totals, const struct row *row);

/* Takes over the store, also if it fails. Reads what is open. */
enum status ledger_open(struct ledger_store *store, struct ledger **out) MUST_CHECK;
void ledger_close(struct ledger *ledger); /* what was not committed is rolled back */

/* A batch: begin, apply any number of records, set positions, commit. After any error: ledger_rollback, after which
 * everything is as at `begin`, and the same records may be applied again. */
enum status ledger_begin(struct ledger *ledger) MUST_CHECK;
enum status ledger_apply(struct ledger *ledger, struct slice record)
    MUST_CHECK; /* ERR_INVALID: a damaged record; nothing changed */
enum status ledger_set_position(struct ledger *ledger, uint64_t segment, uint64_t offset) MUST_CHECK;
enum status ledger_commit(struct ledger *ledger) MUST_CHECK;
void ledger_rollback(struct ledger *ledger);

/* Within a batch: requests that were opened and never settled become rows "unknown". Only when whoever served them is
 * dead. *charged: how many. */
enum status ledger_charge_open(struct ledger *ledger, size_t *charged) MUST_CHECK;

/* Within a batch: forgets feedback given before `wall_us` to requests that never came. *dropped: to how many, and how
 * many made room for others since it was asked last: feedback is kept for 16,384 requests that have not come yet. */
enum status ledger_drop_old_feedback(struct ledger *ledger, int64_t wall_us, size_t *dropped) MUST_CHECK;

/* What feedback makes of a row: the stronger source is believed, and of the same the later one. An id is no
 * secret: what came with another tenant's key changes nothing, and false is returned. */
bool ledger_judge_row(struct row *row, const struct feedback *feedback);

/* How much feedback was left out since ledger_open because its tenant is not the request's; what was said again before
 * the request came counts once. */
uint64_t ledger_foreign_feedback(const struct ledger *ledger);

/* How many requests are open. */
size_t ledger_open_count(const struct ledger *ledger);

/* What was committed since the store was made, by the sums. */
enum status ledger_totals(struct ledger *ledger, struct ledger_totals *out) MUST_CHECK;

/* Adds up all rows one by one and compares with the sums, for requests that arrived in hours starting at `since_wall_us`
 * or later. ERR_CORRUPT: they differ; both are filled. */
enum status ledger_check(struct ledger *ledger, int64_t since_wall_us, struct ledger_totals *rows,
                         struct ledger_totals *sums) MUST_CHECK;

/* The highest id of all rows; 0: there is none. */
enum status ledger_last_id(struct ledger *ledger, uint64_t *out) MUST_CHECK;

struct ledger_store *ledger_store(struct ledger *ledger);

#endif
