#include "gateway/share.h"

#include <stdlib.h>

#include "gateway/attempt.h"
#include "gateway/mirror.h"
#include "gateway/reserve.h"
#include "gateway/stall.h"
#include "money/row.h"

enum { SHARE_BUCKETS = 1024 };

struct shares {
    struct lock lock;
    struct list buckets[SHARE_BUCKETS]; /* by key */
};

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

static struct share *
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
    ENSURE(!share->open && share->keeper.flight == NULL && list_empty(&share->mirrors));
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

/* The open share that the exchange could be a member of. The lock is held. */
static struct share *
find(const struct exchange *exchange)
{
    const struct digest *key = exchange->request.key;

    LIST_EACH(bucket_of(all_of(exchange), key), node, after)
    {
        struct share *share = CONTAINER_OF(node, struct share, link);

        if (memcmp(share->key.bytes, key->bytes, sizeof(key->bytes)) == 0 &&
            share->snapshot == exchange->view->snapshot && share->streams == exchange->facts.stream &&
            share->tells_usage == exchange->facts.usage_asked)
            return share;
    }
    return NULL;
}

/* What has a key of its own to be answered again by is nobody else's; and who called by itself goes on so: it has costs
 * that are no part of a shared call's. */
static bool
may_share(const struct exchange *exchange)
{
    return exchange->request.key != NULL && exchange->attempts == 0 && exchange->claim == NULL && !exchange->holdout &&
           !exchange->bypass && lever_mode_of(&exchange->request, LEVER_COALESCE) != LEVER_OFF;
}

static bool
in_shadow(const struct exchange *exchange)
{
    return lever_mode_of(&exchange->request, LEVER_COALESCE) == LEVER_SHADOW;
}

unsigned
share_members(const struct exchange *exchange)
{
    struct shares *all = all_of(exchange);
    const struct share *share;
    unsigned members = 0;

    if (!may_share(exchange) || exchange->share != NULL)
        return 0;
    lock_take(&all->lock);
    share = find(exchange);
    if (share != NULL && (!share->shadow || in_shadow(exchange)))
        members = share->attached;
    lock_drop(&all->lock);
    return members;
}

/* The lock is held. */
static void
shut(struct share *share)
{
    if (share->open)
        list_remove(&share->link);
    share->open = false;
}

/* Leading */

static void all_have_left(struct message *message, struct world *to);
static void on_stall(struct timer *timer);

static struct share *
new_share(struct exchange *exchange)
{
    struct share *share = must_calloc(1, sizeof(*share));

    atomic_init(&share->holders, 1);
    share->all = all_of(exchange);
    share->key = *exchange->request.key;
    share->snapshot = exchange->view->snapshot;
    share->streams = exchange->facts.stream;
    share->tells_usage = exchange->facts.usage_asked;
    share->shadow = in_shadow(exchange);
    share->gateway = exchange->worker->gateway;
    share->owner = worker_world(exchange->worker)->worker;
    share->open = true;
    share->attached = 1;
    share->leader = exchange;
    share->all_left.deliver = all_have_left;
    share->stall.fire = on_stall;
    share->answer_most = exchange->request.config->limits.answer_max;
    list_init(&share->mirrors);
    return share;
}

/* Two that come at once may both have seen nobody: one of them is the first. */
static enum share_entry
lead(struct exchange *exchange)
{
    struct shares *all = all_of(exchange);
    struct share *made = new_share(exchange), *other;

    lock_take(&all->lock);
    other = find(exchange);
    if (other == NULL)
        list_append(bucket_of(all, &made->key), &made->link);
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
    if (share != NULL && !share->shadow) {
        share->attached++;
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

enum share_entry
share_enter(struct exchange *exchange, struct plan *plan)
{
    unsigned cut = (unsigned)TRANSFORM_CLIPPED | (unsigned)TRANSFORM_CAPPED; /* its answer is nobody else's */

    if (plan->source == SOURCE_SHARED)
        return follow(exchange, plan);
    if (plan->target == NULL || plan->source == SOURCE_PARTLY || exchange->share != NULL || !may_share(exchange) ||
        (reserve_transforms(exchange) & cut) != 0)
        return SHARE_ENTERED; /* what a call for a part brings is no answer to anybody else */
    return lead(exchange);
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

/* The owner's side: what is sent to the mirrors */

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
    shut(share);
    lock_drop(&share->all->lock);
}

/* The start of the flight is kept until nobody can come who needs it. */
static void
let_start_go(struct share *share)
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
    let_start_go(share);
}

/* As LIST_EACH, though any of them may leave the list. */
static void
tell_mirrors(struct share *share)
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

static void
on_stall(struct timer *timer)
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
    let_start_go(share);
    share_release(share);
}

/* The bill */

static size_t
target_number(const struct exchange *exchange)
{
    const struct route_config *route = exchange->request.route;

    for (size_t i = 0; exchange->plan != NULL && i < route->candidate_count; i++)
        if (exchange->plan->target == &route->candidates[i])
            return i + 1;
    return 0; /* the reference */
}

static void
make_out(struct exchange *exchange, struct share_bill *bill)
{
    bool bought = exchange->try_count > 0 && !exchange->keeps_attempt;

    *bill = (struct share_bill){
        .cost = bought ? exchange->tries[exchange->try_count - 1].cost : 0,
        .usage = exchange->usage,
        .kinds = exchange->kinds,
        .unpriced = exchange->unpriced,
        .target = target_number(exchange),
        .lever = exchange->plan != NULL ? exchange->plan->lever : LEVER_COUNT,
        .cache = exchange->plan != NULL ? exchange->plan->cache : (struct plan_cache){0},
        .refused = !exchange->share->answered,
        .ending = exchange->ending,
        .kind = exchange->refused_as,
        .retry_after_us = exchange->retry_after_us,
        .said = exchange->said,
    };
    if (!bought) {
        usage_init(&bill->usage);
        bill->usage.exactness = USAGE_EXACT;
        bill->kinds = (struct cost){0};
    }
    snprintf(bill->why, sizeof(bill->why), "%s", exchange->why != NULL ? exchange->why : "");
}

