/* What seldom happens: at the edges of attempts, events, heads and rights. */
#include "scene.h"

#include <stdio.h>

/* A script instead of the usual provider. */
#define plays(scene, name, ...)                                                                                        \
    do {                                                                                                               \
        vbackend_decides(scene_backend((scene), (name)), NULL, NULL);                                                  \
        vbackend_plays(scene_backend((scene), (name)), __VA_ARGS__);                                                   \
    } while (0)

/* A comment that was to keep a silent stream alive has no business once another attempt is under way. */
static void
a_pings_time_ends_with_its_attempt(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 1});
    struct vclient *c;

    plays(s, "alpha", play_head(200, "content-type: text/event-stream"), play_wait(10 * USEC_PER_S), play_cut());
    scene_provider(s, "beta")->first_word_us = 20 * USEC_PER_S;
    c = scene_asks(s, (struct ask){.stream = true});
    scene_rest(s);
    assert_int_equal(vclient_status(c), 200);
    assert_true(vclient_done(c));
    assert_contains(vclient_body(c), "w4 ");
    assert_row_is(s, 0, state, "ok");
    assert_row_is(s, 0, backend, "beta");
    assert_int_equal(scene_row(s, 0)->attempts, 2);
    assert_int_equal(scene_row(s, 0)->why.len, 0); /* all went well in the end */
    scene_passed(s);
}

/* An answer that the client does not take at once. */
static void
a_client_without_room_for_an_error_is_cut_off(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 2});
    struct vclient *refused = scene_asks(s, (struct ask){.key = "sk-wrong", .client = {.window = 16}});
    struct vclient *invalid = scene_asks(s, (struct ask){.body = "{", .client = {.window = 16}});

    scene_rest(s);
    assert_true(vclient_cut(refused));
    assert_true(vclient_cut(invalid));
    assert_int_equal(s->row_count, 1);
    assert_row_is(s, 0, state, "invalid");
    scene_passed(s);
}

/* The last event of a stream may hold all of the answer again, pictures included. */
static void
an_event_too_long_to_be_read_cuts_no_stream(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 3});
    struct buffer event = {0};
    struct vclient *c;

    buffer_add_text(&event, "event: response.completed\ndata: {\"type\":\"response.completed\",\"picture\":\"");
    while (buffer_len(&event) < 1200 * 1000)
        buffer_add_text(&event, "0123456789abcdef");
    buffer_add_text(&event, "\"}\n\n");
    plays(s, "alpha", play_head(200, "content-type: text/event-stream"),
          play_text("event: response.created\ndata: {\"type\":\"response.created\"}\n\n"),
          play_bytes(buffer_content(&event)), play_end());
    c = scene_asks(s, (struct ask){.api = API_RESPONSES, .stream = true});
    scene_rest(s);
    assert_true(vclient_done(c));
    assert_true(slice_ends(vclient_body(c), "abcdef\"}\n\n"));
    assert_row_is(s, 0, state, "ok");
    assert_row_is(s, 0, exactness, "estimated");
    buffer_free(&event);
    scene_passed(s);
}

/* message_start tells one output token; a stream that never tells more has not told its usage. */
static void
usage_that_was_only_begun_is_estimated(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 4});

    plays(s, "claude", play_head(200, "content-type: text/event-stream"),
          play_text("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"opus\",\"usage\":"
                    "{\"input_tokens\":500,\"output_tokens\":1}}}\n\n"
                    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":"
                    "\"text_delta\",\"text\":\"a text of forty bytes, which are ten tokens\"}}\n\n"
                    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"),
          play_end());
    scene_asks(s, (struct ask){.api = API_MESSAGES, .stream = true});
    scene_rest(s);
    assert_row_is(s, 0, state, "ok");
    assert_row_is(s, 0, exactness, "estimated");
    assert_int_equal(scene_row(s, 0)->input_tokens, 500);
    assert_int_equal(scene_row(s, 0)->output_tokens, 11);
    scene_passed(s);
}

static void
headers_of_one_hop_stay_there_in_both_directions(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 5});
    struct vclient *c;

    plays(s, "alpha",
          play_head(200, "content-type: application/json\nconnection: close\nconnection: x-down\nx-down: 1\n"
                         "x-kept: 1\nx-equipoise-cost-usd: 0\nset-cookie: a=b"),
          play_text("{}"), play_end());
    c = scene_asks(s, (struct ask){.headers = "connection: keep-alive\nconnection: x-up\nx-up: 1\nx-other: 1\n"
                                              "x-goog-api-key: theirs\n"});
    scene_rest(s);
    assert_contains(vclient_headers(c), "x-kept: 1");
    assert_lacks(vclient_headers(c), "x-down");
    assert_lacks(vclient_headers(c), "set-cookie");
    assert_lacks(vclient_headers(c), "x-equipoise-cost-usd: 0\n");
    assert_contains(vbackend_seen(scene_backend(s, "alpha"), 0).headers, "x-other: 1");
    assert_lacks(vbackend_seen(scene_backend(s, "alpha"), 0).headers, "x-up");
    assert_lacks(vbackend_seen(scene_backend(s, "alpha"), 0).headers, "theirs");
    scene_passed(s);
}

