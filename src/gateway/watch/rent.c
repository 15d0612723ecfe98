#include "gateway/watch/rent.h"

#include <stdlib.h>

#include "fleet/health/utilisation.h"

struct rent_keeper {
    struct gateway_worker *worker;
    struct config *config; /* held: by which the time since then is paid */
    usec since_us;
    struct timer timer;
};

static bool
has_place(const struct backend_config *backend, const struct endpoint *place)
{
    for (size_t i = 0; i < backend->endpoint_count; i++)
        if (strcmp(backend->endpoints[i].host, place->host) == 0 && backend->endpoints[i].port == place->port)
            return true;
    return false;
}

/* One engine is paid once, whichever backends name its place: by the first of them that is paid by the hour. */
static int64_t
replicas_of_backend(const struct config *config, size_t at)
{
    int64_t count = 0;

    for (size_t i = 0; i < config->backends[at].endpoint_count; i++) {
        bool is_anothers = false;

        for (size_t j = 0; j < at && !is_anothers; j++)
            is_anothers = usd_known(config->backends[j].usd_per_hour) &&
                          has_place(&config->backends[j], &config->backends[at].endpoints[i]);
        count += !is_anothers;
    }
    return count;
}

static void
append_rent(struct rent_keeper *keeper, size_t at, usec span_us, usec until_wall_us)
{
    const struct backend_config *backend = &keeper->config->backends[at];
    struct rent rent = {.from_wall_us = until_wall_us - span_us,
                        .until_wall_us = until_wall_us,
                        .backend = slice_of(backend->name),
                        .provider = slice_of(backend->provider),
                        .modelled = backend->modelled,
                        .replicas = replicas_of_backend(keeper->config, at),
                        .usd_per_hour = backend->usd_per_hour};

    if (rent.replicas == 0)
        return; /* all are paid by others */
    journal_put_rent(&keeper->worker->record, &rent);
    gateway_append(keeper->worker);
}

/* The span is by the clock that only goes on; what a wall clock that is set back would count twice, the ledger leaves out. */
static void
write_down(struct rent_keeper *keeper)
{
    struct world *world = worker_world(keeper->worker);
    usec now_us = world_now_us(world), wall_us = world_wall_us(world), span_us = now_us - keeper->since_us;

    keeper->since_us = now_us;
    for (size_t i = 0; i < keeper->config->backend_count && span_us > 0; i++)
        if (usd_known(keeper->config->backends[i].usd_per_hour))
            append_rent(keeper, i, span_us, wall_us);
}

static void
sample(struct rent_keeper *keeper)
{
    struct gateway *gateway = keeper->worker->gateway;

    healths_sweep(&gateway->healths, keeper->config, keeper->since_us);
    utilisation_sample(gateway->utilisation, &gateway->healths.replicas, keeper->since_us);
}

static void
on_timer(struct timer *timer)
{
    struct rent_keeper *keeper = CONTAINER_OF(timer, struct rent_keeper, timer);

    write_down(keeper);
    sample(keeper);
    world_timer_start(worker_world(keeper->worker), timer, RENT_EVERY_US);
}

struct rent_keeper *
rent_keeper_start(struct gateway_worker *worker)
{
    struct rent_keeper *keeper = must_calloc(1, sizeof(*keeper));

    ENSURE(worker_world(worker)->worker == 0);
    keeper->worker = worker;
    keeper->config = config_hold(worker->view->snapshot->config);
    keeper->since_us = world_now_us(worker_world(worker));
    keeper->timer.fire = on_timer;
    sample(keeper);
    world_timer_start(worker_world(worker), &keeper->timer, RENT_EVERY_US);
    worker->gateway->rent = keeper;
    return keeper;
}

void
rent_keeper_takes(struct rent_keeper *keeper, struct config *config)
{
    if (keeper == NULL)
        return;
    write_down(keeper);
    config_release(keeper->config);
    keeper->config = config_hold(config);
}

void
rent_keeper_stop(struct rent_keeper *keeper)
{
    write_down(keeper);
    world_timer_stop(worker_world(keeper->worker), &keeper->timer);
    keeper->worker->gateway->rent = NULL;
    config_release(keeper->config);
    free(keeper);
}
