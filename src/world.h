/* The one door between decisions and the outside. Everything outside the program that a decision may touch goes through
 * here: time, timers, randomness, clients, calls to backends, durable appends, work off the loop, posts to other
 * workers. Two implementations: live/ (sockets, wall clock, files) and virtual/ (virtual clock, scripted clients,
 * modelled backends, injected faults). No call blocks. Everything here belongs to one worker and is called on it, but
 * for what is marked otherwise.
 *
 * An application (the gateway, the modelled backend) is what a world serves clients with: the world calls the
 * application's functions, the application calls the world's. */
#ifndef WORLD_H
#define WORLD_H

#include "base/chunk.h"
#include "base/slice.h"
#include "base/status.h"
#include "base/timers.h"

struct world;
struct application;

/* Heads of requests and answers */

struct http_header {
    struct slice name; /* as it came; compare with slice_is_nocase */
    struct slice value;
};

/* A head as parsed and checked by the world (framing is the world's: Content-Length, Transfer-Encoding, Connection and
 * the like are not among the headers that an application may send). The bytes belong to the world. */
struct http_head {
    struct slice method; /* requests */
    struct slice target; /* requests: path and query as sent, starts with '/' */
    unsigned status;     /* answers: 200 to 599 */
    const struct http_header *headers;
    size_t header_count;
    int64_t body_len; /* -1: not known beforehand; 0: no body */
};

/* The first header of that name, trimmed; SLICE_NONE if there is none. */
struct slice http_head_find(const struct http_head *head, struct slice name);

static inline struct slice
http_head_get(const struct http_head *head, const char *name)
{
    return http_head_find(head, slice_of(name));
}

/* Clients: one client's request and its answer */

/* How an application wants a request's body. */
enum body_mode {
    BODY_COLLECT, /* whole, in one chunk: application_ops.request follows */
    BODY_STREAM,  /* piece by piece: application_ops.body follows */
    BODY_REFUSED  /* the application has answered already, or will without it: the rest is not read */
};

/* The world's handle of one request; lives until client_finish, client_abort, or `gone`. */
struct client {
    struct world *world;
    void *user; /* the application's */
};

struct client_address {
    char text[64]; /* "10.0.0.1:5123" */
    bool loopback;
};

struct application_ops {
    /* A request's head has come. The head's bytes stay valid as long as the client does. Set client->user here. For
     * BODY_COLLECT *body_most is the largest body wanted in bytes; beyond it, too_large is called. */
    enum body_mode (*head)(struct application *, struct client *, const struct http_head *, size_t *body_most);
    /* BODY_COLLECT: the whole body, empty if there is none. The application may keep it by chunk_hold. */
    void (*request)(struct application *, struct client *, struct chunk *body);
    /* BODY_STREAM: the next piece; `last` with the final one (which may be empty). */
    void (*body)(struct application *, struct client *, struct slice piece, bool last);
    /* The body breaks a limit or its framing is broken (status 413, 400 or 408): answer it, no more of the body comes
     * and the connection closes after the answer. */
    void (*bad_body)(struct application *, struct client *, unsigned status);
    /* After client_write took less than offered: there is room again. */
    void (*drained)(struct application *, struct client *);
    /* The client left before client_finish, also while nothing was being written. The handle is dead on return. */
    void (*gone)(struct application *, struct client *);
};

/* One per worker: embedded first in the application's own struct. */
struct application {
    const struct application_ops *ops;
    struct world *world;
};

/* What an application answers with. Only its own headers; the world adds framing, Date and Connection. */
struct http_answer {
    unsigned status; /* 200 to 599 */
    const struct http_header *headers;
    size_t header_count;
    int64_t body_len; /* exact, or -1: not known (chunked, or closed at the end for HTTP/1.0) */
};

/* Calls: one attempt at one backend */

struct call;

enum call_failure {
    CALL_UNREACHABLE, /* no connection: name, route, refused, TLS */
    CALL_TIMEOUT,     /* connect, first byte or idle time over: which, the text says */
    CALL_BROKEN,      /* the peer broke the protocol or closed before the end */
    CALL_FULL         /* too many connections to this backend */
};

struct call_events {
    void (*head)(struct call *, const struct http_head *); /* head's bytes are valid only during the call */
    void (*body)(struct call *, struct slice piece);       /* unframed bytes as they arrive */
    void (*end)(struct call *);                            /* the answer is complete, by its framing */
    /* At any time before `end`. `text` is for a person; no secrets. The call is closed already. */
    void (*failed)(struct call *, enum call_failure, const char *text);
    void (*writable)(struct call *); /* streamed request bodies: there is room again; may be NULL otherwise */
};

/* Owned by the application, embedded in its attempt; filled with zeros and `events` before call_open. */
struct call {
    const struct call_events *events;
    void *inside;                          /* the world's, NULL when not open */
    bool request_byte_out;                 /* some byte of the request may have reached the peer */
    bool answer_byte_in;                   /* some byte of an answer came, be it nonsense */
    bool reused;                           /* sent on a connection that had served before */
    usec opened_us, connected_us, head_us; /* 0: not yet */
};

/* Where calls go: made once per configured address, shared by all workers, immutable. The world keeps its connection
 * pool by `id`. */
