/* What a configuration that is served needs of the machine: files, the environment, and the system's resolver. */
#ifndef LIVE_OUTSIDE_H
#define LIVE_OUTSIDE_H

#include "config/outside.h"

extern const struct config_outside config_outside_live;

/* The same apart: config_outside.resolve. */
size_t outside_resolve(const char *host, struct arena *arena, const char **out, size_t most, const char **why);

#endif
