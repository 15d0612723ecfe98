/* A replay as a picture: time to first token, requests in flight and spend over time, one below the other on one axis of
 * time. Plain SVG 1.1; colours follow the reader's light or dark scheme. */
#include <math.h>

#include "cmd/replay/replay_axis.h"
#include "cmd/replay/replay_report.h"

enum { WIDTH = 860, LEFT = 78, RIGHT = 34, TOP = 84, PANEL = 150, GAP = 62, PANELS = 3, TICKS_Y = 4, TICKS_X = 8 };

enum { HEIGHT = TOP + PANELS * (PANEL + GAP) - 24 };

static const char style[] =
    "<style>"
    ".back{fill:#fff}.grid{stroke:#e3e3e3}.axis{stroke:#888}text{fill:#333;font:12px system-ui,sans-serif}"
    ".title{font-size:16px;font-weight:600}.name{font-size:13px;font-weight:600}.small{fill:#707070}"
    "polyline{fill:none;stroke-width:1.8;stroke-linejoin:round}"
    ".a{stroke:#1f77b4}.b{stroke:#d95f02}.c{stroke:#2a8a57}.d{stroke:#8a8a8a;stroke-dasharray:5 4}.e{fill:#1f77b4}"
    "@media (prefers-color-scheme:dark){.back{fill:#14161a}.grid{stroke:#2c3036}.axis{stroke:#7d838c}text{fill:#e2e4e8}"
    ".small{fill:#a0a6af}.a{stroke:#5aa9e6}.b{stroke:#ff9d4d}.c{stroke:#58c98b}.d{stroke:#a5a5a5}}"
    "</style>\n";

/* A curve: one value for each slice; NAN: nothing was seen. Drawn at the slices' middles, or at their ends. */
struct curve {
    const char *name, *class;
    bool at_ends; /* starts with 0 at the beginning of time */
    double values[REPLAY_SLICES_MOST];
};

struct panel {
    const char *name;
    const char *(*label)(double value, double step, char *out); /* of a tick */
    const struct curve *curves;
    size_t curve_count;
};

struct picture {
    const struct replay_summary *summary;
    struct buffer *out;
    double span_s; /* of the axis */
};

static double
nice_seconds(double span_s)
{
    static const double steps[] = {1,   2,   5,    10,   15,   30,    60,    120,   300,
                                   600, 900, 1800, 3600, 7200, 14400, 43200, 86400, 172800};

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        if (span_s / steps[i] <= TICKS_X)
            return steps[i];
    return ceil(span_s / TICKS_X / 86400) * 86400;
}

/* Labels */

static const char *
label_time(double s, char *out)
{
    if (s < 120 && fmod(s, 60) != 0)
        snprintf(out, 32, "%.0f s", s);
    else if (s < 7200)
        snprintf(out, 32, fmod(s, 60) == 0 ? "%.0f min" : "%.1f min", s / 60);
    else if (s < 2 * 86400)
        snprintf(out, 32, fmod(s, 3600) == 0 ? "%.0f h" : "%.1f h", s / 3600);
    else
        snprintf(out, 32, "%.0f d", s / 86400);
    return out;
}

static const char *
label_latency(double us, double step, char *out)
{
    double unit = step >= 0.5e6 ? 1e6 : step >= 500 ? 1e3 : 1;
    unsigned decimals = unit == 1e6 && fmod(step, 1e6) != 0 ? 1 : 0;

    snprintf(out, 32, "%.*f %s", decimals, us / unit, unit == 1e6 ? "s" : unit == 1e3 ? "ms" : "us");
    return out;
}

static const char *
label_count(double value, double step, char *out)
{
    snprintf(out, 32, step < 1 ? "%.1f" : "%.0f", value);
    return out;
}

static const char *
label_money(double amount, double step, char *out)
{
    unsigned decimals = step >= 1 ? 0 : (unsigned)ceil(-log10(step) - 1e-9);

    snprintf(out, 32, "$%.*f", decimals < 12 ? decimals : 12, amount);
    return out;
}

/* Drawing */

static double
x_of(const struct picture *picture, double s)
{
    return LEFT + s / picture->span_s * (WIDTH - LEFT - RIGHT);
}

static double
highest(const struct panel *panel, size_t count)
{
    double most = 0;

    for (size_t i = 0; i < panel->curve_count; i++)
        for (size_t k = 0; k < count; k++)
            most = fmax(most, panel->curves[i].values[k]); /* NAN loses */
    return most;
}

static void
draw_grid(const struct picture *picture, const struct panel *panel, double top, double step, double most)
{
    double tick_s = nice_seconds(picture->span_s), bottom = top + PANEL;
    struct buffer *out = picture->out;
    char label[32];

    for (unsigned i = 0; i * step <= most + step / 2; i++) {
        double value = i * step;
        double y = bottom - value / most * PANEL;

        buffer_printf(out, "<line class=\"%s\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>",
                      value > 0 ? "grid" : "axis", LEFT, WIDTH - RIGHT, y, y);
        buffer_printf(out, "<text class=\"small\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", LEFT - 8, y + 4,
                      panel->label(value, step, label));
    }
    for (unsigned i = 0; i * tick_s <= picture->span_s * (1 + 1e-9); i++) {
        double x = x_of(picture, i * tick_s);

        buffer_printf(out, "<line class=\"axis\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>", x, x, bottom,
                      bottom + 4);
        buffer_printf(out, "<text class=\"small\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n", x,
                      bottom + 18, label_time(i * tick_s, label));
    }
}

