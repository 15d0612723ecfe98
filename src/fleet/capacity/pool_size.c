#include "fleet/capacity/pool_size.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/sealed.h"

/* Until a configuration says more. */
enum { MOST_USUAL = 1000 };

struct pool_size {
    struct lock lock; /* of all below */
    char *name;       /* does not change */
    struct capacity capacity;
    struct carry_record record;
    struct engine_settings engine;
    struct request_limits limits;
    double under_way_us; /* work that was sent and is not over */
    bool configured;
};

/* All pools */

void
pool_sizes_init(struct pool_sizes *sizes)
{
    lock_init(&sizes->lock);
    map_init(&sizes->by_name);
}

void
pool_sizes_free(struct pool_sizes *sizes)
{
    struct slice name;
    void *value;
    size_t at = 0;

    while (map_next(&sizes->by_name, &at, &name, &value)) {
        struct pool_size *pool = value;

        lock_destroy(&pool->lock);
        free(pool->name);
        free(pool);
    }
    map_free(&sizes->by_name);
    lock_destroy(&sizes->lock);
}

static struct engine_settings
engine_of(const struct replica_model *model)
{
    struct engine_settings engine;

    engine_settings_of(engine_pair_at(0), &engine);
    engine.time = model->time;
    engine.kv_tokens = model->kv_tokens;
    engine.step_tokens_most = model->step_tokens_most;
    return engine;
}

static struct pool_size *
pool_new(const char *name)
{
    struct pool_size *pool = must_calloc(1, sizeof(*pool));
    struct capacity_rules rules = {1, MOST_USUAL, {FORECAST_FILL, FORECAST_SHARE_USUAL}};

    lock_init(&pool->lock);
    pool->name = must_strdup(name);
    engine_settings_of(engine_pair_at(0), &pool->engine);
    pool->limits = (struct request_limits){USEC_NEVER, USEC_NEVER};
    capacity_init(&pool->capacity, &rules, CAPACITY_COLD_START_US, 1, 0);
    carry_record_init(&pool->record, capacity_look_back_us());
    return pool;
}

struct pool_size *
pool_sizes_of(struct pool_sizes *sizes, const char *name)
{
    struct pool_size *pool;

    lock_take(&sizes->lock);
    pool = map_get(&sizes->by_name, slice_of(name));
    if (pool == NULL) {
        pool = pool_new(name);
        map_put(&sizes->by_name, slice_of(pool->name), pool);
    }
    lock_drop(&sizes->lock);
    return pool;
}

/* Requests */

static struct request_size
size_of(const struct replica_wish *wish)
{
    return (struct request_size){.prompt_tokens = wish->prompt_tokens > 0 ? wish->prompt_tokens : 1,
                                 .hit_tokens = wish->matched_tokens > 0 ? wish->matched_tokens : 0,
                                 .output_tokens = wish->output_tokens > 0 ? wish->output_tokens : 1};
}

static double
work_us(const struct pool_size *pool, const struct request_size *size)
{
    struct request_work work = demand_work(&pool->engine, size);

    return work.prompt_us + work.output_us;
}

double
pool_size_takes(struct pool_size *pool, const struct replica_wish *wish, usec now_us)
{
    struct request_size size = size_of(wish);
    double expected_us;

    lock_take(&pool->lock);
    capacity_arrives(&pool->capacity, now_us, &pool->engine, &size);
    expected_us = work_us(pool, &size);
    pool->under_way_us += expected_us;
    lock_drop(&pool->lock);
    return expected_us;
}

static void
correct(struct request_size *size, const struct replica_metered *metered)
{
    if (metered->input_tokens > 0)
        size->prompt_tokens = metered->input_tokens;
    if (metered->cached_tokens >= 0)
        size->hit_tokens = metered->cached_tokens;
    if (metered->output_tokens > 0)
        size->output_tokens = metered->output_tokens;
}

void
pool_size_over(struct pool_size *pool, const struct replica_wish *wish, double expected_us, usec taken_us,
               const struct replica_metered *metered, usec now_us)
{
    struct request_size size = size_of(wish);

    if (metered != NULL)
        correct(&size, metered);
    lock_take(&pool->lock);
    pool->under_way_us = fmax(0, pool->under_way_us - expected_us); /* sums of doubles may miss 0 by a little */
    capacity_corrects(&pool->capacity, now_us, work_us(pool, &size) - expected_us);
    carry_record_add(&pool->record, taken_us, &size);
    lock_drop(&pool->lock);
}

/* Once a second */

void
pool_size_configure(struct pool_size *pool, const struct pool_rules *rules, const struct replica_model *model,
                    unsigned there)
{
    struct capacity_rules own = {rules->least, rules->most, {FORECAST_FILL, FORECAST_SHARE_USUAL}};

    lock_take(&pool->lock);
    own.goal = pool->capacity.forecast.goal;
    if (!pool->configured && pool->capacity.starts.count <= 1)
        cold_starts_init(&pool->capacity.starts, rules->cold_start_us);
    if (!pool->configured) {
        pool->capacity.wanted = there;
        pool->capacity.ready = there;
    }
    pool->configured = true;
    pool->limits = rules->limits;
    pool->engine = engine_of(model);
    capacity_set_rules(&pool->capacity, &own);
    lock_drop(&pool->lock);
}

struct pool_question
pool_size_tick(struct pool_size *pool, usec now_us, usec wall_us, unsigned there)
{
    struct pool_question question;

    lock_take(&pool->lock);
    capacity_bounds_backlog(&pool->capacity, pool->under_way_us);
    question.fewer = capacity_tick(&pool->capacity, now_us, wall_us, there, 0);
    question.study =
        carry_record_tells(&pool->record, CAPACITY_INTERVAL_US) && capacity_study_due(&pool->capacity, now_us);
    question.wanted = pool->capacity.wanted;
    lock_drop(&pool->lock);
    return question;
}

