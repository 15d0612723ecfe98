/* Alerts: that they reach the webhook and the command, once, and that nobody waits for them. */
#include "scene.h"

#include <stdio.h>

#include "alerts/sender.h"
#include "virtual/vcommand.h"

/* A scene that alerts are sent from. */
struct alerting {
    struct scene *s;
    struct alert_sender *sender;
    struct vbackend *hook; /* NULL: no webhook */
};

static struct alerting
alerting_new(void **state, const char *alerts, unsigned workers)
{
    char more[512];
    struct alerting a = {0};

    snprintf(more, sizeof(more), "alerts: { %s }\n", alerts);
    a.s = scene_new(state, (struct scene_options){.seed = 54, .more = more, .workers = workers});
    if (a.s->config->alerts.endpoint != NULL)
        a.hook = vbackend_new(a.s->history, a.s->config->alerts.endpoint, "hook");
    a.sender = alert_sender_start(a.s->gateway.workers[0]);
    return a;
}

static void
alerting_ends(struct alerting *a)
{
    history_run_to_rest(a->s->history);
    alert_sender_free(a->sender);
    scene_rest(a->s);
    assert_int_equal(history_timers_running(a->s->history), 0);
    scene_passed(a->s);
}

static void
raise(struct alerting *a, unsigned worker, const char *about)
{
    struct alert alert;

    alert_init(&alert, ALERT_EJECTED, "%s", about);
    alert_words(&alert, "backend %s gets no requests", about);
    alert_fact_text(&alert, "backend", slice_of(about));
    alert_fact_number(&alert, "failures", 5);
    alert_raise(a->s->gateway.workers[worker], &alert);
}

static int64_t
counted(struct alerting *a, enum counter which)
{
    return gateway_count(&a->s->gateway, which);
}

static void
the_webhook_and_the_command_get_it(void **state)
{
    struct alerting a =
        alerting_new(state, "webhook: \"https://hooks.example.com/services/T0?x=1\", command: tell-them", 2);
    struct vcall_seen seen;

    vbackend_plays(a.hook, play_head(204, NULL), play_end());
    vcommand_does(a.s->history, "tell-them", (struct vcommand_script){.exit_status = 0});
    raise(&a, 1, "alpha \"1\"");
    history_run_to_rest(a.s->history);
    assert_int_equal(vbackend_seen_count(a.hook), 1);
    seen = vbackend_seen(a.hook, 0);
    assert_slice_is(seen.method, "POST");
    assert_slice_is(seen.target, "/services/T0?x=1");
    assert_slice_is(vbackend_seen_header(a.hook, 0, "content-type"), "application/json");
    assert_contains(seen.body, "{\"kind\":\"backend_ejected\",\"at\":\"20");
    assert_contains(seen.body, "Z\",\"text\":\"backend alpha \\\"1\\\" gets no requests\",\"count\":1,");
    assert_contains(seen.body, ",\"backend\":\"alpha \\\"1\\\"\",\"failures\":5}");
    assert_int_equal(vcommand_runs(a.s->history, "tell-them"), 1);
    assert_true(slice_equal(vcommand_input(a.s->history, "tell-them"), seen.body));
    assert_int_equal(counted(&a, COUNT_ALERTS_POSTED), 1);
    assert_int_equal(counted(&a, COUNT_ALERTS_COMMANDED), 1);
    alerting_ends(&a);
}

/* The tries of an alert that never gets through, and when. */
static void
a_failing_webhook_is_tried_again_with_growing_pauses(void **state)
{
    struct alerting a = alerting_new(state, "webhook: \"https://hooks.example.com/x\"", 1);
    usec before_us = 0;

    vbackend_plays(a.hook, play_head(500, NULL), play_end());
    vbackend_plays(a.hook, play_cut());
    vbackend_plays(a.hook, play_head(503, NULL), play_end());
    raise(&a, 0, "alpha");
    history_run_for(a.s->history, 600 * USEC_PER_S);
    assert_int_equal(vbackend_seen_count(a.hook), 5);
    for (size_t i = 1; i < 5; i++) {
        usec gap_us = vbackend_seen(a.hook, i).arrived_us - vbackend_seen(a.hook, i - 1).arrived_us;

        assert_true(gap_us > 2 * before_us && gap_us >= USEC_PER_S);
        before_us = gap_us;
    }
    assert_true(before_us >= 64 * USEC_PER_S && before_us < 97 * USEC_PER_S);
    assert_int_equal(counted(&a, COUNT_ALERTS_POSTED), 0);
    assert_int_equal(counted(&a, COUNT_ALERTS_POST_FAILED), 1);
    alerting_ends(&a);
}

