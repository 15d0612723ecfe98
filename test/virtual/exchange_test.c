/* Requests through the real gateway: who may ask, what goes upstream, what comes back, and what is booked when things
 * go wrong. */
#include "scene.h"

/* Keys */

static void
an_unknown_key_gets_401_and_no_row(void **state)
{
    static const char *const keys[] = {"", "sk-wrong"};

    for (size_t i = 0; i < 2; i++) {
        struct scene *s = scene_new(state, (struct scene_options){.seed = 1});
        struct vclient *openai = scene_asks(s, (struct ask){.key = keys[i]});
        struct vclient *anthropic = scene_asks(s, (struct ask){.api = API_MESSAGES, .key = keys[i]});

        scene_rest(s);
        assert_int_equal(vclient_status(openai), 401);
        assert_int_equal(vclient_status(anthropic), 401);
        assert_contains(vclient_body(openai), "{\"error\":{");
        assert_contains(vclient_body(anthropic), "\"authentication_error\"");
        assert_lacks(vclient_body(openai), "sk-wrong");
        assert_int_equal(s->row_count, 0);
        assert_int_equal(gateway_count(&s->gateway, COUNT_UNKNOWN_KEY), 2);
        assert_int_equal(history_appends(s->history), 0);
        assert_int_equal(vbackend_seen_count(scene_backend(s, "alpha")), 0);
        scene_passed(s);
        scene_free(s, state);
    }
}

static void
an_unknown_path_is_refused_without_a_row(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 2});
    struct vclient *path = scene_asks(s, (struct ask){.target = "/v1/nothing"});
    struct vclient *backend = scene_asks(s, (struct ask){.target = "/backend/nobody/v1/x"});
    struct vclient *method = scene_asks(s, (struct ask){.client = {.method = "PUT"}});

    scene_rest(s);
    assert_int_equal(vclient_status(path), 404);
    assert_int_equal(vclient_status(backend), 404);
    assert_int_equal(vclient_status(method), 405);
    assert_int_equal(s->row_count, 0);
    scene_passed(s);
}

