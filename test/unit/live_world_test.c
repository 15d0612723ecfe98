/* labels: threads */
/* What a live world offers beside clients and calls: mail, work off the loop, timers, chance, stopping, signals' end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/list.h"
#include "live_rig.h"

enum { MESSAGES = 1000, WORKERS = 3 };

/* A letter that goes round: worker after worker, MESSAGES times. */
struct letter {
    struct message message;
    atomic_uint hops;
};

static void
pass_on(struct message *message, struct world *to)
{
    struct letter *letter = CONTAINER_OF(message, struct letter, message);

    if (atomic_fetch_add(&letter->hops, 1) + 1 < MESSAGES)
        to->ops->post(to, (to->worker + 1) % to->workers, message);
}

static struct rig *
several_workers(void)
{
    static const struct live_listener listener = {.address = "127.0.0.1"};

    return rig_new((struct live_options){.workers = WORKERS, .listeners = &listener, .listener_count = 1});
}

static void
mail_goes_round(void **state)
{
    struct rig *rig = several_workers();
    struct letter letter = {.message.deliver = pass_on};

    (void)state;
    live_post(rig->live, 1, &letter.message);
    rig_wait(&letter.hops, MESSAGES);
    rig_free(rig);
}

/* Many letters of one sender, who is this test. */
struct numbered {
    struct message message;
    unsigned number;
    atomic_uint *seen;
    bool in_order;
};

static void
count_number(struct message *message, struct world *to)
{
    struct numbered *numbered = CONTAINER_OF(message, struct numbered, message);

    (void)to;
    numbered->in_order = atomic_fetch_add(numbered->seen, 1) == numbered->number;
}

static void
mail_keeps_its_order(void **state)
{
    struct rig *rig = several_workers();
    struct numbered *all = calloc(MESSAGES, sizeof(*all));
    atomic_uint seen = 0;

    (void)state;
    for (unsigned i = 0; i < MESSAGES; i++) {
        all[i] = (struct numbered){{.deliver = count_number}, i, &seen, false};
        live_post(rig->live, 2, &all[i].message);
    }
    rig_wait(&seen, MESSAGES);
    rig_free(rig);
    for (unsigned i = 0; i < MESSAGES; i++)
        assert_true(all[i].in_order);
    free(all);
}

/* Everything else happens on a worker, started by this letter. */
struct errand {
    struct message message;
    struct world *world;
    struct timer early, late, never;
    struct job job;
    usec started_us, early_us, late_us;
    uint64_t chance[2];
    int worked;
    bool never_fired;
    atomic_uint done;
};

static void
early_fires(struct timer *timer)
{
    struct errand *errand = CONTAINER_OF(timer, struct errand, early);

    errand->early_us = world_now_us(errand->world);
    world_timer_stop(errand->world, &errand->never);
}

static void
late_fires(struct timer *timer)
{
    struct errand *errand = CONTAINER_OF(timer, struct errand, late);

    errand->late_us = world_now_us(errand->world);
    atomic_fetch_add(&errand->done, 1);
}

static void
never_fires(struct timer *timer)
{
    CONTAINER_OF(timer, struct errand, never)->never_fired = true;
}

static void
run_job(struct job *job)
{
    CONTAINER_OF(job, struct errand, job)->worked = 42;
}

static void
job_done(struct job *job)
{
    struct errand *errand = CONTAINER_OF(job, struct errand, job);

    assert_int_equal(errand->worked, 42);
    atomic_fetch_add(&errand->done, 1);
}

static void
run_errand(struct message *message, struct world *to)
{
    struct errand *errand = CONTAINER_OF(message, struct errand, message);

    errand->world = to;
    errand->started_us = world_now_us(to);
    errand->early.fire = early_fires;
    errand->late.fire = late_fires;
    errand->never.fire = never_fires;
    world_timer_start(to, &errand->late, 5 * USEC_PER_MS);
    world_timer_start(to, &errand->late, 30 * USEC_PER_MS); /* moved */
    world_timer_start(to, &errand->early, 10 * USEC_PER_MS);
    world_timer_start(to, &errand->never, 20 * USEC_PER_MS);
    errand->chance[0] = world_random(to);
    errand->chance[1] = world_random(to);
    errand->job.run = run_job;
    errand->job.done = job_done;
    to->ops->work(to, &errand->job);
}

