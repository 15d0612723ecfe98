/* The same model on another backend, where it is cheaper or the reference's backend has failed. A candidate that is
 * another model stands on the balance too, so that `explain` shows what it would cost, with a quality bound of 0: there
 * is no evidence for it. */
#include "levers/estimate.h"

static void
make(const struct request *request, enum lever_mode mode, struct plans *plans)
{
    const struct route_config *route = request->route;

    for (size_t i = 0; i < route->candidate_count; i++) {
        const struct target *candidate = &route->candidates[i];
        struct plan *plan = plans_add(plans);

        if (plan == NULL)
            return;
        plan->source = SOURCE_MODEL;
        plan->lever = LEVER_ALTERNATIVES;
        plan->mode = mode;
        plan->target = candidate;
        plan->facts = facts_of(request->targets, candidate);
        plan->quality_ppm = strcmp(candidate->model, route->reference.model) == 0 ? 1000000 : 0;
        estimate_plan(request, plan);
    }
}

const struct lever_ops alternatives_lever = {.id = LEVER_ALTERNATIVES, .make = make};
