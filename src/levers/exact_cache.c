/* The answer that an equal request got before, if it is stored: it costs nothing and takes no time. Of a batch of
 * embeddings each input is looked up by itself: if all are there it is the same, if some are the others are bought alone.
 * What is stored, and how it is served, is in gateway/reuse/cached.c and gateway/reuse/elements.c. */
#include "cache/store.h"
#include "levers/cached_plan.h"
#include "levers/estimate.h"
#include "levers/known.h"

static struct cache_entry *
look_up(const struct request *request, const struct digest *key)
{
    return cache_lookup(request->cache, key, request->wall_us, request->age_most_us);
}

static struct plan *
add_plan(enum lever_mode mode, enum source source, struct plans *plans)
{
    struct plan *plan = plans_add(plans);

    if (plan == NULL)
        return NULL;
    plan->source = source;
    plan->lever = LEVER_EXACT_CACHE;
    plan->mode = mode;
    plan->quality_ppm = 1000000; /* it is an answer that this request could have got */
    return plan;
}

/* True if there is one. */
static bool
put_cached(const struct request *request, const struct cache_entry *entry, enum lever_mode mode, struct plans *plans,
           struct plan **out)
{
    struct plan *plan = add_plan(mode, SOURCE_CACHED, plans);

    *out = plan;
    if (plan == NULL)
        return false;
    cached_plan_expect(request, entry, plan);
    return true;
}

static void
look_up_elements(const struct request *request, struct known_elements *elements)
{
    const struct embedding_batch *batch = &elements->batch;

    for (size_t i = 0; i < batch->count; i++) {
        const struct embedding_input *input = &batch->inputs[i];
        struct cache_entry *first = elements->entries[input->same_as];

        if (input->same_as == i)
            elements->entries[i] = look_up(request, &input->key);
        else if (first != NULL)
            elements->entries[i] = cache_entry_hold(first);
        elements->wanted[i] = elements->entries[i] == NULL && input->same_as == i;
        elements->wanted_count += elements->wanted[i];
        elements->bytes += input->raw.len;
        elements->wanted_bytes += elements->wanted[i] ? input->raw.len : 0;
    }
}

/* The reference is asked for less. */
static void
put_partly(const struct request *request, const struct known_elements *elements, enum lever_mode mode,
           struct plans *plans)
{
    struct plan *plan = add_plan(mode, SOURCE_PARTLY, plans);

    if (plan == NULL)
        return;
    plan->target = &request->route->reference;
    plan->facts = facts_of(request->targets, plan->target);
    estimate_plan(request, plan);
    if (usd_known(plan->cost))
        plan->cost = (usd)((wide_int)plan->cost * (wide_int)elements->wanted_bytes / (wide_int)elements->bytes);
    if (plan->by_the_hour && usd_known(plan->marginal))
        plan->marginal = (usd)((wide_int)plan->marginal * (wide_int)elements->wanted_bytes / (wide_int)elements->bytes);
}

static void
make_of_elements(const struct request *request, enum lever_mode mode, struct plans *plans)
{
    struct known_elements *elements = request->elements;
    struct plan *plan;

    look_up_elements(request, elements);
    if (elements->wanted_count == 0)
        put_cached(request, elements->entries[0], mode, plans, &plan);
    else if (elements->wanted_count < elements->batch.count)
        put_partly(request, elements, mode, plans);
}

static void
make(const struct request *request, enum lever_mode mode, struct plans *plans)
{
    struct cache_entry *entry;
    struct plan *plan;

    if (request->key == NULL || request->cache == NULL)
        return;
    if (request->elements != NULL) {
        make_of_elements(request, mode, plans);
        return;
    }
    entry = look_up(request, request->key);
    if (entry == NULL)
        return;
    if (put_cached(request, entry, mode, plans, &plan))
        plan->cached = entry;
    else
        cache_entry_release(entry);
}

const struct lever_ops exact_cache_lever = {.id = LEVER_EXACT_CACHE, .make = make};
