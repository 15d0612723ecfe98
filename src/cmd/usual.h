/* The configuration that stands where a command is run: it is meant where no other is named. */
#ifndef CMD_USUAL_H
#define CMD_USUAL_H

#include "base/arena.h"

#define USUAL_CONFIG "equipoise.yaml"
#define USUAL_ADMIN "127.0.0.1:9090"

/* Whether there is one. It may be broken. */
bool usual_config_is_here(void);

/* The address of the admin listener that it names, as text of the arena; USUAL_ADMIN where it names none, cannot be read,
 * or is not there. */
const char *usual_admin(struct arena *arena);

#endif
