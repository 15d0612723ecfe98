#include "gateway/judging/audit.h"

#include <stdlib.h>

#include "base/rng.h"
#include "gateway/attempt/admit.h"
#include "gateway/attempt/reach.h"
#include "gateway/balance.h"
#include "gateway/booking/reserve.h"
#include "gateway/choice/cascading.h"
#include "gateway/judging/audit_run.h"
#include "levers/cascade.h"
#include "levers/terms.h"
#include "money/row.h"

/* Of an exchange that was drawn; in its arena. */
struct audited {
    enum lever_id lever; /* whose plan it is: the router's or the cascade's */
    const struct routed *candidate;
    bool is_certain;    /* any conversation would have been drawn now, and for no other candidate */
    bool is_surplus;    /* the lot had fallen on another */
    struct chunk *body; /* held: the exchange lets go of it with the first byte of its answer */
};

/* Drawing */

/* Its turn in the cascade has come: what serves before it did not have its answer kept. */
static void
open_turn(struct plans *plans, size_t at)
{
    if (plans->all[at].withheld != VERDICT_NEXT)
        return;
    for (size_t i = 0; i < at; i++)
        if (plans->all[i].lever == LEVER_CASCADE)
            plans->all[i].withheld = VERDICT_NOT_KEPT;
        else if (plans->all[i].lever == LEVER_ROUTER)
            plans->all[i].withheld = VERDICT_HARDER;
    plans->all[at].withheld = VERDICT_NONE;
}

/* If it were as good as the reference, would the balance take it? All that was earned serves, as it would in the end. */
static bool
would_serve(struct exchange *exchange, size_t at)
{
    struct plans plans = exchange->plans;

    open_turn(&plans, at);
    for (size_t i = 0; i < plans.count; i++) {
        if (plan_chooses_model(&plans.all[i]))
            plans.all[i].mode = LEVER_ON;
        if (plans.all[i].withheld == VERDICT_AUDIT) /* a stored answer, too, that is an audit itself */
            plans.all[i].withheld = VERDICT_NONE;
    }
    plans.all[at].quality_ppm = PPM;
    reach_survey(exchange, &plans);
    admit_survey(exchange, &plans);
    return balance_choose(&plans, &exchange->request, exchange->bypass) == &plans.all[at];
}

/* NULL: that lever has nothing to choose from here. */
static const struct choosing *
models_of(const struct exchange *exchange, enum lever_id lever)
{
    const struct cascading *cascading = exchange->request.cascading;

    if (lever == LEVER_ROUTER)
        return exchange->request.choosing;
    return cascading != NULL ? &cascading->models : NULL;
}

/* What both levers say alike: the draw, and the route's learning budget. NULL: neither has anything to choose from. */
static const struct choosing *
models_of_any(const struct exchange *exchange)
{
    const struct choosing *choosing = models_of(exchange, LEVER_ROUTER);

    return choosing != NULL ? choosing : models_of(exchange, LEVER_CASCADE);
}

static bool
is_among(struct plan *const *plans, size_t count, const struct plan *plan)
{
    for (size_t i = 0; i < count; i++)
        if (plans[i] == plan)
            return true;
    return false;
}

/* How many there are on this route, this request's plans or not: who has none of the cascade, as its tenant may not reach the one
 * that scores, is asked no more often for that. */
static size_t
lots_of(const struct request *request)
{
    bool routes = lever_mode_of(request, LEVER_ROUTER) != LEVER_OFF;

    return (routes ? terms_models(request->route) : 0) + cascading_models(request);
}

/* Of a cascade nothing else learns, and where the floor speaks of all answers surplus is no evidence. */
static bool
is_of_no_use(const struct exchange *exchange, const struct plan *surplus)
{
    return surplus->lever == LEVER_CASCADE && exchange->request.route->floor_of != FLOOR_SERVED;
}

/* A lot among all of them, drawn by the conversation as well and by nothing else. Where it falls on one that would not serve
 * this request, or has nothing to learn, another takes its place, evenly among those that do: what a candidate would serve
 * while nobody else is in question would else be audited more often than the rest of what it would serve. NULL: there is none. */
