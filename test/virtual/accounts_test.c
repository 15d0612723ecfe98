/* Several accounts at one provider, each with its own rate limits, which are respected before they bite. */
#include "scene.h"

static const char two_accounts[] =
    "backends:\n"
    "  hosted:\n"
    "    url: \"http://hosted.example\"\n"
    "    models: [ big ]\n"
    "    accounts:\n"
    "      one: { key: $KEY_ONE, limits: [ 4 requests/minute, 100k tokens/minute ] }\n"
    "      two: { key: $KEY_TWO, limits: 4 requests/minute }\n"
    "  spare: { url: \"http://spare.example\", models: [ big ] }\n"
    "routes:\n"
    "  alone: { reference: hosted/big }\n"
    "  assistant: { reference: hosted/big, candidates: [ spare/big ], levers: { alternatives: on } }\n"
    "prices:\n"
    "  override:\n"
    "    hosted/big: { input: $1/M, output: $4/M }\n"
    "    spare/big: { input: $2/M, output: $8/M }\n";

static const char one_limit[] = "backends:\n"
                                "  hosted: { url: \"http://hosted.example\", models: [ big ], key: $KEY_ONE,\n"
                                "            limits: 100 tokens/minute }\n"
                                "routes:\n"
                                "  alone: { reference: hosted/big }\n"
                                "prices: { override: { hosted/big: { input: $1/M, output: $4/M } } }\n";

static unsigned
sent_with(struct scene *s, const char *key)
{
    const struct vbackend *backend = scene_backend(s, "hosted");
    unsigned count = 0;

    for (size_t i = 0; i < vbackend_seen_count(backend); i++)
        count += slice_is(vbackend_seen_header(backend, i, "authorization"), key);
    return count;
}

/* The account with room serves; when none has room another backend does, and the provider never has to refuse. */
static void
the_account_with_room_serves(void **state)
{
    for (uint64_t seed = 0; seed < 6; seed++) {
        struct scene *s = scene_new(
            state, (struct scene_options){.seed = seed, .workers = 1 + (unsigned)seed % 3, .config = two_accounts});

        for (unsigned i = 0; i < 12; i++)
            scene_asks(s, (struct ask){.model = "assistant", .stream = i % 2 == 0});
        scene_rest(s);
        for (size_t i = 0; i < 12; i++)
            assert_row_is(s, i, state, "ok");
        assert_int_equal(sent_with(s, "Bearer sk-one"), 4);
        assert_int_equal(sent_with(s, "Bearer sk-two"), 4);
        assert_int_equal(vbackend_seen_count(scene_backend(s, "spare")), 4);
        assert_int_equal(gateway_count(&s->gateway, COUNT_ATTEMPTS_FAILED), 0);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Nothing else is acceptable: the client is told when, truthfully; and then there is room. */
static void
the_client_is_told_when_there_is_room(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 7, .config = two_accounts});
    struct vclient *c;
    unsigned wait_s;
    struct slice told;

    for (unsigned i = 0; i < 8; i++)
        scene_asks(s, (struct ask){.model = "alone"});
    scene_rest(s);
    c = scene_asks(s, (struct ask){.model = "alone"});
    scene_rest(s);
    assert_int_equal(vclient_status(c), 429);
    told = vclient_header(c, "retry-after");
    assert_true(told.len > 0);
    wait_s = (unsigned)strtoul(told.data, NULL, 10);
    assert_in_range(wait_s, 50, 62);
    assert_int_equal(vbackend_seen_count(scene_backend(s, "hosted")), 8);
    history_run_for(s->history, (usec)wait_s * USEC_PER_S);
    c = scene_asks(s, (struct ask){.model = "alone"});
    scene_rest(s);
    assert_int_equal(vclient_status(c), 200);
    scene_passed(s);
}

/* A short time without room is waited for. */
static void
a_short_wait_serves(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 8, .config = two_accounts});
    struct vclient *c;

    for (unsigned i = 0; i < 8; i++)
        scene_asks(s, (struct ask){.model = "alone"});
    scene_rest(s);
    history_run_for(s->history, 57 * USEC_PER_S);
    c = scene_asks(s, (struct ask){.model = "alone"});
    scene_rest(s);
    assert_int_equal(vclient_status(c), 200);
    assert_int_equal(gateway_count(&s->gateway, COUNT_RETRY_WAITS), 1);
    scene_passed(s);
}

/* Scenario 17: 100 tokens a minute, and five who ask at once, on several workers: not 663. */
static void
a_hundred_tokens_are_a_hundred(void **state)
{
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct scene *s = scene_new(
            state, (struct scene_options){.seed = seed, .workers = 1 + (unsigned)seed % 4, .config = one_limit});
        unsigned served = 0;

        scene_provider(s, "hosted")->input = 30;
        scene_provider(s, "hosted")->output = 10;
        for (unsigned i = 0; i < 5; i++)
            scene_asks(s, (struct ask){.model = "alone", .more = "\"max_tokens\": 10"});
        scene_rest(s);
        for (size_t i = 0; i < s->row_count; i++)
            served += slice_is(scene_row(s, i)->state, "ok");
        assert_in_range(served, 1, 2);
        assert_int_equal(vbackend_seen_count(scene_backend(s, "hosted")), served);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* A conversation stays with its account as long as that has room. */
static void
a_conversation_keeps_its_account(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 9, .config = two_accounts});
    struct slice first;

    for (unsigned i = 0; i < 4; i++) {
        scene_asks(s, (struct ask){.model = "alone", .headers = "x-session-id: the-same\n"});
        scene_rest(s);
    }
    first = vbackend_seen_header(scene_backend(s, "hosted"), 0, "authorization");
    assert_int_equal(sent_with(s, slice_is(first, "Bearer sk-one") ? "Bearer sk-one" : "Bearer sk-two"), 4);
    scene_passed(s);
}

