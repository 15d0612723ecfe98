/* What calls, scripts and applications as backends share. */
#ifndef VIRTUAL_VBACKEND_INSIDE_H
#define VIRTUAL_VBACKEND_INSIDE_H

#include "virtual/vbackend.h"
#include "virtual/vcall.h"

enum { SCRIPTS_MOST = 64, WORKERS_MOST = 64 };

struct vscript {
    struct play *plays;
    size_t count, size;
};

/* A call as the backend remembers it. */
struct memory {
    struct buffer headers, body, line; /* `line`: method, then target */
    size_t method_len;
    struct vcall_seen seen; /* its slices are filled when asked */
};

struct vbackend {
    struct list node;
    struct history *history;
    unsigned endpoint_id;
    char *name;
    char *authority;
    const struct answerer_ops *ops;
    struct application *application; /* NULL: plays scripts */
    struct vscript scripts[SCRIPTS_MOST];
    size_t script_count, scripts_played;
    void (*decide)(void *, const struct vcall_seen *, struct vscript *);
    void *context;
    bool refusing, silent, stale;
    size_t opened;               /* calls */
    unsigned idle[WORKERS_MOST]; /* kept connections, per worker */
    struct memory **memories;
    size_t memory_count, memory_size;
    struct list runs; /* of scripts or bridges */
};

struct vbackend *vbackend_at(struct history *history, unsigned endpoint_id);
const char *vbackend_name(const struct vbackend *backend);
bool vbackend_refuses(const struct vbackend *backend);
bool vbackend_silent(const struct vbackend *backend);
bool vbackend_take_idle(struct vbackend *backend, struct virtual_world *world); /* true: there was one */
void vbackend_put_idle(struct vbackend *backend, struct virtual_world *world);

/* Starts a memory with the call's head; more of the body by memory_body; the end by memory_over. NULL, which these take,
 * where the history is forgetful. */
struct memory *memory_new(struct vbackend *backend, const struct vcall *call);
void memory_body(struct memory *memory, const struct vcall *call);
void memory_over(struct memory *memory, const struct vcall *call);
struct vcall_seen memory_seen(const struct memory *memory);
void memory_free(struct memory *memory);

void vscript_free(struct vscript *script);

extern const struct answerer_ops script_ops; /* script.c */
extern const struct answerer_ops bridge_ops; /* bridge.c */
void script_runs_free(struct vbackend *backend);
void bridge_runs_free(struct vbackend *backend);

#endif
