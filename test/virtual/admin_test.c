/* The admin's pages, beside the gateway that they show. */
#include "scene.h"

#include <stdio.h>

#include "admin/admin.h"
#include "gateway/watch/discovery.h"

/* Worker 0 serves the gateway's clients, worker 1 the admin's. */
struct stand {
    struct scene *scene;
    struct application *admin;
};

/* As cmd/serve/stand_serving.c knows it of the ledger's writer. */
static const char *
why_unready(void *context)
{
    const struct scene *s = context;

    return s->journal_fails ? "not ready: the journal cannot be written\n" : NULL;
}

static struct stand
stand_new(void **state, bool health_only)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 1, .workers = 2});
    struct application *admin =
        admin_new(history_world(s->history, 1),
                  &(struct admin_options){
                      .gateway = &s->gateway, .context = s, .unready = why_unready, .health_only = health_only});

    history_serve(s->history, 1, admin);
    return (struct stand){s, admin};
}

static void
stand_passed(struct stand *stand)
{
    admin_free(stand->admin);
    scene_passed(stand->scene);
}

/* With this Host header; NULL: without one. */
static struct vclient *
opens(struct stand *stand, const char *path, const char *host)
{
    char header[128] = "";
    struct vclient *c;

    if (host != NULL)
        snprintf(header, sizeof(header), "host: %s\n", host);
    c = vclient_start(stand->scene->history, &(struct vclient_script){.worker = 1, .target = path, .headers = header});
    scene_rest(stand->scene);
    return c;
}

/* A page elsewhere whose name points to loopback for a moment gets nothing, in a browser that runs here. */
static void
names_of_other_places_are_refused(void **state)
{
    static const struct {
        const char *host;
        bool health_only;
        unsigned status;
    } cases[] = {
        {"localhost:9090", false, 200},
        {"LocalHost", false, 200},
        {"127.0.0.1:9090", false, 200},
        {"127.8.9.10", false, 200},
        {"[::1]:9090", false, 200},
        {"[::1]", false, 200},
        {NULL, false, 200}, /* HTTP/1.0: no browser's */
        {"evil.example:9090", false, 403},
        {"localhost.evil.example", false, 403},
        {"127.0.0.1.evil.example", false, 403},
        {"10.0.0.1:9090", false, 403},
        {"[fe80::1]:9090", false, 403},
        {"gateway.example:9091", true, 200},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct stand stand = stand_new(state, cases[i].health_only);
        struct vclient *c = opens(&stand, "/metrics", cases[i].host);

        assert_int_equal(vclient_status(c), cases[i].status);
        if (cases[i].status == 403) {
            assert_contains(vclient_body(c), "Host");
            assert_lacks(vclient_body(c), "equipoise_");
        }
        stand_passed(&stand);
        scene_free(stand.scene, state);
    }
}

static void
the_switch_is_not_turned_from_elsewhere(void **state)
{
    struct stand stand = stand_new(state, false);
    struct vclient_script post = {.worker = 1,
                                  .target = "/bypass",
                                  .headers = "host: evil.example\ncontent-type: application/json\n",
                                  .body = SLICE_LITERAL("{\"on\":true}")};
    struct vclient *theirs = vclient_start(stand.scene->history, &post), *ours;

    scene_rest(stand.scene);
    assert_int_equal(vclient_status(theirs), 403);
    assert_false(atomic_load(&stand.scene->gateway.bypass));
    post.headers = "host: 127.0.0.1\ncontent-type: application/json\n";
    ours = vclient_start(stand.scene->history, &post);
    scene_rest(stand.scene);
    assert_int_equal(vclient_status(ours), 200);
    assert_true(atomic_load(&stand.scene->gateway.bypass));
    stand_passed(&stand);
}

/* A request whose row the journal did not take is over all the same. */
static void
lost_rows_are_counted_and_not_in_flight(void **state)
{
    struct stand stand = stand_new(state, false);
    struct scene *s = stand.scene;
    struct vclient *page;

    s->journal_fails = true;
    for (unsigned i = 0; i < 3; i++)
        scene_asks(s, (struct ask){0});
    scene_rest(s);
    assert_int_equal(s->row_count, 3);
    history_fail_appends(s->history, history_appends(s->history) + 2, 1, ERR_FULL); /* the row, not what opens it */
    scene_asks(s, (struct ask){0});
    scene_rest(s);
    assert_int_equal(s->row_count, 3);
    page = opens(&stand, "/metrics", "localhost");
    assert_contains(vclient_body(page), "equipoise_requests_total 4\n");
    assert_contains(vclient_body(page), "equipoise_rows_lost_total 1\n");
    assert_contains(vclient_body(page), "equipoise_journal_lost_total 1\n");
    assert_contains(vclient_body(page), "equipoise_requests_in_flight 0\n");
    stand_passed(&stand);
}

