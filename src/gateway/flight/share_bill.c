/* The bill of a shared flight: made out when it is over, and taken in parts. */
#include "gateway/flight/share_parts.h"

#include "gateway/attempt/attempt.h"
#include "gateway/booking/reserve.h"
#include "money/row.h"

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
    bool of_part = exchange->stands_for != NULL && exchange->plan->source == SOURCE_PARTLY;

    *bill = (struct share_bill){
        .cost = bought ? exchange->tries[exchange->try_count - 1].cost : 0,
        .usage = exchange->usage,
        .kinds = exchange->kinds,
        .stands_for = of_part ? *exchange->stands_for : exchange->usage,
        .of_part = of_part,
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
        bill->stands_for = bill->usage;
        bill->kinds = (struct cost){0};
    }
    snprintf(bill->why, sizeof(bill->why), "%s", exchange->why != NULL ? exchange->why : "");
}

bool
share_is_other(const struct exchange *exchange)
{
    return exchange->share->streams != exchange->facts.stream;
}

/* Nothing can be made of half an answer; an error is told to all. */
static bool
spares_others(const struct share *share, const struct flight *flight)
{
    return share->answered && flight->status == 200 && flight->is_stream == share->streams &&
           (flight->state != FLIGHT_COMPLETE || flight->meter.failed);
}

/* Whether the bill, which is here, leaves this follower out. */
static bool
is_spared(const struct exchange *exchange)
{
    return exchange->share->billed && exchange->share->bill.spares_others && share_is_other(exchange) &&
           !exchange->detached;
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
        share_unlist(share);
        return;
    }
    world_timer_stop(worker_world(exchange->worker), &share->stall);
    if (flight != NULL && !flight_over(flight))
        flight_stop(flight, "nobody is left who reads it");
    settle_attempt(exchange);
    make_out(exchange, &bill);
    lock_take(&share->all->lock);
    share_shut_locked(share);
    bill.spares_others = flight != NULL && spares_others(share, flight);
    bill.parts = share->attached + share->paying - (bill.spares_others ? share->others : 0);
    bill.payer = bill.parts == 0 ? share->last_left : 0;
    bill.parts += bill.parts == 0;
    share->bill = bill;
    share->billed = true;
    lock_drop(&share->all->lock);
    share_unlist(share);
    count(&exchange->worker->counters, COUNT_COALESCED_FLIGHTS, share->mirror_count > 0);
    share_tell_mirrors(share);
    share_let_start_go(share);
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

    *whole = bill->stands_for;
    exchange->stands_for = whole;
    exchange->left = number < 0;
    exchange->usage = usage_split(&bill->usage, number, bill->parts);
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
    if (is_spared(exchange))
        return;
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
share_is_of_part(const struct exchange *exchange)
{
    return exchange->follows && exchange->has_part && !exchange->left && exchange->share->bill.of_part;
}

bool
share_unbilled(const struct exchange *exchange)
{
    return exchange->share != NULL && !exchange->share->shadow && !exchange->has_part;
}
