/* One request at an application, from the world's side; and the referee of how the application treats it. Whoever sent
 * the request (a scripted client, a call to an application that acts as a backend) reads the answer. */
#ifndef VIRTUAL_SERVED_H
#define VIRTUAL_SERVED_H

#include "base/buffer.h"
#include "virtual/history.h"
#include "virtual/vhead.h"

struct served;

/* Called in this order: head once, bytes, then end or cut. */
struct reader_ops {
    void (*head)(void *reader, const struct http_answer *answer);
    size_t (*room)(void *reader); /* how many bytes it would take now; 0: served_poke says when there is room again */
    void (*bytes)(void *reader, struct slice bytes);
    void (*end)(void *reader);
    void (*cut)(void *reader);
    void (*resume)(void *reader); /* the application reads the body again after a pause */
};

/* Where the request stands with the application. */
enum served_state {
    SERVED_ASKING, /* within application_ops.head */
    SERVED_BODY,   /* the body is coming */
    SERVED_WHOLE,  /* all of the body was handed over, or the rest is not wanted */
    SERVED_DEAD    /* finished, aborted or gone: the application must not touch it, nothing is called */
};

struct served {
    struct client client; /* first: what the application sees */
    struct history *history;
    struct application *application;
    const struct reader_ops *ops;
    void *reader; /* NULL: it left */
    unsigned number;
    struct client_address address;
    struct vhead head;
    enum served_state state;
    enum body_mode mode;
    size_t body_most;
    bool paused;
    struct buffer body; /* BODY_COLLECT: so far */
    bool answered, ended, aborted;
    bool bodyless;    /* HEAD, 204, 304 */
    int64_t promised; /* the answer's body_len */
    int64_t written;
    struct vhead answer; /* until the reader has it */
    bool answer_waits;
    struct buffer out; /* written, not yet read; at most `window` bytes */
    size_t window;
    bool drain_owed;   /* client_write took less than offered */
    struct timer pump; /* hands what waits to the reader */
};

/* Opens the request: application_ops.head is called before this returns. `window`: bytes of the answer in flight. */
struct served *served_new(struct history *history, struct application *application, const struct http_head *head,
                          const struct reader_ops *ops, void *reader, unsigned number, size_t window);
void served_open(struct served *served);
void served_free(struct served *served);

/* More of the body; only while served_wants. */
void served_body(struct served *served, struct slice piece, bool last);
bool served_wants(const struct served *served); /* false: paused, refused, dead, or all is there */
void served_bad_body(struct served *served, unsigned status);

void served_poke(struct served *served);  /* the reader has room again */
void served_leave(struct served *served); /* the reader leaves: `gone`, if the application still has it */

#endif