/* One account's money is used up: the other serves, in the same request. */
static void
no_money_in_one_account_is_none_of_the_others(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 10, .config = two_accounts});
    struct vbackend *hosted = scene_backend(s, "hosted");
    struct vclient *c;

    vbackend_decides(hosted, NULL, NULL);
    vbackend_plays(hosted, play_head(402, "content-type: application/json\n"),
                   play_text("{\"error\":{\"message\":\"Insufficient credits\",\"code\":402}}"), play_end());
    vbackend_plays(hosted, play_head(200, "content-type: application/json\n"), play_text("{\"choices\":[]}"),
                   play_end());
    c = scene_asks(s, (struct ask){.model = "alone"});
    scene_rest(s);
    assert_int_equal(vclient_status(c), 200);
    assert_int_equal(sent_with(s, "Bearer sk-one"), 1);
    assert_int_equal(sent_with(s, "Bearer sk-two"), 1);
    scene_passed(s);
}

/* A 429 that is about one key leaves the other alone. */
static void
a_rest_of_one_account_is_none_of_the_others(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 11, .config = two_accounts});
    struct vbackend *hosted = scene_backend(s, "hosted");
    struct vclient *c;

    vbackend_decides(hosted, NULL, NULL);
    vbackend_plays(hosted, play_head(429, "content-type: application/json\nretry-after: 30\n"),
                   play_text("{\"error\":{\"message\":\"Rate limit reached\"}}"), play_end());
    vbackend_plays(hosted, play_head(200, "content-type: application/json\n"), play_text("{\"choices\":[]}"),
                   play_end());
    for (unsigned i = 0; i < 3; i++) {
        c = scene_asks(s, (struct ask){.model = "alone"});
        scene_rest(s);
        assert_int_equal(vclient_status(c), 200);
    }
    assert_int_equal(vbackend_seen_count(hosted), 4);
    assert_int_equal(gateway_count(&s->gateway, COUNT_RETRY_WAITS), 0);
    scene_passed(s);
}

/* What an answer says of what is left holds for who comes next, without any configuration. */
static void
what_an_answer_tells_is_respected(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 12});
    struct vbackend *alpha = scene_backend(s, "alpha");

    vbackend_decides(alpha, NULL, NULL);
    vbackend_plays(alpha,
                   play_head(200, "content-type: application/json\nx-ratelimit-limit-requests: 100\n"
                                  "x-ratelimit-remaining-requests: 0\nx-ratelimit-reset-requests: 10m0s\n"),
                   play_text("{\"choices\":[]}"), play_end());
    scene_asks(s, (struct ask){.model = "assistant"});
    scene_rest(s);
    assert_row_is(s, 0, backend, "alpha");
    scene_asks(s, (struct ask){.model = "assistant"});
    scene_rest(s);
    assert_row_is(s, 1, state, "ok");
    assert_row_is(s, 1, backend, "beta");
    assert_int_equal(vbackend_seen_count(alpha), 1);
    history_run_for(s->history, 7 * USEC_PER_S); /* one in six seconds grows back */
    scene_asks(s, (struct ask){.model = "alpha/big"});
    scene_rest(s);
    assert_row_is(s, 2, backend, "alpha");
    scene_passed(s);
}

/* Whatever becomes of a request, what it took and did not use is free again: a client that leaves at any step. */
static void
what_was_taken_is_given_back(void **state)
{
    uint64_t step = 1;
    bool reached = true;

    for (; reached && step < 400; step++) {
        struct scene *s = scene_new(state, (struct scene_options){.seed = step, .config = two_accounts});

        history_plan_fault(s->history, (struct fault){.kind = FAULT_CLIENT_LEAVES, .step = step});
        scene_asks(s, (struct ask){.model = "alone"});
        scene_rest(s);
        reached = history_steps(s->history) >= step;
        assert_true(s->row_count <= 1);
        /* Never sent: four are still free at the one, or at the other. */
        if (vbackend_seen_count(scene_backend(s, "hosted")) == 0 && vbackend_opened(scene_backend(s, "hosted")) == 0) {
            for (unsigned i = 0; i < 8; i++)
                scene_asks(s, (struct ask){.model = "alone"});
            scene_rest(s);
            assert_int_equal(vbackend_seen_count(scene_backend(s, "hosted")), 8);
        }
        scene_passed(s);
        scene_free(s, state);
    }
    assert_false(reached);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_account_with_room_serves, scene_teardown),
        cmocka_unit_test_teardown(the_client_is_told_when_there_is_room, scene_teardown),
        cmocka_unit_test_teardown(a_short_wait_serves, scene_teardown),
        cmocka_unit_test_teardown(a_hundred_tokens_are_a_hundred, scene_teardown),
        cmocka_unit_test_teardown(a_conversation_keeps_its_account, scene_teardown),
        cmocka_unit_test_teardown(no_money_in_one_account_is_none_of_the_others, scene_teardown),
        cmocka_unit_test_teardown(a_rest_of_one_account_is_none_of_the_others, scene_teardown),
        cmocka_unit_test_teardown(what_an_answer_tells_is_respected, scene_teardown),
        cmocka_unit_test_teardown(what_was_taken_is_given_back, scene_teardown),
    };

    setenv("KEY_ONE", "sk-one", 1);
    setenv("KEY_TWO", "sk-two", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
