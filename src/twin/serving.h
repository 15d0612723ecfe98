/* One request at the modelled backend, from its head to its last byte. Of this room only. */
#ifndef TWIN_SERVING_H
#define TWIN_SERVING_H

#include "base/list.h"
#include "twin/prefix.h"
#include "twin/render.h"
#include "twin/said.h"
#include "twin/seen.h"
#include "twin/twin.h"

struct twin {
    struct twin_settings settings; /* texts are its own; faults: as they were at the start */
    struct seen seen;
    struct lock faults_lock;
    struct twin_fault_set faults; /* for all requests, as of now */
};

struct batching;

struct twin_worker {
    struct application application; /* first */
    struct twin *twin;
    struct prefix_cache *prefixes;
    struct batching *batching;
    struct rng rng; /* faults and jitter */
    struct list answers;
    struct list waiting;     /* for a slot, first come first served */
    unsigned running, slots; /* 0 slots: no limit */
};

/* Moves only forward in this order, but for WAITING, which may be left out. */
enum serving_state {
    SERVING_READING,   /* the request is not complete */
    SERVING_DELAYED,   /* by a fault */
    SERVING_WAITING,   /* for a slot, or for the engine's first token */
    SERVING_PREPARING, /* until the first token, or for answers in one piece until the last */
    SERVING_TELLING,   /* bytes are going out */
    SERVING_BREAKING,  /* a fault: the last bytes get a moment to leave before the connection closes */
    SERVING_STALLED    /* a fault: nothing more comes */
};

struct route;

/* Invariant: holds a slot from PREPARING on if `has_slot`; listed in worker->answers as long as it lives. */
struct serving {
    struct list member;  /* of worker->answers */
    struct list queuing; /* of worker->waiting */
    struct client *client;
    struct twin_worker *worker;
    const struct route *route;
    enum serving_state state;
    bool has_slot, has_model;
    struct timer timer;
    struct arena arena;
    struct buffer out;
    enum dialect dialect;
    char request_id[24];
    struct request_seen seen; /* for /twin/last; empty: handed over or not wanted */

    struct said said;
    struct ask ask;
    struct reply reply;
    struct render render;
    struct strike strike;
    unsigned model; /* index in the settings */
    usec arrived_us, first_us;
    struct engine_request turn; /* at the model's engine, if it has one */

    /* Telling */
    bool streams, begun, told, garbled;
    unsigned choice, part;
    bool part_open;
    struct slice rest;  /* of the part that is open */
    int64_t produced;   /* tokens */
    size_t break_after; /* answers in one piece: bytes before a fault breaks it; SIZE_MAX: none */
};

struct serving *serving_new(struct twin_worker *worker, struct client *client);

/* Answers at once, with a body of `type`; the ending is the caller's to count. */
void serving_plain(struct serving *serving, unsigned status, const char *type, struct slice body);
void serving_error(struct serving *serving, unsigned status, const char *message);

/* The body of a request to one of the model's APIs is complete. */
void serving_model(struct serving *serving, enum api api, struct chunk *body);

/* Its engine has more tokens for it (turn.tokens). */
void serving_tokens(struct serving *serving);

void serving_drained(struct serving *serving);
void serving_gone(struct serving *serving);
void serving_free(struct serving *serving); /* tells the client nothing */

#endif