static struct plan *
choose(struct exchange *exchange, struct audited *out)
{
    static const uint64_t apart = 0x77686f; /* this lot has nothing to do with the coin's fall */
    const struct choosing *choosing = models_of_any(exchange);
    struct plan *all[PLANS_MOST], *eligible[PLANS_MOST], *drawn;
    size_t count = 0, eligible_count = 0, lots = lots_of(&exchange->request);
    uint64_t lot;

    for (size_t i = 0; choosing != NULL && i < exchange->plans.count; i++) {
        struct plan *plan = &exchange->plans.all[i];

        if (!plan_chooses_model(plan))
            continue;
        all[count++] = plan;
        if (plan->evidence.learns && would_serve(exchange, i))
            eligible[eligible_count++] = plan;
    }
    if (eligible_count == 0)
        return NULL;
    lot = rng_mix(choosing->draw ^ apart);
    drawn = lot % lots < count ? all[lot % lots] : NULL;
    out->is_surplus = drawn == NULL || !is_among(eligible, eligible_count, drawn);
    if (out->is_surplus)
        drawn = eligible[rng_mix(lot) % eligible_count];
    if (out->is_surplus && is_of_no_use(exchange, drawn))
        return NULL;
    out->is_certain = lots == 1 && models_of(exchange, drawn->lever)->all_drawn;
    drawn->evidence.detail = "asked too, and judged by this answer, if that comes whole";
    return drawn;
}

void
audit_draw(struct exchange *exchange)
{
    struct audited audited = {.body = NULL};
    const struct plan *drawn = choose(exchange, &audited);

    if (drawn == NULL)
        return;
    audited.lever = drawn->lever;
    audited.candidate = router_find(models_of(exchange, drawn->lever), drawn);
    audited.body = chunk_hold(exchange->body);
    exchange->audited = arena_alloc(&exchange->arena, sizeof(*exchange->audited));
    *exchange->audited = audited;
}

static bool
is_reference(const struct exchange *exchange)
{
    return exchange->plan != NULL && exchange->plan->source == SOURCE_REFERENCE && !exchange->follows;
}

void
audit_watch(struct exchange *exchange, struct flight *flight)
{
    if (exchange->audited == NULL || !is_reference(exchange) || flight->keep != NULL || flights_crowded(flight->all))
        return;
    flight->keep = kept_new(exchange->request.config->limits.answer_max);
}

void
audit_forget(struct exchange *exchange)
{
    if (exchange->audited != NULL)
        chunk_release(exchange->audited->body);
    exchange->audited = NULL;
}

/* Money */

static usd
share_of(usd money, uint32_t ppm)
{
    return usd_known(money) && money > 0 ? (usd)((wide_int)money * ppm / PPM) : 0;
}

static usd
saved_by_choice(const struct row *row)
{
    usd sum = 0;

    for (size_t i = 0; i < row->saving_count; i++) {
        const struct saving_line *line = &row->savings[i];

        if (!line->shadow &&
            (slice_is(line->lever, lever_name(LEVER_ROUTER)) || slice_is(line->lever, lever_name(LEVER_CASCADE))) &&
            usd_add(sum, line->saved, &sum) != OK)
            return 0;
    }
    return sum;
}

static bool
serves(const struct exchange *exchange)
{
    const struct choosing *router = models_of(exchange, LEVER_ROUTER), *cascade = models_of(exchange, LEVER_CASCADE);

    return (router != NULL && router->serves) || (cascade != NULL && cascade->serves);
}

/* What the request allows: of what it saved a tenth, of what nobody saved the route's share. Its row is the worker's last. */
static void
allow(const struct exchange *exchange)
{
    const struct row *row = &exchange->worker->row;
    usd saved = saved_by_choice(row);

    learning_allow(models_of_any(exchange)->book, row->cost,
                   saved != 0 ? share_of(saved, LEARNING_SAVINGS_PPM)
                              : share_of(row->cost, exchange->request.route->learning_ppm));
}

/* Starting */

/* Where a cascade's answer was not kept, the reference's is one of a request that is harder than others: who was drawn
 * before that was known would be judged by such alone. */
static bool
is_fresh(const struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;
    unsigned cut_short = (unsigned)TRANSFORM_CLIPPED | (unsigned)TRANSFORM_ENDED;

    return exchange->ending == ENDING_OK && exchange->client != NULL && is_reference(exchange) &&
           !exchange->cascade_went_on && flight != NULL && flight->state == FLIGHT_COMPLETE && flight->status < 300 &&
           !exchange->ending_stream && (reserve_transforms(exchange) & cut_short) == 0;
}

/* What is the same in a slice may be one of many answers in all of the route. */
static struct sameness *
sameness_of(struct exchange *exchange, const struct routed *candidate)
{
    const struct request *request = &exchange->request;
    const char *part = request->part.name;

    return sameness_at(&exchange->worker->gateway->samenesses,
                       arena_printf(&exchange->arena, "%s %s%s%s", request->route->name, candidate->target->name,
                                    part != NULL ? EVIDENCE_PART : "", part != NULL ? part : ""));
}

