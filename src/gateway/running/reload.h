/* Reading the configuration again while requests go on: off the loop it is read and checked, then every worker takes it
 * over (adopt.h). Who asks while one is under way is answered by the next, for the file may have changed since. All of
 * it on the first worker. */
#ifndef GATEWAY_RELOAD_H
#define GATEWAY_RELOAD_H

#include "gateway/running/adopt.h"

struct reload_options {
    void *context;
    /* Off the loop. OK: *out is the new configuration, whose holder the caller becomes, made with `present` as the one
     * before; `words` say what changed. Else nothing changes, and `words` say why. */
    enum status (*load)(void *context, const struct config *present, struct config **out, struct buffer *words);
    /* On the first worker, as one begins, and when it is over on all workers. */
    void (*begins)(void *context);
    void (*over)(void *context, enum status status, struct slice words);
};

struct reloader;

/* Whoever waits for it; embedded. */
struct reload_waiter {
    struct list link;
    void (*told)(struct reload_waiter *, enum status status, struct slice words); /* may free it */
};

struct reloader *reloader_new(struct gateway *gateway, struct world *first, const struct reload_options *options);
void reloader_free(struct reloader *reloader); /* none is under way */

/* Before the workers stop: what is under way comes to its end, and nothing is read after it. Who has asked for more, or
 * does from now on, is told ERR_STOPPING. */
void reloader_stop(struct reloader *reloader);

/* `waiter` may be NULL. */
/* Whether one is under way. */
bool reloader_busy(const struct reloader *reloader);

void reloader_ask(struct reloader *reloader, struct reload_waiter *waiter);

#endif
