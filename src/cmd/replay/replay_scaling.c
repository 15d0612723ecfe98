#include "cmd/replay/replay_scaling.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmd/cmd.h"
#include "cmd/interrupt.h"
#include "cmd/replay/replay_engines.h"
#include "cmd/replay/replay_run.h"
#include "fleet/capacity/capacity.h"
#include "fleet/capacity/pool_size.h"
#include "gateway/watch/sizer_rules.h"

/* What is tried; of each scaler the cheapest that is enough is told. */
static const double targets[] = {1, 2, 4, 6, 8, 12, 16, 24};
static const double factors[] = {0.8, 0.9, 1, 1.1, 1.25};

/* Below that a static fleet is not worth a line, and beyond the other no further one is worth trying. */
static const double HARDLY = 0.5, NEARLY_ALL = 0.9999;

struct fleets {
    const struct replay_wanted *wanted;
    struct replay_comparison *comparison;
    struct config *config;
    struct backend_config *pool;
    struct carried *requests;
    struct scaling_traffic traffic;
    unsigned played; /* for the progress */
};

/* What is played */

static void
take_cold_start(struct fleets *fleets)
{
    const struct backend_config *pool = fleets->pool;

    fleets->traffic.cold_us = CAPACITY_COLD_START_US;
    if (pool->replicas.given && pool->replicas.cold_start_us > 0)
        fleets->traffic.cold_us = pool->replicas.cold_start_us;
    if (fleets->wanted->said.cold_start != NULL)
        fleets->traffic.cold_us = fleets->wanted->cold_start_us;
}

static bool
is_start_fine(const struct fleets *fleets)
{
    const struct scaling_traffic *traffic = &fleets->traffic;
    unsigned start = fleets->wanted->sizes.counts[0];

    if (fleets->wanted->sizes.count == 0 || (start >= traffic->least && start <= traffic->most))
        return true;
    cmd_complain("replay: --replicas %u: %s may have %u to %u replicas (`replicas: { min, max }`).", start,
                 fleets->pool->name, traffic->least, traffic->most);
    return false;
}

static int
open_pool(struct fleets *fleets)
{
    struct replay_settings settings = fleets->wanted->settings;
    const struct engine_pair *pair;
    struct pool_rules rules;
    int exit_status;

    settings.replicas = settings.config_file == NULL ? 1 : 0;
    exit_status = replay_config_load(&settings, &fleets->config);
    if (exit_status != CMD_FINE)
        return exit_status;
    fleets->pool = replay_pool_find(fleets->config, settings.pool);
    if (fleets->pool == NULL)
        return CMD_USAGE;
    pair = replay_engines_pair(fleets->pool, settings.engine, &exit_status);
    if (exit_status != CMD_FINE)
        return exit_status;
    ENSURE(pair != NULL); /* a pool is no API */
    engine_settings_of(pair, &fleets->traffic.engine);
    fleets->traffic.engine.seed = settings.seed;
    rules = sizer_rules(fleets->config, fleets->pool);
    fleets->traffic.limits = rules.limits;
    fleets->traffic.least = fleets->pool->replicas.given ? rules.least : 1;
    fleets->traffic.most =
        fleets->pool->replicas.given && rules.most < REPLAY_REPLICAS_MOST ? rules.most : REPLAY_REPLICAS_MOST;
    take_cold_start(fleets);
    if (!is_start_fine(fleets))
        return CMD_USAGE;
    if (rules.limits.first_token_us != USEC_NEVER || rules.limits.total_us != USEC_NEVER)
        return CMD_FINE;
    cmd_complain(
        "replay: --scaling: no route of %s has limits (`acceptable: first_token`, `total`), so no fleet can be said "
        "to be enough; or say --first-token 1s.",
        fleets->pool->name);
    return CMD_USAGE;
}

static int64_t
at_least_one(int64_t tokens)
{
    return tokens > 0 ? tokens : 1;
}

