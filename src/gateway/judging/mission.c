#include "gateway/judging/mission.h"

#include "gateway/attempt/account.h"
#include "gateway/attempt/attempt.h"
#include "gateway/attempt/credentials.h"
#include "gateway/booking/ceiling.h"
#include "gateway/booking/reserve.h"
#include "gateway/cross.h"
#include "money/row.h"

#define STOPS "dropped: the gateway stops"

bool
mission_may_start(const struct gateway_worker *worker)
{
    return !worker->no_missions && worker->missions < MISSIONS_AT_ONCE_MOST;
}

/* A key under which the client's own request may be repeated is no key of this one. And what its headers ask of a model is
 * none of the judge's business. */
static bool
is_wanted(const struct mission *mission, struct slice name)
{
    if (mission->source != SOURCE_AUDIT && !mission->as_asked)
        return slice_is_nocase(name, "content-type");
    return !slice_is_nocase(name, "idempotency-key");
}

static void
copy_head(struct exchange *exchange, const struct http_head *head)
{
    struct http_header *headers = arena_alloc(&exchange->arena, head->header_count * sizeof(*headers));
    size_t count = 0;

    for (size_t i = 0; i < head->header_count; i++)
        if (is_wanted(exchange->mission, head->headers[i].name))
            headers[count++] = (struct http_header){arena_copy(&exchange->arena, head->headers[i].name),
                                                    arena_copy(&exchange->arena, head->headers[i].value)};
    exchange->head = (struct http_head){.method = SLICE_LITERAL("POST"),
                                        .target = slice_of(api_path(exchange->identity.api)),
                                        .headers = headers,
                                        .header_count = count};
    exchange->claim = NULL;
}

void
mission_prepare(struct mission *mission, const struct exchange *about, enum api api, struct chunk *body)
{
    struct gateway_worker *worker = about->worker;
    struct identity identity = about->identity;
    struct exchange *exchange;

    identity.api = api;
    exchange = exchange_new(worker, NULL, &about->head, &identity);
    view_release(exchange->view);
    exchange->view = view_hold(about->view);
    exchange->mission = mission;
    exchange->tags = arena_copy(&exchange->arena, about->tags);
    copy_head(exchange, &about->head);
    exchange->request.route = about->request.route;
    exchange->conversation = about->conversation;
    exchange->body = chunk_hold(body);
    exchange->request_bytes = (int64_t)body->len;
    memcpy(mission->about, about->id_text, sizeof(mission->about));
    mission->exchange = exchange;
    mission->unwanted = NULL;
    worker->missions++;
}

void
mission_go(struct mission *mission)
{
    struct exchange *exchange = mission->exchange;

    exchange_hold(exchange); /* it may be over on return */
    exchange_move(exchange, BODY_READ);
    exchange_drop(exchange);
}

/* Weighing: there is one plan, and it must be possible now. */

static void
put_plan(struct exchange *exchange)
{
    struct plan *plan = plans_add(&exchange->plans);

    plan->source = exchange->mission->source;
    plan->mode = LEVER_ON;
    plan->target = exchange->mission->target;
    plan->facts = facts_of(exchange->request.targets, plan->target);
    plan->asks_logprobs = exchange->mission->is_scored && exchange->request.route->cascade.accept == ACCEPT_LOGPROBS;
    estimate_plan(&exchange->request, plan);
}

static void
drop(struct exchange *exchange, const char *why)
{
    account_unclaim(exchange);
    exchange_give_up(exchange, NOTHING_FITS, exchange->attempts > 0 ? ENDING_UPSTREAM_FAILED : ENDING_REFUSED,
                     ERROR_OVERLOADED, why);
}

/* A client would have to wait for it, or be sent there as a last resort. */
static bool
is_crowded(const struct plan *plan)
{
    return plan == NULL || plan->away != VERDICT_NONE || plan->wait_us > 0;
}

void
mission_weigh_again(struct exchange *exchange)
{
    struct plan *chosen;

    if (exchange->worker->no_missions) {
        drop(exchange, STOPS);
        return;
    }
    if (exchange->mission->unwanted != NULL) {
        drop(exchange, exchange->mission->unwanted);
        return;
    }
    reserve_again(exchange);
    chosen = attempt_next(exchange, &exchange->plans, &exchange->wait_us);
    if (is_crowded(chosen)) {
        drop(exchange, exchange->why != NULL ? exchange->why : MISSION_NO_PLACE);
    } else if (!account_claim(exchange, chosen)) {
        drop(exchange, "dropped: the rate limit of its backend's account has no room for it now");
    } else if (!reserve_plan(exchange, chosen)) {
        drop(exchange, "dropped: a budget has no room for it");
    } else {
        exchange->plan = chosen;
        exchange_move(exchange, PLAN_CHOSEN);
    }
}

