#include "fleet/capacity/demand.h"

#include <math.h>
#include <stdlib.h>

/* Of a request */

static double
batch_of(const struct engine_settings *engine, int64_t context)
{
    const struct step_time *time = &engine->time;
    double knee = time->beta_us > 0 ? time->alpha_us / time->beta_us : engine->sequences_most;
    double room = (double)engine->kv_tokens / (double)(context > 0 ? context : 1);

    return fmax(1, fmin(fmin(knee, room), engine->sequences_most));
}

struct request_work
demand_work(const struct engine_settings *engine, const struct request_size *size)
{
    int64_t hit = size->hit_tokens < size->prompt_tokens ? size->hit_tokens : size->prompt_tokens - 1;
    double batch = batch_of(engine, size->prompt_tokens + size->output_tokens / 2);
    struct engine_work work =
        engine_fit_work_us(&engine->time, batch - 1, size->prompt_tokens, hit > 0 ? hit : 0, size->output_tokens);

    return (struct request_work){work.prefill_us, work.decode_us, (usec)(work.decode_us * batch)};
}

/* Bins */

void
demand_init(struct demand *demand, usec interval_us, usec now_us)
{
    *demand = (struct demand){.bin_us = interval_us / DEMAND_BINS_IN_INTERVAL};
    ENSURE(demand->bin_us > 0);
    demand->newest = now_us / demand->bin_us;
}

static double *
bin_at(struct demand *demand, int64_t index)
{
    return &demand->bins[(size_t)index % DEMAND_BINS];
}

/* Bins that are too old make room for those that can be foreseen now. */
static void
go_to(struct demand *demand, usec now_us)
{
    int64_t now = now_us / demand->bin_us, half = DEMAND_BINS / 2;

    if (now - demand->newest >= DEMAND_BINS) {
        for (size_t i = 0; i < DEMAND_BINS; i++)
            demand->bins[i] = 0;
        demand->newest = now;
    }
    while (demand->newest < now)
        *bin_at(demand, ++demand->newest + half - 1) = 0;
}

static void
add_to_bin(struct demand *demand, int64_t index, double work_us)
{
    double *bin = bin_at(demand, index);

    *bin = fmax(0, *bin + work_us);
}

void
demand_add(struct demand *demand, usec now_us, double work_us, usec span_us)
{
    int64_t first, count = span_us / demand->bin_us + 1;

    go_to(demand, now_us);
    first = demand->newest;
    if (count > DEMAND_BINS / 2 - 1)
        count = DEMAND_BINS / 2 - 1;
    for (int64_t i = 0; i < count; i++)
        add_to_bin(demand, first + i, work_us / (double)count);
}

void
demand_take(struct demand *demand, usec now_us, const struct engine_settings *engine, const struct request_size *size)
{
    struct request_work work = demand_work(engine, size);

    demand_add(demand, now_us, work.prompt_us, (usec)work.prompt_us);
    demand_add(demand, now_us, work.output_us, work.output_span_us);
}

static int64_t
bins_in(const struct demand *demand, usec span_us)
{
    int64_t count = span_us / demand->bin_us;

    if (count > DEMAND_BINS / 4)
        count = DEMAND_BINS / 4;
    return count > 0 ? count : 1;
}

/* The bin of now has only begun: the last whole one is that before it. */
double
demand_mean(struct demand *demand, usec now_us, usec span_us)
{
    int64_t count = bins_in(demand, span_us);
    double sum = 0;

    go_to(demand, now_us);
    for (int64_t i = 1; i <= count; i++)
        sum += *bin_at(demand, demand->newest - i);
    return sum / (double)(count * demand->bin_us);
}

/* Over all pairs of a start and an end: what came between, over the time that there was for it. */
double
demand_needed(struct demand *demand, usec now_us, usec span_us, usec slack_us)
{
    int64_t count = bins_in(demand, span_us);
    double most = demand_mean(demand, now_us, span_us);
    double slack = (double)(slack_us > demand->bin_us ? slack_us : demand->bin_us);

    for (int64_t end = demand->newest - count; end < demand->newest; end++) {
        double sum = 0;

        for (int64_t start = end; start >= demand->newest - 2 * count && start >= 0; start--) {
            sum += *bin_at(demand, start);
            most = fmax(most, sum / ((double)((end - start) * demand->bin_us) + slack));
        }
    }
    return most;
}

/* Levels */

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* From the largest down: as long as the level is among the largest `number`, each unit down leaves so many units short. */
double
demand_level(double *values, size_t count, double short_most)
{
    double sum = 0;

    if (count == 0)
        return 0;
    qsort(values, count, sizeof(*values), compare);
    for (size_t number = 1; number < count; number++) {
        double next = values[count - number - 1];

        sum += values[count - number];
        if (sum - (double)number * next > short_most)
            return (sum - short_most) / (double)number;
    }
    return values[0];
}
