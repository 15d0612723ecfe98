/* The route's reference model: the plan that is always there, and the measure of all others. */
#include "levers/estimate.h"

void
reference_make(const struct request *request, struct plans *plans)
{
    struct plan *plan = plans_add(plans);

    ENSURE(plan != NULL);
    plan->source = SOURCE_REFERENCE;
    plan->lever = LEVER_COUNT;
    plan->mode = LEVER_ON;
    plan->target = &request->route->reference;
    plan->facts = facts_of(request->targets, plan->target);
    plan->quality_ppm = 1000000;
    estimate_plan(request, plan);
}
