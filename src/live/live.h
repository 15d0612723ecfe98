/* The live world: sockets, TLS, threads, the wall clock. Starts workers, each with its own loop and its own listening
 * sockets, serves applications (world.h) on them, and stops them without losing what is in flight. */
#ifndef LIVE_LIVE_H
#define LIVE_LIVE_H

#include "base/log.h"
#include "world.h"

struct live;

/* How patient a server is with its clients. Zero: the default given. */
struct live_patience {
    usec header_us; /* a request's head, from its first byte: 10 s */
    usec body_us;   /* between two pieces of a request's body: 30 s */
    usec idle_us;   /* between two requests: 75 s */
    usec write_us;  /* a client that takes nothing of its answer: 60 s */
};

struct live_listener {
    const char *address;              /* an address, or a name of this machine */
    unsigned port;                    /* 0: any free one, see live_port */
    const char *cert_file, *key_file; /* PEM; both NULL: plain HTTP */
    bool first_worker_only;
};

struct live_options {
    unsigned workers; /* at least 1 */
    const struct live_listener *listeners;
    size_t listener_count;
    struct live_patience patience;
    size_t head_most;          /* bytes of a request's head; 0: 32 KiB */
    unsigned connections_most; /* per worker; 0: as many as the files suffice for. Beyond, accepting waits */
    size_t unsent_most;        /* bytes that slow clients of a worker may leave unsent together, before each is given
                                  little more; 0: 64 MiB */
    usec drain_us;             /* how long requests in flight may take to finish when stopping; 0: 30 s */
    struct log *log;           /* may be NULL */
    void *context;             /* handed to the following */

    /* On the worker's thread before it serves anything; may be NULL. */
    void (*worker_started)(void *context, struct world *world);
    /* The application behind that listener on that worker, which has started; the same one for several is fine.
     * NULL: there are no listeners. */
    struct application *(*application)(void *context, struct world *world, size_t listener);
    /* On the worker's thread when it begins to drain: what would keep it busy and serves no client ends here. May be
     * NULL. */
    void (*worker_stopping)(void *context, struct world *world);
    /* On the worker's thread after its last client and call; no callback comes after it. May be NULL. */
    void (*worker_stopped)(void *context, struct world *world);
    /* As world_ops.append. NULL: nothing here appends. */
    enum status (*append)(void *context, struct world *world, struct slice record);
    /* When all workers serve, on the thread that called live_start or live_run. May be NULL. */
    void (*serving)(void *context);
    /* In live_run, on its thread, for each SIGHUP. NULL: it stops, as SIGTERM does; the terminal is gone. */
    void (*hangup)(void *context);
};

/* Binds the listeners and reads the certificates. What `options` points to is copied, but for log and context.
 * ERR_INVALID, ERR_IO: nothing is open, and `problem` (LIVE_PROBLEM_SIZE bytes) says what is wrong and what to do. */
#define LIVE_PROBLEM_SIZE 512
enum status live_new(const struct live_options *options, struct live **out, char *problem) MUST_CHECK;

/* The port that a listener is bound to. */
unsigned live_port(const struct live *live, size_t listener);

/* Starts the workers' threads and returns when all of them serve. */
void live_start(struct live *live);

/* live_start, then serves until SIGINT or SIGTERM, or live_stop; those signals drain, a second one ends at once. */
void live_run(struct live *live);

/* From any thread: stops accepting, lets requests in flight finish for drain_us at most, then cuts them off. A second
 * call with `now` cuts at once. */
void live_stop(struct live *live, bool now);

/* Waits until all workers have stopped; only after live_start. */
void live_join(struct live *live);

void live_free(struct live *live);

/* From any thread, until live_join returns: as world_ops.post. */
void live_post(struct live *live, unsigned worker, struct message *message);

struct world *live_world_at(struct live *live, unsigned worker);

/* As given to live_new, with the defaults filled in. */
const struct live_options *live_options_of(const struct live *live);

#endif
