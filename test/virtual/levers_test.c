/* Levers that are set while the gateway runs, through the admin's pages. */
#include "scene.h"

#include "admin/admin.h"
#include "config/lever_setting.h"

/* The dearer of two is the reference. */
static const char setting[] = "backends:\n"
                              "  alpha: { url: \"http://alpha.example\" }\n"
                              "  beta:  { url: \"http://beta.example\" }\n"
                              "routes:\n"
                              "  assistant: { reference: beta/big, candidates: [ alpha/big ] }\n"
                              "  other:     { reference: beta/big, candidates: [ alpha/big ],\n"
                              "               levers: { alternatives: on } }\n"
                              "prices:\n"
                              "  override:\n"
                              "    alpha/big: { input: $2/M, output: $8/M }\n"
                              "    beta/big:  { input: $30/M, output: $120/M }\n";

/* Workers 0 and 1 serve clients, the last the admin's pages. */
enum { ADMIN = 2, LINES_MOST = 16 };

struct stand {
    struct scene *scene;
    struct application *admin;
    char *lines[LINES_MOST]; /* of the log of changes */
    size_t line_count;
    bool full; /* the log takes no line */
};

static enum status
keep_change(void *context, struct slice line)
{
    struct stand *stand = context;

    if (stand->full)
        return ERR_FULL;
    ENSURE(stand->line_count < LINES_MOST);
    stand->lines[stand->line_count++] = slice_strdup(line);
    return OK;
}

static void
stand_up(struct stand *stand, void **state, uint64_t seed)
{
    *stand = (struct stand){0};
    stand->scene = scene_new(state, (struct scene_options){.seed = seed, .workers = 3, .config = setting});
    stand->admin = admin_new(
        history_world(stand->scene->history, ADMIN),
        &(struct admin_options){.gateway = &stand->scene->gateway, .context = stand, .keep_change = keep_change});
    history_serve(stand->scene->history, ADMIN, stand->admin);
}

static void
stand_passed(struct stand *stand)
{
    admin_free(stand->admin);
    for (size_t i = 0; i < stand->line_count; i++)
        free(stand->lines[i]);
    scene_passed(stand->scene);
}

static struct vclient *
posts(struct stand *stand, const char *json)
{
    return vclient_start(
        stand->scene->history,
        &(struct vclient_script){.worker = ADMIN,
                                 .target = "/levers",
                                 .headers = "host: localhost\ncontent-type: application/json\nx-equipoise-who: anna\n",
                                 .body = slice_of(json)});
}

static void
sets(struct stand *stand, const char *json)
{
    struct vclient *c = posts(stand, json);

    scene_rest(stand->scene);
    assert_int_equal(vclient_status(c), 200);
}

/* Who serves the route on each of the workers that have clients. Rows are in the order of workers, so the newest is asked
 * for by what its backend saw. */
static void
assert_served_by(struct stand *stand, const char *route, const char *backend)
{
    struct scene *s = stand->scene;
    struct vbackend *of = scene_backend(s, backend);

    for (unsigned worker = 0; worker < ADMIN; worker++) {
        size_t before = vbackend_seen_count(of);

        scene_asks(s, (struct ask){.model = route, .client.worker = worker});
        scene_rest(s);
        assert_int_equal(vbackend_seen_count(of), before + 1);
    }
}

static void
a_lever_holds_on_all_workers_when_its_setting_is_answered(void **state)
{
    struct stand stand;

    stand_up(&stand, state, 1);
    assert_served_by(&stand, "assistant", "beta");
    sets(&stand, "{\"route\":\"assistant\",\"lever\":\"alternatives\",\"to\":\"on\"}");
    assert_served_by(&stand, "assistant", "alpha");
    sets(&stand, "{\"route\":\"all\",\"lever\":\"alternatives\",\"to\":\"off\"}");
    assert_served_by(&stand, "assistant", "beta");
    assert_served_by(&stand, "other", "beta");
    sets(&stand, "{\"route\":\"other\",\"lever\":\"alternatives\",\"to\":\"file\"}"); /* what all have does not hold */
    assert_served_by(&stand, "other", "alpha");
    assert_served_by(&stand, "assistant", "beta");
    sets(&stand, "{\"route\":\"all\",\"lever\":\"alternatives\",\"to\":\"file\"}");
    assert_served_by(&stand, "other", "alpha");
    assert_served_by(&stand, "assistant", "beta");
    stand_passed(&stand);
}

