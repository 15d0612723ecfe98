/* Rates of arrival by pool and time. All lines are read at the start, as a pool's lines may stand anywhere. */
#include <math.h>
#include <stdlib.h>

#include "virtual/trace_inside.h"

enum { POOL, START, RATE, POOLS_NAMED = 8, POOL_NAME_MOST = 64 };

static const usec LAST_WINDOW_US = 600 * USEC_PER_S; /* of a pool with a single line; else as long as the one before */
static const double PER_S_MOST = 1e6;

/* The pools seen so far, to name them. */
struct pools {
    char names[POOLS_NAMED][POOL_NAME_MOST + 1];
    size_t count;
};

static void
note_pool(struct pools *pools, struct slice name)
{
    for (size_t i = 0; i < pools->count; i++)
        if (slice_is(name, pools->names[i]))
            return;
    if (pools->count < POOLS_NAMED)
        snprintf(pools->names[pools->count++], POOL_NAME_MOST + 1, "%.*s", SLICE_ARGS(name));
}

static void
list_pools(const struct pools *pools, char *out, size_t size)
{
    size_t at = 0;

    out[0] = '\0';
    for (size_t i = 0; i < pools->count && at < size; i++)
        at += (size_t)snprintf(out + at, size - at, "%s%s", i == 0 ? "" : ", ", pools->names[i]);
}

static enum status
add_rate(struct trace *trace, usec start_us, double per_s)
{
    size_t count = trace->rate_count;

    if (count > 0 && start_us <= trace->rates[count - 1].start_us)
        return trace_bad(trace, NULL, "expected a start_s above the %.6f of the same pool's line before",
                         (double)trace->rates[count - 1].start_us / USEC_PER_S);
    if (count == TRACE_RATES_MOST)
        return trace_bad(trace, "Choose a --pool, or split the file.", "more than %d lines of rates", TRACE_RATES_MOST);
    if (count == trace->rates_size) {
        trace->rates_size = trace->rates_size != 0 ? 2 * trace->rates_size : 256;
        trace->rates = must_realloc(trace->rates, trace->rates_size * sizeof(struct rate));
    }
    if (count > 0)
        trace->rates[count - 1].end_us = start_us;
    ENSURE(trace->rates != NULL);
    trace->rates[trace->rate_count++] = (struct rate){start_us, 0, per_s};
    return OK;
}

static enum status
take_line(struct trace *trace, struct slice line, struct pools *pools)
{
    const size_t *at = trace->columns.at;
    const char *wanted = trace->options.pool;
    struct slice fields[TRACE_COLUMNS_MOST];
    usec start_us, micro_per_s;

    if (trace_split(line, fields) != trace->columns.count)
        return trace_bad(trace, NULL, "expected %zu fields, as the first line has, found: %.*s", trace->columns.count,
                         SLICE_ARGS(slice_first(line, 80)));
    if (fields[at[POOL]].len == 0 || fields[at[POOL]].len > POOL_NAME_MOST)
        return trace_bad(trace, NULL, "expected a pool's name of 1 to %d bytes", POOL_NAME_MOST);
    if (trace_parse_seconds(fields[at[START]], &start_us) != OK)
        return trace_bad(trace, NULL, "expected start_s in seconds such as 600, found '%.*s'",
                         SLICE_ARGS(slice_first(fields[at[START]], 40)));
    if (trace_parse_seconds(fields[at[RATE]], &micro_per_s) != OK || (double)micro_per_s / 1e6 > PER_S_MOST)
        return trace_bad(trace, NULL, "expected rate_req_s, requests a second such as 25.5, found '%.*s'",
                         SLICE_ARGS(slice_first(fields[at[RATE]], 40)));
    note_pool(pools, fields[at[POOL]]);
    if (!slice_is(fields[at[POOL]], wanted != NULL ? wanted : pools->names[0]))
        return OK;
    return add_rate(trace, start_us, (double)micro_per_s / 1e6);
}

static enum status
read_all(struct trace *trace, struct pools *pools)
{
    struct slice line;
    enum status status;

    while ((status = trace_line(trace, &line)) == OK)
        if ((status = take_line(trace, line, pools)) != OK)
            return status;
    return status == ERR_NOT_FOUND ? OK : status;
}

