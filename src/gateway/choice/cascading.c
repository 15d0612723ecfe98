#include "gateway/choice/cascading.h"

#include <math.h>
#include <stdlib.h>

#include "gateway/attempt/attempt.h"
#include "gateway/attempt/reach.h"
#include "gateway/choice/acceptance.h"
#include "gateway/choice/choosing.h"
#include "gateway/choice/part.h"
#include "gateway/flight/share.h"
#include "gateway/judging/mission.h"
#include "levers/cascade.h"
#include "levers/terms.h"
#include "money/row.h"

/* Plans */

/* Beside what the route allows: a connection that its peer had closed, and what a backend did not like of ours. */
enum { OTHER_ATTEMPTS = 2 };

/* Each of a cascade may be tried on a connection that its peer had closed, too. */
enum { TRIES_EACH = 2 };

/* For so many a row's attempts suffice, whatever becomes of each. */
static size_t
models_most(const struct route_config *route)
{
    size_t others = route->attempts + OTHER_ATTEMPTS;

    return others < ROW_ATTEMPTS_MOST ? (ROW_ATTEMPTS_MOST - others) / TRIES_EACH : 0;
}

size_t
cascading_models(const struct request *request)
{
    const struct route_config *route = request->route;
    size_t models = terms_models(route), most = models_most(route);

    if (lever_mode_of(request, LEVER_CASCADE) == LEVER_OFF || !route_may_cascade(route))
        return 0;
    return models < most ? models : most;
}

static bool
may_begin(const struct exchange *exchange)
{
    const struct request *request = &exchange->request;

    return cascading_models(request) > 0 && acceptance_allowed(request->route, request->tenant) &&
           choosing_fits(exchange->identity.api) && part_is_of_now(exchange);
}

static void
open_books(struct exchange *exchange, struct cascading *cascading)
{
    const struct route_config *route = exchange->request.route;

    cascading->books = arena_alloc(&exchange->arena, cascading->models.count * sizeof(cascading->books[0]));
    for (size_t i = 0; i < cascading->models.count; i++) {
        const struct routed *model = &cascading->models.all[i];

        if (acceptance_is_plain(route) && model->terms.alpha_ppm > 0)
            shared_evidence_begin_alike(model->evidence, &model->terms, model->score);
        cascading->books[i] =
            acceptance_book_at(&exchange->worker->gateway->acceptances, route->name, model->target->name);
        acceptance_pass_over(cascading->books[i]);
    }
}

void
cascading_begin(struct exchange *exchange)
{
    struct request *request = &exchange->request;
    struct cascading *cascading;

    if (!may_begin(exchange))
        return;
    cascading = arena_alloc(&exchange->arena, sizeof(*cascading));
    cascading->models = choosing_list(exchange, LEVER_CASCADE);
    cascade_order(cascading, request, acceptance_rule(request->route));
    cascading->models.count = cascading_models(request);
    open_books(exchange, cascading);
    choosing_draw(exchange, LEVER_CASCADE, &cascading->models);
    request->cascading = cascading;
}

/* Its attempt */

/* An answer being scored. It holds its exchange, which may have ended, or gone on, when it is done. */
struct scoring {
    struct acceptance acceptance;
    struct exchange *exchange;
};

static bool
is_cascade(const struct exchange *exchange)
{
    return exchange->plan != NULL && exchange->plan->source == SOURCE_CASCADE;
}

bool
cascading_scores(const struct exchange *exchange)
{
    return is_cascade(exchange) || (exchange->mission != NULL && exchange->mission->is_scored);
}

bool
cascading_validated(const struct exchange *exchange)
{
    return exchange->validated && is_cascade(exchange);
}

static size_t
model_of(const struct exchange *exchange)
{
    const struct choosing *models = &exchange->request.cascading->models;
    size_t i = 0;

    while (models->all[i].target != exchange->plan->target)
        i++;
    return i;
}

static usec
sooner(usec a, usec b)
{
    return a < b ? a : b;
}

/* When the client wants the whole of its answer; USEC_NEVER: it is in no hurry. */
static usec
whole_limit_us(const struct exchange *exchange)
{
    const struct request *request = &exchange->request;

    if (request->route->total_us == USEC_NEVER)
        return request->deadline_us;
    return sooner(request->deadline_us, exchange->arrived_us + request->route->total_us);
}