static void
what_passes_is_tried_again_and_what_is_refused_is_not(void **state)
{
    struct alerting a = alerting_new(state, "webhook: \"https://hooks.example.com/x\"", 1);

    vbackend_plays(a.hook, play_head(429, "retry-after: 30"), play_end());
    vbackend_plays(a.hook, play_head(200, NULL), play_text("ok"), play_end());
    vbackend_plays(a.hook, play_head(404, NULL), play_end());
    raise(&a, 0, "alpha");
    history_run_for(a.s->history, 29 * USEC_PER_S);
    assert_int_equal(vbackend_seen_count(a.hook), 1);
    history_run_for(a.s->history, 600 * USEC_PER_S);
    assert_int_equal(vbackend_seen_count(a.hook), 2);
    assert_int_equal(counted(&a, COUNT_ALERTS_POSTED), 1);
    raise(&a, 0, "beta");
    history_run_for(a.s->history, 600 * USEC_PER_S);
    assert_int_equal(vbackend_seen_count(a.hook), 3);
    assert_int_equal(counted(&a, COUNT_ALERTS_POST_FAILED), 1);
    alerting_ends(&a);
}

/* One that hangs, one that talks for ever. */
static void
no_try_lasts_for_ever(void **state)
{
    struct alerting a = alerting_new(state, "webhook: \"https://hooks.example.com/x\"", 1);
    static char much[128 * 1024];

    memset(much, 'x', sizeof(much));
    vbackend_plays(a.hook, play_head(200, NULL), play_hang());
    vbackend_plays(a.hook, play_head(200, NULL), play_bytes(slice_make(much, sizeof(much))), play_hang());
    raise(&a, 0, "alpha");
    history_run_for(a.s->history, 600 * USEC_PER_S);
    assert_int_equal(vbackend_seen_count(a.hook), 2);
    assert_false(vbackend_working(a.hook));
    assert_int_equal(counted(&a, COUNT_ALERTS_POSTED), 1); /* 200 is all that matters */
    alerting_ends(&a);
}

static void
the_same_alert_is_counted_until_it_is_told_again(void **state)
{
    struct alerting a = alerting_new(state, "webhook: \"https://hooks.example.com/x\", repeat: 10m", 3);

    vbackend_plays(a.hook, play_head(204, NULL), play_end());
    for (unsigned i = 0; i < 7; i++)
        raise(&a, i % 3, "alpha");
    raise(&a, 1, "beta");
    history_run_for(a.s->history, 60 * USEC_PER_S);
    assert_int_equal(vbackend_seen_count(a.hook), 2);
    history_run_for(a.s->history, 600 * USEC_PER_S);
    raise(&a, 2, "alpha");
    history_run_to_rest(a.s->history);
    assert_int_equal(vbackend_seen_count(a.hook), 3);
    assert_contains(vbackend_seen(a.hook, 2).body, "\"count\":7,");
    alerting_ends(&a);
}

static void
kinds_that_clients_can_make_up_are_bounded(void **state)
{
    struct alerting a = alerting_new(state, "webhook: \"https://hooks.example.com/x\", repeat: 10m", 1);

    vbackend_plays(a.hook, play_head(204, NULL), play_end());
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 100; i++) {
            struct alert alert;

            alert_init(&alert, ALERT_UNPRICED, "model %u", i);
            alert_raise(a.s->gateway.workers[0], &alert);
        }
        history_run_for(a.s->history, 601 * USEC_PER_S);
        assert_int_equal(vbackend_seen_count(a.hook), 16 * (round + 1));
    }
    alerting_ends(&a);
}

static void
the_queue_is_bounded_and_what_is_dropped_is_counted(void **state)
{
    struct alerting a = alerting_new(state, "webhook: \"https://hooks.example.com/x\"", 1);
    char about[16];

    vbackend_set_silent(a.hook, true);
    for (unsigned i = 0; i < 200; i++) {
        snprintf(about, sizeof(about), "%u", i);
        raise(&a, 0, about);
    }
    assert_int_equal(counted(&a, COUNT_ALERTS_DROPPED), 200 - ALERTS_WAITING_MOST);
    vbackend_set_silent(a.hook, false);
    vbackend_plays(a.hook, play_head(204, NULL), play_end());
    history_run_for(a.s->history, 600 * USEC_PER_S);
    assert_int_equal(counted(&a, COUNT_ALERTS_POSTED), ALERTS_WAITING_MOST);
    alerting_ends(&a);
}

