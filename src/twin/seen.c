#include "twin/seen.h"

#include "base/base64.h"
#include "base/hash.h"
#include "base/text.h"
#include "twin/render.h"

/* As in vLLM's time_to_first_token_seconds. */
static const double bounds_s[HISTOGRAM_BUCKETS] = {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1,
                                                   0.25,  0.5,   0.75, 1.0,  2.5,  5.0,  10.0, 40.0};

void
seen_init(struct seen *seen)
{
    *seen = (struct seen){.refused = 0};
    lock_init(&seen->lock);
}

void
request_seen_free(struct request_seen *request)
{
    free(request->headers);
    free(request->method);
    free(request->target);
    chunk_release(request->body);
    *request = (struct request_seen){NULL, NULL, NULL, NULL};
}

void
seen_free(struct seen *seen)
{
    request_seen_free(&seen->last);
    lock_destroy(&seen->lock);
}

void
seen_reset(struct seen *seen)
{
    lock_take(&seen->lock);
    for (unsigned i = 0; i < TWIN_MODELS_MOST; i++) {
        struct model_seen *model = &seen->models[i];

        *model = (struct model_seen){.running = model->running,
                                     .waiting = model->waiting,
                                     .tokens_held = model->tokens_held,
                                     .has_engine = model->has_engine,
                                     .engine = model->engine};
    }
    seen->refused = 0;
    request_seen_free(&seen->last);
    lock_drop(&seen->lock);
}

static bool
is_secret(struct slice name)
{
    return slice_is_nocase(name, "authorization") || slice_is_nocase(name, "x-api-key") ||
           slice_is_nocase(name, "api-key");
}

static char *
headers_text(const struct http_head *head)
{
    struct buffer out;
    char *text;

    buffer_init(&out);
    buffer_add_byte(&out, '[');
    for (size_t i = 0; i < head->header_count; i++) {
        const struct http_header *header = &head->headers[i];

        buffer_add_text(&out, i == 0 ? "[" : ",[");
        render_string(&out, header->name);
        buffer_add_byte(&out, ',');
        render_string(&out, is_secret(header->name) ? SLICE_LITERAL("(hidden)") : header->value);
        buffer_add_byte(&out, ']');
    }
    buffer_add_byte(&out, ']');
    text = slice_strdup(buffer_content(&out));
    buffer_free(&out);
    return text;
}

struct request_seen
request_seen_of(const struct http_head *head)
{
    return (struct request_seen){headers_text(head), slice_strdup(head->method), slice_strdup(head->target), NULL};
}

void
seen_request(struct seen *seen, struct request_seen *request, struct chunk *body)
{
    struct request_seen before;

    ENSURE(request->body == NULL);
    request->body = chunk_hold(body);
    lock_take(&seen->lock);
    before = seen->last;
    seen->last = *request;
    lock_drop(&seen->lock);
    *request = (struct request_seen){NULL, NULL, NULL, NULL};
    request_seen_free(&before);
}

void
seen_refused(struct seen *seen)
{
    lock_take(&seen->lock);
    seen->refused++;
    lock_drop(&seen->lock);
}

void
seen_waits(struct seen *seen, unsigned model, int change)
{
    lock_take(&seen->lock);
    seen->models[model].waiting += change;
    ENSURE(seen->models[model].waiting >= 0);
    lock_drop(&seen->lock);
}

void
seen_runs(struct seen *seen, unsigned model, int change, int64_t tokens)
{
    lock_take(&seen->lock);
    seen->models[model].running += change;
    seen->models[model].tokens_held += change * tokens;
    ENSURE(seen->models[model].running >= 0 && seen->models[model].tokens_held >= 0);
    lock_drop(&seen->lock);
}

void
seen_engine(struct seen *seen, unsigned model, const struct engine_metrics *metrics)
{
    lock_take(&seen->lock);
    seen->models[model].has_engine = true;
    seen->models[model].engine = *metrics;
    seen->models[model].running = metrics->running;
    seen->models[model].waiting = metrics->waiting;
    lock_drop(&seen->lock);
}

