/* A replay for programs: JSON of the whole, CSV of each request. Times are in seconds, money is exact. */
#include "base/clock.h"
#include "cmd/replay/replay_report.h"
#include "money/amount.h"

static void
add_text(struct buffer *out, const char *name, const char *text)
{
    buffer_add_json_member(out, name, slice_of(text));
}

static void
add_quantiles(struct buffer *out, const char *name, const struct quantiles *q)
{
    buffer_printf(out, "\"%s\":{\"count\":%zu", name, q->count);
    if (q->count > 0)
        buffer_printf(out, ",\"p50\":%.6f,\"p90\":%.6f,\"p95\":%.6f,\"p99\":%.6f,\"max\":%.6f,\"mean\":%.6f",
                      q->p50 / 1e6, q->p90 / 1e6, q->p95 / 1e6, q->p99 / 1e6, q->most / 1e6, q->mean / 1e6);
    buffer_add_byte(out, '}');
}

static void
add_trace(const struct replay_result *result, struct buffer *out)
{
    const struct replay_world *world = result->world;
    char when[CLOCK_TEXT_SIZE];

    clock_format_utc(world->start_wall_us, when);
    buffer_add_text(out, "{\"modelled\":true,");
    add_text(out, "trace", result->name);
    buffer_printf(out, ",\"format\":\"%s\",\"seed\":%llu,\"starts\":\"%s\",\"interrupted\":%s,",
                  trace_format_name(trace_format(world->trace)), (unsigned long long)world->settings->seed, when,
                  result->interrupted ? "true" : "false");
    buffer_printf(out, "\"left_out\":%llu,\"rounded\":%llu,\"rerouted\":%llu,",
                  (unsigned long long)trace_left_out(world->trace), (unsigned long long)world->writer.rounded,
                  (unsigned long long)world->writer.rerouted);
}

/* The first that the gateway said of each state. */
static void
add_reasons(const struct replay_stats *stats, struct buffer *out)
{
    bool first = true;

    for (size_t i = 0; i < stats->state_count; i++) {
        const struct replay_state *state = &stats->states[i];

        if (strcmp(state->name, "ok") == 0 || state->why[0] == '\0')
            continue;
        buffer_add_text(out, first ? "" : ",");
        add_text(out, state->name, state->why);
        first = false;
    }
}

static void
add_requests(const struct replay_result *result, struct buffer *out)
{
    const struct replay_stats *stats = &result->world->stats;

    buffer_printf(out, "\"requests\":%zu,\"unidentified\":%llu,\"states\":{", stats->count,
                  (unsigned long long)result->world->unidentified);
    for (size_t i = 0; i < stats->state_count; i++)
        buffer_printf(out, "%s\"%s\":%llu", i > 0 ? "," : "", stats->states[i].name,
                      (unsigned long long)stats->states[i].count);
    buffer_add_text(out, "},\"reasons\":{");
    add_reasons(stats, out);
    buffer_printf(out, "},\"limited\":%llu,\"within_limits\":%llu,", (unsigned long long)stats->limited,
                  (unsigned long long)stats->within);
}

static void
add_sums(const struct replay_result *result, struct buffer *out)
{
    const struct replay_stats *stats = &result->world->stats;

    amount_add_json(out, "cost_usd", stats->cost);
    buffer_add_byte(out, ',');
    amount_add_json(out, "baseline_usd", stats->baseline);
    buffer_add_byte(out, ',');
    amount_add_json(out, "saved_usd", stats->saved);
    buffer_printf(out,
                  ",\"unpriced\":%llu,\"estimated\":%llu,\"input_tokens\":%lld,\"cache_read_tokens\":%lld,"
                  "\"output_tokens\":%lld,",
                  (unsigned long long)stats->unpriced, (unsigned long long)stats->estimated,
                  (long long)stats->input_tokens, (long long)stats->cache_read_tokens, (long long)stats->output_tokens);
}

static void
add_latency(const struct replay_result *result, struct buffer *out)
{
    const struct replay_summary *fine = &result->fine;

    buffer_printf(out, "\"span_s\":%.6f,\"arrivals_s\":%.6f,\"in_flight\":%.4f,\"in_flight_max\":%llu,",
                  (double)fine->span_us / 1e6, (double)fine->arrivals_us / 1e6, fine->in_flight,
                  (unsigned long long)fine->in_flight_most);
    add_quantiles(out, "first_token_s", &fine->first_token);
    buffer_add_byte(out, ',');
    add_quantiles(out, "per_output_token_s", &fine->per_token);
    buffer_add_byte(out, ',');
    add_quantiles(out, "total_s", &fine->total);
}

