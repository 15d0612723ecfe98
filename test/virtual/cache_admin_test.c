/* The store of answers through the admin's pages: how it does, and purges. */
#include "scene.h"

#include "admin/admin.h"
#include "cache/store.h"

enum { ADMIN = 1 };

struct pages {
    struct scene *scene;
    struct application *admin;
    char *line; /* the last one of the log of changes */
};

static enum status
keep_change(void *context, struct slice line)
{
    struct pages *pages = context;

    free(pages->line);
    pages->line = slice_strdup(line);
    return OK;
}

static void
put(struct cache *cache, unsigned char number, const char *tenant, const char *key, const char *model)
{
    struct cache_facts facts = {.key = {{number}},
                                .status = 200,
                                .tenant = slice_of(tenant),
                                .key_name = slice_of(key),
                                .route = SLICE_LITERAL("assistant"),
                                .model = slice_of(model),
                                .ttl_us = USEC_NEVER};

    assert_int_equal(cache_put(cache, cache_entry_new(&facts, SLICE_LITERAL("{}"), SIZE_MAX), cache_purges(cache)), OK);
}

static void
stand_up(struct pages *pages, void **state, uint64_t seed)
{
    *pages = (struct pages){.scene = scene_new(state, (struct scene_options){.seed = seed, .workers = 2})};
    pages->admin = admin_new(
        history_world(pages->scene->history, ADMIN),
        &(struct admin_options){.gateway = &pages->scene->gateway, .context = pages, .keep_change = keep_change});
    history_serve(pages->scene->history, ADMIN, pages->admin);
    put(pages->scene->gateway.cache, 1, "acme", "web", "alpha/big");
    put(pages->scene->gateway.cache, 2, "acme", "batch", "alpha/small");
    put(pages->scene->gateway.cache, 3, "other", "web", "alpha/small");
}

static void
passed(struct pages *pages)
{
    admin_free(pages->admin);
    free(pages->line);
    scene_passed(pages->scene);
}

static struct vclient *
visits(struct pages *pages, const char *json)
{
    struct vclient *c = vclient_start(
        pages->scene->history,
        &(struct vclient_script){.worker = ADMIN,
                                 .target = "/cache",
                                 .headers = "host: localhost\ncontent-type: application/json\nx-equipoise-who: anna\n",
                                 .body = slice_of(json)});

    scene_rest(pages->scene);
    return c;
}

static void
purges(struct pages *pages, const char *json, const char *wanted)
{
    struct vclient *c = visits(pages, json);

    assert_int_equal(vclient_status(c), 200);
    assert_contains(vclient_body(c), wanted);
}

static void
a_purge_drops_what_it_names_and_is_recorded(void **state)
{
    struct pages pages;

    stand_up(&pages, state, 1);
    purges(&pages, "{\"purge\":\"tenant\",\"name\":\"nobody\"}", "\"dropped\":0,");
    purges(&pages, "{\"purge\":\"model\",\"name\":\"alpha/big\"}", "\"dropped\":1,\"on_disk\":true,\"recorded\":true");
    assert_contains(slice_of(pages.line), "\"who\":\"anna\"");
    assert_contains(slice_of(pages.line), "\"what\":\"cache purge\",\"name\":\"model alpha/big\"");
    purges(&pages, "{\"purge\":\"key\",\"name\":\"batch\"}", "\"dropped\":1,");
    purges(&pages, "{\"purge\":\"tenant\",\"name\":\"acme\"}", "\"dropped\":0,");
    purges(&pages, "{\"purge\":\"route\",\"name\":\"assistant\"}", "\"entries\":0,");
    put(pages.scene->gateway.cache, 4, "acme", "web", "alpha/big");
    purges(&pages, "{\"purge\":\"all\"}", "\"dropped\":1,");
    passed(&pages);
}

static void
what_makes_no_sense_drops_nothing(void **state)
{
    static const char *const bodies[] = {
        "[]",
        "{\"purge\":\"everything\"}",
        "{\"purge\":\"tenant\"}",
        "{\"purge\":\"tenant\",\"name\":\"\"}",
        "{\"purge\":\"tenant\",\"name\":7}",
        "{\"purge\":null,\"name\":\"acme\"}",
    };
    struct pages pages;
    struct cache_stats stats;

    stand_up(&pages, state, 2);
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct vclient *c = visits(&pages, bodies[i]);

        assert_int_equal(vclient_status(c), 400);
        assert_contains(vclient_body(c), "{\"purge\": \"all\"}");
    }
    cache_stats(pages.scene->gateway.cache, &stats);
    assert_int_equal(stats.entries, 3);
    passed(&pages);
}

static void
the_metrics_tell_how_it_does(void **state)
{
    struct pages pages;
    struct vclient *c;

    stand_up(&pages, state, 3);
    c = vclient_start(pages.scene->history, &(struct vclient_script){.worker = ADMIN, .target = "/metrics"});
    scene_rest(pages.scene);
    assert_contains(vclient_body(c), "equipoise_cache_entries 3\n");
    assert_contains(vclient_body(c), "equipoise_cache_stored_total 3\n");
    passed(&pages);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_purge_drops_what_it_names_and_is_recorded, scene_teardown),
        cmocka_unit_test_teardown(what_makes_no_sense_drops_nothing, scene_teardown),
        cmocka_unit_test_teardown(the_metrics_tell_how_it_does, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
