/* What the size of an engine's batch comes to, by its model, for requests like those that it has: the time from token to token,
 * what it puts out, and the largest batch that a limit on that time allows (vLLM's --max-num-seqs).
 *
 * While a batch of B decodes, prompts come in as fast as outputs end: for each token out, so many of prompts go in. So a
 * step has B (1 + fresh / output) tokens in it in the mean. */
#ifndef FLEET_BATCH_H
#define FLEET_BATCH_H

#include "fleet/engine/engine_fit.h"

/* The mean request. */
struct batch_mix {
    double prompt, cached, output; /* tokens; output at least 1 */
};

/* From token to token with so many sequences. */
double batch_gap_us(const struct step_time *time, const struct batch_mix *mix, double sequences);

/* Output tokens a second. */
double batch_tokens_a_second(const struct step_time *time, const struct batch_mix *mix, double sequences);

/* How many sequences of this kind the cache has room for. */
double batch_room(const struct batch_mix *mix, double kv_tokens);

/* The most sequences within a limit on the gap and the room that there is, at least 1; *by_room: it is the room that says so.
 * gap_limit_us of 0: none. */
int64_t batch_most(const struct step_time *time, const struct batch_mix *mix, double kv_tokens, double gap_limit_us,
                   bool *by_room);

/* The least batch that puts out BATCH_ENOUGH_SHARE of what the largest of all would. What a step takes whoever is in it (the weights,
 * the host) is shared by then, and everything else grows with the batch, so that more only makes everybody slower. The
 * share: a gain of less than a twentieth is within the error of such models (step_time.h fits measured times to 4 to 8 %).
 * Prompts are taken to come whole: a step with one hides the reading of the weights behind it, one without does not. At least
 * 1, to 1 %; INFINITY: it is above BATCH_ENOUGH_MOST. */
#define BATCH_ENOUGH_SHARE 0.95
#define BATCH_ENOUGH_MOST 4096.0
double batch_enough(const struct step_time *time, const struct batch_mix *mix);

#endif
