#include "gateway/attempt/batch_call.h"

#include <math.h>
#include <stdlib.h>

#include "base/portion.h"
#include "gateway/attempt/attempt.h"
#include "gateway/attempt/reach.h"
#include "gateway/attempt/send.h"
#include "gateway/reuse/elements.h"

/* Taken apart on the loop: a millisecond's work. */
enum { INLINE_BYTES = 64 * 1024 };

/* Sending */

/* A request alone goes as it came. */
static struct slice
body_of(struct batch *batch)
{
    struct buffer *body = &batch->worker->text;
    const struct batch_ticket *first = batch->members[0].exchange->ticket;
    struct slice span = first->inputs.span;
    size_t before = (size_t)(span.data - first->body.data);

    if (batch->count == 1)
        return first->body;
    buffer_clear(body);
    buffer_add(body, slice_first(first->body, before));
    for (size_t i = 0, at = 0; i < batch->count; i++) {
        const struct embedding_inputs *inputs = &batch->members[i].exchange->ticket->inputs;

        for (size_t k = 0; k < inputs->count; k++) {
            buffer_add_byte(body, at++ == 0 ? '[' : ',');
            buffer_add(body, inputs->raws[k]);
        }
    }
    buffer_add_byte(body, ']');
    buffer_add(body, slice_from(first->body, before + span.len));
    return buffer_content(body);
}

static void
add_member(struct batch *batch, size_t number, struct exchange *exchange, usec now_us)
{
    struct batch_ticket *ticket = exchange->ticket;

    batch->members[number].exchange = exchange;
    exchange->attempts++;
    batch->inputs += ticket->inputs.count;
    batch->held_us += (now_us - ticket->since_us) / (usec)batch->count;
    ticket->batch = batch;
}

/* Its attempt begins: it reads a flight that the call's answer will be fed to. */
static void
begin_attempt(struct batch *batch, struct batch_member *member, const char *secret)
{
    struct exchange *exchange = member->exchange;
    struct flight *flight = flight_fed(worker_world(batch->worker), &batch->worker->flights, exchange->plan->target,
                                       exchange->identity.api, slice_of(secret));

    flight->part = arena_alloc(&flight->arena, sizeof(*flight->part));
    flight->part->leads = member == &batch->members[0];
    flight->part->requests = (unsigned)batch->count;
    flight->part->inputs = (unsigned)batch->inputs;
    if (exchange->attempts == 1)
        exchange->queue_us = world_now_us(worker_world(batch->worker)) - exchange->arrived_us;
    flight_feed_progress(flight, batch->cursor.flight);
    member->flight = flight;
    flight_hold(flight);
    send_join(exchange, flight, exchange_wake);
}

static void on_progress(struct cursor *cursor);

static void
count_batch(struct batch *batch)
{
    static const enum counter sizes[] = {COUNT_BATCHES_OF_1, COUNT_BATCHES_OF_2,  COUNT_BATCHES_OF_4,
                                         COUNT_BATCHES_OF_8, COUNT_BATCHES_OF_16, COUNT_BATCHES_OF_32,
                                         COUNT_BATCHES_OF_64};
    struct counters *counters = &batch->worker->counters;
    size_t class = 0;

    while (class + 1 < sizeof(sizes) / sizeof(sizes[0]) && batch->count >> (class + 1) > 0)
        class ++;
    count(counters, sizes[class], 1);
    count(counters, COUNT_ATTEMPTS, (int64_t)batch->count);
    count(counters, COUNT_BATCHED_REQUESTS, (int64_t)batch->count);
    count(counters, COUNT_BATCHED_INPUTS, (int64_t)batch->inputs);
    count(counters, COUNT_BATCH_HELD_US, batch->held_us * (int64_t)batch->count);
}

