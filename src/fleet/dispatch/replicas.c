/* All replicas, by their names. */
#include <stdlib.h>

#include "base/status.h"
#include "fleet/dispatch/prefix_index.h"
#include "fleet/health/told.h"

/* Where nothing is told of an engine: middling of those that are known. */
#define COMMON_PAIR SLICE_LITERAL("a100-llama-3-8b")

void
replicas_init(struct replicas *replicas)
{
    lock_init(&replicas->lock);
    map_init(&replicas->by_name);
    map_init(&replicas->pools);
    atomic_init(&replicas->index, NULL);
    engine_fits_init(&replicas->fits);
}

static void
free_replica(struct replica *replica)
{
    lock_destroy(&replica->lock);
    free(replica->name);
    free(replica);
}

void
replicas_free(struct replicas *replicas)
{
    size_t at = 0;
    struct slice name;
    void *value;

    while (map_next(&replicas->by_name, &at, &name, &value))
        free_replica(value);
    for (at = 0; map_next(&replicas->pools, &at, &name, &value);)
        free(value);
    map_free(&replicas->by_name);
    map_free(&replicas->pools);
    prefix_index_free(atomic_load(&replicas->index));
    engine_fits_free(&replicas->fits);
    lock_destroy(&replicas->lock);
}

static struct replica *
add(struct replicas *replicas, const char *name)
{
    struct replica *replica = must_calloc(1, sizeof(*replica));

    lock_init(&replica->lock);
    list_init(&replica->filling);
    replica->name = must_strdup(name);
    told_nothing(&replica->told);
    map_put(&replicas->by_name, slice_of(name), replica);
    return replica;
}

static void
start_model(struct replica *replica, const char *engine_model)
{
    const struct engine_pair *pair = engine_model != NULL ? engine_pair_find(slice_of(engine_model)) : NULL;

    const struct engine_pair *common = engine_pair_find(COMMON_PAIR);

    ENSURE(common != NULL);
    lock_take(&replica->lock);
    if (pair == NULL && replica->model.kv_tokens == 0)
        pair = common; /* else another backend that names the place may have said more of it */
    if (pair != NULL && !replica->model.fitted)
        replica->model =
            (struct replica_model){.time = pair->time, pair->kv_tokens, pair->step_tokens_most, .fitted = false};
    lock_drop(&replica->lock);
}

struct replica *
replicas_of(struct replicas *replicas, const char *name, const char *engine_model)
{
    struct replica *replica;

    lock_take(&replicas->lock);
    replica = map_get(&replicas->by_name, slice_of(name));
    if (replica == NULL)
        replica = add(replicas, name);
    start_model(replica, engine_model);
    lock_drop(&replicas->lock);
    return replica;
}

static struct tenure *
tenure_of_replica(void *value)
{
    return &((struct replica *)value)->tenure;
}

static bool
is_empty(void *value)
{
    struct replica *replica = value;
    bool empty;

    lock_take(&replica->lock);
    empty = replica->now.requests == 0;
    lock_drop(&replica->lock);
    return empty;
}

static void
add_totals(struct replica_totals *sum, const struct replica_totals *totals)
{
    sum->taken += totals->taken;
    sum->completed += totals->completed;
    sum->failed += totals->failed;
    sum->closed += totals->closed;
    sum->metered += totals->metered;
    sum->input_tokens += totals->input_tokens;
    sum->cached_tokens += totals->cached_tokens;
    sum->output_tokens += totals->output_tokens;
    sum->sent_tokens += totals->sent_tokens;
    sum->matched_tokens += totals->matched_tokens;
    sum->busy_us += totals->busy_us;
    sum->request_us += totals->request_us;
    sum->filling_us += totals->filling_us;
}

void
replicas_forget(struct replicas *replicas, uint64_t sweep, usec now_us)
{
    struct prefix_index *index = atomic_load_explicit(&replicas->index, memory_order_acquire);
    void **ended;
    size_t count;

    lock_take(&replicas->lock);
    count = tenures_end(&replicas->by_name, tenure_of_replica, is_empty, sweep, now_us, &ended);
    for (size_t i = 0; i < count; i++) {
        struct replica *replica = ended[i];

        if (index != NULL)
            prefix_index_forget_place(index, replica);
        add_totals(&replicas->forgotten, &replica->totals);
        free_replica(replica);
    }
    replicas->forgotten_count += count;
    lock_drop(&replicas->lock);
    free(ended);
}

struct pool *
replicas_pool(struct replicas *replicas, const char *backend)
{
    struct pool *pool;

    lock_take(&replicas->lock);
    pool = map_get(&replicas->pools, slice_of(backend));
    if (pool == NULL) {
        pool = must_calloc(1, sizeof(*pool));
        map_put(&replicas->pools, slice_of(backend), pool);
    }
    lock_drop(&replicas->lock);
    return pool;
}

struct prefix_index *
replicas_index(struct replicas *replicas)
{
    struct prefix_index *index = atomic_load_explicit(&replicas->index, memory_order_acquire);

    if (index != NULL)
        return index;
    lock_take(&replicas->lock);
    index = atomic_load_explicit(&replicas->index, memory_order_relaxed);
    if (index == NULL) {
        index = prefix_index_new();
        atomic_store_explicit(&replicas->index, index, memory_order_release);
    }
    lock_drop(&replicas->lock);
    return index;
}

int64_t
replicas_in_flight(struct replicas *replicas)
{
    size_t at = 0;
    struct slice name;
    int64_t sum = 0;
    void *value;

    lock_take(&replicas->lock);
    while (map_next(&replicas->by_name, &at, &name, &value)) {
        struct replica *replica = value;

        lock_take(&replica->lock);
        replica_check(replica);
        sum += replica->now.requests;
        lock_drop(&replica->lock);
    }
    lock_drop(&replicas->lock);
    return sum;
}
