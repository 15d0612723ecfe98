/* Fleet sizes over known traffic: recommended ones (fleet/capacity.h) beside a static peak, an autoscaler by a target of
 * requests in flight, and an oracle that knows the future, over a modelled pool (fleet/model_pool.h) whose replicas come
 * after a cold start. Prints a table. Built and run by eval/capacity.py.
 *
 *     eval_capacity TRACE COLD_START_S ENGINE FIRST_TOKEN_MS LEARN_S [NAME=VALUE ...]
 *
 * NAME: pool, scale, until (s), input, output: as options of equipoise replay. What came before LEARN_S seconds is played
 * but not counted: the first day of several.
 *
 * All but the oracle start with the smallest static fleet that keeps 99 % within limits. The autoscaler is that of
 * Kubernetes (HPA) with its standard settings: every 15 s, a tolerance of 10 %, down to the largest wish of five minutes,
 * here for a mean number of requests in flight per replica, swept over its targets. The oracle has for each five seconds
 * what they need, and asks for each replica a cold start before; it keeps one over gaps shorter than a cold start. It is
 * swept over a factor, since it too works with estimates of what a replica carries. Everybody pays from the wish on. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/problem.h"
#include "fleet/capacity.h"
#include "fleet/carry.h"
#include "virtual/trace.h"

enum { FLEET_MOST = 64, PARTS_MOST = 1 << 20 };

static const double GOAL = 0.99;

struct play {
    struct carried *requests;
    size_t count, size;
    usec cold_us, learn_us, end_us;
    struct engine_settings engine;
    struct request_limits limits;
    double carry; /* the oracle's, over all sizes */
    usec slack_us;
    unsigned start;
};

struct outcome {
    double share, hours, first_p50_s, first_p99_s;
    unsigned most;
};

/* What is counted */

struct count {
    const struct play *play;
    usec learn_us;
    usec *first;
    size_t over, within, impossible, size;
};

static void
told(void *context, const struct model_pool_news *news)
{
    struct count *count = context;

    if (news->arrived_us < count->learn_us)
        return;
    ENSURE(count->over < count->size);
    count->first[count->over++] = news->total_us < 0 ? USEC_NEVER : news->first_token_us;
    count->within += news->within;
    count->impossible += !news->within && !carry_is_possible(&count->play->engine, &count->play->limits, &news->size);
}

static int
compare(const void *a, const void *b)
{
    usec x = *(const usec *)a, y = *(const usec *)b;

    return x < y ? -1 : x > y;
}

/* Policies */

struct policy {
    const char *name;
    double knob;
    /* Each second, after the pool was brought there: how many replicas from now on. */
    unsigned (*wants)(struct policy *, const struct play *, usec now_us, const struct model_pool_totals *totals);
    void (*sees)(struct policy *, const struct play *, const struct carried *request); /* NULL: does not look */
    struct capacity *capacity;
    struct carry_record *record;
    double in_flight;    /* sum over the seconds since the last look */
    unsigned wishes[20]; /* of the last five minutes */
    uint64_t looks;
    unsigned *plan; /* oracle: per interval */
    size_t plan_count;
};

static unsigned
static_wants(struct policy *policy, const struct play *play, usec now_us, const struct model_pool_totals *totals)
{
    (void)play, (void)now_us, (void)totals;
    return (unsigned)policy->knob;
}

static unsigned
target_wants(struct policy *policy, const struct play *play, usec now_us, const struct model_pool_totals *totals)
{
    unsigned there = totals->ready + totals->coming, wish, most = 0;
    double ratio;

    (void)play;
    policy->in_flight += (double)totals->in_flight;
    if (now_us / USEC_PER_S % 15 != 0)
        return there;
    ratio = policy->in_flight / 15 / policy->knob / (there > 0 ? there : 1);
    policy->in_flight = 0;
    wish = fabs(ratio - 1) <= 0.1 ? there : (unsigned)fmin(FLEET_MOST, fmax(1, ceil(ratio * there)));
    if (policy->looks == 0)
        for (size_t i = 0; i < 20; i++)
            policy->wishes[i] = there;
    policy->wishes[policy->looks++ % 20] = wish;
    for (size_t i = 0; i < 20; i++)
        most = policy->wishes[i] > most ? policy->wishes[i] : most;
    return wish > there ? wish : most < there ? most : there;
}

