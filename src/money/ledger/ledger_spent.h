/* What budgets have to know after a restart, and what they are compared with while the gateway serves: what the ledger
 * counted for a key, a tenant, a route, a tag or everything since a moment. Exact, in wide integers.
 *
 * Spans of whole UTC days or hours are read from the sums, so that ten million rows cost no more than ten; shorter ones,
 * as the present minute, from the rows, by their time-ordered ids. */
#ifndef MONEY_LEDGER_SPENT_H
#define MONEY_LEDGER_SPENT_H

#include "money/ledger/group.h"
#include "money/ledger/ledger_store.h"

struct ledger_spent {
    enum dimension of;                   /* DIMENSION_key, _tenant, _route, _tag; DIMENSION_kind: everything */
    struct slice name;                   /* of key, tenant or route; a tag's "name=value" */
    int64_t from_wall_us, until_wall_us; /* when requests arrived; until is not in it */
    /* Filled; what was there before is added to, so that several stores can be read one after the other. */
    wide_int cost; /* pico-dollars */
    wide_int tokens, requests;
};

enum status ledger_spent(struct ledger_store *store, struct ledger_spent *all, size_t count) MUST_CHECK;

/* What each key spent in each UTC hour from `from_wall_us` on, by hours; a key may come several times for one hour. The
 * text is good for the time of the call. */
typedef void ledger_key_hour_visit(void *user, struct slice key, int64_t hour_wall_us, wide_int cost);
enum status ledger_key_hours(struct ledger_store *store, int64_t from_wall_us, ledger_key_hour_visit *visit, void *user)
    MUST_CHECK;

#endif
