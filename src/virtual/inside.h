/* What the files of this room share; nobody else includes it. */
#ifndef VIRTUAL_INSIDE_H
#define VIRTUAL_INSIDE_H

#include "base/buffer.h"
#include "base/list.h"
#include "base/rng.h"
#include "virtual/history.h"

enum { FAULTS_MOST = 16, LOG_LINES = 4096, LOG_LINE_SIZE = 120 };

struct log_ring {
    char (*lines)[LOG_LINE_SIZE];
    uint64_t count; /* of all lines ever; line n is at n % LOG_LINES */
    uint64_t digest;
};

/* One worker's world. The worlds of a history are linked; those made apart have themselves as their only peer. */
struct virtual_world {
    struct world world; /* first: what applications see */
    struct list node;
    struct history *history;
    struct application *application;
    struct rng rng; /* for world_random alone, so that asking does not move the schedule */
    struct buffer journal;
    struct virtual_world **peers;
    usec *posted_us; /* per peer: when the last post to it arrives */
};

struct history {
    struct history_options options;
    struct rng rng;
    usec now_us, start_us, wall_offset_us;
    struct timers timers; /* the applications' */
    struct timers events; /* the world's own */
    uint64_t steps;
    struct virtual_world **workers;
    struct list worlds, clients, calls, backends, posts, jobs;
    struct list known_commands, running_commands; /* see vcommand.c */
    struct list dead;                             /* freed at the end of the step */
    unsigned client_count, clients_waiting, call_count;
    size_t handles_open;
    struct fault faults[FAULTS_MOST];
    size_t fault_count;
    usec jobs_longer_us;
    uint64_t appends, append_fail_from, append_fail_count;
    enum status append_fail_status;
    struct log_ring log;
};

/* Embedded in what must outlive the callback that ends it. */
struct corpse {
    struct list node;
    void (*bury)(struct corpse *corpse);
};

static inline void
history_bury_later(struct history *history, struct corpse *corpse, void (*bury)(struct corpse *))
{
    corpse->bury = bury;
    list_append(&history->dead, &corpse->node);
}

/* How long one hop takes this time. */
static inline usec
history_hop_us(struct history *history)
{
    return 1 + (usec)rng_below(&history->rng, (uint64_t)history->options.hop_most_us);
}

static inline void
history_schedule(struct history *history, struct timer *event, usec after_us)
{
    timers_start(&history->events, event, history->now_us + after_us);
}

static inline void
history_cancel(struct history *history, struct timer *event)
{
    timers_stop(&history->events, event);
}

static inline struct virtual_world *
virtual_world_of(struct world *world)
{
    return CONTAINER_OF(world, struct virtual_world, world);
}

/* A rule of world.h. */
#define REFEREE(history, claim, ...)                                                                                   \
    do {                                                                                                               \
        if (__builtin_expect(!(claim), 0))                                                                             \
            history_misuse((history), __VA_ARGS__);                                                                    \
    } while (0)

/* world.c */
struct virtual_world *virtual_world_new(struct history *history, unsigned worker, unsigned workers);
void virtual_world_free(struct virtual_world *world);
void virtual_world_end(struct history *history); /* posts and jobs that never came to be delivered */

/* served.c: the operations on clients. */
void served_answer(struct world *, struct client *, const struct http_answer *);
size_t served_write(struct world *, struct client *, struct slice);
void served_finish(struct world *, struct client *);
void served_abort(struct world *, struct client *);
void served_pause(struct world *, struct client *, bool paused);
const struct client_address *served_address(struct world *, struct client *);

/* vcall.c: the operations on calls. */
void vcall_open(struct world *, struct call *, const struct call_request *);
size_t vcall_write(struct world *, struct call *, struct slice, bool last);
void vcall_pause(struct world *, struct call *, bool paused);
void vcall_close(struct world *, struct call *);
void vcall_cut_all(struct history *history);
void vcall_free_all(struct history *history);

/* vcommand.c */
void vcommand_start(struct world *, struct command_run *);
void vcommand_free_all(struct history *history);

/* vclient.c, vbackend.c */
void vclient_leave_all(struct history *history);
void vclient_free_all(struct history *history);
void vbackend_free_all(struct history *history);

#endif
