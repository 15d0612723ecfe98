#include "cmd/replay/replay_stats.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void
replay_stats_init(struct replay_stats *stats, const struct config *config, usec start_wall_us)
{
    *stats = (struct replay_stats){.config = config, .start_wall_us = start_wall_us};
    stats->backends = must_calloc(config->backend_count + 1, sizeof(stats->backends[0]));
}

void
replay_stats_free(struct replay_stats *stats)
{
    free(stats->samples);
    free(stats->backends);
}

static uint8_t
state_of(struct replay_stats *stats, const struct row *row)
{
    struct slice name = row->state;
    size_t i = 0;

    while (i < stats->state_count && !slice_is(name, stats->states[i].name))
        i++;
    ENSURE(i < REPLAY_STATES_MOST);
    if (i == stats->state_count) {
        snprintf(stats->states[i].name, sizeof(stats->states[i].name), "%.*s", SLICE_ARGS(name));
        stats->state_count++;
    }
    if (stats->states[i].why[0] == '\0')
        snprintf(stats->states[i].why, sizeof(stats->states[i].why), "%.*s", SLICE_ARGS(row->why));
    stats->states[i].count++;
    return (uint8_t)i;
}

/* Of an answer that comes whole nobody sees the first token: it is held to the route's total. */
static void
judge(struct replay_stats *stats, const struct row *row, struct replay_sample *sample)
{
    const struct route_config *route = config_route(stats->config, row->route);
    bool first = route != NULL && sample->streamed && route->first_token_us != USEC_NEVER;

    sample->limited = first || (route != NULL && route->total_us != USEC_NEVER);
    sample->within = sample->limited && sample->ok && (!first || row->first_token_us <= route->first_token_us) &&
                     row->total_us <= route->total_us;
    stats->limited += sample->limited ? 1 : 0;
    stats->within += sample->within ? 1 : 0;
    if (sample->limited && !sample->within && stats->could != NULL && !stats->could(stats->engines, route, row))
        stats->beyond++;
}

static void
add_money(struct replay_stats *stats, const struct row *row)
{
    if (usd_known(row->cost))
        stats->cost += row->cost;
    else
        stats->unpriced++;
    if (usd_known(row->cost) && usd_known(row->baseline))
        stats->baseline += row->baseline;
    stats->saved += row_booked(row);
    stats->estimated += slice_is(row->exactness, "estimated") ? 1 : 0;
}

/* "backend/model" */
static void
add_attempt(struct replay_stats *stats, const struct attempt_line *attempt, usd *left)
{
    struct slice name = slice_first(attempt->target, slice_find_byte(attempt->target, '/'));
    const struct backend_config *backend = config_backend(stats->config, name);
    struct replay_backend *of = backend != NULL ? &stats->backends[backend->index] : NULL;

    if (of == NULL)
        return;
    of->calls++;
    if (attempt->ended_us > attempt->started_us)
        of->working_us += attempt->ended_us - attempt->started_us;
    of->input_tokens += attempt->input_tokens;
    of->output_tokens += attempt->output_tokens;
    if (usd_known(*left) && usd_known(attempt->cost)) {
        of->charged += attempt->cost;
        *left -= attempt->cost;
    }
}

/* What no attempt of its own took, such as a part of another's call, is the backend's that served. */
static void
add_attempts(struct replay_stats *stats, const struct row *row)
{
    const struct backend_config *backend = config_backend(stats->config, row->backend);
    usd left = row->cost;

    for (size_t i = 0; i < row->try_count; i++)
        add_attempt(stats, &row->tries[i], &left);
    if (usd_known(left) && backend != NULL)
        stats->backends[backend->index].charged += left;
}

static const struct key_config *
key_of(const struct config *config, struct slice name)
{
    for (size_t i = 0; i < config->key_count; i++)
        if (slice_is(name, config->keys[i].name))
            return &config->keys[i];
    return NULL;
}

