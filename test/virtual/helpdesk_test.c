/* The demo's helpdesk before the modelled backend: its semantic cache earns what it serves by its own audits, its answers are
 * right as often as it promised by the tasks' computed truth, and where the model answers at random it never earns. */
#include "scene.h"

#include "twin/tasks.h"
#include "twin/twin.h"
#include "twin/workload.h"

#define CONFIG(model)                                                                                                  \
    "backends:\n"                                                                                                      \
    "  twin: { url: \"http://twin.example\", engine: twin, models: [ " model " ] }\n"                                  \
    "routes:\n"                                                                                                        \
    "  helpdesk: { reference: twin/" model ", acceptable: { quality: 90% }, semantic_cache: { judge: exact },\n"       \
    "              levers: { exact_cache: on, semantic_cache: on } }\n"                                                \
    "prices:\n"                                                                                                        \
    "  override:\n"                                                                                                    \
    "    twin/" model ": { input: $2/M, output: $8/M }\n"

/* As many as the demo's helpdesk is asked. */
enum { REQUESTS = 1800 };

struct day {
    struct scene *scene;
    struct twin *twin;
    struct application *worker;
    unsigned served, right, fresh, fresh_right; /* served by meaning, and answered by the model */
};

static struct day
begins(void **state, const char *config)
{
    struct day day = {.scene = scene_new(state, (struct scene_options){.seed = 1, .config = config})};
    struct twin_settings settings;

    twin_settings_default(&settings, (struct twin_pace){USEC_PER_MS, 0});
    day.twin = twin_new(&settings);
    day.worker = twin_worker_new(day.twin, history_world_apart(day.scene->history));
    vbackend_is_application(day.scene->backends[0], day.worker);
    return day;
}

static void
ends(struct day *day)
{
    scene_rest(day->scene);
    twin_worker_free(day->worker);
    twin_free(day->twin);
    scene_passed(day->scene);
}

static bool
is_right(const struct workload_request *request, const struct vclient *client, struct arena *arena)
{
    struct slice text;

    assert_true(workload_answer_text(request, vclient_body(client), arena, &text));
    return task_check(slice_of(request->prompt), text);
}

/* What people ask the helpdesk in the demo's day. */
static void
passes(struct day *day, uint64_t seed)
{
    const struct workload_models models = {.chat = "assistant", .embedding = "search", .helpdesk = "helpdesk"};
    unsigned asked = 0;

    for (uint64_t i = 0; asked < REQUESTS; i++) {
        struct scene *s = day->scene;
        struct workload_request request;
        struct vclient *client;
        struct arena arena;
        int64_t hits = gateway_count(&s->gateway, COUNT_SEMANTIC_HITS);
        bool right;

        arena_init(&arena);
        workload_make(&request, seed, i, &models, &arena);
        if (strcmp(request.feature, "helpdesk") == 0) {
            client = scene_asks(s, (struct ask){.body = arena_slice_text(&arena, request.body)});
            history_run_to_rest(s->history);
            assert_int_equal(vclient_status(client), 200);
            right = is_right(&request, client, &arena);
            asked++;
            day->served += gateway_count(&s->gateway, COUNT_SEMANTIC_HITS) > hits;
            day->right += gateway_count(&s->gateway, COUNT_SEMANTIC_HITS) > hits && right;
            day->fresh += slice_is(vclient_header(client, "x-equipoise-source"), "reference");
            day->fresh_right += slice_is(vclient_header(client, "x-equipoise-source"), "reference") && right;
        }
        arena_reset(&arena);
    }
}

static struct evidence_verdict
stands(const struct day *day)
{
    return shared_evidence_verdict(evidences_at(&day->scene->gateway.evidences, "helpdesk", "semantic_cache"));
}

static void
tells(const struct day *day)
{
    struct evidence_verdict verdict = stands(day);
    const struct gateway *gateway = &day->scene->gateway;

    print_message(
        "served by meaning %u, %u of them right; fresh %u, %u right; from similarity %.3f; bound %.4f; audits "
        "%u; exact hits %d, near misses %d, unearned %d, audited %d, promoted pairs %d\n",
        day->served, day->right, day->fresh, day->fresh_right, verdict.serving.threshold,
        verdict.serving.lower_ppm / 1e6, (unsigned)verdict.audits, (int)gateway_count(gateway, COUNT_CACHE_HITS),
        (int)gateway_count(gateway, COUNT_SEMANTIC_NEAR), (int)gateway_count(gateway, COUNT_SEMANTIC_UNEARNED),
        (int)gateway_count(gateway, COUNT_SEMANTIC_AUDITED), (int)gateway_count(gateway, COUNT_PROMOTIONS));
}

static void
a_day_of_the_helpdesk_earns_what_it_serves(void **state)
{
    struct day day = begins(state, CONFIG("twin-large"));

    passes(&day, 2); /* of eight days six are long enough */
    tells(&day);
    assert_int_equal(stands(&day).reason, EVIDENCE_SERVES);
    assert_int_equal(stands(&day).suspensions, 0);
    assert_true(stands(&day).serving.lower_ppm >= 900000);
    assert_true(day.served > REQUESTS / 20);
    assert_true(day.right * 10 >= day.served * 9); /* by the truth, which no judge was told */
    ends(&day);
}

/* A model that is often wrong answers two ways to ask the same in two ways, so nothing can be served at that floor. */
static void
a_poor_model_earns_nothing(void **state)
{
    struct day day = begins(state, CONFIG("twin-small"));

    passes(&day, 1);
    tells(&day);
    assert_int_not_equal(stands(&day).reason, EVIDENCE_SERVES);
    assert_int_equal(day.served, 0);
    ends(&day);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_teardown(a_day_of_the_helpdesk_earns_what_it_serves, scene_teardown),
    cmocka_unit_test_teardown(a_poor_model_earns_nothing, scene_teardown),
};

int
main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
