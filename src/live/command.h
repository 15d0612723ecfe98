/* Commands of the user's (world.h: command_run), by /bin/sh -c in a session of their own, so that all they started dies
 * with them when their time is over. Standard error is ours. What a command printed is wiped when it has been told: it
 * may be a secret.
 *
 * A command is over when the shell has ended and nobody holds its standard output any more, as with $(...): one that
 * leaves a process behind which still may print has not ended, and takes too long. */
#ifndef LIVE_COMMAND_H
#define LIVE_COMMAND_H

#include "world.h"

struct live_world;

/* world_ops.command */
void command_start(struct world *world, struct command_run *run);

/* Tells of commands that could not be started; by loop_leave. True if there was one. */
bool command_tend(struct live_world *world);

/* Kills all that run; they are told of as ever. No further ones are started while world->cutting. */
void command_cut(struct live_world *world);

#endif
