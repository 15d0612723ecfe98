/* What several replays of one trace came to: one line each. */
#include <math.h>
#include <stdio.h>

#include "cmd/replay_report.h"
#include "cmd/replay_variants.h"
#include "money/amount.h"

/* A column: a number of each variant, shown with its unit in the head. NAN: there is none. */
struct column {
    const char *head, *json;
    const char *format; /* of the number */
    int width;
    double (*of)(const struct replay_comparison *comparison, const struct replay_outcome *outcome);
};

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

static const struct column columns[] = {
    {"cached %", "cached_percent", "%.2f", 9, cached_of},
    {"of pooled", "of_pooled", "%.3f", 10, of_pooled},
    {"mean s", "first_token_mean_s", "%.3f", 8, mean_of},
    {"p50 s", "first_token_p50_s", "%.3f", 8, middle_of},
    {"p99 s", "first_token_p99_s", "%.3f", 8, late_of},
    {"ms/token", "per_output_token_mean_ms", "%.2f", 9, per_token_of},
    {"ok %", "ok_percent", "%.2f", 7, ok_of},
    {"in limits %", "within_limits_percent", "%.2f", 12, within_of},
    {"at work %", "at_work_percent", "%.1f", 10, busy_of},
    {"$", "cost_usd", "%.4f", 10, cost_of},
    {"engine hours", "engine_hours", "%.2f", 13, hours_of},
    {"$ of hours", "engine_hours_usd", "%.2f", 11, hours_cost_of},
};

enum { COLUMNS = sizeof(columns) / sizeof(columns[0]), NAME_WIDTH = 18 };

/* Columns that nobody has a number for are left out. */
static bool
is_shown(const struct replay_comparison *comparison, const struct column *column)
{
    for (size_t i = 0; i < comparison->count; i++)
        if (comparison->variants[i].played && !isnan(column->of(comparison, &comparison->variants[i].outcome)))
            return true;
    return false;
}

static void
add_line(const struct replay_comparison *comparison, const struct replay_variant *variant, struct buffer *out)
{
    buffer_printf(out, "  %-*s", NAME_WIDTH, variant->name);
    for (size_t k = 0; k < COLUMNS; k++) {
        double value = columns[k].of(comparison, &variant->outcome);
        char text[32] = "-";

        if (!is_shown(comparison, &columns[k]))
            continue;
        if (!isnan(value))
            snprintf(text, sizeof(text), columns[k].format, value);
        buffer_printf(out, " %*s", columns[k].width, text);
    }
    buffer_add_byte(out, '\n');
}

static void
add_head(const struct replay_comparison *comparison, bool colour, struct buffer *out)
{
    buffer_printf(out, "%s  %-*s", colour ? "\033[1m" : "", NAME_WIDTH, comparison->what);
    for (size_t k = 0; k < COLUMNS; k++)
        if (is_shown(comparison, &columns[k]))
            buffer_printf(out, " %*s", columns[k].width, columns[k].head);
    buffer_add_text(out, colour ? "\033[0m\n" : "\n");
}

void
replay_variants_text(const struct replay_comparison *comparison, bool colour, struct buffer *out)
{
    const struct replay_outcome *first = &comparison->variants[0].outcome;

    buffer_printf(out, "Replays of %s (%s), %llu requests over %lld engines each.\n", comparison->trace,
                  trace_format_name(comparison->format), (unsigned long long)first->requests,
                  (long long)first->engines);
    buffer_add_text(out,
                    "All figures are modelled: engines by formulas. Times are to the first token; ms/token: between "
                    "tokens after it.\n");
    if (comparison->interrupted)
        buffer_add_text(out, "Interrupted: the last line is what had ended by then.\n");
    buffer_add_byte(out, '\n');
    add_head(comparison, colour, out);
    for (size_t i = 0; i < comparison->count; i++)
        if (comparison->variants[i].played)
            add_line(comparison, &comparison->variants[i], out);
    if (comparison->pooled >= 0)
        buffer_printf(out, "  %-*s %*.2f   the most to be had: one cache of %lld tokens that sees all, at once\n",
                      NAME_WIDTH, "one pooled cache", columns[0].width, 100 * comparison->pooled,
                      (long long)first->kv_tokens);
}

static void
add_variant(const struct replay_comparison *comparison, const struct replay_variant *variant, struct buffer *out)
{
    const struct replay_outcome *outcome = &variant->outcome;

    buffer_add_text(out, "{\"name\":\"");
    buffer_add_json(out, slice_of(variant->name));
    buffer_printf(out,
                  "\",\"requests\":%llu,\"ok\":%llu,\"limited\":%llu,\"within_limits\":%llu,\"engines\":%lld,"
                  "\"kv_tokens\":%lld,\"prefix_asked\":%lld,\"prefix_found\":%lld,\"preemptions\":%lld,"
                  "\"replica_requests_least\":%lld,\"replica_requests_most\":%lld",
                  (unsigned long long)outcome->requests, (unsigned long long)outcome->ok,
                  (unsigned long long)outcome->limited, (unsigned long long)outcome->within,
                  (long long)outcome->engines, (long long)outcome->kv_tokens, (long long)outcome->prefix_asked,
                  (long long)outcome->prefix_found, (long long)outcome->preemptions, (long long)outcome->requests_least,
                  (long long)outcome->requests_most);
    for (size_t k = 0; k < COLUMNS; k++) {
        double value = columns[k].of(comparison, outcome);

        if (isnan(value))
            buffer_printf(out, ",\"%s\":null", columns[k].json);
        else
            buffer_printf(out, ",\"%s\":%.6f", columns[k].json, value);
    }
    buffer_add_byte(out, '}');
}

