/* What several replays of one trace came to: one line each. */
#include <math.h>
#include <stdio.h>

#include "cmd/replay/replay_columns.h"
#include "cmd/replay/replay_report.h"
#include "money/amount.h"

enum { NAME_WIDTH = 18, CELL = 32 };

/* "policy", "replicas", or both. */
static const char *
what_varies(const struct replay_comparison *comparison)
{
    if (comparison->fleets_change)
        return "scaling";
    if (!comparison->sizes_vary)
        return "policy";
    return comparison->policies_vary ? "replicas, policy" : "replicas";
}

/* The cheapest that is enough has a mark. */
static void
add_line(const struct replay_comparison *comparison, const struct replay_variant *variant, bool marked,
         struct buffer *out)
{
    char text[CELL];

    buffer_printf(out, "%s %-*s", marked ? "*" : " ", NAME_WIDTH, variant->name);
    for (size_t k = 0; k < replay_column_count; k++) {
        const struct replay_column *column = &replay_columns[k];

        if (replay_column_is_shown(column, comparison))
            buffer_printf(out, " %*s", column->width,
                          replay_column_text(column, column->of(comparison, &variant->outcome), text, sizeof(text)));
    }
    buffer_add_byte(out, '\n');
}

static void
add_head(const struct replay_comparison *comparison, bool colour, struct buffer *out)
{
    buffer_printf(out, "%s  %-*s", colour ? "\033[1m" : "", NAME_WIDTH, what_varies(comparison));
    for (size_t k = 0; k < replay_column_count; k++)
        if (replay_column_is_shown(&replay_columns[k], comparison))
            buffer_printf(out, " %*s", replay_columns[k].width, replay_columns[k].head);
    buffer_add_text(out, colour ? "\033[0m\n" : "\n");
}

static bool
is_named(const struct replay_comparison *comparison)
{
    const char *pool = comparison->variants[0].settings.pool;

    return pool != NULL && pool[0] != '\0';
}

static void
add_title(const struct replay_comparison *comparison, struct buffer *out)
{
    const struct replay_outcome *first = &comparison->variants[0].outcome;

    buffer_printf(out, "%s of %s (%s), %llu requests", comparison->fleets_change ? "Fleets under the load" : "Replays",
                  comparison->trace, trace_format_name(comparison->format), (unsigned long long)first->requests);
    if (comparison->fleets_change)
        buffer_printf(out, "; a replica is there %.6g s after the wish for it and costs from then on",
                      (double)comparison->cold_us / USEC_PER_S);
    else if (comparison->sizes_vary)
        buffer_printf(out, " over each number of replicas%s%s", is_named(comparison) ? " of " : "",
                      is_named(comparison) ? comparison->variants[0].settings.pool : "");
    else
        buffer_printf(out, " over %lld engine%s each", (long long)first->engines, first->engines == 1 ? "" : "s");
    buffer_add_text(out, ".\nAll figures are modelled: engines by formulas. Times are to the first token; ");
    buffer_add_text(out, replay_variants_sized(comparison) ? "$/answer: for one within the limits.\n"
                                                           : "ms/token: between tokens after it.\n");
    if (comparison->fleets_change)
        buffer_add_text(out,
                        "Played without the gateway, but for the line of that name: each request goes to the replica "
                        "where its first token is expected soonest.\n");
    if (comparison->interrupted && !comparison->fleets_change)
        buffer_add_text(out, "Interrupted: the last line is what had ended by then.\n");
    else if (comparison->interrupted)
        buffer_add_text(out, "Interrupted: this is what had been played by then.\n");
    buffer_add_byte(out, '\n');
}

/* Which is enough */

static const char *
share_text(unsigned ppm, char *out)
{
    snprintf(out, CELL, "%.7g %%", (double)ppm / 1e4);
    return out;
}

/* "4 replicas", "4 replicas by affinity", or "in_flight 4". */
static void
add_name(const struct replay_comparison *comparison, const struct replay_variant *variant, struct buffer *out)
{
    bool one = variant->settings.replicas == 1;

    if (comparison->fleets_change) {
        buffer_add_text(out, variant->name);
        return;
    }
    buffer_printf(out, "%llu replica%s", (unsigned long long)variant->settings.replicas, one ? "" : "s");
    if (comparison->policies_vary)
        buffer_printf(out, " by %s", variant->settings.policy);
}

