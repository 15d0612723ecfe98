#include "gateway/balance.h"

#include "dialect/translate/translate.h"
#include "gateway/attempt/destination.h"

static bool
too_slow(usec expected_us, usec limit_us)
{
    return expected_us > 0 && limit_us != USEC_NEVER && expected_us > limit_us;
}

/* What the route allows, and what the client's own deadline leaves. */
static usec
total_limit_us(const struct request *request)
{
    usec limit_us = request->route->total_us, own_us = request->deadline_us;

    if (own_us == USEC_NEVER)
        return limit_us;
    own_us -= request->arrived_us;
    return own_us < limit_us ? own_us : limit_us;
}

/* How much is bought for it: an answer that is there already, a part of a call that is made anyway, a call. */
static unsigned
buys(const struct plan *plan)
{
    if (plan->target == NULL)
        return 0;
    return plan->source == SOURCE_SHARED ? 1 : 2;
}

/* What holds for every plan, the reference too. */
static enum verdict
plan_fits(const struct plan *plan, const struct request *request)
{
    if (plan->tried)
        return VERDICT_FAILED;
    if (plan->over_budget)
        return VERDICT_OVER_BUDGET;
    if (plan->target == NULL)
        return VERDICT_ACCEPTABLE; /* nothing is sent anywhere */
    if (!destination_allowed(request->tenant, plan->target->backend))
        return VERDICT_NOT_ALLOWED;
    if (plan->api == API_COUNT)
        return VERDICT_OTHER_DIALECT;
    if (plan->translated != NULL && plan->translated->why != NULL)
        return VERDICT_UNTRANSLATABLE;
    return VERDICT_ACCEPTABLE;
}

static enum verdict
plan_acceptable(const struct plan *plan, const struct request *request, bool bypass, bool reference_failed)
{
    const struct route_config *route = request->route;
    enum verdict verdict = plan_fits(plan, request);

    if (verdict != VERDICT_ACCEPTABLE || plan->lever == LEVER_COUNT)
        return verdict; /* the reference is exempt from quality and latency */
    if (bypass)
        return VERDICT_BYPASSED;
    if (plan->withheld != VERDICT_NONE)
        return plan->withheld;
    if (plan->quality_ppm < route->quality_ppm)
        return VERDICT_QUALITY;
    if (!usd_known(plan->cost) && !reference_failed && buys(plan) == 2)
        return VERDICT_UNPRICED; /* better than no answer, but no bargain */
    if (too_slow(plan->first_token_us + plan->wait_us, route->first_token_us))
        return VERDICT_FIRST_TOKEN;
    if (too_slow(plan->total_us + plan->wait_us, total_limit_us(request)))
        return VERDICT_TOTAL;
    return plan->mode == LEVER_ON ? VERDICT_ACCEPTABLE : VERDICT_SHADOW;
}

/* Whether it can be reached is asked last: who is away would have to be acceptable to be a last resort. */
static enum verdict
plan_verdict(const struct plan *plan, const struct request *request, bool bypass, bool reference_failed)
{
    enum verdict verdict = plan_acceptable(plan, request, bypass, reference_failed);

    return verdict == VERDICT_ACCEPTABLE && plan->away != VERDICT_NONE ? plan->away : verdict;
}

/* A price that is not known never wins over one that is. Nor does a reference of unknown price lose: nobody can say that
 * another is cheaper, unless it makes no call. Who makes none spends less than any who does, whatever its part is. */
static bool
plan_cheaper(const struct plan *plan, const struct plan *than)
{
    if (buys(plan) != buys(than))
        return buys(plan) < buys(than);
    if (buys(plan) == 0)
        return false;
    if (!usd_known(plan_price(than)))
        return usd_known(plan_price(plan)) && than->lever != LEVER_COUNT;
    if (!usd_known(plan_price(plan)))
        return false;
    if (plan_price(plan) != plan_price(than))
        return plan_price(plan) < plan_price(than);
    return plan->total_us > 0 && than->total_us > 0 && plan->total_us < than->total_us;
}

static enum verdict
why_it_lost(const struct plan *plan)
{
    return usd_known(plan_price(plan)) ? VERDICT_DEARER : VERDICT_UNPRICED;
}

struct plan *
balance_choose(struct plans *plans, const struct request *request, bool bypass)
{
    const struct plan *reference = plans_reference(plans);
    bool reference_failed = reference != NULL && (reference->tried || reference->away != VERDICT_NONE);
    struct plan *best = NULL;

    for (size_t i = 0; i < plans->count; i++) {
        struct plan *plan = &plans->all[i];

        plan->verdict = plan_verdict(plan, request, bypass, reference_failed);
        if (plan->verdict != VERDICT_ACCEPTABLE)
            continue;
        if (best != NULL && !plan_cheaper(plan, best)) {
            plan->verdict = why_it_lost(plan);
            continue;
        }
        if (best != NULL)
            best->verdict = why_it_lost(best);
        best = plan;
    }
    if (best != NULL)
        best->verdict = VERDICT_CHOSEN;
    return best;
}

struct plan *
balance_last_resort(struct plans *plans)
{
    struct plan *soonest = NULL;

    for (size_t i = 0; i < plans->count; i++) {
        struct plan *plan = &plans->all[i];

        if (plan->verdict != VERDICT_EJECTED && plan->verdict != VERDICT_SPENT)
            continue;
        if (soonest == NULL || plan->away_until_us < soonest->away_until_us)
            soonest = plan;
    }
    if (soonest != NULL)
        soonest->verdict = VERDICT_CHOSEN;
    return soonest;
}
