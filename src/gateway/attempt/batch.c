#include "gateway/attempt/batch.h"

#include <math.h>
#include <stdlib.h>

#include "gateway/attempt/attempt.h"
#include "gateway/attempt/batch_call.h"
#include "gateway/attempt/headers.h"
#include "gateway/attempt/send.h"

/* A larger request is a batch already. */
enum { BODY_BYTES_MOST = 64 * 1024 };

/* Queues without anybody in them are kept for what they know of their traffic: so many, the latest. */
enum { QUEUES_MOST = 64 };

/* A pause counts as no longer than this, and each gap for a fifth of the mean: a burst is known after a few requests. */
static const double GAP_MOST_US = 250e3, GAP_WEIGHT = 0.2;

/* How often a request may share a call that brings nothing. */
enum { SPOILED_MOST = 2 };

struct batch_queue {
    struct list link; /* worker->batch_queues, the latest used first */
    struct gateway_worker *worker;
    struct buffer key;
    struct list members; /* exchanges, each held, the first come first */
    size_t requests, inputs;
    size_t group;   /* requests in a call at most, for those whose batch was spoiled; 0: others */
    unsigned calls; /* under way */
    usec last_us;
    double gap_us; /* between requests; 0: not known yet */
    struct timer timer;
    enum counter why;     /* the timer flushes */
    struct buffer secret; /* the latest that was given */
    /* In the shadow: */
    unsigned shadows; /* requests under way */
    uint64_t leader,
        latest; /* the one that would be called for, and the last of those who would wait for it; 0: none */
    size_t would_wait;
    usec would_since_us; /* when they came, all together */
};

/* What makes one call out of two requests */

/* Headers that say who asks, or by what way, but nothing of what is wanted. */
static bool
means_nothing(struct slice name)
{
    static const struct slice names[] = {SLICE_CONSTANT("user-agent"),      SLICE_CONSTANT("accept"),
                                         SLICE_CONSTANT("accept-language"), SLICE_CONSTANT("traceparent"),
                                         SLICE_CONSTANT("tracestate"),      SLICE_CONSTANT("baggage"),
                                         SLICE_CONSTANT("x-request-id"),    SLICE_CONSTANT("x-client-request-id"),
                                         SLICE_CONSTANT("sec-fetch-mode"),  SLICE_CONSTANT("priority"),
                                         SLICE_CONSTANT("cache-control"),   SLICE_CONSTANT("pragma")};

    return slice_is_among_nocase(name, names, sizeof(names) / sizeof(*names)) ||
           slice_is_nocase(slice_first(name, 12), "x-stainless-");
}

bool
batch_shares_header(struct slice name)
{
    return !means_nothing(name);
}

static void
add_part(struct buffer *key, struct slice part)
{
    buffer_add(key, slice_make((const char *)&part.len, sizeof(part.len)));
    buffer_add(key, part);
}

static void
add_headers(struct buffer *key, const struct exchange *exchange)
{
    const struct http_head *head = &exchange->head;
    const struct hop_names hops = hop_names_of(head->headers, head->header_count);

    for (size_t i = 0; i < head->header_count; i++) {
        if (!header_goes_up(&hops, head->headers[i].name) || means_nothing(head->headers[i].name))
            continue;
        add_part(key, head->headers[i].name);
        add_part(key, head->headers[i].value);
    }
}

/* Two configurations have nothing in common, be their texts equal. */
static struct slice
make_key(const struct exchange *exchange, struct buffer *key)
{
    const struct batch_ticket *ticket = exchange->ticket;
    const struct slice body = ticket->body, span = ticket->inputs.span;
    const struct snapshot *snapshot = exchange->view->snapshot;
    bool across = exchange->request.config->batch_across_tenants;

    buffer_clear(key);
    add_part(key, slice_make((const char *)&snapshot, sizeof(snapshot)));
    add_part(key, slice_of(exchange->plan->target->name));
    add_part(key, across ? SLICE_NONE : slice_of(exchange->identity.tenant->name));
    add_part(key, slice_make((const char *)&ticket->group, sizeof(ticket->group)));
    add_part(key, slice_make((const char *)&exchange->account, sizeof(exchange->account)));
    add_part(key, slice_first(ticket->inputs.raws[0], 1));
    add_part(key, slice_make(body.data, (size_t)(span.data - body.data)));
    add_part(key, slice_from(body, (size_t)(span.data - body.data) + span.len));
    add_headers(key, exchange);
    return buffer_content(key);
}

/* Queues */

static void on_timer(struct timer *timer);

static void
free_queue(struct batch_queue *queue)
{
    ENSURE(list_empty(&queue->members) && queue->calls + queue->shadows == 0 && !timer_running(&queue->timer));
    list_remove(&queue->link);
    if (buffer_len(&queue->secret) > 0)
        explicit_bzero(queue->secret.data, queue->secret.size);
    buffer_free(&queue->secret);
    buffer_free(&queue->key);
    free(queue);
}

