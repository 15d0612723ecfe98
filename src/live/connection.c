#include "live/connection.h"

#include <stdlib.h>

static void on_timer(struct timer *timer);
static bool on_head(struct reader *reader);
static bool on_body(struct reader *reader, struct slice piece);
static bool on_complete(struct reader *reader);
static void on_readable(struct stream *stream);
static void on_hangup(struct stream *stream);
static void on_sent(struct stream *stream);
static void on_broken(struct stream *stream, const char *why);
static void on_tend(struct stream *stream);
static void on_freed(struct stream *stream);

static void
on_connected(struct stream *stream)
{
    (void)stream; /* the TLS handshake is done; the request comes next */
}

static const struct reader_events reader_events = {.head = on_head, .body = on_body, .complete = on_complete};
static const struct stream_events stream_events = {.connected = on_connected,
                                                   .readable = on_readable,
                                                   .hangup = on_hangup,
                                                   .sent = on_sent,
                                                   .broken = on_broken,
                                                   .tend = on_tend,
                                                   .freed = on_freed};

static struct connection *
of_stream(struct stream *stream)
{
    return CONTAINER_OF(stream, struct connection, stream);
}

static bool
is_closed(const struct connection *connection)
{
    return connection->stream.state == STREAM_CLOSED;
}

static const struct application_ops *
ops_of(const struct connection *connection)
{
    return connection->server->application->ops;
}

void
connection_new(struct live_server *server, int fd, const struct client_address *address)
{
    struct connection *connection = must_calloc(1, sizeof(*connection));

    connection->server = server;
    connection->address = *address;
    connection->timer.fire = on_timer;
    connection->answer_left = -1;
    connection->client.world = &server->world->world;
    reader_init(&connection->reader, true, &reader_events);
    connection->reader.head_bytes_most = server->settings->head_most;
    stream_init(&connection->stream, server->world, &stream_events);
    connection->stream.heeds_peer = true;
    list_append(&server->connections, &connection->node);
    server->world->connections++;
    stream_accept(&connection->stream, fd, server->tls);
    /* A client that has just come is about to ask. */
    connection->wait = WAIT_HEAD;
    timers_start(&server->world->timers, &connection->timer,
                 loop_now_us(server->world) + server->settings->patience.header_us);
}

static void
on_freed(struct stream *stream)
{
    struct connection *connection = of_stream(stream);

    reader_free(&connection->reader);
    buffer_free(&connection->waiting);
    free(connection->body);
    free(connection);
}

/* The last thing done with a connection. The application does not hold it any more. */
static void
close_connection(struct connection *connection, bool reset)
{
    ENSURE(!connection->held);
    if (is_closed(connection))
        return;
    timers_stop(&connection->server->world->timers, &connection->timer);
    list_remove(&connection->node);
    stream_close(&connection->stream, reset);
    server_connection_gone(connection->server);
}

/* The application loses its handle because the client is not there any more. */
static void
client_lost(struct connection *connection, bool reset)
{
    if (connection->held) {
        connection->held = false;
        connection->server->world->clients--;
        ops_of(connection)->gone(connection->server->application, &connection->client);
    }
    close_connection(connection, reset);
}

void
connection_cut(struct connection *connection)
{
    client_lost(connection, true);
}

static bool
is_idle(const struct connection *connection)
{
    return !connection->held && !connection->answering && !connection->reader.started &&
           buffer_len(&connection->waiting) == 0;
}

void
connection_close_if_idle(struct connection *connection)
{
    if (is_idle(connection) && connection->stream.unsent == 0)
        close_connection(connection, false);
}

bool
connection_body_pending(const struct connection *connection)
{
    return !connection->request_read && connection->reader.framing.body_len != 0;
}

/* Time */

static enum connection_wait
what_is_awaited(const struct connection *connection)
{
    if (connection->lingering)
        return WAIT_LINGER;
    if (connection->stream.blocked)
        return WAIT_WRITE;
    if (connection->last && connection->answered)
        return WAIT_NOTHING;
    if (connection->reader.state == READER_HEAD)
        return connection->reader.started ? WAIT_HEAD : WAIT_REQUEST;
    if (connection_body_pending(connection) && !connection->paused && !connection->refused)
        return WAIT_BODY;
    return WAIT_NOTHING;
}

