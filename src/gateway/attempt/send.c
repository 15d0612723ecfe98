/* Sending a request to a backend: its head written afresh, its body byte for byte but for the spliced spans. */
#define _GNU_SOURCE /* mempcpy */
#include "gateway/attempt/send.h"
#include "base/text.h"
#include "dialect/translate/translate.h"
#include "gateway/attempt/admit.h"
#include "gateway/attempt/destination.h"
#include "gateway/attempt/headers.h"
#include "gateway/attempt/reach.h"
#include "gateway/booking/ceiling.h"
#include "gateway/booking/reserve.h"
#include "gateway/choice/cascading.h"
#include "gateway/cross.h"
#include "gateway/exchange.h"
#include "gateway/flight/flight_ticket.h"
#include "gateway/idempotency.h"
#include "gateway/judging/audit.h"
#include "gateway/judging/mission.h"
#include "gateway/judging/outcome.h"
#include "gateway/reuse/cached.h"
#include "gateway/reuse/elements.h"
#include "gateway/watch/prefixes.h"

/* A provider takes 64 letters at most. */
enum { CACHE_KEY_BYTES = 16 };
enum { SPLICES_MOST = REQUEST_SPLICES_MOST + 1 };

static struct slice
credential_value(struct arena *arena, const struct credential *credential, const char *secret)
{
    struct slice prefix = slice_of(credential->prefix != NULL ? credential->prefix : ""), token = slice_of(secret);
    char *value = arena_alloc(arena, prefix.len + token.len + 1);

    memcpy(mempcpy(value, prefix.data, prefix.len), token.data, token.len);
    return slice_make(value, prefix.len + token.len);
}

/* A key that is not ours to honour is for the backend. */
static size_t
put_idempotency(struct exchange *exchange, struct http_header *out)
{
    struct slice key = http_head_get(&exchange->head, "idempotency-key");

    if (key.len == 0 || exchange->claim != NULL)
        return 0;
    *out = (struct http_header){SLICE_LITERAL("idempotency-key"), idempotency_upstream(exchange, key)};
    return 1;
}

static bool
speaks_anthropic(const struct plan *plan)
{
    return plan->target->backend->dialect == DIALECT_ANTHROPIC || plan->api == API_MESSAGES;
}

static size_t
make_headers(struct exchange *exchange, const char *secret, struct http_header *out)
{
    const struct credential *credential = &exchange->plan->target->backend->credential;
    const struct http_head *head = &exchange->head;
    const struct hop_names hops = hop_names_of(head->headers, head->header_count);
    bool sets_version = false;
    size_t count = 0;

    for (size_t i = 0; i < head->header_count && count + 5 < EXCHANGE_HEADERS_MOST; i++) {
        if (!header_goes_up(&hops, head->headers[i].name) ||
            (exchange->plan->translated != NULL && !cross_header_goes_up(head->headers[i].name)) ||
            (credential->header != NULL && slice_is_nocase(head->headers[i].name, credential->header)))
            continue; /* nobody but us says who we are */
        sets_version |= slice_is_nocase(head->headers[i].name, "anthropic-version");
        out[count++] = head->headers[i];
    }
    if (credential->header != NULL && secret[0] != '\0')
        out[count++] =
            (struct http_header){slice_of(credential->header), credential_value(&exchange->arena, credential, secret)};
    if (speaks_anthropic(exchange->plan) && !sets_version)
        out[count++] = (struct http_header){SLICE_LITERAL("anthropic-version"), SLICE_LITERAL("2023-06-01")};
    out[count++] = (struct http_header){SLICE_LITERAL("accept-encoding"), SLICE_LITERAL("identity")};
    count += put_idempotency(exchange, &out[count]);
    return count;
}

/* Which requests have the same beginning: told to a provider that cannot know the tenant's name, or find out by a key of
 * its own whether another tenant asked the same. Stable over restarts, as the salt is. */
