/* Models of different ability on tasks whose truth is computed, and a workload made of such tasks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "twin/tasks.h"
#include "twin/workload.h"
#include "twin_bench.h"

/* Ability: over 300 tasks the larger model is useful more often, and the same question gets the same answer. */

static bool
model_is_useful(struct bench *bench, const char *model, const char *prompt)
{
    struct buffer body;
    struct vclient *client;
    yyjson_doc *doc;
    bool useful;

    buffer_init(&body);
    buffer_printf(&body, "{\"model\":\"%s\",\"temperature\":0,\"messages\":[{\"role\":\"user\",\"content\":\"", model);
    buffer_add_json(&body, slice_of(prompt));
    buffer_add_text(&body, "\"}]}");
    client = vclient_start(bench->history,
                           &(struct vclient_script){.target = "/v1/chat/completions", .body = buffer_content(&body)});
    history_run_until(bench->history, !vclient_waits(client));
    doc = json_of(vclient_body(client));
    useful = task_check(slice_of(prompt), string_at(doc, "/choices/0/message/content"));
    yyjson_doc_free(doc);
    buffer_free(&body);
    return useful;
}

static void
larger_models_are_useful_more_often(void **state)
{
    static const char *const models[] = {"twin-small", "twin-medium", "twin-large"};
    struct bench bench = bench_instant(18);

    (void)state;
    for (enum task_family family = 0; family < TASK_FAMILIES; family++) {
        unsigned useful[3] = {0};

        for (unsigned i = 0; i < 300; i++) {
            struct arena arena;
            struct task task;

            arena_init(&arena);
            task_make(&task, family, 1 + i % TASK_DIFFICULTY_MOST, 1000 + i, &arena);
            for (unsigned m = 0; m < 3; m++)
                useful[m] += model_is_useful(&bench, models[m], task.prompt) ? 1 : 0;
            assert_int_equal(model_is_useful(&bench, models[0], task.prompt),
                             model_is_useful(&bench, models[0], task.prompt));
            arena_reset(&arena);
        }
        print_message("%s: useful of 300: small %u, medium %u, large %u\n", task_family_name(family), useful[0],
                      useful[1], useful[2]);
        assert_true(useful[0] + 30 < useful[1] && useful[1] + 15 < useful[2]);
    }
    bench_end(&bench);
}

/* One that is good at a kind of tasks is right more often there, and as before elsewhere. */
static void
a_model_may_be_good_at_one_kind(void **state)
{
    unsigned useful[2] = {0}; /* at that kind, at another */
    struct twin_settings settings;
    struct bench bench;

    (void)state;
    twin_settings_default(&settings, (struct twin_pace){0, 0});
    settings.models[0].more[TASK_GUIDE] = TWIN_ABILITY_LARGE - TWIN_ABILITY_SMALL;
    bench = bench_new(18, &settings);
    for (unsigned i = 0; i < 300; i++) {
        static const enum task_family families[] = {TASK_GUIDE, TASK_CLASSIFY};
        struct arena arena;
        struct task task;

        arena_init(&arena);
        for (unsigned k = 0; k < 2; k++) {
            task_make(&task, families[k], 1 + i % TASK_DIFFICULTY_MOST, 1000 + i, &arena);
            useful[k] += model_is_useful(&bench, "twin-small", task.prompt) ? 1 : 0;
        }
        arena_reset(&arena);
    }
    print_message("good at one kind: useful of 300: %u there, %u elsewhere\n", useful[0], useful[1]);
    assert_true(useful[0] > 285 && useful[1] < 240);
    bench_end(&bench);
}

/* The demo's workload against the backend it will meet. */
static void
the_workload_is_understood_and_checked(void **state)
{
    const struct workload_models models = {.chat = "twin-large", .messages = "twin-large", .embedding = "twin-embed"};
    struct bench bench = bench_instant(19);
    unsigned checked = 0, useful = 0, streams = 0, again = 0;
    struct slice first = SLICE_NONE;
    struct arena arena;

    (void)state;
    arena_init(&arena);
    for (unsigned i = 0; i < 1000; i++) {
        struct workload_request request;
        struct vclient *client;
        struct slice text;

        workload_make(&request, 5, i, &models, &arena);
        client = vclient_start(bench.history,
                               &(struct vclient_script){.target = api_path(request.api), .body = request.body});
        history_run_until(bench.history, !vclient_waits(client));
        assert_int_equal(vclient_status(client), 200);
        assert_int_equal(workload_answer_text(&request, vclient_body(client), &arena, &text),
                         request.api != API_EMBEDDINGS);
        assert_false(request.stream &&
                     workload_answer_text(&request, slice_first(vclient_body(client), 500), &arena, &text) &&
                     vclient_body(client).len > 500);
        (void)workload_answer_text(&request, vclient_body(client), &arena, &text);
        streams += request.stream ? 1 : 0;
        checked += request.prompt != NULL ? 1 : 0;
        useful += request.prompt != NULL && task_check(slice_of(request.prompt), text) ? 1 : 0;
        again += slice_equal(first, request.body) ? 1 : 0;
        first = i == 0 ? request.body : first;
    }
    print_message("workload: %u of 1000 can be checked, %u of them useful, %u streams\n", checked, useful, streams);
    assert_in_range(checked, 930, 990);
    assert_true(useful > checked * 90 / 100 && useful < checked);
    assert_in_range(streams, 60, 140);
    assert_true(again < 200);
    arena_reset(&arena);
    bench_end(&bench);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(larger_models_are_useful_more_often),
        cmocka_unit_test(a_model_may_be_good_at_one_kind),
        cmocka_unit_test(the_workload_is_understood_and_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
