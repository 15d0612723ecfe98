#include "gateway/audit.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "gateway/acceptance.h"
#include "gateway/admit.h"
#include "gateway/balance.h"
#include "gateway/evidence_news.h"
#include "gateway/jury.h"
#include "gateway/outside_judge.h"
#include "gateway/reach.h"
#include "gateway/reserve.h"
#include "levers/cascade.h"
#include "money/row.h"

/* Of an exchange that was drawn; in its arena. */
struct audited {
    enum lever_id lever; /* whose plan it is: the router's or the cascade's */
    const struct routed *candidate;
    struct chunk *body; /* held: the exchange lets go of it with the first byte of its answer */
};

/* A candidate being asked, and judged. */
struct audit_run {
    struct mission mission;
    struct acceptance acceptance; /* a cascade's: whether it would have kept the answer */
    struct comparison comparison;
    struct jury jury;
    struct outside_judge outside;
    const struct tenant_config *tenant;
    enum lever_id lever;
    struct acceptance_book *acceptances; /* a cascade's: where that is noted */
    struct gateway_worker *worker;
    struct view *view; /* whose route it is; held */
    const struct route_config *route;
    struct chunk *body;            /* of the request; held */
    struct kept_answer *reference; /* held */
    struct kept_answer *candidate; /* held; NULL: none that can be read */
    bool reference_streams, candidate_streams;
    struct exchange *answered; /* the mission's, which has ended; held; NULL: not yet */
    struct shared_evidence *evidence;
    struct evidence_terms terms;
    struct sameness *sameness;
    struct audit audit;
    uint64_t row; /* of the mission */
    struct learning_book *book;
    bool earned; /* something had been, when it was drawn */
    usd cost;    /* of the candidate's answer */
    usd instead; /* what the reference's cost, where the candidate's would have been served; else USD_UNKNOWN */
};

/* Drawing */

static bool
chooses_models(const struct plan *plan)
{
    return plan->lever == LEVER_ROUTER || plan->lever == LEVER_CASCADE;
}

