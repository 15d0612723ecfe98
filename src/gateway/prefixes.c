#include "gateway/prefixes.h"

#include "base/rng.h"
#include "gateway/flight_ticket.h"

/* Has any backend a choice to make by it? */
static bool
is_wanted(const struct config *config)
{
    for (size_t i = 0; i < config->backend_count; i++)
        if (config->backends[i].endpoint_count > 1 && policy_of(config->backends[i].policy)->reads_prompt)
            return true;
    return false;
}

/* Nobody who does not know the secret can make two prompts meet, or a tenant's meet another's. */
static uint64_t
salt_of(const struct exchange *exchange)
{
    uint64_t secret;

    memcpy(&secret, exchange->worker->gateway->secret.bytes, sizeof(secret));
    return hash_fast(slice_of(exchange->identity.tenant->name), secret);
}

void
prefixes_read(struct exchange *exchange)
{
    if (exchange->chain == NULL && is_wanted(exchange->view->config))
        exchange->chain = prefix_chain_new(exchange->facts.prompt, REQUEST_PROMPT_PIECES, salt_of(exchange));
}

const struct prefix_chain *
prefixes_chain(struct exchange *exchange)
{
    if (exchange->identity.api == API_PASSTHROUGH)
        return NULL;
    prefixes_read(exchange);
    return exchange->chain;
}

uint64_t
prefixes_model(const struct target *target)
{
    return hash_fast(slice_of(target->upstream), 0);
}

void
prefixes_watch(struct exchange *exchange, struct flight *flight)
{
    const struct standing *standing = &exchange->plan->facts->standing;

    if (exchange->chain == NULL || standing->count < 2 || !policy_of(flight->target->backend->policy)->reads_prompt)
        return;
    flight->chain = prefix_chain_hold(exchange->chain);
    flight->prefixes = replicas_index(standing->replicas);
}

void
prefixes_begun(struct flight *flight)
{
    const struct prefix_chain *chain = flight->chain;
    const struct replica_ticket *ticket = &flight->ticket;
    struct replica_look look;
    double bytes_per_token;

    if (chain == NULL || ticket->prompt_tokens == 0)
        return;
    bytes_per_token = (double)chain->bytes / (double)ticket->prompt_tokens;
    replica_look(ticket->replica, flight->first_byte_us, &look);
    prefix_index_learn(flight->prefixes, ticket->replica, chain, prefixes_model(flight->target),
                       (uint64_t)((double)look.model.kv_tokens * bytes_per_token));
}

void
prefixes_broken(struct flight *flight)
{
    if (flight->chain != NULL)
        prefix_index_forget(flight->prefixes, flight->ticket.replica, flight->chain, prefixes_model(flight->target));
}
