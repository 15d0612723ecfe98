#include <inttypes.h>

#include "fleet/capacity/pool_size.h"
#include "gateway/watch/sizer.h"

/* Metrics */

static double
wanted(const struct pool_view *view)
{
    return view->wanted;
}

static double
there(const struct pool_view *view)
{
    return view->there;
}

static double
demand(const struct pool_view *view)
{
    return view->demand;
}

static double
needed(const struct pool_view *view)
{
    return view->needed;
}

static double
expected(const struct pool_view *view)
{
    return view->expected;
}

static double
carry(const struct pool_view *view)
{
    return view->carry > 0 ? view->carry : 0;
}

static double
cold_start(const struct pool_view *view)
{
    return (double)view->cold_start_us / USEC_PER_S;
}

static const struct {
    const char *name, *words;
    double (*of)(const struct pool_view *);
} gauges[] = {
    {"equipoise_replicas_wanted", "Replicas that this backend's traffic needs, for an autoscaler to act on", wanted},
    {"equipoise_replicas_there", "Replicas of this backend that take requests", there},
    {"equipoise_demand_engines", "Demand of the last interval, in engines' seconds a second: the mean", demand},
    {"equipoise_demand_needed_engines", "The same at the rate that lets no work wait longer than the limits leave it",
     needed},
    {"equipoise_demand_expected_engines", "The same as forecast to when a replica asked for now would be there",
     expected},
    {"equipoise_replica_carries_engines", "Of that, what one replica carries within the limits; 0: not known yet",
     carry},
    {"equipoise_replica_cold_start_seconds", "Until a replica asked for is there: nine of ten take no longer",
     cold_start},
};

void
sizer_print(struct gateway *gateway, struct buffer *out)
{
    const struct config *config = gateway->snapshot->config;

    for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++) {
        buffer_printf(out, "# HELP %s %s\n# TYPE %s gauge\n", gauges[i].name, gauges[i].words, gauges[i].name);
        for (size_t k = 0; k < config->backend_count; k++) {
            struct pool_view view;

            if (!sizer_is_pool(&config->backends[k]))
                continue;
            pool_size_look(pool_sizes_of(&gateway->healths.pool_sizes, config->backends[k].name), &view);
            buffer_printf(out, "%s{backend=\"%s\"} %.6g\n", gauges[i].name, config->backends[k].name,
                          gauges[i].of(&view));
        }
    }
}

/* JSON */

static void
write_view(const struct pool_view *view, struct buffer *out)
{
    buffer_printf(out, "{\"wanted\":%u,\"there\":%u,\"min\":%u,\"max\":%u,\"why\":\"", view->wanted, view->there,
                  view->least, view->most);
    buffer_add_json(out, slice_of(capacity_reason_text(view->reason)));
    buffer_printf(out, "\",\"demand_engines\":%.6g,\"needed_engines\":%.6g,\"expected_engines\":%.6g", view->demand,
                  view->needed, view->expected);
    if (view->carry > 0)
        buffer_printf(out, ",\"one_carries_engines\":%.6g", view->carry);
    buffer_printf(out, ",\"backlog_s\":%.6g,\"slack_s\":%.6g,\"cold_start_s\":%.6g", view->backlog_us / USEC_PER_S,
                  (double)view->slack_us / USEC_PER_S, (double)view->cold_start_us / USEC_PER_S);
    buffer_printf(out, ",\"goal\":\"%s\",\"goal_share\":%.6g", view->goal.aim == FORECAST_FILL ? "in time" : "by cost",
                  view->goal.share);
    buffer_printf(out, ",\"grown\":%" PRIu64 ",\"shrunk\":%" PRIu64 ",\"panicked\":%" PRIu64 "}", view->grown,
                  view->shrunk, view->panicked);
}

void
sizer_write_pool(struct gateway *gateway, const struct backend_config *backend, struct buffer *out)
{
    struct pool_view view;

    if (!sizer_is_pool(backend)) {
        buffer_add_text(out, "null");
        return;
    }
    pool_size_look(pool_sizes_of(&gateway->healths.pool_sizes, backend->name), &view);
    write_view(&view, out);
}

void
sizer_write_json(struct gateway *gateway, struct buffer *out)
{
    const struct config *config = gateway->snapshot->config;
    bool any = false;

    buffer_add_byte(out, '{');
    for (size_t i = 0; i < config->backend_count; i++) {
        const struct backend_config *backend = &config->backends[i];

        if (!sizer_is_pool(backend))
            continue;
        buffer_add_text(out, any ? ",\"" : "\"");
        any = true;
        buffer_add_json(out, slice_of(backend->name));
        buffer_add_text(out, "\":");
        sizer_write_pool(gateway, backend, out);
    }
    buffer_add_byte(out, '}');
}
