/* Several replays as a picture: for fleet sizes what was attained against what it cost, then bars, one group for each
 * measure and one bar for each variant. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmd/replay/replay_axis.h"
#include "cmd/replay/replay_columns.h"

enum { WIDTH = 860, LEFT = 150, RIGHT = 110, TOP = 70, BAR = 16, STEP = 22, GAP = 44, CELL = 32 };

/* Of the plot. */
enum { PLOT_LEFT = 78, PLOT_RIGHT = 60, PLOT_TOP = TOP + 20, PLOT = 340, PLOT_GAP = 100, TICKS = 5, COLOURS = 4 };

static const char style[] =
    "<style>.back{fill:#fff}text{fill:#333;font:12px system-ui,sans-serif}.title{font-size:16px;font-weight:600}"
    ".name{font-size:13px;font-weight:600}.small{fill:#707070}.bar{fill:#1f77b4}.most{stroke:#d95f02;stroke-width:2;"
    "stroke-dasharray:5 4}.grid{stroke:#e3e3e3}.axis{stroke:#888}.line{fill:none;stroke-width:1.5}.best{fill:none;"
    "stroke:#d95f02;stroke-width:2}.l0{stroke:#1f77b4}.l1{stroke:#2a8a57}.l2{stroke:#8054a8}.l3{stroke:#8a8a8a}"
    ".d0{fill:#1f77b4}.d1{fill:#2a8a57}.d2{fill:#8054a8}.d3{fill:#8a8a8a}"
    "@media (prefers-color-scheme:dark){.back{fill:#14161a}text{fill:#e2e4e8}.small{fill:#a0a6af}.bar,.d0{fill:#5aa9e6}"
    ".l0{stroke:#5aa9e6}.grid{stroke:#2c3036}.axis{stroke:#7d838c}}</style>\n";

/* Bars */

enum { ALL = REPLAY_WITH_POLICIES | REPLAY_WITH_SIZES | REPLAY_WITH_SCALERS };

static const struct {
    const char *name, *column;
    unsigned in;
} bars[] = {{"Share of prompt tokens found in the engines' caches, %", "cached_percent", REPLAY_WITH_POLICIES},
            {"Mean time to the first token, s", "first_token_mean_s", ALL},
            {"99th percentile of it, s", "first_token_p99_s", ALL},
            {"Share of the time at work, %", "at_work_percent", REPLAY_WITH_SIZES},
            {"Replica-hours", "replica_hours", REPLAY_WITH_SIZES | REPLAY_WITH_SCALERS}};

enum { GROUPS = sizeof(bars) / sizeof(bars[0]) };

static bool
is_drawn(const struct replay_comparison *comparison, size_t group)
{
    return (bars[group].in & replay_columns_in(comparison)) != 0 &&
           replay_column_is_shown(replay_column(bars[group].column), comparison);
}

/* The bound that one pooled cache is; 0: this group has none. */
static double
bound_of(const struct replay_comparison *comparison, size_t group)
{
    return strcmp(bars[group].column, "cached_percent") == 0 && comparison->pooled > 0 ? 100 * comparison->pooled : 0;
}

static double
highest(const struct replay_comparison *comparison, const struct replay_column *column, double most)
{
    for (size_t i = 0; i < comparison->count; i++)
        if (replay_variant_is_shown(&comparison->variants[i])) /* NAN loses */
            most = fmax(most, column->of(comparison, &comparison->variants[i].outcome));
    return most;
}

static void
draw_bar(const struct replay_variant *variant, const struct replay_column *column, double value, double share, int y,
         struct buffer *out)
{
    char text[CELL];

    buffer_printf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>", LEFT - 8, y + 12, variant->name);
    buffer_printf(out, "<rect class=\"bar\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>", LEFT, y,
                  share * (WIDTH - LEFT - RIGHT), BAR);
    buffer_printf(out, "<text class=\"small\" x=\"%.1f\" y=\"%d\">%s</text>\n",
                  LEFT + 6 + share * (WIDTH - LEFT - RIGHT), y + 12,
                  replay_column_text(column, value, text, sizeof(text)));
}

static void
draw_bars(const struct replay_comparison *comparison, size_t group, int top, struct buffer *out)
{
    const struct replay_column *column = replay_column(bars[group].column);
    double bound = bound_of(comparison, group), most = highest(comparison, column, bound);
    int y = top;

    buffer_printf(out, "<text class=\"name\" x=\"%d\" y=\"%d\">%s</text>\n", LEFT, top - 8, bars[group].name);
    for (size_t i = 0; i < comparison->count; i++) {
        const struct replay_variant *variant = &comparison->variants[i];
        double value = column->of(comparison, &variant->outcome);

        if (!replay_variant_is_shown(variant))
            continue;
        if (!isnan(value) && most > 0)
            draw_bar(variant, column, value, value / most, y, out);
        y += STEP;
    }
    if (bound > 0)
        buffer_printf(out, "<line class=\"most\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>\n",
                      LEFT + bound / most * (WIDTH - LEFT - RIGHT), LEFT + bound / most * (WIDTH - LEFT - RIGHT),
                      top - 4, y);
}