static struct slice
cache_key(struct exchange *exchange)
{
    struct gateway_worker *worker = exchange->worker;
    const struct plan_cache *cache = &exchange->plan->cache;
    struct digest digest;
    char *text;

    if (!cache->on || cache->family == 0)
        return SLICE_NONE;
    hasher_begin_keyed(&worker->hasher, &worker->gateway->secret);
    hasher_add(&worker->hasher, SLICE_LITERAL("prompt_cache_key"));
    hasher_add(&worker->hasher, slice_make((const char *)&cache->family, sizeof(cache->family)));
    hasher_add(&worker->hasher, slice_of(exchange->identity.tenant->name));
    digest = hasher_end_keyed(&worker->hasher, &worker->gateway->secret);
    text = arena_alloc(&exchange->arena, 2 * CACHE_KEY_BYTES + 1);
    text_format_hex(slice_make((const char *)digest.bytes, CACHE_KEY_BYTES), text);
    return slice_of(text);
}

static struct request_change
make_change(struct exchange *exchange)
{
    const struct plan *plan = exchange->plan;
    const struct plan_cache *cache = &plan->cache;
    struct request_change change = reserve_change(exchange);

    change.logprobs = exchange->plan->asks_logprobs;
    if (cache->on) {
        change.prompt = plan->translated != NULL ? plan->translated->prompt : &exchange->prompt;
        change.marks = cache->marks;
        change.hour_marks = cache->hour_marks;
        change.cache_key = cache_key(exchange);
        count(&exchange->worker->counters, COUNT_PROMPTS_MARKED, cache->marks != cache->hour_marks);
        count(&exchange->worker->counters, COUNT_PROMPTS_MARKED_HOUR, cache->hour_marks != 0);
        count(&exchange->worker->counters, COUNT_PROMPTS_KEYED, change.cache_key.len > 0);
    }
    return change;
}

/* In order of place. */
static size_t
make_splices(struct exchange *exchange, const struct request_change *change, struct splice *out)
{
    size_t count = request_splices(&exchange->facts, chunk_bytes(exchange->body), change, &exchange->arena, out);

    if (elements_splice(exchange, &out[count])) {
        count++;
        splices_sort(out, count);
    }
    return count;
}

static size_t
make_translated_splices(struct exchange *exchange, const struct request_change *change, struct splice *out)
{
    size_t count = 0;

    if (change->prompt != NULL)
        count = prompt_splices(change->prompt, change->marks, change->hour_marks, change->cache_key,
                               chunk_bytes(exchange->plan->translated->rest), &exchange->arena, out);
    splices_sort(out, count);
    return count;
}

/* The body from there on, but for the splices. Returns how many pieces. */
static size_t
cut_parts(struct chunk *body, size_t from, const struct splice *splices, size_t splice_count, struct body_part *out)
{
    struct slice bytes = chunk_bytes(body);
    size_t count = 0, at = from;

    for (size_t i = 0; i < splice_count; i++) {
        ENSURE(splices[i].at >= at && splices[i].at + splices[i].len <= bytes.len);
        if (splices[i].at > at)
            out[count++] = (struct body_part){slice_make(bytes.data + at, splices[i].at - at), body};
        out[count++] = (struct body_part){splices[i].with, NULL};
        at = splices[i].at + splices[i].len;
    }
    if (at < bytes.len)
        out[count++] = (struct body_part){slice_from(bytes, at), body};
    return count;
}

/* The body as it came, or in other words, but for the splices. */
static size_t
make_parts(struct exchange *exchange, struct body_part *out)
{
    const struct translated *translated = exchange->plan->translated;
    struct request_change change = make_change(exchange);
    struct splice splices[SPLICES_MOST];
    size_t count;

    if (translated == NULL) {
        count = make_splices(exchange, &change, splices);
        return cut_parts(exchange->body, 0, splices, count, out);
    }
    count = make_translated_splices(exchange, &change, splices);
    out[0] = (struct body_part){cross_head(exchange, &change), NULL};
    return 1 + cut_parts(translated->rest, 1, splices, count, &out[1]);
}

