/* What was set for levers while the gateway runs (`equipoise lever`). It stands above the configuration, over reloads,
 * until it is given back to the file or the gateway starts anew. A set of switches never changes: setting one makes
 * another set, which every worker takes over in turn; a request keeps the settings that it was weighed by. */
#ifndef GATEWAY_SWITCHES_H
#define GATEWAY_SWITCHES_H

#include "gateway/running/round.h"

/* Counted by its holders, any thread. NULL stands for the empty set. */
struct switches;

void switches_release(struct switches *switches);

/* The set with this one more; the caller is its holder. `route` NULL: all routes, which forgets what was set for single
 * ones; `setting` NULL: as the file says. */
struct switches *switches_with(const struct switches *switches, const char *route, enum lever_id lever,
                               const struct lever_setting *setting);

/* What holds for a route's lever; NULL: what the file says. */
const struct lever_setting *switches_look(const struct switches *switches, struct slice route, enum lever_id lever);

/* Calls `tell` for each route (NULL: all) and lever that one set has otherwise than the other: "on 5%", "file" where a
 * route is exempt from what holds for all, NULL where nothing is set. */
typedef void switches_tell(void *context, const char *route, enum lever_id lever, const char *before,
                           const char *after);
void switches_differ(const struct switches *before, const struct switches *after, switches_tell *tell, void *context);

/* Hands the gateway's new set to all workers. `done` on the worker that started it; embedded, may be freed there. */
struct switching {
    struct round round;
    struct switches *switches;
    void (*done)(struct switching *);
};
void switching_start(struct switching *switching, struct gateway *gateway, struct world *home,
                     struct switches *switches);

#endif
