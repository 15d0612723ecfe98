/* The body is read: what it asks, and what is marked by its words. */
#include "gateway/exchange.h"

#include "base/text.h"
#include "dialect/canonical.h"
#include "gateway/attempt/attempt.h"
#include "gateway/cross.h"
#include "gateway/idempotency.h"
#include "gateway/watch/prefixes.h"

/* Larger bodies are parsed off the loop: about a millisecond's work; as are those a quarter as long that are hashed or may
 * be translated too. */
enum { PARSE_INLINE_BYTES = 1024 * 1024, HASH_INLINE_BYTES = 256 * 1024 };

/* Kept in the ledger: keyed, so that nobody who reads it can try out what may have been asked. */
static void
take_fingerprint(struct exchange *exchange)
{
    struct canonical_scope scope = {.secret = &exchange->worker->gateway->secret,
                                    .tenant = slice_of(exchange->identity.tenant->name)};
    struct digest digest;
    char *text;

    if (exchange->invalid != NULL || !exchange->view->config->fingerprints ||
        canonical_request(&scope, exchange->identity.api, chunk_bytes(exchange->body), NULL, &digest) != OK)
        return;
    text = arena_alloc(&exchange->arena, 2 * sizeof(digest.bytes) + 1);
    text_format_hex(slice_make((const char *)digest.bytes, sizeof(digest.bytes)), text);
    exchange->fingerprint = slice_of(text);
}

static void
run_parse(struct job *job)
{
    struct exchange *exchange = CONTAINER_OF(job, struct exchange, job);
    enum status read = request_parse(exchange->identity.api, chunk_bytes(exchange->body), &exchange->arena,
                                     &exchange->facts, &exchange->invalid);

    ENSURE((read == OK) == (exchange->invalid == NULL));
    idempotency_mark(exchange);
    take_fingerprint(exchange);
    if (exchange->invalid == NULL && exchange->body->len > HASH_INLINE_BYTES)
        cross_ahead(exchange); /* not on the loop, if there is anything to do */
    if (exchange->invalid == NULL && exchange->body->len > PARSE_INLINE_BYTES) { /* not on the loop */
        prompt_read(exchange->identity.api, chunk_bytes(exchange->body), &exchange->prompt);
        prefixes_read(exchange);
    }
}

static void
parse_done(struct job *job)
{
    struct exchange *exchange = CONTAINER_OF(job, struct exchange, job);

    if (exchange->client == NULL && !exchange->is_own) {
        exchange_move(exchange, CLIENT_GONE); /* it left meanwhile */
    } else if (exchange->invalid != NULL) {
        exchange_give_up(exchange, BODY_INVALID, ENDING_INVALID, ERROR_BAD_REQUEST, exchange->invalid);
    } else {
        exchange_move(exchange, BODY_PARSED);
    }
    exchange_drop(exchange);
}

void
parse_body(struct exchange *exchange)
{
    struct world *world = worker_world(exchange->worker);

    exchange_hold(exchange);
    exchange->job.run = run_parse;
    exchange->job.done = parse_done;
    if (exchange->body->len > PARSE_INLINE_BYTES ||
        (exchange->body->len > HASH_INLINE_BYTES && (exchange->view->config->fingerprints || cross_may_be(exchange)))) {
        exchange->named_route = arena_copy(
            &exchange->arena, http_head_get(&exchange->head, "x-equipoise-route")); /* the client may leave */
        world->ops->work(world, &exchange->job);
        return;
    }
    run_parse(&exchange->job);
    parse_done(&exchange->job);
}
