#include "cmd/replay/replay_run.h"

#include <unistd.h>

#include "base/clock.h"
#include "cmd/interrupt.h"

enum { STEPS_A_LOOK = 4096, BAR = 30 };

static const usec SHOW_US = 100 * USEC_PER_MS;

static void
show_progress(const struct replay_world *world, const struct replay_trace *trace, const char *label)
{
    uint64_t total = world->settings->limit, done = world->answered;
    char bar[BAR + 1];
    size_t filled;

    if (trace->size > 0 && total == 0) { /* reading is ahead of playing by one request only */
        total = trace->size;
        done = trace_bytes_taken(trace->trace);
    }
    filled = total > 0 ? (size_t)(done * BAR / total) : 0;
    for (size_t i = 0; i < BAR; i++)
        bar[i] = i < filled ? '#' : '.';
    bar[BAR] = '\0';
    fprintf(stderr, "\r%s%s%s %llu requests, %.0f s of virtual time, $%.4f ", label != NULL ? label : "",
            label != NULL ? " " : "", bar, (unsigned long long)world->answered,
            (double)(history_now_us(world->history) - world->started_us) / USEC_PER_S,
            (double)world->stats.cost / (double)USD_ONE);
}

bool
replay_run(struct replay_world *world, const struct replay_trace *trace, const char *label)
{
    bool terminal = isatty(STDERR_FILENO), stopped = false;
    usec shown_us = clock_now_us();

    while (!stopped && replay_world_run(world, STEPS_A_LOOK)) {
        stopped = interrupt_within(0);
        if (!terminal || clock_now_us() - shown_us < SHOW_US)
            continue;
        shown_us = clock_now_us();
        show_progress(world, trace, label);
    }
    if (terminal)
        fprintf(stderr, "\r%110s\r", "");
    if (stopped)
        replay_world_stop(world);
    return stopped;
}
