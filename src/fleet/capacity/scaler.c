#include "fleet/capacity/scaler.h"

#include <math.h>
#include <stdlib.h>

#include "fleet/capacity/capacity.h"

/* Always as many */

static void *
static_begin(const struct scaling_traffic *traffic, double knob, unsigned *start)
{
    unsigned *count = must_calloc(1, sizeof(*count));

    (void)traffic;
    *start = *count = (unsigned)knob;
    return count;
}

static unsigned
static_wants(void *state, const struct scaling_traffic *traffic, usec now_us, const struct model_pool_totals *totals)
{
    (void)traffic, (void)now_us, (void)totals;
    return *(unsigned *)state;
}

const struct scaler_ops scaler_static = {.name = "static", .begin = static_begin, .wants = static_wants};

/* By requests in flight: kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale, "Algorithm details". */

enum { LOOK_S = 15, WISHES = 20 };

static const double TOLERANCE = 0.1;

struct in_flight {
    double target;
    double seen;             /* sum over the seconds since the last look */
    unsigned wishes[WISHES]; /* of the last five minutes */
    uint64_t looks;
};

static void *
in_flight_begin(const struct scaling_traffic *traffic, double knob, unsigned *start)
{
    struct in_flight *by = must_calloc(1, sizeof(*by));

    (void)traffic, (void)start;
    by->target = knob;
    return by;
}

static unsigned
largest_wish(struct in_flight *by, unsigned wish, unsigned there)
{
    unsigned most = 0;

    for (size_t i = 0; by->looks == 0 && i < WISHES; i++)
        by->wishes[i] = there;
    by->wishes[by->looks++ % WISHES] = wish;
    for (size_t i = 0; i < WISHES; i++)
        most = by->wishes[i] > most ? by->wishes[i] : most;
    return most;
}

static unsigned
in_flight_wants(void *state, const struct scaling_traffic *traffic, usec now_us, const struct model_pool_totals *totals)
{
    struct in_flight *by = state;
    unsigned there = totals->ready + totals->coming, wish, most;
    double ratio;

    by->seen += (double)totals->in_flight;
    if (now_us / USEC_PER_S % LOOK_S != 0)
        return there;
    ratio = by->seen / LOOK_S / by->target / (there > 0 ? there : 1);
    by->seen = 0;
    wish =
        fabs(ratio - 1) <= TOLERANCE ? there : (unsigned)fmin(traffic->most, fmax(traffic->least, ceil(ratio * there)));
    most = largest_wish(by, wish, there);
    return wish > there ? wish : most < there ? most : there;
}

const struct scaler_ops scaler_in_flight = {.name = "in_flight", .begin = in_flight_begin, .wants = in_flight_wants};

/* What is recommended, by what has come so far */

struct recommended {
    struct capacity capacity;
    struct carry_record record;
};

static void *
capacity_begin(const struct scaling_traffic *traffic, double knob, unsigned *start)
{
    struct recommended *by = must_calloc(1, sizeof(*by));
    struct capacity_rules rules = {.least = traffic->least, .most = traffic->most, .goal = traffic->goal};

    (void)knob;
    capacity_init(&by->capacity, &rules, traffic->cold_us, *start, 0);
    carry_record_init(&by->record, capacity_look_back_us());
    return by;
}

static void
capacity_sees(void *state, const struct scaling_traffic *traffic, const struct carried *request)
{
    struct recommended *by = state;

    carry_record_add(&by->record, request->at_us, &request->size);
    capacity_arrives(&by->capacity, request->at_us, &traffic->engine, &request->size);
}

static void
study(struct recommended *by, const struct scaling_traffic *traffic, usec now_us)
{
    usec slack_us;

    if (!carry_record_tells(&by->record, CAPACITY_INTERVAL_US) || !capacity_study_due(&by->capacity, now_us))
        return;
    slack_us = carry_slack_us(&by->record, &traffic->engine, &traffic->limits, CAPACITY_INTERVAL_US);
    capacity_set_carry(&by->capacity,
                       carry_rate(&by->record, &traffic->engine, &traffic->limits, by->capacity.wanted,
                                  CAPACITY_INTERVAL_US, slack_us),
                       slack_us);
}

