/* Plays a replay's world to its end, with its progress on a terminal. */
#ifndef CMD_REPLAY_RUN_H
#define CMD_REPLAY_RUN_H

#include "cmd/replay/replay_trace.h"
#include "cmd/replay/replay_world.h"

/* True if the user stopped it. `label` stands before the progress; NULL: none. */
bool replay_run(struct replay_world *world, const struct replay_trace *trace, const char *label);

#endif
