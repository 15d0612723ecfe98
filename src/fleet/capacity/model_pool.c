#include "fleet/capacity/model_pool.h"

#include <math.h>
#include <stdlib.h>

#include "base/list.h"
#include "fleet/dispatch/replica.h"
#include "fleet/engine/engine.h"

struct model_replica {
    struct model_pool *pool;
    struct engine_model *engine;
    struct list node;
    usec ready_us; /* when it is there */
    bool draining;
    uint64_t in_flight;
    double work_us;
    int64_t filling, filling_tokens; /* without a first token; what is to be computed of their prompts */
    int64_t context_tokens;          /* of all that are there, with half of their output */
    int64_t output_tokens;           /* of those in flight */
};

struct model_request {
    struct engine_request engine; /* first */
    struct model_replica *replica;
    struct request_size size;
    struct list node; /* waiting for a replica */
    usec arrived_us, first_us;
    double work_us;
};

/* Invariant: replicas are in the order in which they were asked for; `wanted` of them do not drain. Requests wait only
 * while none is ready. */
struct model_pool {
    struct engine_settings settings;
    struct request_limits limits;
    struct list replicas, waiting;
    unsigned wanted;
    usec now_us;
    uint64_t seed;
    struct model_pool_totals totals;
    model_pool_told *told;
    void *context;
};

/* Requests */

static void
over(struct model_pool *pool, struct model_request *request, usec total_us)
{
    struct model_pool_news news = {.size = request->size,
                                   .arrived_us = request->arrived_us,
                                   .first_token_us = request->first_us - request->arrived_us,
                                   .total_us = total_us};

    news.within =
        total_us >= 0 && total_us <= pool->limits.total_us && news.first_token_us <= pool->limits.first_token_us;
    pool->totals.over++;
    pool->totals.in_flight--;
    pool->totals.work_us -= request->work_us;
    pool->totals.within += news.within ? 1 : 0;
    if (pool->told != NULL)
        pool->told(pool->context, &news);
    free(request);
}

static int64_t
context_of(const struct model_request *request)
{
    return request->engine.prompt_tokens + request->engine.output_tokens / 2;
}

static void
on_tokens(struct engine_request *told)
{
    struct model_request *request = (struct model_request *)(void *)told;
    struct model_replica *replica = request->replica;

    if (request->first_us == 0) {
        request->first_us = told->told_at_us;
        replica->filling--;
        replica->filling_tokens -= told->prompt_tokens;
    }
    if (told->tokens < told->output_tokens)
        return;
    replica->in_flight--;
    replica->context_tokens -= context_of(request);
    replica->output_tokens -= told->output_tokens;
    replica->work_us -= request->work_us;
    over(replica->pool, request, told->told_at_us - request->arrived_us);
}

static void
give(struct model_replica *replica, struct model_request *request)
{
    struct model_pool *pool = replica->pool;
    int64_t fresh = request->size.prompt_tokens - request->size.hit_tokens;

    request->replica = replica;
    request->engine.prompt_tokens = fresh > 0 ? fresh : 1;
    request->engine.output_tokens = request->size.output_tokens > 0 ? request->size.output_tokens : 1;
    if (engine_submit(replica->engine, &request->engine, pool->now_us) != OK) {
        over(pool, request, -1);
        return;
    }
    replica->in_flight++;
    replica->work_us += request->work_us;
    replica->filling++;
    replica->filling_tokens += request->engine.prompt_tokens;
    replica->context_tokens += context_of(request);
    replica->output_tokens += request->engine.output_tokens;
}

/* Replicas */

static bool
is_ready(const struct model_replica *replica)
{
    return !replica->draining && replica->ready_us <= replica->pool->now_us;
}

/* When its first token is expected there, as policy_affinity.c counts it: behind the prompts in line and the step under way,
 * and when there is room. */
