/* SIGINT and SIGTERM for commands that look for them between two steps of their work. */
#ifndef CMD_INTERRUPT_H
#define CMD_INTERRUPT_H

#include <stdbool.h>

#include "base/timers.h"

/* From now on they wait to be looked for, in this thread and those that it starts. */
void interrupt_hold(void);

/* Waits so long, or until one has come: then true. 0: only looks. */
bool interrupt_within(usec span_us);

#endif
