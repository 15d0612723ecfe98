/* Streams and disconnects through the real gateway. */
#include "scene.h"

/* The bytes of the usual provider's streamed answer. */
static struct buffer
usual_stream(struct scene *s, enum api api, const char *backend, const char *model)
{
    return provider_answer(scene_provider(s, backend), api, true, model);
}

/* Scenario 27: the client leaves before the first byte; the engine must not go on working. */
static void
the_client_leaves_before_the_first_byte(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 27});
    struct vclient *c = scene_asks(s, (struct ask){.stream = true});

    scene_provider(s, "alpha")->first_word_us = 4 * USEC_PER_S;
    history_run_until(s->history, vbackend_working(scene_backend(s, "alpha")));
    history_run_for(s->history, USEC_PER_S);
    vclient_leave(c);
    scene_rest(s);
    assert_int_equal(vbackend_worked_after_us(scene_backend(s, "alpha"), vclient_ended_us(c)), 0);
    assert_int_equal(s->row_count, 1);
    assert_row_is(s, 0, state, "client gone");
    assert_row_is(s, 0, exactness, "estimated"); /* the prompt was sent and will be billed */
    assert_true(scene_row(s, 0)->cost > 0);
    scene_passed(s);
}

/* Scenarios 27, 28: in the middle of the stream. */
static void
the_client_leaves_mid_stream(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 28});
    struct vclient *c;

    scene_provider(s, "alpha")->words = 1000;
    c = scene_asks(s, (struct ask){.stream = true, .client = {.leaves_at_text = "w40 "}});
    scene_rest(s);
    assert_true(vclient_left(c));
    assert_int_equal(vbackend_worked_after_us(scene_backend(s, "alpha"), vclient_ended_us(c)), 0);
    assert_row_is(s, 0, state, "client gone");
    assert_row_is(s, 0, exactness, "estimated");
    assert_in_range(scene_row(s, 0)->output_tokens, 20, 80); /* 41 words, not 1000 */
    scene_passed(s);
}

/* Scenario 29: right after the usage frame it is metered all the same, exactly. */
static void
the_client_leaves_right_after_the_usage(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 29});

    scene_asks(s, (struct ask){.stream = true, .wants_usage = true, .client = {.leaves_at_text = "\"usage\""}});
    scene_rest(s);
    assert_int_equal(s->row_count, 1);
    assert_int_equal(scene_row(s, 0)->input_tokens, 1000);
    assert_int_equal(scene_row(s, 0)->output_tokens, 60);
    assert_row_is(s, 0, exactness, "exact");
    scene_passed(s);
}

/* Scenario 30: cut at token 40 of 60: an error event, never a made-up end. */
static void
the_upstream_is_cut_at_token_40_of_60(void **state)
{
    static const struct {
        enum api api;
        const char *backend, *end;
    } cases[] = {{API_CHAT, "alpha", "[DONE]"},
                 {API_COMPLETIONS, "alpha", "[DONE]"},
                 {API_RESPONSES, "alpha", "response.completed"},
                 {API_MESSAGES, "claude", "message_stop"}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scene *s = scene_new(state, (struct scene_options){.seed = 30 + i, .split_answers = true});
        struct vclient *c;

        scene_provider(s, cases[i].backend)->words = 60;
        scene_provider(s, cases[i].backend)->cut_after = 40;
        c = scene_asks(s, (struct ask){.api = cases[i].api, .stream = true});
        scene_rest(s);
        assert_contains(vclient_body(c), "w39 ");
        assert_contains(vclient_body(c), "error");
        assert_contains(vclient_body(c), "cut");
        assert_lacks(vclient_body(c), "w40 ");
        assert_lacks(vclient_body(c), cases[i].end);
        assert_row_is(s, 0, state, "cut");
        assert_row_is(s, 0, exactness, "estimated");
        assert_true(scene_row(s, 0)->cost > 0);
        assert_in_range(scene_row(s, 0)->output_tokens, 20, 60);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Scenario 30: a connection that ends cleanly, but in the middle of the answer, was cut too. */
static void
an_end_before_the_answers_end_is_a_cut(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 36});
    struct vclient *c;

    vbackend_decides(scene_backend(s, "alpha"), NULL, NULL);
    vbackend_plays(scene_backend(s, "alpha"), play_head(200, "content-type: text/event-stream"),
                   play_text("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"half\"}}]}\n\n"), play_end());
    c = scene_asks(s, (struct ask){.stream = true});
    scene_rest(s);
    assert_contains(vclient_body(c), "half");
    assert_contains(vclient_body(c), "\"error\"");
    assert_lacks(vclient_body(c), "[DONE]");
    assert_row_is(s, 0, state, "cut");
    scene_passed(s);
}

