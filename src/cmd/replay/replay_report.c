/* A replay for people. */
#include "cmd/replay/replay_report.h"

#include <math.h>
#include <stdarg.h>

#include "base/clock.h"
#include "money/amount.h"

enum { TEXT_MOST = 48 };

static void
title(struct buffer *out, bool colour, const char *text)
{
    buffer_printf(out, colour ? "\n\033[1m%s\033[0m\n" : "\n%s\n", text);
}

static void fact(struct buffer *out, const char *name, const char *format, ...) PRINTF_LIKE(3, 4);

static void
fact(struct buffer *out, const char *name, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    buffer_printf(out, "  %-22s %s\n", name, text);
}

/* "10,108" */
static const char *
number(int64_t value, char *out)
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%lld", (long long)value), at = 0;

    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0 && digits[i - 1] != '-')
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

static const char *
money(wide_int amount, char *out)
{
    amount_format_people(amount, out);
    return out;
}

/* "840 us", "43.1 ms", "1.62 s", "29m 59s" */
static const char *
duration(double us, char *out)
{
    if (us <= 0)
        snprintf(out, TEXT_MOST, "0 s");
    else if (us < 1000)
        snprintf(out, TEXT_MOST, "%.0f us", us);
    else if (us < 1e6)
        snprintf(out, TEXT_MOST, us < 1e5 ? "%.1f ms" : "%.0f ms", us / 1e3);
    else if (us < 120e6)
        snprintf(out, TEXT_MOST, us < 10e6 ? "%.2f s" : "%.1f s", us / 1e6);
    else if (us < 7200e6)
        snprintf(out, TEXT_MOST, "%dm %02ds", (int)(us / 60e6), (int)fmod(us / 1e6, 60));
    else
        snprintf(out, TEXT_MOST, "%dh %02dm", (int)(us / 3600e6), (int)fmod(us / 60e6, 60));
    return out;
}

static double
percent(double part, double whole)
{
    return whole > 0 ? 100 * part / whole : 0;
}

static double
per_second(double count, usec span_us)
{
    return span_us > 0 ? count / ((double)span_us / USEC_PER_S) : 0;
}

/* The parts */

static void
add_head(const struct replay_result *result, struct buffer *out)
{
    const struct replay_world *world = result->world;
    char count[TEXT_MOST], span[TEXT_MOST], when[CLOCK_TEXT_SIZE];

    clock_format_utc(world->start_wall_us, when);
    buffer_printf(out, "Replay of %s (%s): %s requests in %s from %s on.\n", result->name,
                  trace_format_name(trace_format(world->trace)), number((int64_t)world->stats.count, count),
                  duration((double)result->fine.span_us, span), when);
    buffer_add_text(out, "All figures are modelled: engines and APIs by formulas. Real are the gateway and ");
    buffer_add_text(out, trace_format(world->trace) == TRACE_RATES
                             ? "the trace's rates; arrivals and lengths are drawn.\n"
                             : "the trace's arrivals and lengths.\n");
    if (result->interrupted)
        buffer_add_text(out, "Interrupted: this is what had ended by then.\n");
}

/* Why requests did not end well: the first that the gateway said of each state, and what engines refused. */
static void
add_reasons(const struct replay_result *result, struct buffer *out)
{
    const struct replay_world *world = result->world;
    char count[TEXT_MOST], most[TEXT_MOST];

    for (size_t i = 0; i < world->stats.state_count; i++) {
        const struct replay_state *state = &world->stats.states[i];

        if (strcmp(state->name, "ok") != 0 && state->why[0] != '\0')
            buffer_printf(out, "  %-22s as the gateway said first: %s\n", state->name, state->why);
    }
    for (size_t i = 0; i < world->engines.count; i++) {
        struct replay_work work = replay_engines_work(&world->engines.casts[i], result->fine.span_us);

        if (work.too_long > 0)
            fact(out, "too long", "%s for %s: prompt and answer together may have %s tokens there",
                 number(work.too_long, count), world->config->backends[i].name, number(work.context_most, most));
    }
}

