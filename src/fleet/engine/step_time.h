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

/* The pairs in a chunk of `fresh` tokens behind `before` tokens: the i-th of them (from 1) attends to before + i. Clients and
 * answers may claim any number of tokens: from 2^30 on, more than any context has, they count as that. */
static inline int64_t
step_attended(int64_t before, int64_t fresh)
{
    const int64_t most = (int64_t)1 << 30;

    before = before < most ? before : most;
    fresh = fresh < most ? fresh : most;
    return fresh * before + fresh * (fresh + 1) / 2;
}

double step_time_predict_us(const struct step_time *time, const struct step_load *load);

/* Fitting. A step that was measured, or a mean over some. */
struct step_sample {
    struct step_load load;
    double time_us; /* above 0 */
};

/* Finds the parameters, none below 0, with the least sum of squared errors of the time's logarithm, in which a sample that
 * is far out counts less, so that a few wrong ones do not matter (P. J. Huber, Robust estimation of a location parameter,
 * 1964). What the samples do not tell (no prompts, the same context always) comes out as 0 or with its neighbour: alpha
 * and host can only be told apart by samples on both sides of alpha / beta tokens. ERR_INVALID: no samples, or one whose
 * time is not above 0. */
enum status step_time_fit(const struct step_sample *samples, size_t count, struct step_time *out) MUST_CHECK;

/* The median over the samples of |predicted - measured| / measured; 0 for none. */
double step_time_median_error(const struct step_time *time, const struct step_sample *samples, size_t count);

#endif