void
batch_queues_free(struct gateway_worker *worker)
{
    LIST_EACH(&worker->batch_queues, node, after)
    {
        free_queue(CONTAINER_OF(node, struct batch_queue, link));
    }
}

/* The longest unused of those without anybody. */
static void
drop_oldest(struct gateway_worker *worker)
{
    for (struct list *node = worker->batch_queues.prev; node != &worker->batch_queues; node = node->prev) {
        struct batch_queue *queue = CONTAINER_OF(node, struct batch_queue, link);

        if (!list_empty(&queue->members) || queue->calls + queue->shadows > 0)
            continue;
        free_queue(queue);
        return;
    }
}

static struct batch_queue *
new_queue(struct gateway_worker *worker, struct slice key, size_t group)
{
    struct batch_queue *queue = must_calloc(1, sizeof(*queue));
    size_t count = 0;

    LIST_EACH(&worker->batch_queues, node, after)
    count++;
    if (count >= QUEUES_MOST)
        drop_oldest(worker);
    queue->worker = worker;
    queue->group = group;
    queue->timer.fire = on_timer;
    buffer_add(&queue->key, key);
    list_init(&queue->members);
    list_append(&worker->batch_queues, &queue->link);
    return queue;
}

/* Its place is in front from now on. */
static struct batch_queue *
queue_of(struct exchange *exchange)
{
    struct gateway_worker *worker = exchange->worker;
    struct slice key = make_key(exchange, &worker->text);
    struct batch_queue *found = NULL;
    struct list *first;

    LIST_EACH(&worker->batch_queues, node, after)
    {
        struct batch_queue *queue = CONTAINER_OF(node, struct batch_queue, link);

        if (slice_equal(buffer_content(&queue->key), key)) {
            found = queue;
            break;
        }
    }
    if (found == NULL)
        found = new_queue(worker, key, exchange->ticket->group);
    first = list_first(&worker->batch_queues);
    if (first != &found->link) {
        list_remove(&found->link);
        list_append(first, &found->link);
    }
    return found;
}

static void
note_gap(struct batch_queue *queue, usec now_us)
{
    double gap_us = fmin((double)(now_us - queue->last_us), GAP_MOST_US);

    if (queue->last_us != 0)
        queue->gap_us = queue->gap_us > 0.0 ? queue->gap_us + GAP_WEIGHT * (gap_us - queue->gap_us) : gap_us;
    queue->last_us = now_us;
}

static void
take_out(struct batch_queue *queue, struct exchange *exchange)
{
    list_remove(&exchange->waiting);
    exchange->ticket->queue = NULL;
    queue->requests--;
    queue->inputs -= exchange->ticket->inputs.count;
}

/* Sending off */

static size_t
inputs_most(const struct exchange *exchange)
{
    return exchange->request.config->batch_inputs;
}

static const struct exchange *
someone(const struct batch_queue *queue)
{
    return CONTAINER_OF(list_first(&queue->members), struct exchange, waiting);
}

static struct batch_time
times_of(const struct exchange *exchange)
{
    return experience_batches(exchange->plan->facts->experience);
}

/* By when its answer is wanted, by its route and by itself. */
static usec
due_us(const struct exchange *exchange)
{
    usec limit_us = exchange->request.route->total_us, deadline_us = exchange->request.deadline_us;

    if (limit_us != USEC_NEVER && exchange->arrived_us + limit_us < deadline_us)
        return exchange->arrived_us + limit_us;
    return deadline_us;
}

/* How long until the limit of somebody who waits; USEC_NEVER: nobody has one. For whom it is too late already it can no
 * more be kept: it hurries nobody, for small batches would only make more late. */
static usec
time_left_us(const struct batch_queue *queue, const struct batch_time *times)
{
    usec now_us = world_now_us(worker_world(queue->worker)), alone_us = batch_time_bound_us(times, 1);
    usec least_us = USEC_NEVER;

    LIST_EACH(&queue->members, node, after)
    {
        usec left_us = due_us(CONTAINER_OF(node, struct exchange, waiting));

        left_us -= left_us != USEC_NEVER ? now_us : 0;
        if (left_us >= alone_us && left_us < least_us)
            least_us = left_us;
    }
    return least_us;
}

/* How many inputs may go now: as many as are answered in time; but at least half of those who wait, as far as a call may
 * have so many. For small calls in time for a few would make all others late, and soon everybody. */
static size_t
most_now(const struct batch_queue *queue, const struct batch_time *times)
{
    size_t all = inputs_most(someone(queue)), half = (queue->inputs + 1) / 2;
    size_t in_time = batch_time_largest(times, time_left_us(queue, times), all);
    size_t whenever = batch_time_largest(times, USEC_NEVER, all);

    if (in_time >= half)
        return in_time;
    return half < whenever ? half : whenever;
}