static void
it_holds_over_reloads_until_it_is_given_back(void **state)
{
    struct stand stand;
    struct vclient *c;

    stand_up(&stand, state, 2);
    sets(&stand, "{\"route\":\"other\",\"lever\":\"alternatives\",\"to\":\"shadow\"}");
    scene_reload(stand.scene, setting);
    assert_served_by(&stand, "other", "beta");
    c = vclient_start(stand.scene->history, &(struct vclient_script){.worker = ADMIN, .target = "/levers"});
    scene_rest(stand.scene);
    assert_contains(vclient_body(c), "{\"route\":\"other\",\"lever\":\"alternatives\",\"mode\":\"shadow\",\"file\":"
                                     "\"on\",\"set_by\":\"run time\"}");
    assert_contains(vclient_body(c), "{\"route\":\"assistant\",\"lever\":\"alternatives\",\"mode\":\"off\",\"file\":"
                                     "\"off\",\"set_by\":\"file\"}");
    sets(&stand, "{\"route\":\"other\",\"lever\":\"alternatives\",\"to\":\"file\"}");
    assert_served_by(&stand, "other", "alpha");
    stand_passed(&stand);
}

/* Its reference fails after the lever was switched on: weighed again, it still goes by the setting it began with. */
static void
a_request_keeps_the_levers_it_was_weighed_by(void **state)
{
    struct stand stand;
    struct scene *s;
    struct vclient *c;

    stand_up(&stand, state, 3);
    s = stand.scene;
    scene_provider(s, "beta")->status = 503; /* so that it is weighed twice */
    scene_provider(s, "beta")->first_word_us = USEC_PER_S;
    sets(&stand, "{\"route\":\"assistant\",\"lever\":\"alternatives\",\"to\":\"shadow\"}");
    c = scene_asks(s, (struct ask){.model = "assistant"});
    history_run_until(s->history, vbackend_working(scene_backend(s, "beta")));
    sets(&stand, "{\"route\":\"assistant\",\"lever\":\"alternatives\",\"to\":\"on\"}");
    assert_int_equal(vclient_status(c), 503);
    assert_int_equal(vbackend_seen_count(scene_backend(s, "alpha")), 0);
    stand_passed(&stand);
}

static void
a_share_is_on_for_that_share(void **state)
{
    enum { CONVERSATIONS = 100 };
    struct stand stand;
    struct scene *s;

    stand_up(&stand, state, 4);
    s = stand.scene;
    sets(&stand, "{\"route\":\"assistant\",\"lever\":\"alternatives\",\"to\":\"on:30%\"}");
    for (unsigned i = 0; i < CONVERSATIONS; i++) {
        char header[64];

        snprintf(header, sizeof(header), "x-equipoise-conversation: talk %u\n", i);
        scene_asks(s, (struct ask){.headers = header, .client.worker = i % 2});
    }
    scene_rest(s);
    assert_in_range(vbackend_seen_count(scene_backend(s, "alpha")), 15, 45);
    stand_passed(&stand);
}

static void
who_set_what_is_written_down(void **state)
{
    struct stand stand;
    struct vclient *c;

    stand_up(&stand, state, 5);
    sets(&stand, "{\"route\":\"assistant\",\"lever\":\"alternatives\",\"to\":\"on 2.5%\"}");
    sets(&stand, "{\"route\":\"all\",\"lever\":\"alternatives\",\"to\":\"off\"}");
    sets(&stand, "{\"route\":\"assistant\",\"lever\":\"alternatives\",\"to\":\"file\"}");
    assert_int_equal(stand.line_count, 3);
    assert_contains(slice_of(stand.lines[0]), "\"who\":\"anna\",\"from\":\"");
    assert_contains(slice_of(stand.lines[0]), "\"what\":\"lever at run time\",\"name\":\"assistant alternatives\","
                                              "\"before\":null,\"after\":\"on 2.5%\"}\n");
    assert_contains(slice_of(stand.lines[1]),
                    "\"name\":\"assistant alternatives\",\"before\":\"on 2.5%\",\"after\":null}\n");
    assert_contains(slice_of(stand.lines[1]), "\"name\":\"all alternatives\",\"before\":null,\"after\":\"off\"}\n");
    assert_contains(slice_of(stand.lines[2]),
                    "\"name\":\"assistant alternatives\",\"before\":null,\"after\":\"file\"}\n");
    sets(&stand, "{\"route\":\"assistant\",\"lever\":\"alternatives\",\"to\":\"file\"}");
    assert_int_equal(stand.line_count, 3); /* nothing changed */
    stand.full = true;
    c = posts(&stand, "{\"route\":\"assistant\",\"lever\":\"alternatives\",\"to\":\"on\"}");
    scene_rest(stand.scene);
    assert_contains(vclient_body(c), "\"recorded\":false"); /* and it holds all the same */
    assert_served_by(&stand, "assistant", "alpha");
    stand_passed(&stand);
}

