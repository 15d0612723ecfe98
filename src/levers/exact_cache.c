/* The answer that an equal request got before, if it is stored: it costs nothing and takes no time. What is stored, and
 * how it is served, is in gateway/cached.c. */
#include "cache/store.h"
#include "levers/lever.h"

/* Less than a millisecond: what it takes to find it. Not 0, which would say that nothing is known. */
static const usec FOUND_US = 100;

/* Entries keep only a mark of whose answer they are. A target that the route has no more leaves the reference, which the
 * key names. */
static const char *
made_by(const struct request *request, const struct cache_entry *entry)
{
    const struct route_config *route = request->route;

    for (size_t i = 0; i < route->candidate_count; i++)
        if (entry->marks[CACHE_MODEL] == cache_mark_of(slice_of(route->candidates[i].name)))
            return route->candidates[i].name;
    return route->reference.name;
}

static void
make(const struct request *request, enum lever_mode mode, struct plans *plans)
{
    struct cache_entry *entry;
    struct plan *plan;

    if (request->key == NULL || request->cache == NULL)
        return;
    entry = cache_lookup(request->cache, request->key, request->wall_us, request->age_most_us);
    plan = entry != NULL ? plans_add(plans) : NULL;
    if (plan == NULL) {
        cache_entry_release(entry);
        return;
    }
    plan->source = SOURCE_CACHED;
    plan->lever = LEVER_EXACT_CACHE;
    plan->mode = mode;
    plan->made_by = made_by(request, entry);
    plan->cached = entry;
    plan->cost = 0;
    plan->first_token_us = plan->total_us = FOUND_US;
    plan->quality_ppm = 1000000; /* it is an answer that this request could have got */
}

const struct lever_ops exact_cache_lever = {.id = LEVER_EXACT_CACHE, .make = make};