void
replay_variants_json(const struct replay_comparison *comparison, struct buffer *out)
{
    bool first = true;

    buffer_add_text(out, "{\"modelled\":true,\"trace\":\"");
    buffer_add_json(out, slice_of(comparison->trace));
    buffer_printf(out, "\",\"format\":\"%s\",\"varies\":\"%s\",\"seed\":%llu,\"interrupted\":%s,",
                  trace_format_name(comparison->format), comparison->what,
                  (unsigned long long)comparison->variants[0].settings.seed,
                  comparison->interrupted ? "true" : "false");
    if (comparison->pooled >= 0)
        buffer_printf(out, "\"pooled_cached_percent\":%.6f,", 100 * comparison->pooled);
    else
        buffer_add_text(out, "\"pooled_cached_percent\":null,");
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

/* The picture: bars, one group for each measure, one bar for each variant. */

enum { WIDTH = 860, LEFT = 150, RIGHT = 110, TOP = 70, BAR = 16, STEP = 22, GAP = 44 };

static const struct {
    const char *name;
    size_t column;
} bars[] = {{"Share of prompt tokens found in the engines' caches, %", 0},
            {"Mean time to the first token, s", 2},
            {"99th percentile of it, s", 4}};

static void
draw_bars(const struct replay_comparison *comparison, size_t group, int top, struct buffer *out)
{
    const struct column *column = &columns[bars[group].column];
    double most = bars[group].column == 0 && comparison->pooled > 0 ? 100 * comparison->pooled : 0;

    for (size_t i = 0; i < comparison->count; i++)
        if (comparison->variants[i].played)
            most = fmax(most, column->of(comparison, &comparison->variants[i].outcome));
    buffer_printf(out, "<text class=\"name\" x=\"%d\" y=\"%d\">%s</text>\n", LEFT, top - 8, bars[group].name);
    for (size_t i = 0; i < comparison->count; i++) {
        const struct replay_variant *variant = &comparison->variants[i];
        double value = variant->played ? column->of(comparison, &variant->outcome) : NAN;
        int y = top + (int)i * STEP;

        if (isnan(value) || !(most > 0))
            continue;
        buffer_printf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>", LEFT - 8, y + 12, variant->name);
        buffer_printf(out, "<rect class=\"bar\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>", LEFT, y,
                      value / most * (WIDTH - LEFT - RIGHT), BAR);
        buffer_printf(out, "<text class=\"small\" x=\"%.1f\" y=\"%d\">",
                      LEFT + 6 + value / most * (WIDTH - LEFT - RIGHT), y + 12);
        buffer_printf(out, column->format, value);
        buffer_add_text(out, "</text>\n");
    }
    if (bars[group].column == 0 && comparison->pooled > 0)
        buffer_printf(out, "<line class=\"most\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>\n",
                      LEFT + 100 * comparison->pooled / most * (WIDTH - LEFT - RIGHT),
                      LEFT + 100 * comparison->pooled / most * (WIDTH - LEFT - RIGHT), top - 4,
                      top + (int)comparison->count * STEP);
}

void
replay_variants_svg(const struct replay_comparison *comparison, struct buffer *out)
{
    const size_t groups = sizeof(bars) / sizeof(bars[0]);
    int group_height = (int)comparison->count * STEP + GAP, height = TOP + (int)groups * group_height;

    buffer_printf(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
                  "role=\"img\">\n<title>Replays side by side</title>\n",
                  WIDTH, height, WIDTH, height);
    buffer_add_text(
        out,
        "<style>.back{fill:#fff}text{fill:#333;font:12px system-ui,sans-serif}.title{font-size:16px;font-weight:600}"
        ".name{font-size:13px;font-weight:600}.small{fill:#707070}.bar{fill:#1f77b4}.most{stroke:#d95f02;"
        "stroke-width:2;stroke-dasharray:5 4}@media (prefers-color-scheme:dark){.back{fill:#14161a}"
        "text{fill:#e2e4e8}.small{fill:#a0a6af}.bar{fill:#5aa9e6}}</style>\n");
    buffer_printf(out, "<rect class=\"back\" width=\"%d\" height=\"%d\"/>\n", WIDTH, height);
    buffer_printf(out, "<text class=\"title\" x=\"%d\" y=\"26\">Replays by %s</text>\n", LEFT, comparison->what);
    buffer_printf(out,
                  "<text class=\"small\" x=\"%d\" y=\"44\">%llu requests over %lld engines each; all figures are "
                  "modelled%s</text>\n",
                  LEFT, (unsigned long long)comparison->variants[0].outcome.requests,
                  (long long)comparison->variants[0].outcome.engines,
                  comparison->pooled > 0 ? "; dashed: one pooled cache of the same room" : "");
    for (size_t group = 0; group < groups; group++)
        draw_bars(comparison, group, TOP + 20 + (int)group * group_height, out);
    buffer_add_text(out, "</svg>\n");
}