static usec
span_of(const struct connection *connection, enum connection_wait wait)
{
    const struct live_patience *patience = &connection->server->settings->patience;

    switch (wait) {
    case WAIT_REQUEST:
        return patience->idle_us;
    case WAIT_HEAD:
        return patience->header_us;
    case WAIT_BODY:
        return patience->body_us;
    case WAIT_WRITE:
        return patience->write_us;
    case WAIT_LINGER:
    case WAIT_NOTHING:
        break;
    }
    return LINGER_US;
}

/* A body may pause as long as there is patience; its bytes bring back what they take at the least speed, so that bytes
 * that trickle do not hold a connection for ever. */
static usec
body_due_us(const struct connection *connection, usec now_us)
{
    usec patience_us = connection->server->settings->patience.body_us;
    uint64_t came = connection->reader.body_bytes - connection->body_then;
    usec most_us = now_us + patience_us, due_us = connection->body_due_us;

    if (connection->wait != WAIT_BODY || came >= (uint64_t)BODY_BYTES_PER_S_LEAST * (uint64_t)patience_us / USEC_PER_S)
        return most_us;
    due_us += (usec)came * USEC_PER_S / BODY_BYTES_PER_S_LEAST;
    return due_us < most_us ? due_us : most_us;
}

/* A timer that is of no use stays: moving it later costs nothing, stopping and starting does. */
void
connection_rearm(struct connection *connection)
{
    enum connection_wait wait = what_is_awaited(connection);
    bool stuck = wait == WAIT_WRITE && connection->stream.sent == connection->sent_then;
    bool absolute = wait == WAIT_HEAD || wait == WAIT_LINGER; /* trickling bytes buy no time */
    usec due_us;

    if (is_closed(connection) || (wait == connection->wait && (absolute || stuck)))
        return;
    due_us = loop_now_us(connection->server->world);
    due_us = wait == WAIT_BODY ? body_due_us(connection, due_us) : due_us + span_of(connection, wait);
    connection->wait = wait;
    connection->sent_then = connection->stream.sent;
    connection->body_then = connection->reader.body_bytes;
    connection->body_due_us = due_us;
    if (wait != WAIT_NOTHING)
        timers_start(&connection->server->world->timers, &connection->timer, due_us);
}

/* The rest of the body is of no use any more: the application answers without. */
static void
bad_body(struct connection *connection, unsigned status)
{
    connection->refused = true;
    connection->last = true;
    if (connection->held && connection->mode != BODY_REFUSED)
        ops_of(connection)->bad_body(connection->server->application, &connection->client, status);
    else if (!connection->held)
        connection_advance(connection);
}

static void
on_timer(struct timer *timer)
{
    struct connection *connection = CONTAINER_OF(timer, struct connection, timer);

    switch (connection->wait) {
    case WAIT_NOTHING:
        break;
    case WAIT_HEAD:
        if (connection->reader.started && !connection->answering)
            answer_refuse(connection, (struct framing_refusal){408, "the request's head took too long to arrive"});
        else
            close_connection(connection, false);
        break;
    case WAIT_BODY:
        bad_body(connection, 408);
        connection_rearm(connection);
        break;
    case WAIT_WRITE:
        client_lost(connection, true);
        break;
    case WAIT_REQUEST:
    case WAIT_LINGER:
        close_connection(connection, false);
        break;
    }
}

/* Requests */

static void
expect_body(struct connection *connection)
{
    const struct framing *framing = &connection->reader.framing;

    if (connection->mode == BODY_COLLECT && framing->body_len > 0 &&
        (uint64_t)framing->body_len > connection->body_most) {
        bad_body(connection, 413);
        return;
    }
    if (framing->expects_continue && connection->mode != BODY_REFUSED && !connection->answering)
        stream_write(&connection->stream, SLICE_LITERAL("HTTP/1.1 100 Continue\r\n\r\n"));
}

static bool
on_head(struct reader *reader)
{
    struct connection *connection = CONTAINER_OF(reader, struct connection, reader);

    connection->held = true;
    connection->server->world->clients++;
    connection->client.user = NULL;
    connection->body_most = SIZE_MAX;
    connection->bodyless = slice_is(reader->head.method, "HEAD");
    connection->mode =
        ops_of(connection)
            ->head(connection->server->application, &connection->client, &reader->head, &connection->body_most);
    if (connection->held)
        expect_body(connection);
    return !is_closed(connection) && !connection->refused;
}

