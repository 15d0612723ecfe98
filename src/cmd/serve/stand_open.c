/* What a stand opens before it serves: sockets, the ledger, the files of the data folder. */
#include "cmd/serve/stand_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "cache/file.h"
#include "cmd/cmd.h"
#include "cmd/files.h"
#include "cmd/serve/recall.h"
#include "gateway/reuse/turn_keeper.h"
#include "live/cache_disk.h"

static unsigned
worker_count(const struct config *config)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned workers = config->workers != 0 ? config->workers : cores > 0 ? (unsigned)cores : 1;

    return workers < WORKERS_MOST ? workers : WORKERS_MOST;
}

static struct live_listener
listener_of(const struct listen_address *address)
{
    return (struct live_listener){.address = address->host, .port = address->port};
}

static int
open_listeners(struct stand *stand)
{
    const struct config *config = stand->config;
    struct live_listener listeners[LISTENERS] = {listener_of(&config->listen), listener_of(&config->admin),
                                                 listener_of(&config->health)};
    char problem[LIVE_PROBLEM_SIZE];
    enum status status;
    struct live_options options = {
        .workers = worker_count(config),
        .listeners = listeners,
        .listener_count = config->health.port != 0 ? LISTENERS : LISTENER_HEALTH,
        .patience = {.header_us = config->limits.header_timeout_us,
                     .body_us = config->limits.body_timeout_us,
                     .idle_us = config->limits.keep_alive_us,
                     .write_us = config->limits.write_timeout_us},
        .head_most = config->limits.header_max,
        .drain_us = config->limits.drain_timeout_us,
        .log = &stand->log,
        .context = stand,
    };

    stand_set_callbacks(&options);
    listeners[LISTENER_CLIENTS].cert_file = config->tls.cert;
    listeners[LISTENER_CLIENTS].key_file = config->tls.key;
    listeners[LISTENER_ADMIN].first_worker_only = listeners[LISTENER_HEALTH].first_worker_only = true;
    status = live_new(&options, &stand->live, problem);
    if (status != OK)
        cmd_complain("%s%s", problem,
                     status == ERR_IO ? " (`listen` and `admin` in the configuration, or --listen and --admin.)" : "");
    return status == OK ? CMD_FINE : CMD_FAILED;
}

static int
make_workers(struct stand *stand)
{
    unsigned count = worker_count(stand->config);

    for (unsigned i = 0; i < count; i++)
        stand->gateway.workers[i] = gateway_worker_new(&stand->gateway, live_world_at(stand->live, i));
    stand->gateway.worker_count = count;
    return CMD_FINE;
}

/* What the gateway has booked since it started, for the ledger to compare. */
static void
gateway_totals(void *user, struct ledger_totals *out)
{
    const struct gateway *gateway = &((struct stand *)user)->gateway;

    *out = (struct ledger_totals){.unpriced = gateway_count(gateway, COUNT_UNPRICED),
                                  .cost = gateway_count(gateway, COUNT_COST_PICO),
                                  .baseline = gateway_count(gateway, COUNT_BASELINE_PICO),
                                  .saved = gateway_count(gateway, COUNT_SAVED_PICO)};
    for (unsigned which = COUNT_ENDED_OK; which <= COUNT_OWN_JUDGES; which++) /* all rows */
        out->rows += gateway_count(gateway, (enum counter)which);
}

static void
before_check(void *user)
{
    conserve_before(&((struct stand *)user)->conserve, clock_wall_us());
}

/* Rows that were lost are known to be missing. */
static size_t
after_check(void *user, struct ledger_store *store)
{
    struct stand *stand = user;

    if (gateway_count(&stand->gateway, COUNT_ROWS_LOST) > 0)
        return 0;
    return conserve_after(&stand->conserve, store, atomic_load(&stand->reloaded_wall_us), &stand->log);
}

static int
open_ledger(struct stand *stand)
{
    struct ledger_options options = {.dir = stand->config->data,
                                     .workers = worker_count(stand->config),
                                     .sync_us = stand->config->journal_sync_us,
                                     .log = &stand->log,
                                     .totals = gateway_totals,
                                     .before_check = before_check,
                                     .after_check = after_check,
                                     .totals_user = stand};
    struct problems problems;
    enum status status;

    problems_init(&problems);
    status = ledger_writer_start(&options, &problems, &stand->ledger);
    if (status == OK)
        status = recall_all(&stand->gateway, stand->config->data, clock_wall_us(), &problems);
    if (status == OK)
        atomic_store(&stand->reloaded_wall_us, INT64_MIN);
    cmd_print_problems(&problems, SLICE_NONE);
    problems_free(&problems);
    if (status == OK)
        gateway_go_on_from(&stand->gateway, ledger_writer_last_id(stand->ledger));
    return status == OK ? CMD_FINE : CMD_FAILED;
}

