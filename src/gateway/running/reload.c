#include "gateway/running/reload.h"

#include <stdlib.h>

struct reloader {
    struct reload_options options;
    struct gateway *gateway;
    struct world *first;
    bool running, again, stopped;
    struct list waiting, later; /* for the one under way; for the one after it */
    struct job job;
    struct adoption adoption;
    const struct config *present;
    struct config *loaded;
    enum status status;
    struct buffer words;
};

static void start(struct reloader *reloader);

struct reloader *
reloader_new(struct gateway *gateway, struct world *first, const struct reload_options *options)
{
    struct reloader *reloader = must_calloc(1, sizeof(*reloader));

    reloader->options = *options;
    reloader->gateway = gateway;
    reloader->first = first;
    list_init(&reloader->waiting);
    list_init(&reloader->later);
    return reloader;
}

void
reloader_free(struct reloader *reloader)
{
    ENSURE(!reloader->running && list_empty(&reloader->waiting) && list_empty(&reloader->later));
    buffer_free(&reloader->words);
    free(reloader);
}

static void
move_all(struct list *from, struct list *to)
{
    while (!list_empty(from)) {
        struct list *node = list_first(from);

        list_remove(node);
        list_append(to, node);
    }
}

static void
finish(struct reloader *reloader)
{
    struct list waiting;
    struct slice words = buffer_content(&reloader->words);

    list_init(&waiting);
    move_all(&reloader->waiting, &waiting);
    reloader->options.over(reloader->options.context, reloader->status, words);
    while (!list_empty(&waiting)) {
        struct reload_waiter *waiter = CONTAINER_OF(list_first(&waiting), struct reload_waiter, link);

        list_remove(&waiter->link);
        waiter->told(waiter, reloader->status, words);
    }
    reloader->running = false;
    if (!reloader->again)
        return;
    reloader->again = false;
    move_all(&reloader->later, &reloader->waiting);
    start(reloader);
}

static void
adopted(struct adoption *adoption)
{
    finish(CONTAINER_OF(adoption, struct reloader, adoption));
}

static void
run_load(struct job *job)
{
    struct reloader *reloader = CONTAINER_OF(job, struct reloader, job);

    reloader->status =
        reloader->options.load(reloader->options.context, reloader->present, &reloader->loaded, &reloader->words);
}

static void
load_done(struct job *job)
{
    struct reloader *reloader = CONTAINER_OF(job, struct reloader, job);

    ENSURE((reloader->status == OK) == (reloader->loaded != NULL));
    if (reloader->status != OK) {
        finish(reloader);
        return;
    }
    reloader->adoption.done = adopted;
    adoption_start(&reloader->adoption, reloader->gateway, reloader->first, reloader->loaded);
    config_release(reloader->loaded);
    reloader->loaded = NULL;
}

static void
start(struct reloader *reloader)
{
    ENSURE(!reloader->running);
    reloader->running = true;
    reloader->present = reloader->gateway->snapshot->config; /* it stays the newest until this one is over */
    buffer_clear(&reloader->words);
    reloader->options.begins(reloader->options.context);
    reloader->job.run = run_load;
    reloader->job.done = load_done;
    reloader->first->ops->work(reloader->first, &reloader->job);
}

static void
tell_stopped(struct list *waiting)
{
    while (!list_empty(waiting)) {
        struct reload_waiter *waiter = CONTAINER_OF(list_first(waiting), struct reload_waiter, link);

        list_remove(&waiter->link);
        waiter->told(waiter, ERR_STOPPING, SLICE_LITERAL("the gateway is stopping, so nothing is read again\n"));
    }
}

void
reloader_stop(struct reloader *reloader)
{
    reloader->stopped = true;
    reloader->again = false;
    tell_stopped(&reloader->later);
}

bool
reloader_busy(const struct reloader *reloader)
{
    return reloader->running;
}

void
reloader_ask(struct reloader *reloader, struct reload_waiter *waiter)
{
    if (waiter != NULL)
        list_append(reloader->running || reloader->stopped ? &reloader->later : &reloader->waiting, &waiter->link);
    if (reloader->stopped)
        tell_stopped(&reloader->later);
    else if (reloader->running)
        reloader->again = true;
    else
        start(reloader);
}
