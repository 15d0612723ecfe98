#include "live/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "live/tls.h"

enum { PIECES_AT_ONCE = 16 };

/* libuv's handle outlives the socket by a moment, hence apart. */
struct poller {
    uv_poll_t handle;
    struct stream *stream; /* NULL: detached, being closed */
};

static void on_poll(uv_poll_t *handle, int status, int events);

void
stream_init(struct stream *stream, struct live_world *world, const struct stream_events *events)
{
    *stream = (struct stream){.events = events, .world = world, .fd = -1};
}

static void
free_poller(uv_handle_t *handle)
{
    free(CONTAINER_OF(handle, struct poller, handle));
}

static void
watch(struct stream *stream)
{
    struct poller *poller = must_calloc(1, sizeof(*poller));
    int failed = uv_poll_init(&stream->world->loop, &poller->handle, stream->fd);

    ENSURE(!failed);
    poller->stream = stream;
    stream->poller = poller;
    stream->interest = 0;
}

/* Each change costs system calls, hence only when something changes. */
static void
update_interest(struct stream *stream)
{
    bool busy = stream->state == STREAM_CONNECTING || stream->blocked;
    bool reads = stream->reading && stream->state == STREAM_OPEN;
    int wanted = busy ? UV_WRITABLE : 0;
    int failed;

    if (stream->poller == NULL)
        return;
    if (stream->state == STREAM_HANDSHAKE)
        wanted |= SSL_want_write(stream->ssl) ? UV_WRITABLE : UV_READABLE;
    else
        wanted |= reads ? UV_READABLE : stream->state == STREAM_OPEN && stream->heeds_peer ? UV_DISCONNECT : 0;
    if (wanted == stream->interest)
        return;
    stream->interest = wanted;
    failed = uv_poll_start(&stream->poller->handle, wanted, on_poll);
    ENSURE(!failed);
}

void
stream_accept(struct stream *stream, int fd, SSL_CTX *tls)
{
    ENSURE(stream->state == STREAM_NEW);
    stream->fd = fd;
    stream->reading = true;
    stream->state = STREAM_OPEN;
    watch(stream);
    if (tls != NULL) {
        stream->ssl = tls_accept(tls, fd);
        stream->state = STREAM_HANDSHAKE;
    }
    update_interest(stream);
}

enum status
stream_connect(struct stream *stream, const struct sockaddr *address, socklen_t len, SSL *ssl)
{
    const int yes = 1;

    ENSURE(stream->state == STREAM_NEW);
    stream->ssl = ssl;
    stream->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (stream->fd < 0)
        return ERR_IO;
    setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    if (connect(stream->fd, address, len) != 0 && errno != EINPROGRESS)
        return ERR_IO;
    stream->state = STREAM_CONNECTING;
    stream->reading = true;
    stream->ended = false;
    watch(stream);
    update_interest(stream);
    return OK;
}

static void
detach(struct stream *stream)
{
    list_remove(&stream->dirty);
    list_remove(&stream->ready);
    if (stream->poller != NULL) {
        stream->poller->stream = NULL;
        uv_close((uv_handle_t *)&stream->poller->handle, free_poller);
        stream->poller = NULL;
    }
    SSL_free(stream->ssl);
    stream->ssl = NULL;
    if (stream->fd >= 0)
        close(stream->fd);
    stream->fd = -1;
    stream->blocked = stream->failing = false;
}

void
stream_disconnect(struct stream *stream)
{
    ENSURE(stream->state != STREAM_CLOSED);
    detach(stream);
    stream->state = STREAM_NEW;
    stream->sent = 0;
}

static void
set_unsent(struct stream *stream, size_t unsent)
{
    atomic_store_explicit(&stream->world->unsent, loop_unsent(stream->world) + unsent - stream->unsent,
                          memory_order_relaxed);
    stream->unsent = unsent;
}

static void
drop_unsent(struct stream *stream)
{
    for (size_t i = 0; i < stream->segment_count; i++)
        chunk_release(stream->segments[i].owner);
    free(stream->segments);
    stream->segments = NULL;
    stream->segment_count = stream->segment_size = 0;
    buffer_free(&stream->out);
    set_unsent(stream, 0);
}

