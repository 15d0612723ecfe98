/* The stored answers on the metrics page. */
#include <inttypes.h>

#include "cache/store.h"
#include "gateway/cached.h"

static void
put_number(struct buffer *out, const char *name, const char *kind, const char *help, uint64_t number)
{
    buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %" PRIu64 "\n", name, help, name, kind, name, number);
}

/* Of what would have been without stored answers. */
static void
put_share(struct buffer *out, const char *of, int64_t served, int64_t rest)
{
    double all = (double)served + (double)rest;

    buffer_printf(out, "equipoise_cache_hit_ratio{of=\"%s\"} %.6f\n", of, all > 0.0 ? (double)served / all : 0.0);
}

static void
put_shares(const struct gateway *gateway, struct buffer *out)
{
    int64_t hits = gateway_count(gateway, COUNT_CACHE_HITS), requests = gateway_count(gateway, COUNT_REQUESTS);

    buffer_add_text(out, "# HELP equipoise_cache_hit_ratio Share that stored answers served since the start: of all "
                         "requests, of tokens and dollars that would have been bought without them\n"
                         "# TYPE equipoise_cache_hit_ratio gauge\n");
    put_share(out, "requests", hits, requests > hits ? requests - hits : 0);
    put_share(out, "tokens", gateway_count(gateway, COUNT_CACHE_TOKENS),
              gateway_count(gateway, COUNT_INPUT_TOKENS) + gateway_count(gateway, COUNT_OUTPUT_TOKENS));
    put_share(out, "usd", gateway_count(gateway, COUNT_CACHE_SAVED_PICO), gateway_count(gateway, COUNT_COST_PICO));
}

void
cached_print(const struct gateway *gateway, struct buffer *out)
{
    struct cache_stats stats;

    cache_stats(gateway->cache, &stats);
    put_shares(gateway, out);
    put_number(out, "equipoise_cache_entries", "gauge", "Answers stored for equal requests", stats.entries);
    put_number(out, "equipoise_cache_bytes", "gauge", "What they take, everything included", stats.bytes);
    put_number(out, "equipoise_cache_bytes_limit", "gauge", "What they may take (cache: bytes)", stats.bytes_most);
    put_number(out, "equipoise_cache_stored_total", "counter", "Answers that were stored", stats.stored);
    put_number(out, "equipoise_cache_refused_total", "counter",
               "Answers that were not: too large, worth less than what is there, or a purge came between",
               stats.refused);
    put_number(out, "equipoise_cache_evicted_total", "counter", "Stored answers that made room for others",
               stats.evicted);
    put_number(out, "equipoise_cache_expired_total", "counter", "Stored answers that were past their time",
               stats.expired);
    put_number(out, "equipoise_cache_purged_total", "counter", "Stored answers that were purged", stats.purged);
}
