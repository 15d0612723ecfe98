/* Requests with an Idempotency-Key: made once, answered as often as they are repeated. */
#include "scene.h"

#include <stdio.h>

#define ONE "idempotency-key: one\n"

static struct vclient *
asks_with(struct scene *s, const char *headers, struct ask ask)
{
    ask.headers = headers;
    return scene_asks(s, ask);
}

static struct vclient *
answer_with(struct scene *s, const char *headers, struct ask ask)
{
    struct vclient *client = asks_with(s, headers, ask);

    scene_rest(s);
    return client;
}

static size_t
calls(struct scene *s)
{
    return vbackend_seen_count(scene_backend(s, "alpha")) + vbackend_seen_count(scene_backend(s, "beta"));
}

static void
assert_same_bytes(const struct vclient *a, const struct vclient *b)
{
    assert_true(vclient_body(a).len > 0);
    assert_true(slice_equal(vclient_body(a), vclient_body(b)));
    assert_int_equal(vclient_status(a), vclient_status(b));
    assert_true(slice_equal(vclient_header(a, "content-type"), vclient_header(b, "content-type")));
}

/* Buffered and streamed, with and without usage, to a client that reads slowly. */
static void
a_repetition_gets_the_same_bytes_for_nothing(void **state)
{
    static const struct ask asks[] = {
        {.api = API_CHAT},
        {.api = API_CHAT, .stream = true},
        {.api = API_CHAT, .stream = true, .wants_usage = true},
        {.api = API_RESPONSES, .stream = true},
        {.api = API_EMBEDDINGS},
    };

    for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
        struct scene *s = scene_new(state, (struct scene_options){.seed = i, .split_answers = i % 2 == 0});
        struct vclient *first = answer_with(s, ONE, asks[i]), *second, *third;
        struct ask slow = asks[i];

        slow.client = (struct vclient_script){.window = 64, .read_len = 20, .read_gap_us = USEC_PER_MS};
        second = answer_with(s, ONE, asks[i]);
        third = answer_with(s, ONE, slow);
        assert_int_equal(vclient_status(first), 200);
        assert_same_bytes(first, second);
        assert_same_bytes(first, third);
        assert_int_equal(vclient_header(first, "idempotent-replayed").len, 0);
        assert_slice_is(vclient_header(second, "idempotent-replayed"), "true");
        assert_slice_is(vclient_header(third, "idempotent-replayed"), "true");
        assert_slice_is(vclient_header(second, "x-equipoise-source"), "replayed");
        assert_true(
            slice_equal(vclient_header(first, "x-equipoise-model"), vclient_header(second, "x-equipoise-model")));
        assert_false(slice_equal(vclient_header(first, "x-equipoise-id"), vclient_header(second, "x-equipoise-id")));
        assert_int_equal(calls(s), 1);
        assert_true(scene_row(s, 0)->cost > 0);
        for (size_t row = 1; row < 3; row++) {
            assert_row_is(s, row, state, "ok");
            assert_row_is(s, row, source, "replayed");
            assert_row_is(s, row, exactness, "exact");
            assert_true(scene_row(s, row)->cost == 0 && scene_row(s, row)->baseline == 0);
            assert_int_equal(scene_row(s, row)->attempts, 0);
            assert_int_equal(scene_row(s, row)->input_tokens, 0);
            assert_int_equal(scene_row(s, row)->answer_bytes, scene_row(s, 0)->answer_bytes);
            assert_contains(scene_row(s, row)->why, "once more");
        }
        assert_int_equal(gateway_count(&s->gateway, COUNT_REPLAYED), 2);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Whichever worker they reach. */
static void
a_repetition_while_the_first_is_under_way_waits_its_turn(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 2, .workers = 3});
    struct vclient *first, *second, *third;

    first = asks_with(s, ONE, (struct ask){.stream = true});
    history_run_until(s->history, vbackend_working(scene_backend(s, "alpha")));
    second = asks_with(s, ONE, (struct ask){.stream = true, .client = {.worker = 1}});
    scene_rest(s);
    assert_int_equal(vclient_status(first), 200);
    assert_int_equal(vclient_status(second), 409);
    assert_slice_is(vclient_header(second, "retry-after"), "1");
    assert_int_equal(vclient_header(second, "x-should-retry").len, 0); /* SDKs come again after 409 */
    third = answer_with(s, ONE, (struct ask){.stream = true, .client = {.worker = 2}});
    assert_same_bytes(first, third);
    assert_int_equal(calls(s), 1);
    for (size_t i = 0; i < 3; i++)
        assert_true((scene_row(s, i)->cost > 0) == (scene_row(s, i)->status == 200 && scene_row(s, i)->attempts == 1));
    assert_row_is(s, 1, state, "refused"); /* the second worker's */
    assert_int_equal(gateway_count(&s->gateway, COUNT_IDEMPOTENCY_BUSY), 1);
    scene_passed(s);
}

