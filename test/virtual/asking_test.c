/* What engines are asked about themselves by the gateway, at its own times. */
#include "gateway/watch/asking.h"

#include "fleet/health/told.h"
#include "scene.h"

static const char fleet[] =
    "backends:\n"
    "  gpus: { url: [ \"http://one.example:8000\", \"http://two.example:8000\" ], engine: vllm,\n"
    "          key: $UPSTREAM_KEY, models: [ big ], scrape: 1s, probe: 5s }\n"
    "routes:\n"
    "  assistant: { reference: gpus/big }\n"
    "prices:\n"
    "  override:\n"
    "    gpus/big: { input: $1/M, output: $4/M }\n";

#define IDLE "vllm:num_requests_running 0\nvllm:num_requests_waiting 0\nvllm:kv_cache_usage_perc 0\n"
#define BUSY "vllm:num_requests_running 64\nvllm:num_requests_waiting 500\nvllm:kv_cache_usage_perc 0.97\n"

/* One engine: what it shows, and how it is. */
struct engine_seen {
    struct provider provider;
    const char *page;
    unsigned page_status, health_status;
    bool silent; /* its page never comes */
    unsigned pages, healths, requests;
    usec last_us, least_gap_us;
};

struct asked {
    struct scene *scene;
    struct asking *asking;
    struct engine_seen engines[2];
};

static void
show_page(struct engine_seen *engine, const struct vcall_seen *seen, struct vscript *script)
{
    if (engine->pages++ > 0 && seen->arrived_us - engine->last_us < engine->least_gap_us)
        engine->least_gap_us = seen->arrived_us - engine->last_us;
    engine->last_us = seen->arrived_us;
    if (engine->silent) {
        vscript_add(script, play_hang());
        return;
    }
    vscript_add(script, play_head(engine->page_status, "content-type: text/plain; version=0.0.4\n"));
    vscript_add(script, play_text(engine->page));
    vscript_add(script, play_end());
}

static void
decide(void *context, const struct vcall_seen *seen, struct vscript *script)
{
    struct engine_seen *engine = context;

    if (slice_is(seen->target, "/metrics")) {
        show_page(engine, seen, script);
    } else if (slice_is(seen->target, "/health")) {
        engine->healths++;
        vscript_add(script, play_head(engine->health_status, NULL));
        vscript_add(script, play_end());
    } else if (slice_is(seen->method, "GET")) {
        vscript_add(script, play_head(404, NULL));
        vscript_add(script, play_end());
    } else {
        engine->requests++;
        provider_plays(&engine->provider, seen, script);
    }
}

static void
open_fleet(struct asked *asked, void **state, struct scene_options options)
{
    *asked = (struct asked){.scene = scene_new(state, options)};
    for (size_t i = 0; i < 2; i++) {
        asked->engines[i] = (struct engine_seen){.provider = *scene_replica_provider(asked->scene, "gpus", i),
                                                 .page = IDLE,
                                                 .page_status = 200,
                                                 .health_status = 200,
                                                 .least_gap_us = USEC_NEVER};
        vbackend_decides(scene_replica(asked->scene, "gpus", i), decide, &asked->engines[i]);
    }
}

static void
start_asking(struct asked *asked)
{
    asked->asking = asking_start(asked->scene->gateway.workers[0]);
}

static void
close_fleet(struct asked *asked)
{
    asking_stop(asked->asking);
    scene_rest(asked->scene);
    scene_passed(asked->scene);
}

static struct replica_look
look_at(struct asked *asked, size_t at)
{
    struct gateway *gateway = &asked->scene->gateway;
    struct replica *replica =
        healths_replica(&gateway->healths, config_backend(asked->scene->config, SLICE_LITERAL("gpus")), at);
    struct replica_look look;

    replica_look(replica, history_now_us(asked->scene->history), &look);
    return look;
}

static double
requests_at(struct asked *asked, size_t at)
{
    const struct backend_config *backend = config_backend(asked->scene->config, SLICE_LITERAL("gpus"));

    return told_requests(healths_replica(&asked->scene->gateway.healths, backend, at),
                         history_now_us(asked->scene->history));
}

