/* The operations of world.h that concern neither clients nor calls. */
#include <stdlib.h>

#include "virtual/inside.h"

struct post {
    struct timer arrives;
    struct list node;
    struct message *message;
    struct virtual_world *from, *to;
};

/* A job under way: first `run` happens, then `done`. */
struct task {
    struct timer happens;
    struct list node;
    struct virtual_world *world;
    struct job *job;
    bool ran;
};

static const usec job_most_us = 5000; /* how long work off the loop takes at most */

static usec
now_us(struct world *world)
{
    return virtual_world_of(world)->history->now_us;
}

static usec
wall_us(struct world *world)
{
    struct history *history = virtual_world_of(world)->history;

    return history->now_us + history->wall_offset_us;
}

static uint64_t
random_number(struct world *world)
{
    return rng_next(&virtual_world_of(world)->rng);
}

static void
timer_start(struct world *world, struct timer *timer, usec after_us)
{
    struct history *history = virtual_world_of(world)->history;

    REFEREE(history, timer->fire != NULL, "a timer without `fire` is started");
    if (after_us < 0)
        after_us = 0;
    timers_start(&history->timers, timer,
                 after_us < USEC_NEVER - history->now_us ? history->now_us + after_us : USEC_NEVER - 1);
}

static void
timer_stop(struct world *world, struct timer *timer)
{
    timers_stop(&virtual_world_of(world)->history->timers, timer);
}

static void
post_arrives(struct timer *timer)
{
    struct post *post = CONTAINER_OF(timer, struct post, arrives);
    struct message *message = post->message;
    struct virtual_world *to = post->to;

    history_log(to->history, "post from worker %u arrives at %u", post->from->world.worker, to->world.worker);
    list_remove(&post->node);
    free(post);
    message->deliver(message, &to->world);
}

static void
check_not_on_its_way(struct history *history, const struct message *message)
{
    LIST_EACH(&history->posts, node, after)
    REFEREE(history, CONTAINER_OF(node, struct post, node)->message != message,
            "a message is posted that is still on its way");
}

/* Any hop's time from now, but not before what the same sender posted there earlier. */
static void
post_message(struct world *world, unsigned worker, struct message *message)
{
    struct virtual_world *from = virtual_world_of(world);
    struct history *history = from->history;
    struct post *post = must_calloc(1, sizeof(*post));
    usec at = history->now_us + history_hop_us(history);

    REFEREE(history, worker < world->workers, "a post to worker %u of %u", worker, world->workers);
    REFEREE(history, message->deliver != NULL, "a message without `deliver` is posted");
    check_not_on_its_way(history, message);
    if (at < from->posted_us[worker])
        at = from->posted_us[worker];
    from->posted_us[worker] = at;
    *post = (struct post){.arrives = {.fire = post_arrives}, .message = message, .from = from};
    post->to = from->peers[worker];
    list_append(&history->posts, &post->node);
    timers_start(&history->events, &post->arrives, at);
}

static usec
job_span_us(struct history *history)
{
    return 1 + history->jobs_longer_us + (usec)rng_below(&history->rng, (uint64_t)job_most_us);
}

static void
task_happens(struct timer *timer)
{
    struct task *task = CONTAINER_OF(timer, struct task, happens);
    struct history *history = task->world->history;
    struct job *job = task->job;

    if (!task->ran) {
        history_log(history, "a job of worker %u runs", task->world->world.worker);
        task->ran = true;
        job->run(job);
        history_schedule(history, &task->happens, job_span_us(history));
        return;
    }
    history_log(history, "a job of worker %u is done", task->world->world.worker);
    list_remove(&task->node);
    free(task);
    job->done(job);
}

static void
work(struct world *world, struct job *job)
{
    struct virtual_world *own = virtual_world_of(world);
    struct task *task = must_calloc(1, sizeof(*task));

    REFEREE(own->history, job->run != NULL && job->done != NULL, "a job without `run` or `done`");
    *task = (struct task){.happens = {.fire = task_happens}, .world = own, .job = job};
    list_append(&own->history->jobs, &task->node);
    history_schedule(own->history, &task->happens, job_span_us(own->history));
}

static enum status
append(struct world *world, struct slice record)
{
    struct virtual_world *own = virtual_world_of(world);
    struct history *history = own->history;
    uint64_t number = ++history->appends;

    if (number >= history->append_fail_from && number - history->append_fail_from < history->append_fail_count) {
        history_log(history, "append %llu fails: %s", (unsigned long long)number,
                    status_text(history->append_fail_status));
        return history->append_fail_status;
    }
    history_log(history, "append %llu, %zu bytes", (unsigned long long)number, record.len);
    if (history->options.append != NULL)
        history->options.append(history->options.context, world->worker, record);
    else
        buffer_add(&own->journal, record);
    return OK;
}

static const struct world_ops virtual_ops = {
    .now_us = now_us,
    .wall_us = wall_us,
    .random = random_number,
    .timer_start = timer_start,
    .timer_stop = timer_stop,
    .client_answer = served_answer,
    .client_write = served_write,
    .client_finish = served_finish,
    .client_abort = served_abort,
    .client_pause = served_pause,
    .client_address = served_address,
    .call_open = vcall_open,
    .call_write = vcall_write,
    .call_pause = vcall_pause,
    .call_close = vcall_close,
    .post = post_message,
    .work = work,
    .command = vcommand_start,
    .append = append,
};

struct virtual_world *
virtual_world_new(struct history *history, unsigned worker, unsigned workers)
{
    struct virtual_world *world = must_calloc(1, sizeof(*world));

    world->world = (struct world){.ops = &virtual_ops, .worker = worker, .workers = workers};
    world->history = history;
    world->posted_us = must_calloc(workers, sizeof(usec));
    rng_seed(&world->rng, rng_next(&history->rng));
    buffer_init(&world->journal);
    list_append(&history->worlds, &world->node);
    return world;
}

void
virtual_world_free(struct virtual_world *world)
{
    if (world->peers != world->history->workers)
        free(world->peers);
    buffer_free(&world->journal);
    free(world->posted_us);
    free(world);
}

void
virtual_world_end(struct history *history)
{
    LIST_EACH(&history->posts, node, after)
    free(CONTAINER_OF(node, struct post, node));
    LIST_EACH(&history->jobs, node, after)
    free(CONTAINER_OF(node, struct task, node));
}
