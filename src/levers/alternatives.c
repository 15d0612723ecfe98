/* The same model on another backend, where it is cheaper or the reference's backend has failed. A candidate that is
 * another model stands on the balance too, so that `explain` shows what it would cost, with a quality bound of 0: there
 * is no evidence for it. Where the router or the cascade looks for some, such candidates are theirs. */
#include "levers/estimate.h"

static bool
is_ours(const struct request *request, const struct target *candidate)
{
    return !route_candidate_differs(request->route, candidate) ||
           (lever_mode_of(request, LEVER_ROUTER) == LEVER_OFF && request->cascading == NULL);
}

static void
make(const struct request *request, enum lever_mode mode, struct plans *plans)
{
    const struct route_config *route = request->route;

    for (size_t i = 0; i < route->candidate_count; i++) {
        const struct target *candidate = &route->candidates[i];
        struct plan *plan;

        if (!is_ours(request, candidate))
            continue;
        plan = plans_add(plans);
        if (plan == NULL)
            return;
        plan->source = SOURCE_MODEL;
        plan->lever = LEVER_ALTERNATIVES;
        plan->mode = mode;
        plan->target = candidate;
        plan->facts = facts_of(request->targets, candidate);
        plan->quality_ppm = route_candidate_differs(route, candidate) ? 0 : 1000000;
        /* Else one long answer, early on, has it look dear, and nobody asks it again. */
        estimate_plan_like(request, facts_of(request->targets, &route->reference), plan);
    }
}

const struct lever_ops alternatives_lever = {.id = LEVER_ALTERNATIVES, .make = make};