static void
histogram_add(struct histogram *histogram, usec value_us)
{
    unsigned bucket = 0;

    while (bucket < HISTOGRAM_BUCKETS && (double)value_us > bounds_s[bucket] * 1e6)
        bucket++;
    histogram->buckets[bucket]++;
    histogram->count++;
    histogram->sum_us += value_us;
}

void
seen_first_token(struct seen *seen, unsigned model, usec after_us)
{
    lock_take(&seen->lock);
    histogram_add(&seen->models[model].first_token, after_us);
    lock_drop(&seen->lock);
}

void
seen_ending(struct seen *seen, unsigned model, const struct ending *ending)
{
    struct model_seen *to = &seen->models[model];
    const struct reply_usage *usage = ending->usage;

    lock_take(&seen->lock);
    to->requests++;
    to->outcomes[ending->outcome]++;
    if (usage != NULL) {
        to->input += usage->input;
        to->cache_read += usage->cache_read;
        to->cache_written += usage->cache_written;
        to->output += ending->produced;
        to->reasoning += usage->reasoning < ending->produced ? usage->reasoning : ending->produced;
        histogram_add(&to->whole, ending->whole_us);
    }
    if (usage != NULL && ending->produced > 1)
        histogram_add(&to->per_token, ending->decode_us / (ending->produced - 1));
    if (ending->outcome == OUTCOME_GONE)
        to->abandoned += ending->planned - ending->produced;
    lock_drop(&seen->lock);
}

/* JSON */

static void
write_model_json(const struct model_seen *model, const char *name, struct buffer *out)
{
    static const char *const outcomes[OUTCOMES] = {"stop", "length", "client_gone", "broken_by_fault", "refused"};

    render_string(out, slice_of(name));
    buffer_printf(out, ":{\"requests\":%lld", (long long)model->requests);
    for (unsigned i = 0; i < OUTCOMES; i++)
        buffer_printf(out, ",\"%s\":%lld", outcomes[i], (long long)model->outcomes[i]);
    buffer_printf(out,
                  ",\"input_tokens\":%lld,\"cache_read_tokens\":%lld,\"cache_written_tokens\":%lld,"
                  "\"output_tokens\":%lld,\"reasoning_tokens\":%lld,\"abandoned_tokens\":%lld,"
                  "\"running\":%lld,\"waiting\":%lld}",
                  (long long)model->input, (long long)model->cache_read, (long long)model->cache_written,
                  (long long)model->output, (long long)model->reasoning, (long long)model->abandoned,
                  (long long)model->running, (long long)model->waiting);
}

static void
model_add(struct model_seen *to, const struct model_seen *from)
{
    to->requests += from->requests;
    for (unsigned i = 0; i < OUTCOMES; i++)
        to->outcomes[i] += from->outcomes[i];
    to->input += from->input;
    to->cache_read += from->cache_read;
    to->cache_written += from->cache_written;
    to->output += from->output;
    to->reasoning += from->reasoning;
    to->abandoned += from->abandoned;
    to->running += from->running;
    to->waiting += from->waiting;
}

void
seen_write_json(struct seen *seen, const struct twin_settings *settings, struct buffer *out)
{
    struct model_seen all = {.requests = 0};

    lock_take(&seen->lock);
    buffer_add_text(out, "{\"modelled\":true,\"models\":{");
    for (unsigned i = 0; i < settings->model_count; i++) {
        buffer_add_text(out, i == 0 ? "" : ",");
        write_model_json(&seen->models[i], settings->models[i].name, out);
        model_add(&all, &seen->models[i]);
    }
    buffer_add_text(out, "},");
    write_model_json(&all, "total", out);
    buffer_printf(out, ",\"not_understood\":%lld}", (long long)seen->refused);
    lock_drop(&seen->lock);
}

