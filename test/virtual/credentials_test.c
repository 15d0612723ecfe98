/* Credentials that a command of the user's prints. */
#include "scene.h"

#include "virtual/vcommand.h"

static const char setting[] =
    "backends:\n"
    "  alpha: { url: \"http://alpha.example\", models: [ big ], auth: { command: print-token, refresh: 5m } }\n"
    "prices: { override: { alpha/big: { input: $2/M, output: $8/M } } }\n"
    "routes: { assistant: { reference: alpha/big } }\n";

static struct scene *
scene_with_command(void **state, struct vcommand_script script)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 9, .config = setting});

    vcommand_does(s->history, "print-token", script);
    return s;
}

static unsigned
runs(struct scene *s)
{
    return vcommand_runs(s->history, "print-token");
}

/* Several requests wait for one run, and what was printed is good until it is to be refreshed. */
static void
the_backend_gets_what_was_printed(void **state)
{
    struct scene *s = scene_with_command(state, (struct vcommand_script){.output = "tok-1\n", .takes_us = 50000});
    struct vclient *first = scene_asks(s, (struct ask){0}), *second = scene_asks(s, (struct ask){0});

    scene_rest(s);
    assert_int_equal(vclient_status(first), 200);
    assert_int_equal(vclient_status(second), 200);
    assert_int_equal(runs(s), 1);
    for (size_t i = 0; i < 2; i++)
        assert_slice_is(vbackend_seen_header(scene_backend(s, "alpha"), i, "authorization"), "Bearer tok-1");

    history_run_for(s->history, 301 * USEC_PER_S);
    vcommand_does(s->history, "print-token", (struct vcommand_script){.output = "tok-2"});
    scene_asks(s, (struct ask){0});
    scene_rest(s);
    assert_int_equal(runs(s), 2);
    assert_slice_is(vbackend_seen_header(scene_backend(s, "alpha"), 2, "authorization"), "Bearer tok-2");
    scene_passed(s);
}

static void
a_refused_credential_is_printed_anew(void **state)
{
    struct scene *s = scene_with_command(state, (struct vcommand_script){.output = "stale"});
    struct vclient *client;

    scene_provider(s, "alpha")->status = 401;
    scene_asks(s, (struct ask){0});
    scene_rest(s);
    assert_int_equal(runs(s), 1);
    scene_provider(s, "alpha")->status = 0;
    vcommand_does(s->history, "print-token", (struct vcommand_script){.output = "fresh"});
    client = scene_asks(s, (struct ask){0});
    scene_rest(s);
    assert_int_equal(vclient_status(client), 200);
    assert_int_equal(runs(s), 2);
    assert_slice_is(vbackend_seen_header(scene_backend(s, "alpha"), 1, "authorization"), "Bearer fresh");
    scene_passed(s);
}

