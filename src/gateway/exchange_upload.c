/* Pass-through: no body to wait for, nothing to weigh, one attempt. What the client sends goes on as it comes. */
#include "gateway/exchange_parts.h"

static void
start_passthrough(struct exchange *exchange)
{
    exchange->facts = (struct request_facts){.api = API_PASSTHROUGH, .output_cap = -1, .choices = 1, .inputs = 1};
    exchange_move(exchange, BODY_PARSED);
}

void
exchange_take_body(struct asker *asker, struct slice piece, bool last)
{
    struct exchange *exchange = (struct exchange *)asker;

    exchange_hold(exchange);
    buffer_add(&exchange->upload, piece);
    exchange->request_bytes += (int64_t)piece.len;
    exchange->upload_ended |= last;
    if (exchange->state == EXCHANGE_READING)
        start_passthrough(exchange);
    else if (exchange_live(exchange))
        send_upload(exchange);
    exchange_drop(exchange);
}
