#include "live/command.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "live/loop.h"

enum { CHILD_INPUT, CHILD_OUTPUT, CHILD_ERROR, CHILD_FILES };

enum { ARGUMENTS_MOST = 8 };

/* One command under way. It is told of and freed when its last handle is closed; `open_handles` counts them. */
struct process {
    struct list node; /* live_world.commands or .commands_failed */
    struct live_world *world;
    struct command_run *run;
    uv_process_t child;
    uv_pipe_t input, output;
    uv_write_t write;
    struct timer deadline;
    unsigned open_handles;
    bool started, exited, printed_all, killed, over;
    int exit_status; /* -1 before `exited` */
    char *text;      /* output_most bytes */
    size_t text_len;
};

static void
tell(struct process *process)
{
    struct live_world *world = process->world;
    struct command_run *run = process->run;
    int status = process->killed ? -1 : process->exit_status;

    ENSURE(process->open_handles == 0 && !timer_running(&process->deadline));
    list_remove(&process->node);
    world->command_count--;
    run->inside = NULL;
    run->done(run, status, slice_make(process->text, process->text_len));
    explicit_bzero(process->text, process->text_len);
    free(process->text);
    free(process);
}

static void
handle_closed(uv_handle_t *handle)
{
    struct process *process = handle->data;
    struct live_world *world = process->world;

    if (--process->open_handles > 0)
        return;
    loop_enter(world);
    tell(process);
    loop_leave(world);
}

static void
close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, handle_closed);
}

/* Over: nothing is waited for any more but that the handles are closed. */
static void
close_all(struct process *process)
{
    process->over = true;
    timers_stop(&process->world->timers, &process->deadline);
    close_handle((uv_handle_t *)&process->input);
    close_handle((uv_handle_t *)&process->output);
    if (process->started)
        close_handle((uv_handle_t *)&process->child);
}

static void
close_if_over(struct process *process)
{
    if (process->exited && (process->printed_all || process->killed))
        close_all(process);
}

/* The shell may have ended already: its group, and the group's number, live on as long as any process in it. Who has
 * left the group may hold the pipes; that is not waited for. */
static void
kill_group(struct process *process)
{
    if (process->over || process->killed)
        return;
    process->killed = true;
    kill(-process->child.pid, SIGKILL);
    timers_stop(&process->world->timers, &process->deadline);
    close_handle((uv_handle_t *)&process->input);
    close_handle((uv_handle_t *)&process->output);
    close_if_over(process);
}

static void
on_deadline(struct timer *timer)
{
    kill_group(CONTAINER_OF(timer, struct process, deadline));
}

static void
on_exit_status(uv_process_t *child, int64_t status, int signal_number)
{
    struct process *process = child->data;

    process->exited = true;
    process->exit_status = signal_number != 0 ? -1 : (int)status;
    close_if_over(process);
}

/* Beyond output_most it is read all the same, so that the command does not stand still; the scratch is nobody's. */
static void
give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *room)
{
    struct process *process = handle->data;
    size_t left = process->run->output_most - process->text_len;

    (void)suggested;
    *room = left > 0 ? uv_buf_init(process->text + process->text_len, (unsigned)(left < 65536 ? left : 65536))
                     : uv_buf_init(process->world->scratch, SCRATCH_BYTES);
}

static void
on_output(uv_stream_t *stream, ssize_t got, const uv_buf_t *room)
{
    struct process *process = stream->data;

    if (got > 0 && room->base != process->world->scratch)
        process->text_len += (size_t)got;
    if (got >= 0)
        return;
    process->printed_all = true;
    close_if_over(process);
}

/* Also when the command does not read it: that is its own affair. */
static void
input_written(uv_write_t *write, int failed)
{
    struct process *process = CONTAINER_OF(write, struct process, write);

    (void)failed;
    close_handle((uv_handle_t *)&process->input);
}

static void
feed(struct process *process)
{
    struct slice input = process->run->input;
    uv_buf_t bytes = uv_buf_init((char *)input.data, (unsigned)input.len); /* libuv reads it only */

    ENSURE(input.len <= UINT32_MAX);
    if (input.len == 0 || uv_write(&process->write, (uv_stream_t *)&process->input, &bytes, 1, input_written) != 0)
        close_handle((uv_handle_t *)&process->input);
}

