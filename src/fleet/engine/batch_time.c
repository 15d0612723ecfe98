#include "fleet/engine/batch_time.h"

/* Calls count half after 69 further ones. */
static const double FORGETS = 0.99;

/* Where sizes hardly ever differ, forgetting tells nothing new and only makes the fit nervous: up to here. */
static const double COVARIANCE_MOST = 1e6;

/* The first calls may have loaded the model. Until so many were seen nothing is concluded. */
enum { LEARNED_LEAST = 5 };

/* A call that took so many times what was expected counts as that: it waited for something else. */
static const double OUTLIER = 4.0;

/* A mean over the last ten or so. */
static const double MEAN_WEIGHT = 0.1;

static const double BROKEN_LEAVES = 0.9;

/* Half of the other's time is to be expected, where calls are taken one by one; nothing, where they are taken together. */
static const double CROWDED_FROM = 1.25;

static const unsigned OVERRUN_PPM = 990000;

static double
mean_of(double mean, double sample, bool first)
{
    return first ? sample : mean + MEAN_WEIGHT * (sample - mean);
}

static double
expect_ms(const struct batch_time *time, double inputs)
{
    struct batch_fit fit;

    return batch_time_fit(time, &fit) ? (fit.a_us + fit.s_us * inputs) / 1e3 : 0.0;
}

/* One step: gain = P x / (forgets + x' P x) for x = (1, b). */
static void
step(struct batch_time *time, double b, double ms)
{
    double pa = time->aa + time->as * b, ps = time->as + time->ss * b, scale = FORGETS + pa + ps * b;
    double ka = pa / scale, ks = ps / scale, error = ms - time->a_ms - time->s_ms * b;
    double keep = time->aa + time->ss < COVARIANCE_MOST ? 1.0 / FORGETS : 1.0;

    time->a_ms += ka * error;
    time->s_ms += ks * error;
    time->aa = (time->aa - ka * pa) * keep;
    time->as = (time->as - ka * ps) * keep;
    time->ss = (time->ss - ks * ps) * keep;
}

bool
batch_time_is_serial(const struct batch_time *time)
{
    return time->crowding >= CROWDED_FROM;
}

void
batch_time_learn(struct batch_time *time, size_t inputs, usec took_us, bool crowded)
{
    double ms = (double)(took_us > 0 ? took_us : 1) / 1e3, b = (double)inputs;
    double expected = expect_ms(time, b);

    if (crowded && expected > 0.0)
        time->crowding = mean_of(time->crowding, ms / expected, time->crowding == 0.0);
    if (crowded && batch_time_is_serial(time))
        return; /* its time is that of others */

    if (time->learned == 0)
        time->aa = time->ss = COVARIANCE_MOST / 4.0;
    if (expected > 0.0)
        latency_add(&time->overruns, (usec)(ms / expected * (double)USEC_PER_S));
    if (expected > 0.0 && ms > OUTLIER * expected)
        ms = OUTLIER * expected;
    if (time->learned == 1) { /* the very first one tells little, but it gave a start */
        time->a_ms = time->s_ms = time->as = 0.0;
        time->aa = time->ss = COVARIANCE_MOST / 4.0;
    }
    step(time, b, ms);
    time->mean_inputs = mean_of(time->mean_inputs, b, time->learned <= 1);
    time->mean_ms = mean_of(time->mean_ms, ms, time->learned <= 1);
    time->learned += time->learned < LEARNED_LEAST;
}

bool
batch_time_fit(const struct batch_time *time, struct batch_fit *out)
{
    *out = (struct batch_fit){time->a_ms * 1e3, time->s_ms * 1e3};
    if (time->learned < LEARNED_LEAST)
        return false;
    if (time->s_ms < 0.0)
        *out = (struct batch_fit){time->mean_ms * 1e3, 0.0};
    else if (time->a_ms < 0.0)
        *out = (struct batch_fit){0.0, time->mean_ms / time->mean_inputs * 1e3};
    return true;
}

void
batch_time_learn_held(struct batch_time *time, size_t requests, usec held_us)
{
    bool first = time->mean_requests == 0.0;

    time->mean_requests = mean_of(time->mean_requests, (double)requests, first);
    time->mean_held_us = mean_of(time->mean_held_us, (double)held_us, first);
}

void
batch_time_adapt(struct batch_time *time, bool kept, size_t most)
{
    double now = time->most > 0.0 && time->most < (double)most ? time->most : (double)most;

    time->most = kept ? now + 1.0 : now * BROKEN_LEAVES;
    if (time->most < 1.0)
        time->most = 1.0;
}

/* Measured over expected, of 99 of 100; a start before enough was seen. */
static double
overrun(const struct batch_time *time)
{
    usec share_us = latency_quantile(&time->overruns, OVERRUN_PPM);

    return share_us > 0 ? (double)share_us / (double)USEC_PER_S : 1.0;
}

usec
batch_time_bound_us(const struct batch_time *time, size_t inputs)
{
    return (usec)(expect_ms(time, (double)inputs) * 1e3 * overrun(time));
}

size_t
batch_time_largest(const struct batch_time *time, usec left_us, size_t most)
{
    struct batch_fit fit;
    double largest = time->most > 0.0 && time->most < (double)most ? time->most : (double)most;

    if (left_us != USEC_NEVER && batch_time_fit(time, &fit) && fit.s_us > 0.0) {
        double fits = ((double)left_us / overrun(time) - fit.a_us) / fit.s_us;

        largest = fits < largest ? fits : largest;
    }
    return largest > 1.0 ? (size_t)largest : 1;
}

usec
batch_time_patience_us(const struct batch_time *time, size_t waiting, double gap_us)
{
    struct batch_fit fit;
    double pays_us;

    if (!batch_time_fit(time, &fit))
        return USEC_NEVER;
    pays_us = fit.a_us / (double)(waiting + 1);
    return gap_us < pays_us ? (usec)pays_us : 0;
}