/* A line breaks where nothing was seen; a point by itself is a dot. */
static void
draw_curve(const struct picture *picture, const struct curve *curve, double top, double most)
{
    const struct replay_summary *summary = picture->summary;
    double slice_s = (double)summary->slice_us / USEC_PER_S;
    struct buffer *out = picture->out;
    bool open = curve->at_ends;

    if (open)
        buffer_printf(out, "<polyline class=\"%s\" points=\"%d,%d", curve->class, LEFT, (int)top + PANEL);
    for (size_t i = 0; i < summary->slice_count; i++) {
        double at_s = slice_s * ((double)i + (curve->at_ends ? 1 : 0.5));

        if (!isnan(curve->values[i])) {
            if (open)
                buffer_add_byte(out, ' ');
            else
                buffer_printf(out, "<polyline class=\"%s\" stroke-linecap=\"round\" points=\"", curve->class);
            buffer_printf(out, "%.1f,%.1f", x_of(picture, at_s), top + PANEL - curve->values[i] / most * PANEL);
            open = true;
        } else if (open) {
            buffer_add_text(out, "\"/>\n");
            open = false;
        }
    }
    if (open)
        buffer_add_text(out, "\"/>\n");
}

/* Right of the panel's name, from the right edge on. */
static void
draw_legend(const struct picture *picture, const struct panel *panel, double top)
{
    double x = WIDTH - RIGHT;

    for (size_t i = panel->curve_count; i-- > 0;) {
        const struct curve *curve = &panel->curves[i];

        x -= 7.0 * (double)strlen(curve->name);
        buffer_printf(picture->out, "<text x=\"%.1f\" y=\"%.1f\">%s</text>", x, top - 10, curve->name);
        buffer_printf(picture->out, "<polyline class=\"%s\" points=\"%.1f,%.1f %.1f,%.1f\"/>\n", curve->class, x - 26,
                      top - 14, x - 6, top - 14);
        x -= 44;
    }
}

static void
draw_panel(const struct picture *picture, const struct panel *panel, unsigned place)
{
    double top = TOP + place * (PANEL + GAP);
    double highest_value = highest(panel, picture->summary->slice_count);
    double step = replay_axis_step(highest_value, TICKS_Y), most = step * ceil(highest_value / step - 1e-9);

    if (!(most > 0))
        most = step * TICKS_Y;
    buffer_printf(picture->out, "<text class=\"name\" x=\"%d\" y=\"%.1f\">%s</text>\n", LEFT, top - 10, panel->name);
    draw_legend(picture, panel, top);
    draw_grid(picture, panel, top, step, most);
    for (size_t i = 0; i < panel->curve_count; i++)
        draw_curve(picture, &panel->curves[i], top, most);
}

/* What is drawn */

static double
dollars(wide_int pico)
{
    return (double)pico / (double)USD_ONE;
}

static void
add_xml(struct buffer *out, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        if (*c == '<')
            buffer_add_text(out, "&lt;");
        else if (*c == '&')
            buffer_add_text(out, "&amp;");
        else if (*c < 0x20 || *c > 0x7e) /* names of files are any bytes */
            buffer_add_byte(out, '?');
        else
            buffer_add_byte(out, (char)*c);
    }
}

static void
draw_title(const struct replay_result *result, struct buffer *out)
{
    const struct replay_stats *stats = &result->world->stats;

    buffer_printf(out, "<text class=\"title\" x=\"%d\" y=\"26\">Replay of ", LEFT);
    add_xml(out, result->name);
    buffer_printf(out,
                  "</text>\n<text class=\"small\" x=\"%d\" y=\"46\">%zu requests, $%.4f of cost, $%.4f of baseline%s; "
                  "all figures are modelled; each point is %lld s</text>\n",
                  LEFT, stats->count, dollars(stats->cost), dollars(stats->baseline),
                  result->interrupted ? "; interrupted" : "", (long long)(result->fine.slice_us / USEC_PER_S));
}

static void
draw_panels(const struct picture *picture)
{
    const struct replay_summary *summary = picture->summary;
    struct curve latency[] = {{.name = "p50", .class = "a"}, {.name = "p95", .class = "b"}};
    struct curve flight = {.name = "mean", .class = "a"};
    struct curve spend[] = {{.name = "baseline", .class = "d", .at_ends = true},
                            {.name = "cost", .class = "c", .at_ends = true}};
    const struct panel panels[PANELS] = {{"Time to first token", label_latency, latency, 2},
                                         {"Requests in flight", label_count, &flight, 1},
                                         {"Spend since the start", label_money, spend, 2}};
    wide_int cost = 0, baseline = 0;

    for (size_t i = 0; i < summary->slice_count; i++) {
        const struct replay_slice *slice = &summary->slices[i];

        latency[0].values[i] = slice->first_token.count > 0 ? slice->first_token.p50 : NAN;
        latency[1].values[i] = slice->first_token.count > 0 ? slice->first_token.p95 : NAN;
        flight.values[i] = slice->in_flight;
        spend[1].values[i] = dollars(cost += slice->cost);
        spend[0].values[i] = dollars(baseline += slice->baseline);
    }
    for (unsigned i = 0; i < PANELS; i++)
        draw_panel(picture, &panels[i], i);
}

void
replay_write_svg(const struct replay_result *result, struct buffer *out)
{
    const struct replay_summary *summary = &result->fine;
    struct picture picture = {.summary = summary, .out = out};

    picture.span_s = (double)summary->slice_us * (double)summary->slice_count / USEC_PER_S;
    buffer_printf(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
                  "role=\"img\">\n<title>Replay: latency, requests in flight and spend over time</title>\n",
                  WIDTH, HEIGHT, WIDTH, HEIGHT);
    buffer_add_text(out, style);
    buffer_printf(out, "<rect class=\"back\" width=\"%d\" height=\"%d\"/>\n", WIDTH, HEIGHT);
    draw_title(result, out);
    draw_panels(&picture);
    buffer_add_text(out, "</svg>\n");
}