/* Of a cascade: whoever serves before the candidate is asked before it. How many: the candidate is the last; 0: it is none. */
static size_t
put_links(const struct exchange *exchange, struct audit_link links[ROUTER_MODELS_MOST])
{
    const struct cascading *cascading = exchange->request.cascading;
    size_t count = 0;

    if (exchange->audited->lever != LEVER_CASCADE)
        return 0;
    for (size_t i = 0;; i++) {
        const struct routed *model = &cascading->models.all[i];
        bool is_candidate = model == exchange->audited->candidate;

        if (is_candidate || shared_evidence_serving(model->evidence, &model->terms) != ARM_NONE)
            links[count++] = (struct audit_link){model->target, model->evidence, model->terms, cascading->books[i]};
        if (is_candidate)
            return count;
    }
}

/* What every run of this exchange has in common. */
static struct audit_run *
run_new(struct exchange *exchange, const struct target *target, bool is_scored)
{
    const struct flight *flight = exchange->cursor.flight;
    struct audit_run *run = must_alloc(sizeof(*run));

    *run = (struct audit_run){
        .mission = {.source = SOURCE_AUDIT, .target = target, .is_scored = is_scored, .done = audit_run_answered},
        .lever = exchange->audited->lever,
        .worker = exchange->worker,
        .view = view_hold(exchange->view),
        .route = exchange->request.route,
        .tenant = exchange->identity.tenant,
        .body = chunk_hold(exchange->audited->body),
        .reference = kept_hold(flight->keep),
        .reference_streams = flight->is_stream,
        .audit = {.reference = 1.0}, /* where it could not be told, which is the worst for a candidate */
        .book = models_of_any(exchange)->book,
        .instead = USD_UNKNOWN,
    };
    mission_prepare(&run->mission, exchange, exchange->identity.api, run->body);
    count(&exchange->worker->counters, COUNT_AUDITS_BEGUN, 1); /* before the client has its answer */
    return run;
}

/* The reference's own other answer, in a share of audits that depends on nothing else. */
static struct audit_run *
prepare_judge(struct exchange *exchange)
{
    static const uint64_t apart = 0x6a75646765;
    const struct route_config *route = exchange->request.route;
    const struct choosing *models = models_of(exchange, exchange->audited->lever);
    struct audit_run *run;

    if (models->judge == NULL || rng_mix(exchange->id ^ apart) % PPM >= route->judge.ceiling_ppm ||
        !mission_may_start(exchange->worker))
        return NULL;
    run = run_new(exchange, &route->reference, false);
    run->of_judge = true;
    run->lever = LEVER_COUNT;
    run->evidence = models->judge;
    run->terms = models->judge_terms;
    run->audit.score = 1.0;
    shared_evidence_begin_alike(run->evidence, &run->terms, run->audit.score);
    return run;
}

/* What a part of the conversations taught is not proved by that part. */
static void
draw_tells(const struct exchange *exchange, const struct routed *candidate, struct audit_run *run)
{
    const struct choosing *choosing = models_of(exchange, exchange->audited->lever);

    run->trial = candidate->trial;
    run->audit.surplus = exchange->audited->is_surplus;
    if (exchange->audited->is_certain)
        return;
    run->hour = choosing->hour;
    run->audit.only_loses = choosing->by_heart;
    if (run->trial.by_heart)
        run->trial.evidence = NULL;
}

static struct audit_run *
prepare_candidate(struct exchange *exchange, const struct routed *candidate)
{
    struct audit_link links[ROUTER_MODELS_MOST];
    size_t count = put_links(exchange, links);
    struct audit_run *run = run_new(exchange, count > 0 ? links[0].target : candidate->target, count > 0);

    memcpy(run->links, links, count * sizeof(links[0]));
    run->link_count = count;
    run->evidence = candidate->evidence;
    run->terms = candidate->terms;
    draw_tells(exchange, candidate, run);
    run->sameness = sameness_of(exchange, candidate);
    run->audit.score = candidate->score;
    run->instead = serves(exchange) ? exchange->cost : USD_UNKNOWN;
    run->also = prepare_judge(exchange);
    return run;
}

struct audit_run *
audit_prepare(struct exchange *exchange)
{
    if (models_of_any(exchange) != NULL && !exchange->is_own)
        allow(exchange);
    if (exchange->audited == NULL || !is_fresh(exchange))
        return NULL;
    if (!audit_run_can_read(exchange->cursor.flight) || !mission_may_start(exchange->worker)) {
        count(&exchange->worker->counters,
              exchange->audited->lever == LEVER_CASCADE ? COUNT_CASCADE_DROPPED : COUNT_ROUTER_DROPPED, 1);
        return NULL;
    }
    return prepare_candidate(exchange, exchange->audited->candidate);
}

void
audit_go(struct audit_run *run)
{
    struct audit_run *also = run != NULL ? run->also : NULL;

    if (run != NULL)
        mission_go(&run->mission);
    if (also != NULL)
        mission_go(&also->mission);
}
