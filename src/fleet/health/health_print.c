#include <inttypes.h>

#include "fleet/health/health.h"

static void
print_pulses(struct map *map, usec now_us, struct buffer *out)
{
    size_t at = 0;
    struct slice name;
    void *value;

    buffer_add_text(out, "# HELP equipoise_endpoint_up 1 while this endpoint answers questions for its health\n"
                         "# TYPE equipoise_endpoint_up gauge\n");
    while (map_next(map, &at, &name, &value)) {
        const struct health *health = value;
        enum pulse_state state = pulse_state(&health->pulse, now_us);

        if (pulse_until_us(&health->pulse) != 0 && health->tenure.gone_us == 0)
            buffer_printf(out, "equipoise_endpoint_up{endpoint=\"%.*s\",state=\"%s\"} %d\n", SLICE_ARGS(name),
                          pulse_state_name(state), state == PULSE_UP);
    }
}

static void
print_quotas(struct map *map, usec now_us, struct buffer *out)
{
    static const char *const units[] = {[LIMIT_REQUESTS] = "requests", [LIMIT_TOKENS] = "tokens"};
    size_t at = 0;
    struct slice name;
    void *value;

    buffer_add_text(out, "# HELP equipoise_account_left What is left of an account's rate limit now\n"
                         "# TYPE equipoise_account_left gauge\n");
    while (map_next(map, &at, &name, &value))
        for (unsigned unit = 0; unit < LIMIT_UNITS; unit++) {
            int64_t left = quota_left(&((struct account *)value)->quota, (enum limit_unit)unit, now_us);

            if (left != INT64_MAX)
                buffer_printf(out, "equipoise_account_left{account=\"%.*s\",unit=\"%s\"} %" PRId64 "\n",
                              SLICE_ARGS(name), units[unit], left);
        }
}

static void
print_each(struct map *map, const char *label, bool ejections, struct buffer *out)
{
    size_t at = 0;
    struct slice name;
    void *value;

    while (map_next(map, &at, &name, &value)) {
        struct health *health = value;
        uint64_t count;
        bool is_out;

        lock_take(&health->lock);
        count = health->ejections;
        is_out = atomic_load_explicit(&health->out_until_us, memory_order_relaxed) != 0;
        lock_drop(&health->lock);
        if (ejections || health->tenure.gone_us == 0) /* of what is gone only counters are read to their end */
            buffer_printf(out, "equipoise_%s_%s{%s=\"%.*s\"} %" PRIu64 "\n", label,
                          ejections ? "ejections_total" : "ejected", label, SLICE_ARGS(name),
                          ejections ? count : (uint64_t)is_out);
    }
}

void
healths_print(struct healths *healths, usec now_us, struct buffer *out)
{
    static const struct {
        const char *label, *words;
    } kinds[] = {{"endpoint", "this endpoint"}, {"account", "this backend's account, for its spend limit,"}};
    struct map *const maps[] = {&healths->endpoints, &healths->accounts};

    lock_take(&healths->lock);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        buffer_printf(out,
                      "# HELP equipoise_%s_ejected 1 while %s is left alone but for probes\n"
                      "# TYPE equipoise_%s_ejected gauge\n",
                      kinds[i].label, kinds[i].words, kinds[i].label);
        print_each(maps[i], kinds[i].label, false, out);
        buffer_printf(out,
                      "# HELP equipoise_%s_ejections_total How often %s was ejected\n"
                      "# TYPE equipoise_%s_ejections_total counter\n",
                      kinds[i].label, kinds[i].words, kinds[i].label);
        print_each(maps[i], kinds[i].label, true, out);
        if (i == 0 && healths->forgotten_count > 0)
            buffer_printf(out, "equipoise_endpoint_ejections_total{endpoint=\"%s\"} %" PRIu64 "\n", TENURE_FORGOTTEN,
                          healths->forgotten_ejections);
    }
    print_pulses(&healths->endpoints, now_us, out);
    print_quotas(&healths->quotas, now_us, out);
    lock_drop(&healths->lock);
}
