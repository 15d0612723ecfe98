/* The admin's pages that show what is. */
#include <inttypes.h>

#include "admin/budget_page.h"
#include "admin/fleet_page.h"
#include "admin/visit.h"
#include "base/text.h"
#include "fleet/health/told_print.h"
#include "gateway/choice/choosing.h"
#include "gateway/reuse/cached.h"
#include "gateway/reuse/paying.h"
#include "gateway/reuse/semantic.h"
#include "gateway/watch/sizer.h"
#include "money/budget/budget_print.h"

enum { LIVE_MOST = 1000 };

/* Metrics */

static void
put_gauges(struct gateway *gateway, struct buffer *out)
{
    int64_t begun = gateway_count(gateway, COUNT_REQUESTS), ended = gateway_count(gateway, COUNT_ROWS_LOST);

    for (unsigned which = COUNT_ENDED_OK; which <= COUNT_ENDED_INVALID; which++)
        ended += gateway_count(gateway, (enum counter)which);
    buffer_printf(out,
                  "# HELP equipoise_requests_in_flight Identified requests that have no row yet\n"
                  "# TYPE equipoise_requests_in_flight gauge\nequipoise_requests_in_flight %" PRId64 "\n"
                  "# HELP equipoise_bypass 1 while everything goes to the reference\n"
                  "# TYPE equipoise_bypass gauge\nequipoise_bypass %d\n",
                  begun > ended ? begun - ended : 0, atomic_load(&gateway->bypass));
}

void
page_metrics(struct visit *visit, struct slice rest)
{
    struct gateway *gateway = visit->options->gateway;
    const struct counters *sets[WORKERS_MOST];

    (void)rest;
    for (unsigned i = 0; i < gateway->worker_count; i++)
        sets[i] = &gateway->workers[i]->counters;
    counters_print(sets, gateway->worker_count, &visit->text);
    put_gauges(gateway, &visit->text);
    sizer_print(gateway, &visit->text);
    cached_print(gateway, &visit->text);
    semantic_print(gateway, &visit->text);
    choosing_print(gateway, &visit->text);
    paying_print(gateway, &visit->text);
    healths_print(&gateway->healths, world_now_us(visit->world), &visit->text);
    told_print(&gateway->healths.replicas, world_now_us(visit->world), &visit->text);
    admissions_print(&gateway->admissions, &visit->text);
    replicas_print(&gateway->healths.replicas, world_now_us(visit->world), &visit->text);
    fleet_print(gateway->workers[0], &visit->text);
    budgets_print(&gateway->budgets, world_wall_us(visit->world), &visit->text);
    if (visit->options->more_metrics != NULL)
        visit->options->more_metrics(visit->options->context, &visit->text);
    visit_reply(visit, 200, "text/plain; version=0.0.4; charset=utf-8", buffer_content(&visit->text));
}

void
page_replicas(struct visit *visit, struct slice rest)
{
    (void)rest;
    sizer_write_json(visit->options->gateway, &visit->text);
    visit_reply_json(visit, 200, buffer_content(&visit->text));
}

void
page_budgets(struct visit *visit, struct slice rest)
{
    struct gateway *gateway = visit->options->gateway;

    (void)rest;
    budget_page_write(&gateway->budgets, gateway->snapshot->config, world_wall_us(visit->world), &visit->text);
    visit_reply_json(visit, 200, buffer_content(&visit->text));
}

void
page_fleet(struct visit *visit, struct slice rest)
{
    (void)rest;
    fleet_page_write(visit->options->gateway->workers[0], &visit->text);
    visit_reply_json(visit, 200, buffer_content(&visit->text));
}