void
replay_stats_row(struct replay_stats *stats, const struct row *row)
{
    struct replay_sample sample = {
        .arrived_us = row->arrived_wall_us - stats->start_wall_us,
        .first_token_us = row->first_token_us,
        .total_us = row->total_us,
        .input_tokens = row->input_tokens,
        .output_tokens = row->output_tokens,
        .cost = row->cost,
        .baseline = row->baseline,
        .key = key_of(stats->config, row->key_name),
        .state = state_of(stats, row),
        .ok = slice_is(row->state, "ok"),
        .streamed = row->streamed != 0,
    };

    judge(stats, row, &sample);
    stats->input_tokens += row->input_tokens;
    stats->cache_read_tokens += row->cache_read_tokens;
    stats->output_tokens += row->output_tokens;
    add_money(stats, row);
    add_attempts(stats, row);
    if (stats->count == stats->size) {
        stats->size = stats->size != 0 ? 2 * stats->size : 1024;
        stats->samples = must_realloc(stats->samples, stats->size * sizeof(sample));
    }
    stats->samples[stats->count++] = sample;
}

/* Quantiles */

static int
compare_numbers(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return left < right ? -1 : left > right;
}

/* The least value that at least this share of all is not above. */
static double
at_rank(const double *sorted, size_t count, double share)
{
    size_t rank = (size_t)ceil(share * (double)count);

    return sorted[rank > 0 ? rank - 1 : 0];
}

/* Sorts the values. */
static struct quantiles
quantiles_of(double *values, size_t count)
{
    struct quantiles out = {.count = count};
    double sum = 0;

    if (count == 0)
        return out;
    qsort(values, count, sizeof(values[0]), compare_numbers);
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    out.p50 = at_rank(values, count, 0.5);
    out.p90 = at_rank(values, count, 0.9);
    out.p95 = at_rank(values, count, 0.95);
    out.p99 = at_rank(values, count, 0.99);
    out.most = values[count - 1];
    out.mean = sum / (double)count;
    return out;
}

static double
first_token_of(const struct replay_sample *sample)
{
    return sample->ok && sample->streamed ? (double)sample->first_token_us : -1;
}

static double
per_token_of(const struct replay_sample *sample)
{
    if (!sample->ok || !sample->streamed || sample->output_tokens < 2 || sample->first_token_us < 0)
        return -1;
    return (double)(sample->total_us - sample->first_token_us) / (double)(sample->output_tokens - 1);
}

static double
total_of(const struct replay_sample *sample)
{
    return sample->ok ? (double)sample->total_us : -1;
}

static struct quantiles
measure(const struct replay_stats *stats, double (*of)(const struct replay_sample *), double *scratch)
{
    size_t count = 0;

    for (size_t i = 0; i < stats->count; i++) {
        double value = of(&stats->samples[i]);

        if (value >= 0)
            scratch[count++] = value;
    }
    return quantiles_of(scratch, count);
}

/* Over time */

static usec
ended_at(const struct replay_sample *sample)
{
    return sample->arrived_us + (sample->total_us > 0 ? sample->total_us : 0);
}

/* A length that people like, so that there are not too many slices. */
static usec
slice_length(usec span_us, unsigned slices_most)
{
    static const int64_t seconds[] = {1,   2,   5,    10,   15,   20,   30,    60,    120,
                                      300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400};

    for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++)
        if (span_us / (seconds[i] * USEC_PER_S) < slices_most)
            return seconds[i] * USEC_PER_S;
    return (span_us / slices_most / USEC_PER_S + 1) * USEC_PER_S;
}

static void
add_presence(struct replay_summary *out, usec from_us, usec until_us)
{
    for (size_t i = (size_t)(from_us / out->slice_us); i < out->slice_count; i++) {
        usec start_us = (usec)i * out->slice_us, end_us = start_us + out->slice_us;
        usec since_us = from_us > start_us ? from_us : start_us, to_us = until_us < end_us ? until_us : end_us;

        if (to_us > since_us)
            out->slices[i].in_flight += (double)(to_us - since_us) / (double)out->slice_us;
        if (until_us <= end_us)
            return;
    }
}

