/* What every answer costs, to the pico-dollar, through the real gateway: the scenarios about money. */
#include "scene.h"

#include "base/usd.h"

/* Micro-dollars in pico-dollars. */
#define MICRO(amount) ((usd)(amount)*1000000)

/* What the usual provider's 1000 input and 60 output tokens cost on alpha and on beta. */
static const usd usual_on_alpha = MICRO(1000 * 2 + 60 * 8);
static const usd usual_on_beta = MICRO(1000 * 3 + 60 * 12);

/* One request of that API, asked of a provider of these habits; its row's cost. */
static usd
cost_of(void **state, uint64_t seed, enum api api, bool stream, const struct provider *habits, const char *backend)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = seed, .split_answers = true});
    struct vclient *c;
    usd cost;

    *scene_provider(s, backend) = *habits;
    c = scene_asks(s, (struct ask){.api = api, .stream = stream});
    scene_rest(s);
    assert_true(vclient_done(c));
    assert_int_equal(vclient_status(c), 200);
    assert_int_equal(s->row_count, 1);
    assert_row_is(s, 0, state, "ok");
    assert_row_is(s, 0, exactness, "exact");
    cost = s->rows[0].cost;
    assert_true(s->rows[0].baseline == cost); /* the reference served: nothing is saved, nor lost */
    assert_int_equal(s->rows[0].saving_count, 0);
    scene_free(s, state);
    return cost;
}

/* Scenarios 1, 3, 4, 6: streamed cost = buffered cost, whatever the API, wherever the usage stands. */
static void
a_stream_costs_what_a_buffered_answer_costs(void **state)
{
    static const struct provider plain = {.words = 7, .input = 1000, .cached = 400, .output = 482, .reasoning = 448};
    static const struct provider with_choices = {
        .words = 7, .input = 1000, .cached = 400, .output = 482, .usage_place = USAGE_WITH_CHOICES};
    static const struct provider tells_cost = {.words = 2, .input = 10, .output = 5, .provider_cost = "0.0123"};
    static const struct provider caches = {
        .words = 7, .input = 1000, .cached = 2000, .cache_write_5m = 300, .cache_write_1h = 100, .output = 60};
    static const struct provider caches_twice_told = {.words = 7,
                                                      .input = 1000,
                                                      .cached = 2000,
                                                      .cache_write_5m = 300,
                                                      .cache_write_1h = 100,
                                                      .output = 60,
                                                      .repeats_input = true};
    static const struct {
        enum api api;
        const struct provider *habits;
        const char *backend;
        usd cost;
    } cases[] = {
        {API_CHAT, &plain, "alpha", MICRO(600 * 2 + 400 / 2 + 482 * 8)},
        {API_CHAT, &with_choices, "alpha", MICRO(600 * 2 + 400 / 2 + 482 * 8)},
        {API_COMPLETIONS, &plain, "alpha", MICRO(600 * 2 + 400 / 2 + 482 * 8)},
        {API_COMPLETIONS, &with_choices, "alpha", MICRO(600 * 2 + 400 / 2 + 482 * 8)},
        {API_RESPONSES, &plain, "alpha", MICRO(600 * 2 + 400 / 2 + 482 * 8)},
        {API_CHAT, &tells_cost, "alpha", MICRO(12300)},
        {API_MESSAGES, &caches, "claude", MICRO(1000 * 5 + 2000 / 2 + 300 * 25 / 4 + 100 * 10 + 60 * 25)},
        {API_MESSAGES, &caches_twice_told, "claude", MICRO(1000 * 5 + 2000 / 2 + 300 * 25 / 4 + 100 * 10 + 60 * 25)},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        usd buffered = cost_of(state, i, cases[i].api, false, cases[i].habits, cases[i].backend);
        usd streamed = cost_of(state, i, cases[i].api, true, cases[i].habits, cases[i].backend);

        assert_int_equal(buffered, cases[i].cost);
        assert_int_equal(streamed, cases[i].cost);
    }
}

static void
embeddings_cost_their_input(void **state)
{
    static const struct provider plain = {.input = 1000};

    assert_int_equal(cost_of(state, 9, API_EMBEDDINGS, false, &plain, "alpha"), MICRO(100));
}