static void
capacity_sees(struct policy *policy, const struct play *play, const struct carried *request)
{
    carry_record_add(policy->record, request->at_us, &request->size);
    capacity_arrives(policy->capacity, request->at_us, &play->engine, &request->size);
}

static void
study(struct policy *policy, const struct play *play, usec now_us)
{
    const struct carry_record *record = policy->record;
    usec slack_us;

    if (!carry_record_tells(record, CAPACITY_INTERVAL_US) || !capacity_study_due(policy->capacity, now_us))
        return;
    slack_us = carry_slack_us(record, &play->engine, &play->limits, CAPACITY_INTERVAL_US);
    capacity_set_carry(
        policy->capacity,
        carry_rate(record, &play->engine, &play->limits, policy->capacity->wanted, CAPACITY_INTERVAL_US, slack_us),
        slack_us);
}

static unsigned
capacity_wants(struct policy *policy, const struct play *play, usec now_us, const struct model_pool_totals *totals)
{
    struct capacity *capacity = policy->capacity;

    study(policy, play, now_us);
    if (capacity_tick(capacity, now_us, now_us, totals->ready, totals->coming))
        capacity_answer(capacity, capacity->wanted,
                        carry_would_do(policy->record, &play->engine, &play->limits, capacity->wanted - 1,
                                       now_us - capacity_look_back_us()));
    return capacity->wanted;
}

/* The future */

static unsigned
oracle_wants(struct policy *policy, const struct play *play, usec now_us, const struct model_pool_totals *totals)
{
    size_t at = (size_t)(now_us / CAPACITY_INTERVAL_US);

    (void)play, (void)totals;
    return policy->plan[at < policy->plan_count ? at : policy->plan_count - 1];
}

/* The level'th replica: over gaps shorter than a cold start, and a cold start earlier. */
static void
plan_level(const double *needs, unsigned *plan, size_t count, unsigned level, double carry, size_t cold)
{
    size_t last = SIZE_MAX;

    for (size_t i = 0; i < count; i++) {
        size_t from;

        if (needs[i] / carry <= level)
            continue;
        from = last != SIZE_MAX && i - last <= 2 * cold ? last + 1 : i > cold ? i - cold : 0;
        for (size_t at = from; at <= i; at++)
            plan[at] = level + 1;
        last = i;
    }
}

static void
make_plan(struct policy *policy, const struct play *play)
{
    static double needs[PARTS_MOST];
    static struct demand demand;
    size_t count = (size_t)(play->end_us / CAPACITY_INTERVAL_US) + 2, next = 0;

    ENSURE(count < PARTS_MOST);
    demand_init(&demand, CAPACITY_INTERVAL_US, 0);
    for (size_t i = 0; i < count; i++) {
        usec end_us = (usec)(i + 1) * CAPACITY_INTERVAL_US;

        for (; next < play->count && play->requests[next].at_us < end_us; next++) {
            const struct carried *request = &play->requests[next];

            demand_take(&demand, request->at_us, &play->engine, &request->size);
        }
        needs[i] = demand_needed(&demand, end_us, CAPACITY_INTERVAL_US, play->slack_us) * policy->knob;
    }
    policy->plan = must_calloc(count, sizeof(*policy->plan));
    policy->plan_count = count;
    for (size_t i = 0; i < count; i++)
        policy->plan[i] = 1;
    for (unsigned level = 1; level < FLEET_MOST; level++)
        plan_level(needs, policy->plan, count, level, play->carry,
                   (size_t)((play->cold_us + CAPACITY_INTERVAL_US - 1) / CAPACITY_INTERVAL_US));
}

/* Playing */

