/* The modelled backend in this process, where nothing else is there to serve. */
#include <stdlib.h>

#include "cmd/cmd.h"
#include "cmd/serve/stand.h"
#include "live/live.h"
#include "twin/twin.h"

/* How fast the built-in modelled backend is: as a small hosted model. */
static const usec TWIN_FIRST_TOKEN_US = 200 * USEC_PER_MS, TWIN_PER_TOKEN_US = 10 * USEC_PER_MS;

struct stand_twin {
    struct log log;
    struct twin *twin;
    struct live *live;
    struct application *application;
};

static void
twin_started(void *context, struct world *world)
{
    struct stand_twin *twin = context;

    twin->application = twin_worker_new(twin->twin, world);
}

static struct application *
twin_application(void *context, struct world *world, size_t listener)
{
    (void)world;
    (void)listener;
    return ((struct stand_twin *)context)->application;
}

static void
twin_stopped(void *context, struct world *world)
{
    (void)world;
    twin_worker_free(((struct stand_twin *)context)->application);
}

int
stand_twin_start(const struct twin_settings *settings, struct stand_twin **out)
{
    struct stand_twin *twin = must_calloc(1, sizeof(*twin));
    const struct live_listener listener = {.address = "127.0.0.1"};
    struct live_options options = {
        .workers = 1,
        .listeners = &listener,
        .listener_count = 1,
        .drain_us = USEC_PER_S,
        .log = &twin->log,
        .context = twin,
        .worker_started = twin_started,
        .application = twin_application,
        .worker_stopped = twin_stopped,
    };
    struct twin_settings usual;
    char problem[LIVE_PROBLEM_SIZE];

    twin->log = log_to_stderr(LOG_WARN);
    twin_settings_default(&usual, (struct twin_pace){TWIN_FIRST_TOKEN_US, TWIN_PER_TOKEN_US});
    if (live_new(&options, &twin->live, problem) != OK) {
        cmd_complain("%s", problem);
        free(twin);
        return CMD_FAILED;
    }
    twin->twin = twin_new(settings != NULL ? settings : &usual);
    live_start(twin->live);
    *out = twin;
    return CMD_FINE;
}

void
stand_twin_stop(struct stand_twin *twin)
{
    live_stop(twin->live, true);
    live_join(twin->live);
    live_free(twin->live);
    twin_free(twin->twin);
    free(twin);
}

unsigned
stand_twin_port(const struct stand_twin *twin)
{
    return live_port(twin->live, 0);
}

void
stand_twin_config(const struct stand_twin *twin, struct buffer *out)
{
    unsigned port = stand_twin_port(twin);

    buffer_printf(out,
                  "backends:\n"
                  "  twin:           { url: \"http://127.0.0.1:%u\", engine: twin }\n"
                  "  twin-anthropic: { url: \"http://127.0.0.1:%u\", engine: twin, dialect: anthropic }\n"
                  "prices:\n"
                  "  override:\n"
                  "    twin/*:           { input: $0.50/M, output: $2.00/M, cache_read: $0.05/M }\n"
                  "    twin-anthropic/*: { input: $0.50/M, output: $2.00/M, cache_read: $0.05/M }\n",
                  port, port);
}
