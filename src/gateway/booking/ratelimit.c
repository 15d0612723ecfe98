#include "gateway/booking/ratelimit.h"

#include "base/text.h"
#include "gateway/booking/reserve.h"

/* Every answer carries these where a budget of requests or tokens applies: they are put together by hand. */
struct unit_names {
    struct slice limit, remaining, reset;
};

static const struct unit_names unit_names[BUDGET_UNITS] = {
    [BUDGET_REQUESTS] = {SLICE_CONSTANT("x-ratelimit-limit-requests"), SLICE_CONSTANT("x-ratelimit-remaining-requests"),
                         SLICE_CONSTANT("x-ratelimit-reset-requests")},
    [BUDGET_TOKENS] = {SLICE_CONSTANT("x-ratelimit-limit-tokens"), SLICE_CONSTANT("x-ratelimit-remaining-tokens"),
                       SLICE_CONSTANT("x-ratelimit-reset-tokens")},
};

static struct slice
print_number(struct arena *arena, int64_t number)
{
    char *text = arena_alloc(arena, TEXT_U64_SIZE);

    return slice_make(text, text_format_u64((uint64_t)number, text));
}

static size_t
put_part(char *out, int64_t number, char unit)
{
    size_t len = text_format_u64((uint64_t)number, out);

    out[len] = unit;
    return len + 1;
}

/* A span as OpenAI writes it: "1s", "6m0s", "23h59m59s"; rounded up. In the arena. */
static struct slice
print_span(struct arena *arena, usec span_us)
{
    int64_t seconds = span_us > 0 ? (span_us + USEC_PER_S - 1) / USEC_PER_S : 0;
    int64_t minutes = seconds / 60, hours = minutes / 60;
    char *text = arena_alloc(arena, 3 * (TEXT_U64_SIZE + 1));
    size_t len = 0;

    if (hours > 0)
        len += put_part(text, hours, 'h');
    if (minutes > 0)
        len += put_part(text + len, minutes % 60, 'm');
    len += put_part(text + len, seconds % 60, 's');
    return slice_make(text, len);
}

static size_t
put_unit(struct exchange *exchange, enum budget_unit unit, struct http_header *out)
{
    const struct unit_names *names = &unit_names[unit];
    struct arena *arena = &exchange->arena;
    struct budget_info info;
    int64_t left;

    if (!reserve_tightest(exchange, unit, &info))
        return 0;
    left = info.spent < info.rule.limit - info.reserved ? info.rule.limit - info.reserved - info.spent : 0;
    out[0] = (struct http_header){names->limit, print_number(arena, info.rule.limit)};
    out[1] = (struct http_header){names->remaining, print_number(arena, left)};
    out[2] = (struct http_header){names->reset,
                                  print_span(arena, info.end_wall_us - world_wall_us(worker_world(exchange->worker)))};
    return 3;
}

size_t
ratelimit_headers(struct exchange *exchange, struct http_header *out)
{
    size_t count;

    if (exchange->reservation == NULL)
        return 0;
    count = put_unit(exchange, BUDGET_REQUESTS, out);
    return count + put_unit(exchange, BUDGET_TOKENS, &out[count]);
}

bool
ratelimit_replaces(const struct exchange *exchange, struct slice name)
{
    const struct reservation *r = exchange->reservation;

    if (r == NULL || !slice_is_nocase(slice_first(name, 12), "x-ratelimit-"))
        return false;
    return (r->has_requests && slice_is_nocase(slice_from(name, name.len - 9), "-requests")) ||
           (r->has_tokens && slice_is_nocase(slice_from(name, name.len - 7), "-tokens"));
}