/* Where a backend wants its credential under a name of its own, a client's header of that name is not it. */
static void
a_client_brings_no_credential_of_its_own(void **state)
{
    struct scene *s = scene_new(
        state,
        (struct scene_options){.seed = 6,
                               .config = "backends:\n  alpha: { url: \"http://alpha.example\", models: [ big ],\n"
                                         "           auth: { header: subscription-key, key: ours } }\n"
                                         "routes:\n  assistant: { reference: alpha/big }\n"});

    scene_asks(s, (struct ask){.headers = "Subscription-Key: theirs\n"});
    scene_rest(s);
    assert_slice_is(vbackend_seen_header(scene_backend(s, "alpha"), 0, "subscription-key"), "ours");
    assert_lacks(vbackend_seen(scene_backend(s, "alpha"), 0).headers, "theirs");
    scene_passed(s);
}

static void
a_keys_routes_bind_pass_through_too(void **state)
{
    static const char more[] = "  second: { sha256: b464ce30b204dc60e335136ee46a01efe74914f4e4a6264f48448448642c9a0c, "
                               "routes: [ assistant, beta/* ] }\n";
    struct scene *s = scene_new(state, (struct scene_options){.seed = 7, .more = more});
    struct vclient *no =
        scene_asks(s, (struct ask){.key = "sk-second", .target = "/backend/alpha/v1/chat/completions"});
    struct vclient *yes =
        scene_asks(s, (struct ask){.key = "sk-second", .target = "/backend/beta/v1/chat/completions"});

    scene_rest(s);
    assert_int_equal(vclient_status(no), 403);
    assert_int_equal(vclient_status(yes), 200);
    assert_int_equal(vbackend_seen_count(scene_backend(s, "alpha")), 0);
    scene_passed(s);
}

/* Clients that name thousands of models do not make one of them cost what another costs. */
static void
models_beyond_counting_keep_their_prices(void **state)
{
    struct scene *s =
        scene_new(state, (struct scene_options){.seed = 9,
                                                .config = "backends:\n  alpha: { url: \"http://alpha.example\" }\n"
                                                          "prices:\n  override:\n"
                                                          "    alpha/last: { input: $2/M, output: $8/M }\n"
                                                          "    alpha/more: { input: $4/M, output: $16/M }\n"});
    struct facts_source *targets = &s->gateway.workers[0]->view->targets;
    struct target target = {.backend = &s->config->backends[0]};
    char name[32];

    for (unsigned i = 0; i < 5000; i++) {
        snprintf(name, sizeof(name), "alpha/%u", i);
        target.name = name;
        target.model = target.upstream = name + 6;
        assert_null(facts_of(targets, &target)->price);
    }
    scene_asks(s, (struct ask){.model = "alpha/last"});
    scene_asks(s, (struct ask){.model = "alpha/more"});
    scene_rest(s);
    assert_int_equal(s->row_count, 2);
    assert_int_equal(scene_row(s, 0)->cost + scene_row(s, 1)->cost,
                     (1000 * 2 + 60 * 8 + 1000 * 4 + 60 * 16) * INT64_C(1000000));
    assert_true(targets->known.count < 4200);
    scene_passed(s);
}

#define MESSAGE_ANSWER                                                                                                 \
    "{\"id\":\"m1\",\"type\":\"message\",\"model\":\"opus\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}],"        \
    "\"usage\":{\"input_tokens\":1000,\"output_tokens\":60}}"

/* Only a kept connection that was closed at once, without a byte, has done nothing: what breaks otherwise may have been
 * worked on, and is neither free nor tried again at the only place that serves. */
