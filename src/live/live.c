#include "live/live.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "live/client.h"
#include "live/command.h"
#include "live/listen.h"
#include "live/loop.h"
#include "live/process.h"
#include "live/server.h"
#include "live/signals.h"
#include "live/tls.h"

enum {
    ROUNDS_HOME = 2,    /* of mail, after a message that visits every worker in turn: back home, and an answer */
    CLIENTS_USUAL = 256 /* a worker that can take fewer is worth a word */
};

/* One order to one worker; each kind is sent once. */
struct order {
    struct message message;
    struct worker *worker;
};

struct worker {
    struct live_world world;
    struct live *live;
    pthread_t thread;
    struct timer drain; /* the patience of a graceful stop */
    struct order drain_order, cut_order, finish_order;
    bool resting; /* stopping, and nothing is under way */
};

struct live {
    struct live_options options;
    struct live_listener *listeners;
    struct server_settings settings;
    SSL_CTX **tls;   /* by listener; NULL: plain */
    unsigned *ports; /* by listener */
    int *fds;        /* by listener, then worker */
    struct worker *workers;
    bool started; /* the workers have run, and closed their loops */

    pthread_mutex_t lock; /* of the following */
    pthread_cond_t changed;
    unsigned serving, resting;
    bool drain_sent, cut_sent;
    uv_async_t *told; /* rung when something changed; NULL: nobody listens */

    pthread_barrier_t together;
    struct tls_contexts *contexts;
};

static usec
op_now_us(struct world *world)
{
    return loop_now_us(live_world_of(world));
}

static usec
op_wall_us(struct world *world)
{
    return loop_wall_us(live_world_of(world));
}

static uint64_t
op_random(struct world *world)
{
    return loop_random(live_world_of(world));
}

static void
op_timer_start(struct world *world, struct timer *timer, usec after_us)
{
    struct live_world *live_world = live_world_of(world);

    timers_start(&live_world->timers, timer, loop_now_us(live_world) + after_us);
}

static void
op_timer_stop(struct world *world, struct timer *timer)
{
    timers_stop(&live_world_of(world)->timers, timer);
}

static void
op_post(struct world *world, unsigned worker, struct message *message)
{
    live_post(live_world_of(world)->live, worker, message);
}

static void
op_work(struct world *world, struct job *job)
{
    loop_work(live_world_of(world), job);
}

static enum status
op_append(struct world *world, struct slice record)
{
    const struct live_options *options = &live_world_of(world)->live->options;

    ENSURE(options->append != NULL);
    return options->append(options->context, world, record);
}

static const struct world_ops live_ops = {
    .now_us = op_now_us,
    .wall_us = op_wall_us,
    .random = op_random,
    .timer_start = op_timer_start,
    .timer_stop = op_timer_stop,
    .client_answer = server_client_answer,
    .client_write = server_client_write,
    .client_finish = server_client_finish,
    .client_abort = server_client_abort,
    .client_pause = server_client_pause,
    .client_address = server_client_address,
    .call_open = client_call_open,
    .call_write = client_call_write,
    .call_pause = client_call_pause,
    .call_close = client_call_close,
    .post = op_post,
    .work = op_work,
    .command = command_start,
    .append = op_append,
};

/* Making and freeing */

static void
copy_listeners(struct live *live, const struct live_options *options)
{
    size_t count = options->listener_count;

    live->listeners = must_calloc(count, sizeof(*live->listeners));
    live->tls = must_calloc(count, sizeof(SSL_CTX *));
    live->ports = must_calloc(count, sizeof(*live->ports));
    live->fds = must_calloc(count * options->workers, sizeof(int));
    for (size_t i = 0; i < count; i++)
        live->listeners[i] = options->listeners[i];
    for (size_t i = 0; i < count * options->workers; i++)
        live->fds[i] = -1;
    live->options.listeners = live->listeners;
}

static usec
or_else(usec given, usec usual)
{
    return given > 0 ? given : usual;
}

