#include "gateway/reuse/cached.h"

#include <stdlib.h>

#include "base/text.h"
#include "cache/answer.h"
#include "gateway/attempt/attempt.h"
#include "gateway/attempt/batch.h"
#include "gateway/booking/reserve.h"
#include "gateway/flight/made_over.h"
#include "gateway/flight/share.h"
#include "gateway/idempotency.h"
#include "gateway/reuse/elements.h"
#include "gateway/reuse/look_ups.h"
#include "gateway/reuse/paying.h"
#include "gateway/reuse/semantic.h"
#include "gateway/reuse/turn_keeper.h"
#include "money/row.h"

enum {
    INLINE_BYTES =
        64 * 1024,     /* of an answer that is made over or (de)compressed on the loop: a fraction of a millisecond */
    SWEEP_ENTRIES = 16 /* looked at with each answer that is stored, whether they are past their time */
};

/* What the request says */

struct wishes {
    bool no_store, no_cache;
    usec age_most_us;
};

/* max-age=N; what is no number counts as 0 (RFC 9111, 4.2.1). */
static void
read_directive(struct slice directive, struct wishes *wishes)
{
    struct slice value = directive, name = slice_trim(slice_split(&value, '='));
    uint64_t seconds = 0;

    if (slice_is_nocase(name, "no-store"))
        wishes->no_store = true;
    if (slice_is_nocase(name, "no-cache"))
        wishes->no_cache = true;
    if (!slice_is_nocase(name, "max-age"))
        return;
    if (text_parse_u64(slice_trim(value), &seconds) != OK)
        seconds = 0;
    if (seconds < (uint64_t)(USEC_NEVER / USEC_PER_S))
        wishes->age_most_us = (usec)seconds * USEC_PER_S;
}

static struct wishes
read_wishes(const struct http_head *head)
{
    struct wishes wishes = {.age_most_us = USEC_NEVER};

    for (size_t i = 0; i < head->header_count; i++) {
        struct slice list = head->headers[i].value;

        if (!slice_is_nocase(head->headers[i].name, "cache-control"))
            continue;
        while (list.data != NULL)
            read_directive(slice_trim(slice_split(&list, ',')), &wishes);
    }
    return wishes;
}

void
cached_begin(struct exchange *exchange)
{
    struct request *request = &exchange->request;
    bool exact = lever_mode_of(request, LEVER_EXACT_CACHE) != LEVER_OFF;
    bool alike = lever_mode_of(request, LEVER_SEMANTIC_CACHE) != LEVER_OFF && exchange->identity.api != API_EMBEDDINGS;
    struct wishes wishes;

    if (request->key == NULL || (!exact && !alike))
        return;
    wishes = read_wishes(&exchange->head);
    exchange->stores = !wishes.no_store;
    request->age_most_us = wishes.age_most_us;
    if (!wishes.no_store && !wishes.no_cache)
        request->cache = exchange->worker->gateway->cache;
    if (exchange->stores && exact)
        elements_begin(exchange);
}

/* Serving */

/* An entry's content on its way to become an answer. */
struct serving {
    struct job job;
    struct exchange *exchange; /* held while the job runs */
    struct cache_entry *entry; /* likewise; NULL: it is of elements */
    enum api api;
    bool streams, tells_usage;
    struct kept_answer *answer; /* NULL: the entry is damaged */
};

static struct chunk *
content_of(const struct serving *serving)
{
    if (serving->entry != NULL)
        return cache_entry_content(serving->entry);
    return elements_join(serving->exchange->request.elements);
}

static void
make_answer(struct serving *serving)
{
    struct chunk *content = content_of(serving);

    serving->answer =
        content != NULL ? made_over_of(serving->api, content, serving->streams, serving->tells_usage) : NULL;
    chunk_release(content);
}

/* What was bought then stands for what was not bought now. */
static void
book_nothing(struct exchange *exchange)
{
    struct usage *usage = arena_alloc(&exchange->arena, sizeof(*usage)), nothing;

    if (exchange->plan->cached != NULL)
        cache_entry_usage(exchange->plan->cached, usage);
    else
        elements_usage(exchange->request.elements, usage);
    exchange->stands_for = usage;
    usage_init(&nothing);
    nothing.exactness = USAGE_EXACT;
    if (exchange->try_count == 0)
        exchange->usage = nothing;
    exchange->booked = true; /* nothing was sent: there is no attempt to book */
    reserve_post(exchange, &nothing, 0);
}

