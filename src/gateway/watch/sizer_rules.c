#include "gateway/watch/sizer_rules.h"

#include <math.h>

/* The routes that name it */

static bool
names(const struct route_config *route, const struct backend_config *backend)
{
    if (route->reference.backend == backend)
        return true;
    for (size_t i = 0; i < route->candidate_count; i++)
        if (route->candidates[i].backend == backend)
            return true;
    return false;
}

static usec
shorter(usec a, usec b)
{
    return a < b ? a : b;
}

struct pool_rules
sizer_rules(const struct config *config, const struct backend_config *backend)
{
    struct pool_rules rules = {.least = backend->replicas.least,
                               .most = backend->replicas.most,
                               .cold_start_us = backend->replicas.cold_start_us,
                               .limits = {USEC_NEVER, USEC_NEVER}};

    for (size_t i = 0; i < config->route_count; i++) {
        const struct route_config *route = &config->routes[i];

        if (!names(route, backend))
            continue;
        rules.limits.first_token_us = shorter(rules.limits.first_token_us, route->first_token_us);
        rules.limits.total_us = shorter(rules.limits.total_us, route->total_us);
    }
    return rules;
}

/* Its places */

unsigned
sizer_there(struct healths *healths, const struct backend_config *backend, usec now_us, struct replica_model *model)
{
    unsigned there = 0;

    for (size_t i = 0; i < backend->endpoint_count; i++) {
        struct health *health = healths_place(healths, &backend->endpoints[i]);
        struct replica_look seen;

        there += health_state(health, now_us) == HEALTH_IN ? 1 : 0;
        if (i > 0 && model->fitted)
            continue;
        replica_look(healths_replica(healths, backend, i), now_us, &seen);
        if (i == 0 || seen.model.fitted) /* one that was found just now has taught nothing yet */
            *model = seen.model;
    }
    return there;
}

/* Costs, in pico-dollars for a microsecond of work */

static double
worth_of(const struct config *config, const struct backend_config *backend)
{
    double most = -1;

    for (size_t i = 0; i < config->route_count; i++)
        if (names(&config->routes[i], backend) && usd_known(config->routes[i].worth))
            most = fmax(most, (double)config->routes[i].worth);
    return most;
}

static double
hosted_price(const struct config *config, const struct target *target, const struct pool_study *study, usec wall_us)
{
    struct price_terms terms = {.wall_us = wall_us};
    struct usage usage;
    struct cost cost;

    if (target->backend == NULL || usd_known(target->backend->usd_per_hour))
        return -1;
    usage_init(&usage);
    usage_set(&usage, USAGE_input_tokens, (int64_t)study->prompt_tokens);
    usage_set(&usage, USAGE_output_tokens, (int64_t)study->output_tokens);
    cost = prices_cost(
        prices_resolve(config->prices, target->backend->name, target->backend->provider, slice_of(target->upstream)),
        &terms, &usage);
    return usd_known(cost.total) ? (double)cost.total : -1;
}

static double
lesser(double a, double b)
{
    if (a < 0 || b < 0)
        return fmax(a, b);
    return fmin(a, b);
}

static double
cheapest_elsewhere(const struct config *config, const struct backend_config *backend, const struct pool_study *study,
                   usec wall_us)
{
    double least = -1;

    for (size_t i = 0; i < config->route_count; i++) {
        const struct route_config *route = &config->routes[i];

        if (!names(route, backend))
            continue;
        if (route->reference.backend != backend)
            least = lesser(least, hosted_price(config, &route->reference, study, wall_us));
        for (size_t k = 0; k < route->candidate_count; k++)
            if (route->candidates[k].backend != backend)
                least = lesser(least, hosted_price(config, &route->candidates[k], study, wall_us));
    }
    return least;
}

struct forecast_goal
sizer_goal(const struct config *config, const struct backend_config *backend, const struct pool_study *study,
           usec wall_us)
{
    const double hour_us = 3600.0 * USEC_PER_S;
    double miss = lesser(worth_of(config, backend), cheapest_elsewhere(config, backend, study, wall_us)), gpu = -1;

    if (usd_known(backend->usd_per_hour) && study->carry > 0)
        gpu = (double)backend->usd_per_hour / hour_us / study->carry;
    return forecast_goal_of(study->work_us > 0 ? miss / study->work_us : -1, gpu);
}
