/* Asking the running gateway through its admin listener. Blocks. */
#ifndef CMD_ADMIN_CALL_H
#define CMD_ADMIN_CALL_H

#include "base/buffer.h"
#include "cmd/usual.h"

/* The option of all commands that ask a running gateway (cmd/options.h); `target`: const char **, NULL if not given. */
#define ADMIN_OPTION(target)                                                                                           \
    {                                                                                                                  \
        "admin", 0, OPTION_TEXT, "ADDRESS",                                                                            \
            "the gateway's admin listener (default: that of " USUAL_CONFIG " here, else " USUAL_ADMIN ")", target      \
    }

/* One request, in the name of the user who runs this; `json` of length 0: no body; `address` of NULL: the usual one.
 * Appends the body of a 200 to `answer` and returns CMD_FINE, that of a 422 and returns CMD_CONFIG; else it has said what
 * is wrong and returns CMD_FAILED or, if `address` is none, CMD_USAGE. */
int admin_call(const char *address, const char *method, const char *path, struct slice json, struct buffer *answer);

/* A warning if what was set stands in the answer as not recorded in the log of changes. */
void admin_say_recorded(struct slice answer);

/* Whether anybody listens there (NULL: at the usual address). */
bool admin_answers(const char *address);

#endif
