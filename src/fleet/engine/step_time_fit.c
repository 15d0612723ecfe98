/* Fitting step times: for a given ratio of beta to alpha the formula is linear in all parameters, and with five of them
 * the least squares under "none below 0" can be had by trying which are 0. Around that a search for the ratio, and around
 * both a few rounds of weights for the samples, by how far out they were in the round before. */
#include <math.h>
#include <stdlib.h>

#include "fleet/engine/step_time.h"

/* The linear parts: matrix products, delta, epsilon, gamma, host. */
enum { PARTS = 5, SUBSETS = 1 << PARTS, RATIOS = 96, REFINEMENTS = 60, ROUNDS = 20 };

/* From a beta that never shows to an alpha that never does. */
static const double RATIO_LEAST = 1e-7, RATIO_MOST = 1e2;

/* Parts that are this close to what others explain count as explained. */
static const double PIVOT_LEAST = 1e-9;

/* An error beyond so many standard deviations, as the median tells them, is far out. */
static const double FAR_OUT = 1.345, DEVIATION_PER_MEDIAN = 1.4826, ERROR_LEAST = 1e-6;

static const double FACTOR_MOST = 1e3;

struct samples {
    const struct step_sample *all;
    double *weights;
    size_t count;
};

struct solution {
    double parts[PARTS];
    double error; /* sum of squared relative errors */
};

/* Sums over the samples: minimise |1 - columns x parts / time|. Columns are scaled to length 1. */
struct normal {
    double products[PARTS][PARTS], target[PARTS], scale[PARTS], weight;
};

static void
columns_of(const struct step_sample *sample, double ratio, double columns[PARTS])
{
    columns[0] = hypot(1, ratio * (double)sample->load.new_tokens) / sample->time_us;
    columns[1] = (double)sample->load.kv_tokens / sample->time_us;
    columns[2] = (double)sample->load.attended / sample->time_us;
    columns[3] = (double)sample->load.sequences / sample->time_us;
    columns[4] = 1 / sample->time_us;
}

static void
sum_up(const struct samples *samples, double ratio, struct normal *normal)
{
    *normal = (struct normal){.weight = 0};
    for (size_t s = 0; s < samples->count; s++) {
        double columns[PARTS], weight = samples->weights[s];

        columns_of(&samples->all[s], ratio, columns);
        normal->weight += weight;
        for (unsigned i = 0; i < PARTS; i++) {
            normal->target[i] += weight * columns[i];
            for (unsigned k = 0; k < PARTS; k++)
                normal->products[i][k] += weight * columns[i] * columns[k];
        }
    }
    for (unsigned i = 0; i < PARTS; i++)
        normal->scale[i] = normal->products[i][i] > 0 ? sqrt(normal->products[i][i]) : 1;
    for (unsigned i = 0; i < PARTS; i++) {
        normal->target[i] /= normal->scale[i];
        for (unsigned k = 0; k < PARTS; k++)
            normal->products[i][k] /= normal->scale[i] * normal->scale[k];
    }
}

/* Least squares over the parts in `used` by elimination; false if one is explained by the others, or below 0. */
static bool
solve_subset(const struct normal *normal, unsigned used, struct solution *out)
{
    double rows[PARTS][PARTS + 1];
    unsigned at[PARTS], size = 0;

    for (unsigned i = 0; i < PARTS; i++)
        if ((used >> i & 1) != 0)
            at[size++] = i;
    for (unsigned i = 0; i < size; i++) {
        for (unsigned k = 0; k < size; k++)
            rows[i][k] = normal->products[at[i]][at[k]];
        rows[i][size] = normal->target[at[i]];
    }
    for (unsigned p = 0; p < size; p++) {
        if (rows[p][p] < PIVOT_LEAST)
            return false;
        for (unsigned i = p + 1; i < size; i++) {
            double factor = rows[i][p] / rows[p][p];

            for (unsigned k = p; k <= size; k++)
                rows[i][k] -= factor * rows[p][k];
        }
    }
    *out = (struct solution){.error = normal->weight};
    for (unsigned p = size; p-- > 0;) {
        double value = rows[p][size];

        for (unsigned k = p + 1; k < size; k++)
            value -= rows[p][k] * out->parts[at[k]];
        out->parts[at[p]] = value / rows[p][p];
        if (out->parts[at[p]] < 0)
            return false;
        out->error -= out->parts[at[p]] * normal->target[at[p]]; /* at the optimum: weight - parts . target */
    }
    return true;
}

