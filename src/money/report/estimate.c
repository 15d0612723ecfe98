#include "money/report/estimate.h"

#include <math.h>

#include "base/buffer.h"

/* The normal distribution's two-sided 95 %. */
static const double normal_95 = 1.959964;

struct interval
estimate_share(double successes, double trials)
{
    double z2 = normal_95 * normal_95, share, spread, scale;

    if (trials <= 0)
        return (struct interval){0};
    share = successes / trials;
    scale = 1 + z2 / trials;
    spread = normal_95 * sqrt(share * (1 - share) / trials + z2 / (4 * trials * trials));
    return (struct interval){true, fmax(0, (share + z2 / (2 * trials) - spread) / scale), share,
                             fmin(1, (share + z2 / (2 * trials) + spread) / scale)};
}

struct interval
estimate_difference(struct interval one, struct interval other)
{
    double difference = one.middle - other.middle;

    if (!one.known || !other.known)
        return (struct interval){0};
    return (struct interval){true, difference - hypot(one.middle - one.low, other.high - other.middle), difference,
                             difference + hypot(one.high - one.middle, other.middle - other.low)};
}

struct interval
estimate_sum(double sum, double square, double count)
{
    double spread, a_hair = 1e-6 * square; /* sums of squares are rounded */

    if (count < 2)
        return (struct interval){0};
    spread = square - sum * sum / count; /* count times the variance */
    if (spread < -a_hair)
        return (struct interval){0};
    spread = normal_95 * sqrt(fmax(0, spread) * count / (count - 1));
    return (struct interval){true, sum - spread, sum, sum + spread};
}

/* Student's t, two-sided 95 %, by degrees of freedom: the expansion of Abramowitz and Stegun, 26.7.5, within 2 % from
 * two degrees up but for the first few, which are tabled. */
static double
student_95(size_t freedom)
{
    static const double few[] = {0, 12.706, 4.303, 3.182, 2.776, 2.571};
    double z = normal_95, n = (double)freedom;

    if (freedom < sizeof(few) / sizeof(few[0]))
        return few[freedom];
    return z + (pow(z, 3) + z) / (4 * n) + (5 * pow(z, 5) + 16 * pow(z, 3) + 3 * z) / (96 * n * n);
}

struct interval
estimate_forecast(double so_far, const double *days, size_t count, double days_left)
{
    double mean = 0, square = 0, spread;

    if (count < 3)
        return (struct interval){0};
    for (size_t i = 0; i < count; i++)
        mean += days[i] / (double)count;
    for (size_t i = 0; i < count; i++)
        square += (days[i] - mean) * (days[i] - mean) / (double)(count - 1);
    spread = student_95(count - 1) * sqrt(square * (days_left + days_left * days_left / (double)count));
    return (struct interval){true, fmax(so_far, so_far + mean * days_left - spread), so_far + mean * days_left,
                             so_far + mean * days_left + spread};
}

void
interval_add_json(struct buffer *out, const char *name, struct interval interval)
{
    if (interval.known)
        buffer_printf(out, "\"%s\":{\"low\":%.12g,\"estimate\":%.12g,\"high\":%.12g}", name, interval.low,
                      interval.middle, interval.high);
    else
        buffer_printf(out, "\"%s\":null", name);
}
