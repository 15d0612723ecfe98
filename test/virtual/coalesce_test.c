/* Equal requests that are under way at the same time (lever coalesce), on several workers: one call, every byte for
 * each, one bill for all. */
#include "scene.h"

enum { MEMBERS = 7, WORKERS = 3 };

static const char setting[] =
    "backends:\n"
    "  alpha:  { url: \"http://alpha.example\", models: [ big ] }\n"
    "  claude: { url: \"http://claude.example\", dialect: anthropic, models: [ opus ] }\n"
    "routes:\n"
    "  assistant: { reference: alpha/big, repeatable: yes, levers: { coalesce: on } }\n"
    "  writer:    { reference: claude/opus, repeatable: yes, levers: { coalesce: on } }\n"
    "prices:\n"
    "  override:\n"
    "    alpha/big:   { input: $2/M, output: $8/M, cache_read: $0.50/M }\n"
    "    claude/opus: { input: $5/M, output: $25/M, cache_read: $0.50/M, cache_write: $6.25/M }\n";

static struct scene *
opens(void **state, uint64_t seed)
{
    return scene_new(state, (struct scene_options){
                                .seed = seed, .workers = WORKERS, .config = setting, .split_answers = seed % 2 == 1});
}

static void
asks(struct scene *s, struct ask ask, struct vclient *clients[MEMBERS], usec apart_us)
{
    for (unsigned i = 0; i < MEMBERS; i++) {
        ask.client.worker = i % WORKERS;
        ask.client.after_us = (usec)i * apart_us;
        clients[i] = scene_asks(s, ask);
    }
}

/* Who followed, and that all of them together pay what the one call cost. */
static void
assert_one_bill(struct scene *s, const char *backend, usd cost)
{
    unsigned followed = 0;
    usd sum = 0;

    assert_int_equal(vbackend_seen_count(scene_backend(s, backend)), 1);
    assert_int_equal(s->row_count, MEMBERS);
    for (size_t i = 0; i < MEMBERS; i++) {
        followed += slice_is(scene_row(s, i)->source, "shared");
        sum += scene_row(s, i)->cost;
    }
    assert_int_equal(followed, MEMBERS - 1);
    assert_int_equal(sum, cost);
}

