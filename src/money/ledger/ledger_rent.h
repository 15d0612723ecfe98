/* What the ledger keeps of rents (rent.h): by hour and backend in the sums, in groups of kind `rent`, and up to when each
 * backend's are counted. A stretch of time counts once, however often it is told: what lies before that is left out, so
 * neither a record that is read twice, nor a clock that went back, nor a second gateway after a crash counts it again. */
#ifndef MONEY_LEDGER_RENT_H
#define MONEY_LEDGER_RENT_H

#include "base/map.h"
#include "money/ledger/accounts.h"
#include "money/ledger/ledger_store.h"
#include "money/rent.h"

struct ledger_rents {
    struct map by_backend; /* -> struct rent_mark */
};

void ledger_rents_init(struct ledger_rents *rents);
void ledger_rents_forget(struct ledger_rents *rents); /* also frees */

/* A mark as the store kept it (LEDGER_NOTE_RENT). ERR_CORRUPT. */
enum status ledger_rents_read(struct ledger_rents *rents, uint64_t id, struct slice bytes) MUST_CHECK;

/* Within a batch. ERR_INVALID: it is no stretch of time. */
enum status ledger_rents_apply(struct ledger_rents *rents, struct accounts *accounts, struct ledger_store *store,
                               const struct rent *rent) MUST_CHECK;

#endif
