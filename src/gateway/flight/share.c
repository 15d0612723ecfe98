#include "gateway/flight/share_parts.h"

#include <stdlib.h>

#include "gateway/attempt/attempt.h"
#include "gateway/booking/reserve.h"
#include "gateway/flight/mirror.h"

struct shares *
shares_new(void)
{
    struct shares *all = must_alloc(sizeof(*all));

    lock_init(&all->lock);
    for (size_t i = 0; i < SHARE_BUCKETS; i++)
        list_init(&all->buckets[i]);
    return all;
}

void
shares_free(struct shares *all)
{
    for (size_t i = 0; i < SHARE_BUCKETS; i++)
        ENSURE(list_empty(&all->buckets[i]));
    lock_destroy(&all->lock);
    free(all);
}

struct share *
share_hold(struct share *share)
{
    unsigned before = atomic_fetch_add_explicit(&share->holders, 1, memory_order_relaxed);

    ENSURE(before > 0);
    return share;
}

void
share_release(struct share *share)
{
    unsigned before = atomic_fetch_sub_explicit(&share->holders, 1, memory_order_acq_rel);

    ENSURE(before > 0);
    if (before > 1)
        return;
    ENSURE(!share->open && !share->listed && share->keeper.flight == NULL && list_empty(&share->mirrors));
    free(share);
}

static struct shares *
all_of(const struct exchange *exchange)
{
    return exchange->worker->gateway->shares;
}

static struct list *
bucket_of(struct shares *all, const struct digest *key)
{
    uint64_t at;

    memcpy(&at, key->bytes, sizeof(at));
    return &all->buckets[at % SHARE_BUCKETS];
}

/* An open share of equal requests whose call is streamed, or is not. The lock is held. */
static struct share *
find_form(const struct exchange *exchange, bool streams)
{
    const struct digest *key = exchange->request.key;

    LIST_EACH(bucket_of(all_of(exchange), key), node, after)
    {
        struct share *share = CONTAINER_OF(node, struct share, link);

        if (share->open && digest_equal(&share->key, key) && share->snapshot == exchange->view->snapshot &&
            share->part == exchange->request.part.place && share->streams == streams)
            return share;
    }
    return NULL;
}

/* The open share that the exchange could be a member of: best one whose call brings what it wants to read. The lock is held. */
static struct share *
find(const struct exchange *exchange)
{
    struct share *share = find_form(exchange, exchange->facts.stream);

    return share != NULL ? share : find_form(exchange, !exchange->facts.stream);
}

/* It reads nothing of the answer before that is complete, though it would like to. */
static bool
comes_late(const struct share *share, const struct exchange *exchange)
{
    return exchange->facts.stream && !share->streams;
}

/* What has a key of its own to be answered again by is nobody else's; and who called by itself goes on so: it has costs
 * that are no part of a shared call's. */
static bool
may_share(const struct exchange *exchange)
{
    return exchange->request.key != NULL && exchange->attempts == 0 && !exchange->went_alone &&
           exchange->claim == NULL && !exchange->holdout && !exchange->bypass &&
           lever_mode_of(&exchange->request, LEVER_COALESCE) != LEVER_OFF;
}

static bool
in_shadow(const struct exchange *exchange)
{
    return lever_mode_of(&exchange->request, LEVER_COALESCE) == LEVER_SHADOW;
}

void
share_look(struct exchange *exchange)
{
    struct shares *all = all_of(exchange);
    struct under_way *under_way = &exchange->request.under_way;
    const struct share *share;

    *under_way = (struct under_way){.members = 0};
    if (!may_share(exchange) || exchange->share != NULL)
        return;
    lock_take(&all->lock);
    share = find(exchange);
    if (share != NULL && (!share->shadow || in_shadow(exchange)))
        *under_way = (struct under_way){
            .members = share->attached, .late = comes_late(share, exchange), .since_us = share->since_us};
    lock_drop(&all->lock);
}

/* The lock is held. */
void
share_shut_locked(struct share *share)
{
    share->open = false;
}

void
share_unlist(struct share *share)
{
    lock_take(&share->all->lock);
    if (share->listed)
        list_remove(&share->link);
    share->listed = false;
    lock_drop(&share->all->lock);
}

bool
share_is_open(struct share *share)
{
    bool open;

    lock_take(&share->all->lock);
    open = share->open;
    lock_drop(&share->all->lock);
    return open;
}

