#include "gateway/choice/choosing.h"

#include <math.h>

#include "base/rng.h"
#include "gateway/attempt/destination.h"
#include "gateway/choice/part.h"
#include "gateway/choice/warm_start.h"
#include "gateway/judging/outside_judge.h"
#include "levers/router.h"
#include "quality/router.h"
#include "quality/validate.h"

bool
choosing_fits(enum api api)
{
    return api != API_EMBEDDINGS && api != API_PASSTHROUGH;
}

static unsigned
score(struct exchange *exchange, struct scored *now, struct scored *on_trial, struct router_explanation *why)
{
    struct gateway *gateway = exchange->worker->gateway;

    gateway_open_meanings(gateway);
    return scorer_score(scorer_at(&gateway->scorers, exchange->request.route->name), exchange->request.route,
                        gateway->embedder, exchange->identity.api, chunk_bytes(exchange->body), now, on_trial, why);
}

/* No text of the request: rows hold none. */
static const char *
words_of(const struct router_explanation *why, struct arena *arena)
{
    struct buffer words = {0};
    const char *copy;

    buffer_printf(&words, "by its words %.2f, by its neighbours %.2f", why->regression, why->near);
    for (unsigned i = 0; i < why->neighbour_count; i++) {
        const struct neighbour *near = &why->neighbours[i];

        buffer_printf(&words, "%s%.2f alike: ", i == 0 ? " (" : ", ", (double)near->similarity);
        buffer_add_text(&words, isnan(near->outcome) ? "unknown" : near->outcome > 0.5f ? "acceptable" : "not");
    }
    buffer_add_text(&words, why->neighbour_count > 0 ? ")" : "");
    copy = arena_printf(arena, "%.*s", SLICE_ARGS(buffer_content(&words)));
    buffer_free(&words);
    return copy;
}

/* Behind what is said already. */
static void
add_words(struct exchange *exchange, struct plan *plan, const char *words)
{
    const char *said = plan->evidence.detail;

    plan->evidence.detail =
        arena_printf(&exchange->arena, "%s%s%s", said != NULL ? said : "", said != NULL ? "; " : "", words);
}

/* Of which of its route's slices the evidence is that a plan goes by. */
static void
explain_part(struct exchange *exchange)
{
    const char *name = exchange->request.part.name;

    for (size_t i = 0; name != NULL && i < exchange->plans.count; i++)
        if (plan_chooses_model(&exchange->plans.all[i]))
            add_words(exchange, &exchange->plans.all[i], arena_printf(&exchange->arena, "slice %s", name));
}

void
choosing_explain(struct exchange *exchange)
{
    const struct choosing *choosing = exchange->request.choosing;

    explain_part(exchange);
    for (size_t i = 0; choosing != NULL && i < exchange->plans.count; i++) {
        struct plan *plan = &exchange->plans.all[i];
        const struct routed *routed = plan->lever == LEVER_ROUTER ? router_find(choosing, plan) : NULL;
        double threshold;

        if (routed == NULL || routed->why == NULL)
            continue;
        threshold = shared_evidence_threshold(routed->evidence, &routed->terms);
        add_words(exchange, plan,
                  arena_printf(&exchange->arena, "%s; %s",
                               shared_evidence_serving(routed->evidence, &routed->terms) == ARM_NONE
                                   ? "no score serves yet"
                                   : arena_printf(&exchange->arena, "scores from %.4f on serve", threshold),
                               routed->why));
    }
}

/* What has no place has none, and gets something that is neither kept nor shown, and at an alpha of 0 never begins. */
static struct shared_evidence *
evidence_of(struct exchange *exchange, enum lever_id lever, const struct target *target)
{
    struct gateway *gateway = exchange->worker->gateway;
    const struct request *request = &exchange->request;
    const struct part *part = &request->part;
    bool has_none = part->name != NULL && part->place == 0;
    const char *of_part = has_none ? "the rest" : part->name;

    return evidences_at(has_none ? &gateway->on_trial : &gateway->evidences, request->route->name,
                        arena_printf(&exchange->arena, "%s %s%s%s", lever_name(lever), target->name,
                                     of_part != NULL ? EVIDENCE_PART : "", of_part != NULL ? of_part : ""));
}

struct choosing
choosing_list(struct exchange *exchange, enum lever_id lever)
{
    const struct route_config *route = exchange->request.route;
    struct choosing choosing = {.all = arena_alloc(&exchange->arena, route->candidate_count * sizeof(choosing.all[0]))};

    for (size_t i = 0; i < route->candidate_count; i++) {
        const struct target *target = &route->candidates[i];

        if (!route_candidate_differs(route, target) || choosing.count == ROUTER_MODELS_MOST)
            continue;
        choosing.all[choosing.count++] = (struct routed){
            .target = target,
            .evidence = evidence_of(exchange, lever, target),
            .score = 1.0,
        };
    }
    if (route->judge.is_set && route->judge.ceiling_ppm > 0 && route->floor_of != FLOOR_RELATIVE)
        choosing.judge = evidences_at(&exchange->worker->gateway->evidences, route->name, JUDGE_EVIDENCE);
    return choosing;
}

