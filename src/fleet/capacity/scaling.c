#include "fleet/capacity/scaling.h"

#include <stdlib.h>

#include "fleet/capacity/capacity.h"
#include "fleet/capacity/scaler.h"

static const struct scaler_ops *const scalers[SCALER_COUNT] = {
    [SCALER_STATIC] = &scaler_static,
    [SCALER_IN_FLIGHT] = &scaler_in_flight,
    [SCALER_CAPACITY] = &scaler_capacity,
    [SCALER_ORACLE] = &scaler_oracle,
};

const char *
scaler_name(enum scaler scaler)
{
    return scalers[scaler]->name;
}

bool
scaler_find(struct slice name, enum scaler *out)
{
    for (*out = 0; *out < SCALER_COUNT; (*out)++)
        if (slice_is(name, scalers[*out]->name))
            return true;
    return false;
}

void
scaling_learn(struct scaling_traffic *traffic)
{
    struct carry_record *record = must_calloc(1, sizeof(*record));

    carry_record_init(record, traffic->end_us + 1);
    for (size_t i = 0; i < traffic->count; i++)
        carry_record_add(record, traffic->requests[i].at_us, &traffic->requests[i].size);
    traffic->slack_us = carry_slack_us(record, &traffic->engine, &traffic->limits, CAPACITY_INTERVAL_US);
    traffic->carry =
        carry_rate(record, &traffic->engine, &traffic->limits, traffic->start, CAPACITY_INTERVAL_US, traffic->slack_us);
    free(record);
}

/* What counts */

struct tally {
    const struct scaling_traffic *traffic;
    struct scaling_outcome outcome;
    usec *firsts;
};

static void
told(void *context, const struct model_pool_news *news)
{
    struct tally *tally = context;
    const struct scaling_traffic *traffic = tally->traffic;
    struct scaling_outcome *outcome = &tally->outcome;

    if (news->arrived_us < traffic->learn_us)
        return;
    ENSURE(outcome->requests < traffic->count);
    outcome->requests++;
    outcome->tokens += news->size.prompt_tokens + news->size.output_tokens;
    outcome->within += news->within ? 1 : 0;
    if (!news->within && !carry_is_possible(&traffic->engine, &traffic->limits, &news->size))
        outcome->beyond++;
    if (news->total_us >= 0)
        tally->firsts[outcome->answered++] = news->first_token_us;
}

static int
compare(const void *a, const void *b)
{
    usec x = *(const usec *)a, y = *(const usec *)b;

    return x < y ? -1 : x > y;
}

/* Percentiles by nearest rank. */
static void
take_times(struct tally *tally)
{
    struct scaling_outcome *outcome = &tally->outcome;
    size_t count = outcome->answered;
    double sum = 0;
    size_t middle, last;

    if (count == 0)
        return;
    qsort(tally->firsts, count, sizeof(*tally->firsts), compare);
    for (size_t i = 0; i < count; i++)
        sum += (double)tally->firsts[i];
    outcome->first_mean_us = sum / (double)count;
    middle = (count - 1) / 2;
    last = count - 1 - count / 100;
    outcome->first_p50_us = (double)tally->firsts[middle];
    outcome->first_p99_us = (double)tally->firsts[last];
}

/* Playing */

struct play {
    const struct scaling_traffic *traffic;
    const struct scaler_ops *ops;
    void *state;
    struct model_pool *pool;
    struct tally tally;
    usec before_us; /* what replicas cost while it learned */
};

static void
submit(struct play *play, const struct carried *request)
{
    model_pool_submit(play->pool, request->at_us, &request->size);
    if (play->ops->sees != NULL)
        play->ops->sees(play->state, play->traffic, request);
}

static void
look(struct play *play, usec now_us)
{
    struct model_pool_totals totals;
    unsigned wants;

    model_pool_advance(play->pool, now_us);
    model_pool_totals(play->pool, &totals);
    if (now_us <= play->traffic->learn_us)
        play->before_us = totals.replica_us;
    wants = play->ops->wants(play->state, play->traffic, now_us, &totals);
    play->tally.outcome.most = wants > play->tally.outcome.most ? wants : play->tally.outcome.most;
    model_pool_scale(play->pool, now_us, wants, play->traffic->cold_us);
}

static void
run(struct play *play)
{
    const struct scaling_traffic *traffic = play->traffic;
    struct model_pool_totals totals;
    size_t next = 0;

    for (usec now_us = USEC_PER_S; now_us <= traffic->end_us + USEC_PER_S; now_us += USEC_PER_S) {
        for (; next < traffic->count && traffic->requests[next].at_us < now_us; next++)
            submit(play, &traffic->requests[next]);
        look(play, now_us);
    }
    model_pool_totals(play->pool, &totals);
    play->tally.outcome.replica_us = totals.replica_us - play->before_us;
    model_pool_finish(play->pool);
}

struct scaling_outcome
scaling_play(const struct scaling_traffic *traffic, enum scaler scaler, double knob)
{
    struct play play = {.traffic = traffic, .ops = scalers[scaler], .tally = {.traffic = traffic}};
    unsigned start = traffic->start;

    play.state = play.ops->begin(traffic, knob, &start);
    play.pool = model_pool_new(&traffic->engine, &traffic->limits, start);
    play.tally.firsts = must_calloc(traffic->count + 1, sizeof(*play.tally.firsts));
    model_pool_tell(play.pool, told, &play.tally);
    run(&play);
    model_pool_free(play.pool);
    take_times(&play.tally);
    free(play.tally.firsts);
    free(play.state);
    return play.tally.outcome;
}