/* A pipe, not the pair of sockets that libuv would make: what a shell command opens as /dev/stdin must not be a socket.
 * One end is kept, 0 to read or 1 to write; the other is *theirs, to be closed once the child has it. */
static bool
make_pipe(uv_pipe_t *kept, unsigned kept_end, uv_file *theirs)
{
    int flags[2] = {0, 0};
    uv_file ends[2];

    flags[kept_end] = UV_NONBLOCK_PIPE;
    if (uv_pipe(ends, flags[0], flags[1]) != 0)
        return false;
    *theirs = ends[1 - kept_end];
    if (uv_pipe_open(kept, ends[kept_end]) == 0)
        return true;
    close(ends[kept_end]);
    return false;
}

static int
spawn(struct process *process, const uv_file *theirs)
{
    char *arguments[ARGUMENTS_MOST + 5] = {"/bin/sh", "-c", (char *)process->run->command, "sh"}; /* execvp's type;
                                                                                                     nobody writes there */
    uv_stdio_container_t files[CHILD_FILES] = {
        [CHILD_INPUT] = {.flags = UV_INHERIT_FD, .data.fd = theirs[CHILD_INPUT]},
        [CHILD_OUTPUT] = {.flags = UV_INHERIT_FD, .data.fd = theirs[CHILD_OUTPUT]},
        [CHILD_ERROR] = {.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
    };
    const uv_process_options_t options = {.file = arguments[0],
                                          .args = arguments,
                                          .flags = UV_PROCESS_DETACHED, /* setsid: a group of its own */
                                          .exit_cb = on_exit_status,
                                          .stdio = files,
                                          .stdio_count = CHILD_FILES};

    for (size_t i = 0; process->run->arguments != NULL && process->run->arguments[i] != NULL; i++) {
        ENSURE(i < ARGUMENTS_MOST);
        arguments[4 + i] = (char *)process->run->arguments[i];
    }
    return uv_spawn(&process->world->loop, &process->child, &options);
}

/* Opens pipes and child; false: some of it could not be. */
static bool
launch(struct process *process)
{
    uv_file theirs[2] = {-1, -1};
    bool launched =
        make_pipe(&process->input, 1, &theirs[CHILD_INPUT]) && make_pipe(&process->output, 0, &theirs[CHILD_OUTPUT]);

    if (launched) {
        process->open_handles++; /* also a child that did not start is a handle to be closed */
        process->child.data = process;
        launched = spawn(process, theirs) == 0;
        process->started = launched;
        if (!launched)
            uv_close((uv_handle_t *)&process->child, handle_closed);
    }
    for (unsigned i = 0; i < 2; i++)
        if (theirs[i] >= 0)
            close(theirs[i]);
    return launched;
}

static void
init_pipe(struct process *process, uv_pipe_t *pipe)
{
    int failed = uv_pipe_init(&process->world->loop, pipe, 0);

    ENSURE(!failed);
    pipe->data = process;
    process->open_handles++;
}

static void
run_process(struct process *process)
{
    init_pipe(process, &process->input);
    init_pipe(process, &process->output);
    if (!launch(process)) {
        close_all(process);
        return;
    }
    process->deadline.fire = on_deadline;
    timers_start(&process->world->timers, &process->deadline, loop_now_us(process->world) + process->run->timeout_us);
    if (uv_read_start((uv_stream_t *)&process->output, give_room, on_output) != 0)
        kill_group(process);
    else
        feed(process);
}

void
command_start(struct world *world, struct command_run *run)
{
    struct live_world *live_world = live_world_of(world);
    struct process *process = must_calloc(1, sizeof(*process));

    ENSURE(run->command != NULL && run->done != NULL && run->timeout_us > 0);
    process->world = live_world;
    process->run = run;
    process->exit_status = -1;
    process->text = must_alloc(run->output_most > 0 ? run->output_most : 1);
    run->inside = process;
    live_world->command_count++;
    if (live_world->cutting) {
        list_append(&live_world->commands_failed, &process->node);
        return;
    }
    list_append(&live_world->commands, &process->node);
    run_process(process);
}

bool
command_tend(struct live_world *world)
{
    struct list *node = list_first(&world->commands_failed);

    if (node == NULL)
        return false;
    tell(CONTAINER_OF(node, struct process, node));
    return true;
}

void
command_cut(struct live_world *world)
{
    LIST_EACH(&world->commands, node, after)
    kill_group(CONTAINER_OF(node, struct process, node));
}
