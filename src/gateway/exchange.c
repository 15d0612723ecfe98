/* A request's life, top to bottom: read, parse, weigh, serve, answer, settle. Clients who leave before the end, and who
 * goes on without one: exchange_leave.c. */
#include "gateway/exchange_parts.h"

#include <stdlib.h>

#include "base/text.h"
#include "gateway/attempt/account.h"
#include "gateway/attempt/admit.h"
#include "gateway/attempt/attempt.h"
#include "gateway/attempt/batch.h"
#include "gateway/attempt/credentials.h"
#include "gateway/booking/ceiling.h"
#include "gateway/booking/reserve.h"
#include "gateway/choice/cascading.h"
#include "gateway/cross.h"
#include "gateway/flight/share.h"
#include "gateway/flight/share_form.h"
#include "gateway/flight/stall.h"
#include "gateway/idempotency.h"
#include "gateway/judging/audit.h"
#include "gateway/judging/mission.h"
#include "gateway/judging/outcome.h"
#include "gateway/own_model.h"
#include "gateway/reuse/cached.h"
#include "gateway/reuse/repeat.h"
#include "gateway/weigh.h"

static void serve(struct exchange *exchange);
static void open_answer(struct exchange *exchange);
static void refuse(struct exchange *exchange);
static void finish(struct exchange *exchange);
static void cut_off(struct exchange *exchange);
static void release(struct exchange *exchange);

/* The allowed moves; only exchange_move changes the state. Every way ends in EXCHANGE_SETTLED, which becomes
 * EXCHANGE_RELEASED when the last hold is dropped. */
static const struct move {
    enum exchange_state to;
    void (*does)(struct exchange *); /* NULL: not allowed */
} moves[EXCHANGE_RELEASED][LAST_HOLD_DROPPED + 1] = {
    [EXCHANGE_READING][BODY_READ] = {EXCHANGE_PARSING, parse_body},
    [EXCHANGE_READING][BODY_INVALID] = {EXCHANGE_SETTLED, refuse},
    [EXCHANGE_READING][BODY_PARSED] = {EXCHANGE_WEIGHING, weigh_plans}, /* pass-through has nothing to parse */
    [EXCHANGE_PARSING][BODY_PARSED] = {EXCHANGE_WEIGHING, weigh_plans},
    [EXCHANGE_PARSING][BODY_INVALID] = {EXCHANGE_SETTLED, refuse},
    [EXCHANGE_WEIGHING][KEY_READY] = {EXCHANGE_WEIGHING, weigh_keyed}, /* a long body was hashed off the loop */
    [EXCHANGE_WEIGHING][PLANS_READY] = {EXCHANGE_WEIGHING, weigh_on},  /* what they waited for is here, or late */
    [EXCHANGE_WEIGHING][PLAN_CHOSEN] = {EXCHANGE_SERVING, serve},
    [EXCHANGE_WEIGHING][PLANS_REST] = {EXCHANGE_WEIGHING, attempt_wait},
    [EXCHANGE_WEIGHING][REST_OVER] = {EXCHANGE_WEIGHING, weigh_again},
    [EXCHANGE_WEIGHING][NOTHING_FITS] = {EXCHANGE_SETTLED, refuse},
    [EXCHANGE_WEIGHING][ANSWER_KEPT] = {EXCHANGE_ANSWERING, open_answer}, /* it was made before, for the same request */
    [EXCHANGE_SERVING][FIRST_BYTE] = {EXCHANGE_ANSWERING, open_answer},
    [EXCHANGE_SERVING][ATTEMPT_FAILED] = {EXCHANGE_WEIGHING, weigh_again},
    [EXCHANGE_SERVING][ATTEMPTS_SPENT] = {EXCHANGE_SETTLED, refuse},
    [EXCHANGE_ANSWERING][ANSWER_COMPLETE] = {EXCHANGE_SETTLED, finish},
    [EXCHANGE_ANSWERING][ANSWER_CUT] = {EXCHANGE_SETTLED, cut_off},
    [EXCHANGE_READING][CLIENT_GONE] = {EXCHANGE_SETTLED, exchange_abandon},
    [EXCHANGE_PARSING][CLIENT_GONE] = {EXCHANGE_SETTLED, exchange_abandon},
    [EXCHANGE_WEIGHING][CLIENT_GONE] = {EXCHANGE_SETTLED, exchange_abandon},
    [EXCHANGE_SERVING][CLIENT_GONE] = {EXCHANGE_SETTLED, exchange_abandon},
    [EXCHANGE_ANSWERING][CLIENT_GONE] = {EXCHANGE_SETTLED, exchange_abandon},
    [EXCHANGE_SERVING][PARTS] = {EXCHANGE_PARTED, exchange_part},
    [EXCHANGE_ANSWERING][PARTS] = {EXCHANGE_PARTED, exchange_part},
    [EXCHANGE_PARTED][BILL_HERE] = {EXCHANGE_SETTLED, exchange_pay},
    [EXCHANGE_SETTLED][LAST_HOLD_DROPPED] = {EXCHANGE_RELEASED, release},
};

