#include "cmd/stand.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "admin/admin.h"
#include "alerts/sender.h"
#include "alerts/watch.h"
#include "base/clock.h"
#include "cache/file.h"
#include "cmd/changes_log.h"
#include "cmd/cmd.h"
#include "cmd/conserve.h"
#include "cmd/files.h"
#include "cmd/inquiries.h"
#include "cmd/ledger_view.h"
#include "cmd/recall.h"
#include "cmd/reread.h"
#include "cmd/supervision.h"
#include "gateway/cache_keeper.h"
#include "gateway/evidence_keeper.h"
#include "gateway/gateway.h"
#include "gateway/rent.h"
#include "gateway/sizer.h"
#include "gateway/turn_keeper.h"
#include "live/cache_disk.h"
#include "live/ledger_writer.h"
#include "live/live.h"
#include "live/outside.h"
#include "money/explain.h"
#include "version.h"

enum listener { LISTENER_CLIENTS, LISTENER_ADMIN, LISTENER_HEALTH, LISTENERS };

struct stand {
    struct config *config;
    struct log log;
    struct gateway gateway;
    struct changes_log *changes;
    struct reread *reread;
    struct supervision supervision;
    struct ledger_writer *ledger;
    struct live *live;
    bool serving;                /* on threads of its own */
    bool speaks;                 /* to whoever sits at the terminal */
    struct inquiries *inquiries; /* on the first worker */
    struct alert_sender *alerts; /* too */
    struct watch *watch;
    struct cache_keeper *keeper;
    struct rent_keeper *rent;
    struct evidence_keeper *evidence;
    struct sizer *sizer;
    struct cache_notes *notes;      /* of the store's file; NULL: there is none */
    struct conserve conserve;       /* the ledger's thread's */
    _Atomic(usec) reloaded_wall_us; /* when budgets may last have changed; INT64_MIN: never */
    struct application *admin, *health;
    char url[128], admin_url[128];
};