/* From here on there is a row, whatever is wrong with the request. */
static void
what_is_wrong_with_a_request_is_said_and_booked(void **state)
{
    static const struct {
        struct ask ask;
        unsigned status;
        const char *words;
    } cases[] = {
        {{.body = "{\"model\": \"assistant\", "}, 400, "JSON"},
        {{.body = "{\"messages\": []}"}, 400, "model"},
        {{.body = "{\"model\": \"assistant\", \"model\": \"writer\", \"messages\": []}"}, 400, "model"},
        {{.model = "asistant"}, 404, "did you mean 'assistant'"},
        {{.body = "{\"model\": \"writer\", \"n\": 2, \"messages\": []}"}, 400, "another API (messages)"},
        {{.client = {.body_breaks = true}}, 400, "framed"},
        {{.client = {.body_stalls = true}}, 408, "slowly"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scene *s = scene_new(state, (struct scene_options){.seed = i});
        struct vclient *c = scene_asks(s, cases[i].ask);

        scene_rest(s);
        assert_int_equal(vclient_status(c), cases[i].status);
        assert_contains(vclient_body(c), cases[i].words);
        assert_int_equal(s->row_count, 1);
        assert_int_equal(scene_row(s, 0)->status, cases[i].status);
        assert_int_equal(scene_row(s, 0)->cost, 0);
        assert_int_equal(vbackend_seen_count(scene_backend(s, "alpha")), 0);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* What goes upstream */

/* Scenario 26: every span that need not change is the same, byte for byte. */
static void
a_body_goes_upstream_as_it_came(void **state)
{
    static const char before[] = "{ \"zeta\":1e5 ,\r\n\t\"model\" :  ";
    static const char after[] = " , \"messages\" : [{\"role\":\"user\",\"content\":\"\\u00e9 \xc3\xa9  \\/ \"}],"
                                "\"tools\":[{\"b\":1,\"a\":2}], \"Model\":\"other\",\"n\":1.0 }\n";
    struct scene *s = scene_new(state, (struct scene_options){.seed = 26});
    struct buffer asked = {0}, expected = {0};

    buffer_printf(&asked, "%s\"assistant\"%s", before, after);
    buffer_printf(&expected, "%s\"big\"%s", before, after);
    scene_asks(s, (struct ask){.client = {.body = buffer_content(&asked), .piece_len = 7}});
    scene_rest(s);
    assert_row_is(s, 0, state, "ok");
    assert_true(slice_equal(vbackend_seen(scene_backend(s, "alpha"), 0).body, buffer_content(&expected)));
    buffer_free(&asked);
    buffer_free(&expected);
    scene_passed(s);
}

/* The same with the usage asked for: what was spliced in apart, nothing changed. */
static void
a_stream_asks_for_usage_and_changes_nothing_else(void **state)
{
    static const char spliced[] = "\"stream_options\":{\"include_usage\":true},";
    static const char rest[] = " ,\"stream\" : true, \"messages\" : [ ] }";
    struct scene *s = scene_new(state, (struct scene_options){.seed = 27});
    struct buffer asked = {0}, expected = {0}, seen = {0};
    struct slice body;
    size_t at;

    buffer_printf(&asked, "{  \"model\":\"assistant\"%s", rest);
    buffer_printf(&expected, "{  \"model\":\"big\"%s", rest);
    scene_asks(s, (struct ask){.client = {.body = buffer_content(&asked)}});
    scene_rest(s);
    body = vbackend_seen(scene_backend(s, "alpha"), 0).body;
    at = slice_find(body, slice_of(spliced));
    assert_true(at < body.len);
    buffer_add(&seen, slice_first(body, at));
    buffer_add(&seen, slice_from(body, at + strlen(spliced)));
    assert_true(slice_equal(buffer_content(&seen), buffer_content(&expected)));
    assert_row_is(s, 0, exactness, "exact");
    buffer_free(&asked);
    buffer_free(&expected);
    buffer_free(&seen);
    scene_passed(s);
}

static void
headers_are_written_afresh(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 28});
    struct vbackend *alpha = scene_backend(s, "alpha");
    struct vclient *c =
        scene_asks(s, (struct ask){.headers = "cookie: secret=1\nconnection: x-hop\nx-hop: 1\n"
                                              "accept-encoding: gzip\nx-equipoise-tags: customer=42\n"
                                              "openai-organization: org-1\nx-forwarded-for: 1.2.3.4\n"});

    scene_rest(s);
    assert_null(vbackend_seen_header(alpha, 0, "cookie").data);
    assert_null(vbackend_seen_header(alpha, 0, "x-hop").data);
    assert_null(vbackend_seen_header(alpha, 0, "x-forwarded-for").data);
    assert_null(vbackend_seen_header(alpha, 0, "x-equipoise-tags").data);
    assert_slice_is(vbackend_seen_header(alpha, 0, "accept-encoding"), "identity");
    assert_slice_is(vbackend_seen_header(alpha, 0, "openai-organization"), "org-1");
    assert_slice_is(vbackend_seen_header(alpha, 0, "content-type"), "application/json");
    assert_lacks(vbackend_seen(alpha, 0).headers, KEY);
    assert_slice_is(vclient_header(c, "content-type"), "application/json");
    assert_slice_is(vclient_header(c, "x-equipoise-source"), "reference");
    assert_slice_is(vclient_header(c, "x-equipoise-model"), "alpha/big");
    assert_slice_is(vclient_header(c, "x-equipoise-cost-usd"), "0.00248");
    assert_slice_is(vclient_header(c, "x-equipoise-saved-usd"), "0");
    assert_int_equal(vclient_header(c, "x-equipoise-id").len, 13);
    assert_true(vclient_header(c, "x-request-id").len > 0);
    assert_row_is(s, 0, tags, "customer=42,feature=search");
    assert_row_is(s, 0, tenant, "acme");
    assert_row_is(s, 0, key_name, "web");
    scene_passed(s);
}

/* Failing over */

static void
a_failed_backend_is_replaced_once(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 40});
    struct vclient *c;

    scene_provider(s, "alpha")->status = 500;
    scene_provider(s, "beta")->status = 500;
    c = scene_asks(s, (struct ask){.api = API_CHAT});
    scene_rest(s);
    assert_int_equal(vclient_status(c), 500); /* the last backend's own words */
    assert_int_equal(vbackend_seen_count(scene_backend(s, "alpha")), 1);
    assert_int_equal(vbackend_seen_count(scene_backend(s, "beta")), 1);
    assert_int_equal(scene_row(s, 0)->attempts, 2);
    assert_row_is(s, 0, state, "upstream failed");
    assert_int_equal(scene_row(s, 0)->cost, 0);
    scene_passed(s);
}

static void
nobody_is_there(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 41});
    struct vclient *c;

    vbackend_set_refusing(scene_backend(s, "alpha"), true);
    vbackend_set_refusing(scene_backend(s, "beta"), true);
    c = scene_asks(s, (struct ask){.stream = true});
    scene_rest(s);
    assert_int_equal(vclient_status(c), 502);
    assert_contains(vclient_body(c), "connection refused");
    assert_row_is(s, 0, state, "upstream failed");
    assert_true(scene_row(s, 0)->attempts <= 3);
    assert_int_equal(scene_row(s, 0)->cost, 0);
    scene_passed(s);
}

