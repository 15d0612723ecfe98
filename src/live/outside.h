/* What a configuration that is served needs of the machine: files, the environment, and the system's resolver. */
#ifndef LIVE_OUTSIDE_H
#define LIVE_OUTSIDE_H

#include "config/outside.h"

extern const struct config_outside config_outside_live;

/* The same apart: config_outside.resolve. The system's resolver (getaddrinfo) where it can be asked, else, for services and
 * where another resolver is named, the servers of the DNS themselves. Of a service those of the best priority alone are
 * taken: the others are what stands in for them. */
size_t outside_resolve(const struct config_name *name, struct arena *arena, struct config_place *out, size_t most,
                       const char **why);

#endif