/* What the gateway has booked since it started, for the ledger to compare. */
static void
gateway_totals(void *user, struct ledger_totals *out)
{
    const struct gateway *gateway = &((struct stand *)user)->gateway;

    *out = (struct ledger_totals){.unpriced = gateway_count(gateway, COUNT_UNPRICED),
                                  .cost = gateway_count(gateway, COUNT_COST_PICO),
                                  .baseline = gateway_count(gateway, COUNT_BASELINE_PICO),
                                  .saved = gateway_count(gateway, COUNT_SAVED_PICO)};
    for (unsigned which = COUNT_ENDED_OK; which <= COUNT_ENDED_INVALID; which++)
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

static void
ledger_metrics(void *context, struct buffer *out)
{
    struct stand *stand = context;
    struct ledger_writer_counters counters = ledger_writer_counters(stand->ledger);

    buffer_printf(
        out,
        "# HELP equipoise_ledger_records_total Journal records that the ledger has taken over\n"
        "# TYPE equipoise_ledger_records_total counter\nequipoise_ledger_records_total %llu\n"
        "# HELP equipoise_ledger_lag_bytes Of the journal, appended and not in the ledger\n"
        "# TYPE equipoise_ledger_lag_bytes gauge\nequipoise_ledger_lag_bytes %llu\n"
        "# HELP equipoise_ledger_mismatches_total Checks of rows against counters that did not come out even\n"
        "# TYPE equipoise_ledger_mismatches_total counter\nequipoise_ledger_mismatches_total %llu\n"
        "# HELP equipoise_feedback_foreign_total Feedback left out, for it came with another tenant's key\n"
        "# TYPE equipoise_feedback_foreign_total counter\nequipoise_feedback_foreign_total %llu\n"
        "# HELP equipoise_ledger_healthy 1 while journal and ledger can be written\n"
        "# TYPE equipoise_ledger_healthy gauge\nequipoise_ledger_healthy %d\n",
        (unsigned long long)counters.tail.records, (unsigned long long)counters.lag_bytes,
        (unsigned long long)counters.mismatches, (unsigned long long)counters.foreign,
        ledger_writer_health(stand->ledger) == OK);
}

/* Off the loop. Reads the ledger as `explain` does, from outside. */
static enum status
row_json(void *context, uint64_t id, struct buffer *out)
{
    struct stand *stand = context;
    struct problems problems = {0};
    struct ledger_view view;
    struct arena arena = {0};
    struct row row;
    enum status status = ledger_view_open(stand->config->data, &problems, &view);

    if (status == OK)
        status = ledger_view_find(&view, id, &arena, &row);
    if (status == OK)
        explain_write_json(&row, out);
    ledger_view_close(&view);
    arena_reset(&arena);
    problems_free(&problems);
    return status;
}

static enum status
keep_change(void *context, struct slice lines)
{
    return changes_log_add(((struct stand *)context)->changes, lines);
}

static const char *
unready(void *context)
{
    struct stand *stand = context;

    if (stand->config->serve_when_journal_fails || !ledger_writer_refuses(stand->ledger))
        return NULL;
    return "not ready: the journal cannot be written, and what cannot be booked is refused (journal: when_full); make "
           "room on the disk\n";
}

static void
ledger_for_watch(void *context, struct watch_ledger *out)
{
    struct stand *stand = context;

    out->health = ledger_writer_health(stand->ledger);
    out->mismatches = ledger_writer_counters(stand->ledger).mismatches;
}

static bool
found_others(void *context)
{
    return reread_places(((struct stand *)context)->reread);
}

static void
start_inquiries(struct stand *stand)
{
    stand->inquiries = inquiries_start(&(struct rediscover_options){.worker = stand->gateway.workers[0],
                                                                    .outside = &config_outside_live,
                                                                    .context = stand,
                                                                    .changed = found_others});
}

static void
worker_started(void *context, struct world *world)
{
    struct stand *stand = context;
    struct admin_options admin = {.gateway = &stand->gateway,
                                  .context = stand,
                                  .more_metrics = ledger_metrics,
                                  .row_json = row_json,
                                  .keep_change = keep_change,
                                  .unready = unready};

    if (world->worker != 0)
        return;
    supervision_start(&stand->supervision, world);
    admin.reloader = reread_start(stand->reread, world);
    stand->admin = admin_new(world, &admin);
    if (stand->config->health.port != 0)
        stand->health = admin_new(world, &(struct admin_options){.gateway = &stand->gateway,
                                                                 .health_only = true,
                                                                 .token = stand->config->health_token,
                                                                 .context = stand,
                                                                 .more_metrics = ledger_metrics,
                                                                 .unready = unready});
    start_inquiries(stand);
    stand->alerts = alert_sender_start(stand->gateway.workers[0]);
    stand->keeper = cache_keeper_start(stand->gateway.workers[0]);
    evidence_keeper_start(stand->evidence, stand->gateway.workers[0]);
    sizer_start(stand->sizer, stand->gateway.workers[0]);
    stand->rent = rent_keeper_start(stand->gateway.workers[0]);
    stand->watch =
        watch_start(stand->gateway.workers[0], &(struct watch_options){.context = stand, .ledger = ledger_for_watch});
}

/* Asking backends about themselves serves no client: it does not keep the gateway up. */
static void
worker_stopping(void *context, struct world *world)
{
    struct stand *stand = context;

    if (world->worker != 0)
        return;
    inquiries_stop(stand->inquiries);
    stand->inquiries = NULL;
    cache_keeper_stop(stand->keeper);
    evidence_keeper_stop(stand->evidence);
    sizer_stop(stand->sizer);
    reread_stop(stand->reread);
    supervision_stop(&stand->supervision);
    alert_sender_finish(stand->alerts);
    if (stand->speaks)
        fprintf(stderr, "Stopping: requests under way have %llu s to finish. Once more ends at once.\n",
                (unsigned long long)(stand->config->limits.drain_timeout_us / USEC_PER_S));
}

static void
worker_stopped(void *context, struct world *world)
{
    struct stand *stand = context;

    if (world->worker != 0)
        return;
    inquiries_stop(stand->inquiries);
    stand->inquiries = NULL;
    rent_keeper_stop(stand->rent);
    watch_stop(stand->watch);
    cache_keeper_free(stand->keeper);
    alert_sender_free(stand->alerts);
    admin_free(stand->admin);
    if (stand->health != NULL)
        admin_free(stand->health);
}

static struct application *
application_at(void *context, struct world *world, size_t listener)
{
    struct stand *stand = context;

    return listener == LISTENER_CLIENTS ? &stand->gateway.workers[world->worker]->app
           : listener == LISTENER_ADMIN ? stand->admin
                                        : stand->health;
}

static enum status
append(void *context, struct world *world, struct slice record)
{
    return ledger_writer_append(((struct stand *)context)->ledger, world->worker, record);
}

static void
on_hangup(void *context)
{
    reread_hangup(((struct stand *)context)->reread);
}

/* All workers serve. */
static void
on_serving(void *context)
{
    notify_ready(((struct stand *)context)->supervision.notify);
}

static void
reread_begins(void *context)
{
    notify_reloading(((struct stand *)context)->supervision.notify);
}

/* The backends may be others: they are asked anew. */
static void
reread_over(void *context, enum status status)
{
    struct stand *stand = context;

    if (status == OK)
        atomic_store(&stand->reloaded_wall_us, clock_wall_us());
    if (status == OK && stand->inquiries != NULL) {
        inquiries_stop(stand->inquiries);
        start_inquiries(stand);
    }
    supervision_ready(&stand->supervision,
                      status == OK ? "Serves." : "Serves; the changed configuration was refused, the log says why.");
}

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
        .worker_started = worker_started,
        .application = application_at,
        .worker_stopping = worker_stopping,
        .worker_stopped = worker_stopped,
        .append = append,
        .hangup = on_hangup,
        .serving = on_serving,
    };

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

