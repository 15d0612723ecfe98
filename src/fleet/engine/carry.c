#include "fleet/engine/carry.h"

#include <math.h>
#include <stdlib.h>

#include "fleet/engine/engine.h"

enum { SPAN_TELLS = 8, SPAN_PLAYED = 4 }; /* intervals: of a record, and at least as long as it is played */

/* The speed is found in powers of 2, from a 64th to 64 times, and to about 1 %. */
enum { BISECTIONS = 10, SPEED_LOG_MOST = 6, LEVELS_MOST = 4096 };

static bool
share_is_within(uint64_t within, uint64_t possible)
{
    return within * 1000000 >= possible * CARRY_SHARE_PPM;
}

/* Its limits leave it time with an engine for itself: the engine takes its prompt in steps of that many tokens. */
bool
carry_is_possible(const struct engine_settings *engine, const struct request_limits *limits,
                  const struct request_size *size)
{
    int64_t fresh = size->prompt_tokens > size->hit_tokens ? size->prompt_tokens - size->hit_tokens : 1;
    double steps = ceil((double)fresh / (double)engine->step_tokens_most);
    double first_us, token_us;
    struct step_load load = {.new_tokens = (int64_t)((double)fresh / steps), .sequences = 1};

    first_us = steps * step_time_predict_us(&engine->time, &load) + (double)engine->overhead_most_us +
               engine->time.epsilon_us * (double)step_attended(size->prompt_tokens - fresh, fresh);
    load.new_tokens = 1;
    load.kv_tokens = size->prompt_tokens + size->output_tokens / 2;
    token_us = step_time_predict_us(&engine->time, &load);
    return first_us <= (double)limits->first_token_us &&
           first_us + token_us * (double)(size->output_tokens - 1) <= (double)limits->total_us;
}

/* What came */

void
carry_record_init(struct carry_record *record, usec keep_us)
{
    record->keep_us = keep_us;
    record->came = 0;
    record->stride = 1;
    record->count = 0;
}

static void
drop_first(struct carry_record *record, size_t count)
{
    for (size_t i = count; i < record->count; i++)
        record->kept[i - count] = record->kept[i];
    record->count -= count;
}

/* Room: what is too old goes; if that is too little, every other one. Less came: the stride gets shorter again. */
static void
make_room(struct carry_record *record, usec now_us)
{
    size_t old = 0, kept = 0;

    while (old < record->count && record->kept[old].at_us < now_us - record->keep_us)
        old++;
    drop_first(record, old);
    if (old >= CARRIED_MOST * 3 / 4 && record->stride > 1)
        record->stride /= 2;
    if (record->count < CARRIED_MOST * 3 / 4)
        return;
    record->stride *= 2;
    for (size_t i = 0; i < record->count; i += 2)
        record->kept[kept++] = record->kept[i];
    record->count = kept;
}

void
carry_record_add(struct carry_record *record, usec now_us, const struct request_size *size)
{
    size_t at;

    if (record->came++ % record->stride != 0)
        return;
    if (record->count == CARRIED_MOST)
        make_room(record, now_us);
    at = record->count++;
    for (; at > 0 && record->kept[at - 1].at_us > now_us; at--)
        record->kept[at] = record->kept[at - 1];
    record->kept[at] = (struct carried){now_us, *size};
}

static size_t
first_since(const struct carry_record *record, usec since_us)
{
    size_t at = 0;

    while (at < record->count && record->kept[at].at_us < since_us)
        at++;
    return at;
}

/* How many of the requests from that one on can keep the limits at all. */
static uint64_t
count_possible(const struct carry_record *record, const struct engine_settings *engine,
               const struct request_limits *limits, size_t from)
{
    uint64_t possible = 0;

    for (size_t i = from; i < record->count; i++)
        possible += carry_is_possible(engine, limits, &record->kept[i].size) ? 1 : 0;
    return possible;
}

static uint64_t
play(const struct carry_record *record, const struct engine_settings *engine, const struct request_limits *limits,
     unsigned replicas, size_t from, double speed)
{
    struct model_pool *pool = model_pool_new(engine, limits, replicas);
    struct model_pool_totals totals;
    usec start_us = record->kept[from].at_us;

    for (size_t i = from; i < record->count; i++) {
        usec after_us = record->kept[i].at_us - start_us;

        model_pool_submit(pool, (usec)((double)after_us / speed), &record->kept[i].size);
    }
    model_pool_finish(pool);
    model_pool_totals(pool, &totals);
    model_pool_free(pool);
    return totals.within;
}

enum { FEW = 4 };

/* Every k'th request gives a k'th of the replicas as much to do as all requests give to all. But few carry less each than many
 * that share it out: so at least FEW play, and what came is played faster by as much. */
