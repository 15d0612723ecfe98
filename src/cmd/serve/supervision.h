/* What the service manager hears of a gateway: that it serves, reads its configuration again, stops; and, where a
 * watchdog asks for it, that every worker's loop turns. Nothing at all where no manager started it. */
#ifndef CMD_SUPERVISION_H
#define CMD_SUPERVISION_H

#include "gateway/running/round.h"
#include "live/notify.h"

struct supervision {
    struct notify *notify;
    struct gateway *gateway;
    struct world *first;
    struct timer timer;
    struct round round;
    bool going_round, over;
};

/* Reads the environment. */
void supervision_init(struct supervision *supervision, struct gateway *gateway);
void supervision_free(struct supervision *supervision);

/* On the first worker, when it starts and when it begins to stop. */
void supervision_start(struct supervision *supervision, struct world *first);
void supervision_stop(struct supervision *supervision);

/* On the first worker: a reload is over, and how. A gateway that is stopping says no more that it is ready. */
void supervision_ready(struct supervision *supervision, const char *how);

#endif
