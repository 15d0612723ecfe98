#include "gateway/running/round.h"

/* In round->next: all workers have been visited. */
enum { AT_HOME = WORKERS_MOST + 1 };

static void
deliver(struct message *message, struct world *to)
{
    struct round *round = CONTAINER_OF(message, struct round, message);
    unsigned next;

    if (round->next == AT_HOME) {
        round->home_again(round);
        return;
    }
    round->at_worker(round, round->gateway->workers[to->worker]);
    next = ++round->next; /* once posted, the round belongs to the next worker */
    if (next == round->gateway->worker_count) {
        round->next = AT_HOME;
        next = round->home->worker;
    }
    to->ops->post(to, next, &round->message);
}

void
round_start(struct round *round, struct gateway *gateway, struct world *home)
{
    ENSURE(gateway->worker_count > 0);
    round->message.deliver = deliver;
    round->gateway = gateway;
    round->home = home;
    round->next = 0;
    home->ops->post(home, 0, &round->message);
}
