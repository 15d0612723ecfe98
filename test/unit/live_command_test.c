/* labels: threads */
/* Commands of the user's in the live world: what is fed and printed, what fails, what is killed, and stopping. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/list.h"
#include "live_rig.h"

enum { KEPT = 256, AT_ONCE = 24, LARGE_INPUT = 1024 * 1024 };

/* One command, started on a worker by mail. */
struct trial {
    struct message message;
    struct command_run run;
    int exit_status;
    size_t len;
    char output[KEPT];
    usec started_us, took_us;
    struct world *world;
    atomic_uint *started, *done;
};

static void
trial_done(struct command_run *run, int exit_status, struct slice output)
{
    struct trial *trial = CONTAINER_OF(run, struct trial, run);

    trial->exit_status = exit_status;
    trial->len = output.len;
    memcpy(trial->output, output.data, output.len < KEPT - 1 ? output.len : KEPT - 1);
    trial->took_us = world_now_us(trial->world) - trial->started_us;
    if (trial->done != NULL)
        atomic_fetch_add(trial->done, 1);
}

static void
start_trial(struct message *message, struct world *to)
{
    struct trial *trial = CONTAINER_OF(message, struct trial, message);

    trial->world = to;
    trial->started_us = world_now_us(to);
    to->ops->command(to, &trial->run);
    if (trial->started != NULL)
        atomic_fetch_add(trial->started, 1);
}

static struct trial
trial_of(const char *command)
{
    return (struct trial){
        .message.deliver = start_trial,
        .run = {.command = command, .timeout_us = 10 * USEC_PER_S, .output_most = KEPT - 1, .done = trial_done},
        .exit_status = -2,
    };
}

/* Runs them all on one worker, at the same time. */
static void
run_trials(struct trial *trials, size_t count)
{
    struct rig *rig = rig_plain();
    atomic_uint done = 0;

    for (size_t i = 0; i < count; i++) {
        trials[i].done = &done;
        live_post(rig->live, 0, &trials[i].message);
    }
    rig_wait(&done, (unsigned)count);
    rig_free(rig);
}

static void
tells_what_was_printed(void **state)
{
    struct trial trials[] = {trial_of("printf secret"), trial_of("exit 3"), trial_of("no-such-command-anywhere 2>&-"),
                             trial_of("kill -TERM $$"), trial_of(":")};

    (void)state;
    run_trials(trials, 5);
    assert_int_equal(trials[0].exit_status, 0);
    assert_string_equal(trials[0].output, "secret");
    assert_int_equal(trials[1].exit_status, 3);
    assert_int_equal(trials[2].exit_status, 127);
    assert_int_equal(trials[3].exit_status, -1);
    assert_int_equal(trials[4].exit_status, 0);
    assert_int_equal(trials[4].len, 0);
}

static void
gets_its_arguments(void **state)
{
    static const char *const arguments[] = {"gpus", "3", "it's \"5\"; exit 1", NULL};
    struct trial trials[] = {trial_of("printf '%s|' \"$#\" \"$1\" \"$2\" \"$3\""), trial_of("printf $#")};

    (void)state;
    trials[0].run.arguments = arguments;
    run_trials(trials, 2);
    assert_string_equal(trials[0].output, "3|gpus|3|it's \"5\"; exit 1|");
    assert_string_equal(trials[1].output, "0");
}

static void
feeds_its_input(void **state)
{
    struct trial trials[] = {trial_of("cat"), trial_of("wc -c < /dev/stdin"), trial_of("exec <&-; echo deaf"),
                             trial_of("wc -c")};
    char *large = malloc(LARGE_INPUT);

    (void)state;
    memset(large, 'x', LARGE_INPUT);
    trials[0].run.input = SLICE_LITERAL("fed");
    trials[1].run.input = slice_make(large, LARGE_INPUT);
    trials[2].run.input = slice_make(large, LARGE_INPUT); /* SIGPIPE, were it not ignored */
    run_trials(trials, 4);
    assert_string_equal(trials[0].output, "fed");
    assert_int_equal(atoi(trials[1].output), LARGE_INPUT);
    assert_string_equal(trials[2].output, "deaf\n");
    assert_int_equal(atoi(trials[3].output), 0); /* nothing is an end, not a wait */
    free(large);
}

static void
cuts_off_what_is_too_much(void **state)
{
    struct trial trials[] = {trial_of("head -c 1000000 /dev/zero | tr '\\0' y; exit 4"), trial_of("echo unwanted")};

    (void)state;
    trials[0].run.output_most = 100;
    trials[1].run.output_most = 0;
    run_trials(trials, 2);
    assert_int_equal(trials[0].exit_status, 4);
    assert_int_equal(trials[0].len, 100);
    assert_int_equal(trials[1].exit_status, 0);
    assert_int_equal(trials[1].len, 0);
}

