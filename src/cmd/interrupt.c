#include "cmd/interrupt.h"

#include <signal.h>
#include <time.h>

static sigset_t
stop_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

void
interrupt_hold(void)
{
    sigset_t set = stop_signals();

    sigprocmask(SIG_BLOCK, &set, NULL);
}

bool
interrupt_within(usec span_us)
{
    const struct timespec span = {.tv_sec = span_us / USEC_PER_S, .tv_nsec = span_us % USEC_PER_S * 1000};
    sigset_t set = stop_signals();

    return sigtimedwait(&set, NULL, &span) > 0;
}