/* Room for `more` bytes: all that is announced if that is little, else doubling. */
static void
grow_body(struct connection *connection, size_t more)
{
    int64_t announced = connection->reader.framing.body_len;
    size_t needed = connection->body_len + more;
    size_t size = connection->body_size;

    if (size >= needed)
        return;
    if (announced > 0 && announced <= 1024 * 1024)
        size = (size_t)announced;
    while (size < needed)
        size = size != 0 ? size * 2 : 16 * 1024;
    if (announced > 0 && size > (size_t)announced)
        size = (size_t)announced;
    connection->body = must_realloc(connection->body, size);
    connection->body_size = size;
}

static void
collect(struct connection *connection, struct slice piece)
{
    if (piece.len > connection->body_most - connection->body_len) {
        bad_body(connection, 413);
        return;
    }
    grow_body(connection, piece.len);
    memcpy(connection->body + connection->body_len, piece.data, piece.len);
    connection->body_len += piece.len;
}

static bool
on_body(struct reader *reader, struct slice piece)
{
    struct connection *connection = CONTAINER_OF(reader, struct connection, reader);

    if (piece.len == 0)
        return true;
    if (connection->held && connection->mode == BODY_COLLECT)
        collect(connection, piece);
    else if (connection->held && connection->mode == BODY_STREAM)
        ops_of(connection)->body(connection->server->application, &connection->client, piece, false);
    return !is_closed(connection) && !connection->refused;
}

static void
hand_over_body(struct connection *connection)
{
    struct chunk *body = chunk_take(connection->body, connection->body_len);

    connection->body = NULL;
    connection->body_len = connection->body_size = 0;
    ops_of(connection)->request(connection->server->application, &connection->client, body);
    chunk_release(body);
}

static bool
on_complete(struct reader *reader)
{
    struct connection *connection = CONTAINER_OF(reader, struct connection, reader);

    connection->request_read = true;
    if (connection->held && connection->mode == BODY_COLLECT)
        hand_over_body(connection);
    else if (connection->held && connection->mode == BODY_STREAM)
        ops_of(connection)->body(connection->server->application, &connection->client, SLICE_NONE, true);
    return !is_closed(connection);
}

/* The reader refuses what comes: before the head is through it is for us to say so, later for the application. */
static void
framing_broken(struct connection *connection)
{
    if (connection->reader.state == READER_HEAD)
        answer_refuse(connection, connection->reader.refusal);
    else
        bad_body(connection, 400);
}

static void
next_request(struct connection *connection)
{
    free(connection->body);
    connection->body = NULL;
    connection->body_len = connection->body_size = 0;
    connection->request_read = connection->answering = connection->answered = false;
    connection->chunked = connection->starved = false;
    connection->answer_left = -1;
    if (connection->paused)
        stream_want(&connection->stream, true);
    connection->paused = false;
    reader_next(&connection->reader);
}

/* Whether what the client sends next is to be looked at now. */
static bool
is_listening(const struct connection *connection)
{
    return !connection->request_read && !connection->refused && !(connection->last && connection->answered);
}

/* A client that pipelines and does not read waits: whoever answers the next request must find room for a short answer. */
static bool
has_room(const struct connection *connection)
{
    return connection->stream.unsent <
           (connection->reader.state == READER_HEAD ? (size_t)UNSENT_LOW_BYTES : (size_t)UNSENT_MOST_BYTES);
}

/* Reads requests from the bytes until one is not yet answered; returns what is left. */
static struct slice
parse(struct connection *connection, struct slice bytes)
{
    connection->parsing = true;
    while (bytes.len > 0 && is_listening(connection) && has_room(connection)) {
        bytes = slice_from(bytes, reader_feed(&connection->reader, bytes));
        if (is_closed(connection))
            return SLICE_NONE;
        if (connection->reader.refusal.status != 0)
            framing_broken(connection);
        else if (connection->answered && connection->request_read && !connection->last)
            next_request(connection);
    }
    connection->parsing = false;
    return bytes;
}

static void
drop(struct connection *connection, size_t len)
{
    connection->dropped += len;
    if (connection->dropped <= LINGER_MOST_BYTES)
        return;
    if (connection->lingering)
        close_connection(connection, true);
    else
        stream_want(&connection->stream, false);
}

static bool
is_deaf(const struct connection *connection)
{
    return connection->refused || connection->lingering || (connection->last && connection->answered);
}