static void
write_last_locked(const struct request_seen *last, struct buffer *out)
{
    struct digest digest = hash_sha256(chunk_bytes(last->body));
    char hex[2 * sizeof digest.bytes + 1];

    text_format_hex(slice_make((const char *)digest.bytes, sizeof digest.bytes), hex);
    buffer_add_text(out, "{\"method\":");
    render_string(out, slice_of(last->method));
    buffer_add_text(out, ",\"target\":");
    render_string(out, slice_of(last->target));
    buffer_printf(out, ",\"headers\":%s,\"body_bytes\":%zu,\"body_sha256\":\"%s\",\"body_base64\":\"", last->headers,
                  last->body->len, hex);
    base64_write(chunk_bytes(last->body), out);
    buffer_add_text(out, "\"}");
}

void
seen_write_last(struct seen *seen, struct buffer *out)
{
    lock_take(&seen->lock);
    if (seen->last.body == NULL)
        buffer_add_text(out, "null");
    else
        write_last_locked(&seen->last, out);
    lock_drop(&seen->lock);
}

struct chunk *
seen_last_body(struct seen *seen)
{
    struct chunk *body;

    lock_take(&seen->lock);
    body = seen->last.body != NULL ? chunk_hold(seen->last.body) : NULL;
    lock_drop(&seen->lock);
    return body;
}

/* Prometheus text, with vLLM's names (vLLM's documentation, "Production Metrics") */

enum { CONTEXT_TOKENS = 8192 }; /* modelled room per slot, for the usage of the key-value cache */

struct metric {
    const char *name, *type, *help;
    double (*value)(const struct model_seen *, const struct twin_settings *);
};

static double
metric_running(const struct model_seen *model, const struct twin_settings *settings)
{
    (void)settings;
    return (double)model->running;
}

static double
metric_waiting(const struct model_seen *model, const struct twin_settings *settings)
{
    (void)settings;
    return (double)model->waiting;
}

static double
metric_cache_used(const struct model_seen *model, const struct twin_settings *settings)
{
    double share;

    if (model->has_engine)
        return (double)model->engine.kv_used / (double)model->engine.kv_blocks;
    share = settings->slots == 0 ? 0 : (double)model->tokens_held / settings->slots / CONTEXT_TOKENS;

    return share < 1 ? share : 1;
}

static double
metric_prompt_tokens(const struct model_seen *model, const struct twin_settings *settings)
{
    (void)settings;
    return (double)(model->has_engine ? model->engine.prompt_tokens : model->input);
}

static double
metric_prefix_queries(const struct model_seen *model, const struct twin_settings *settings)
{
    (void)settings;
    return (double)(model->has_engine ? model->engine.prefix_asked : model->input);
}

static double
metric_preemptions(const struct model_seen *model, const struct twin_settings *settings)
{
    (void)settings;
    return (double)model->engine.preemptions;
}

static double
metric_generation_tokens(const struct model_seen *model, const struct twin_settings *settings)
{
    (void)settings;
    return (double)(model->has_engine ? model->engine.generated_tokens : model->output);
}

static double
metric_prefix_hits(const struct model_seen *model, const struct twin_settings *settings)
{
    (void)settings;
    return (double)(model->has_engine ? model->engine.prefix_found : model->cache_read);
}

static const struct metric metrics[] = {
    {"num_requests_running", "gauge", "Requests being answered.", metric_running},
    {"num_requests_waiting", "gauge", "Requests waiting for a slot or for room in the engine.", metric_waiting},
    {"kv_cache_usage_perc", "gauge",
     "Share of the engine's cache blocks in use; without an engine, tokens held by running requests over 8192 for each "
     "slot (modelled).",
     metric_cache_used},
    {"prompt_tokens_total", "counter", "Tokens read.", metric_prompt_tokens},
    {"generation_tokens_total", "counter", "Tokens generated.", metric_generation_tokens},
    {"prefix_cache_queries_total", "counter", "Tokens looked up in the prefix cache.", metric_prefix_queries},
    {"prefix_cache_hits_total", "counter", "Tokens found in the prefix cache.", metric_prefix_hits},
    {"num_preemptions_total", "counter", "Requests that had to make way for others.", metric_preemptions},
};

