/* One line of the log of changes: who changed which lever, key, price or budget, from where, and from what to what. JSON:
 *
 *   {"time":"2026-01-31T12:00:00Z","who":"anna","from":"127.0.0.1:40112","what":"lever","name":"assistant alternatives",
 *    "before":"shadow","after":"on 5%"}
 *
 * `before` and `after` are text for a person, null where there was or is nothing. Never a secret, nor a hash of one. */
#ifndef ADMIN_CHANGE_H
#define ADMIN_CHANGE_H

#include "base/buffer.h"
#include "base/timers.h"

struct change {
    usec wall_us;
    struct slice who;           /* a user as told by the caller, "file reload" or "start" */
    struct slice from;          /* an address; empty: from within */
    struct slice what, name;    /* "lever", "assistant alternatives" */
    struct slice before, after; /* SLICE_NONE: nothing */
};

/* With the line's end. */
void change_write(const struct change *change, struct buffer *out);

#endif
