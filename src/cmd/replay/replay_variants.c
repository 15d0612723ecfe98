#include "cmd/replay/replay_variants.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/cmd.h"
#include "cmd/replay/replay_pooled.h"
#include "cmd/replay/replay_report.h"
#include "cmd/replay/replay_run.h"

void
replay_variant_add(struct replay_comparison *comparison, const struct replay_settings *settings)
{
    struct replay_variant *variant = &comparison->variants[comparison->count++];
    size_t len = 0;

    ENSURE(comparison->count <= REPLAY_VARIANTS_MOST);
    *variant = (struct replay_variant){.settings = *settings};
    if (comparison->sizes_vary)
        len = (size_t)snprintf(variant->name, sizeof(variant->name), "%llu", (unsigned long long)settings->replicas);
    if (comparison->policies_vary)
        snprintf(variant->name + len, sizeof(variant->name) - len, "%s%s", len > 0 ? " " : "", settings->policy);
}

/* How many replicas of a backend there were at most, and for how long all together. */
static void
take_hours(const struct replay_world *world, const struct replay_fleet *fleet, size_t index, struct replay_outcome *out,
           double *hours, int64_t *count)
{
    *count = (int64_t)world->engines.casts[index].engine_count;
    *hours = (double)out->summary.span_us / (3600.0 * USEC_PER_S) * (double)*count;
    if (fleet == NULL || replay_fleet_backend(fleet) != index)
        return;
    *count = replay_fleet_sum(fleet).most;
    *hours = (double)replay_fleet_sum(fleet).replica_us / (3600.0 * USEC_PER_S);
}

/* What the engines of one backend did and had. */
static void
take_cast(const struct replay_world *world, const struct replay_fleet *fleet, size_t index, struct replay_outcome *out)
{
    const struct replay_cast *cast = &world->engines.casts[index];
    const struct backend_config *backend = &world->config->backends[index];
    wide_int charged = world->stats.backends[index].charged;
    struct replay_work work = replay_engines_work(cast, out->summary.span_us);
    double hours;
    int64_t count;

    take_hours(world, fleet, index, out, &hours, &count);
    out->paid += usd_known(backend->usd_per_hour) ? 0 : charged;
    if (cast->engine_count == 0 || cast->pair == NULL)
        return;
    out->busy += work.busy * (double)cast->engine_count;
    out->engines += count;
    out->kv_tokens += cast->pair->kv_tokens * count;
    out->prefix_asked += work.prefix_asked;
    out->prefix_found += work.prefix_found;
    out->preemptions += work.preemptions;
    if (work.requests_most - work.requests_least >= out->requests_most - out->requests_least) {
        out->requests_least = work.requests_least;
        out->requests_most = work.requests_most;
    }
    out->engine_hours += hours;
    if (!usd_known(backend->usd_per_hour)) {
        out->engines_priced = false;
        return;
    }
    out->engines_cost += (wide_int)(hours * (double)backend->usd_per_hour);
    out->paid += (wide_int)(hours * (double)backend->usd_per_hour);
}

void
replay_outcome_take(const struct replay_world *world, const struct replay_fleet *fleet, struct replay_outcome *out)
{
    const struct replay_stats *stats = &world->stats;

    *out = (struct replay_outcome){.engines_priced = true};
    replay_summarize(stats, REPLAY_DOTS_MOST, &out->summary);
    out->requests = stats->count;
    for (size_t i = 0; i < stats->count; i++)
        out->ok += stats->samples[i].ok ? 1 : 0;
    out->limited = stats->limited;
    out->within = stats->within;
    out->beyond = stats->beyond;
    out->tokens = stats->input_tokens + stats->output_tokens;
    out->cost = stats->cost;
    for (size_t i = 0; i < world->engines.count; i++)
        take_cast(world, fleet, i, out);
    out->busy = fleet != NULL ? NAN : out->engines > 0 ? out->busy / (double)out->engines : 0;
    out->engines_priced &= out->engines > 0;
}

/* "3 of 8: 4 affinity" */
static bool
run_world(const struct replay_comparison *comparison, const struct replay_variant *variant, struct replay_world *world,
          const struct replay_trace *trace)
{
    char label[REPLAY_VARIANT_NAME + 32];

    snprintf(label, sizeof(label), "%zu of %zu: %s", (size_t)(variant - comparison->variants) + 1, comparison->count,
             variant->name);
    return replay_run(world, trace, label);
}

