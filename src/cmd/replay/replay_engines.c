#include "cmd/replay/replay_engines.h"

#include <stdlib.h>

#include "base/rng.h"
#include "cmd/cmd.h"
#include "fleet/engine/carry.h"
#include "twin/twin.h"
#include "virtual/vbackend.h"

const char *const REPLAY_ENGINE_USUAL = "h100-llama-3.1-8b";

struct replay_engine {
    struct vbackend *place;
    struct twin *twin;
    struct application *application;
    unsigned model_count;
};

/* A hosted API never fills up. */
enum { HOSTED_SEQUENCES = 1 << 20, HOSTED_KV_TOKENS = 1 << 30 };

/* A stream's first token comes by itself, then an event brings so many: the times of the first and the last token are those
 * of single tokens, and what meters a stream on its way looks often enough. */
enum { STREAM_INTERVAL = 8 };

void
replay_engines_list(struct buffer *out)
{
    const struct engine_pair *pair;

    for (size_t i = 0; (pair = engine_pair_at(i)) != NULL; i++)
        buffer_printf(out, "  %-24s %s\n", pair->name, pair->words);
}

static const struct engine_pair *
find_pair(const char *name, const char *whose)
{
    const struct engine_pair *pair = engine_pair_find(slice_of(name));
    struct buffer known = {0};

    if (pair != NULL)
        return pair;
    replay_engines_list(&known);
    cmd_complain("replay: %s: there is no modelled engine '%s'. There are:\n%.*s", whose, name,
                 (int)buffer_len(&known) - 1, known.data);
    buffer_free(&known);
    return NULL;
}

bool
replay_engines_know(const char *name)
{
    return find_pair(name, "--engine") != NULL;
}

const struct engine_pair *
replay_engines_pair(const struct backend_config *backend, const char *usual, int *exit_status)
{
    const struct engine_pair *pair = NULL;

    *exit_status = CMD_FINE;
    if (backend->engine_model != NULL) {
        pair = find_pair(backend->engine_model, backend->name);
        *exit_status = pair != NULL ? CMD_FINE : CMD_CONFIG;
    } else if (backend->engine != ENGINE_HOSTED || usd_known(backend->usd_per_hour)) {
        pair = find_pair(usual, "--engine");
        ENSURE(pair != NULL);
    }
    return pair;
}

/* A step is a token of everybody's: what is the same for all is the constant pace. */
static struct engine_settings
hosted_engine(void)
{
    return (struct engine_settings){
        .time = {.alpha_us = (double)REPLAY_HOSTED_TOKEN_US},
        .sequences_most = HOSTED_SEQUENCES,
        .step_tokens_most = HOSTED_KV_TOKENS,
        .kv_tokens = HOSTED_KV_TOKENS,
        .overhead_least_us = REPLAY_HOSTED_FIRST_US - 2 * REPLAY_HOSTED_TOKEN_US,
        .overhead_most_us = REPLAY_HOSTED_FIRST_US - REPLAY_HOSTED_TOKEN_US,
    };
}

/* The models */

static bool
has_model(const struct twin_settings *settings, const char *name)
{
    for (unsigned i = 0; i < settings->model_count; i++)
        if (strcmp(settings->models[i].name, name) == 0)
            return true;
    return false;
}

static void
add_model(struct twin_settings *settings, const char *name, const struct engine_settings *engine)
{
    if (settings->model_count < TWIN_MODELS_MOST && !has_model(settings, name))
        settings->models[settings->model_count++] =
            (struct twin_model){.name = name, .ability = TWIN_ABILITY_LARGE, .engine = *engine};
}

static void
add_target(struct twin_settings *settings, const struct target *target, const struct backend_config *backend,
           const struct engine_settings *engine)
{
    if (target->backend == backend)
        add_model(settings, target->upstream, engine);
}

/* Those that routes may send to. */
static void
add_models(struct twin_settings *settings, const struct config *config, const struct backend_config *backend,
           const struct engine_settings *engine)
{
    settings->model_count = 0;
    for (size_t i = 0; i < config->route_count; i++) {
        const struct route_config *route = &config->routes[i];

        add_target(settings, &route->reference, backend, engine);
        for (size_t k = 0; k < route->candidate_count; k++)
            add_target(settings, &route->candidates[k], backend, engine);
    }
}

/* The cast */

