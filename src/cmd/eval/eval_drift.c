#include "cmd/eval/eval_drift.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"

/* So many audits earn, or it is given up. */
enum { EARN_MOST = 20000 };

struct history {
    struct rng rng;
    struct evidence evidence;
};

double
drift_source_mean(const struct drift_source *source)
{
    double sum = 0;

    for (size_t i = 0; i < source->count; i++)
        sum += (double)source->outcomes[i];
    return source->count > 0 ? sum / (double)source->count : source->chance;
}

static double
draw(struct rng *rng, const struct drift_source *source)
{
    if (source->count > 0)
        return (double)source->outcomes[rng_below(rng, source->count)];
    return rng_unit(rng) < source->chance ? 1 : 0;
}

/* All requests are alike, so that the first arm holds them all. */
static void
begin(struct history *history, const struct drift_wanted *wanted, uint64_t seed)
{
    const struct evidence_terms terms = {
        .scope = FLOOR_SERVED, .floor_ppm = wanted->floor_ppm, .alpha_ppm = wanted->alpha_ppm};
    struct score_sample sample = {.count = 0};
    enum status begun;

    rng_seed(&history->rng, seed);
    score_sample_add(&sample, 1);
    begun = evidence_begin(&history->evidence, &terms, &sample);
    ENSURE(begun == OK);
}

static unsigned
audit(struct history *history, const struct drift_source *source)
{
    const struct audit said = {.score = 1, .outcome = draw(&history->rng, source)};

    return evidence_observe(&history->evidence, &said);
}

/* How many audits it takes until it serves; EARN_MOST: it does not. */
static unsigned
earn(struct history *history, const struct drift_source *source)
{
    unsigned audits = 0;

    while (history->evidence.serving == ARM_NONE && audits < EARN_MOST) {
        (void)audit(history, source);
        audits++;
    }
    return audits;
}

static bool
grow_old(struct history *history, const struct drift_wanted *wanted, bool *early)
{
    *early = false;
    if (earn(history, &wanted->before) == EARN_MOST)
        return false;
    for (unsigned i = 0; i < wanted->age; i++) {
        *early |= (audit(history, &wanted->before) & EVENT_SUSPENDED) != 0;
        if (history->evidence.serving == ARM_NONE && earn(history, &wanted->before) == EARN_MOST)
            return false;
    }
    return true;
}

static double
audits_to_suspension(struct history *history, const struct drift_wanted *wanted)
{
    for (unsigned i = 1; i <= wanted->most; i++)
        if (audit(history, &wanted->after) & EVENT_SUSPENDED)
            return i;
    return INFINITY;
}

static int
rising(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

/* The smallest that at least so many in a hundred do not exceed. */
static double
quantile(const double *sorted, size_t count, size_t percent)
{
    return count > 0 ? sorted[(count * percent + 99) / 100 - 1] : INFINITY;
}

/* One history; where it is always the same up to the change, it is copied. */
static bool
live(struct history *history, const struct drift_wanted *wanted, unsigned number, bool *early)
{
    if (wanted->before.count != 1 || history->evidence.serving == ARM_NONE || number == 0) {
        begin(history, wanted, wanted->seed + number);
        return grow_old(history, wanted, early);
    }
    rng_seed(&history->rng, wanted->seed + number);
    return true;
}

struct drift_summary
drift_play(const struct drift_wanted *wanted)
{
    const struct drift_source good = {.chance = 1};
    struct drift_summary sum = {.histories = wanted->histories};
    double *delays = must_alloc((2 * (size_t)wanted->histories + 1) * sizeof(*delays));
    double *again = delays + wanted->histories;
    struct history history, old = {.evidence = {.begun = false}};
    size_t count = 0;

    for (unsigned i = 0; i < wanted->histories; i++) {
        bool early = false, lives = live(&old, wanted, i, &early);

        sum.never_served += !lives;
        sum.early += early;
        if (!lives)
            continue;
        history = old;
        delays[count] = audits_to_suspension(&history, wanted);
        if (!isinf(delays[count++]))
            again[sum.suspended++] = earn(&history, &good);
    }
    qsort(delays, count, sizeof(*delays), rising);
    qsort(again, sum.suspended, sizeof(*again), rising);
    sum.median = quantile(delays, count, 50);
    sum.p95 = quantile(delays, count, 95);
    sum.relearned = sum.suspended > 0 ? (unsigned)quantile(again, sum.suspended, 50) : 0;
    free(delays);
    return sum;
}