struct batch *
batch_send(struct batch_queue *queue, struct exchange **exchanges, size_t count, const char *secret, bool crowded)
{
    struct batch *batch = must_calloc(1, sizeof(*batch));
    struct gateway_worker *worker = exchanges[0]->worker;
    struct flight *call;

    batch->worker = worker;
    batch->queue = queue;
    batch->crowded = crowded;
    batch->count = batch->wanted = count;
    batch->dealt = ERR_INVALID; /* nothing is there to be dealt out */
    batch->members = must_calloc(count, sizeof(*batch->members));
    batch->shares = must_calloc(count, sizeof(*batch->shares));
    batch->weights = must_calloc(count, sizeof(*batch->weights));
    batch->answers = must_calloc(count, sizeof(*batch->answers));
    for (size_t i = 0; i < count; i++)
        add_member(batch, i, exchanges[i], world_now_us(worker_world(worker)));
    call = send_together(exchanges, count, secret, body_of(batch), batch_shares_header);
    cursor_join(&batch->cursor, call, on_progress);
    flight_release(call);
    for (size_t i = 0; i < count; i++)
        begin_attempt(batch, &batch->members[i], secret);
    count_batch(batch);
    return batch;
}

/* What it came to */

static bool
is_good(const struct flight *call)
{
    return call->state == FLIGHT_COMPLETE && call->status < 300;
}

/* The call's whole price: the provider's own word, else the book's. */
static struct cost
price_call(struct batch *batch, usd *total, bool *by_book)
{
    const struct usage *usage = &batch->cursor.flight->meter.usage;
    const struct exchange *first = batch->members[0].exchange;
    struct price_terms terms = {.wall_us = first->arrived_wall_us};
    struct cost cost = prices_cost(first->plan->facts->price, &terms, usage);

    if (facts_hourly(first->plan->facts)) {
        *by_book = false;
        *total = settle_share(first, batch->cursor.flight);
        return (struct cost){.why_unknown = "the engine is paid by the hour: what its time costs is one sum"};
    }
    *by_book = !usd_known(usage->provider_cost);
    *total = *by_book ? cost.total : usage->provider_cost;
    return *by_book ? cost : (struct cost){.why_unknown = "the provider told its own total"};
}

/* Each part of the cost for itself, and the sum of these for the whole. */
static void
split_kinds(struct batch *batch, const struct cost *whole)
{
    static const size_t places[] = {offsetof(struct cost, input), offsetof(struct cost, cache_read),
                                    offsetof(struct cost, cache_write), offsetof(struct cost, other),
                                    offsetof(struct cost, output)};
    int64_t *parts = must_calloc(batch->count, sizeof(*parts));

    for (size_t k = 0; k < sizeof(places) / sizeof(places[0]); k++) {
        portion_split(*(const usd *)(const void *)((const char *)whole + places[k]), batch->weights, batch->count,
                      parts);
        for (size_t i = 0; i < batch->count; i++)
            *(usd *)(void *)((char *)&batch->members[i].flight->part->kinds + places[k]) = parts[i];
    }
    for (size_t i = 0; i < batch->count; i++) {
        struct batch_part *part = batch->members[i].flight->part;

        part->cost = part->kinds.total = part->kinds.input + part->kinds.output + part->kinds.other;
    }
    free(parts);
}

static void
split_total(struct batch *batch, const struct cost *kinds, usd total)
{
    int64_t *parts = must_calloc(batch->count, sizeof(*parts));

    if (usd_known(total))
        portion_split(total, batch->weights, batch->count, parts);
    for (size_t i = 0; i < batch->count; i++) {
        batch->members[i].flight->part->cost = usd_known(total) ? parts[i] : USD_UNKNOWN;
        batch->members[i].flight->part->kinds = *kinds;
    }
    free(parts);
}

/* What a failure cost, if anything, is everybody's alike: nothing tells whose it was. An engine that is paid by the hour
 * worked in any case. */
static void
split_cost(struct batch *batch)
{
    const struct flight *call = batch->cursor.flight;
    struct cost kinds;
    usd total;
    bool by_book;
    bool is_metered = batch->count >= 2 && call->meter.usage_seen && call->state == FLIGHT_COMPLETE;

    if (!is_metered && !facts_hourly(batch->members[0].exchange->plan->facts))
        return;
    kinds = price_call(batch, &total, &by_book);
    for (size_t i = 0; i < batch->count && is_metered && batch->dealt != OK; i++) {
        struct meter *meter = &batch->members[i].flight->meter;

        batch->weights[i] = 1;
        meter->usage = usage_split(&call->meter.usage, (int64_t)i, (unsigned)batch->count);
        meter->usage_seen = true;
    }
    if (kinds.why_unknown == NULL && total >= 0)
        split_kinds(batch, &kinds);
    else
        split_total(batch, &kinds, total);
    for (size_t i = 0; i < batch->count; i++) {
        batch->members[i].flight->part->priced = true;
        batch->members[i].flight->part->by_book = by_book;
    }
}