/* The first, and who fits in with it. */
static size_t
gather(const struct batch_queue *queue, size_t most, struct exchange **out)
{
    size_t count = 0, inputs = 0;

    LIST_EACH(&queue->members, node, after)
    {
        struct exchange *exchange = CONTAINER_OF(node, struct exchange, waiting);

        inputs += exchange->ticket->inputs.count;
        if (count > 0 && (inputs > most || (queue->group > 0 && count >= queue->group)))
            break;
        out[count++] = exchange;
    }
    return count;
}

static void
send_off(struct batch_queue *queue, size_t most, enum counter why)
{
    struct exchange **going = must_calloc(queue->requests, sizeof(struct exchange *));
    size_t requests = gather(queue, most, going);

    for (size_t i = 0; i < requests; i++)
        take_out(queue, going[i]);
    count(&queue->worker->counters, why, 1);
    batch_send(queue, going, requests, queue->secret.data + queue->secret.start, queue->calls++ > 0);
    free(going);
}

/* When it is time for those who wait, once no further comes meanwhile. */
static void
set_timer(struct batch_queue *queue, const struct batch_time *times, usec left_us, usec patience_us)
{
    struct world *world = worker_world(queue->worker);
    usec wait_us = patience_us;

    queue->why = COUNT_BATCHES_UNPAID;
    if (left_us != USEC_NEVER && left_us - batch_time_bound_us(times, queue->inputs) < wait_us) {
        wait_us = left_us - batch_time_bound_us(times, queue->inputs);
        queue->why = COUNT_BATCHES_LATE;
    }
    if (wait_us != USEC_NEVER)
        world_timer_start(world, &queue->timer, wait_us > 0 ? wait_us : 0);
}

/* Sends off whom there is no reason to hold. Holding is only for those who would have to wait for the backend anyway. */
static void
consider(struct batch_queue *queue, enum counter when_idle)
{
    struct world *world = worker_world(queue->worker);

    world_timer_stop(world, &queue->timer);
    while (queue->requests > 0) {
        const struct exchange *first = someone(queue);
        struct batch_time times = times_of(first);
        usec left_us = time_left_us(queue, &times), patience_us;
        size_t most = most_now(queue, &times);

        patience_us = batch_time_patience_us(&times, queue->requests, queue->gap_us);
        if (queue->calls == 0)
            send_off(queue, most, when_idle);
        else if (batch_time_is_serial(&times))
            return; /* it would only wait there instead of here */
        else if (queue->inputs >= most)
            send_off(queue, most, COUNT_BATCHES_FULL);
        else if (patience_us == 0)
            send_off(queue, most, COUNT_BATCHES_UNPAID);
        else {
            set_timer(queue, &times, left_us, patience_us);
            return;
        }
    }
}

/* Who shared a spoiled call goes in groups, as soon as all are here. */
static void
consider_group(struct batch_queue *queue)
{
    struct world *world = worker_world(queue->worker);

    queue->why = COUNT_BATCHES_APART;
    if (queue->requests < queue->group) {
        world_timer_start(world, &queue->timer, 0);
        return;
    }
    world_timer_stop(world, &queue->timer);
    send_off(queue, inputs_most(someone(queue)), COUNT_BATCHES_APART);
    if (queue->requests > 0) /* who did not fit into it */
        world_timer_start(world, &queue->timer, 0);
}

static void
on_timer(struct timer *timer)
{
    struct batch_queue *queue = CONTAINER_OF(timer, struct batch_queue, timer);

    while (queue->requests > 0 && queue->group > 0)
        send_off(queue, inputs_most(someone(queue)), queue->why);
    if (queue->requests > 0) {
        struct batch_time times = times_of(someone(queue));

        send_off(queue, most_now(queue, &times), queue->why);
        consider(queue, queue->why);
    }
}

void
batch_over(struct batch *batch)
{
    struct batch_queue *queue = batch->queue;

    ENSURE(queue->calls > 0);
    queue->calls--;
    if (queue->group == 0)
        consider(queue, COUNT_BATCHES_NEXT);
}

/* Joining */

/* A key that is the backend's to honour stands for one request. */
static bool
may_wait(const struct exchange *exchange)
{
    const struct batch_ticket *ticket = exchange->ticket;
    bool keyed = exchange->claim == NULL && http_head_get(&exchange->head, "idempotency-key").len > 0;
    const struct plan_batch *batch = &exchange->plan->batch;

    return exchange->identity.api == API_EMBEDDINGS && (batch->on || batch->shadow) && !keyed &&
           (ticket == NULL ? exchange->attempts == 0
                           : batch->on && ticket->spoiled < SPOILED_MOST && ticket->group != 1);
}