static const struct replay_variant *
best_of(const struct replay_comparison *comparison)
{
    const struct replay_variant *best = NULL;

    for (size_t i = 0; i < comparison->count; i++) {
        const struct replay_variant *variant = &comparison->variants[i];

        if (variant->whole && !variant->bound && !isnan(replay_attained(&variant->outcome)) &&
            (best == NULL || replay_attained(&variant->outcome) > replay_attained(&best->outcome)))
            best = variant;
    }
    return best;
}

static void
add_cheapest(const struct replay_comparison *comparison, const struct replay_variant *cheapest, struct buffer *out)
{
    char share[CELL], money[AMOUNT_TEXT_SIZE];

    buffer_printf(out, "* The cheapest that answers %s within the limits: ", share_text(comparison->attain_ppm, share));
    add_name(comparison, cheapest, out);
    buffer_printf(out, ", %.2f %%, %.3f replica-hours", 100 * replay_attained(&cheapest->outcome),
                  cheapest->outcome.engine_hours);
    amount_format_people(cheapest->outcome.paid, money);
    if (replay_variants_priced(comparison))
        buffer_printf(out, ", %s", money);
    buffer_add_text(out, ".\n");
}

static void
add_none(const struct replay_comparison *comparison, struct buffer *out)
{
    const struct replay_variant *best = best_of(comparison);
    char share[CELL];

    if (best == NULL && comparison->count > 0 && comparison->variants[0].outcome.beyond > 0) {
        buffer_add_text(out, "Which is enough cannot be said: the limits are too short for every request.\n");
        return;
    }
    if (best == NULL) {
        buffer_add_text(out,
                        "Which is enough cannot be said: no route has limits (`acceptable: first_token`, `total`); "
                        "or say --first-token 1s.\n");
        return;
    }
    buffer_printf(
        out, "None of these answers %s within the limits. The nearest: ", share_text(comparison->attain_ppm, share));
    add_name(comparison, best, out);
    buffer_printf(out, ", %.2f %%.%s\n", 100 * replay_attained(&best->outcome),
                  comparison->fleets_change ? "" : " Try more replicas.");
}

static void
add_price(const struct replay_comparison *comparison, struct buffer *out)
{
    if (replay_variants_priced(comparison))
        return;
    buffer_add_text(out, "The replicas have no price by the hour (usd_per_hour): compared are replica-hours");
    buffer_add_text(out, comparison->fleets_change ? ".\n" : ", and $ is what tokens were charged.\n");
}

/* How the runs came to their knobs, where somebody had one. */
static void
add_hindsight(const struct replay_comparison *comparison, struct buffer *out)
{
    bool tried = false, bound = false;

    for (size_t i = 0; i < comparison->count; i++) {
        tried |= comparison->variants[i].tried;
        bound |= comparison->variants[i].bound;
    }
    if (tried)
        buffer_printf(
            out,
            "Of %zu tried: numbers, targets and factors are the cheapest of each that are enough, which nobody "
            "knows beforehand.\n",
            comparison->count);
    if (bound)
        buffer_add_text(out, "oracle knows the future, and is there to show what that would save.\n");
}

static void
add_verdict(const struct replay_comparison *comparison, struct buffer *out)
{
    const struct replay_variant *cheapest = replay_variants_cheapest(comparison);
    const struct replay_outcome *first = &comparison->variants[0].outcome;

    buffer_add_byte(out, '\n');
    if (cheapest != NULL)
        add_cheapest(comparison, cheapest, out);
    else
        add_none(comparison, out);
    if (first->beyond > 0)
        buffer_printf(out,
                      "%llu of %llu requests could not have been in time with a replica for themselves, and are left "
                      "out of attain %%.\n",
                      (unsigned long long)first->beyond, (unsigned long long)first->limited);
    add_hindsight(comparison, out);
    add_price(comparison, out);
}

void
replay_variants_text(const struct replay_comparison *comparison, bool colour, struct buffer *out)
{
    const struct replay_variant *cheapest = replay_variants_cheapest(comparison);

    add_title(comparison, out);
    add_head(comparison, colour, out);
    for (size_t i = 0; i < comparison->count; i++)
        if (replay_variant_is_shown(&comparison->variants[i]))
            add_line(comparison, &comparison->variants[i],
                     replay_variants_sized(comparison) && &comparison->variants[i] == cheapest, out);
    if (comparison->pooled >= 0)
        buffer_printf(out, "  %-*s %*.2f   the most to be had: one cache of %lld tokens that sees all, at once\n",
                      NAME_WIDTH, "one pooled cache", replay_column("cached_percent")->width, 100 * comparison->pooled,
                      (long long)comparison->variants[0].outcome.kv_tokens);
    if (replay_variants_sized(comparison))
        add_verdict(comparison, out);
}

