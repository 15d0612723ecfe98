/* What strict budgets take for the most that a request may come to. */
#include "scene.h"

/* "test", of a tenant that nothing is said of. */
#define OTHER_KEY                                                                                                      \
    "  other: { sha256: \"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\", tenant: unheard-of }\n"

static const struct provider modest = {.words = 3, .input = 20, .output = 5};

/* What is asked at a tier that may be dearer is priced there, and refused where the book has no price for it. */
static void
tiers_that_may_be_dearer_are_priced(void **state)
{
    static const char *const tiers[] = {"auto", "default", "flex", "performance"};

    for (size_t i = 0; i < sizeof(tiers) / sizeof(tiers[0]); i++) {
        struct scene *s = scene_new(
            state,
            (struct scene_options){
                .seed = i,
                .config = "backends:\n"
                          "  alpha: { url: \"http://alpha.example\", provider: openai, models: [ gpt-4o-mini ] }\n"
                          "routes:\n"
                          "  assistant: { reference: alpha/gpt-4o-mini }\n",
                .key = "budget: $5/day, exposure: strict"});
        char more[64];
        struct vclient *c;

        *scene_provider(s, "alpha") = modest;
        snprintf(more, sizeof(more), "\"service_tier\":\"%s\"", tiers[i]);
        c = scene_asks(s, (struct ask){.api = API_CHAT, .more = more});
        scene_rest(s);
        assert_int_equal(vclient_status(c), i < 3 ? 200 : 402);
        scene_free(s, state);
    }
}

/* What went in unseen for one request says nothing of the next, whose text is all there is. */
static void
hidden_input_does_not_count_for_others(void **state)
{
    struct scene *s = scene_new(
        state,
        (struct scene_options){.seed = 16, .more = OTHER_KEY, .key = "budget: 400 tokens/minute, exposure: strict"});
    struct vclient *c;

    *scene_provider(s, "alpha") = (struct provider){.words = 3, .input = 90000, .output = 9};
    c = scene_asks(s, (struct ask){.api = API_RESPONSES, .key = "test", .more = "\"previous_response_id\":\"r1\""});
    scene_rest(s);
    assert_int_equal(vclient_status(c), 200);
    *scene_provider(s, "alpha") = modest;
    c = scene_asks(s, (struct ask){.api = API_CHAT, .more = "\"max_tokens\":9"});
    scene_rest(s);
    assert_int_equal(vclient_status(c), 200);
    assert_int_equal(vbackend_seen_count(scene_backend(s, "alpha")), 2); /* which is the cheaper */
    scene_passed(s);
}

/* What backends read as three answers is reserved as three, and capped as three. */
static void
answers_are_counted_however_written(void **state)
{
    struct scene *s =
        scene_new(state, (struct scene_options){.seed = 17, .key = "budget: 400 tokens/minute, exposure: strict"});
    struct vclient *c;

    *scene_provider(s, "alpha") = modest;
    c = scene_asks(s, (struct ask){.api = API_CHAT, .more = "\"n\":3.0,\"max_tokens\":200"});
    scene_rest(s);
    assert_int_equal(vclient_status(c), 200);
    assert_lacks(vbackend_seen(scene_backend(s, "alpha"), 0).body, "\"max_tokens\":200");
    scene_passed(s);
}

/* Of several answers one may have ended: the others still count. */
static void
the_last_of_several_answers_is_watched(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 34, .key = "budget: 3000 tokens/hour"});
    struct vclient *c;

    *scene_provider(s, "alpha") = (struct provider){
        .words = 4000, .input = 20, .output = 8000, .first_word_us = 1000, .word_gap_us = 1000, .second_ends = true};
    c = scene_asks(s, (struct ask){.api = API_CHAT, .stream = true, .more = "\"n\":2"});
    scene_rest(s);
    assert_true(vclient_done(c));
    assert_row_is(s, 0, state, "ok");
    assert_contains(s->rows[0].why, "the budget of key web (3000 tokens/hour) has no more for it");
    assert_true(s->rows[0].input_tokens + s->rows[0].output_tokens <= 3000);
    scene_passed(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(tiers_that_may_be_dearer_are_priced, scene_teardown),
        cmocka_unit_test_teardown(hidden_input_does_not_count_for_others, scene_teardown),
        cmocka_unit_test_teardown(answers_are_counted_however_written, scene_teardown),
        cmocka_unit_test_teardown(the_last_of_several_answers_is_watched, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
