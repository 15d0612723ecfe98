#include "fleet/engine/engine_inside.h"

#include <math.h>
#include <stdlib.h>

/* Time */

wide_int
engine_to_ps(double us)
{
    return (wide_int)rint(us * PS_PER_US);
}

static wide_int
run_span_ps(const struct run *run, int64_t steps, wide_int delta_ps)
{
    wide_int contexts = (wide_int)steps * run->kv_tokens + (wide_int)run->decoding * steps * (steps - 1) / 2;

    return steps * run->base_ps + contexts * delta_ps;
}

static wide_int
span_ps(const struct engine_model *engine, int64_t steps)
{
    return run_span_ps(&engine->run, steps, engine->delta_ps);
}

int64_t
engine_steps_within(const struct engine_model *engine, wide_int limit_ps, bool below)
{
    int64_t least = 0, most = engine->run.steps;

    while (least < most) {
        int64_t middle = least + (most - least + 1) / 2;
        wide_int span = span_ps(engine, middle);

        if (below ? span < limit_ps : span <= limit_ps)
            least = middle;
        else
            most = middle - 1;
    }
    return least;
}

wide_int
engine_until_ps(const struct engine_model *engine, usec at_us)
{
    return (wide_int)(at_us - engine->clock_us) * PS_PER_US - engine->clock_ps;
}

usec
engine_clock_up_us(const struct engine_model *engine)
{
    return engine->clock_us + (engine->clock_ps > 0);
}

static void
clock_add(struct engine_model *engine, wide_int ps)
{
    ps += engine->clock_ps;
    engine->clock_us += (usec)(ps / PS_PER_US);
    engine->clock_ps = (int64_t)(ps % PS_PER_US);
}

static void
busy_add(struct engine_model *engine, wide_int ps)
{
    ps += engine->busy_ps;
    engine->seen.busy_us += (usec)(ps / PS_PER_US);
    engine->busy_ps = (int64_t)(ps % PS_PER_US);
}

/* Running */

/* So many steps of the run are over, and the one behind them, if any, has begun. */
static void
pass(struct engine_model *engine, int64_t steps)
{
    struct run *run = &engine->run;
    wide_int span = span_ps(engine, steps);
    int64_t begun = steps < run->steps ? steps : steps - 1;
    int64_t need = begun / KV_BLOCK_TOKENS * engine->decoding;

    for (int64_t i = 1; i <= begun % KV_BLOCK_TOKENS; i++)
        need += engine->crossing[(engine->seen.steps + i) % KV_BLOCK_TOKENS];
    kv_cache_take(&engine->kv, need);
    clock_add(engine, span);
    busy_add(engine, span);
    engine->seen.steps += steps;
    engine->seen.generated_tokens += steps * engine->decoding;
    run->kv_tokens += steps * run->decoding;
    run->steps -= steps;
}

/* Between two steps: prompts that are complete begin to decode, and what is due becomes news. */
static void
look_around(struct engine_model *engine)
{
    while (timers_fire_one(&engine->due, engine->seen.steps))
        continue;
    LIST_EACH(&engine->filling, node, after)
    {
        struct engine_request *request = CONTAINER_OF(node, struct engine_request, queue);

        request->filled += request->chunk;
        request->chunk = 0;
        if (request->filled < request->prompt_tokens + request->produced)
            continue;
        list_remove(&request->queue);
        engine_begin_decoding(request);
    }
}

/* Nothing runs: on to the next arrival, if it is at or before that time. */
static bool
skip_idle(struct engine_model *engine, usec to_us)
{
    usec next_us = timers_next(&engine->arrivals);

    if (next_us == USEC_NEVER || next_us > to_us)
        return false;
    ENSURE(next_us > engine->clock_us);
    engine->clock_us = next_us;
    engine->clock_ps = 0;
    return true;
}

/* Goes on to that time, or to the first news. */
static void
go_on(struct engine_model *engine, usec to_us, bool to_the_news)
{
    while (!to_the_news || list_empty(&engine->news)) {
        int64_t steps;

        if (engine->run.steps == 0 && !engine_plan(engine)) {
            if (!skip_idle(engine, to_us))
                return;
            continue;
        }
        steps = engine_steps_within(engine, engine_until_ps(engine, to_us), false);
        if (steps == 0)
            return;
        pass(engine, steps);
        if (engine->run.steps == 0)
            look_around(engine);
    }
}

void
engine_advance(struct engine_model *engine, usec now_us)
{
    go_on(engine, now_us, true);
    while (!list_empty(&engine->news)) {
        struct list *first = list_first(&engine->news);
        struct engine_request *request = CONTAINER_OF(first, struct engine_request, news);

        list_remove(first);
        if (request->state == ENGINE_DONE)
            request->state = ENGINE_OUTSIDE;
        engine->tokens(request);
        go_on(engine, now_us, true);
    }
}

