#include "live/client.h"

#include <stdio.h>
#include <stdlib.h>

#include "live/head.h"
#include "live/upstream.h"

static bool on_head(struct reader *reader);
static bool on_body(struct reader *reader, struct slice piece);
static bool on_complete(struct reader *reader);

const struct reader_events upstream_reader_events = {.head = on_head, .body = on_body, .complete = on_complete};

static bool
is_closed(const struct upstream *upstream)
{
    return upstream->stream.state == STREAM_CLOSED;
}

/* The request */

/* A target is checked where it is read and made of checked pieces; else it would break the request's line. */
static void
add_target(struct buffer *out, struct slice target)
{
    for (size_t i = 0; i < target.len; i++)
        ENSURE(target.data[i] > ' ' && target.data[i] < 0x7f);
    buffer_add(out, target);
}

/* A body's length is said even if it is zero where a body is usual (RFC 9110, 8.6). */
static bool
usually_has_body(struct slice method)
{
    return slice_is(method, "POST") || slice_is(method, "PUT") || slice_is(method, "PATCH");
}

static void
add_framing(struct upstream *upstream, struct buffer *out, const struct call_request *request, uint64_t body_len)
{
    if (request->streamed && request->stream_len < 0) {
        upstream->chunked = true;
        buffer_add(out, SLICE_LITERAL("Transfer-Encoding: chunked\r\n"));
    } else if (body_len > 0 || usually_has_body(request->method)) {
        buffer_add(out, SLICE_LITERAL("Content-Length: "));
        buffer_add_number(out, body_len);
        buffer_add(out, SLICE_LITERAL("\r\n"));
    }
}

static uint64_t
body_len_of(const struct call_request *request)
{
    uint64_t len = 0;

    if (request->streamed)
        return request->stream_len > 0 ? (uint64_t)request->stream_len : 0;
    for (size_t i = 0; i < request->part_count; i++)
        len += request->parts[i].bytes.len;
    return len;
}

static void
write_head(struct upstream *upstream, const struct call_request *request)
{
    struct buffer *out = stream_begin(&upstream->stream);

    buffer_add(out, request->method);
    buffer_add_byte(out, ' ');
    add_target(out, request->target);
    buffer_add(out, SLICE_LITERAL(" HTTP/1.1\r\nHost: "));
    buffer_add_text(out, request->endpoint->authority);
    buffer_add(out, SLICE_LITERAL("\r\n"));
    head_add_headers(out, request->headers, request->header_count);
    add_framing(upstream, out, request, body_len_of(request));
    buffer_add(out, SLICE_LITERAL("\r\n"));
    stream_done(&upstream->stream);
}

static void
write_request(struct upstream *upstream, const struct call_request *request)
{
    upstream->reader.bodyless = slice_is(request->method, "HEAD");
    upstream->request_whole = !request->streamed;
    upstream->request_left = request->streamed ? request->stream_len : 0;
    write_head(upstream, request);
    for (size_t i = 0; i < request->part_count; i++) {
        const struct body_part *part = &request->parts[i];

        if (part->owner != NULL)
            stream_write_held(&upstream->stream, part->bytes, part->owner);
        else
            stream_write(&upstream->stream, part->bytes);
    }
}

/* The most recently used connection that lives; dead ones found on the way are closed. */
static struct upstream *
take_idle(struct pool *pool)
{
    while (!list_empty(&pool->idle)) {
        struct upstream *upstream = CONTAINER_OF(pool->idle.prev, struct upstream, place);

        if (upstream_is_alive(upstream))
            return upstream;
        upstream_close(upstream);
    }
    return NULL;
}

static bool
is_full(const struct pool *pool, const struct endpoint *endpoint)
{
    return endpoint->connections_most != 0 && pool->connections >= endpoint->connections_most;
}

void
client_call_open(struct world *world, struct call *call, const struct call_request *request)
{
    struct live_world *live_world = live_world_of(world);
    struct pool *pool = pool_get(live_world, request->endpoint);
    bool fresh = request->fresh && !is_full(pool, request->endpoint);
    struct upstream *upstream = fresh ? NULL : take_idle(pool);

    ENSURE(call->inside == NULL && call->events != NULL);
    call->request_byte_out = call->answer_byte_in = false;
    call->reused = upstream != NULL;
    call->opened_us = loop_now_us(live_world);
    call->connected_us = upstream != NULL ? call->opened_us : 0;
    call->head_us = 0;
    live_world->calls++;
    if (upstream != NULL) {
        upstream_reuse(upstream, call, request->endpoint);
    } else {
        upstream = upstream_new(live_world, pool, call, request->endpoint);
        if (is_full(pool, request->endpoint) || live_world->cutting) {
            call->inside = upstream;
            stream_ask(&upstream->stream);
            return;
        }
        upstream->counted = true;
        pool->connections++;
        upstream_begin(upstream);
    }
    call->inside = upstream;
    write_request(upstream, request);
}

void
pool_looked_up(struct pool *pool)
{
    LIST_EACH(&pool->waiting, node, after)
    {
        list_remove(node);
        stream_ask(&CONTAINER_OF(node, struct upstream, place)->stream);
    }
}