struct slice
send_body(struct exchange *exchange)
{
    struct body_part parts[2 * SPLICES_MOST + 1];
    size_t count = make_parts(exchange, parts);
    struct buffer body = {0};
    struct slice copy;

    if (count == 1)
        return parts[0].bytes;
    for (size_t i = 0; i < count; i++)
        buffer_add(&body, parts[i].bytes);
    copy = arena_copy(&exchange->arena, buffer_content(&body));
    buffer_free(&body);
    return copy;
}

/* The path at the backend, with the query that it wants. */
static struct slice
make_target(struct exchange *exchange)
{
    const struct backend_config *backend = exchange->plan->target->backend;
    struct slice path = exchange->plan->source == SOURCE_PASSTHROUGH ? exchange->identity.passthrough_target
                                                                     : slice_of(api_path(exchange->plan->api));
    bool has_query = slice_find_byte(path, '?') < path.len;
    const char *base = backend->base_path != NULL ? backend->base_path : "";

    if (backend->query == NULL && base[0] == '\0')
        return path;
    if (backend->query == NULL)
        return slice_of(arena_printf(&exchange->arena, "%s%.*s", base, SLICE_ARGS(path)));
    return slice_of(
        arena_printf(&exchange->arena, "%s%.*s%c%s", base, SLICE_ARGS(path), has_query ? '&' : '?', backend->query));
}

static void
on_writable(void *context)
{
    send_upload(context);
}

static struct expectation
expectation_of(const struct exchange *exchange)
{
    return experience_expect(exchange->plan->facts->experience, 500000);
}

static struct replica_wish
wish_of(const struct exchange *exchange, const struct expectation *expectation)
{
    struct replica_wish wish = estimate_wish(&exchange->request, expectation);

    wish.matched_tokens = exchange->choice.matched_tokens;
    wish.streamed = exchange->facts.stream;
    return wish;
}

static void
take_ticket(struct exchange *exchange, struct flight *flight, const struct replica_wish *wish,
            const struct expectation *expectation)
{
    const struct target_facts *facts = exchange->plan->facts;
    struct replica_wish learned = *wish;

    learned.fit = facts->standing.fit;
    flight_ticket_take(flight, facts->standing.seats[exchange->seat].replica, &learned,
                       expectation->bytes_per_output_token);
}

static struct flight *open_flight(struct exchange *exchange, const char *secret, const struct call_request *request,
                                  const struct replica_wish *wish, const struct expectation *expectation);

void
send_join(struct exchange *exchange, struct flight *flight, void (*wake)(struct cursor *))
{
    flight->context = exchange;
    admit_hand_over(exchange, flight);
    outcome_gather(exchange, flight);
    idempotency_watch(exchange, flight);
    cached_watch(exchange, flight);
    audit_watch(exchange, flight);
    mission_gather(exchange, flight);
    ceiling_watch(exchange, flight);
    cascading_watch(exchange);
    exchange->booked = false;
    exchange->keeps_attempt = false;
    cursor_join(&exchange->cursor, flight, wake);
    flight_release(flight); /* the cursor holds it */
}

void
send_flight(struct exchange *exchange, void (*wake)(struct cursor *))
{
    struct http_header headers[EXCHANGE_HEADERS_MOST];
    struct body_part parts[2 * SPLICES_MOST + 1];
    bool streamed = exchange->plan->source == SOURCE_PASSTHROUGH;
    struct call_request request = {
        .endpoint = reach_pick(exchange),
        .method = exchange->head.method,
        .target = make_target(exchange),
        .headers = headers,
        .header_count = make_headers(exchange, exchange->secret, headers),
        .parts = parts,
        .part_count = streamed ? 0 : make_parts(exchange, parts),
        .fresh = exchange->fresh,
        .streamed = streamed && exchange->head.body_len != 0,
        .stream_len = exchange->head.body_len,
    };
    struct expectation expectation = expectation_of(exchange);
    struct replica_wish wish = wish_of(exchange, &expectation);
    struct flight *flight = open_flight(exchange, exchange->secret, &request, &wish, &expectation);

    prefixes_watch(exchange, flight);
    flight->writable = on_writable;
    send_join(exchange, flight, wake);
    if (streamed)
        send_upload(exchange);
}

