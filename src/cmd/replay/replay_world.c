#include "cmd/replay/replay_world.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/rng.h"
#include "cmd/cmd.h"
#include "cmd/replay/replay_config.h"
#include "cmd/replay/replay_sizes.h"
#include "money/prices/prices.h"

enum { COMPLAINTS_MOST = 10 };

/* Who asks for what */

static const struct route_config *
choose_route(const struct replay_world *world)
{
    const char *name = world->settings->route;
    const struct route_config *route = NULL;

    if (world->config->route_count == 0)
        cmd_complain("replay: the configuration has no routes, so nothing says to which model requests go. Add one: "
                     "routes: { assistant: { reference: BACKEND/MODEL } }");
    else if (name == NULL)
        route = &world->config->routes[0];
    else if ((route = config_route(world->config, slice_of(name))) == NULL)
        cmd_complain("replay: --route: the configuration has no route '%s'; its first is '%s'", name,
                     world->config->routes[0].name);
    return route;
}

/* True if there is none to choose, too. */
static bool
choose_key(const struct replay_world *world, const struct key_config **out)
{
    const struct config *config = world->config;
    const char *name = world->settings->key;

    *out = config->key_count > 0 ? &config->keys[0] : NULL;
    if (name == NULL)
        return true;
    for (size_t i = 0; i < config->key_count; i++)
        if (strcmp(config->keys[i].name, name) == 0) {
            *out = &config->keys[i];
            return true;
        }
    cmd_complain("replay: --key: the configuration has no key '%s'", name);
    return false;
}

static int
start_writer(struct replay_world *world)
{
    const struct route_config *route = choose_route(world);
    const struct key_config *key;

    if (route == NULL)
        return world->config->route_count == 0 ? CMD_CONFIG : CMD_USAGE;
    if (!choose_key(world, &key))
        return CMD_USAGE;
    replay_keys_replace(world->config);
    replay_writer_init(&world->writer, world->config, route, key);
    return CMD_FINE;
}

/* The gateway */

static void
complain(struct log *log, enum log_level level, struct slice line)
{
    struct replay_world *world = CONTAINER_OF(log, struct replay_world, log);

    if (world->deaf || ++world->complaints > COMPLAINTS_MOST)
        return;
    fprintf(stderr, "replay: the gateway says, %s: %.*s%s\n", log_level_name(level), SLICE_ARGS(line),
            world->complaints == COMPLAINTS_MOST ? " (more of its words are left out)" : "");
}

static void
take_record(void *context, unsigned worker, struct slice bytes)
{
    struct replay_world *world = context;
    struct journal_head head;
    struct journal_record *record = &world->record;

    (void)worker;
    if (world->deaf || journal_look(bytes, &head) != OK || head.type != JOURNAL_SETTLE)
        return;
    if (journal_read(&head, record) == OK &&
        record->row.arrived_wall_us - world->start_wall_us >= world->settings->changes.learn_us)
        replay_stats_row(&world->stats, &record->row);
}

static void
start_gateway(struct replay_world *world)
{
    world->log = (struct log){.least = LOG_WARN, .write = complain};
    gateway_init(&world->gateway, world->config, &world->log, world->settings->seed);
    world->gateway.no_audits = true;
    world->gateway_there = true;
    for (unsigned i = 0; i < world->settings->workers; i++) {
        struct gateway_worker *worker = gateway_worker_new(&world->gateway, history_world(world->history, i));

        world->gateway.workers[i] = worker;
        world->gateway.worker_count = i + 1;
        history_serve(world->history, i, &worker->app);
    }
}

/* The clients */

static bool
next_request(void *context, struct play_request *out)
{
    struct replay_world *world = context;
    struct trace_request request = world->first;

    if (world->first_waits)
        world->first_waits = false;
    else if (world->trace_status == OK)
        world->trace_status = trace_next(world->trace, &request);
    if (world->trace_status != OK)
        return false;
    replay_write(&world->writer, &request, out);
    out->worker = (unsigned)rng_below(&world->rng, world->settings->workers);
    return true;
}

