/* Embeddings of several clients in one call: for engines, which take hardly longer for it, and where a price or a limit
 * is by the call. gateway/attempt/batch.h does it; here a plan is told what it is to expect. */
#include "levers/estimate.h"

/* A plan that makes a call of its own. */
static bool
concerns(const struct request *request, const struct plan *plan)
{
    return request->facts->api == API_EMBEDDINGS && plan->target != NULL &&
           (plan->source == SOURCE_REFERENCE || plan->source == SOURCE_MODEL || plan->source == SOURCE_PARTLY) &&
           backend_speaks(plan->target->backend, API_EMBEDDINGS);
}

/* What is asked for by the call falls to all together; tokens cost what they cost. */
static void
refine_plan(const struct request *request, enum lever_mode mode, struct plan *plan)
{
    struct batch_time times = experience_batches(plan->facts->experience);
    usd cost;

    plan->batch = (struct plan_batch){.on = mode == LEVER_ON,
                                      .shadow = mode == LEVER_SHADOW,
                                      .requests = times.mean_requests,
                                      .held_us = (usec)times.mean_held_us};
    if (plan->batch.requests <= 1.0)
        return;
    cost = estimate_batched(request, plan, plan->batch.requests);
    if (usd_sub(plan->cost, cost, &plan->batch.saves) != OK || !usd_known(plan->batch.saves))
        plan->batch.saves = 0;
    if (mode != LEVER_ON)
        return;
    if (usd_known(cost))
        plan->cost -= plan->batch.saves;
    plan->first_token_us += plan->first_token_us > 0 ? plan->batch.held_us : 0;
    plan->total_us += plan->total_us > 0 ? plan->batch.held_us : 0;
}

static void
refine(const struct request *request, enum lever_mode mode, struct plans *plans)
{
    for (size_t i = 0; i < plans->count; i++)
        if (concerns(request, &plans->all[i]))
            refine_plan(request, mode, &plans->all[i]);
}

const struct lever_ops batching_lever = {.id = LEVER_BATCHING, .refine = refine};
