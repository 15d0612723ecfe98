/* Back to the client: the head written afresh, the body as it came, errors in the client's own dialect. */
#include "base/text.h"
#include "gateway/attempt/headers.h"
#include "gateway/booking/ceiling.h"
#include "gateway/booking/ratelimit.h"
#include "gateway/exchange.h"
#include "gateway/flight/share.h"
#include "gateway/idempotency.h"
#include "gateway/reuse/cached.h"

enum { OWN_HEADERS = 11 + RATELIMIT_HEADERS };

static void
put_header(struct http_header *headers, size_t *count, const char *name, struct slice value)
{
    headers[(*count)++] = (struct http_header){slice_of(name), value};
}

static struct slice
money(struct arena *arena, usd amount)
{
    char *text = arena_alloc(arena, USD_TEXT_SIZE);

    usd_format(amount, text);
    return slice_of(text);
}

/* What we say of an answer. Its cost is known in the head only when the answer is whole by then. */
static void
put_own_headers(struct exchange *exchange, struct http_header *headers, size_t *count)
{
    const struct flight *flight = exchange->cursor.flight;
    usd baseline, saved;

    put_header(headers, count, "x-equipoise-id", slice_of(exchange->id_text));
    if (exchange->plan == NULL) {
        const struct kept_answer *answer = exchange->claim->replay;

        put_header(headers, count, "idempotent-replayed", SLICE_LITERAL("true"));
        put_header(headers, count, "x-equipoise-source", SLICE_LITERAL("replayed"));
        put_header(headers, count, "x-equipoise-model", arena_copy(&exchange->arena, slice_of(answer->target)));
    } else {
        put_header(headers, count, "x-equipoise-source", slice_of(source_name(exchange->plan->source)));
        put_header(headers, count, "x-equipoise-model", slice_of(plan_model(exchange->plan)));
        if (exchange->plan->source == SOURCE_CACHED)
            put_header(headers, count, "age", cached_age(exchange));
    }
    if (flight->is_stream || flight->state != FLIGHT_COMPLETE)
        return;
    settle_attempt(exchange);
    share_end(exchange);
    if (!usd_known(exchange->cost))
        return;
    put_header(headers, count, "x-equipoise-cost-usd", money(&exchange->arena, exchange->cost));
    baseline = settle_baseline(exchange);
    if (usd_known(baseline) && usd_sub(baseline, exchange->cost, &saved) == OK)
        put_header(headers, count, "x-equipoise-saved-usd", money(&exchange->arena, saved));
}

/* An answer to HEAD tells the length that GET would have (RFC 9110, 8.6). */
static int64_t
answer_len(const struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;
    const struct http_head head = {.headers = flight->told_headers, .header_count = flight->told_header_count};
    uint64_t stated;

    if (slice_is(exchange->head.method, "HEAD"))
        return text_parse_u64(http_head_get(&head, "content-length"), &stated) == OK && stated <= INT64_MAX
                   ? (int64_t)stated
                   : -1;
    if (flight->is_stream)
        return -1;
    return flight->state == FLIGHT_COMPLETE ? (int64_t)flight->kept : flight->body_len;
}

/* Shall the client be told not to try again? SDKs repeat 408, 409, 429 and 5xx twice of their own accord. Where waiting
 * cannot help, or where we have tried again in the client's name already, that would only multiply calls. A backend that
 * just has too much to do is another matter: such a refusal costs nothing, and the client may well come again. */
static bool
forbids_retry(const struct exchange *exchange, unsigned status)
{
    if (exchange->said.spend_limit)
        return true;
    return exchange->attempts > 1 && (status >= 500 || status == 408) && exchange->said.retry_after_us == 0;
}

void
answer_open(struct exchange *exchange)
{
    const struct flight *flight = exchange->cursor.flight;
    const struct hop_names hops = hop_names_of(flight->told_headers, flight->told_header_count);
    struct http_header headers[EXCHANGE_HEADERS_MOST];
    bool names_request = false, forbids = flight->told_status >= 400 && forbids_retry(exchange, flight->told_status);
    size_t count = 0;

    for (size_t i = 0; i < flight->told_header_count && count + OWN_HEADERS < EXCHANGE_HEADERS_MOST; i++) {
        if (!header_goes_down(&hops, flight->told_headers[i].name) ||
            (forbids && slice_is_nocase(flight->told_headers[i].name, "x-should-retry")) ||
            ratelimit_replaces(exchange, flight->told_headers[i].name))
            continue;
        names_request |= slice_is_nocase(flight->told_headers[i].name, "x-request-id");
        headers[count++] = flight->told_headers[i];
    }
    if (!names_request)
        put_header(headers, &count, "x-request-id", slice_of(exchange->id_text));
    if (forbids)
        put_header(headers, &count, "x-should-retry", SLICE_LITERAL("false"));
    put_own_headers(exchange, headers, &count);
    count += ratelimit_headers(exchange, &headers[count]);
    client_answer(exchange->client, &(struct http_answer){.status = flight->told_status,
                                                          .headers = headers,
                                                          .header_count = count,
                                                          .body_len = answer_len(exchange)});
}

/* An SSE comment: no client takes it for part of the answer. */
static void
tell_cost(struct exchange *exchange)
{
    char cost[USD_TEXT_SIZE];

    exchange->told_cost = true;
    usd_format(settle_cost_now(exchange), cost);
    buffer_printf(&exchange->pending, ": equipoise id=%s cost-usd=%s\n\n", exchange->id_text, cost);
}