static void
a_failing_command_is_counted(void **state)
{
    struct alerting a = alerting_new(state, "command: tell-them", 1);

    vcommand_does(a.s->history, "tell-them", (struct vcommand_script){.exit_status = 3, .output = "no mail\nat all"});
    raise(&a, 0, "alpha");
    history_run_to_rest(a.s->history);
    vcommand_does(a.s->history, "tell-them", (struct vcommand_script){.takes_us = USEC_NEVER});
    raise(&a, 0, "beta");
    history_run_to_rest(a.s->history);
    assert_int_equal(vcommand_runs(a.s->history, "tell-them"), 2);
    assert_int_equal(counted(&a, COUNT_ALERTS_COMMAND_FAILED), 2);
    alerting_ends(&a);
}

/* Nobody to tell: it is in the log, and nothing waits. */
static void
without_a_way_nothing_piles_up(void **state)
{
    struct alerting a = alerting_new(state, "repeat: 1h", 1);
    char about[16];

    for (unsigned i = 0; i < 100; i++) {
        snprintf(about, sizeof(about), "%u", i);
        raise(&a, 0, about);
        history_run_to_rest(a.s->history);
    }
    assert_int_equal(a.s->gateway.alerts.waiting_count, 0);
    assert_int_equal(counted(&a, COUNT_ALERTS_DROPPED), 0);
    alerting_ends(&a);
}

static void
clients_do_not_notice(void **state)
{
    struct alerting a = alerting_new(state, "webhook: \"https://hooks.example.com/x\"", 1);
    struct vclient *client;

    vbackend_set_silent(a.hook, true);
    raise(&a, 0, "alpha");
    client = scene_asks(a.s, (struct ask){0});
    history_run_until(a.s->history, vclient_done(client));
    assert_int_equal(vclient_status(client), 200);
    assert_int_equal(counted(&a, COUNT_ALERTS_POST_FAILED), 0);
    history_run_for(a.s->history, 600 * USEC_PER_S);
    assert_int_equal(counted(&a, COUNT_ALERTS_POST_FAILED), 1);
    alerting_ends(&a);
}

/* What waits goes out once, what hangs is cut, within the grace. */
static void
at_the_end_there_is_a_short_grace(void **state)
{
    struct alerting a = alerting_new(state, "webhook: \"https://hooks.example.com/x\"", 1);
    usec began_us;

    vbackend_plays(a.hook, play_head(500, NULL), play_end());
    vbackend_plays(a.hook, play_head(204, NULL), play_end());
    vbackend_plays(a.hook, play_hang());
    raise(&a, 0, "alpha");
    history_run_for(a.s->history, USEC_PER_S / 2);
    assert_int_equal(vbackend_seen_count(a.hook), 1);
    raise(&a, 0, "beta");
    raise(&a, 0, "gamma");
    alert_sender_finish(a.sender); /* alpha waits for its second try, which does not come */
    began_us = history_now_us(a.s->history);
    history_run_to_rest(a.s->history);
    assert_true(history_now_us(a.s->history) - began_us <= 4 * USEC_PER_S);
    assert_int_equal(vbackend_seen_count(a.hook), 3);
    assert_int_equal(counted(&a, COUNT_ALERTS_POSTED), 1);
    assert_int_equal(counted(&a, COUNT_ALERTS_POST_FAILED), 2);
    alerting_ends(&a);
}

/* When the grace is over, what hangs is given up, what waits is not begun any more, and what is posted already is left to
 * its command. */
static void
after_the_grace_nothing_is_begun(void **state)
{
    struct alerting a = alerting_new(state, "webhook: \"https://hooks.example.com/x\", command: tell-them", 1);
    char about[16];

    vbackend_plays(a.hook, play_head(204, NULL), play_end());
    vbackend_plays(a.hook, play_hang());
    vcommand_does(a.s->history, "tell-them", (struct vcommand_script){.takes_us = 8 * USEC_PER_S});
    for (unsigned i = 0; i < 6; i++) {
        snprintf(about, sizeof(about), "%u", i);
        raise(&a, 0, about);
    }
    history_run_for(a.s->history, USEC_PER_S / 2);
    assert_int_equal(vbackend_seen_count(a.hook), 4);
    alert_sender_finish(a.sender);
    history_run_for(a.s->history, 2 * USEC_PER_S);
    assert_int_equal(counted(&a, COUNT_ALERTS_POST_FAILED), 0);
    history_run_for(a.s->history, 2 * USEC_PER_S);
    assert_int_equal(counted(&a, COUNT_ALERTS_POST_FAILED), 3);
    history_run_to_rest(a.s->history);
    assert_int_equal(counted(&a, COUNT_ALERTS_POSTED), 1);
    assert_int_equal(counted(&a, COUNT_ALERTS_COMMANDED), 4);
    assert_int_equal(vbackend_seen_count(a.hook), 4);
    assert_int_equal(a.s->gateway.alerts.waiting_count, 2);
    alerting_ends(&a);
}

