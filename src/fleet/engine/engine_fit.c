#include "fleet/engine/engine_fit.h"

#include <math.h>
#include <stdlib.h>

static const double FORGETTING = 0.999;

/* How far off the starting values may be, as a share of them: of a pair that was named, and of what is only common. */
static const double DOUBT_OF_PAIR = 0.5, DOUBT_OF_COMMON = 3;

/* What has no starting value may be so large: host as a share of alpha; before, in microseconds. */
static const double HOST_SHARE = 0.25, BEFORE_US = 10e3, BEFORE_DOUBT_US = 20e3;

/* Samples are exact to this share; first tokens have a jitter of so much beside, by the tokenizer's and the network's. */
static const double NOISE = 0.03, FIRST_NOISE_US = 5e3;

/* Gate: beyond so many times the usual error, which falls quickly and grows slowly. Each sample that is gated counts, each
 * that is not takes two back; at GATED_MOST the engine is another. */
static const double GATE = 5, USUAL_AT_START = 0.5, USUAL_LEAST = 0.02, USUAL_FALLS = 1.0 / 32, USUAL_GROWS = 1.0 / 256;
enum { GATED_MOST = 32 };

/* The range of tokens a step that was seen, towards the middle by this much with each sample. */
static const double RANGE_FADES = 0.002;

/* Step sums */

void
step_sum_add(struct step_sum *sum, const struct step_time *time, double times, double tokens, double kv_tokens,
             double attended, double sequences)
{
    double product_us = hypot(time->alpha_us, time->beta_us * tokens);

    sum->steps += times;
    sum->alpha += product_us > 0 ? times * time->alpha_us / product_us : 0;
    sum->beta += product_us > 0 ? times * time->beta_us * tokens * tokens / product_us : times * tokens;
    sum->kv_tokens += times * kv_tokens;
    sum->attended += times * attended;
    sum->sequences += times * sequences;
    sum->tokens += times * tokens;
}

void
step_sum_join(struct step_sum *sum, const struct step_sum *more)
{
    sum->steps += more->steps;
    sum->alpha += more->alpha;
    sum->beta += more->beta;
    sum->kv_tokens += more->kv_tokens;
    sum->attended += more->attended;
    sum->sequences += more->sequences;
    sum->tokens += more->tokens;
}

void
step_sum_take(struct step_sum *sum, const struct step_sum *less)
{
    sum->steps -= less->steps;
    sum->alpha -= less->alpha;
    sum->beta -= less->beta;
    sum->kv_tokens -= less->kv_tokens;
    sum->attended -= less->attended;
    sum->sequences -= less->sequences;
    sum->tokens -= less->tokens;
}

static void
row_of(const struct step_sum *sum, bool is_first, double row[ENGINE_PARTS])
{
    row[ENGINE_ALPHA] = sum->alpha;
    row[ENGINE_BETA] = sum->beta;
    row[ENGINE_DELTA] = sum->kv_tokens;
    row[ENGINE_EPSILON] = sum->attended;
    row[ENGINE_GAMMA] = sum->sequences;
    row[ENGINE_HOST] = sum->steps;
    row[ENGINE_BEFORE] = is_first;
}

static double
times_row(const double parts[ENGINE_PARTS], const double row[ENGINE_PARTS])
{
    double sum = 0;

    for (unsigned i = 0; i < ENGINE_PARTS; i++)
        sum += parts[i] * row[i];
    return sum;
}

double
step_sum_predict_us(const struct step_sum *sum, const struct step_time *time)
{
    const double parts[ENGINE_PARTS] = {time->alpha_us,   time->beta_us,  time->delta_us,
                                        time->epsilon_us, time->gamma_us, time->host_us};
    double row[ENGINE_PARTS];

    row_of(sum, false, row);
    return times_row(parts, row);
}

/* The fit */

static void
doubt_all(struct engine_fit *fit)
{
    memset(fit->doubt, 0, sizeof fit->doubt);
    for (unsigned i = 0; i < ENGINE_PARTS; i++)
        fit->doubt[i][i] = fit->doubt_most[i];
}