static void
take_request(struct fleets *fleets, const struct trace_request *request, size_t *size)
{
    struct scaling_traffic *traffic = &fleets->traffic;

    if (traffic->count == *size) {
        *size = *size > 0 ? 2 * *size : 65536;
        fleets->requests = must_realloc(fleets->requests, *size * sizeof(*fleets->requests));
    }
    fleets->requests[traffic->count++] = (struct carried){
        request->at_us, {at_least_one(request->input_tokens), 0, at_least_one(request->output_tokens)}};
}

static int
read_requests(struct fleets *fleets, const char *path)
{
    struct replay_trace trace;
    struct trace_request request;
    int exit_status = replay_trace_open(&trace, path, &fleets->wanted->trace);
    enum status status = ERR_NOT_FOUND;
    size_t size = 0;

    while (exit_status == CMD_FINE && (status = trace_next(trace.trace, &request)) == OK)
        take_request(fleets, &request, &size);
    if (exit_status == CMD_FINE && status != ERR_NOT_FOUND) {
        replay_trace_complain(&trace);
        exit_status = CMD_FAILED;
    }
    if (exit_status == CMD_FINE && fleets->traffic.count == 0) {
        replay_trace_say_empty(&trace);
        exit_status = CMD_FAILED;
    }
    if (exit_status == CMD_FINE && fleets->traffic.learn_us > fleets->requests[fleets->traffic.count - 1].at_us) {
        cmd_complain("replay: --learn leaves no request to be counted.");
        exit_status = CMD_FAILED;
    }
    if (exit_status == CMD_FINE) {
        fleets->comparison->format = trace_format(trace.trace);
        fleets->traffic.requests = fleets->requests;
        fleets->traffic.end_us = fleets->requests[fleets->traffic.count - 1].at_us;
    }
    replay_trace_close(&trace);
    return exit_status;
}

/* How sure to be, as costs say it: what the gateway would find out from the same requests. */
static void
take_goal(struct fleets *fleets)
{
    struct scaling_traffic *traffic = &fleets->traffic;
    struct pool_study study = {.carry = traffic->carry};
    double count = (double)traffic->count;
    usec wall_us = fleets->wanted->settings.wall_us;

    for (size_t i = 0; i < traffic->count; i++) {
        const struct request_size *size = &traffic->requests[i].size;
        struct request_work work = demand_work(&traffic->engine, size);

        study.work_us += (work.prompt_us + work.output_us) / count;
        study.prompt_tokens += (double)size->prompt_tokens / count;
        study.output_tokens += (double)size->output_tokens / count;
    }
    if (wall_us == 0 && clock_parse_utc(slice_of(prices_builtin_date()), &wall_us) != OK)
        wall_us = 0;
    traffic->goal = sizer_goal(fleets->config, fleets->pool, &study, wall_us);
}

/* One run */

static void
fill(const struct fleets *fleets, const struct scaling_outcome *from, struct replay_outcome *out)
{
    usd hour = fleets->pool->usd_per_hour;

    *out = (struct replay_outcome){.requests = from->requests,
                                   .ok = from->answered,
                                   .limited = from->requests,
                                   .within = from->within,
                                   .beyond = from->beyond,
                                   .tokens = from->tokens,
                                   .engines = from->most,
                                   .engine_hours = (double)from->replica_us / (3600.0 * USEC_PER_S),
                                   .engines_priced = usd_known(hour),
                                   .busy = NAN};
    out->summary.first_token = (struct quantiles){
        .count = from->answered, .p50 = from->first_p50_us, .p99 = from->first_p99_us, .mean = from->first_mean_us};
    if (usd_known(hour))
        out->paid = out->engines_cost = (wide_int)from->replica_us * hour / (3600 * USEC_PER_S);
}

