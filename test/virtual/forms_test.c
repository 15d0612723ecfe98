/* Equal requests share a call whatever form each wants its answer in: a stream, with the usage in it or without, or the
 * whole of it (lever coalesce). */
#include "heard.h"
#include "scene.h"

enum { WORKERS = 3, WAYS = 3 };

#define SETTING(more)                                                                                                  \
    "limits: { answer: 64KiB, stall: 2s }\n"                                                                           \
    "backends:\n"                                                                                                      \
    "  alpha:  { url: \"http://alpha.example\", models: [ big ] }\n"                                                   \
    "  claude: { url: \"http://claude.example\", dialect: anthropic, models: [ opus ] }\n"                             \
    "routes:\n"                                                                                                        \
    "  assistant: { reference: alpha/big, repeatable: yes, " more "levers: { coalesce: on } }\n"                       \
    "  writer:    { reference: claude/opus, repeatable: yes, " more "levers: { coalesce: on } }\n"                     \
    "prices:\n"                                                                                                        \
    "  override:\n"                                                                                                    \
    "    alpha/big:   { input: $2/M, output: $8/M, cache_read: $0.50/M }\n"                                            \
    "    claude/opus: { input: $5/M, output: $25/M, cache_read: $0.50/M, cache_write: $6.25/M, cache_write_1h: "       \
    "$10/M }\n"

static const char setting[] = SETTING("");
static const char patient[] = SETTING("acceptable: { first_token: 1m }, ");

#define CALL_PICO (1000 * 2000000LL + 60 * 8000000LL)

static struct scene *
opens(void **state, uint64_t seed, const char *config)
{
    return scene_new(state, (struct scene_options){.seed = seed, .workers = WORKERS, .config = config});
}

/* Way 0 is the whole answer, 1 a stream, 2 a stream that is asked to tell its usage, in APIs that do so only then. */
static struct vclient *
asks(struct scene *s, enum api api, unsigned way, unsigned worker)
{
    return scene_asks(s, (struct ask){.api = api,
                                      .stream = way > 0,
                                      .wants_usage = way > 1 && (api == API_CHAT || api == API_COMPLETIONS),
                                      .client = {.worker = worker}});
}

static usd
paid(struct scene *s)
{
    usd sum = 0;

    for (size_t i = 0; i < s->row_count; i++)
        sum += scene_row(s, i)->cost;
    return sum;
}

static size_t
count_source(struct scene *s, const char *source)
{
    size_t count = 0;

    for (size_t i = 0; i < s->row_count; i++)
        count += slice_is(scene_row(s, i)->source, source);
    return count;
}

static size_t
calls(struct scene *s)
{
    return vbackend_opened(scene_backend(s, "alpha")) + vbackend_opened(scene_backend(s, "claude"));
}

static bool
tells_usage(const struct vclient *client)
{
    return slice_find(vclient_body(client), SLICE_LITERAL("_tokens\"")) < vclient_body(client).len;
}