static unsigned
clients_that_fit(const struct live_options *options)
{
    unsigned files = process_raise_files();
    unsigned clients = process_clients_of(files, options->workers);

    if (clients < CLIENTS_USUAL && options->log != NULL)
        log_line(options->log, LOG_WARN,
                 "only %u files may be open here, so each of %u workers takes %u clients at once at most, and others "
                 "wait; allow more with `ulimit -n` or LimitNOFILE=",
                 files, options->workers, clients);
    return clients;
}

static void
settle_settings(struct live *live)
{
    const struct live_options *options = &live->options;
    struct server_settings *settings = &live->settings;

    settings->patience.header_us = or_else(options->patience.header_us, 10 * USEC_PER_S);
    settings->patience.body_us = or_else(options->patience.body_us, 30 * USEC_PER_S);
    settings->patience.idle_us = or_else(options->patience.idle_us, 75 * USEC_PER_S);
    settings->patience.write_us = or_else(options->patience.write_us, 60 * USEC_PER_S);
    settings->head_most = options->head_most != 0 ? options->head_most : 32 * 1024;
    settings->connections_most = options->connections_most;
    if (settings->connections_most == 0)
        settings->connections_most = clients_that_fit(options);
    if (options->unsent_most == 0)
        live->options.unsent_most = (size_t)64 * 1024 * 1024;
    live->options.drain_us = or_else(options->drain_us, 30 * USEC_PER_S);
}

static void
init_worker(struct live *live, unsigned index)
{
    struct worker *worker = &live->workers[index];
    struct live_world *world = &worker->world;
    size_t count = live->options.listener_count;

    worker->live = live;
    loop_init(world, live, index, live->options.workers);
    world->world.ops = &live_ops;
    world->contexts = live->contexts;
    world->unsent_most = live->options.unsent_most;
    world->servers = must_calloc(count, sizeof(*world->servers));
    world->server_count = count;
    for (size_t i = 0; i < count; i++)
        world->servers[i] = (struct live_server){.world = world, .settings = &live->settings, .fd = -1};
}

static enum status
open_listener(struct live *live, size_t index, char *problem)
{
    const struct live_listener *listener = &live->listeners[index];
    unsigned count = listener->first_worker_only ? 1 : live->options.workers;
    char why[TLS_WORDS_SIZE];

    if (listener->cert_file != NULL &&
        tls_server_context(listener->cert_file, listener->key_file, &live->tls[index], why) != OK) {
        snprintf(problem, LIVE_PROBLEM_SIZE, "TLS with certificate '%s' and key '%s' (PEM files): %s.",
                 listener->cert_file, listener->key_file, why);
        return ERR_INVALID;
    }
    return listen_open(listener, count, live->fds + index * live->options.workers, &live->ports[index], problem);
}

enum status
live_new(const struct live_options *options, struct live **out, char *problem)
{
    struct live *live = must_calloc(1, sizeof(*live));
    enum status status = OK;

    ENSURE(options->workers >= 1 && (options->application != NULL || options->listener_count == 0));
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    signal(SIGXFSZ, SIG_IGN); /* a file that may grow no further is a full disk, not the end (setrlimit(2)) */
    live->options = *options;
    copy_listeners(live, options);
    settle_settings(live);
    for (size_t i = 0; i < options->listener_count && status == OK; i++)
        status = open_listener(live, i, problem);
    live->contexts = tls_contexts_new();
    live->workers = must_calloc(options->workers, sizeof(*live->workers));
    for (unsigned i = 0; i < options->workers; i++)
        init_worker(live, i);
    pthread_mutex_init(&live->lock, NULL);
    pthread_cond_init(&live->changed, NULL);
    pthread_barrier_init(&live->together, NULL, options->workers);
    *out = live;
    if (status == OK)
        return OK;
    live_free(live);
    *out = NULL;
    return status;
}

