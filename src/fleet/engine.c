#include "fleet/engine.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "base/usd.h"
#include "fleet/kv_cache.h"

enum { PS_PER_US = 1000000, SPARE_BLOCKS_PER = 100 };

/* Steps that follow each other with nothing but decoding, or one step with whatever is in it. The first is under way. */
struct run {
    int64_t steps;     /* left, 0: none */
    wide_int base_ps;  /* of each step, all but what the contexts add */
    int64_t kv_tokens; /* of the first */
    int64_t decoding;  /* tokens by which kv_tokens grows from step to step */
};

/* Invariant: a request is on `waiting` (WAITING), or on `filling` and `running` (FILLING), or on `running` and among
 * `due` (DECODING). Blocks are taken up to and with the step under way. */
struct engine_model {
    struct engine_settings settings;
    engine_tokens *tokens;
    struct rng rng;
    struct kv_cache kv;
    wide_int delta_ps, epsilon_ps, fixed_ps, gamma_ps;

    struct timers arrivals; /* by when they reach the queue */
    unsigned arriving;
    struct list waiting, filling, running; /* running: the latest to come in at the end */
    unsigned waiting_count, running_count;

    struct timers due;                  /* decoding requests, by the number of the step that brings news of them */
    int64_t decoding;                   /* how many there are */
    int64_t context_at_birth;           /* over them: prompt tokens - born_step */
    unsigned crossing[KV_BLOCK_TOKENS]; /* how many need a new block in a step, by steps done before it, modulo 16 */

    usec clock_us; /* where the run began: clock_us + clock_ps */
    int64_t clock_ps;
    struct run run;
    int64_t busy_ps; /* what busy_us lacks */
    struct list news;
    struct engine_metrics seen; /* its counters; the rest is filled in when asked for */
};

/* Time */

static wide_int
to_ps(double us)
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

/* How many steps of the run are over after that long: the most whose time is at most (or, `below`, less than) it. */
static int64_t
steps_within(const struct engine_model *engine, wide_int limit_ps, bool below)
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

static wide_int
until_ps(const struct engine_model *engine, usec at_us)
{
    return (wide_int)(at_us - engine->clock_us) * PS_PER_US - engine->clock_ps;
}

static usec
clock_up_us(const struct engine_model *engine)
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

/* Requests and their blocks */

static int64_t
tokens_of(const struct engine_request *request)
{
    return request->state == ENGINE_DECODING ? request->engine->seen.steps - request->born_step : request->produced;
}

/* The step before which it needs a new block: when its context so far fills the last one. */
static unsigned *
crossing_of(const struct engine_request *request)
{
    int64_t step = (request->born_step + 1 - request->prompt_tokens) % KV_BLOCK_TOKENS;

    return &request->engine->crossing[(step + KV_BLOCK_TOKENS) % KV_BLOCK_TOKENS];
}

/* Tokens that a running request has computed, and those in the step under way. */
static int64_t
context_of(const struct engine_request *request)
{
    if (request->state == ENGINE_FILLING)
        return request->filled + request->chunk;
    return request->prompt_tokens + tokens_of(request) - 1 + (request->engine->run.steps != 0);
}

/* The cache gets to know its blocks up to so many tokens. */
static void
learn_blocks(struct engine_request *request, int64_t tokens)
{
    for (; request->learned < request->block_count && (int64_t)request->learned < tokens / KV_BLOCK_TOKENS;
         request->learned++)
        if (kv_cache_learn(&request->engine->kv, request->block_hashes[request->learned],
                           &request->held[request->held_count]))
            request->held_count++;
}

static void
release_blocks(struct engine_request *request)
{
    int64_t context = context_of(request);
    int64_t blocks =
        kv_cache_blocks_for(request->state == ENGINE_FILLING ? request->prompt_tokens + request->produced : context);

    learn_blocks(request, context);
    kv_cache_give_back(&request->engine->kv, request->held, request->held_count, blocks - (int64_t)request->held_count);
    request->held_count = request->learned = 0;
}

static void
stop_decoding(struct engine_request *request)
{
    struct engine_model *engine = request->engine;

    timers_stop(&engine->due, &request->due);
    engine->decoding--;
    engine->context_at_birth -= request->prompt_tokens - request->born_step;
    (*crossing_of(request))--;
}

/* Out of the running ones, without blocks; its tokens so far are kept. */
static void
stop_running(struct engine_request *request, enum engine_state to)
{
    int64_t produced = tokens_of(request);

    ENSURE(request->state == ENGINE_FILLING || request->state == ENGINE_DECODING);
    release_blocks(request);
    if (request->state == ENGINE_DECODING)
        stop_decoding(request);
    list_remove(&request->queue);
    list_remove(&request->order);
    request->engine->running_count--;
    request->filled = request->chunk = 0;
    request->produced = produced;
    request->state = to;
}

