#include "cmd/serve/rediscover.h"

#include <stdlib.h>

#include "config/found.h"

/* A look may take seconds while a server is silent, and others need the threads that look: half of them (libuv has four). */
enum { LOOKS_AT_ONCE = 2 };

struct place {
    struct job job;
    struct timer timer;
    struct list link; /* in `waiting` */
    struct rediscover *rediscover;
    const struct backend_config *backend;
    struct arena arena; /* of what was found last */
    struct found found;
    const char *why;
    enum status status;
    bool failing;
};

struct rediscover {
    struct rediscover_options options;
    struct view *view; /* held */
    bool stopped;
    unsigned looking;
    struct list waiting; /* for their turn to look */
    size_t count;
    struct place places[];
};

static struct world *
world_of(const struct rediscover *rediscover)
{
    return worker_world(rediscover->options.worker);
}

static void
free_all(struct rediscover *rediscover)
{
    for (size_t i = 0; i < rediscover->count; i++)
        arena_reset(&rediscover->places[i].arena);
    view_release(rediscover->view);
    free(rediscover);
}

static void
run_look(struct job *job)
{
    struct place *place = CONTAINER_OF(job, struct place, job);

    place->status = found_read(place->backend->discover, place->rediscover->options.outside, false, &place->arena,
                               &place->found, &place->why);
}

static void
tell_failure(struct place *place)
{
    log_line(place->rediscover->options.worker->gateway->log, place->failing ? LOG_DEBUG : LOG_WARN,
             "backend %s: its replicas stay as they are: %s", place->backend->name, place->why);
    place->failing = true;
}

static void
take(struct place *place)
{
    const struct rediscover_options *options = &place->rediscover->options;

    if (place->status != OK) {
        tell_failure(place);
        return;
    }
    place->failing = false;
    if (!found_equal(&place->found, place->backend->found) && options->changed(options->context))
        count(&options->worker->counters, COUNT_DISCOVERIES, 1);
}

static void look_done(struct job *job);

static void
look_at_next(struct rediscover *rediscover)
{
    while (rediscover->looking < LOOKS_AT_ONCE && !list_empty(&rediscover->waiting)) {
        struct place *place = CONTAINER_OF(list_first(&rediscover->waiting), struct place, link);

        list_remove(&place->link);
        arena_reset(&place->arena);
        rediscover->looking++;
        place->job = (struct job){.run = run_look, .done = look_done};
        world_of(rediscover)->ops->work(world_of(rediscover), &place->job);
    }
}

static void
look_done(struct job *job)
{
    struct place *place = CONTAINER_OF(job, struct place, job);
    struct rediscover *rediscover = place->rediscover;

    rediscover->looking--;
    if (rediscover->stopped && rediscover->looking == 0) {
        free_all(rediscover);
    } else if (!rediscover->stopped) {
        look_at_next(rediscover);
        world_timer_start(world_of(rediscover), &place->timer, place->backend->discover->every_us);
        take(place); /* at last: it may stop all of this */
    }
}

static void
look(struct timer *timer)
{
    struct place *place = CONTAINER_OF(timer, struct place, timer);

    list_append(&place->rediscover->waiting, &place->link);
    look_at_next(place->rediscover);
}

struct rediscover *
rediscover_start(const struct rediscover_options *options)
{
    const struct config *config = options->worker->view->config;
    struct rediscover *rediscover =
        must_calloc(1, sizeof(*rediscover) + config->backend_count * sizeof(rediscover->places[0]));

    rediscover->options = *options;
    list_init(&rediscover->waiting);
    for (size_t i = 0; i < config->backend_count; i++) {
        struct place *place = &rediscover->places[rediscover->count];

        if (config->backends[i].discover == NULL)
            continue;
        rediscover->count++;
        arena_init(&place->arena);
        place->rediscover = rediscover;
        place->backend = &config->backends[i];
        place->timer.fire = look;
        world_timer_start(world_of(rediscover), &place->timer, place->backend->discover->every_us);
    }
    if (rediscover->count == 0) {
        free(rediscover);
        return NULL;
    }
    rediscover->view = view_hold(options->worker->view);
    return rediscover;
}

void
rediscover_stop(struct rediscover *rediscover)
{
    if (rediscover == NULL)
        return;
    rediscover->stopped = true;
    for (size_t i = 0; i < rediscover->count; i++)
        world_timer_stop(world_of(rediscover), &rediscover->places[i].timer);
    if (rediscover->looking == 0)
        free_all(rediscover);
}
