#include "admin/fleet_page.h"

#include <math.h>

#include "admin/fleet_pools.h"
#include "base/clock.h"
#include "gateway/watch/sizer.h"
#include "money/rent.h"

static void
put_text(struct buffer *out, const char *name, const char *text)
{
    buffer_printf(out, "\"%s\":\"", name);
    buffer_add_json(out, slice_of(text));
    buffer_add_text(out, "\",");
}

/* Below 0 or no number: not known. */
static void
put_number(struct buffer *out, const char *name, double number)
{
    if (number >= 0 && isfinite(number))
        buffer_printf(out, "\"%s\":%.6g,", name, number);
    else
        buffer_printf(out, "\"%s\":null,", name);
}

static void
put_usd(struct buffer *out, const char *name, usd amount)
{
    char text[USD_TEXT_SIZE];

    usd_format(amount, text);
    buffer_printf(out, usd_known(amount) ? "\"%s\":\"%s\"," : "\"%s\":%s,", name, text);
}

/* In place of the last comma. */
static void
end_with(struct buffer *out, const char *text)
{
    out->end--;
    buffer_add_text(out, text);
}

static void
put_engine(struct buffer *out, const struct engine_fit *fit)
{
    static const char *const names[ENGINE_PARTS] = {"alpha_us", "beta_us", "delta_us", "epsilon_us",
                                                    "gamma_us", "host_us", "before_us"};

    buffer_add_text(out, "\"engine\":{");
    for (unsigned i = 0; i < ENGINE_PARTS; i++)
        put_number(out, names[i], fit->parts[i]);
    put_number(out, "samples", (double)fit->samples);
    put_number(out, "gated", (double)fit->gated);
    put_number(out, "restarts", (double)fit->restarts);
    put_text(out, "from", fit->samples > fit->gated ? "fitted" : fit->from_pair ? "named" : "common");
    buffer_printf(out, "\"alpha_told\":%s,", engine_fit_tells_alpha(fit) ? "true" : "false");
    put_number(out, "gap_error", engine_errors_median(&fit->gaps));
    put_number(out, "first_token_error", engine_errors_median(&fit->first_tokens));
    end_with(out, "},");
}

/* Dollars for a million tokens of output at that batch, all of the engine's time paid. */
static usd
usd_per_million(const struct fleet_pool *pool, double batch, double gap_us)
{
    return rent_of_time(pool->target->backend->usd_per_hour, gap_us / fmax(batch, 1) * 1e6);
}

static void
put_curve(struct buffer *out, const struct fleet_pool *pool)
{
    const struct engine_curve *curve = &pool->fit.curve;
    struct step_time time = engine_fit_time(&pool->fit);

    buffer_add_text(out, "\"curve\":[ ");
    for (unsigned i = 0; i < ENGINE_CURVE_CLASSES; i++) {
        if (!(curve->weight[i] > 0))
            continue;
        buffer_add_byte(out, '{');
        put_number(out, "batch", curve->batch[i]);
        put_number(out, "samples", curve->weight[i]);
        put_number(out, "gap_ms", curve->gap_us[i] / 1e3);
        put_number(out, "model_gap_ms", batch_gap_us(&time, &pool->mix, curve->batch[i]) / 1e3);
        put_usd(out, "usd_per_million_output", usd_per_million(pool, curve->batch[i], curve->gap_us[i]));
        end_with(out, "},");
    }
    end_with(out, "],");
}

static void
put_batch(struct buffer *out, const struct fleet_pool *pool)
{
    struct buffer why = {0};

    if (pool->batch_most == 0) {
        buffer_add_text(out, "\"batch\":null,");
        return;
    }
    if (pool->by_room)
        buffer_add_text(&why, pool->by != NULL ? "its cache has room for no more; within all limits"
                                               : "its cache has room for no more; no route limits the total time");
    else
        buffer_printf(&why, "route %s: total %.4g s", pool->by->name, (double)pool->by->total_us / USEC_PER_S);
    buffer_add_byte(&why, '\0');
    buffer_printf(out, "\"batch\":{\"most\":%lld,", (long long)pool->batch_most);
    put_text(out, "why", buffer_content(&why).data);
    put_number(out, "gap_limit_ms", pool->gap_limit_us > 0 ? pool->gap_limit_us / 1e3 : -1);
    put_number(out, "tokens_per_second", pool->tokens_a_second);
    end_with(out, "},");
    buffer_free(&why);
}

static void
put_window(struct buffer *out, const char *name, const struct utilisation_window *window)
{
    buffer_printf(out, "\"%s\":{", name);
    put_number(out, "seconds", window->seconds);
    put_number(out, "busy", window->busy);
    put_number(out, "requests", window->requests);
    put_number(out, "batch", window->batch);
    put_number(out, "input_per_second", window->input_tokens);
    put_number(out, "output_per_second", window->output_tokens);
    end_with(out, "},");
}

