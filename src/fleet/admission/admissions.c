/* The admissions of all backends. */
#include <stdlib.h>

#include "fleet/admission/admission.h"

void
admissions_init(struct admissions *all)
{
    lock_init(&all->lock);
    map_init(&all->by_name);
}

void
admissions_free(struct admissions *all)
{
    size_t at = 0;
    struct slice name;
    void *admission;

    while (map_next(&all->by_name, &at, &name, &admission)) {
        admission_free(admission);
        free(admission);
    }
    map_free(&all->by_name);
    lock_destroy(&all->lock);
}

size_t
admissions_busy(struct admissions *all)
{
    size_t at = 0, busy = 0;
    struct slice name;
    void *admission;
    struct admission_figures figures;

    lock_take(&all->lock);
    while (map_next(&all->by_name, &at, &name, &admission)) {
        admission_figures(admission, &figures);
        busy += figures.in_flight + figures.waiting;
    }
    lock_drop(&all->lock);
    return busy;
}

static int64_t
in_of(const struct admission_figures *figures)
{
    return (int64_t)figures->in_flight;
}

static int64_t
waiting_of(const struct admission_figures *figures)
{
    return (int64_t)figures->waiting;
}

static int64_t
tokens_of(const struct admission_figures *figures)
{
    return figures->tokens;
}

static int64_t
others_of(const struct admission_figures *figures)
{
    return figures->others_tokens;
}

static int64_t
limit_of(const struct admission_figures *figures)
{
    return figures->limit_tokens;
}

static int64_t
cuts_of(const struct admission_figures *figures)
{
    return (int64_t)figures->cuts;
}

static const struct gauge {
    const char *name, *type, *help;
    int64_t (*value)(const struct admission_figures *);
} gauges[] = {
    {"equipoise_admission_in_flight", "gauge", "Requests that were let in to a backend and are there", in_of},
    {"equipoise_admission_waiting", "gauge", "Requests in line for a backend", waiting_of},
    {"equipoise_admission_tokens", "gauge", "Tokens in flight there: input and half of the output", tokens_of},
    {"equipoise_admission_others_tokens", "gauge",
     "Tokens there that are not of this gateway's requests, as the engines tell", others_of},
    {"equipoise_admission_tokens_limit", "gauge", "Tokens that may be in flight there", limit_of},
    {"equipoise_admission_cuts_total", "counter", "Times that the limit was cut, as the backend had too much to do",
     cuts_of},
    {NULL, NULL, NULL, NULL},
};

void
admissions_print(struct admissions *all, struct buffer *out)
{
    for (const struct gauge *gauge = gauges; gauge->name != NULL; gauge++) {
        size_t at = 0;
        struct slice name;
        void *admission;
        struct admission_figures figures;

        buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", gauge->name, gauge->help, gauge->name, gauge->type);
        lock_take(&all->lock);
        while (map_next(&all->by_name, &at, &name, &admission)) {
            admission_figures(admission, &figures);
            buffer_printf(out, "%s{backend=\"%.*s\"} %lld\n", gauge->name, SLICE_ARGS(name),
                          (long long)gauge->value(&figures));
        }
        lock_drop(&all->lock);
    }
}

struct admission *
admissions_of(struct admissions *all, const char *name, const struct admission_pace *pace)
{
    struct admission *admission;

    lock_take(&all->lock);
    admission = map_get(&all->by_name, slice_of(name));
    if (admission == NULL) {
        admission = must_alloc(sizeof(*admission));
        admission_init(admission, pace);
        map_put(&all->by_name, slice_of(name), admission);
    }
    lock_drop(&all->lock);
    return admission;
}
struct admission *
admissions_find(struct admissions *all, const char *name)
{
    struct admission *admission;

    lock_take(&all->lock);
    admission = map_get(&all->by_name, slice_of(name));
    lock_drop(&all->lock);
    return admission;
}