static bool
read_inputs(struct exchange *exchange, struct batch_ticket *ticket)
{
    ticket->body = send_body(exchange);
    if (ticket->body.len > BODY_BYTES_MOST ||
        embedding_inputs_read(ticket->body, inputs_most(exchange), &exchange->arena, &ticket->inputs) != OK)
        return false;
    ticket->bytes = 0;
    for (size_t i = 0; i < ticket->inputs.count; i++)
        ticket->bytes += ticket->inputs.raws[i].len;
    return true;
}

static void
keep_secret(struct batch_queue *queue, const char *secret)
{
    if (buffer_len(&queue->secret) > 0 && strcmp(queue->secret.data + queue->secret.start, secret) == 0)
        return;
    if (buffer_len(&queue->secret) > 0)
        explicit_bzero(queue->secret.data, queue->secret.size);
    buffer_clear(&queue->secret);
    buffer_add(&queue->secret, slice_make(secret, strlen(secret) + 1));
}

/* In the shadow */

static void
note_shadow(struct exchange *exchange, struct batch_queue *queue, usec now_us)
{
    exchange->ticket->shadow = queue;
    queue->shadows++;
    if (queue->leader == 0) {
        queue->leader = exchange->id;
        experience_note_batch(exchange->plan->facts->experience, 1, 0);
        return;
    }
    queue->latest = exchange->id;
    queue->would_wait++;
    queue->would_since_us += now_us;
}

/* Who would have waited would go now, in one call, which is over about when the last of them has its answer. */
void
batch_end(struct exchange *exchange)
{
    struct batch_queue *queue = exchange->ticket != NULL ? exchange->ticket->shadow : NULL;
    usec now_us = world_now_us(worker_world(exchange->worker));

    if (queue == NULL)
        return;
    exchange->ticket->shadow = NULL;
    queue->shadows--;
    if (queue->leader == exchange->id && queue->would_wait > 0) {
        usec held_us = now_us - queue->would_since_us / (usec)queue->would_wait;

        if (exchange->called != NULL && exchange->called->target != NULL)
            experience_note_batch(exchange->called->facts->experience, queue->would_wait, held_us);
        count(&queue->worker->counters, COUNT_BATCH_CALLS_SPARED, (int64_t)queue->would_wait - 1);
    }
    if (queue->leader == exchange->id) {
        queue->leader = queue->latest;
        queue->latest = 0;
        queue->would_wait = 0;
        queue->would_since_us = 0;
    }
    if (queue->latest == exchange->id)
        queue->latest = 0;
}

bool
batch_takes(struct exchange *exchange, const char *secret)
{
    struct batch_queue *queue;
    struct batch_ticket *ticket = exchange->ticket;
    usec now_us = world_now_us(worker_world(exchange->worker));

    if (!may_wait(exchange))
        return false;
    if (ticket == NULL)
        ticket = exchange->ticket = arena_alloc(&exchange->arena, sizeof(*ticket));
    if (!read_inputs(exchange, ticket)) {
        ticket->spoiled = SPOILED_MOST;
        return false;
    }
    queue = queue_of(exchange);
    if (!exchange->plan->batch.on) {
        note_shadow(exchange, queue, now_us);
        return false;
    }
    exchange_hold(exchange);
    list_append(&queue->members, &exchange->waiting);
    queue->requests++;
    queue->inputs += ticket->inputs.count;
    ticket->queue = queue;
    ticket->since_us = now_us;
    keep_secret(queue, secret);
    note_gap(queue, now_us);
    if (queue->group > 0)
        consider_group(queue);
    else
        consider(queue, COUNT_BATCHES_IDLE);
    return true;
}

void
batch_forget(struct exchange *exchange)
{
    struct batch_queue *queue = exchange->ticket != NULL ? exchange->ticket->queue : NULL;

    if (queue == NULL)
        return;
    take_out(queue, exchange);
    if (queue->requests == 0)
        world_timer_stop(worker_world(queue->worker), &queue->timer);
    exchange_drop(exchange);
}

bool
batch_leave(struct exchange *exchange)
{
    struct batch *batch = exchange->ticket != NULL ? exchange->ticket->batch : NULL;

    return batch != NULL && batch_call_leave(batch, exchange);
}

const struct batch_part *
batch_part_of(const struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;
    const struct batch_part *part = flight != NULL ? flight->part : NULL;

    return part != NULL && part->requests > 1 ? part : NULL;
}

bool
batch_spoilt(const struct exchange *exchange)
{
    const struct batch_part *part = batch_part_of(exchange);
    const struct flight *flight = exchange->cursor.flight;

    return part != NULL && flight_over(flight) &&
           (part->unfit || flight->state == FLIGHT_FAILED || (flight->status >= 400 && flight->status != 429));
}
