#include "cmd/serve/supervision.h"

/* Home again: all workers have answered. */
static void
home_again(struct round *round)
{
    struct supervision *supervision = CONTAINER_OF(round, struct supervision, round);

    supervision->going_round = false;
    if (supervision->over)
        return;
    notify_alive(supervision->notify);
    world_timer_start(supervision->first, &supervision->timer, notify_watchdog_us(supervision->notify));
}

static void
look_in(struct round *round, struct gateway_worker *worker)
{
    (void)round;
    (void)worker;
}

static void
go_round(struct timer *timer)
{
    struct supervision *supervision = CONTAINER_OF(timer, struct supervision, timer);

    supervision->going_round = true;
    round_start(&supervision->round, supervision->gateway, supervision->first);
}

void
supervision_init(struct supervision *supervision, struct gateway *gateway)
{
    *supervision = (struct supervision){.notify = notify_open(), .gateway = gateway};
    supervision->timer.fire = go_round;
    supervision->round.at_worker = look_in;
    supervision->round.home_again = home_again;
}

void
supervision_free(struct supervision *supervision)
{
    ENSURE(!supervision->going_round && !timer_running(&supervision->timer));
    notify_close(supervision->notify);
}

void
supervision_start(struct supervision *supervision, struct world *first)
{
    supervision->first = first;
    if (notify_watchdog_us(supervision->notify) > 0)
        world_timer_start(first, &supervision->timer, 0);
}

void
supervision_stop(struct supervision *supervision)
{
    supervision->over = true;
    world_timer_stop(supervision->first, &supervision->timer);
    notify_stopping(supervision->notify);
}

void
supervision_ready(struct supervision *supervision, const char *how)
{
    if (!supervision->over)
        (void)notify_tell(supervision->notify, "READY=1\nSTATUS=%s", how);
}
