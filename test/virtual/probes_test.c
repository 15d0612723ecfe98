/* What answers say of who gives them, what becomes of probes whose clients leave, and of requests that wait for the same
 * rest. */
#include "scene.h"

static const char places[] =
    "backends:\n"
    "  cheap: { url: \"http://cheap.example\", models: [ big ] }\n"
    "  dear:  { url: \"http://dear.example\", models: [ big ] }\n"
    "routes:\n"
    "  either: { reference: cheap/big, candidates: [ dear/big ], levers: { alternatives: on } }\n"
    "  alone:  { reference: cheap/big }\n"
    "prices:\n"
    "  override:\n"
    "    cheap/big: { input: $0.10/M, output: $0.40/M }\n"
    "    dear/big:  { input: $2/M, output: $8/M }\n";

static struct scene *
open_places(void **state, uint64_t seed)
{
    return scene_new(state, (struct scene_options){.seed = seed, .config = places});
}

/* Of an endpoint that broke, and of an account without money: the next request may probe at once. */
static void
a_probe_that_its_client_leaves_is_free_again(void **state)
{
    static const unsigned statuses[] = {503, 402};

    for (size_t i = 0; i < 2; i++) {
        struct scene *s = open_places(state, i);
        struct provider *cheap = scene_provider(s, "cheap");
        size_t asked;

        cheap->status = statuses[i];
        for (unsigned n = 0; n < HEALTH_FAILURES_IN_A_ROW; n++) {
            scene_asks(s, (struct ask){.model = "either"});
            scene_rest(s);
            assert_row_is(s, n, backend, "dear");
        }
        assert_int_equal(gateway_count(&s->gateway, COUNT_EJECTIONS), 1);
        cheap->status = 0;
        cheap->first_word_us = 2 * USEC_PER_S;
        history_run_for(s->history, HEALTH_BACK_OFF_US);
        asked = vbackend_seen_count(scene_backend(s, "cheap"));
        scene_asks(s, (struct ask){.model = "either", .client = {.leaves_after_us = 100 * USEC_PER_MS}});
        scene_rest(s);
        assert_int_equal(vbackend_seen_count(scene_backend(s, "cheap")), asked + 1);
        assert_int_equal(gateway_count(&s->gateway, COUNT_READMISSIONS), 0);
        scene_asks(s, (struct ask){.model = "either"});
        scene_rest(s);
        assert_row_is(s, s->row_count - 1, backend, "cheap");
        assert_int_equal(gateway_count(&s->gateway, COUNT_READMISSIONS), 1);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Those who wait for the same rest do not all come back in the moment that it is over. */
static void
who_waits_for_a_rest_comes_back_at_a_moment_of_its_own(void **state)
{
    enum { WAITING = 8 };
    struct scene *s = open_places(state, 3);
    struct vbackend *cheap = scene_backend(s, "cheap");
    usec first_us = USEC_NEVER, last_us = 0, over_us;

    vbackend_decides(cheap, NULL, NULL);
    vbackend_plays(cheap, play_head(429, "retry-after: 2\n"), play_text("{}"), play_end());
    vbackend_plays(cheap, play_head(200, "content-type: application/json\n"), play_text("{\"choices\":[]}"),
                   play_end());
    scene_asks(s, (struct ask){.model = "alone"});
    history_run_until(s->history, gateway_count(&s->gateway, COUNT_RETRY_WAITS) == 1);
    over_us = vbackend_seen(cheap, 0).over_us + 2 * USEC_PER_S;
    for (unsigned i = 1; i < WAITING; i++)
        scene_asks(s, (struct ask){.model = "alone"});
    scene_rest(s);
    assert_int_equal(gateway_count(&s->gateway, COUNT_RETRY_WAITS), WAITING);
    assert_int_equal(vbackend_seen_count(cheap), 1 + WAITING);
    for (size_t i = 1; i <= WAITING; i++) {
        usec came_us = vbackend_seen(cheap, i).arrived_us;

        assert_true(came_us >= over_us && came_us <= over_us + 600 * USEC_PER_MS);
        first_us = came_us < first_us ? came_us : first_us;
        last_us = came_us > last_us ? came_us : last_us;
    }
    assert_true(last_us - first_us > 100 * USEC_PER_MS);
    scene_passed(s);
}

static void
ask_thrice(struct scene *s)
{
    for (unsigned n = 0; n < HEALTH_FAILURES_IN_A_ROW; n++) {
        scene_asks(s, (struct ask){.model = "alone", .stream = true});
        scene_rest(s);
    }
}

/* An error event within a stream is a failure, though its status is 200; a feature that is not there (501) is none. An
 * ejection for a second alerts nobody. */
static void
failures_are_told_by_more_than_the_status(void **state)
{
    struct scene *s = open_places(state, 4);
    struct vbackend *cheap = scene_backend(s, "cheap");

    scene_provider(s, "cheap")->status = 501;
    ask_thrice(s);
    assert_int_equal(gateway_count(&s->gateway, COUNT_EJECTIONS), 0);
    vbackend_decides(cheap, NULL, NULL);
    vbackend_plays(cheap, play_head(200, "content-type: text/event-stream\n"),
                   play_text("data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\"}}\n\n"),
                   play_end());
    ask_thrice(s);
    assert_int_equal(gateway_count(&s->gateway, COUNT_EJECTIONS), 1);
    assert_int_equal(s->gateway.alerts.waiting_count, 0);
    scene_passed(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_probe_that_its_client_leaves_is_free_again, scene_teardown),
        cmocka_unit_test_teardown(who_waits_for_a_rest_comes_back_at_a_moment_of_its_own, scene_teardown),
        cmocka_unit_test_teardown(failures_are_told_by_more_than_the_status, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
