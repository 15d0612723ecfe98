#include "gateway/flight/mirror.h"

#include <stdlib.h>

#include "gateway/attempt/attempt.h"
#include "gateway/flight/stall.h"
#include "gateway/judging/outcome.h"

/* The owner's side */

static void
on_wake(struct cursor *cursor)
{
    mirror_send(CONTAINER_OF(cursor, struct mirror, cursor));
}

void
mirror_follow(struct mirror *mirror, struct flight *flight)
{
    ENSURE(mirror->cursor.flight == NULL);
    cursor_join(&mirror->cursor, flight, on_wake);
    mirror->cursor.lets_go = true;
    mirror_send(mirror);
}

/* What the cursor has before it goes into the batch. */
static void
fill_batch(struct mirror *mirror)
{
    struct cursor *cursor = &mirror->cursor;
    const struct flight *flight = cursor->flight;

    mirror->batch = kept_new(SIZE_MAX);
    mirror->with_head = !mirror->head_sent;
    if (mirror->with_head)
        flight_keep_head(flight, mirror->batch);
    mirror->head_sent = true;
    while (cursor->at != NULL) {
        struct flight_chunk *chunk = cursor->at;

        kept_add(mirror->batch,
                 (struct kept_chunk){chunk->bytes, chunk->usage_only, chunk->last_event, chunk->open_event});
        cursor_advance(cursor, chunk->bytes->len - cursor->offset);
    }
}

static void
fill_end(struct mirror *mirror)
{
    const struct flight *flight = mirror->cursor.flight;

    mirror->last = true;
    mirror->state = FLIGHT_FAILED;
    if (flight == NULL)
        return; /* it never came to an answer */
    mirror->state = flight->state;
    mirror->failure = flight->failure;
    mirror->why = flight->why != NULL ? must_strdup(flight->why) : NULL;
    mirror->said_failed = flight->meter.failed;
}

static void take_in(struct message *message, struct world *to);

void
mirror_send(struct mirror *mirror)
{
    struct share *share = mirror->share;
    const struct flight *flight = mirror->cursor.flight;
    bool news = flight != NULL && flight->status != 0 && (mirror->cursor.at != NULL || !mirror->head_sent);
    struct world *world = worker_world(share->gateway->workers[share->owner]);

    if (!mirror->home || mirror->end_sent || (!news && !share->billed))
        return;
    if (news)
        fill_batch(mirror);
    if (share->billed && (flight == NULL || flight_over(flight)))
        fill_end(mirror);
    mirror->home = false;
    mirror->end_sent = mirror->last;
    mirror->message.deliver = take_in;
    if (mirror->last) { /* from now on it is the reader's alone */
        list_remove(&mirror->place);
        cursor_leave(&mirror->cursor);
    }
    world->ops->post(world, worker_world(mirror->reader)->worker, &mirror->message);
}

static void
come_home(struct message *message, struct world *to)
{
    (void)to;
    share_mirror_home(CONTAINER_OF(message, struct mirror, message));
}

/* The reader's side */

static void
send_home(struct mirror *mirror)
{
    struct world *world = worker_world(mirror->reader);

    mirror->full = false;
    world_timer_stop(world, &mirror->stall);
    mirror->message.deliver = come_home;
    world->ops->post(world, mirror->share->owner, &mirror->message);
}

static void
stay(struct cursor *cursor)
{
    (void)cursor; /* it reads nothing */
}

/* Who waits for room waits as long as its members' configuration says; without members nobody waits. */
static void
start_stall(struct mirror *mirror)
{
    struct list *first = list_first(&mirror->members);

    if (first != NULL)
        world_timer_start(worker_world(mirror->reader), &mirror->stall,
                          stall_limit_us(CONTAINER_OF(first, struct exchange, member)));
}

static void
on_pressure(struct flight *flight)
{
    struct mirror *mirror = flight->context;

    if (mirror->full && !flight->paused)
        send_home(mirror);
}

static void
on_stall(struct timer *timer)
{
    struct mirror *mirror = CONTAINER_OF(timer, struct mirror, stall);
    struct cursor keeps;

    start_stall(mirror);
    cursor_join(&keeps, mirror->flight, stay);
    LIST_EACH(&mirror->members, node, after)
    {
        struct exchange *exchange = CONTAINER_OF(node, struct exchange, member);

        if (stall_holds_up(exchange))
            stall_cut(exchange); /* the mirror holds it */
    }
    cursor_leave(&keeps);
}

struct mirror *
mirror_find(const struct gateway_worker *worker, const struct share *share)
{
    LIST_EACH(&worker->mirrors, node, after)
    {
        struct mirror *mirror = CONTAINER_OF(node, struct mirror, link);

        if (mirror->share == share)
            return mirror;
    }
    return NULL;
}

struct mirror *
mirror_new(struct gateway_worker *worker, struct share *share, enum api api)
{
    struct mirror *mirror = must_calloc(1, sizeof(*mirror));

    mirror->share = share;
    mirror->reader = worker;
    mirror->flight = flight_mirror(worker_world(worker), &worker->flights, api, worker->view->config->limits.answer_max,
                                   on_pressure);
    mirror->flight->context = mirror;
    cursor_join(&mirror->keeper, mirror->flight, stay);
    mirror->stall.fire = on_stall;
    list_init(&mirror->members);
    list_append(&worker->mirrors, &mirror->link);
    send_home(mirror);
    return mirror;
}

void
mirror_add(struct mirror *mirror, struct exchange *exchange)
{
    exchange_hold(exchange);
    list_append(&mirror->members, &exchange->member);
}

/* All have their parts before anybody goes on: whoever goes on may end. */
static void
hand_out_bills(struct mirror *mirror)
{
    LIST_EACH(&mirror->members, node, after)
    share_take_part(CONTAINER_OF(node, struct exchange, member));
}

static void
end(struct mirror *mirror)
{
    struct flight *flight = mirror->flight;

    list_remove(&mirror->link);
    world_timer_stop(worker_world(mirror->reader), &mirror->stall);
    cursor_leave(&mirror->keeper);
    hand_out_bills(mirror);
    while (!list_empty(&mirror->members)) {
        struct exchange *exchange = CONTAINER_OF(list_first(&mirror->members), struct exchange, member);

        list_remove(&exchange->member);
        exchange_bill_here(exchange);
        exchange_drop(exchange);
    }
    flight->context = NULL;
    flight->meter.failed = mirror->said_failed;
    flight_mirror_end(flight, mirror->state, mirror->failure, mirror->why);
    flight_release(flight);
    share_release(mirror->share);
    free(mirror->why);
    free(mirror);
}

static void
take_in(struct message *message, struct world *to)
{
    struct mirror *mirror = CONTAINER_OF(message, struct mirror, message);
    struct kept_answer *batch = mirror->batch;

    (void)to;
    mirror->batch = NULL;
    if (batch != NULL)
        flight_mirror_feed(mirror->flight, batch, mirror->with_head);
    kept_release(batch);
    if (mirror->flight->paused)
        share_shut(mirror->share); /* what has to be kept for later comers is too much */
    if (!share_is_open(mirror->share))
        cursor_leave(&mirror->keeper);
    if (mirror->last) {
        end(mirror);
    } else if (mirror->flight->paused) {
        mirror->full = true;
        start_stall(mirror);
    } else {
        send_home(mirror);
    }
}