static void
add_requests(const struct replay_result *result, struct buffer *out)
{
    const struct replay_world *world = result->world;
    const struct replay_stats *stats = &world->stats;
    const struct replay_summary *fine = &result->fine;
    char count[TEXT_MOST], span[TEXT_MOST];
    double busiest = 0;

    for (size_t i = 0; i < stats->state_count; i++)
        fact(out, stats->states[i].name, "%s (%.2f%%)", number((int64_t)stats->states[i].count, count),
             percent((double)stats->states[i].count, (double)stats->count));
    add_reasons(result, out);
    if (world->unidentified > 0)
        fact(out, "key not accepted", "%s, without a row", number((int64_t)world->unidentified, count));
    for (size_t i = 0; i < fine->slice_count; i++)
        busiest = fmax(busiest, per_second((double)fine->slices[i].arrived, fine->slice_us));
    fact(out, "requests per second", "%.2f; %.2f in the busiest %s",
         per_second((double)stats->count - 1, fine->arrivals_us), busiest, duration((double)fine->slice_us, span));
    fact(out, "in flight", "%.1f; %s at most", fine->in_flight, number((int64_t)fine->in_flight_most, count));
    if (stats->limited > 0)
        fact(out, "within limits", "%.2f%% of %s requests whose route has limits were answered in full within them",
             percent((double)stats->within, (double)stats->limited), number((int64_t)stats->limited, count));
    if (trace_left_out(world->trace) > 0)
        fact(out, "left out", "%s of the ledger that asked for no tokens of a model",
             number((int64_t)trace_left_out(world->trace), count));
    if (world->writer.rounded > 0)
        fact(out, "of no tokens", "%s asked for no token of input or of output, and were played with one",
             number((int64_t)world->writer.rounded, count));
    if (world->writer.rerouted > 0)
        fact(out, "other routes", "%s asked for what the configuration has no route for, and went to %s",
             number((int64_t)world->writer.rerouted, count), world->writer.route->name);
}

static wide_int
per_million(wide_int cost, int64_t tokens)
{
    return tokens > 0 ? wide_divide_half_even(cost * 1000000, tokens) : 0;
}

static void
add_money(const struct replay_result *result, struct buffer *out)
{
    const struct replay_stats *stats = &result->world->stats;
    char text[AMOUNT_TEXT_SIZE], more[AMOUNT_TEXT_SIZE];

    fact(out, "cost", "%s", money(stats->cost, text));
    fact(out, "baseline", "%s", money(stats->baseline, text));
    fact(out, "saved", "%s (%.1f%%)", money(stats->saved, text),
         percent((double)stats->saved, (double)stats->baseline));
    fact(out, "per million tokens", "%s; %s per million of output",
         money(per_million(stats->cost, stats->input_tokens + stats->output_tokens), text),
         money(per_million(stats->cost, stats->output_tokens), more));
    if (stats->unpriced > 0)
        fact(out, "without a price", "%s requests, which are in none of this: give their models a price under prices:",
             number((int64_t)stats->unpriced, text));
    if (stats->estimated > 0)
        fact(out, "estimated", "%s requests", number((int64_t)stats->estimated, text));
    fact(out, "input tokens", "%s", number(stats->input_tokens, text));
    if (stats->cache_read_tokens > 0)
        fact(out, "  of these cached", "%s (%.1f%%)", number(stats->cache_read_tokens, text),
             percent((double)stats->cache_read_tokens, (double)stats->input_tokens));
    fact(out, "output tokens", "%s", number(stats->output_tokens, text));
}

static void
add_quantiles(const char *name, const struct quantiles *quantiles, struct buffer *out)
{
    const double values[] = {quantiles->p50, quantiles->p90, quantiles->p95, quantiles->p99, quantiles->most};
    char text[TEXT_MOST];

    if (quantiles->count == 0)
        return;
    buffer_printf(out, "  %-20s", name);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        buffer_printf(out, " %10s", duration(values[i], text));
    buffer_add_byte(out, '\n');
}

