/* A cheaper model, for what evidence says it will do. The evidence: requests that the reference answered because the coin
 * said so, or because nothing is earned yet; a candidate is asked too, off the path, and judged by the reference's answer
 * (gateway/judging/audit.h). */
#include "levers/router.h"

#include <stdlib.h>

#include "levers/estimate.h"
#include "levers/terms.h"

/* Changes when what is audited, or how it is judged, means something else than before. */
enum { RULE = 2 };

/* A request by which candidates are put in order. */
enum { TYPICAL_INPUT = 1000, TYPICAL_OUTPUT = 500 };

static usd
typical_cost(const struct request *request, const struct target *target)
{
    const struct target_facts *facts = facts_of(request->targets, target);
    struct price_terms terms = {.wall_us = request->wall_us};
    struct usage usage;
    usd cost;

    if (facts_hourly(facts))
        return 0; /* it is paid for in any case */
    usage_init(&usage);
    usage.exactness = USAGE_ESTIMATED;
    usage_set(&usage, USAGE_input_tokens, TYPICAL_INPUT);
    usage_set(&usage, USAGE_output_tokens, TYPICAL_OUTPUT);
    cost = prices_cost(facts->price, &terms, &usage).total;
    return usd_known(cost) ? cost : INT64_MAX;
}

/* Few, and those of equal cost stay in the configuration's order. */
static void
sort(struct choosing *choosing, const struct request *request)
{
    for (size_t i = 1; i < choosing->count; i++) {
        struct routed moved = choosing->all[i];
        usd cost = typical_cost(request, moved.target);
        size_t at = i;

        for (; at > 0 && typical_cost(request, choosing->all[at - 1].target) > cost; at--)
            choosing->all[at] = choosing->all[at - 1];
        choosing->all[at] = moved;
    }
}

static uint64_t
mark_of(const struct route_config *route, uint64_t scorer)
{
    const struct judge_config *judge = &route->judge;
    uint64_t mark = terms_with_number(terms_with_number(RULE, scorer), judge->is_set);

    mark = terms_with_number(mark, judge->judge);
    mark = terms_with_number(mark, judge->similar_ppm);
    mark = terms_with_number(mark, judge->tolerance_ppm);
    if (judge->json_schema != NULL)
        mark = terms_with_text(mark, judge->json_schema);
    if (judge->model != NULL)
        mark = terms_with_text(terms_with_text(mark, judge->model->name), judge->model->upstream);
    if (judge->command != NULL)
        mark = terms_with_text(mark, judge->command);
    if (judge->http != NULL)
        mark = terms_with_text(mark, judge->http);
    if (route->floor_of == FLOOR_RELATIVE)
        mark = terms_with_validators(mark, &route->validate); /* they say what is right */
    mark = terms_with_text(mark, route->reference.name);
    return terms_with_text(mark, route->reference.upstream);
}

/* What the judge has to accept of anybody, be he ever so good. */
static struct evidence_terms
terms_of_judge(const struct route_config *route, const struct judge_noise *noise)
{
    return (struct evidence_terms){
        .scope = FLOOR_SERVED,
        .floor_ppm = noise_earn_ppm(noise, route->floor_of == FLOOR_ROUTE, terms_floor_of_model_ppm(route)),
        .alpha_ppm = terms_alpha_ppm(route),
        .epoch = mark_of(route, 0)};
}

static uint64_t
epoch_of(uint64_t mark, const struct target *target)
{
    return terms_with_text(terms_with_text(mark, target->name), target->upstream);
}

/* Slices share the alpha of their model. */
static uint32_t
alpha_of(const struct request *request, const struct judge_noise *noise)
{
    const struct part *part = &request->part;
    uint32_t alpha_ppm = terms_alpha_of_model_ppm(request->route) / (noise_is_set(noise) ? NOISE_EARN_PART : 1);

    if (part->name == NULL)
        return alpha_ppm;
    return part->place > 0 ? parts_alpha_ppm(alpha_ppm, part->place) : 0;
}

void
router_order(struct choosing *choosing, const struct request *request, uint64_t scorer)
{
    const struct route_config *route = request->route;
    struct judge_noise noise = {.sensitive_high_ppm = 0};
    uint64_t mark = mark_of(route, scorer);

    if (request->noise != NULL)
        noise = *request->noise;
    if (route->slices.count > 0)
        mark = terms_with_number(mark, route->slices.mark);
    sort(choosing, request);
    choosing->judge_terms = terms_of_judge(route, &noise);
    for (size_t i = 0; i < choosing->count; i++) {
        struct routed *one = &choosing->all[i];

        one->terms = (struct evidence_terms){
            .scope = (enum floor_scope)route->floor_of,
            .floor_ppm = terms_floor_of_model_ppm(route),
            .served_floor_ppm = route->served_floor_ppm,
            .alpha_ppm = alpha_of(request, &noise),
            .epoch = epoch_of(mark, one->target),
            .noise = noise,
        };
        mark = terms_with_text(mark, one->target->name);
        mark = terms_with_number(mark, shared_evidence_serving(one->evidence, &one->terms));
    }
}

void
router_try(struct choosing *choosing, const struct request *request, const struct trial *trial)
{
    struct routed *one = choosing->all;

    ENSURE(choosing->count == 1);
    one->trial = *trial;
    one->trial.terms = one->terms;
    one->trial.terms.epoch = epoch_of(mark_of(request->route, trial->scorer), one->target);
}

