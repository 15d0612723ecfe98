#include "gateway/flight/flight_ticket.h"

#include "fleet/capacity/pool_size.h"
#include "gateway/attempt/admit.h"
#include "gateway/watch/prefixes.h"

void
flight_ticket_take(struct flight *flight, struct replica *replica, const struct replica_wish *wish,
                   double bytes_per_output_token)
{
    flight->bytes_per_output_token = bytes_per_output_token;
    flight->pool_size = atomic_load(&replica->pool_size);
    flight->wish = *wish;
    replica_take(replica, &flight->ticket, wish, flight->opened_us);
    flight->wish.matched_tokens = flight->ticket.known_tokens;
    if (flight->pool_size != NULL)
        flight->pool_work_us = pool_size_takes(flight->pool_size, &flight->wish, flight->opened_us);
}

/* What has come, by its text; a usage that comes with the pieces says it better. */
static int64_t
tokens_so_far(const struct flight *flight)
{
    const struct meter *meter = &flight->meter;

    if (meter->usage_seen && !meter->usage_partial && usage_reports(&meter->usage, USAGE_output_tokens))
        return meter->usage.output_tokens;
    return (int64_t)((double)meter->text_bytes / flight->bytes_per_output_token);
}

/* An answer that is no stream comes when all is done: until then nothing is known of how far it is. An error's body says
 * nothing of tokens. */
void
flight_ticket_tell(struct flight *flight)
{
    if (flight->ticket.replica == NULL || flight->status >= 300)
        return;
    replica_begun(&flight->ticket, flight->first_byte_us);
    admit_begun(flight);
    if (flight->is_stream)
        replica_produced(&flight->ticket, tokens_so_far(flight));
}

static enum replica_ending
ending_of(const struct flight *flight)
{
    if (flight->state == FLIGHT_CLOSED)
        return REPLICA_CLOSED;
    return flight->state == FLIGHT_COMPLETE && flight->status < 300 && !flight->meter.failed ? REPLICA_COMPLETED
                                                                                             : REPLICA_FAILED;
}

void
flight_ticket_end(struct flight *flight)
{
    const struct usage *usage = &flight->meter.usage;
    bool told = flight->meter.usage_seen && !flight->meter.usage_partial;
    struct replica_metered metered = {usage->input_tokens, -1, usage->output_tokens};

    if (flight->ticket.replica != NULL)
        prefixes_end(flight);
    if (usage_reports(usage, USAGE_cache_read_tokens))
        metered.cached_tokens = usage->cache_read_tokens;
    flight->ticket.refused = flight->status >= 400 && flight->status < 500;
    flight->ticket.held_up |=
        flight->is_stream != flight->ticket.turn.streams; /* its first byte is not what it seemed */
    replica_give_back(&flight->ticket, ending_of(flight), told ? &metered : NULL, flight->ended_us);
    admit_over(flight);
    if (flight->pool_size != NULL)
        pool_size_over(flight->pool_size, &flight->wish, flight->pool_work_us, flight->opened_us,
                       told ? &metered : NULL, flight->ended_us);
    flight->pool_size = NULL;
}