/* Told every time. */
void
page_alert(struct visit *visit, struct slice json)
{
    struct gateway_worker *worker = visit->options->gateway->workers[visit->world->worker];
    const struct alert_config *config = &worker->view->config->alerts;
    struct alert alert;

    (void)json;
    alert_init(&alert, ALERT_TEST, "test");
    alert.quiet_us = 1;
    alert_words(&alert, "A test: alerts of this gateway arrive here.");
    alert_raise(worker, &alert);
    buffer_add_text(&visit->text, config->endpoint != NULL ? "{\"webhook\":\"" : "{\"webhook\":null");
    if (config->endpoint != NULL) {
        buffer_add_json(&visit->text, slice_of(config->endpoint->authority));
        buffer_add_byte(&visit->text, '"');
    }
    buffer_printf(&visit->text, ",\"command\":%s}", config->command != NULL ? "true" : "false");
    visit_reply_json(visit, 200, buffer_content(&visit->text));
}

/* Live requests: every worker in turn writes down its own. */

static void
put_live(struct round *round, struct gateway_worker *worker)
{
    struct visit *visit = CONTAINER_OF(round, struct visit, round);
    usec now_us = world_now_us(worker_world(worker));

    LIST_EACH(&worker->exchanges, node, after)
    {
        struct exchange *exchange = CONTAINER_OF(node, struct exchange, link);

        if (!exchange_live(exchange) || visit->listed == LIVE_MOST)
            continue;
        buffer_printf(&visit->text, "%s{\"id\":\"%s\",\"state\":\"%s\",\"api\":\"%s\",\"key\":\"",
                      visit->listed++ > 0 ? "," : "", exchange->id_text, exchange_state_name(exchange->state),
                      api_name(exchange->identity.api));
        buffer_add_json(&visit->text, slice_of(exchange->identity.key != NULL ? exchange->identity.key->name : ""));
        buffer_add_text(&visit->text, "\",\"model\":\"");
        if (exchange->state != EXCHANGE_PARSING) /* then another thread may be writing the facts */
            buffer_add_json(&visit->text, exchange->facts.model);
        buffer_add_text(&visit->text, "\",\"target\":\"");
        buffer_add_json(&visit->text, slice_of(exchange->plan != NULL ? plan_model(exchange->plan) : ""));
        buffer_printf(&visit->text, "\",\"age_ms\":%" PRId64 ",\"answer_bytes\":%" PRId64 "}",
                      (now_us - exchange->arrived_us) / USEC_PER_MS,
                      exchange->cursor.flight != NULL ? flight_answer_bytes(exchange->cursor.flight) : (int64_t)0);
    }
}

static void
live_done(struct round *round)
{
    struct visit *visit = CONTAINER_OF(round, struct visit, round);

    if (!visit_goes_on(visit))
        return;
    buffer_add_text(&visit->text, "]}");
    visit_reply_json(visit, 200, buffer_content(&visit->text));
}

void
page_live(struct visit *visit, struct slice rest)
{
    (void)rest;
    buffer_add_text(&visit->text, "{\"requests\":[");
    visit->busy++;
    visit->round.at_worker = put_live;
    visit->round.home_again = live_done;
    round_start(&visit->round, visit->options->gateway, visit->world);
}

/* One row, read off the loop. */

static void
run_row(struct job *job)
{
    struct visit *visit = CONTAINER_OF(job, struct visit, job);
    const struct admin_options *options = visit->options;

    visit->status = options->row_json(options->context, visit->id, &visit->text);
}

static void
row_done(struct job *job)
{
    struct visit *visit = CONTAINER_OF(job, struct visit, job);

    if (!visit_goes_on(visit))
        return;
    if (visit->status == OK)
        visit_reply_json(visit, 200, buffer_content(&visit->text));
    else if (visit->status == ERR_NOT_FOUND)
        visit_reply_text(visit, 404, "no such request in the ledger\n");
    else
        visit_reply_text(visit, 500, "the ledger could not be read\n");
}

void
page_row(struct visit *visit, struct slice id)
{
    if (visit->options->row_json == NULL || text_parse_id(id, &visit->id) != OK) {
        visit_reply_text(visit, 404, "an id has 13 letters and digits, as x-equipoise-id says\n");
        return;
    }
    visit->busy++;
    visit->job.run = run_row;
    visit->job.done = row_done;
    visit->world->ops->work(visit->world, &visit->job);
}