/* So was one of several answers of which only some were told to the end. */
static void
an_end_within_one_of_several_answers_is_a_cut(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 36});
    struct vclient *c;

    vbackend_decides(scene_backend(s, "alpha"), NULL, NULL);
    vbackend_plays(scene_backend(s, "alpha"), play_head(200, "content-type: text/event-stream"),
                   play_text("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"whole\"}}]}\n\n"
                             "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"half\"}}]}\n\n"
                             "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"),
                   play_end());
    c = scene_asks(s, (struct ask){.stream = true, .more = "\"n\":2"});
    scene_rest(s);
    assert_contains(vclient_body(c), "half");
    assert_contains(vclient_body(c), "\"error\"");
    assert_row_is(s, 0, state, "cut");
    scene_passed(s);
}

/* Scenario 30: without a [DONE], but with a finish_reason, the answer is complete; none is made up. */
static void
a_stream_without_done_is_passed_on_as_it_is(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 37});
    struct vclient *c;

    scene_provider(s, "alpha")->no_done = true;
    c = scene_asks(s, (struct ask){.stream = true});
    scene_rest(s);
    assert_true(vclient_done(c));
    assert_lacks(vclient_body(c), "[DONE]");
    assert_lacks(vclient_body(c), "error");
    assert_row_is(s, 0, state, "ok");
    assert_row_is(s, 0, exactness, "exact");
    scene_passed(s);
}

/* Scenarios 31, 32: the stream goes through byte for byte, tool calls and all, whatever length its head claims. */
static void
a_stream_goes_through_unchanged(void **state)
{
    static const char tools[] =
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"call_a\",\"function\":{"
        "\"name\":\"f\",\"arguments\":\"\"}},{\"index\":1,\"id\":\"call_b\",\"function\":{\"name\":\"g\","
        "\"arguments\":\"\"}}]}}]}\n\n"
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":1,\"function\":{\"arguments\":\"{}\"}}"
        "]}}]}\n\n"
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n";
    static const char usage[] = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":9}}\n\n";
    static const char done[] = "data: [DONE]\n\n";
    struct scene *s = scene_new(state, (struct scene_options){.seed = 31, .split_answers = true});
    struct buffer head = {0}, expected = {0};
    struct vclient *c;

    buffer_printf(&head, "content-type: text/event-stream\ncontent-length: %zu",
                  strlen(tools) + strlen(usage) + strlen(done));
    buffer_printf(&expected, "%s%s", tools, done);
    vbackend_decides(scene_backend(s, "alpha"), NULL, NULL);
    vbackend_plays(scene_backend(s, "alpha"), play_head(200, head.data), play_text(tools), play_text(usage),
                   play_text(done), play_end());
    c = scene_asks(s, (struct ask){.stream = true});
    scene_rest(s);
    assert_true(slice_equal(vclient_body(c), buffer_content(&expected)));
    assert_int_equal(vclient_body_len(c), -1); /* the usage chunk was taken out again: the length was stale */
    assert_null(vclient_header(c, "content-length").data);
    assert_int_equal(scene_row(s, 0)->input_tokens, 9);
    buffer_free(&head);
    buffer_free(&expected);
    scene_passed(s);
}

/* The client asked for the usage: it gets the chunk. */
static void
who_asks_for_usage_gets_it(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 38, .split_answers = true});
    struct vclient *c = scene_asks(s, (struct ask){.stream = true, .wants_usage = true});
    struct buffer expected = usual_stream(s, API_CHAT, "alpha", "big");

    scene_rest(s);
    assert_true(slice_equal(vclient_body(c), buffer_content(&expected)));
    buffer_free(&expected);
    scene_passed(s);
}

static unsigned
count_of(struct slice text, const char *needle)
{
    unsigned count = 0;
    size_t at;

    while ((at = slice_find(text, slice_of(needle))) < text.len) {
        count++;
        text = slice_from(text, at + strlen(needle));
    }
    return count;
}

/* Scenario 33: a long thought is kept alive by pings, between events only. */
static void
a_silent_stream_is_kept_alive(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 33});
    struct vclient *c;

    vbackend_decides(scene_backend(s, "alpha"), NULL, NULL);
    vbackend_plays(
        scene_backend(s, "alpha"), play_head(200, "content-type: text/event-stream"),
        play_text("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n"), play_wait(70 * USEC_PER_S),
        play_text("data: {\"choices\":[{\"index\":0,"), play_wait(70 * USEC_PER_S),
        play_text("\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"), play_end());
    c = scene_asks(s, (struct ask){.stream = true});
    scene_rest(s);
    assert_true(vclient_done(c));
    assert_in_range(count_of(vclient_body(c), ": ping\n\n"), 4, 10);
    assert_contains(vclient_body(c), "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"}");
    assert_row_is(s, 0, state, "ok");
    scene_passed(s);
}

