/* A message that visits every worker in turn and then comes home: whatever must be seen or done on all of them. */
#ifndef GATEWAY_ROUND_H
#define GATEWAY_ROUND_H

#include "gateway/gateway.h"

/* Embedded in whoever sends it, who stays until it is home. The workers' visits happen one after another, never at
 * once. */
struct round {
    struct message message;
    struct gateway *gateway;
    struct world *home;
    unsigned next; /* who is visited next */
    void (*at_worker)(struct round *, struct gateway_worker *);
    void (*home_again)(struct round *); /* on the worker that sent it; may free it */
};

/* `at_worker` and `home_again` are set; neither is called before this returns. On any worker. */
void round_start(struct round *round, struct gateway *gateway, struct world *home);

#endif
