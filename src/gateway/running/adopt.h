/* A new configuration for all workers, one after another, while requests are under way: what has begun goes on by the
 * configuration that it began with, what begins after its worker's turn goes by the new one. */
#ifndef GATEWAY_ADOPT_H
#define GATEWAY_ADOPT_H

#include "gateway/running/round.h"

/* Embedded in whoever starts it. */
struct adoption {
    struct round round;
    struct snapshot *snapshot;
    void (*done)(struct adoption *); /* on the worker that started it: all have it; may free it */
};

/* On the first worker; `done` is set. Takes its own hold on the configuration, which was loaded with the present one as
 * the one before. Several may be under way: every worker gets them in the order of their starts. */
void adoption_start(struct adoption *adoption, struct gateway *gateway, struct world *first, struct config *config);

#endif
