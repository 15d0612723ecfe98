#include "gateway/reuse/elements.h"

#include <stdlib.h>

#include "gateway/attempt/attempt.h"
#include "gateway/idempotency.h"
#include "gateway/reuse/cached.h"
#include "gateway/reuse/repeat.h"

/* Looked up on the loop: a millisecond's work. */
enum { INPUTS_MOST = 512, INLINE_BYTES = 64 * 1024 };

bool
elements_wants(size_t inputs)
{
    return inputs >= 2 && inputs <= INPUTS_MOST;
}

/* A long one was read with its key. */
static bool
read_batch(struct exchange *exchange, struct embedding_batch *out)
{
    const struct canonical_scope scope = repeat_scope(exchange);

    if (exchange->batch != NULL) {
        *out = *exchange->batch;
        return true;
    }
    return !repeat_is_long(exchange) &&
           embedding_batch_read(&scope, exchange->request.body, &exchange->worker->hasher, &exchange->arena, out) == OK;
}

void
elements_begin(struct exchange *exchange)
{
    struct known_elements *elements;
    size_t count;

    if (exchange->identity.api != API_EMBEDDINGS || !elements_wants((size_t)exchange->facts.inputs))
        return;
    elements = arena_alloc(&exchange->arena, sizeof(*elements));
    if (!read_batch(exchange, &elements->batch))
        return;
    count = elements->batch.count;
    elements->entries = arena_alloc(&exchange->arena, count * sizeof(*elements->entries));
    elements->wanted = arena_alloc(&exchange->arena, count * sizeof(*elements->wanted));
    exchange->request.elements = elements;
}

bool
elements_splice(const struct exchange *exchange, struct splice *out)
{
    const struct known_elements *elements = exchange->request.elements;
    struct arena *arena = (struct arena *)(uintptr_t)&exchange->arena;

    if (exchange->plan->source != SOURCE_PARTLY)
        return false;
    *out = embedding_batch_splice(&elements->batch, elements->wanted, exchange->request.body, arena);
    return true;
}

void
elements_release(struct known_elements *elements)
{
    for (size_t i = 0; i < elements->batch.count; i++) {
        cache_entry_release(elements->entries[i]);
        elements->entries[i] = NULL;
    }
}

struct embedding_batch *
elements_copy(const struct embedding_batch *batch)
{
    struct embedding_batch *copy = must_alloc(sizeof(*copy) + batch->count * sizeof(struct embedding_input));

    *copy = (struct embedding_batch){.inputs = (struct embedding_input *)(copy + 1), .count = batch->count};
    memcpy(copy->inputs, batch->inputs, batch->count * sizeof(struct embedding_input));
    return copy;
}

struct embedding_batch *
elements_copy_to(struct arena *arena, const struct embedding_batch *batch)
{
    struct embedding_batch *copy = arena_alloc(arena, sizeof(*copy));

    *copy = *batch;
    copy->inputs = arena_alloc(arena, batch->count * sizeof(struct embedding_input));
    memcpy(copy->inputs, batch->inputs, batch->count * sizeof(struct embedding_input));
    return copy;
}

/* Sums */

/* A sum that is no usage any more is not known. */
static void
add_usage(struct usage *sum, const struct usage *part)
{
    if (usage_add(sum, part) != OK)
        sum->exactness = USAGE_UNKNOWN;
}

static void
begin_sum(struct usage *sum)
{
    usage_init(sum);
    sum->exactness = USAGE_EXACT;
}

static void
add_entry(struct usage *sum, const struct cache_entry *entry)
{
    struct usage usage;

    cache_entry_usage(entry, &usage);
    add_usage(sum, &usage);
}

void
elements_usage(const struct known_elements *elements, struct usage *out)
{
    begin_sum(out);
    for (size_t i = 0; i < elements->batch.count; i++)
        if (elements->entries[i] != NULL)
            add_entry(out, elements->entries[i]);
}

usd
elements_cost(const struct known_elements *elements)
{
    usd sum = 0;

    for (size_t i = 0; i < elements->batch.count; i++)
        if (elements->entries[i] != NULL && usd_add(sum, elements->entries[i]->cost, &sum) != OK)
            return INT64_MAX;
    return sum;
}

usec
elements_age_us(const struct known_elements *elements, usec now_wall_us)
{
    usec oldest_us = 0;

    for (size_t i = 0; i < elements->batch.count; i++) {
        usec age_us = elements->entries[i] != NULL ? cache_entry_age_us(elements->entries[i], now_wall_us) : 0;

        oldest_us = age_us > oldest_us ? age_us : oldest_us;
    }
    return oldest_us;
}

/* Putting together: `bought` has an answer for each that was wanted. */