static void
what_cannot_be_set_is_explained(void **state)
{
    static const struct {
        const char *json, *says;
    } cases[] = {
        {"{}", "send {"},
        {"nonsense", "send {"},
        {"[]", "send {"},
        {"{\"route\":\"assistant\",\"lever\":\"alternatives\",\"to\":7}", "send {"},
        {"{\"route\":\"asistant\",\"lever\":\"alternatives\",\"to\":\"on\"}", "did you mean 'assistant'?"},
        {"{\"route\":\"zzz\",\"lever\":\"alternatives\",\"to\":\"on\"}", "there is no route 'zzz'"},
        {"{\"route\":\"all\",\"lever\":\"alternative\",\"to\":\"on\"}", "known are exact_cache, "},
        {"{\"route\":\"all\",\"lever\":\"alternatives\",\"to\":\"on:101%\"}", "no mode"},
        {"{\"route\":\"all\",\"lever\":\"alternatives\",\"to\":\"half\"}", "no mode"},
    };
    struct stand stand;

    stand_up(&stand, state, 6);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct vclient *c = posts(&stand, cases[i].json);

        scene_rest(stand.scene);
        assert_int_equal(vclient_status(c), 400);
        assert_contains(vclient_body(c), cases[i].says);
    }
    assert_int_equal(stand.line_count, 0);
    stand_passed(&stand);
}

/* The one who sets it leaves at every moment: it holds and is written down, or nothing happened. */
static void
whoever_sets_it_may_leave(void **state)
{
    for (usec leaves_us = 50; leaves_us < 4000; leaves_us += 150) {
        struct stand stand;
        struct vclient *c;

        stand_up(&stand, state, 7);
        c = posts(&stand, "{\"route\":\"assistant\",\"lever\":\"alternatives\",\"to\":\"on\"}");
        history_run_for(stand.scene->history, leaves_us);
        vclient_leave(c);
        scene_rest(stand.scene);
        assert_true(stand.line_count <= 1);
        assert_served_by(&stand, "assistant", stand.line_count == 1 ? "alpha" : "beta");
        stand_passed(&stand);
        scene_free(stand.scene, state);
    }
}

/* Several at once, whose lines' writers take what time they like: the log tells them in the order in which they held, so
 * that each begins with what the one before it left. */
static void
the_log_has_the_order_of_things(void **state)
{
    static const char *const asks[] = {"on", "off", "shadow", "on:5%"};

    for (uint64_t seed = 0; seed < 10; seed++) {
        struct stand stand;
        char after[64] = "\"before\":null";

        stand_up(&stand, state, seed);
        for (size_t i = 0; i < 8; i++) {
            char json[96];

            snprintf(json, sizeof(json), "{\"route\":\"assistant\",\"lever\":\"alternatives\",\"to\":\"%s\"}",
                     asks[i % 4]);
            posts(&stand, json);
        }
        scene_rest(stand.scene);
        assert_true(stand.line_count >= 4);
        for (size_t i = 0; i < stand.line_count; i++) {
            const char *becomes = strstr(stand.lines[i], "\"after\":");

            assert_non_null(strstr(stand.lines[i], after));
            assert_non_null(becomes);
            snprintf(after, sizeof(after), "\"before\":%.*s", (int)strcspn(becomes + 8, "}"), becomes + 8);
        }
        stand_passed(&stand);
        scene_free(stand.scene, state);
    }
}

/* The line is written while the workers are told: their answer, which may come to a gateway that is stopping, begins no
 * work. */
static void
a_line_does_not_wait_for_the_workers(void **state)
{
    struct stand stand = {0};

    stand.scene = scene_new(
        state, (struct scene_options){.seed = 8, .workers = 3, .config = setting, .hop_most_us = 10 * USEC_PER_S});
    stand.admin = admin_new(
        history_world(stand.scene->history, ADMIN),
        &(struct admin_options){.gateway = &stand.scene->gateway, .context = &stand, .keep_change = keep_change});
    history_serve(stand.scene->history, ADMIN, stand.admin);
    posts(&stand, "{\"route\":\"all\",\"lever\":\"alternatives\",\"to\":\"on\"}");
    history_run_until(stand.scene->history, stand.line_count == 1);
    assert_null(stand.scene->gateway.workers[ADMIN]->switches);
    scene_rest(stand.scene);
    assert_non_null(stand.scene->gateway.workers[ADMIN]->switches);
    stand_passed(&stand);
}

