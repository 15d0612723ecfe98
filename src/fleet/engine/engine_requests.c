/* Requests of a modelled engine and their blocks: they decode, are told of, make way. */
#include "fleet/engine/engine_inside.h"

#include <stdlib.h>

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

void
engine_learn_blocks(struct engine_request *request, int64_t tokens)
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

    engine_learn_blocks(request, context);
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

void
engine_stop_running(struct engine_request *request, enum engine_state to)
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

void
engine_be_over(struct engine_request *request, enum engine_state to)
{
    free(request->held);
    request->held = NULL;
    request->state = to;
}

static void
add_news(struct engine_request *request)
{
    request->tokens = tokens_of(request);
    request->told_at_us = engine_clock_up_us(request->engine);
    if (!list_linked(&request->news))
        list_append(&request->engine->news, &request->news);
    if (request->tokens < request->output_tokens)
        return;
    engine_stop_running(request, ENGINE_DONE);
    engine_be_over(request, ENGINE_DONE);
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

void
engine_on_due(struct timer *timer)
{
    tell_or_wait(CONTAINER_OF(timer, struct engine_request, due));
}

void
engine_begin_decoding(struct engine_request *request)
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
