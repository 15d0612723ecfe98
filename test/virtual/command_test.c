/* Commands of the user's in the virtual world: by script, in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/list.h"
#include "virtual/vcommand.h"

struct trial {
    struct command_run run;
    struct world *world;
    int exit_status;
    struct buffer output;
    usec over_us;
    bool done;
};

static void
trial_done(struct command_run *run, int exit_status, struct slice output)
{
    struct trial *trial = CONTAINER_OF(run, struct trial, run);

    trial->exit_status = exit_status;
    buffer_add(&trial->output, output);
    trial->over_us = world_now_us(trial->world);
    trial->done = true;
}

static void
start(struct trial *trial, struct history *history, const char *command, const char *input)
{
    *trial = (struct trial){.run = {.command = command,
                                    .input = slice_of(input),
                                    .timeout_us = USEC_PER_S,
                                    .output_most = 8,
                                    .done = trial_done},
                            .world = history_world(history, 0)};
    buffer_init(&trial->output);
    trial->world->ops->command(trial->world, &trial->run);
    assert_false(trial->done);
}

static void
ends_as_scripted(void **state)
{
    struct history *history = history_new((struct history_options){.seed = 21});
    usec started_us = history_now_us(history);
    struct trial known, unknown;

    (void)state;
    vcommand_does(history, "print", (struct vcommand_script){.output = "more than eight", .takes_us = 5000});
    start(&known, history, "print", "input");
    start(&unknown, history, "other", "");
    assert_false(history_at_rest(history));
    history_run_to_rest(history);
    assert_int_equal(known.exit_status, 0);
    assert_true(slice_is(buffer_content(&known.output), "more tha"));
    assert_true(known.over_us - started_us >= 5000);
    assert_int_equal(unknown.exit_status, 127);
    assert_int_equal(vcommand_runs(history, "print"), 1);
    assert_true(slice_is(vcommand_input(history, "print"), "input"));
    assert_int_equal(vcommand_runs(history, "never"), 0);
    buffer_free(&known.output);
    buffer_free(&unknown.output);
    history_free(history);
}

static void
is_killed_when_its_time_is_over(void **state)
{
    struct history *history = history_new((struct history_options){.seed = 22});
    usec started_us = history_now_us(history);
    struct trial trial;

    (void)state;
    vcommand_does(history, "hang", (struct vcommand_script){.output = "never", .takes_us = USEC_NEVER});
    start(&trial, history, "hang", "");
    history_run_to_rest(history);
    assert_int_equal(trial.exit_status, -1);
    assert_int_equal(trial.over_us - started_us, USEC_PER_S);
    buffer_free(&trial.output);
    history_free(history);
}

static void
one_if_short(void *context, struct slice input, int *exit_status, struct slice *output)
{
    (void)context;
    *exit_status = input.len < 3 ? 1 : 0;
    *output = input;
}

static void
decides_by_its_input(void **state)
{
    struct history *history = history_new((struct history_options){.seed = 23});
    struct trial shorter, longer;

    (void)state;
    vcommand_does(history, "judge", (struct vcommand_script){.decide = one_if_short});
    start(&shorter, history, "judge", "ab");
    start(&longer, history, "judge", "abc");
    history_run_to_rest(history);
    assert_int_equal(shorter.exit_status, 1);
    assert_int_equal(longer.exit_status, 0);
    assert_true(slice_is(buffer_content(&longer.output), "abc"));
    assert_int_equal(vcommand_runs(history, "judge"), 2);
    buffer_free(&shorter.output);
    buffer_free(&longer.output);
    history_free(history);
}

/* What still runs when a history is freed is never told of, and not leaked. */
static void
may_be_left_running(void **state)
{
    struct history *history = history_new((struct history_options){.seed = 24});
    struct trial trial;

    (void)state;
    start(&trial, history, "any", "");
    history_free(history);
    assert_false(trial.done);
    buffer_free(&trial.output);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_as_scripted),
        cmocka_unit_test(is_killed_when_its_time_is_over),
        cmocka_unit_test(decides_by_its_input),
        cmocka_unit_test(may_be_left_running),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