static unsigned
capacity_wants(void *state, const struct scaling_traffic *traffic, usec now_us, const struct model_pool_totals *totals)
{
    struct recommended *by = state;
    struct capacity *capacity = &by->capacity;

    study(by, traffic, now_us);
    if (capacity_tick(capacity, now_us, now_us, totals->ready, totals->coming))
        capacity_answer(capacity, capacity->wanted,
                        carry_would_do(&by->record, &traffic->engine, &traffic->limits, capacity->wanted - 1,
                                       now_us - capacity_look_back_us()));
    return capacity->wanted;
}

const struct scaler_ops scaler_capacity = {
    .name = "capacity", .begin = capacity_begin, .wants = capacity_wants, .sees = capacity_sees};

/* The future */

struct plan {
    size_t count;
    unsigned wanted[]; /* by interval */
};

static unsigned
oracle_wants(void *state, const struct scaling_traffic *traffic, usec now_us, const struct model_pool_totals *totals)
{
    const struct plan *plan = state;
    size_t at = (size_t)(now_us / CAPACITY_INTERVAL_US);

    (void)traffic, (void)totals;
    return plan->wanted[at < plan->count ? at : plan->count - 1];
}

/* The level'th replica: over gaps shorter than a cold start, and a cold start earlier. */
static void
plan_level(struct plan *plan, const double *needs, unsigned level, double carry, size_t cold)
{
    size_t last = SIZE_MAX;

    for (size_t i = 0; i < plan->count; i++) {
        size_t from;

        if (needs[i] / carry <= level)
            continue;
        from = last != SIZE_MAX && i - last <= 2 * cold ? last + 1 : i > cold ? i - cold : 0;
        for (size_t at = from; at <= i; at++)
            plan->wanted[at] = level + 1;
        last = i;
    }
}

static double *
find_needs(const struct scaling_traffic *traffic, size_t count, double factor)
{
    double *needs = must_calloc(count, sizeof(*needs));
    struct demand *demand = must_calloc(1, sizeof(*demand));
    size_t next = 0;

    demand_init(demand, CAPACITY_INTERVAL_US, 0);
    for (size_t i = 0; i < count; i++) {
        usec end_us = (usec)(i + 1) * CAPACITY_INTERVAL_US;

        for (; next < traffic->count && traffic->requests[next].at_us < end_us; next++)
            demand_take(demand, traffic->requests[next].at_us, &traffic->engine, &traffic->requests[next].size);
        needs[i] = demand_needed(demand, end_us, CAPACITY_INTERVAL_US, traffic->slack_us) * factor;
    }
    free(demand);
    return needs;
}

static void *
oracle_begin(const struct scaling_traffic *traffic, double knob, unsigned *start)
{
    size_t count = (size_t)(traffic->end_us / CAPACITY_INTERVAL_US) + 2;
    size_t cold = (size_t)((traffic->cold_us + CAPACITY_INTERVAL_US - 1) / CAPACITY_INTERVAL_US);
    double *needs = find_needs(traffic, count, knob);
    struct plan *plan = must_calloc(1, sizeof(*plan) + count * sizeof(plan->wanted[0]));
    bool knows = traffic->carry > 0; /* what one carries; else it leaves the fleet as it began */

    plan->count = count;
    for (size_t i = 0; i < count; i++)
        plan->wanted[i] = knows ? traffic->least : traffic->start;
    for (unsigned level = traffic->least; knows && level < traffic->most; level++)
        plan_level(plan, needs, level, traffic->carry, cold);
    free(needs);
    *start = plan->wanted[0];
    return plan;
}

const struct scaler_ops scaler_oracle = {.name = "oracle", .begin = oracle_begin, .wants = oracle_wants};
