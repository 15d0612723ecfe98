/* How many replicas are recommended, from real traffic through the gateway: up when it comes and down when it is long gone,
 * told to the command one at a time, shown, and kept over a reload and a restart. */
#include "scene.h"

#include <stdio.h>

#include "alerts/sender.h"
#include "fleet/capacity/pool_size.h"
#include "gateway/watch/sizer.h"
#include "gateway/watch/sizer_rules.h"
#include "virtual/vcommand.h"

static const char setting[] =
    "backends:\n"
    "  gpus: { url: [ \"http://one.example\", \"http://two.example\" ], models: [ big ], engine: vllm,\n"
    "          engine_model: a100-llama-3-70b-tp4, usd_per_hour: $9,\n"
    "          replicas: { min: 1, max: 6, cold_start: 30s, command: scale } }\n"
    "  alpha: { url: \"http://alpha.example\", models: [ big ] }\n"
    "prices: { override: { gpus/big: { input: $0.2/M, output: $0.5/M } } }\n"
    "routes:\n"
    "  assistant: { reference: gpus/big, acceptable: { first_token: 3s } }\n"
    "alerts: { command: tell }\n";

struct fleet {
    struct scene *s;
    struct sizer *sizer;
    struct alert_sender *sender;
    struct buffer told, alerts;
    int command_status;
};

static void
note_told(void *context, struct slice input, int *exit_status, struct slice *output)
{
    struct fleet *fleet = context;

    buffer_add(&fleet->told, input);
    *exit_status = fleet->command_status;
    *output = slice_of("no such deployment\nmore\n");
}

static void
note_alert(void *context, struct slice input, int *exit_status, struct slice *output)
{
    struct fleet *fleet = context;

    buffer_add(&fleet->alerts, input);
    *exit_status = 0;
    *output = SLICE_NONE;
}

static struct fleet *
fleet_of(void **state, const char *config)
{
    struct fleet *fleet = must_calloc(1, sizeof(*fleet));

    fleet->s = scene_new(state, (struct scene_options){.seed = 5, .config = config, .workers = 2});
    for (size_t i = 0; i < fleet->s->config->backends[0].endpoint_count; i++) {
        struct provider *provider = scene_replica_provider(fleet->s, "gpus", i);

        provider->input = 5000; /* about 0.9 s of such an engine, and so long it takes: engines are learned from */
        provider->output = 10;
        provider->words = 10;
        provider->first_word_us = 900 * USEC_PER_MS;
        provider->word_gap_us = 30 * USEC_PER_MS;
    }
    vcommand_does(fleet->s->history, "scale", (struct vcommand_script){.decide = note_told, .context = fleet});
    vcommand_does(fleet->s->history, "tell", (struct vcommand_script){.decide = note_alert, .context = fleet});
    fleet->sender = alert_sender_start(fleet->s->gateway.workers[0]);
    fleet->sizer = sizer_open(&fleet->s->gateway, NULL);
    sizer_start(fleet->sizer, fleet->s->gateway.workers[0]);
    return fleet;
}

static struct fleet *
fleet_new(void **state)
{
    return fleet_of(state, setting);
}

static void
fleet_ends(struct fleet *fleet)
{
    sizer_stop(fleet->sizer);
    alert_sender_finish(fleet->sender);
    history_run_to_rest(fleet->s->history);
    alert_sender_free(fleet->sender);
    sizer_close(fleet->sizer);
    scene_rest(fleet->s);
    scene_passed(fleet->s);
    buffer_free(&fleet->told);
    buffer_free(&fleet->alerts);
    free(fleet);
}

static struct pool_view
look(struct fleet *fleet)
{
    struct pool_view view;

    pool_size_look(pool_sizes_of(&fleet->s->gateway.healths.pool_sizes, "gpus"), &view);
    return view;
}

/* Requests at even distances. */
static void
traffic(struct fleet *fleet, unsigned seconds, unsigned a_second)
{
    for (unsigned i = 0; i < seconds * a_second; i++) {
        scene_asks(fleet->s, (struct ask){.model = "assistant", .stream = true});
        history_run_for(fleet->s->history, USEC_PER_S / a_second);
    }
}

static void
test_up_and_down(void **state)
{
    struct fleet *fleet = fleet_new(state);
    unsigned most;

    /* Nothing is said before enough was seen. */
    traffic(fleet, 60, 2);
    assert_int_equal(look(fleet).wanted, 2);
    assert_true(look(fleet).carry < 0);
    assert_int_equal(vcommand_runs(fleet->s->history, "scale"), 0);
    /* Four requests a second are about 3.6 engines. */
    traffic(fleet, 180, 4);
    assert_true(look(fleet).carry > 0.5);
    most = look(fleet).wanted;
    assert_true(most >= 4 && most <= 6);
    assert_true(vcommand_runs(fleet->s->history, "scale") >= 1);
    assert_contains(buffer_content(&fleet->told), "{\"pool\":\"gpus\",\"now\":2,\"wanted\":");
    assert_true(look(fleet).demand > 3 && look(fleet).demand < 5);
    /* Long quiet: down to one, one after the other. */
    history_run_for(fleet->s->history, 3 * 3600 * USEC_PER_S);
    assert_int_equal(look(fleet).wanted, 1);
    assert_true(look(fleet).shrunk >= most - 1);
    assert_contains(vcommand_input(fleet->s->history, "scale"), "\"wanted\":1}");
    fleet_ends(fleet);
}