void
pool_size_ask(struct pool_size *pool, const struct pool_question *question, usec now_us, struct pool_study *out)
{
    lock_take(&pool->lock);
    out->question = *question;
    out->record = pool->record;
    out->engine = pool->engine;
    out->limits = pool->limits;
    out->look_back_from_us = now_us - capacity_look_back_us();
    lock_drop(&pool->lock);
}

static void
take_means(struct pool_study *study)
{
    double count = fmax(1, (double)study->record.count);

    study->work_us = study->prompt_tokens = study->output_tokens = 0;
    for (size_t i = 0; i < study->record.count; i++) {
        const struct request_size *size = &study->record.kept[i].size;
        struct request_work work = demand_work(&study->engine, size);

        study->work_us += (work.prompt_us + work.output_us) / count;
        study->prompt_tokens += (double)size->prompt_tokens / count;
        study->output_tokens += (double)size->output_tokens / count;
    }
}

void
pool_study_answer(struct pool_study *study)
{
    const struct carry_record *record = &study->record;

    if (study->question.study) {
        study->slack_us = carry_slack_us(record, &study->engine, &study->limits, CAPACITY_INTERVAL_US);
        study->carry = carry_rate(record, &study->engine, &study->limits, study->question.wanted, CAPACITY_INTERVAL_US,
                                  study->slack_us);
        take_means(study);
    }
    if (study->question.fewer)
        study->would_do = carry_would_do(record, &study->engine, &study->limits, study->question.wanted - 1,
                                         study->look_back_from_us);
}

void
pool_size_learn(struct pool_size *pool, const struct pool_study *study, struct forecast_goal goal)
{
    struct capacity *capacity = &pool->capacity;

    lock_take(&pool->lock);
    if (study->question.study && carry_record_tells(&study->record, CAPACITY_INTERVAL_US)) {
        capacity_set_carry(capacity, study->carry, study->slack_us);
        capacity_set_rules(capacity, &(struct capacity_rules){capacity->rules.least, capacity->rules.most, goal});
    }
    if (study->question.fewer)
        capacity_answer(capacity, study->question.wanted, study->would_do);
    lock_drop(&pool->lock);
}

void
pool_size_look(struct pool_size *pool, struct pool_view *out)
{
    const struct capacity *capacity = &pool->capacity;

    lock_take(&pool->lock);
    *out = (struct pool_view){.wanted = capacity->wanted,
                              .there = capacity->ready,
                              .least = capacity->rules.least,
                              .most = capacity->rules.most,
                              .demand = capacity->now_rate,
                              .needed = capacity->needed,
                              .expected = capacity->ahead,
                              .carry = capacity->carry,
                              .backlog_us = capacity->backlog_us,
                              .cold_start_us = cold_starts_p90_us(&capacity->starts),
                              .slack_us = capacity->slack_us,
                              .reason = capacity->reason,
                              .goal = capacity->forecast.goal,
                              .grown = capacity->grown,
                              .shrunk = capacity->shrunk,
                              .panicked = capacity->panicked};
    lock_drop(&pool->lock);
}

/* Keeping: of each pool its name, its forecast, its cold starts (base/sealed.h). */

static const char mark[SEALED_MARK_BYTES] = "EQPOOL1";

static void
save_one(struct pool_size *pool, struct buffer *out)
{
    const struct cold_starts *starts = &pool->capacity.starts;
    unsigned count;
    struct buffer forecast = {0};

    lock_take(&pool->lock);
    count = starts->count < CAPACITY_COLD_STARTS ? starts->count : CAPACITY_COLD_STARTS;
    forecast_save(&pool->capacity.forecast, &forecast);
    sealed_put(out, slice_of(pool->name));
    sealed_put(out, buffer_content(&forecast));
    sealed_put(out, slice_make((const char *)starts->spans_us, count * sizeof(*starts->spans_us)));
    lock_drop(&pool->lock);
    buffer_free(&forecast);
}

void
pool_sizes_save(struct pool_sizes *sizes, struct buffer *out)
{
    struct slice name;
    void *value;
    size_t at = 0;

    buffer_clear(out);
    sealed_begin(out, mark);
    lock_take(&sizes->lock);
    while (map_next(&sizes->by_name, &at, &name, &value))
        save_one(value, out);
    lock_drop(&sizes->lock);
    sealed_end(out);
}

static void
restore_starts(struct cold_starts *starts, struct slice bytes)
{
    for (size_t i = 0; i + sizeof(usec) <= bytes.len; i += sizeof(usec)) {
        usec span_us;

        memcpy(&span_us, bytes.data + i, sizeof(span_us));
        if (span_us > 0 && span_us <= CAPACITY_COLD_START_MOST_US)
            cold_starts_see(starts, span_us);
    }
}

static void
restore_one(struct pool_sizes *sizes, struct slice name, struct slice forecast, struct slice starts)
{
    char *text = slice_strdup(name);
    struct pool_size *pool = pool_sizes_of(sizes, text);

    lock_take(&pool->lock);
    if (forecast_restore(&pool->capacity.forecast, forecast) == OK)
        restore_starts(&pool->capacity.starts, starts);
    lock_drop(&pool->lock);
    free(text);
}

enum status
pool_sizes_restore(struct pool_sizes *sizes, struct slice bytes)
{
    struct slice rest, name, forecast, starts;
    enum status status = sealed_open(bytes, mark, &rest);

    if (status != OK)
        return status;
    while (sealed_take(&rest, &name) && sealed_take(&rest, &forecast) && sealed_take(&rest, &starts))
        restore_one(sizes, name, forecast, starts);
    return OK;
}
