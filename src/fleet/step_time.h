/* How long one step of an inference engine with continuous batching takes:
 *
 *   T = hypot(alpha, beta n) + delta KV + epsilon A + gamma B + host
 *
 * n: tokens that go through the model in this step; KV: tokens of context that the decoding sequences read; A: pairs of
 * a new token and the token it attends to, over the prompts' chunks; B: sequences in the step.
 * The first term is the matrix products: alpha to read the weights while they are few, beta for each token once there
 * are many, and hypot for the smooth way over, which fits measured times closer than their sum does. */
#ifndef FLEET_STEP_TIME_H
#define FLEET_STEP_TIME_H

#include <stddef.h>

#include "base/slice.h"
#include "base/timers.h"

/* All in microseconds, none below 0. */
struct step_time {
    double alpha_us;   /* per step: the weights */
    double beta_us;    /* per token */
    double delta_us;   /* per token of context that a decoding sequence reads */
    double epsilon_us; /* per pair of new token and token attended to */
    double gamma_us;   /* per sequence */
    double host_us;    /* per step: the engine's own work that does not overlap with the device's */
};

/* What is in a step. */
struct step_load {
    int64_t new_tokens; /* n: tokens of prompt chunks, and one for each decoding sequence */
    int64_t kv_tokens;  /* KV */
    int64_t attended;   /* A: sum of step_attended() */
    int64_t sequences;  /* B */
};

/* The pairs in a chunk of `fresh` tokens behind `before` tokens: the i-th of them (from 1) attends to before + i. */
static inline int64_t
step_attended(int64_t before, int64_t fresh)
{
    return fresh * before + fresh * (fresh + 1) / 2;
}

double step_time_predict_us(const struct step_time *time, const struct step_load *load);

#endif
