/* The table of levers, and what belongs to all of them. */
#include "levers/lever.h"

#include "base/rng.h"

extern const struct lever_ops alternatives_lever, exact_cache_lever;

const struct lever_ops *
lever_ops_of(enum lever_id id)
{
    static const struct lever_ops *const all[LEVER_COUNT] = {
        [LEVER_EXACT_CACHE] = &exact_cache_lever,
        [LEVER_ALTERNATIVES] = &alternatives_lever,
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