static enum pulse_state
pulse_at(struct asked *asked, size_t at)
{
    const struct backend_config *backend = config_backend(asked->scene->config, SLICE_LITERAL("gpus"));
    const struct health *health = healths_place(&asked->scene->gateway.healths, &backend->endpoints[at]);

    return pulse_state(&health->pulse, history_now_us(asked->scene->history));
}

static void
ask_some(struct asked *asked, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        scene_asks(asked->scene, (struct ask){.stream = true});
        scene_rest(asked->scene);
    }
}

/* One worker asks, all see what was told; once a second, one question at a time, with the backend's credential and with
 * nothing else. */
static void
every_engine_is_asked_and_all_workers_know(void **state)
{
    struct asked asked;
    struct replica_look look;
    struct slice headers;

    open_fleet(&asked, state, (struct scene_options){.seed = 41, .workers = 3, .config = fleet});
    asked.engines[1].page = BUSY;
    start_asking(&asked);
    history_run_for(asked.scene->history, 10 * USEC_PER_S);
    for (size_t i = 0; i < 2; i++) {
        assert_in_range(asked.engines[i].pages, 8, 12);
        assert_true(asked.engines[i].least_gap_us >= 900 * USEC_PER_MS);
        assert_in_range(asked.engines[i].healths, 2, 3);
        assert_int_equal(pulse_at(&asked, i), PULSE_UP);
        headers = vbackend_seen(scene_replica(asked.scene, "gpus", i), 0).headers;
        assert_contains(headers, "authorization: Bearer sk-upstream\n");
        assert_contains(headers, "accept-encoding: identity");
    }
    look = look_at(&asked, 0);
    assert_true(look.told.queued == 0 && look.told.running == 0 && look.told.at_us > 8 * USEC_PER_S);
    look = look_at(&asked, 1);
    assert_true(look.told.queued == 500 && look.told.running == 64 && look.told.kv_share == 0.97);
    assert_true(requests_at(&asked, 1) == 564);
    assert_int_equal(gateway_count(&asked.scene->gateway, COUNT_SCRAPES),
                     asked.engines[0].pages + asked.engines[1].pages);
    close_fleet(&asked);
}

/* Scenario 41: told that it was full, then nothing. Requests go on, and the mark is gone by itself. */
static void
a_page_that_is_gone_closes_no_door(void **state)
{
    struct asked asked;
    struct replica_look look;

    open_fleet(&asked, state, (struct scene_options){.seed = 2, .config = fleet});
    asked.engines[0].page = asked.engines[1].page = BUSY;
    start_asking(&asked);
    history_run_for(asked.scene->history, 3 * USEC_PER_S);
    asked.engines[0].page_status = 500;
    asked.engines[1].silent = true;
    ask_some(&asked, 6);
    for (size_t i = 0; i < 6; i++)
        assert_row_is(asked.scene, i, state, "ok");
    history_run_for(asked.scene->history, 120 * USEC_PER_S);
    for (size_t i = 0; i < 2; i++) {
        look = look_at(&asked, i);
        assert_true(look.told.queued == 500); /* the last value */
        assert_true(requests_at(&asked, i) < 0.01);
        assert_true(told_kv_share(&look, history_now_us(asked.scene->history)) < 0.01);
    }
    /* The one that hangs is asked again only when it was given up, and never twice at once. */
    assert_true(asked.engines[1].least_gap_us >= 900 * USEC_PER_MS);
    assert_in_range(asked.engines[1].pages, 15, 30);
    assert_true(gateway_count(&asked.scene->gateway, COUNT_SCRAPES_FAILED) > 100);
    asked.engines[0].page_status = 200;
    asked.engines[0].page = IDLE;
    history_run_for(asked.scene->history, 3 * USEC_PER_S);
    look = look_at(&asked, 0);
    assert_true(look.told.queued == 0);
    close_fleet(&asked);
}

