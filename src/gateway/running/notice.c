#include "gateway/running/notice.h"

#include "money/amount.h"

static const usec DAY_US = 86400 * USEC_PER_S;

static void
look_for_runaway(struct gateway_worker *worker, const struct row *row)
{
    const struct alert_config *config = &worker->view->config->alerts;
    usec wall_us = world_wall_us(worker_world(worker));
    char spent[AMOUNT_TEXT_SIZE], dearest[AMOUNT_TEXT_SIZE];
    struct runaway away;
    struct alert alert;

    if (!usd_known(row->counted_cost) || row->counted_cost <= 0 || wall_us < 0 ||
        !runaways_add(&worker->gateway->runaways, row->key_name, row->counted_cost, wall_us, config->runaway_times,
                      config->runaway_at_least, &away))
        return;
    amount_format_people(away.spent, spent);
    amount_format_people(away.dearest, dearest);
    alert_init(&alert, ALERT_RUNAWAY, "%.*s", SLICE_ARGS(row->key_name));
    alert_words(&alert,
                "%s%.*s spent %s within the last hour. In the four weeks before, its dearest hour came to %s. A budget "
                "on it would be a ceiling.",
                row->key_name.len > 0 ? "Key " : "Requests without a key", SLICE_ARGS(row->key_name), spent, dearest);
    alert_fact_text(&alert, "key", row->key_name);
    alert_fact_text(&alert, "tenant", row->tenant);
    alert_fact_usd(&alert, "last_hour_usd", away.spent);
    alert_fact_usd(&alert, "dearest_hour_usd", away.dearest);
    alert_fact_number(&alert, "hours_of_history", away.hours);
    alert_raise(worker, &alert);
}

/* Once a day for each model. */
static void
look_for_price(struct gateway_worker *worker, const struct row *row)
{
    struct alert alert;

    if (usd_known(row->cost) || row->attempts == 0)
        return;
    alert_init(&alert, ALERT_UNPRICED, "%.*s %.*s", SLICE_ARGS(row->backend), SLICE_ARGS(row->model_served));
    alert.quiet_us = DAY_US;
    alert_words(&alert, "Model %.*s of backend %.*s served at a cost that is not known: %.*s.",
                SLICE_ARGS(row->model_served), SLICE_ARGS(row->backend), SLICE_ARGS(row->why));
    alert_fact_text(&alert, "backend", row->backend);
    alert_fact_text(&alert, "model", row->model_served);
    alert_raise(worker, &alert);
}

void
notice_row(struct gateway_worker *worker, const struct row *row)
{
    look_for_runaway(worker, row);
    look_for_price(worker, row);
}