static void
be_over(struct engine_request *request, enum engine_state to)
{
    free(request->held);
    request->held = NULL;
    request->state = to;
}

static void
add_news(struct engine_request *request)
{
    request->tokens = tokens_of(request);
    request->told_at_us = clock_up_us(request->engine);
    if (!list_linked(&request->news))
        list_append(&request->engine->news, &request->news);
    if (request->tokens < request->output_tokens)
        return;
    stop_running(request, ENGINE_DONE);
    be_over(request, ENGINE_DONE);
    request->engine->seen.requests++;
}

/* The number of tokens that is next to be told of. */
static int64_t
next_to_tell(const struct engine_request *request)
{
    if (request->tokens == 0)
        return 1;
    if (request->interval > 0 && request->interval < request->output_tokens - request->tokens)
        return request->tokens + request->interval;
    return request->output_tokens;
}

/* It decodes and has one token more than before. */
static void
tell_or_wait(struct engine_request *request)
{
    if (tokens_of(request) >= next_to_tell(request))
        add_news(request);
    if (request->state == ENGINE_DECODING)
        timers_start(&request->engine->due, &request->due, request->born_step + next_to_tell(request));
}

static void
on_due(struct timer *timer)
{
    tell_or_wait(CONTAINER_OF(timer, struct engine_request, due));
}

/* Its prompt, and what it had produced before, is computed: there is one token more. */
static void
begin_decoding(struct engine_request *request)
{
    struct engine_model *engine = request->engine;

    if (request->produced == 0)
        engine->seen.prompt_tokens += request->prompt_tokens;
    engine->seen.generated_tokens++;
    request->state = ENGINE_DECODING;
    request->born_step = engine->seen.steps - request->produced - 1;
    engine->decoding++;
    engine->context_at_birth += request->prompt_tokens - request->born_step;
    (*crossing_of(request))++;
    tell_or_wait(request);
}

/* Planning a step */

static void
on_arrival(struct timer *timer)
{
    struct engine_request *request = CONTAINER_OF(timer, struct engine_request, arrival);
    struct engine_model *engine = request->engine;

    request->state = ENGINE_WAITING;
    list_append(&engine->waiting, &request->queue);
    engine->arriving--;
    engine->waiting_count++;
}

static void
preempt(struct engine_request *request)
{
    struct engine_model *engine = request->engine;

    stop_running(request, ENGINE_WAITING);
    list_append(engine->waiting.next, &request->queue); /* before the first: in front of all */
    engine->waiting_count++;
    engine->seen.preemptions++;
    request->preemptions++;
}

/* Blocks for the next token of all that decode; true if somebody had to make way. */
static bool
make_room(struct engine_model *engine)
{
    const unsigned *need = &engine->crossing[engine->seen.steps % KV_BLOCK_TOKENS];
    bool preempted = false;

    while (*need > kv_cache_room(&engine->kv)) {
        preempt(CONTAINER_OF(engine->running.prev, struct engine_request, order));
        preempted = true;
    }
    kv_cache_take(&engine->kv, *need);
    return preempted;
}

static void
fill(struct engine_request *request, struct step_load *load, int64_t *budget)
{
    int64_t left = request->prompt_tokens + request->produced - request->filled;

    request->chunk = left < *budget ? left : *budget;
    *budget -= request->chunk;
    load->new_tokens += request->chunk;
    load->attended += step_attended(request->filled, request->chunk);
    load->sequences++;
    learn_blocks(request, request->filled + request->chunk);
}

/* Takes the blocks for a request at the head of the queue; false if they are not there. */
static bool
come_in(struct engine_model *engine, struct engine_request *request)
{
    int64_t tokens = request->prompt_tokens + request->produced, idle = 0;
    size_t most = (size_t)((tokens - 1) / KV_BLOCK_TOKENS);
    size_t found = kv_cache_match(&engine->kv, request->block_hashes,
                                  request->block_count < most ? request->block_count : most, &idle);
    int64_t need = kv_cache_blocks_for(tokens) - (int64_t)found;
    int64_t spare = engine->running_count != 0 ? engine->kv.blocks / SPARE_BLOCKS_PER : 0;

    if (need + spare > kv_cache_room(&engine->kv) - idle)
        return false;
    kv_cache_hold(&engine->kv, request->block_hashes, found, request->held);
    kv_cache_take(&engine->kv, need);
    request->held_count = request->learned = found;
    request->filled = (int64_t)found * KV_BLOCK_TOKENS;
    if (request->preemptions == 0) {
        request->cached_tokens = request->filled;
        engine->seen.prefix_asked += request->prompt_tokens;
        engine->seen.prefix_found += request->filled;
    }
    list_remove(&request->queue);
    list_append(&engine->filling, &request->queue);
    list_append(&engine->running, &request->order);
    engine->waiting_count--;
    engine->running_count++;
    request->state = ENGINE_FILLING;
    return true;
}