void
exchange_move(struct exchange *exchange, enum exchange_event event)
{
    const struct move *move;

    ENSURE(exchange->state < EXCHANGE_RELEASED);
    move = &moves[exchange->state][event];
    if (move->does == NULL)
        ensure_failed("an exchange moves only where the table allows", __FILE__, __LINE__);
    exchange->state = move->to;
    move->does(exchange);
}

void
exchange_hold(struct exchange *exchange)
{
    ENSURE(exchange->state < EXCHANGE_RELEASED);
    exchange->holds++;
}

void
exchange_drop(struct exchange *exchange)
{
    ENSURE(exchange->holds > 0);
    if (--exchange->holds == 0)
        exchange_move(exchange, LAST_HOLD_DROPPED);
}

/* Accept: the client is the first hold. */

static const struct asker_ops exchange_asker;

static void on_ping(struct timer *timer);
static void on_rest_over(struct timer *timer);

/* Most requests need no more than the memory that their exchange begins with. So many are kept for further ones. */
enum { ARENA_BYTES = 3 * 1024, SPARE_MOST = 256 };

struct exchange_block {
    struct exchange exchange;
    _Alignas(16) char arena[ARENA_BYTES];
};

void
exchanges_init(struct spares *blocks)
{
    spares_init(blocks, sizeof(struct exchange_block), SPARE_MOST);
}

struct exchange *
exchange_new(struct gateway_worker *worker, struct client *client, const struct http_head *head,
             const struct identity *identity)
{
    struct exchange_block *block = spares_take(&worker->blocks);
    struct exchange *exchange = &block->exchange;

    memset(exchange, 0, offsetof(struct exchange, plans));
    exchange->plans.count = 0;

    exchange->asker.ops = &exchange_asker;
    exchange->worker = worker;
    exchange->view = view_hold(worker->view);
    exchange->client = client;
    exchange->head = *head;
    exchange->identity = *identity;
    exchange->holds = 1;
    exchange->id = gateway_next_id(worker);
    text_format_id(exchange->id, exchange->id_text);
    exchange->arrived_us = world_now_us(worker_world(worker));
    exchange->arrived_wall_us = world_wall_us(worker_world(worker));
    exchange->ping.fire = on_ping;
    exchange->rest.fire = on_rest_over;
    arena_lend(&exchange->arena, block->arena, sizeof(block->arena));
    usage_init(&exchange->usage);
    idempotency_note(exchange);
    exchange->tags = identify_tags(&exchange->arena, identity->key, http_head_get(head, "x-equipoise-tags"));
    exchange->wants_cost = slice_is(http_head_get(head, "x-equipoise-include"), "cost");
    list_append(&worker->exchanges, &exchange->link);
    exchange->is_own = client == NULL;
    if (client == NULL)
        return exchange;
    count(&worker->counters, COUNT_REQUESTS, 1);
    client->user = exchange;
    return exchange;
}

void
exchange_give_up(struct exchange *exchange, enum exchange_event event, enum ending ending, enum error_kind kind,
                 const char *why)
{
    exchange->ending = ending;
    exchange->refused_as = kind;
    exchange->why = why;
    exchange_move(exchange, event);
}

/* Parse: parse.c reads the body, off the loop if it is large. */

static void
take_request(struct asker *asker, struct chunk *body)
{
    struct exchange *exchange = (struct exchange *)asker;

    exchange->body = chunk_hold(body);
    exchange->request_bytes = (int64_t)body->len;
    exchange_move(exchange, BODY_READ);
}

static void
take_bad_body(struct asker *asker, unsigned status)
{
    struct exchange *exchange = (struct exchange *)asker;

    if (exchange->state != EXCHANGE_READING) {
        exchange->why = "the request's body broke off"; /* a pass-through that is under way already */
        exchange_move(exchange, CLIENT_GONE);
    } else if (status == 413) {
        exchange_give_up(exchange, BODY_INVALID, ENDING_INVALID, ERROR_TOO_LARGE,
                         "the request's body is larger than this gateway takes (limits: body)");
    } else if (status == 408) {
        exchange_give_up(exchange, BODY_INVALID, ENDING_INVALID, ERROR_TIMEOUT, "the request's body came too slowly");
    } else {
        exchange_give_up(exchange, BODY_INVALID, ENDING_INVALID, ERROR_BAD_REQUEST,
                         "the request's body is framed wrongly");
    }
}

/* Serve: attempt.c makes attempts until one brings an answer or the budget is spent. */

