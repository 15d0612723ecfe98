#include "virtual/vcommand.h"

#include <stdlib.h>
#include <string.h>

#include "virtual/inside.h"

/* One command text: its script and what was seen of it. */
struct known_command {
    struct list node;
    char *command;
    struct vcommand_script script;
    unsigned runs;
    struct buffer input;
};

/* One run under way. */
struct running_command {
    struct list node;
    struct timer over;
    struct virtual_world *world;
    struct command_run *run;
    struct known_command *known;
    bool late; /* it takes longer than it is given */
};

static struct known_command *
find_command(const struct history *history, const char *command)
{
    LIST_EACH(&history->known_commands, node, after)
    {
        struct known_command *known = CONTAINER_OF(node, struct known_command, node);

        if (strcmp(known->command, command) == 0)
            return known;
    }
    return NULL;
}

static struct known_command *
learn_command(struct history *history, const char *command)
{
    struct known_command *known = find_command(history, command);

    if (known != NULL)
        return known;
    known = must_calloc(1, sizeof(*known));
    known->command = slice_strdup(slice_of(command));
    known->script.exit_status = 127;
    buffer_init(&known->input);
    list_append(&history->known_commands, &known->node);
    return known;
}

void
vcommand_does(struct history *history, const char *command, struct vcommand_script script)
{
    learn_command(history, command)->script = script;
}

unsigned
vcommand_runs(const struct history *history, const char *command)
{
    const struct known_command *known = find_command(history, command);

    return known != NULL ? known->runs : 0;
}

struct slice
vcommand_input(const struct history *history, const char *command)
{
    const struct known_command *known = find_command(history, command);

    return known != NULL && known->runs > 0 ? buffer_content(&known->input) : SLICE_NONE;
}

static void
tell_result(struct command_run *run, int exit_status, struct slice output)
{
    size_t len = output.len < run->output_most ? output.len : run->output_most;
    char *copy = must_alloc(len > 0 ? len : 1); /* of the exact size, for ASan */

    if (len > 0)
        memcpy(copy, output.data, len);
    run->inside = NULL;
    run->done(run, exit_status, slice_make(copy, len));
    free(copy);
}

static void
command_over(struct timer *timer)
{
    struct running_command *running = CONTAINER_OF(timer, struct running_command, over);
    const struct vcommand_script *script = &running->known->script;
    struct command_run *run = running->run;
    struct slice output = script->output != NULL ? slice_of(script->output) : SLICE_NONE;
    int exit_status = script->exit_status;
    bool late = running->late;

    if (script->decide != NULL && !late)
        script->decide(script->context, run->input, &exit_status, &output);
    history_log(running->world->history, "a command of worker %u %s: %d", running->world->world.worker,
                late ? "is killed" : "ends", exit_status);
    list_remove(&running->node);
    free(running);
    tell_result(run, late ? -1 : exit_status, late ? SLICE_NONE : output);
}

void
vcommand_start(struct world *world, struct command_run *run)
{
    struct virtual_world *own = virtual_world_of(world);
    struct history *history = own->history;
    struct running_command *running = must_calloc(1, sizeof(*running));
    usec takes_us;

    REFEREE(history, run->command != NULL && run->done != NULL && run->timeout_us > 0,
            "a command without text, `done` or time");
    REFEREE(history, run->inside == NULL, "a command is started that runs already");
    *running = (struct running_command){.over = {.fire = command_over}, .world = own, .run = run};
    running->known = learn_command(history, run->command);
    running->known->runs++;
    buffer_clear(&running->known->input);
    buffer_add(&running->known->input, run->input);
    takes_us = running->known->script.takes_us;
    running->late = takes_us >= run->timeout_us;
    run->inside = running;
    list_append(&history->running_commands, &running->node);
    history_schedule(history, &running->over, running->late ? run->timeout_us : takes_us + history_hop_us(history));
}

void
vcommand_free_all(struct history *history)
{
    LIST_EACH(&history->running_commands, node, after)
    free(CONTAINER_OF(node, struct running_command, node));
    LIST_EACH(&history->known_commands, other, next)
    {
        struct known_command *known = CONTAINER_OF(other, struct known_command, node);

        buffer_free(&known->input);
        free(known->command);
        free(known);
    }
}