/* "in_flight 4" */
static void
name_run(enum scaler scaler, double knob, struct replay_variant *out)
{
    out->scaler = scaler_name(scaler);
    out->knob = knob;
    if (scaler == SCALER_CAPACITY)
        snprintf(out->name, sizeof(out->name), "%s", out->scaler);
    else
        snprintf(out->name, sizeof(out->name), "%s %g", out->scaler, knob);
}

static bool
is_stopped(struct fleets *fleets, const char *next)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%60s\r%u played, now %s", "", fleets->played, next);
    fleets->comparison->interrupted |= interrupt_within(0);
    return fleets->comparison->interrupted;
}

/* False: the user has stopped it. */
static bool
run(struct fleets *fleets, enum scaler scaler, double knob, struct replay_variant *out)
{
    struct scaling_outcome outcome;

    *out = (struct replay_variant){.settings = fleets->wanted->settings, .played = true, .whole = true};
    name_run(scaler, knob, out);
    if (is_stopped(fleets, out->name))
        return false;
    out->bound = scaler == SCALER_ORACLE;
    outcome = scaling_play(&fleets->traffic, scaler, knob);
    fill(fleets, &outcome, &out->outcome);
    fleets->played++;
    return true;
}

static void
keep(struct fleets *fleets, const struct replay_variant *variant)
{
    struct replay_comparison *comparison = fleets->comparison;

    ENSURE(comparison->count < REPLAY_VARIANTS_MOST);
    comparison->variants[comparison->count++] = *variant;
}

/* All that is tried */

static bool
is_wanted(const struct fleets *fleets, enum scaler scaler)
{
    return fleets->wanted->scalers[scaler];
}

/* From the least number on, until twice as many as are enough or hardly any is late. Changing fleets begin with what is just
 * enough, which nobody knows beforehand, unless they are told. */
static void
try_static(struct fleets *fleets)
{
    struct replay_variant *variant = must_calloc(1, sizeof(*variant));
    struct scaling_traffic *traffic = &fleets->traffic;
    unsigned enough = 0;

    for (unsigned count = traffic->least; count <= traffic->most; count++) {
        double share;

        if (!run(fleets, SCALER_STATIC, count, variant))
            break;
        share = replay_attained(&variant->outcome);
        if (!(share >= HARDLY) && count < traffic->most)
            continue;
        if (is_wanted(fleets, SCALER_STATIC))
            keep(fleets, variant);
        if (enough == 0 && replay_attains(&variant->outcome, fleets->comparison->attain_ppm))
            enough = count;
        if (share >= NEARLY_ALL || (enough != 0 && count >= 2 * enough))
            break;
    }
    traffic->start = enough != 0 ? enough : traffic->most;
    free(variant);
}

static void
try_each(struct fleets *fleets, enum scaler scaler, const double *knobs, size_t count)
{
    struct replay_variant *variant = must_calloc(1, sizeof(*variant));

    for (size_t i = 0; i < count && is_wanted(fleets, scaler) && run(fleets, scaler, knobs[i], variant); i++)
        keep(fleets, variant);
    free(variant);
}

/* Through the gateway: its own sizer decides, and what it shares out by whom it finds (replay_fleet.h). */

static int
play_world(struct fleets *fleets, struct replay_world *world, struct replay_trace *trace, struct replay_variant *out)
{
    struct replay_fleet *fleet = replay_fleet_new(world, fleets->pool->index);
    int exit_status = CMD_FINE;

    fleets->comparison->interrupted |= replay_run(world, trace, out->name);
    if (world->trace_status != OK && world->trace_status != ERR_NOT_FOUND) {
        replay_trace_complain(trace);
        exit_status = CMD_FAILED;
    }
    replay_outcome_take(world, fleet, &out->outcome);
    replay_fleet_free(fleet);
    return exit_status;
}

