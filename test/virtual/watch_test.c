/* What is watched: each thing that a person should hear of raises its alert, once, with what is needed to act on it. */
#include "scene.h"

#include <stdio.h>

#include "alerts/sender.h"
#include "alerts/watch.h"
#include "gateway/running/notice.h"
#include "virtual/vcommand.h"

static const char setting[] = "backends:\n"
                              "  alpha:  { url: \"http://alpha.example\", models: [ big, novel, other ] }\n"
                              "prices: { override: { alpha/big: { input: $2/M, output: $8/M } } }\n"
                              "routes:\n"
                              "  assistant: { reference: alpha/big }\n"
                              "  daring:    { reference: alpha/novel }\n"
                              "  bold:      { reference: alpha/other }\n"
                              "alerts: { command: tell, shares: [ 80%, 50% ] }\n"
                              "budget: [ $10/day, 100 requests/minute ]\n";

struct watching {
    struct scene *s;
    struct alert_sender *sender;
    struct watch *watch;
    struct watch_ledger ledger;
    struct buffer told; /* every alert, one after the other */
};

static void
note_alert(void *context, struct slice input, int *exit_status, struct slice *output)
{
    struct watching *w = context;

    buffer_add(&w->told, input);
    buffer_add_byte(&w->told, '\n');
    *exit_status = 0;
    *output = SLICE_NONE;
}

static void
tell_ledger(void *context, struct watch_ledger *out)
{
    *out = ((struct watching *)context)->ledger;
}

static struct watching *
watching_new(void **state)
{
    struct watching *w = must_calloc(1, sizeof(*w));

    w->s = scene_new(state, (struct scene_options){.seed = 2, .config = setting, .workers = 2});
    vcommand_does(w->s->history, "tell", (struct vcommand_script){.decide = note_alert, .context = w});
    w->sender = alert_sender_start(w->s->gateway.workers[0]);
    w->watch = watch_start(w->s->gateway.workers[0], &(struct watch_options){.context = w, .ledger = tell_ledger});
    return w;
}

static void
watching_ends(struct watching *w)
{
    watch_stop(w->watch);
    history_run_to_rest(w->s->history);
    alert_sender_free(w->sender);
    scene_rest(w->s);
    scene_passed(w->s);
    buffer_free(&w->told);
    free(w);
}

static size_t
alerts_of(const struct watching *w, const char *text)
{
    struct slice rest = buffer_content(&w->told);
    size_t count = 0, at;

    while ((at = slice_find(rest, slice_of(text))) < rest.len) {
        count++;
        rest = slice_from(rest, at + 1);
    }
    return count;
}

static void
a_model_without_a_price_is_told_of_once_a_day(void **state)
{
    struct watching *w = watching_new(state);

    for (unsigned day = 1; day <= 2; day++) {
        for (unsigned i = 0; i < 3; i++) {
            scene_asks(w->s, (struct ask){.model = "daring"});
            scene_asks(w->s, (struct ask){.model = "bold"});
            scene_asks(w->s, (struct ask){.model = "assistant"});
            history_run_for(w->s->history, 60 * USEC_PER_S);
        }
        assert_int_equal(alerts_of(w, "\"kind\":\"unpriced_model\""), 2 * day);
        assert_int_equal(alerts_of(w, "\"model\":\"novel\""), day);
        assert_int_equal(alerts_of(w, "\"model\":\"other\""), day);
        history_run_for(w->s->history, 86400 * USEC_PER_S);
    }
    assert_int_equal(alerts_of(w, "\"count\":3,"), 2); /* two of the first day had not been told */
    watching_ends(w);
}

/* A request that costs so much, in all budgets of everything. */
static void
spend(struct watching *w, int64_t reserved, int64_t actual)
{
    struct budgets *budgets = &w->s->gateway.budgets;
    struct budget_line lines[2];
    struct budget_claim claim = {0};
    struct budget_amounts wanted = {{reserved, 0, 1}}, used = {{actual, 0, 1}};
    struct budget_obstacle obstacle;

    assert_true(budgets_claim(budgets, &claim, lines, world_wall_us(history_world(w->s->history, 0)),
                              &w->s->config->budgets, 1));
    if (budgets_reserve(budgets, &claim, &wanted, false, &obstacle))
        budgets_post(budgets, &claim, &used);
    else
        budgets_count_refusal(budgets, &claim, &obstacle);
    budgets_release(budgets, &claim);
}