size_t
client_call_write(struct world *world, struct call *call, struct slice bytes, bool last)
{
    struct upstream *upstream = call->inside;
    size_t unsent, room;
    struct slice taken;

    (void)world;
    if (upstream == NULL || upstream->stream.failing)
        return 0; /* `failed` was called or follows */
    ENSURE(!upstream->request_whole);
    unsent = upstream->stream.unsent;
    room = unsent < UPSTREAM_UNSENT_MOST_BYTES ? UPSTREAM_UNSENT_MOST_BYTES - unsent : 0;
    taken = slice_first(bytes, room);
    if (upstream->request_left >= 0) {
        ENSURE((uint64_t)upstream->request_left >= taken.len);
        upstream->request_left -= (int64_t)taken.len;
    }
    if (upstream->chunked && taken.len > 0) {
        head_add_chunk(stream_begin(&upstream->stream), taken);
        stream_done(&upstream->stream);
    } else {
        stream_write(&upstream->stream, taken);
    }
    if (taken.len > 0 && upstream->phase >= UPSTREAM_ASKING)
        upstream_rearm(upstream); /* a slow upload is not a slow answer */
    upstream->starved = taken.len < bytes.len;
    if (last && taken.len == bytes.len) {
        ENSURE(upstream->request_left <= 0);
        upstream->request_whole = true;
        if (upstream->chunked)
            stream_write(&upstream->stream, SLICE_LITERAL("0\r\n\r\n"));
    }
    return taken.len;
}

void
client_call_pause(struct world *world, struct call *call, bool paused)
{
    struct upstream *upstream = call->inside;

    (void)world;
    if (upstream == NULL || upstream->paused == paused)
        return;
    upstream->paused = paused;
    stream_want(&upstream->stream, !paused);
    upstream_rearm(upstream);
}

/* The call leaves its connection. */
static struct call *
let_go(struct upstream *upstream)
{
    struct call *call = upstream->call;

    ENSURE(call != NULL && call->inside == upstream);
    if (upstream->stream.sent > upstream->sent_before && upstream->phase >= UPSTREAM_ASKING)
        call->request_byte_out = true;
    call->inside = NULL;
    upstream->call = NULL;
    upstream->world->calls--;
    return call;
}

void
client_call_close(struct world *world, struct call *call)
{
    struct upstream *upstream = call->inside;

    (void)world;
    if (upstream == NULL)
        return;
    let_go(upstream);
    upstream_close(upstream);
}

void
upstream_fail(struct upstream *upstream, enum call_failure failure, const char *text)
{
    struct call *call = let_go(upstream);
    char kept[UPSTREAM_WORDS_SIZE]; /* the text may be the connection's */

    snprintf(kept, sizeof(kept), "%s", text);
    upstream_close(upstream);
    call->events->failed(call, failure, kept);
}

/* The answer */

static bool
on_head(struct reader *reader)
{
    struct upstream *upstream = CONTAINER_OF(reader, struct upstream, reader);
    struct call *call = upstream->call;

    upstream->phase = UPSTREAM_ANSWERING;
    call->head_us = loop_now_us(upstream->world);
    call->events->head(call, &reader->head);
    return !is_closed(upstream);
}

static bool
on_body(struct reader *reader, struct slice piece)
{
    struct upstream *upstream = CONTAINER_OF(reader, struct upstream, reader);

    if (piece.len > 0)
        upstream->call->events->body(upstream->call, piece);
    return !is_closed(upstream);
}

/* What follows is done when the reader has returned, which knows then whether bytes are left over. */
static bool
on_complete(struct reader *reader)
{
    (void)reader;
    return true;
}

static void
answer_complete(struct upstream *upstream, bool clean)
{
    struct call *call = let_go(upstream);

    if (!clean)
        upstream->reader.keep_alive = false; /* bytes that nobody asked for */
    upstream_retire(upstream);
    call->events->end(call);
}

static void
broken(struct upstream *upstream, const char *what)
{
    char text[UPSTREAM_WORDS_SIZE];

    snprintf(text, sizeof(text), "%s %s", upstream->endpoint->authority, what);
    upstream_fail(upstream, CALL_BROKEN, text);
}

void
upstream_take(struct upstream *upstream, struct slice bytes)
{
    struct reader *reader = &upstream->reader;
    char text[UPSTREAM_WORDS_SIZE];
    size_t taken;

    if (upstream->call != NULL)
        upstream->call->answer_byte_in = true;
    taken = reader_feed(reader, bytes);
    if (is_closed(upstream))
        return;
    if (reader->refusal.status != 0) {
        snprintf(text, sizeof(text), "broke the protocol: %s", reader->refusal.text);
        broken(upstream, text);
    } else if (reader->state == READER_COMPLETE) {
        answer_complete(upstream, taken == bytes.len);
    } else if (upstream->phase == UPSTREAM_ANSWERING) {
        upstream_rearm(upstream);
    }
}

void
upstream_ended(struct upstream *upstream)
{
    if (upstream->phase == UPSTREAM_ASKING)
        broken(upstream, upstream->reader.started ? "closed the connection in the middle of the answer's head"
                                                  : "closed the connection without an answer");
    else if (reader_end(&upstream->reader))
        answer_complete(upstream, false);
    else
        broken(upstream, "closed the connection before the end of its answer");
}

void
client_cut(struct live_world *world)
{
    struct list *node;

    while ((node = list_first(&world->upstreams)) != NULL) {
        struct upstream *upstream = CONTAINER_OF(node, struct upstream, node);

        if (upstream->call != NULL)
            upstream_fail(upstream, CALL_BROKEN, "the gateway is stopping");
        else
            upstream_close(upstream);
    }
}

void
client_free(struct live_world *world)
{
    ENSURE(list_empty(&world->upstreams));
    pools_free(world);
}