static const char *
state_name(enum health_state state)
{
    return state == HEALTH_IN ? "in" : state == HEALTH_DUE ? "due" : "out";
}

static void
put_replica(struct buffer *out, const struct fleet_pool *pool, const struct fleet_replica *replica)
{
    const struct replica_look *look = &replica->seen.look;

    buffer_add_byte(out, '{');
    put_text(out, "name", replica->seat->replica->name);
    put_text(out, "state", state_name(replica->state));
    put_number(out, "in_flight", (double)look->now.requests);
    put_number(out, "filling", (double)look->now.filling);
    put_number(out, "others", replica->others);
    put_number(out, "queued", replica->queued);
    put_number(out, "kv", replica->kv);
    buffer_printf(out, "\"kv_told\":%s,", replica->kv_told ? "true" : "false");
    put_window(out, "minute", &replica->seen.minute);
    put_window(out, "hour", &replica->seen.hour);
    put_number(out, "capacity_per_second", pool->batch_most > 0 ? pool->tokens_a_second : -1);
    put_usd(out, "idle_usd_per_hour", fleet_idle_an_hour(pool, replica));
    put_usd(out, "usd_per_million_tokens", fleet_replica_per_million(pool, replica));
    buffer_add_text(out, "\"busy_minutes\":[");
    for (size_t i = 0; i < UTILISATION_MINUTES - 1; i++)
        if (replica->seen.busy[i] >= 0)
            buffer_printf(out, "%.4g,", (double)replica->seen.busy[i]);
        else
            buffer_add_text(out, "null,");
    end_with(out, "]},");
}

static void
put_pool(struct gateway *gateway, struct buffer *out, const struct fleet_pool *pool)
{
    const struct backend_config *backend = pool->target->backend;

    buffer_add_byte(out, '{');
    put_text(out, "backend", backend->name);
    put_text(out, "model", pool->target->model);
    buffer_printf(out, "\"modelled\":%s,", backend->modelled ? "true" : "false");
    put_usd(out, "usd_per_hour", backend->usd_per_hour);
    put_usd(out, "usd_per_million_tokens", fleet_pool_per_million(pool));
    buffer_add_text(out, "\"size\":");
    sizer_write_pool(gateway, backend, out);
    buffer_add_byte(out, ',');
    buffer_add_text(out, "\"mix\":{");
    put_number(out, "answers", pool->answers);
    put_number(out, "prompt", pool->mix.prompt);
    put_number(out, "cached", pool->mix.cached);
    put_number(out, "output", pool->mix.output);
    end_with(out, "},");
    put_engine(out, &pool->fit);
    put_curve(out, pool);
    put_batch(out, pool);
    buffer_add_text(out, "\"replicas\":[ ");
    for (size_t i = 0; i < pool->replica_count; i++)
        put_replica(out, pool, &pool->replicas[i]);
    end_with(out, "]},");
}

void
fleet_page_write(struct gateway_worker *worker, struct buffer *out)
{
    struct fleet_pools pools;
    char at[CLOCK_TEXT_SIZE];

    fleet_pools_collect(worker, &pools);
    clock_format_utc(world_wall_us(worker_world(worker)), at);
    buffer_printf(out, "{\"at\":\"%s\",\"pools\":[ ", at);
    for (size_t i = 0; i < pools.count; i++)
        put_pool(worker->gateway, out, &pools.all[i]);
    end_with(out, "]}");
    fleet_pools_free(&pools);
}

/* Metrics */

static void
print_replica_gauge(const struct fleet_pools *pools, struct buffer *out, const char *name, const char *words,
                    double (*value)(const struct fleet_pool *, const struct fleet_replica *))
{
    buffer_printf(out, "# HELP equipoise_replica_%s %s\n# TYPE equipoise_replica_%s gauge\n", name, words, name);
    for (size_t i = 0; i < pools->count; i++)
        for (size_t k = 0; k < pools->all[i].replica_count; k++) {
            double number = value(&pools->all[i], &pools->all[i].replicas[k]);

            if (number >= 0)
                buffer_printf(out, "equipoise_replica_%s{target=\"%s\",replica=\"%s\"} %.9g\n", name,
                              pools->all[i].target->name, pools->all[i].replicas[k].seat->replica->name, number);
        }
}

static double
busy_of(const struct fleet_pool *pool, const struct fleet_replica *replica)
{
    (void)pool;
    return replica->seen.minute.busy;
}

static double
kv_of(const struct fleet_pool *pool, const struct fleet_replica *replica)
{
    (void)pool;
    return replica->kv;
}

static double
batch_of(const struct fleet_pool *pool, const struct fleet_replica *replica)
{
    (void)pool;
    return replica->seen.minute.batch;
}

static double
output_of(const struct fleet_pool *pool, const struct fleet_replica *replica)
{
    (void)pool;
    return replica->seen.minute.output_tokens;
}

