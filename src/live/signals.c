#include "live/signals.h"

#include <signal.h>

#include "live/process.h"

struct control {
    struct live *live;
    uv_loop_t loop;
    uv_async_t told;
    uv_signal_t interrupt, terminate, hangup;
    bool asked; /* to stop */
};

static void
on_stop_signal(uv_signal_t *handle, int number)
{
    struct control *control = handle->data;

    (void)number;
    live_stop(control->live, control->asked);
    control->asked = true;
}

static void
on_hangup_signal(uv_signal_t *handle, int number)
{
    const struct live_options *options = live_options_of(((struct control *)handle->data)->live);

    if (options->hangup != NULL)
        options->hangup(options->context);
    else
        on_stop_signal(handle, number);
}

static void
on_told(uv_async_t *handle)
{
    struct control *control = handle->data;

    if (!live_rests(control->live))
        return;
    live_tell(control->live, NULL);
    process_hold_hangups(); /* too late for the configuration, and there is much to close */
    uv_close((uv_handle_t *)&control->told, NULL);
    uv_close((uv_handle_t *)&control->interrupt, NULL);
    uv_close((uv_handle_t *)&control->terminate, NULL);
    uv_close((uv_handle_t *)&control->hangup, NULL);
}

static void
watch_signal(struct control *control, uv_signal_t *handle, int number, uv_signal_cb react)
{
    int failed = uv_signal_init(&control->loop, handle);

    ENSURE(!failed);
    handle->data = control;
    failed = uv_signal_start(handle, react, number);
    ENSURE(!failed);
}

static void
init_control(struct control *control)
{
    int failed = uv_loop_init(&control->loop);

    ENSURE(!failed);
    failed = uv_async_init(&control->loop, &control->told, on_told);
    ENSURE(!failed);
    control->told.data = control;
    watch_signal(control, &control->interrupt, SIGINT, on_stop_signal);
    watch_signal(control, &control->terminate, SIGTERM, on_stop_signal);
    watch_signal(control, &control->hangup, SIGHUP, on_hangup_signal);
}

void
live_run(struct live *live)
{
    struct control control = {.live = live};
    int failed;

    init_control(&control);
    live_tell(live, &control.told);
    live_start(live);
    process_let_hangups_in(); /* of this thread alone: the others began before */
    uv_run(&control.loop, UV_RUN_DEFAULT);
    failed = uv_loop_close(&control.loop);
    ENSURE(!failed);
    live_join(live);
}
