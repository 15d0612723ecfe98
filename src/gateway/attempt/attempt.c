/* Attempts at backends, one after another, within the request's one budget. Another is made only while the client has no
 * byte of an answer. After a definite refusal (an error's answer, a connection that was never made) any other endpoint or
 * plan may serve. After a call that broke off when the request was out, nobody knows whether it was worked on and will be
 * billed: the route says whether that is risked. */
#include "gateway/attempt/attempt.h"

#include "dialect/translate/translate.h"
#include "gateway/attempt/account.h"
#include "gateway/attempt/admit.h"
#include "gateway/attempt/batch.h"
#include "gateway/attempt/reach.h"
#include "gateway/balance.h"
#include "gateway/choice/cascading.h"
#include "gateway/flight/share.h"
#include "gateway/reuse/elements.h"

/* For all waits of one request together. A longer rest is told to the client, which can use the time better. */
static const usec WAITS_MOST_US = 5 * USEC_PER_S;

void
exchange_wake(struct cursor *cursor)
{
    struct exchange *exchange = CONTAINER_OF(cursor, struct exchange, cursor);

    exchange_hold(exchange);
    exchange_progress(exchange);
    exchange_drop(exchange);
}

static void attempt_failed(struct exchange *exchange, enum error_kind kind, const char *why);

void
exchange_secret_here(struct exchange *exchange, const char *secret, const char *why)
{
    if (exchange->state == EXCHANGE_SERVING && secret == NULL) {
        attempt_failed(exchange, ERROR_UPSTREAM, why); /* no call was made */
    } else if (exchange->state == EXCHANGE_SERVING && !batch_takes(exchange, account_secret(exchange, secret))) {
        exchange->secret = account_secret(exchange, secret);
        exchange->attempts++;
        count(&exchange->worker->counters, COUNT_ATTEMPTS, 1);
        send_flight(exchange, exchange_wake);
        exchange->secret = NULL;
    }
}

/* How long this plan may be waited for: the route's limit and our patience. */
static usec
patience_us(const struct exchange *exchange, const struct plan *plan, usec now_us)
{
    usec most_us = WAITS_MOST_US - exchange->waited_us, limit_us = exchange->request.route->total_us;

    if (limit_us != USEC_NEVER && limit_us - (now_us - exchange->arrived_us) - plan->total_us < most_us)
        most_us = limit_us - (now_us - exchange->arrived_us) - plan->total_us;
    return most_us;
}

/* The plan with the shortest rest among those that only a rest keeps away and that may be waited for. NULL: none. */
static const struct plan *
soonest_rested(const struct exchange *exchange, const struct plans *plans)
{
    usec now_us = world_now_us(worker_world(exchange->worker));
    const struct plan *soonest = NULL;

    for (size_t i = 0; i < plans->count; i++) {
        const struct plan *plan = &plans->all[i];

        if (plan->verdict != VERDICT_RESTING || plan->away_until_us - now_us > patience_us(exchange, plan, now_us))
            continue;
        if (soonest == NULL || plan->away_until_us < soonest->away_until_us)
            soonest = plan;
    }
    return soonest;
}

static usec
wait_for_rest(const struct exchange *exchange, const struct plans *plans)
{
    const struct plan *plan = soonest_rested(exchange, plans);

    return plan != NULL ? plan->away_until_us - world_now_us(worker_world(exchange->worker)) : 0;
}

struct plan *
attempt_next(struct exchange *exchange, struct plans *plans, usec *wait_us)
{
    struct plan *plan;

    reach_survey(exchange, plans);
    admit_survey(exchange, plans);
    plan = balance_choose(plans, &exchange->request, exchange->bypass);
    *wait_us = plan == NULL ? wait_for_rest(exchange, plans) : 0;
    return plan != NULL || *wait_us > 0 ? plan : balance_last_resort(plans);
}

/* Those who wait for the same rest would come back at the same moment: each a little later than it must, up to a quarter,
 * and not beyond what it may wait. */