/* Below 0: not known. */
static double
dollars(usd amount)
{
    return usd_known(amount) ? (double)amount / (double)USD_ONE : -1;
}

static double
idle_of(const struct fleet_pool *pool, const struct fleet_replica *replica)
{
    return dollars(fleet_idle_an_hour(pool, replica));
}

static double
replica_million_of(const struct fleet_pool *pool, const struct fleet_replica *replica)
{
    return dollars(fleet_replica_per_million(pool, replica));
}

static void
print_pool_gauge(const struct fleet_pools *pools, struct buffer *out, const char *name, const char *words,
                 double (*value)(const struct fleet_pool *))
{
    buffer_printf(out, "# HELP equipoise_engine_%s %s\n# TYPE equipoise_engine_%s gauge\n", name, words, name);
    for (size_t i = 0; i < pools->count; i++) {
        double number = value(&pools->all[i]);

        if (number >= 0)
            buffer_printf(out, "equipoise_engine_%s{target=\"%s\"} %.9g\n", name, pools->all[i].target->name, number);
    }
}

static double
million_of(const struct fleet_pool *pool)
{
    return dollars(fleet_pool_per_million(pool));
}

static double
gap_error_of(const struct fleet_pool *pool)
{
    return engine_errors_median(&pool->fit.gaps);
}

static double
first_error_of(const struct fleet_pool *pool)
{
    return engine_errors_median(&pool->fit.first_tokens);
}

static double
capacity_of(const struct fleet_pool *pool)
{
    return pool->batch_most > 0 ? pool->tokens_a_second : -1;
}

static double
most_of(const struct fleet_pool *pool)
{
    return pool->batch_most > 0 ? (double)pool->batch_most : -1;
}

/* The classes are half octaves; each has the size in its middle for its name, which stays, and not the mean of what was seen. */
static void
print_curve_gauge(const struct fleet_pools *pools, struct buffer *out, const char *name, const char *words,
                  double (*value)(const struct fleet_pool *, unsigned))
{
    buffer_printf(out, "# HELP equipoise_engine_%s %s\n# TYPE equipoise_engine_%s gauge\n", name, words, name);
    for (size_t i = 0; i < pools->count; i++)
        for (unsigned k = 0; k < ENGINE_CURVE_CLASSES; k++) {
            double number = pools->all[i].fit.curve.weight[k] > 0 ? value(&pools->all[i], k) : -1;

            if (number >= 0)
                buffer_printf(out, "equipoise_engine_%s{target=\"%s\",batch=\"%.3g\"} %.9g\n", name,
                              pools->all[i].target->name, exp2(k / 2.0), number);
        }
}

static double
curve_gap_of(const struct fleet_pool *pool, unsigned class)
{
    return pool->fit.curve.gap_us[class] / USEC_PER_S;
}

static double
curve_usd_of(const struct fleet_pool *pool, unsigned class)
{
    return dollars(usd_per_million(pool, pool->fit.curve.batch[class], pool->fit.curve.gap_us[class]));
}

void
fleet_print(struct gateway_worker *worker, struct buffer *out)
{
    struct fleet_pools pools;

    fleet_pools_collect(worker, &pools);
    print_replica_gauge(&pools, out, "busy", "Share of the last minute in which requests of ours were there", busy_of);
    print_replica_gauge(&pools, out, "kv_used", "Share of its cache in use, as told or else of our requests", kv_of);
    print_replica_gauge(&pools, out, "batch", "Sequences decoding in the mean while it was busy, last minute",
                        batch_of);
    print_replica_gauge(&pools, out, "output_tokens_per_second", "Output of the last minute", output_of);
    print_replica_gauge(&pools, out, "idle_usd_per_hour", "What its idle time costs, as the last minute was", idle_of);
    print_replica_gauge(&pools, out, "usd_per_million_tokens",
                        "What a million tokens came to in the last minute, idle too", replica_million_of);
    print_pool_gauge(&pools, out, "usd_per_million_tokens",
                     "What a million tokens of all replicas came to in the last minute, idle too", million_of);
    print_pool_gauge(&pools, out, "gap_error", "Median error of the model's time from token to token", gap_error_of);
    print_pool_gauge(&pools, out, "first_token_error", "Median error of the model's time to a first token",
                     first_error_of);
    print_pool_gauge(&pools, out, "capacity_tokens_per_second",
                     "Output of one replica at the largest batch within limits", capacity_of);
    print_pool_gauge(&pools, out, "batch_wanted", "The largest batch within the routes' limits", most_of);
    print_curve_gauge(&pools, out, "batch_gap_seconds", "Time from token to token at about that batch, as seen",
                      curve_gap_of);
    print_curve_gauge(&pools, out, "batch_usd_per_million_output",
                      "What a million tokens of output come to at about that batch", curve_usd_of);
    fleet_pools_free(&pools);
}
