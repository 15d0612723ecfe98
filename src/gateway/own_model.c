#include "gateway/own_model.h"

#include <math.h>
#include <stdlib.h>
#include <yyjson.h>

#include "base/base64.h"
#include "embed/embedder.h"
#include "gateway/attempt/attempt.h"
#include "gateway/booking/reserve.h"
#include "gateway/idempotency.h"

enum {
    INPUTS_MOST = 2048,       /* as OpenAI's */
    INLINE_BYTES = 16 * 1024, /* of a body that is answered on the loop: a fraction of a millisecond */
};

struct embedding_wish {
    yyjson_val *input;
    size_t count;
    unsigned dims;
    bool base64;
};

/* An answer in the making. */
struct own_answer {
    struct job job;
    struct exchange *exchange; /* held while the job runs */
    const struct embedder *embedder;
    struct chunk *body; /* likewise */
    struct buffer text;
    size_t tokens;
    const char *why; /* the request is not one for it; NULL: it is */
};

/* It stands where others name a backend. */
static const struct backend_config ourselves = {.name = "equipoise", .dialect = DIALECT_OPENAI};

const struct route_config *
own_model_route(struct exchange *exchange)
{
    struct route_config *route;

    if (exchange->identity.api != API_EMBEDDINGS || !slice_is(exchange->facts.model, OWN_MODEL))
        return NULL;
    route = arena_alloc(&exchange->arena, sizeof(*route));
    *route = (struct route_config){.reference = {.backend = &ourselves,
                                                 .model = "embed",
                                                 .upstream = "embed",
                                                 .name = arena_strdup(&exchange->arena, OWN_MODEL)},
                                   .quality_ppm = 1000000,
                                   .first_token_us = USEC_NEVER,
                                   .total_us = USEC_NEVER,
                                   .attempts = 1,
                                   .worth = USD_UNKNOWN};
    route->baseline = route->reference;
    return route;
}

bool
own_model_plan(struct exchange *exchange)
{
    struct plan *plan;

    if (exchange->request.route->reference.backend != &ourselves)
        return false;
    plan = plans_add(&exchange->plans);
    plan->source = SOURCE_BUILT_IN;
    plan->lever = LEVER_COUNT;
    plan->mode = LEVER_ON;
    plan->made_by = OWN_MODEL;
    plan->quality_ppm = 1000000;
    plan->verdict = VERDICT_CHOSEN;
    exchange->plan = plan;
    return true;
}

/* What is asked. On failure *why says what is wrong with it. */
static bool
read_wish(yyjson_val *root, unsigned dims_most, struct embedding_wish *out, const char **why)
{
    yyjson_val *dims = yyjson_obj_get(root, "dimensions"), *format = yyjson_obj_get(root, "encoding_format");

    *out = (struct embedding_wish){.input = yyjson_obj_get(root, "input"), .count = 1, .dims = dims_most};
    if (yyjson_is_arr(out->input))
        out->count = yyjson_arr_size(out->input);
    if (!yyjson_is_str(out->input) && !yyjson_is_arr(out->input))
        *why = "'input' must be a text or a list of texts";
    else if (out->count == 0 || out->count > INPUTS_MOST)
        *why = "'input' must have 1 to 2048 texts";
    else if (dims != NULL && !yyjson_is_null(dims) &&
             (!yyjson_is_uint(dims) || yyjson_get_uint(dims) == 0 || yyjson_get_uint(dims) > dims_most))
        *why = "'dimensions' must be a number from 1 to as many as " OWN_MODEL " has: ask without it";
    else if (format != NULL && !yyjson_equals_str(format, "float") && !yyjson_equals_str(format, "base64"))
        *why = "'encoding_format' must be float or base64";
    if (*why != NULL)
        return false;
    if (yyjson_is_uint(dims))
        out->dims = (unsigned)yyjson_get_uint(dims);
    out->base64 = yyjson_equals_str(format, "base64");
    return true;
}

/* Fewer numbers are the first ones, made a unit vector again: the table's dims are in order of what they tell. */
static void
cut(float *vector, unsigned dims)
{
    double square = 0.0;

    for (unsigned i = 0; i < dims; i++)
        square += (double)vector[i] * (double)vector[i];
    for (unsigned i = 0; i < dims && square > 0.0; i++)
        vector[i] = (float)((double)vector[i] / sqrt(square));
}

static void
put_numbers(const float *vector, unsigned dims, struct buffer *out)
{
    buffer_add_byte(out, '[');
    for (unsigned i = 0; i < dims; i++)
        buffer_printf(out, i > 0 ? ",%.8g" : "%.8g", (double)vector[i]);
    buffer_add_byte(out, ']');
}