/* The whole group dies: the shell, what it waits for, and what it left in the background holding our pipe. */
static void
kills_what_takes_too_long(void **state)
{
    struct trial trials[] = {trial_of("sleep 100"), trial_of("sleep 100 & echo left"),
                             trial_of("trap '' TERM; sleep 100"), trial_of("sleep 1 >&- & echo fine")};

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        trials[i].run.timeout_us = 50 * USEC_PER_MS;
    run_trials(trials, 4);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(trials[i].exit_status, -1);
        assert_true(trials[i].took_us >= 50 * USEC_PER_MS);
    }
    assert_int_equal(trials[3].exit_status, 0);
    assert_string_equal(trials[3].output, "fine\n");
}

/* Who shares a pipe of ours tells by its end that all are gone: also a process that the shell had left behind. */
static void
kills_the_whole_group(void **state)
{
    struct trial trials[] = {trial_of("sleep 100 & sleep 100 & wait"), trial_of("sleep 100 & exit 0")};
    int ends[2];
    char byte;

    (void)state;
    assert_int_equal(pipe(ends), 0); /* inherited, as it is not closed on exec */
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    for (unsigned i = 0; i < 2; i++)
        trials[i].run.timeout_us = 50 * USEC_PER_MS;
    run_trials(trials, 2);
    close(ends[1]);
    assert_int_equal(poll(&(struct pollfd){.fd = ends[0], .events = POLLIN}, 1, 100000), 1);
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
}

static void
runs_many_at_once(void **state)
{
    struct trial trials[AT_ONCE];

    (void)state;
    for (unsigned i = 0; i < AT_ONCE; i++) {
        trials[i] = trial_of("cat; exit 7");
        trials[i].run.input = SLICE_LITERAL("each its own");
    }
    run_trials(trials, AT_ONCE);
    for (unsigned i = 0; i < AT_ONCE; i++) {
        assert_int_equal(trials[i].exit_status, 7);
        assert_string_equal(trials[i].output, "each its own");
    }
}

/* A graceful stop waits for a command. */
static void
stopping_waits(void **state)
{
    struct rig *rig = rig_plain();
    struct trial trial = trial_of("sleep 0.1; echo done");
    atomic_uint started = 0;

    (void)state;
    trial.started = &started;
    live_post(rig->live, 0, &trial.message);
    rig_wait(&started, 1);
    rig_free(rig);
    assert_int_equal(trial.exit_status, 0);
    assert_string_equal(trial.output, "done\n");
}

/* ... until its patience ends; and one that cuts does not wait. Either way the command's owner is told. */
static void
stopping_kills(void **state)
{
    static const struct live_listener listener = {.address = "127.0.0.1"};

    (void)state;
    for (unsigned now = 0; now < 2; now++) {
        struct rig *rig = rig_new((struct live_options){
            .workers = 2, .listeners = &listener, .listener_count = 1, .drain_us = 20 * USEC_PER_MS});
        struct trial trial = trial_of("sleep 100");
        atomic_uint started = 0;

        trial.run.timeout_us = 100 * USEC_PER_S;
        trial.started = &started;
        live_post(rig->live, 1, &trial.message);
        rig_wait(&started, 1);
        live_stop(rig->live, now == 1);
        rig_free(rig);
        assert_int_equal(trial.exit_status, -1);
    }
}

/* A command whose end starts another, while the worker is being cut: that one is not run, but told of. */
struct chain {
    struct trial first, second;
};

static void
start_second(struct command_run *run, int exit_status, struct slice output)
{
    struct chain *chain = CONTAINER_OF(run, struct chain, first.run);

    trial_done(run, exit_status, output);
    start_trial(&chain->second.message, chain->first.world);
}

static void
starts_none_while_cutting(void **state)
{
    struct rig *rig = rig_plain();
    struct chain chain = {trial_of("sleep 100"), trial_of("echo too late")};
    atomic_uint started = 0, done = 0;

    (void)state;
    chain.first.run.done = start_second;
    chain.first.started = &started;
    chain.second.done = &done;
    live_post(rig->live, 0, &chain.first.message);
    rig_wait(&started, 1);
    live_stop(rig->live, true);
    rig_wait(&done, 1);
    rig_free(rig);
    assert_int_equal(chain.second.exit_status, -1);
    assert_int_equal(chain.second.len, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_what_was_printed),
        cmocka_unit_test(gets_its_arguments),
        cmocka_unit_test(feeds_its_input),
        cmocka_unit_test(cuts_off_what_is_too_much),
        cmocka_unit_test(kills_what_takes_too_long),
        cmocka_unit_test(kills_the_whole_group),
        cmocka_unit_test(runs_many_at_once),
        cmocka_unit_test(stopping_waits),
        cmocka_unit_test(stopping_kills),
        cmocka_unit_test(starts_none_while_cutting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
