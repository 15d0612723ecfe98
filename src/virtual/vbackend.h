/* Scripted backends: each stands at an endpoint and answers calls by scripts, or hands them to an application over the
 * same history. It writes down what it saw and for how long it worked. Backends belong to their history.
 *
 *     vbackend_plays(backend, play_wait(40 * USEC_PER_MS), play_head(200, "content-type: text/event-stream"),
 *                    play_text("data: {}\n\n"), play_cut());
 */
#ifndef VIRTUAL_VBACKEND_H
#define VIRTUAL_VBACKEND_H

#include "base/buffer.h"
#include "virtual/history.h"

struct vbackend;

struct vbackend *vbackend_new(struct history *history, const struct endpoint *endpoint, const char *name);

/* Calls become requests to this application, which lives in a world made by history_world_apart. */
void vbackend_is_application(struct vbackend *backend, struct application *application);

/* One thing that a backend does. A script starts when the whole request has come. */
enum play_kind { PLAY_WAIT, PLAY_HEAD, PLAY_BYTES, PLAY_END, PLAY_CUT, PLAY_BREAK, PLAY_HANG, PLAY_EARLY };

struct play {
    enum play_kind kind;
    usec span_us;
    unsigned status;
    const char
        *headers; /* "name: value" by lines; NULL: none. A content-length holds: less is a cut, more is not read */
    struct slice bytes;
};

struct play play_wait(usec span_us);
struct play play_head(unsigned status, const char *headers);
struct play play_text(const char *text); /* one piece of the answer's body, as it is */
struct play play_bytes(struct slice bytes);
struct play play_end(void);   /* the answer is complete */
struct play play_cut(void);   /* the connection closes */
struct play play_break(void); /* something that is not HTTP */
struct play play_hang(void);  /* nothing more, ever */
struct play play_early(void); /* as the first: plays on without waiting for the request's body */

/* The next call is answered so, the one after by the next script; the last script is played for all that follow. What
 * the moves point to is copied. */
void vbackend_play(struct vbackend *backend, const struct play *plays, size_t count);
#define vbackend_plays(backend, ...)                                                                                   \
    vbackend_play((backend), (const struct play[]){__VA_ARGS__},                                                       \
                  sizeof((const struct play[]){__VA_ARGS__}) / sizeof(struct play))

/* Decides anew for each call, from what came: adds moves by vbackend_add. */
struct vscript;
struct vcall_seen;
void vbackend_decides(struct vbackend *backend,
                      void (*decide)(void *context, const struct vcall_seen *seen, struct vscript *script),
                      void *context);
void vscript_add(struct vscript *script, struct play play);

/* What may go wrong before a script starts. Each holds until it is switched off. */
void vbackend_set_refusing(struct vbackend *backend, bool refusing); /* connection refused */
void vbackend_set_silent(struct vbackend *backend, bool silent);     /* connections are never established */
void vbackend_set_stale(struct vbackend *backend, bool stale); /* a kept connection breaks when it is used again */

/* What it saw, one for each call that arrived, in order of arrival. */
struct vcall_seen {
    struct slice method, target;
    struct slice headers; /* "name: value\n" each, the application's own */
    struct slice body;    /* so far */
    bool body_whole;
    usec arrived_us;
    usec over_us;    /* closed, cut or complete; 0: it still works */
    bool completed;  /* the answer was taken to its end */
    size_t sent_len; /* bytes of the answer's body it gave away */
};

size_t vbackend_opened(const struct vbackend *backend); /* calls, whether they arrived or not */
size_t vbackend_seen_count(const struct vbackend *backend);
struct vcall_seen vbackend_seen(const struct vbackend *backend, size_t index);
struct slice vbackend_seen_header(const struct vbackend *backend, size_t index, const char *name);
bool vbackend_working(const struct vbackend *backend); /* on any call */

/* How long it worked on anything after that time; what an abandoned request costs its engine. */
usec vbackend_worked_after_us(const struct vbackend *backend, usec since_us);

#endif
