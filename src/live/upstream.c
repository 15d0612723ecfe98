#include "live/upstream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void on_connected(struct stream *stream);
static void on_readable(struct stream *stream);
static void on_hangup(struct stream *stream);
static void on_sent(struct stream *stream);
static void on_broken(struct stream *stream, const char *why);
static void on_tend(struct stream *stream);
static void on_freed(struct stream *stream);
static void on_timer(struct timer *timer);

static const struct stream_events stream_events = {.connected = on_connected,
                                                   .readable = on_readable,
                                                   .hangup = on_hangup,
                                                   .sent = on_sent,
                                                   .broken = on_broken,
                                                   .tend = on_tend,
                                                   .freed = on_freed};

static struct upstream *
of_stream(struct stream *stream)
{
    return CONTAINER_OF(stream, struct upstream, stream);
}

static bool
is_closed(const struct upstream *upstream)
{
    return upstream->stream.state == STREAM_CLOSED;
}

struct upstream *
upstream_new(struct live_world *world, struct pool *pool, struct call *call, const struct endpoint *endpoint)
{
    struct upstream *upstream = must_calloc(1, sizeof(*upstream));

    upstream->world = world;
    upstream->pool = pool;
    upstream->call = call;
    upstream->endpoint = endpoint;
    upstream->timer.fire = on_timer;
    upstream->request_left = -1;
    stream_init(&upstream->stream, world, &stream_events);
    reader_init(&upstream->reader, false, &upstream_reader_events);
    list_append(&world->upstreams, &upstream->node);
    return upstream;
}

static void
on_freed(struct stream *stream)
{
    struct upstream *upstream = of_stream(stream);

    reader_free(&upstream->reader);
    free(upstream);
}

void
upstream_close(struct upstream *upstream)
{
    if (is_closed(upstream))
        return;
    timers_stop(&upstream->world->timers, &upstream->timer);
    list_remove(&upstream->node);
    list_remove(&upstream->place);
    if (upstream->counted)
        upstream->pool->connections--;
    stream_close(&upstream->stream, false);
}

/* Time */

static usec
patience_of(const struct upstream *upstream)
{
    switch (upstream->phase) {
    case UPSTREAM_RESOLVING:
    case UPSTREAM_CONNECTING:
        return upstream->endpoint->connect_timeout_us;
    case UPSTREAM_ASKING:
        return upstream->endpoint->first_byte_timeout_us;
    case UPSTREAM_ANSWERING:
        return upstream->endpoint->idle_timeout_us;
    case UPSTREAM_IDLE:
        return POOL_IDLE_US;
    case UPSTREAM_REFUSED:
        break;
    }
    return 0;
}

/* No patience given means endless patience. A timer that went off in vain is simply not running. */
void
upstream_rearm(struct upstream *upstream)
{
    usec patience_us = patience_of(upstream);

    if (patience_us > 0 && !upstream->paused)
        timers_start(&upstream->world->timers, &upstream->timer, loop_now_us(upstream->world) + patience_us);
    else
        timers_stop(&upstream->world->timers, &upstream->timer);
}

static void
time_over(struct upstream *upstream, const char *what, usec patience_us)
{
    char text[UPSTREAM_WORDS_SIZE];

    snprintf(text, sizeof(text), "%s %s after %.1f s", upstream->endpoint->authority, what,
             (double)patience_us / (double)USEC_PER_S);
    upstream_fail(upstream, CALL_TIMEOUT, text);
}

static void
on_timer(struct timer *timer)
{
    struct upstream *upstream = CONTAINER_OF(timer, struct upstream, timer);

    switch (upstream->phase) {
    case UPSTREAM_RESOLVING:
    case UPSTREAM_CONNECTING:
        time_over(upstream, "gave no connection", patience_of(upstream));
        break;
    case UPSTREAM_ASKING:
        time_over(upstream, "did not begin its answer", patience_of(upstream));
        break;
    case UPSTREAM_ANSWERING:
        if (!upstream->paused)
            time_over(upstream, "fell silent in the middle of its answer", patience_of(upstream));
        break;
    case UPSTREAM_IDLE:
        upstream_close(upstream);
        break;
    case UPSTREAM_REFUSED:
        break;
    }
}