/* Of several elements nobody can tell which. */
static void
drop_damaged(struct exchange *exchange)
{
    struct gateway_worker *worker = exchange->worker;
    const struct known_elements *elements = exchange->request.elements;

    if (exchange->plan->cached != NULL)
        cache_drop(worker->gateway->cache, exchange->plan->cached);
    for (size_t i = 0; exchange->plan->cached == NULL && i < elements->batch.count; i++)
        cache_drop(worker->gateway->cache, elements->entries[i]);
    count(&worker->counters, COUNT_CACHE_DAMAGED, 1);
    log_line(worker->gateway->log, LOG_WARN, "request %s: a stored answer is damaged, and dropped", exchange->id_text);
}

static void
give(struct exchange *exchange, struct kept_answer *answer)
{
    struct gateway_worker *worker = exchange->worker;
    struct flight *flight;

    if (answer == NULL) {
        drop_damaged(exchange);
        exchange->plan->tried = true;
        exchange_move(exchange, ATTEMPT_FAILED);
        return;
    }
    flight = flight_of_kept(worker_world(worker), &worker->flights, exchange->identity.api, answer);
    cursor_join(&exchange->cursor, flight, NULL);
    flight_release(flight); /* the cursor holds it */
    if (idempotency_gathers(exchange))
        flight->keep = kept_hold(answer);
    book_nothing(exchange);
    exchange_move(exchange, FIRST_BYTE);
}

static void
run_serving(struct job *job)
{
    make_answer(CONTAINER_OF(job, struct serving, job));
}

static void
serving_done(struct job *job)
{
    struct serving *serving = CONTAINER_OF(job, struct serving, job);
    struct exchange *exchange = serving->exchange;

    if (exchange->state == EXCHANGE_SERVING) /* else the client has left */
        give(exchange, serving->answer);
    kept_release(serving->answer);
    cache_entry_release(serving->entry);
    free(serving);
    exchange_drop(exchange);
}

static void
make_apart(const struct serving *what)
{
    struct world *world = worker_world(what->exchange->worker);
    struct serving *serving = must_alloc(sizeof(*serving));

    *serving = *what;
    if (serving->entry != NULL)
        cache_entry_hold(serving->entry);
    exchange_hold(serving->exchange);
    serving->job = (struct job){.run = run_serving, .done = serving_done};
    world->ops->work(world, &serving->job);
}

void
cached_serve(struct exchange *exchange)
{
    struct cache_entry *entry = exchange->plan->cached;
    struct serving serving = {
        .exchange = exchange,
        .entry = entry,
        .api = exchange->identity.api,
        .streams = exchange->facts.stream,
        .tells_usage = exchange->facts.usage_asked,
    };

    if (entry == NULL || (entry->len > INLINE_BYTES && (entry->packed || serving.streams))) {
        make_apart(&serving);
        return;
    }
    make_answer(&serving);
    give(exchange, serving.answer);
    kept_release(serving.answer);
}

struct slice
cached_age(struct exchange *exchange)
{
    const struct cache_entry *entry = exchange->plan->cached;
    usec age_us = entry != NULL ? cache_entry_age_us(entry, exchange->arrived_wall_us)
                                : elements_age_us(exchange->request.elements, exchange->arrived_wall_us);

    return slice_of(arena_printf(&exchange->arena, "%lld", (long long)(age_us / USEC_PER_S)));
}

/* Storing */

void
cached_watch(struct exchange *exchange, struct flight *flight)
{
    if (!exchange->stores)
        return;
    if (flights_crowded(flight->all) && exchange->plan->source != SOURCE_PARTLY)
        return; /* there is no room to gather more */
    exchange->purges = cache_purges(exchange->worker->gateway->cache);
    flight->meter.stop.wanted = true;
    if (flight->keep == NULL)
        flight->keep = kept_new(exchange->request.config->limits.answer_max);
    if (exchange->request.elements != NULL)
        flight->keep->most = ELEMENTS_BYTES_MOST;
}

/* An answer on its way into the store. */
struct storing {
    struct job job;
    struct gateway_worker *worker;
    struct view *view; /* whose names these are; held while the job runs */
    struct kept_answer *answer;
    bool is_stream;
    struct elements_store to;
    struct usage usage;
    struct embedding_batch *batch; /* owned; NULL: one answer */
    struct semantic_turn *turn;    /* that it answers, owned; NULL: it is not to be found by it */
    enum status status;
};

/* An answer of many embeddings may be longer than what is metered whole; that it can be taken apart says that it is good. */
static bool
is_good(const struct exchange *exchange, const struct flight *flight)
{
    if (exchange->request.elements != NULL)
        return flight->status == 200 && flight->state == FLIGHT_COMPLETE && !flight->is_stream;
    return cache_may_store(flight->status, flight->state == FLIGHT_COMPLETE, &flight->meter);
}

