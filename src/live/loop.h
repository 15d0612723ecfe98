/* One worker of the live world: its loop, its time, its lists of streams to tend, its mail. Everything but live_post
 * belongs to the worker's thread.
 *
 * Whatever the loop calls (a socket is ready, time is over, mail has come) runs between loop_enter and loop_leave. Leaving
 * sends what was written meanwhile, once per stream, and tends streams whose work could not be done at the place where
 * it arose; so an application is never called back from within a call of its own.
 *
 * Sockets that are ready at the same time are looked after one after another before what they led to is sent: a send costs
 * less right behind another one. What waits, waits for TOGETHER_MOST of them at most, and for no other once TOGETHER_US
 * are over: some take longer (a TLS handshake, a body of a megabyte).
 *
 * Invariant: a stream on `dirty` has unsent bytes; timers_next(&timers) is never before `alarm_us` while the alarm runs. */
#ifndef LIVE_LOOP_H
#define LIVE_LOOP_H

#include <stdatomic.h>
#include <uv.h>

#include "base/buffer.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "live/live.h"
#include "world.h"

enum {
    SCRATCH_BYTES = 64 * 1024,      /* read at once from a socket */
    CROWDED_READ_BYTES = 16 * 1024, /* of an answer, while clients leave too much unsent */
    TOGETHER_MOST = 16,             /* sockets that are looked after before what that made to be sent goes out */
    RANDOM_WORDS = 64,              /* fetched from the kernel at once */
    DATE_SIZE = 40
};

#define TOGETHER_US ((usec)200)

struct live_server;
struct tls_contexts;

struct live_world {
    struct world world;
    struct live *live;
    uv_loop_t loop;

    uv_check_t polled; /* called when all sockets that were ready have been looked after */
    unsigned together; /* how many were, since anything was sent, */
    usec together_us;  /* and since when */
    uv_timer_t alarm;  /* the one timer of libuv behind all of `timers` */
    usec alarm_us;     /* when it goes off; USEC_NEVER: it is not set */
    struct timers timers;
    usec now_us, wall_us; /* 0: not asked for in this turn */

    char *scratch;
    struct list dirty;  /* streams with bytes to send */
    struct list ready;  /* streams to tend */
    struct list buried; /* closed streams to free */

    uv_async_t wake;
    _Atomic(struct message *) inbox; /* newest first */

    uint64_t random[RANDOM_WORDS];
    unsigned random_left;

    char date[DATE_SIZE]; /* "Date: ...\r\n" of the second `date_second` */
    size_t date_len;
    int64_t date_second;

    struct live_server *servers; /* one per listener; see server.h */
    size_t server_count;
    struct map pools;      /* endpoint id to struct pool; see pool.h */
    struct list upstreams; /* every connection to a backend */
    unsigned upstream_count;
    unsigned clients; /* requests that an application holds */
    unsigned connections;
    atomic_size_t unsent;          /* of all streams; changed on this worker only, read anywhere */
    size_t unsent_most;            /* beyond it each connection may have little */
    unsigned calls;                /* open calls */
    unsigned jobs;                 /* off the loop */
    struct list commands;          /* that run; see command.h */
    struct list commands_failed;   /* not started, not told yet */
    unsigned command_count;        /* both */
    bool stopping;                 /* no further clients, connections close after their answer */
    bool cutting;                  /* no further calls and commands either */
    bool finished;                 /* the loop need not turn any more */
    struct tls_contexts *contexts; /* shared by all workers */
};

void loop_init(struct live_world *world, struct live *live, unsigned worker, unsigned workers);

/* Closes what loop_init opened; the loop must be run to its end afterwards, then loop_free. */
void loop_close(struct live_world *world);
void loop_free(struct live_world *world);

void loop_enter(struct live_world *world);
void loop_leave(struct live_world *world);

/* The same where several sockets may be ready at once, for each of them. Streams may be gone after entering. */
void loop_enter_together(struct live_world *world);
void loop_leave_together(struct live_world *world);

/* By loop_leave while stopping: sees whether this worker has nothing left to do. (live.c) */
void loop_stopping(struct live_world *world);

/* Delivers the mail that has come. */
void loop_deliver(struct live_world *world);

usec loop_now_us(struct live_world *world);
usec loop_wall_us(struct live_world *world);
uint64_t loop_random(struct live_world *world);

/* "Date: Tue, 15 Nov 1994 08:12:31 GMT\r\n" (RFC 9110, 5.6.7), made anew once a second. */
struct slice loop_date_line(struct live_world *world);

/* From any thread: how many bytes the streams hold that nobody has taken yet. */
static inline size_t
loop_unsent(const struct live_world *world)
{
    return atomic_load_explicit(&world->unsent, memory_order_relaxed);
}

static inline bool
loop_crowded(const struct live_world *world)
{
    return loop_unsent(world) > world->unsent_most;
}

void loop_work(struct live_world *world, struct job *job);

/* From any thread. */
void loop_post(struct live_world *world, struct message *message);

static inline struct live_world *
live_world_of(struct world *world)
{
    return CONTAINER_OF(world, struct live_world, world);
}

#endif