/* Scenario 34: whatever the stream is cut into, and whenever one comes, each gets every byte that one alone would. */
static void
a_shared_stream_may_be_cut_anywhere(void **state)
{
    static const struct {
        enum api api;
        const char *backend;
        usd cost;
    } apis[] = {{API_CHAT, "alpha", (usd)1000 * 2000000 + 60 * 8000000},
                {API_RESPONSES, "alpha", (usd)1000 * 2000000 + 60 * 8000000},
                {API_MESSAGES, "claude", (usd)1000 * 5000000 + 60 * 25000000}};

    for (unsigned i = 0; i < 3 * 3 * 2; i++) {
        size_t api = i % 3;
        struct scene *s = opens(state, i);
        struct provider *p = scene_provider(s, apis[api].backend);
        struct vclient *clients[MEMBERS];
        struct buffer expected;

        p->line_end = (enum line_end)(i / 3 % 3);
        p->byte_by_byte = p->pings = true;
        p->multi_line = i >= 9;
        asks(s, (struct ask){.api = apis[api].api, .stream = true, .wants_usage = apis[api].api == API_CHAT}, clients,
             40 * USEC_PER_MS);
        scene_rest(s);
        expected = provider_answer(p, apis[api].api, true, api == 2 ? "opus" : "big");
        for (size_t member = 0; member < MEMBERS; member++) {
            assert_true(vclient_done(clients[member]));
            assert_true(slice_equal(vclient_body(clients[member]), buffer_content(&expected)));
        }
        assert_one_bill(s, apis[api].backend, apis[api].cost);
        buffer_free(&expected);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Scenario 31: parallel calls of tools keep their ids and names for all. */
static void
tool_calls_are_shared(void **state)
{
    static const char tools[] =
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"call_a\",\"function\":{"
        "\"name\":\"f\",\"arguments\":\"\"}},{\"index\":1,\"id\":\"call_b\",\"function\":{\"name\":\"g\","
        "\"arguments\":\"\"}}]}}]}\n\n"
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":1,\"function\":{\"arguments\":\"{}\"}}"
        "]}}]}\n\n";
    static const char rest[] =
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n"
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":9}}\n\ndata: [DONE]\n\n";
    struct scene *s = opens(state, 31);
    struct vclient *clients[MEMBERS];
    struct buffer expected = {0};

    buffer_printf(&expected, "%s%s", tools, rest);
    vbackend_decides(scene_backend(s, "alpha"), NULL, NULL);
    vbackend_plays(scene_backend(s, "alpha"), play_wait(50 * USEC_PER_MS),
                   play_head(200, "content-type: text/event-stream"), play_text(tools), play_wait(50 * USEC_PER_MS),
                   play_text(rest), play_end());
    asks(s, (struct ask){.stream = true, .wants_usage = true}, clients, 10 * USEC_PER_MS);
    scene_rest(s);
    for (size_t member = 0; member < MEMBERS; member++)
        assert_true(slice_equal(vclient_body(clients[member]), buffer_content(&expected)));
    assert_one_bill(s, "alpha", 9 * 2000000 + 9 * 8000000);
    buffer_free(&expected);
    scene_passed(s);
}

/* Another lever chose who answers: what that saved is its own, also in the rows of those who followed. */
static void
who_chose_the_target_is_named_for_followers(void **state)
{
    static const char cheaper[] = "backends:\n"
                                  "  alpha: { url: \"http://alpha.example\", models: [ big ] }\n"
                                  "  beta:  { url: \"http://beta.example\", models: [ big ] }\n"
                                  "routes:\n"
                                  "  assistant: { reference: alpha/big, candidates: [ beta/big ], repeatable: yes,\n"
                                  "               levers: { alternatives: on, coalesce: on } }\n"
                                  "prices:\n"
                                  "  override:\n"
                                  "    alpha/big: { input: $2/M, output: $8/M, cache_read: $0.50/M }\n"
                                  "    beta/big:  { input: $1/M, output: $4/M, cache_read: $0.25/M }\n";
    struct scene *s = scene_new(state, (struct scene_options){.seed = 36, .workers = WORKERS, .config = cheaper});
    const usd call = (usd)1000 * 1000000 + 60 * 4000000;
    struct vclient *clients[MEMBERS];

    asks(s, (struct ask){.stream = true}, clients, USEC_PER_MS);
    scene_rest(s);
    assert_one_bill(s, "beta", call);
    for (size_t i = 0; i < MEMBERS; i++) {
        const struct row *row = scene_row(s, i);

        assert_int_equal(row->saving_count, 2);
        assert_slice_is(row->savings[0].lever, "alternatives");
        assert_int_equal(row->savings[0].saved, call);
        assert_slice_is(row->savings[1].lever, "coalesce");
    }
    scene_passed(s);
}

/* The leader goes at any moment: the others get everything, and pay it. */
static void
the_leader_may_leave(void **state)
{
    for (usec leaves_us = 10 * USEC_PER_MS; leaves_us < 300 * USEC_PER_MS; leaves_us += 10 * USEC_PER_MS) {
        struct scene *s = opens(state, (uint64_t)leaves_us);
        struct vclient *leader = scene_asks(s, (struct ask){.stream = true, .client = {.leaves_after_us = leaves_us}});
        struct vclient *clients[MEMBERS];
        usd sum = 0;

        asks(s, (struct ask){.stream = true}, clients, USEC_PER_MS);
        scene_rest(s);
        assert_true(vclient_left(leader));
        for (size_t i = 0; i < MEMBERS; i++) {
            assert_true(vclient_done(clients[i]));
            assert_true(slice_equal(vclient_body(clients[i]), vclient_body(clients[0])));
        }
        assert_true(slice_ends(vclient_body(clients[0]), "data: [DONE]\n\n"));
        assert_int_equal(vbackend_seen_count(scene_backend(s, "alpha")), 1);
        for (size_t i = 0; i < s->row_count; i++)
            sum += scene_row(s, i)->cost;
        assert_int_equal(sum, (usd)1000 * 2000000 + 60 * 8000000);
        scene_passed(s);
        scene_free(s, state);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_shared_stream_may_be_cut_anywhere, scene_teardown),
        cmocka_unit_test_teardown(tool_calls_are_shared, scene_teardown),
        cmocka_unit_test_teardown(who_chose_the_target_is_named_for_followers, scene_teardown),
        cmocka_unit_test_teardown(the_leader_may_leave, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