/* True if all of `pending` is out. */
static bool
pump_pending(struct exchange *exchange)
{
    struct slice left = buffer_content(&exchange->pending);

    if (left.len > 0)
        buffer_consume(&exchange->pending, client_write(exchange->client, left));
    return buffer_len(&exchange->pending) == 0;
}

bool
answer_pump(struct exchange *exchange)
{
    struct cursor *cursor = &exchange->cursor;

    while (pump_pending(exchange)) {
        struct flight_chunk *chunk = cursor->at;
        struct slice bytes = cursor_bytes(cursor);
        size_t taken;

        if (chunk == NULL || exchange->ending_stream)
            return true;
        if (chunk->usage_only && !exchange->facts.usage_asked) {
            cursor_advance(cursor, bytes.len);
            continue;
        }
        if (chunk->last_event && exchange->wants_cost && !exchange->told_cost && share_unbilled(exchange) &&
            !flight_over(cursor->flight))
            return true; /* the part that it has to pay is known when the flight is over, which is now or soon */
        if (chunk->last_event && exchange->wants_cost && !exchange->told_cost) {
            tell_cost(exchange);
            continue;
        }
        exchange->open_event = chunk->open_event;
        taken = client_write(exchange->client, bytes);
        exchange->open_event |= taken < bytes.len;
        cursor_advance(cursor, taken);
        if (taken < bytes.len)
            return false;
    }
    return false;
}

void
answer_say_end(struct exchange *exchange)
{
    if (exchange->wants_cost && !exchange->told_cost && exchange->cursor.flight->state == FLIGHT_CLOSED)
        tell_cost(exchange);
    if (exchange->cursor.flight->state == FLIGHT_CLOSED) {
        ceiling_say_end(exchange);
        return;
    }
    answer_cut_event(exchange);
}

void
answer_cut_event(struct exchange *exchange)
{
    exchange->ending_stream = true;
    error_event(exchange->identity.api, ERROR_UPSTREAM,
                slice_of(arena_printf(&exchange->arena, "the answer was cut: %s",
                                      exchange->too_slow ? exchange->why : exchange->cursor.flight->why)),
                slice_of(exchange->id_text), &exchange->pending);
}

void
answer_ping(struct exchange *exchange)
{
    if (!exchange->open_event && buffer_len(&exchange->pending) == 0)
        buffer_add_text(&exchange->pending, ": ping\n\n");
}

void
answer_whole(struct client *client, unsigned status, const struct http_header *headers, size_t count, struct slice body)
{
    client_answer(client, &(struct http_answer){status, headers, count, (int64_t)body.len});
    if (client_write(client, body) == body.len)
        client_finish(client);
    else
        client_abort(client); /* it broke off this moment, or reads nothing */
}

void
answer_error(struct exchange *exchange, enum error_kind kind, const char *message)
{
    struct client *client = exchange->client;
    struct buffer *body = &exchange->pending;
    struct http_header headers[OWN_HEADERS];
    size_t count = 0;

    buffer_clear(body);
    error_body(exchange->identity.dialect, kind, slice_first(slice_of(message), 2048), slice_of(exchange->id_text),
               body);
    put_header(headers, &count, "content-type", SLICE_LITERAL("application/json"));
    put_header(headers, &count, "x-request-id", slice_of(exchange->id_text));
    put_header(headers, &count, "x-equipoise-id", slice_of(exchange->id_text));
    if (kind == ERROR_FORBIDDEN || kind == ERROR_OVER_BUDGET || kind == ERROR_RATE_LIMITED ||
        forbids_retry(exchange, error_status(kind)))
        put_header(headers, &count, "x-should-retry", SLICE_LITERAL("false"));
    if (exchange->retry_after_us > 0)
        put_header(headers, &count, "retry-after",
                   slice_of(arena_printf(&exchange->arena, "%lld",
                                         (long long)((exchange->retry_after_us + USEC_PER_S - 1) / USEC_PER_S))));
    count += ratelimit_headers(exchange, &headers[count]);
    exchange->client = NULL;
    answer_whole(client, error_status(kind), headers, count, buffer_content(body));
}

/* What goes with a status so that its reader knows better: RFC 9110, 11.6.1, 15.5.6 and 15.5.16. */
static size_t
say_what_is_wanted(enum error_kind kind, struct http_header *out)
{
    static const struct {
        enum error_kind kind;
        const char *name, *value;
    } wanted[] = {{ERROR_UNKNOWN_KEY, "www-authenticate", "Bearer"},
                  {ERROR_WANTS_POST, "allow", "POST"},
                  {ERROR_WANTS_GET, "allow", "GET, HEAD"},
                  {ERROR_CODING, "accept-encoding", "identity"}};
    size_t count = 0;

    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        if (wanted[i].kind == kind)
            put_header(out, &count, wanted[i].name, slice_of(wanted[i].value));
    return count;
}

void
answer_refusal(struct gateway_worker *worker, struct client *client, enum dialect dialect, enum error_kind kind,
               const char *message)
{
    struct http_header headers[2] = {{SLICE_LITERAL("content-type"), SLICE_LITERAL("application/json")}};
    size_t count = 1 + say_what_is_wanted(kind, &headers[1]);

    buffer_clear(&worker->text);
    error_body(dialect, kind, slice_first(slice_of(message), 2048), SLICE_NONE, &worker->text);
    answer_whole(client, error_status(kind), headers, count, buffer_content(&worker->text));
}