/* A kept connection that the peer had closed: any other will do, and nothing is billed for it. */
static void
a_stale_connection_costs_nothing(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 42});
    struct vclient *c;

    scene_asks(s, (struct ask){.api = API_MESSAGES});
    scene_rest(s);
    vbackend_set_stale(scene_backend(s, "claude"), true);
    c = scene_asks(s, (struct ask){.api = API_MESSAGES});
    scene_rest(s);
    assert_int_equal(vclient_status(c), 200);
    assert_row_is(s, 1, state, "ok");
    assert_int_equal(scene_row(s, 1)->attempts, 2);
    assert_int_equal(scene_row(s, 1)->cost, scene_row(s, 0)->cost);
    scene_passed(s);
}

/* Passing through */

static void
passing_through_streams_both_ways(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 50});
    struct buffer bytes = {0};
    struct vclient *c;

    for (int i = 0; i < 20000; i++)
        buffer_printf(&bytes, "line %d of an upload\n", i);
    vbackend_decides(scene_backend(s, "alpha"), NULL, NULL);
    vbackend_plays(scene_backend(s, "alpha"), play_head(201, "content-type: text/plain\ncontent-length: 4"),
                   play_text("done"), play_end());
    c = scene_asks(
        s,
        (struct ask){.target = "/backend/alpha/v1/files?purpose=batch",
                     .client = {.method = "PUT", .body = buffer_content(&bytes), .piece_len = 9999, .chunked = true}});
    scene_rest(s);
    assert_int_equal(vclient_status(c), 201);
    assert_slice_is(vclient_body(c), "done");
    assert_slice_is(vbackend_seen(scene_backend(s, "alpha"), 0).method, "PUT");
    assert_slice_is(vbackend_seen(scene_backend(s, "alpha"), 0).target, "/v1/files?purpose=batch");
    assert_true(slice_equal(vbackend_seen(scene_backend(s, "alpha"), 0).body, buffer_content(&bytes)));
    assert_row_is(s, 0, api, "passthrough");
    assert_row_is(s, 0, exactness, "unpriced"); /* it told no usage: unknown, not free */
    buffer_free(&bytes);
    scene_passed(s);
}

static void
passing_through_is_priced_when_it_tells_usage(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 51});
    struct vclient *c = scene_asks(s, (struct ask){.model = "big", .target = "/backend/alpha/v1/chat/completions"});

    scene_rest(s);
    assert_int_equal(vclient_status(c), 200);
    assert_row_is(s, 0, api, "passthrough");
    assert_row_is(s, 0, model_served, "big");
    assert_int_equal(scene_row(s, 0)->input_tokens, 1000);
    assert_int_equal(scene_row(s, 0)->cost, 2480000000);
    scene_passed(s);
}

/* What has no body stays without one; what only looks costs nothing. */
static void
passing_through_knows_answers_without_a_body(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 52});
    struct vbackend *alpha = scene_backend(s, "alpha");
    struct vclient *deleted, *head, *get;

    vbackend_decides(alpha, NULL, NULL);
    vbackend_plays(alpha, play_head(204, NULL), play_end());
    vbackend_plays(alpha, play_head(200, "content-length: 77\nx-kept: 1"), play_end());
    vbackend_plays(alpha, play_head(200, "content-type: text/plain"), play_text("abc"), play_text("def"), play_end());
    deleted = scene_asks(s, (struct ask){.target = "/backend/alpha/v1/files/1", .client = {.method = "DELETE"}});
    scene_rest(s);
    head = scene_asks(s, (struct ask){.target = "/backend/alpha/v1/files/2", .client = {.method = "HEAD"}});
    scene_rest(s);
    get = scene_asks(s, (struct ask){.target = "/backend/alpha/v1/files/3", .client = {.method = "GET"}});
    scene_rest(s);
    assert_int_equal(vclient_status(deleted), 204);
    assert_int_equal(vclient_status(head), 200);
    assert_int_equal(vclient_body(head).len, 0);
    assert_int_equal(vclient_body_len(head), 77); /* as GET would have */
    assert_slice_is(vclient_header(head, "x-kept"), "1");
    assert_slice_is(vclient_body(get), "abcdef");
    for (size_t i = 0; i < 3; i++) {
        assert_row_is(s, i, exactness, "exact");
        assert_int_equal(scene_row(s, i)->cost, 0);
    }
    scene_passed(s);
}

