#include "gateway/ratelimit.h"

#include <inttypes.h>

#include "gateway/reserve.h"

/* A span as OpenAI writes it: "1s", "6m0s", "23h59m59s"; rounded up. In the arena. */
static struct slice
print_span(struct arena *arena, usec span_us)
{
    int64_t seconds = span_us > 0 ? (span_us + USEC_PER_S - 1) / USEC_PER_S : 0;
    int64_t minutes = seconds / 60, hours = minutes / 60;

    if (hours > 0)
        return slice_of(arena_printf(arena, "%" PRId64 "h%" PRId64 "m%" PRId64 "s", hours, minutes % 60, seconds % 60));
    if (minutes > 0)
        return slice_of(arena_printf(arena, "%" PRId64 "m%" PRId64 "s", minutes, seconds % 60));
    return slice_of(arena_printf(arena, "%" PRId64 "s", seconds));
}

static size_t
put_unit(struct exchange *exchange, enum budget_unit unit, struct http_header *out)
{
    const char *name = budget_unit_name(unit);
    struct arena *arena = &exchange->arena;
    struct budget_info info;
    int64_t left;

    if (!reserve_tightest(exchange, unit, &info))
        return 0;
    left = info.spent < info.rule.limit - info.reserved ? info.rule.limit - info.reserved - info.spent : 0;
    out[0].name = slice_of(arena_printf(arena, "x-ratelimit-limit-%s", name));
    out[0].value = slice_of(arena_printf(arena, "%" PRId64, info.rule.limit));
    out[1].name = slice_of(arena_printf(arena, "x-ratelimit-remaining-%s", name));
    out[1].value = slice_of(arena_printf(arena, "%" PRId64, left));
    out[2].name = slice_of(arena_printf(arena, "x-ratelimit-reset-%s", name));
    out[2].value = print_span(arena, info.end_wall_us - world_wall_us(worker_world(exchange->worker)));
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
