#include "cmd/replay_world.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/rng.h"
#include "cmd/cmd.h"
#include "config/outside.h"
#include "money/prices.h"

enum { CONFIG_BYTES_MOST = 4 << 20, COMPLAINTS_MOST = 10 };

/* What a request costs where no configuration says so: about what hosted models of that size cost. */
static const char usual_prices[] = "{ input: $0.05/M, output: $0.08/M, cache_read: $0.025/M }";

/* The configuration */

static void
write_usual(const struct replay_settings *settings, struct buffer *out)
{
    buffer_add_text(out, "backends:\n  engines:\n    url: [ ");
    for (uint64_t i = 1; i <= settings->replicas; i++)
        buffer_printf(out, "%s\"http://replica-%llu.replay\"", i > 1 ? ", " : "", (unsigned long long)i);
    buffer_printf(out,
                  " ]\n    engine: twin\n    engine_model: %s\n    private: yes\n"
                  "routes:\n  assistant: { reference: engines/%s }\n"
                  "prices:\n  override:\n    engines/%s: %s\n",
                  settings->engine, settings->engine, settings->engine, usual_prices);
}

static int
load_config(struct replay_world *world)
{
    const struct replay_settings *settings = world->settings;
    const char *file = settings->config_file;
    struct config_outside outside = config_outside_real;
    struct config_input input = {.file = file, .outside = &outside};
    struct problems problems = {0};
    struct buffer text = {0}, said = {0};
    enum status status = OK;

    outside.no_secrets = true;
    if (file == NULL)
        write_usual(settings, &text);
    else
        status = cmd_read_config(file, CONFIG_BYTES_MOST, &text);
    if (status == OK) {
        input.text = buffer_content(&text);
        status = config_load_input(&input, &problems, &world->config);
    }
    if (problems.errors > 0) {
        config_print_problems(&problems, buffer_content(&text), cmd_colour(stderr), &said);
        cmd_tell(buffer_content(&said));
    }
    problems_free(&problems);
    buffer_free(&text);
    buffer_free(&said);
    return status == OK ? CMD_FINE : CMD_CONFIG;
}

/* Of the command line, in place of each backend's own. */
static void
take_policy(struct replay_world *world)
{
    enum policy_id id = POLICY_COUNT;

    if (world->settings->policy == NULL || !policy_find(slice_of(world->settings->policy), &id))
        return;
    for (size_t i = 0; i < world->config->backend_count; i++)
        world->config->backends[i].policy = id;
}

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
    take_policy(world);
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
    if (journal_read(&head, record) == OK)
        replay_stats_row(&world->stats, &record->row);
}

static void
start_gateway(struct replay_world *world)
{
    world->log = (struct log){.least = LOG_WARN, .write = complain};
    gateway_init(&world->gateway, world->config, &world->log, world->settings->seed);
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

static int
start_history(struct replay_world *world)
{
    const struct replay_settings *settings = world->settings;

    world->start_wall_us = choose_wall(world);
    world->history = history_new((struct history_options){.seed = settings->seed,
                                                          .workers = (unsigned)settings->workers,
                                                          .wall_us = world->start_wall_us,
                                                          .forgetful = true,
                                                          .append = take_record,
                                                          .context = world});
    world->started_us = history_now_us(world->history);
    replay_stats_init(&world->stats, world->config, world->start_wall_us);
    start_gateway(world);
    return replay_engines_start(&world->engines, world->history, world->config, settings->engine, settings->seed);
}

int
replay_world_new(struct replay_world *world, const struct replay_settings *settings, struct trace *trace)
{
    int exit_status;

    *world = (struct replay_world){.settings = settings, .trace = trace};
    rng_seed(&world->rng, rng_mix(settings->seed));
    world->trace_status = trace_next(trace, &world->first); /* it may say when the trace began */
    world->first_waits = world->trace_status == OK;
    exit_status = load_config(world);
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
