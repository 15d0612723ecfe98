/* The batch that is worth it (token_limit.h) in the whole gateway, before a modelled engine whose cache has room for far more. */
#include <math.h>

#include "scene.h"
#include "twin/twin.h"

#define ENGINE "h100-llama-3.1-8b"

static const char config[] =
    "backends:\n"
    "  gpus: { url: \"http://gpus.example\", engine: twin, engine_model: " ENGINE ", models: [ twin-large ],\n"
    "          admission: { mode: on, kv_tokens: 8000000, sequences: 4000, queue: 4000 } }\n"
    "routes:\n"
    "  assistant: { reference: gpus/twin-large }\n"
    "prices: { override: { gpus/twin-large: { input: $2/M, output: $8/M } } }\n";

enum { CROWD = 200, PROMPT_BYTES = 12000 }; /* more than are worth it, of whatever kind */

struct bound_scene {
    struct scene *scene;
    struct twin *twin;
    struct application *worker;
};

static struct bound_scene
begin(void **state, bool keeps)
{
    struct bound_scene b = {.scene = scene_new(state, (struct scene_options){.seed = 3, .config = config})};
    struct twin_settings settings;

    twin_settings_default(&settings, (struct twin_pace){0, 0});
    for (unsigned i = 0; i < settings.model_count; i++)
        if (!settings.models[i].embeds) {
            engine_settings_of(engine_pair_find(SLICE_LITERAL(ENGINE)), &settings.models[i].engine);
            settings.models[i].engine.sequences_most = 4000;
            settings.models[i].engine.kv_tokens = 8000000;
        }
    settings.prefix_cache = keeps;
    b.twin = twin_new(&settings);
    b.worker = twin_worker_new(b.twin, history_world_apart(b.scene->history));
    vbackend_is_application(scene_backend(b.scene, "gpus"), b.worker);
    return b;
}

static void
end(struct bound_scene *b, void **state)
{
    twin_worker_free(b->worker);
    twin_free(b->twin);
    scene_passed(b->scene);
    scene_free(b->scene, state);
}

/* Long prompts, of each number another from its first word on, and long answers. */
static void
ask(struct bound_scene *b, unsigned number)
{
    char text[PROMPT_BYTES + 1];

    for (size_t i = 0; i < PROMPT_BYTES; i += 8)
        snprintf(text + i, sizeof(text) - i, "%07u ", number);
    scene_asks(b->scene, (struct ask){.stream = true,
                                      .text = text,
                                      .headers = "x-twin-output-tokens: 600\n",
                                      .more = "\"max_tokens\":600"});
}

static struct admission *
admission_of(struct bound_scene *b)
{
    return map_get(&b->scene->gateway.admissions.by_name, SLICE_LITERAL("gpus"));
}

/* The most that were at the engine at a time, of a crowd that comes at once. */
static size_t
most_of_a_crowd(struct bound_scene *b, unsigned first, unsigned step)
{
    size_t most = 0;

    for (unsigned i = 0; i < CROWD; i++)
        ask(b, first + i * step);
    for (unsigned i = 0; i < 2000; i++) {
        history_run_for(b->scene->history, 10 * USEC_PER_MS);
        if (admission_of(b) != NULL && admission_of(b)->in_flight > most)
            most = admission_of(b)->in_flight;
    }
    scene_rest(b->scene);
    return most;
}

/* By what is known of the engine, for prompts of which a share is cached. */
static double
worth(const struct token_limit *limit, double cached)
{
    double prompt = limit->mean_tokens - limit->mean_output / 2;
    struct batch_mix mix = {.prompt = prompt, .cached = cached * prompt, .output = limit->mean_output};

    return batch_enough(&engine_pair_find(SLICE_LITERAL(ENGINE))->time, &mix);
}

static void
a_crowd_is_held_to_the_batch_that_is_worth_it(void **state)
{
    struct bound_scene b = begin(state, true);
    size_t most = most_of_a_crowd(&b, 1, 1);
    struct token_limit *limit = &admission_of(&b)->limit;

    assert_true((double)limit->caches_tokens / limit->mean_tokens > CROWD);
    if (fabs((double)most - worth(limit, 0)) > 0.1 * worth(limit, 0))
        fail_msg("%zu at a time, where %.0f are worth it", most, worth(limit, 0));
    end(&b, state);
}

/* One prompt that everybody sends: a lone engine keeps it, and more of them are worth it. */
static void
a_lone_engine_that_keeps_prompts_gets_more(void **state)
{
    struct bound_scene b = begin(state, true);
    size_t most = most_of_a_crowd(&b, 1, 0);
    struct token_limit *limit = &admission_of(&b)->limit;

    assert_true(limit->mean_fresh < 0.1 * limit->mean_tokens);
    if (!((double)most > 1.3 * worth(limit, 0)))
        fail_msg("%zu at a time, where %.0f are worth it of prompts that are not kept", most, worth(limit, 0));
    end(&b, state);
}

/* One that keeps nothing, as its answers tell, is not believed to for long. */
static void
what_an_engine_does_not_keep_is_not_counted_on(void **state)
{
    struct bound_scene b = begin(state, false);
    struct token_limit *limit;

    most_of_a_crowd(&b, 1, 0);
    most_of_a_crowd(&b, 1, 0);
    limit = &admission_of(&b)->limit;
    if (!(limit->mean_fresh > 0.5 * (limit->mean_tokens - limit->mean_output / 2)))
        fail_msg("%.0f of %.0f tokens have to be read", limit->mean_fresh, limit->mean_tokens - limit->mean_output / 2);
    end(&b, state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_crowd_is_held_to_the_batch_that_is_worth_it, scene_teardown),
        cmocka_unit_test_teardown(a_lone_engine_that_keeps_prompts_gets_more, scene_teardown),
        cmocka_unit_test_teardown(what_an_engine_does_not_keep_is_not_counted_on, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
