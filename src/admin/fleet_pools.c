#include "admin/fleet_pools.h"

#include <math.h>

#include "fleet/health/told.h"
#include "money/rent.h"

static void
look_at_replica(struct gateway_worker *worker, const struct seat *seat, struct fleet_replica *out)
{
    usec now_us = world_now_us(worker_world(worker));
    const struct replica_look *look = &out->seen.look;
    double worth;

    out->seat = seat;
    out->state = health_state(seat->health, now_us);
    utilisation_look(worker->gateway->utilisation, seat->replica, now_us, &out->seen);
    worth = told_worth(look->told.at_us, now_us);
    out->kv_told = worth > 0 && look->told.kv_share >= 0;
    out->kv = told_kv_share(look, now_us);
    out->others = worth > 0 && look->told.others >= 0 ? round(look->told.others * worth) : -1;
    out->queued = worth > 0 ? look->told.queued : -1;
}

/* The mean request of those that told their usage. */
static void
find_mix(struct fleet_pool *pool)
{
    for (size_t i = 0; i < pool->replica_count; i++) {
        const struct replica_totals *totals = &pool->replicas[i].seen.look.totals;

        pool->answers += (double)totals->metered;
        pool->mix.prompt += (double)totals->input_tokens;
        pool->mix.cached += (double)totals->cached_tokens;
        pool->mix.output += (double)totals->output_tokens;
    }
    if (!(pool->answers > 0))
        return;
    pool->mix.prompt /= pool->answers;
    pool->mix.cached /= pool->answers;
    pool->mix.output = fmax(1, pool->mix.output / pool->answers);
}

static bool
names_it(const struct route_config *route, const struct target *target)
{
    bool named = strcmp(route->reference.name, target->name) == 0;

    for (size_t i = 0; i < route->candidate_count; i++)
        named |= strcmp(route->candidates[i].name, target->name) == 0;
    return named;
}

/* What the answer's limit leaves for each token, the first one's usual time taken off. */
static double
gap_limit_us(const struct route_config *route, const struct expectation *expectation, double output)
{
    double left_us = (double)(route->total_us - expectation->first_token_us);

    return fmax(left_us, 1) / fmax(1, output - 1);
}

static void
find_limit(const struct config *config, const struct target_facts *facts, struct fleet_pool *pool)
{
    struct expectation expectation = experience_expect(facts->experience, 500000);

    for (size_t i = 0; i < config->route_count; i++) {
        const struct route_config *route = &config->routes[i];
        double limit_us;

        if (route->total_us == USEC_NEVER || !names_it(route, pool->target))
            continue;
        limit_us = gap_limit_us(route, &expectation, pool->mix.output);
        if (pool->by != NULL && limit_us >= pool->gap_limit_us)
            continue;
        pool->gap_limit_us = limit_us;
        pool->by = route;
    }
}

static void
look_at_pool(struct gateway_worker *worker, const struct target_facts *facts, struct arena *arena,
             struct fleet_pool *pool)
{
    const struct standing *standing = &facts->standing;
    struct step_time time;

    *pool = (struct fleet_pool){.target = facts->target, .replica_count = standing->count};
    pool->replicas = arena_alloc(arena, standing->count * sizeof(struct fleet_replica));
    for (size_t i = 0; i < standing->count; i++)
        look_at_replica(worker, &standing->seats[i], &pool->replicas[i]);
    lock_take(&standing->fit->lock);
    pool->fit = standing->fit->fit;
    lock_drop(&standing->fit->lock);
    find_mix(pool);
    if (!(pool->answers > 0) || standing->count == 0)
        return;
    find_limit(worker->view->config, facts, pool);
    time = engine_fit_time(&pool->fit);
    pool->batch_most = batch_most(&time, &pool->mix, (double)pool->replicas[0].seen.look.model.kv_tokens,
                                  pool->gap_limit_us, &pool->by_room);
    pool->tokens_a_second = batch_tokens_a_second(&time, &pool->mix, (double)pool->batch_most);
}

static void
add_target(struct gateway_worker *worker, const struct target *target, struct fleet_pools *out)
{
    const struct target_facts *facts = facts_of(&worker->view->targets, target);

    if (facts->standing.fit == NULL)
        return;
    for (size_t i = 0; i < out->count; i++)
        if (strcmp(out->all[i].target->name, target->name) == 0)
            return;
    look_at_pool(worker, facts, &out->arena, &out->all[out->count++]);
}

void
fleet_pools_collect(struct gateway_worker *worker, struct fleet_pools *out)
{
    const struct config *config = worker->view->config;
    size_t most = 0;

    ENSURE(worker_world(worker)->worker == 0);
    *out = (struct fleet_pools){.count = 0};
    for (size_t i = 0; i < config->route_count; i++)
        most += 1 + config->routes[i].candidate_count;
    out->all = arena_alloc(&out->arena, (most + 1) * sizeof(struct fleet_pool));
    for (size_t i = 0; i < config->route_count; i++) {
        add_target(worker, &config->routes[i].reference, out);
        for (size_t k = 0; k < config->routes[i].candidate_count; k++)
            add_target(worker, &config->routes[i].candidates[k], out);
    }
}

void
fleet_pools_free(struct fleet_pools *pools)
{
    arena_reset(&pools->arena);
}

usd
fleet_idle_an_hour(const struct fleet_pool *pool, const struct fleet_replica *replica)
{
    double idle = 1 - fmin(1, replica->seen.minute.busy);

    return rent_of_time(pool->target->backend->usd_per_hour, idle * 3600 * USEC_PER_S);
}

static double
tokens_a_second(const struct fleet_replica *replica)
{
    return fmax(0, replica->seen.minute.input_tokens) + fmax(0, replica->seen.minute.output_tokens);
}

static usd
per_million(const struct fleet_pool *pool, size_t replicas, double a_second)
{
    if (!(a_second > 0))
        return USD_UNKNOWN;
    return rent_of_time(pool->target->backend->usd_per_hour, (double)replicas * 1e6 / a_second * USEC_PER_S);
}

usd
fleet_replica_per_million(const struct fleet_pool *pool, const struct fleet_replica *replica)
{
    return per_million(pool, 1, tokens_a_second(replica));
}

usd
fleet_pool_per_million(const struct fleet_pool *pool)
{
    double sum = 0;

    for (size_t i = 0; i < pool->replica_count; i++)
        sum += tokens_a_second(&pool->replicas[i]);
    return per_million(pool, pool->replica_count, sum);
}
