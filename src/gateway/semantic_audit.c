#include "gateway/semantic_audit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <yyjson.h>

#include "cache/entry.h"
#include "dialect/text_of.h"
#include "gateway/made_over.h"
#include "gateway/turn_keeper.h"
#include "levers/semantic_cache.h"
#include "quality/judge.h"

/* Per worker; beyond it an audit is dropped: it waits for nobody, so that says nothing of its answer. */
enum { AUDITS_AT_ONCE_MOST = 256 };

/* Of an answer is judged no more than so much text. */
enum { TEXT_MOST = 256 * 1024 };

struct comparison {
    struct job job;
    struct gateway_worker *worker;
    struct view *view; /* whose route it is; held */
    const struct route_config *route;
    enum api api;
    bool is_stream;
    struct kept_answer *fresh;  /* held */
    struct cache_entry *cached; /* held */
    struct shared_evidence *evidence;
    struct evidence_terms terms;
    struct audit audit;
    bool counts;                /* as evidence */
    bool promotes;              /* if it passes */
    struct promotion promotion; /* what then is promoted, or was before */
};

/* False: it could not be read, or says nothing that can be judged. */
static bool
read_text(enum api api, struct slice answer, struct text_of *out)
{
    yyjson_doc *doc = yyjson_read(answer.data, answer.len, 0);

    *out = (struct text_of){.wanted = true, .most = TEXT_MOST};
    if (doc != NULL)
        text_of_event(out, api, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    return doc != NULL && !out->cut;
}

static bool
read_fresh(const struct comparison *comparison, struct text_of *out)
{
    struct buffer whole = {0};
    bool read = made_over_join(comparison->fresh, comparison->is_stream, comparison->api, &whole) == OK &&
                read_text(comparison->api, buffer_content(&whole), out);

    buffer_free(&whole);
    return read;
}

static bool
read_cached(const struct comparison *comparison, struct text_of *out)
{
    struct chunk *content = cache_entry_content(comparison->cached);
    bool read = content != NULL && read_text(comparison->api, chunk_bytes(content), out);

    chunk_release(content);
    return read;
}

static bool
similarity(void *context, struct slice a, struct slice b, double *cosine)
{
    const struct embedder *embedder = context;
    float first[EMBED_DIMS_MOST], second[EMBED_DIMS_MOST];
    double sum = 0.0;

    if (!embedder_embed(embedder, a, first, NULL) || !embedder_embed(embedder, b, second, NULL))
        return false;
    for (unsigned i = 0; i < embedder_dims(embedder); i++)
        sum += (double)first[i] * (double)second[i];
    *cosine = sum;
    return true;
}

static struct judge_rule
rule_of(const struct comparison *comparison)
{
    const struct semantic_config *config = &comparison->route->semantic;

    return (struct judge_rule){
        .judge = (enum judge)config->judge,
        .tolerance = config->tolerance_ppm / 1e6,
        .same_fields = true,
        .cosine_least = config->similar_ppm / 1e6,
        .similarity = similarity,
        .context = comparison->worker->gateway->embedder,
    };
}

/* A call of a tool is nothing that a text could stand for. */
static void
judge(struct comparison *comparison, const struct text_of *fresh, const struct text_of *cached)
{
    struct judge_rule rule = rule_of(comparison);

    if (fresh->called || cached->called)
        comparison->audit.outcome = 0.0;
    else
        comparison->audit.judge_failed = judge_compare(&rule, buffer_content(&fresh->text),
                                                       buffer_content(&cached->text), &comparison->audit.outcome) != OK;
}

static void
run_comparison(struct job *job)
{
    struct comparison *comparison = CONTAINER_OF(job, struct comparison, job);
    struct text_of fresh = {0}, cached = {0};

    if (read_fresh(comparison, &fresh) && read_cached(comparison, &cached))
        judge(comparison, &fresh, &cached);
    else
        comparison->audit.judge_failed = true;
    buffer_free(&fresh.text);
    buffer_free(&cached.text);
}

/* What the evidence now says, to whom it concerns. */

static void
raise(const struct comparison *comparison, enum alert_kind kind, const char *words)
{
    const char *route = comparison->route->name;
    struct alert alert;

    alert_init(&alert, kind, "%s semantic_cache", route);
    alert_words(&alert, "route %s, lever semantic_cache: %s", route, words);
    alert_fact_text(&alert, "route", slice_of(route));
    alert_fact_text(&alert, "lever", slice_of(lever_name(LEVER_SEMANTIC_CACHE)));
    alert_raise(comparison->worker, &alert);
}

static void
tell(const struct comparison *comparison, unsigned events)
{
    struct evidence_verdict verdict;

    if (events & EVENT_SUSPENDED)
        raise(comparison, ALERT_LEVER_SUSPENDED,
              "audits found its answers worse than the route accepts: it serves none until it has earned that anew");
    if (events & EVENT_JUDGE_FAILS)
        raise(comparison, ALERT_JUDGE_FAILS,
              "more than one audit in a hundred could not be judged (routes: semantic_cache: judge)");
    if (events & EVENT_BELOW_FLOOR)
        raise(comparison, ALERT_LEVER_BELOW,
              "audits found that its answers will not reach the route's floor (acceptable: quality): it serves none");
    if (!(events & EVENT_EARNED))
        return;
    verdict = shared_evidence_verdict(comparison->evidence);
    log_line(comparison->worker->gateway->log, LOG_INFO,
             "route %s, lever semantic_cache: earned to serve at similarity %.3f and above: at least %.2f%% of %" PRIu64
             " audits acceptable, as far as they bound it",
             comparison->route->name, verdict.serving.threshold, verdict.serving.lower_ppm / 1e4,
             verdict.serving.labels);
}

static void
count_audit(const struct comparison *comparison)
{
    const struct audit *audit = &comparison->audit;

    count(&comparison->worker->counters,
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
promote(const struct comparison *comparison)
{
    struct gateway *gateway = comparison->worker->gateway;
    struct counters *counters = &comparison->worker->counters;

    if (comparison->promotes && passes(&comparison->audit)) {
        turns_promote(gateway, &comparison->promotion);
        count(counters, COUNT_PROMOTIONS, 1);
    } else if (comparison->audit.promoted && !passes(&comparison->audit) &&
               promotions_drop(gateway->promotions, &comparison->promotion.request)) {
        count(counters, COUNT_DEMOTIONS, 1);
    }
}

static void
comparison_done(struct job *job)
{
    struct comparison *comparison = CONTAINER_OF(job, struct comparison, job);

    promote(comparison);
    if (comparison->counts) {
        count_audit(comparison);
        tell(comparison, shared_evidence_observe(comparison->evidence, &comparison->terms, &comparison->audit));
    }
    comparison->worker->comparing--;
    kept_release(comparison->fresh);
    cache_entry_release(comparison->cached);
    view_release(comparison->view);
    free(comparison);
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

void
semantic_audit(struct exchange *exchange, const struct plan *plan, bool counts)
{
    struct gateway_worker *worker = exchange->worker;
    struct world *world = worker_world(worker);
    const struct meaning *meaning = exchange->request.meaning;
    const struct flight *flight = exchange->cursor.flight;
    struct comparison *comparison;

    if (worker->comparing == AUDITS_AT_ONCE_MOST) {
        count(&worker->counters, COUNT_AUDITS_DROPPED, counts);
        return;
    }
    comparison = must_alloc(sizeof(*comparison));
    *comparison = (struct comparison){
        .job = {.run = run_comparison, .done = comparison_done},
        .worker = worker,
        .view = view_hold(exchange->view),
        .route = exchange->request.route,
        .api = exchange->identity.api,
        .is_stream = flight->is_stream,
        .fresh = kept_hold(flight->keep),
        .cached = cache_entry_hold(plan->cached),
        .evidence = meaning->evidence,
        .terms = meaning->terms,
        .audit = {.score = plan->evidence.score, .promoted = plan->evidence.promoted},
        .counts = counts,
        .promotes = plan->evidence.near && !plan->evidence.promoted,
        .promotion = promotion_of(exchange, plan),
    };
    worker->comparing++;
    world->ops->work(world, &comparison->job);
}