static struct outcome
play_policy(const struct play *play, struct policy *policy, unsigned start)
{
    struct count count = {.learn_us = play->learn_us, .size = play->count, .play = play};
    struct model_pool *pool = model_pool_new(&play->engine, &play->limits, start);
    struct model_pool_totals totals, before = {0};
    struct outcome outcome = {0};
    size_t next = 0;

    count.first = must_calloc(play->count, sizeof(*count.first));
    model_pool_tell(pool, told, &count);
    for (usec now_us = USEC_PER_S; now_us <= play->end_us + USEC_PER_S; now_us += USEC_PER_S) {
        unsigned wants;

        for (; next < play->count && play->requests[next].at_us < now_us; next++) {
            model_pool_submit(pool, play->requests[next].at_us, &play->requests[next].size);
            if (policy->sees != NULL)
                policy->sees(policy, play, &play->requests[next]);
        }
        model_pool_advance(pool, now_us);
        model_pool_totals(pool, &totals);
        if (now_us <= play->learn_us)
            before = totals;
        wants = policy->wants(policy, play, now_us, &totals);
        outcome.most = wants > outcome.most ? wants : outcome.most;
        model_pool_scale(pool, now_us, wants, play->cold_us);
    }
    model_pool_totals(pool, &totals);
    outcome.hours = (double)(totals.replica_us - before.replica_us) / (3600.0 * USEC_PER_S);
    model_pool_finish(pool);
    model_pool_free(pool);
    qsort(count.first, count.over, sizeof(*count.first), compare);
    outcome.share = (double)count.within / (double)(count.over - count.impossible);
    outcome.first_p50_s = (double)count.first[count.over / 2] / USEC_PER_S;
    outcome.first_p99_s = (double)count.first[count.over - 1 - count.over / 100] / USEC_PER_S;
    free(count.first);
    return outcome;
}

static struct outcome
play_static(const struct play *play, unsigned count)
{
    struct policy policy = {.knob = count, .wants = static_wants};

    return play_policy(play, &policy, count);
}

static struct outcome
play_target(const struct play *play, double target)
{
    struct policy policy = {.knob = target, .wants = target_wants};

    return play_policy(play, &policy, play->start);
}

static struct outcome
play_oracle(const struct play *play, double factor)
{
    struct policy policy = {.knob = factor, .wants = oracle_wants};
    struct outcome outcome;

    make_plan(&policy, play);
    outcome = play_policy(play, &policy, policy.plan[0]);
    free(policy.plan);
    return outcome;
}

static struct outcome
play_capacity(const struct play *play, double share)
{
    struct policy policy = {.wants = capacity_wants, .sees = capacity_sees};
    struct capacity_rules rules = {.least = 1, .most = FLEET_MOST, .goal = {FORECAST_FILL, share}};
    struct outcome outcome;

    policy.capacity = must_calloc(1, sizeof(*policy.capacity));
    policy.record = must_calloc(1, sizeof(*policy.record));
    capacity_init(policy.capacity, &rules, play->cold_us, play->start, 0);
    carry_record_init(policy.record, capacity_look_back_us());
    outcome = play_policy(play, &policy, play->start);
    if (getenv("EVAL_CAPACITY_MORE") != NULL)
        fprintf(stderr, "grown %llu, shrunk %llu, panicked %llu, one carries %.3f, slack %.2f s\n",
                (unsigned long long)policy.capacity->grown, (unsigned long long)policy.capacity->shrunk,
                (unsigned long long)policy.capacity->panicked, policy.capacity->carry,
                (double)policy.capacity->slack_us / USEC_PER_S);
    free(policy.capacity);
    free(policy.record);
    return outcome;
}

/* Telling: one line each, tab-separated, for eval/capacity.py */

static void
tell(const char *policy, double knob, const struct outcome *outcome)
{
    printf("%s\t%g\t%.6f\t%.4f\t%.4f\t%.4f\t%u\n", policy, knob, outcome->share, outcome->hours, outcome->first_p50_s,
           outcome->first_p99_s, outcome->most);
    fflush(stdout);
}

