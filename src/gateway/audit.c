#include "gateway/audit.h"

#include <stdlib.h>

#include "base/rng.h"
#include "gateway/admit.h"
#include "gateway/balance.h"
#include "gateway/evidence_news.h"
#include "gateway/jury.h"
#include "gateway/outside_judge.h"
#include "gateway/reach.h"
#include "gateway/reserve.h"
#include "levers/router.h"
#include "money/row.h"

/* Of an exchange that was drawn; in its arena. */
struct audited {
    const struct routed *candidate;
    struct chunk *body; /* held: the exchange lets go of it with the first byte of its answer */
};

/* A candidate being asked, and judged. */
struct audit_run {
    struct mission mission;
    struct comparison comparison;
    struct jury jury;
    struct outside_judge outside;
    const struct tenant_config *tenant;
    struct gateway_worker *worker;
    struct view *view; /* whose route it is; held */
    const struct route_config *route;
    struct chunk *body;            /* of the request; held */
    struct kept_answer *reference; /* held */
    bool reference_streams;
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

/* If it were as good as the reference, would the balance take it? All that was earned serves, as it would in the end. */
static bool
would_serve(const struct exchange *exchange, size_t at)
{
    struct plans plans = exchange->plans;

    for (size_t i = 0; i < plans.count; i++)
        if (plans.all[i].lever == LEVER_ROUTER) {
            plans.all[i].mode = LEVER_ON;
            plans.all[i].withheld = VERDICT_NONE;
        }
    plans.all[at].quality_ppm = PPM;
    reach_survey(exchange, &plans);
    admit_survey(exchange, &plans);
    return balance_choose(&plans, &exchange->request, exchange->bypass) == &plans.all[at];
}

static const struct routed *
routed_of(const struct choosing *choosing, const struct plan *plan)
{
    for (size_t i = 0; i < choosing->count; i++)
        if (choosing->all[i].target == plan->target)
            return &choosing->all[i];
    return NULL;
}

/* Evenly among those that have something to learn: drawn by the conversation as well, and by nothing else. */
static const struct routed *
choose(struct exchange *exchange)
{
    static const uint64_t apart = 0x77686f; /* this lot has nothing to do with the coin's fall */
    const struct choosing *choosing = exchange->request.choosing;
    struct plan *eligible[PLANS_MOST], *drawn;
    size_t count = 0;

    for (size_t i = 0; i < exchange->plans.count; i++) {
        struct plan *plan = &exchange->plans.all[i];

        if (plan->lever == LEVER_ROUTER && plan->evidence.learns && would_serve(exchange, i))
            eligible[count++] = plan;
    }
    if (count == 0)
        return NULL;
    drawn = eligible[rng_mix(choosing->draw ^ apart) % count];
    drawn->evidence.detail = "asked too, and judged by this answer, if that comes whole";
    return routed_of(choosing, drawn);
}

void
audit_draw(struct exchange *exchange)
{
    const struct choosing *choosing = exchange->request.choosing;
    const struct routed *candidate = choosing != NULL && choosing->drawn ? choose(exchange) : NULL;

    if (candidate == NULL)
        return;
    exchange->audited = arena_alloc(&exchange->arena, sizeof(*exchange->audited));
    *exchange->audited = (struct audited){.candidate = candidate, .body = chunk_hold(exchange->body)};
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

static void
learn(struct audit_run *run, double outcome, bool judge_failed)
{
    struct audit *audit = &run->audit;
    unsigned events;

    audit->outcome = outcome;
    audit->judge_failed = judge_failed;
    if (!judge_failed)
        teach(run);
    events = shared_evidence_observe(run->evidence, &run->terms, audit);
    count(&run->worker->counters,
          judge_failed    ? COUNT_ROUTER_UNKNOWN
          : outcome > 0.5 ? COUNT_ROUTER_ACCEPTABLE
                          : COUNT_ROUTER_NOT,
          1);
    keep_outcome(run);
    evidence_news(run->worker, run->evidence, events, "a score of", "routes: judge");
    finish(run);
}

/* Nothing is learned: it says nothing of the answers that the candidate gives. */
static void
leave(struct audit_run *run, enum counter why)
{
    count(&run->worker->counters, why, 1);
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
compare(struct audit_run *run, struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;
    const struct judge_config *config = &run->route->judge;
    enum api api = exchange->identity.api;

    run->comparison = (struct comparison){
        .worker = run->worker,
        .rule = rule_of(run),
        .reference = {.kept = kept_hold(run->reference), .is_stream = run->reference_streams, .api = api},
        .candidate = {.kept = kept_hold(flight->keep), .is_stream = flight->is_stream, .api = api},
        .screening = {.sameness = run->sameness,
                      .request = chunk_hold(run->body),
                      .judge = config->model != NULL ? config->model->name : NULL,
                      .mark = world_random(worker_world(run->worker)),
                      .outside = config->command != NULL || config->endpoint != NULL,
                      .route = run->route->name,
                      .id = exchange->id_text},
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

static void
answered(struct mission *mission, struct exchange *exchange)
{
    struct audit_run *run = CONTAINER_OF(mission, struct audit_run, mission);
    enum mission_result result = mission_result(exchange);

    run->row = exchange->id;
    run->cost = usd_known(exchange->cost) ? exchange->cost : 0;
    run->answered = exchange; /* whoever judges asks on its behalf */
    exchange_hold(exchange);
    if (result == MISSION_DROPPED)
        leave(run, COUNT_ROUTER_DROPPED);
    else if (result == MISSION_FAILED)
        leave(run, COUNT_ROUTER_UNANSWERED);
    else if (result == MISSION_BAD)
        learn(run, 0.0, false);
    else if (!can_be_read(exchange->cursor.flight))
        learn(run, 0.0, true);
    else
        compare(run, exchange);
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
    for (size_t i = 0; i < row->saving_count; i++)
        if (!row->savings[i].shadow && slice_is(row->savings[i].lever, lever_name(LEVER_ROUTER)))
            return row->savings[i].saved;
    return 0;
}

/* What the request allows: its row is the worker's last. */
static void
allow(const struct exchange *exchange)
{
    const struct choosing *choosing = exchange->request.choosing;
    const struct row *row = &exchange->worker->row;

    learning_allow(choosing->book, row->cost,
                   choosing->serves ? share_of(saved_by_choice(row), SAVINGS_PPM)
                                    : share_of(row->cost, exchange->request.route->learning_ppm));
}

/* Starting */

static bool
is_fresh(const struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;
    unsigned cut_short = (unsigned)TRANSFORM_CLIPPED | (unsigned)TRANSFORM_ENDED;

    return exchange->ending == ENDING_OK && exchange->client != NULL && is_reference(exchange) && flight != NULL &&
           flight->state == FLIGHT_COMPLETE && flight->status < 300 && !exchange->ending_stream &&
           (reserve_transforms(exchange) & cut_short) == 0;
}

static struct sameness *
sameness_of(struct exchange *exchange, const struct routed *candidate)
{
    return sameness_at(&exchange->worker->gateway->samenesses,
                       arena_printf(&exchange->arena, "%s %s", exchange->request.route->name, candidate->target->name));
}

struct audit_run *
audit_prepare(struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;
    const struct routed *candidate;
    struct audit_run *run;

    if (exchange->request.choosing != NULL && !exchange->is_own)
        allow(exchange);
    if (exchange->audited == NULL || !is_fresh(exchange))
        return NULL;
    if (!can_be_read(flight) || !mission_may_start(exchange->worker)) {
        count(&exchange->worker->counters, COUNT_ROUTER_DROPPED, 1);
        return NULL;
    }
    candidate = exchange->audited->candidate;
    run = must_alloc(sizeof(*run));
    *run = (struct audit_run){
        .mission = {.source = SOURCE_AUDIT, .target = candidate->target, .done = answered},
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
        .book = exchange->request.choosing->book,
        .earned = exchange->request.choosing->earned,
        .instead = exchange->request.choosing->serves ? exchange->cost : USD_UNKNOWN,
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