void
live_free(struct live *live)
{
    if (live == NULL)
        return;
    for (unsigned i = 0; i < live->options.workers; i++) {
        if (!live->started) {
            loop_close(&live->workers[i].world);
            uv_run(&live->workers[i].world.loop, UV_RUN_DEFAULT);
        }
        free(live->workers[i].world.servers);
        loop_free(&live->workers[i].world);
    }
    for (size_t i = 0; i < live->options.listener_count; i++)
        SSL_CTX_free(live->tls[i]);
    for (size_t i = 0; i < live->options.listener_count * live->options.workers; i++)
        if (live->fds[i] >= 0)
            close(live->fds[i]);
    pthread_barrier_destroy(&live->together);
    pthread_cond_destroy(&live->changed);
    pthread_mutex_destroy(&live->lock);
    tls_contexts_free(live->contexts);
    free(live->workers);
    free(live->fds);
    free(live->ports);
    free(live->tls);
    free(live->listeners);
    free(live);
}

unsigned
live_port(const struct live *live, size_t listener)
{
    ENSURE(listener < live->options.listener_count);
    return live->ports[listener];
}

const struct live_options *
live_options_of(const struct live *live)
{
    return &live->options;
}

struct world *
live_world_at(struct live *live, unsigned worker)
{
    ENSURE(worker < live->options.workers);
    return &live->workers[worker].world.world;
}

void
live_post(struct live *live, unsigned worker, struct message *message)
{
    ENSURE(worker < live->options.workers);
    loop_post(&live->workers[worker].world, message);
}

/* Stopping, on the worker */

static struct worker *
worker_of(struct live_world *world)
{
    return CONTAINER_OF(world, struct worker, world);
}

/* Under the lock. */
static void
tell(struct live *live)
{
    pthread_cond_broadcast(&live->changed);
    if (live->told != NULL)
        uv_async_send(live->told);
}

/* Resting may end again: mail from another worker may start something. */
void
loop_stopping(struct live_world *world)
{
    struct worker *worker = worker_of(world);
    struct live *live = worker->live;
    bool resting = world->connections == 0 && world->calls == 0 && world->jobs == 0 && world->command_count == 0;

    if (resting == worker->resting)
        return;
    worker->resting = resting;
    pthread_mutex_lock(&live->lock);
    live->resting = resting ? live->resting + 1 : live->resting - 1;
    tell(live);
    pthread_mutex_unlock(&live->lock);
}

static void
cut_all(struct live_world *world)
{
    world->cutting = true;
    for (size_t i = 0; i < world->server_count; i++)
        server_cut(&world->servers[i]);
    client_cut(world);
    command_cut(world);
}

static void
drain_over(struct timer *timer)
{
    cut_all(&CONTAINER_OF(timer, struct worker, drain)->world);
}

static void
deliver_drain(struct message *message, struct world *to)
{
    struct worker *worker = CONTAINER_OF(message, struct order, message)->worker;
    struct live_world *world = live_world_of(to);

    world->stopping = true;
    if (worker->live->options.worker_stopping != NULL)
        worker->live->options.worker_stopping(worker->live->options.context, to);
    for (size_t i = 0; i < world->server_count; i++)
        server_drain(&world->servers[i]);
    worker->drain.fire = drain_over;
    timers_start(&world->timers, &worker->drain, loop_now_us(world) + worker->live->options.drain_us);
}

static void
deliver_cut(struct message *message, struct world *to)
{
    (void)message;
    cut_all(live_world_of(to));
}

/* Everybody rests. What mail is still under way is delivered, then this worker is over. */
static void
deliver_finish(struct message *message, struct world *to)
{
    struct worker *worker = CONTAINER_OF(message, struct order, message)->worker;
    struct live_world *world = live_world_of(to);

    cut_all(world);
    for (unsigned round = 0; round < to->workers + ROUNDS_HOME; round++) {
        loop_leave(world);
        pthread_barrier_wait(&worker->live->together);
        loop_deliver(world);
    }
    pthread_barrier_wait(&worker->live->together);
    world->finished = true;
    uv_stop(&world->loop);
    timers_stop(&world->timers, &worker->drain);
}