static void
fill_waiting(struct engine_model *engine, struct step_load *load, int64_t *budget)
{
    while (!list_empty(&engine->waiting) && *budget > 0 && engine->running_count < engine->settings.sequences_most) {
        struct engine_request *first = CONTAINER_OF(list_first(&engine->waiting), struct engine_request, queue);

        if (!come_in(engine, first))
            return;
        fill(first, load, budget);
    }
}

/* For how many steps there are blocks, at most `most`. The first has its own. */
static int64_t
steps_with_room(const struct engine_model *engine, int64_t most)
{
    int64_t room = kv_cache_room(&engine->kv), steps = 1;

    if (room / engine->decoding >= most / KV_BLOCK_TOKENS + 1)
        return most;
    steps += room / engine->decoding * KV_BLOCK_TOKENS; /* every 16 steps each one needs a block */
    room %= engine->decoding;
    while (steps < most && engine->crossing[(engine->seen.steps + steps) % KV_BLOCK_TOKENS] <= room)
        room -= engine->crossing[(engine->seen.steps + steps++) % KV_BLOCK_TOKENS];
    return steps < most ? steps : most;
}

/* Cuts the run where a request that arrives then could come in. */
static void
cut_for_arrival(struct engine_model *engine, usec ready_us)
{
    int64_t before;

    if (engine->run.steps <= 1 || !list_empty(&engine->waiting) ||
        engine->running_count >= engine->settings.sequences_most)
        return;
    before = steps_within(engine, until_ps(engine, ready_us), true);
    if (before + 1 < engine->run.steps)
        engine->run.steps = before + 1;
}

/* Decides what is in the next step, and in how many the same; false if there is nothing to do. */
static bool
plan(struct engine_model *engine)
{
    struct step_load load = {0};
    int64_t budget = engine->settings.step_tokens_most;
    bool preempted;

    ENSURE(engine->run.steps == 0);
    while (timers_fire_one(&engine->arrivals, engine->clock_us))
        continue;
    preempted = make_room(engine);
    load.new_tokens = load.sequences = engine->decoding;
    budget -= engine->decoding;
    LIST_EACH(&engine->filling, node, after)
    {
        if (budget > 0)
            fill(CONTAINER_OF(node, struct engine_request, queue), &load, &budget);
    }
    if (!preempted)
        fill_waiting(engine, &load, &budget);
    if (load.sequences == 0)
        return false;
    engine->run = (struct run){
        .steps = 1,
        .base_ps =
            engine->fixed_ps +
            to_ps(hypot(engine->settings.time.alpha_us, engine->settings.time.beta_us * (double)load.new_tokens)) +
            engine->epsilon_ps * load.attended + engine->gamma_ps * load.sequences,
        .kv_tokens = engine->context_at_birth + engine->decoding * engine->seen.steps,
        .decoding = engine->decoding,
    };
    if (load.sequences > engine->decoding || preempted)
        return true;
    engine->run.steps = steps_with_room(engine, timers_next(&engine->due) - engine->seen.steps);
    if (engine->arriving != 0)
        cut_for_arrival(engine, timers_next(&engine->arrivals));
    return true;
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
        begin_decoding(request);
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

        if (engine->run.steps == 0 && !plan(engine)) {
            if (!skip_idle(engine, to_us))
                return;
            continue;
        }
        steps = steps_within(engine, until_ps(engine, to_us), false);
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
        return clock_up_us(engine);
    if (engine->run.steps == 0 && (engine->running_count != 0 || engine->waiting_count != 0))
        return clock_up_us(engine); /* to be planned */
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
    request->arrival.fire = on_arrival;
    request->due.fire = on_due;
    request->state = ENGINE_ARRIVING;
    timers_start(&engine->arrivals, &request->arrival, ready_us);
    engine->arriving++;
    cut_for_arrival(engine, ready_us);
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
        stop_running(request, ENGINE_OUTSIDE);
        break;
    case ENGINE_DONE:
        break;
    }
    list_remove(&request->news);
    be_over(request, ENGINE_OUTSIDE);
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
    engine->delta_ps = to_ps(settings->time.delta_us);
    engine->epsilon_ps = to_ps(settings->time.epsilon_us);
    engine->gamma_ps = to_ps(settings->time.gamma_us);
    engine->fixed_ps = to_ps(settings->time.host_us);
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
