/* Flights without a call: of an answer that was kept, and mirrors of a flight on another worker. */
#include <stdlib.h>

#include "gateway/flight/flight_inside.h"

static void
take_head(struct flight *flight, const struct kept_answer *answer)
{
    flight->headers = flight_copy_headers(&flight->arena, answer->headers, answer->header_count);
    flight->header_count = answer->header_count;
    flight->status = answer->status;
    flight->is_stream = answer->is_stream;
    flight->body_len = answer->body_len;
    flight_tell_head(flight);
    flight_move(flight, FLIGHT_ANSWERING);
}

static void
take_chunks(struct flight *flight, const struct kept_answer *answer)
{
    flight->meter.answer_bytes += (int64_t)answer->len;
    for (size_t i = 0; i < answer->count; i++) {
        const struct kept_chunk *kept = &answer->chunks[i];
        struct flight_chunk *chunk = must_calloc(1, sizeof(*chunk));

        *chunk = (struct flight_chunk){.bytes = chunk_hold(kept->bytes),
                                       .usage_only = kept->usage_only,
                                       .last_event = kept->last_event,
                                       .open_event = kept->open_event};
        flight_add_chunk(flight, chunk);
    }
}

struct flight *
flight_of_kept(struct world *world, struct flights *all, enum api api, const struct kept_answer *answer)
{
    struct flight *flight = flight_new(world, all, api, api_dialect(api));

    take_head(flight, answer);
    take_chunks(flight, answer);
    flight_move(flight, FLIGHT_COMPLETE);
    return flight;
}

struct flight *
flight_mirror(struct world *world, struct flights *all, enum api api, size_t pause_above,
              void (*pressed)(struct flight *))
{
    struct flight *flight = flight_new(world, all, api, api_dialect(api));

    flight->is_mirror = true;
    flight->pause_above = pause_above;
    flight->pressed = pressed;
    return flight;
}

void
flight_mirror_feed(struct flight *flight, const struct kept_answer *pieces, bool with_head)
{
    ENSURE(flight->is_mirror);
    if (with_head)
        take_head(flight, pieces);
    take_chunks(flight, pieces);
    flight_hold(flight);
    flight_wake_all(flight);
    flight_trim(flight);
    flight_pause_if_behind(flight);
    flight_release(flight);
}

void
flight_mirror_end(struct flight *flight, enum flight_state state, enum call_failure failure, const char *why)
{
    flight->failure = failure;
    flight->why = why != NULL ? arena_strdup(&flight->arena, why) : NULL;
    if (flight->state == FLIGHT_OPENING && state == FLIGHT_COMPLETE)
        flight_move(flight, FLIGHT_ANSWERING);
    flight_move(flight, state);
    flight_wake_all(flight);
}

void
flight_keep_head(const struct flight *flight, struct kept_answer *answer)
{
    answer->status = flight->told_status;
    answer->is_stream = flight->is_stream;
    answer->body_len = flight->body_len;
    answer->headers = flight_copy_headers(&answer->arena, flight->told_headers, flight->told_header_count);
    answer->header_count = flight->told_header_count;
}