/* Too large to be held back until it is whole: it goes out as it comes, and is metered all the same. */
static void
a_large_answer_goes_out_as_it_comes(void **state)
{
    static const size_t len = 6 * 1024 * 1024;

    for (int cut = 0; cut < 2; cut++) {
        struct scene *s = scene_new(state, (struct scene_options){.seed = 53});
        struct buffer answer = {0};
        struct vclient *c;

        buffer_add_text(&answer, "{\"model\":\"embedder\",\"data\":[\"");
        while (buffer_len(&answer) < len)
            buffer_add_text(&answer, "0123456789");
        buffer_add_text(&answer, "\"],\"usage\":{\"prompt_tokens\":5000,\"total_tokens\":5000}}");
        vbackend_decides(scene_backend(s, "alpha"), NULL, NULL);
        vbackend_plays(scene_backend(s, "alpha"), play_head(200, "content-type: application/json"),
                       play_bytes(slice_first(buffer_content(&answer), len - 1000)), cut ? play_cut() : play_wait(1),
                       play_bytes(slice_from(buffer_content(&answer), len - 1000)), play_end());
        c = scene_asks(s, (struct ask){.api = API_EMBEDDINGS, .client = {.read_len = 100000, .read_gap_us = 1000}});
        scene_rest(s);
        if (cut) {
            assert_true(vclient_cut(c)); /* it must not take it for whole */
            assert_row_is(s, 0, state, "cut");
        } else {
            assert_true(slice_equal(vclient_body(c), buffer_content(&answer)));
            assert_row_is(s, 0, state, "ok");
            assert_int_equal(scene_row(s, 0)->input_tokens, 5000);
            assert_int_equal(scene_row(s, 0)->cost, 500000000);
        }
        buffer_free(&answer);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* The journal */

static void
what_cannot_be_booked_is_refused(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 60});
    struct vclient *c;

    s->journal_fails = true;
    history_fail_appends(s->history, 1, 1000, ERR_FULL);
    c = scene_asks(s, (struct ask){.api = API_CHAT});
    scene_rest(s);
    assert_int_equal(vclient_status(c), 503);
    assert_int_equal(vbackend_seen_count(scene_backend(s, "alpha")), 0);
    assert_int_equal(s->row_count, 0);
    assert_int_equal(gateway_count(&s->gateway, COUNT_JOURNAL_LOST), 2);

    history_fail_appends(s->history, 0, 0, OK); /* there is room again */
    c = scene_asks(s, (struct ask){.api = API_CHAT});
    scene_rest(s);
    assert_int_equal(vclient_status(c), 200);
    assert_int_equal(s->row_count, 1);
    scene_passed(s);
}

static void
or_it_is_served_and_counted_if_the_user_says_so(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 61, .more = "journal: { when_full: serve }\n"});
    struct vclient *c;

    s->journal_fails = true;
    history_fail_appends(s->history, 1, 1000, ERR_FULL);
    c = scene_asks(s, (struct ask){.api = API_CHAT});
    scene_rest(s);
    assert_int_equal(vclient_status(c), 200);
    assert_int_equal(s->row_count, 0);
    assert_int_equal(gateway_count(&s->gateway, COUNT_JOURNAL_LOST), 2);
    scene_passed(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(an_unknown_key_gets_401_and_no_row, scene_teardown),
        cmocka_unit_test_teardown(an_unknown_path_is_refused_without_a_row, scene_teardown),
        cmocka_unit_test_teardown(what_is_wrong_with_a_request_is_said_and_booked, scene_teardown),
        cmocka_unit_test_teardown(a_body_goes_upstream_as_it_came, scene_teardown),
        cmocka_unit_test_teardown(a_stream_asks_for_usage_and_changes_nothing_else, scene_teardown),
        cmocka_unit_test_teardown(headers_are_written_afresh, scene_teardown),
        cmocka_unit_test_teardown(a_failed_backend_is_replaced_once, scene_teardown),
        cmocka_unit_test_teardown(nobody_is_there, scene_teardown),
        cmocka_unit_test_teardown(a_stale_connection_costs_nothing, scene_teardown),
        cmocka_unit_test_teardown(passing_through_streams_both_ways, scene_teardown),
        cmocka_unit_test_teardown(passing_through_is_priced_when_it_tells_usage, scene_teardown),
        cmocka_unit_test_teardown(passing_through_knows_answers_without_a_body, scene_teardown),
        cmocka_unit_test_teardown(a_large_answer_goes_out_as_it_comes, scene_teardown),
        cmocka_unit_test_teardown(what_cannot_be_booked_is_refused, scene_teardown),
        cmocka_unit_test_teardown(or_it_is_served_and_counted_if_the_user_says_so, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
