/* What the files of the ledger know of each other: ledger.c (records become rows, in batches), ledger_requests.c (what is
 * open), ledger_feedback.c (what was said of requests, also before their rows came). */
#ifndef MONEY_LEDGER_INSIDE_H
#define MONEY_LEDGER_INSIDE_H

#include "base/list.h"
#include "money/ledger/accounts.h"
#include "money/ledger/id_map.h"
#include "money/ledger/ledger.h"
#include "money/ledger/ledger_rent.h"

struct open_request; /* ledger_requests.c */

struct ledger {
    struct ledger_store *store;
    struct accounts *accounts;
    struct id_map open;  /* -> struct open_request */
    struct id_map early; /* -> struct early_feedback, ledger_feedback.c */
    struct list early_by_age;
    struct ledger_rents rents;
    uint64_t *changed; /* ids of open requests that the store must learn of at commit */
    size_t changed_count, changed_size;
    struct open_request *unused;
    size_t unused_count;
    struct arena arena; /* of one apply */
    struct journal_record record;
    struct row before;
    uint64_t foreign, foreign_before; /* feedback that was not believed; as of the last commit */
    size_t crowded, crowded_before;   /* requests whose early feedback made room; likewise */
    bool in_batch;
    bool stale; /* after a rollback: what is open must be read from the store again */
};

/* A request's one row, with what was said before it came; nothing if it is there already. */
enum status ledger_settle(struct ledger *ledger, struct row *row) MUST_CHECK;

/* Open requests: another record of one; it is settled; those still open are stored at the end of a batch, and read back. */
void ledger_requests_remember(struct ledger *ledger, uint64_t id, struct slice record);
enum status ledger_requests_forget(struct ledger *ledger, uint64_t id) MUST_CHECK;
enum status ledger_requests_store(struct ledger *ledger) MUST_CHECK;
void ledger_requests_read(struct ledger *ledger, uint64_t id, struct slice records);
void ledger_requests_forget_all(struct ledger *ledger);
void ledger_requests_free_spares(struct ledger *ledger);

/* Feedback, as the journal's record: on a row, or kept until that comes; what was kept for a row that is here; and read
 * back from the store. */
enum status ledger_feedback_apply(struct ledger *ledger, const struct feedback *feedback, struct slice record)
    MUST_CHECK;
enum status ledger_feedback_take(struct ledger *ledger, struct row *row) MUST_CHECK;
enum status ledger_feedback_read(struct ledger *ledger, uint64_t id, struct slice records) MUST_CHECK;
void ledger_feedback_forget_all(struct ledger *ledger);

#endif
