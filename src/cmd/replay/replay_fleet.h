/* A pool of a replay whose replicas come and go as the gateway itself recommends (gateway/watch/sizer.h), by the way that discovery
 * takes: a replica that is wanted is found a cold start later, with a configuration that is taken over while requests are under
 * way; one that is not wanted any more is gone with the next, serves what it has, and is stopped when it is empty. What comes
 * to one that is stopped all the same is refused there.
 *
 * Each that comes is a new one, as long as the world has engines that were never there (its configuration names them all);
 * after that the one that has been away for longest is taken, with what it still knows of prompts. */
#ifndef CMD_REPLAY_FLEET_H
#define CMD_REPLAY_FLEET_H

#include "cmd/replay/replay_world.h"

struct replay_fleet;

/* Before the world runs, whose settings say how it changes; of its backend of that index. It holds on to the world. */
struct replay_fleet *replay_fleet_new(struct replay_world *world, size_t backend) __attribute__((returns_nonnull));

/* The world is over: nobody is wanted any more. Freed before the world. */
void replay_fleet_free(struct replay_fleet *fleet);

struct replay_fleet_sum {
    usec replica_us; /* replicas times time: each from the wish for it until it is stopped, up to the last arrival */
    unsigned most;   /* that were paid at a time */
    unsigned came, left;
};

struct replay_fleet_sum replay_fleet_sum(const struct replay_fleet *fleet);
size_t replay_fleet_backend(const struct replay_fleet *fleet); /* its index */

#endif
