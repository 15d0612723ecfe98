#include "alerts/watch.h"

#include <stdlib.h>

#include "base/clock.h"

static const usec LOOK_US = USEC_PER_S;

enum { EVENTS_AT_ONCE = 16 };

struct watch {
    struct gateway_worker *worker;
    struct watch_options options;
    struct timer timer;
    uint64_t mismatches; /* told */
    int64_t lost;        /* told: records that the journal did not take */
};

/* Budgets */

static void
put_budget_facts(struct alert *alert, const struct budget_info *info)
{
    char resets[CLOCK_TEXT_SIZE];

    clock_format_utc(info->end_wall_us, resets);
    alert_fact_text(alert, "budget", info->rule.identity);
    alert_fact_text(alert, "scope", slice_of(budget_scope_name(info->rule.scope)));
    alert_fact_text(alert, "name", info->rule.name);
    if (info->rule.unit == BUDGET_USD) {
        alert_fact_usd(alert, "limit_usd", info->rule.limit);
        alert_fact_usd(alert, "spent_usd", info->spent);
    } else {
        alert_fact_number(alert, "limit", info->rule.limit);
        alert_fact_number(alert, "spent", info->spent);
    }
    alert_fact_text(alert, "unit", slice_of(budget_unit_name(info->rule.unit)));
    alert_fact_text(alert, "window", slice_of(budget_window_name(info->rule.window)));
    alert_fact_text(alert, "resets_at", slice_of(resets));
}

/* Once a bucket, also if the same comes again after a clock that jumped. */
static usec
until_it_resets(const struct gateway_worker *worker, const struct budget_info *info)
{
    usec left = info->end_wall_us - world_wall_us(worker_world(worker));

    return left > 0 ? left : LOOK_US;
}

static void
raise_share(struct gateway_worker *worker, const struct budget_event *event)
{
    const struct budget_info *info = &event->info;
    char spent[BUDGET_AMOUNT_SIZE], limit[BUDGET_AMOUNT_SIZE], resets[CLOCK_TEXT_SIZE];
    struct alert alert;

    budget_format_amount(info->rule.unit, info->spent, spent);
    budget_format_amount(info->rule.unit, info->rule.limit, limit);
    clock_format_utc(info->end_wall_us, resets);
    alert_init(&alert, ALERT_BUDGET_SHARE, "%u %lld %.*s", event->share_ppm, (long long)info->start_wall_us,
               SLICE_ARGS(info->rule.identity));
    alert.quiet_us = until_it_resets(worker, info);
    alert_words(&alert, "Budget %.*s of %s%s%.*s: %g%% is reached, %s of %s. It starts anew at %s.",
                SLICE_ARGS(info->rule.text), budget_scope_name(info->rule.scope), info->rule.name.len > 0 ? " " : "",
                SLICE_ARGS(info->rule.name), (double)event->share_ppm / 10000.0, spent, limit, resets);
    alert_fact_number(&alert, "share_ppm", event->share_ppm);
    put_budget_facts(&alert, info);
    alert_raise(worker, &alert);
}

static void
raise_refused(struct gateway_worker *worker, const struct budget_event *event)
{
    const struct budget_info *info = &event->info;
    char spent[BUDGET_AMOUNT_SIZE], resets[CLOCK_TEXT_SIZE];
    struct alert alert;

    budget_format_amount(info->rule.unit, info->spent, spent);
    clock_format_utc(info->end_wall_us, resets);
    alert_init(&alert, ALERT_BUDGET_REFUSED, "%lld %.*s", (long long)info->start_wall_us,
               SLICE_ARGS(info->rule.identity));
    alert.quiet_us = until_it_resets(worker, info);
    alert_words(&alert,
                "Budget %.*s of %s%s%.*s could not take a request, which was refused; spent: %s. It starts anew at "
                "%s.",
                SLICE_ARGS(info->rule.text), budget_scope_name(info->rule.scope), info->rule.name.len > 0 ? " " : "",
                SLICE_ARGS(info->rule.name), spent, resets);
    put_budget_facts(&alert, info);
    alert_raise(worker, &alert);
}

