/* One call on its way through the virtual network, between the application that opened it and a backend. */
#ifndef VIRTUAL_VCALL_H
#define VIRTUAL_VCALL_H

#include "base/buffer.h"
#include "base/list.h"
#include "virtual/inside.h"
#include "virtual/vhead.h"

struct vcall;

/* Who answers calls. `run` is the backend's own for this call, set by `arrive`. */
struct answerer_ops {
    void (*arrive)(struct vcall *call); /* the request's head is there, and its body unless it is streamed */
    void (*more)(struct vcall *call);   /* streamed: more of the body */
    void (*room)(struct vcall *call);   /* the application took what was waiting for it */
    void (*over)(struct vcall *call);   /* closed by the application, failed or complete: forget the call */
};

enum vcall_phase { VCALL_CONNECTING, VCALL_SENDING, VCALL_ARRIVED };

struct piece;

struct vcall {
    struct corpse corpse; /* first */
    struct list node;     /* in history.calls while open */
    struct history *history;
    struct virtual_world *world;
    struct call *call; /* NULL: over, no callback from now on */
    const struct endpoint *endpoint;
    unsigned endpoint_id;
    struct vbackend *backend; /* NULL: nobody is at that endpoint */
    void *run;
    unsigned number;
    enum vcall_phase phase;
    /* the request */
    struct vhead head;
    struct buffer body;
    bool fresh, streamed, body_whole;
    int64_t stream_len;
    bool write_short; /* call_write took less than offered */
    size_t unread;    /* of the streamed body: not yet taken by the backend */
    /* the answer */
    struct vhead answer;
    bool head_waits, head_given;
    struct list pieces; /* waiting for the application */
    size_t waiting_len, given_len;
    bool end_waits, cut_waits, end_given;
    enum call_failure failure;
    const char *failure_text;
    bool paused;
    struct timer turn;   /* connects, arrives, then hands the answer to the application one by one */
    struct timer upload; /* what was written reaches the backend */
    struct timer limit;  /* connect, first byte, idle */
};

/* For the backend: what it answers. Pieces reach the application as they are given, unless answers are split. */
void vcall_give_head(struct vcall *call, const struct http_head *answer);
void vcall_give(struct vcall *call, struct slice bytes);
size_t vcall_room(const struct vcall *call); /* bytes that may be given now; giving more is allowed, but not polite */
void vcall_give_end(struct vcall *call);
void vcall_give_failure(struct vcall *call, enum call_failure failure, const char *static_text);

/* The streamed body: the backend has read what has come. */
void vcall_took(struct vcall *call);

#endif