/* If it were as good as the reference, would the balance take it? All that was earned serves, as it would in the end. */
static bool
would_serve(const struct exchange *exchange, size_t at)
{
    struct plans plans = exchange->plans;

    for (size_t i = 0; i < plans.count; i++)
        if (chooses_models(&plans.all[i])) {
            plans.all[i].mode = LEVER_ON;
            if (plans.all[i].withheld == VERDICT_AUDIT)
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

static const struct routed *
routed_of(const struct choosing *choosing, const struct plan *plan)
{
    for (size_t i = 0; i < choosing->count; i++)
        if (choosing->all[i].target == plan->target)
            return &choosing->all[i];
    return NULL;
}

/* Evenly among those that have something to learn: drawn by the conversation as well, and by nothing else. NULL: none. */
static struct plan *
choose(struct exchange *exchange)
{
    static const uint64_t apart = 0x77686f; /* this lot has nothing to do with the coin's fall */
    const struct choosing *choosing = models_of_any(exchange);
    struct plan *eligible[PLANS_MOST], *drawn;
    size_t count = 0;

    for (size_t i = 0; choosing != NULL && i < exchange->plans.count; i++) {
        struct plan *plan = &exchange->plans.all[i];

        if (chooses_models(plan) && plan->evidence.learns && would_serve(exchange, i))
            eligible[count++] = plan;
    }
    if (count == 0)
        return NULL;
    drawn = eligible[rng_mix(choosing->draw ^ apart) % count];
    drawn->evidence.detail = "asked too, and judged by this answer, if that comes whole";
    return drawn;
}

void
audit_draw(struct exchange *exchange)
{
    const struct plan *drawn = choose(exchange);

    if (drawn == NULL)
        return;
    exchange->audited = arena_alloc(&exchange->arena, sizeof(*exchange->audited));
    *exchange->audited = (struct audited){.lever = drawn->lever,
                                          .candidate = routed_of(models_of(exchange, drawn->lever), drawn),
                                          .body = chunk_hold(exchange->body)};
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

/* Judging */

static void
finish(struct audit_run *run)
{
    if (usd_known(run->instead) && run->instead > run->cost)
        run->cost = run->instead;
    if (run->cost > 0 || run->jury.cost > 0)
        learning_take(run->book, run->cost + run->jury.cost);
    if (run->answered != NULL)
        exchange_drop(run->answered);
    chunk_release(run->body);
    kept_release(run->reference);
    kept_release(run->candidate);
    view_release(run->view);
    free(run);
}

static struct slice
reason_of(const struct audit_run *run)
{
    if (run->audit.judge_failed)
        return SLICE_LITERAL("the judge could not tell");
    if (run->comparison.found != NULL)
        return slice_of(run->comparison.found);
    if (run->outside.words[0] != '\0')
        return slice_of(run->outside.words);
    if (run->audit.outcome >= 1.0)
        return SLICE_NONE;
    return run->audit.outcome > 0.0 ? SLICE_LITERAL("the judge says so in one order of the answers, not in the other")
                                    : SLICE_LITERAL("not as acceptable as the reference's answer");
}

/* Its row says what became of it. */
static void
keep_outcome(struct audit_run *run)
{
    struct gateway_worker *worker = run->worker;
    struct feedback feedback = {
        .id = run->row,
        .useful_ppm = run->audit.judge_failed ? ROW_UNKNOWN : (int64_t)(run->audit.outcome * PPM),
        .value = USD_UNKNOWN,
        .source = SLICE_LITERAL("audit"),
        .reason = reason_of(run),
        .wall_us = world_wall_us(worker_world(worker)),
    };

    journal_put_feedback(&worker->record, &feedback);
    (void)gateway_append(worker);
}

/* What tells requests apart learns of it, too. */
static void
teach(struct audit_run *run)
{
    struct gateway *gateway = run->worker->gateway;

    scorer_learn(run->worker, run->view,
                 &(struct taught){.scorer = scorer_at(&gateway->scorers, run->route->name),
                                  .route = run->route,
                                  .model = run->mission.target,
                                  .api = run->answered->identity.api,
                                  .body = run->body,
                                  .outcome = run->audit.outcome,
                                  .serves = run->earned});
}

/* The router's counter, or the cascade's of the same outcome: both stand in the same order. */
static void
count_audit(struct audit_run *run, enum counter routers)
{
    unsigned offset = run->lever == LEVER_CASCADE ? COUNT_CASCADE_ACCEPTABLE - COUNT_ROUTER_ACCEPTABLE : 0;

    count(&run->worker->counters, (enum counter)((unsigned)routers + offset), 1);
}

static void
learn(struct audit_run *run, double outcome, bool judge_failed)
{
    struct audit *audit = &run->audit;
    unsigned events;

    audit->outcome = outcome;
    audit->judge_failed = judge_failed;
    if (!judge_failed && run->lever == LEVER_ROUTER)
        teach(run);
    events = shared_evidence_observe(run->evidence, &run->terms, audit);
    count_audit(run, judge_failed ? COUNT_ROUTER_UNKNOWN : outcome > 0.5 ? COUNT_ROUTER_ACCEPTABLE : COUNT_ROUTER_NOT);
    keep_outcome(run);
    evidence_news(run->worker, run->evidence, events, "a score of", "routes: judge");
    finish(run);
}

/* Nothing is learned: it says nothing of the answers that the candidate gives. */
static void
leave(struct audit_run *run, enum counter routers)
{
    count_audit(run, routers);
    finish(run);
}

static void
jury_is_back(struct jury *jury)
{
    struct audit_run *run = CONTAINER_OF(jury, struct audit_run, jury);

    if (jury->dropped)
        leave(run, COUNT_ROUTER_DROPPED);
    else
        learn(run, jury_outcome(jury), jury->failed);
}

static void
outside_said(struct outside_judge *judge)
{
    learn(CONTAINER_OF(judge, struct audit_run, outside), judge->outcome, judge->failed);
}

static void
compared(struct comparison *comparison)
{
    struct audit_run *run = CONTAINER_OF(comparison, struct audit_run, comparison);

    if (comparison->questions[0] == NULL) {
        learn(run, comparison->outcome, comparison->failed);
    } else if (comparison->screening.outside) {
        if (!outside_judge_ask(&run->outside, run->worker, run->route, run->tenant, comparison->questions[0],
                               outside_said))
            leave(run, COUNT_ROUTER_DROPPED);
    } else if (jury_may_start(run->worker)) {
        jury_ask(&run->jury, run->answered, run->mission.about, run->route->judge.model, comparison->questions,
                 jury_is_back);
    } else {
        for (unsigned i = 0; i < QUESTIONS; i++)
            chunk_release(comparison->questions[i]);
        leave(run, COUNT_ROUTER_DROPPED);
    }
}

static struct judge_rule
rule_of(const struct audit_run *run)
{
    const struct judge_config *config = &run->route->judge;
    struct judge_rule rule = {
        .judge = (enum judge)config->judge,
        .tolerance = config->tolerance_ppm / 1e6,
        .same_fields = true,
        .cosine_least = config->similar_ppm / 1e6,
    };

    comparison_rule_meaning(&rule, run->worker->gateway);
    return rule;
}

static void
compare(struct audit_run *run)
{
    const struct judge_config *config = &run->route->judge;
    enum api api = run->answered->identity.api;

    run->comparison = (struct comparison){
        .worker = run->worker,
        .rule = rule_of(run),
        .reference = {.kept = kept_hold(run->reference), .is_stream = run->reference_streams, .api = api},
        .candidate = {.kept = kept_hold(run->candidate), .is_stream = run->candidate_streams, .api = api},
        .screening = {.sameness = run->sameness,
                      .request = chunk_hold(run->body),
                      .judge = config->model != NULL ? config->model->name : NULL,
                      .mark = world_random(worker_world(run->worker)),
                      .outside = config->command != NULL || config->endpoint != NULL,
                      .route = run->route->name,
                      .id = run->answered->id_text},
        .done = compared,
    };
    if (!comparison_start(&run->comparison))
        leave(run, COUNT_ROUTER_DROPPED);
}

static bool
can_be_read(const struct flight *flight)
{
    return flight->keep != NULL && !flight->keep->too_long && !flight->opaque && !flight->unread;
}

/* A cascade would have asked on, but nobody refused an answer: that the candidate or who scores could not be asked says
 * nothing of what is kept when they can. Were it good for its route, a floor would be earned with nothing judged. */
static void
leave_unscored(struct audit_run *run, enum counter routers)
{
    acceptance_note(run->acceptances, -INFINITY);
    leave(run, routers);
}

/* A cascade would not have kept it, and asked on: that is no evidence of what it keeps, but for that of its route. */
static void
would_go_on(struct audit_run *run)
{
    acceptance_note(run->acceptances, -INFINITY);
    (void)shared_evidence_sample(run->evidence, &run->terms, NAN);
    run->audit.score = NAN;
    run->audit.outcome = 1.0;
    evidence_news(run->worker, run->evidence, shared_evidence_observe(run->evidence, &run->terms, &run->audit),
                  "a score of", "routes: judge");
    count(&run->worker->counters, COUNT_CASCADE_UNKEPT, 1);
    finish(run);
}

/* The score is known only now. Of the first ones only that is looked at: they are the sample of the epoch. */
static void
scored(struct acceptance *acceptance)
{
    struct audit_run *run = CONTAINER_OF(acceptance, struct audit_run, acceptance);
    enum evidence_reason reason;
    bool untold = acceptance->untold;

    run->audit.score = acceptance->score;
    run->cost += acceptance->cost;
    acceptance_free(acceptance);
    if (untold) {
        leave_unscored(run, COUNT_ROUTER_UNKNOWN);
        return;
    }
    if (!isfinite(run->audit.score)) {
        would_go_on(run);
        return;
    }
    acceptance_note(run->acceptances, run->audit.score);
    (void)shared_evidence_sample(run->evidence, &run->terms, run->audit.score);
    (void)shared_evidence_may_serve(run->evidence, &run->terms, run->audit.score, &reason);
    if (reason != EVIDENCE_NO_EPOCH)
        compare(run);
    else
        finish(run);
}

static void
score(struct audit_run *run)
{
    run->acceptance = (struct acceptance){
        .done = scored, .exchange = run->answered, .request = run->body, .about = run->mission.about};
    acceptance_start(&run->acceptance);
}

/* True: there is a whole answer. */
static bool
take_answer(struct audit_run *run, const struct flight *flight)
{
    if (!can_be_read(flight))
        return false;
    run->candidate = kept_hold(flight->keep);
    run->candidate_streams = flight->is_stream;
    return true;
}

static void
answered(struct mission *mission, struct exchange *exchange)
{
    struct audit_run *run = CONTAINER_OF(mission, struct audit_run, mission);
    enum mission_result result = mission_result(exchange);
    bool whole = result == MISSION_ANSWERED && take_answer(run, exchange->cursor.flight);

    run->row = exchange->id;
    run->cost = usd_known(exchange->cost) ? exchange->cost : 0;
    run->answered = exchange; /* whoever judges asks on its behalf */
    exchange_hold(exchange);
    if (result == MISSION_DROPPED)
        leave(run, COUNT_ROUTER_DROPPED);
    else if (run->lever == LEVER_CASCADE && !whole)
        leave_unscored(run, result == MISSION_ANSWERED ? COUNT_ROUTER_UNKNOWN : COUNT_ROUTER_UNANSWERED);
    else if (run->lever == LEVER_CASCADE)
        score(run);
    else if (result == MISSION_FAILED)
        leave(run, COUNT_ROUTER_UNANSWERED);
    else if (result == MISSION_BAD)
        learn(run, 0.0, false);
    else if (!whole)
        learn(run, 0.0, true);
    else
        compare(run);
}

/* Money */

/* A tenth of what is saved. */
enum { SAVINGS_PPM = 100000 };

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
                   saved != 0 ? share_of(saved, SAVINGS_PPM)
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

static struct sameness *
sameness_of(struct exchange *exchange, const struct routed *candidate)
{
    return sameness_at(&exchange->worker->gateway->samenesses,
                       arena_printf(&exchange->arena, "%s %s", exchange->request.route->name, candidate->target->name));
}

static struct acceptance_book *
acceptances_of(const struct exchange *exchange)
{
    const struct cascading *cascading = exchange->request.cascading;

    if (exchange->audited->lever != LEVER_CASCADE)
        return NULL;
    return cascading->books[exchange->audited->candidate - cascading->models.all];
}

struct audit_run *
audit_prepare(struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;
    const struct routed *candidate;
    struct audit_run *run;

    if (models_of_any(exchange) != NULL && !exchange->is_own)
        allow(exchange);
    if (exchange->audited == NULL || !is_fresh(exchange))
        return NULL;
    if (!can_be_read(flight) || !mission_may_start(exchange->worker)) {
        count(&exchange->worker->counters,
              exchange->audited->lever == LEVER_CASCADE ? COUNT_CASCADE_DROPPED : COUNT_ROUTER_DROPPED, 1);
        return NULL;
    }
    candidate = exchange->audited->candidate;
    run = must_alloc(sizeof(*run));
    *run = (struct audit_run){
        .mission = {.source = SOURCE_AUDIT, .target = candidate->target, .done = answered},
        .lever = exchange->audited->lever,
        .acceptances = acceptances_of(exchange),
        .worker = exchange->worker,
        .view = view_hold(exchange->view),
        .route = exchange->request.route,
        .tenant = exchange->identity.tenant,
        .body = chunk_hold(exchange->audited->body),
        .reference = kept_hold(flight->keep),
        .reference_streams = flight->is_stream,
        .evidence = candidate->evidence,
        .terms = candidate->terms,
        .sameness = sameness_of(exchange, candidate),
        .audit = {.score = candidate->score},
        .book = models_of_any(exchange)->book,
        .earned = models_of(exchange, exchange->audited->lever)->earned,
        .instead = serves(exchange) ? exchange->cost : USD_UNKNOWN,
    };
    mission_prepare(&run->mission, exchange, exchange->identity.api, run->body);
    return run;
}

void
audit_go(struct audit_run *run)
{
    if (run != NULL)
        mission_go(&run->mission);
}
