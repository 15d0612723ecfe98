/* Two gateways before the same engines. Neither knows of the other but by what the engines' pages tell: modelled engines, two
 * real gateways, nothing scripted between them. */
#include "scene.h"

#include <stdio.h>

#include "gateway/watch/asking.h"
#include "twin/twin.h"

static const char first_config[] =
    "backends:\n"
    "  gpus:  { url: [ \"http://one.example\", \"http://two.example\" ], engine: twin, models: [ twin-small ],\n"
    "           scrape: 1s, policy: %s }\n"
    "  other: { url: \"http://other.example\", models: [ assistant ] }\n"
    "routes:\n"
    "  assistant: { reference: gpus/twin-small }\n"
    "  beside:    { reference: other/assistant }\n"
    "prices: { override: { gpus/twin-small: { input: $1/M, output: $4/M },\n"
    "                      other/assistant: { input: $1/M, output: $4/M } } }\n";

/* The same with a line in front of the first engine, in whose cache some 576 tokens are for requests. */
static const char waiting_config[] =
    "backends:\n"
    "  gpus:  { url: [ \"http://one.example\" ], engine: twin, models: [ twin-small ], scrape: 1s,\n"
    "           admission: { mode: on, kv_tokens: 640 } }\n"
    "  spare: { url: [ \"http://two.example\" ], engine: twin, models: [ twin-small ], metrics: off }\n"
    "  other: { url: \"http://other.example\", models: [ assistant ] }\n"
    "routes:\n"
    "  assistant: { reference: gpus/twin-small }\n"
    "  beside:    { reference: other/assistant }\n"
    "prices: { override: { gpus/twin-small: { input: $1/M, output: $4/M },\n"
    "                      other/assistant: { input: $1/M, output: $4/M } } }\n";

/* All that it has goes to the first engine. */
static const char second_config[] = "backends:\n"
                                    "  gpus: { url: \"http://one.example\", engine: twin, models: [ twin-small ] }\n"
                                    "routes:\n"
                                    "  assistant: { reference: gpus/twin-small }\n"
                                    "prices: { override: { gpus/twin-small: { input: $1/M, output: $4/M } } }\n";

struct both {
    struct scene *scene;
    struct twin *twins[2];
    struct application *engines[2];
    struct config *config;
    struct gateway second;
    struct asking *asking;
};

/* Steps of 10 ms, four sequences at a time: others wait. */
static struct twin_settings
engine_settings(void)
{
    struct twin_settings settings;

    twin_settings_default(&settings, (struct twin_pace){300 * USEC_PER_MS, 20 * USEC_PER_MS});
    settings.models[0].engine = (struct engine_settings){
        .time = {.alpha_us = 10000},
        .sequences_most = 4,
        .step_tokens_most = 1000,
        .kv_tokens = 160000,
        .overhead_least_us = 1000,
        .overhead_most_us = 1000,
        .seed = 1,
    };
    return settings;
}

/* The engines keep their ids: that is how the virtual world knows them. */
static struct config *
load_second(const struct config *first)
{
    struct problems problems;
    struct config *config = NULL;

    problems_init(&problems);
    assert_int_equal(
        config_load_input(
            &(struct config_input){.file = "second.yaml", .text = SLICE_LITERAL(second_config), .before = first},
            &problems, &config),
        OK);
    problems_free(&problems);
    return config;
}

static void
open_both(struct both *both, void **state, const char *config)
{
    struct twin_settings settings = engine_settings();
    struct scene *s = scene_new(state, (struct scene_options){.seed = 7, .config = config});
    bool together = config_backend(s->config, SLICE_LITERAL("gpus"))->endpoint_count == 2;

    *both = (struct both){.scene = s, .config = load_second(s->config)};
    for (size_t i = 0; i < 2; i++) {
        both->twins[i] = twin_new(&settings);
        both->engines[i] = twin_worker_new(both->twins[i], history_world_apart(s->history));
        vbackend_is_application(together || i == 0 ? scene_replica(s, "gpus", i) : scene_backend(s, "spare"),
                                both->engines[i]);
    }
    gateway_init(&both->second, both->config, &s->log, 2);
    both->second.workers[0] = gateway_worker_new(&both->second, history_world_apart(s->history));
    both->second.worker_count = 1;
    vbackend_is_application(scene_backend(s, "other"), &both->second.workers[0]->app);
    both->asking = asking_start(s->gateway.workers[0]);
}