static void
a_kept_connection_that_breaks_late_has_worked(void **state)
{
    static const struct {
        usec after_us;
        bool says_something, is_free;
    } cases[] = {
        {.after_us = 0, .is_free = true},
        {.after_us = 900 * USEC_PER_MS, .is_free = true},
        {.after_us = 1100 * USEC_PER_MS, .is_free = false},
        {.after_us = 0, .says_something = true, .is_free = false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scene *s = scene_new(state, (struct scene_options){.seed = 10});
        struct vclient *c;

        scene_asks(s, (struct ask){.api = API_MESSAGES}); /* leaves its connection open */
        scene_rest(s);
        plays(s, "claude", play_wait(cases[i].after_us), cases[i].says_something ? play_break() : play_cut());
        vbackend_plays(scene_backend(s, "claude"), play_head(200, "content-type: application/json"),
                       play_text(MESSAGE_ANSWER), play_end());
        c = scene_asks(s, (struct ask){.api = API_MESSAGES});
        scene_rest(s);
        assert_int_equal(vclient_status(c), cases[i].is_free ? 200 : 502);
        assert_int_equal(scene_row(s, 1)->attempts, cases[i].is_free ? 2 : 1);
        assert_row_is(s, 1, state, cases[i].is_free ? "ok" : "upstream failed");
        assert_int_equal(scene_row(s, 1)->tries[0].cost == 0, cases[i].is_free);
        assert_row_is(s, 1, exactness, cases[i].is_free ? "exact" : "estimated");
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Nothing in it can be read, so nothing of it is believed: not its usage, its length as text, nor its end. */
static void
a_compressed_answer_goes_through_as_it_is(void **state)
{
    static const char gzip[] = "\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\xae\x05\0\x43\xbf\xa6\xa3\x02\0\0\0data: {}\n\n";
    static const char *const heads[] = {"content-type: application/json\ncontent-encoding: gzip",
                                        "content-type: text/event-stream\ncontent-encoding: gzip"};
    const struct slice bytes = slice_make(gzip, sizeof(gzip) - 1);

    for (unsigned streamed = 0; streamed < 2; streamed++) {
        struct scene *s = scene_new(state, (struct scene_options){.seed = 11});
        struct vclient *c;

        plays(s, "alpha", play_head(200, heads[streamed]), play_bytes(slice_first(bytes, 9)), play_wait(USEC_PER_S),
              play_bytes(slice_from(bytes, 9)), play_end());
        c = scene_asks(s, (struct ask){.stream = streamed == 1, .headers = "x-equipoise-include: cost\n"});
        scene_rest(s);
        assert_true(vclient_done(c));
        assert_true(slice_equal(vclient_body(c), bytes));
        assert_slice_is(vclient_header(c, "content-encoding"), "gzip");
        assert_null(vclient_header(c, "x-equipoise-cost-usd").data);
        assert_row_is(s, 0, state, "ok");
        assert_row_is(s, 0, exactness, "unpriced");
        assert_contains(scene_row(s, 0)->why, "compressed");
        scene_passed(s);
        scene_free(s, state);
    }
}

static const char impatient[] = "backends:\n"
                                "  alpha: { url: \"http://alpha.example\", models: [ big ],\n"
                                "           timeouts: { first_byte: 1s, connect: 2s } }\n"
                                "routes: { assistant: { reference: alpha/big } }\n";

/* The backend may take its time from when it has the whole request. */
static void
a_slow_upload_is_no_slow_answer(void **state)
{
    for (unsigned answers = 0; answers < 2; answers++) {
        struct scene *s = scene_new(state, (struct scene_options){.seed = 12, .config = impatient});
        struct ask ask = {.target = "/backend/alpha/v1/files",
                          .client = {.body = SLICE_LITERAL("ten pieces"), .piece_len = 1, .piece_gap_us = 700000}};
        struct vclient *c;

        if (answers)
            plays(s, "alpha", play_wait(900 * USEC_PER_MS), play_head(200, "content-length: 2"), play_text("ok"),
                  play_end());
        else
            plays(s, "alpha", play_hang());
        c = scene_asks(s, ask);
        scene_rest(s);
        assert_int_equal(vclient_status(c), answers ? 200 : 504);
        assert_slice_is(vbackend_seen(scene_backend(s, "alpha"), 0).body, "ten pieces");
        assert_in_range(vclient_ended_us(c) - vclient_started_us(c), 7 * USEC_PER_S, 8500 * USEC_PER_MS);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* What the client sends meanwhile does not make a connection come sooner. */
static void
an_upload_does_not_prolong_the_connect_timeout(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 13, .config = impatient});
    struct vclient *c;

    vbackend_set_silent(scene_backend(s, "alpha"), true);
    c = scene_asks(
        s, (struct ask){
               .target = "/backend/alpha/v1/files",
               .client = {.body = SLICE_LITERAL("ten pieces"), .piece_len = 1, .piece_gap_us = 700 * USEC_PER_MS}});
    scene_rest(s);
    assert_int_equal(vclient_status(c), 504);
    assert_in_range(vclient_ended_us(c) - vclient_started_us(c), 2 * USEC_PER_S, 3 * USEC_PER_S);
    scene_passed(s);
}

/* As the requests came, so they are served, whoever turns the switch meanwhile. */
static void
bypass_holds_for_requests_that_come_after_it(void **state)
{
    for (unsigned bypassed = 0; bypassed < 2; bypassed++) {
        struct scene *s = scene_new(state, (struct scene_options){.seed = 14});
        struct vclient *c;

        plays(s, "alpha", play_wait(USEC_PER_S), play_head(500, NULL), play_text("no"), play_end());
        atomic_store(&s->gateway.bypass, bypassed == 1);
        c = scene_asks(s, (struct ask){0});
        history_run_until(s->history, vbackend_working(scene_backend(s, "alpha")));
        atomic_store(&s->gateway.bypass, bypassed == 0);
        scene_rest(s);
        assert_int_equal(vclient_status(c), bypassed ? 500 : 200);
        assert_int_equal(scene_row(s, 0)->attempts, bypassed ? 1 : 2);
        assert_int_equal(vbackend_seen_count(scene_backend(s, "beta")), bypassed ? 0 : 1);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* The comment is written before the answer's end; the attempt is booked after it. */
static void
a_cost_told_early_books_nothing_early(void **state)
{
    static const char usage[] =
        "data: {\"id\":\"c1\",\"model\":\"big\",\"choices\":[],\"usage\":{\"prompt_tokens\":1000,"
        "\"completion_tokens\":60}}\n\n";
    struct scene *s = scene_new(state, (struct scene_options){.seed = 15});
    char comment[128], cost[USD_TEXT_SIZE];
    const struct row *row;
    struct vclient *c;

    plays(s, "alpha", play_head(200, "content-type: text/event-stream"), play_text(usage),
          play_text("data: [DONE]\n\n"), play_wait(3 * USEC_PER_S), play_end());
    c = scene_asks(s, (struct ask){.stream = true, .headers = "x-equipoise-include: cost\n"});
    scene_rest(s);
    row = scene_row(s, 0);
    assert_true(row->cost > 0);
    usd_format(row->cost, cost);
    snprintf(comment, sizeof(comment), "cost-usd=%s\n\ndata: [DONE]", cost);
    assert_contains(vclient_body(c), comment);
    assert_int_equal(row->try_count, 1);
    assert_slice_is(row->tries[0].state, "ok");
    assert_true(row->tries[0].ended_us > 2 * USEC_PER_S);
    assert_true(row->tries[0].cost == row->cost);
    scene_passed(s);
}

/* No bargain, but better than no answer. */
static void
an_alternative_without_a_price_serves_where_the_reference_failed(void **state)
{
    static const char config[] = "backends:\n"
                                 "  alpha: { url: \"http://alpha.example\", models: [ big ] }\n"
                                 "  beta:  { url: \"http://beta.example\", models: [ big ] }\n"
                                 "prices: { override: { alpha/big: { input: $2/M, output: $8/M } } }\n"
                                 "routes:\n"
                                 "  assistant: { reference: alpha/big, candidates: [ beta/big ],\n"
                                 "               levers: { alternatives: on } }\n";

    for (unsigned fails = 0; fails < 2; fails++) {
        struct scene *s = scene_new(state, (struct scene_options){.seed = 16, .config = config});
        struct vclient *c;

        scene_provider(s, "alpha")->status = fails ? 503 : 200;
        c = scene_asks(s, (struct ask){0});
        scene_rest(s);
        assert_int_equal(vclient_status(c), 200);
        assert_row_is(s, 0, state, "ok");
        assert_row_is(s, 0, backend, fails ? "beta" : "alpha");
        assert_row_is(s, 0, exactness, fails ? "unpriced" : "exact");
        if (fails)
            assert_contains(scene_row(s, 0)->why, "price");
        scene_passed(s);
        scene_free(s, state);
    }
}

#define EDGE_TEST(test) cmocka_unit_test_teardown(test, scene_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        EDGE_TEST(a_pings_time_ends_with_its_attempt),
        EDGE_TEST(a_client_without_room_for_an_error_is_cut_off),
        EDGE_TEST(an_event_too_long_to_be_read_cuts_no_stream),
        EDGE_TEST(usage_that_was_only_begun_is_estimated),
        EDGE_TEST(headers_of_one_hop_stay_there_in_both_directions),
        EDGE_TEST(a_client_brings_no_credential_of_its_own),
        EDGE_TEST(a_keys_routes_bind_pass_through_too),
        EDGE_TEST(models_beyond_counting_keep_their_prices),
        EDGE_TEST(a_kept_connection_that_breaks_late_has_worked),
        EDGE_TEST(a_compressed_answer_goes_through_as_it_is),
        EDGE_TEST(a_slow_upload_is_no_slow_answer),
        EDGE_TEST(an_upload_does_not_prolong_the_connect_timeout),
        EDGE_TEST(bypass_holds_for_requests_that_come_after_it),
        EDGE_TEST(a_cost_told_early_books_nothing_early),
        EDGE_TEST(an_alternative_without_a_price_serves_where_the_reference_failed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