static double
first_token_us(const struct model_replica *replica, const struct model_request *request)
{
    const struct engine_settings *settings = &replica->pool->settings;
    struct replica_model model = {settings->time, settings->kv_tokens, settings->step_tokens_most, true};
    const struct request_size *size = &request->size;
    double decoding = (double)replica->in_flight - (double)replica->filling;
    double context = (double)replica->context_tokens, fresh = (double)(size->prompt_tokens - size->hit_tokens);
    double beside_us = replica_beside_us(&model, decoding, fmax(0, context - (double)replica->filling_tokens));
    double step_us = hypot(model.time.alpha_us, model.time.beta_us * decoding) + model.time.host_us + beside_us;
    double missing = context + (double)(size->prompt_tokens + size->output_tokens) - (double)model.kv_tokens;
    double line = (double)replica->filling_tokens, wait_us = decoding > 0 ? step_us / 2 : 0;

    if (line > 0)
        wait_us += (double)replica_fill_us(&model, line, 0, beside_us);
    if (missing > 0 && context > 0) /* until answers that end have given back as much */
        wait_us += missing / context * step_us * (double)replica->output_tokens / 2 / (double)replica->in_flight;
    return wait_us + (double)replica_fill_us(&model, fmax(1, fresh), 0, beside_us);
}

static struct model_replica *
soonest(struct model_pool *pool, const struct model_request *request)
{
    struct model_replica *best = NULL;
    double best_us = 0;

    LIST_EACH(&pool->replicas, node, after)
    {
        struct model_replica *replica = CONTAINER_OF(node, struct model_replica, node);
        double cost_us = is_ready(replica) ? first_token_us(replica, request) : 0;

        if (!is_ready(replica) || (best != NULL && cost_us >= best_us))
            continue;
        best = replica;
        best_us = cost_us;
    }
    return best;
}

static void
add_replica(struct model_pool *pool, usec ready_us)
{
    struct model_replica *replica = must_calloc(1, sizeof(*replica));

    replica->pool = pool;
    pool->settings.seed = ++pool->seed;
    replica->engine = engine_new(&pool->settings, on_tokens);
    replica->ready_us = ready_us;
    list_append(&pool->replicas, &replica->node);
}

static void
remove_replica(struct model_replica *replica)
{
    ENSURE(list_linked(&replica->node)); /* or it would be freed in the list */
    list_remove(&replica->node);
    engine_free(replica->engine);
    free(replica);
}

/* Time */

/* Stretches in which nothing comes or goes cost by the number that is there. */
static void
count_replicas(struct model_pool *pool, usec span_us)
{
    LIST_EACH(&pool->replicas, node, after)
    pool->totals.replica_us += span_us;
}

static void
hand_out_waiting(struct model_pool *pool)
{
    struct model_replica *replica;

    while (!list_empty(&pool->waiting)) {
        struct model_request *request = CONTAINER_OF(list_first(&pool->waiting), struct model_request, node);

        replica = soonest(pool, request);
        if (replica == NULL)
            return;
        list_remove(&request->node);
        give(replica, request);
    }
}

/* Engines may be brought on apart from each other: none knows of another. */
static void
go_to(struct model_pool *pool, usec to_us)
{
    count_replicas(pool, to_us - pool->now_us);
    pool->now_us = to_us;
    LIST_EACH(&pool->replicas, node, after)
    {
        struct model_replica *replica = CONTAINER_OF(node, struct model_replica, node);

        if (engine_next_us(replica->engine) <= to_us)
            engine_advance(replica->engine, to_us);
        if (replica->draining && replica->in_flight == 0)
            remove_replica(replica);
    }
    hand_out_waiting(pool);
}