/* Whoever sends it requests should leave it alone; whoever would restart it should not. */
static void
without_a_journal_it_lives_and_is_not_ready(void **state)
{
    for (int health_only = 0; health_only < 2; health_only++) {
        struct stand stand = stand_new(state, health_only);
        struct scene *s = stand.scene;
        struct vclient *c;

        assert_int_equal(vclient_status(opens(&stand, "/readyz", "localhost")), 200);
        s->journal_fails = true;
        history_fail_appends(s->history, history_appends(s->history) + 1, 100, ERR_FULL);
        c = scene_asks(s, (struct ask){0});
        scene_rest(s);
        assert_int_equal(vclient_status(c), 503);
        c = opens(&stand, "/readyz", "localhost");
        assert_int_equal(vclient_status(c), 503);
        assert_contains(vclient_body(c), "the journal cannot be written");
        assert_int_equal(vclient_status(opens(&stand, "/healthz", "localhost")), 200);
        stand_passed(&stand);
        scene_free(s, state);
    }
}

static void
requests_under_way_are_in_flight(void **state)
{
    struct stand stand = stand_new(state, false);
    struct vclient_script get = {.worker = 1, .target = "/metrics", .headers = "host: localhost\n"};
    struct vclient *page;

    scene_asks(stand.scene, (struct ask){0});
    history_run_until(stand.scene->history, vbackend_working(scene_backend(stand.scene, "alpha")));
    page = vclient_start(stand.scene->history, &get);
    history_run_until(stand.scene->history, vclient_done(page));
    assert_contains(vclient_body(page), "equipoise_requests_in_flight 1\n");
    scene_rest(stand.scene);
    stand_passed(&stand);
}

/* What a backend lists */

/* `context` points to the list that it tells; everything else it answers as chat. */
static void
list_or_answer(void *context, const struct vcall_seen *seen, struct vscript *script)
{
    vscript_add(script, play_head(200, "content-type: application/json"));
    if (slice_starts(seen->target, "/v1/models"))
        vscript_add(script, play_text(*(const char **)context));
    else
        vscript_add(script, play_text("{\"choices\":[{\"index\":0,\"message\":{\"content\":\"hi\"},\"finish_reason\":"
                                      "\"stop\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}"));
    vscript_add(script, play_end());
}

static unsigned
status_of_asking(struct scene *s, const char *model)
{
    struct vclient *c = scene_asks(s, (struct ask){.model = model});

    scene_rest(s);
    return vclient_status(c);
}

static void
a_model_that_its_backend_no_longer_lists_is_gone(void **state)
{
    static const char config[] = "backends:\n"
                                 "  alpha: { url: \"http://alpha.example\", models: { ours: theirs } }\n"
                                 "  beta:  { url: \"http://beta.example\", models: [ other ] }\n";
    const char *list = "{\"object\":\"list\",\"data\":[{\"id\":\"old\"},{\"id\":\"new\"},{\"id\":\"ours\"}]}";
    struct scene *s = scene_new(state, (struct scene_options){.seed = 2, .config = config});
    struct discovery *discovery;
    struct vclient *c;

    vbackend_decides(scene_backend(s, "alpha"), list_or_answer, &list);
    discovery = discovery_start(s->gateway.workers[0]);
    history_run_for(s->history, USEC_PER_S);
    assert_int_equal(status_of_asking(s, "old"), 200);
    list = "{\"object\":\"list\",\"data\":[{\"id\":\"new\"}]}";
    history_run_for(s->history, 61 * USEC_PER_S);
    assert_int_equal(status_of_asking(s, "old"), 404);
    assert_int_equal(status_of_asking(s, "new"), 200);
    assert_int_equal(status_of_asking(s, "ours"), 200);
    c = scene_asks(s, (struct ask){.target = "/v1/models", .client = {.method = "GET"}});
    scene_rest(s);
    assert_contains(vclient_body(c), "\"ours\"");
    assert_contains(vclient_body(c), "\"new\"");
    assert_lacks(vclient_body(c), "\"old\"");
    discovery_stop(discovery);
    scene_passed(s);
}

#define ADMIN_TEST(test) cmocka_unit_test_teardown(test, scene_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ADMIN_TEST(names_of_other_places_are_refused),
        ADMIN_TEST(the_switch_is_not_turned_from_elsewhere),
        ADMIN_TEST(lost_rows_are_counted_and_not_in_flight),
        ADMIN_TEST(without_a_journal_it_lives_and_is_not_ready),
        ADMIN_TEST(requests_under_way_are_in_flight),
        ADMIN_TEST(a_model_that_its_backend_no_longer_lists_is_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
