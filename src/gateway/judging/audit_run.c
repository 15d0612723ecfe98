#include "gateway/judging/audit_run.h"

#include <math.h>
#include <stdlib.h>

#include "gateway/choice/cascading.h"
#include "gateway/judging/evidence_news.h"
#include "levers/cascade.h"
#include "money/row.h"

bool
audit_run_can_read(const struct flight *flight)
{
    return flight->keep != NULL && !flight->keep->too_long && !flight->opaque && !flight->unread;
}

static void
finish(struct audit_run *run)
{
    if (usd_known(run->instead) && run->instead > run->cost)
        run->cost = run->instead;
    if (run->cost > 0 || run->jury.cost > 0)
        learning_take(run->book, run->cost + run->jury.cost);
    count(&run->worker->counters, COUNT_AUDITS_ENDED, 1);
    if (run->answered != NULL)
        exchange_drop(run->answered);
    chunk_release(run->body);
    kept_release(run->reference);
    kept_release(run->candidate);
    view_release(run->view);
    free(run);
}

/* What is right is asked of each answer by itself. */
static bool
is_relative(const struct audit_run *run)
{
    return run->terms.scope == FLOOR_RELATIVE;
}

static struct slice
reason_of(const struct audit_run *run)
{
    if (is_relative(run) && !run->audit.judge_failed)
        return run->audit.outcome >= 1.0 ? SLICE_NONE : SLICE_LITERAL("the route's validators do not find it useful");
    if (run->of_judge && !run->audit.judge_failed && run->audit.outcome < 1.0)
        return SLICE_LITERAL("the reference's own other answer, which the judge does not accept in full");
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

/* What tells requests apart learns of it, too: where answers are right or not by themselves, whether the candidate's loses
 * nothing. */
static void
teach(struct audit_run *run)
{
    struct gateway *gateway = run->worker->gateway;
    const struct audit *audit = &run->audit;
    double outcome = is_relative(run) && audit->outcome >= audit->reference ? 1.0 : audit->outcome;

    scorer_learn(run->worker, run->view,
                 &(struct taught){.scorer = scorer_at(&gateway->scorers, run->route->name),
                                  .route = run->route,
                                  .model = run->mission.target,
                                  .api = run->answered->identity.api,
                                  .body = run->body,
                                  .outcome = outcome,
                                  .hour = run->hour});
}

/* The router's counter, or the cascade's or the judge's of the same outcome: all stand in the same order. */
static void
count_audit(struct audit_run *run, enum counter routers)
{
    unsigned offset = run->of_judge                 ? COUNT_SELF_ACCEPTABLE - COUNT_ROUTER_ACCEPTABLE
                      : run->lever == LEVER_CASCADE ? COUNT_CASCADE_ACCEPTABLE - COUNT_ROUTER_ACCEPTABLE
                                                    : 0;

    count(&run->worker->counters, (enum counter)((unsigned)routers + offset), 1);
}

static bool
its_scores_take_over(void *context)
{
    struct audit_run *run = context;

    return scorer_take_over(scorer_at(&run->worker->gateway->scorers, run->route->name), run->trial.scorer);
}

/* Scores that let more be served than those by which it is served now take over, with the evidence that they earned it by;
 * unless another worker's audit suspends what serves in this very moment. */
static void
take_over(struct audit_run *run)
{
    struct evidence_verdict verdict;

    if (!shared_evidence_become(run->evidence, &run->terms, run->trial.evidence, &run->trial.terms,
                                its_scores_take_over, run))
        return;
    count(&run->worker->counters, COUNT_ROUTER_TAKEN_OVER, 1);
    verdict = shared_evidence_verdict(run->evidence);
    log_line(run->worker->gateway->log, LOG_INFO,
             "route %s, lever %s: what was learned since serves from now on, by arm %u of %u", run->route->name,
             shared_evidence_words(run->evidence), verdict.serving.arm + 1, ARMS);
}

/* The same audit, by the scores that are on trial. They are of no use to what was suspended: it has to be earned anew. */
static void
learn_on_trial(struct audit_run *run, unsigned events)
{
    struct scorer *scorer = scorer_at(&run->worker->gateway->scorers, run->route->name);
    struct audit audit = run->audit;

    if (events & EVENT_SUSPENDED)
        scorer_end_trial(scorer);
    if (run->trial.evidence == NULL || (events & EVENT_SUSPENDED))
        return;
    audit.score = run->trial.score;
    audit.only_loses = false; /* that is about the scores that serve */
    (void)shared_evidence_observe(run->trial.evidence, &run->trial.terms, &audit);
    take_over(run);
}

static void
learn(struct audit_run *run, double outcome, bool judge_failed)
{
    struct audit *audit = &run->audit;
    unsigned events;

    audit->outcome = outcome;
    audit->judge_failed = judge_failed;
    events = shared_evidence_observe(run->evidence, &run->terms, audit);
    if (run->lever == LEVER_ROUTER)
        learn_on_trial(run, events);
    if (!judge_failed && run->lever == LEVER_ROUTER)
        teach(run); /* after evidence: what it has earned by this, no new view may take from it */
    count_audit(run, judge_failed ? COUNT_ROUTER_UNKNOWN : outcome > 0.5 ? COUNT_ROUTER_ACCEPTABLE : COUNT_ROUTER_NOT);
    keep_outcome(run);
    if (run->of_judge)
        evidence_news_of_judge(run->worker, run->evidence, events, (enum floor_scope)run->route->floor_of);
    else
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
    struct audit_run *run = CONTAINER_OF(judge, struct audit_run, outside);

    if (judge->dropped)
        leave(run, COUNT_ROUTER_DROPPED);
    else
        learn(run, judge->outcome, judge->failed);
}

/* Of what the candidate would not have served only the reference's answer matters. */
static void
learn_of_reference(struct audit_run *run)
{
    unsigned events = shared_evidence_observe(run->evidence, &run->terms, &run->audit);

    count(&run->worker->counters, run->unserved, 1);
    evidence_news(run->worker, run->evidence, events, "a score of", "routes: judge");
    finish(run);
}

static void
learn_truth(struct audit_run *run, const struct truth *truth, bool failed)
{
    run->audit.reference = truth->reference_right ? 1.0 : 0.0;
    run->audit.outcome = truth->candidate_right ? 1.0 : 0.0;
    run->audit.judge_failed = failed;
    if (isfinite(run->audit.score))
        learn(run, run->audit.outcome, failed);
    else
        learn_of_reference(run);
}

static void
truth_is_found(struct truth *truth)
{
    learn_truth(CONTAINER_OF(truth, struct audit_run, truth), truth, truth->failed);
}

static void
find_truth(struct audit_run *run)
{
    run->truth = (struct truth){.worker = run->worker,
                                .view = run->view,
                                .route = run->route,
                                .tenant = run->tenant,
                                .id_text = run->answered->id_text,
                                .reference = run->comparison.texts[0],
                                .candidate = run->comparison.texts[1],
                                .done = truth_is_found};
    if (run->comparison.failed)
        learn_truth(run, &run->truth, true);
    else
        truth_find(&run->truth);
}

static void
compared(struct comparison *comparison)
{
    struct audit_run *run = CONTAINER_OF(comparison, struct audit_run, comparison);

    if (comparison->only_reads) {
        find_truth(run);
    } else if (comparison->questions[0] == NULL) {
        /* What is known of a judge's mistakes is known of texts. */
        learn(run, comparison->outcome,
              comparison->failed || (comparison->by_calls && noise_is_set(&run->terms.noise)));
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
    struct judge_rule rule = judge_rule_of(&run->route->judge);

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
        .only_reads = is_relative(run),
        .done = compared,
    };
    if (!comparison_start(&run->comparison))
        leave(run, COUNT_ROUTER_DROPPED);
}

/* A cascade would have asked on, but nobody refused an answer: that the candidate or who scores could not be asked says
 * nothing of what is kept when they can. Were it good for its route, a floor would be earned with nothing judged. */
static void
leave_unscored(struct audit_run *run, enum counter routers)
{
    acceptance_note(run->links[run->at].book, -INFINITY);
    leave(run, routers);
}

/* The candidate would not have been asked, or its answer not been kept: that is no evidence of what it keeps, but for that of
 * its route. */
static void
is_not_served(struct audit_run *run, enum counter why)
{
    (void)shared_evidence_sample(run->evidence, &run->terms, NAN);
    run->unserved = why;
    run->audit.score = NAN;
    run->audit.outcome = 1.0;
    if (is_relative(run))
        compare(run);
    else
        learn_of_reference(run);
}

/* The next of the cascade, on behalf of the same client. */
static void
ask_next(struct audit_run *run)
{
    struct exchange *before = run->answered;
    char about[sizeof(run->mission.about)];

    if (!mission_may_start(run->worker)) {
        leave(run, COUNT_ROUTER_DROPPED);
        return;
    }
    memcpy(about, run->mission.about, sizeof(about));
    run->at++;
    run->mission = (struct mission){
        .source = SOURCE_AUDIT, .is_scored = true, .target = run->links[run->at].target, .done = audit_run_answered};
    mission_prepare(&run->mission, before, before->identity.api, run->body);
    memcpy(run->mission.about, about, sizeof(about));
    kept_release(run->candidate);
    run->candidate = NULL;
    run->answered = NULL;
    exchange_drop(before);
    mission_go(&run->mission);
}

/* Of one that serves before the candidate. */
static void
scored_before(struct audit_run *run, double score)
{
    const struct audit_link *link = &run->links[run->at];
    enum evidence_reason reason;

    if (isfinite(score) && shared_evidence_may_serve(link->evidence, &link->terms, score, &reason) > 0)
        is_not_served(run, COUNT_CASCADE_CHEAPER);
    else
        ask_next(run);
}

/* The candidate's. The score is known only now. Of the first ones only that is looked at: they are the sample of the epoch. */
static void
scored_candidate(struct audit_run *run, double score)
{
    enum evidence_reason reason;

    run->audit.score = score;
    if (!isfinite(score)) {
        is_not_served(run, COUNT_CASCADE_UNKEPT);
        return;
    }
    (void)shared_evidence_sample(run->evidence, &run->terms, score);
    (void)shared_evidence_may_serve(run->evidence, &run->terms, score, &reason);
    if (reason != EVIDENCE_NO_EPOCH)
        compare(run);
    else
        finish(run);
}

static void
scored(struct acceptance *acceptance)
{
    struct audit_run *run = CONTAINER_OF(acceptance, struct audit_run, acceptance);
    bool untold = acceptance->untold;
    double score = acceptance->score;

    run->cost += acceptance->cost;
    if (acceptance->silent)
        acceptance_found_silent(run->answered, run->links[run->at].book);
    acceptance_free(acceptance);
    if (untold) {
        leave_unscored(run, COUNT_ROUTER_UNKNOWN);
        return;
    }
    acceptance_note(run->links[run->at].book, score);
    (run->at + 1 < run->link_count ? scored_before : scored_candidate)(run, score);
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
    if (!audit_run_can_read(flight))
        return false;
    run->candidate = kept_hold(flight->keep);
    run->candidate_streams = flight->is_stream;
    return true;
}

/* Of a cascade's: it is scored, or nothing is learned. */
static void
take_held_back(struct audit_run *run, enum mission_result result, bool whole)
{
    if (cascading_refuses_logprobs(run->answered, chunk_bytes(run->body)))
        acceptance_found_silent(run->answered, run->links[run->at].book);
    if (whole)
        score(run);
    else
        leave_unscored(run, result == MISSION_ANSWERED ? COUNT_ROUTER_UNKNOWN : COUNT_ROUTER_UNANSWERED);
}

void
audit_run_answered(struct mission *mission, struct exchange *exchange)
{
    struct audit_run *run = CONTAINER_OF(mission, struct audit_run, mission);
    enum mission_result result = mission_result(exchange);
    bool whole = result == MISSION_ANSWERED && take_answer(run, exchange->cursor.flight);
    /* Of the reference, what is not whole says nothing of the judge. */
    bool unanswered = run->of_judge ? !whole : result == MISSION_FAILED && run->lever != LEVER_CASCADE;

    run->row = exchange->id;
    run->cost += usd_known(exchange->cost) ? exchange->cost : 0;
    run->answered = exchange; /* whoever judges asks on its behalf */
    exchange_hold(exchange);
    if (result == MISSION_DROPPED)
        leave(run, COUNT_ROUTER_DROPPED);
    else if (unanswered)
        leave(run, COUNT_ROUTER_UNANSWERED);
    else if (run->lever == LEVER_CASCADE)
        take_held_back(run, result, whole);
    else if (result == MISSION_BAD)
        learn(run, 0.0, false);
    else if (!whole)
        learn(run, 0.0, true);
    else
        compare(run);
}
