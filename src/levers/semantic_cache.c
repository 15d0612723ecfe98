/* The answer to a turn of the same meaning: all before the turn is equal, and so is what the turn says literally. It costs
 * nothing; whether it would do, only evidence can tell, and until that carries it over the route's floor it serves
 * nobody. The evidence: requests of the route for which there was such an answer, and a fresh one was bought all the
 * same, because the lever is in shadow, or has earned nothing yet, or the coin said so. */
#include "levers/semantic_cache.h"

#include <math.h>

#include "cache/store.h"
#include "levers/cached_plan.h"
#include "levers/cascade.h"
#include "levers/terms.h"
#include "quality/coin.h"

/* Changes when turns are compared in another way: what was learned before is then about something else. */
enum { RULE = 1 };

struct evidence_terms
semantic_terms(const struct route_config *route, uint64_t embedder, const struct judge_noise *noise)
{
    uint64_t epoch = terms_with_number(terms_with_number(RULE, embedder), route->semantic.judge);

    epoch = terms_with_number(epoch, route->semantic.similar_ppm);
    epoch = terms_with_number(epoch, route->semantic.tolerance_ppm);
    epoch = terms_with_text(epoch, route->reference.name);
    epoch = terms_with_text(epoch, route->reference.upstream);
    for (size_t i = 0; i < route->candidate_count; i++)
        epoch = terms_with_text(epoch, route->candidates[i].name);
    return (struct evidence_terms){
        .scope = FLOOR_SERVED,
        .floor_ppm = route->quality_ppm,
        .alpha_ppm = noise != NULL ? terms_alpha_ppm(route) / NOISE_EARN_PART : terms_alpha_ppm(route),
        .epoch = epoch,
        .noise = noise != NULL ? *noise : (struct judge_noise){.sensitive_high_ppm = 0},
    };
}

/* Requests that get an equal one's answer are not this lever's. */
static bool
serves_already(const struct plans *plans)
{
    for (size_t i = 0; i < plans->count; i++)
        if (plans->all[i].source == SOURCE_CACHED && plans->all[i].mode == LEVER_ON)
            return true;
    return false;
}

/* It says something, and to none but this tenant, which keys and partitions see to already. */
static bool
is_ours(const struct request *request, const struct cache_entry *entry)
{
    return (entry->form & CACHE_TEXT) != 0 && entry->api == (unsigned char)request->facts->api &&
           entry->marks[CACHE_TENANT] == cache_mark_of(slice_of(request->tenant->name)) &&
           entry->marks[CACHE_ROUTE] == cache_mark_of(slice_of(request->route->name));
}

/* The answer to the nearest turn that does not differ literally; NULL: there is none. */
static struct cache_entry *
find_answer(const struct request *request, const struct semantic_match **match)
{
    struct meaning *meaning = request->meaning;
    struct cache_entry *entry;

    for (unsigned i = 0; i < meaning->near.count; i++) {
        *match = &meaning->near.all[i];
        if ((*match)->differs)
            continue;
        entry = cache_lookup(request->cache, &(*match)->key, request->wall_us, request->age_most_us);
        if (entry != NULL && is_ours(request, entry))
            return entry;
        cache_entry_release(entry);
        if (entry == NULL && request->age_most_us == USEC_NEVER)
            semantic_index_remove(meaning->index, &(*match)->key);
    }
    return NULL;
}

/* That a judge let the pair pass once is no proof: a floor of 100 % wants answers of their own. */
enum { PROMOTED_PPM = PPM - 1 };

/* Has a judge let this very pair pass, under the evidence that serves now? */
static bool
is_promoted(const struct request *request, const struct plan *plan)
{
    const struct meaning *meaning = request->meaning;
    struct promotion promotion;

    return promotions_find(meaning->promotions, request->key, &promotion) &&
           digest_equal(&promotion.answer, &plan->cached->key) &&
           promotion.answer_created_us == plan->cached->created_wall_us &&
           promotion.under == shared_evidence_round_id(meaning->evidence);
}

/* Near what is earned, and not of it: it may serve all the same if this very pair was let pass. The coin fell before, so
 * what is audited does not depend on that. */
static void
weigh_near(const struct request *request, struct plan *plan)
{
    const struct meaning *meaning = request->meaning;

    plan->evidence.near =
        plan->mode == LEVER_ON && shared_evidence_is_near(meaning->evidence, &meaning->terms, plan->evidence.score);
    plan->evidence.promoted = plan->evidence.near && is_promoted(request, plan);
    if (!plan->evidence.promoted)
        return;
    plan->quality_ppm = PROMOTED_PPM;
    plan->evidence.detail = "promoted: a judge let this very pair pass";
}

/* Levers that choose another model, of which evidence lets one serve. */
static const struct choosing *
router_of(const struct request *request)
{
    return request->choosing != NULL && request->choosing->serves ? request->choosing : NULL;
}

static const struct choosing *
cascade_of(const struct request *request)
{
    return request->cascading != NULL && request->cascading->models.serves ? &request->cascading->models : NULL;
}