static void
format_url(char *out, size_t size, const struct listen_address *address, unsigned port, bool tls)
{
    bool any = address->host[0] == '\0' || strcmp(address->host, "0.0.0.0") == 0 || strcmp(address->host, "::") == 0;
    const char *host = any ? "127.0.0.1" : address->host;
    bool six = strchr(host, ':') != NULL;

    snprintf(out, size, "http%s://%s%s%s:%u", tls ? "s" : "", six ? "[" : "", host, six ? "]" : "", port);
}

void
stand_free(struct stand *stand)
{
    if (stand->serving) {
        live_stop(stand->live, false);
        live_join(stand->live);
    }
    if (stand->ledger != NULL)
        ledger_writer_stop(stand->ledger);
    conserve_free(&stand->conserve);
    /* The ledger's last check still reads the workers' counters. */
    for (unsigned i = 0; i < stand->gateway.worker_count; i++)
        gateway_worker_free(stand->gateway.workers[i]);
    stand->gateway.worker_count = 0;
    reread_free(stand->reread);
    live_free(stand->live);
    supervision_free(&stand->supervision);
    changes_log_close(stand->changes);
    evidence_keeper_close(stand->evidence);
    sizer_close(stand->sizer);
    if (stand->gateway.cache_file != NULL)
        cache_file_close(stand->gateway.cache_file);
    turn_keeper_free(stand->notes);
    gateway_free(&stand->gateway);
    config_release(stand->config);
    free(stand);
}