static struct slice
single_of(const struct known_elements *elements, size_t at, const struct bought_element *bought, struct chunk **content)
{
    const struct embedding_input *input = &elements->batch.inputs[at];
    size_t number = 0;

    *content = NULL;
    if (elements->entries[at] != NULL) {
        *content = cache_entry_content(elements->entries[at]);
        return *content != NULL ? chunk_bytes(*content) : SLICE_NONE;
    }
    for (size_t i = 0; i < input->same_as; i++)
        number += elements->wanted[i];
    return buffer_content(&bought[number].answer);
}

static struct chunk *
join(const struct known_elements *elements, const struct bought_element *bought)
{
    size_t count = elements->batch.count;
    struct slice *singles = must_calloc(count, sizeof(*singles));
    struct chunk **contents = must_calloc(count, sizeof(struct chunk *)), *joined = NULL;
    struct buffer out = {0};
    bool whole = true;

    for (size_t i = 0; i < count; i++) {
        singles[i] = single_of(elements, i, bought, &contents[i]);
        whole = whole && singles[i].len > 0;
    }
    if (whole && embedding_answer_join(singles, count, &out) == OK)
        joined = chunk_from(buffer_content(&out));
    for (size_t i = 0; i < count; i++)
        chunk_release(contents[i]);
    buffer_free(&out);
    free(contents);
    free(singles);
    return joined;
}

struct chunk *
elements_join(const struct known_elements *elements)
{
    return join(elements, NULL);
}

/* Storing */

static size_t
count_wanted(const struct embedding_batch *batch, const bool *wanted)
{
    size_t count = 0;

    for (size_t i = 0; i < batch->count; i++)
        count += wanted[i];
    return count;
}

static void
read_usage(struct bought_element *element, const struct usage *of_call)
{
    struct meter meter;

    meter_init(&meter, API_EMBEDDINGS, DIALECT_OPENAI);
    meter_whole(&meter, buffer_content(&element->answer));
    element->usage = meter.usage;
    element->usage.provider_cost = USD_UNKNOWN;
    if (of_call->exactness < element->usage.exactness)
        element->usage.exactness = of_call->exactness;
    meter_free(&meter);
}

static usd
part_of(usd cost, int64_t tokens, int64_t total, size_t count)
{
    if (!usd_known(cost))
        return USD_UNKNOWN;
    return total > 0 ? (usd)((wide_int)cost * tokens / total) : cost / (int64_t)count;
}

static void
put_each(const struct elements_store *store, const struct embedding_batch *batch, const bool *wanted,
         const struct bought_element *bought, size_t count)
{
    int64_t tokens = 0;

    for (size_t i = 0; i < count; i++)
        tokens += bought[i].usage.input_tokens;
    for (size_t i = 0, at = 0; i < batch->count; i++) {
        struct cache_facts facts = store->facts;
        struct cache_entry *entry;
        enum status status;

        if (!wanted[i])
            continue;
        facts.key = batch->inputs[i].key;
        facts.usage = &bought[at].usage;
        facts.cost = part_of(store->facts.cost, bought[at].usage.input_tokens, tokens, count);
        entry = cache_entry_new(&facts, buffer_content(&bought[at++].answer), store->compress_above);
        if (batch->inputs[i].same_as != i) {
            cache_entry_release(entry);
            continue;
        }
        status = cache_put(store->cache, entry, store->purges);
        if (status == ERR_STOPPING)
            return; /* a purge came between: none of it is stored */
    }
}

enum status
elements_put(const struct elements_store *store, const struct embedding_batch *batch, const bool *wanted,
             struct slice answer, struct bought_element *bought)
{
    size_t count = count_wanted(batch, wanted);
    struct bought_element *own = must_calloc(count + 1, sizeof(*own));
    struct buffer *answers = must_calloc(count + 1, sizeof(*answers));
    enum status status = embedding_answer_split(batch, wanted, answer, answers);

    for (size_t i = 0; i < count; i++)
        own[i].answer = answers[i];
    for (size_t i = 0; i < count && status == OK; i++)
        read_usage(&own[i], store->facts.usage);
    if (status == OK)
        put_each(store, batch, wanted, own, count);
    if (bought != NULL)
        memcpy(bought, own, count * sizeof(*own));
    for (size_t i = 0; i < count && bought == NULL; i++)
        buffer_free(&own[i].answer);
    free(answers);
    free(own);
    return status;
}

/* The call for a part */

struct merging {
    struct job job;
    struct exchange *exchange; /* held while the job runs */
    const struct known_elements *elements;
    struct elements_store store;
    struct usage of_call;
    struct kept_answer *answer; /* to the call; held */
    struct chunk *merged;       /* NULL: it could not be */
    struct usage usage;         /* of all elements, known and bought */
};

