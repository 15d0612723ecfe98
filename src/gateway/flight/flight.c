#define _GNU_SOURCE /* mempcpy */
#include "gateway/flight/flight.h"

#include <stdlib.h>

#include "gateway/attempt/secret.h"
#include "gateway/flight/flight_inside.h"
#include "gateway/flight/flight_ticket.h"

enum {
    EVENT_BYTES_MOST = 1024 * 1024, /* a longer event is passed on in pieces, unread */
    PAUSE_ABOVE_BYTES = 256 * 1024, /* a reader this far behind pauses the backend; at half of it, it goes on */
    SECRET_BYTES_LEAST = 8          /* a shorter one would be found in ordinary words */
};

/* Most heads fit into the memory that a flight begins with. So many flights are kept for further ones. */
enum { ARENA_BYTES = 1024, SPARE_MOST = 256 };

struct flight_block {
    struct flight flight;
    _Alignas(16) char arena[ARENA_BYTES];
};

/* A kept connection that its peer had closed breaks at once; one that breaks later may have been worked on. */
static const usec STALE_US = USEC_PER_S;

/* Allowed moves of an attempt; only flight_move changes the state. */
static const bool moves[5][5] = {
    [FLIGHT_OPENING] = {[FLIGHT_ANSWERING] = true, [FLIGHT_FAILED] = true, [FLIGHT_CLOSED] = true},
    [FLIGHT_ANSWERING] = {[FLIGHT_COMPLETE] = true, [FLIGHT_FAILED] = true, [FLIGHT_CLOSED] = true},
};

const char *
flight_state_name(enum flight_state state)
{
    static const char *const names[] = {"opening", "answering", "ok", "failed", "closed"};

    return names[state];
}

void
flight_move(struct flight *flight, enum flight_state to)
{
    ENSURE(moves[flight->state][to]);
    flight->state = to;
    if (!flight_over(flight))
        return;
    flight->ended_us = world_now_us(flight->world);
    flight_ticket_end(flight);
}

bool
flight_over(const struct flight *flight)
{
    return flight->state >= FLIGHT_COMPLETE;
}

void
flight_hold(struct flight *flight)
{
    flight->holders++;
}

/* Some backends repeat in their errors the key that they refuse. It is ours, and no client's. */
static bool
may_tell_secret(const struct flight *flight)
{
    return flight->status >= 400 && secret_is_long(flight->secret);
}

void
flight_hide_secret(const struct flight *flight, char *bytes, size_t len)
{
    if (may_tell_secret(flight))
        secret_hide(flight->secret, bytes, len);
}

void
flight_append(struct flight *flight, struct slice bytes, enum meter_event event, bool open_event)
{
    struct flight_chunk *chunk = must_calloc(1, sizeof(*chunk));

    chunk->bytes = chunk_from(bytes);
    flight_hide_secret(flight, chunk->bytes->data, bytes.len);
    chunk->usage_only = event == METER_USAGE_ONLY;
    chunk->last_event = event == METER_LAST;
    chunk->open_event = open_event;
    if (flight->keep != NULL)
        kept_add(flight->keep,
                 (struct kept_chunk){chunk->bytes, chunk->usage_only, chunk->last_event, chunk->open_event});
    flight_add_chunk(flight, chunk);
}

static struct flight *
flight_of(struct call *call)
{
    return CONTAINER_OF(call, struct flight, call);
}

static bool
is_event_stream(const struct http_head *head)
{
    struct slice type = http_head_get(head, "content-type");

    return slice_is_nocase(slice_first(type, 17), "text/event-stream");
}

/* We ask for no coding; what comes in one all the same can be passed on, not read. */
static bool
is_coded(const struct http_head *head)
{
    struct slice coding = http_head_get(head, "content-encoding");

    return coding.len > 0 && !slice_is_nocase(coding, "identity");
}

static struct slice
put_text(char **to, struct slice text)
{
    struct slice copy = slice_make(*to, text.len);

    if (text.len != 0)
        *to = mempcpy(*to, text.data, text.len);
    return copy;
}

const struct http_header *
flight_copy_headers(struct arena *arena, const struct http_header *from, size_t count)
{
    struct http_header *headers;
    size_t len = 0;
    char *to;

    for (size_t i = 0; i < count; i++)
        len += from[i].name.len + from[i].value.len;
    headers = arena_alloc(arena, count * sizeof(*headers) + len);
    to = (char *)(headers + count);
    for (size_t i = 0; i < count; i++) {
        headers[i].name = put_text(&to, from[i].name);
        headers[i].value = put_text(&to, from[i].value);
    }
    return headers;
}