static void
close_both(struct both *both, void **state)
{
    asking_stop(both->asking);
    scene_rest(both->scene);
    scene_passed(both->scene);
    gateway_worker_free(both->second.workers[0]);
    both->second.worker_count = 0;
    gateway_free(&both->second);
    config_release(both->config);
    for (size_t i = 0; i < 2; i++) {
        twin_worker_free(both->engines[i]);
        twin_free(both->twins[i]);
    }
    scene_free(both->scene, state);
}

/* How many the first gateway has sent to an engine. */
static uint64_t
sent_to(struct both *both, size_t engine)
{
    struct gateway *gateway = &both->scene->gateway;
    struct replica_look look;

    replica_look(healths_replica(&gateway->healths, config_backend(both->scene->config, SLICE_LITERAL("gpus")), engine),
                 history_now_us(both->scene->history), &look);
    return look.totals.taken;
}

/* One after the other: of its own, it sees idle engines each time. */
static void
ask_first(struct both *both, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        scene_asks(both->scene, (struct ask){.stream = true, .headers = "x-twin-output-tokens: 5\n"});
        history_run_for(both->scene->history, 300 * USEC_PER_MS);
    }
}

static void
what_the_other_gateway_has_there_is_seen(void **state)
{
    static const char *const policies[] = {"least_in_flight", "lmetric", "affinity"};
    struct arena arena;

    arena_init(&arena);
    for (size_t p = 0; p < sizeof(policies) / sizeof(policies[0]); p++) {
        struct vclient *clients[12];
        struct both both;
        uint64_t before;

        open_both(&both, state, arena_printf(&arena, first_config, policies[p]));
        for (size_t i = 0; i < 12; i++)
            clients[i] = scene_asks(
                both.scene, (struct ask){.model = "beside", .stream = true, .headers = "x-twin-output-tokens: 4000\n"});
        history_run_for(both.scene->history, 3 * USEC_PER_S);
        ask_first(&both, 24);
        assert_int_equal(sent_to(&both, 0), 0);
        assert_int_equal(sent_to(&both, 1), 24);
        for (size_t i = 0; i < 12; i++)
            vclient_leave(clients[i]);
        history_run_for(both.scene->history, 3 * USEC_PER_S);
        ask_first(&both, 24);
        before = sent_to(&both, 0);
        assert_in_range(before, 5, 19);
        /* Its own load is not taken for another's: nothing is there. */
        history_run_for(both.scene->history, 3 * USEC_PER_S);
        close_both(&both, state);
    }
    arena_reset(&arena);
}

static struct admission_figures
line_of(struct both *both)
{
    struct admission *gpus = admissions_find(&both->scene->gateway.admissions, "gpus");
    struct admission_figures figures;

    assert_non_null(gpus);
    admission_figures(gpus, &figures);
    return figures;
}

/* What the other has there fills the cache: of ours one goes, and no more; when it has left, and the engine has told so, the
 * others go too, though none of ours is over. */
static void
what_the_other_gateway_has_there_takes_room(void **state)
{
    struct vclient *others[4], *own[4];
    struct both both;

    open_both(&both, state, waiting_config);
    for (size_t i = 0; i < 4; i++)
        others[i] = scene_asks(
            both.scene, (struct ask){.model = "beside", .stream = true, .headers = "x-twin-output-tokens: 4000\n"});
    history_run_for(both.scene->history, 5 * USEC_PER_S);
    for (size_t i = 0; i < 4; i++)
        own[i] = scene_asks(both.scene, (struct ask){.stream = true, .headers = "x-twin-output-tokens: 2000\n"});
    history_run_for(both.scene->history, USEC_PER_S / 2);
    assert_true(line_of(&both).others_tokens > 576);
    assert_int_equal(line_of(&both).in_flight, 1);
    assert_int_equal(line_of(&both).waiting, 3);
    for (size_t i = 0; i < 4; i++)
        vclient_leave(others[i]);
    history_run_for(both.scene->history, 1300 * USEC_PER_MS);
    assert_int_equal(line_of(&both).others_tokens, 0);
    assert_in_range(line_of(&both).in_flight, 2, 4);
    for (size_t i = 0; i < 4; i++)
        assert_true(vclient_waits(own[i]));
    close_both(&both, state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_the_other_gateway_has_there_takes_room, scene_teardown),
        cmocka_unit_test_teardown(what_the_other_gateway_has_there_is_seen, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
