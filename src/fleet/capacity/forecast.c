#include "fleet/capacity/forecast.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fleet/capacity/demand.h"

enum { YESTERDAY = FORECAST_FASHIONS - 1, SLOW = 2, ALIKE_PART = 8 };

static const usec DAY_US = 86400 * USEC_PER_S;

/* How quickly level and trend follow, and how much of the trend is left an interval later. Whichever is right for a series
 * shows in its losses. */
struct fashion {
    double level, trend, damp;
};

static const struct fashion fashions[YESTERDAY] = {
    {.level = 0.5},  {.level = 0.5, .trend = 0.1, .damp = 0.9},
    {.level = 0.05}, {.level = 0.1, .trend = 0.02, .damp = 0.98},
    {.level = 0},
};

/* Today's level over yesterday's is believed within these: a quiet night is no reason to expect a hundred times the day. */
static const double RATIO_LEAST = 0.25, RATIO_MOST = 4;

void
forecast_init(struct forecast *forecast, usec interval_us, struct forecast_goal goal)
{
    memset(forecast, 0, sizeof(*forecast));
    ENSURE(interval_us > 0 && goal.share > 0 && goal.share < 1);
    forecast->interval_us = interval_us;
    forecast->goal = goal;
    for (size_t i = 0; i < FORECAST_SLOTS; i++)
        forecast->day.slots[i] = -1;
}

struct forecast_goal
forecast_goal_of(double short_cost, double spare_cost)
{
    if (!(short_cost > 0) || !(spare_cost > 0))
        return (struct forecast_goal){FORECAST_FILL, FORECAST_SHARE_USUAL};
    return (struct forecast_goal){FORECAST_QUANTILE,
                                  fmin(0.9999, fmax(0.0001, short_cost / (short_cost + spare_cost)))};
}

/* The day */

static unsigned
slot_of(usec wall_us)
{
    return (unsigned)(wall_us % DAY_US / (DAY_US / FORECAST_SLOTS));
}

static void
close_slot(struct day_profile *day)
{
    double *slot = &day->slots[day->slot], mean;

    if (day->count == 0)
        return;
    mean = day->sum / day->count;
    *slot = *slot < 0 ? mean : (*slot + mean) / 2;
    day->sum = day->count = 0;
}

static void
day_see(struct day_profile *day, double value, usec wall_us)
{
    unsigned slot = slot_of(wall_us);

    if (slot != day->slot)
        close_slot(day);
    day->slot = slot;
    day->sum += value;
    day->count++;
}

/* Between the middles of two slots. Below 0: not seen. */
static double
day_at(const struct day_profile *day, usec wall_us)
{
    const usec slot_us = DAY_US / FORECAST_SLOTS;
    usec from_us = wall_us - slot_us / 2 + DAY_US;
    double first = day->slots[slot_of(from_us)], second = day->slots[slot_of(from_us + slot_us)];
    double part = (double)(from_us % slot_us) / (double)slot_us;

    return first < 0 || second < 0 ? -1 : first + part * (second - first);
}

static bool
yesterday_at(const struct forecast *forecast, unsigned ahead, double *out)
{
    double now = day_at(&forecast->day, forecast->wall_us);
    double then = day_at(&forecast->day, forecast->wall_us + (usec)ahead * forecast->interval_us);

    if (now < 0 || then < 0)
        return false;
    *out = then;
    if (now > 0)
        *out *= fmin(RATIO_MOST, fmax(RATIO_LEAST, forecast->fashions[SLOW].level / now));
    return true;
}

/* Forecasters */

static bool
point_at(const struct forecast *forecast, size_t which, unsigned ahead, double *out)
{
    const struct forecaster *one = &forecast->fashions[which];
    double damp;

    if (which == YESTERDAY)
        return yesterday_at(forecast, ahead, out);
    damp = fashions[which].damp;
    *out = one->level + one->trend * damp * (1 - pow(damp, ahead)) / (1 - damp);
    return forecast->seen > 0;
}

static void
smooth(struct forecaster *one, const struct fashion *fashion, double value, bool first)
{
    double before = one->level, expected = before + fashion->damp * one->trend;

    if (first) {
        one->level = fashion->level > 0 ? value : 0;
        return;
    }
    one->level = expected + fashion->level * (value - expected);
    one->trend = fashion->damp * one->trend * (1 - fashion->trend) + fashion->trend * (one->level - before);
}

static double
loss_of(double bound, double value, double quantile)
{
    return value > bound ? quantile * (value - bound) : (1 - quantile) * (bound - value);
}

