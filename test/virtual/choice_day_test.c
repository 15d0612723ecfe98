/* The modelled backend's strong, middle and weak models on a route: which of them serve, on audits alone, and how right what they
 * served was by the tasks' computed truth, which no judge was told. */
#include "scene.h"

#include "levers/router.h"
#include "twin/tasks.h"
#include "twin/twin.h"
#include "twin/workload.h"

#define CONFIG(acceptable)                                                                                             \
    "backends:\n"                                                                                                      \
    "  twin: { url: \"http://twin.example\", engine: twin, models: [ twin-large, twin-medium, twin-small ] }\n"        \
    "routes:\n"                                                                                                        \
    "  assistant: { reference: twin/twin-large, candidates: [ twin/twin-medium, twin/twin-small ],\n"                  \
    "               acceptable: " acceptable ", judge: { by: numeric }, levers: { router: on } }\n"                    \
    "prices:\n"                                                                                                        \
    "  override:\n"                                                                                                    \
    "    twin/twin-large:  { input: $2.50/M, output: $10/M }\n"                                                        \
    "    twin/twin-medium: { input: $0.40/M, output: $1.60/M }\n"                                                      \
    "    twin/twin-small:  { input: $0.10/M, output: $0.40/M }\n"

struct day {
    struct scene *scene;
    struct twin *twin;
    struct application *worker;
    unsigned asked, least, most; /* difficulties */
    unsigned served, right;      /* by other models */
    unsigned fresh, fresh_right; /* by the reference */
};

static struct day
begins(void **state, const char *config, unsigned least, unsigned most)
{
    struct day day = {
        .scene = scene_new(state, (struct scene_options){.seed = 1, .config = config}), .least = least, .most = most};
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

static void
ask_one(struct day *day, struct arena *arena)
{
    struct workload_request request = {.api = API_CHAT};
    unsigned difficulty = day->least + (unsigned)(rng_mix(day->asked) % (day->most - day->least + 1));
    enum task_family family = rng_mix(day->asked + 77) % 2 == 0 ? TASK_ARITHMETIC : TASK_UNITS;
    struct buffer body = {0};
    struct vclient *client;
    struct task task;
    struct slice text;
    bool right;

    task_make(&task, family, difficulty, 1000 + day->asked++, arena);
    request.prompt = task.prompt;
    buffer_add_text(&body,
                    "{\"model\":\"assistant\",\"temperature\":0,\"messages\":[{\"role\":\"user\",\"content\":\"");
    buffer_add_json(&body, slice_of(task.prompt));
    buffer_add_text(&body, "\"}]}");
    buffer_add_byte(&body, '\0');
    client = scene_asks(day->scene, (struct ask){.body = body.data + body.start});
    history_run_to_rest(day->scene->history);
    assert_int_equal(vclient_status(client), 200);
    assert_true(workload_answer_text(&request, vclient_body(client), arena, &text));
    right = task_check(slice_of(task.prompt), text);
    if (slice_is(vclient_header(client, "x-equipoise-source"), "model")) {
        day->served++;
        day->right += right;
    } else {
        day->fresh++;
        day->fresh_right += right;
    }
    buffer_free(&body);
}

static void
asks(struct day *day, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct arena arena;

        arena_init(&arena);
        ask_one(day, &arena);
        arena_reset(&arena);
    }
}

static struct evidence_verdict
stands(const struct day *day, const char *lever)
{
    return shared_evidence_verdict(evidences_at(&day->scene->gateway.evidences, "assistant", lever));
}

static void
tells(struct day *day, const char *what)
{
    static const char *const levers[] = {"router twin/twin-medium", "router twin/twin-small"};
    usd audits = 0, saved = 0, baseline = 0;

    for (size_t i = 0; i < day->scene->row_count; i++) {
        const struct row *row = &day->scene->rows[i];

        audits += row_is_own(row) ? row->cost : 0;
        saved += row->baseline - row->cost;
        baseline += row->baseline;
    }
    print_message("%s: %u asked; other models served %u, %.1f%% of them right; the reference %u, %.1f%% right; saved "
                  "%.1f%% of the baseline, audits (%.1f%%) paid\n",
                  what, day->asked, day->served, 100.0 * day->right / (day->served > 0 ? day->served : 1), day->fresh,
                  100.0 * day->fresh_right / (day->fresh > 0 ? day->fresh : 1),
                  100.0 * (double)saved / (double)baseline, 100.0 * (double)audits / (double)baseline);
    for (size_t i = 0; i < 2; i++) {
        struct evidence_verdict verdict = stands(day, levers[i]);

        print_message("  %s: %s; bound %.3f; %u audits in this epoch\n", levers[i],
                      evidence_reason_text(verdict.reason), verdict.serving.lower_ppm / 1e6, (unsigned)verdict.audits);
    }
}

static void
on_easy_tasks_cheaper_models_earn(void **state)
{
    struct day day = begins(state, CONFIG("{ quality: 80% }"), 1, 1);

    asks(&day, 3000);
    ends(&day);
    tells(&day, "easy");
    assert_true(day.served > 2000);
    assert_true(day.right * 100 >= day.served * 80); /* the promised bound, by the truth */
}

static void
on_mixed_tasks_they_earn_a_part(void **state)
{
    struct day day = begins(state, CONFIG("{ quality: 90%, of: route }"), 1, 5);

    /* Over twelve hours: views that a part of the conversations taught are proved by the next hour's. */
    for (unsigned i = 0; i < 140; i++) {
        asks(&day, 60);
        history_run_for(day.scene->history, 300 * USEC_PER_S);
    }
    ends(&day);
    tells(&day, "mixed");
    assert_true(day.served > 200);
    assert_true((day.right + day.fresh_right) * 100 >= day.asked * 86); /* 90 % of what the reference is right about */
}

static void
on_hard_tasks_they_earn_nothing(void **state)
{
    struct day day = begins(state, CONFIG("{ quality: 95% }"), 4, 5);

    asks(&day, 1500);
    ends(&day);
    tells(&day, "hard");
    assert_int_equal(day.served, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(on_easy_tasks_cheaper_models_earn, scene_teardown),
        cmocka_unit_test_teardown(on_mixed_tasks_they_earn_a_part, scene_teardown),
        cmocka_unit_test_teardown(on_hard_tasks_they_earn_nothing, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
