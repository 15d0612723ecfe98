#include "gateway/idempotency.h"

#include "base/text.h"
#include "gateway/attempt/attempt.h"

/* As with Stripe; a key is a name, not a document. */
enum { KEY_BYTES_MOST = 255 };

/* Told to who comes while the first is under way: nobody knows how long that takes. */
static const usec BUSY_RETRY_US = USEC_PER_S;

void
idempotency_note(struct exchange *exchange)
{
    struct slice key = http_head_get(&exchange->head, "idempotency-key");

    if (key.len == 0 || exchange->identity.api == API_PASSTHROUGH || exchange->view->config->observe)
        return;
    exchange->claim = arena_alloc(&exchange->arena, sizeof(*exchange->claim));
    *exchange->claim = (struct claim){.key = arena_copy(&exchange->arena, key)};
}

void
idempotency_mark(struct exchange *exchange)
{
    uint64_t salt = exchange->worker->gateway->salt + (uint64_t)exchange->identity.api;

    if (exchange->claim != NULL)
        exchange->claim->mark = hash_fast(chunk_bytes(exchange->body), salt);
}

/* Names of tenants and keys hold no line ends. */
static struct slice
full_name(struct exchange *exchange, struct slice key)
{
    const struct identity *identity = &exchange->identity;

    return slice_of(arena_printf(&exchange->arena, "%s\n%s\n%.*s",
                                 identity->tenant->name != NULL ? identity->tenant->name : "",
                                 identity->key != NULL ? identity->key->name : "", SLICE_ARGS(key)));
}

static void
replay(struct exchange *exchange)
{
    struct flight *flight = flight_of_kept(worker_world(exchange->worker), &exchange->worker->flights,
                                           exchange->identity.api, exchange->claim->replay);
    char id[TEXT_ID_SIZE];

    text_format_id(exchange->claim->replay->id, id);
    count(&exchange->worker->counters, COUNT_REPLAYED, 1);
    cursor_join(&exchange->cursor, flight, NULL);
    flight_release(flight);  /* the cursor holds it */
    exchange->booked = true; /* nothing was sent: there is no attempt to book */
    exchange->usage.exactness = USAGE_EXACT;
    exchange->why = arena_printf(&exchange->arena, "the answer of %s once more, by its idempotency-key", id);
    exchange_move(exchange, ANSWER_KEPT);
}

static void
refuse(struct exchange *exchange, enum counter counter, enum ending ending, enum error_kind kind, const char *why)
{
    count(&exchange->worker->counters, counter, 1);
    exchange_give_up(exchange, NOTHING_FITS, ending, kind, why);
}

bool
idempotency_enter(struct exchange *exchange)
{
    struct claim *claim = exchange->claim;

    if (claim == NULL)
        return true;
    if (claim->key.len > KEY_BYTES_MOST) {
        exchange_give_up(exchange, NOTHING_FITS, ENDING_INVALID, ERROR_BAD_REQUEST,
                         "the idempotency-key is longer than 255 bytes");
        return false;
    }
    switch (kept_take(&exchange->worker->gateway->kept, full_name(exchange, claim->key), claim->mark,
                      world_now_us(worker_world(exchange->worker)), &claim->mine, &claim->replay)) {
    case KEPT_NONE:
        return true;
    case KEPT_BUSY:
        exchange->retry_after_us = BUSY_RETRY_US;
        refuse(exchange, COUNT_IDEMPOTENCY_BUSY, ENDING_REFUSED, ERROR_KEY_IN_USE,
               "a request with this idempotency-key is under way: ask again when it is done");
        return false;
    case KEPT_OTHER:
        refuse(exchange, COUNT_IDEMPOTENCY_REUSED, ENDING_INVALID, ERROR_KEY_REUSED,
               "this idempotency-key was used with another request: a new request needs a new key");
        return false;
    case KEPT_HERE:
        replay(exchange);
        return false;
    }
    return true;
}

bool
idempotency_gathers(const struct exchange *exchange)
{
    return exchange->claim != NULL && exchange->claim->mine != NULL;
}

void
idempotency_watch(struct exchange *exchange, struct flight *flight)
{
    if (idempotency_gathers(exchange))
        flight->keep = kept_new(exchange->request.config->limits.answer_max);
}

/* The whole answer, if it is one to give again; held for the caller. */
static struct kept_answer *
take_answer(struct exchange *exchange)
{
    struct flight *flight = exchange->cursor.flight;
    struct kept_answer *answer = flight != NULL ? flight->keep : NULL;

    if (answer == NULL || exchange->ending != ENDING_OK || flight->state != FLIGHT_COMPLETE || flight->status >= 300 ||
        answer->too_long)
        return NULL;
    kept_hold(answer);
    answer->id = exchange->id;
    answer->target = arena_strdup(&answer->arena, plan_model(exchange->plan));
    flight_keep_head(flight, answer);
    return answer;
}

void
idempotency_end(struct exchange *exchange)
{
    struct claim *claim = exchange->claim;
    const struct idempotency_config *config = &exchange->view->config->idempotency;

    if (claim == NULL)
        return;
    if (claim->mine != NULL)
        kept_end(&exchange->worker->gateway->kept, claim->mine, take_answer(exchange),
                 world_now_us(worker_world(exchange->worker)), config->keep_us, config->memory);
    kept_release(claim->replay);
    claim->mine = NULL;
    claim->replay = NULL;
}

struct slice
idempotency_upstream(struct exchange *exchange, struct slice key)
{
    struct digest digest = hasher_sha256(&exchange->worker->hasher, full_name(exchange, key));
    char *text = arena_alloc(&exchange->arena, 2 * sizeof(digest.bytes) + 1);

    text_format_hex(slice_make((const char *)digest.bytes, sizeof(digest.bytes)), text);
    return slice_of(text);
}