/* What the oracle knows of what a replica carries, from the whole trace, at the size of the best static fleet. */
static void
learn_all(struct play *play)
{
    struct carry_record *record = must_calloc(1, sizeof(*record));

    carry_record_init(record, play->end_us + 1);
    for (size_t i = 0; i < play->count; i++)
        carry_record_add(record, play->requests[i].at_us, &play->requests[i].size);
    play->slack_us = carry_slack_us(record, &play->engine, &play->limits, CAPACITY_INTERVAL_US);
    play->carry = carry_rate(record, &play->engine, &play->limits, play->start, CAPACITY_INTERVAL_US, play->slack_us);
    free(record);
}

static void
sweep(struct play *play)
{
    static const double targets[] = {1, 2, 4, 6, 8, 12, 16, 24};
    static const double factors[] = {0.8, 0.9, 1, 1.1, 1.25};
    static const double shares[] = {0.98, 0.99, 0.995};
    struct outcome outcome;

    for (unsigned count = 1; count <= FLEET_MOST; count++) {
        outcome = play_static(play, count);
        if (outcome.share < 0.5)
            continue;
        tell("static", count, &outcome);
        if (play->start == 0 && outcome.share >= GOAL)
            play->start = count;
        if (outcome.share >= 0.9999 || (play->start != 0 && count >= 2 * play->start))
            break;
    }
    learn_all(play);
    printf("carry\t%.3f\tslack_s\t%.3f\n", play->carry, (double)play->slack_us / USEC_PER_S);
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        outcome = play_target(play, targets[i]);
        tell("target", targets[i], &outcome);
    }
    for (size_t i = 0; i < sizeof(factors) / sizeof(factors[0]); i++) {
        outcome = play_oracle(play, factors[i]);
        tell("oracle", factors[i], &outcome);
    }
    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
        outcome = play_capacity(play, shares[i]);
        tell("capacity", shares[i], &outcome);
    }
}

/* Reading */

static bool
read_option(struct trace_options *options, const char *text)
{
    const char *value = strchr(text, '=');

    if (value == NULL)
        return false;
    value++;
    if (strncmp(text, "pool=", 5) == 0)
        options->pool = value;
    else if (strncmp(text, "scale=", 6) == 0)
        options->scale = atof(value);
    else if (strncmp(text, "until=", 6) == 0)
        options->until_us = (usec)(atof(value) * USEC_PER_S);
    else if (strncmp(text, "input=", 6) == 0)
        options->input_mean = atoll(value);
    else if (strncmp(text, "output=", 7) == 0)
        options->output_mean = atoll(value);
    else
        return false;
    return true;
}

static bool
read_trace(struct play *play, const char *path, const struct trace_options *options)
{
    FILE *file = fopen(path, "rb");
    struct problems problems = {0};
    struct trace_request request;
    struct trace *trace;

    if (file == NULL || trace_open(file, path, options, &problems, &trace) != OK)
        return false;
    while (trace_next(trace, &request) == OK) {
        if (play->count == play->size) {
            play->size = play->size > 0 ? 2 * play->size : 65536;
            play->requests = must_realloc(play->requests, play->size * sizeof(*play->requests));
        }
        play->requests[play->count++] = (struct carried){request.at_us,
                                                         {request.input_tokens > 0 ? request.input_tokens : 1, 0,
                                                          request.output_tokens > 0 ? request.output_tokens : 1}};
    }
    trace_close(trace);
    fclose(file);
    return play->count > 0;
}

int
main(int argc, char **argv)
{
    struct play play = {.limits = {.total_us = USEC_NEVER}};
    struct trace_options options = {.seed = 1};
    const struct engine_pair *pair;

    if (argc < 6 || (pair = engine_pair_find(slice_of(argv[3]))) == NULL)
        return 2;
    for (int i = 6; i < argc; i++)
        if (!read_option(&options, argv[i]))
            return 2;
    play.cold_us = (usec)(atof(argv[2]) * USEC_PER_S);
    play.limits.first_token_us = (usec)(atof(argv[4]) * USEC_PER_MS);
    play.learn_us = (usec)(atof(argv[5]) * USEC_PER_S);
    engine_settings_of(pair, &play.engine);
    if (!read_trace(&play, argv[1], &options))
        return 1;
    play.end_us = play.requests[play.count - 1].at_us;
    printf("requests\t%zu\n", play.count);
    sweep(&play);
    free(play.requests);
    return 0;
}
