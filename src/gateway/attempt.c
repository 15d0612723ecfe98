/* Attempts at backends, one after another, within the request's one budget. */
#include "gateway/attempt.h"

#include "gateway/balance.h"

static void
on_wake(struct cursor *cursor)
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
    } else if (exchange->state == EXCHANGE_SERVING) {
        exchange->secret = secret;
        exchange->attempts++;
        count(&exchange->worker->counters, COUNT_ATTEMPTS, 1);
        send_flight(exchange, on_wake);
        exchange->secret = NULL;
    }
}

static bool
another_plan_serves(struct exchange *exchange)
{
    struct plans rest = exchange->plans;

    rest.all[exchange->plan - exchange->plans.all].tried = true;
    return balance_choose(&rest, &exchange->request, exchange->bypass) != NULL;
}

static bool
may_try_again(struct exchange *exchange, bool *same_plan)
{
    const struct flight *flight = exchange->cursor.flight;

    *same_plan = false;
    if (exchange->attempts >= exchange->request.route->attempts || exchange->plan->source == SOURCE_PASSTHROUGH ||
        exchange->try_count + 1 >= ROW_ATTEMPTS_MOST)
        return false;
    if (another_plan_serves(exchange))
        return true;
    *same_plan = flight != NULL && flight_did_nothing(flight);
    return *same_plan;
}

/* No byte of an answer has gone to the client: another plan may serve, or the client is told. */
static void
attempt_failed(struct exchange *exchange, enum error_kind kind, const char *why)
{
    bool same_plan, again = may_try_again(exchange, &same_plan), called = exchange->cursor.flight != NULL;

    if (called)
        count(&exchange->worker->counters, COUNT_ATTEMPTS_FAILED, 1);
    exchange->why = arena_strdup(&exchange->arena, why);
    world_timer_stop(worker_world(exchange->worker), &exchange->ping); /* it was for this flight's stream */
    settle_attempt(exchange);
    cursor_leave(&exchange->cursor);
    if (!again) {
        exchange_give_up(exchange, ATTEMPTS_SPENT, ENDING_UPSTREAM_FAILED, kind, exchange->why);
        return;
    }
    if (called)
        settle_journal_attempt(exchange);
    exchange->plan->tried = !same_plan;
    exchange_move(exchange, ATTEMPT_FAILED);
}

static void
flight_failed(struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;
    enum error_kind kind = flight->failure == CALL_TIMEOUT ? ERROR_UPSTREAM_TIMEOUT
                           : flight->failure == CALL_FULL  ? ERROR_UNAVAILABLE
                                                           : ERROR_UPSTREAM;

    attempt_failed(exchange, kind, arena_printf(&exchange->arena, "%s: %s", exchange->plan->target->name, flight->why));
}

/* An answer that another plan may better: the backend is overloaded or broken. */
static bool
wants_failover(struct exchange *exchange)
{
    bool same_plan;
    unsigned status = exchange->cursor.flight->status;

    return (status >= 500 || status == 429) && may_try_again(exchange, &same_plan) && !same_plan;
}

/* Streams are answered from their first event; other answers when they are whole, so that the head can tell their cost,
 * or when they get too large to be held back. */
static bool
ready_to_answer(const struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;

    if (flight->state == FLIGHT_OPENING)
        return false;
    if (flight_over(flight))
        return true;
    if (flight->is_stream || flight->opaque || exchange->plan->source == SOURCE_PASSTHROUGH)
        return exchange->cursor.at != NULL;
    return flight->kept > exchange->request.config->limits.answer_max;
}

void
attempt_progress(struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;
    bool whole_only = !flight->is_stream && !flight->opaque && exchange->plan->source != SOURCE_PASSTHROUGH;

    if (flight->state == FLIGHT_FAILED && (exchange->cursor.at == NULL || whole_only))
        flight_failed(exchange);
    else if (flight->state != FLIGHT_OPENING && wants_failover(exchange))
        attempt_failed(
            exchange, ERROR_UPSTREAM,
            arena_printf(&exchange->arena, "%s answered with status %u", exchange->plan->target->name, flight->status));
    else if (ready_to_answer(exchange))
        exchange_move(exchange, FIRST_BYTE);
    else if (flight->is_stream && !timer_running(&exchange->ping))
        world_timer_start(worker_world(exchange->worker), &exchange->ping, EXCHANGE_PING_US);
}
