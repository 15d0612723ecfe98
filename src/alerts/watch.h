/* Keeps an eye on what a person should hear of soon, and raises alerts (gateway/running/alert.h): once a second, on the first
 * worker, what budgets tell and how journal and ledger do. What single rows tell: gateway/running/notice.h. */
#ifndef ALERTS_WATCH_H
#define ALERTS_WATCH_H

#include "gateway/gateway.h"

struct watch;

struct watch_ledger {
    enum status health;  /* OK, or why journal or ledger last failed to write */
    uint64_t mismatches; /* checks that did not come out even, so far */
};

struct watch_options {
    void *context;
    /* How the ledger does; costs no more than a lock. NULL: there is none. */
    void (*ledger)(void *context, struct watch_ledger *out);
};

/* From this worker, which must be the first. */
struct watch *watch_start(struct gateway_worker *worker, const struct watch_options *options);

/* What budgets had to tell by now is still raised. */
void watch_stop(struct watch *watch);

#endif
