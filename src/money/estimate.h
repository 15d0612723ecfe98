/* What can be said, with an interval, of what was not wholly seen: shares and forecasts. All intervals are of 95 %. */
#ifndef MONEY_ESTIMATE_H
#define MONEY_ESTIMATE_H

#include <stdbool.h>
#include <stddef.h>

struct interval {
    bool known; /* false: nothing is known, and the rest is 0 */
    double low, middle, high;
};

/* The share that `successes` of `trials` show; successes may be partial. Wilson's score interval (Wilson 1927), which
 * keeps within 0 and 1 and holds for few trials. Unknown without trials. */
struct interval estimate_share(double successes, double trials);

/* The sum of `days_left` more days like those given, on top of `so_far`: mean and spread of the days, with the mean's own
 * error (a prediction interval by Student's t). Unknown with fewer than three days. */
struct interval estimate_forecast(double so_far, const double *days, size_t count, double days_left);

#endif