static void
add_to_slices(const struct replay_stats *stats, struct replay_summary *out)
{
    for (size_t i = 0; i < stats->count; i++) {
        const struct replay_sample *sample = &stats->samples[i];
        struct replay_slice *arrival = &out->slices[sample->arrived_us / out->slice_us];
        struct replay_slice *end = &out->slices[ended_at(sample) / out->slice_us];

        arrival->arrived++;
        end->ended++;
        end->ok += sample->ok ? 1 : 0;
        end->output_tokens += sample->output_tokens;
        if (usd_known(sample->cost)) {
            end->cost += sample->cost;
            end->baseline += usd_known(sample->baseline) ? sample->baseline : 0;
        }
        add_presence(out, sample->arrived_us, ended_at(sample));
    }
}

static int
compare_arrivals(const void *a, const void *b)
{
    const struct replay_sample *left = *(const struct replay_sample *const *)a;
    const struct replay_sample *right = *(const struct replay_sample *const *)b;

    return left->arrived_us < right->arrived_us ? -1 : left->arrived_us > right->arrived_us;
}

static void
measure_slices(const struct replay_sample **by_arrival, size_t count, struct replay_summary *out, double *scratch)
{
    size_t at = 0;

    for (size_t i = 0; i < out->slice_count; i++) {
        usec end_us = (usec)(i + 1) * out->slice_us;
        size_t seen = 0;

        for (; at < count && by_arrival[at]->arrived_us < end_us; at++)
            if (first_token_of(by_arrival[at]) >= 0)
                scratch[seen++] = first_token_of(by_arrival[at]);
        out->slices[i].first_token = quantiles_of(scratch, seen);
    }
}

/* What ended as it arrived, such as a refusal, was never in flight: its end would be counted before it. */
static bool
was_in_flight(const struct replay_sample *sample)
{
    return ended_at(sample) > sample->arrived_us;
}

static uint64_t
most_at_once(const struct replay_stats *stats, const struct replay_sample **by_arrival, double *ends)
{
    uint64_t now = 0, most = 0;
    size_t count = 0, ended = 0;

    for (size_t i = 0; i < stats->count; i++)
        if (was_in_flight(&stats->samples[i]))
            ends[count++] = (double)ended_at(&stats->samples[i]);
    qsort(ends, count, sizeof(ends[0]), compare_numbers);
    for (size_t i = 0; i < stats->count; i++) {
        if (!was_in_flight(by_arrival[i]))
            continue;
        for (; ended < count && ends[ended] <= (double)by_arrival[i]->arrived_us; ended++)
            now--;
        most = ++now > most ? now : most;
    }
    return most;
}

static void
take_spans(const struct replay_stats *stats, unsigned slices_most, struct replay_summary *out)
{
    double presence = 0;

    for (size_t i = 0; i < stats->count; i++) {
        const struct replay_sample *sample = &stats->samples[i];

        out->span_us = ended_at(sample) > out->span_us ? ended_at(sample) : out->span_us;
        out->arrivals_us = sample->arrived_us > out->arrivals_us ? sample->arrived_us : out->arrivals_us;
        presence += (double)(ended_at(sample) - sample->arrived_us);
    }
    out->in_flight = out->span_us > 0 ? presence / (double)out->span_us : 0;
    out->slice_us = slice_length(out->span_us, slices_most);
    out->slice_count = (size_t)(out->span_us / out->slice_us) + 1;
    ENSURE(out->slice_count <= slices_most);
}

void
replay_summarize(const struct replay_stats *stats, unsigned slices_most, struct replay_summary *out)
{
    double *scratch = must_calloc(stats->count + 1, sizeof(*scratch));
    const struct replay_sample **by_arrival = must_calloc(stats->count + 1, sizeof(*by_arrival));

    ENSURE(slices_most > 0 && slices_most <= REPLAY_SLICES_MOST);
    *out = (struct replay_summary){0};
    for (size_t i = 0; i < stats->count; i++)
        by_arrival[i] = &stats->samples[i];
    qsort(by_arrival, stats->count, sizeof(*by_arrival), compare_arrivals);
    take_spans(stats, slices_most, out);
    out->first_token = measure(stats, first_token_of, scratch);
    out->per_token = measure(stats, per_token_of, scratch);
    out->total = measure(stats, total_of, scratch);
    out->in_flight_most = most_at_once(stats, by_arrival, scratch);
    add_to_slices(stats, out);
    measure_slices(by_arrival, stats->count, out, scratch);
    free(by_arrival);
    free(scratch);
}
