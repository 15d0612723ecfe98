/* What differs between two configurations, key by key, by the table. */
#ifndef CONFIG_COMPARE_H
#define CONFIG_COMPARE_H

#include "config/config.h"

enum config_difference { DIFFERENCE_CHANGED, DIFFERENCE_ADDED, DIFFERENCE_REMOVED };

/* Called for each key whose value differs ("routes.assistant.levers.alternatives") and each entry that only one of them
 * has ("keys.web"), in the table's order. `restart`: the key is read at the start only. */
typedef void config_differs(void *context, struct slice path, enum config_difference how, bool restart);

void config_compare(const struct config *before, const struct config *after, config_differs *differs, void *context);

/* What is read at the start only stays as it is: in `after` as it runs by `before`. */
void config_keep_started(struct config *after, const struct config *before);

#endif