static void
make_workers(struct stand *stand)
{
    unsigned count = worker_count(stand->config);

    for (unsigned i = 0; i < count; i++)
        stand->gateway.workers[i] = gateway_worker_new(&stand->gateway, live_world_at(stand->live, i));
    stand->gateway.worker_count = count;
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
stand_new(struct config *config, const struct config_source *source, struct stand **out)
{
    struct stand *stand = must_calloc(1, sizeof(*stand));
    int exit_status;

    stand->config = config_hold(config);
    stand->log = log_to_stderr(LOG_INFO);
    gateway_init(&stand->gateway, config, &stand->log, 0);
    gateway_open_meanings(&stand->gateway); /* now, and not on a worker's loop */
    conserve_init(&stand->conserve, &stand->gateway.budgets);
    atomic_init(&stand->reloaded_wall_us, INT64_MAX); /* nothing is compared before it was recalled */
    supervision_init(&stand->supervision, &stand->gateway);
    exit_status = open_listeners(stand);
    if (exit_status == CMD_FINE) {
        make_workers(stand);
        exit_status = open_ledger(stand);
    }
    if (exit_status == CMD_FINE)
        exit_status = find_salt(stand);
    if (exit_status == CMD_FINE)
        exit_status = open_cache(stand);
    if (exit_status == CMD_FINE)
        exit_status = open_evidence(stand);
    if (exit_status == CMD_FINE)
        exit_status = open_changes(stand);
    if (exit_status != CMD_FINE) {
        stand_free(stand);
        return exit_status;
    }
    stand->reread = reread_new(&(struct reread_options){.source = source,
                                                        .gateway = &stand->gateway,
                                                        .live = stand->live,
                                                        .changes = stand->changes,
                                                        .log = &stand->log,
                                                        .context = stand,
                                                        .begins = reread_begins,
                                                        .over = reread_over});
    format_url(stand->url, sizeof(stand->url), &config->listen, live_port(stand->live, LISTENER_CLIENTS),
               config->tls.cert != NULL);
    format_url(stand->admin_url, sizeof(stand->admin_url), &config->admin, live_port(stand->live, LISTENER_ADMIN),
               false);
    *out = stand;
    return CMD_FINE;
}

const char *
stand_url(const struct stand *stand)
{
    return stand->url;
}

const char *
stand_admin_url(const struct stand *stand)
{
    return stand->admin_url;
}

void
stand_run(struct stand *stand)
{
    live_run(stand->live);
}

void
stand_start(struct stand *stand)
{
    live_start(stand->live);
    stand->serving = true;
}

enum status
stand_settle(struct stand *stand)
{
    enum status status = ledger_writer_drain(stand->ledger);

    return status == OK ? evidence_keeper_write(stand->evidence) : status;
}

static bool
speaks_dialect(const struct config *config, enum dialect dialect)
{
    for (size_t i = 0; i < config->backend_count; i++)
        if (config->backends[i].dialect == dialect)
            return true;
    return false;
}

/* The line to change in an application, as the SDKs read it: OpenAI's has the /v1, Anthropic's adds it. */
static void
tell_address(const struct stand *stand)
{
    const struct config *config = stand->config;
    bool anthropic = speaks_dialect(config, DIALECT_ANTHROPIC);
    bool openai = speaks_dialect(config, DIALECT_OPENAI) || !anthropic;

    fprintf(stderr, "Equipoise %s serves on %s (admin %s, ledger in %s)\n", EQUIPOISE_VERSION, stand->url,
            stand->admin_url, config->data);
    if (openai)
        fprintf(stderr, "In your application:  export OPENAI_BASE_URL=%s/v1\n", stand->url);
    if (anthropic)
        fprintf(stderr, "%s  export ANTHROPIC_BASE_URL=%s\n",
                openai ? "  or for Anthropic's:" : "In your application:", stand->url);
    if (config->key_count == 0)
        fputs("  with any API key, as the gateway asks for none.\n", stderr);
    if (config->observe)
        fputs("It observes: requests are forwarded and booked, never altered or refused.\n", stderr);
}

int
stand_serve(struct config *config, const struct config_source *source)
{
    struct stand *stand;
    int exit_status = stand_new(config, source, &stand);

    if (exit_status != CMD_FINE)
        return exit_status;
    tell_address(stand);
    stand->speaks = true;
    stand_run(stand);
    stand_free(stand);
    fputs("Stopped. The ledger is written.\n", stderr);
    return CMD_FINE;
}