/* Connecting */

static void
unreachable(struct upstream *upstream, const char *why)
{
    char text[UPSTREAM_WORDS_SIZE];

    snprintf(text, sizeof(text), "no connection to %s: %s", upstream->endpoint->authority, why);
    upstream_fail(upstream, CALL_UNREACHABLE, text);
}

/* The addresses in turn, as the resolver sorted them (RFC 6724). */
void
upstream_connect(struct upstream *upstream)
{
    struct pool *pool = upstream->pool;
    const char *why = pool->why;

    upstream->phase = UPSTREAM_CONNECTING;
    while (upstream->address_at < pool->resolved.count) {
        const struct resolved_address *to = &pool->resolved.addresses[upstream->address_at++];

        if (stream_connect(&upstream->stream, (const struct sockaddr *)&to->storage, to->len,
                           pool_tls(pool, upstream->endpoint)) == OK)
            return;
        why = strerror(errno);
        stream_disconnect(&upstream->stream);
    }
    unreachable(upstream, why);
}

void
upstream_begin(struct upstream *upstream)
{
    upstream->phase = UPSTREAM_RESOLVING;
    upstream->address_at = 0;
    upstream_rearm(upstream);
    if (pool_ready(upstream->pool, upstream->endpoint))
        stream_ask(&upstream->stream); /* call_open itself never fails */
    else
        list_append(&upstream->pool->waiting, &upstream->place);
}

static void
on_connected(struct stream *stream)
{
    struct upstream *upstream = of_stream(stream);

    upstream->phase = UPSTREAM_ASKING;
    upstream->sent_before = stream->sent;
    upstream->call->connected_us = loop_now_us(upstream->world);
    upstream_rearm(upstream);
}

/* The kept connection was dead and took nothing of the request: so the peer cannot have seen it (RFC 9112, 9.3.1). */
static bool
may_start_over(const struct upstream *upstream)
{
    return upstream->phase == UPSTREAM_ASKING && upstream->call->reused &&
           upstream->stream.sent == upstream->sent_before;
}

static void
start_over(struct upstream *upstream)
{
    stream_disconnect(&upstream->stream);
    reader_next(&upstream->reader);
    upstream->call->reused = false;
    upstream->sent_before = 0;
    upstream_begin(upstream);
}

/* A backend that refuses a large request answers and closes before it has read all: its answer counts. */
static void
read_last_words(struct upstream *upstream)
{
    struct stream *stream = &upstream->stream;

    upstream->paused = false;
    stream->empty = false;
    while (!is_closed(upstream) && upstream->phase != UPSTREAM_IDLE && !stream->ended && !stream->empty)
        on_readable(stream);
    if (!is_closed(upstream) && upstream->phase != UPSTREAM_IDLE)
        upstream_fail(upstream, CALL_BROKEN, "the connection to the backend broke while the request was being sent");
}

static void
on_broken(struct stream *stream, const char *why)
{
    struct upstream *upstream = of_stream(stream);
    char kept[UPSTREAM_WORDS_SIZE];

    if (upstream->phase == UPSTREAM_IDLE) {
        upstream_close(upstream);
    } else if (upstream->phase == UPSTREAM_CONNECTING) {
        snprintf(kept, sizeof(kept), "%s", why);
        stream_disconnect(stream);
        if (upstream->address_at < upstream->pool->resolved.count)
            upstream_connect(upstream);
        else
            unreachable(upstream, kept);
    } else if (may_start_over(upstream)) {
        start_over(upstream);
    } else {
        read_last_words(upstream);
    }
}

/* The pool */

void
upstream_reuse(struct upstream *upstream, struct call *call, const struct endpoint *endpoint)
{
    ENSURE(upstream->phase == UPSTREAM_IDLE && upstream->stream.unsent == 0);
    list_remove(&upstream->place);
    upstream->phase = UPSTREAM_ASKING;
    upstream->call = call;
    upstream->endpoint = endpoint;
    upstream->sent_before = upstream->stream.sent;
    upstream_rearm(upstream);
}