/* The shortest time that somebody in it may wait for an answer; USEC_NEVER: any. */
static usec
limit_of(const struct batch *batch)
{
    usec least_us = USEC_NEVER;

    for (size_t i = 0; i < batch->count; i++)
        if (batch->members[i].exchange->request.route->total_us < least_us)
            least_us = batch->members[i].exchange->request.route->total_us;
    return least_us;
}

/* A lone request's answer is learned from when it is settled, as any other. */
static void
learn(const struct batch *batch)
{
    const struct flight *call = batch->cursor.flight;
    const struct exchange *first = batch->members[0].exchange;
    struct experience *experience = first->plan->facts->experience;
    usec took_us = call->ended_us - call->opened_us, limit_us = limit_of(batch);
    struct batch_seen seen = {batch->inputs, batch->count, took_us, batch->held_us, batch->crowded};
    int64_t bytes = 0;

    if (!is_good(call))
        return;
    experience_learn_batch(experience, &seen);
    if (limit_us != USEC_NEVER)
        experience_adapt_batches(experience, took_us <= limit_us, first->request.config->batch_inputs);
    for (size_t i = 0; i < batch->count; i++)
        bytes += batch->members[i].exchange->request_bytes;
    if (batch->count > 1)
        experience_learn(experience, &(struct answer_seen){
                                         .first_token_us = call->first_byte_us - call->opened_us,
                                         .total_us = took_us,
                                         .request_bytes = bytes,
                                         .input_tokens = call->meter.usage.input_tokens,
                                         .exact = call->meter.usage.exactness == USAGE_EXACT,
                                     });
}

/* Dealing out */

static const char OWN_ERROR[] = "{\"error\":{\"message\":\"the backend refused a call that this request shared with "
                                "others (batching)\",\"type\":\"upstream_error\",\"param\":null,\"code\":null}}";

static void
feed_call(struct flight *flight, const struct flight *call)
{
    if (call->status != 0)
        flight_feed_head(flight, call, NULL);
    LIST_EACH(&call->chunks, node, after)
    flight_feed_body(flight, chunk_bytes(CONTAINER_OF(node, struct flight_chunk, link)->bytes));
}

static void
feed_part(struct batch *batch, size_t number)
{
    const struct flight *call = batch->cursor.flight;
    struct flight *flight = batch->members[number].flight;

    if (call->status != 0)
        flight_feed_head(flight, call, "application/json");
    if (batch->dealt == OK)
        flight_feed_body(flight, buffer_content(&batch->answers[number]));
    else if (call->status >= 400)
        flight_feed_body(flight, slice_of(OWN_ERROR));
}

/* The exchange may go on at once, and into the next batch. */
static void
give(struct batch *batch, size_t number)
{
    const struct flight *call = batch->cursor.flight;
    struct batch_member *member = &batch->members[number];

    if (batch->count == 1)
        feed_call(member->flight, call);
    else
        feed_part(batch, number);
    flight_feed_end(member->flight, call);
}

/* Those whose call was spoiled: they share the next with fewer, or with nobody. */
static void
mark_spoilt(struct batch *batch)
{
    const struct flight *call = batch->cursor.flight;
    struct refusal said = {0};

    if (batch->count < 2 || batch->dealt == OK)
        return;
    if (call->status >= 400)
        said = reach_read_refusal(call, &batch->members[0].exchange->arena, world_wall_us(worker_world(batch->worker)));
    for (size_t i = 0; i < batch->count; i++) {
        struct batch_ticket *ticket = batch->members[i].exchange->ticket;

        ticket->spoiled++;
        ticket->group = (size_t)sqrt((double)batch->count);
        batch->members[i].flight->part->unfit = is_good(call) || (call->status >= 300 && call->status < 400) ||
                                                (call->state == FLIGHT_CLOSED && call->status < 300);
        batch->members[i].flight->part->said = said;
    }
    count(&batch->worker->counters, COUNT_BATCHES_SPOILED, 1);
}