/* When something happens by itself that others wait for: a replica is there, or one that drains is empty. */
static usec
next_turn(const struct model_pool *pool)
{
    usec next_us = USEC_NEVER;

    /* Only who is out of the list was freed: NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    LIST_EACH(&pool->replicas, node, after)
    {
        const struct model_replica *replica = CONTAINER_OF(node, struct model_replica, node);
        usec at_us = replica->draining ? engine_next_us(replica->engine) : replica->ready_us;

        if (at_us > pool->now_us && at_us < next_us)
            next_us = at_us;
    }
    return next_us;
}

void
model_pool_advance(struct model_pool *pool, usec now_us)
{
    usec next_us;

    ENSURE(now_us >= pool->now_us);
    while ((next_us = next_turn(pool)) < now_us)
        go_to(pool, next_us);
    go_to(pool, now_us);
}

void
model_pool_submit(struct model_pool *pool, usec now_us, const struct request_size *size)
{
    struct model_request *request = must_calloc(1, sizeof(*request));
    struct request_work work = demand_work(&pool->settings, size);
    struct model_replica *replica;

    model_pool_advance(pool, now_us);
    request->arrived_us = now_us;
    request->size = *size;
    request->work_us = work.prompt_us + work.output_us;
    pool->totals.requests++;
    pool->totals.in_flight++;
    pool->totals.work_us += request->work_us;
    replica = soonest(pool, request);
    if (replica == NULL)
        list_append(&pool->waiting, &request->node);
    else
        give(replica, request);
}

/* Scaling */

static struct model_replica *
next_to_return(struct model_pool *pool)
{
    LIST_EACH(&pool->replicas, node, after)
    {
        struct model_replica *replica = CONTAINER_OF(node, struct model_replica, node);

        if (replica->draining)
            return replica;
    }
    return NULL;
}

static struct model_replica *
next_to_go(struct model_pool *pool)
{
    struct model_replica *best = NULL;

    /* Only who is out of the list was freed: NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    LIST_EACH(&pool->replicas, node, after)
    {
        struct model_replica *replica = CONTAINER_OF(node, struct model_replica, node);
        bool coming = replica->ready_us > pool->now_us;

        if (!replica->draining &&
            (coming || best == NULL || (best->ready_us <= pool->now_us && replica->work_us < best->work_us)))
            best = replica;
    }
    ENSURE(best != NULL);
    return best;
}

void
model_pool_scale(struct model_pool *pool, usec now_us, unsigned wanted, usec cold_start_us)
{
    struct model_replica *replica;

    model_pool_advance(pool, now_us);
    for (; pool->wanted < wanted; pool->wanted++) {
        replica = next_to_return(pool);
        if (replica != NULL)
            replica->draining = false;
        else
            add_replica(pool, now_us + cold_start_us);
    }
    for (; pool->wanted > wanted; pool->wanted--) {
        replica = next_to_go(pool);
        replica->draining = true;
        if (replica->in_flight == 0)
            remove_replica(replica);
    }
}

/* Reading, beginning and end */

void
model_pool_totals(const struct model_pool *pool, struct model_pool_totals *out)
{
    *out = pool->totals;
    LIST_EACH(&pool->replicas, node, after)
    {
        const struct model_replica *replica = CONTAINER_OF(node, struct model_replica, node);

        out->ready += is_ready(replica) ? 1 : 0;
        out->coming += !replica->draining && !is_ready(replica) ? 1 : 0;
    }
}

void
model_pool_tell(struct model_pool *pool, model_pool_told *told, void *context)
{
    pool->told = told;
    pool->context = context;
}

void
model_pool_finish(struct model_pool *pool)
{
    while (pool->totals.in_flight > 0) {
        usec next_us = next_turn(pool);

        LIST_EACH(&pool->replicas, node, after)
        {
            usec at_us = engine_next_us(CONTAINER_OF(node, struct model_replica, node)->engine);

            next_us = at_us < next_us ? at_us : next_us;
        }
        ENSURE(next_us != USEC_NEVER);
        model_pool_advance(pool, next_us > pool->now_us ? next_us : pool->now_us);
    }
}

struct model_pool *
model_pool_new(const struct engine_settings *engine, const struct request_limits *limits, unsigned count)
{
    struct model_pool *pool = must_calloc(1, sizeof(*pool));

    pool->settings = *engine;
    pool->seed = engine->seed;
    pool->limits = *limits;
    pool->wanted = count;
    list_init(&pool->replicas);
    list_init(&pool->waiting);
    for (unsigned i = 0; i < count; i++)
        add_replica(pool, 0);
    return pool;
}

/* Requests under way are forgotten with their engines. */
void
model_pool_free(struct model_pool *pool)
{
    model_pool_finish(pool);
    LIST_EACH(&pool->replicas, node, after)
    remove_replica(CONTAINER_OF(node, struct model_replica, node));
    free(pool);
}