void
attempt_wait(struct exchange *exchange)
{
    struct world *world = worker_world(exchange->worker);
    const struct plan *plan = soonest_rested(exchange, &exchange->plans);
    usec spare_us;

    ENSURE(exchange->wait_us > 0 && plan != NULL);
    spare_us = patience_us(exchange, plan, world_now_us(world)) - exchange->wait_us;
    if (spare_us > exchange->wait_us / 4)
        spare_us = exchange->wait_us / 4;
    ENSURE(spare_us >= 0);
    exchange->wait_us += (usec)(world_random(world) % (uint64_t)(spare_us + 1));
    exchange->waited_us += exchange->wait_us;
    count(&exchange->worker->counters, COUNT_RETRY_WAITS, 1);
    world_timer_start(world, &exchange->rest, exchange->wait_us);
}

/* Which plan could have served soonest, of those that only time keeps away. NULL: none. */
static const struct plan *
soonest_back(const struct plans *plans)
{
    const struct plan *soonest = NULL;

    for (size_t i = 0; i < plans->count; i++) {
        const struct plan *plan = &plans->all[i];

        if ((plan->verdict == VERDICT_RESTING || plan->verdict == VERDICT_CROWDED) &&
            (soonest == NULL || plan->away_until_us < soonest->away_until_us))
            soonest = plan;
    }
    return soonest;
}

static const char *
say_other_api(struct exchange *exchange, const struct plan *plan)
{
    if (plan->translated == NULL || plan->translated->why == NULL)
        return "the backend of this model speaks another API than the request";
    return arena_printf(&exchange->arena,
                        "the backend of this model speaks another API (%s) than the request (%s), which "
                        "cannot be put in its words: %s",
                        api_name(plan->translated->api), api_name(exchange->identity.api), plan->translated->why);
}

void
attempt_none_left(struct exchange *exchange)
{
    const struct plan *back = soonest_back(&exchange->plans);
    enum ending ending = exchange->attempts > 0 ? ENDING_UPSTREAM_FAILED : ENDING_REFUSED;

    if (back != NULL) {
        exchange->said = (struct refusal){0};
        exchange->retry_after_us = back->away_until_us - world_now_us(worker_world(exchange->worker));
        exchange_give_up(
            exchange, NOTHING_FITS, ending, ERROR_OVERLOADED,
            back->verdict == VERDICT_RESTING
                ? "every backend of this model has its rate limit used up, or asked to be left alone for a "
                  "while: see retry-after"
                : "the first token would come later than its route or x-equipoise-deadline allows: too many "
                  "requests wait for this model, or the time is too short for this prompt; see retry-after");
    } else if (exchange->attempts > 0 || exchange->plans.all[0].tried) {
        exchange_give_up(exchange, NOTHING_FITS, ENDING_UPSTREAM_FAILED, ERROR_UPSTREAM,
                         exchange->why != NULL ? exchange->why : "no backend of this model can be reached");
    } else if (exchange->plans.all[0].verdict == VERDICT_NOT_ALLOWED) {
        exchange_give_up(exchange, NOTHING_FITS, ENDING_REFUSED, ERROR_FORBIDDEN,
                         "no backend of this model is allowed for this tenant (tenants: allow)");
    } else {
        exchange_give_up(exchange, NOTHING_FITS, ENDING_REFUSED, ERROR_BAD_REQUEST,
                         say_other_api(exchange, &exchange->plans.all[0]));
    }
}

/* The backend surely did not do the work: it never got the request, or it said no. */
static bool
was_refused(const struct flight *flight)
{
    return flight == NULL || flight->status >= 400 || flight_did_nothing(flight);
}

static bool
something_else_serves(struct exchange *exchange)
{
    struct plans rest = exchange->plans;
    usec wait_us;

    reach_strike(exchange, &rest);
    return attempt_next(exchange, &rest, &wait_us) != NULL || wait_us > 0;
}

/* A kept connection that its peer had closed says nothing of who is there: engines close them after so many requests, or
 * when they have many. On a new one it cannot happen twice. */
