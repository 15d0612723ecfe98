#include "fleet/replica.h"

#include <stdlib.h>

#include "base/status.h"
#include "fleet/prefix_index.h"
#include "fleet/told.h"

/* Where nothing is told of an engine: middling of those that are known. */
#define COMMON_PAIR SLICE_LITERAL("a100-llama-3-8b")

/* More than any engine holds. What clients and answers claim beyond it is not believed, so that sums stay sums. */
static const int64_t TOKENS_MOST = (int64_t)1 << 32;

static int64_t
believed(int64_t tokens)
{
    return tokens < 0 ? 0 : tokens < TOKENS_MOST ? tokens : TOKENS_MOST;
}

static void
check(const struct replica *replica)
{
    const struct replica_now *now = &replica->now;
    const struct replica_totals *totals = &replica->totals;

    ENSURE(now->requests >= now->filling && now->filling >= 0);
    ENSURE(now->filling_tokens >= 0 && now->context_tokens >= 0 && now->output_tokens >= 0);
    ENSURE(now->requests > 0 || (now->filling_tokens == 0 && now->context_tokens == 0 && now->output_tokens == 0));
    ENSURE(totals->taken == totals->completed + totals->failed + totals->closed + (uint64_t)now->requests);
}

static void
count_time(const struct replica *replica, usec now_us, struct replica_totals *totals)
{
    usec span_us = now_us - replica->counted_us;

    if (replica->now.requests == 0 || span_us <= 0)
        return;
    totals->busy_us += span_us;
    totals->request_us += span_us * replica->now.requests;
    totals->filling_us += span_us * replica->now.filling;
}

/* Before every change of how many there are. Workers' clocks may be a little apart: time never goes back here. */
static void
pass_time(struct replica *replica, usec now_us)
{
    count_time(replica, now_us, &replica->totals);
    if (now_us > replica->counted_us)
        replica->counted_us = now_us;
}

void
replica_take(struct replica *replica, struct replica_ticket *ticket, const struct replica_wish *wish, usec now_us)
{
    int64_t prompt = believed(wish->prompt_tokens), output = believed(wish->output_tokens);
    int64_t matched = wish->matched_tokens < prompt ? wish->matched_tokens : prompt, fresh = prompt - matched;

    ENSURE(ticket->replica == NULL && matched >= 0);
    *ticket = (struct replica_ticket){.replica = replica,
                                      .prompt_tokens = prompt,
                                      .filling_tokens = fresh,
                                      .matched_tokens = matched,
                                      .output_tokens = output,
                                      .taken_us = now_us};
    lock_take(&replica->lock);
    pass_time(replica, now_us);
    replica->now.requests++;
    replica->now.filling++;
    replica->now.filling_tokens += fresh;
    replica->now.context_tokens += prompt;
    replica->now.output_tokens += output;
    replica->sent_since.requests++;
    replica->sent_since.filling_tokens += fresh;
    replica->sent_since.context_tokens += prompt;
    replica->totals.taken++;
    replica->totals.sent_tokens += prompt;
    replica->totals.matched_tokens += matched;
    check(replica);
    lock_drop(&replica->lock);
}

static void
begin(struct replica_ticket *ticket, usec now_us)
{
    struct replica *replica = ticket->replica;

    if (ticket->begun)
        return;
    pass_time(replica, now_us);
    ticket->begun = true;
    replica->now.filling--;
    replica->now.filling_tokens -= ticket->filling_tokens;
}

void
replica_begun(struct replica_ticket *ticket, usec now_us)
{
    struct replica *replica = ticket->replica;

    if (replica == NULL || ticket->begun)
        return;
    lock_take(&replica->lock);
    begin(ticket, now_us);
    check(replica);
    lock_drop(&replica->lock);
}

/* What is expected beyond shrinks with what has come, down to nothing: how much more comes then is anybody's guess. */
static void
produce(struct replica_ticket *ticket, int64_t fresh)
{
    int64_t expected = fresh < ticket->output_tokens ? fresh : ticket->output_tokens;

    ticket->produced += fresh;
    ticket->output_tokens -= expected;
    ticket->replica->now.context_tokens += fresh;
    ticket->replica->now.output_tokens -= expected;
}

void
replica_produced(struct replica_ticket *ticket, int64_t output_tokens)
{
    struct replica *replica = ticket->replica;
    int64_t fresh = believed(output_tokens) - ticket->produced;

    if (replica == NULL || fresh < REPLICA_STEP_TOKENS)
        return;
    lock_take(&replica->lock);
    produce(ticket, fresh);
    check(replica);
    lock_drop(&replica->lock);
}

static void
count_ending(struct replica_totals *totals, enum replica_ending ending)
{
    totals->completed += ending == REPLICA_COMPLETED;
    totals->failed += ending == REPLICA_FAILED;
    totals->closed += ending == REPLICA_CLOSED;
}

