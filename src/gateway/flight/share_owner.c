/* The owner's side of a shared flight: what is sent to the mirrors, and whom it waits for. */
#include "gateway/flight/share_parts.h"

#include "gateway/flight/mirror.h"
#include "gateway/flight/stall.h"

/* The start of the flight is kept until nobody can come who needs it. */
void
share_let_start_go(struct share *share)
{
    bool all_here;

    if (share->keeper.flight == NULL || share_is_open(share))
        return;
    lock_take(&share->all->lock);
    all_here = share->arrived_count == share->mirror_count;
    lock_drop(&share->all->lock);
    if (all_here)
        cursor_leave(&share->keeper);
}

/* What is too long to be kept cannot be given to who comes later. */
static void
on_growth(struct cursor *cursor)
{
    struct share *share = CONTAINER_OF(cursor, struct share, keeper);

    if (cursor->flight->kept > share->answer_most || flights_crowded(cursor->flight->all))
        share_shut(share);
    share_let_start_go(share);
}

/* As LIST_EACH, though any of them may leave the list. */
void
share_tell_mirrors(struct share *share)
{
    LIST_EACH(&share->mirrors, node, after)
    mirror_send(CONTAINER_OF(node, struct mirror, place));
}

/* Others than the leader want it. */
static bool
has_followers(struct share *share)
{
    unsigned others;

    lock_take(&share->all->lock);
    others = share->attached - !share->leader->detached;
    lock_drop(&share->all->lock);
    return others > 0;
}

static void
on_pressure(struct flight *flight)
{
    struct exchange *leader = flight->context;
    struct world *world = worker_world(leader->worker);

    if (flight->paused)
        world_timer_start(world, &leader->share->stall, stall_limit_us(leader));
    else
        world_timer_stop(world, &leader->share->stall);
}

void
share_on_stall(struct timer *timer)
{
    struct exchange *leader = CONTAINER_OF(timer, struct share, stall)->leader;

    world_timer_start(worker_world(leader->worker), timer, stall_limit_us(leader));
    exchange_hold(leader);
    if (stall_holds_up(leader) && has_followers(leader->share))
        stall_cut(leader);
    exchange_drop(leader);
}

void
share_first_byte(struct exchange *exchange)
{
    struct share *share = exchange->share;
    struct flight *flight = exchange->cursor.flight;

    if (!share_leads(exchange))
        return;
    share->answered = true;
    flight->pause_above = share->answer_most;
    flight->pressed = on_pressure;
    cursor_join(&share->keeper, flight, on_growth);
    LIST_EACH(&share->mirrors, node, after)
    mirror_follow(CONTAINER_OF(node, struct mirror, place), flight);
}

void
share_mirror_home(struct mirror *mirror)
{
    struct share *share =
        share_hold(mirror->share); /* with the end the mirror is its reader's alone, who may be done soon */
    bool first = !list_linked(&mirror->place);

    mirror->home = true;
    if (first) {
        list_append(&share->mirrors, &mirror->place);
        share->arrived_count++;
    }
    if (first && share->keeper.flight != NULL)
        mirror_follow(mirror, share->keeper.flight);
    else
        mirror_send(mirror);
    share_let_start_go(share);
    share_release(share);
}