static size_t
shared_headers(struct http_header *headers, size_t count, bool (*shares)(struct slice name))
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++)
        if (shares(headers[i].name))
            headers[kept++] = headers[i];
    return kept;
}

/* All are where the first one is. What the call says of the place is learned by that one. */
static const struct endpoint *
pick_together(struct exchange *const *exchanges, size_t count)
{
    const struct endpoint *endpoint = reach_pick(exchanges[0]);

    for (size_t i = 1; i < count; i++)
        reach_go_along(exchanges[i], exchanges[0]);
    return endpoint;
}

struct flight *
send_together(struct exchange *const *exchanges, size_t count, const char *secret, struct slice body,
              bool (*shares)(struct slice name))
{
    struct exchange *first = exchanges[0];
    struct http_header headers[EXCHANGE_HEADERS_MOST];
    struct body_part part = {body, NULL};
    struct call_request request = {
        .endpoint = pick_together(exchanges, count),
        .method = first->head.method,
        .target = make_target(first),
        .headers = headers,
        .header_count = make_headers(first, secret, headers),
        .parts = &part,
        .part_count = 1,
    };
    struct expectation expectation = expectation_of(first); /* all go to the same target */
    struct replica_wish wish = {0};

    if (count > 1)
        request.header_count = shared_headers(headers, request.header_count, shares);
    for (size_t i = 0; i < count; i++) {
        ENSURE(destination_allowed(exchanges[i]->identity.tenant, first->plan->target->backend));
        wish.prompt_tokens += wish_of(exchanges[i], &expectation).prompt_tokens;
    }
    return open_flight(first, secret, &request, &wish, &expectation);
}

/* Here is the last place before anything is sent; the balance has seen to it. */
static struct flight *
open_flight(struct exchange *exchange, const char *secret, const struct call_request *request,
            const struct replica_wish *wish, const struct expectation *expectation)
{
    struct flight *flight;

    ENSURE(destination_allowed(exchange->identity.tenant, exchange->plan->target->backend));
    flight = flight_open(worker_world(exchange->worker), &exchange->worker->flights, exchange->plan->target,
                         exchange->plan->api, request);
    count(&exchange->worker->counters, COUNT_TRANSLATED, exchange->plan->translated != NULL);
    if (exchange->plan->translated != NULL)
        flight_translate(flight, exchange->identity.api, exchange->request.config->limits.answer_max,
                         exchange->plan->translated->echo, slice_of(exchange->id_text));
    else if (exchange->plan->asks_logprobs && !exchange->facts.logprobs.asked)
        flight_hide_logprobs(flight, exchange->request.config->limits.answer_max);
    exchange->asked_logprobs |= exchange->plan->asks_logprobs && !exchange->facts.logprobs.asked;
    take_ticket(exchange, flight, wish, expectation);
    flight->secret = arena_copy(&flight->arena, slice_of(secret));
    return flight;
}

void
send_upload(struct exchange *exchange)
{
    struct world *world = worker_world(exchange->worker);
    struct flight *flight = exchange->cursor.flight;
    bool streams = exchange->head.body_len != 0 && !exchange->upload_sent;

    if (flight != NULL && flight_over(flight))
        buffer_clear(&exchange->upload); /* the backend has answered without wanting the rest */
    else if (flight != NULL && streams && (buffer_len(&exchange->upload) > 0 || exchange->upload_ended)) {
        size_t len = buffer_len(&exchange->upload);
        size_t taken =
            world->ops->call_write(world, &flight->call, buffer_content(&exchange->upload), exchange->upload_ended);

        buffer_consume(&exchange->upload, taken);
        exchange->upload_sent = exchange->upload_ended && taken == len;
    }
    if (exchange->client != NULL && !exchange->upload_ended)
        world->ops->client_pause(world, exchange->client, buffer_len(&exchange->upload) > 0);
}