/* Scenario 2: tokens never silently cost 0. */
static void
without_usage_the_cost_is_estimated_never_zero(void **state)
{
    for (int stream = 0; stream < 2; stream++) {
        struct scene *s = scene_new(state, (struct scene_options){.seed = 2});

        scene_provider(s, "alpha")->usage_place = USAGE_NOWHERE;
        scene_provider(s, "alpha")->words = 100;
        scene_asks(s, (struct ask){.stream = stream != 0});
        scene_rest(s);
        assert_row_is(s, 0, state, "ok");
        assert_row_is(s, 0, exactness, "estimated");
        assert_in_range(scene_row(s, 0)->output_tokens, 50, 150); /* 390 bytes of text */
        assert_true(scene_row(s, 0)->cost > MICRO(50 * 8));
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Scenario 2: a model without a price is unknown, not free. */
static void
a_model_without_a_price_is_unpriced(void **state)
{
    struct scene *s = scene_new(
        state, (struct scene_options){.seed = 3,
                                      .config = "backends:\n"
                                                "  alpha: { url: \"http://alpha.example\", models: [ odd ] }\n"
                                                "routes:\n"
                                                "  assistant: { reference: alpha/odd }\n"});
    struct vclient *c = scene_asks(s, (struct ask){.api = API_CHAT});

    scene_rest(s);
    assert_row_is(s, 0, exactness, "unpriced");
    assert_false(usd_known(scene_row(s, 0)->cost));
    assert_int_equal(scene_row(s, 0)->input_tokens, 1000);
    assert_int_equal(gateway_count(&s->gateway, COUNT_UNPRICED), 1);
    assert_null(vclient_header(c, "x-equipoise-cost-usd").data);
    scene_passed(s);
}

/* Scenario 4: 482 of which 448 are reasoning: all 482 are priced. */
static void
reasoning_is_part_of_the_output(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 4});

    scene_provider(s, "alpha")->output = 482;
    scene_provider(s, "alpha")->reasoning = 448;
    scene_asks(s, (struct ask){.stream = true});
    scene_rest(s);
    assert_int_equal(scene_row(s, 0)->output_tokens, 482);
    assert_int_equal(scene_row(s, 0)->reasoning_tokens, 448);
    assert_int_equal(scene_row(s, 0)->cost, MICRO(1000 * 2 + 482 * 8));
    scene_passed(s);
}

/* Scenario 8: message_delta without the input keeps it; with another one, the final value wins. */
static void
the_last_usage_of_a_message_wins(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 8});

    vbackend_decides(scene_backend(s, "claude"), NULL, NULL);
    vbackend_plays(scene_backend(s, "claude"), play_head(200, "content-type: text/event-stream"),
                   play_text("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"opus\","
                             "\"usage\":{\"input_tokens\":10,\"output_tokens\":1}}}\n\n"),
                   play_text("event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{},\"usage\":{"
                             "\"input_tokens\":1000,\"output_tokens\":20}}\n\n"),
                   play_text("event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{},\"usage\":{"
                             "\"output_tokens\":60}}\n\n"),
                   play_text("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"), play_end());
    scene_asks(s, (struct ask){.api = API_MESSAGES, .stream = true});
    scene_rest(s);
    assert_int_equal(scene_row(s, 0)->input_tokens, 1000);
    assert_int_equal(scene_row(s, 0)->output_tokens, 60);
    assert_int_equal(scene_row(s, 0)->cost, MICRO(1000 * 5 + 60 * 25));
    scene_passed(s);
}

/* An engine that leaves message_start out tells the output only: the input is estimated, and nothing looks free. */
static void
a_message_without_its_start_is_estimated(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 9});

    vbackend_decides(scene_backend(s, "claude"), NULL, NULL);
    vbackend_plays(scene_backend(s, "claude"), play_head(200, "content-type: text/event-stream"),
                   play_text("event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{},\"usage\":{"
                             "\"output_tokens\":60}}\n\n"),
                   play_text("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"), play_end());
    scene_asks(s, (struct ask){.api = API_MESSAGES, .stream = true});
    scene_rest(s);
    assert_int_equal(scene_row(s, 0)->output_tokens, 60);
    assert_true(scene_row(s, 0)->input_tokens > 0);
    assert_row_is(s, 0, exactness, "estimated");
    assert_int_equal(scene_row(s, 0)->cost, MICRO(scene_row(s, 0)->input_tokens * 5 + 60 * 25));
    scene_passed(s);
}