/* Told again after a pause that doubles, and an alert says why; never twice at a time. */
static void
test_command_fails(void **state)
{
    struct fleet *fleet = fleet_new(state);
    unsigned runs;

    fleet->command_status = 3;
    traffic(fleet, 60, 2);
    traffic(fleet, 180, 4);
    runs = vcommand_runs(fleet->s->history, "scale");
    assert_true(runs >= 2 && runs <= 5);
    assert_contains(buffer_content(&fleet->alerts), "\"kind\":\"replicas_command\"");
    assert_contains(buffer_content(&fleet->alerts), "ended with status 3: no such deployment.");
    history_run_for(fleet->s->history, 600 * USEC_PER_S);
    runs = vcommand_runs(fleet->s->history, "scale");
    fleet->command_status = 0;
    history_run_for(fleet->s->history, 1300 * USEC_PER_S);
    assert_true(vcommand_runs(fleet->s->history, "scale") > runs);
    fleet_ends(fleet);
}

static void
test_slow_command(void **state)
{
    struct fleet *fleet = fleet_new(state);

    vcommand_does(fleet->s->history, "scale", (struct vcommand_script){.takes_us = USEC_NEVER});
    traffic(fleet, 60, 2);
    traffic(fleet, 160, 4);
    assert_int_equal(vcommand_runs(fleet->s->history, "scale"), 1);
    history_run_for(fleet->s->history, 10 * USEC_PER_S);
    assert_contains(buffer_content(&fleet->alerts), "took longer than 60 s");
    vcommand_does(fleet->s->history, "scale", (struct vcommand_script){.exit_status = 0});
    history_run_for(fleet->s->history, 60 * USEC_PER_S);
    fleet_ends(fleet);
}

static void
test_reload(void **state)
{
    struct fleet *fleet = fleet_new(state);
    char *changed = must_strdup(setting);
    struct pool_view before;

    traffic(fleet, 60, 2);
    traffic(fleet, 120, 4);
    before = look(fleet);
    memcpy(strstr(changed, "max: 6"), "max: 3", 6);
    scene_reload(fleet->s, changed);
    history_run_until(fleet->s->history, !scene_reloading(fleet->s));
    history_run_for(fleet->s->history, 2 * USEC_PER_S);
    assert_int_equal(look(fleet).wanted, 3);
    assert_true(look(fleet).carry > 0.5);
    assert_true(before.wanted > 3);
    free(changed);
    fleet_ends(fleet);
}

/* Replicas that are found are there, and one that is gone is not; what the others have taught holds for the new ones. */
static void
test_found(void **state)
{
    static const char *const one = "url: [ \"http://a.example\" ]",
                             *const three = "url: [ \"http://0.example\", \"http://a.example\", \"http://b.example\" ]";
    struct replica_model model;
    struct fleet *fleet;
    struct arena arena;
    const char *urls, *rest;

    arena_init(&arena);
    urls = strstr(setting, "url: [");
    rest = strchr(urls, ']') + 1;
    fleet = fleet_of(state, arena_printf(&arena, "%.*s%s%s", (int)(urls - setting), setting, one, rest));
    traffic(fleet, 120, 1);
    assert_int_equal(look(fleet).there, 1);
    scene_reload(fleet->s, arena_printf(&arena, "%.*s%s%s", (int)(urls - setting), setting, three, rest));
    history_run_for(fleet->s->history, 2 * USEC_PER_S);
    assert_int_equal(look(fleet).there, 3);
    assert_int_equal(sizer_there(&fleet->s->gateway.healths, config_backend(fleet->s->config, SLICE_LITERAL("gpus")),
                                 history_now_us(fleet->s->history), &model),
                     3);
    assert_true(model.fitted);
    scene_reload(fleet->s, arena_printf(&arena, "%.*s%s%s", (int)(urls - setting), setting, one, rest));
    history_run_for(fleet->s->history, 2 * USEC_PER_S);
    assert_int_equal(look(fleet).there, 1);
    arena_reset(&arena);
    fleet_ends(fleet);
}

