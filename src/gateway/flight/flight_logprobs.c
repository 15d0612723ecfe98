/* Logprobs that we asked for and the client did not: the flight is metered with them, and who reads it is told none. Streams
 * lose them event by event, other answers when they are whole. */
#include "gateway/flight/flight_inside.h"

/* What is not read of a longer one would be paid for, and not kept. */
void
flight_hide_logprobs(struct flight *flight, size_t whole_most)
{
    flight->hides_logprobs = true;
    flight->whole_most = whole_most < METER_WHOLE_MOST ? whole_most : METER_WHOLE_MOST;
}

bool
flight_gathers(const struct flight *flight)
{
    return flight->hides_logprobs && !flight->is_stream && flight->status < 300;
}

/* What cannot be read may hold some: nobody is told it, and who would judge the answer knows that it is not all there. */
static void
tell(struct flight *flight, enum status status, struct slice without, struct slice as_it_came, enum meter_event event,
     bool open_event)
{
    if (status == ERR_INVALID)
        flight->unread = flight->meter.text.cut = true;
    else if (as_it_came.len > 0)
        flight_append(flight, status == OK ? without : as_it_came, event, open_event);
}

void
flight_tell_frame(struct flight *flight, struct slice frame, enum meter_event event, bool open_event)
{
    struct buffer without = {0};
    enum status status = ERR_NOT_FOUND;

    if (flight->hides_logprobs)
        status = logprobs_take_out_of_frame(flight->meter.api, frame, &without);
    tell(flight, status, buffer_content(&without), frame, event, open_event);
    buffer_free(&without);
}

void
flight_tell_gathered(struct flight *flight)
{
    struct slice whole = buffer_content(&flight->untold);
    struct buffer without = {0};
    enum status status;

    meter_whole(&flight->meter, whole);
    status = logprobs_take_out(flight->meter.api, whole, &without);
    tell(flight, status, buffer_content(&without), whole, METER_PLAIN, true);
    flight_drop_untold(flight);
    buffer_free(&without);
}