/* For programs */

static void
add_settings(const struct replay_variant *variant, struct buffer *out)
{
    buffer_add_text(out, "{\"name\":\"");
    buffer_add_json(out, slice_of(variant->name));
    buffer_printf(out, "\",\"whole\":%s,\"policy\":", variant->whole ? "true" : "false");
    if (variant->settings.policy != NULL)
        buffer_printf(out, "\"%s\"", variant->settings.policy);
    else
        buffer_add_text(out, "null");
    if (variant->scaler != NULL)
        buffer_printf(out, ",\"scaler\":\"%s\",\"knob\":%.6f,\"told\":%s", variant->scaler, variant->knob,
                      variant->tried ? "false" : "true");
    else if (variant->settings.replicas > 0)
        buffer_printf(out, ",\"replicas\":%llu", (unsigned long long)variant->settings.replicas);
}

static void
add_variant(const struct replay_comparison *comparison, const struct replay_variant *variant, struct buffer *out)
{
    const struct replay_outcome *outcome = &variant->outcome;

    add_settings(variant, out);
    buffer_printf(
        out,
        ",\"requests\":%llu,\"ok\":%llu,\"limited\":%llu,\"within_limits\":%llu,\"beyond_limits_alone\":%llu,"
        "\"tokens\":%lld,\"span_s\":%.6f,\"engines\":%lld,\"kv_tokens\":%lld,\"prefix_asked\":%lld,"
        "\"prefix_found\":%lld,\"preemptions\":%lld,\"replica_requests_least\":%lld,"
        "\"replica_requests_most\":%lld",
        (unsigned long long)outcome->requests, (unsigned long long)outcome->ok, (unsigned long long)outcome->limited,
        (unsigned long long)outcome->within, (unsigned long long)outcome->beyond, (long long)outcome->tokens,
        (double)outcome->summary.span_us / USEC_PER_S, (long long)outcome->engines, (long long)outcome->kv_tokens,
        (long long)outcome->prefix_asked, (long long)outcome->prefix_found, (long long)outcome->preemptions,
        (long long)outcome->requests_least, (long long)outcome->requests_most);
    for (size_t k = 0; k < replay_column_count; k++) {
        double value = replay_columns[k].of(comparison, outcome);

        if (isnan(value))
            buffer_printf(out, ",\"%s\":null", replay_columns[k].json);
        else
            buffer_printf(out, ",\"%s\":%.6f", replay_columns[k].json, value);
    }
    buffer_add_byte(out, '}');
}

/* What is said of all of them. */
static void
add_common(const struct replay_comparison *comparison, struct buffer *out)
{
    const struct replay_variant *cheapest = replay_variants_cheapest(comparison);

    buffer_add_text(out, "{\"modelled\":true,\"trace\":\"");
    buffer_add_json(out, slice_of(comparison->trace));
    buffer_printf(out, "\",\"format\":\"%s\",\"varies\":\"%s\",\"seed\":%llu,\"interrupted\":%s,",
                  trace_format_name(comparison->format), what_varies(comparison),
                  (unsigned long long)comparison->variants[0].settings.seed,
                  comparison->interrupted ? "true" : "false");
    if (comparison->fleets_change)
        buffer_printf(out, "\"cold_start_s\":%.6f,", (double)comparison->cold_us / USEC_PER_S);
    if (replay_variants_sized(comparison))
        buffer_printf(out, "\"attain\":%.6f,\"compared_by\":\"%s\",\"cheapest\":", (double)comparison->attain_ppm / 1e6,
                      replay_variants_priced(comparison) ? "paid_usd" : "replica_hours");
    if (replay_variants_sized(comparison) && cheapest != NULL)
        buffer_printf(out, "\"%s\",", cheapest->name);
    else if (replay_variants_sized(comparison))
        buffer_add_text(out, "null,");
    if (comparison->pooled >= 0)
        buffer_printf(out, "\"pooled_cached_percent\":%.6f,", 100 * comparison->pooled);
    else
        buffer_add_text(out, "\"pooled_cached_percent\":null,");
}

void
replay_variants_json(const struct replay_comparison *comparison, struct buffer *out)
{
    bool first = true;

    add_common(comparison, out);
    buffer_add_text(out, "\"variants\":[");
    for (size_t i = 0; i < comparison->count; i++) {
        if (!comparison->variants[i].played)
            continue;
        buffer_add_text(out, first ? "\n " : ",\n ");
        add_variant(comparison, &comparison->variants[i], out);
        first = false;
    }
    buffer_add_text(out, "]}\n");
}
