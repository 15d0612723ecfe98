/* Plans are put on the balance, and the cheapest acceptable one that the budgets take is chosen. */
#include "gateway/weigh.h"

#include "base/rng.h"
#include "gateway/attempt/account.h"
#include "gateway/attempt/admit.h"
#include "gateway/attempt/attempt.h"
#include "gateway/booking/reserve.h"
#include "gateway/choice/cascading.h"
#include "gateway/choice/choosing.h"
#include "gateway/choice/part.h"
#include "gateway/cross.h"
#include "gateway/flight/share.h"
#include "gateway/idempotency.h"
#include "gateway/judging/audit.h"
#include "gateway/judging/mission.h"
#include "gateway/own_model.h"
#include "gateway/reuse/cached.h"
#include "gateway/reuse/paying.h"
#include "gateway/reuse/repeat.h"
#include "gateway/reuse/semantic.h"

/* Drawn once for each conversation, so that none is torn; what belongs to no conversation is drawn by itself. */
static bool
is_held_out(const struct exchange *exchange)
{
    static const uint64_t apart = 0x686f6c646f7574; /* this lot has nothing to do with those of levers */
    uint64_t lot = rng_mix((exchange->conversation != 0 ? exchange->conversation : exchange->id) ^ apart);

    return lot % 1000000 < exchange->request.route->holdout_ppm;
}

/* What is stored for it. False: some of it comes soon, and PLANS_READY with it. */
static bool
look_up(struct exchange *exchange)
{
    paying_begin(exchange);
    cached_begin(exchange);
    return semantic_begin(exchange);
}

void
weigh_keyed(struct exchange *exchange)
{
    if (look_up(exchange))
        weigh_on(exchange);
}

static void
make_plans(struct exchange *exchange)
{
    const struct request *request = &exchange->request;

    reference_make(request, &exchange->plans);
    if (exchange->identity.api == API_PASSTHROUGH) {
        exchange->plans.all[0].source = SOURCE_PASSTHROUGH;
        cross_survey(exchange);
        return;
    }
    if (!exchange->holdout)
        part_find(exchange);
    share_look(exchange);
    if (!exchange->holdout) {
        choosing_begin(exchange);
        cascading_begin(exchange);
        levers_make(request, &exchange->plans);
    }
    cross_survey(exchange);
    if (!exchange->holdout)
        levers_refine(request, &exchange->plans);
    audit_draw(exchange);
    choosing_explain(exchange);
}

/* The cheapest acceptable plan for which the budgets have room, reserved. */
static struct plan *
choose(struct exchange *exchange)
{
    struct plan *chosen;

    reserve_again(exchange);
    do
        chosen = attempt_next(exchange, &exchange->plans, &exchange->wait_us);
    while (chosen != NULL && (!account_claim(exchange, chosen) || !reserve_plan(exchange, chosen)));
    if (chosen == NULL)
        account_unclaim(exchange);
    return chosen;
}

static void
weigh_now(struct exchange *exchange)
{
    struct plan *chosen = choose(exchange);

    /* A call for an equal request may have begun or ended since it was looked for. */
    while (chosen != NULL && share_enter(exchange, chosen) == SHARE_MISSED) {
        exchange->rejoins++;
        share_look(exchange);
        lever_ops_of(LEVER_COALESCE)
            ->make(&exchange->request, lever_mode_of(&exchange->request, LEVER_COALESCE), &exchange->plans);
        cross_survey(exchange);
        chosen = choose(exchange);
    }
    if (chosen != NULL) {
        exchange->plan = chosen;
        exchange_move(exchange, PLAN_CHOSEN);
    } else if (exchange->wait_us > 0) {
        exchange_move(exchange, PLANS_REST);
    } else if (exchange->why != NULL || !reserve_refuses(exchange)) {
        attempt_none_left(exchange); /* what failed before is the reason, not that a detour is over budget */
    }
}

void
weigh_again(struct exchange *exchange)
{
    if (exchange->is_own)
        mission_weigh_again(exchange);
    else
        weigh_now(exchange);
}

static void
weigh_clients(struct exchange *exchange)
{
    struct gateway_worker *worker = exchange->worker;
    enum error_kind kind = ERROR_NO_SUCH_MODEL;
    const char *why = NULL;

    exchange->request = (struct request){
        .config = exchange->view->config,
        .facts = &exchange->facts,
        .body = exchange->body != NULL ? chunk_bytes(exchange->body) : SLICE_NONE,
        .tenant = exchange->identity.tenant,
        .wall_us = exchange->arrived_wall_us,
        .targets = &exchange->view->targets,
        .prompt = &exchange->prompt,
        .prompts = worker->gateway->prompts,
        .arrived_us = exchange->arrived_us,
    };
    exchange->request.route = resolve_route(exchange, &kind, &why);
    if (exchange->request.route == NULL) {
        exchange_give_up(exchange, NOTHING_FITS, kind == ERROR_FORBIDDEN ? ENDING_REFUSED : ENDING_INVALID, kind, why);
        return;
    }
    memcpy(exchange->request.levers, view_levers(exchange->view, exchange->request.route),
           sizeof(exchange->request.levers));
    exchange->request.noise = view_noise(exchange->view, exchange->request.route);
    if (!idempotency_enter(exchange))
        return;
    if (!admit_read_deadline(exchange, &why)) {
        exchange_give_up(exchange, NOTHING_FITS, ENDING_INVALID, ERROR_BAD_REQUEST, why);
        return;
    }
    exchange->request.conversation = exchange->conversation = identify_conversation(exchange);
    exchange->request.bypass = exchange->bypass = atomic_load_explicit(&worker->gateway->bypass, memory_order_relaxed);
    if (own_model_plan(exchange)) {
        exchange_move(exchange, PLAN_CHOSEN);
        return;
    }
    if (exchange->identity.api == API_PASSTHROUGH) {
        weigh_on(exchange);
        return;
    }
    exchange->holdout = is_held_out(exchange);
    if (repeat_begin(exchange))
        weigh_keyed(exchange);
}

void
weigh_plans(struct exchange *exchange)
{
    if (exchange->is_own)
        mission_weigh(exchange);
    else
        weigh_clients(exchange);
}

void
weigh_on(struct exchange *exchange)
{
    make_plans(exchange);
    reserve_begin(exchange);
    weigh_again(exchange);
}