static struct solution
solve(const struct samples *samples, double ratio)
{
    struct normal normal;
    struct solution best = {.error = INFINITY}, tried;

    sum_up(samples, ratio, &normal);
    for (unsigned used = 1; used < SUBSETS; used++)
        if (solve_subset(&normal, used, &tried) && tried.error < best.error)
            best = tried;
    for (unsigned i = 0; i < PARTS; i++)
        best.parts[i] /= normal.scale[i];
    return best;
}

static double
error_at(const struct samples *samples, double log_ratio)
{
    return solve(samples, exp(log_ratio)).error;
}

/* The best of a row of ratios, then golden section between its neighbours. */
static double
find_ratio(const struct samples *samples)
{
    static const double golden = 0.6180339887498949;
    double from = log(RATIO_LEAST), width = (log(RATIO_MOST) - from) / (RATIOS - 1), best = 0, best_error = INFINITY;
    double low, high, a, b, error_a, error_b;

    for (unsigned i = 0; i < RATIOS; i++) {
        double error = error_at(samples, from + i * width);

        if (error >= best_error)
            continue;
        best_error = error;
        best = from + i * width;
    }
    low = best - width;
    high = best + width;
    a = high - golden * (high - low);
    b = low + golden * (high - low);
    error_a = error_at(samples, a);
    error_b = error_at(samples, b);
    for (unsigned i = 0; i < REFINEMENTS; i++) {
        bool left = error_a <= error_b;

        if (left) {
            high = b;
            b = a;
            error_b = error_a;
            a = high - golden * (high - low);
            error_a = error_at(samples, a);
        } else {
            low = a;
            a = b;
            error_a = error_b;
            b = low + golden * (high - low);
            error_b = error_at(samples, b);
        }
    }
    return exp((low + high) / 2);
}

/* How far the prediction is off, as a factor: the error of its logarithm. */
static double
log_error(const struct step_time *time, const struct step_sample *sample)
{
    double factor = step_time_predict_us(time, &sample->load) / sample->time_us;

    return log(fmin(fmax(factor, 1 / FACTOR_MOST), FACTOR_MOST));
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double
median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

double
step_time_median_error(const struct step_time *time, const struct step_sample *samples, size_t count)
{
    double *errors, result;

    if (count == 0)
        return 0;
    errors = must_alloc(count * sizeof *errors);
    for (size_t i = 0; i < count; i++)
        errors[i] = fabs(step_time_predict_us(time, &samples[i].load) / samples[i].time_us - 1);
    result = median(errors, count);
    free(errors);
    return result;
}

/* Weights with which the squares of relative errors pull as Huber's measure of the logarithms' errors does. False: all
 * are as good as exact. */
static bool
weigh(const struct step_time *time, struct samples *samples)
{
    double deviation;

    for (size_t i = 0; i < samples->count; i++)
        samples->weights[i] = fabs(log_error(time, &samples->all[i]));
    deviation = DEVIATION_PER_MEDIAN * median(samples->weights, samples->count);
    for (size_t i = 0; i < samples->count; i++) {
        double error = log_error(time, &samples->all[i]), factor = exp(error);

        samples->weights[i] = fabs(error) < ERROR_LEAST ? 1 : error / (factor * (factor - 1));
        if (fabs(error) > FAR_OUT * deviation)
            samples->weights[i] *= FAR_OUT * deviation / fabs(error);
    }
    return deviation >= ERROR_LEAST;
}

static void
fit_weighted(const struct samples *samples, struct step_time *out)
{
    double ratio = find_ratio(samples);
    struct solution best = solve(samples, ratio);

    *out = (struct step_time){
        .alpha_us = best.parts[0],
        .beta_us = best.parts[0] * ratio,
        .delta_us = best.parts[1],
        .epsilon_us = best.parts[2],
        .gamma_us = best.parts[3],
        .host_us = best.parts[4],
    };
}

enum status
step_time_fit(const struct step_sample *samples, size_t count, struct step_time *out)
{
    struct samples weighted = {.all = samples, .count = count};

    for (size_t i = 0; i < count; i++)
        if (!(samples[i].time_us > 0) || !isfinite(samples[i].time_us))
            return ERR_INVALID;
    if (count == 0)
        return ERR_INVALID;
    weighted.weights = must_alloc(count * sizeof *weighted.weights);
    for (size_t i = 0; i < count; i++)
        weighted.weights[i] = 1;
    fit_weighted(&weighted, out);
    for (unsigned round = 0; round < ROUNDS && weigh(out, &weighted); round++)
        fit_weighted(&weighted, out);
    free(weighted.weights);
    return OK;
}