static void
put_embedding(struct own_answer *answer, const struct embedding_wish *wish, size_t index, yyjson_val *text)
{
    float vector[EMBED_DIMS_MOST];
    size_t pieces = 0;

    /* A text without words has no direction: its vector is zero. */
    (void)embedder_embed(answer->embedder, slice_make(yyjson_get_str(text), yyjson_get_len(text)), vector, &pieces);
    if (wish->dims < embedder_dims(answer->embedder))
        cut(vector, wish->dims);
    answer->tokens += pieces;
    buffer_printf(&answer->text, "%s{\"object\":\"embedding\",\"index\":%zu,\"embedding\":", index > 0 ? "," : "",
                  index);
    if (wish->base64) {
        buffer_add_byte(&answer->text, '"');
        base64_write(slice_make((const char *)vector, wish->dims * sizeof(vector[0])), &answer->text);
        buffer_add_byte(&answer->text, '"');
    } else {
        put_numbers(vector, wish->dims, &answer->text);
    }
    buffer_add_byte(&answer->text, '}');
}

static bool
all_texts(const struct embedding_wish *wish)
{
    yyjson_val *text;
    size_t i, most;

    if (yyjson_is_str(wish->input))
        return yyjson_get_len(wish->input) > 0;
    yyjson_arr_foreach(wish->input, i, most, text)
    {
        if (!yyjson_is_str(text) || yyjson_get_len(text) == 0)
            return false;
    }
    return true;
}

static void
write_answer(struct own_answer *answer, const struct embedding_wish *wish)
{
    yyjson_val *text;
    size_t i, most;

    buffer_add_text(&answer->text, "{\"object\":\"list\",\"data\":[");
    if (yyjson_is_str(wish->input))
        put_embedding(answer, wish, 0, wish->input);
    yyjson_arr_foreach(wish->input, i, most, text)
    {
        put_embedding(answer, wish, i, text);
    }
    buffer_printf(&answer->text,
                  "],\"model\":\"" OWN_MODEL "\",\"usage\":{\"prompt_tokens\":%zu,\"total_tokens\":%zu}}",
                  answer->tokens, answer->tokens);
}

static void
run_answer(struct job *job)
{
    struct own_answer *answer = CONTAINER_OF(job, struct own_answer, job);
    yyjson_doc *doc = yyjson_read(answer->body->data, answer->body->len, YYJSON_READ_NOFLAG);
    struct embedding_wish wish;

    if (read_wish(yyjson_doc_get_root(doc), embedder_dims(answer->embedder), &wish, &answer->why)) {
        if (all_texts(&wish))
            write_answer(answer, &wish);
        else
            answer->why = OWN_MODEL " takes texts that are not empty, and no lists of tokens";
    }
    yyjson_doc_free(doc);
}

static const struct http_header json_type = {SLICE_CONSTANT("content-type"), SLICE_CONSTANT("application/json")};

static void
book(struct exchange *exchange, size_t tokens)
{
    usage_init(&exchange->usage);
    usage_set(&exchange->usage, USAGE_input_tokens, (int64_t)tokens);
    exchange->usage.exactness = USAGE_EXACT;
    exchange->booked = true; /* nothing was sent: there is no attempt to book */
}

static void
give(const struct own_answer *made)
{
    struct exchange *exchange = made->exchange;
    struct gateway_worker *worker = exchange->worker;
    struct kept_answer *answer;
    struct flight *flight;
    struct chunk *text;

    if (made->why != NULL) {
        exchange_give_up(exchange, ATTEMPTS_SPENT, ENDING_INVALID, ERROR_BAD_REQUEST, made->why);
        return;
    }
    answer = kept_new(SIZE_MAX);
    text = chunk_from(buffer_content(&made->text));
    answer->status = 200;
    answer->headers = &json_type;
    answer->header_count = 1;
    kept_add(answer, (struct kept_chunk){.bytes = text});
    chunk_release(text);
    flight = flight_of_kept(worker_world(worker), &worker->flights, API_EMBEDDINGS, answer);
    cursor_join(&exchange->cursor, flight, NULL);
    flight_release(flight); /* the cursor holds it */
    if (idempotency_gathers(exchange))
        flight->keep = kept_hold(answer);
    kept_release(answer);
    book(exchange, made->tokens);
    exchange_move(exchange, FIRST_BYTE);
}

static void
answer_done(struct job *job)
{
    struct own_answer *answer = CONTAINER_OF(job, struct own_answer, job);
    struct exchange *exchange = answer->exchange;

    if (exchange->state == EXCHANGE_SERVING) /* else the client has left */
        give(answer);
    chunk_release(answer->body);
    buffer_free(&answer->text);
    free(answer);
    exchange_drop(exchange);
}

void
own_model_serve(struct exchange *exchange)
{
    struct gateway *gateway = exchange->worker->gateway;
    struct world *world = worker_world(exchange->worker);
    struct own_answer *answer = must_calloc(1, sizeof(*answer));

    gateway_open_meanings(gateway);
    answer->exchange = exchange;
    answer->embedder = gateway->embedder;
    answer->body = chunk_hold(exchange->body);
    answer->job = (struct job){.run = run_answer, .done = answer_done};
    exchange_hold(exchange);
    if (exchange->body->len > INLINE_BYTES) {
        world->ops->work(world, &answer->job);
        return;
    }
    run_answer(&answer->job);
    answer_done(&answer->job);
}
