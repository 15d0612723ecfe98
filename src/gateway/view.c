#include "gateway/view.h"

#include <stdlib.h>

#include "gateway/credentials.h"

struct snapshot *
snapshot_new(struct config *config, struct snapshot *before)
{
    struct snapshot *snapshot = must_calloc(1, sizeof(*snapshot));

    atomic_init(&snapshot->holders, 1);
    snapshot->config = config_hold(config);
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
    facts_source_init(&view->targets, &worker->gateway->experiences, view->config);
    view->credentials = credentials_new(view);
    if (before != NULL)
        credentials_take_over(view, before);
    worker->views++;
    return view;
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
    snapshot_release(view->snapshot);
    free(view);
}