static void
sum_all(struct merging *merging, const struct bought_element *bought)
{
    const struct known_elements *elements = merging->elements;

    begin_sum(&merging->usage);
    for (size_t i = 0; i < elements->batch.count; i++) {
        size_t number = 0;

        if (elements->entries[i] != NULL) {
            add_entry(&merging->usage, elements->entries[i]);
            continue;
        }
        for (size_t j = 0; j < elements->batch.inputs[i].same_as; j++)
            number += elements->wanted[j];
        add_usage(&merging->usage, &bought[number].usage);
    }
}

static void
run_merging(struct job *job)
{
    struct merging *merging = CONTAINER_OF(job, struct merging, job);
    const struct known_elements *elements = merging->elements;
    size_t count = elements->wanted_count;
    struct bought_element *bought = must_calloc(count, sizeof(*bought));
    struct buffer whole = {0};

    merging->store.facts.usage = &merging->of_call;
    for (size_t i = 0; i < merging->answer->count; i++)
        buffer_add(&whole, chunk_bytes(merging->answer->chunks[i].bytes));
    if (elements_put(&merging->store, &elements->batch, elements->wanted, buffer_content(&whole), bought) == OK) {
        merging->merged = join(elements, bought);
        sum_all(merging, bought);
    }
    for (size_t i = 0; i < count; i++)
        buffer_free(&bought[i].answer);
    free(bought);
    buffer_free(&whole);
}

/* What was bought does not answer what was asked: the whole is asked for. */
static void
ask_for_all(struct exchange *exchange, const char *why)
{
    exchange->plan->tried = true;
    attempt_again(exchange, why);
}

/* The client reads the whole as if it had come so. */
static void
answer_merged(struct exchange *exchange, const struct merging *merging)
{
    struct kept_answer *whole = kept_new(SIZE_MAX);
    struct usage *usage = arena_alloc(&exchange->arena, sizeof(*usage));
    struct flight *flight;

    *usage = merging->usage;
    exchange->stands_for = usage;
    exchange->stores = false; /* it is stored */
    flight_keep_head(exchange->cursor.flight, whole);
    kept_add(whole, (struct kept_chunk){.bytes = merging->merged});
    flight = flight_of_kept(worker_world(exchange->worker), &exchange->worker->flights, API_EMBEDDINGS, whole);
    if (idempotency_gathers(exchange))
        flight->keep = kept_hold(whole);
    cursor_leave(&exchange->cursor);
    cursor_join(&exchange->cursor, flight, NULL);
    flight_release(flight);
    kept_release(whole);
    exchange_move(exchange, FIRST_BYTE);
}

static void
end_merging(struct merging *merging)
{
    struct exchange *exchange = merging->exchange;

    if (exchange->state == EXCHANGE_SERVING && merging->merged != NULL)
        answer_merged(exchange, merging);
    else if (exchange->state == EXCHANGE_SERVING)
        ask_for_all(exchange, "the answer to the inputs that were not known is none that could be taken apart");
    chunk_release(merging->merged);
    kept_release(merging->answer);
    free(merging);
}

static void
merging_done(struct job *job)
{
    struct merging *merging = CONTAINER_OF(job, struct merging, job);
    struct exchange *exchange = merging->exchange;

    end_merging(merging);
    exchange_drop(exchange);
}

/* The attempt is over: it is booked before the answer is made of it. */
static void
merge(struct exchange *exchange)
{
    struct world *world = worker_world(exchange->worker);
    struct merging *merging = must_calloc(1, sizeof(*merging));

    settle_attempt(exchange);
    merging->exchange = exchange;
    merging->elements = exchange->request.elements;
    merging->store = cached_store(exchange);
    merging->of_call = exchange->usage;
    merging->answer = kept_hold(exchange->cursor.flight->keep);
    exchange_hold(exchange);
    merging->job = (struct job){.run = run_merging, .done = merging_done};
    if (merging->answer->len > INLINE_BYTES) {
        world->ops->work(world, &merging->job);
        return;
    }
    run_merging(&merging->job);
    merging_done(&merging->job);
}

/* It may be about an input, which the client knows by another number. */
static bool
is_about_request(unsigned status)
{
    return status == 400 || status == 404 || status == 413 || status == 422;
}

bool
elements_progress(struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;
    unsigned status = flight->status;

    if (flight->state == FLIGHT_OPENING || flight->state == FLIGHT_FAILED ||
        (status >= 300 && !is_about_request(status)))
        return false;
    if (status >= 300 || flight->is_stream || flight->opaque || flight->keep->too_long)
        ask_for_all(exchange, "what was said of a part is not said of the whole");
    else if (flight->state == FLIGHT_COMPLETE && !exchange->booked)
        merge(exchange);
    return true;
}
