/* What hangs on the first worker: the admin's pages, who asks backends, alerts, the keepers of small files. */
#include "cmd/serve/stand_parts.h"

#include <stdio.h>

#include "base/clock.h"
#include "cmd/ledger_view.h"
#include "gateway/judging/mission.h"
#include "gateway/judging/outside_judge.h"
#include "live/outside.h"
#include "money/report/explain.h"

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
        "# HELP equipoise_ledger_given_way_total Times that its writer let others on the processor in the midst of its "
        "work\n"
        "# TYPE equipoise_ledger_given_way_total counter\nequipoise_ledger_given_way_total %llu\n"
        "# HELP equipoise_feedback_foreign_total Feedback left out, for it came with another tenant's key\n"
        "# TYPE equipoise_feedback_foreign_total counter\nequipoise_feedback_foreign_total %llu\n"
        "# HELP equipoise_ledger_healthy 1 while journal and ledger can be written\n"
        "# TYPE equipoise_ledger_healthy gauge\nequipoise_ledger_healthy %d\n",
        (unsigned long long)counters.tail.records, (unsigned long long)counters.lag_bytes,
        (unsigned long long)counters.mismatches, (unsigned long long)counters.given_way,
        (unsigned long long)counters.foreign, ledger_writer_health(stand->ledger) == OK);
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

/* Asking backends about themselves, or about other models, serves no client: it does not keep the gateway up. */
static void
worker_stopping(void *context, struct world *world)
{
    struct stand *stand = context;

    missions_stop(stand->gateway.workers[world->worker]);
    outside_judges_stop(stand->gateway.workers[world->worker]);
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

void
stand_set_callbacks(struct live_options *options)
{
    options->worker_started = worker_started;
    options->application = application_at;
    options->worker_stopping = worker_stopping;
    options->worker_stopped = worker_stopped;
    options->append = append;
    options->hangup = on_hangup;
    options->serving = on_serving;
}

void
stand_open_reread(struct stand *stand, const struct config_source *source)
{
    stand->reread = reread_new(&(struct reread_options){.source = source,
                                                        .gateway = &stand->gateway,
                                                        .live = stand->live,
                                                        .changes = stand->changes,
                                                        .log = &stand->log,
                                                        .context = stand,
                                                        .begins = reread_begins,
                                                        .over = reread_over});
}
