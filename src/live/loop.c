#include "live/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "live/command.h"
#include "live/stream.h"

static void
on_alarm(uv_timer_t *handle)
{
    struct live_world *world = handle->data;

    loop_enter(world);
    world->alarm_us = USEC_NEVER;
    while (timers_fire_one(&world->timers, loop_now_us(world)))
        ;
    loop_leave(world);
}

static void
on_polled(uv_check_t *handle)
{
    struct live_world *world = handle->data;

    if (world->together == 0)
        return;
    loop_enter(world);
    loop_leave(world);
}

/* The messages in the order they were sent. */
static struct message *
inbox_take(struct live_world *world)
{
    struct message *newest = atomic_exchange_explicit(&world->inbox, NULL, memory_order_acquire);
    struct message *oldest = NULL;

    while (newest != NULL) {
        struct message *next = newest->next;

        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

void
loop_deliver(struct live_world *world)
{
    struct message *message = inbox_take(world);

    while (message != NULL) {
        struct message *next = message->next; /* delivered is gone */

        message->next = NULL;
        message->deliver(message, &world->world);
        message = next;
    }
}

static void
on_wake(uv_async_t *handle)
{
    struct live_world *world = handle->data;

    loop_enter(world);
    loop_deliver(world);
    loop_leave(world);
}

void
loop_post(struct live_world *world, struct message *message)
{
    struct message *newest = atomic_load_explicit(&world->inbox, memory_order_relaxed);

    do
        message->next = newest;
    while (!atomic_compare_exchange_weak_explicit(&world->inbox, &newest, message, memory_order_release,
                                                  memory_order_relaxed));
    /* Whoever put the first one in has rung. */
    if (newest == NULL)
        uv_async_send(&world->wake);
}

void
loop_init(struct live_world *world, struct live *live, unsigned worker, unsigned workers)
{
    int failed;

    *world = (struct live_world){.live = live, .alarm_us = USEC_NEVER, .date_second = -1};
    world->world.worker = worker;
    world->world.workers = workers;
    failed = uv_loop_init(&world->loop);
    ENSURE(!failed);
    failed = uv_timer_init(&world->loop, &world->alarm);
    ENSURE(!failed);
    failed = uv_async_init(&world->loop, &world->wake, on_wake);
    ENSURE(!failed);
    failed = uv_check_init(&world->loop, &world->polled) || uv_check_start(&world->polled, on_polled);
    ENSURE(!failed);
    uv_unref((uv_handle_t *)&world->polled); /* nobody waits for it */
    world->polled.data = world;
    world->alarm.data = world;
    world->wake.data = world;
    timers_init(&world->timers);
    list_init(&world->dirty);
    list_init(&world->ready);
    list_init(&world->buried);
    list_init(&world->upstreams);
    list_init(&world->commands);
    list_init(&world->commands_failed);
    map_init(&world->pools);
    world->scratch = must_alloc(SCRATCH_BYTES);
}

void
loop_close(struct live_world *world)
{
    uv_close((uv_handle_t *)&world->polled, NULL);
    uv_close((uv_handle_t *)&world->alarm, NULL);
    uv_close((uv_handle_t *)&world->wake, NULL);
}

void
loop_free(struct live_world *world)
{
    int failed = uv_loop_close(&world->loop);

    ENSURE(!failed);
    ENSURE(world->timers.count == 0);
    timers_free(&world->timers);
    map_free(&world->pools);
    free(world->scratch);
    world->scratch = NULL;
}

usec
loop_now_us(struct live_world *world)
{
    if (world->now_us == 0)
        world->now_us = clock_now_us();
    return world->now_us;
}

usec
loop_wall_us(struct live_world *world)
{
    if (world->wall_us == 0)
        world->wall_us = clock_wall_us();
    return world->wall_us;
}

uint64_t
loop_random(struct live_world *world)
{
    if (world->random_left == 0) {
        /* Up to 256 bytes come whole, without interruption (getrandom(2)). */
        for (size_t at = 0; at < sizeof(world->random); at += 256) {
            ssize_t got = getrandom((char *)world->random + at, 256, 0);

            ENSURE(got == 256);
        }
        world->random_left = RANDOM_WORDS;
    }
    return world->random[--world->random_left];
}

struct slice
loop_date_line(struct live_world *world)
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    usec wall_us = loop_wall_us(world);

    if (wall_us / USEC_PER_S != world->date_second) {
        struct clock_date date = clock_date_of(wall_us);
        int len = snprintf(world->date, sizeof(world->date), "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n",
                           days[date.weekday], date.day, months[date.month - 1], date.year, date.hour, date.minute,
                           date.second);

        ENSURE(len > 0 && len < DATE_SIZE);
        world->date_len = (size_t)len;
        world->date_second = wall_us / USEC_PER_S;
    }
    return slice_make(world->date, world->date_len);
}

void
loop_enter(struct live_world *world)
{
    world->now_us = 0;
    world->wall_us = 0;
}

/* Sets libuv's timer when the next of ours comes before it; a later one waits until the timer has gone off early, so
 * that moving a timeout on costs nothing. */
static void
set_alarm(struct live_world *world)
{
    usec next = timers_next(&world->timers);
    usec wait_us;

    if (next >= world->alarm_us)
        return;
    wait_us = next - loop_now_us(world);
    if (wait_us < 0)
        wait_us = 0;
    uv_timer_start(&world->alarm, on_alarm, (uint64_t)((wait_us + USEC_PER_MS - 1) / USEC_PER_MS), 0);
    world->alarm_us = next;
}

void
loop_leave(struct live_world *world)
{
    struct list *node;

    world->together = 0;
    while (!list_empty(&world->dirty) || !list_empty(&world->ready) || command_tend(world)) {
        while ((node = list_first(&world->dirty)) != NULL)
            stream_settle(CONTAINER_OF(node, struct stream, dirty));
        if ((node = list_first(&world->ready)) != NULL)
            stream_tend(CONTAINER_OF(node, struct stream, ready));
    }
    stream_bury(world);
    set_alarm(world);
    if (world->stopping)
        loop_stopping(world);
}

void
loop_enter_together(struct live_world *world)
{
    loop_enter(world);
    if (world->together == 0 || loop_now_us(world) - world->together_us < TOGETHER_US)
        return;
    loop_leave(world);
    loop_enter(world);
}

/* What is sent one right behind the other finds its readers awake, and the kernel's code and ours in the processor's
 * cache: it costs less than what is sent in between. */
void
loop_leave_together(struct live_world *world)
{
    if (world->together++ == 0)
        world->together_us = loop_now_us(world);
    if (world->together == TOGETHER_MOST)
        loop_leave(world);
}

struct pending_job {
    uv_work_t work;
    struct live_world *world;
    struct job *job;
};

static void
run_job(uv_work_t *work)
{
    struct pending_job *pending = CONTAINER_OF(work, struct pending_job, work);

    pending->job->run(pending->job);
}

static void
job_done(uv_work_t *work, int cancelled)
{
    struct pending_job *pending = CONTAINER_OF(work, struct pending_job, work);
    struct live_world *world = pending->world;
    struct job *job = pending->job;

    ENSURE(!cancelled);
    free(pending);
    loop_enter(world);
    world->jobs--;
    job->inside = NULL;
    job->done(job);
    loop_leave(world);
}

void
loop_work(struct live_world *world, struct job *job)
{
    struct pending_job *pending = must_calloc(1, sizeof(*pending));
    int failed;

    pending->world = world;
    pending->job = job;
    job->inside = pending;
    world->jobs++;
    failed = uv_queue_work(&world->loop, &pending->work, run_job, job_done);
    ENSURE(!failed);
}