static int
play_world(struct replay_comparison *comparison, struct replay_variant *variant, struct replay_trace *trace)
{
    struct replay_world *world = must_calloc(1, sizeof(*world));
    int exit_status = replay_world_new(world, &variant->settings, trace->trace);

    if (exit_status == CMD_FINE && world->trace_status == ERR_NOT_FOUND && !world->first_waits) {
        replay_trace_say_empty(trace);
        exit_status = CMD_FAILED;
    }
    if (exit_status == CMD_FINE) {
        comparison->interrupted = run_world(comparison, variant, world, trace);
        if (world->trace_status != OK && world->trace_status != ERR_NOT_FOUND) {
            replay_trace_complain(trace);
            exit_status = CMD_FAILED;
        }
    }
    if (exit_status == CMD_FINE) {
        replay_outcome_take(world, NULL, &variant->outcome);
        variant->played = true;
        variant->whole = !comparison->interrupted;
        comparison->format = trace_format(trace->trace);
    }
    replay_world_free(world);
    free(world);
    return exit_status;
}

static int
play(struct replay_comparison *comparison, struct replay_variant *variant, const char *path,
     const struct trace_options *options)
{
    struct replay_trace trace;
    int exit_status = replay_trace_open(&trace, path, options);

    if (exit_status == CMD_FINE)
        exit_status = play_world(comparison, variant, &trace);
    replay_trace_close(&trace);
    return exit_status;
}

int
replay_variants_play(struct replay_comparison *comparison, const char *path, const struct trace_options *options)
{
    int exit_status = CMD_FINE;

    comparison->pooled = -1;
    if (strcmp(path, "-") == 0) {
        cmd_complain("replay: several replays of one trace read it several times: give a file, not standard input.");
        return CMD_USAGE;
    }
    for (size_t i = 0; i < comparison->count && exit_status == CMD_FINE && !comparison->interrupted; i++)
        exit_status = play(comparison, &comparison->variants[i], path, options);
    if (exit_status == CMD_FINE && !comparison->interrupted && !comparison->sizes_vary &&
        comparison->variants[0].outcome.kv_tokens > 0)
        exit_status =
            replay_pooled_share(path, options, comparison->variants[0].outcome.kv_tokens, &comparison->pooled);
    return exit_status;
}

/* Which is enough */

double
replay_attained(const struct replay_outcome *outcome)
{
    uint64_t could = outcome->limited - outcome->beyond;

    return could > 0 ? (double)outcome->within / (double)could : NAN;
}

bool
replay_variants_priced(const struct replay_comparison *comparison)
{
    for (size_t i = 0; i < comparison->count; i++)
        if (comparison->variants[i].played && !comparison->variants[i].outcome.engines_priced)
            return false;
    return true;
}

bool
replay_attains(const struct replay_outcome *outcome, unsigned attain_ppm)
{
    uint64_t could = outcome->limited - outcome->beyond;

    return could > 0 && (wide_int)outcome->within * 1000000 >= (wide_int)could * attain_ppm;
}

/* At the same cost whoever attains more. */
static bool
is_cheaper(const struct replay_outcome *a, const struct replay_outcome *b, bool priced)
{
    bool less = priced ? a->paid < b->paid : a->engine_hours < b->engine_hours;
    bool more = priced ? a->paid > b->paid : a->engine_hours > b->engine_hours;

    return less || (!more && replay_attained(a) > replay_attained(b));
}

bool
replay_is_better(const struct replay_comparison *comparison, const struct replay_outcome *a,
                 const struct replay_outcome *b)
{
    bool enough = replay_attains(a, comparison->attain_ppm);

    if (enough != replay_attains(b, comparison->attain_ppm))
        return enough;
    return enough ? is_cheaper(a, b, replay_variants_priced(comparison)) : replay_attained(a) > replay_attained(b);
}

const struct replay_variant *
replay_variants_cheapest(const struct replay_comparison *comparison)
{
    bool priced = replay_variants_priced(comparison);
    const struct replay_variant *best = NULL;

    for (size_t i = 0; i < comparison->count; i++) {
        const struct replay_variant *variant = &comparison->variants[i];

        if (variant->whole && !variant->tried && !variant->bound &&
            replay_attains(&variant->outcome, comparison->attain_ppm) &&
            (best == NULL || is_cheaper(&variant->outcome, &best->outcome, priced)))
            best = variant;
    }
    return best;
}

/* What is told of them */

bool
replay_variant_is_shown(const struct replay_variant *variant)
{
    return variant->played && !variant->tried;
}

bool
replay_variants_sized(const struct replay_comparison *comparison)
{
    return comparison->sizes_vary || comparison->fleets_change;
}