static void
shares_refusals_and_overruns_of_budgets_are_told(void **state)
{
    struct watching *w = watching_new(state);
    usec wall_us = world_wall_us(history_world(w->s->history, 0));

    /* From the start of a day on. */
    history_wall_jump(w->s->history, budget_window_end(BUDGET_DAY, wall_us) - wall_us);
    for (unsigned i = 0; i < 5; i++)
        spend(w, USD_ONE, USD_ONE);
    history_run_for(w->s->history, 2 * USEC_PER_S);
    assert_int_equal(alerts_of(w, "\"kind\":\"budget_share\""), 1);
    assert_contains(buffer_content(&w->told),
                    "\"text\":\"Budget $10/day of everything: 50% is reached, $5.00 of $10.00. "
                    "It starts anew at ");
    assert_contains(buffer_content(&w->told), "\"share_ppm\":500000,\"budget\":\"everything usd/day\",\"scope\":"
                                              "\"everything\",\"name\":\"\",\"limit_usd\":\"10\",\"spent_usd\":\"5\","
                                              "\"unit\":\"usd\",\"window\":\"day\",\"resets_at\":\"");
    spend(w, USD_ONE, 4 * USD_ONE);
    history_run_for(w->s->history, 2 * USEC_PER_S);
    assert_int_equal(alerts_of(w, "\"kind\":\"budget_share\""), 2);
    spend(w, 2 * USD_ONE, 0);
    spend(w, 2 * USD_ONE, 0);
    history_run_for(w->s->history, 2 * USEC_PER_S);
    assert_int_equal(alerts_of(w, "\"kind\":\"budget_refused\""), 1);
    spend(w, USD_ONE, 3 * USD_ONE);
    history_run_for(w->s->history, 2 * USEC_PER_S);
    assert_int_equal(alerts_of(w, "\"kind\":\"budget_overrun\""), 1);
    assert_contains(buffer_content(&w->told), "is overspent by $2.00: ");
    assert_int_equal(alerts_of(w, "\"kind\":"), 4);
    watching_ends(w);
}

/* How long the last thing told is quiet for, from now on. */
static usec
quiet_for(struct watching *w)
{
    const struct alerts *alerts = &w->s->gateway.alerts;

    assert_true(alerts->known_count > 0);
    return alerts->known[alerts->known_count - 1].quiet_until_us - history_now_us(w->s->history);
}

/* A budget's alert is not told again before the budget starts anew; one that is told after that is over at once. */
static void
a_budgets_alert_holds_for_its_window(void **state)
{
    struct watching *w = watching_new(state);
    struct world *world = history_world(w->s->history, 0);
    usec wall_us = world_wall_us(world);

    /* From the start of a day on, between two looks. */
    history_wall_jump(w->s->history, budget_window_end(BUDGET_DAY, wall_us) - wall_us);
    history_run_for(w->s->history, USEC_PER_S * 3 / 2);
    spend(w, 5 * USD_ONE, 5 * USD_ONE);
    history_run_for(w->s->history, USEC_PER_S);
    assert_int_equal(alerts_of(w, "\"kind\":\"budget_share\""), 1);
    wall_us = world_wall_us(world);
    assert_int_equal(quiet_for(w), budget_window_end(BUDGET_DAY, wall_us) - wall_us);
    spend(w, 9 * USD_ONE, 0);
    history_run_for(w->s->history, USEC_PER_S);
    assert_int_equal(alerts_of(w, "\"kind\":\"budget_refused\""), 1);
    wall_us = world_wall_us(world);
    assert_int_equal(quiet_for(w), budget_window_end(BUDGET_DAY, wall_us) - wall_us);

    history_wall_jump(w->s->history, budget_window_end(BUDGET_DAY, wall_us) - wall_us);
    wall_us = world_wall_us(world);
    history_wall_jump(w->s->history, budget_window_end(BUDGET_DAY, wall_us) - wall_us - USEC_PER_S / 5);
    spend(w, 5 * USD_ONE, 5 * USD_ONE);
    history_run_for(w->s->history, USEC_PER_S); /* the next look is half a second from now: on another day */
    assert_int_equal(alerts_of(w, "\"kind\":\"budget_share\""), 2);
    assert_true(quiet_for(w) > 0 && quiet_for(w) <= USEC_PER_S);
    watching_ends(w);
}

