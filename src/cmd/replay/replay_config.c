#include "cmd/replay/replay_config.h"

#include "cmd/cmd.h"
#include "cmd/replay/replay_sizes.h"
#include "config/outside.h"

enum { CONFIG_BYTES_MOST = 4 << 20 };

/* What a request costs where no configuration says so: about what hosted models of that size cost. */
static const char usual_prices[] = "{ input: $0.05/M, output: $0.08/M, cache_read: $0.025/M }";

static void
write_usual(const struct replay_settings *settings, struct buffer *out)
{
    buffer_add_text(out, "backends:\n  engines:\n    url: [ ");
    for (uint64_t i = 1; i <= settings->replicas; i++)
        buffer_printf(out, "%s\"http://replica-%llu.replay\"", i > 1 ? ", " : "", (unsigned long long)i);
    buffer_printf(out, " ]\n    engine: twin\n    engine_model: %s\n    private: yes\n", settings->engine);
    if (settings->usd_per_hour > 0) {
        char price[USD_TEXT_SIZE];

        usd_format(settings->usd_per_hour, price);
        buffer_printf(out, "    usd_per_hour: $%s\n", price);
    } else {
        buffer_printf(out, "prices:\n  override:\n    engines/%s: %s\n", settings->engine, usual_prices);
    }
    buffer_printf(out, "routes:\n  assistant: { reference: engines/%s }\n", settings->engine);
}

static int
load(const struct replay_settings *settings, struct config **out)
{
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
        status = config_load_input(&input, &problems, out);
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

/* Of the command line, in place of what each backend and route says */

static void
take_policy(const struct replay_settings *settings, struct config *config)
{
    enum policy_id id = POLICY_COUNT;

    if (settings->policy == NULL || !policy_find(slice_of(settings->policy), &id))
        return;
    for (size_t i = 0; i < config->backend_count; i++)
        config->backends[i].policy = id;
}

static void
take_limits(const struct replay_settings *settings, struct config *config)
{
    for (size_t i = 0; i < config->route_count; i++) {
        struct route_config *route = &config->routes[i];

        route->first_token_us = settings->first_token_us != 0 ? settings->first_token_us : route->first_token_us;
        route->total_us = settings->total_us != 0 ? settings->total_us : route->total_us;
    }
}

/* No command is run in a replay. */
static void
take_changes(const struct replay_changes *changes, struct backend_config *pool)
{
    if (changes->start == 0)
        return;
    pool->replicas.given = true;
    pool->replicas.least = changes->least;
    pool->replicas.most = changes->most;
    pool->replicas.cold_start_us = changes->cold_us;
    pool->replicas.command = NULL;
}

static int
take_size(const struct replay_settings *settings, struct config *config)
{
    struct backend_config *pool;

    if (settings->replicas == 0 || (settings->config_file == NULL && settings->changes.start == 0))
        return CMD_FINE; /* without a file it was written with that many */
    pool = replay_pool_find(config, settings->pool != NULL ? settings->pool : "");
    if (pool == NULL)
        return CMD_USAGE;
    replay_pool_resize(config, pool, (unsigned)settings->replicas);
    take_changes(&settings->changes, pool);
    return CMD_FINE;
}

int
replay_config_load(const struct replay_settings *settings, struct config **out)
{
    int exit_status = load(settings, out);

    if (exit_status != CMD_FINE)
        return exit_status;
    take_policy(settings, *out);
    take_limits(settings, *out);
    return take_size(settings, *out);
}
