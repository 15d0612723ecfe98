/* What the admin's page of the fleet says, over a gateway whose backend is a modelled engine. */
#include <math.h>
#include <stdlib.h>
#include <yyjson.h>

#include "admin/fleet_page.h"
#include "fleet/health/utilisation.h"
#include "scene.h"
#include "twin/twin.h"

static const char config[] =
    "backends:\n"
    "  gpus: { url: \"http://gpus.example\", engine: twin, models: [ twin-large ], usd_per_hour: $3.60 }\n"
    "  api:  { url: \"http://api.example\", models: [ twin-large ] }\n"
    "routes:\n"
    "  assistant: { reference: gpus/twin-large, candidates: [ api/twin-large ], acceptable: { total: 2s } }\n";

struct fleet_scene {
    struct scene *scene;
    struct twin *twin;
    struct application *worker;
};

static struct fleet_scene
begin(void **state)
{
    struct fleet_scene f = {.scene = scene_new(state, (struct scene_options){.seed = 6, .config = config})};
    struct twin_settings settings;

    twin_settings_default(&settings, (struct twin_pace){0, 0});
    for (unsigned i = 0; i < settings.model_count; i++)
        if (!settings.models[i].embeds)
            engine_settings_of(engine_pair_find(SLICE_LITERAL("h100-llama-3.1-8b")), &settings.models[i].engine);
    f.twin = twin_new(&settings);
    f.worker = twin_worker_new(f.twin, history_world_apart(f.scene->history));
    vbackend_is_application(scene_backend(f.scene, "gpus"), f.worker);
    return f;
}

static void
end(struct fleet_scene *f, void **state)
{
    twin_worker_free(f->worker);
    twin_free(f->twin);
    scene_passed(f->scene);
    scene_free(f->scene, state);
}

static yyjson_doc *
page_of(struct scene *s)
{
    struct buffer out = {0};
    yyjson_doc *doc;

    fleet_page_write(s->gateway.workers[0], &out);
    doc = yyjson_read(buffer_content(&out).data, buffer_len(&out), YYJSON_READ_NOFLAG);
    assert_non_null(doc);
    buffer_free(&out);
    return doc;
}

static yyjson_val *
at(yyjson_doc *doc, const char *pointer)
{
    yyjson_val *value = yyjson_doc_ptr_get(doc, pointer);

    assert_non_null(value);
    return value;
}

static void
sample(struct scene *s)
{
    utilisation_sample(s->gateway.utilisation, &s->gateway.healths.replicas,
                       world_now_us(worker_world(s->gateway.workers[0])));
}

/* A lone replica at $3.60 an hour is a tenth of a cent a second, whatever it does in it. */
static void
comes_to(yyjson_doc *doc, const char *where)
{
    double tokens = yyjson_get_num(at(doc, "/pools/0/replicas/0/minute/input_per_second")) +
                    yyjson_get_num(at(doc, "/pools/0/replicas/0/minute/output_per_second"));
    double price;
    char pointer[64];

    snprintf(pointer, sizeof(pointer), "%s/usd_per_million_tokens", where);
    price = strtod(yyjson_get_str(at(doc, pointer)), NULL);
    assert_true(fabs(price * tokens / 1e6 - 0.001) < 1e-7);
}

static void
it_tells_what_was_seen(void **state)
{
    struct fleet_scene f = begin(state);
    struct scene *s = f.scene;
    struct buffer metrics = {0};
    yyjson_doc *doc = page_of(s); /* nothing yet */

    assert_int_equal(yyjson_arr_size(at(doc, "/pools")), 1); /* the API is nobody's engine */
    assert_true(yyjson_is_null(at(doc, "/pools/0/batch")));
    assert_true(yyjson_is_null(at(doc, "/pools/0/engine/gap_error")));
    assert_string_equal(yyjson_get_str(at(doc, "/pools/0/usd_per_hour")), "3.6");
    assert_true(yyjson_is_null(at(doc, "/pools/0/usd_per_million_tokens")));
    assert_true(yyjson_get_num(at(doc, "/pools/0/size/wanted")) == 1);
    assert_true(yyjson_get_num(at(doc, "/pools/0/size/there")) == 1);
    assert_string_equal(yyjson_get_str(at(doc, "/pools/0/size/why")), "what one replica carries is not known yet");
    yyjson_doc_free(doc);
    sample(s);
    for (int i = 0; i < 40; i++) {
        scene_asks(s, (struct ask){.stream = true});
        history_run_for(s->history, 100 * USEC_PER_MS);
    }
    scene_rest(s);
    for (size_t i = 0; i < 40; i++)
        assert_true(usd_known(scene_row(s, i)->cost) && scene_row(s, i)->cost > 0);
    doc = page_of(s);
    assert_string_equal(yyjson_get_str(at(doc, "/pools/0/engine/from")), "fitted");
    assert_true(yyjson_get_num(at(doc, "/pools/0/engine/samples")) > 20);
    assert_true(yyjson_get_num(at(doc, "/pools/0/mix/answers")) == 40);
    assert_true(yyjson_get_num(at(doc, "/pools/0/mix/output")) > 1);
    assert_true(yyjson_arr_size(at(doc, "/pools/0/curve")) > 0);
    assert_true(yyjson_get_num(at(doc, "/pools/0/batch/most")) >= 1);
    assert_true(yyjson_get_num(at(doc, "/pools/0/batch/gap_limit_ms")) > 0);
    assert_string_equal(yyjson_get_str(at(doc, "/pools/0/replicas/0/state")), "in");
    assert_true(yyjson_get_num(at(doc, "/pools/0/replicas/0/in_flight")) == 0);
    assert_true(yyjson_get_num(at(doc, "/pools/0/replicas/0/minute/busy")) > 0.05);
    assert_true(yyjson_get_num(at(doc, "/pools/0/replicas/0/minute/output_per_second")) > 1);
    assert_int_equal(yyjson_arr_size(at(doc, "/pools/0/replicas/0/busy_minutes")), 60);
    comes_to(doc, "/pools/0");
    comes_to(doc, "/pools/0/replicas/0");
    yyjson_doc_free(doc);
    fleet_print(s->gateway.workers[0], &metrics);
    assert_contains(buffer_content(&metrics),
                    "equipoise_replica_busy{target=\"gpus/twin-large\",replica=\"gpus.example:80\"}");
    assert_contains(buffer_content(&metrics), "equipoise_engine_gap_error{target=\"gpus/twin-large\"}");
    assert_contains(buffer_content(&metrics), "equipoise_engine_usd_per_million_tokens{target=\"gpus/twin-large\"}");
    assert_contains(buffer_content(&metrics),
                    "equipoise_replica_usd_per_million_tokens{target=\"gpus/twin-large\",replica=\"gpus.example:80\"}");
    assert_contains(buffer_content(&metrics), "equipoise_engine_batch_gap_seconds{target=\"gpus/twin-large\",batch=\"");
    assert_contains(buffer_content(&metrics),
                    "equipoise_engine_batch_usd_per_million_output{target=\"gpus/twin-large\",batch=\"");
    buffer_free(&metrics);
    end(&f, state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(it_tells_what_was_seen, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