const struct routed *
router_find(const struct choosing *choosing, const struct plan *plan)
{
    for (size_t i = 0; i < choosing->count; i++)
        if (choosing->all[i].target == plan->target)
            return &choosing->all[i];
    return NULL;
}

bool
router_serves(const struct choosing *choosing)
{
    for (size_t i = 0; i < choosing->count; i++)
        if (shared_evidence_serving(choosing->all[i].evidence, &choosing->all[i].terms) != ARM_NONE)
            return true;
    return false;
}

/* While nothing is served, the cheap call is all that an audit costs. Where also those requests that suit it best were
 * found below the floor, a candidate is asked less: a newer version of it may do. */
uint32_t
router_audit_ppm(const struct choosing *choosing, bool shadow)
{
    uint32_t serving_ppm = AUDIT_SHADOW_PPM, idle_ppm = choosing->told_apart ? AUDIT_STALLED_PPM : AUDIT_SHADOW_PPM;

    for (size_t i = 0; i < choosing->count; i++) {
        const struct routed *one = &choosing->all[i];
        uint32_t ppm = shared_evidence_audit_ppm(one->evidence, &one->terms, shadow);
        enum evidence_reason reason;

        (void)shared_evidence_may_serve(one->evidence, &one->terms, one->score, &reason);
        if (ppm < serving_ppm)
            serving_ppm = ppm;
        if (reason != EVIDENCE_BELOW_FLOOR)
            idle_ppm = AUDIT_SHADOW_PPM;
    }
    return serving_ppm < idle_ppm ? serving_ppm : idle_ppm;
}

const char *
router_objection(const struct request *request)
{
    if (request->part.name != NULL && request->part.place == 0)
        return request->part.poor
                   ? "its slice has no evidence of its own, as those that came before it left too little alpha at the "
                     "route's confidence"
                   : "its slice has no evidence of its own, as others came before it and took all the places";
    if (request->facts->choices > 1)
        return "it asks for several answers, of which judges would compare the first";
    return request->facts->acts ? "it goes on with a conversation that its API keeps, or works in the background"
                                : NULL;
}

/* Where it does not accept enough of the reference's own answers, no candidate can please it. An arm that is a small part of a
 * route may do with less. */
static bool
judge_is_at_its_ceiling(const struct choosing *choosing, const struct routed *one)
{
    enum evidence_reason reason;

    if (choosing->judge == NULL || one->terms.scope != FLOOR_SERVED)
        return false;
    (void)shared_evidence_may_serve(choosing->judge, &choosing->judge_terms, 1.0, &reason);
    return reason == EVIDENCE_BELOW_FLOOR;
}

static const char *
words_of(const struct choosing *choosing, const struct routed *one, uint32_t quality_ppm, enum evidence_reason reason)
{
    if (quality_ppm > 0)
        return noise_is_set(&one->terms.noise) ? "bounded in spite of the mistakes that its judge is known for" : NULL;
    return judge_is_at_its_ceiling(choosing, one)
               ? "its judge does not accept enough of the reference's own other answers for this floor"
               : evidence_reason_text(reason);
}

/* Of what is never served nothing is learned either. */
static void
weigh_evidence(const struct request *request, const struct routed *one, enum lever_mode mode, struct plan *plan)
{
    enum evidence_reason reason;

    (void)shared_evidence_sample(one->evidence, &one->terms, one->score);
    if (one->trial.evidence != NULL)
        (void)shared_evidence_sample(one->trial.evidence, &one->trial.terms, one->trial.score);
    plan->quality_ppm = shared_evidence_may_serve(one->evidence, &one->terms, one->score, &reason);
    plan->evidence.hopeless = reason == EVIDENCE_BELOW_FLOOR || one->terms.floor_ppm >= PPM;
    plan->evidence.learns = request->choosing->drawn && reason != EVIDENCE_NO_EPOCH;
    plan->evidence.detail = words_of(request->choosing, one, plan->quality_ppm, reason);
    if (request->choosing->drawn && plan->quality_ppm > 0 && mode == LEVER_ON)
        plan->withheld = VERDICT_AUDIT;
}

static void
make_one(const struct request *request, const struct routed *one, enum lever_mode mode, struct plans *plans)
{
    const char *objection = router_objection(request);
    struct plan *plan = plans_add(plans);

    if (plan == NULL)
        return;
    plan->source = SOURCE_MODEL;
    plan->lever = LEVER_ROUTER;
    plan->mode = mode;
    plan->target = one->target;
    plan->facts = facts_of(request->targets, one->target);
    /* Else a model that nobody has asked yet might look dearer than it is, and never be asked. */
    estimate_plan_like(request, facts_of(request->targets, &request->route->reference), plan);
    plan->evidence.score = one->score;
    if (objection == NULL) {
        weigh_evidence(request, one, mode, plan);
        return;
    }
    plan->withheld = VERDICT_UNJUDGED;
    plan->evidence.detail = objection;
}

static void
make(const struct request *request, enum lever_mode mode, struct plans *plans)
{
    const struct choosing *choosing = request->choosing;

    for (size_t i = 0; choosing != NULL && i < choosing->count; i++)
        make_one(request, &choosing->all[i], mode, plans);
}

const struct lever_ops router_lever = {.id = LEVER_ROUTER, .make = make};
