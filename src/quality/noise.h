/* The mistakes of a judge, as labelled examples bound them, and what they mean for a floor. Of acceptable answers a judge
 * accepts some share (its sensitivity), of others it does not accept some (its specificity). So where q of the answers are
 * acceptable, it accepts
 *
 *     j = q sensitivity + (1 - q) (1 - specificity)
 *
 * and a floor for q is another one for j: for earning the highest that the bounds allow, for losing the lowest. Where the floor
 * speaks of the route, of which only what another model answers is judged, an arm may be as small as what it gets wrong:
 * 1 - j is then at least specificity times 1 - q.
 *
 * The four bounds take a quarter of alpha each; what is left for earning is half of it, as losing bounds no chance and two of
 * the four are for earning. */
#ifndef QUALITY_NOISE_H
#define QUALITY_NOISE_H

#include "quality/betting.h"

/* All 0: the judge is taken at its word. Invariant (noise_check): no bound is above PPM, none low above its high. */
struct judge_noise {
    uint32_t sensitive_low_ppm, sensitive_high_ppm;
    uint32_t specific_low_ppm, specific_high_ppm;
};

bool noise_is_set(const struct judge_noise *noise);
bool noise_equal(const struct judge_noise *a, const struct judge_noise *b);
bool noise_check(const struct judge_noise *noise);

/* What the judge said of answers that are acceptable, and of others. Each bound is wrong with a chance of at most
 * exp(-log_needed). */
struct judge_noise noise_of(const struct outcomes *acceptable, const struct outcomes *others, double log_needed);

/* The part of alpha that each bound takes, and the part that is left for earning. */
enum { NOISE_BOUND_PART = 4, NOISE_EARN_PART = 2 };

/* What the judge must accept, in ppm, from 1 to PPM - 1. */
uint32_t noise_earn_ppm(const struct judge_noise *noise, bool of_route, uint32_t floor_ppm);
uint32_t noise_fall_ppm(const struct judge_noise *noise, uint32_t floor_ppm);

/* Back again: the share of acceptable answers that a lower bound, and an upper bound, of what the judge accepts stands for. */
uint32_t noise_truth_low_ppm(const struct judge_noise *noise, bool of_route, uint32_t judged_ppm);
uint32_t noise_truth_high_ppm(const struct judge_noise *noise, uint32_t judged_ppm);

/* Whether answers that are all acceptable would be accepted often enough, by the middle of the bounds. Where the floor speaks
 * of the route, for an arm of a twentieth. */
bool noise_reachable(const struct judge_noise *noise, bool of_route, uint32_t floor_ppm);

#endif
