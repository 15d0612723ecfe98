#include "quality/noise.h"

#include <math.h>

/* The least of a route that an arm holds. */
#define SMALLEST_ARM .05

bool
noise_is_set(const struct judge_noise *noise)
{
    return noise->sensitive_high_ppm != 0 || noise->specific_high_ppm != 0;
}

bool
noise_equal(const struct judge_noise *a, const struct judge_noise *b)
{
    return a->sensitive_low_ppm == b->sensitive_low_ppm && a->sensitive_high_ppm == b->sensitive_high_ppm &&
           a->specific_low_ppm == b->specific_low_ppm && a->specific_high_ppm == b->specific_high_ppm;
}

bool
noise_check(const struct judge_noise *noise)
{
    return noise->sensitive_high_ppm <= PPM && noise->specific_high_ppm <= PPM &&
           noise->sensitive_low_ppm <= noise->sensitive_high_ppm && noise->specific_low_ppm <= noise->specific_high_ppm;
}

struct judge_noise
noise_of(const struct outcomes *acceptable, const struct outcomes *others, double log_needed)
{
    return (struct judge_noise){
        .sensitive_low_ppm = betting_lower_ppm(acceptable, log_needed),
        .sensitive_high_ppm = betting_upper_ppm(acceptable, log_needed),
        .specific_low_ppm = PPM - betting_upper_ppm(others, log_needed),
        .specific_high_ppm = PPM - betting_lower_ppm(others, log_needed),
    };
}

static double
share(uint32_t ppm)
{
    return (double)ppm / PPM;
}

/* Neither 0 nor all, against which nobody could bet. Rounded to the side that is asked for. */
static uint32_t
to_ppm(double judged, bool up)
{
    double ppm = up ? ceil(judged * PPM) : floor(judged * PPM);

    return ppm < 1 ? 1 : ppm > PPM - 1 ? PPM - 1 : (uint32_t)ppm;
}

uint32_t
noise_earn_ppm(const struct judge_noise *noise, bool of_route, uint32_t floor_ppm)
{
    double q = share(floor_ppm), missed = 1 - share(noise->specific_low_ppm);

    if (!noise_is_set(noise))
        return floor_ppm;
    if (of_route)
        return to_ppm(1 - (1 - q) * (1 - missed), true);
    /* Of a judge that likes bad answers more than good ones, all bad is what it likes best. */
    return to_ppm(fmax(missed, q * share(noise->sensitive_high_ppm) + (1 - q) * missed), true);
}

uint32_t
noise_fall_ppm(const struct judge_noise *noise, uint32_t floor_ppm)
{
    double q = share(floor_ppm);

    if (!noise_is_set(noise))
        return floor_ppm;
    return to_ppm(q * share(noise->sensitive_low_ppm) + (1 - q) * (1 - share(noise->specific_high_ppm)), false);
}

/* In ppm, within 0 and all; what a judge says who does not know better than by chance stands for `unknown`. */
static uint32_t
unmixed_ppm(double judged, double at_none, double at_all, uint32_t unknown)
{
    double q = (judged - at_none) / (at_all - at_none);

    if (!(at_all > at_none))
        return unknown;
    return q <= 0 ? 0 : q >= 1 ? PPM : (uint32_t)(q * PPM);
}

uint32_t
noise_truth_low_ppm(const struct judge_noise *noise, bool of_route, uint32_t judged_ppm)
{
    double missed = 1 - share(noise->specific_low_ppm);

    if (!noise_is_set(noise))
        return judged_ppm;
    return of_route ? unmixed_ppm(share(judged_ppm), missed, 1, 0)
                    : unmixed_ppm(share(judged_ppm), missed, share(noise->sensitive_high_ppm), 0);
}

uint32_t
noise_truth_high_ppm(const struct judge_noise *noise, uint32_t judged_ppm)
{
    if (!noise_is_set(noise))
        return judged_ppm;
    return unmixed_ppm(share(judged_ppm), 1 - share(noise->specific_high_ppm), share(noise->sensitive_low_ppm), PPM);
}

bool
noise_reachable(const struct judge_noise *noise, bool of_route, uint32_t floor_ppm)
{
    double middle = (share(noise->sensitive_low_ppm) + share(noise->sensitive_high_ppm)) / 2;
    double best = of_route ? 1 - SMALLEST_ARM * (1 - middle) : middle;

    return !noise_is_set(noise) || best > share(noise_earn_ppm(noise, of_route, floor_ppm));
}
