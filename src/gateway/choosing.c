#include "gateway/choosing.h"

#include "gateway/destination.h"
#include "levers/router.h"

/* Until somebody can tell requests apart, all are one arm: the model may serve them, or it may not. */
enum { SCORER_NONE = 0 };
static const double SAME_SCORE = 1.0;

static bool
says_something(enum api api)
{
    return api != API_EMBEDDINGS && api != API_PASSTHROUGH;
}

static struct choosing *
list_candidates(struct exchange *exchange)
{
    const struct route_config *route = exchange->request.route;
    struct choosing *choosing = arena_alloc(&exchange->arena, sizeof(*choosing));

    *choosing =
        (struct choosing){.all = arena_alloc(&exchange->arena, route->candidate_count * sizeof(choosing->all[0]))};
    for (size_t i = 0; i < route->candidate_count; i++) {
        const struct target *target = &route->candidates[i];

        if (!route_candidate_differs(route, target))
            continue;
        choosing->all[choosing->count++] = (struct routed){
            .target = target,
            .evidence = evidences_at(&exchange->worker->gateway->evidences, route->name,
                                     arena_printf(&exchange->arena, ROUTER_EVIDENCE, target->name)),
            .score = SAME_SCORE,
        };
    }
    return choosing;
}

/* Who only observes asks nobody on his own account. A tenant's texts go to a judge only where its rules let them go. */
static bool
may_audit(const struct exchange *exchange)
{
    const struct judge_config *judge = &exchange->request.route->judge;

    return judge->is_set && !exchange->bypass && !exchange->request.config->observe &&
           (judge->model == NULL || destination_allowed(exchange->identity.tenant, judge->model->backend));
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
    struct choosing *choosing;

    if (mode == LEVER_OFF || !says_something(exchange->identity.api) || !route_has_other_models(request->route))
        return;
    choosing = list_candidates(exchange);
    router_order(choosing, request, SCORER_NONE);
    choosing->book = learning_book_at(&exchange->worker->gateway->learning, request->route->name);
    choosing->serves = mode == LEVER_ON && router_serves(choosing);
    choosing->draw = coin_draw(&exchange->worker->gateway->coin, sticks_to);
    choosing->drawn = may_audit(exchange) && coin_falls(choosing->draw, audited_ppm(choosing, mode));
    request->choosing = choosing;
}