static void
end_queue(struct exchange *exchange)
{
    if (exchange->queue_us == 0)
        exchange->queue_us = world_now_us(worker_world(exchange->worker)) - exchange->arrived_us;
}

static void
serve(struct exchange *exchange)
{
    if (exchange->plan->source == SOURCE_BUILT_IN) {
        end_queue(exchange);
        own_model_serve(exchange);
    } else if (exchange->plan->source == SOURCE_CACHED) {
        end_queue(exchange);
        cached_serve(exchange);
    } else if (admit_ask(exchange)) {
        exchange_admitted(exchange);
    } else if (exchange->is_own && exchange->place != NULL) {
        exchange_give_up(exchange, ATTEMPTS_SPENT, ENDING_REFUSED, ERROR_OVERLOADED, MISSION_NO_PLACE);
    }
}

void
exchange_admitted(struct exchange *exchange)
{
    end_queue(exchange);
    if (!exchange->opened && !settle_open(exchange) && !exchange->request.config->serve_when_journal_fails &&
        (!exchange->follows || share_withdraw(exchange))) {
        exchange_give_up(exchange, ATTEMPTS_SPENT, ENDING_REFUSED, ERROR_UNAVAILABLE,
                         "the ledger's journal cannot be written, and what cannot be booked is not served (journal)");
        return;
    }
    if (!exchange->follows) {
        credentials_ask(exchange);
        return;
    }
    share_read(exchange, exchange_wake);
    exchange_progress(exchange); /* something may be here already */
}

static void
on_rest_over(struct timer *timer)
{
    struct exchange *exchange = CONTAINER_OF(timer, struct exchange, rest);

    exchange_hold(exchange);
    if (exchange->state == EXCHANGE_SERVING)
        cascading_late(exchange);
    else
        exchange_move(exchange, REST_OVER);
    exchange_drop(exchange);
}

static void pump(struct exchange *exchange);

/* Its batch is over: it can pay. */
static void
stop_waiting(struct exchange *exchange)
{
    exchange_move(exchange, BILL_HERE);
    exchange_drop(exchange);
}

void
exchange_progress(struct exchange *exchange)
{
    if (exchange->state == EXCHANGE_SERVING && !exchange->follows)
        attempt_progress(exchange);
    else if (exchange->state == EXCHANGE_SERVING && share_form_progress(exchange))
        return;
    else if (exchange->state == EXCHANGE_SERVING && attempt_is_ready(exchange))
        exchange_move(exchange, FIRST_BYTE);
    else if (exchange->state == EXCHANGE_ANSWERING)
        pump(exchange);
    else if (exchange->state == EXCHANGE_PARTED && exchange->cursor.flight != NULL &&
             flight_over(exchange->cursor.flight))
        stop_waiting(exchange);
}

/* Answer */

static void
open_answer(struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;

    /* No further attempt is possible: the request's body need not be kept. */
    chunk_release(exchange->body);
    cross_release(exchange);
    exchange->body = NULL;
    exchange->request.body = SLICE_NONE;
    if (exchange->plan != NULL)
        exchange->why = NULL; /* what failed before is among the attempts */
    exchange->status = flight->told_status;
    /* The clock stands still within a turn of the loop, and 0 says that none came. */
    exchange->first_byte_us = world_now_us(worker_world(exchange->worker)) - exchange->arrived_us;
    exchange->first_byte_us += exchange->first_byte_us == 0;
    share_first_byte(exchange);
    if (exchange->client != NULL)
        answer_open(exchange);
    exchange->cursor.lets_go = true;
    pump(exchange);
}

/* Gives the client what there is. When all is given and nothing more will come, the answer ends. */
static void
pump(struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;
    struct world *world = worker_world(exchange->worker);

    if (flight_over(flight))
        share_end(exchange);
    if (exchange->client == NULL) {
        (exchange->is_own ? mission_read : exchange_lead_on)(exchange);
        return;
    }
    if (exchange->ending_stream)
        cursor_skip(&exchange->cursor); /* what comes now is for others */
    else if (ceiling_reached(exchange))
        ceiling_end(exchange);
    if (!answer_pump(exchange))
        return; /* until `drained` */
    if (exchange->ending_stream && !flight_over(flight)) {
        exchange_leave_early(exchange);
        return;
    }
    if (!flight_over(flight)) {
        if (flight->is_stream)
            world_timer_start(world, &exchange->ping, EXCHANGE_PING_US);
        return;
    }
    if (flight->state == FLIGHT_COMPLETE) {
        exchange_move(exchange, ANSWER_COMPLETE);
    } else if (flight->is_stream && !exchange->ending_stream && !exchange->open_event) {
        answer_say_end(exchange);
        pump(exchange);
    } else {
        exchange_move(exchange,
                      flight->state == FLIGHT_CLOSED && exchange->ending_stream ? ANSWER_COMPLETE : ANSWER_CUT);
    }
}