usec
engine_next_us(const struct engine_model *engine)
{
    wide_int end_ps;

    if (!list_empty(&engine->news))
        return engine_clock_up_us(engine);
    if (engine->run.steps == 0 && (engine->running_count != 0 || engine->waiting_count != 0))
        return engine_clock_up_us(engine); /* to be planned */
    if (engine->run.steps == 0)
        return timers_next(&engine->arrivals);
    end_ps = span_ps(engine, engine->run.steps) + engine->clock_ps;
    end_ps = (end_ps + PS_PER_US - 1) / PS_PER_US;
    return end_ps < USEC_NEVER - engine->clock_us ? engine->clock_us + (usec)end_ps : USEC_NEVER - 1;
}

/* Requests from outside */

int64_t
engine_context_most(const struct engine_model *engine)
{
    return engine->kv.blocks * KV_BLOCK_TOKENS;
}

enum status
engine_submit(struct engine_model *engine, struct engine_request *request, usec now_us)
{
    const struct engine_settings *settings = &engine->settings;
    uint64_t spread = (uint64_t)(settings->overhead_most_us - settings->overhead_least_us) + 1;
    usec ready_us = now_us + settings->overhead_least_us + (usec)rng_below(&engine->rng, spread);

    ENSURE(request->state == ENGINE_OUTSIDE && request->prompt_tokens >= 1 && request->output_tokens >= 1);
    if (request->prompt_tokens > engine_context_most(engine) ||
        request->output_tokens > engine_context_most(engine) - request->prompt_tokens) {
        engine->seen.too_long++;
        return ERR_LIMIT;
    }
    if (request->block_count != 0)
        request->held = must_alloc(request->block_count * sizeof *request->held);
    request->engine = engine;
    request->arrival.fire = engine_on_arrival;
    request->due.fire = engine_on_due;
    request->state = ENGINE_ARRIVING;
    timers_start(&engine->arrivals, &request->arrival, ready_us);
    engine->arriving++;
    engine_cut_for_arrival(engine, ready_us);
    return OK;
}

void
engine_cancel(struct engine_model *engine, struct engine_request *request, usec now_us)
{
    go_on(engine, now_us, false);
    switch (request->state) {
    case ENGINE_OUTSIDE:
        return;
    case ENGINE_ARRIVING:
        timers_stop(&engine->arrivals, &request->arrival);
        engine->arriving--;
        break;
    case ENGINE_WAITING:
        list_remove(&request->queue);
        engine->waiting_count--;
        break;
    case ENGINE_FILLING:
    case ENGINE_DECODING:
        engine_stop_running(request, ENGINE_OUTSIDE);
        break;
    case ENGINE_DONE:
        break;
    }
    list_remove(&request->news);
    engine_be_over(request, ENGINE_OUTSIDE);
    if (engine->run.steps > 1)
        engine->run.steps = 1; /* the step behind this one is another */
}

void
engine_metrics(struct engine_model *engine, usec now_us, struct engine_metrics *out)
{
    go_on(engine, now_us, false);
    *out = engine->seen;
    out->running = engine->running_count;
    out->waiting = engine->waiting_count + engine->arriving;
    out->context_most = engine_context_most(engine);
    out->kv_blocks = engine->kv.blocks;
    out->kv_used = engine->kv.blocks - kv_cache_room(&engine->kv);
}

/* Life */

struct engine_model *
engine_new(const struct engine_settings *settings, engine_tokens *tokens)
{
    struct engine_model *engine = must_calloc(1, sizeof *engine);

    ENSURE(engine_settings_objection(settings) == NULL);
    engine->settings = *settings;
    engine->tokens = tokens;
    engine->delta_ps = engine_to_ps(settings->time.delta_us);
    engine->epsilon_ps = engine_to_ps(settings->time.epsilon_us);
    engine->gamma_ps = engine_to_ps(settings->time.gamma_us);
    engine->fixed_ps = engine_to_ps(settings->time.host_us);
    rng_seed(&engine->rng, settings->seed);
    kv_cache_init(&engine->kv, settings->kv_tokens / KV_BLOCK_TOKENS);
    timers_init(&engine->arrivals);
    timers_init(&engine->due);
    list_init(&engine->waiting);
    list_init(&engine->filling);
    list_init(&engine->running);
    list_init(&engine->news);
    return engine;
}

void
engine_free(struct engine_model *engine)
{
    ENSURE(engine->arriving == 0 && engine->waiting_count == 0 && engine->running_count == 0);
    ENSURE(list_empty(&engine->news) && kv_cache_room(&engine->kv) == engine->kv.blocks);
    kv_cache_free(&engine->kv);
    timers_free(&engine->arrivals);
    timers_free(&engine->due);
    free(engine);
}
