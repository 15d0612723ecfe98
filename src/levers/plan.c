#include "levers/plan.h"

const char *
source_name(enum source source)
{
    static const char *const names[] = {"reference",     "model",    "cascade", "passthrough", "shared",   "cached",
                                        "partly-cached", "built-in", "audit",   "judge",       "verifier", "sample"};

    return names[source];
}

const char *
verdict_words(enum verdict verdict)
{
    switch (verdict) {
#define VERDICT(id, words)                                                                                             \
    case id:                                                                                                           \
        return words;
#include "levers/verdicts.def"
#undef VERDICT
    }
    return "";
}

struct plan *
plans_add(struct plans *plans)
{
    struct plan *plan;

    if (plans->count == PLANS_MOST)
        return NULL;
    plan = &plans->all[plans->count++];
    *plan = (struct plan){.cost = USD_UNKNOWN, .lever = LEVER_COUNT};
    return plan;
}

const char *
plan_model(const struct plan *plan)
{
    return plan->target != NULL ? plan->target->name : plan->made_by;
}

bool
plan_modelled(const struct plan *plan, const struct route_config *route)
{
    if (plan->target != NULL)
        return plan->target->backend->modelled;
    for (size_t i = 0; i < route->candidate_count; i++)
        if (strcmp(route->candidates[i].name, plan->made_by) == 0)
            return route->candidates[i].backend->modelled;
    return route->reference.backend->modelled;
}

struct plan *
plans_reference(struct plans *plans)
{
    return plans->count > 0 && plans->all[0].source == SOURCE_REFERENCE ? &plans->all[0] : NULL;
}
