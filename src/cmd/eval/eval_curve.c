#include "cmd/eval/eval_curve.h"

#include <math.h>
#include <stdlib.h>

#include "base/status.h"

/* Lambdas are tried by a fixed factor from one to the next, from where accuracy is all to where the price is. They are for
 * the dearest price being 1. */
#define LAMBDA_FIRST 1e-3
#define LAMBDA_FACTOR 1.1
enum { LAMBDAS = 120 };

static int
neediest_first(const void *a, const void *b)
{
    const struct routed *left = a, *right = b;

    return (left->need < right->need) - (left->need > right->need);
}

/* Where those of the need of number `from` end. */
static size_t
end_of_ties(const struct routed *requests, size_t from, size_t count)
{
    size_t end = from + 1;

    while (end < count && requests[end].need == requests[from].need)
        end++;
    return end;
}

/* gains[i]: how many more are right than with the weak model alone, if the first i go to the strong one. */
static double *
sum_gains(const struct routed *requests, size_t count)
{
    double *gains = must_calloc(count + 1, sizeof(*gains));

    for (size_t from = 0, end; from < count; from = end) {
        double gain = 0;

        end = end_of_ties(requests, from, count);
        for (size_t i = from; i < end; i++)
            gain += (double)requests[i].strong - (double)requests[i].weak;
        for (size_t i = from; i < end; i++)
            gains[i + 1] = gains[from] + gain * (double)(i + 1 - from) / (double)(end - from);
    }
    return gains;
}

static double
share_that_gains(const double *gains, size_t count, double wanted)
{
    for (size_t i = 0; i <= count; i++)
        if (gains[i] >= wanted)
            return (double)i / (double)count;
    return 1;
}

void
router_curve_measure(struct router_curve *curve, struct routed *requests, size_t count, double weak_price,
                     double strong_price)
{
    double *gains, gap, area = 0, weak = 0;

    ENSURE(count > 0);
    qsort(requests, count, sizeof(*requests), neediest_first);
    gains = sum_gains(requests, count);
    gap = gains[count];
    for (size_t i = 0; i < count; i++) {
        weak += (double)requests[i].weak;
        area += (gains[i] + gains[i + 1]) / 2;
    }
    *curve = (struct router_curve){.weak = weak / (double)count, .strong = (weak + gap) / (double)count};
    curve->apgr = gap > 0 ? area / (double)count / gap : NAN;
    curve->cpt50 = gap > 0 ? share_that_gains(gains, count, .5 * gap) : NAN;
    curve->cpt80 = gap > 0 ? share_that_gains(gains, count, .8 * gap) : NAN;
    for (size_t k = 0; k < CURVE_POINTS; k++) {
        size_t strong = k * count / (CURVE_POINTS - 1);
        double share = (double)strong / (double)count;

        curve->points[k] = (struct curve_point){share, (weak + gains[strong]) / (double)count,
                                                share * strong_price + (1 - share) * weak_price};
    }
    free(gains);
}

static struct lambda_point
point_at(double lambda, const float *expected, const float *scores, const double *prices, unsigned models, size_t count)
{
    struct lambda_point point = {.lambda = lambda};

    for (size_t i = 0; i < count; i++) {
        const float *of = expected + i * models;
        unsigned best = 0;

        for (unsigned m = 1; m < models; m++)
            if ((double)of[m] - lambda * prices[m] > (double)of[best] - lambda * prices[best])
                best = m;
        point.accuracy += (double)scores[i * models + best];
        point.cost += prices[best];
    }
    point.accuracy /= (double)count;
    point.cost /= (double)count;
    return point;
}

size_t
lambda_curve(struct lambda_point out[LAMBDA_POINTS_MOST], const float *expected, const float *scores,
             const double *prices, unsigned models, size_t count)
{
    double lambda = LAMBDA_FIRST, dearest = 0;
    size_t points = 0;

    ENSURE(count > 0 && models > 0);
    for (unsigned m = 0; m < models; m++)
        dearest = fmax(dearest, prices[m]);
    out[points++] = point_at(0, expected, scores, prices, models, count);
    for (unsigned i = 0; i < LAMBDAS && points < LAMBDA_POINTS_MOST; i++) {
        struct lambda_point point =
            point_at(dearest > 0 ? lambda / dearest : 0, expected, scores, prices, models, count);

        if (point.cost < out[points - 1].cost * .95)
            out[points++] = point;
        lambda *= LAMBDA_FACTOR;
    }
    return points;
}

double
lambda_accuracy_at(const struct lambda_point *points, size_t count, double cost)
{
    double best = NAN;

    for (size_t i = 0; i < count; i++)
        if (points[i].cost <= cost && !(points[i].accuracy <= best))
            best = points[i].accuracy;
    return best;
}
