/* What replays side by side are measured by. */
#include "cmd/replay/replay_columns.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static double
cached_of(const struct replay_comparison *comparison, const struct replay_outcome *outcome)
{
    (void)comparison;
    return outcome->prefix_asked > 0 ? 100.0 * (double)outcome->prefix_found / (double)outcome->prefix_asked : NAN;
}

static double
of_pooled(const struct replay_comparison *comparison, const struct replay_outcome *outcome)
{
    return comparison->pooled > 0 ? cached_of(comparison, outcome) / comparison->pooled / 100 : NAN;
}

static double
mean_of(const struct replay_comparison *comparison, const struct replay_outcome *outcome)
{
    (void)comparison;
    return outcome->summary.first_token.count > 0 ? outcome->summary.first_token.mean / 1e6 : NAN;
}

static double
middle_of(const struct replay_comparison *comparison, const struct replay_outcome *outcome)
{
    (void)comparison;
    return outcome->summary.first_token.count > 0 ? outcome->summary.first_token.p50 / 1e6 : NAN;
}

static double
late_of(const struct replay_comparison *comparison, const struct replay_outcome *outcome)
{
    (void)comparison;
    return outcome->summary.first_token.count > 0 ? outcome->summary.first_token.p99 / 1e6 : NAN;
}

static double
per_token_of(const struct replay_comparison *comparison, const struct replay_outcome *outcome)
{
    (void)comparison;
    return outcome->summary.per_token.count > 0 ? outcome->summary.per_token.mean / 1e3 : NAN;
}

static double
ok_of(const struct replay_comparison *comparison, const struct replay_outcome *outcome)
{
    (void)comparison;
    return outcome->requests > 0 ? 100.0 * (double)outcome->ok / (double)outcome->requests : NAN;
}

static double
attained_of(const struct replay_comparison *comparison, const struct replay_outcome *outcome)
{
    (void)comparison;
    return 100.0 * replay_attained(outcome);
}

static double
within_of(const struct replay_comparison *comparison, const struct replay_outcome *outcome)
{
    (void)comparison;
    return outcome->limited > 0 ? 100.0 * (double)outcome->within / (double)outcome->limited : NAN;
}

static double
busy_of(const struct replay_comparison *comparison, const struct replay_outcome *outcome)
{
    (void)comparison;
    return outcome->engines > 0 ? 100.0 * outcome->busy : NAN;
}

static double
cost_of(const struct replay_comparison *comparison, const struct replay_outcome *outcome)
{
    (void)comparison;
    return (double)outcome->cost / (double)USD_ONE;
}

static double
hours_of(const struct replay_comparison *comparison, const struct replay_outcome *outcome)
{
    (void)comparison;
    return outcome->engines > 0 ? outcome->engine_hours : NAN;
}

static double
hours_cost_of(const struct replay_comparison *comparison, const struct replay_outcome *outcome)
{
    (void)comparison;
    return outcome->engines_priced ? (double)outcome->engines_cost / (double)USD_ONE : NAN;
}

static double
paid_of(const struct replay_comparison *comparison, const struct replay_outcome *outcome)
{
    if (comparison->fleets_change && !outcome->engines_priced)
        return NAN; /* only replicas are played, nothing is charged */
    return (double)outcome->paid / (double)USD_ONE;
}

static double
per_million_of(const struct replay_comparison *comparison, const struct replay_outcome *outcome)
{
    return outcome->tokens > 0 ? paid_of(comparison, outcome) * 1e6 / (double)outcome->tokens : NAN;
}

static double
per_answer_of(const struct replay_comparison *comparison, const struct replay_outcome *outcome)
{
    return outcome->within > 0 ? paid_of(comparison, outcome) / (double)outcome->within : NAN;
}

static double
most_of(const struct replay_comparison *comparison, const struct replay_outcome *outcome)
{
    (void)comparison;
    return (double)outcome->engines;
}

enum {
    SIZED = REPLAY_WITH_SIZES | REPLAY_WITH_SCALERS,
    BOTH = REPLAY_WITH_POLICIES | REPLAY_WITH_SIZES,
    ALL = REPLAY_WITH_POLICIES | SIZED
};

const struct replay_column replay_columns[] = {
    {"attain %", "attain_percent", "%.2f", 9, SIZED, attained_of},
    {"cached %", "cached_percent", "%.2f", 9, REPLAY_WITH_POLICIES, cached_of},
    {"of pooled", "of_pooled", "%.3f", 10, REPLAY_WITH_POLICIES, of_pooled},
    {"mean s", "first_token_mean_s", "%.3f", 8, ALL, mean_of},
    {"p50 s", "first_token_p50_s", "%.3f", 8, REPLAY_WITH_POLICIES, middle_of},
    {"p99 s", "first_token_p99_s", "%.3f", 8, ALL, late_of},
    {"ms/token", "per_output_token_mean_ms", "%.2f", 9, REPLAY_WITH_POLICIES, per_token_of},
    {"ok %", "ok_percent", "%.2f", 7, ALL, ok_of},
    {"in limits %", "within_limits_percent", "%.2f", 12, REPLAY_WITH_POLICIES, within_of},
    {"at work %", "at_work_percent", "%.1f", 10, BOTH, busy_of},
    {"$", "cost_usd", "%.4f", 10, REPLAY_WITH_POLICIES, cost_of},
    {"most", "replicas_most", "%.0f", 5, REPLAY_WITH_SCALERS, most_of},
    {"replica hours", "replica_hours", "%.3f", 14, ALL, hours_of},
    {"$ of hours", "replica_hours_usd", "%.2f", 11, REPLAY_WITH_POLICIES, hours_cost_of},
    {"$ paid", "paid_usd", "%.4f", 10, SIZED, paid_of},
    {"$/M tokens", "paid_per_million_tokens_usd", "%.4f", 11, SIZED, per_million_of},
    {"$/answer", "paid_per_answer_within_limits_usd", "%.6f", 10, SIZED, per_answer_of},
};

const size_t replay_column_count = sizeof(replay_columns) / sizeof(replay_columns[0]);

const struct replay_column *
replay_column(const char *json)
{
    size_t i = 0;

    while (i < replay_column_count && strcmp(replay_columns[i].json, json) != 0)
        i++;
    ENSURE(i < replay_column_count);
    return &replay_columns[i];
}

unsigned
replay_columns_in(const struct replay_comparison *comparison)
{
    if (comparison->fleets_change)
        return REPLAY_WITH_SCALERS;
    return comparison->sizes_vary ? REPLAY_WITH_SIZES : REPLAY_WITH_POLICIES;
}

bool
replay_column_is_shown(const struct replay_column *column, const struct replay_comparison *comparison)
{
    if ((column->in & replay_columns_in(comparison)) == 0)
        return false;
    for (size_t i = 0; i < comparison->count; i++)
        if (comparison->variants[i].played && !isnan(column->of(comparison, &comparison->variants[i].outcome)))
            return true;
    return false;
}

const char *
replay_column_text(const struct replay_column *column, double value, char *out, size_t size)
{
    if (isnan(value))
        snprintf(out, size, "-");
    else
        snprintf(out, size, column->format, value);
    return out;
}