struct endpoint {
    unsigned id;      /* unique in this process, never used again */
    const char *host; /* name or address, without brackets */
    unsigned port;
    bool tls;
    const char *server_name; /* on its certificate, where that is not its host; NULL: it is */
    const char *ca_file;     /* NULL: the system's */
    bool verify;             /* false only where the config says so */
    const char *authority;   /* for the Host header, "host[:port]" */
    bool private_allowed;    /* may resolve to loopback and private addresses */
    bool metadata_allowed;   /* and to those at which clouds hand out credentials */
    usec connect_timeout_us, first_byte_timeout_us, idle_timeout_us;
    unsigned connections_most; /* per worker */
};

/* A piece of a request's body: bytes within `owner`, which the world holds as long as it needs to; without an owner the
 * bytes are copied at once. */
struct body_part {
    struct slice bytes;
    struct chunk *owner;
};

struct call_request {
    const struct endpoint *endpoint;
    struct slice method, target;
    const struct http_header *headers; /* own headers only; the world adds Host and framing */
    size_t header_count;
    const struct body_part *parts; /* the whole body, if not streamed */
    size_t part_count;
    bool fresh;         /* not on a connection that has served before, if there may be one more */
    bool streamed;      /* the body follows by call_write */
    int64_t stream_len; /* its length, or -1 for chunked */
};

/* Messages to other workers: embedded in the sender's struct, which stays until it is delivered. */
struct message {
    void (*deliver)(struct message *, struct world *to);
    struct message *next; /* the world's */
};

/* Work off the loop: `run` on some other thread (touching nothing of the worker's), then `done` on the worker. */
struct job {
    void (*run)(struct job *);
    void (*done)(struct job *);
    void *inside;
};

/* A command of the user's (a credential helper, a validator), run by the shell apart from the loop. */
struct command_run {
    const char *command;
    const char *const *arguments; /* $1, $2, ... to it, NULL-terminated; NULL: none. They stay until `done` */
    struct slice input;           /* to its standard input; stays until `done` */
    usec timeout_us;              /* killed after it */
    size_t output_most;           /* more is cut off */
    /* `exit_status` is -1 if it could not be run, was killed or took too long. `output` lives during the call. */
    void (*done)(struct command_run *, int exit_status, struct slice output);
    void *inside;
};

struct world_ops {
    usec (*now_us)(struct world *);     /* never goes back */
    usec (*wall_us)(struct world *);    /* since the Unix epoch; may jump */
    uint64_t (*random)(struct world *); /* not predictable in the live world; seeded in the virtual one */

    void (*timer_start)(struct world *, struct timer *, usec after_us); /* restart moves it */
    void (*timer_stop)(struct world *, struct timer *);

    /* Clients. Order: client_answer once, then client_write as often as wanted (an answer that may have no body, to HEAD
     * or with 204 or 304, takes and drops all of it), then client_finish; or client_abort at any time, which closes the
     * connection so that the client notices. After finish and abort the handle is dead and
     * no callback comes. Nothing here calls back into the application. */
    void (*client_answer)(struct world *, struct client *, const struct http_answer *);
    size_t (*client_write)(struct world *, struct client *, struct slice); /* bytes taken; fewer: wait for `drained` */
    void (*client_finish)(struct world *, struct client *);
    void (*client_abort)(struct world *, struct client *);
    void (*client_pause)(struct world *, struct client *, bool paused); /* BODY_STREAM: stop and go on reading */
    const struct client_address *(*client_address)(struct world *, struct client *);

    /* Calls. call_open never calls back before it returns; what goes wrong comes as `failed`. */
    void (*call_open)(struct world *, struct call *, const struct call_request *);
    size_t (*call_write)(struct world *, struct call *, struct slice, bool last); /* streamed bodies; as client_write;
                                                                                     `last` counts when all was taken */
    void (*call_pause)(struct world *, struct call *, bool paused); /* back-pressure: stop and go on reading */
    void (*call_close)(struct world *, struct call *); /* safe in any state, also in callbacks; no callback after it */

    void (*post)(struct world *, unsigned worker, struct message *); /* delivered once, in order per sender */
    void (*work)(struct world *, struct job *);
    void (*command)(struct world *, struct command_run *);

    /* Appends one journal record so that it survives the process's death. ERR_FULL, ERR_IO: it is not kept. */
    enum status (*append)(struct world *, struct slice record) MUST_CHECK;
};

struct world {
    const struct world_ops *ops;
    unsigned worker;  /* 0 .. workers - 1 */
    unsigned workers; /* how many there are */
};

static inline usec
world_now_us(struct world *world)
{
    return world->ops->now_us(world);
}

static inline usec
world_wall_us(struct world *world)
{
    return world->ops->wall_us(world);
}

static inline uint64_t
world_random(struct world *world)
{
    return world->ops->random(world);
}

static inline void
world_timer_start(struct world *world, struct timer *timer, usec after_us)
{
    world->ops->timer_start(world, timer, after_us);
}

static inline void
world_timer_stop(struct world *world, struct timer *timer)
{
    world->ops->timer_stop(world, timer);
}

static inline void
client_answer(struct client *client, const struct http_answer *answer)
{
    client->world->ops->client_answer(client->world, client, answer);
}

static inline size_t
client_write(struct client *client, struct slice bytes)
{
    return client->world->ops->client_write(client->world, client, bytes);
}

static inline void
client_finish(struct client *client)
{
    client->world->ops->client_finish(client->world, client);
}

static inline void
client_abort(struct client *client)
{
    client->world->ops->client_abort(client->world, client);
}

#endif