/* Who left a batch has paid for an answer all the same. */
static bool
ended_well(const struct exchange *exchange)
{
    return exchange->ending == ENDING_OK || (exchange->ending == ENDING_CLIENT_GONE && batch_part_of(exchange) != NULL);
}

/* Neither what a budget cut short nor what only resembles the reference's answer. */
static bool
may_store(const struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;
    unsigned cut = (unsigned)TRANSFORM_CLIPPED | (unsigned)TRANSFORM_ENDED;

    return exchange->stores && ended_well(exchange) && flight != NULL && exchange->plan->target != NULL &&
           exchange->plan->quality_ppm >= 1000000 && (reserve_transforms(exchange) & cut) == 0 &&
           flight->keep != NULL && !flight->keep->too_long && !flight->opaque && !flight->unread &&
           is_good(exchange, flight);
}

/* What a plan for another's question may serve: the meter has read the answer, but not whether it calls a tool. */
static bool
is_text(enum api api, struct slice content)
{
    yyjson_doc *doc = yyjson_read(content.data, content.len, 0);
    struct text_of text = {.wanted = true, .most = SIZE_MAX};
    bool is;

    if (doc != NULL)
        text_of_event(&text, api, yyjson_doc_get_root(doc));
    is = doc != NULL && !text.called && !text.cut && buffer_len(&text.text) > 0;
    buffer_free(&text.text);
    yyjson_doc_free(doc);
    return is;
}

static enum status
put_one(struct storing *storing, struct slice content)
{
    struct elements_store *to = &storing->to;
    enum status status;

    if (storing->turn != NULL && is_text(to->facts.api, content))
        to->facts.form |= CACHE_TEXT;
    status = cache_put(to->cache, cache_entry_new(&to->facts, content, to->compress_above), to->purges);
    if (status == OK && (to->facts.form & CACHE_TEXT) != 0)
        turns_remember(storing->worker->gateway, storing->turn, &to->facts.key);
    return status;
}

static enum status
put_all(struct storing *storing, struct slice content)
{
    bool *wanted;
    enum status status;

    storing->to.facts.usage = &storing->usage;
    if (storing->batch == NULL)
        return put_one(storing, content);
    wanted = must_alloc(storing->batch->count * sizeof(*wanted));
    memset(wanted, true, storing->batch->count * sizeof(*wanted));
    status = elements_put(&storing->to, storing->batch, wanted, content, NULL);
    free(wanted);
    return status;
}

static void
run_storing(struct job *job)
{
    struct storing *storing = CONTAINER_OF(job, struct storing, job);
    const struct kept_answer *answer = storing->answer;
    bool alone = !storing->is_stream && answer->count == 1;
    struct buffer joined = {0};

    storing->status = alone ? OK : made_over_join(answer, storing->is_stream, storing->to.facts.api, &joined);
    if (storing->status == OK)
        storing->status = put_all(storing, alone ? chunk_bytes(answer->chunks[0].bytes) : buffer_content(&joined));
    cache_sweep(storing->to.cache, storing->to.facts.created_wall_us, SWEEP_ENTRIES);
    buffer_free(&joined);
}

static void
storing_done(struct job *job)
{
    struct storing *storing = CONTAINER_OF(job, struct storing, job);

    kept_release(storing->answer);
    view_release(storing->view);
    free(storing->batch);
    free(storing->turn);
    free(storing);
}

static void
store_apart(const struct storing *what, struct exchange *exchange)
{
    struct world *world = worker_world(what->worker);
    struct storing *storing = must_alloc(sizeof(*storing));

    *storing = *what;
    kept_hold(storing->answer);
    storing->view = view_hold(exchange->view);
    storing->job = (struct job){.run = run_storing, .done = storing_done};
    world->ops->work(world, &storing->job);
}

static struct cache_facts
facts_of_answer(const struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;
    const struct identity *identity = &exchange->identity;

    return (struct cache_facts){
        .key = *exchange->request.key,
        .api = identity->api,
        .status = flight->status,
        .tenant = slice_of(identity->tenant->name),
        .key_name = slice_of(identity->key != NULL ? identity->key->name : NULL),
        .route = slice_of(exchange->request.route->name),
        .model = slice_of(plan_model(exchange->plan)),
        .cost = exchange->tries[exchange->try_count - 1].cost,
        .created_wall_us = world_wall_us(worker_world(exchange->worker)),
        .ttl_us = exchange->request.route->ttl_us,
        .first_token_us = flight->first_byte_us - flight->opened_us,
        .total_us = flight->ended_us - flight->opened_us,
    };
}