/* Bytes in front of which no others wait. */
static void
take(struct connection *connection, struct slice bytes)
{
    struct slice rest = is_listening(connection) ? parse(connection, bytes) : bytes;

    if (is_closed(connection))
        return;
    if (is_deaf(connection))
        drop(connection, rest.len);
    else
        buffer_add(&connection->waiting, rest);
    connection_advance(connection);
}

static void
take_waiting(struct connection *connection)
{
    struct slice bytes = buffer_content(&connection->waiting);
    struct slice rest = is_listening(connection) ? parse(connection, bytes) : bytes;

    if (is_closed(connection))
        return;
    if (is_deaf(connection))
        rest = SLICE_NONE;
    buffer_consume(&connection->waiting, bytes.len - rest.len);
    buffer_trim(&connection->waiting, 0);
    if (!connection->paused && rest.len <= WAITING_MOST_BYTES)
        stream_want(&connection->stream, true);
}

/* The client has closed its side, or all of it. Before its answer is finished it counts as gone. */
static void
peer_left(struct connection *connection)
{
    bool finished = connection->answered && connection->stream.unsent > 0 && !connection->lingering;

    if (!finished) {
        client_lost(connection, false);
        return;
    }
    connection->last = true;
    connection->stream.heeds_peer = false;
    stream_want(&connection->stream, false);
}

static void
on_readable(struct stream *stream)
{
    struct connection *connection = of_stream(stream);
    enum stream_read got;
    size_t len = 0;

    do {
        got = stream_read(stream, stream->world->scratch, SCRATCH_BYTES, &len);
        if (got == STREAM_END || got == STREAM_FAILED) {
            peer_left(connection);
            return;
        }
        if (got == STREAM_SOME && buffer_len(&connection->waiting) > 0)
            buffer_add(&connection->waiting, slice_make(stream->world->scratch, len));
        else if (got == STREAM_SOME)
            take(connection, slice_make(stream->world->scratch, len));
    } while (got == STREAM_SOME && !is_closed(connection) && stream->reading && stream->ssl != NULL &&
             SSL_has_pending(stream->ssl));
    if (!is_closed(connection) && buffer_len(&connection->waiting) > WAITING_MOST_BYTES)
        stream_want(stream, false);
    connection_rearm(connection);
}

static void
on_hangup(struct stream *stream)
{
    peer_left(of_stream(stream));
}

static void
on_tend(struct stream *stream)
{
    struct connection *connection = of_stream(stream);

    if (buffer_len(&connection->waiting) > 0)
        take_waiting(connection);
    else if (stream->ssl != NULL && stream->reading && SSL_has_pending(stream->ssl))
        on_readable(stream);
    connection_advance(connection);
    connection_rearm(connection);
}

/* Closing a socket for which bytes wait, or come later, resets the connection, and what the client has not read of its
 * answer is lost with it. So we end our side only, and read until the client ends its own (RFC 9112, 9.6). Whether more
 * comes nobody can know: a client may send on behind a request that is complete. */
static void
linger_or_close(struct connection *connection)
{
    if (connection->cut || connection->stream.ended) {
        close_connection(connection, connection->reset);
        return;
    }
    connection->lingering = true;
    stream_end_writing(&connection->stream);
    stream_want(&connection->stream, true);
    connection_rearm(connection);
}

void
connection_advance(struct connection *connection)
{
    bool over = connection->answered && (connection->request_read || connection->last);

    if (is_closed(connection) || connection->parsing)
        return;
    if ((over || connection->cut) && connection->last) {
        if ((connection->stream.unsent == 0 || connection->reset) && !connection->lingering)
            linger_or_close(connection);
        return;
    }
    if (over) {
        next_request(connection);
        connection_rearm(connection);
    }
    if (!is_closed(connection) && !connection->request_read && buffer_len(&connection->waiting) > 0 &&
        has_room(connection))
        stream_ask(&connection->stream);
}

static void
on_sent(struct stream *stream)
{
    struct connection *connection = of_stream(stream);

    if (connection->starved && connection->held && stream->unsent < UNSENT_LOW_BYTES) {
        connection->starved = false;
        ops_of(connection)->drained(connection->server->application, &connection->client);
    }
    if (is_closed(connection))
        return;
    buffer_trim(&stream->out, KEPT_BUFFER_BYTES);
    connection_advance(connection);
    if (stream->blocked || connection->wait == WAIT_WRITE)
        connection_rearm(connection);
}

static void
on_broken(struct stream *stream, const char *why)
{
    (void)why;
    client_lost(of_stream(stream), false);
}
