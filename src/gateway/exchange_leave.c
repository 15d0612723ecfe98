/* Clients who leave before the end. Most requests end with them; but whoever leads a shared call goes on without a client as
 * long as others read (it leads on), and whoever follows one, or went into a batch, waits for what there is to pay (it
 * parts). */
#include "gateway/exchange_parts.h"

#include "gateway/attempt/batch.h"
#include "gateway/attempt/credentials.h"
#include "gateway/flight/share.h"

/* Its client is gone or has enough, but others read what it calls for. */
static void
start_leading_on(struct exchange *exchange)
{
    struct http_header *headers = arena_alloc(&exchange->arena, exchange->head.header_count * sizeof(*headers));

    exchange->leads_on = true;
    count(&exchange->worker->counters, COUNT_COALESCED_LED_ON, 1);
    exchange_hold(exchange);
    if (exchange->state == EXCHANGE_ANSWERING)
        cursor_skip(&exchange->cursor); /* it may have been what the flight waited for */
    /* The head goes with the client, and further attempts may need it. */
    for (size_t i = 0; i < exchange->head.header_count; i++)
        headers[i] = (struct http_header){arena_copy(&exchange->arena, exchange->head.headers[i].name),
                                          arena_copy(&exchange->arena, exchange->head.headers[i].value)};
    exchange->head.headers = headers;
    exchange->head.method = arena_copy(&exchange->arena, exchange->head.method);
    exchange->head.target = arena_copy(&exchange->arena, exchange->head.target);
}

void
exchange_lead_on(struct exchange *exchange)
{
    cursor_skip(&exchange->cursor);
    if (flight_over(exchange->cursor.flight))
        exchange_move(exchange, CLIENT_GONE);
}

void
exchange_leave_early(struct exchange *exchange)
{
    if (exchange->follows) {
        exchange_move(exchange, PARTS);
    } else {
        world_timer_stop(worker_world(exchange->worker), &exchange->ping);
        start_leading_on(exchange);
        exchange_let_client_go(exchange, exchange->ending_stream ? client_finish : client_abort);
    }
}

/* Done with a call that others wait for: what there is to pay is not known yet. Who has gone into a batch reads on, as
 * what it asked for may still be stored; it holds itself. */
void
exchange_part(struct exchange *exchange)
{
    world_timer_stop(worker_world(exchange->worker), &exchange->ping);
    if (exchange->follows)
        cursor_leave(&exchange->cursor);
    else if (!exchange->leads_on)
        exchange_hold(exchange);
    if (exchange->client != NULL)
        exchange_let_client_go(exchange, exchange->ending_stream ? client_finish : client_abort);
}

void
exchange_pay(struct exchange *exchange)
{
    exchange->ending = exchange->too_slow ? ENDING_CUT : ENDING_CLIENT_GONE;
    exchange_settle(exchange);
}

void
exchange_bill_here(struct exchange *exchange)
{
    const struct share_bill *bill = &exchange->share->bill;

    if (exchange->state == EXCHANGE_PARTED) {
        exchange_move(exchange, BILL_HERE);
    } else if (exchange->state == EXCHANGE_SERVING && bill->refused) {
        exchange->retry_after_us = bill->retry_after_us;
        exchange->said = bill->said;
        exchange_give_up(exchange, ATTEMPTS_SPENT, bill->ending, bill->kind, arena_strdup(&exchange->arena, bill->why));
    }
}

static void
client_gone(struct exchange *exchange)
{
    exchange_move(exchange, batch_leave(exchange) ? PARTS : CLIENT_GONE);
}

void
exchange_left_alone(struct exchange *exchange)
{
    exchange_hold(exchange);
    if (exchange->client != NULL)
        share_end(exchange); /* it is still being told its end */
    else if (exchange_live(exchange))
        client_gone(exchange);
    exchange_drop(exchange);
}

void
exchange_abandon(struct exchange *exchange)
{
    bool led_on = exchange->leads_on;

    exchange->ending = exchange->too_slow                  ? ENDING_CUT
                       : exchange->ending_stream && led_on ? ENDING_OK
                                                           : ENDING_CLIENT_GONE;
    batch_forget(exchange); /* it waits in one line at most */
    credentials_forget(exchange);
    exchange_settle(exchange);
    if (exchange->client != NULL) /* it is there still, but what it sends is broken */
        exchange_let_client_go(exchange, client_abort);
    if (led_on)
        exchange_drop(exchange);
}

void
exchange_take_gone(struct asker *asker)
{
    struct exchange *exchange = (struct exchange *)asker;

    exchange->client = NULL;
    if (exchange->state == EXCHANGE_PARSING) {
        /* another thread has the exchange: parse_done sees to it */
    } else if (!share_leave(exchange, false)) {
        client_gone(exchange);
    } else if (exchange->follows) {
        exchange_move(exchange, PARTS);
    } else {
        start_leading_on(exchange);
    }
    exchange_drop(exchange);
}
