/* A client's connection: requests read one after another, each answered before the next is looked at.
 *
 * A request's life: `held` while the application has its handle; `request_read` once its last byte is in; `answered`
 * once the application has finished. Both of the last: the next request may begin, or the connection closes (`last`).
 *
 * Invariant: held or answered or neither, never both; answered implies answering; while `parsing`, the reader is not
 * reset. */
#ifndef LIVE_CONNECTION_H
#define LIVE_CONNECTION_H

#include "live/reader.h"
#include "live/server.h"
#include "live/stream.h"

enum {
    UNSENT_MOST_BYTES = 256 * 1024, /* an application is made to wait beyond */
    UNSENT_LEAST_BYTES = 32 * 1024, /* the same while a worker has more than its share unsent on all connections */
    UNSENT_LOW_BYTES = 64 * 1024,   /* it may go on below */
    WAITING_MOST_BYTES = 64 * 1024, /* of requests that came before their turn */
    DISCARD_MOST_BYTES = 64 * 1024, /* a body nobody wants is read to its end if it is this short */
    /* Read and dropped after a last answer, so that the client gets to see it: more than both kernels hold of a body that
     * is still being sent. */
    LINGER_MOST_BYTES = 16 * 1024 * 1024,
    KEPT_BUFFER_BYTES = 16 * 1024,
    BODY_BYTES_PER_S_LEAST = 500 /* a request's body that comes more slowly uses up its patience */
};
#define LINGER_US (2 * USEC_PER_S)

/* What the connection's timer stands for. */
enum connection_wait { WAIT_NOTHING, WAIT_REQUEST, WAIT_HEAD, WAIT_BODY, WAIT_WRITE, WAIT_LINGER };

struct connection {
    struct stream stream;
    struct reader reader;
    struct client client;
    struct client_address address;
    struct live_server *server;
    struct list node;
    struct timer timer;
    enum connection_wait wait;
    uint64_t sent_then;    /* stream.sent when the timer was set: more is progress */
    uint64_t body_then;    /* reader.body_bytes when the timer was set */
    usec body_due_us;      /* WAIT_BODY: what comes later is too slow */
    struct buffer waiting; /* bytes read, but not yet looked at */

    enum body_mode mode;
    size_t body_most;
    char *body; /* BODY_COLLECT: so far */
    size_t body_len, body_size;

    bool parsing;
    bool held, request_read, answering, answered;
    bool refused;   /* the rest of what the client sends is of no interest */
    bool paused;    /* by the application */
    bool last;      /* closes after this answer */
    bool cut;       /* aborted: closes when what there is has been sent */
    bool reset;     /* cut, and only a reset tells the client so */
    bool lingering; /* all is sent, waiting for the client to close */
    bool chunked, bodyless;
    bool starved;        /* client_write took less than offered */
    int64_t answer_left; /* -1: not known */
    size_t dropped;      /* bytes read and not looked at */
};

void connection_new(struct live_server *server, int fd, const struct client_address *address);

/* Closes if no request is under way. */
void connection_close_if_idle(struct connection *connection);

/* Closes now; the application is told. */
void connection_cut(struct connection *connection);

/* answer.c */

/* Head of an answer into the connection's buffer. */
void answer_write_head(struct connection *connection, const struct http_answer *answer);

/* A whole answer of our own to what cannot be passed to an application; the connection closes after it. */
void answer_refuse(struct connection *connection, struct framing_refusal refusal);

/* After client_finish, client_abort, or a change in `request_read`: begins the next request, or closes. */
void connection_advance(struct connection *connection);

/* Puts the timer right after progress of any kind. */
void connection_rearm(struct connection *connection);

/* The request's body is expected but not wholly read. */
bool connection_body_pending(const struct connection *connection);

#endif
