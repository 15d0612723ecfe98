/* Fitting step times: for a given ratio of beta to alpha the formula is linear in all parameters, and with five of them
 * the least squares under "none below 0" can be had by trying which are 0. Around that, a search for the ratio. */
#include <math.h>
#include <stdlib.h>

#include "fleet/step_time.h"

/* The linear parts: matrix products, delta, epsilon, gamma, host. */
enum { PARTS = 5, SUBSETS = 1 << PARTS, RATIOS = 96, REFINEMENTS = 60 };

/* From a beta that never shows to an alpha that never does. */
static const double RATIO_LEAST = 1e-7, RATIO_MOST = 1e2;

/* Parts that are this close to what others explain count as explained. */
static const double PIVOT_LEAST = 1e-9;

struct solution {
    double parts[PARTS];
    double error; /* sum of squared relative errors */
};

/* Sums over the samples: minimise |1 - columns x parts / time|. Columns are scaled to length 1. */
struct normal {
    double products[PARTS][PARTS], target[PARTS], scale[PARTS], count;
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
sum_up(const struct step_sample *samples, size_t count, double ratio, struct normal *normal)
{
    *normal = (struct normal){.count = (double)count};
    for (size_t s = 0; s < count; s++) {
        double columns[PARTS];

        columns_of(&samples[s], ratio, columns);
        for (unsigned i = 0; i < PARTS; i++) {
            normal->target[i] += columns[i];
            for (unsigned k = 0; k < PARTS; k++)
                normal->products[i][k] += columns[i] * columns[k];
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
    *out = (struct solution){.error = normal->count};
    for (unsigned p = size; p-- > 0;) {
        double value = rows[p][size];

        for (unsigned k = p + 1; k < size; k++)
            value -= rows[p][k] * out->parts[at[k]];
        out->parts[at[p]] = value / rows[p][p];
        if (out->parts[at[p]] < 0)
            return false;
        out->error -= out->parts[at[p]] * normal->target[at[p]]; /* at the optimum: |1|^2 - parts . target */
    }
    return true;
}

static struct solution
solve(const struct step_sample *samples, size_t count, double ratio)
{
    struct normal normal;
    struct solution best = {.error = INFINITY}, tried;

    sum_up(samples, count, ratio, &normal);
    for (unsigned used = 1; used < SUBSETS; used++)
        if (solve_subset(&normal, used, &tried) && tried.error < best.error)
            best = tried;
    for (unsigned i = 0; i < PARTS; i++)
        best.parts[i] /= normal.scale[i];
    return best;
}

static double
error_at(const struct step_sample *samples, size_t count, double log_ratio)
{
    return solve(samples, count, exp(log_ratio)).error;
}

/* The best of a row of ratios, then golden section between its neighbours. */
static double
find_ratio(const struct step_sample *samples, size_t count)
{
    static const double golden = 0.6180339887498949;
    double from = log(RATIO_LEAST), width = (log(RATIO_MOST) - from) / (RATIOS - 1), best = 0, best_error = INFINITY;
    double low, high, a, b, error_a, error_b;

    for (unsigned i = 0; i < RATIOS; i++) {
        double error = error_at(samples, count, from + i * width);

        if (error >= best_error)
            continue;
        best_error = error;
        best = from + i * width;
    }
    low = best - width;
    high = best + width;
    a = high - golden * (high - low);
    b = low + golden * (high - low);
    error_a = error_at(samples, count, a);
    error_b = error_at(samples, count, b);
    for (unsigned i = 0; i < REFINEMENTS; i++) {
        bool left = error_a <= error_b;

        if (left) {
            high = b;
            b = a;
            error_b = error_a;
            a = high - golden * (high - low);
            error_a = error_at(samples, count, a);
        } else {
            low = a;
            a = b;
            error_a = error_b;
            b = low + golden * (high - low);
            error_b = error_at(samples, count, b);
        }
    }
    return exp((low + high) / 2);
}

enum status
step_time_fit(const struct step_sample *samples, size_t count, struct step_time *out)
{
    struct solution best;
    double ratio;

    for (size_t i = 0; i < count; i++)
        if (!(samples[i].time_us > 0) || !isfinite(samples[i].time_us))
            return ERR_INVALID;
    if (count == 0)
        return ERR_INVALID;
    ratio = find_ratio(samples, count);
    best = solve(samples, count, ratio);
    *out = (struct step_time){
        .alpha_us = best.parts[0],
        .beta_us = best.parts[0] * ratio,
        .delta_us = best.parts[1],
        .epsilon_us = best.parts[2],
        .gamma_us = best.parts[3],
        .host_us = best.parts[4],
    };
    return OK;
}

static int
compare_errors(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double
step_time_median_error(const struct step_time *time, const struct step_sample *samples, size_t count)
{
    double *errors, median;

    if (count == 0)
        return 0;
    errors = must_alloc(count * sizeof *errors);
    for (size_t i = 0; i < count; i++)
        errors[i] = fabs(step_time_predict_us(time, &samples[i].load) / samples[i].time_us - 1);
    qsort(errors, count, sizeof *errors, compare_errors);
    median = (errors[(count - 1) / 2] + errors[count / 2]) / 2;
    free(errors);
    return median;
}