void
stream_close(struct stream *stream, bool reset)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    if (stream->state == STREAM_CLOSED)
        return;
    if (reset && stream->fd >= 0)
        setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    else if (stream->ssl != NULL && stream->state == STREAM_OPEN && !stream->failing)
        tls_say_goodbye(stream->ssl);
    detach(stream);
    drop_unsent(stream);
    stream->state = STREAM_CLOSED;
    list_append(&stream->world->buried, &stream->ready);
}

void
stream_bury(struct live_world *world)
{
    struct list *node;

    while ((node = list_first(&world->buried)) != NULL) {
        struct stream *stream = CONTAINER_OF(node, struct stream, ready);

        list_remove(node);
        stream->events->freed(stream);
    }
}

void
stream_ask(struct stream *stream)
{
    if (stream->state != STREAM_CLOSED && !list_linked(&stream->ready))
        list_append(&stream->world->ready, &stream->ready);
}

void
stream_tend(struct stream *stream)
{
    list_remove(&stream->ready);
    if (stream->failing)
        stream->events->broken(stream, "the connection broke while sending");
    else
        stream->events->tend(stream);
}

void
stream_want(struct stream *stream, bool reading)
{
    if (stream->reading == reading || stream->state == STREAM_CLOSED)
        return;
    stream->reading = reading;
    update_interest(stream);
    /* What OpenSSL has read already makes no socket readable. */
    if (reading && stream->ssl != NULL && stream->state == STREAM_OPEN && SSL_has_pending(stream->ssl))
        stream_ask(stream);
}

static enum stream_read
read_plain(struct stream *stream, char *into, size_t size, size_t *len)
{
    ssize_t got;

    do
        got = recv(stream->fd, into, size, 0);
    while (got < 0 && errno == EINTR);
    if (got > 0) {
        *len = (size_t)got;
        return STREAM_SOME;
    }
    if (got == 0)
        return STREAM_END;
    return errno == EAGAIN || errno == EWOULDBLOCK ? STREAM_AGAIN : STREAM_FAILED;
}

enum stream_read
stream_read(struct stream *stream, char *into, size_t size, size_t *len)
{
    enum stream_read got;

    if (stream->state != STREAM_OPEN)
        return stream->state == STREAM_CLOSED ? STREAM_FAILED : STREAM_AGAIN;
    got = stream->ssl != NULL ? tls_read(stream->ssl, into, size, len) : read_plain(stream, into, size, len);
    if (got == STREAM_END || got == STREAM_FAILED)
        stream->ended = true;
    stream->empty = got == STREAM_AGAIN;
    return got;
}

/* The next bytes to send, in up to PIECES_AT_ONCE pieces. */
static size_t
next_pieces(const struct stream *stream, struct iovec *pieces)
{
    const char *buffered = stream->out.data + stream->out.start;
    size_t count = 0;

    if (stream->segment_count == 0) {
        pieces[0] = (struct iovec){(void *)(uintptr_t)buffered, stream->unsent};
        return 1;
    }
    for (size_t i = 0; i < stream->segment_count && count < PIECES_AT_ONCE; i++) {
        const struct segment *segment = &stream->segments[i];
        const char *from = segment->owner != NULL ? segment->bytes.data : buffered;

        pieces[count++] = (struct iovec){(void *)(uintptr_t)from, segment->bytes.len};
        if (segment->owner == NULL)
            buffered += segment->bytes.len;
    }
    return count;
}

static void
consume(struct stream *stream, size_t len)
{
    size_t done = 0;

    ENSURE(len <= stream->unsent);
    set_unsent(stream, stream->unsent - len);
    stream->sent += len;
    if (stream->segment_count == 0) {
        buffer_consume(&stream->out, len);
        return;
    }
    while (len > 0) {
        struct segment *segment = &stream->segments[done];
        size_t part = len < segment->bytes.len ? len : segment->bytes.len;

        if (segment->owner == NULL)
            buffer_consume(&stream->out, part);
        segment->bytes.data = segment->owner != NULL ? segment->bytes.data + part : NULL;
        segment->bytes.len -= part;
        len -= part;
        if (segment->bytes.len > 0)
            break;
        chunk_release(segment->owner);
        done++;
    }
    stream->segment_count -= done;
    memmove(stream->segments, stream->segments + done, stream->segment_count * sizeof(struct segment));
}

