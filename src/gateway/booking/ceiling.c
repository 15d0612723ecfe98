#include "gateway/booking/ceiling.h"

#include "gateway/booking/reserve.h"
#include "gateway/flight/share.h"
#include "money/row.h"

/* A stream reserves so much more at a time. */
static const int64_t TRANCHE_TOKENS = 2048;

/* No answer holds more text in a token, on average: words take 4 to 6 bytes, indented code and tables up to 20. Only of a
 * short one that is no average: a token may be a rule of 128 dashes. */
enum { BYTES_PER_TOKEN_MOST = 32, SHORT_TEXT_BYTES = 4096 };

void
ceiling_watch(struct exchange *exchange, struct flight *flight)
{
    const struct reservation *r = exchange->reservation;

    flight->meter.so_far.wanted = r != NULL && r->metered;
}

static int64_t
tokens_of(const struct flight *flight, double tokens_per_byte)
{
    return (int64_t)((double)flight->meter.text_bytes * tokens_per_byte);
}

/* As much as a tranche more, up to `most`, or what there is. */
static bool
reserve_more(struct exchange *exchange, int64_t needed, int64_t most)
{
    struct reservation *r = exchange->reservation;
    int64_t wanted = needed + TRANCHE_TOKENS < most ? needed + TRANCHE_TOKENS : most, room;

    if (reserve_output(exchange, wanted))
        return true;
    room = reserve_output_room(exchange);
    if (room > r->output_tokens && !reserve_output(exchange, room < most ? room : most))
        return false;
    return needed < r->output_tokens;
}

/* One of several answers may end long before the others. */
static bool
all_said(const struct exchange *exchange, const struct flight *flight)
{
    int64_t answers = exchange->facts.choices;

    return flight->meter.finished && (answers == 1 || stream_so_far_over(&flight->meter.so_far, answers));
}

static bool
outran_cap(const struct exchange *exchange)
{
    int64_t text_bytes = exchange->cursor.flight->meter.text_bytes;

    return text_bytes > SHORT_TEXT_BYTES && text_bytes / BYTES_PER_TOKEN_MOST > exchange->reservation->output_most;
}

/* All that it may say is reserved, but it says more than such text usually takes. That is no proof that its backend does
 * not keep to the cap, as what a token holds varies: it goes on while budgets have more for it. */
static bool
seems_to_outrun_cap(struct exchange *exchange)
{
    struct reservation *r = exchange->reservation;
    int64_t needed = tokens_of(exchange->cursor.flight, r->surely_per_byte);

    return needed > r->output_tokens && !reserve_more(exchange, needed, INT64_MAX);
}

bool
ceiling_reached(struct exchange *exchange)
{
    struct reservation *r = exchange->reservation;
    const struct flight *flight = exchange->cursor.flight;
    int64_t needed;

    if (r == NULL || !r->metered || !flight->is_stream || flight_over(flight) || all_said(exchange, flight))
        return false;
    if (r->output_tokens >= r->output_most)
        return outran_cap(exchange) || seems_to_outrun_cap(exchange);
    needed = tokens_of(flight, r->tokens_per_byte) + r->lag_tokens;
    return needed >= r->output_tokens && !reserve_more(exchange, needed, r->output_most);
}

/* Others read the flight too. Who leads them gets what has come so far, and then its end, at once. In strict it pays no
 * part of what is still to come: so much is not reserved. False: there are none, or we are within an event. */
static bool
end_alone(struct exchange *exchange)
{
    struct cursor *cursor = &exchange->cursor;
    const struct list *newest = cursor->flight->chunks.prev;
    bool within =
        newest != &cursor->flight->chunks && CONTAINER_OF(newest, const struct flight_chunk, link)->open_event;

    if (within || !share_leads(exchange) || !share_leave(exchange, !exchange->reservation->strict))
        return false;
    while (cursor->at != NULL) {
        struct slice bytes = cursor_bytes(cursor);

        if (!cursor->at->usage_only || exchange->facts.usage_asked)
            buffer_add(&exchange->pending, bytes);
        cursor_advance(cursor, bytes.len);
    }
    exchange->open_event = false;
    ceiling_say_end(exchange);
    return true;
}

void
ceiling_end(struct exchange *exchange)
{
    struct reservation *r = exchange->reservation;

    exchange->why = outran_cap(exchange)
                        ? arena_printf(&exchange->arena,
                                       "ended here: the backend did not keep to the cap of %lld tokens on its output",
                                       (long long)r->output_most)
                        : arena_printf(&exchange->arena, "ended here: %s has no more for it", reserve_words(exchange));
    r->transforms |= (unsigned)TRANSFORM_ENDED;
    count(&exchange->worker->counters, COUNT_ENDED_AT_CEILING, 1);
    if (end_alone(exchange))
        return;
    flight_stop(exchange->cursor.flight, exchange->why);
    settle_attempt(exchange);
}

void
ceiling_say_end(struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;
    bool tell_usage = exchange->facts.usage_asked &&
                      (exchange->identity.api == API_CHAT || exchange->identity.api == API_COMPLETIONS);
    struct usage usage = exchange->booked ? exchange->usage : settle_usage_now(exchange);

    exchange->ending_stream = true;
    stream_end(&flight->meter.so_far, exchange->identity.api, &usage, tell_usage, &exchange->pending);
}