static void
send_order(struct worker *worker, struct order *order, void (*deliver)(struct message *, struct world *))
{
    order->worker = worker;
    order->message.deliver = deliver;
    loop_post(&worker->world, &order->message);
}

void
live_stop(struct live *live, bool now)
{
    bool drain, cut;

    pthread_mutex_lock(&live->lock);
    drain = !live->drain_sent;
    cut = now && !live->cut_sent;
    live->drain_sent = true;
    live->cut_sent |= cut;
    pthread_mutex_unlock(&live->lock);
    for (unsigned i = 0; i < live->options.workers; i++) {
        struct worker *worker = &live->workers[i];

        if (drain)
            send_order(worker, &worker->drain_order, deliver_drain);
        if (cut)
            send_order(worker, &worker->cut_order, deliver_cut);
    }
}

void
live_tell(struct live *live, uv_async_t *told)
{
    pthread_mutex_lock(&live->lock);
    live->told = told;
    pthread_mutex_unlock(&live->lock);
}

bool
live_rests(struct live *live)
{
    bool rests;

    pthread_mutex_lock(&live->lock);
    rests = live->resting == live->options.workers;
    pthread_mutex_unlock(&live->lock);
    return rests;
}

/* The workers' threads */

static void
start_servers(struct worker *worker)
{
    struct live *live = worker->live;
    struct live_world *world = &worker->world;

    for (size_t i = 0; i < world->server_count; i++) {
        struct live_server *server = &world->servers[i];
        int *fd = &live->fds[i * live->options.workers + world->world.worker];

        server->fd = *fd;
        *fd = -1;
        server->tls = live->tls[i];
        if (server->tls != NULL)
            SSL_CTX_up_ref(server->tls);
        if (server->fd >= 0)
            server->application = live->options.application(live->options.context, &world->world, i);
        server_start(server);
    }
}

static void
end_worker(struct worker *worker)
{
    const struct live_options *options = &worker->live->options;

    if (options->worker_stopped != NULL)
        options->worker_stopped(options->context, &worker->world.world);
    for (size_t i = 0; i < worker->world.server_count; i++)
        SSL_CTX_free(worker->world.servers[i].tls);
    client_free(&worker->world);
    loop_close(&worker->world);
    uv_run(&worker->world.loop, UV_RUN_DEFAULT);
}

static void *
worker_main(void *argument)
{
    struct worker *worker = argument;
    struct live *live = worker->live;

    loop_enter(&worker->world);
    if (live->options.worker_started != NULL)
        live->options.worker_started(live->options.context, &worker->world.world);
    start_servers(worker);
    loop_leave(&worker->world);
    pthread_mutex_lock(&live->lock);
    live->serving++;
    tell(live);
    pthread_mutex_unlock(&live->lock);
    uv_run(&worker->world.loop, UV_RUN_DEFAULT);
    ENSURE(worker->world.finished);
    end_worker(worker);
    return NULL;
}

void
live_start(struct live *live)
{
    live->started = true;
    for (unsigned i = 0; i < live->options.workers; i++) {
        int failed = pthread_create(&live->workers[i].thread, NULL, worker_main, &live->workers[i]);

        ENSURE(!failed);
    }
    pthread_mutex_lock(&live->lock);
    while (live->serving < live->options.workers)
        pthread_cond_wait(&live->changed, &live->lock);
    pthread_mutex_unlock(&live->lock);
    if (live->options.serving != NULL)
        live->options.serving(live->options.context);
}

void
live_join(struct live *live)
{
    pthread_mutex_lock(&live->lock);
    while (live->resting < live->options.workers)
        pthread_cond_wait(&live->changed, &live->lock);
    pthread_mutex_unlock(&live->lock);
    for (unsigned i = 0; i < live->options.workers; i++)
        send_order(&live->workers[i], &live->workers[i].finish_order, deliver_finish);
    for (unsigned i = 0; i < live->options.workers; i++)
        pthread_join(live->workers[i].thread, NULL);
}
