/* Plays requests to a history's workers, each at its time: sent whole, the answer read as it comes and not kept. For long
 * traces, where clients that remember (vclient.h) would remember too much. */
#ifndef VIRTUAL_PLAYER_H
#define VIRTUAL_PLAYER_H

#include "virtual/history.h"

struct player;

/* A request to play. The head's and the body's bytes stay until the next one is asked for. */
struct play_request {
    usec at_us; /* since player_new, not before the one before it */
    unsigned worker;
    struct http_head head; /* with body_len */
    struct slice body;
    uint64_t mark; /* the user's */
};

/* How it went, in history time. */
struct played {
    uint64_t mark;
    usec started_us, first_byte_us, ended_us; /* first_byte_us 0: no byte of a body came */
    unsigned status;                          /* 0: no answer */
    bool whole;                               /* the answer is complete; else it was cut off */
};

struct player_ops {
    bool (*next)(void *context, struct play_request *out); /* false: there are no more */
    void (*over)(void *context, const struct played *played);
};

struct player *player_new(struct history *history, const struct player_ops *ops, void *context)
    __attribute__((returns_nonnull));

/* Before the history; requests still under way are left by their clients. */
void player_free(struct player *player);

/* No more are sent, and clients leave the answers under way. Nothing is told of these. */
void player_stop(struct player *player);

bool player_busy(const struct player *player);        /* something is under way or to come */
size_t player_in_flight(const struct player *player); /* sent, and not over */
uint64_t player_started(const struct player *player); /* sent so far */

#endif