/* Who only observes asks nobody on his own account. A tenant's texts go to a judge only where its rules let them go. */
static bool
may_audit(const struct exchange *exchange)
{
    const struct route_config *route = exchange->request.route;
    const struct judge_config *judge = &route->judge;
    bool told = route->floor_of == FLOOR_RELATIVE ? validators_any(&route->validate) : judge->is_set;

    return told && !exchange->worker->gateway->no_audits && !exchange->bypass && !exchange->request.config->observe &&
           (judge->model == NULL || destination_allowed(exchange->identity.tenant, judge->model->backend)) &&
           outside_judge_allowed(exchange->request.route, exchange->identity.tenant);
}

/* By the setting. Where it serves a share of the conversations alone, the others are in its shadow by a lot that is never drawn
 * anew: were more of these audited, scores would be learned from them, and proved by them, for others. */
static uint32_t
audited_ppm(const struct request *request, enum lever_id lever, const struct choosing *choosing)
{
    bool shadow = request->config->observe || request->levers[lever].mode == LEVER_SHADOW;
    uint32_t wanted_ppm = router_audit_ppm(choosing, shadow);
    uint32_t cap_ppm = learning_cap_ppm(choosing->book);

    return wanted_ppm < cap_ppm ? wanted_ppm : cap_ppm;
}

/* The lot is drawn anew each hour: where one mark stands for most of a route's traffic, as with a first turn that is always
 * the same, it would else be audited for ever, or never. */
#define HOUR_US (3600 * USEC_PER_S)

void
choosing_draw(struct exchange *exchange, enum lever_id lever, struct choosing *choosing)
{
    const struct request *request = &exchange->request;
    uint64_t sticks_to = exchange->conversation != 0 ? exchange->conversation : exchange->id;
    uint64_t hour = (uint64_t)(exchange->arrived_wall_us / HOUR_US);
    uint32_t ppm;

    choosing->book = learning_book_at(&exchange->worker->gateway->learning, request->route->name);
    choosing->earned = router_serves(choosing);
    choosing->serves = choosing->earned && lever_mode_of(request, lever) == LEVER_ON;
    choosing->draw = coin_draw(&exchange->worker->gateway->coin, rng_mix(sticks_to + hour));
    choosing->hour = exchange->conversation != 0 ? hour : 0;
    ppm = audited_ppm(request, lever, choosing);
    choosing->drawn = may_audit(exchange) && coin_falls(choosing->draw, ppm);
    choosing->all_drawn = ppm == PPM;
}

static bool
by_heart(const struct choosing *choosing, const struct scored *scored)
{
    return scorer_taught_in(scored->taught_until, choosing->hour);
}

/* Where there are several models, what one is asked depends on what the others serve: a trial would be of other requests than
 * what follows it. Where there are slices, what one of them has earned would have the scores of all others change. */
static void
try_next(struct exchange *exchange, struct choosing *choosing, const struct scored *on_trial)
{
    struct shared_evidence *evidence;

    if (on_trial->mark == 0 || choosing->count != 1 || exchange->request.part.name != NULL)
        return;
    evidence = evidences_at(&exchange->worker->gateway->on_trial, exchange->request.route->name,
                            shared_evidence_lever(choosing->all[0].evidence));
    router_try(choosing, &exchange->request,
               &(struct trial){.scorer = on_trial->mark,
                               .evidence = evidence,
                               .score = (double)on_trial->scores[0],
                               .by_heart = by_heart(choosing, on_trial)});
}

/* Reasons stand with the plans, in the journal and the ledger: those of few models. */
enum { EXPLAINED_MOST = 4 };

/* It is one of those with the best scores. */
static bool
is_explained(const struct choosing *choosing, size_t model)
{
    double score = choosing->all[model].score;
    size_t before = 0;

    for (size_t i = 0; i < choosing->count; i++)
        before += choosing->all[i].score > score || (i < model && !(choosing->all[i].score < score)) ? 1 : 0;
    return before < EXPLAINED_MOST;
}

void
choosing_begin(struct exchange *exchange)
{
    struct request *request = &exchange->request;
    struct router_explanation why[ROUTER_MODELS_MOST];
    struct scored now, on_trial;
    unsigned explained;
    struct choosing *choosing;

    if (lever_mode_of(request, LEVER_ROUTER) == LEVER_OFF || !choosing_fits(exchange->identity.api) ||
        !route_has_other_models(request->route) || !part_is_of_now(exchange))
        return;
    explained = score(exchange, &now, &on_trial, why);
    if (now.mark == 0)
        warm_start(exchange->worker, exchange->view, request->route);
    choosing = arena_alloc(&exchange->arena, sizeof(*choosing));
    *choosing = choosing_list(exchange, LEVER_ROUTER);
    for (size_t i = 0; i < choosing->count; i++)
        choosing->all[i].score = (double)now.scores[i];
    for (size_t i = 0; i < choosing->count && i < explained; i++)
        if (is_explained(choosing, i))
            choosing->all[i].why = words_of(&why[i], &exchange->arena);
    choosing->told_apart = now.mark != 0;
    router_order(choosing, request, now.mark);
    choosing_draw(exchange, LEVER_ROUTER, choosing);
    choosing->by_heart = by_heart(choosing, &now);
    try_next(exchange, choosing, &on_trial);
    request->choosing = choosing;
}
