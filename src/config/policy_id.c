#include "config/policy_id.h"

#include "base/status.h"

const char *
policy_name(enum policy_id id)
{
    static const char *const names[POLICY_COUNT] = {"round_robin", "least_in_flight", "p2c",
                                                    "lmetric",     "chwbl",           "affinity"};

    ENSURE(id < POLICY_COUNT);
    return names[id];
}

bool
policy_find(struct slice name, enum policy_id *out)
{
    for (enum policy_id id = 0; id < POLICY_COUNT; id++)
        if (slice_is(name, policy_name(id))) {
            *out = id;
            return true;
        }
    return false;
}