static void
start_cast(struct replay_cast *cast, struct history *history, const struct config *config,
           const struct backend_config *backend, uint64_t seed)
{
    struct engine_settings engine = hosted_engine();
    struct twin_settings settings;

    if (cast->pair != NULL)
        engine_settings_of(cast->pair, &engine);
    twin_settings_default(&settings, (struct twin_pace){0, 0});
    add_models(&settings, config, backend, &engine);
    settings.stream_interval = STREAM_INTERVAL;
    if (settings.model_count == 0)
        return;
    cast->engines = must_calloc(backend->endpoint_count, sizeof(cast->engines[0]));
    cast->engine_count = backend->endpoint_count;
    for (size_t i = 0; i < backend->endpoint_count; i++) {
        struct vbackend *vbackend = vbackend_new(history, &backend->endpoints[i], backend->name);

        cast->engines[i].place = vbackend;
        settings.seed = rng_mix(seed ^ rng_mix(backend->index * 1000 + i));
        cast->engines[i].twin = twin_new(&settings);
        cast->engines[i].application = twin_worker_new(cast->engines[i].twin, history_world_apart(history));
        cast->engines[i].model_count = settings.model_count;
        vbackend_is_application(vbackend, cast->engines[i].application);
    }
}

int
replay_engines_start(struct replay_engines *engines, struct history *history, const struct config *config,
                     const char *usual, uint64_t seed)
{
    engines->casts = must_calloc(config->backend_count + 1, sizeof(engines->casts[0]));
    engines->count = config->backend_count;
    for (size_t i = 0; i < config->backend_count; i++) {
        int exit_status;

        engines->casts[i].pair = replay_engines_pair(&config->backends[i], usual, &exit_status);
        if (exit_status != CMD_FINE)
            return exit_status;
        start_cast(&engines->casts[i], history, config, &config->backends[i], seed);
    }
    return CMD_FINE;
}

void
replay_engines_free(struct replay_engines *engines)
{
    for (size_t i = 0; i < engines->count; i++) {
        struct replay_cast *cast = &engines->casts[i];

        for (size_t k = 0; k < cast->engine_count; k++) {
            twin_worker_free(cast->engines[k].application);
            twin_free(cast->engines[k].twin);
        }
        free(cast->engines);
    }
    free(engines->casts);
}

void
replay_engine_refuses(const struct replay_cast *cast, size_t engine, bool refuses)
{
    ENSURE(engine < cast->engine_count);
    vbackend_set_refusing(cast->engines[engine].place, refuses);
}

/* What could be */

static bool
target_could(const struct replay_engines *engines, const struct target *target, const struct request_limits *limits,
             const struct request_size *size)
{
    const struct engine_pair *pair = target->backend != NULL ? engines->casts[target->backend->index].pair : NULL;
    struct engine_settings settings;

    if (pair == NULL)
        return true;
    engine_settings_of(pair, &settings);
    return carry_is_possible(&settings, limits, size);
}

bool
replay_engines_could(const struct replay_engines *engines, const struct route_config *route, const struct row *row)
{
    const struct request_limits limits = {row->streamed != 0 ? route->first_token_us : USEC_NEVER, route->total_us};
    const struct request_size size = {row->input_tokens, row->cache_read_tokens, row->output_tokens};

    if (target_could(engines, &route->reference, &limits, &size))
        return true;
    for (size_t i = 0; i < route->candidate_count; i++)
        if (target_could(engines, &route->candidates[i], &limits, &size))
            return true;
    return false;
}

/* What was done */

/* Adds what one engine did. */
static void
add_work(const struct replay_engine *engine, struct replay_work *work, usec *busy_us)
{
    int64_t requests = 0;

    for (unsigned i = 0; i < engine->model_count; i++) {
        struct engine_metrics metrics;

        twin_engine_metrics(engine->application, i, &metrics);
        work->steps += metrics.steps;
        work->preemptions += metrics.preemptions;
        work->prefix_asked += metrics.prefix_asked;
        work->prefix_found += metrics.prefix_found;
        work->too_long += metrics.too_long;
        work->context_most = metrics.context_most;
        requests += metrics.requests;
        *busy_us += metrics.busy_us;
    }
    work->requests_least = requests < work->requests_least ? requests : work->requests_least;
    work->requests_most = requests > work->requests_most ? requests : work->requests_most;
}

struct replay_work
replay_engines_work(const struct replay_cast *cast, usec span_us)
{
    struct replay_work work = {.requests_least = INT64_MAX};
    usec busy_us = 0;

    for (size_t i = 0; i < cast->engine_count; i++)
        add_work(&cast->engines[i], &work, &busy_us);
    if (cast->engine_count == 0)
        work.requests_least = 0;
    else if (span_us > 0)
        work.busy = (double)busy_us / (double)span_us / (double)cast->engine_count;
    return work;
}