struct elements_store
cached_store(const struct exchange *exchange)
{
    ENSURE(exchange->request.route->name != NULL); /* no lever touches a route of the request's own */
    return (struct elements_store){.cache = exchange->worker->gateway->cache,
                                   .facts = facts_of_answer(exchange),
                                   .compress_above = exchange->request.config->cache.compress_above,
                                   .purges = exchange->purges};
}

static struct semantic_turn *
copy_turn(const struct exchange *exchange)
{
    const struct semantic_turn *turn = semantic_turn(exchange);
    struct semantic_turn *copy = turn != NULL ? must_alloc(sizeof(*copy)) : NULL;

    if (copy != NULL)
        *copy = *turn;
    return copy;
}

static void
store(struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;
    const struct known_elements *elements = exchange->request.elements;
    struct storing storing = {
        .worker = exchange->worker,
        .answer = flight->keep,
        .is_stream = flight->is_stream,
        .to = cached_store(exchange),
        .usage = exchange->usage,
        .batch = elements != NULL ? elements_copy(&elements->batch) : NULL,
        .turn = copy_turn(exchange),
    };

    if (flight->keep->len > INLINE_BYTES) {
        store_apart(&storing, exchange);
        return;
    }
    run_storing(&storing.job);
    free(storing.batch);
    free(storing.turn);
}

/* Tokens and dollars that were not bought. */
static void
count_served(struct exchange *exchange, const struct usage *usage, usd cost)
{
    struct counters *counters = &exchange->worker->counters;

    count(counters, COUNT_CACHE_TOKENS, usage->input_tokens + usage->output_tokens);
    count(counters, COUNT_CACHE_SAVED_PICO, cost);
}

static void
count_served_elements(struct exchange *exchange, const struct known_elements *elements)
{
    struct usage usage;

    elements_usage(elements, &usage);
    count_served(exchange, &usage, elements_cost(elements));
}

static void
count_served_alike(struct exchange *exchange, const struct plan *plan)
{
    struct counters *counters = &exchange->worker->counters;

    count(counters, COUNT_SEMANTIC_TOKENS, exchange->stands_for->input_tokens + exchange->stands_for->output_tokens);
    count(counters, COUNT_SEMANTIC_SAVED_PICO, plan->cached->cost);
}

static void
use(struct exchange *exchange, struct cache_entry *entry, bool served)
{
    if (entry != NULL)
        cache_used(exchange->worker->gateway->cache, entry, served ? entry->cost : 0);
}

/* In the shadow it counts as a use that saved nothing. */
static void
end_look_up(struct exchange *exchange, const struct plan *plan)
{
    const struct known_elements *elements = exchange->request.elements;
    bool shared = plan->source == SOURCE_PARTLY && share_is_of_part(exchange);
    bool served = (plan == exchange->plan || shared) && exchange->stands_for != NULL;
    bool shadow = plan->verdict == VERDICT_SHADOW;

    if (!served && !shadow)
        return;
    use(exchange, plan->cached, served);
    for (size_t i = 0; plan->cached == NULL && i < elements->batch.count; i++)
        use(exchange, elements->entries[i], served);
    if (shadow)
        return;
    if (plan->lever == LEVER_SEMANTIC_CACHE)
        count_served_alike(exchange, plan);
    else if (plan->cached != NULL)
        count_served(exchange, exchange->stands_for, plan->cached->cost);
    else
        count_served_elements(exchange, elements);
}

void
cached_end(struct exchange *exchange)
{
    bool fresh = may_store(exchange);

    look_ups_count(exchange);
    paying_end(exchange, fresh);
    semantic_end(exchange, fresh);
    if (fresh)
        store(exchange);
    if (exchange->request.cache == NULL)
        return;
    for (size_t i = 0; i < exchange->plans.count; i++) {
        const struct plan *plan = &exchange->plans.all[i];

        if (plan->lever == LEVER_EXACT_CACHE || (plan->lever == LEVER_SEMANTIC_CACHE && plan->cached != NULL))
            end_look_up(exchange, plan);
    }
}

void
cached_release(struct exchange *exchange)
{
    for (size_t i = 0; i < exchange->plans.count; i++)
        cache_entry_release(exchange->plans.all[i].cached);
    if (exchange->request.elements != NULL)
        elements_release(exchange->request.elements);
}