static void
count_metered(struct replica_totals *totals, const struct replica_metered *metered)
{
    if (metered == NULL)
        return;
    totals->metered++;
    totals->input_tokens += believed(metered->input_tokens);
    totals->cached_tokens += believed(metered->cached_tokens);
    totals->output_tokens += believed(metered->output_tokens);
}

void
replica_give_back(struct replica_ticket *ticket, enum replica_ending ending, const struct replica_metered *metered,
                  usec now_us)
{
    struct replica *replica = ticket->replica;

    if (replica == NULL)
        return;
    lock_take(&replica->lock);
    begin(ticket, now_us);
    pass_time(replica, now_us);
    replica->now.requests--;
    replica->now.context_tokens -= ticket->prompt_tokens + ticket->produced;
    replica->now.output_tokens -= ticket->output_tokens;
    count_ending(&replica->totals, ending);
    count_metered(&replica->totals, metered);
    check(replica);
    lock_drop(&replica->lock);
    ticket->replica = NULL;
}

void
replica_look(struct replica *replica, usec now_us, struct replica_look *out)
{
    lock_take(&replica->lock);
    out->now = replica->now;
    out->totals = replica->totals;
    out->told = replica->told;
    out->sent_since = replica->sent_since;
    out->model = replica->model;
    count_time(replica, now_us, &out->totals);
    lock_drop(&replica->lock);
}

void
replica_ask(struct replica *replica)
{
    lock_take(&replica->lock);
    replica->asked = true;
    replica->sent_before = replica->sent_since;
    replica->now_before = replica->now;
    lock_drop(&replica->lock);
}

/* Ours may have come or gone while it was asked: the larger number, so that none of ours is taken for another's. */
static double
count_others(const struct replica *replica, const struct replica_told *told)
{
    int64_t before = replica->asked ? replica->now_before.requests : 0, after = replica->now.requests;
    double all = (told->queued > 0 ? told->queued : 0) + (told->running > 0 ? told->running : 0);
    double ours = (double)(before > after ? before : after);

    if (told->queued < 0 && told->running < 0)
        return -1;
    return all > ours ? all - ours : 0;
}

void
replica_tell(struct replica *replica, const struct replica_told *told)
{
    struct replica_now *since = &replica->sent_since, none = {0};

    lock_take(&replica->lock);
    replica->told = *told;
    replica->told.others = count_others(replica, told);
    if (replica->asked) {
        since->requests -= replica->sent_before.requests;
        since->filling_tokens -= replica->sent_before.filling_tokens;
        since->context_tokens -= replica->sent_before.context_tokens;
    } else {
        *since = none;
    }
    replica->asked = false;
    lock_drop(&replica->lock);
}

void
replica_learn_model(struct replica *replica, const struct replica_model *model)
{
    lock_take(&replica->lock);
    replica->model = *model;
    lock_drop(&replica->lock);
}

/* All of them */

void
replicas_init(struct replicas *replicas)
{
    lock_init(&replicas->lock);
    map_init(&replicas->by_name);
    map_init(&replicas->pools);
    atomic_init(&replicas->index, NULL);
}

void
replicas_free(struct replicas *replicas)
{
    size_t at = 0;
    struct slice name;
    void *value;

    while (map_next(&replicas->by_name, &at, &name, &value)) {
        struct replica *replica = value;

        lock_destroy(&replica->lock);
        free(replica->name);
        free(replica);
    }
    for (at = 0; map_next(&replicas->pools, &at, &name, &value);)
        free(value);
    map_free(&replicas->by_name);
    map_free(&replicas->pools);
    prefix_index_free(atomic_load(&replicas->index));
    lock_destroy(&replicas->lock);
}

static struct replica *
add(struct replicas *replicas, const char *name)
{
    struct replica *replica = must_calloc(1, sizeof(*replica));

    lock_init(&replica->lock);
    replica->name = must_strdup(name);
    told_nothing(&replica->told);
    map_put(&replicas->by_name, slice_of(name), replica);
    return replica;
}

static void
start_model(struct replica *replica, const char *engine_model)
{
    const struct engine_pair *pair = engine_model != NULL ? engine_pair_find(slice_of(engine_model)) : NULL;

    if (pair == NULL && replica->model.kv_tokens != 0)
        return; /* another backend that names the place may have said more of it */
    if (pair == NULL)
        pair = engine_pair_find(COMMON_PAIR);
    ENSURE(pair != NULL);
    lock_take(&replica->lock);
    if (!replica->model.fitted)
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
        check(replica);
        sum += replica->now.requests;
        lock_drop(&replica->lock);
    }
    lock_drop(&replicas->lock);
    return sum;
}