static void
raise_overrun(struct gateway_worker *worker, const struct budget_event *event)
{
    const struct budget_info *info = &event->info;
    char over[BUDGET_AMOUNT_SIZE];
    struct alert alert;

    budget_format_amount(info->rule.unit, info->spent - info->rule.limit, over);
    alert_init(&alert, ALERT_BUDGET_OVERRUN, "%.*s", SLICE_ARGS(info->rule.identity));
    alert_words(&alert,
                "Budget %.*s of %s%s%.*s is overspent by %s: a request cost more than had been reserved for it. "
                "`exposure: strict` reserves the most that a request can cost.",
                SLICE_ARGS(info->rule.text), budget_scope_name(info->rule.scope), info->rule.name.len > 0 ? " " : "",
                SLICE_ARGS(info->rule.name), over);
    put_budget_facts(&alert, info);
    alert_raise(worker, &alert);
}

/* A limit for the minute is there to be reached: that is no news. */
static void
raise_event(struct gateway_worker *worker, const struct budget_event *event)
{
    bool is_rate = event->info.rule.window == BUDGET_MINUTE;

    switch (event->kind) {
    case BUDGET_SHARE_REACHED:
        if (!is_rate)
            raise_share(worker, event);
        break;
    case BUDGET_REFUSED:
        if (!is_rate)
            raise_refused(worker, event);
        break;
    case BUDGET_OVERRUN:
        raise_overrun(worker, event);
        break;
    }
}

static void
look_at_budgets(struct watch *watch)
{
    struct budget_event events[EVENTS_AT_ONCE];
    size_t count;

    do {
        count = budgets_take_events(&watch->worker->gateway->budgets, events, EVENTS_AT_ONCE);
        for (size_t i = 0; i < count; i++)
            raise_event(watch->worker, &events[i]);
    } while (count == EVENTS_AT_ONCE);
}

/* Journal and ledger */

static void
raise_ledger(struct watch *watch, const char *about, const char *words, const char *fact, int64_t number)
{
    struct alert alert;

    alert_init(&alert, ALERT_LEDGER, "%s", about);
    alert_words(&alert, "%s", words);
    alert_fact_text(&alert, "what", slice_of(about));
    if (fact != NULL)
        alert_fact_number(&alert, fact, number);
    alert_raise(watch->worker, &alert);
}

static void
look_at_ledger(struct watch *watch)
{
    int64_t lost = gateway_count(watch->worker->gateway, COUNT_JOURNAL_LOST);
    struct watch_ledger ledger = {.health = OK};

    if (watch->options.ledger != NULL)
        watch->options.ledger(watch->options.context, &ledger);
    if (ledger.health != OK)
        raise_ledger(watch, "cannot be written",
                     "The journal or the ledger cannot be written. Make room on its disk, or see why it fails: the log "
                     "says it.",
                     NULL, 0);
    if (ledger.mismatches > watch->mismatches)
        raise_ledger(watch, "does not come out even",
                     "What the ledger holds and what was counted do not agree to the pico-dollar. The log says which "
                     "sums; please report this.",
                     "mismatches", (int64_t)ledger.mismatches);
    if (lost > watch->lost)
        raise_ledger(watch, "lost records",
                     "The journal did not take some records, so that requests are missing in it.", "lost", lost);
    watch->mismatches = ledger.mismatches;
    watch->lost = lost;
}

/* The first worker's round */

static void
look(struct timer *timer)
{
    struct watch *watch = CONTAINER_OF(timer, struct watch, timer);

    look_at_budgets(watch);
    look_at_ledger(watch);
    world_timer_start(worker_world(watch->worker), &watch->timer, LOOK_US);
}

struct watch *
watch_start(struct gateway_worker *worker, const struct watch_options *options)
{
    struct watch *watch = must_calloc(1, sizeof(*watch));

    ENSURE(worker_world(worker)->worker == 0);
    watch->worker = worker;
    watch->options = *options;
    watch->timer.fire = look;
    world_timer_start(worker_world(worker), &watch->timer, LOOK_US);
    return watch;
}

void
watch_stop(struct watch *watch)
{
    look_at_budgets(watch);
    world_timer_stop(worker_world(watch->worker), &watch->timer);
    free(watch);
}
