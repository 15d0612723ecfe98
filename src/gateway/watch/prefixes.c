#include "gateway/watch/prefixes.h"

#include "base/rng.h"
#include "gateway/flight/flight_ticket.h"

/* Where there is a choice to make by it; and of a lone engine that is known by name, as what it keeps says how many it is worth
 * to have there (token_limit.h). */
static bool
matter_to(const struct backend_config *backend)
{
    return backend->endpoint_count > 1 ? policy_of(backend->policy)->reads_prompt : backend->engine_model != NULL;
}

static bool
is_wanted(const struct config *config)
{
    for (size_t i = 0; i < config->backend_count; i++)
        if (matter_to(&config->backends[i]))
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

/* NULL: its prompt is not known (pass-through). The exchange holds it. */
static const struct prefix_chain *
chain_of(struct exchange *exchange)
{
    if (exchange->identity.api == API_PASSTHROUGH)
        return NULL;
    prefixes_read(exchange);
    return exchange->chain;
}

static uint64_t
model_of(const struct target *target)
{
    return hash_fast(slice_of(target->upstream), 0);
}

void
prefixes_ask(struct exchange *exchange, const struct plan *plan, struct policy_ask *ask)
{
    if (!matter_to(plan->target->backend))
        return;
    ask->chain = chain_of(exchange);
    ask->model = model_of(plan->target);
    ask->index = replicas_index(plan->facts->standing.replicas);
}

/* So many bytes of prompts its cache of keys and values has room for. */
static uint64_t
room_of(struct replica *replica, const struct prefix_chain *chain, int64_t prompt_tokens, usec now_us)
{
    struct replica_look look;

    replica_look(replica, now_us, &look);
    return (uint64_t)((double)look.model.kv_tokens * ((double)chain->bytes / (double)prompt_tokens));
}

void
prefixes_watch(struct exchange *exchange, struct flight *flight)
{
    const struct standing *standing = &exchange->plan->facts->standing;
    const struct replica_ticket *ticket = &flight->ticket;

    if (exchange->chain == NULL || ticket->prompt_tokens == 0 || !matter_to(flight->target->backend))
        return;
    flight->chain = prefix_chain_hold(exchange->chain);
    flight->prefixes = replicas_index(standing->replicas);
    flight->known_blocks = exchange->choice.matched_blocks;
    prefix_index_learn(flight->prefixes, ticket->replica, flight->chain, model_of(flight->target),
                       room_of(ticket->replica, flight->chain, ticket->prompt_tokens, flight->opened_us));
}

/* What was never computed is taken back, but for what was known before. An engine that broke off may have lost all. */
void
prefixes_end(struct flight *flight)
{
    bool computed = flight->first_byte_us != 0 && flight->status < 300;

    if (flight->chain == NULL || (computed && flight->state != FLIGHT_FAILED))
        return;
    prefix_index_forget(flight->prefixes, flight->ticket.replica, flight->chain, model_of(flight->target),
                        flight->state == FLIGHT_FAILED ? 0 : flight->known_blocks);
}