static int
play_gateway(struct fleets *fleets, struct replay_variant *out)
{
    struct replay_world *world = must_calloc(1, sizeof(*world));
    struct replay_trace trace;
    int exit_status = replay_trace_open(&trace, fleets->wanted->path, &fleets->wanted->trace);

    if (exit_status == CMD_FINE)
        exit_status = replay_world_new(world, &out->settings, trace.trace);
    if (exit_status == CMD_FINE)
        exit_status = play_world(fleets, world, &trace, out);
    replay_world_free(world);
    replay_trace_close(&trace);
    free(world);
    return exit_status;
}

static int
try_gateway(struct fleets *fleets)
{
    struct replay_variant *variant = must_calloc(1, sizeof(*variant));
    int exit_status = CMD_FINE;

    *variant = (struct replay_variant){.name = REPLAY_BY_GATEWAY,
                                       .scaler = REPLAY_BY_GATEWAY,
                                       .settings = fleets->wanted->settings,
                                       .played = true,
                                       .whole = true};
    variant->settings.replicas = REPLAY_REPLICAS_MOST;
    variant->settings.changes = (struct replay_changes){.start = fleets->traffic.start,
                                                        .least = fleets->traffic.least,
                                                        .most = fleets->traffic.most,
                                                        .cold_us = fleets->traffic.cold_us,
                                                        .learn_us = fleets->traffic.learn_us};
    if (fleets->wanted->by_gateway && !is_stopped(fleets, variant->name)) {
        exit_status = play_gateway(fleets, variant);
        variant->settings = fleets->wanted->settings;
        variant->whole = !fleets->comparison->interrupted;
        fleets->played++;
        keep(fleets, variant);
    }
    free(variant);
    return exit_status;
}

/* Of each scaler one run is told: the cheapest that is enough, else the one that comes nearest. */
static void
choose(struct replay_comparison *comparison, const char *scaler)
{
    struct replay_variant *best = NULL;

    for (size_t i = 0; i < comparison->count; i++) {
        struct replay_variant *variant = &comparison->variants[i];

        if (variant->scaler != scaler)
            continue;
        variant->tried = true;
        if (best == NULL || replay_is_better(comparison, &variant->outcome, &best->outcome))
            best = variant;
    }
    if (best != NULL)
        best->tried = false;
}

static int
try_all(struct fleets *fleets)
{
    static const double none[] = {0};
    struct scaling_traffic *traffic = &fleets->traffic;

    if (is_wanted(fleets, SCALER_STATIC) || fleets->wanted->sizes.count == 0)
        try_static(fleets);
    if (fleets->wanted->sizes.count > 0)
        traffic->start = fleets->wanted->sizes.counts[0];
    if (fleets->comparison->interrupted)
        return CMD_FINE;
    scaling_learn(traffic);
    take_goal(fleets);
    try_each(fleets, SCALER_IN_FLIGHT, targets, sizeof(targets) / sizeof(targets[0]));
    try_each(fleets, SCALER_CAPACITY, none, 1);
    try_each(fleets, SCALER_ORACLE, factors, sizeof(factors) / sizeof(factors[0]));
    return try_gateway(fleets);
}

int
replay_scaling_play(const struct replay_wanted *wanted, struct replay_comparison *comparison)
{
    struct fleets fleets = {.wanted = wanted, .comparison = comparison, .traffic = {.learn_us = wanted->learn_us}};
    int exit_status = open_pool(&fleets);

    comparison->pooled = -1;
    if (exit_status == CMD_FINE)
        exit_status = read_requests(&fleets, wanted->path);
    if (exit_status == CMD_FINE) {
        comparison->cold_us = fleets.traffic.cold_us;
        exit_status = try_all(&fleets);
        for (enum scaler scaler = 0; scaler < SCALER_COUNT; scaler++)
            choose(comparison, scaler_name(scaler));
        if (isatty(STDERR_FILENO))
            fprintf(stderr, "\r%60s\r", "");
    }
    config_release(fleets.config);
    free(fleets.requests);
    return exit_status;
}