usec
cascading_due_us(const struct exchange *exchange)
{
    const struct request *request = &exchange->request;
    const struct plan *reference = &exchange->plans.all[0];
    usec due_us = whole_limit_us(exchange);

    if (due_us != USEC_NEVER)
        due_us -= reference->total_us;
    if (exchange->facts.stream && request->route->first_token_us != USEC_NEVER)
        due_us = sooner(due_us, exchange->arrived_us + request->route->first_token_us - reference->first_token_us);
    return due_us;
}

void
cascading_watch(struct exchange *exchange)
{
    struct world *world = worker_world(exchange->worker);
    usec due, now_us = world_now_us(world);

    world_timer_stop(world, &exchange->rest); /* of an attempt that met a closed connection */
    if (!is_cascade(exchange))
        return;
    due = cascading_due_us(exchange);
    if (due != USEC_NEVER)
        world_timer_start(world, &exchange->rest, due > now_us ? due - now_us : 0);
}

/* Nobody waits for its score any more. */
static void
leave_scoring(struct exchange *exchange)
{
    struct scoring *scoring = exchange->scoring;

    exchange->scoring = NULL;
    if (scoring != NULL)
        acceptance_stop(&scoring->acceptance);
}

void
cascading_end(struct exchange *exchange)
{
    leave_scoring(exchange);
}

/* The attempt is over, and another plan takes its place. */
static void
go_on(struct exchange *exchange, enum verdict verdict, const char *state, const char *why)
{
    bool called = exchange->cursor.flight != NULL;
    struct attempt_line *line;

    leave_scoring(exchange);
    exchange->plan->withheld = verdict;
    exchange->cascade_went_on = true;
    exchange->uncounted += called;
    exchange->fresh = false;
    world_timer_stop(worker_world(exchange->worker), &exchange->rest);
    settle_attempt(exchange);
    share_keep_attempt(exchange);
    if (verdict == VERDICT_FAILED)
        reach_strike(exchange, &exchange->plans);
    if (called) {
        line = &exchange->tries[exchange->try_count - 1];
        line->state = slice_of(state);
        line->why = slice_of(why);
        exchange->rejected_cost = usd_known(exchange->rejected_cost) && usd_known(line->cost)
                                      ? exchange->rejected_cost + line->cost
                                      : USD_UNKNOWN;
    }
    cursor_leave(&exchange->cursor);
    if (called)
        settle_journal_attempt(exchange);
    exchange_move(exchange, ATTEMPT_FAILED);
}

bool
cascading_failed(struct exchange *exchange, const char *why)
{
    if (!is_cascade(exchange))
        return false;
    count(&exchange->worker->counters, COUNT_CASCADE_FAILED, 1);
    if (exchange->cursor.flight != NULL)
        count(&exchange->worker->counters, COUNT_ATTEMPTS_FAILED, 1);
    acceptance_note(exchange->request.cascading->books[model_of(exchange)], -INFINITY);
    go_on(exchange, VERDICT_FAILED, "failed", arena_strdup(&exchange->arena, why));
    return true;
}

void
cascading_late(struct exchange *exchange)
{
    if (!is_cascade(exchange) || exchange->cursor.flight == NULL)
        return; /* that attempt is over, and what follows it not yet sent */
    count(&exchange->worker->counters, COUNT_CASCADE_LATE, 1);
    acceptance_note(exchange->request.cascading->books[model_of(exchange)], -INFINITY);
    go_on(exchange, VERDICT_NOT_KEPT, "rejected",
          "not accepted in time: what is left of the route's limit is what the reference takes");
}

static void
reject(struct exchange *exchange, const char *why)
{
    count(&exchange->worker->counters, COUNT_CASCADE_REJECTED, 1);
    go_on(exchange, VERDICT_NOT_KEPT, "rejected", why);
}

/* Its answer was refused, be it by its score: that is what evidence of the next one is about, if there is time left for it.
 * The router's is about requests as they come, and these are harder. */
static void
hand_on(struct exchange *exchange, const char *why)
{
    struct plans *plans = &exchange->plans;
    struct plan *next = cascade_next(plans, exchange->plan);
    usec now_us = world_now_us(worker_world(exchange->worker)), limit_us = whole_limit_us(exchange);

    if (next != NULL)
        next->withheld = limit_us != USEC_NEVER && now_us + next->total_us > limit_us ? VERDICT_TOTAL : VERDICT_NONE;
    for (size_t i = 0; i < plans->count; i++)
        if (plans->all[i].lever == LEVER_ROUTER && plans->all[i].withheld == VERDICT_NONE)
            plans->all[i].withheld = VERDICT_HARDER;
    reject(exchange, why);
}

