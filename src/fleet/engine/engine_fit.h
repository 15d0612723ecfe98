/* An engine's step times (step_time.h) learned from the answers it gives: recursive least squares over what first tokens
 * and the gaps between tokens took, one sample an answer.
 *
 * For a given ratio of beta to alpha the time of a number of steps is linear in all parameters, and since hypot() is
 * homogeneous its derivatives there give it exactly. So a sample is sums over steps (struct step_sum), whose parts times
 * the parameters are the time; each goes through one step of a Kalman filter with forgetting, in relative errors: of what
 * samples of before told, what this one tells anew fades by FORGETTING, and only that. What the samples do not tell keeps its
 * value, and no parameter is ever less certain than it was at the start. None comes out below 0.
 *
 * A sample that is far off what is expected, measured by how far samples are off otherwise, is left out (gated): a cold
 * start, a stall, a load that is not ours. Many of them are a changed engine: then what was learned is doubted
 * anew, and learning is quick again. */
#ifndef FLEET_ENGINE_FIT_H
#define FLEET_ENGINE_FIT_H

#include "base/lock.h"
#include "base/map.h"
#include "fleet/engine/engine_settings.h"

/* Sums over the steps in some span of time; counts may be parts of steps. */
struct step_sum {
    double steps;
    double alpha, beta; /* d hypot(alpha, beta n) by alpha and by beta */
    double kv_tokens, attended, sequences;
    double tokens; /* n, beside its derivatives */
};

/* `times` steps with that in each: `tokens` through the model (n). The derivatives are taken at `time`. */
void step_sum_add(struct step_sum *sum, const struct step_time *time, double times, double tokens, double kv_tokens,
                  double attended, double sequences);
void step_sum_join(struct step_sum *sum, const struct step_sum *more);
void step_sum_take(struct step_sum *sum, const struct step_sum *less);
double step_sum_predict_us(const struct step_sum *sum, const struct step_time *time);

enum engine_part {
    ENGINE_ALPHA,
    ENGINE_BETA,
    ENGINE_DELTA,
    ENGINE_EPSILON,
    ENGINE_GAMMA,
    ENGINE_HOST,
    ENGINE_BEFORE, /* before a request reaches the engine's queue: the network, the tokenizer */
    ENGINE_PARTS
};

enum { ENGINE_ERRORS = 128 }; /* of the last so many samples its error is known */

struct engine_errors {
    float of[ENGINE_ERRORS];
    size_t count; /* of all samples; the newest is at (count - 1) % ENGINE_ERRORS */
};

/* What was measured at so many sequences in a step, whatever the model thinks: half octaves from 1 to 256. */
enum { ENGINE_CURVE_CLASSES = 17 };

struct engine_curve {
    double weight[ENGINE_CURVE_CLASSES]; /* of samples, which fade */
    double batch[ENGINE_CURVE_CLASSES];  /* their mean */
    double gap_us[ENGINE_CURVE_CLASSES]; /* mean time from token to token */
};

/* No part of any engine is larger; where a fit comes out beyond, it starts again from what it started with. */
#define ENGINE_PART_MOST_US 1e9

/* `parts` are microseconds as in struct step_time. */
struct engine_fit {
    double parts[ENGINE_PARTS];
    double doubt[ENGINE_PARTS][ENGINE_PARTS];              /* covariance */
    double doubt_most[ENGINE_PARTS];                       /* its diagonal at most */
    double start[ENGINE_PARTS], doubt_start[ENGINE_PARTS]; /* parts and doubt_most before the first sample */
    double usual_error;                                    /* how far samples are off, about */
    unsigned gated_of_late;
    uint64_t samples, gated, restarts;
    bool from_pair;                   /* the starting values were those of a known pair */
    double tokens_least, tokens_most; /* per step, that were seen, fading */
    struct engine_curve curve;
    struct engine_errors gaps, first_tokens; /* |predicted - seen| / seen, before the sample was learned */
};

/* `pair` NULL: a common engine, with great doubt. */
void engine_fit_init(struct engine_fit *fit, const struct engine_pair *pair);

struct step_time engine_fit_time(const struct engine_fit *fit);

/* One sample: `sum` took seen_us. `is_first`: to a first token, which has the time before the queue in it too. False: it
 * was gated. */
bool engine_fit_learn(struct engine_fit *fit, const struct step_sum *sum, double tokens_a_step, bool is_first,
                      double seen_us);

/* One answer's mean gap at its mean batch. */
void engine_curve_add(struct engine_curve *curve, double batch, double gap_us);

/* The median of the errors kept; below 0: there are none. */
double engine_errors_median(const struct engine_errors *errors);

/* Whether samples on both sides of alpha / beta tokens a step were seen, without which alpha, beta and host stand in for each
 * other: then only their sum in the regime that was seen means anything. */
bool engine_fit_tells_alpha(const struct engine_fit *fit);

/* What a request asks of an engine in which `beside` other sequences decode (0: it has the engine for itself), in
 * microseconds of the engine's time: its prompt stands for what it adds to the steps that go on anyway, a decoding sequence
 * for its part of each step. So the work of all requests there adds up to about the time that the engine is busy, and
 * summed over a second it is the demand in seconds of work per second. `cached`: of the prompt's tokens, those that the
 * engine knows already. */
struct engine_work {
    double prefill_us, decode_us;
};

struct engine_work engine_fit_work_us(const struct step_time *time, double beside, int64_t prompt, int64_t cached,
                                      int64_t output);

/* Fits shared by all workers: one for each target ("backend/model"), made on first use, kept over reloads. */
struct shared_fit {
    struct lock lock;
    struct engine_fit fit; /* under the lock */
};

/* What was learned of its step times; false: nothing yet, and *out is as it was. */
bool shared_fit_time(struct shared_fit *shared, struct step_time *out);

struct engine_fits {
    struct lock lock;
    struct map by_name;
};

void engine_fits_init(struct engine_fits *fits);
void engine_fits_free(struct engine_fits *fits);

/* Lives until engine_fits_free. `engine_model`: a name of engine_pairs.def or NULL, for one that is not there yet. */
struct shared_fit *engine_fits_of(struct engine_fits *fits, struct slice target_name, const char *engine_model);

#endif