/* What was attained against what it cost */

struct plot {
    const struct replay_comparison *comparison;
    const struct replay_column *cost, *attained;
    double cost_most, cost_step; /* of the axis, from 0 on */
    double least, step;          /* of the other, up to 100 % */
    struct buffer *out;
};

static double
lowest_attained(const struct replay_comparison *comparison)
{
    double least = 100;

    for (size_t i = 0; i < comparison->count; i++)
        if (comparison->variants[i].played)
            least = fmin(least, 100 * replay_attained(&comparison->variants[i].outcome));
    return fmin(least, (double)comparison->attain_ppm / 1e4);
}

/* Also of those that were only tried. */
static double
highest_played(const struct replay_comparison *comparison, const struct replay_column *column)
{
    double most = 0;

    for (size_t i = 0; i < comparison->count; i++)
        if (comparison->variants[i].played)
            most = fmax(most, column->of(comparison, &comparison->variants[i].outcome));
    return most;
}

static struct plot
plot_of(const struct replay_comparison *comparison, struct buffer *out)
{
    struct plot plot = {.comparison = comparison, .out = out};
    double most, span = 100 - lowest_attained(comparison);

    plot.cost = replay_column(replay_variants_priced(comparison) ? "paid_usd" : "replica_hours");
    plot.attained = replay_column("attain_percent");
    most = highest_played(comparison, plot.cost);
    plot.cost_step = replay_axis_step(most, TICKS);
    plot.cost_most = plot.cost_step * fmax(1, ceil(most / plot.cost_step - 1e-9));
    plot.step = replay_axis_step(span, TICKS);
    plot.least = 100 - plot.step * fmax(1, ceil(span / plot.step - 1e-9));
    return plot;
}

static double
x_of(const struct plot *plot, double cost)
{
    return PLOT_LEFT + cost / plot->cost_most * (WIDTH - PLOT_LEFT - PLOT_RIGHT);
}

static double
y_of(const struct plot *plot, double percent)
{
    return PLOT_TOP + (100 - percent) / (100 - plot->least) * PLOT;
}

static void
draw_across(const struct plot *plot, const char *class, double percent)
{
    double y = y_of(plot, percent);

    buffer_printf(plot->out, "<line class=\"%s\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>", class, PLOT_LEFT,
                  WIDTH - PLOT_RIGHT, y, y);
}

static void
draw_axes(const struct plot *plot)
{
    struct buffer *out = plot->out;

    for (unsigned i = 0; plot->least + i * plot->step <= 100 + plot->step / 2; i++) {
        double value = plot->least + i * plot->step;

        draw_across(plot, i > 0 ? "grid" : "axis", value);
        buffer_printf(out, "<text class=\"small\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.6g %%</text>\n",
                      PLOT_LEFT - 8, y_of(plot, value) + 4, value);
    }
    for (unsigned i = 0; i * plot->cost_step <= plot->cost_most * (1 + 1e-9); i++)
        buffer_printf(out, "<text class=\"small\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.6g</text>\n",
                      x_of(plot, i * plot->cost_step), PLOT_TOP + PLOT + 18, i * plot->cost_step);
    buffer_printf(
        out,
        "<text class=\"name\" x=\"%d\" y=\"%d\">Answers within the limits, against %s; dashed: what is asked</text>\n",
        PLOT_LEFT, PLOT_TOP - 14, replay_variants_priced(plot->comparison) ? "dollars paid" : "replica-hours");
    draw_across(plot, "most", (double)plot->comparison->attain_ppm / 1e4);
}

static bool
has_point(const struct replay_variant *variant)
{
    return variant->played && !isnan(replay_attained(&variant->outcome));
}

/* Names are those of their tables, and so each is there once. */
static bool
is_same_curve(const struct replay_variant *a, const struct replay_variant *b)
{
    return a->settings.policy == b->settings.policy && a->scaler == b->scaler;
}