/* One attempt to send; *len is what was taken. */
static enum stream_read
send_once(struct stream *stream, size_t *len)
{
    struct iovec pieces[PIECES_AT_ONCE];
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = next_pieces(stream, pieces)};
    ssize_t sent;

    if (stream->ssl != NULL)
        return tls_write(stream->ssl, slice_make(pieces[0].iov_base, pieces[0].iov_len), len);
    do
        sent = message.msg_iovlen == 1 ? send(stream->fd, pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL)
                                       : sendmsg(stream->fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    *len = sent > 0 ? (size_t)sent : 0;
    if (sent >= 0)
        return STREAM_SOME;
    return errno == EAGAIN || errno == EWOULDBLOCK ? STREAM_AGAIN : STREAM_FAILED;
}

/* Sends what the kernel takes. */
static void
send_now(struct stream *stream)
{
    bool blocked = false;

    while (stream->unsent > 0 && !blocked && !stream->failing) {
        size_t offered = stream->unsent;
        size_t len = 0;
        enum stream_read outcome = send_once(stream, &len);

        consume(stream, len);
        blocked = outcome == STREAM_AGAIN || (stream->ssl == NULL && stream->segment_count == 0 && len < offered);
        stream->failing = outcome == STREAM_FAILED;
    }
    stream->blocked = blocked;
    update_interest(stream);
}

void
stream_settle(struct stream *stream)
{
    list_remove(&stream->dirty);
    if (stream->state != STREAM_OPEN)
        return; /* once it is connected */
    if (!stream->blocked)
        send_now(stream);
    if (stream->failing)
        stream->events->broken(stream, "the connection broke while sending");
    else
        stream->events->sent(stream);
}

/* After bytes were added. */
static void
mark_dirty(struct stream *stream)
{
    if (stream->unsent == 0)
        return;
    if (!list_linked(&stream->dirty))
        list_append(&stream->world->dirty, &stream->dirty);
    if (stream->unsent < SEND_EARLY_BYTES || stream->state != STREAM_OPEN || stream->blocked || stream->failing)
        return;
    send_now(stream);
    if (stream->failing)
        stream_ask(stream);
}

static struct segment *
add_segment(struct stream *stream, struct chunk *owner, struct slice bytes)
{
    if (stream->segment_count == stream->segment_size) {
        stream->segment_size = stream->segment_size != 0 ? stream->segment_size * 2 : 8;
        stream->segments = must_realloc(stream->segments, stream->segment_size * sizeof(struct segment));
    }
    stream->segments[stream->segment_count] = (struct segment){owner, bytes};
    return &stream->segments[stream->segment_count++];
}

struct buffer *
stream_begin(struct stream *stream)
{
    ENSURE(stream->state != STREAM_CLOSED);
    return &stream->out;
}

void
stream_done(struct stream *stream)
{
    size_t described = 0;
    size_t buffered = buffer_len(&stream->out);

    if (stream->segment_count == 0) {
        set_unsent(stream, buffered);
        mark_dirty(stream);
        return;
    }
    for (size_t i = 0; i < stream->segment_count; i++)
        if (stream->segments[i].owner == NULL)
            described += stream->segments[i].bytes.len;
    ENSURE(buffered >= described);
    if (buffered > described) {
        add_segment(stream, NULL, slice_make(NULL, buffered - described));
        set_unsent(stream, stream->unsent + buffered - described);
    }
    mark_dirty(stream);
}

void
stream_write(struct stream *stream, struct slice bytes)
{
    if (stream->state == STREAM_CLOSED || stream->failing || bytes.len == 0)
        return;
    buffer_add(stream_begin(stream), bytes);
    stream_done(stream);
}

