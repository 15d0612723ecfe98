/* How a backend's requests are shared out over its places: fleet/dispatch/policy.h. */
#ifndef CONFIG_POLICY_ID_H
#define CONFIG_POLICY_ID_H

#include "base/slice.h"

enum policy_id {
    POLICY_ROUND_ROBIN,
    POLICY_LEAST_IN_FLIGHT,
    POLICY_P2C,
    POLICY_LMETRIC,
    POLICY_CHWBL,
    POLICY_AFFINITY,
    POLICY_COUNT
};

const char *policy_name(enum policy_id id);
bool policy_find(struct slice name, enum policy_id *out);

#endif