static void
judge(struct forecaster *one, uint64_t interval, double value, double share, double memory)
{
    size_t at = interval % FORECAST_AHEAD_MOST, to = one->count % FORECAST_ERRORS;

    if (!one->made[at])
        return;
    one->made[at] = false;
    one->points[to] = one->point[at];
    one->values[to] = value;
    one->count++;
    one->judged = fmin(one->judged + 1, memory);
    one->loss += (loss_of(one->bound[at], value, share) - one->loss) / one->judged;
}

void
forecast_see(struct forecast *forecast, double value, usec wall_us)
{
    double memory = (double)DAY_US / (double)forecast->interval_us;

    for (size_t i = 0; i < FORECAST_FASHIONS; i++)
        judge(&forecast->fashions[i], forecast->seen, value, forecast->goal.share, memory);
    for (size_t i = 0; i < YESTERDAY; i++)
        smooth(&forecast->fashions[i], &fashions[i], value, forecast->seen == 0);
    day_see(&forecast->day, value, wall_us);
    forecast->wall_us = wall_us;
    forecast->seen++;
}

/* Quantiles */

static size_t
kept_errors(const struct forecaster *one)
{
    return one->count < FORECAST_ERRORS ? (size_t)one->count : FORECAST_ERRORS;
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* The least that so large a share of errors does not exceed, the next one counted in; the largest, where they are too
 * few. */
static double
quantile_of(double *values, size_t count, double share)
{
    size_t rank = (size_t)ceil(share * (double)(count + 1));

    qsort(values, count, sizeof(*values), compare);
    return values[(rank < count ? rank : count) - 1];
}

struct past {
    double distance, error, value;
};

static int
compare_past(const void *a, const void *b)
{
    const struct past *x = a, *y = b;

    return x->distance < y->distance ? -1 : x->distance > y->distance;
}

/* Those in which the forecast was about as high as now: the nearest of them, a part of all. How far off a forecast is depends
 * on how high it is: in a lull a burst may come, in a burst hardly a second one on top. Of equally near ones the first kept are
 * taken, the oldest until errors are written over: all are as near to who always forecasts 0. That has no reason, but what
 * would have one was no better (doc/capacity.md, Measured). */
static size_t
take_alike(const struct forecaster *one, double point, struct past *past)
{
    size_t count = kept_errors(one);

    for (size_t i = 0; i < count; i++)
        past[i] = (struct past){fabs(one->points[i] - point), one->values[i] - one->points[i], one->values[i]};
    qsort(past, count, sizeof(*past), compare_past);
    return (count + ALIKE_PART - 1) / ALIKE_PART;
}

/* 0 if there are no errors. */
static double
error_bound(const struct forecaster *one, double point, const struct forecast_goal *goal)
{
    struct past past[FORECAST_ERRORS];
    double errors[FORECAST_ERRORS], wanted = 0;
    size_t count = take_alike(one, point, past);

    if (count == 0)
        return 0;
    for (size_t i = 0; i < count; i++) {
        errors[i] = past[i].error;
        wanted += past[i].value;
    }
    return goal->aim == FORECAST_QUANTILE ? quantile_of(errors, count, goal->share)
                                          : demand_level(errors, count, (1 - goal->share) * wanted);
}

/* Yesterday's forecaster has no say before it was judged, unless nobody was. */
static double
weight_of(const struct forecaster *one, bool anybody_judged)
{
    double loss = fmax(one->loss, 1e-9);

    if (one->judged <= 0)
        return anybody_judged ? 0 : 1;
    return 1 / (loss * loss);
}

double
forecast_ahead(struct forecast *forecast, unsigned ahead)
{
    double sum = 0, weights = 0;
    uint64_t interval;

    ENSURE(ahead >= 1);
    if (ahead > FORECAST_AHEAD_MOST)
        ahead = FORECAST_AHEAD_MOST;
    interval = forecast->seen + ahead - 1;
    for (size_t i = 0; i < FORECAST_FASHIONS; i++) {
        struct forecaster *one = &forecast->fashions[i];
        size_t at = interval % FORECAST_AHEAD_MOST;
        double weight;

        if (!point_at(forecast, i, ahead, &one->point[at]))
            continue;
        one->bound[at] = fmax(0, one->point[at] + error_bound(one, one->point[at], &forecast->goal));
        one->made[at] = true;
        weight = weight_of(one, forecast->fashions[0].judged > 0);
        sum += weight * one->bound[at];
        weights += weight;
    }
    return weights > 0 ? sum / weights : 0;
}

double
forecast_lasting(const struct forecast *forecast)
{
    const struct forecaster *quick = &forecast->fashions[0];
    double both = 0, before = 0;

    for (size_t i = 0; i < kept_errors(quick); i++) {
        both += quick->points[i] * quick->values[i];
        before += quick->points[i] * quick->points[i];
    }
    return before > 0 ? fmin(1, both / before) : 1;
}

/* Laplace's rule of succession: what was never seen in so many stretches comes in the next one with 1 in so many and one. */
static bool
saw_enough(const struct forecast *forecast, unsigned ahead, double units)
{
    double count = (double)kept_errors(&forecast->fashions[0]), short_share = 1 - forecast->goal.share;

    if (count >= FORECAST_ERRORS)
        return true;
    return count * short_share >= 1 && (count / ahead + 1) * short_share * units >= 1;
}

/* The largest of what came: how many they are, of all; the largest of the others; and by how much they are above it in the
 * mean. */
struct peaks {
    double share, threshold, excess, mean;
};

static bool
find_peaks(const struct forecaster *one, struct peaks *out)
{
    double values[FORECAST_ERRORS], sum = 0, over = 0;
    size_t count = kept_errors(one), most = (size_t)ceil(sqrt((double)count));

    if (count <= most)
        return false;
    memcpy(values, one->values, count * sizeof(*values));
    qsort(values, count, sizeof(*values), compare);
    for (size_t i = 0; i < count; i++) {
        sum += values[i];
        over += i >= count - most ? values[i] - values[count - most - 1] : 0;
    }
    *out = (struct peaks){(double)most / (double)count, values[count - most - 1], over / (double)most,
                          sum / (double)count};
    return true;
}

/* Peaks over a threshold (J. Pickands, Statistical inference using extreme order statistics, 1975), the excess exponential: of
 * all that have such a mean the one that assumes least. Below the threshold nothing is to be guessed: what came tells it, and the
 * what-if plays that. */
static bool
tail_allows(const struct forecast *forecast, double level)
{
    struct peaks peaks;
    double short_share = 1 - forecast->goal.share, above, beyond;

    if (!find_peaks(&forecast->fashions[0], &peaks))
        return false;
    above = level - peaks.threshold;
    beyond = above <= 0 ? 1 : peaks.excess > 0 ? exp(-above / peaks.excess) : 0;
    if (forecast->goal.aim == FORECAST_QUANTILE)
        return peaks.share * beyond <= short_share;
    return peaks.share * peaks.excess * beyond <= short_share * peaks.mean;
}

bool
forecast_knows(const struct forecast *forecast, unsigned ahead, double units, double level)
{
    return saw_enough(forecast, ahead, units) && tail_allows(forecast, level);
}

/* Keeping, in this machine's order. */

struct kept {
    char mark[8];
    double slots[FORECAST_SLOTS];
    double losses[FORECAST_FASHIONS], judged[FORECAST_FASHIONS];
};

static const char mark[8] = "EQDAY01";

void
forecast_save(const struct forecast *forecast, struct buffer *out)
{
    struct day_profile day = forecast->day;
    struct kept kept;

    close_slot(&day);
    memcpy(kept.mark, mark, sizeof(mark));
    memcpy(kept.slots, day.slots, sizeof(kept.slots));
    for (size_t i = 0; i < FORECAST_FASHIONS; i++) {
        kept.losses[i] = forecast->fashions[i].loss;
        kept.judged[i] = forecast->fashions[i].judged;
    }
    buffer_add(out, slice_make((const char *)&kept, sizeof(kept)));
}

static bool
all_finite(const double *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(numbers[i]))
            return false;
    return true;
}

enum status
forecast_restore(struct forecast *forecast, struct slice bytes)
{
    struct kept kept;

    if (bytes.len != sizeof(kept))
        return ERR_CORRUPT;
    memcpy(&kept, bytes.data, sizeof(kept));
    if (memcmp(kept.mark, mark, sizeof(mark)) != 0 || !all_finite(kept.slots, FORECAST_SLOTS) ||
        !all_finite(kept.losses, FORECAST_FASHIONS) || !all_finite(kept.judged, FORECAST_FASHIONS))
        return ERR_CORRUPT;
    memcpy(forecast->day.slots, kept.slots, sizeof(kept.slots));
    for (size_t i = 0; i < FORECAST_FASHIONS; i++) {
        forecast->fashions[i].loss = fmax(0, kept.losses[i]);
        forecast->fashions[i].judged = fmax(0, kept.judged[i]);
    }
    return OK;
}
