#include "fleet/told_print.h"

#include "fleet/told.h"

struct gauge {
    const char *name, *labels, *help; /* of a name with several lines only the first has help */
    double (*of)(const struct replica_look *look, usec now_us);
};

static double
age_of(const struct replica_look *look, usec now_us)
{
    return now_us > look->told.at_us ? (double)(now_us - look->told.at_us) / 1e6 : 0;
}

static double
queued_of(const struct replica_look *look, usec now_us)
{
    (void)now_us;
    return look->told.queued;
}

static double
running_of(const struct replica_look *look, usec now_us)
{
    (void)now_us;
    return look->told.running;
}

static double
others_of(const struct replica_look *look, usec now_us)
{
    (void)now_us;
    return look->told.others;
}

static double
kv_of(const struct replica_look *look, usec now_us)
{
    (void)now_us;
    return look->told.kv_share;
}

static double
prompt_rate_of(const struct replica_look *look, usec now_us)
{
    (void)now_us;
    return look->told.prompt_per_s;
}

static double
generated_rate_of(const struct replica_look *look, usec now_us)
{
    (void)now_us;
    return look->told.generated_per_s;
}

static double
asked_of(const struct replica_look *look, usec now_us)
{
    (void)now_us;
    return (double)look->told.prefix_asked;
}

static double
found_of(const struct replica_look *look, usec now_us)
{
    (void)now_us;
    return (double)look->told.prefix_found;
}

static double
preemptions_of(const struct replica_look *look, usec now_us)
{
    (void)now_us;
    return (double)look->told.preemptions;
}

static const struct gauge gauges[] = {
    {"age_seconds", "", "How old what the engine told of itself is", age_of},
    {"requests", ",state=\"queued\"", "Requests there, as the engine told; others: those that are not ours", queued_of},
    {"requests", ",state=\"running\"", NULL, running_of},
    {"requests", ",state=\"others\"", NULL, others_of},
    {"kv_share", "", "Of its cache of keys and values in use, as the engine told, 0 to 1", kv_of},
    {"tokens_per_second", ",kind=\"prompt\"", "Tokens a second of late, as the engine's counters tell", prompt_rate_of},
    {"tokens_per_second", ",kind=\"generated\"", NULL, generated_rate_of},
    {"prefix_tokens", ",result=\"asked\"",
     "Tokens of prompts looked up in its prefix cache since it started, and found", asked_of},
    {"prefix_tokens", ",result=\"found\"", NULL, found_of},
    {"preemptions", "", "Requests put back since it started, as its memory ran out", preemptions_of},
};

static void
print_gauge(struct replicas *replicas, const struct gauge *gauge, usec now_us, struct buffer *out)
{
    size_t at = 0;
    struct slice name;
    void *value;

    if (gauge->help != NULL)
        buffer_printf(out, "# HELP equipoise_replica_told_%s %s\n# TYPE equipoise_replica_told_%s gauge\n", gauge->name,
                      gauge->help, gauge->name);
    while (map_next(&replicas->by_name, &at, &name, &value)) {
        struct replica_look look;

        replica_look(value, now_us, &look);
        if (look.told.at_us != 0 && gauge->of(&look, now_us) >= 0)
            buffer_printf(out, "equipoise_replica_told_%s{endpoint=\"%.*s\"%s} %.10g\n", gauge->name, SLICE_ARGS(name),
                          gauge->labels, gauge->of(&look, now_us));
    }
}

void
told_print(struct replicas *replicas, usec now_us, struct buffer *out)
{
    lock_take(&replicas->lock);
    for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++)
        print_gauge(replicas, &gauges[i], now_us, out);
    lock_drop(&replicas->lock);
}