static unsigned
replicas_played(const struct carry_record *record, unsigned replicas)
{
    unsigned share = (replicas + record->stride - 1) / record->stride;

    if (share >= FEW)
        return share;
    return replicas < FEW ? (replicas > 0 ? replicas : 1) : FEW;
}

bool
carry_would_do(const struct carry_record *record, const struct engine_settings *engine,
               const struct request_limits *limits, unsigned replicas, usec since_us)
{
    size_t from = first_since(record, since_us);
    unsigned played = replicas_played(record, replicas);

    if (from == record->count)
        return true;
    if (replicas == 0)
        return false;
    return share_is_within(play(record, engine, limits, played, from, (double)played * record->stride / replicas),
                           count_possible(record, engine, limits, from));
}

/* What a replica carries */

/* The demand at that speed, at the level that may be short. */
static double
demand_at(const struct carry_record *record, const struct engine_settings *engine, usec interval_us, usec slack_us,
          double speed)
{
    struct demand *demand = must_calloc(1, sizeof(*demand));
    double *levels = must_calloc(LEVELS_MOST, sizeof(*levels)), sum = 0, level;
    usec start_us = record->kept[0].at_us, next_us = interval_us;
    size_t count = 0;

    demand_init(demand, interval_us, 0);
    for (size_t i = 0; i < record->count; i++) {
        usec at_us = (usec)((double)(record->kept[i].at_us - start_us) / speed);

        for (; next_us <= at_us; next_us += interval_us) {
            double needed = demand_needed(demand, next_us, interval_us, slack_us);

            sum += needed;
            levels[count++ % LEVELS_MOST] = needed;
        }
        demand_take(demand, at_us, engine, &record->kept[i].size);
    }
    if (count > LEVELS_MOST)
        sum *= (double)LEVELS_MOST / (double)count;
    level = demand_level(levels, count < LEVELS_MOST ? count : LEVELS_MOST, sum * (1000000 - CARRY_SHARE_PPM) / 1e6);
    free(levels);
    free(demand);
    return level;
}

static usec
span_of(const struct carry_record *record)
{
    return record->count > 0 ? record->kept[record->count - 1].at_us - record->kept[0].at_us : 0;
}

bool
carry_record_tells(const struct carry_record *record, usec interval_us)
{
    return record->count >= CARRY_REQUESTS_LEAST && span_of(record) >= SPAN_TELLS * interval_us;
}

double
carry_rate(const struct carry_record *record, const struct engine_settings *engine, const struct request_limits *limits,
           unsigned replicas, usec interval_us, usec slack_us)
{
    double least = -SPEED_LOG_MOST;
    double most = fmin(SPEED_LOG_MOST, log2((double)span_of(record) / (double)(SPAN_PLAYED * interval_us)));
    unsigned played = replicas_played(record, replicas);
    uint64_t possible = count_possible(record, engine, limits, 0);

    if (!carry_record_tells(record, interval_us) || possible < record->count / 2)
        return 0;
    for (unsigned i = 0; i < BISECTIONS; i++) {
        double middle = (least + most) / 2;

        if (share_is_within(play(record, engine, limits, played, 0, exp2(middle)), possible))
            least = middle;
        else
            most = middle;
    }
    return demand_at(record, engine, interval_us, slack_us, exp2(least)) / played;
}

/* Slack */

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* Of the first token and of the whole, whichever leaves less. */
static double
left_us(const struct engine_settings *engine, const struct request_limits *limits, const struct request_size *size)
{
    struct request_work work = demand_work(engine, size);
    double prompt_us = work.prompt_us + engine->time.alpha_us + (double)engine->overhead_most_us;
    double total_us = prompt_us + (double)work.output_span_us;
    double first = limits->first_token_us == USEC_NEVER ? INFINITY : (double)limits->first_token_us - prompt_us;
    double total = limits->total_us == USEC_NEVER ? INFINITY : (double)limits->total_us - total_us;

    return fmin(first, total);
}

usec
carry_slack_us(const struct carry_record *record, const struct engine_settings *engine,
               const struct request_limits *limits, usec without_us)
{
    double *left, slack;
    size_t count = 0;

    if (limits->first_token_us == USEC_NEVER && limits->total_us == USEC_NEVER)
        return without_us;
    left = must_calloc(CARRIED_MOST, sizeof(*left));
    for (size_t i = 0; i < record->count; i++)
        if (carry_is_possible(engine, limits, &record->kept[i].size))
            left[count++] = left_us(engine, limits, &record->kept[i].size);
    qsort(left, count, sizeof(*left), compare);
    slack = count > 0 ? left[count / 20] : (double)without_us;
    free(left);
    return slack > 0 ? (usec)slack : 0;
}
