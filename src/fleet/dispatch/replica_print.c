#include "fleet/dispatch/replica.h"

#include <inttypes.h>

#include "fleet/dispatch/prefix_index.h"

/* A metric of each replica. */
struct metric {
    const char *name, *type, *words;
    double (*of)(const struct replica_look *look);
};

static double
in_flight(const struct replica_look *look)
{
    return (double)look->now.requests;
}

static double
filling(const struct replica_look *look)
{
    return (double)look->now.filling;
}

static double
context(const struct replica_look *look)
{
    return (double)look->now.context_tokens;
}

static double
wait(const struct replica_look *look)
{
    return (double)look->wait_us / USEC_PER_S;
}

static double
dispatched(const struct replica_look *look)
{
    return (double)look->totals.taken;
}

static double
busy(const struct replica_look *look)
{
    return (double)look->totals.busy_us / USEC_PER_S;
}

static double
sent(const struct replica_look *look)
{
    return (double)look->totals.sent_tokens;
}

static double
expected(const struct replica_look *look)
{
    return (double)look->totals.matched_tokens;
}

static double
seen(const struct replica_look *look)
{
    return (double)look->totals.cached_tokens;
}

static double
trust(const struct replica_look *look)
{
    return look->trust;
}

static const struct metric metrics[] = {
    {"in_flight", "gauge", "Requests of ours there", in_flight},
    {"filling", "gauge", "Of these, whose prompts are being computed or wait for it", filling},
    {"context_tokens", "gauge", "Tokens of prompts and answers that its cache holds for us, about", context},
    {"wait_seconds", "gauge", "Until the prompts that are there are computed, by its model", wait},
    {"dispatched_total", "counter", "Requests that were sent there", dispatched},
    {"busy_seconds_total", "counter", "Time with at least one request of ours there", busy},
    {"prompt_tokens_total", "counter", "Tokens of prompts that were sent there, expected", sent},
    {"prefix_expected_tokens_total", "counter", "Of these, what it was expected to know already", expected},
    {"prefix_seen_tokens_total", "counter", "What it said that it knew, in answers' usage", seen},
    {"prefix_trust", "gauge", "The share of what it is expected to know that it knows, of late", trust},
};

/* Of what is gone, and where nothing of ours is left, nothing is so now; but counters are read to their end. */
static bool
is_shown(const struct replica *replica, const struct replica_look *look, bool counts)
{
    return counts || replica->tenure.gone_us == 0 || look->now.requests > 0;
}

/* Those that are forgotten go on in one line, so that sums over all never go back. */
static void
print_forgotten(const struct replicas *replicas, const struct metric *metric, struct buffer *out)
{
    const struct replica_look look = {.totals = replicas->forgotten};

    if (replicas->forgotten_count > 0)
        buffer_printf(out, "equipoise_replica_%s{endpoint=\"%s\"} %.10g\n", metric->name, TENURE_FORGOTTEN,
                      metric->of(&look));
}

static void
print_metric(struct replicas *replicas, const struct metric *metric, usec now_us, struct buffer *out)
{
    bool counts = metric->type[0] == 'c';
    size_t at = 0;
    struct slice name;
    void *value;

    buffer_printf(out, "# HELP equipoise_replica_%s %s\n# TYPE equipoise_replica_%s %s\n", metric->name, metric->words,
                  metric->name, metric->type);
    while (map_next(&replicas->by_name, &at, &name, &value)) {
        struct replica_look look;

        replica_look(value, now_us, &look);
        if (is_shown(value, &look, counts))
            buffer_printf(out, "equipoise_replica_%s{endpoint=\"%.*s\"} %.10g\n", metric->name, SLICE_ARGS(name),
                          metric->of(&look));
    }
    if (counts)
        print_forgotten(replicas, metric, out);
}

void
replicas_print(struct replicas *replicas, usec now_us, struct buffer *out)
{
    struct prefix_index *index = atomic_load_explicit(&replicas->index, memory_order_acquire);
    struct prefix_index_stats stats = {0};

    lock_take(&replicas->lock);
    for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
        print_metric(replicas, &metrics[i], now_us, out);
    lock_drop(&replicas->lock);
    if (index != NULL)
        prefix_index_stats(index, &stats);
    buffer_printf(
        out,
        "# HELP equipoise_prefix_index_entries Beginnings of prompts that some engine is expected to know, each "
        "counted where it is\n# TYPE equipoise_prefix_index_entries gauge\n"
        "equipoise_prefix_index_entries %" PRIu64 "\n",
        stats.kept);
    buffer_printf(out,
                  "# HELP equipoise_prefix_index_evicted_total Entries that made way for others\n"
                  "# TYPE equipoise_prefix_index_evicted_total counter\nequipoise_prefix_index_evicted_total %" PRIu64
                  "\n",
                  stats.evicted);
}
