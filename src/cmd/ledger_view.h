/* Reading a ledger from outside, also while the gateway writes it: one state of the file, and on top of it what the
 * journal holds that the file does not have yet. Changes nothing. */
#ifndef CMD_LEDGER_VIEW_H
#define CMD_LEDGER_VIEW_H

#include "base/problem.h"
#include "money/ledger/ledger.h"

struct ledger_view {
    struct ledger_store *stores[2]; /* the file, if there is one, and the journal's surplus in memory */
    size_t count;
    struct ledger_store *file; /* NULL: none yet */
    struct ledger *surplus;
};

/* ERR_NOT_FOUND: there is neither ledger nor journal in `dir`; a problem says so. Closed in any case. */
enum status ledger_view_open(const char *dir, struct problems *problems, struct ledger_view *view) MUST_CHECK;
void ledger_view_close(struct ledger_view *view);

/* A request's row. One that is still open comes in state "open"; feedback that waits is in it. ERR_NOT_FOUND. */
enum status ledger_view_find(struct ledger_view *view, uint64_t id, struct arena *arena, struct row *out) MUST_CHECK;

#endif