static void
a_command_that_fails_is_a_clear_502(void **state)
{
    static const struct vcommand_script scripts[] = {
        {.exit_status = 1, .output = "tok"}, {.output = ""}, {.output = "two words"}, {.takes_us = USEC_NEVER}};

    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        struct scene *s = scene_with_command(state, scripts[i]);
        struct vclient *client = scene_asks(s, (struct ask){0});

        scene_rest(s);
        assert_int_equal(vclient_status(client), 502);
        assert_contains(vclient_body(client), "the command that prints this backend's credential failed");
        assert_lacks(vclient_body(client), "two words");
        assert_int_equal(s->row_count, 1);
        assert_row_is(s, 0, state, "upstream failed");
        assert_int_equal(vbackend_seen_count(scene_backend(s, "alpha")), 0);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* The row names who was called, not who would have been next. */
static void
the_row_names_who_was_called(void **state)
{
    struct scene *s = scene_new(
        state,
        (struct scene_options){
            .seed = 11,
            .config = "backends:\n"
                      "  alpha: { url: \"http://alpha.example\", models: [ big ] }\n"
                      "  beta: { url: \"http://beta.example\", models: [ big ], auth: { command: print-token } }\n"
                      "prices:\n"
                      "  override:\n"
                      "    alpha/big: { input: $1/M, output: $4/M }\n"
                      "    beta/big: { input: $2/M, output: $8/M }\n"
                      "routes: { assistant: { reference: alpha/big, candidates: [ beta/big ], levers: { "
                      "alternatives: on } } }\n"});
    struct vbackend *alpha = scene_backend(s, "alpha");

    vcommand_does(s->history, "print-token", (struct vcommand_script){.exit_status = 1});
    vbackend_decides(alpha, NULL, NULL);
    vbackend_plays(alpha, play_head(200, "content-type: application/json\ncontent-length: 500\n"),
                   play_text("{\"choices\":[{"), play_cut());
    scene_asks(s, (struct ask){0});
    scene_rest(s);
    assert_int_equal(scene_row(s, 0)->attempts, 1);
    assert_slice_is(scene_row(s, 0)->tries[0].target, "alpha/big");
    assert_row_is(s, 0, backend, "alpha");
    assert_row_is(s, 0, source, "reference");
    assert_row_is(s, 0, model_served, "big");
    assert_contains(scene_row(s, 0)->why, "credential");
    for (size_t i = 0; i < scene_row(s, 0)->saving_count; i++)
        assert_true(!slice_is(scene_row(s, 0)->savings[i].lever, "alternatives"));
    scene_passed(s);
}

/* A client may leave while the command runs. */
static void
nobody_waits_for_a_client_that_left(void **state)
{
    struct scene *s = scene_with_command(state, (struct vcommand_script){.output = "tok", .takes_us = USEC_PER_S});

    scene_asks(s, (struct ask){.client = {.leaves_after_us = 100000}});
    scene_rest(s);
    assert_row_is(s, 0, state, "client gone");
    assert_int_equal(vbackend_seen_count(scene_backend(s, "alpha")), 0);
    scene_passed(s);
}

/* Some backends repeat the key that they refuse, wherever the pieces of their answer end. This one
 * ends as it begins. */
static void
a_key_that_an_error_repeats_is_starred_out_however_it_is_cut(void **state)
{
    static const char whole[] = "{\"error\":{\"message\":\"Bad keys: sk-of-us-sk-of-us-sk-of, sk-of-us-sk-on.\"}}";
    static const char starred[] = "{\"error\":{\"message\":\"Bad keys: **************-us-sk-of, sk-of-us-sk-on.\"}}";

    for (size_t i = 1; i + 1 < sizeof(whole); i++) {
        struct scene *s = scene_new(
            state, (struct scene_options){.seed = i,
                                          .config = "backends: { alpha: { url: \"http://alpha.example\", key: "
                                                    "sk-of-us-sk-of } }\n"
                                                    "routes: { assistant: { reference: alpha/big } }\n"});
        struct vbackend *alpha = scene_backend(s, "alpha");
        struct vclient *c;

        vbackend_decides(alpha, NULL, NULL);
        vbackend_plays(alpha, play_head(401, "content-type: application/json\n"), play_bytes(slice_make(whole, i)),
                       play_wait(USEC_PER_MS), play_bytes(slice_make(whole + i, sizeof(whole) - 1 - i)), play_end());
        c = scene_asks(s, (struct ask){.target = i % 2 == 0 ? "/backend/alpha/v1/x" : NULL});
        scene_rest(s);
        assert_int_equal(vclient_status(c), 401);
        assert_slice_is(vclient_body(c), starred);
        scene_passed(s);
        scene_free(s, state);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_key_that_an_error_repeats_is_starred_out_however_it_is_cut, scene_teardown),
        cmocka_unit_test_teardown(the_backend_gets_what_was_printed, scene_teardown),
        cmocka_unit_test_teardown(a_refused_credential_is_printed_anew, scene_teardown),
        cmocka_unit_test_teardown(a_command_that_fails_is_a_clear_502, scene_teardown),
        cmocka_unit_test_teardown(the_row_names_who_was_called, scene_teardown),
        cmocka_unit_test_teardown(nobody_waits_for_a_client_that_left, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
