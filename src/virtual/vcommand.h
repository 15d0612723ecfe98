/* Scripted commands: what a command of the user's (world.h: command_run) does, by its text. One that no script knows
 * ends as the shell would have it: status 127, nothing printed. */
#ifndef VIRTUAL_VCOMMAND_H
#define VIRTUAL_VCOMMAND_H

#include "virtual/history.h"

struct vcommand_script {
    int exit_status;
    const char *output; /* NULL: nothing */
    usec takes_us;      /* beside a hop; longer than it is given: killed. USEC_NEVER is fine */
    /* Instead of exit_status and output, from what it was fed; NULL: those. Sets both. */
    void (*decide)(void *context, struct slice input, int *exit_status, struct slice *output);
    void *context;
};

/* From now on, also for those that run already. */
void vcommand_does(struct history *history, const char *command, struct vcommand_script script);

/* How often it was started, and what it was fed last (SLICE_NONE: never started). */
unsigned vcommand_runs(const struct history *history, const char *command);
struct slice vcommand_input(const struct history *history, const char *command);

#endif