/* A connection's end is normally noticed as it comes. This is for what came since the loop last looked, and worth its
 * system call only after some time. */
bool
upstream_is_alive(struct upstream *upstream)
{
    char byte;
    ssize_t got;

    if (loop_now_us(upstream->world) - upstream->idle_since_us < POOL_DOUBT_US)
        return true;
    got = recv(upstream->stream.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK;
    return got > 0 && upstream->stream.ssl != NULL; /* perhaps a session ticket */
}

void
upstream_retire(struct upstream *upstream)
{
    bool usable = upstream->reader.keep_alive && upstream->request_whole && upstream->stream.unsent == 0 &&
                  !upstream->stream.ended && !upstream->stream.failing && !upstream->world->stopping;

    upstream->call = NULL;
    upstream->endpoint = NULL;
    if (!usable) {
        upstream_close(upstream);
        return;
    }
    upstream->phase = UPSTREAM_IDLE;
    upstream->idle_since_us = loop_now_us(upstream->world);
    upstream->paused = upstream->starved = upstream->chunked = false;
    upstream->request_left = -1;
    reader_next(&upstream->reader);
    buffer_trim(&upstream->stream.out, 16 * 1024);
    stream_want(&upstream->stream, true);
    list_append(&upstream->pool->idle, &upstream->place);
    upstream_rearm(upstream);
}

/* Reading and writing */

static void
take(struct upstream *upstream, struct slice bytes)
{
    if (upstream->phase == UPSTREAM_IDLE)
        upstream_close(upstream); /* nobody asked for anything */
    else
        upstream_take(upstream, bytes);
}

static void
on_readable(struct stream *stream)
{
    struct upstream *upstream = of_stream(stream);
    struct call *call = upstream->call;
    size_t most = loop_crowded(stream->world) ? CROWDED_READ_BYTES : SCRATCH_BYTES;
    enum stream_read got;
    size_t len = 0;

    do {
        got = stream_read(stream, stream->world->scratch, most, &len);
        if (got == STREAM_SOME)
            take(upstream, slice_make(stream->world->scratch, len));
        else if (got != STREAM_AGAIN && upstream->phase == UPSTREAM_IDLE)
            upstream_close(upstream);
        else if (got != STREAM_AGAIN)
            upstream_ended(upstream);
    } while (got == STREAM_SOME && !is_closed(upstream) && upstream->call == call && stream->reading &&
             stream->ssl != NULL && SSL_has_pending(stream->ssl));
}

/* Nothing to do while we do not read: what there is stays readable. */
static void
on_hangup(struct stream *stream)
{
    struct upstream *upstream = of_stream(stream);

    if (upstream->phase == UPSTREAM_IDLE)
        upstream_close(upstream);
}

static void
on_sent(struct stream *stream)
{
    struct upstream *upstream = of_stream(stream);
    struct call *call = upstream->call;

    if (call == NULL)
        return;
    if (stream->sent > upstream->sent_before)
        call->request_byte_out = true;
    if (upstream->phase == UPSTREAM_ASKING && stream->blocked)
        upstream_rearm(upstream);
    if (upstream->starved && stream->unsent < UPSTREAM_UNSENT_LOW_BYTES) {
        upstream->starved = false;
        if (call->events->writable != NULL)
            call->events->writable(call);
    }
}

static void
on_tend(struct stream *stream)
{
    struct upstream *upstream = of_stream(stream);

    if (upstream->phase == UPSTREAM_REFUSED && upstream->world->cutting)
        upstream_fail(upstream, CALL_UNREACHABLE, "the gateway is stopping");
    else if (upstream->phase == UPSTREAM_REFUSED)
        upstream_fail(upstream, CALL_FULL, "too many connections to this backend are in use");
    else if (upstream->phase == UPSTREAM_RESOLVING)
        upstream_connect(upstream);
    else if (stream->state == STREAM_OPEN && stream->reading)
        on_readable(stream);
}