static void
on_head(struct call *call, const struct http_head *head)
{
    struct flight *flight = flight_of(call);

    flight->status = head->status;
    flight->headers = flight_copy_headers(&flight->arena, head->headers, head->header_count);
    for (size_t i = 0; i < head->header_count; i++) /* our own copies */
        flight_hide_secret(flight, (char *)(uintptr_t)flight->headers[i].value.data, flight->headers[i].value.len);
    flight->header_count = head->header_count;
    flight->body_len = head->body_len;
    flight->opaque = is_coded(head);
    flight->is_stream = !flight->opaque && is_event_stream(head);
    flight_tell_head(flight);
    flight_move(flight, FLIGHT_ANSWERING);
    if (flight->translation != NULL)
        flight_translate_head(flight);
    flight_wake_all(flight);
}

/* Cuts the bytes at the ends of events and meters each. */
void
flight_take_stream(struct flight *flight, struct slice input)
{
    struct slice frame;
    enum sse_piece piece;

    while ((piece = sse_next(&flight->framer, &input, &frame)) != SSE_NOTHING) {
        enum meter_event event = piece == SSE_FRAME ? meter_frame(&flight->meter, frame) : METER_PLAIN;

        if (flight->translation != NULL && piece == SSE_FRAME) {
            flight_translate_frame(flight, frame);
        } else if (flight->translation != NULL) {
            flight_translate_unread(flight);
        } else if (piece == SSE_FRAME) {
            flight_tell_frame(flight, frame, event, false);
        } else {
            flight->unread = true;
            flight->meter.answer_bytes += (int64_t)frame.len;
            flight->meter.text.cut = true; /* unread */
            flight_append(flight, frame, METER_PLAIN, flight->framer.oversized);
        }
        if (flight_over(flight))
            return; /* it could not be told */
    }
}

/* The newest piece of a buffered answer waits to be metered: if it is the only one, it need not be copied. */
static void
meter_unmetered(struct flight *flight)
{
    if (flight->unmetered == NULL)
        return;
    meter_piece(&flight->meter, chunk_bytes(flight->unmetered));
    chunk_release(flight->unmetered);
    flight->unmetered = NULL;
}

void
flight_meter_all(struct flight *flight)
{
    if (flight->unmetered != NULL && flight->meter.answer_bytes == 0) {
        meter_whole(&flight->meter, chunk_bytes(flight->unmetered));
        chunk_release(flight->unmetered);
        flight->unmetered = NULL;
        return;
    }
    meter_unmetered(flight);
    meter_end(&flight->meter);
}

int64_t
flight_answer_bytes(const struct flight *flight)
{
    int64_t unmetered = flight->unmetered != NULL ? (int64_t)flight->unmetered->len : 0;

    return flight->meter.answer_bytes + unmetered + (int64_t)buffer_len(&flight->untold);
}

void
flight_take_piece(struct flight *flight, struct slice piece)
{
    meter_unmetered(flight);
    flight_append(flight, piece, METER_PLAIN, true);
    flight->unmetered = chunk_hold(CONTAINER_OF(flight->chunks.prev, struct flight_chunk, link)->bytes);
}

/* What may be the start of the secret waits for what follows; a whole one goes first, for it may end as it starts. */
static void
take_error(struct flight *flight, struct slice piece)
{
    struct buffer *withheld = &flight->withheld;
    struct slice whole;

    buffer_add(withheld, piece);
    flight_hide_secret(flight, withheld->data + withheld->start, buffer_len(withheld));
    whole = buffer_content(withheld);
    whole = slice_first(whole, whole.len - secret_begun(flight->secret, whole));
    if (whole.len > 0)
        flight_take_piece(flight, whole);
    buffer_consume(withheld, whole.len);
}

static void
on_body(struct call *call, struct slice piece)
{
    struct flight *flight = flight_of(call);

    if (flight->first_byte_us == 0)
        flight->first_byte_us = world_now_us(flight->world);
    if (flight->is_stream) {
        flight_take_stream(flight, piece);
    } else if (flight->translation != NULL || flight_gathers(flight)) {
        flight_translate_piece(flight, piece);
    } else if (may_tell_secret(flight)) {
        take_error(flight, piece);
    } else {
        flight_take_piece(flight, piece);
    }
    flight_ticket_tell(flight);
    flight_hold(flight);
    flight_wake_all(flight);
    flight_pause_if_behind(flight);
    flight_release(flight);
}

/* An API's stream that closes without having said that it is done was cut, however clean the connection's end. What an
 * event too long to be read has said is not known: then a clean end counts. */
static bool
ended_early(const struct flight *flight)
{
    return flight->is_stream && !flight->unread && flight->status < 300 && flight->meter.api != API_PASSTHROUGH &&
           !flight->meter.finished && !flight->meter.failed;
}

static void
end_translated(struct flight *flight, struct slice rest)
{
    if (flight->is_stream && rest.len > 0) {
        meter_frame(&flight->meter, rest);
        flight_translate_frame(flight, rest);
    }
    if (!flight_over(flight) && !ended_early(flight))
        flight_translate_end(flight);
}