static void
raise_quietly(struct alerting *a, unsigned number, usec quiet_us)
{
    struct alert alert;

    alert_init(&alert, ALERT_EJECTED, "%u", number);
    alert.quiet_us = quiet_us;
    alert_raise(a->s->gateway.workers[0], &alert);
    history_run_to_rest(a->s->history);
}

/* What has been told is remembered in so many places. */
static void
what_is_over_first_makes_room(void **state)
{
    struct alerting a = alerting_new(state, "command: tell-them", 1);
    enum { SOONEST = 700 };

    vcommand_does(a.s->history, "tell-them", (struct vcommand_script){.exit_status = 0});
    for (unsigned i = 0; i < ALERTS_KNOWN_MOST; i++)
        raise_quietly(&a, i, (i == SOONEST ? 1 : 2 + i) * 86400 * USEC_PER_S);
    raise_quietly(&a, ALERTS_KNOWN_MOST, 2 * 86400 * USEC_PER_S);
    assert_int_equal(vcommand_runs(a.s->history, "tell-them"), ALERTS_KNOWN_MOST + 1);
    for (unsigned i = 0; i <= ALERTS_KNOWN_MOST; i++)
        if (i != SOONEST)
            raise_quietly(&a, i, 0);
    assert_int_equal(vcommand_runs(a.s->history, "tell-them"), ALERTS_KNOWN_MOST + 1);
    raise_quietly(&a, SOONEST, 0);
    assert_int_equal(vcommand_runs(a.s->history, "tell-them"), ALERTS_KNOWN_MOST + 2);
    alerting_ends(&a);
}

static void
what_was_raised_before_the_sender_started_is_sent(void **state)
{
    struct alerting a = {0};

    a.s = scene_new(state, (struct scene_options){.seed = 1, .more = "alerts: { command: tell-them }\n"});
    vcommand_does(a.s->history, "tell-them", (struct vcommand_script){.exit_status = 0});
    raise(&a, 0, "alpha");
    history_run_to_rest(a.s->history);
    assert_int_equal(vcommand_runs(a.s->history, "tell-them"), 0);
    a.sender = alert_sender_start(a.s->gateway.workers[0]);
    history_run_to_rest(a.s->history);
    assert_int_equal(vcommand_runs(a.s->history, "tell-them"), 1);
    alerting_ends(&a);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_webhook_and_the_command_get_it, scene_teardown),
        cmocka_unit_test_teardown(a_failing_webhook_is_tried_again_with_growing_pauses, scene_teardown),
        cmocka_unit_test_teardown(what_passes_is_tried_again_and_what_is_refused_is_not, scene_teardown),
        cmocka_unit_test_teardown(no_try_lasts_for_ever, scene_teardown),
        cmocka_unit_test_teardown(the_same_alert_is_counted_until_it_is_told_again, scene_teardown),
        cmocka_unit_test_teardown(kinds_that_clients_can_make_up_are_bounded, scene_teardown),
        cmocka_unit_test_teardown(the_queue_is_bounded_and_what_is_dropped_is_counted, scene_teardown),
        cmocka_unit_test_teardown(a_failing_command_is_counted, scene_teardown),
        cmocka_unit_test_teardown(without_a_way_nothing_piles_up, scene_teardown),
        cmocka_unit_test_teardown(clients_do_not_notice, scene_teardown),
        cmocka_unit_test_teardown(at_the_end_there_is_a_short_grace, scene_teardown),
        cmocka_unit_test_teardown(after_the_grace_nothing_is_begun, scene_teardown),
        cmocka_unit_test_teardown(what_is_over_first_makes_room, scene_teardown),
        cmocka_unit_test_teardown(what_was_raised_before_the_sender_started_is_sent, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