static void
is_over(void *context, const struct played *played)
{
    struct replay_world *world = context;

    world->answered++;
    world->unidentified += played->status == 401 ? 1 : 0;
}

static const struct player_ops player_ops = {.next = next_request, .over = is_over};

/* When it plays */

static usec
choose_wall(const struct replay_world *world)
{
    usec wall_us = world->settings->wall_us != 0 ? world->settings->wall_us : trace_start_wall_us(world->trace);

    if (wall_us == 0 && clock_parse_utc(slice_of(prices_builtin_date()), &wall_us) != OK)
        wall_us = 0;
    ENSURE(wall_us != 0);
    return wall_us;
}

/* Of a pool whose replicas come and go the gateway knows at first those that are there. */
static void
show_first(struct replay_world *world)
{
    struct backend_config *pool;

    if (world->settings->changes.start == 0)
        return;
    pool = replay_pool_find(world->config, world->settings->pool != NULL ? world->settings->pool : "");
    ENSURE(pool != NULL && world->settings->changes.start <= pool->endpoint_count);
    pool->endpoint_count = world->settings->changes.start;
}

static int
start_history(struct replay_world *world)
{
    const struct replay_settings *settings = world->settings;
    int exit_status;

    world->start_wall_us = choose_wall(world);
    world->history = history_new((struct history_options){.seed = settings->seed,
                                                          .workers = (unsigned)settings->workers,
                                                          .wall_us = world->start_wall_us,
                                                          .forgetful = true,
                                                          .append = take_record,
                                                          .context = world});
    world->started_us = history_now_us(world->history);
    replay_stats_init(&world->stats, world->config, world->start_wall_us);
    world->stats.could = replay_engines_could;
    world->stats.engines = &world->engines;
    exit_status =
        replay_engines_start(&world->engines, world->history, world->config, settings->engine, settings->seed);
    if (exit_status != CMD_FINE)
        return exit_status;
    show_first(world);
    start_gateway(world);
    return CMD_FINE;
}

int
replay_world_new(struct replay_world *world, const struct replay_settings *settings, struct trace *trace)
{
    int exit_status;

    *world = (struct replay_world){.settings = settings, .trace = trace};
    rng_seed(&world->rng, rng_mix(settings->seed));
    world->trace_status = trace_next(trace, &world->first); /* it may say when the trace began */
    world->first_waits = world->trace_status == OK;
    exit_status = replay_config_load(settings, &world->config);
    if (exit_status == CMD_FINE)
        exit_status = start_writer(world);
    if (exit_status == CMD_FINE)
        exit_status = start_history(world);
    if (exit_status == CMD_FINE)
        world->player = player_new(world->history, &player_ops, world);
    return exit_status;
}

bool
replay_world_run(struct replay_world *world, unsigned steps)
{
    for (unsigned i = 0; i < steps; i++)
        if (!player_busy(world->player) || !history_step(world->history))
            return false;
    return true;
}

void
replay_world_stop(struct replay_world *world)
{
    world->deaf = true;
    player_stop(world->player);
}

void
replay_world_free(struct replay_world *world)
{
    world->deaf = true;
    if (world->player != NULL)
        player_stop(world->player);
    if (world->history != NULL)
        history_run_to_rest(world->history);
    if (world->player != NULL)
        player_free(world->player);
    if (world->gateway_there) {
        for (unsigned i = 0; i < world->gateway.worker_count; i++)
            gateway_worker_free(world->gateway.workers[i]);
        world->gateway.worker_count = 0;
        gateway_free(&world->gateway);
    }
    if (world->engines.casts != NULL)
        replay_engines_free(&world->engines);
    if (world->history != NULL)
        history_free(world->history);
    replay_writer_free(&world->writer);
    replay_stats_free(&world->stats);
    config_release(world->config);
}
