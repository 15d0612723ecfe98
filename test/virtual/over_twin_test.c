/* The real gateway before the modelled backend: both over one history, nothing scripted between them. */
#include "scene.h"

#include "twin/twin.h"

static const char config[] = "backends:\n"
                             "  twin:     { url: \"http://twin.example\", engine: twin, models: [ twin-large ] }\n"
                             "  twin_too: { url: \"http://too.example\", engine: twin, dialect: anthropic }\n"
                             "routes:\n"
                             "  assistant: { reference: twin/twin-large }\n"
                             "  vectors:   { reference: twin/twin-embed }\n"
                             "  writer:    { reference: twin_too/twin-large-thinking }\n"
                             "prices:\n"
                             "  override:\n"
                             "    twin/twin-large: { input: $2/M, output: $8/M }\n"
                             "    twin/twin-embed: { input: $0.10/M, output: $0/M }\n"
                             "    twin_too/twin-large-thinking: { input: $3/M, output: $15/M }\n";

struct double_scene {
    struct scene *scene;
    struct twin *twins[2];
    struct application *workers[2];
};

static struct double_scene
begin(void **state, uint64_t seed, const char *faults)
{
    struct double_scene d = {
        .scene = scene_new(state, (struct scene_options){.seed = seed, .config = config, .split_answers = true})};
    struct twin_settings settings;
    const char *why;

    twin_settings_default(&settings, (struct twin_pace){300 * USEC_PER_MS, 20 * USEC_PER_MS});
    settings.prefix_cache = false; /* or the second of two equal requests would be cheaper */
    if (faults != NULL)
        assert_int_equal(twin_faults_add(&settings.faults, slice_of(faults), &why), OK);
    for (size_t i = 0; i < 2; i++) {
        d.twins[i] = twin_new(&settings);
        d.workers[i] = twin_worker_new(d.twins[i], history_world_apart(d.scene->history));
        vbackend_is_application(d.scene->backends[i], d.workers[i]);
    }
    return d;
}

static void
end(struct double_scene *d, void **state)
{
    for (size_t i = 0; i < 2; i++) {
        twin_worker_free(d->workers[i]);
        twin_free(d->twins[i]);
    }
    scene_passed(d->scene);
    scene_free(d->scene, state);
}

static void
streamed_costs_as_buffered(void **state)
{
    static const enum api apis[] = {API_CHAT, API_COMPLETIONS, API_RESPONSES, API_MESSAGES};

    for (size_t i = 0; i < sizeof(apis) / sizeof(apis[0]); i++) {
        struct double_scene d = begin(state, i, NULL);
        struct scene *s = d.scene;

        scene_asks(s, (struct ask){.api = apis[i]});
        scene_rest(s);
        scene_asks(s, (struct ask){.api = apis[i], .stream = true});
        scene_rest(s);
        assert_int_equal(s->row_count, 2);
        assert_row_is(s, 0, state, "ok");
        assert_row_is(s, 1, state, "ok");
        assert_row_is(s, 1, exactness, "exact");
        assert_true(scene_row(s, 0)->cost > 0);
        assert_int_equal(scene_row(s, 0)->cost, scene_row(s, 1)->cost);
        assert_int_equal(scene_row(s, 0)->output_tokens, scene_row(s, 1)->output_tokens);
        assert_int_equal(scene_row(s, 0)->modelled, 1);
        end(&d, state);
    }
}

static void
its_faults_are_booked_as_what_they_are(void **state)
{
    static const struct {
        const char *fault, *row_state, *exactness;
        bool cut; /* the stream ends with an error event */
    } cases[] = {
        {"cut-after=5", "cut", "estimated", true}, {"end-early=5", "cut", "estimated", true},
        {"no-usage", "ok", "estimated", false},    {"malformed-sse", "ok", "exact", false},
        {"delay=5s", "ok", "exact", false},        {"status=500", "upstream failed", "exact", false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct double_scene d = begin(state, i, cases[i].fault);
        struct vclient *c = scene_asks(d.scene, (struct ask){.stream = true});

        scene_rest(d.scene);
        assert_row_is(d.scene, 0, state, cases[i].row_state);
        assert_row_is(d.scene, 0, exactness, cases[i].exactness);
        if (cases[i].cut)
            assert_lacks(vclient_body(c), "[DONE]");
        assert_int_equal(slice_find(vclient_body(c), SLICE_LITERAL("\"error\"")) < vclient_body(c).len,
                         cases[i].cut || strcmp(cases[i].row_state, "upstream failed") == 0);
        end(&d, state);
    }
}

/* Scenario 27, with an engine that would go on for long. */
static void
a_stalled_engine_is_left_when_the_client_leaves(void **state)
{
    struct double_scene d = begin(state, 27, "stall-after=3");
    struct vclient *c =
        scene_asks(d.scene, (struct ask){.stream = true, .client = {.leaves_after_us = 20 * USEC_PER_S}});

    scene_rest(d.scene);
    assert_true(vclient_left(c));
    assert_contains(vclient_body(c), ": ping");
    assert_int_equal(vbackend_worked_after_us(d.scene->backends[0], vclient_ended_us(c)), 0);
    assert_row_is(d.scene, 0, state, "client gone");
    assert_true(scene_row(d.scene, 0)->cost > 0);
    end(&d, state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(streamed_costs_as_buffered, scene_teardown),
        cmocka_unit_test_teardown(its_faults_are_booked_as_what_they_are, scene_teardown),
        cmocka_unit_test_teardown(a_stalled_engine_is_left_when_the_client_leaves, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