static void
a_key_stands_for_one_request(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 3});
    char longest[300] = "idempotency-key: ";

    assert_int_equal(vclient_status(answer_with(s, ONE, (struct ask){.api = API_CHAT})), 200);
    assert_int_equal(vclient_status(answer_with(s, ONE, (struct ask){.more = "\"temperature\": 0"})), 422);
    assert_contains(scene_row(s, 1)->why, "another request");
    assert_row_is(s, 1, state, "invalid");
    assert_int_equal(
        vclient_status(answer_with(s, ONE,
                                   (struct ask){.api = API_COMPLETIONS,
                                                .body = "{\"model\": \"assistant\", \"messages\": [{\"role\": "
                                                        "\"user\", \"content\": \"tell me a story\"}]}"})),
        422); /* the same bytes, but another question */
    assert_int_equal(vclient_status(answer_with(s, "idempotency-key: two\n", (struct ask){.api = API_CHAT})), 200);
    assert_int_equal(calls(s), 2);
    memset(longest + 17, 'x', 256);
    memcpy(longest + 17 + 256, "\n", 2);
    assert_int_equal(vclient_status(answer_with(s, longest, (struct ask){.api = API_CHAT})), 400);
    assert_int_equal(vclient_status(answer_with(s, "idempotency-key:\n", (struct ask){.api = API_CHAT})), 200);
    assert_int_equal(vclient_status(answer_with(s, NULL, (struct ask){.api = API_CHAT})), 200);
    assert_int_equal(calls(s), 4);
    scene_passed(s);
}

/* Two customers may well choose the same key, and so may two applications of one customer. */
static void
keys_are_their_owners_own(void **state)
{
    static const char *const tenants[] = {"rival", "acme"};
    struct digest digest = hash_sha256(SLICE_LITERAL("sk-of-the-rival"));
    char hex[65], more[256];

    text_format_hex(slice_make((const char *)digest.bytes, sizeof(digest.bytes)), hex);
    for (size_t i = 0; i < 2; i++) {
        struct scene *s;
        struct vclient *ours, *theirs;

        snprintf(more, sizeof(more), "  rival: { sha256: \"%s\", tenant: %s }\n", hex, tenants[i]);
        s = scene_new(state, (struct scene_options){.seed = 4, .more = more});
        ours = answer_with(s, ONE, (struct ask){.api = API_CHAT});
        theirs = answer_with(s, ONE, (struct ask){.key = "sk-of-the-rival"});
        assert_int_equal(vclient_status(ours), 200);
        assert_int_equal(vclient_status(theirs), 200);
        assert_int_equal(vclient_header(theirs, "idempotent-replayed").len, 0);
        assert_int_equal(calls(s), 2);
        theirs = answer_with(s, ONE, (struct ask){.key = "sk-of-the-rival", .more = "\"seed\": 1"});
        assert_int_equal(vclient_status(theirs), 422);
        scene_passed(s);
        scene_free(s, state);
    }
}

static void
what_failed_may_be_asked_again(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 5});
    struct vclient *c;

    scene_provider(s, "alpha")->status = scene_provider(s, "beta")->status = 500;
    assert_int_equal(vclient_status(answer_with(s, ONE, (struct ask){.api = API_CHAT})), 500);
    scene_provider(s, "alpha")->status = scene_provider(s, "beta")->status = 400;
    assert_int_equal(vclient_status(answer_with(s, ONE, (struct ask){.api = API_CHAT})), 400);
    scene_provider(s, "alpha")->status = scene_provider(s, "beta")->status = 0;
    scene_provider(s, "alpha")->cut_after = scene_provider(s, "beta")->cut_after = 3;
    c = answer_with(s, "idempotency-key: stream\n", (struct ask){.stream = true});
    assert_contains(vclient_body(c), "\"error\"");
    scene_provider(s, "alpha")->cut_after = scene_provider(s, "beta")->cut_after = 0;
    c = answer_with(s, "idempotency-key: stream\n", (struct ask){.stream = true, .client = {.leaves_at_text = "w2 "}});
    assert_true(vclient_left(c));
    c = answer_with(s, "idempotency-key: stream\n", (struct ask){.stream = true});
    assert_int_equal(vclient_header(c, "idempotent-replayed").len, 0);
    assert_contains(vclient_body(c), "[DONE]");
    c = answer_with(s, ONE, (struct ask){.api = API_CHAT});
    assert_int_equal(vclient_status(c), 200);
    assert_int_equal(vclient_header(c, "idempotent-replayed").len, 0);
    scene_passed(s);
}

