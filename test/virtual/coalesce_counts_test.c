/* What the metrics tell of shared calls: who followed, what was saved, who went on for others, and why some did not share. */
#include "scene.h"

enum { WORKERS = 3, MEMBERS = 5 };

#define SETTING(mode, more)                                                                                            \
    "limits: { answer: 64KiB, stall: 2s }\n"                                                                           \
    "backends:\n"                                                                                                      \
    "  alpha: { url: \"http://alpha.example\", models: [ big ] }\n"                                                    \
    "routes:\n"                                                                                                        \
    "  assistant: { reference: alpha/big, repeatable: yes, levers: { coalesce: " mode " } }\n"                         \
    "prices: { override: { alpha/big: { input: $2/M, output: $8/M, cache_read: $0.50/M } } }\n" more

#define CALL_PICO (1000 * 2000000LL + 60 * 8000000LL)

static struct scene *
opens(void **state, uint64_t seed, const char *config)
{
    return scene_new(state, (struct scene_options){.seed = seed, .workers = WORKERS, .config = config});
}

static struct vclient *
asks(struct scene *s, unsigned worker, struct ask ask)
{
    ask.client.worker = worker;
    return scene_asks(s, ask);
}

static void
one_is_under_way(struct scene *s, struct ask ask)
{
    asks(s, 0, ask);
    history_run_until(s->history, vbackend_working(scene_backend(s, "alpha")));
}

static int64_t
counted(struct scene *s, enum counter which)
{
    return gateway_count(&s->gateway, which);
}

/* All that is saved, and by the lever's lines. */
static usd
saved_by_lines(struct scene *s)
{
    usd sum = 0;

    for (size_t i = 0; i < s->row_count; i++)
        for (size_t j = 0; j < scene_row(s, i)->saving_count; j++)
            if (slice_is(scene_row(s, i)->savings[j].lever, "coalesce") && !scene_row(s, i)->savings[j].shadow)
                sum += scene_row(s, i)->savings[j].saved;
    return sum;
}

static void
what_was_not_bought_again(void **state)
{
    struct scene *s = opens(state, 1, SETTING("on", ""));

    one_is_under_way(s, (struct ask){.stream = true});
    for (unsigned i = 1; i < MEMBERS; i++)
        asks(s, i % WORKERS, (struct ask){.stream = i % 2 == 0});
    scene_rest(s);
    assert_int_equal(counted(s, COUNT_COALESCED), MEMBERS - 1);
    assert_int_equal(counted(s, COUNT_COALESCED_FLIGHTS), 1);
    assert_int_equal(counted(s, COUNT_COALESCED_OVER), 2);
    assert_int_equal(counted(s, COUNT_COALESCED_TOKENS), (MEMBERS - 1) * 1060);
    assert_true(counted(s, COUNT_COALESCED_SAVED_PICO) == (MEMBERS - 1) * CALL_PICO);
    assert_true(saved_by_lines(s) == (MEMBERS - 1) * CALL_PICO);
    asks(s, 0, (struct ask){.stream = true}); /* alone: nothing is shared, and nothing refused */
    scene_rest(s);
    assert_int_equal(counted(s, COUNT_COALESCED_FLIGHTS), 1);
    for (enum counter reason = COUNT_ALONE_SHADOW; reason <= COUNT_ALONE_OTHER; reason++)
        assert_int_equal(counted(s, reason), 0);
    scene_passed(s);
}

/* Who left pays nothing, and saved nothing. */
static void
a_leader_that_leaves_leads_on(void **state)
{
    struct scene *s = opens(state, 2, SETTING("on", ""));

    one_is_under_way(s, (struct ask){.stream = true, .client = {.leaves_after_us = 50 * USEC_PER_MS}});
    asks(s, 1, (struct ask){.stream = true});
    scene_rest(s);
    assert_int_equal(counted(s, COUNT_COALESCED_LED_ON), 1);
    assert_int_equal(counted(s, COUNT_COALESCED_TOKENS), 0);
    assert_int_equal(counted(s, COUNT_COALESCED_SAVED_PICO), 0);
    scene_passed(s);
}

static void
who_is_cut_is_counted(void **state)
{
    for (unsigned leads = 0; leads < 2; leads++) {
        struct scene *s = opens(state, 3 + leads, SETTING("on", ""));
        struct ask fast = {.stream = true},
                   slow = {.stream = true, .client = {.window = 2048, .read_len = 1, .read_gap_us = USEC_PER_S}};

        scene_provider(s, "alpha")->words = 4000;
        scene_provider(s, "alpha")->word_gap_us = USEC_PER_MS;
        one_is_under_way(s, leads != 0 ? slow : fast);
        asks(s, 1, leads != 0 ? fast : slow);
        scene_rest(s);
        assert_int_equal(counted(s, COUNT_COALESCED_CUT_LEADER), leads);
        assert_int_equal(counted(s, COUNT_COALESCED_CUT_FOLLOWER), 1 - leads);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* One is under way; another equal one makes its own call all the same, for that reason alone. */
static void
assert_alone(void **state, struct scene *s, enum counter reason)
{
    scene_rest(s);
    assert_int_equal(vbackend_opened(scene_backend(s, "alpha")), 2);
    for (enum counter other = COUNT_ALONE_SHADOW; other <= COUNT_ALONE_OTHER; other++)
        assert_int_equal(counted(s, other), other == reason);
    assert_int_equal(counted(s, COUNT_COALESCED), 0);
    scene_passed(s);
    scene_free(s, state);
}

static void
reasons_are_told(void **state)
{
    const struct ask stream = {.stream = true};
    struct scene *s = opens(state, 10, SETTING("shadow", ""));

    one_is_under_way(s, stream);
    asks(s, 1, stream);
    assert_alone(state, s, COUNT_ALONE_SHADOW);

    s = opens(state, 11, SETTING("on", ""));
    one_is_under_way(s, stream);
    asks(s, 1, (struct ask){.stream = true, .headers = "idempotency-key: one\n"});
    assert_alone(state, s, COUNT_ALONE_KEY);

    s = opens(state, 12, SETTING("on", ""));
    one_is_under_way(s, (struct ask){0});
    asks(s, 1, stream);
    assert_alone(state, s, COUNT_ALONE_LATE);

    s = opens(state, 13, SETTING("on", ""));
    scene_provider(s, "alpha")->word_gap_us = 20 * USEC_PER_MS;
    one_is_under_way(s, stream);
    scene_reload(s, SETTING("on", "alerts: { }\n"));
    while (scene_reloading(s))
        history_run_for(s->history, USEC_PER_MS);
    asks(s, 1, stream);
    assert_alone(state, s, COUNT_ALONE_RELOAD);

    s = opens(state, 14, SETTING("on", ""));
    scene_provider(s, "alpha")->words = 4000;
    scene_provider(s, "alpha")->word_gap_us = USEC_PER_MS;
    one_is_under_way(s, stream);
    history_run_for(s->history, 3 * USEC_PER_S);
    asks(s, 1, stream);
    assert_alone(state, s, COUNT_ALONE_LONG);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_was_not_bought_again, scene_teardown),
        cmocka_unit_test_teardown(a_leader_that_leaves_leads_on, scene_teardown),
        cmocka_unit_test(who_is_cut_is_counted),
        cmocka_unit_test_teardown(reasons_are_told, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
