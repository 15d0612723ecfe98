#include "gateway/reuse/repeat.h"

#include <stdlib.h>

#include "cache/answer.h"
#include "gateway/attempt/attempt.h"
#include "gateway/reuse/elements.h"

/* A larger body is hashed off the loop: 4 ms per MiB. So many bodies are walked at once as the pool has threads, whatever
 * waits for it. */
enum { KEY_INLINE_BYTES = 256 * 1024 };

/* A request whose key is being made. On the heap while that is done off the loop. */
struct keying {
    struct job job;
    struct exchange *exchange; /* held while the job runs */
    struct hasher *hasher;     /* NULL off the loop */
    struct canonical_scope scope;
    enum api api;
    struct chunk *body; /* likewise held */
    size_t inputs;      /* of embeddings; 0: it is none */
    bool has_key;
    struct digest key;
    struct arena arena; /* of the batch */
    struct embedding_batch batch;
    bool has_batch;
};

static bool
any_lever_asks(const struct exchange *exchange)
{
    return lever_mode_of(&exchange->request, LEVER_EXACT_CACHE) != LEVER_OFF ||
           lever_mode_of(&exchange->request, LEVER_SEMANTIC_CACHE) != LEVER_OFF ||
           lever_mode_of(&exchange->request, LEVER_COALESCE) != LEVER_OFF;
}

/* What else of a request changes its answer: all lines of these, for all go up. */
static struct slice
telling_headers(struct exchange *exchange)
{
    static const char *const names[] = {"anthropic-beta", "anthropic-version", "openai-beta", "openai-organization",
                                        "openai-project"};
    const struct http_head *head = &exchange->head;
    struct buffer text = {0};
    struct slice copy;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        for (size_t j = 0; j < head->header_count; j++)
            if (slice_is_nocase(head->headers[j].name, names[i]))
                buffer_printf(&text, "%s:%.*s\n", names[i], SLICE_ARGS(head->headers[j].value));
    copy = arena_copy(&exchange->arena, buffer_content(&text));
    buffer_free(&text);
    return copy;
}

struct canonical_scope
repeat_scope(struct exchange *exchange)
{
    return (struct canonical_scope){
        .secret = &exchange->worker->gateway->secret,
        .tenant = slice_of(exchange->identity.tenant->name),
        .route = slice_of(exchange->request.route->name),
        .target = slice_of(exchange->request.route->reference.name),
        .headers = telling_headers(exchange),
    };
}

/* The input by itself: one text has one key, as a text, as a batch of one, and as one of many. */
static bool
key_of_input(struct keying *keying)
{
    return embedding_batch_read(&keying->scope, chunk_bytes(keying->body), keying->hasher, &keying->arena,
                                &keying->batch) == OK &&
           keying->batch.count == 1;
}

static void
make_key(struct keying *keying)
{
    if (keying->inputs == 1 && key_of_input(keying)) {
        keying->key = keying->batch.inputs[0].key;
        keying->has_key = true;
        return;
    }
    keying->has_key =
        canonical_request(&keying->scope, keying->api, chunk_bytes(keying->body), keying->hasher, &keying->key) == OK;
}

/* Off the loop the inputs of a batch are read with it. */
static void
run_keying(struct job *job)
{
    struct keying *keying = CONTAINER_OF(job, struct keying, job);

    make_key(keying);
    if (keying->has_key && elements_wants(keying->inputs))
        keying->has_batch =
            embedding_batch_read(&keying->scope, chunk_bytes(keying->body), NULL, &keying->arena, &keying->batch) == OK;
}

static void
take_key(struct exchange *exchange, const struct keying *keying)
{
    struct digest *key;

    if (!keying->has_key)
        return;
    key = arena_alloc(&exchange->arena, sizeof(*key));
    *key = keying->key;
    exchange->request.key = key;
    if (keying->has_batch)
        exchange->batch = elements_copy_to(&exchange->arena, &keying->batch);
}

static void
keying_done(struct job *job)
{
    struct keying *keying = CONTAINER_OF(job, struct keying, job);
    struct exchange *exchange = keying->exchange;

    if (exchange->state == EXCHANGE_WEIGHING) { /* else the client has left */
        take_key(exchange, keying);
        exchange_move(exchange, KEY_READY);
    }
    chunk_release(keying->body);
    arena_reset(&keying->arena);
    free(keying);
    exchange_drop(exchange);
}

static void
make_key_apart(const struct keying *what)
{
    struct world *world = worker_world(what->exchange->worker);
    struct keying *keying = must_alloc(sizeof(*keying));

    *keying = *what;
    keying->hasher = NULL;
    arena_init(&keying->arena);
    chunk_hold(keying->body);
    exchange_hold(keying->exchange);
    keying->job = (struct job){.run = run_keying, .done = keying_done};
    world->ops->work(world, &keying->job);
}

bool
repeat_is_long(const struct exchange *exchange)
{
    return exchange->request.body.len > KEY_INLINE_BYTES;
}

bool
repeat_begin(struct exchange *exchange)
{
    struct keying keying;

    if (exchange->holdout || exchange->bypass || !any_lever_asks(exchange) ||
        !cache_may_serve(&exchange->facts, exchange->request.route->repeatable))
        return true;
    keying = (struct keying){
        .exchange = exchange,
        .hasher = &exchange->worker->hasher,
        .scope = repeat_scope(exchange),
        .api = exchange->identity.api,
        .body = exchange->body,
        .inputs = exchange->identity.api == API_EMBEDDINGS ? (size_t)exchange->facts.inputs : 0,
    };
    if (repeat_is_long(exchange)) {
        make_key_apart(&keying);
        return false;
    }
    arena_init(&keying.arena);
    make_key(&keying);
    take_key(exchange, &keying);
    arena_reset(&keying.arena);
    return true;
}