static void
test_shown(void **state)
{
    struct fleet *fleet = fleet_new(state);
    struct buffer page = {0};

    traffic(fleet, 60, 2);
    traffic(fleet, 120, 4);
    sizer_print(&fleet->s->gateway, &page);
    assert_contains(buffer_content(&page), "# TYPE equipoise_replicas_wanted gauge\n");
    assert_contains(buffer_content(&page), "equipoise_replicas_there{backend=\"gpus\"} 2\n");
    assert_contains(buffer_content(&page), "equipoise_replica_cold_start_seconds{backend=\"gpus\"} 30\n");
    assert_lacks(buffer_content(&page), "alpha"); /* somebody else's */
    buffer_clear(&page);
    sizer_write_json(&fleet->s->gateway, &page);
    assert_contains(buffer_content(&page), "{\"gpus\":{\"wanted\":");
    assert_contains(buffer_content(&page), "\"goal\":\"in time\"");
    buffer_free(&page);
    fleet_ends(fleet);
}

/* A route that says what an answer is worth, at an engine that costs something: the newsvendor decides. Nine dollars an
 * hour are 0.25 cents a second; an answer takes about a second, and is worth nine times that. */
static void
test_worth(void **state)
{
    struct fleet *fleet = fleet_new(state);
    struct buffer worth = {0};
    const char *at = strstr(setting, "acceptable:");

    buffer_add(&worth, slice_make(setting, (size_t)(at - setting)));
    buffer_add_text(&worth, "worth: $0.0225, ");
    buffer_add_text(&worth, at);
    buffer_add_byte(&worth, '\0');
    scene_reload(fleet->s, worth.data);
    history_run_until(fleet->s->history, !scene_reloading(fleet->s));
    traffic(fleet, 60, 2);
    traffic(fleet, 120, 4);
    assert_int_equal(look(fleet).goal.aim, FORECAST_QUANTILE);
    assert_true(look(fleet).goal.share > 0.85 && look(fleet).goal.share < 0.95);
    buffer_free(&worth);
    fleet_ends(fleet);
}

/* What admission turns away is demand all the same. Of a prompt of a few words, 256 tokens of output are expected: some
 * hundredths of a second of such an engine. */
static void
test_refused(void **state)
{
    static const char narrow[] = "backends:\n"
                                 "  gpus: { url: \"http://one.example\", models: [ big ], engine: vllm,\n"
                                 "          engine_model: a100-llama-3-70b-tp4,\n"
                                 "          admission: { mode: on, requests: 1, queue: 1 } }\n"
                                 "  alpha: { url: \"http://alpha.example\", models: [ other ] }\n"
                                 "routes:\n"
                                 "  assistant: { reference: gpus/big }\n";
    struct fleet *fleet = fleet_of(state, narrow);

    scene_provider(fleet->s, "gpus")->first_word_us = 10 * USEC_PER_S;
    traffic(fleet, 30, 10);
    assert_true(gateway_count(&fleet->s->gateway, COUNT_QUEUE_REFUSED) > 200);
    assert_true(look(fleet).demand > 0.2);
    fleet_ends(fleet);
}

/* What is kept: another process knows the day and how long replicas take. */
static void
test_kept(void **state)
{
    struct pool_sizes before, after;
    struct buffer file = {0};
    struct pool_view view;
    struct pool_size *pool;
    struct replica_model model = {
        .time = {.alpha_us = 1000, .beta_us = 10}, .kv_tokens = 100000, .step_tokens_most = 2048};
    struct pool_rules rules = {1, 8, 60 * USEC_PER_S, {USEC_NEVER, USEC_NEVER}};

    (void)state;
    pool_sizes_init(&before);
    pool_sizes_init(&after);
    pool = pool_sizes_of(&before, "gpus");
    pool_size_configure(pool, &rules, &model, 1);
    for (int i = 1; i <= 7200; i++)
        (void)pool_size_tick(pool, i * USEC_PER_S, i * USEC_PER_S, 1);
    pool_sizes_save(&before, &file);
    assert_int_equal(pool_sizes_restore(&after, buffer_content(&file)), OK);
    pool_size_look(pool_sizes_of(&after, "gpus"), &view);
    assert_int_equal(view.cold_start_us, CAPACITY_COLD_START_US); /* the longer of the usual and what was said */
    file.data[20] ^= 1;
    assert_int_equal(pool_sizes_restore(&after, buffer_content(&file)), ERR_CORRUPT);
    assert_int_equal(pool_sizes_restore(&after, slice_of("short")), ERR_CORRUPT);
    buffer_free(&file);
    pool_sizes_free(&before);
    pool_sizes_free(&after);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_up_and_down, scene_teardown),
        cmocka_unit_test_teardown(test_command_fails, scene_teardown),
        cmocka_unit_test_teardown(test_slow_command, scene_teardown),
        cmocka_unit_test_teardown(test_reload, scene_teardown),
        cmocka_unit_test_teardown(test_found, scene_teardown),
        cmocka_unit_test_teardown(test_shown, scene_teardown),
        cmocka_unit_test_teardown(test_worth, scene_teardown),
        cmocka_unit_test_teardown(test_refused, scene_teardown),
        cmocka_unit_test(test_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
