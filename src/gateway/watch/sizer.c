#include "gateway/watch/sizer.h"

#include <stdio.h>
#include <stdlib.h>

#include "fleet/capacity/pool_size.h"
#include "gateway/watch/sizer_rules.h"

static const usec LOOK_US = USEC_PER_S;

/* What is learned in less is soon learned again. */
static const usec KEEP_US = 600 * USEC_PER_S;

static const usec COMMAND_TIMEOUT_US = 60 * USEC_PER_S;
enum { COMMAND_OUTPUT_MOST = 256, NUMBER_SIZE = 12, INPUT_SIZE = 512 };

struct sized {
    struct sizer *sizer;
    struct list link;
    char *name;
    struct pool_size *pool;
    /* The what-if under way. */
    struct job job;
    struct pool_study *study; /* NULL: none */
    /* The command. */
    struct command_run run;
    struct config *config; /* held while it runs: the command's text is in it */
    bool running;
    unsigned told; /* the number that it last took */
    bool has_told;
    unsigned telling;
    usec not_before_us, pause_us;
    char now[NUMBER_SIZE], wanted[NUMBER_SIZE], input[INPUT_SIZE];
    const char *arguments[4];
};

struct sizer {
    struct gateway *gateway;
    struct gateway_worker *worker; /* NULL: not started */
    struct cache_disk *disk;       /* NULL: nothing is kept */
    struct list pools;
    struct timer timer;
    struct job keeping;
    bool keeps, stopped;
    enum status kept;
    usec kept_us;
};

static struct world *
world_of(const struct sized *sized)
{
    return worker_world(sized->sizer->worker);
}

/* The command */

static void
raise_failure(struct sized *sized, int exit_status, struct slice line)
{
    struct alert alert;

    alert_init(&alert, ALERT_REPLICAS_COMMAND, "%s", sized->name);
    if (exit_status >= 0)
        alert_words(&alert,
                    "The command for the replicas of %s, asked for %u, ended with status %d%s%.*s. It is tried again.",
                    sized->name, sized->telling, exit_status, line.len > 0 ? ": " : "", SLICE_ARGS(line));
    else
        alert_words(&alert,
                    "The command for the replicas of %s could not be run, or took longer than %d s. It is tried again.",
                    sized->name, (int)(COMMAND_TIMEOUT_US / USEC_PER_S));
    alert_fact_text(&alert, "backend", slice_of(sized->name));
    alert_fact_number(&alert, "wanted", sized->telling);
    alert_fact_number(&alert, "exit_status", exit_status);
    alert_raise(sized->sizer->worker, &alert);
}

static void
free_sized(struct sized *sized)
{
    list_remove(&sized->link);
    free(sized->name);
    free(sized);
}

static void
command_done(struct command_run *run, int exit_status, struct slice output)
{
    struct sized *sized = CONTAINER_OF(run, struct sized, run);

    sized->running = false;
    count(&sized->sizer->worker->counters, exit_status == 0 ? COUNT_REPLICAS_COMMANDED : COUNT_REPLICAS_COMMAND_FAILED,
          1);
    config_release(sized->config);
    sized->config = NULL;
    if (exit_status == 0) {
        sized->told = sized->telling;
        sized->has_told = true;
        sized->pause_us = SIZER_COMMAND_PAUSE_US;
    } else {
        sized->pause_us =
            2 * sized->pause_us < SIZER_COMMAND_PAUSE_MOST_US ? 2 * sized->pause_us : SIZER_COMMAND_PAUSE_MOST_US;
        raise_failure(sized, exit_status, slice_first(output, slice_find_byte(output, '\n')));
    }
    sized->not_before_us = world_now_us(world_of(sized)) + sized->pause_us;
}