static bool
was_stale(const struct flight *flight)
{
    return flight != NULL && flight->call.reused && flight_did_nothing(flight);
}

static bool
may_try_again(struct exchange *exchange, bool *same_seat)
{
    const struct flight *flight = exchange->cursor.flight;

    *same_seat = false;
    if (exchange->plan->source == SOURCE_PASSTHROUGH || exchange->try_count + 1 >= ROW_ATTEMPTS_MOST)
        return false;
    if (was_stale(flight)) {
        *same_seat = true;
        return true;
    }
    if (exchange->is_own || exchange->attempts - exchange->uncounted >= exchange->request.route->attempts)
        return false;
    if (exchange->request.route->retry == RETRY_SAFE && !was_refused(flight))
        return false;
    if (something_else_serves(exchange))
        return true;
    *same_seat = flight != NULL && flight_did_nothing(flight);
    return *same_seat;
}

/* No byte of an answer has gone to the client: another plan may serve, or the client is told. */
static void
attempt_failed(struct exchange *exchange, enum error_kind kind, const char *why)
{
    bool same_seat, again, called = exchange->cursor.flight != NULL;

    if (!was_stale(exchange->cursor.flight) && cascading_failed(exchange, why))
        return;
    again = may_try_again(exchange, &same_seat);
    if (called)
        count(&exchange->worker->counters, COUNT_ATTEMPTS_FAILED, 1);
    exchange->why = arena_strdup(&exchange->arena, why);
    exchange->fresh = was_stale(exchange->cursor.flight);
    exchange->uncounted += exchange->fresh;
    world_timer_stop(worker_world(exchange->worker), &exchange->ping); /* it was for this flight's stream */
    settle_attempt(exchange);
    if (again)
        share_keep_attempt(exchange);
    if (again && !same_seat)
        reach_strike(exchange, &exchange->plans);
    cursor_leave(&exchange->cursor);
    if (!again) {
        exchange_give_up(exchange, ATTEMPTS_SPENT, ENDING_UPSTREAM_FAILED, kind, exchange->why);
        return;
    }
    if (called)
        settle_journal_attempt(exchange);
    exchange_move(exchange, ATTEMPT_FAILED);
}

void
attempt_again(struct exchange *exchange, const char *why)
{
    count(&exchange->worker->counters, COUNT_ATTEMPTS_FAILED, 1);
    exchange->why = why;
    settle_attempt(exchange);
    share_keep_attempt(exchange);
    cursor_leave(&exchange->cursor);
    settle_journal_attempt(exchange);
    exchange_move(exchange, ATTEMPT_FAILED);
}

/* It went with others, and what came is about all of them: as a lever fails no request, it goes again, with fewer. Where
 * the backend itself may have failed another may serve, within the route's attempts; where a call may have been worked on
 * and the route risks no second, the client is told. */
static bool
is_sent_back(struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;
    bool same_seat, broke;

    if (!batch_spoilt(exchange) || exchange->try_count + 1 >= ROW_ATTEMPTS_MOST)
        return false;
    broke = flight->state == FLIGHT_FAILED;
    if ((broke || flight->status >= 500) && may_try_again(exchange, &same_seat))
        return false;
    return !broke || exchange->request.route->retry != RETRY_SAFE || flight_did_nothing(flight);
}

static void
ask_with_fewer(struct exchange *exchange)
{
    const struct batch_part *part = batch_part_of(exchange);

    attempt_again(exchange, arena_printf(&exchange->arena,
                                         "%s did not answer a call for %u requests together: asked again with fewer",
                                         exchange->plan->target->name, part->requests));
}

/* What we put in for the provider's prompt cache may be what it did not like (an intermediary, an older API). */
static bool
may_dislike_ours(const struct exchange *exchange)
{
    const struct plan_cache *cache = &exchange->plan->cache;
    unsigned status = exchange->cursor.flight->status;

    return (status == 400 || status == 422) && cache->on && (cache->marks != 0 || cache->family != 0) &&
           exchange->try_count + 1 < ROW_ATTEMPTS_MOST;
}

