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
    struct facts_source *targets = &s->gateway.workers[0]->targets;
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