/* An error within a stream of status 200 is no success, though the stream ends as it should. */
static void
an_error_event_frees_the_key(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 11});
    struct vclient *c;

    vbackend_decides(scene_backend(s, "claude"), NULL, NULL);
    vbackend_plays(scene_backend(s, "claude"), play_head(200, "content-type: text/event-stream"),
                   play_text("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
                             "\"message\":\"Overloaded\"}}\n\n"),
                   play_end());
    for (unsigned i = 0; i < 2; i++) {
        c = answer_with(s, ONE, (struct ask){.api = API_MESSAGES, .stream = true});
        assert_contains(vclient_body(c), "overloaded_error");
        assert_int_equal(vclient_header(c, "idempotent-replayed").len, 0);
        assert_row_is(s, i, state, "upstream failed");
    }
    assert_int_equal(vbackend_seen_count(scene_backend(s, "claude")), 2);
    scene_passed(s);
}

static void
answers_are_kept_for_a_while(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 6, .more = "idempotency: { keep: 30s }\n"});
    struct vclient *c;

    answer_with(s, ONE, (struct ask){.api = API_CHAT});
    history_run_for(s->history, 29 * USEC_PER_S);
    c = answer_with(s, ONE, (struct ask){.api = API_CHAT});
    assert_slice_is(vclient_header(c, "idempotent-replayed"), "true");
    history_run_for(s->history, 2 * USEC_PER_S);
    c = answer_with(s, ONE, (struct ask){.more = "\"seed\": 1"}); /* not even the key is remembered */
    assert_int_equal(vclient_status(c), 200);
    assert_int_equal(calls(s), 2);
    scene_passed(s);
}

static void
memory_is_bounded(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 7, .more = "idempotency: { memory: 8KiB }\n"});
    char header[64];

    for (unsigned i = 0; i < 40; i++) {
        snprintf(header, sizeof(header), "idempotency-key: k%u\n", i);
        answer_with(s, header, (struct ask){.api = API_CHAT});
        assert_true(s->gateway.kept.len <= 8192);
    }
    answer_with(s, "idempotency-key: k39\n", (struct ask){.api = API_CHAT}); /* the newest are there */
    assert_int_equal(calls(s), 40);
    answer_with(s, "idempotency-key: k0\n", (struct ask){.api = API_CHAT}); /* the oldest are not */
    assert_int_equal(calls(s), 41);
    scene_passed(s);
}

/* More than `limits: answer`: passed on, but not kept. */
static void
long_answers_are_not_kept(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 8, .more = "limits: { answer: 64KiB }\n"});

    scene_provider(s, "alpha")->words = 3000;
    scene_provider(s, "alpha")->word_gap_us = USEC_PER_MS;
    for (unsigned i = 0; i < 2; i++)
        assert_contains(vclient_body(answer_with(s, ONE, (struct ask){.stream = true})), "[DONE]");
    assert_int_equal(calls(s), 2);
    assert_int_equal(s->gateway.kept.len, 0);
    scene_passed(s);
}

/* Our credential is shared by all: a key as the client chose it would be everybody's at the backend. */
static void
backends_do_not_see_the_clients_key(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 9});
    struct ask pass = {.model = "big", .target = "/backend/alpha/v1/chat/completions"};
    struct slice sent;

    answer_with(s, ONE, (struct ask){.api = API_CHAT});
    assert_int_equal(vbackend_seen_header(scene_backend(s, "alpha"), 0, "idempotency-key").len, 0);
    answer_with(s, ONE, pass);
    answer_with(s, ONE, pass);
    sent = vbackend_seen_header(scene_backend(s, "alpha"), 1, "idempotency-key");
    assert_int_equal(sent.len, 64);
    assert_true(slice_equal(sent, vbackend_seen_header(scene_backend(s, "alpha"), 2, "idempotency-key")));
    answer_with(s, "idempotency-key: two\n", pass);
    assert_false(slice_equal(sent, vbackend_seen_header(scene_backend(s, "alpha"), 3, "idempotency-key")));
    scene_passed(s);
}