static void
close_share(struct exchange *exchange)
{
    struct share *share = exchange->share;
    struct flight *flight = exchange->cursor.flight;
    struct share_bill bill;

    if (share == NULL || exchange->follows || share->billed)
        return;
    if (share->shadow) {
        share_shut(share);
        return;
    }
    world_timer_stop(worker_world(exchange->worker), &share->stall);
    if (flight != NULL && !flight_over(flight))
        flight_stop(flight, "nobody is left who reads it");
    settle_attempt(exchange);
    make_out(exchange, &bill);
    lock_take(&share->all->lock);
    shut(share);
    bill.parts = share->attached + share->paying;
    bill.payer = bill.parts == 0 ? share->last_left : 0;
    bill.parts += bill.parts == 0;
    share->bill = bill;
    share->billed = true;
    lock_drop(&share->all->lock);
    tell_mirrors(share);
    let_start_go(share);
}

/* -1: the exchange has to pay nothing. */
static int64_t
take_number(const struct exchange *exchange)
{
    struct share *share = exchange->share;
    bool pays = share->bill.payer != 0 ? share->bill.payer == exchange->id : !exchange->left;
    int64_t number = -1;

    lock_take(&share->all->lock);
    if (pays)
        number = share->bill.taken++;
    lock_drop(&share->all->lock);
    return number;
}

static usd
part_of(usd whole, int64_t number, unsigned parts)
{
    return usd_known(whole) ? usage_part(whole, number, parts) : USD_UNKNOWN;
}

static struct cost
part_of_kinds(const struct cost *whole, int64_t number, unsigned parts)
{
    struct cost part = *whole;

    if (whole->why_unknown != NULL)
        return part;
    part.total = part_of(whole->total, number, parts);
    part.input = part_of(whole->input, number, parts);
    part.cache_read = part_of(whole->cache_read, number, parts);
    part.cache_write = part_of(whole->cache_write, number, parts);
    part.other = part_of(whole->other, number, parts);
    part.output = part.total - part.input - part.other; /* so that they add up, in every part and over all */
    return part;
}

static void
take(struct exchange *exchange, const struct share_bill *bill)
{
    int64_t number = take_number(exchange);
    struct usage *whole = arena_alloc(&exchange->arena, sizeof(*whole));

    *whole = bill->usage;
    exchange->stands_for = whole;
    exchange->left = number < 0;
    exchange->usage = usage_split(whole, number, bill->parts);
    if (number < 0)
        exchange->usage.exactness = USAGE_EXACT; /* nothing is known exactly */
    exchange->part = part_of(bill->cost, number, bill->parts);
    if (usd_add(settle_cost_before(exchange), exchange->part, &exchange->cost) != OK)
        exchange->cost = USD_UNKNOWN;
    exchange->kinds = part_of_kinds(&bill->kinds, number, bill->parts);
    exchange->unpriced = bill->unpriced;
}

/* Under one configuration, routes count their targets alike. */
static void
name_target(struct exchange *exchange, const struct share_bill *bill)
{
    const struct route_config *route = exchange->request.route;

    exchange->plan->target = bill->target == 0 ? &route->reference : &route->candidates[bill->target - 1];
    exchange->plan->facts = facts_of(exchange->request.targets, exchange->plan->target);
    exchange->plan->cache = bill->cache;
}

void
share_take_part(struct exchange *exchange)
{
    const struct share_bill *bill = &exchange->share->bill;

    ENSURE(exchange->follows && exchange->share->billed && !exchange->has_part);
    exchange->has_part = true;
    name_target(exchange, bill);
    take(exchange, bill);
    reserve_post(exchange, &exchange->usage, exchange->part);
}

void
share_keep_attempt(struct exchange *exchange)
{
    if (!share_leads(exchange) || exchange->try_count == 0 || exchange->keeps_attempt)
        return;
    exchange->keeps_attempt = true;
    reserve_post(exchange, &exchange->usage, exchange->tries[exchange->try_count - 1].cost);
}

void
share_end(struct exchange *exchange)
{
    struct share *share = exchange->share;

    if (share == NULL || exchange->follows || exchange->has_part)
        return;
    close_share(exchange);
    exchange->has_part = true;
    share->leader = NULL;
    if (share->shadow)
        return;
    if (exchange->keeps_attempt || exchange->try_count == 0)
        return;
    exchange->part = share->bill.cost;
    if (share->bill.parts > 1 || share->bill.payer != 0 || exchange->left)
        take(exchange, &share->bill);
    reserve_post(exchange, &exchange->usage, exchange->part);
}

bool
share_unbilled(const struct exchange *exchange)
{
    return exchange->share != NULL && !exchange->share->shadow && !exchange->has_part;
}

/* Leaving */

/* One fewer wants the answer. True: nobody does any more. The lock is held. */
static bool
detach(struct share *share)
{
    if (--share->attached == 0)
        shut(share);
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
        last = detach(share);
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
        last = detach(share); /* somebody had left before, who pays then */
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

static void
all_have_left(struct message *message, struct world *to)
{
    struct share *share = CONTAINER_OF(message, struct share, all_left);

    (void)to;
    if (share->leader != NULL && !share->billed)
        exchange_left_alone(share->leader);
    share_release(share);
}