static void
timers_jobs_and_chance(void **state)
{
    struct rig *rig = rig_plain();
    struct errand errand = {.message.deliver = run_errand};

    (void)state;
    live_post(rig->live, 0, &errand.message);
    rig_wait(&errand.done, 2);
    rig_free(rig);
    assert_true(errand.early_us - errand.started_us >= 10 * USEC_PER_MS);
    assert_true(errand.late_us - errand.started_us >= 30 * USEC_PER_MS);
    assert_true(errand.early_us <= errand.late_us);
    assert_int_not_equal(errand.chance[0], errand.chance[1]);
}

/* Stopping lets an answer that is under way finish, tells the client that the connection ends, and accepts no more. */
static void
stops_gracefully(void **state)
{
    struct rig *rig = rig_plain();
    struct buffer answer;
    unsigned port;
    int listener = rig_listen(&port);
    int client = rig_connect(rig->port);
    int idle = rig_connect(rig->port);
    int backend;
    char byte;

    (void)state;
    rig->backend.port = port;
    rig_send(client, "GET /call HTTP/1.1\r\nHost: x\r\n\r\n");
    backend = rig_accept(listener);
    rig_read_head(backend);
    live_stop(rig->live, false);
    assert_int_equal(recv(idle, &byte, 1, 0), 0);
    rig_send(backend, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    answer = rig_read_all(client);
    assert_true(slice_ends(buffer_content(&answer), "Connection: close\r\n\r\nok"));
    buffer_free(&answer);
    close(idle);
    close(backend);
    close(listener);
    rig_free(rig);
}

/* Stopping at once cuts what is under way; the application is told. */
static void
stops_at_once(void **state)
{
    struct rig *rig = rig_plain();
    int client = rig_connect(rig->port);
    struct buffer answer;

    (void)state;
    rig_send(client, "GET /silent HTTP/1.1\r\nHost: x\r\n\r\n");
    rig_wait(&rig->heads, 1);
    live_stop(rig->live, true);
    answer = rig_read_all(client);
    assert_int_equal(buffer_len(&answer), 0);
    rig_wait(&rig->gone, 1);
    buffer_free(&answer);
    rig_free(rig);
}

/* After the drain's time is over, what is left is cut. */
static void
draining_has_an_end(void **state)
{
    static const struct live_listener listener = {.address = "127.0.0.1"};
    struct rig *rig = rig_new(
        (struct live_options){.workers = 2, .listeners = &listener, .listener_count = 1, .drain_us = 10 * USEC_PER_MS});
    int client = rig_connect(rig->port);

    (void)state;
    rig_send(client, "GET /silent HTTP/1.1\r\nHost: x\r\n\r\n");
    rig_wait(&rig->heads, 1);
    live_stop(rig->live, false);
    rig_wait(&rig->gone, 1);
    close(client);
    rig_free(rig);
}

static struct application *
no_application(void *context, struct world *world, size_t listener)
{
    (void)context, (void)world, (void)listener;
    return NULL;
}

static void
says_why_it_cannot_listen(void **state)
{
    unsigned port;
    int taken = rig_listen(&port);
    struct live_listener listener = {.address = "127.0.0.1", .port = port};
    struct live_options options = {
        .workers = 2, .listeners = &listener, .listener_count = 1, .application = no_application};
    char problem[LIVE_PROBLEM_SIZE];
    struct live *live;

    (void)state;
    assert_int_equal(live_new(&options, &live, problem), ERR_IO);
    assert_non_null(strstr(problem, "Address already in use"));
    listener.address = "no such host";
    assert_int_equal(live_new(&options, &live, problem), ERR_INVALID);
    assert_non_null(strstr(problem, "'no such host' is not an address"));
    listener.address = "127.0.0.1";
    listener.port = 0;
    listener.cert_file = listener.key_file = "/nonexistent.pem";
    assert_int_equal(live_new(&options, &live, problem), ERR_INVALID);
    assert_non_null(strstr(problem, "/nonexistent.pem"));
    close(taken);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mail_goes_round),
        cmocka_unit_test(mail_keeps_its_order),
        cmocka_unit_test(timers_jobs_and_chance),
        cmocka_unit_test(stops_gracefully),
        cmocka_unit_test(stops_at_once),
        cmocka_unit_test(draining_has_an_end),
        cmocka_unit_test(says_why_it_cannot_listen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