static enum status
choose(struct trace *trace, const struct pools *pools)
{
    char names[POOLS_NAMED * (POOL_NAME_MOST + 2)];

    list_pools(pools, names, sizeof(names));
    if (trace->options.pool != NULL && trace->rate_count == 0)
        return trace_bad(trace, NULL, "there is no pool '%s'; there are: %s", trace->options.pool, names);
    if (trace->options.pool == NULL && pools->count > 1)
        return trace_bad(trace, "Choose one with --pool.", "there are several pools: %s", names);
    if (trace->rate_count == 0)
        return trace_bad(trace, NULL, "there are no rates");
    return OK;
}

static void
begin(struct trace *trace)
{
    struct rate *last = &trace->rates[trace->rate_count - 1];
    usec before_us = trace->rate_count > 1 ? last->start_us - last[-1].start_us : LAST_WINDOW_US;

    last->end_us = last->start_us + before_us;
    trace->first_us = trace->now_us = trace->rates[0].start_us;
}

/* Drawing */

/* Exponential with mean 1. */
static double
draw_exponential(struct rng *rng)
{
    return -log(1 - rng_unit(rng));
}

/* Standard normal (Box and Muller, 1958). */
static double
draw_normal(struct rng *rng)
{
    double radius = sqrt(2 * draw_exponential(rng));

    return radius * cos(6.283185307179586 * rng_unit(rng));
}

static int64_t
whole_tokens(double tokens, int64_t most)
{
    return tokens < 1 ? 1 : tokens > (double)most ? most : (int64_t)tokens;
}

static void
draw_lengths(struct trace *trace, struct trace_request *out)
{
    double input = trace->options.input_mean != 0 ? (double)trace->options.input_mean : TRACE_INPUT_MEAN;
    double output = trace->options.output_mean != 0 ? (double)trace->options.output_mean : TRACE_OUTPUT_MEAN;

    /* A log-normal's mean is exp(mu + sigma^2 / 2). */
    out->input_tokens = whole_tokens(exp(log(input) - 0.5 + draw_normal(&trace->rng)), TRACE_INPUT_DRAWN_MOST);
    out->output_tokens = whole_tokens(ceil(output * draw_exponential(&trace->rng)), TRACE_TOKENS_MOST);
}

/* A Poisson process forgets: at a window's end the rest of the gap is drawn anew, at the next rate. */
static enum status
next(struct trace *trace, struct trace_request *out)
{
    double scale = trace->options.scale > 0 ? trace->options.scale : 1;

    while (trace->rate_at < trace->rate_count) {
        const struct rate *rate = &trace->rates[trace->rate_at];
        double per_s = rate->per_s * scale;
        double gap_us = per_s > 0 ? draw_exponential(&trace->rng) / per_s * USEC_PER_S : INFINITY;

        if (trace->now_us < rate->start_us)
            trace->now_us = rate->start_us;
        if (gap_us < (double)(rate->end_us - trace->now_us)) {
            trace->now_us += (usec)gap_us;
            out->at_us = trace->now_us;
            draw_lengths(trace, out);
            return OK;
        }
        trace->now_us = rate->end_us;
        trace->rate_at++;
    }
    return ERR_NOT_FOUND;
}

static void
free_rates(struct trace *trace)
{
    free(trace->rates);
}

static const struct trace_reader reader = {.next = next, .free = free_rates};

enum status
trace_rates_start(struct trace *trace, struct slice first)
{
    static const char *const names[] = {"pool", "start_s", "rate_req_s"};
    struct slice fields[TRACE_COLUMNS_MOST];
    struct pools pools = {.count = 0};
    enum status status;

    trace->columns.count = trace_split(first, fields);
    for (size_t i = 0; i < 3; i++) {
        trace->columns.at[i] = trace_column(fields, trace->columns.count, names[i]);
        if (trace->columns.at[i] == SIZE_MAX)
            return ERR_NOT_FOUND;
    }
    trace->reader = &reader;
    status = read_all(trace, &pools);
    if (status == OK)
        status = choose(trace, &pools);
    if (status == OK)
        begin(trace);
    return status;
}
