#include "gateway/reuse/look_ups.h"

#include "gateway/flight/share.h"

static const enum lever_id levers[] = {LEVER_EXACT_CACHE, LEVER_SEMANTIC_CACHE};

enum { LEVERS_LOOKING = sizeof(levers) / sizeof(levers[0]) };

_Static_assert((int)LEVERS_LOOKING + 1 <= (int)LOOK_UPS_OF_ROW_MOST, "a row has room for all, and the cascade");

static bool
looked(const struct exchange *exchange, enum lever_id lever)
{
    const struct request *request = &exchange->request;

    if (lever == LEVER_SEMANTIC_CACHE) /* what an equal request gets is not its business */
        return request->meaning != NULL &&
               (exchange->plan == NULL || exchange->plan->lever != LEVER_EXACT_CACHE || exchange->stands_for == NULL);
    return request->cache != NULL && lever_mode_of(request, lever) != LEVER_OFF;
}

/* Its plan, or the near miss that it shows. */
static const struct plan *
plan_of(const struct exchange *exchange, enum lever_id lever)
{
    for (size_t i = 0; i < exchange->plans.count; i++)
        if (exchange->plans.all[i].lever == lever)
            return &exchange->plans.all[i];
    return NULL;
}

static enum look_up_result
result_of_served(const struct exchange *exchange, const struct plan *plan)
{
    if (exchange->stands_for == NULL)
        return LOOK_UP_UNUSED;
    if (plan->source == SOURCE_PARTLY)
        return LOOK_UP_PARTLY;
    return plan->evidence.promoted ? LOOK_UP_PROMOTED : LOOK_UP_HIT;
}

enum look_up_result
look_up_result(const struct exchange *exchange, enum lever_id lever)
{
    const struct plan *plan = plan_of(exchange, lever);

    if ((exchange->resting & 1u << lever) != 0)
        return LOOK_UP_IDLE;
    if (!looked(exchange, lever))
        return LOOK_UP_NONE;
    if (plan == NULL)
        return LOOK_UP_MISS;
    if (plan == exchange->plan)
        return result_of_served(exchange, plan);
    if (plan->source == SOURCE_PARTLY && share_is_of_part(exchange))
        return LOOK_UP_PARTLY; /* what it knew was not bought, by whoever made the call */
    switch (plan->verdict) {
    case VERDICT_SHADOW:
        return LOOK_UP_SHADOW;
    case VERDICT_LITERALS:
        return LOOK_UP_NEAR_MISS;
    case VERDICT_AUDIT:
        return LOOK_UP_AUDITED;
    case VERDICT_QUALITY:
        return LOOK_UP_UNEARNED;
    default:
        return LOOK_UP_UNUSED;
    }
}

static enum look_up_result
result_of_cascade(const struct exchange *exchange)
{
    if (exchange->cascade_kept)
        return LOOK_UP_KEPT;
    return exchange->cascade_went_on ? LOOK_UP_IN_VAIN : LOOK_UP_NONE;
}

static struct slice
with_result(struct exchange *exchange, struct slice all, enum lever_id lever, enum look_up_result result)
{
    if (result == LOOK_UP_NONE)
        return all;
    return slice_of(arena_printf(&exchange->arena, "%.*s%s%s=%s", SLICE_ARGS(all), all.len > 0 ? "," : "",
                                 lever_name(lever), look_up_name(result)));
}

struct slice
look_ups_text(struct exchange *exchange)
{
    struct slice all = SLICE_NONE;

    for (unsigned i = 0; i < LEVERS_LOOKING; i++)
        all = with_result(exchange, all, levers[i], look_up_result(exchange, levers[i]));
    return with_result(exchange, all, LEVER_CASCADE, result_of_cascade(exchange));
}

static const enum counter counted[LEVERS_LOOKING][LOOK_UP_RESULTS] = {
    {[LOOK_UP_HIT] = COUNT_CACHE_HITS,
     [LOOK_UP_PARTLY] = COUNT_CACHE_PARTLY,
     [LOOK_UP_PROMOTED] = COUNT_CACHE_HITS,
     [LOOK_UP_SHADOW] = COUNT_CACHE_SHADOW,
     [LOOK_UP_AUDITED] = COUNT_CACHE_UNUSED,
     [LOOK_UP_UNEARNED] = COUNT_CACHE_UNUSED,
     [LOOK_UP_NEAR_MISS] = COUNT_CACHE_UNUSED,
     [LOOK_UP_UNUSED] = COUNT_CACHE_UNUSED,
     [LOOK_UP_IDLE] = COUNT_CACHE_IDLE,
     [LOOK_UP_MISS] = COUNT_CACHE_MISSES},
    {[LOOK_UP_HIT] = COUNT_SEMANTIC_HITS,
     [LOOK_UP_PARTLY] = COUNT_SEMANTIC_HITS,
     [LOOK_UP_PROMOTED] = COUNT_SEMANTIC_PROMOTED,
     [LOOK_UP_SHADOW] = COUNT_SEMANTIC_SHADOW,
     [LOOK_UP_AUDITED] = COUNT_SEMANTIC_AUDITED,
     [LOOK_UP_UNEARNED] = COUNT_SEMANTIC_UNEARNED,
     [LOOK_UP_NEAR_MISS] = COUNT_SEMANTIC_NEAR,
     [LOOK_UP_UNUSED] = COUNT_SEMANTIC_UNUSED,
     [LOOK_UP_IDLE] = COUNT_SEMANTIC_IDLE,
     [LOOK_UP_MISS] = COUNT_SEMANTIC_MISSES},
};

void
look_ups_count(struct exchange *exchange)
{
    for (unsigned i = 0; i < LEVERS_LOOKING; i++) {
        enum look_up_result result = look_up_result(exchange, levers[i]);

        if (result != LOOK_UP_NONE)
            count(&exchange->worker->counters, counted[i][result], 1);
    }
}