void
share_shut(struct share *share)
{
    lock_take(&share->all->lock);
    share_shut_locked(share);
    lock_drop(&share->all->lock);
}

/* Leading */

static struct share *
new_share(struct exchange *exchange)
{
    struct share *share = must_calloc(1, sizeof(*share));

    atomic_init(&share->holders, 1);
    share->all = all_of(exchange);
    share->key = *exchange->request.key;
    share->snapshot = exchange->view->snapshot;
    share->part = exchange->request.part.place;
    share->streams = exchange->facts.stream;
    share->since_us = world_now_us(worker_world(exchange->worker));
    share->shadow = in_shadow(exchange);
    share->gateway = exchange->worker->gateway;
    share->owner = worker_world(exchange->worker)->worker;
    share->open = true;
    share->attached = 1;
    share->leader = exchange;
    share->all_left.deliver = share_all_have_left;
    share->stall.fire = share_on_stall;
    share->answer_most = exchange->request.config->limits.answer_max;
    list_init(&share->mirrors);
    return share;
}

/* Two that come at once may both have seen nobody: one of them is the first. Who streams may lead though a call for the whole
 * answer is under way, which it would have to wait for. */
static enum share_entry
lead(struct exchange *exchange)
{
    struct shares *all = all_of(exchange);
    struct share *made = new_share(exchange), *other;

    lock_take(&all->lock);
    other = exchange->facts.stream ? find_form(exchange, true) : find(exchange);
    if (other == NULL)
        list_append(bucket_of(all, &made->key), &made->link);
    made->listed = other == NULL;
    lock_drop(&all->lock);
    if (other == NULL) {
        exchange->share = made;
        return SHARE_ENTERED;
    }
    made->open = false;
    share_release(made);
    return in_shadow(exchange) || exchange->rejoins >= 2 ? SHARE_ENTERED : SHARE_MISSED;
}

/* Following */

static enum share_entry
follow(struct exchange *exchange, struct plan *plan)
{
    struct shares *all = all_of(exchange);
    struct mirror *mirror = NULL;
    struct share *share;

    lock_take(&all->lock);
    share = may_share(exchange) ? find(exchange) : NULL;
    if (share != NULL && comes_late(share, exchange) && !exchange->request.under_way.late)
        share = NULL; /* another one than the balance saw */
    if (share != NULL && !share->shadow) {
        share->attached++;
        share->others += share->streams != exchange->facts.stream;
        mirror = mirror_find(exchange->worker, share);
        if (mirror == NULL)
            share->mirror_count++;
    }
    lock_drop(&all->lock);
    if (share == NULL || share->shadow) {
        plan->tried = true; /* it ended meanwhile */
        return SHARE_MISSED;
    }
    exchange->share = share_hold(share);
    exchange->follows = true;
    exchange->booked = true; /* it makes no attempts */
    if (mirror == NULL)
        mirror = mirror_new(exchange->worker, share_hold(share), exchange->identity.api);
    mirror_add(mirror, exchange);
    count(&exchange->worker->counters, COUNT_COALESCED, 1);
    return SHARE_ENTERED;
}

/* What is made shorter is nobody else's answer. */
static bool
is_cut(const struct exchange *exchange)
{
    return (reserve_transforms(exchange) & ((unsigned)TRANSFORM_CLIPPED | (unsigned)TRANSFORM_CAPPED)) != 0;
}

/* Why the exchange is no member of an equal one's share. The lock is held. */
static enum counter
reason_alone(const struct exchange *exchange, const struct share *share)
{
    if (share->shadow || in_shadow(exchange))
        return COUNT_ALONE_SHADOW;
    if (exchange->claim != NULL)
        return COUNT_ALONE_KEY;
    if (share->snapshot != exchange->view->snapshot)
        return COUNT_ALONE_RELOAD;
    if (share->part != exchange->request.part.place)
        return COUNT_ALONE_SLICE;
    if (!share->open)
        return COUNT_ALONE_LONG;
    if (is_cut(exchange))
        return COUNT_ALONE_BUDGET;
    return comes_late(share, exchange) ? COUNT_ALONE_LATE : COUNT_ALONE_OTHER;
}