static void
run_command(struct sized *sized, const char *command, unsigned there, unsigned wanted)
{
    struct world *world = world_of(sized);
    struct buffer json = {0};

    snprintf(sized->now, sizeof(sized->now), "%u", there);
    snprintf(sized->wanted, sizeof(sized->wanted), "%u", wanted);
    buffer_add_text(&json, "{\"pool\":\"");
    buffer_add_json(&json, slice_of(sized->name));
    buffer_printf(&json, "\",\"now\":%u,\"wanted\":%u}\n", there, wanted);
    snprintf(sized->input, sizeof(sized->input), "%.*s", SLICE_ARGS(buffer_content(&json)));
    buffer_free(&json);
    sized->arguments[0] = sized->name;
    sized->arguments[1] = sized->now;
    sized->arguments[2] = sized->wanted;
    sized->running = true;
    sized->telling = wanted;
    sized->config = config_hold(sized->sizer->gateway->snapshot->config);
    sized->run = (struct command_run){.command = command,
                                      .arguments = sized->arguments,
                                      .input = slice_of(sized->input),
                                      .timeout_us = COMMAND_TIMEOUT_US,
                                      .output_most = COMMAND_OUTPUT_MOST,
                                      .done = command_done};
    world->ops->command(world, &sized->run);
}

/* Before anything was learned the number is a guess of nobody. */
static void
tell_command(struct sized *sized, const struct backend_config *backend)
{
    struct pool_view view;

    if (backend->replicas.command == NULL || sized->running || world_now_us(world_of(sized)) < sized->not_before_us)
        return;
    pool_size_look(sized->pool, &view);
    if (view.carry > 0 && (sized->has_told ? view.wanted != sized->told : view.wanted != view.there))
        run_command(sized, backend->replicas.command, view.there, view.wanted);
}

/* What-if questions */

static void
run_study(struct job *job)
{
    pool_study_answer(CONTAINER_OF(job, struct sized, job)->study);
}

static void
study_done(struct job *job)
{
    struct sized *sized = CONTAINER_OF(job, struct sized, job);
    const struct config *config = sized->sizer->gateway->snapshot->config;
    const struct backend_config *backend = config_backend(config, slice_of(sized->name));
    struct forecast_goal goal = {FORECAST_FILL, FORECAST_SHARE_USUAL};

    if (backend != NULL)
        goal = sizer_goal(config, backend, sized->study, world_wall_us(world_of(sized)));
    pool_size_learn(sized->pool, sized->study, goal);
    free(sized->study);
    sized->study = NULL;
}

static void
ask(struct sized *sized, const struct pool_question *question)
{
    struct world *world = world_of(sized);

    sized->study = must_calloc(1, sizeof(*sized->study));
    pool_size_ask(sized->pool, question, world_now_us(world), sized->study);
    sized->job = (struct job){.run = run_study, .done = study_done};
    world->ops->work(world, &sized->job);
}

/* Each second */

static struct sized *
sized_of(struct sizer *sizer, const char *name)
{
    struct sized *sized;

    LIST_EACH(&sizer->pools, node, after)
    {
        sized = CONTAINER_OF(node, struct sized, link);
        if (strcmp(sized->name, name) == 0)
            return sized;
    }
    sized = must_calloc(1, sizeof(*sized));
    sized->sizer = sizer;
    sized->name = must_strdup(name);
    sized->pool = pool_sizes_of(&sizer->gateway->healths.pool_sizes, name);
    sized->pause_us = SIZER_COMMAND_PAUSE_US;
    list_append(&sizer->pools, &sized->link);
    return sized;
}

static void
look_at(struct sizer *sizer, const struct config *config, const struct backend_config *backend)
{
    struct world *world = worker_world(sizer->worker);
    struct sized *sized = sized_of(sizer, backend->name);
    struct pool_rules rules = sizer_rules(config, backend);
    struct replica_model model;
    struct pool_question question;
    usec now_us = world_now_us(world);
    unsigned there = sizer_there(&sizer->gateway->healths, backend, now_us, &model);

    pool_size_configure(sized->pool, &rules, &model, there);
    question = pool_size_tick(sized->pool, now_us, world_wall_us(world), there);
    if ((question.study || question.fewer) && sized->study == NULL)
        ask(sized, &question);
    tell_command(sized, backend);
}