/* The marks of conversations must outlive the process. Made once; the data folder is this process's alone by now. */
static int
find_salt(struct stand *stand)
{
    char *path = arena_printf(&stand->config->arena, "%s/salt", stand->config->data);
    uint64_t salt;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool found = fd >= 0 && read(fd, &salt, sizeof(salt)) == (ssize_t)sizeof(salt);

    if (fd >= 0)
        close(fd);
    if (!found && (getrandom(&salt, sizeof(salt), 0) != (ssize_t)sizeof(salt) ||
                   file_replace(path, slice_make((const char *)&salt, sizeof(salt))) != OK)) {
        cmd_complain("%s cannot be written: %s", path, strerror(errno));
        return CMD_FAILED;
    }
    gateway_set_salt(&stand->gateway, salt);
    return CMD_FINE;
}

/* A file that cannot be opened is a mistake of the configuration; one that is damaged is not, and is made anew. */
static int
open_cache(struct stand *stand)
{
    const char *path = stand->config->cache.path;
    struct problems problems;
    struct cache_disk *disk;
    struct buffer words = {0};

    if (path == NULL)
        return CMD_FINE;
    problems_init(&problems);
    if (cache_disk_open(path, &problems, &disk) == OK) {
        stand->notes = turn_keeper_new(&stand->gateway);
        stand->gateway.cache_file =
            cache_file_open(stand->gateway.cache, disk, &stand->gateway.secret, stand->notes, clock_wall_us());
        turns_forget_gone(&stand->gateway);
    }
    problems_print(&problems, SLICE_NONE, false, &words);
    if (buffer_len(&words) > 0)
        fwrite(words.data, 1, buffer_len(&words), stderr);
    buffer_free(&words);
    problems_free(&problems);
    return stand->gateway.cache_file != NULL ? CMD_FINE : CMD_CONFIG;
}

/* A small file of the data folder; NULL once it is said that it cannot be opened. */
static struct cache_disk *
open_small(const struct stand *stand, const char *name, const char *words)
{
    struct problems problems;
    struct cache_disk *disk = NULL;
    char *path;

    problems_init(&problems);
    if (asprintf(&path, "%s/%s", stand->config->data, name) < 0)
        return NULL;
    if (cache_disk_open(path, &problems, &disk) != OK) {
        fprintf(stderr, "%s cannot be opened for reading and writing: %s could not be kept.\n", path, words);
        disk = NULL;
    }
    problems_free(&problems);
    free(path);
    return disk;
}

static int
open_evidence(struct stand *stand)
{
    struct cache_disk *evidence = open_small(stand, "evidence", "what levers learn"), *pools;

    if (evidence != NULL)
        stand->evidence = evidence_keeper_open(&stand->gateway, evidence);
    pools = open_small(stand, "pools", "what is learned of pools");
    if (pools != NULL)
        stand->sizer = sizer_open(&stand->gateway, pools);
    return evidence != NULL && pools != NULL ? CMD_FINE : CMD_FAILED;
}

/* What is otherwise than it was when the gateway last ran was changed meanwhile, or with this start. */
static int
open_changes(struct stand *stand)
{
    const char *data = stand->config->data;
    enum status status = changes_log_open(data, &stand->changes);

    if (status == OK)
        status =
            changes_log_compare(stand->changes, stand->config, stand->gateway.salt, "start", true, clock_wall_us());
    if (status == OK)
        return CMD_FINE;
    cmd_complain("%s/changes.log cannot be written: %s", data, strerror(errno));
    return CMD_FAILED;
}

int
stand_open(struct stand *stand)
{
    static int (*const steps[])(struct stand *) = {open_listeners, make_workers,  open_ledger, find_salt,
                                                   open_cache,     open_evidence, open_changes};
    int exit_status = CMD_FINE;

    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps) && exit_status == CMD_FINE; i++)
        exit_status = steps[i](stand);
    return exit_status;
}
