/* A lever that looks for stored answers where that does not pay rests there, says so, and comes back when it would pay. */
#include "scene.h"

#include <stdio.h>

#include "cache/store.h"
#include "gateway/reuse/paying.h"
#include "levers/pays.h"

/* Memory so dear that keeping an answer costs some ten times what it is worth. */
#define CONFIG(levers, gib_hour)                                                                                       \
    "backends:\n"                                                                                                      \
    "  alpha:  { url: \"http://alpha.example\", models: [ big ] }\n"                                                   \
    "cache: { core_hour: $0.04, gib_hour: " gib_hour " }\n"                                                            \
    "routes:\n"                                                                                                        \
    "  assistant: { reference: alpha/big, repeatable: yes, acceptable: { quality: 90% }, levers: { " levers " } }\n"   \
    "prices:\n"                                                                                                        \
    "  override:\n"                                                                                                    \
    "    alpha/big:   { input: $2/M, output: $8/M }\n"

static struct scene *
opens(void **state, const char *config)
{
    return scene_new(state, (struct scene_options){.seed = 1, .config = config});
}

static struct vclient *
asks(struct scene *s, unsigned number)
{
    char more[64];
    struct vclient *client;

    snprintf(more, sizeof(more), "\"pad\": %u", number);
    client = scene_asks(s, (struct ask){.more = more});
    history_run_to_rest(s->history);
    assert_int_equal(vclient_status(client), 200);
    return client;
}

static struct pay_standing
stands(struct scene *s, const char *lever)
{
    return pay_book_standing(pay_books_at(&s->gateway.paying, "assistant", lever));
}

static bool
is_hit(const struct vclient *client)
{
    return slice_is(vclient_header(client, "x-equipoise-source"), "cached");
}

static void
repeats_that_are_too_rare_let_it_rest(void **state)
{
    struct scene *s = opens(state, CONFIG("exact_cache: on", "$50"));
    unsigned asked = 0, rested = 0;
    struct cache_stats before, after;
    struct buffer page = {0};

    while (!stands(s, "exact_cache").rests)
        asks(s, asked++);
    assert_int_equal(asked, PAYS_TRIAL_LEAST);
    cache_stats(s->gateway.cache, &before);
    assert_false(is_hit(asks(s, 0))); /* though it is there */
    asks(s, asked++);
    cache_stats(s->gateway.cache, &after);
    assert_int_equal(after.stored, before.stored);
    assert_int_equal(gateway_count(&s->gateway, COUNT_CACHE_IDLE), 2);
    paying_print(&s->gateway, &page);
    assert_contains(buffer_content(&page), "equipoise_lever_idle{route=\"assistant\",lever=\"exact_cache\"} 1\n");
    buffer_free(&page);
    while (stands(s, "exact_cache").rests && rested++ < 10000)
        asks(s, 7);
    assert_true(rested >= PAYS_REST_TRIALS * PAYS_TRIAL_LEAST - 2 && rested < 10000);
    assert_true(is_hit(asks(s, 7))); /* there are many repeats now */
    for (unsigned i = 0; i < PAYS_TRIAL_LEAST; i++)
        asks(s, 7);
    assert_false(stands(s, "exact_cache").rests);
    scene_rest(s);
    assert_row_is(s, PAYS_TRIAL_LEAST + 1, look_ups, "exact_cache=idle");
    assert_row_is(s, PAYS_TRIAL_LEAST - 1, look_ups, "exact_cache=miss");
    scene_passed(s);
}

static void
where_memory_is_cheap_it_goes_on(void **state)
{
    struct scene *s = opens(state, CONFIG("exact_cache: on", "$0.005"));

    for (unsigned i = 0; i < 3 * PAYS_TRIAL_LEAST; i++)
        asks(s, i);
    assert_false(stands(s, "exact_cache").rests);
    assert_int_equal(gateway_count(&s->gateway, COUNT_CACHE_IDLE), 0);
    scene_rest(s);
    scene_passed(s);
}

static void
free_machines_never_rest(void **state)
{
    struct scene *s =
        opens(state, "cache: { core_hour: $0, gib_hour: $0 }\n"
                     "backends:\n  alpha: { url: \"http://alpha.example\", models: [ big ] }\n"
                     "routes:\n  assistant: { reference: alpha/big, repeatable: yes, levers: { exact_cache: on } }\n"
                     "prices:\n  override:\n    alpha/big: { input: $2/M, output: $8/M }\n");

    for (unsigned i = 0; i < 2 * PAYS_TRIAL_LEAST; i++)
        asks(s, i);
    assert_false(stands(s, "exact_cache").rests);
    scene_rest(s);
    scene_passed(s);
}

/* Each lever by itself: what finds much goes on beside what finds nothing. */
static void
levers_rest_apart(void **state)
{
    struct scene *s = opens(state, CONFIG("exact_cache: on, semantic_cache: on", "$0.005"));
    struct pay_book *book = pay_books_at(&s->gateway.paying, "assistant", "semantic_cache");

    for (unsigned i = 0; i < PAYS_TRIAL_LEAST; i++)
        (void)pay_book_learn(book, &(struct pay){.spent = 1000000000, .bought = 1});
    assert_true(stands(s, "semantic_cache").rests);
    asks(s, 1);
    assert_true(is_hit(asks(s, 1)));
    assert_int_equal(gateway_count(&s->gateway, COUNT_SEMANTIC_IDLE), 2);
    scene_rest(s);
    assert_row_is(s, 1, look_ups, "exact_cache=hit,semantic_cache=idle");
    scene_passed(s);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_teardown(repeats_that_are_too_rare_let_it_rest, scene_teardown),
    cmocka_unit_test_teardown(where_memory_is_cheap_it_goes_on, scene_teardown),
    cmocka_unit_test_teardown(free_machines_never_rest, scene_teardown),
    cmocka_unit_test_teardown(levers_rest_apart, scene_teardown),
};

int
main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