static void
settings_as_text(void **state)
{
    static const char *const same[] = {"off", "shadow", "on", "on 5%", "on 0.0001%", "on 99.5%", "on 12.25%"};
    struct lever_setting setting_read;
    char text[LEVER_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        assert_int_equal(lever_setting_parse(slice_of(same[i]), &setting_read), OK);
        lever_setting_format(setting_read, text);
        assert_string_equal(text, same[i]);
    }
    assert_int_equal(lever_setting_parse(SLICE_LITERAL("on: 100%"), &setting_read), OK);
    lever_setting_format(setting_read, text);
    assert_string_equal(text, "on");
    assert_int_equal(lever_setting_parse(SLICE_LITERAL("on-5%"), &setting_read), ERR_INVALID);
    assert_int_equal(lever_setting_parse(SLICE_LITERAL("on"), &setting_read), OK);
    assert_int_equal(lever_setting_parse(SLICE_LITERAL(""), &setting_read), ERR_INVALID);
}

#define LEVERS_TEST(test) cmocka_unit_test_teardown(test, scene_teardown)

/* A detour that the budget does not allow leaves the client with what happened: its backend failed, and it may come
 * again. It is not its budget that stood in its way. */
static void
a_detour_beyond_the_budget_refuses_nobody(void **state)
{
    static const char detour[] =
        "backends:\n"
        "  cheap: { url: \"http://cheap.example\", models: [ big ] }\n"
        "  dear:  { url: \"http://dear.example\", models: [ big ] }\n"
        "routes: { either: { reference: cheap/big, candidates: [ dear/big ], levers: { alternatives: on } } }\n"
        "prices:\n"
        "  override:\n"
        "    cheap/big: { input: $0.10/M, output: $0.40/M }\n"
        "    dear/big:  { input: $2000/M, output: $8000/M }\n";
    struct scene *s =
        scene_new(state, (struct scene_options){.seed = 37, .config = detour, .key = "budget: $0.01/day"});
    struct vclient *c;

    scene_provider(s, "cheap")->status = 503;
    c = scene_asks(s, (struct ask){.model = "either"});
    scene_rest(s);
    assert_int_equal(vclient_status(c), 502);
    assert_int_equal(vclient_header(c, "x-should-retry").len, 0);
    assert_contains(vclient_body(c), "cheap/big answered with status 503");
    assert_row_is(s, 0, state, "upstream failed");
    assert_contains(scene_row(s, 0)->plans, "budget");
    assert_int_equal(vbackend_seen_count(scene_backend(s, "dear")), 0);
    assert_int_equal(gateway_count(&s->gateway, COUNT_REFUSED_USD), 0);
    scene_passed(s);
}

/* The same model says as much elsewhere: what happened to be said there first is no reason to leave it. */
static void
one_long_answer_does_not_make_it_look_dear(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 7, .config = setting});

    scene_provider(s, "alpha")->output = 20000;
    for (unsigned i = 1; i <= 5; i++) {
        (void)scene_asks(s, (struct ask){.model = "other"});
        history_run_to_rest(s->history);
        assert_int_equal(vbackend_seen_count(scene_backend(s, "alpha")), i);
        scene_provider(s, "alpha")->output = 20;
    }
    scene_rest(s);
    scene_passed(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        LEVERS_TEST(a_lever_holds_on_all_workers_when_its_setting_is_answered),
        LEVERS_TEST(it_holds_over_reloads_until_it_is_given_back),
        LEVERS_TEST(a_request_keeps_the_levers_it_was_weighed_by),
        LEVERS_TEST(a_share_is_on_for_that_share),
        LEVERS_TEST(who_set_what_is_written_down),
        LEVERS_TEST(what_cannot_be_set_is_explained),
        LEVERS_TEST(whoever_sets_it_may_leave),
        LEVERS_TEST(the_log_has_the_order_of_things),
        LEVERS_TEST(a_line_does_not_wait_for_the_workers),
        cmocka_unit_test(settings_as_text),
        cmocka_unit_test_teardown(a_detour_beyond_the_budget_refuses_nobody, scene_teardown),
        cmocka_unit_test_teardown(one_long_answer_does_not_make_it_look_dear, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
