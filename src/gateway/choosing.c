#include "gateway/choosing.h"

#include "gateway/destination.h"
#include "gateway/outside_judge.h"
#include "levers/router.h"
#include "quality/router.h"

static bool
says_something(enum api api)
{
    return api != API_EMBEDDINGS && api != API_PASSTHROUGH;
}

static uint64_t
score(struct exchange *exchange, float *scores)
{
    struct gateway *gateway = exchange->worker->gateway;

    gateway_open_meanings(gateway);
    return scorer_score(scorer_at(&gateway->scorers, exchange->request.route->name), exchange->request.route,
                        gateway->embedder, exchange->identity.api, chunk_bytes(exchange->body), scores);
}

static struct choosing *
list_candidates(struct exchange *exchange, const float *scores)
{
    const struct route_config *route = exchange->request.route;
    struct choosing *choosing = arena_alloc(&exchange->arena, sizeof(*choosing));

    *choosing =
        (struct choosing){.all = arena_alloc(&exchange->arena, route->candidate_count * sizeof(choosing->all[0]))};
    for (size_t i = 0; i < route->candidate_count; i++) {
        const struct target *target = &route->candidates[i];

        if (!route_candidate_differs(route, target) || choosing->count == ROUTER_MODELS_MOST)
            continue;
        choosing->all[choosing->count] = (struct routed){
            .target = target,
            .evidence = evidences_at(&exchange->worker->gateway->evidences, route->name,
                                     arena_printf(&exchange->arena, ROUTER_EVIDENCE, target->name)),
            .score = (double)scores[choosing->count],
        };
        choosing->count++;
    }
    return choosing;
}

/* Who only observes asks nobody on his own account. A tenant's texts go to a judge only where its rules let them go. */
static bool
may_audit(const struct exchange *exchange)
{
    const struct judge_config *judge = &exchange->request.route->judge;

    return judge->is_set && !exchange->bypass && !exchange->request.config->observe &&
           (judge->model == NULL || destination_allowed(exchange->identity.tenant, judge->model->backend)) &&
           outside_judge_allowed(exchange->request.route, exchange->identity.tenant);
}

static uint32_t
audited_ppm(const struct choosing *choosing, enum lever_mode mode)
{
    uint32_t wanted_ppm = router_audit_ppm(choosing, mode == LEVER_SHADOW);
    uint32_t cap_ppm = learning_cap_ppm(choosing->book);

    return wanted_ppm < cap_ppm ? wanted_ppm : cap_ppm;
}

void
choosing_begin(struct exchange *exchange)
{
    struct request *request = &exchange->request;
    enum lever_mode mode = lever_mode_of(request, LEVER_ROUTER);
    uint64_t sticks_to = exchange->conversation != 0 ? exchange->conversation : exchange->id;
    float scores[ROUTER_MODELS_MOST];
    struct choosing *choosing;
    uint64_t scorer;

    if (mode == LEVER_OFF || !says_something(exchange->identity.api) || !route_has_other_models(request->route))
        return;
    scorer = score(exchange, scores);
    choosing = list_candidates(exchange, scores);
    router_order(choosing, request, scorer);
    choosing->book = learning_book_at(&exchange->worker->gateway->learning, request->route->name);
    choosing->told_apart = scorer != 0;
    choosing->earned = router_serves(choosing);
    choosing->serves = mode == LEVER_ON && choosing->earned;
    choosing->draw = coin_draw(&exchange->worker->gateway->coin, sticks_to);
    choosing->drawn = may_audit(exchange) && coin_falls(choosing->draw, audited_ppm(choosing, mode));
    request->choosing = choosing;
}
