#include "gateway/reuse/semantic_audit.h"

#include <stdlib.h>

#include "cache/entry.h"
#include "gateway/judging/comparison.h"
#include "gateway/judging/evidence_keeper.h"
#include "gateway/judging/evidence_news.h"
#include "gateway/reuse/turn_keeper.h"
#include "levers/semantic_cache.h"

struct semantic_run {
    struct comparison comparison;
    struct gateway_worker *worker;
    struct shared_evidence *evidence;
    struct shared_evidence
        *guard; /* of the tenant, to whom it would have been served; NULL: it tells nothing of that */
    struct evidence_terms terms;
    struct audit audit;
    bool counts;                /* as evidence of the route */
    bool promotes;              /* if it passes */
    struct promotion promotion; /* what then is promoted, or was before */
};

static void
count_audit(const struct semantic_run *run)
{
    const struct audit *audit = &run->audit;

    count(&run->worker->counters,
          audit->judge_failed    ? COUNT_AUDITS_UNKNOWN
          : audit->outcome > 0.5 ? COUNT_AUDITS_ACCEPTABLE
                                 : COUNT_AUDITS_NOT,
          1);
}

static bool
passes(const struct audit *audit)
{
    return !audit->judge_failed && audit->outcome >= 1.0;
}

/* A pair that passes serves from then on; one that does not any more, does not. */
static void
promote(const struct semantic_run *run)
{
    struct gateway *gateway = run->worker->gateway;
    struct counters *counters = &run->worker->counters;

    if (run->promotes && passes(&run->audit)) {
        turns_promote(gateway, &run->promotion);
        count(counters, COUNT_PROMOTIONS, 1);
    } else if (run->audit.promoted && !passes(&run->audit) &&
               promotions_drop(gateway->promotions, &run->promotion.request)) {
        count(counters, COUNT_DEMOTIONS, 1);
    }
}

/* What is taken back from a tenant must not be served again after a crash; who is served as before is no news. */
static void
observe_guard(const struct semantic_run *run)
{
    unsigned events = shared_evidence_observe_part(run->guard, &run->terms, &run->audit);

    evidence_news(run->worker, run->guard, events, "similarity", "routes: semantic_cache: judge");
    if (events & EVENT_BELOW_FLOOR)
        evidence_keeper_hurry(run->worker->gateway->evidence_keeper, run->worker);
}

static void
compared(struct comparison *comparison)
{
    struct semantic_run *run = CONTAINER_OF(comparison, struct semantic_run, comparison);

    /* What is known of a judge's mistakes is known of texts. */
    run->audit.judge_failed = comparison->failed || (comparison->by_calls && noise_is_set(&run->terms.noise));
    run->audit.outcome = comparison->outcome;
    promote(run);
    if (run->guard != NULL)
        observe_guard(run);
    if (run->counts || run->guard != NULL)
        count_audit(run);
    if (run->counts) {
        evidence_news(run->worker, run->evidence, shared_evidence_observe(run->evidence, &run->terms, &run->audit),
                      "similarity", "routes: semantic_cache: judge");
    }
    count(&run->worker->counters, COUNT_AUDITS_ENDED, 1);
    free(run);
}

static struct promotion
promotion_of(const struct exchange *exchange, const struct plan *plan)
{
    return (struct promotion){
        .request = *exchange->request.key,
        .answer = plan->cached->key,
        .answer_created_us = plan->cached->created_wall_us,
        .under = shared_evidence_round_id(exchange->request.meaning->evidence),
    };
}

static struct judge_rule
rule_of(const struct exchange *exchange)
{
    const struct semantic_config *config = &exchange->request.route->semantic;
    struct judge_rule rule = {
        .judge = (enum judge)config->judge,
        .tolerance = config->tolerance_ppm / 1e6,
        .same_fields = true,
        .cosine_least = config->similar_ppm / 1e6,
    };

    comparison_rule_meaning(&rule, exchange->worker->gateway);
    return rule;
}

/* It is about what the tenant would be given if nothing spoke against that. */
static struct shared_evidence *
guard_of(const struct meaning *meaning, const struct plan *plan)
{
    enum evidence_reason reason;
    bool serves = plan->evidence.promoted ||
                  shared_evidence_may_serve(meaning->evidence, &meaning->terms, plan->evidence.score, &reason) > 0;

    return serves ? meaning->guard : NULL;
}

void
semantic_audit(struct exchange *exchange, const struct plan *plan, bool counts)
{
    struct gateway_worker *worker = exchange->worker;
    const struct meaning *meaning = exchange->request.meaning;
    const struct flight *flight = exchange->cursor.flight;
    enum api api = exchange->identity.api;
    struct semantic_run *run = must_alloc(sizeof(*run));

    *run = (struct semantic_run){
        .comparison = {.worker = worker,
                       .rule = rule_of(exchange),
                       .reference = {.kept = kept_hold(flight->keep), .is_stream = flight->is_stream, .api = api},
                       .candidate = {.cached = cache_entry_hold(plan->cached), .api = api},
                       .done = compared},
        .worker = worker,
        .evidence = meaning->evidence,
        .guard = counts ? guard_of(meaning, plan) : NULL,
        .terms = meaning->terms,
        .audit = {.score = plan->evidence.score, .promoted = plan->evidence.promoted},
        .counts = counts && !plan->evidence.guarded,
        .promotes = plan->evidence.near && !plan->evidence.promoted,
        .promotion = promotion_of(exchange, plan),
    };
    count(&worker->counters, COUNT_AUDITS_BEGUN, 1);
    if (comparison_start(&run->comparison))
        return;
    count(&worker->counters, COUNT_AUDITS_DROPPED, counts);
    count(&worker->counters, COUNT_AUDITS_ENDED, 1);
    free(run);
}