void
engine_fit_init(struct engine_fit *fit, const struct engine_pair *pair)
{
    const struct step_time *time = pair != NULL ? &pair->time : &engine_pair_at(0)->time;
    double doubt = pair != NULL ? DOUBT_OF_PAIR : DOUBT_OF_COMMON;

    *fit = (struct engine_fit){.parts = {time->alpha_us, time->beta_us, time->delta_us, time->epsilon_us,
                                         time->gamma_us, time->host_us, BEFORE_US},
                               .usual_error = USUAL_AT_START,
                               .from_pair = pair != NULL,
                               .tokens_least = INFINITY};
    for (unsigned i = 0; i < ENGINE_PARTS; i++)
        fit->doubt_most[i] = doubt * fit->parts[i] * doubt * fit->parts[i];
    fit->doubt_most[ENGINE_HOST] = pow(doubt * HOST_SHARE * (time->alpha_us + time->host_us), 2);
    fit->doubt_most[ENGINE_BEFORE] = BEFORE_DOUBT_US * BEFORE_DOUBT_US;
    memcpy(fit->start, fit->parts, sizeof fit->start);
    memcpy(fit->doubt_start, fit->doubt_most, sizeof fit->doubt_start);
    doubt_all(fit);
}

struct step_time
engine_fit_time(const struct engine_fit *fit)
{
    return (struct step_time){
        .alpha_us = fit->parts[ENGINE_ALPHA],
        .beta_us = fit->parts[ENGINE_BETA],
        .delta_us = fit->parts[ENGINE_DELTA],
        .epsilon_us = fit->parts[ENGINE_EPSILON],
        .gamma_us = fit->parts[ENGINE_GAMMA],
        .host_us = fit->parts[ENGINE_HOST],
    };
}

/* What was never told must not become less certain than at the start. */
static void
bound_doubt(struct engine_fit *fit)
{
    double scale[ENGINE_PARTS];

    for (unsigned i = 0; i < ENGINE_PARTS; i++)
        scale[i] = fit->doubt[i][i] > fit->doubt_most[i] ? sqrt(fit->doubt_most[i] / fit->doubt[i][i]) : 1;
    for (unsigned i = 0; i < ENGINE_PARTS; i++)
        for (unsigned k = 0; k < ENGINE_PARTS; k++)
            fit->doubt[i][k] *= scale[i] * scale[k];
}

/* Of the parts below 0 the one that is so by the most of its own doubts; ENGINE_PARTS: none that is in doubt at all. */
static unsigned
furthest_below(const double parts[ENGINE_PARTS], double doubt[ENGINE_PARTS][ENGINE_PARTS])
{
    unsigned at = ENGINE_PARTS;
    double furthest = 0;

    for (unsigned i = 0; i < ENGINE_PARTS; i++) {
        double far = parts[i] < 0 && doubt[i][i] > 0 ? parts[i] * parts[i] / doubt[i][i] : 0;

        if (far > furthest) {
            furthest = far;
            at = i;
        }
    }
    return at;
}

/* The nearest point, as the covariance measures it, at which nothing is below 0: the part that is furthest below, in its own
 * doubts, is taken to be 0 and the others become what they are expected to be then; so on until none is. What was set to 0
 * stays there, as the copy has no doubt of it any more. */
static void
keep_above_zero(struct engine_fit *fit)
{
    double doubt[ENGINE_PARTS][ENGINE_PARTS];
    unsigned at;

    memcpy(doubt, fit->doubt, sizeof doubt);
    while ((at = furthest_below(fit->parts, doubt)) < ENGINE_PARTS) {
        double gain[ENGINE_PARTS], own = doubt[at][at], below = fit->parts[at];

        for (unsigned i = 0; i < ENGINE_PARTS; i++)
            gain[i] = doubt[i][at];
        for (unsigned i = 0; i < ENGINE_PARTS; i++) {
            fit->parts[i] -= gain[i] * below / own;
            for (unsigned k = 0; k < ENGINE_PARTS; k++)
                doubt[i][k] -= gain[i] * gain[k] / own;
        }
        fit->parts[at] = 0;
        doubt[at][at] = 0;
    }
    for (unsigned i = 0; i < ENGINE_PARTS; i++)
        if (fit->parts[i] < 0)
            fit->parts[i] = 0;
}

/* No engine is so: what was learned came of something else (a cache that answers in its place, clocks that jump). */
static bool
is_absurd(const struct engine_fit *fit)
{
    for (unsigned i = 0; i < ENGINE_PARTS; i++)
        if (!(fit->parts[i] <= ENGINE_PART_MOST_US) || !(fit->doubt[i][i] >= 0) || !isfinite(fit->doubt[i][i]))
            return true;
    return false;
}

