#include "gateway/judging/evidence_news.h"

#include <inttypes.h>
#include <stdio.h>

#include "gateway/judging/evidence_keeper.h"

static void
raise(struct gateway_worker *worker, struct shared_evidence *evidence, enum alert_kind kind, const char *words)
{
    const char *route = shared_evidence_route(evidence), *lever = shared_evidence_words(evidence);
    struct alert alert;

    alert_init(&alert, kind, "%s %s", route, lever);
    alert_words(&alert, "route %s, lever %s: %s", route, lever, words);
    alert_fact_text(&alert, "route", slice_of(route));
    alert_fact_text(&alert, "lever", slice_of(lever));
    alert_raise(worker, &alert);
}

void
evidence_news(struct gateway_worker *worker, struct shared_evidence *evidence, unsigned events, const char *score,
              const char *judge)
{
    struct evidence_verdict verdict;
    char words[160];

    if (events & EVENT_SUSPENDED)
        evidence_keeper_hurry(worker->gateway->evidence_keeper, worker);
    if (events & EVENT_SUSPENDED)
        raise(worker, evidence, ALERT_LEVER_SUSPENDED,
              "audits found its answers worse than the route accepts: it serves none until it has earned that anew");
    snprintf(words, sizeof(words), "more than one audit in a hundred could not be judged (%s)", judge);
    if (events & EVENT_JUDGE_FAILS)
        raise(worker, evidence, ALERT_JUDGE_FAILS, words);
    if (events & EVENT_BELOW_FLOOR)
        raise(worker, evidence, ALERT_LEVER_BELOW,
              "audits found that its answers will not reach the route's floor (acceptable: quality): it serves none");
    if (!(events & EVENT_EARNED))
        return;
    verdict = shared_evidence_verdict(evidence);
    log_line(worker->gateway->log, LOG_INFO,
             "route %s, lever %s: earned to serve at %s %.3f and above: at least %.2f%% of %" PRIu64
             " audits acceptable, as far as they bound it",
             shared_evidence_route(evidence), shared_evidence_words(evidence), score, verdict.serving.threshold,
             verdict.serving.lower_ppm / 1e4, verdict.serving.labels);
}

void
evidence_news_of_judge(struct gateway_worker *worker, struct shared_evidence *evidence, unsigned events,
                       enum floor_scope floor_of)
{
    const char *route = shared_evidence_route(evidence);
    struct evidence_verdict verdict;
    struct alert alert;

    /* Of all answers of a route an arm that is a small part of them may still be acceptable enough. */
    if ((events & EVENT_BELOW_FLOOR) == 0 || floor_of != FLOOR_SERVED)
        return;
    verdict = shared_evidence_verdict(evidence);
    alert_init(&alert, ALERT_JUDGE_CEILING, "%s", route);
    alert_words(
        &alert,
        "route %s: its judge accepts at most %.1f%% of the reference's own second answers, so what is served will not "
        "reach the %.4g%% that it would have to accept (routes: judge, acceptable: quality)",
        route, verdict.next.upper_ppm / 1e4, verdict.floor_ppm / 1e4);
    alert_fact_text(&alert, "route", slice_of(route));
    alert_raise(worker, &alert);
}
