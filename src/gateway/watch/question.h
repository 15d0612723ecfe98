/* One short question of our own to a backend of the configuration: a GET with the backend's credential and nothing of any
 * client's, bounded in time and in bytes. What engines tell of themselves is asked so: their models, their metrics, their
 * health. */
#ifndef GATEWAY_QUESTION_H
#define GATEWAY_QUESTION_H

#include "gateway/running/view.h"
#include "world.h"

/* Embedded by who asks; zeroed before the first. May be asked again once it is over, also from `answered`. */
struct question {
    struct call call;
    struct timer patience;
    struct world *world;
    unsigned status;      /* HTTP's; 0: no answer came */
    struct buffer answer; /* its body, empty at the next question; kept until question_drop */
    size_t bytes_most;
    bool open;
    /* It is over. `failure` NULL: status and answer are here. Else for a person what went wrong; it lives during the
     * call. */
    void (*answered)(struct question *, const char *failure);
};

struct question_about {
    const struct backend_config *backend;
    const struct endpoint *endpoint;
    struct slice target; /* path and query; copied */
    size_t bytes_most;   /* of the answer; more is a failure */
    usec patience_us;    /* for all of it */
};

/* The view's worker asks. A credential that a command prints is sent if it is known already: no command runs for this. */
void question_ask(struct question *question, const struct view *view, const struct question_about *about);

/* It need not be open. `answered` is not called any more. */
void question_drop(struct question *question);

#endif