/* One step of the filter: what was seen is 1, in units of itself. Only what this sample tells anew is forgotten of what was
 * known (R. Kulhavy, Restricted exponential forgetting in real-time identification, Automatica 23, 1987): through a jam, all
 * of whose steps are alike, what earlier ones told apart stays known. */
static void
update(struct engine_fit *fit, const double row[ENGINE_PARTS], double noise)
{
    double gain[ENGINE_PARTS], innovation = 1 - times_row(fit->parts, row), told, less;

    for (unsigned i = 0; i < ENGINE_PARTS; i++)
        gain[i] = times_row(fit->doubt[i], row);
    told = times_row(gain, row) / (noise * noise);
    if (!(told > 0))
        return;
    less = (FORGETTING - (1 - FORGETTING) / told) / (FORGETTING * (1 + told)) / (noise * noise);
    for (unsigned i = 0; i < ENGINE_PARTS; i++) {
        fit->parts[i] += gain[i] / (noise * noise * (1 + told)) * innovation;
        for (unsigned k = 0; k < ENGINE_PARTS; k++)
            fit->doubt[i][k] -= gain[i] * gain[k] * less;
    }
    bound_doubt(fit);
    keep_above_zero(fit);
}

static void
note_range(struct engine_fit *fit, double tokens)
{
    double middle = (fit->tokens_least + fit->tokens_most) / 2;

    if (isfinite(fit->tokens_least)) {
        fit->tokens_least += RANGE_FADES * (middle - fit->tokens_least);
        fit->tokens_most += RANGE_FADES * (middle - fit->tokens_most);
    }
    fit->tokens_least = fmin(fit->tokens_least, tokens);
    fit->tokens_most = fmax(fit->tokens_most, tokens);
}

/* It is another engine: whatever pair it was said to be, that is only common now. */
static void
start_anew(struct engine_fit *fit)
{
    fit->gated_of_late = 0;
    fit->restarts++;
    fit->usual_error = USUAL_AT_START;
    for (unsigned i = 0; i < ENGINE_PARTS; i++)
        fit->doubt_most[i] = fmax(fit->doubt_most[i], pow(DOUBT_OF_COMMON * fit->parts[i], 2));
    doubt_all(fit);
}

/* From nothing, as before the first sample. */
static void
forget_all(struct engine_fit *fit)
{
    fit->gated_of_late = 0;
    fit->restarts++;
    fit->usual_error = USUAL_AT_START;
    memcpy(fit->parts, fit->start, sizeof fit->parts);
    memcpy(fit->doubt_most, fit->doubt_start, sizeof fit->doubt_most);
    doubt_all(fit);
}

/* False: it is too far off to be learned from. */
static bool
passes_gate(struct engine_fit *fit, double error)
{
    bool far = error > GATE * fit->usual_error;
    double more = fmin(error, GATE * fit->usual_error) - fit->usual_error;

    fit->usual_error = fmax(fit->usual_error + (more < 0 ? USUAL_FALLS : USUAL_GROWS) * more, USUAL_LEAST);
    if (far)
        fit->gated_of_late++;
    else
        fit->gated_of_late -= fit->gated_of_late < 2 ? fit->gated_of_late : 2;
    if (fit->gated_of_late < GATED_MOST)
        return !far;
    start_anew(fit);
    return true;
}

bool
engine_fit_learn(struct engine_fit *fit, const struct step_sum *sum, double tokens_a_step, bool is_first,
                 double seen_us)
{
    struct engine_errors *errors = is_first ? &fit->first_tokens : &fit->gaps;
    double row[ENGINE_PARTS], error, jitter_us = is_first ? FIRST_NOISE_US : 0;

    if (!(seen_us > 0) || !isfinite(seen_us) || !(sum->steps > 0))
        return false;
    row_of(sum, is_first, row);
    for (unsigned i = 0; i < ENGINE_PARTS; i++)
        row[i] /= seen_us;
    error = fabs(1 - times_row(fit->parts, row));
    errors->of[errors->count++ % ENGINE_ERRORS] = (float)error;
    fit->samples++;
    if (!passes_gate(fit, error)) {
        fit->gated++;
        return false;
    }
    note_range(fit, tokens_a_step);
    update(fit, row, hypot(NOISE, jitter_us / seen_us));
    if (is_absurd(fit))
        forget_all(fit);
    return true;
}

