/* What is gone is forgotten, in its time. */
#include <stdlib.h>

#include "fleet/health/health.h"

static struct tenure *
tenure_of_health(void *value)
{
    return &((struct health *)value)->tenure;
}

static struct tenure *
tenure_of_rest(void *value)
{
    return &((struct rest *)value)->tenure;
}

/* What it names is not made anew for that. */
static void
name_place(struct healths *healths, const struct endpoint *endpoint, struct buffer *place)
{
    struct health *health;
    struct replica *replica;

    buffer_clear(place);
    buffer_printf(place, "%s:%u", endpoint->host, endpoint->port);
    health = map_get(&healths->endpoints, buffer_content(place));
    if (health != NULL)
        health->tenure.sweep = healths->sweeps;
    lock_take(&healths->replicas.lock);
    replica = map_get(&healths->replicas.by_name, buffer_content(place));
    lock_drop(&healths->replicas.lock);
    if (replica != NULL)
        replica->tenure.sweep = healths->sweeps;
}

static void
name_all(struct healths *healths, const struct config *config)
{
    struct buffer place = {0};

    for (size_t i = 0; i < config->backend_count; i++)
        for (size_t j = 0; j < config->backends[i].endpoint_count; j++)
            name_place(healths, &config->backends[i].endpoints[j], &place);
    buffer_free(&place);
}

static void
forget_healths(struct healths *healths, usec now_us)
{
    void **ended;
    size_t count = tenures_end(&healths->endpoints, tenure_of_health, NULL, healths->sweeps, now_us, &ended);

    for (size_t i = 0; i < count; i++) {
        struct health *health = ended[i];

        healths->forgotten_ejections += health->ejections;
        health_free(health);
    }
    healths->forgotten_count += count;
    free(ended);
}

/* They are by model, which nobody lists: what names one is a rest that is not over. */
static void
forget_rests(struct healths *healths, usec now_us)
{
    size_t at = 0, count;
    struct slice name;
    void *value, **ended;

    while (map_next(&healths->rests, &at, &name, &value))
        if (rest_over_us(value) > now_us)
            ((struct rest *)value)->tenure.sweep = healths->sweeps;
    count = tenures_end(&healths->rests, tenure_of_rest, NULL, healths->sweeps, now_us, &ended);
    for (size_t i = 0; i < count; i++)
        free(ended[i]);
    free(ended);
}

void
healths_sweep(struct healths *healths, const struct config *config, usec now_us)
{
    lock_take(&healths->lock);
    healths->sweeps++;
    name_all(healths, config);
    replicas_forget(&healths->replicas, healths->sweeps, now_us);
    forget_healths(healths, now_us);
    forget_rests(healths, now_us);
    lock_drop(&healths->lock);
}