/* One leads, in any form; the others follow in all of them, on all workers, and hear what it hears. */
static void
all_forms_share_a_call(void **state)
{
    static const enum api apis[] = {API_CHAT, API_COMPLETIONS, API_RESPONSES, API_MESSAGES};

    for (unsigned i = 0; i < 4 * WAYS; i++) {
        enum api api = apis[i % 4];
        struct scene *s = opens(state, i, patient);
        struct vclient *leader, *followers[2 * WAYS];
        usd call = api == API_MESSAGES ? 1000 * 5000000LL + 60 * 25000000LL : CALL_PICO;

        asks(s, api, 0, 0); /* from now on it is known how long an answer takes */
        scene_rest(s);
        leader = asks(s, api, i / 4, 0);
        history_run_for(s->history, 20 * USEC_PER_MS);
        for (unsigned j = 0; j < 2 * WAYS; j++)
            followers[j] = asks(s, api, j % WAYS, j % WORKERS);
        scene_rest(s);
        for (unsigned j = 0; j < 2 * WAYS; j++) {
            assert_int_equal(vclient_status(followers[j]), 200);
            assert_true(vclient_done(followers[j]));
            assert_heard_same(api, leader, followers[j]);
            assert_contains(vclient_header(followers[j], "content-type"),
                            j % WAYS > 0 ? "text/event-stream" : "application/json");
            if (api == API_CHAT || api == API_COMPLETIONS)
                assert_true(tells_usage(followers[j]) == (j % WAYS != 1));
        }
        assert_int_equal(calls(s), 2);
        assert_int_equal(count_source(s, "shared"), 2 * WAYS);
        assert_true(paid(s) == 2 * call);
        assert_int_equal(gateway_count(&s->gateway, COUNT_COALESCED_OVER), i / 4 == 0 ? 4 : 2);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Where no limit says that it may wait, who streams makes a call rather than to read nothing until a whole answer is there;
 * and others who stream share that one. */
static void
who_streams_does_not_wait_for_the_whole(void **state)
{
    struct scene *s = opens(state, 20, setting);
    struct vclient *whole, *streams[4];

    asks(s, API_CHAT, 1, 0);
    scene_rest(s);
    whole = asks(s, API_CHAT, 0, 0);
    history_run_for(s->history, 20 * USEC_PER_MS);
    for (unsigned i = 0; i < 4; i++)
        streams[i] = asks(s, API_CHAT, 1 + i % 2, i % WORKERS);
    scene_rest(s);
    for (unsigned i = 0; i < 4; i++)
        assert_heard_same(API_CHAT, whole, streams[i]);
    assert_int_equal(calls(s), 3);
    assert_int_equal(count_source(s, "shared"), 3);
    assert_true(paid(s) == 3 * CALL_PICO);
    scene_passed(s);
}

/* But one that is nearly there it takes. */
static void
who_streams_takes_a_whole_that_is_nearly_there(void **state)
{
    struct scene *s = opens(state, 21, setting);
    struct vclient *whole, *stream;
    usec takes_us;

    scene_provider(s, "alpha")->first_word_us = USEC_PER_S;
    whole = asks(s, API_CHAT, 0, 0);
    scene_rest(s);
    takes_us = vclient_ended_us(whole) - vclient_started_us(whole);
    whole = asks(s, API_CHAT, 0, 0);
    history_run_for(s->history, takes_us - 50 * USEC_PER_MS);
    stream = asks(s, API_CHAT, 1, 1);
    scene_rest(s);
    assert_heard_same(API_CHAT, whole, stream);
    assert_int_equal(calls(s), 2);
    assert_int_equal(count_source(s, "shared"), 1);
    scene_passed(s);
}

/* What takes longer than usual may take as long again: nobody who streams waits for it. */
static void
who_streams_does_not_wait_for_what_is_late(void **state)
{
    struct scene *s = opens(state, 22, setting);

    scene_provider(s, "alpha")->first_word_us = USEC_PER_S;
    asks(s, API_CHAT, 0, 0);
    scene_rest(s);
    scene_provider(s, "alpha")->first_word_us = 10 * USEC_PER_S;
    asks(s, API_CHAT, 0, 0);
    history_run_for(s->history, 5 * USEC_PER_S);
    asks(s, API_CHAT, 1, 1);
    scene_rest(s);
    assert_int_equal(calls(s), 3);
    assert_int_equal(count_source(s, "shared"), 0);
    scene_passed(s);
}

/* The stream is cut: who wanted the whole of it has nothing yet, and gets it by a call of its own; nobody is told an error
 * that would not have been told without the lever, and who got the stream pays for it. */
static void
the_whole_of_a_cut_stream_is_bought_again(void **state)
{
    for (unsigned words = 1; words < 8; words += 3) {
        struct scene *s = opens(state, 30 + words, setting);
        struct vclient *streams, *wholes[2];
        struct buffer expected;

        scene_provider(s, "alpha")->words = 10;
        scene_provider(s, "alpha")->word_gap_us = 100 * USEC_PER_MS;
        scene_provider(s, "alpha")->cut_after = words;
        streams = asks(s, API_CHAT, 2, 0);
        history_run_until(s->history, vbackend_working(scene_backend(s, "alpha")));
        for (unsigned i = 0; i < 2; i++)
            wholes[i] = asks(s, API_CHAT, 0, 1 + i);
        scene_rest(s);
        expected = provider_answer(scene_provider(s, "alpha"), API_CHAT, false, "big");
        assert_contains(vclient_body(streams), "the answer was cut");
        for (unsigned i = 0; i < 2; i++) {
            assert_int_equal(vclient_status(wholes[i]), 200);
            assert_true(slice_equal(vclient_body(wholes[i]), buffer_content(&expected)));
        }
        assert_int_equal(calls(s), 3);
        assert_int_equal(count_source(s, "reference"), 3);
        assert_int_equal(gateway_count(&s->gateway, COUNT_COALESCED_FREED), 2);
        assert_true(scene_row(s, 1)->cost == CALL_PICO && scene_row(s, 2)->cost == CALL_PICO);
        assert_true(scene_row(s, 0)->cost > 0);
        buffer_free(&expected);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Some backends' streams just end. */
static void
a_stream_that_just_ends_is_made_over(void **state)
{
    struct scene *s = opens(state, 39, setting);
    struct vclient *stream, *whole;

    scene_provider(s, "alpha")->no_done = true;
    stream = asks(s, API_CHAT, 2, 0);
    history_run_until(s->history, vbackend_working(scene_backend(s, "alpha")));
    whole = asks(s, API_CHAT, 0, 1);
    scene_rest(s);
    assert_heard_same(API_CHAT, stream, whole);
    assert_int_equal(calls(s), 1);
    scene_passed(s);
}

/* An error is the same for all, whoever leads. */
static void
an_error_is_told_to_all(void **state)
{
    for (unsigned streams = 0; streams < 2; streams++) {
        struct scene *s = opens(state, 40 + streams, patient);
        struct vclient *clients[WAYS];

        asks(s, API_CHAT, 0, 0); /* from now on it is known how long an answer takes */
        scene_rest(s);
        scene_provider(s, "alpha")->status = 400;
        scene_provider(s, "alpha")->first_word_us = USEC_PER_S;
        for (unsigned i = 0; i < WAYS; i++) {
            clients[i] = asks(s, API_CHAT, streams != 0 ? WAYS - 1 - i : i, i);
            history_run_for(s->history, 10 * USEC_PER_MS);
        }
        scene_rest(s);
        for (unsigned i = 0; i < WAYS; i++) {
            assert_int_equal(vclient_status(clients[i]), 400);
            assert_true(slice_equal(vclient_body(clients[i]), vclient_body(clients[0])));
        }
        assert_int_equal(calls(s), 2);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Who wanted the whole of a stream and left before that was cut is no part of what it came to. */
static void
who_left_a_stream_that_was_cut_is_not_counted(void **state)
{
    struct scene *s = opens(state, 50, setting);
    usd sum = 0, cost = 0;

    scene_provider(s, "alpha")->words = 10;
    scene_provider(s, "alpha")->word_gap_us = 100 * USEC_PER_MS;
    scene_provider(s, "alpha")->cut_after = 7;
    asks(s, API_CHAT, 2, 0);
    history_run_until(s->history, vbackend_working(scene_backend(s, "alpha")));
    asks(s, API_CHAT, 2, 1);
    scene_asks(s, (struct ask){.client = {.worker = 2, .leaves_after_us = 200 * USEC_PER_MS}});
    scene_rest(s);
    assert_int_equal(calls(s), 1);
    for (size_t i = 0; i < s->row_count; i++) {
        const struct row *row = scene_row(s, i);

        sum += row->cost;
        cost += row->try_count > 0 ? row->tries[0].cost : 0;
        assert_true((row->cost == 0) == slice_is(row->state, "client gone"));
    }
    assert_int_equal(s->row_count, 3);
    assert_true(cost > 0 && sum == cost);
    scene_passed(s);
}

/* Too long to be held: who wants the whole makes a call of its own, and pays nothing of the stream. */
static void
what_is_too_long_is_not_made_over(void **state)
{
    struct scene *s = opens(state, 41, setting);
    struct vclient *stream, *whole;
    struct buffer expected;

    scene_provider(s, "alpha")->words = 4000;
    scene_provider(s, "alpha")->word_gap_us = USEC_PER_MS;
    stream = asks(s, API_CHAT, 2, 0);
    history_run_until(s->history, vbackend_working(scene_backend(s, "alpha")));
    whole = asks(s, API_CHAT, 0, 1);
    scene_rest(s);
    expected = provider_answer(scene_provider(s, "alpha"), API_CHAT, true, "big");
    assert_true(slice_equal(vclient_body(stream), buffer_content(&expected)));
    buffer_free(&expected);
    expected = provider_answer(scene_provider(s, "alpha"), API_CHAT, false, "big");
    assert_true(slice_equal(vclient_body(whole), buffer_content(&expected)));
    buffer_free(&expected);
    assert_int_equal(calls(s), 2);
    assert_true(scene_row(s, 0)->cost == CALL_PICO && scene_row(s, 1)->cost == CALL_PICO);
    scene_passed(s);
}

/* What nobody can make a whole of, though it came well. */
static void
what_cannot_be_made_over_is_bought(void **state)
{
    struct scene *s = opens(state, 42, setting);
    struct vclient *stream, *whole;

    vbackend_decides(scene_backend(s, "alpha"), NULL, NULL);
    vbackend_plays(scene_backend(s, "alpha"), play_wait(50 * USEC_PER_MS),
                   play_head(200, "content-type: text/event-stream"), play_wait(50 * USEC_PER_MS),
                   play_text("data: odd\n\ndata: [DONE]\n\n"), play_end());
    vbackend_plays(scene_backend(s, "alpha"), play_head(200, "content-type: application/json"),
                   play_text("{\"odd\":false}"), play_end());
    stream = asks(s, API_CHAT, 2, 0);
    history_run_until(s->history, vbackend_working(scene_backend(s, "alpha")));
    whole = asks(s, API_CHAT, 0, 1);
    scene_rest(s);
    assert_contains(vclient_body(stream), "[DONE]");
    assert_int_equal(vclient_status(whole), 200);
    assert_slice_is(vclient_body(whole), "{\"odd\":false}");
    assert_int_equal(calls(s), 2);
    assert_int_equal(gateway_count(&s->gateway, COUNT_COALESCED_FREED), 1);
    assert_true(scene_row(s, 1)->cost > scene_row(s, 0)->cost); /* its part, and its own */
    scene_passed(s);
}

/* Where a worker keeps much already, nothing more is held for who wants another form, nor for who may come. */
static void
nothing_is_held_where_much_is_kept(void **state)
{
    struct scene *s = opens(state, 51, setting);
    struct vclient *clients[3];
    struct buffer expected;

    for (unsigned i = 0; i < WORKERS; i++)
        s->gateway.workers[i]->flights.most = 16 * 1024;
    scene_provider(s, "alpha")->words = 600;
    scene_provider(s, "alpha")->word_gap_us = USEC_PER_MS;
    clients[0] = asks(s, API_CHAT, 2, 0);
    history_run_until(s->history, vbackend_working(scene_backend(s, "alpha")));
    clients[1] = asks(s, API_CHAT, 0, 1);
    history_run_for(s->history, 450 * USEC_PER_MS);
    clients[2] = asks(s, API_CHAT, 2, 2);
    scene_rest(s);
    for (unsigned i = 0; i < 3; i++) {
        expected = provider_answer(scene_provider(s, "alpha"), API_CHAT, i != 1, "big");
        assert_true(slice_equal(vclient_body(clients[i]), buffer_content(&expected)));
        buffer_free(&expected);
    }
    assert_int_equal(calls(s), 3);
    assert_int_equal(gateway_count(&s->gateway, COUNT_COALESCED_FREED), 1);
    assert_int_equal(gateway_count(&s->gateway, COUNT_ALONE_LONG), 1);
    scene_passed(s);
}

/* A backend that answers in a form that was not asked for, be it with an error: all get just that, whatever they wanted. */
static void
an_odd_form_is_passed_on(void **state)
{
    static const struct {
        unsigned leads;
        const char *head, *body;
    } odd[] = {{0, "content-type: text/event-stream", "data: odd\n\ndata: [DONE]\n\n"},
               {2, "content-type: application/json", "{\"odd\":true}"},
               {2, "content-type: application/json", "{\"error\":{\"message\":\"odd\"}}"}};

    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        struct scene *s = opens(state, 44 + i, patient);
        struct vclient *clients[1 + WAYS];

        asks(s, API_CHAT, 0, 0); /* from now on it is known how long an answer takes */
        scene_rest(s);
        vbackend_decides(scene_backend(s, "alpha"), NULL, NULL);
        vbackend_plays(scene_backend(s, "alpha"), play_wait(50 * USEC_PER_MS), play_head(200, odd[i].head),
                       play_wait(50 * USEC_PER_MS), play_text(odd[i].body), play_end());
        clients[0] = asks(s, API_CHAT, odd[i].leads, 0);
        history_run_until(s->history, vbackend_working(scene_backend(s, "alpha")));
        for (unsigned way = 0; way < WAYS; way++)
            clients[1 + way] = asks(s, API_CHAT, way, way);
        scene_rest(s);
        for (unsigned j = 0; j <= WAYS; j++) {
            assert_int_equal(vclient_status(clients[j]), 200);
            assert_slice_is(vclient_body(clients[j]), odd[i].body);
        }
        assert_int_equal(calls(s), 2);
        assert_int_equal(count_source(s, "shared"), WAYS);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Such an answer that is too long to be held, and breaks off: all have the same of it, and pay the same. */
static void
an_odd_form_that_breaks_off_is_paid_by_all(void **state)
{
    struct scene *s = opens(state, 48, setting);
    enum { LONG = 100 * 1024 };
    char *text = must_calloc(1, LONG + 1);
    struct vclient *clients[2];

    memset(text, 'x', LONG);
    vbackend_decides(scene_backend(s, "alpha"), NULL, NULL);
    vbackend_plays(scene_backend(s, "alpha"), play_wait(50 * USEC_PER_MS),
                   play_head(200, "content-type: application/json"), play_wait(50 * USEC_PER_MS), play_text(text),
                   play_wait(USEC_PER_S), play_cut());
    clients[0] = asks(s, API_CHAT, 2, 0);
    history_run_until(s->history, vbackend_working(scene_backend(s, "alpha")));
    clients[1] = asks(s, API_CHAT, 0, 1);
    scene_rest(s);
    assert_true(slice_equal(vclient_body(clients[0]), vclient_body(clients[1])));
    assert_int_equal(vclient_body(clients[0]).len, LONG);
    assert_int_equal(calls(s), 1);
    assert_true(scene_row(s, 0)->cost > 0);
    assert_in_range(scene_row(s, 0)->cost - scene_row(s, 1)->cost + 1, 0, 2);
    free(text);
    scene_passed(s);
}

/* Whoever leaves, at any moment, long answers that are made over off the loop included: one bill. */
static void
anybody_may_leave(void **state)
{
    for (usec leaves_us = 5 * USEC_PER_MS; leaves_us < 400 * USEC_PER_MS; leaves_us += 7 * USEC_PER_MS) {
        struct scene *s = opens(state, (uint64_t)leaves_us, setting);
        unsigned who = (unsigned)(leaves_us / (7 * USEC_PER_MS)) % 3;
        struct vclient *clients[3];

        scene_provider(s, "alpha")->words = 300;
        scene_provider(s, "alpha")->word_gap_us = USEC_PER_MS;
        for (unsigned i = 0; i < 3; i++)
            clients[i] = scene_asks(s, (struct ask){.stream = i == 0,
                                                    .client = {.worker = i,
                                                               .after_us = (usec)i * USEC_PER_MS,
                                                               .leaves_after_us = i == who ? leaves_us : 0}});
        scene_rest(s);
        for (unsigned i = 0; i < 3; i++)
            assert_true(i == who || vclient_done(clients[i]));
        assert_int_equal(calls(s), 1);
        assert_true(paid(s) == CALL_PICO || leaves_us < 60 * USEC_PER_MS);
        scene_passed(s);
        scene_free(s, state);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_forms_share_a_call),
        cmocka_unit_test_teardown(who_streams_does_not_wait_for_the_whole, scene_teardown),
        cmocka_unit_test_teardown(who_streams_takes_a_whole_that_is_nearly_there, scene_teardown),
        cmocka_unit_test_teardown(who_streams_does_not_wait_for_what_is_late, scene_teardown),
        cmocka_unit_test(the_whole_of_a_cut_stream_is_bought_again),
        cmocka_unit_test_teardown(a_stream_that_just_ends_is_made_over, scene_teardown),
        cmocka_unit_test(an_error_is_told_to_all),
        cmocka_unit_test_teardown(who_left_a_stream_that_was_cut_is_not_counted, scene_teardown),
        cmocka_unit_test_teardown(what_is_too_long_is_not_made_over, scene_teardown),
        cmocka_unit_test_teardown(what_cannot_be_made_over_is_bought, scene_teardown),
        cmocka_unit_test_teardown(nothing_is_held_where_much_is_kept, scene_teardown),
        cmocka_unit_test(an_odd_form_is_passed_on),
        cmocka_unit_test_teardown(an_odd_form_that_breaks_off_is_paid_by_all, scene_teardown),
        cmocka_unit_test(anybody_may_leave),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
