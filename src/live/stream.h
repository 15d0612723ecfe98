/* A connected socket, plain or TLS, which never blocks: bytes come by stream_read, go by stream_write into a buffer that is
 * sent when the loop leaves (see loop.h), or earlier when it has grown. Whether there is TLS underneath shows nowhere
 * else.
 *
 * Invariant: `unsent` counts all bytes not yet taken by the kernel or by OpenSSL; with segments, they describe all of
 * them in order; without, they are the content of `out`. */
#ifndef LIVE_STREAM_H
#define LIVE_STREAM_H

#include <openssl/ssl.h>
#include <sys/socket.h>

#include "base/buffer.h"
#include "base/list.h"
#include "live/loop.h"

enum {
    SEND_EARLY_BYTES = 64 * 1024, /* more than this is sent without waiting for the loop to leave */
    HELD_LEAST_BYTES = 16 * 1024  /* parts with an owner at least this large are sent from where they are */
};

enum stream_state { STREAM_NEW, STREAM_CONNECTING, STREAM_HANDSHAKE, STREAM_OPEN, STREAM_CLOSED };

enum stream_read { STREAM_SOME, STREAM_AGAIN, STREAM_END, STREAM_FAILED };

struct stream;

struct stream_events {
    void (*connected)(struct stream *);               /* also the TLS handshake is done */
    void (*readable)(struct stream *);                /* call stream_read until it says AGAIN or wanted bytes are in */
    void (*hangup)(struct stream *);                  /* the peer left while we were not reading (if heeds_peer) */
    void (*sent)(struct stream *);                    /* what could be sent is; the rest is unsent */
    void (*broken)(struct stream *, const char *why); /* connecting or sending failed */
    void (*tend)(struct stream *);                    /* after stream_ask */
    void (*freed)(struct stream *);                   /* closed, nothing refers to it any more: free it */
};

struct poller;

/* Bytes to send that stay where they are, or (owner NULL) the next bytes of `out`. */
struct segment {
    struct chunk *owner;
    struct slice bytes;
};

struct stream {
    const struct stream_events *events;
    struct live_world *world;
    struct poller *poller; /* NULL: not watched */
    SSL *ssl;              /* NULL: plain */
    int fd;                /* -1: none */
    enum stream_state state;
    int interest;    /* what libuv watches for now */
    bool reading;    /* we want to read */
    bool blocked;    /* the kernel took less than offered */
    bool failing;    /* sending failed, `broken` will be called */
    bool ended;      /* the peer's end or an error was read */
    bool empty;      /* the last read found nothing */
    bool heeds_peer; /* wants `hangup` while not reading */
    struct buffer out;
    struct segment *segments;
    size_t segment_count, segment_size;
    size_t unsent;
    uint64_t sent; /* bytes taken since the stream was opened */
    struct list dirty, ready;
};

void stream_init(struct stream *stream, struct live_world *world, const struct stream_events *events);

/* Takes over an accepted socket; with `tls` the handshake follows. */
void stream_accept(struct stream *stream, int fd, SSL_CTX *tls);

/* Connects; `broken` or `connected` follows, never at once. With `ssl` (taken over) the handshake follows. A stream that
 * failed may connect again elsewhere. */
enum status stream_connect(struct stream *stream, const struct sockaddr *address, socklen_t len, SSL *ssl) MUST_CHECK;

/* Reads at most `size` bytes. *len counts with STREAM_SOME only. */
enum stream_read stream_read(struct stream *stream, char *into, size_t size, size_t *len);

/* Starts and stops reading. */
void stream_want(struct stream *stream, bool reading);

/* To send. stream_begin gives the buffer to add to directly; stream_done must follow. */
void stream_write(struct stream *stream, struct slice bytes);
struct buffer *stream_begin(struct stream *stream);
void stream_done(struct stream *stream);

/* As stream_write, but the bytes stay in their owner, which is held meanwhile. */
void stream_write_held(struct stream *stream, struct slice bytes, struct chunk *owner);

/* Asks for `tend` as soon as nothing else is being done. */
void stream_ask(struct stream *stream);

/* No more is sent; the peer sees the end. */
void stream_end_writing(struct stream *stream);

/* Closes; `freed` follows later and nothing else. With `reset` the peer sees an error instead of an end. */
void stream_close(struct stream *stream, bool reset);

/* Drops the connection, but not the unsent bytes, so that stream_connect may try another. */
void stream_disconnect(struct stream *stream);

/* For the loop. */
void stream_settle(struct stream *stream);
void stream_tend(struct stream *stream);
void stream_bury(struct live_world *world);

#endif
