#include "twin/pace.h"

#include "twin/batching.h"
#include "twin/embed.h"

static struct seen *
seen_of(const struct serving *serving)
{
    return &serving->worker->twin->seen;
}

/* The tokens that a running answer keeps in memory. */
static int64_t
tokens_held(const struct serving *serving)
{
    return serving->reply.usage.input + serving->reply.usage.output;
}

static void
take(struct serving *serving)
{
    serving->worker->running++;
    serving->has_slot = true;
    seen_runs(seen_of(serving), serving->model, 1, tokens_held(serving));
}

bool
pace_take_slot(struct serving *serving)
{
    struct twin_worker *worker = serving->worker;

    ENSURE(!serving->has_slot);
    if (worker->slots != 0 && worker->running >= worker->slots) {
        list_append(&worker->waiting, &serving->queuing);
        seen_waits(seen_of(serving), serving->model, 1);
        return false;
    }
    take(serving);
    return true;
}

struct serving *
pace_drop_slot(struct serving *serving)
{
    struct twin_worker *worker = serving->worker;
    struct serving *next;

    if (list_linked(&serving->queuing)) {
        list_remove(&serving->queuing);
        seen_waits(seen_of(serving), serving->model, -1);
    }
    if (!serving->has_slot)
        return NULL;
    serving->has_slot = false;
    ENSURE(worker->running > 0);
    worker->running--;
    seen_runs(seen_of(serving), serving->model, -1, tokens_held(serving));
    if (list_empty(&worker->waiting))
        return NULL;
    next = CONTAINER_OF(list_first(&worker->waiting), struct serving, queuing);
    list_remove(&next->queuing);
    seen_waits(seen_of(next), next->model, -1);
    take(next);
    return next;
}

static usec
under_load(struct serving *serving, usec time_us)
{
    struct twin_worker *worker = serving->worker;
    double jitter = worker->twin->settings.jitter;
    double factor = 1;

    if (time_us == 0)
        return 0;
    if (worker->slots != 0 && worker->running > 1)
        factor += (double)(worker->running - 1) / worker->slots;
    if (jitter > 0)
        factor *= 1 + jitter * (2 * rng_unit(&worker->rng) - 1);
    return (usec)((double)time_us * factor);
}

static const struct twin_pace *
pace_of(const struct serving *serving)
{
    return &serving->worker->twin->settings.models[serving->model].pace;
}

usec
pace_token_us(struct serving *serving)
{
    usec time_us = batching_paces(serving) ? 0 : under_load(serving, pace_of(serving)->per_token_us);

    return time_us > serving->strike.slow_us ? time_us : serving->strike.slow_us;
}

usec
pace_first_us(struct serving *serving)
{
    usec time_us = under_load(serving, pace_of(serving)->first_token_us);

    if (serving->ask.api == API_EMBEDDINGS)
        return time_us + pace_token_us(serving) * ((usec)embed_inputs(&serving->ask) - 1);
    if (!serving->streams && serving->reply.usage.output > 1)
        time_us += pace_token_us(serving) * (serving->reply.usage.output - 1);
    return time_us;
}
