/* What caches of prompts could come to at best: one cache with the room of all of them together, which reads every prompt
 * in the order in which they came, forgets what was used least recently, and is never busy. */
#ifndef CMD_REPLAY_POOLED_H
#define CMD_REPLAY_POOLED_H

#include "cmd/replay/replay_trace.h"

/* The share of all prompts' tokens that it would have had; below 0: the trace tells no blocks. CMD_FINE, or the exit
 * status once it has said what is wrong. */
int replay_pooled_share(const char *path, const struct trace_options *options, int64_t kv_tokens, double *share);

#endif