void
mission_weigh(struct exchange *exchange)
{
    const struct route_config *route = exchange->request.route;

    exchange->request = (struct request){
        .config = exchange->view->config,
        .route = route,
        .facts = &exchange->facts,
        .body = chunk_bytes(exchange->body),
        .tenant = exchange->identity.tenant,
        .age_most_us = 0,
        .conversation = exchange->conversation,
        .wall_us = exchange->arrived_wall_us,
        .targets = &exchange->view->targets,
        .prompt = &exchange->prompt,
        .prompts = exchange->worker->gateway->prompts,
        .arrived_us = exchange->arrived_us,
        .deadline_us = USEC_NEVER,
    };
    put_plan(exchange);
    cross_survey(exchange);
    reserve_begin(exchange);
    mission_weigh_again(exchange);
}

/* Answering */

/* A judge that says more than a word is of no use. */
enum { REPLY_BYTES_MOST = 1024 };

void
mission_gather(struct exchange *exchange, struct flight *flight)
{
    if (exchange->mission == NULL)
        return;
    if (exchange->mission->as_asked) {
        flight->meter.text.wanted = true;
        flight->meter.text.most = exchange->request.config->limits.answer_max;
    } else if (exchange->mission->source != SOURCE_AUDIT) {
        flight->meter.text.wanted = true;
        flight->meter.text.most = REPLY_BYTES_MOST;
    } else if (flight->keep == NULL && !flights_crowded(flight->all)) {
        flight->keep = kept_new(exchange->request.config->limits.answer_max);
    }
}

void
mission_read(struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;

    ENSURE(flight != NULL);
    cursor_skip(&exchange->cursor);
    if (ceiling_reached(exchange))
        ceiling_end(exchange);
    if (flight_over(flight))
        exchange_move(exchange, flight->state == FLIGHT_COMPLETE ? ANSWER_COMPLETE : ANSWER_CUT);
}

void
mission_end(struct exchange *exchange)
{
    struct mission *mission = exchange->mission;

    if (mission == NULL)
        return;
    exchange->worker->missions--;
    exchange->mission = NULL;
    mission->exchange = NULL;
    mission->done(mission, exchange);
}

static bool
is_failing(const struct exchange *exchange, unsigned status)
{
    return status >= 500 || status == 429 || exchange->said.spend_limit;
}

enum mission_result
mission_result(const struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;
    unsigned cut_short = (unsigned)TRANSFORM_CLIPPED | (unsigned)TRANSFORM_ENDED;

    if (exchange->ending == ENDING_REFUSED || (flight != NULL && flight->state == FLIGHT_CLOSED) ||
        (reserve_transforms(exchange) & cut_short) != 0)
        return MISSION_DROPPED;
    if (flight == NULL || flight->status == 0 || is_failing(exchange, flight->status))
        return MISSION_FAILED;
    if (flight->status >= 300)
        return MISSION_BAD;
    if (exchange->ending == ENDING_OK)
        return MISSION_ANSWERED;
    return flight->is_stream ? MISSION_BAD : MISSION_FAILED;
}

static bool
is_under_way(const struct exchange *exchange)
{
    return exchange->state == EXCHANGE_SERVING || exchange->state == EXCHANGE_ANSWERING;
}

static void
stop(struct exchange *exchange, const char *why)
{
    exchange_hold(exchange);
    credentials_forget(exchange);
    if (exchange->cursor.flight != NULL && !flight_over(exchange->cursor.flight))
        flight_stop(exchange->cursor.flight, why);
    if (exchange->state == EXCHANGE_SERVING)
        exchange_give_up(exchange, ATTEMPTS_SPENT, ENDING_REFUSED, ERROR_UNAVAILABLE, why);
    else
        mission_read(exchange);
    exchange_drop(exchange);
}

void
mission_stop(struct mission *mission, const char *why)
{
    if (mission->exchange == NULL)
        return;
    if (is_under_way(mission->exchange))
        stop(mission->exchange, why);
    else
        mission->unwanted = why;
}

/* One that is at a backend; NULL: there is none. */
static struct exchange *
any_under_way(struct gateway_worker *worker)
{
    LIST_EACH(&worker->exchanges, node, after)
    {
        struct exchange *exchange = CONTAINER_OF(node, struct exchange, link);

        if (exchange->is_own && is_under_way(exchange))
            return exchange;
    }
    return NULL;
}

/* The end of one may be the end of others that it holds: each time the list is looked at anew. */
void
missions_stop(struct gateway_worker *worker)
{
    struct exchange *exchange;

    worker->no_missions = true;
    while ((exchange = any_under_way(worker)) != NULL)
        stop(exchange, STOPS);
}
