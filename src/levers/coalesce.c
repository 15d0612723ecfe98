/* One call for equal requests that are under way at the same time (single flight): whoever comes while the first is being
 * answered reads the same answer, from its first byte, and pays an even part. gateway/flight/share.h does it.
 *
 * Who streams may follow a call that brings its answer whole, and then reads nothing before all of it is there. That is
 * worth a wait only where it is none: up to the route's limit on the first token, or, where it has none, no longer than an own
 * call would take to its first token. */
#include "levers/estimate.h"

/* When the call that is under way may be expected to end: what has taken longer than usual may take as long again. */
static usec
rest_us(const struct request *request, usec total_us)
{
    usec elapsed_us = request->arrived_us - request->under_way.since_us;

    return elapsed_us < total_us ? total_us - elapsed_us : elapsed_us;
}

/* False: it would come too late. */
static bool
come_late(const struct request *request, struct plan *plan)
{
    usec limit_us =
        request->route->first_token_us != USEC_NEVER ? request->route->first_token_us : plan->first_token_us;

    if (plan->total_us == 0)
        return false; /* nobody knows how long it takes */
    plan->first_token_us = plan->total_us = rest_us(request, plan->total_us);
    return plan->first_token_us <= limit_us;
}

static void
make(const struct request *request, enum lever_mode mode, struct plans *plans)
{
    struct plan shared = {
        .source = SOURCE_SHARED,
        .lever = LEVER_COALESCE,
        .mode = mode,
        .target = &request->route->reference, /* until it is known who answers */
        .facts = facts_of(request->targets, &request->route->reference),
        .quality_ppm = 1000000, /* it is the answer that this request would get */
    };
    struct plan *plan;

    if (request->under_way.members == 0)
        return;
    estimate_plan(request, &shared);
    if (usd_known(shared.cost))
        shared.cost /= (int64_t)request->under_way.members + 1;
    if (shared.by_the_hour)
        shared.marginal = 0; /* it makes no call of its own */
    if (request->under_way.late && !come_late(request, &shared))
        return;
    plan = plans_add(plans);
    if (plan != NULL)
        *plan = shared;
}

const struct lever_ops coalesce_lever = {.id = LEVER_COALESCE, .make = make};