/* Scenario 7: another target served than the reference: what served is priced, and what it cost more shows. */
static void
what_served_is_priced(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 7});
    struct vclient *c;

    vbackend_set_refusing(scene_backend(s, "alpha"), true);
    c = scene_asks(s, (struct ask){.api = API_CHAT});
    scene_rest(s);
    assert_row_is(s, 0, backend, "beta");
    assert_row_is(s, 0, model_served, "big");
    assert_row_is(s, 0, model_asked, "assistant");
    assert_int_equal(scene_row(s, 0)->cost, usual_on_beta);
    assert_int_equal(scene_row(s, 0)->baseline, usual_on_alpha);
    assert_slice_is(vclient_header(c, "x-equipoise-model"), "beta/big");
    assert_slice_is(vclient_header(c, "x-equipoise-cost-usd"), "0.00372");
    assert_slice_is(vclient_header(c, "x-equipoise-saved-usd"), "-0.00124");
    scene_passed(s);
}

/* Scenario 10: each attempt at its own model's price; what was cut is not free. */
static void
each_attempt_is_priced_at_its_own_model(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 10});
    const struct row *row;

    vbackend_decides(scene_backend(s, "alpha"), NULL, NULL);
    vbackend_plays(scene_backend(s, "alpha"), play_head(200, "content-type: application/json"),
                   play_text("{\"choices\":[{\"message\":{\"content\":\"half an ans"), play_cut());
    scene_asks(s, (struct ask){.api = API_CHAT});
    scene_rest(s);
    row = scene_row(s, 0);
    assert_row_is(s, 0, state, "ok");
    assert_int_equal(row->attempts, 2);
    assert_int_equal(row->try_count, 2);
    assert_slice_is(row->tries[0].target, "alpha/big");
    assert_slice_is(row->tries[0].state, "failed");
    assert_true(row->tries[0].cost > 0);
    assert_slice_is(row->tries[1].target, "beta/big");
    assert_slice_is(row->tries[1].state, "ok");
    assert_int_equal(row->tries[1].cost, usual_on_beta);
    assert_int_equal(row->cost, row->tries[0].cost + usual_on_beta);
    scene_passed(s);
}

/* Scenario 10: an answer that says it failed is not billed; the one that follows is. */
static void
refused_attempts_cost_nothing(void **state)
{
    static const unsigned statuses[] = {429, 500, 503, 529};

    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        struct scene *s = scene_new(state, (struct scene_options){.seed = i});

        scene_provider(s, "alpha")->status = statuses[i];
        scene_asks(s, (struct ask){.stream = i % 2 == 1});
        scene_rest(s);
        assert_int_equal(scene_row(s, 0)->try_count, 2);
        assert_int_equal(scene_row(s, 0)->tries[0].cost, 0);
        assert_int_equal(scene_row(s, 0)->tries[0].status, statuses[i]);
        assert_slice_is(scene_row(s, 0)->tries[0].state, "failed");
        assert_int_equal(scene_row(s, 0)->cost, usual_on_beta);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* A stream cannot know its cost in the head; it tells it in a comment before its end, if asked. */
static void
a_stream_tells_its_cost_if_asked(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 11});
    struct vclient *c = scene_asks(s, (struct ask){.stream = true, .headers = "x-equipoise-include: cost\n"});

    scene_rest(s);
    assert_null(vclient_header(c, "x-equipoise-cost-usd").data);
    assert_contains(vclient_body(c), "cost-usd=0.00248\n\ndata: [DONE]");
    assert_int_equal(scene_row(s, 0)->cost, usual_on_alpha);
    scene_passed(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_stream_costs_what_a_buffered_answer_costs, scene_teardown),
        cmocka_unit_test_teardown(embeddings_cost_their_input, scene_teardown),
        cmocka_unit_test_teardown(without_usage_the_cost_is_estimated_never_zero, scene_teardown),
        cmocka_unit_test_teardown(a_model_without_a_price_is_unpriced, scene_teardown),
        cmocka_unit_test_teardown(reasoning_is_part_of_the_output, scene_teardown),
        cmocka_unit_test_teardown(the_last_usage_of_a_message_wins, scene_teardown),
        cmocka_unit_test_teardown(a_message_without_its_start_is_estimated, scene_teardown),
        cmocka_unit_test_teardown(what_served_is_priced, scene_teardown),
        cmocka_unit_test_teardown(each_attempt_is_priced_at_its_own_model, scene_teardown),
        cmocka_unit_test_teardown(refused_attempts_cost_nothing, scene_teardown),
        cmocka_unit_test_teardown(a_stream_tells_its_cost_if_asked, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
