/* Replicas that come and go by reloads, as discovery does it: those that are gone are forgotten in their time, not sooner than the
 * last stream from them has ended (that sums over all never go back is unit/tenure_test.c's). */
#include "scene.h"

#include "fleet/health/tenure.h"
#include "gateway/watch/rent.h"

enum { WORKERS = 2 };

static const char *
config_with(const char *urls, char text[512])
{
    snprintf(text, 512,
             "backends:\n"
             "  gpus: { url: [ %s ], engine: vllm, models: [ big ], metrics: off,\n"
             "          timeouts: { first_byte: 2h, idle: 2h } }\n"
             "routes: { assistant: { reference: gpus/big } }\n",
             urls);
    return text;
}

static void
reload(struct scene *s, const char *urls)
{
    char text[512];

    scene_reload(s, config_with(urls, text));
    history_run_until(s->history, !scene_reloading(s));
}

static bool
is_known(struct scene *s, const char *place)
{
    return map_get(&s->gateway.healths.replicas.by_name, slice_of(place)) != NULL;
}

static void
answers_under_way_are_waited_for(void **state)
{
    char text[512];
    struct scene *s = scene_new(
        state,
        (struct scene_options){.seed = 4, .workers = WORKERS, .config = config_with("\"http://one.example\"", text)});
    struct rent_keeper *keeper = rent_keeper_start(s->gateway.workers[0]);
    struct vclient *slow;

    scene_provider(s, "gpus")->first_word_us = 3 * TENURE_KEPT_US;
    slow = scene_asks(s, (struct ask){.stream = true, .client.worker = 1});
    history_run_until(s->history, vbackend_working(scene_backend(s, "gpus")));
    reload(s, "\"http://two.example\"");
    for (unsigned i = 0; i < 4; i++)
        scene_asks(s, (struct ask){.client.worker = i % WORKERS});
    history_run_for(s->history, 2 * TENURE_KEPT_US);
    assert_true(vclient_waits(slow) && is_known(s, "one.example:80") && is_known(s, "two.example:80"));
    history_run_until(s->history, !vclient_waits(slow));
    assert_int_equal(vclient_status(slow), 200);
    history_run_for(s->history, USEC_PER_S + RENT_EVERY_US);
    assert_true(!is_known(s, "one.example:80") && is_known(s, "two.example:80"));
    assert_int_equal(s->gateway.healths.replicas.forgotten.taken, 1);
    assert_int_equal(s->gateway.healths.replicas.forgotten.completed, 1);
    rent_keeper_stop(keeper);
    scene_rest(s);
    scene_passed(s);
}

/* Requests all the while, and one replica after another takes the place of the last. */
static void
a_fleet_that_is_replaced_leaves_nothing(void **state)
{
    char text[512];
    struct scene *s = scene_new(
        state,
        (struct scene_options){.seed = 5, .workers = WORKERS, .config = config_with("\"http://r0.example\"", text)});
    struct rent_keeper *keeper = rent_keeper_start(s->gateway.workers[0]);
    int64_t in_flight;

    for (unsigned i = 1; i < SCENE_BACKENDS_MOST; i++) {
        char url[64];

        for (unsigned k = 0; k < 3; k++)
            scene_asks(s, (struct ask){.stream = k == 0, .client.worker = k % WORKERS});
        snprintf(url, sizeof(url), "\"http://r%u.example\"", i);
        reload(s, url);
        history_run_for(s->history, TENURE_KEPT_US / 4);
        assert_true(s->gateway.healths.replicas.by_name.count <= 6);
    }
    history_run_for(s->history, 2 * TENURE_KEPT_US);
    assert_true(s->gateway.healths.replicas.by_name.count <= 1);
    assert_true(s->gateway.healths.endpoints.count <= 1);
    in_flight = replicas_in_flight(&s->gateway.healths.replicas);
    assert_int_equal(in_flight, 0);
    rent_keeper_stop(keeper);
    scene_rest(s);
    scene_passed(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(answers_under_way_are_waited_for, scene_teardown),
        cmocka_unit_test_teardown(a_fleet_that_is_replaced_leaves_nothing, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
