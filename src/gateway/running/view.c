#include "gateway/running/view.h"

#include <stdlib.h>

#include "gateway/attempt/credentials.h"
#include "gateway/running/switches.h"
#include "levers/terms.h"

static struct route_noise *
noises_of(const struct config *config)
{
    struct route_noise *noises = must_calloc(config->route_count + 1, sizeof(*noises));

    for (size_t i = 0; i < config->route_count; i++)
        noises[i] = (struct route_noise){terms_noise(&config->routes[i]), terms_semantic_noise(&config->routes[i])};
    return noises;
}

struct snapshot *
snapshot_new(struct config *config, struct snapshot *before)
{
    struct snapshot *snapshot = must_calloc(1, sizeof(*snapshot));

    atomic_init(&snapshot->holders, 1);
    snapshot->config = config_hold(config);
    snapshot->noises = noises_of(config);
    directory_init(&snapshot->directory, config);
    if (before != NULL)
        directory_take_over(&snapshot->directory, config, &before->directory, before->config);
    return snapshot;
}

struct snapshot *
snapshot_hold(struct snapshot *snapshot)
{
    unsigned before = atomic_fetch_add_explicit(&snapshot->holders, 1, memory_order_relaxed);

    ENSURE(before > 0);
    return snapshot;
}

void
snapshot_release(struct snapshot *snapshot)
{
    unsigned before = atomic_fetch_sub_explicit(&snapshot->holders, 1, memory_order_acq_rel);

    ENSURE(before > 0);
    if (before > 1)
        return;
    directory_free(&snapshot->directory);
    free(snapshot->noises);
    config_release(snapshot->config);
    free(snapshot);
}

struct view *
view_new(struct gateway_worker *worker, struct snapshot *snapshot, const struct view *before)
{
    struct view *view = must_calloc(1, sizeof(*view));

    view->holders = 1;
    view->worker = worker;
    view->snapshot = snapshot_hold(snapshot);
    view->config = snapshot->config;
    facts_source_init(&view->targets, &worker->gateway->experiences, &worker->gateway->healths, view->config);
    view->credentials = credentials_new(view);
    if (before != NULL)
        credentials_take_over(view, before);
    view_take_switches(view, worker->switches);
    worker->views++;
    return view;
}

void
view_take_switches(struct view *view, const struct switches *switches)
{
    const struct config *config = view->config;

    free(view->levers);
    view->levers = NULL;
    if (switches == NULL || config->route_count == 0)
        return;
    view->levers = must_calloc(config->route_count, sizeof(view->levers[0]));
    for (size_t i = 0; i < config->route_count; i++) {
        const struct route_config *route = &config->routes[i];

        for (unsigned lever = 0; lever < LEVER_COUNT; lever++) {
            const struct lever_setting *set = switches_look(switches, slice_of(route->name), (enum lever_id)lever);

            view->levers[i][lever] = set != NULL ? *set : route->levers[lever];
        }
    }
}

const struct lever_setting *
view_levers(const struct view *view, const struct route_config *route)
{
    if (view->levers == NULL || route->name == NULL)
        return route->levers;
    ENSURE(&view->config->routes[route->index] == route);
    return view->levers[route->index];
}

/* NULL: the route is of another configuration. */
static const struct route_noise *
noise_at(const struct view *view, const struct route_config *route)
{
    const struct config *config = view->config;
    bool is_of_config = route->index < config->route_count && &config->routes[route->index] == route;

    return is_of_config ? &view->snapshot->noises[route->index] : NULL;
}

const struct judge_noise *
view_noise(const struct view *view, const struct route_config *route)
{
    const struct route_noise *noise = noise_at(view, route);

    return noise != NULL && noise_is_set(&noise->judge) ? &noise->judge : NULL;
}

const struct judge_noise *
view_semantic_noise(const struct view *view, const struct route_config *route)
{
    const struct route_noise *noise = noise_at(view, route);

    return noise != NULL && noise_is_set(&noise->semantic) ? &noise->semantic : NULL;
}

struct view *
view_hold(struct view *view)
{
    ENSURE(view->holders > 0);
    view->holders++;
    return view;
}

void
view_release(struct view *view)
{
    ENSURE(view->holders > 0);
    if (--view->holders > 0)
        return;
    view->worker->views--;
    credentials_free(view->credentials);
    facts_source_free(&view->targets);
    free(view->levers);
    snapshot_release(view->snapshot);
    free(view);
}
