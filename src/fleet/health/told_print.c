#include "fleet/health/told_print.h"

#include "fleet/health/told.h"

static const struct gauge {
    const char *name, *labels, *help; /* of a name with several lines only the first has help */
} gauges[] = {
    {"age_seconds", "", "How old what the engine told of itself is"},
    {"requests", ",state=\"queued\"", "Requests there, as the engine told; others: those that are not ours"},
    {"requests", ",state=\"running\"", NULL},
    {"requests", ",state=\"others\"", NULL},
    {"kv_share", "", "Of its cache of keys and values in use, as the engine told, 0 to 1"},
    {"tokens_per_second", ",kind=\"prompt\"", "Tokens a second of late, as the engine's counters tell"},
    {"tokens_per_second", ",kind=\"generated\"", NULL},
    {"prefix_tokens", ",result=\"asked\"",
     "Tokens of prompts looked up in its prefix cache since it started, and found"},
    {"prefix_tokens", ",result=\"found\"", NULL},
    {"preemptions", "", "Requests put back since it started, as its memory ran out"},
};

enum { GAUGES = sizeof(gauges) / sizeof(gauges[0]) };

/* In the order of the gauges; negative: not told. */
static void
read_gauges(const struct replica_told *told, usec now_us, double values[GAUGES])
{
    const double told_now[GAUGES] = {
        now_us > told->at_us ? (double)(now_us - told->at_us) / 1e6 : 0,
        told->queued,
        told->running,
        told->others,
        told->kv_share,
        told->prompt_per_s,
        told->generated_per_s,
        (double)told->prefix_asked,
        (double)told->prefix_found,
        (double)told->preemptions,
    };

    memcpy(values, told_now, sizeof(told_now));
}

static void
print_gauge(struct replicas *replicas, size_t which, usec now_us, struct buffer *out)
{
    const struct gauge *gauge = &gauges[which];
    size_t at = 0;
    struct slice name;
    void *value;

    if (gauge->help != NULL)
        buffer_printf(out, "# HELP equipoise_replica_told_%s %s\n# TYPE equipoise_replica_told_%s gauge\n", gauge->name,
                      gauge->help, gauge->name);
    while (map_next(&replicas->by_name, &at, &name, &value)) {
        struct replica_look look;
        double values[GAUGES];

        replica_look(value, now_us, &look);
        read_gauges(&look.told, now_us, values);
        if (((struct replica *)value)->tenure.gone_us == 0 && look.told.at_us != 0 && values[which] >= 0)
            buffer_printf(out, "equipoise_replica_told_%s{endpoint=\"%.*s\"%s} %.10g\n", gauge->name, SLICE_ARGS(name),
                          gauge->labels, values[which]);
    }
}

void
told_print(struct replicas *replicas, usec now_us, struct buffer *out)
{
    lock_take(&replicas->lock);
    for (size_t i = 0; i < GAUGES; i++)
        print_gauge(replicas, i, now_us, out);
    lock_drop(&replicas->lock);
}