static void
add_backend(const struct replay_result *result, size_t index, struct buffer *out)
{
    const struct backend_config *backend = &result->world->config->backends[index];
    const struct replay_cast *cast = &result->world->engines.casts[index];
    const struct replay_backend *seen = &result->world->stats.backends[index];
    struct replay_work work = replay_engines_work(cast, result->fine.span_us);

    buffer_add_byte(out, '{');
    add_text(out, "name", backend->name);
    buffer_add_byte(out, ',');
    add_text(out, "played_by", cast->pair != NULL ? cast->pair->name : "constant pace");
    buffer_printf(out,
                  ",\"replicas\":%zu,\"calls\":%llu,\"working_s\":%.6f,\"input_tokens\":%lld,\"output_tokens\":%lld,"
                  "\"busy\":%.6f,\"steps\":%lld,\"preemptions\":%lld,\"prefix_asked\":%lld,\"prefix_found\":%lld,"
                  "\"replica_requests_least\":%lld,\"replica_requests_most\":%lld,"
                  "\"too_long\":%lld,\"context_most\":%lld}",
                  cast->engine_count, (unsigned long long)seen->calls, (double)seen->working_us / 1e6,
                  (long long)seen->input_tokens, (long long)seen->output_tokens, work.busy, (long long)work.steps,
                  (long long)work.preemptions, (long long)work.prefix_asked, (long long)work.prefix_found,
                  (long long)work.requests_least, (long long)work.requests_most, (long long)work.too_long,
                  (long long)work.context_most);
}

static void
add_slice(const struct replay_slice *slice, struct buffer *out)
{
    buffer_printf(out, "{\"arrived\":%llu,\"ended\":%llu,\"ok\":%llu,\"output_tokens\":%lld,\"in_flight\":%.4f,",
                  (unsigned long long)slice->arrived, (unsigned long long)slice->ended, (unsigned long long)slice->ok,
                  (long long)slice->output_tokens, slice->in_flight);
    amount_add_json(out, "cost_usd", slice->cost);
    buffer_add_byte(out, ',');
    amount_add_json(out, "baseline_usd", slice->baseline);
    buffer_add_byte(out, ',');
    add_quantiles(out, "first_token_s", &slice->first_token);
    buffer_add_byte(out, '}');
}

void
replay_write_json(const struct replay_result *result, struct buffer *out)
{
    const struct replay_summary *fine = &result->fine;

    add_trace(result, out);
    add_requests(result, out);
    add_sums(result, out);
    add_latency(result, out);
    buffer_add_text(out, ",\"backends\":[");
    for (size_t i = 0, shown = 0; i < result->world->config->backend_count; i++)
        if (result->world->engines.casts[i].engine_count > 0) {
            buffer_add_text(out, shown++ > 0 ? "," : "");
            add_backend(result, i, out);
        }
    buffer_printf(out, "],\"slice_s\":%lld,\"slices\":[", (long long)(fine->slice_us / USEC_PER_S));
    for (size_t i = 0; i < fine->slice_count; i++) {
        buffer_add_text(out, i > 0 ? "," : "");
        add_slice(&fine->slices[i], out);
    }
    buffer_add_text(out, "]}\n");
}

/* CSV */

static void
add_seconds(struct buffer *out, usec us)
{
    if (us >= 0)
        buffer_printf(out, ",%lld.%06lld", (long long)(us / USEC_PER_S), (long long)(us % USEC_PER_S));
    else
        buffer_add_byte(out, ',');
}

static void
add_known(struct buffer *out, usd amount)
{
    char text[USD_TEXT_SIZE];

    buffer_add_byte(out, ',');
    if (!usd_known(amount))
        return;
    usd_format(amount, text);
    buffer_add_text(out, text);
}

void
replay_write_csv(const struct replay_result *result, struct buffer *out)
{
    const struct replay_stats *stats = &result->world->stats;

    buffer_add_text(
        out, "arrival_s,input_tokens,output_tokens,state,streamed,first_token_s,total_s,cost_usd,baseline_usd,key\n");
    for (size_t i = 0; i < stats->count; i++) {
        const struct replay_sample *sample = &stats->samples[i];

        buffer_printf(out, "%lld.%06lld,%lld,%lld,%s,%d", (long long)(sample->arrived_us / USEC_PER_S),
                      (long long)(sample->arrived_us % USEC_PER_S), (long long)sample->input_tokens,
                      (long long)sample->output_tokens, stats->states[sample->state].name, sample->streamed);
        add_seconds(out, sample->first_token_us);
        add_seconds(out, sample->total_us);
        add_known(out, sample->cost);
        add_known(out, sample->baseline);
        buffer_printf(out, ",%s\n", sample->key != NULL ? sample->key->name : "");
    }
}