static void
write_name(const struct metric *metric, struct buffer *out)
{
    buffer_printf(out, "# HELP vllm:%s %s\n# TYPE vllm:%s %s\n", metric->name, metric->help, metric->name,
                  metric->type);
}

static void
write_histogram(const char *name, const char *model, const struct histogram *histogram, struct buffer *out)
{
    int64_t below = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        below += histogram->buckets[i];
        buffer_printf(out, "vllm:%s_bucket{engine=\"0\",le=\"%g\",model_name=\"%s\"} %lld\n", name, bounds_s[i], model,
                      (long long)below);
    }
    buffer_printf(out, "vllm:%s_bucket{engine=\"0\",le=\"+Inf\",model_name=\"%s\"} %lld\n", name, model,
                  (long long)histogram->count);
    buffer_printf(out, "vllm:%s_sum{engine=\"0\",model_name=\"%s\"} %.6f\n", name, model,
                  (double)histogram->sum_us / 1e6);
    buffer_printf(out, "vllm:%s_count{engine=\"0\",model_name=\"%s\"} %lld\n", name, model,
                  (long long)histogram->count);
}

static void
write_histograms(const struct seen *seen, const struct twin_settings *settings, const char *name, const char *help,
                 size_t offset, struct buffer *out)
{
    buffer_printf(out, "# HELP vllm:%s %s\n# TYPE vllm:%s histogram\n", name, help, name);
    for (unsigned i = 0; i < settings->model_count; i++) {
        const char *model = (const char *)&seen->models[i];

        write_histogram(name, settings->models[i].name, (const struct histogram *)(const void *)(model + offset), out);
    }
}

static void
write_successes(const struct seen *seen, const struct twin_settings *settings, struct buffer *out)
{
    static const struct {
        const char *reason;
        enum outcome outcome;
    } reasons[] = {{"stop", OUTCOME_STOP}, {"length", OUTCOME_LENGTH}, {"abort", OUTCOME_GONE}};

    buffer_add_text(out, "# HELP vllm:request_success_total Finished requests.\n"
                         "# TYPE vllm:request_success_total counter\n");
    for (unsigned i = 0; i < settings->model_count; i++)
        for (size_t r = 0; r < sizeof reasons / sizeof reasons[0]; r++)
            buffer_printf(
                out, "vllm:request_success_total{engine=\"0\",finished_reason=\"%s\",model_name=\"%s\"} %lld\n",
                reasons[r].reason, settings->models[i].name, (long long)seen->models[i].outcomes[reasons[r].outcome]);
}

void
seen_write_metrics(struct seen *seen, const struct twin_settings *settings, struct buffer *out)
{
    lock_take(&seen->lock);
    for (size_t m = 0; m < sizeof metrics / sizeof metrics[0]; m++) {
        write_name(&metrics[m], out);
        for (unsigned i = 0; i < settings->model_count; i++)
            buffer_printf(out, "vllm:%s{engine=\"0\",model_name=\"%s\"} %.10g\n", metrics[m].name,
                          settings->models[i].name, metrics[m].value(&seen->models[i], settings));
    }
    write_successes(seen, settings, out);
    write_histograms(seen, settings, "time_to_first_token_seconds", "Time to the first token.",
                     offsetof(struct model_seen, first_token), out);
    write_histograms(seen, settings, "inter_token_latency_seconds", "Mean time between an answer's tokens.",
                     offsetof(struct model_seen, per_token), out);
    write_histograms(seen, settings, "e2e_request_latency_seconds", "Time of whole answers.",
                     offsetof(struct model_seen, whole), out);
    lock_drop(&seen->lock);
}
