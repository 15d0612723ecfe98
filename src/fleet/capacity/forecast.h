/* A forecast of a series of demand, so far ahead that a replica asked for now would be there by then, at a quantile.
 *
 * Several simple forecasters run side by side: exponential smoothing with a damped trend (E. S. Gardner and E. McKenzie,
 * Forecasting trends in time series, 1985), quick and slow, with a trend and without; the same time of yesterday at
 * today's level; and none at all, which leaves what comes at random to the errors alone. Each learns how far off it was at
 * that distance, and adds to its forecast as much as would have been enough for its own errors of late, when it was about
 * as high, so nothing is assumed of their distribution. They are combined by weights inverse to the square of their mean loss over the last day
 * (J. M. Bates and C. W. J. Granger, The combination of forecasts, 1969), the loss being that of a quantile (R. Koenker and
 * G. Bassett, Regression quantiles, 1978): too little by one costs q, too much 1 - q.
 *
 * What is enough: where both costs are known, the newsvendor's quantile, q = what being short of one costs over that and
 * what one too many costs. Where they are not, the least at which of all that was wanted no more than 1 - q came short (in
 * inventories: a fill rate; E. A. Silver and others, Inventory Management, 1998, section 7.9). */
#ifndef FLEET_FORECAST_H
#define FLEET_FORECAST_H

#include "base/buffer.h"
#include "base/timers.h"

enum {
    FORECAST_AHEAD_MOST = 512, /* intervals */
    FORECAST_ERRORS = 1024,    /* of so many intervals errors are kept */
    FORECAST_SLOTS = 288,      /* of the day's profile: five minutes */
    FORECAST_FASHIONS = 6,     /* forecasters; the last is yesterday's */
};

struct forecaster {
    double level, trend;
    double point[FORECAST_AHEAD_MOST], bound[FORECAST_AHEAD_MOST]; /* made for the interval i at i % .. */
    bool made[FORECAST_AHEAD_MOST];
    double points[FORECAST_ERRORS], values[FORECAST_ERRORS]; /* what was forecast, and what came */
    uint64_t count; /* of errors ever; the newest is at (count - 1) % FORECAST_ERRORS */
    double loss;    /* the mean of late: of a day at most */
    double judged;  /* intervals that it is of */
};

/* A day in slots, each the mean of its time yesterday (half) and the days before; below 0: not seen. */
struct day_profile {
    double slots[FORECAST_SLOTS];
    unsigned slot; /* that `sum` and `count` are of */
    double sum, count;
};

enum forecast_aim {
    FORECAST_FILL,    /* of what is wanted, so large a share is there */
    FORECAST_QUANTILE /* in so large a share of intervals all is there */
};

struct forecast_goal {
    enum forecast_aim aim;
    double share; /* above 0, below 1 */
};

/* What costs say; in one currency, of one unit of demand for one time unit. Below 0: not known, and then it is to fill
 * FORECAST_SHARE_USUAL. */
#define FORECAST_SHARE_USUAL 0.99
struct forecast_goal forecast_goal_of(double short_cost, double spare_cost);

/* Invariant: what forecasters made for interval i > seen stands until it is seen. */
struct forecast {
    usec interval_us;
    uint64_t seen; /* intervals */
    struct forecast_goal goal;
    usec wall_us; /* of the last interval's end */
    struct forecaster fashions[FORECAST_FASHIONS];
    struct day_profile day;
};

void forecast_init(struct forecast *forecast, usec interval_us, struct forecast_goal goal);

/* The value of an interval that ended at that time (wall clock, for the day). */
void forecast_see(struct forecast *forecast, double value, usec wall_us);

/* What is enough, so many intervals from now, at least 1; to be asked once for each interval, as it is what is held
 * against the value later. */
double forecast_ahead(struct forecast *forecast, unsigned ahead);

/* Of what comes, the share that still comes as far ahead as was forecast, in the mean over what is kept (a regression through the
 * origin): 1 for a level that lasts, little for bursts. At most 1, and 1 before anything was judged. */
double forecast_lasting(const struct forecast *forecast);

/* Enough was seen to do with one unit of `units` less: of the intervals one may be as rare as the goal allows, and of stretches
 * of `ahead` intervals, over which a mistake lasts, so many that it would be likely to miss no more than the goal allows. Nor is
 * more than that to be expected above `level`, what the others carry, by the tail of what came: largest values of late, the square root
 * of how many there are. */
bool forecast_knows(const struct forecast *forecast, unsigned ahead, double units, double level);

/* The day's profile and whose word counts, to be kept over a restart. ERR_CORRUPT: those bytes are none; nothing is changed. */
void forecast_save(const struct forecast *forecast, struct buffer *out);
enum status forecast_restore(struct forecast *forecast, struct slice bytes) MUST_CHECK;

#endif