static void
on_end(struct call *call)
{
    struct flight *flight = flight_of(call);
    struct slice rest = sse_rest(&flight->framer);

    call->inside = NULL;
    if (flight->translation != NULL) {
        end_translated(flight, rest);
    } else if (flight_gathers(flight)) {
        flight_tell_gathered(flight);
    } else if (!flight->is_stream) {
        if (buffer_len(&flight->withheld) > 0)
            flight_take_piece(flight, buffer_content(&flight->withheld));
        flight_meter_all(flight);
    } else if (rest.len > 0) {
        /* The end of the connection ends the last event too. */
        flight_tell_frame(flight, rest, meter_frame(&flight->meter, rest), true);
    }
    if (flight->telling != NULL)
        return; /* it goes on when that is done */
    if (flight_over(flight)) {
        ENSURE(flight->state == FLIGHT_FAILED); /* it could not be told */
    } else if (ended_early(flight)) {
        flight->failure = CALL_BROKEN;
        flight->why = "the backend ended the stream before the answer was complete";
        flight_move(flight, FLIGHT_FAILED);
    } else {
        flight_move(flight, FLIGHT_COMPLETE);
    }
    flight_wake_all(flight);
}

static void
on_failed(struct call *call, enum call_failure failure, const char *text)
{
    struct flight *flight = flight_of(call);

    call->inside = NULL;
    flight->failure = failure;
    flight->why = arena_strdup(&flight->arena, text);
    flight_move(flight, FLIGHT_FAILED);
    flight_wake_all(flight);
}

static void
on_writable(struct call *call)
{
    struct flight *flight = flight_of(call);

    if (flight->writable != NULL)
        flight->writable(flight->context);
}

static const struct call_events flight_events = {
    .head = on_head,
    .body = on_body,
    .end = on_end,
    .failed = on_failed,
    .writable = on_writable,
};

void
flights_init(struct flights *flights)
{
    *flights = (struct flights){.most = FLIGHTS_KEPT_MOST};
    spares_init(&flights->blocks, sizeof(struct flight_block), SPARE_MOST);
}

void
flights_free(struct flights *flights)
{
    ENSURE(flights->kept == 0);
    spares_clear(&flights->blocks);
}

struct flight *
flight_new(struct world *world, struct flights *all, enum api api, enum dialect dialect)
{
    struct flight_block *block = spares_take(&all->blocks);
    struct flight *flight = &block->flight;

    memset(flight, 0, sizeof(*flight));
    flight->world = world;
    flight->all = all;
    flight->holders = 1;
    flight->body_len = -1;
    flight->pause_above = PAUSE_ABOVE_BYTES;
    flight->opened_us = world_now_us(world);
    arena_lend(&flight->arena, block->arena, sizeof(block->arena));
    sse_init(&flight->framer, EVENT_BYTES_MOST);
    meter_init(&flight->meter, api, dialect);
    list_init(&flight->chunks);
    list_init(&flight->cursors);
    return flight;
}

struct flight *
flight_open(struct world *world, struct flights *all, const struct target *target, enum api api,
            const struct call_request *request)
{
    struct flight *flight = flight_new(world, all, api, target->backend->dialect);

    flight->target = target;
    flight->call.events = &flight_events;
    world->ops->call_open(world, &flight->call, request);
    return flight;
}

static void
close_call(struct flight *flight)
{
    if (flight->call.inside != NULL)
        flight->world->ops->call_close(flight->world, &flight->call);
    flight->call.inside = NULL;
    flight_move(flight, FLIGHT_CLOSED);
}

void
flight_stop(struct flight *flight, const char *why)
{
    flight->why = arena_strdup(&flight->arena, why);
    close_call(flight);
}

void
flight_close_if_unread(struct flight *flight)
{
    if (!flight_over(flight) && list_empty(&flight->cursors) && !flight->is_mirror)
        close_call(flight);
}

void
flight_release(struct flight *flight)
{
    ENSURE(flight->holders > 0);
    if (--flight->holders > 0)
        return;
    flight_close_if_unread(flight);
    LIST_EACH(&flight->chunks, node, after)
    flight_drop_chunk(flight, CONTAINER_OF(node, struct flight_chunk, link));
    chunk_release(flight->unmetered);
    kept_release(flight->keep);
    prefix_chain_release(flight->chain);
    buffer_free(&flight->withheld);
    flight_translate_free(flight);
    sse_free(&flight->framer);
    meter_free(&flight->meter);
    arena_reset(&flight->arena);
    spares_give(&flight->all->blocks, CONTAINER_OF(flight, struct flight_block, flight));
}

bool
flight_did_nothing(const struct flight *flight)
{
    const struct call *call = &flight->call;
    bool closed_on_us = flight->state == FLIGHT_FAILED && flight->failure == CALL_BROKEN && call->reused &&
                        !call->answer_byte_in && flight->ended_us - flight->opened_us < STALE_US;

    return flight->status == 0 && (!call->request_byte_out || closed_on_us);
}
