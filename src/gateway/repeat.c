#include "gateway/repeat.h"

#include "cache/answer.h"
#include "dialect/embedding_batch.h"

/* It is hashed on the loop: 4 ms per MiB. */
enum { BODY_BYTES_MOST = 512 * 1024 };

static bool
may_be_repeated(const struct exchange *exchange)
{
    return exchange->request.body.len <= BODY_BYTES_MOST &&
           cache_may_serve(&exchange->facts, exchange->request.route->repeatable);
}

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
static enum status
key_of_input(struct exchange *exchange, const struct canonical_scope *scope, struct digest *out)
{
    struct embedding_batch batch;
    enum status status =
        embedding_batch_read(scope, exchange->request.body, &exchange->worker->hasher, &exchange->arena, &batch);

    if (status == OK && batch.count == 1)
        *out = batch.inputs[0].key;
    return status == OK && batch.count != 1 ? ERR_NOT_FOUND : status;
}

const struct digest *
repeat_key(struct exchange *exchange)
{
    struct canonical_scope scope;
    struct digest *key;

    if (exchange->holdout || exchange->bypass || !may_be_repeated(exchange) || !any_lever_asks(exchange))
        return NULL;
    scope = repeat_scope(exchange);
    key = arena_alloc(&exchange->arena, sizeof(*key));
    if (exchange->identity.api == API_EMBEDDINGS && exchange->facts.inputs == 1 &&
        key_of_input(exchange, &scope, key) == OK)
        return key;
    return canonical_request(&scope, exchange->identity.api, exchange->request.body, &exchange->worker->hasher, key) ==
                   OK
               ? key
               : NULL;
}
