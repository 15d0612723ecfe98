/* Fleets that change during a trace, side by side (fleet/capacity/scaling.h): the trace's requests over one pool of the configuration,
 * without the gateway in between. */
#ifndef CMD_REPLAY_SCALING_H
#define CMD_REPLAY_SCALING_H

#include "cmd/replay/replay_wanted.h"

/* Plays what is wanted and puts one variant for each run into the comparison. CMD_FINE, or the exit status once it has said
 * what is wrong. */
int replay_scaling_play(const struct replay_wanted *wanted, struct replay_comparison *comparison);

#endif