static void
free_batch(struct batch *batch)
{
    cursor_leave(&batch->cursor);
    for (size_t i = 0; i < batch->count; i++) {
        flight_release(batch->members[i].flight);
        exchange_drop(batch->members[i].exchange);
        buffer_free(&batch->answers[i]);
    }
    buffer_free(&batch->whole);
    free(batch->answers);
    free(batch->weights);
    free(batch->shares);
    free(batch->members);
    free(batch);
}

static void
hand_out(struct batch *batch)
{
    split_cost(batch);
    mark_spoilt(batch);
    for (size_t i = 0; i < batch->count; i++)
        batch->members[i].exchange->ticket->batch = NULL;
    for (size_t i = 0; i < batch->count; i++)
        give(batch, i);
    free_batch(batch);
}

static void
run_dealing(struct job *job)
{
    struct batch *batch = CONTAINER_OF(job, struct batch, job);

    batch->dealt = embedding_answer_deal(buffer_content(&batch->whole), batch->shares, batch->count, true,
                                         batch->weights, batch->answers);
}

static void
dealing_done(struct job *job)
{
    hand_out(CONTAINER_OF(job, struct batch, job));
}

static void
deal_out(struct batch *batch)
{
    const struct flight *call = batch->cursor.flight;
    struct world *world = worker_world(batch->worker);

    for (size_t i = 0; i < batch->count; i++) {
        const struct batch_ticket *ticket = batch->members[i].exchange->ticket;

        batch->shares[i] = (struct embedding_share){.inputs = ticket->inputs.count, .bytes = ticket->bytes};
    }
    LIST_EACH(&call->chunks, node, after)
    buffer_add(&batch->whole, chunk_bytes(CONTAINER_OF(node, struct flight_chunk, link)->bytes));
    batch->job = (struct job){.run = run_dealing, .done = dealing_done};
    if (buffer_len(&batch->whole) > INLINE_BYTES) {
        world->ops->work(world, &batch->job);
        return;
    }
    run_dealing(&batch->job);
    dealing_done(&batch->job);
}

static void
end(struct batch *batch)
{
    const struct flight *call = batch->cursor.flight;

    batch->over = true;
    learn(batch);
    batch_over(batch);
    if (batch->count > 1 && is_good(call) && !call->is_stream && !call->opaque)
        deal_out(batch);
    else
        hand_out(batch);
}

static void
on_progress(struct cursor *cursor)
{
    struct batch *batch = CONTAINER_OF(cursor, struct batch, cursor);
    struct flight *call = cursor->flight;

    if (!flight_over(call) && batch->count > 1 && call->kept > ELEMENTS_BYTES_MOST)
        flight_stop(call, "the answer is too long to be dealt out");
    if (flight_over(call) && !batch->over)
        end(batch);
}

/* Leaving */

static struct batch_member *
member_of(struct batch *batch, const struct exchange *exchange)
{
    size_t i = 0;

    while (batch->members[i].exchange != exchange)
        i++;
    return &batch->members[i];
}

/* All have left: whoever waits is told; who left last goes its own way. */
static void
close_call(struct batch *batch, const struct exchange *last)
{
    struct flight *call = batch->cursor.flight;

    batch->over = true;
    flight_stop(call, "nobody is left who reads it");
    split_cost(batch);
    batch_over(batch);
    for (size_t i = 0; i < batch->count; i++)
        batch->members[i].exchange->ticket->batch = NULL;
    for (size_t i = 0; i < batch->count; i++) {
        struct batch_member *member = &batch->members[i];

        if (member->exchange != last)
            flight_feed_end(member->flight, call);
        else
            flight_feed_close(member->flight, call);
    }
    free_batch(batch);
}

bool
batch_call_leave(struct batch *batch, const struct exchange *exchange)
{
    struct batch_member *member = member_of(batch, exchange);

    ENSURE(!member->left);
    member->left = true;
    batch->wanted--;
    if (batch->over || batch->wanted > 0)
        return true;
    close_call(batch, exchange);
    return false;
}