static void
draw_point(const struct plot *plot, const struct replay_variant *variant, unsigned colour)
{
    double x = x_of(plot, plot->cost->of(plot->comparison, &variant->outcome));
    double y = y_of(plot, plot->attained->of(plot->comparison, &variant->outcome));

    buffer_printf(plot->out, "<circle class=\"d%u\" cx=\"%.1f\" cy=\"%.1f\" r=\"%d\"/>\n", colour, x, y,
                  variant->tried ? 2 : 4);
    if (variant->tried)
        return;
    if (variant == replay_variants_cheapest(plot->comparison))
        buffer_printf(plot->out, "<circle class=\"best\" cx=\"%.1f\" cy=\"%.1f\" r=\"8\"/>", x, y);
    buffer_printf(plot->out, "<text class=\"small\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", x + 8, y + 16, variant->name);
}

/* Those of one policy or scaler, which begin with this one, are one curve. */
static void
draw_curve(const struct plot *plot, size_t from, unsigned colour)
{
    const struct replay_comparison *comparison = plot->comparison;
    const struct replay_variant *first = &comparison->variants[from];

    buffer_printf(plot->out, "<polyline class=\"line l%u\" points=\"", colour);
    for (size_t i = from; i < comparison->count; i++) {
        const struct replay_variant *variant = &comparison->variants[i];

        if (has_point(variant) && is_same_curve(variant, first))
            buffer_printf(plot->out, "%.1f,%.1f ", x_of(plot, plot->cost->of(comparison, &variant->outcome)),
                          y_of(plot, plot->attained->of(comparison, &variant->outcome)));
    }
    buffer_add_text(plot->out, "\"/>\n");
    for (size_t i = from; i < comparison->count; i++)
        if (has_point(&comparison->variants[i]) && is_same_curve(&comparison->variants[i], first))
            draw_point(plot, &comparison->variants[i], colour);
}

static bool
begins_curve(const struct replay_comparison *comparison, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (has_point(&comparison->variants[i]) &&
            is_same_curve(&comparison->variants[i], &comparison->variants[index]))
            return false;
    return has_point(&comparison->variants[index]);
}

static void
draw_plot(const struct replay_comparison *comparison, struct buffer *out)
{
    struct plot plot = plot_of(comparison, out);
    unsigned curves = 0;

    draw_axes(&plot);
    for (size_t i = 0; i < comparison->count; i++)
        if (begins_curve(comparison, i))
            draw_curve(&plot, i, curves++ % COLOURS);
}

static bool
has_plot(const struct replay_comparison *comparison)
{
    return replay_variants_sized(comparison) && replay_column_is_shown(replay_column("attain_percent"), comparison);
}

/* Everything */

static const char *
title_of(const struct replay_comparison *comparison)
{
    if (comparison->fleets_change)
        return "Fleets that change, by who decides";
    if (!comparison->sizes_vary)
        return "Replays by policy";
    return comparison->policies_vary ? "Replays by number of replicas and policy" : "Replays by number of replicas";
}

static void
draw_title(const struct replay_comparison *comparison, struct buffer *out)
{
    const struct replay_outcome *first = &comparison->variants[0].outcome;

    buffer_printf(out, "<text class=\"title\" x=\"%d\" y=\"26\">%s</text>\n", PLOT_LEFT, title_of(comparison));
    buffer_printf(out, "<text class=\"small\" x=\"%d\" y=\"44\">%llu requests", PLOT_LEFT,
                  (unsigned long long)first->requests);
    if (!replay_variants_sized(comparison))
        buffer_printf(out, " over %lld engine%s each", (long long)first->engines, first->engines == 1 ? "" : "s");
    buffer_printf(out, "; all figures are modelled%s</text>\n",
                  comparison->pooled > 0 ? "; dashed: one pooled cache of the same room" : "");
}

void
replay_variants_svg(const struct replay_comparison *comparison, struct buffer *out)
{
    int group_height = GAP, height = TOP, top;

    for (size_t i = 0; i < comparison->count; i++)
        group_height += replay_variant_is_shown(&comparison->variants[i]) ? STEP : 0;
    height += has_plot(comparison) ? PLOT + PLOT_GAP : 0;
    top = height + 20;
    for (size_t group = 0; group < GROUPS; group++)
        height += is_drawn(comparison, group) ? group_height : 0;
    buffer_printf(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
                  "role=\"img\">\n<title>Replays side by side</title>\n%s",
                  WIDTH, height, WIDTH, height, style);
    buffer_printf(out, "<rect class=\"back\" width=\"%d\" height=\"%d\"/>\n", WIDTH, height);
    draw_title(comparison, out);
    if (has_plot(comparison))
        draw_plot(comparison, out);
    for (size_t group = 0; group < GROUPS; group++)
        if (is_drawn(comparison, group)) {
            draw_bars(comparison, group, top, out);
            top += group_height;
        }
    buffer_add_text(out, "</svg>\n");
}