/* Is the request an audit, so that the reference answers it? Where another model may serve in its place, the fresh answer is
 * not bought anyway: then there are as many audits as while something serves, for which that model makes room; a lever in
 * shadow, which changes nothing for a client, has only those that the other model was drawn for as well. */
static bool
is_drawn(const struct request *request, const struct plan *plan)
{
    const struct meaning *meaning = request->meaning;
    const struct choosing *router = router_of(request), *cascade = cascade_of(request);
    uint32_t ppm = shared_evidence_audit_ppm(meaning->evidence, &meaning->terms, plan->mode == LEVER_SHADOW);

    if (router == NULL && cascade == NULL)
        return coin_falls(meaning->draw, ppm);
    if (plan->mode == LEVER_SHADOW)
        return (router == NULL || router->drawn) && (cascade == NULL || cascade->drawn);
    return coin_falls(meaning->draw, ppm < AUDIT_SERVING_PPM ? ppm : AUDIT_SERVING_PPM);
}

/* Its tenant's own audits speak against what serves others. As all that it could be given is bought anew then, all of it is
 * judged, so that it can earn to be served again; but for where another model answers, which would have to make room. */
static void
guard(const struct request *request, struct plan *plan)
{
    const struct meaning *meaning = request->meaning;

    plan->evidence.guarded =
        plan->quality_ppm > 0 && meaning->guard != NULL && shared_evidence_refutes(meaning->guard, &meaning->terms);
    if (!plan->evidence.guarded)
        return;
    plan->quality_ppm = 0;
    plan->evidence.learns |= router_of(request) == NULL && cascade_of(request) == NULL;
    plan->evidence.detail = "audits of this tenant's own requests speak against it";
}

static void
weigh(const struct request *request, const struct semantic_match *match, struct plan *plan)
{
    const struct meaning *meaning = request->meaning;
    enum evidence_reason reason;

    plan->evidence.score = (double)match->similarity;
    plan->quality_ppm = shared_evidence_may_serve(meaning->evidence, &meaning->terms, plan->evidence.score, &reason);
    plan->evidence.learns = is_drawn(request, plan);
    plan->evidence.hopeless = reason == EVIDENCE_BELOW_FLOOR || meaning->terms.floor_ppm >= PPM;
    if (reason == EVIDENCE_OUTSIDE)
        weigh_near(request, plan);
    guard(request, plan);
    if (plan->evidence.learns && plan->quality_ppm > 0 && plan->mode == LEVER_ON)
        plan->withheld = VERDICT_AUDIT;
}

/* A near miss, for whoever asks why this was not served. */
static void
show_miss(const struct request *request, enum lever_mode mode, struct plans *plans)
{
    const struct semantic_matches *near = &request->meaning->near;
    struct plan *plan = near->count > 0 && near->all[0].differs ? plans_add(plans) : NULL;

    if (plan == NULL)
        return;
    plan->source = SOURCE_CACHED;
    plan->lever = LEVER_SEMANTIC_CACHE;
    plan->mode = mode;
    plan->made_by = request->route->reference.name;
    plan->evidence.score = (double)near->all[0].similarity;
    plan->evidence.detail = literal_kind_text(near->all[0].where);
    plan->withheld = VERDICT_LITERALS;
}

static void
make(const struct request *request, enum lever_mode mode, struct plans *plans)
{
    const struct semantic_match *match = NULL;
    const struct meaning *meaning = request->meaning;
    struct cache_entry *entry;
    struct plan *plan;

    if (meaning == NULL || serves_already(plans))
        return;
    entry = find_answer(request, &match);
    (void)shared_evidence_sample(meaning->evidence, &meaning->terms, entry != NULL ? (double)match->similarity : NAN);
    if (entry == NULL) {
        show_miss(request, mode, plans);
        return;
    }
    plan = plans_add(plans);
    if (plan == NULL) {
        cache_entry_release(entry);
        return;
    }
    cached_plan_expect(request, entry, plan);
    plan->source = SOURCE_CACHED;
    plan->cached = entry;
    plan->lever = LEVER_SEMANTIC_CACHE;
    plan->mode = mode;
    weigh(request, match, plan);
}

/* What an audit is judged by is the reference's answer, not another model's. */
static void
refine(const struct request *request, enum lever_mode mode, struct plans *plans)
{
    bool drawn = false;

    for (size_t i = 0; i < plans->count; i++)
        drawn |= plans->all[i].lever == LEVER_SEMANTIC_CACHE && plans->all[i].evidence.learns;
    if (!drawn || mode != LEVER_ON || (router_of(request) == NULL && cascade_of(request) == NULL))
        return;
    for (size_t i = 0; i < plans->count; i++) {
        struct plan *plan = &plans->all[i];

        if (plan_chooses_model(plan) && plan->quality_ppm > 0 && plan->mode == LEVER_ON &&
            plan->withheld == VERDICT_NONE)
            plan->withheld = VERDICT_AUDIT;
    }
}

const struct lever_ops semantic_cache_lever = {.id = LEVER_SEMANTIC_CACHE, .make = make, .refine = refine};