static enum status
keep(struct sizer *sizer)
{
    struct buffer file = {0};
    enum status status;

    pool_sizes_save(&sizer->gateway->healths.pool_sizes, &file);
    status = cache_disk_write_whole(sizer->disk, buffer_content(&file));
    buffer_free(&file);
    return status;
}

static void
run_keep(struct job *job)
{
    struct sizer *sizer = CONTAINER_OF(job, struct sizer, keeping);

    sizer->kept = keep(sizer);
}

static void
keep_done(struct job *job)
{
    struct sizer *sizer = CONTAINER_OF(job, struct sizer, keeping);

    sizer->keeps = false;
    if (sizer->kept != OK)
        log_line(sizer->gateway->log, LOG_WARN,
                 "what was learned of pools cannot be written down: %s; it is tried again", status_text(sizer->kept));
}

static void
keep_in_time(struct sizer *sizer, usec now_us)
{
    struct world *world = worker_world(sizer->worker);

    if (sizer->disk == NULL || sizer->keeps || now_us - sizer->kept_us < KEEP_US)
        return;
    sizer->keeps = true;
    sizer->kept_us = now_us;
    sizer->keeping = (struct job){.run = run_keep, .done = keep_done};
    world->ops->work(world, &sizer->keeping);
}

static void
look(struct timer *timer)
{
    struct sizer *sizer = CONTAINER_OF(timer, struct sizer, timer);
    struct world *world = worker_world(sizer->worker);
    const struct config *config = sizer->gateway->snapshot->config;

    for (size_t i = 0; i < config->backend_count; i++)
        if (sizer_is_pool(&config->backends[i]))
            look_at(sizer, config, &config->backends[i]);
    keep_in_time(sizer, world_now_us(world));
    world_timer_start(world, &sizer->timer, LOOK_US);
}

/* From beginning to end */

static const size_t FILE_BYTES_MOST = (size_t)16 << 20;

struct sizer *
sizer_open(struct gateway *gateway, struct cache_disk *disk)
{
    struct sizer *sizer = must_calloc(1, sizeof(*sizer));
    struct buffer file = {0};

    sizer->gateway = gateway;
    sizer->disk = disk;
    list_init(&sizer->pools);
    if (disk != NULL &&
        (cache_disk_read_whole(disk, FILE_BYTES_MOST, &file) != OK ||
         (buffer_len(&file) > 0 && pool_sizes_restore(&gateway->healths.pool_sizes, buffer_content(&file)) != OK)))
        log_line(gateway->log, LOG_WARN, "the file of pools is damaged: their days must be learned anew");
    buffer_free(&file);
    return sizer;
}

void
sizer_start(struct sizer *sizer, struct gateway_worker *first)
{
    ENSURE(worker_world(first)->worker == 0);
    sizer->worker = first;
    sizer->kept_us = world_now_us(worker_world(first));
    sizer->timer.fire = look;
    world_timer_start(worker_world(first), &sizer->timer, LOOK_US);
}

void
sizer_stop(struct sizer *sizer)
{
    if (!sizer->stopped && sizer->worker != NULL)
        world_timer_stop(worker_world(sizer->worker), &sizer->timer);
    sizer->stopped = true;
}

void
sizer_close(struct sizer *sizer)
{
    if (sizer == NULL)
        return;
    if (sizer->disk != NULL && keep(sizer) != OK)
        log_line(sizer->gateway->log, LOG_WARN, "what was learned of pools could not be written down");
    if (sizer->disk != NULL)
        sizer->disk->ops->close(sizer->disk);
    LIST_EACH(&sizer->pools, node, after)
    free_sized(CONTAINER_OF(node, struct sized, link));
    free(sizer);
}
