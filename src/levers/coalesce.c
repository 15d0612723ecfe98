/* One call for equal requests that are under way at the same time (single flight): whoever comes while the first is being
 * answered reads the same answer, from its first byte, and pays an even part. gateway/share.h does it. */
#include "levers/estimate.h"

static void
make(const struct request *request, enum lever_mode mode, struct plans *plans)
{
    struct plan *plan = request->under_way > 0 ? plans_add(plans) : NULL;

    if (plan == NULL)
        return;
    plan->source = SOURCE_SHARED;
    plan->lever = LEVER_COALESCE;
    plan->mode = mode;
    plan->target = &request->route->reference; /* until it is known who answers */
    plan->facts = facts_of(request->targets, plan->target);
    plan->quality_ppm = 1000000; /* it is the answer that this request would get */
    estimate_plan(request, plan);
    if (usd_known(plan->cost))
        plan->cost /= (int64_t)request->under_way + 1;
}

const struct lever_ops coalesce_lever = {.id = LEVER_COALESCE, .make = make};