/* A limit for a minute is there to be reached. */
static void
rates_are_no_news(void **state)
{
    struct watching *w = watching_new(state);

    for (unsigned i = 0; i < 150; i++)
        spend(w, 0, 0);
    history_run_for(w->s->history, 2 * USEC_PER_S);
    assert_int_equal(buffer_len(&w->told), 0);
    watching_ends(w);
}

static void
a_ledger_that_fails_is_told_of(void **state)
{
    struct watching *w = watching_new(state);

    w->ledger.health = ERR_FULL;
    history_run_for(w->s->history, 5 * USEC_PER_S);
    assert_int_equal(alerts_of(w, "\"what\":\"cannot be written\""), 1);
    w->ledger.health = OK;
    w->ledger.mismatches = 1;
    history_run_for(w->s->history, 5 * USEC_PER_S);
    assert_int_equal(alerts_of(w, "\"what\":\"does not come out even\",\"mismatches\":1"), 1);
    assert_int_equal(alerts_of(w, "\"kind\":\"ledger\""), 2);
    watching_ends(w);
}

static void
a_journal_that_loses_records_is_told_of(void **state)
{
    struct watching *w = watching_new(state);

    history_fail_appends(w->s->history, 2, 1, ERR_FULL);
    w->s->journal_fails = true;
    scene_asks(w->s, (struct ask){0});
    history_run_for(w->s->history, 60 * USEC_PER_S);
    assert_int_equal(alerts_of(w, "\"what\":\"lost records\",\"lost\":1"), 1);
    watching_ends(w);
}

/* A day of a cent an hour, then two hundred dollars at once. */
static void
a_key_that_runs_away_is_told_of(void **state)
{
    struct watching *w = watching_new(state);
    struct gateway_worker *worker = w->s->gateway.workers[1];
    struct row row;

    row_init(&row);
    row.cost = row.counted_cost = USD_ONE / 100;
    row.key_name = slice_of("web");
    row.tenant = slice_of("acme");
    for (unsigned hour = 0; hour < 30; hour++) {
        notice_row(worker, &row);
        history_run_for(w->s->history, 3600 * USEC_PER_S);
    }
    assert_int_equal(buffer_len(&w->told), 0);
    row.cost = row.counted_cost = 200 * USD_ONE;
    notice_row(worker, &row);
    notice_row(worker, &row);
    history_run_for(w->s->history, USEC_PER_S);
    assert_int_equal(alerts_of(w, "\"kind\":\"runaway_spend\""), 1);
    assert_contains(buffer_content(&w->told),
                    "Key web spent $200.00 within the last hour. In the four weeks before, its "
                    "dearest hour came to $0.0100.");
    assert_contains(buffer_content(&w->told), "\"key\":\"web\",\"tenant\":\"acme\",\"last_hour_usd\":\"200\","
                                              "\"dearest_hour_usd\":\"0.01\",\"hours_of_history\":");
    watching_ends(w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_model_without_a_price_is_told_of_once_a_day, scene_teardown),
        cmocka_unit_test_teardown(shares_refusals_and_overruns_of_budgets_are_told, scene_teardown),
        cmocka_unit_test_teardown(a_budgets_alert_holds_for_its_window, scene_teardown),
        cmocka_unit_test_teardown(rates_are_no_news, scene_teardown),
        cmocka_unit_test_teardown(a_ledger_that_fails_is_told_of, scene_teardown),
        cmocka_unit_test_teardown(a_journal_that_loses_records_is_told_of, scene_teardown),
        cmocka_unit_test_teardown(a_key_that_runs_away_is_told_of, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