void
stream_write_held(struct stream *stream, struct slice bytes, struct chunk *owner)
{
    if (stream->state == STREAM_CLOSED || stream->failing || bytes.len == 0)
        return;
    if (bytes.len < HELD_LEAST_BYTES) {
        stream_write(stream, bytes);
        return;
    }
    if (stream->segment_count == 0 && stream->unsent > 0)
        add_segment(stream, NULL, slice_make(NULL, stream->unsent));
    add_segment(stream, chunk_hold(owner), bytes);
    set_unsent(stream, stream->unsent + bytes.len);
    mark_dirty(stream);
}

void
stream_end_writing(struct stream *stream)
{
    if (stream->ssl != NULL && stream->state == STREAM_OPEN)
        tls_say_goodbye(stream->ssl);
    if (stream->fd >= 0)
        shutdown(stream->fd, SHUT_WR);
}

static void
be_open(struct stream *stream)
{
    stream->state = STREAM_OPEN;
    update_interest(stream);
    if (stream->unsent > 0 && !list_linked(&stream->dirty))
        list_append(&stream->world->dirty, &stream->dirty);
    stream->events->connected(stream);
}

static void
handshake(struct stream *stream)
{
    char why[TLS_WORDS_SIZE];
    enum stream_read outcome = tls_handshake(stream->ssl, why);

    if (outcome == STREAM_AGAIN) {
        update_interest(stream);
        return;
    }
    if (outcome != STREAM_SOME) {
        stream->events->broken(stream, why);
        return;
    }
    be_open(stream);
    /* The peer's first bytes may have come with the end of the handshake. */
    if (stream->state == STREAM_OPEN && stream->reading && SSL_has_pending(stream->ssl))
        stream->events->readable(stream);
}

static void
connected(struct stream *stream)
{
    int error = 0;
    socklen_t len = sizeof(error);

    if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error != 0) {
        stream->events->broken(stream, strerror(error));
        return;
    }
    if (stream->ssl != NULL) {
        stream->state = STREAM_HANDSHAKE;
        tls_attach(stream->ssl, stream->fd);
        handshake(stream);
        return;
    }
    be_open(stream);
}

/* libuv has seen an error on the socket and stopped watching it. What came before the error is still to be read. */
static void
drain_after_error(struct stream *stream)
{
    stream->interest = 0;
    stream->empty = false;
    while (stream->state == STREAM_OPEN && stream->reading && !stream->ended && !stream->empty)
        stream->events->readable(stream);
    if (stream->state == STREAM_OPEN && !stream->ended && (stream->empty || stream->heeds_peer))
        stream->events->hangup(stream);
}

static void
writable_again(struct stream *stream)
{
    stream->blocked = false;
    if (stream->unsent > 0 && !list_linked(&stream->dirty))
        list_append(&stream->world->dirty, &stream->dirty);
    if (stream->unsent == 0)
        update_interest(stream);
}

static void
react(struct stream *stream, int status, int events)
{
    if (stream->state == STREAM_CONNECTING) {
        connected(stream);
    } else if (stream->state == STREAM_HANDSHAKE) {
        handshake(stream);
    } else if (status < 0) {
        drain_after_error(stream);
    } else {
        if ((events & UV_WRITABLE) != 0)
            writable_again(stream);
        if ((events & UV_READABLE) != 0)
            stream->events->readable(stream);
        else if ((events & UV_DISCONNECT) != 0)
            stream->events->hangup(stream);
    }
}

static struct stream *
stream_of(uv_poll_t *handle)
{
    return CONTAINER_OF(handle, struct poller, handle)->stream;
}

static void
on_poll(uv_poll_t *handle, int status, int events)
{
    struct live_world *world;

    if (stream_of(handle) == NULL)
        return;
    world = stream_of(handle)->world;
    loop_enter_together(world);
    if (stream_of(handle) != NULL) /* what it waited for may have changed, too */
        react(stream_of(handle), status, events & stream_of(handle)->interest);
    loop_leave_together(world);
}