static void
on_ping(struct timer *timer)
{
    struct exchange *exchange = CONTAINER_OF(timer, struct exchange, ping);

    exchange_hold(exchange);
    if (exchange->state == EXCHANGE_SERVING)
        exchange_move(exchange, FIRST_BYTE);
    if (exchange->too_slow) {
        stall_give_up(exchange);
    } else if (exchange->state == EXCHANGE_ANSWERING) {
        answer_ping(exchange);
        pump(exchange);
    }
    exchange_drop(exchange);
}

static void
take_drained(struct asker *asker)
{
    struct exchange *exchange = (struct exchange *)asker;

    exchange_hold(exchange);
    if (exchange->state == EXCHANGE_ANSWERING)
        pump(exchange);
    exchange_drop(exchange);
}

/* Settle */

void
exchange_settle(struct exchange *exchange)
{
    world_timer_stop(worker_world(exchange->worker), &exchange->ping);
    world_timer_stop(worker_world(exchange->worker), &exchange->rest);
    cascading_end(exchange);
    settle_attempt(exchange);
    account_unclaim(exchange);
    share_end(exchange);
    reserve_release(exchange);
    settle_row(exchange);
    if (!exchange->is_own)
        cached_end(exchange);
    idempotency_end(exchange);
    batch_end(exchange);
    if (exchange->ending == ENDING_OK && !exchange->is_own)
        outcome_start(exchange);
    mission_end(exchange);
    exchange->audit_run = audit_prepare(exchange);
    cursor_leave(&exchange->cursor);
}

void
exchange_let_client_go(struct exchange *exchange, void (*how)(struct client *))
{
    struct client *client = exchange->client;

    ENSURE((client == NULL) == exchange->is_own);
    exchange->client = NULL;
    if (client != NULL)
        how(client);
    exchange_drop(exchange);
}

/* The backend's own words on the request: some errors are the request's fault, others not. */
static enum ending
ending_of(const struct flight *flight)
{
    unsigned status = flight->status;

    if (flight->meter.failed && status < 400)
        return ENDING_UPSTREAM_FAILED;
    if (status < 400)
        return ENDING_OK;
    return status == 400 || status == 404 || status == 413 || status == 422 ? ENDING_INVALID : ENDING_UPSTREAM_FAILED;
}

static void
finish(struct exchange *exchange)
{
    struct audit_run *audit;

    exchange->ending = exchange->too_slow ? ENDING_CUT : ending_of(exchange->cursor.flight);
    exchange_settle(exchange);
    audit = exchange->audit_run;
    exchange_let_client_go(exchange, client_finish);
    audit_go(audit);
}

static void
cut_off(struct exchange *exchange)
{
    exchange->ending = ENDING_CUT;
    if (!exchange->too_slow)
        exchange->why = arena_strdup(&exchange->arena, exchange->cursor.flight->why);
    exchange_settle(exchange);
    /* After an error event the stream may end well; else the client must see that it did not. */
    exchange_let_client_go(exchange, exchange->ending_stream ? client_finish : client_abort);
}

static void
refuse(struct exchange *exchange)
{
    exchange->status = error_status(exchange->refused_as);
    if (exchange->client == NULL && !exchange->is_own)
        exchange->ending = ENDING_CLIENT_GONE; /* it led for others, who are told */
    exchange_settle(exchange);
    if (exchange->client == NULL) {
        exchange_drop(exchange); /* it led on, or is our own */
        return;
    }
    answer_error(exchange, exchange->refused_as, exchange->why);
    exchange_drop(exchange); /* the client's hold */
}

static void
release(struct exchange *exchange)
{
    struct gateway_worker *worker = exchange->worker;
    struct view *view = exchange->view;

    ENSURE(exchange->client == NULL && exchange->cursor.flight == NULL && exchange->place == NULL &&
           !timer_running(&exchange->ping) && !timer_running(&exchange->rest));
    ENSURE(exchange->reservation == NULL || exchange->reservation->claim.count == 0);
    if (exchange->share != NULL)
        share_release(exchange->share);
    list_remove(&exchange->link);
    cached_release(exchange);
    audit_forget(exchange);
    chunk_release(exchange->body);
    cross_release(exchange);
    buffer_free(&exchange->pending);
    buffer_free(&exchange->upload);
    prefix_chain_release(exchange->chain);
    arena_reset(&exchange->arena);
    spares_give(&worker->blocks, CONTAINER_OF(exchange, struct exchange_block, exchange));
    view_release(view);
}

static const struct asker_ops exchange_asker = {
    .request = take_request,
    .body = exchange_take_body,
    .bad_body = take_bad_body,
    .drained = take_drained,
    .gone = exchange_take_gone,
};