/* An older sample counts so much less with each newer one of its class. */
static const double CURVE_FADES = 0.99;

void
engine_curve_add(struct engine_curve *curve, double batch, double gap_us)
{
    double octaves = batch > 1 ? log2(batch) : 0;
    unsigned at = octaves * 2 + 0.5 < ENGINE_CURVE_CLASSES ? (unsigned)(octaves * 2 + 0.5) : ENGINE_CURVE_CLASSES - 1;
    double weight = curve->weight[at] * CURVE_FADES + 1;

    curve->weight[at] = weight;
    curve->batch[at] += (fmax(batch, 1) - curve->batch[at]) / weight;
    curve->gap_us[at] += (gap_us - curve->gap_us[at]) / weight;
}

static int
compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

double
engine_errors_median(const struct engine_errors *errors)
{
    size_t count = errors->count < ENGINE_ERRORS ? errors->count : ENGINE_ERRORS;
    float sorted[ENGINE_ERRORS];

    if (count == 0)
        return -1;
    memcpy(sorted, errors->of, count * sizeof sorted[0]);
    qsort(sorted, count, sizeof sorted[0], compare);
    return ((double)sorted[(count - 1) / 2] + (double)sorted[count / 2]) / 2;
}

bool
engine_fit_tells_alpha(const struct engine_fit *fit)
{
    double knee = fit->parts[ENGINE_BETA] > 0 ? fit->parts[ENGINE_ALPHA] / fit->parts[ENGINE_BETA] : INFINITY;

    return fit->tokens_least < knee / 2 && fit->tokens_most > knee * 2;
}

/* Work */

struct engine_work
engine_fit_work_us(const struct step_time *time, double beside, int64_t prompt, int64_t cached, int64_t output)
{
    double fresh = (double)(prompt - cached), later = output > 1 ? (double)(output - 1) : 0;
    double sequences = beside + 1;
    double goes_on_us = beside > 0 ? hypot(time->alpha_us, time->beta_us * beside) + time->host_us : 0;
    double with_prompt_us = hypot(time->alpha_us, time->beta_us * (beside + fresh)) + time->host_us;
    double share_us = (hypot(time->alpha_us, time->beta_us * sequences) + time->host_us) / sequences;

    return (struct engine_work){
        .prefill_us = with_prompt_us - goes_on_us + time->gamma_us +
                      time->epsilon_us * (fresh * (double)cached + fresh * (fresh + 1) / 2),
        /* its context grows by one with each token */
        .decode_us = later * (share_us + time->gamma_us + time->delta_us * ((double)prompt + (later + 1) / 2)),
    };
}

/* Fits by name */

bool
shared_fit_time(struct shared_fit *shared, struct step_time *out)
{
    bool learned;

    lock_take(&shared->lock);
    learned = shared->fit.samples > shared->fit.gated;
    if (learned)
        *out = engine_fit_time(&shared->fit);
    lock_drop(&shared->lock);
    return learned;
}

void
engine_fits_init(struct engine_fits *fits)
{
    lock_init(&fits->lock);
    map_init(&fits->by_name);
}

void
engine_fits_free(struct engine_fits *fits)
{
    struct slice name;
    void *value;
    size_t at = 0;

    while (map_next(&fits->by_name, &at, &name, &value)) {
        lock_destroy(&((struct shared_fit *)value)->lock);
        free(value);
    }
    map_free(&fits->by_name);
    lock_destroy(&fits->lock);
}

struct shared_fit *
engine_fits_of(struct engine_fits *fits, struct slice target_name, const char *engine_model)
{
    struct shared_fit *fit;

    lock_take(&fits->lock);
    fit = map_get(&fits->by_name, target_name);
    if (fit == NULL) {
        fit = must_calloc(1, sizeof *fit);
        lock_init(&fit->lock);
        engine_fit_init(&fit->fit, engine_model != NULL ? engine_pair_find(slice_of(engine_model)) : NULL);
        map_put(&fits->by_name, target_name, fit);
    }
    lock_drop(&fits->lock);
    return fit;
}