/* It makes its first call by itself: did it have to, though an equal one is under way? */
static void
count_alone(struct exchange *exchange)
{
    struct shares *all = all_of(exchange);
    const struct digest *key = exchange->request.key;
    enum counter reason = COUNTER_COUNT;

    if (key == NULL || exchange->attempts > 0 || exchange->went_alone ||
        lever_mode_of(&exchange->request, LEVER_COALESCE) == LEVER_OFF)
        return;
    lock_take(&all->lock);
    LIST_EACH(bucket_of(all, key), node, after)
    {
        const struct share *share = CONTAINER_OF(node, struct share, link);

        if (share != exchange->share && digest_equal(&share->key, key))
            reason = reason_alone(exchange, share);
    }
    lock_drop(&all->lock);
    if (reason != COUNTER_COUNT)
        count(&exchange->worker->counters, reason, 1);
}

enum share_entry
share_enter(struct exchange *exchange, struct plan *plan)
{
    enum share_entry entry;

    if (plan->source == SOURCE_SHARED)
        return follow(exchange, plan);
    if (plan->target == NULL)
        return SHARE_ENTERED;
    entry = exchange->share != NULL || !may_share(exchange) || is_cut(exchange) ? SHARE_ENTERED : lead(exchange);
    if (entry == SHARE_ENTERED)
        count_alone(exchange);
    return entry;
}

void
share_read(struct exchange *exchange, void (*wake)(struct cursor *))
{
    struct mirror *mirror = mirror_find(exchange->worker, exchange->share);

    ENSURE(mirror != NULL);
    cursor_join(&exchange->cursor, mirror->flight, wake);
}

bool
share_leads(const struct exchange *exchange)
{
    return exchange->share != NULL && !exchange->follows && !exchange->share->shadow;
}

/* Leaving */

/* One fewer wants the answer. True: nobody does any more. The lock is held. */
static bool
detach(struct exchange *exchange)
{
    struct share *share = exchange->share;

    share->others -= share_is_other(exchange);
    if (--share->attached == 0)
        share_shut_locked(share);
    return share->attached == 0;
}

static void
tell_owner(struct exchange *exchange)
{
    struct world *world = worker_world(exchange->worker);
    struct share *share = share_hold(exchange->share);

    world->ops->post(world, share->owner, &share->all_left);
}

bool
share_leave(struct exchange *exchange, bool pays)
{
    struct share *share = exchange->share;
    bool last = false, goes_on;

    if (share == NULL || share->shadow || exchange->has_part)
        return false;
    lock_take(&share->all->lock);
    if (!share->billed && !exchange->detached) {
        share->paying += pays;
        share->last_left = exchange->id;
        last = detach(exchange);
        exchange->detached = true;
        exchange->left = !pays;
    }
    goes_on = !share->billed && share->attached > 0;
    lock_drop(&share->all->lock);
    if (last && exchange->follows)
        tell_owner(exchange);
    return exchange->follows || goes_on;
}

bool
share_withdraw(struct exchange *exchange)
{
    struct share *share = exchange->share;
    bool last = false, billed;

    ENSURE(exchange->follows && !exchange->has_part && !exchange->left);
    lock_take(&share->all->lock);
    billed = share->billed;
    if (!billed)
        last = detach(exchange); /* somebody had left before, who pays then */
    lock_drop(&share->all->lock);
    if (billed)
        return false;
    exchange->left = true;
    list_remove(&exchange->member);
    exchange_drop(exchange);
    if (last)
        tell_owner(exchange);
    return true;
}

/* Like a new one, but for what it has paid. */
static void
set_free(struct exchange *exchange)
{
    exchange->follows = exchange->has_part = exchange->detached = exchange->left = false;
    exchange->booked = exchange->opened = false;
    exchange->made_over = false;
    exchange->stands_for = NULL;
    exchange->part = 0;
    exchange->went_alone = true;
    share_release(exchange->share);
    exchange->share = NULL;
}

void
share_go_alone(struct exchange *exchange, const char *why)
{
    ENSURE(exchange->follows && exchange->state == EXCHANGE_SERVING);
    if (list_linked(&exchange->member) && !share_withdraw(exchange))
        return; /* the bill is on its way to its mirror: then it is over, or spared */
    exchange->plan->tried = true;
    exchange->why = why;
    cursor_leave(&exchange->cursor);
    set_free(exchange);
    count(&exchange->worker->counters, COUNT_COALESCED_FREED, 1);
    exchange_move(exchange, ATTEMPT_FAILED);
}

void
share_all_have_left(struct message *message, struct world *to)
{
    struct share *share = CONTAINER_OF(message, struct share, all_left);

    (void)to;
    if (share->leader != NULL && !share->billed)
        exchange_left_alone(share->leader);
    share_release(share);
}
