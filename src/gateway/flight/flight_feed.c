/* Flights that make no call, but get their part of one that was made for several requests (batch.h). */
#include "gateway/flight/flight_inside.h"

struct flight *
flight_fed(struct world *world, struct flights *all, const struct target *target, enum api api, struct slice secret)
{
    struct flight *flight = flight_new(world, all, api, target->backend->dialect);

    flight->is_mirror = true;
    flight->target = target;
    flight->secret = arena_copy(&flight->arena, secret);
    return flight;
}

void
flight_feed_progress(struct flight *flight, const struct flight *call)
{
    flight->call.request_byte_out = call->call.request_byte_out;
    flight->call.answer_byte_in = call->call.answer_byte_in;
    flight->call.reused = call->call.reused;
    flight->opened_us = call->opened_us;
    flight->first_byte_us = call->first_byte_us;
}

static bool
describes_body(struct slice name)
{
    static const struct slice names[] = {SLICE_CONSTANT("content-type"), SLICE_CONSTANT("content-encoding"),
                                         SLICE_CONSTANT("content-digest"), SLICE_CONSTANT("etag")};

    return slice_is_among_nocase(name, names, sizeof(names) / sizeof(*names));
}

void
flight_feed_head(struct flight *flight, const struct flight *call, const char *own)
{
    struct http_header *headers = arena_alloc(&flight->arena, (call->header_count + 1) * sizeof(*headers));
    size_t count = 0;

    for (size_t i = 0; i < call->header_count; i++)
        if (own == NULL || !describes_body(call->headers[i].name))
            headers[count++] = call->headers[i];
    if (own != NULL)
        headers[count++] = (struct http_header){SLICE_LITERAL("content-type"), slice_of(own)};
    flight->headers = flight_copy_headers(&flight->arena, headers, count);
    flight->header_count = count;
    flight->status = call->status;
    flight->body_len = own == NULL ? call->body_len : -1;
    flight->opaque = own == NULL && call->opaque;
    flight->is_stream = own == NULL && call->is_stream;
    flight_feed_progress(flight, call);
    flight_tell_head(flight);
    flight_move(flight, FLIGHT_ANSWERING);
}

void
flight_feed_body(struct flight *flight, struct slice piece)
{
    if (flight->is_stream)
        flight_take_stream(flight, piece);
    else
        flight_take_piece(flight, piece);
}

void
flight_feed_end(struct flight *flight, const struct flight *call)
{
    flight_feed_progress(flight, call);
    flight->failure = call->failure;
    flight->why = call->why != NULL ? arena_strdup(&flight->arena, call->why) : NULL;
    if (!flight->is_stream && call->state == FLIGHT_COMPLETE)
        flight_meter_all(flight);
    flight_move(flight, call->state);
    flight_wake_all(flight);
}

void
flight_feed_close(struct flight *flight, const struct flight *call)
{
    flight_feed_progress(flight, call);
    flight->why = call->why != NULL ? arena_strdup(&flight->arena, call->why) : NULL;
    flight_move(flight, FLIGHT_CLOSED);
}
