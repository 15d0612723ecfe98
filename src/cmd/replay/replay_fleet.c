#include "cmd/replay/replay_fleet.h"

#include <stdlib.h>

#include "cmd/cmd.h"
#include "cmd/replay/replay_sizes.h"
#include "gateway/running/adopt.h"
#include "gateway/watch/sizer.h"

static const usec LOOK_US = USEC_PER_S;

enum place_state { PLACE_AWAY, PLACE_COMING, PLACE_THERE, PLACE_LEAVING };

/* One engine of the pool, by its number in the configuration. */
struct place {
    enum place_state state;
    usec since_us; /* when it came to be so; 0: it was never there */
};

struct replay_fleet {
    struct replay_world *world;
    const struct replay_changes *rules;
    size_t backend;
    struct sizer *sizer;
    struct timer timer;
    struct adoption adoption;
    bool adopting, outdated; /* outdated: those that are there are others than the gateway knows */
    struct place places[REPLAY_REPLICAS_MOST];
    unsigned place_count;
    struct replay_fleet_sum sum;
};

static struct world *
first_world(const struct replay_fleet *fleet)
{
    return history_world(fleet->world->history, 0);
}

static usec
now_of(const struct replay_fleet *fleet)
{
    return history_now_us(fleet->world->history);
}

static unsigned
count_of(const struct replay_fleet *fleet, enum place_state state)
{
    unsigned count = 0;

    for (unsigned i = 0; i < fleet->place_count; i++)
        count += fleet->places[i].state == state ? 1 : 0;
    return count;
}

static void
move_to(struct replay_fleet *fleet, unsigned which, enum place_state state)
{
    struct place *place = &fleet->places[which];

    fleet->outdated |= state == PLACE_THERE || place->state == PLACE_THERE;
    fleet->sum.came += state == PLACE_THERE ? 1 : 0;
    fleet->sum.left += place->state == PLACE_THERE ? 1 : 0;
    place->state = state;
    place->since_us = now_of(fleet);
    replay_engine_refuses(&fleet->world->engines.casts[fleet->backend], which,
                          state != PLACE_THERE && state != PLACE_LEAVING);
}

/* Who is there, as the gateway finds it */

static void
adopted(struct adoption *adoption)
{
    CONTAINER_OF(adoption, struct replay_fleet, adoption)->adopting = false;
}

static void
keep_those_there(const struct replay_fleet *fleet, struct config *config)
{
    struct backend_config *backend = &config->backends[fleet->backend];
    const struct backend_config *first = &fleet->world->config->backends[fleet->backend];
    struct endpoint *endpoints = arena_alloc(&config->arena, fleet->place_count * sizeof(*endpoints));
    size_t count = 0;

    ENSURE(backend->endpoint_count == fleet->place_count && backend->endpoints[0].id == first->endpoints[0].id);
    for (unsigned i = 0; i < fleet->place_count; i++)
        if (fleet->places[i].state == PLACE_THERE)
            endpoints[count++] = backend->endpoints[i];
    backend->endpoints = endpoints;
    backend->endpoint_count = count;
}

/* It could be read once, so it can be read again; it is the same, but for who is there. */
static void
tell_gateway(struct replay_fleet *fleet)
{
    struct config *config;

    if (fleet->adopting || !fleet->outdated)
        return;
    if (replay_config_load(fleet->world->settings, &config) != CMD_FINE)
        return; /* it has said why; the fleet stays as it is */
    keep_those_there(fleet, config);
    replay_keys_replace(config);
    fleet->outdated = false;
    fleet->adopting = true;
    fleet->adoption.done = adopted;
    adoption_start(&fleet->adoption, &fleet->world->gateway, first_world(fleet), config);
    config_release(config);
}

/* Coming and going */

/* One that was never there, else the one that has been away for longest; place_count: all are in use. */
static unsigned
find_away(const struct replay_fleet *fleet)
{
    unsigned found = fleet->place_count;

    for (unsigned i = 0; i < fleet->place_count; i++)
        if (fleet->places[i].state == PLACE_AWAY &&
            (found == fleet->place_count || fleet->places[i].since_us < fleet->places[found].since_us))
            found = i;
    return found;
}

/* The newest of that state, which there is. */
static unsigned
find_newest(const struct replay_fleet *fleet, enum place_state state)
{
    unsigned found = fleet->place_count;

    for (unsigned i = 0; i < fleet->place_count; i++)
        if (fleet->places[i].state == state &&
            (found == fleet->place_count || fleet->places[i].since_us >= fleet->places[found].since_us))
            found = i;
    ENSURE(found < fleet->place_count);
    return found;
}