static void
keys_are_only_passed_on_while_observing(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 10, .more = "observe: yes\n"});

    for (unsigned i = 0; i < 2; i++) {
        struct vclient *c = answer_with(s, ONE, (struct ask){.api = API_CHAT});

        assert_int_equal(vclient_header(c, "idempotent-replayed").len, 0);
        assert_int_equal(vbackend_seen_header(scene_backend(s, "alpha"), i, "idempotency-key").len, 64);
    }
    scene_passed(s);
}

/* Three clicks with one key, struck at every step; whatever happened, the key works at the end, and no two of them were
 * both made to their ends. */

static bool
history_struck_at(void **state, enum fault_kind kind, uint64_t step)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = step, .workers = 2});
    struct vclient *last;
    unsigned made = 0;
    bool reached;

    s->journal_fails = kind == FAULT_APPEND_FAILS;
    history_plan_fault(s->history, (struct fault){.kind = kind, .step = step, .status = ERR_FULL});
    for (unsigned i = 0; i < 3; i++)
        asks_with(s, ONE, (struct ask){.stream = true, .client = {.worker = i % 2, .after_us = i * 210 * USEC_PER_MS}});
    scene_rest(s);
    reached = history_steps(s->history) >= step;
    last = answer_with(s, ONE, (struct ask){.stream = true});
    if (reached)
        assert_contains(vclient_body(last), "[DONE]"); /* else it may have been struck itself */
    for (size_t i = 0; i < s->row_count; i++)
        made += slice_is(s->rows[i].state, "ok") && s->rows[i].attempts > 0;
    if (!s->journal_fails && reached)
        assert_int_equal(made, 1);
    scene_passed(s);
    scene_free(s, state);
    return reached;
}

static void
drops_at_every_step(void **state)
{
    static const enum fault_kind kinds[] = {FAULT_CLIENT_LEAVES, FAULT_CALL_CUT, FAULT_APPEND_FAILS};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        uint64_t step = 1;

        while (history_struck_at(state, kinds[i], step))
            step++;
        assert_true(step > 20);
    }
}

/* Nobody told what the first cost in tokens; the repetition costs nothing all the same, and says so. */
static void
a_repetition_tells_that_it_cost_nothing(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 11});
    struct ask ask = {.api = API_CHAT, .stream = true};
    struct vclient *second;

    scene_provider(s, "alpha")->usage_place = USAGE_NOWHERE;
    answer_with(s, ONE "x-equipoise-include: cost\n", ask);
    second = answer_with(s, ONE "x-equipoise-include: cost\n", ask);
    assert_slice_is(vclient_header(second, "idempotent-replayed"), "true");
    assert_contains(vclient_body(second), "cost-usd=0\n");
    scene_passed(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_repetition_gets_the_same_bytes_for_nothing, scene_teardown),
        cmocka_unit_test_teardown(a_repetition_while_the_first_is_under_way_waits_its_turn, scene_teardown),
        cmocka_unit_test_teardown(a_key_stands_for_one_request, scene_teardown),
        cmocka_unit_test_teardown(keys_are_their_owners_own, scene_teardown),
        cmocka_unit_test_teardown(what_failed_may_be_asked_again, scene_teardown),
        cmocka_unit_test_teardown(an_error_event_frees_the_key, scene_teardown),
        cmocka_unit_test_teardown(answers_are_kept_for_a_while, scene_teardown),
        cmocka_unit_test_teardown(memory_is_bounded, scene_teardown),
        cmocka_unit_test_teardown(long_answers_are_not_kept, scene_teardown),
        cmocka_unit_test_teardown(backends_do_not_see_the_clients_key, scene_teardown),
        cmocka_unit_test_teardown(keys_are_only_passed_on_while_observing, scene_teardown),
        cmocka_unit_test_teardown(drops_at_every_step, scene_teardown),
        cmocka_unit_test_teardown(a_repetition_tells_that_it_cost_nothing, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
