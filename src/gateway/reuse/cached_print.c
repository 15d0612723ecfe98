/* The stored answers on the metrics page. */
#include <inttypes.h>

#include "cache/store.h"
#include "gateway/reuse/cached.h"

static void
put_number(struct buffer *out, const char *name, const char *kind, const char *help, uint64_t number)
{
    buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %" PRIu64 "\n", name, help, name, kind, name, number);
}

/* What a lever served: of requests, tokens and dollars. */
struct served {
    enum lever_id lever;
    enum counter hits, more_hits, tokens, saved;
};

static const struct served levers[] = {
    {LEVER_EXACT_CACHE, COUNT_CACHE_HITS, COUNTER_COUNT, COUNT_CACHE_TOKENS, COUNT_CACHE_SAVED_PICO},
    {LEVER_SEMANTIC_CACHE, COUNT_SEMANTIC_HITS, COUNT_SEMANTIC_PROMOTED, COUNT_SEMANTIC_TOKENS,
     COUNT_SEMANTIC_SAVED_PICO},
};

enum { LEVERS_SERVING = sizeof(levers) / sizeof(levers[0]) };

static int64_t
served_tokens(const struct gateway *gateway)
{
    return gateway_count(gateway, COUNT_CACHE_TOKENS) + gateway_count(gateway, COUNT_SEMANTIC_TOKENS);
}

static int64_t
saved_pico(const struct gateway *gateway)
{
    return gateway_count(gateway, COUNT_CACHE_SAVED_PICO) + gateway_count(gateway, COUNT_SEMANTIC_SAVED_PICO);
}

static void
put_share(struct buffer *out, const struct served *served, const char *of, int64_t part, int64_t whole)
{
    buffer_printf(out, "equipoise_cache_hit_ratio{lever=\"%s\",of=\"%s\"} %.6f\n", lever_name(served->lever), of,
                  whole > 0 ? (double)part / (double)whole : 0.0);
}

static void
put_shares(const struct gateway *gateway, struct buffer *out)
{
    int64_t requests = gateway_count(gateway, COUNT_REQUESTS);
    int64_t tokens = gateway_count(gateway, COUNT_INPUT_TOKENS) + gateway_count(gateway, COUNT_OUTPUT_TOKENS);
    int64_t pico = gateway_count(gateway, COUNT_COST_PICO);

    buffer_add_text(out, "# HELP equipoise_cache_hit_ratio Share that stored answers served since the start: of all "
                         "requests, of tokens and dollars that would have been bought without them\n"
                         "# TYPE equipoise_cache_hit_ratio gauge\n");
    for (unsigned i = 0; i < LEVERS_SERVING; i++) {
        const struct served *served = &levers[i];
        int64_t hits = gateway_count(gateway, served->hits);

        if (served->more_hits != COUNTER_COUNT)
            hits += gateway_count(gateway, served->more_hits);
        put_share(out, served, "requests", hits, requests);
        put_share(out, served, "tokens", gateway_count(gateway, served->tokens), tokens + served_tokens(gateway));
        put_share(out, served, "usd", gateway_count(gateway, served->saved), pico + saved_pico(gateway));
    }
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