/* Scenario 33: silence before the first event too, even before the head's first byte of the body. */
static void
a_stream_that_thinks_first_is_kept_alive(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 34});
    struct vclient *c;

    vbackend_decides(scene_backend(s, "alpha"), NULL, NULL);
    vbackend_plays(
        scene_backend(s, "alpha"), play_head(200, "content-type: text/event-stream"), play_wait(100 * USEC_PER_S),
        play_text("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"), play_end());
    c = scene_asks(s, (struct ask){.stream = true});
    scene_rest(s);
    assert_true(vclient_done(c));
    assert_in_range(count_of(vclient_body(c), ": ping\n\n"), 5, 7);
    assert_true(vclient_first_byte_us(c) - vclient_started_us(c) < 20 * USEC_PER_S);
    scene_passed(s);
}

/* Scenario 33: a ping in the middle of an event crashes SDKs; neither a client that has taken only half of one gets
 * it, nor one that waits for the rest of an event too long to be kept. */
static void
a_ping_never_stands_within_an_event(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 43});
    struct buffer event = {0}, expected = {0};
    struct slice bytes;
    struct vclient *slow, *fast;

    buffer_add_text(&event, "data: {\"choices\":[{\"delta\":{\"content\":\"");
    for (int i = 0; i < 2 * 1024 * 1024; i++)
        buffer_add_byte(&event, 'x');
    buffer_add_text(&event, "\"},\"finish_reason\":\"stop\"}]}\n\n");
    buffer_add_text(&expected, "data: {\"choices\":[]}\n\n");
    buffer_add(&expected, buffer_content(&event));
    bytes = buffer_content(&event);
    vbackend_decides(scene_backend(s, "alpha"), NULL, NULL);
    vbackend_plays(scene_backend(s, "alpha"), play_head(200, "content-type: text/event-stream"),
                   play_text("data: {\"choices\":[]}\n\n"), play_wait(10 * USEC_PER_S),
                   play_bytes(slice_first(bytes, bytes.len / 4 * 3)), play_wait(100 * USEC_PER_S),
                   play_bytes(slice_from(bytes, bytes.len / 4 * 3)), play_text("data: [DONE]\n\n"), play_end());
    fast = scene_asks(s, (struct ask){.stream = true});
    slow = scene_asks(s, (struct ask){.stream = true, .client = {.read_len = 20000, .read_gap_us = USEC_PER_S}});
    scene_rest(s);
    assert_true(vclient_done(fast) && vclient_done(slow));
    assert_true(slice_equal(slice_first(vclient_body(fast), buffer_len(&expected)), buffer_content(&expected)));
    assert_true(slice_equal(slice_first(vclient_body(slow), buffer_len(&expected)), buffer_content(&expected)));
    buffer_free(&event);
    buffer_free(&expected);
    scene_passed(s);
}

