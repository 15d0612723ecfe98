#include "gateway/reuse/cache_keeper.h"

#include <stdlib.h>

#include "cache/file.h"

enum { SWEPT_A_SECOND = 4096 };

#define LOOK_US USEC_PER_S
#define REST_US (60 * USEC_PER_S) /* a full disk is not written to every second */

struct cache_keeper {
    struct gateway_worker *worker;
    struct timer timer;
    struct job job;
    enum status status; /* of the job */
    size_t bytes;       /* the bound as the store has it */
    bool stopped, writing, failing;
};

static struct world *
keeper_world(const struct cache_keeper *keeper)
{
    return worker_world(keeper->worker);
}

static void
run_write(struct job *job)
{
    struct cache_keeper *keeper = CONTAINER_OF(job, struct cache_keeper, job);

    keeper->status = cache_file_write(keeper->worker->gateway->cache_file);
}

static void
write_done(struct job *job)
{
    struct cache_keeper *keeper = CONTAINER_OF(job, struct cache_keeper, job);
    bool failed = keeper->status != OK;

    keeper->writing = false;
    if (failed && !keeper->failing)
        log_line(keeper->worker->gateway->log, LOG_WARN,
                 "stored answers cannot be written to the file: %s; they serve from memory, and it is tried again",
                 status_text(keeper->status));
    keeper->failing = failed;
    if (!keeper->stopped)
        world_timer_start(keeper_world(keeper), &keeper->timer, failed ? REST_US : LOOK_US);
}

static void
on_time(struct timer *timer)
{
    struct cache_keeper *keeper = CONTAINER_OF(timer, struct cache_keeper, timer);
    struct gateway *gateway = keeper->worker->gateway;

    if (keeper->worker->view->config->cache.bytes != keeper->bytes)
        cache_resize(gateway->cache, keeper->bytes = keeper->worker->view->config->cache.bytes);
    cache_sweep(gateway->cache, world_wall_us(keeper_world(keeper)), SWEPT_A_SECOND);
    if (gateway->cache_file == NULL || !cache_file_due(gateway->cache_file)) {
        world_timer_start(keeper_world(keeper), &keeper->timer, LOOK_US);
        return;
    }
    keeper->writing = true;
    keeper->job = (struct job){.run = run_write, .done = write_done};
    keeper_world(keeper)->ops->work(keeper_world(keeper), &keeper->job);
}

struct cache_keeper *
cache_keeper_start(struct gateway_worker *first)
{
    struct cache_keeper *keeper = must_calloc(1, sizeof(*keeper));

    keeper->worker = first;
    keeper->bytes = first->view->config->cache.bytes;
    keeper->timer.fire = on_time;
    world_timer_start(worker_world(first), &keeper->timer, LOOK_US);
    return keeper;
}

void
cache_keeper_stop(struct cache_keeper *keeper)
{
    keeper->stopped = true;
    world_timer_stop(keeper_world(keeper), &keeper->timer);
}

void
cache_keeper_free(struct cache_keeper *keeper)
{
    ENSURE(!keeper->writing);
    cache_keeper_stop(keeper);
    free(keeper);
}
