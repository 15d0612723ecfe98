/* What a scorer (scorers.h) is made of, for the files that make it up: who scores and keeps, and who learns. */
#ifndef GATEWAY_SCORERS_PARTS_H
#define GATEWAY_SCORERS_PARTS_H

#include <stdatomic.h>

#include "base/buffer.h"
#include "gateway/choice/scorers.h"

/* Counted by its holders, any thread. */
struct frozen {
    atomic_uint holders;
    struct router_view *view;
    uint64_t mark;
    uint64_t taught_until; /* as in struct scored */
    struct buffer bytes;   /* as router_save has it */
};

/* Labelled requests that a file brings. */
enum warm {
    WARM_OVER,   /* there are none, or they have been learned of */
    WARM_WANTED, /* somebody is to begin */
    WARM_RUNS    /* somebody has; meanwhile nothing else is learned */
};

/* Ahead of what router_save wrote. */
struct kept_head {
    uint64_t models, taught_until;
};

struct scorer {
    struct scorer *next;
    struct lock lock;      /* of what learns; held while it does, off the loop */
    struct router *router; /* NULL: nothing was learned yet */
    uint64_t next_labels;  /* when the next view is due */
    uint64_t taught_until; /* of what was learned so far */
    struct buffer kept;    /* what was read at the start, until it is known whom it is about */
    struct kept_head kept_head;
    struct lock
        view_lock; /* of what is looked at, for a moment, and within the other, where both are held. Loops take this
                            * one alone */
    struct frozen *frozen; /* NULL: there is no view yet */
    struct frozen *trial;  /* the next one; NULL: none is on trial */
    uint64_t models;       /* stands for whom all of this is about */
    enum warm warm;
    uint64_t warm_labels; /* those of the file, if there is one; the rest are audits */
    char route[];
};

/* All that follows is with the lock held, but for scorer_warm. */

/* What is frozen now, for the one who then shows it, or puts it on trial in the place of one whose trial went on until now. */
struct frozen *scorer_freeze(struct scorer *scorer, uint64_t models);
void scorer_show(struct scorer *scorer, struct frozen *frozen, uint64_t models, enum warm warm);
void scorer_put_on_trial(struct scorer *scorer, struct frozen *frozen);
void frozen_release(struct frozen *frozen); /* NULL is fine */

/* It is about the route's other models of now; whatever else it had learned is gone then. */
void scorer_ensure_models(struct scorer *scorer, const struct route_config *route, const struct embedder *embedder);
uint64_t scorer_mark_models(const struct route_config *route, const struct embedder *embedder);

enum warm scorer_warm(struct scorer *scorer);

#endif