/* The same plan without it: a lever fails no request. Beyond the route's attempts, for this one was ours. */
static void
ask_plainly(struct exchange *exchange)
{
    const char *why =
        arena_printf(&exchange->arena, "%s answered with status %u to marks or a key for its prompt cache",
                     exchange->plan->target->name, exchange->cursor.flight->status);

    world_timer_stop(worker_world(exchange->worker), &exchange->ping);
    count(&exchange->worker->counters, COUNT_PROMPTS_REFUSED, 1);
    exchange->plan->cache = (struct plan_cache){.on = true, .refused = true};
    attempt_again(exchange, why);
}

static void
flight_failed(struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;
    enum error_kind kind = flight->failure == CALL_TIMEOUT ? ERROR_UPSTREAM_TIMEOUT
                           : flight->failure == CALL_FULL  ? ERROR_UNAVAILABLE
                                                           : ERROR_UPSTREAM;

    reach_report(exchange);
    attempt_failed(exchange, kind, arena_printf(&exchange->arena, "%s: %s", exchange->plan->target->name, flight->why));
}

/* An error whose body tells what kind it is, and is not here yet. */
static bool
is_still_told(const struct flight *flight)
{
    unsigned status = flight->status;

    return (status == 429 || status == 402 || status == 403 || status == 400) && !flight_over(flight) &&
           !flight->opaque && flight->kept < REFUSAL_BODY_MOST;
}

/* What was put in other words may be what the backend did not take; as it came, another may. */
static bool
may_dislike_translation(const struct exchange *exchange)
{
    unsigned status = exchange->cursor.flight->status;

    return exchange->plan->translated != NULL && (status == 400 || status == 404 || status == 422);
}

/* An answer that another place may better: the backend is overloaded or broken, or its account's money is used up. */
static bool
wants_failover(struct exchange *exchange)
{
    bool same_seat;
    unsigned status = exchange->cursor.flight->status;

    if (status < 400)
        return false;
    reach_report(exchange);
    return (status >= 500 || status == 429 || exchange->said.spend_limit || may_dislike_translation(exchange)) &&
           may_try_again(exchange, &same_seat) && !same_seat;
}

/* Streams are answered from their first event; other answers when they are whole, so that the head can tell their cost,
 * or when they, or all that are held back, get too large for it. */
bool
attempt_is_ready(const struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;

    if (flight->state == FLIGHT_OPENING)
        return false;
    if (flight_over(flight))
        return true;
    if (flight->is_stream || flight->opaque || exchange->plan->source == SOURCE_PASSTHROUGH)
        return exchange->cursor.at != NULL;
    return flight->kept > exchange->request.config->limits.answer_max ||
           (flight->kept > FLIGHT_CROWDED_BYTES && flights_crowded(flight->all));
}

void
attempt_progress(struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;
    bool whole_only = !flight->is_stream && !flight->opaque && exchange->plan->source != SOURCE_PASSTHROUGH;

    if (is_sent_back(exchange)) {
        ask_with_fewer(exchange);
        return;
    }
    if (cascading_progress(exchange))
        return;
    if (exchange->plan->source == SOURCE_PARTLY && elements_progress(exchange))
        return;
    if (flight->state == FLIGHT_FAILED && (exchange->cursor.at == NULL || whole_only))
        flight_failed(exchange);
    else if (is_still_told(flight))
        return;
    else if (flight->state != FLIGHT_OPENING && may_dislike_ours(exchange))
        ask_plainly(exchange);
    else if (flight->state != FLIGHT_OPENING && wants_failover(exchange))
        attempt_failed(
            exchange, ERROR_UPSTREAM,
            arena_printf(&exchange->arena, "%s answered with status %u", exchange->plan->target->name, flight->status));
    else if (attempt_is_ready(exchange))
        exchange_move(exchange, FIRST_BYTE);
    else if (flight->is_stream && !exchange->is_own && !timer_running(&exchange->ping))
        world_timer_start(worker_world(exchange->worker), &exchange->ping, EXCHANGE_PING_US);
}