/* Scenario 34: cut at every byte, with every kind of line end, comments, pings and data over several lines. */
static void
a_stream_may_be_cut_anywhere(void **state)
{
    static const struct {
        enum api api;
        const char *backend, *model;
    } apis[] = {{API_CHAT, "alpha", "big"}, {API_RESPONSES, "alpha", "big"}, {API_MESSAGES, "claude", "opus"}};

    for (unsigned i = 0; i < 3 * 3 * 2; i++) {
        size_t api = i % 3;
        struct scene *s = scene_new(state, (struct scene_options){.seed = i});
        struct provider *p = scene_provider(s, apis[api].backend);
        struct buffer expected;
        struct vclient *c;

        p->line_end = (enum line_end)(i / 3 % 3);
        p->byte_by_byte = p->pings = true;
        p->multi_line = i >= 9;
        c = scene_asks(s, (struct ask){.api = apis[api].api, .stream = true, .wants_usage = apis[api].api == API_CHAT});
        expected = usual_stream(s, apis[api].api, apis[api].backend, apis[api].model);
        scene_rest(s);
        assert_true(slice_equal(vclient_body(c), buffer_content(&expected)));
        assert_row_is(s, 0, state, "ok");
        assert_row_is(s, 0, exactness, "exact");
        assert_int_equal(scene_row(s, 0)->input_tokens, 1000);
        assert_int_equal(scene_row(s, 0)->output_tokens, 60);
        buffer_free(&expected);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Scenario 34: bad UTF-8 and what is no JSON go through, and the usage is read all the same. */
static void
rubbish_in_a_stream_goes_through(void **state)
{
    static const char rubbish[] = "data: {\"choices\":[{\"delta\":{\"content\":\"\xff\xfe\xc3\"}}]}\n\n"
                                  "data: {not json at all\n\nfield without colon\n\nid: 7\nretry: 10\n\n";
    static const char rest[] = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{"
                               "\"prompt_tokens\":7,\"completion_tokens\":5}}\n\ndata: [DONE]\n\n";
    struct scene *s = scene_new(state, (struct scene_options){.seed = 35, .split_answers = true});
    struct buffer expected = {0};
    struct vclient *c;

    buffer_printf(&expected, "%s%s", rubbish, rest);
    vbackend_decides(scene_backend(s, "alpha"), NULL, NULL);
    vbackend_plays(scene_backend(s, "alpha"), play_head(200, "content-type: text/event-stream"), play_text(rubbish),
                   play_text(rest), play_end());
    c = scene_asks(s, (struct ask){.stream = true});
    scene_rest(s);
    assert_true(slice_equal(vclient_body(c), buffer_content(&expected)));
    assert_int_equal(scene_row(s, 0)->input_tokens, 7);
    assert_int_equal(scene_row(s, 0)->output_tokens, 5);
    buffer_free(&expected);
    scene_passed(s);
}

/* Scenario 34: a line of 10 MB, to a client that is slow as well. */
static void
a_line_of_ten_megabytes_goes_through(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 39});
    struct buffer line = {0}, expected = {0};
    struct vclient *c;

    buffer_add_text(&line, "data: {\"choices\":[{\"delta\":{\"content\":\"");
    for (int i = 0; i < 10 * 1024 * 1024 / 16; i++)
        buffer_add_text(&line, "0123456789abcdef");
    buffer_add_text(&line, "\"}}]}\n\n");
    buffer_add(&expected, buffer_content(&line));
    buffer_add_text(&expected, "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n");
    vbackend_decides(scene_backend(s, "alpha"), NULL, NULL);
    vbackend_plays(scene_backend(s, "alpha"), play_head(200, "content-type: text/event-stream"),
                   play_bytes(buffer_content(&line)),
                   play_text("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"), play_end());
    c = scene_asks(s, (struct ask){.stream = true, .client = {.read_len = 100000, .read_gap_us = 1000}});
    scene_rest(s);
    assert_true(slice_equal(vclient_body(c), buffer_content(&expected)));
    assert_row_is(s, 0, state, "ok");
    buffer_free(&line);
    buffer_free(&expected);
    scene_passed(s);
}

/* A slow client holds its upstream back: what waits is bounded. */
static void
a_slow_client_holds_the_upstream_back(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 40});
    struct vclient *c;

    scene_provider(s, "alpha")->words = 100000; /* 8 MB of events */
    scene_provider(s, "alpha")->word_gap_us = 0;
    c = scene_asks(s, (struct ask){.stream = true, .client = {.read_len = 1000, .read_gap_us = 10 * USEC_PER_MS}});
    history_run_until(s->history, vclient_body(c).len > 0);
    history_run_for(s->history, 5 * USEC_PER_S);
    assert_in_range(vclient_body(c).len, 400000, 600000);
    assert_true(vbackend_working(scene_backend(s, "alpha")));
    vclient_leave(c);
    scene_rest(s);
    assert_true(vbackend_seen(scene_backend(s, "alpha"), 0).sent_len < vclient_body(c).len + 2000000);
    assert_row_is(s, 0, state, "client gone");
    scene_passed(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_client_leaves_before_the_first_byte, scene_teardown),
        cmocka_unit_test_teardown(the_client_leaves_mid_stream, scene_teardown),
        cmocka_unit_test_teardown(the_client_leaves_right_after_the_usage, scene_teardown),
        cmocka_unit_test_teardown(the_upstream_is_cut_at_token_40_of_60, scene_teardown),
        cmocka_unit_test_teardown(an_end_before_the_answers_end_is_a_cut, scene_teardown),
        cmocka_unit_test_teardown(an_end_within_one_of_several_answers_is_a_cut, scene_teardown),
        cmocka_unit_test_teardown(a_stream_without_done_is_passed_on_as_it_is, scene_teardown),
        cmocka_unit_test_teardown(a_stream_goes_through_unchanged, scene_teardown),
        cmocka_unit_test_teardown(who_asks_for_usage_gets_it, scene_teardown),
        cmocka_unit_test_teardown(a_silent_stream_is_kept_alive, scene_teardown),
        cmocka_unit_test_teardown(a_stream_that_thinks_first_is_kept_alive, scene_teardown),
        cmocka_unit_test_teardown(a_ping_never_stands_within_an_event, scene_teardown),
        cmocka_unit_test_teardown(a_stream_may_be_cut_anywhere, scene_teardown),
        cmocka_unit_test_teardown(rubbish_in_a_stream_goes_through, scene_teardown),
        cmocka_unit_test_teardown(a_line_of_ten_megabytes_goes_through, scene_teardown),
        cmocka_unit_test_teardown(a_slow_client_holds_the_upstream_back, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
