/* What can be said, with an interval, of what was not wholly seen: shares and forecasts. All intervals are of 95 %. */
#ifndef MONEY_ESTIMATE_H
#define MONEY_ESTIMATE_H

#include <stdbool.h>
#include <stddef.h>

struct buffer;

struct interval {
    bool known; /* false: nothing is known, and the rest is 0 */
    double low, middle, high;
};

/* The share that `successes` of `trials` show; successes may be partial. Wilson's score interval (Wilson 1927), which
 * keeps within 0 and 1 and holds for few trials. Unknown without trials. */
struct interval estimate_share(double successes, double trials);

/* One share less another, each of its own trials (Newcombe 1998, from the two Wilson intervals). Unknown where one is. */
struct interval estimate_difference(struct interval one, struct interval other);

/* A sum of `count` independent amounts, of which `square` is the sum of squares: what it may come to as they vary. Unknown
 * with fewer than two, or where they cannot have these squares. */
struct interval estimate_sum(double sum, double square, double count);

/* The sum of `days_left` more days like those given, on top of `so_far`: mean and spread of the days, with the mean's own
 * error (a prediction interval by Student's t). Unknown with fewer than three days. */
struct interval estimate_forecast(double so_far, const double *days, size_t count, double days_left);

/* As a member of a JSON object: its ends and its middle, or null. */
void interval_add_json(struct buffer *out, const char *name, struct interval interval);

#endif