static const char *
threshold_words(struct exchange *exchange, const struct routed *model, double score, bool keeps)
{
    return arena_printf(&exchange->arena, "acceptance score %.3f, %s %.3f", score, keeps ? "at least" : "below",
                        shared_evidence_threshold(model->evidence, &model->terms));
}

static void
note(struct exchange *exchange, const struct acceptance *acceptance)
{
    struct acceptance_book *book = exchange->request.cascading->books[model_of(exchange)];

    acceptance_note(book, acceptance->score);
    if (acceptance->silent)
        acceptance_found_silent(exchange, book);
}

/* What was earned when the plan was made may have been lost since. */
static void
decide(struct exchange *exchange, const struct acceptance *acceptance)
{
    const struct cascading *cascading = exchange->request.cascading;
    size_t at = model_of(exchange);
    const struct routed *model = &cascading->models.all[at];
    double score = acceptance->score;
    enum evidence_reason reason;
    unsigned quality_ppm;

    note(exchange, acceptance);
    if (!isfinite(score)) {
        (acceptance->untold ? reject : hand_on)(exchange,
                                                arena_printf(&exchange->arena, "not accepted: %s", acceptance->why));
        return;
    }
    exchange->plan->evidence.score = score;
    quality_ppm = shared_evidence_may_serve(model->evidence, &model->terms, score, &reason);
    if (quality_ppm < exchange->request.route->quality_ppm || quality_ppm == 0) {
        hand_on(exchange, threshold_words(exchange, model, score, false));
        return;
    }
    count(&exchange->worker->counters, COUNT_CASCADE_ACCEPTED, 1);
    exchange->plan->evidence.detail = threshold_words(exchange, model, score, true);
    exchange->cascade_kept = true;
    exchange->validated = acceptance->validated;
    world_timer_stop(worker_world(exchange->worker), &exchange->rest);
    exchange_move(exchange, FIRST_BYTE);
}

static void
scored(struct acceptance *acceptance)
{
    struct scoring *scoring = CONTAINER_OF(acceptance, struct scoring, acceptance);
    struct exchange *exchange = scoring->exchange;

    if (exchange->scoring == scoring && exchange->state == EXCHANGE_SERVING) { /* else nobody waits for it any more */
        exchange->scoring = NULL;
        decide(exchange, acceptance);
    }
    acceptance_free(acceptance);
    free(scoring);
    exchange_drop(exchange);
}

static void
start_scoring(struct exchange *exchange)
{
    struct scoring *scoring = must_calloc(1, sizeof(*scoring));

    scoring->exchange = exchange;
    scoring->acceptance = (struct acceptance){
        .done = scored, .exchange = exchange, .request = exchange->body, .about = exchange->id_text, .serves = true};
    exchange->scoring = scoring;
    exchange_hold(exchange);
    acceptance_start(&scoring->acceptance);
}

/* Longer than may be held back. */
static bool
is_too_long(const struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;

    return flight->kept > exchange->request.config->limits.answer_max ||
           (flight->kept > FLIGHT_CROWDED_BYTES && flights_crowded(flight->all));
}

bool
cascading_refuses_logprobs(const struct exchange *exchange, struct slice body)
{
    return exchange->plan != NULL && exchange->plan->asks_logprobs && !exchange->facts.logprobs.asked &&
           exchange->said.logprobs && !logprobs_in_words(exchange->identity.api, &exchange->facts.logprobs, body);
}

static void
failed_with_status(struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;

    reach_report(exchange);
    if (cascading_refuses_logprobs(exchange, chunk_bytes(exchange->body)))
        acceptance_found_silent(exchange, exchange->request.cascading->books[model_of(exchange)]);
    (void)cascading_failed(exchange, arena_printf(&exchange->arena, "%s answered with status %u",
                                                  exchange->plan->target->name, flight->status));
}

bool
cascading_progress(struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;

    if (!is_cascade(exchange))
        return false;
    if (exchange->scoring != NULL)
        return true;
    if (flight->state == FLIGHT_FAILED && flight_did_nothing(flight))
        return false; /* as any other: it may be sent once more over another connection */
    if (flight->state == FLIGHT_FAILED)
        (void)cascading_failed(exchange,
                               arena_printf(&exchange->arena, "%s: %s", exchange->plan->target->name, flight->why));
    else if (flight->status >= 300 && (flight_over(flight) || flight->opaque || flight->kept >= REFUSAL_BODY_MOST))
        failed_with_status(exchange);
    else if (flight_over(flight))
        start_scoring(exchange);
    else if (is_too_long(exchange))
        reject(exchange, "not accepted: it is longer than can be held back");
    return true;
}