static bool
is_empty(const struct replay_fleet *fleet, unsigned which)
{
    const struct endpoint *endpoint = &fleet->world->config->backends[fleet->backend].endpoints[which];
    struct replica_look look;
    struct buffer name = {0};
    struct replica *replica;

    buffer_printf(&name, "%s:%u", endpoint->host, endpoint->port);
    replica = map_get(&fleet->world->gateway.healths.replicas.by_name, buffer_content(&name));
    buffer_free(&name);
    if (replica == NULL)
        return true;
    replica_look(replica, now_of(fleet), &look);
    return look.now.requests == 0;
}

/* Those whose time has come. A replica is empty only once the gateway knows that it is gone. */
static void
go_on(struct replay_fleet *fleet)
{
    for (unsigned i = 0; i < fleet->place_count; i++) {
        struct place *place = &fleet->places[i];

        if (place->state == PLACE_COMING && now_of(fleet) >= place->since_us + fleet->rules->cold_us)
            move_to(fleet, i, PLACE_THERE);
        else if (place->state == PLACE_LEAVING && !fleet->outdated && !fleet->adopting && is_empty(fleet, i))
            move_to(fleet, i, PLACE_AWAY);
    }
}

/* Who is not there yet goes first. */
static void
scale(struct replay_fleet *fleet, unsigned wanted)
{
    unsigned coming = count_of(fleet, PLACE_COMING), there = count_of(fleet, PLACE_THERE);

    for (; there + coming < wanted && find_away(fleet) < fleet->place_count; coming++)
        move_to(fleet, find_away(fleet), PLACE_COMING);
    for (; there + coming > wanted && coming > 0; coming--)
        move_to(fleet, find_newest(fleet, PLACE_COMING), PLACE_AWAY);
    for (; there > wanted && there > 1; there--)
        move_to(fleet, find_newest(fleet, PLACE_THERE), PLACE_LEAVING);
}

/* What the last second cost. */
static void
count_time(struct replay_fleet *fleet)
{
    const struct replay_world *world = fleet->world;
    unsigned paid = fleet->place_count - count_of(fleet, PLACE_AWAY);
    bool over = world->trace_status != OK && !world->first_waits;

    if (over || now_of(fleet) - world->started_us <= fleet->rules->learn_us)
        return;
    fleet->sum.replica_us += (usec)paid * LOOK_US;
    fleet->sum.most = paid > fleet->sum.most ? paid : fleet->sum.most;
}

static void
look(struct timer *timer)
{
    struct replay_fleet *fleet = CONTAINER_OF(timer, struct replay_fleet, timer);
    const struct backend_config *backend = &fleet->world->config->backends[fleet->backend];
    struct pool_view view;

    count_time(fleet);
    go_on(fleet);
    pool_size_look(pool_sizes_of(&fleet->world->gateway.healths.pool_sizes, backend->name), &view);
    if (view.wanted > 0)
        scale(fleet, view.wanted);
    tell_gateway(fleet);
    world_timer_start(first_world(fleet), &fleet->timer, LOOK_US);
}

/* From beginning to end */

struct replay_fleet *
replay_fleet_new(struct replay_world *world, size_t backend)
{
    struct replay_fleet *fleet = must_calloc(1, sizeof(*fleet));
    const struct replay_changes *rules = &world->settings->changes;

    fleet->world = world;
    fleet->rules = rules;
    fleet->backend = backend;
    fleet->place_count = (unsigned)world->engines.casts[backend].engine_count;
    ENSURE(rules->start >= 1 && rules->start <= fleet->place_count && fleet->place_count <= REPLAY_REPLICAS_MOST);
    for (unsigned i = 0; i < fleet->place_count; i++)
        move_to(fleet, i, i < rules->start ? PLACE_THERE : PLACE_AWAY);
    for (unsigned i = rules->start; i < fleet->place_count; i++)
        fleet->places[i].since_us = 0;
    fleet->outdated = false;
    fleet->sum.came = 0;
    fleet->sizer = sizer_open(&world->gateway, NULL);
    sizer_start(fleet->sizer, world->gateway.workers[0]);
    fleet->timer.fire = look;
    world_timer_start(first_world(fleet), &fleet->timer, LOOK_US);
    return fleet;
}

void
replay_fleet_free(struct replay_fleet *fleet)
{
    world_timer_stop(first_world(fleet), &fleet->timer);
    sizer_stop(fleet->sizer);
    replay_world_stop(fleet->world);
    history_run_to_rest(fleet->world->history); /* what-if questions and an adoption that are under way */
    sizer_close(fleet->sizer);
    free(fleet);
}

struct replay_fleet_sum
replay_fleet_sum(const struct replay_fleet *fleet)
{
    return fleet->sum;
}

size_t
replay_fleet_backend(const struct replay_fleet *fleet)
{
    return fleet->backend;
}
