/* What a step of a modelled engine is made of: who decodes, whose prompt is filled, who comes in. */
#include "fleet/engine/engine_inside.h"

#include <math.h>

enum { SPARE_BLOCKS_PER = 100 };

void
engine_on_arrival(struct timer *timer)
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

    engine_stop_running(request, ENGINE_WAITING);
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
    engine_learn_blocks(request, request->filled + request->chunk);
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

void
engine_cut_for_arrival(struct engine_model *engine, usec ready_us)
{
    int64_t before;

    if (engine->run.steps <= 1 || !list_empty(&engine->waiting) ||
        engine->running_count >= engine->settings.sequences_most)
        return;
    before = engine_steps_within(engine, engine_until_ps(engine, ready_us), true);
    if (before + 1 < engine->run.steps)
        engine->run.steps = before + 1;
}

bool
engine_plan(struct engine_model *engine)
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
        .base_ps = engine->fixed_ps +
                   engine_to_ps(
                       hypot(engine->settings.time.alpha_us, engine->settings.time.beta_us * (double)load.new_tokens)) +
                   engine->epsilon_ps * load.attended + engine->gamma_ps * load.sequences,
        .kv_tokens = engine->context_at_birth + engine->decoding * engine->seen.steps,
        .decoding = engine->decoding,
    };
    if (load.sequences > engine->decoding || preempted)
        return true;
    engine->run.steps = steps_with_room(engine, timers_next(&engine->due) - engine->seen.steps);
    if (engine->arriving != 0)
        engine_cut_for_arrival(engine, timers_next(&engine->arrivals));
    return true;
}