static void
add_latency(const struct replay_result *result, bool colour, struct buffer *out)
{
    if (result->fine.total.count == 0)
        return;
    title(out, colour, "Latency                     p50        p90        p95        p99        max");
    add_quantiles("first token", &result->fine.first_token, out);
    add_quantiles("per output token", &result->fine.per_token, out);
    add_quantiles("total", &result->fine.total, out);
}

static void
add_backend(const struct replay_result *result, size_t index, struct buffer *out)
{
    const struct replay_world *world = result->world;
    const struct backend_config *backend = &world->config->backends[index];
    const struct replay_cast *cast = &world->engines.casts[index];
    const struct replay_backend *seen = &world->stats.backends[index];
    struct replay_work work = replay_engines_work(cast, result->fine.span_us);
    char calls[TEXT_MOST], money_text[AMOUNT_TEXT_SIZE], played[TEXT_MOST];

    if (cast->engine_count == 0)
        return;
    snprintf(played, sizeof(played), "%s x %zu", cast->pair != NULL ? cast->pair->name : "constant pace",
             cast->engine_count);
    buffer_printf(out, "  %-16s %-28s %9s %9.1f", backend->name, played, number((int64_t)seen->calls, calls),
                  result->fine.span_us > 0 ? (double)seen->working_us / (double)result->fine.span_us : 0);
    if (cast->pair != NULL)
        buffer_printf(out, " %7.1f%% %7.1f%% %8s", 100 * work.busy,
                      percent((double)work.prefix_found, (double)work.prefix_asked), number(work.preemptions, calls));
    buffer_add_byte(out, '\n');
    if (usd_known(backend->usd_per_hour)) {
        double hours = (double)result->fine.span_us / (3600.0 * USEC_PER_S) * (double)cast->engine_count;

        buffer_printf(out, "  %-16s %.2f hours of it at its usd_per_hour: %s\n", "", hours,
                      money((wide_int)(hours * (double)backend->usd_per_hour), money_text));
    }
}

static void
add_backends(const struct replay_result *result, bool colour, struct buffer *out)
{
    title(out, colour, "Backends         played by                        calls in flight  at work   cached preempted");
    for (size_t i = 0; i < result->world->config->backend_count; i++)
        add_backend(result, i, out);
}

static void
add_time(const struct replay_result *result, bool colour, struct buffer *out)
{
    const struct replay_summary *coarse = &result->coarse;
    char text[TEXT_MOST], cost[AMOUNT_TEXT_SIZE];

    title(out, colour, "Over time     requests/s  in flight    tokens/s  first token p50        p95       cost");
    for (size_t i = 0; i < coarse->slice_count; i++) {
        const struct replay_slice *slice = &coarse->slices[i];

        buffer_printf(out, "  %-10s %11.2f %10.1f %11.0f", duration((double)coarse->slice_us * (double)i, text),
                      per_second((double)slice->arrived, coarse->slice_us), slice->in_flight,
                      per_second((double)slice->output_tokens, coarse->slice_us));
        buffer_printf(out, " %16s", slice->first_token.count > 0 ? duration(slice->first_token.p50, text) : "-");
        buffer_printf(out, " %10s", slice->first_token.count > 0 ? duration(slice->first_token.p95, text) : "-");
        buffer_printf(out, " %10s\n", money(slice->cost, cost));
    }
}

static const char *
prices_named(const struct replay_settings *settings)
{
    if (settings->config_file != NULL)
        return "Money, by the configuration's prices";
    if (settings->usd_per_hour > 0)
        return "Money, by shares of the engines' time at --usd-per-hour; what is idle is in none of it";
    return "Money, by modelled prices ($0.05/M input, $0.08/M output)";
}

void
replay_write_text(const struct replay_result *result, bool colour, struct buffer *out)
{
    add_head(result, out);
    title(out, colour, "Requests");
    add_requests(result, out);
    title(out, colour, prices_named(result->world->settings));
    add_money(result, out);
    add_latency(result, colour, out);
    add_backends(result, colour, out);
    add_time(result, colour, out);
}