/* Half a page, or what is none, changes nothing. */
static void
what_is_no_page_tells_nothing(void **state)
{
    static const char *const nonsense[] = {"<html>busy</html>\n", "vllm:num_requests_waiting 5", ""};

    for (size_t i = 0; i < 3; i++) {
        struct asked asked;
        struct replica_look look;

        open_fleet(&asked, state, (struct scene_options){.seed = i, .config = fleet});
        start_asking(&asked);
        history_run_for(asked.scene->history, 2 * USEC_PER_S);
        asked.engines[0].page = nonsense[i];
        history_run_for(asked.scene->history, 4 * USEC_PER_S);
        look = look_at(&asked, 0);
        assert_true(look.told.queued == 0 && look.told.running == 0);
        close_fleet(&asked);
        scene_free(asked.scene, state);
    }
}

/* An engine that loads gets no requests, and is not ejected for it; when it is up it gets its share at once. */
static void
an_engine_that_loads_is_left_alone(void **state)
{
    struct asked asked;

    open_fleet(&asked, state, (struct scene_options){.seed = 4, .config = fleet});
    asked.engines[1].health_status = 503;
    start_asking(&asked);
    history_run_for(asked.scene->history, 1 * USEC_PER_S);
    assert_int_equal(pulse_at(&asked, 1), PULSE_LOADING);
    ask_some(&asked, 20);
    assert_int_equal(asked.engines[0].requests, 20);
    assert_int_equal(gateway_count(&asked.scene->gateway, COUNT_EJECTIONS), 0);
    asked.engines[1].health_status = 200;
    history_run_for(asked.scene->history, 6 * USEC_PER_S);
    assert_int_equal(pulse_at(&asked, 1), PULSE_UP);
    ask_some(&asked, 20);
    assert_true(asked.engines[1].requests > 3);
    close_fleet(&asked);
}

/* All say that they are not well: a request is sent all the same, and what it shows counts more. */
static void
questions_never_refuse_a_request(void **state)
{
    struct asked asked;

    open_fleet(&asked, state, (struct scene_options){.seed = 5, .config = fleet});
    asked.engines[0].health_status = asked.engines[1].health_status = 500;
    start_asking(&asked);
    history_run_for(asked.scene->history, 1 * USEC_PER_S);
    assert_int_equal(pulse_at(&asked, 0), PULSE_DOWN);
    assert_int_equal(pulse_at(&asked, 1), PULSE_DOWN);
    ask_some(&asked, 3);
    for (size_t i = 0; i < 3; i++)
        assert_row_is(asked.scene, i, state, "ok");
    close_fleet(&asked);
}

/* A replica that is dead is known before it costs a request its time. */
static void
a_dead_replica_is_known_before_a_request_finds_it(void **state)
{
    struct asked asked;

    open_fleet(&asked, state, (struct scene_options){.seed = 6, .config = fleet});
    vbackend_set_refusing(scene_replica(asked.scene, "gpus", 0), true);
    start_asking(&asked);
    history_run_for(asked.scene->history, 1 * USEC_PER_S);
    assert_int_equal(pulse_at(&asked, 0), PULSE_DOWN);
    ask_some(&asked, 10);
    assert_int_equal(gateway_count(&asked.scene->gateway, COUNT_ATTEMPTS_FAILED), 0);
    assert_int_equal(asked.engines[1].requests, 10);
    vbackend_set_refusing(scene_replica(asked.scene, "gpus", 0), false);
    history_run_for(asked.scene->history, 6 * USEC_PER_S);
    ask_some(&asked, 20);
    assert_true(asked.engines[0].requests > 3);
    close_fleet(&asked);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(every_engine_is_asked_and_all_workers_know, scene_teardown),
        cmocka_unit_test_teardown(a_page_that_is_gone_closes_no_door, scene_teardown),
        cmocka_unit_test_teardown(what_is_no_page_tells_nothing, scene_teardown),
        cmocka_unit_test_teardown(an_engine_that_loads_is_left_alone, scene_teardown),
        cmocka_unit_test_teardown(questions_never_refuse_a_request, scene_teardown),
        cmocka_unit_test_teardown(a_dead_replica_is_known_before_a_request_finds_it, scene_teardown),
    };

    setenv("UPSTREAM_KEY", "sk-upstream", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
