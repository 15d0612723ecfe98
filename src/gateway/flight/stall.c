#include "gateway/flight/stall.h"

#include "gateway/attempt/attempt.h"
#include "gateway/flight/share.h"

usec
stall_limit_us(const struct exchange *exchange)
{
    return exchange->view->config->limits.stall_timeout_us;
}

static size_t
behind(const struct cursor *cursor)
{
    const struct flight *flight = cursor->flight;
    size_t len = 0;

    if (cursor->at == NULL)
        return 0;
    for (const struct list *node = &cursor->at->link; node != &flight->chunks; node = node->next)
        len += CONTAINER_OF(node, const struct flight_chunk, link)->bytes->len;
    return len;
}

/* All who are so far behind that the flight cannot go on, not only the last: each of them would hold it up once more. */
bool
stall_holds_up(const struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;
    size_t most = flight != NULL && !flights_crowded(flight->all) ? flight->pause_above / 2 : 1;

    return exchange->state == EXCHANGE_ANSWERING && exchange->client != NULL && behind(&exchange->cursor) >= most;
}

void
stall_end_event(struct exchange *exchange)
{
    struct cursor *cursor = &exchange->cursor;
    struct slice rest = cursor_bytes(cursor);

    if (!exchange->open_event || cursor->offset == 0)
        return;
    exchange->open_event = cursor->at->open_event;
    buffer_add(&exchange->pending, rest);
    cursor_advance(cursor, rest.len);
}

void
stall_cut(struct exchange *exchange)
{
    exchange->too_slow = true;
    count(&exchange->worker->counters, exchange->follows ? COUNT_COALESCED_CUT_FOLLOWER : COUNT_COALESCED_CUT_LEADER,
          1);
    exchange->why = "read so slowly that it held up others who read the same answer (limits: stall)";
    share_leave(exchange, false);
    if (!exchange->cursor.flight->is_stream) {
        exchange_leave_early(exchange);
        return;
    }
    stall_end_event(exchange);
    cursor_skip(&exchange->cursor);
    if (exchange->open_event) {
        exchange_leave_early(exchange);
        return;
    }
    answer_cut_event(exchange);
    world_timer_start(worker_world(exchange->worker), &exchange->ping, stall_limit_us(exchange));
    exchange_progress(exchange);
}

void
stall_give_up(struct exchange *exchange)
{
    exchange->ending_stream = false; /* it did not get its end */
    if (share_unbilled(exchange))
        exchange_leave_early(exchange);
    else
        exchange_move(exchange, ANSWER_CUT);
}
