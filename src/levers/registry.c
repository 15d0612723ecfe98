/* The table of levers, and what belongs to all of them. */
#include "levers/lever.h"

#include "base/rng.h"

extern const struct lever_ops alternatives_lever, batching_lever, cascade_lever, coalesce_lever, exact_cache_lever,
    prompt_cache_lever, router_lever, semantic_cache_lever;

const struct lever_ops *
lever_ops_of(enum lever_id id)
{
    static const struct lever_ops *const all[LEVER_COUNT] = {
        [LEVER_EXACT_CACHE] = &exact_cache_lever,
        [LEVER_COALESCE] = &coalesce_lever,
        [LEVER_SEMANTIC_CACHE] = &semantic_cache_lever,
        [LEVER_ALTERNATIVES] = &alternatives_lever,
        [LEVER_PROMPT_CACHE] = &prompt_cache_lever,
        [LEVER_BATCHING] = &batching_lever,
        [LEVER_ROUTER] = &router_lever,
        [LEVER_CASCADE] = &cascade_lever,
    };

    return all[id];
}

enum lever_mode
lever_mode_of(const struct request *request, enum lever_id id)
{
    struct lever_setting setting = request->levers[id];
    uint64_t draw;

    if (request->config->observe && setting.mode == LEVER_ON)
        return LEVER_SHADOW;
    if (setting.mode != LEVER_ON || setting.share_ppm >= 1000000)
        return setting.mode;
    /* Drawn by conversation, apart for each lever, so that a conversation is not torn. */
    draw = rng_mix(request->conversation + (uint64_t)id * 0x9e3779b97f4a7c15u);
    return draw % 1000000 < setting.share_ppm ? LEVER_ON : LEVER_SHADOW;
}

/* NULL: it is off for this request, or does nothing here. */
static const struct lever_ops *
lever_in_use(const struct request *request, unsigned id, enum lever_mode *mode)
{
    *mode = lever_mode_of(request, (enum lever_id)id);
    return *mode != LEVER_OFF ? lever_ops_of((enum lever_id)id) : NULL;
}

void
levers_make(const struct request *request, struct plans *plans)
{
    const struct lever_ops *ops;
    enum lever_mode mode;

    for (unsigned id = 0; id < LEVER_COUNT; id++)
        if ((ops = lever_in_use(request, id, &mode)) != NULL && ops->make != NULL)
            ops->make(request, mode, plans);
}

void
levers_refine(const struct request *request, struct plans *plans)
{
    const struct lever_ops *ops;
    enum lever_mode mode;

    for (unsigned id = 0; id < LEVER_COUNT && !request->bypass; id++)
        if ((ops = lever_in_use(request, id, &mode)) != NULL && ops->refine != NULL)
            ops->refine(request, mode, plans);
}

void
levers_learn(const struct request *request, const struct plan *plan, const struct usage *usage)
{
    const struct lever_ops *ops;
    enum lever_mode mode;

    for (unsigned id = 0; id < LEVER_COUNT && !request->bypass; id++)
        if ((ops = lever_in_use(request, id, &mode)) != NULL && ops->learn != NULL)
            ops->learn(request, mode, plan, usage);
}
