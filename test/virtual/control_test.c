/* What the configuration's owner decides: who may ask for what, where it may go, with which credential, which levers are
 * on; and what is answered by the gateway itself. */
#include "scene.h"

#include "virtual/vcommand.h"

/* A second key, of another tenant, whose rules keep it in Europe. */
#define SECOND "sk-second"
static const char second_key[] =
    "  second: { sha256: b464ce30b204dc60e335136ee46a01efe74914f4e4a6264f48448448642c9a0c, tenant: europe, "
    "routes: [ assistant, vectors ] }\n"
    "tenants: { europe: { allow: { region: eu } } }\n";

static void
a_tenants_requests_go_only_where_they_may(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 1, .more = second_key});
    struct vclient *c = scene_asks(s, (struct ask){.key = SECOND});

    scene_rest(s);
    assert_int_equal(vclient_status(c), 403);
    assert_slice_is(vclient_header(c, "x-should-retry"), "false");
    assert_row_is(s, 0, state, "refused");
    assert_row_is(s, 0, tenant, "europe");
    assert_int_equal(scene_row(s, 0)->attempts, 0);
    for (size_t i = 0; i < s->config->backend_count; i++)
        assert_int_equal(vbackend_seen_count(s->backends[i]), 0);
    scene_passed(s);
}

static void
pass_through_obeys_the_tenants_rules_too(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 2, .more = second_key});
    struct vclient *c = scene_asks(s, (struct ask){.key = SECOND, .target = "/backend/alpha/v1/chat/completions"});

    scene_rest(s);
    assert_int_equal(vclient_status(c), 403);
    assert_int_equal(vbackend_seen_count(scene_backend(s, "alpha")), 0);
    scene_passed(s);
}

static void
a_key_may_ask_only_for_its_routes(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 3, .more = second_key});
    struct vclient *c = scene_asks(s, (struct ask){.api = API_MESSAGES, .key = SECOND});

    scene_rest(s);
    assert_int_equal(vclient_status(c), 403);
    assert_contains(vclient_body(c), "writer");
    assert_row_is(s, 0, state, "refused");
    scene_passed(s);
}

/* Conversations that are held out see no lever, whole; of many, about the share that was asked for. */
static void
a_share_of_conversations_is_held_out(void **state)
{
    enum { CONVERSATIONS = 200, TURNS = 2 };
    static const char config[] =
        "backends:\n"
        "  alpha: { url: \"http://alpha.example\", models: [ big ] }\n"
        "  beta:  { url: \"http://beta.example\", models: [ big ] }\n"
        "routes:\n"
        "  assistant: { reference: beta/big, candidates: [ alpha/big ], levers: { alternatives: on }, holdout: 25% }\n"
        "prices:\n"
        "  override: { alpha/big: { input: $1/M, output: $1/M }, beta/big: { input: $2/M, output: $2/M } }\n";
    struct scene *s = scene_new(state, (struct scene_options){.seed = 34, .config = config});
    size_t held_out = 0;

    for (unsigned i = 0; i < CONVERSATIONS * TURNS; i++) {
        char headers[64];

        snprintf(headers, sizeof(headers), "x-session-id: visit-%u\n", i / TURNS);
        scene_asks(s, (struct ask){.headers = headers});
        scene_rest(s);
        held_out += (size_t)scene_row(s, i)->holdout;
        assert_row_is(s, i, backend, scene_row(s, i)->holdout != 0 ? "beta" : "alpha");
        if (i % TURNS > 0)
            assert_int_equal(scene_row(s, i)->holdout, scene_row(s, i - 1)->holdout);
    }
    assert_in_range(held_out / TURNS, CONVERSATIONS * 15 / 100, CONVERSATIONS * 35 / 100);
    scene_passed(s);
}

/* An application that cannot change its model's name is given a route by a header; keys keep their rules. */
static void
a_header_names_the_route(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 33, .more = second_key});
    struct vclient *c;

    scene_asks(s, (struct ask){.model = "gpt-of-old", .headers = "x-equipoise-route: assistant\n"});
    scene_rest(s);
    assert_row_is(s, 0, route, "assistant");
    assert_row_is(s, 0, model_asked, "gpt-of-old");
    assert_row_is(s, 0, model_served, "big");
    assert_contains(vbackend_seen(scene_backend(s, "alpha"), 0).body, "\"big\"");
    assert_null(vbackend_seen_header(scene_backend(s, "alpha"), 0, "x-equipoise-route").data);

    c = scene_asks(s, (struct ask){.headers = "x-equipoise-route: asistant\n"});
    scene_rest(s);
    assert_int_equal(vclient_status(c), 400);
    assert_contains(vclient_body(c), "there is no route 'asistant'");
    assert_row_is(s, 1, state, "invalid");

    c = scene_asks(
        s,
        (struct ask){.api = API_MESSAGES, .key = SECOND, .model = "vectors", .headers = "x-equipoise-route: writer\n"});
    scene_rest(s);
    assert_int_equal(vclient_status(c), 403);
    scene_passed(s);
}

static void
a_key_expires(void **state)
{
    struct scene *s = scene_new(
        state, (struct scene_options){.seed = 4,
                                      .more = "  old: { sha256: "
                                              "b464ce30b204dc60e335136ee46a01efe74914f4e4a6264f48448448642c9a0c, "
                                              "expires: 2020-01-01 }\n"});
    struct vclient *c = scene_asks(s, (struct ask){.key = SECOND});

    scene_rest(s);
    assert_int_equal(vclient_status(c), 401);
    assert_contains(vclient_body(c), "expired");
    assert_int_equal(s->row_count, 0);
    scene_passed(s);
}

/* Levers: the same question with the cheaper backend as the alternative. */

#define ALTERNATIVE(mode)                                                                                              \
    "backends:\n"                                                                                                      \
    "  alpha: { url: \"http://alpha.example\", models: [ big ] }\n"                                                    \
    "  beta:  { url: \"http://beta.example\", models: [ big ] }\n"                                                     \
    "routes:\n"                                                                                                        \
    "  assistant: { reference: beta/big, candidates: [ alpha/big ], levers: { alternatives: " mode " } }\n"            \
    "prices:\n"                                                                                                        \
    "  override:\n"                                                                                                    \
    "    alpha/big: { input: $2/M, output: $8/M }\n"                                                                   \
    "    beta/big:  { input: $3/M, output: $12/M }\n"

enum { ON_ALPHA = 2480, ON_BETA = 3720 }; /* micro-dollars */

static void
check_alternative(void **state, const char *config, bool bypass, const char *served, int64_t saved, bool shadow)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 5, .config = config});
    const struct row *row;

    atomic_store(&s->gateway.bypass, bypass);
    scene_asks(s, (struct ask){.api = API_CHAT});
    scene_rest(s);
    row = scene_row(s, 0);
    assert_row_is(s, 0, backend, served);
    assert_int_equal(row->baseline, ON_BETA * 1000000LL);
    assert_int_equal(row->saving_count, saved != 0 ? 1 : 0);
    if (saved != 0) {
        assert_slice_is(row->savings[0].lever, "alternatives");
        assert_int_equal(row->savings[0].saved, saved * 1000000);
        assert_int_equal(row->savings[0].shadow, shadow);
    }
    scene_passed(s);
    scene_free(s, state);
}

static void
a_lever_saves_only_where_it_is_on(void **state)
{
    check_alternative(state, ALTERNATIVE("on"), false, "alpha", ON_BETA - ON_ALPHA, false);
    check_alternative(state, ALTERNATIVE("shadow"), false, "beta", ON_BETA - ON_ALPHA, true);
    check_alternative(state, ALTERNATIVE("off"), false, "beta", 0, false);
    check_alternative(state, ALTERNATIVE("on"), true, "beta", 0, false); /* bypass */
}

/* Credentials that a command prints */

static const char with_command[] = "backends:\n"
                                   "  alpha: { url: \"http://alpha.example\", models: [ big ],\n"
                                   "           auth: { header: api-key, command: \"print-token\", refresh: 10m } }\n"
                                   "routes:\n"
                                   "  assistant: { reference: alpha/big }\n";

struct printer {
    int exit_status;
    unsigned runs;
    char token[32];
};

static void
print_token(void *context, struct slice input, int *exit_status, struct slice *output)
{
    struct printer *printer = context;

    (void)input;
    snprintf(printer->token, sizeof(printer->token), "token-%u\n", ++printer->runs);
    *exit_status = printer->exit_status;
    *output = slice_of(printer->token);
}

static void
use_printer(struct scene *s, struct printer *printer)
{
    vcommand_does(s->history, "print-token",
                  (struct vcommand_script){.takes_us = USEC_PER_S, .decide = print_token, .context = printer});
}

static void
a_credential_is_printed_once_and_renewed_in_time(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 10, .config = with_command});
    struct vbackend *alpha = scene_backend(s, "alpha");
    struct printer printer = {0};

    use_printer(s, &printer);
    for (int i = 0; i < 5; i++)
        scene_asks(s, (struct ask){.api = API_CHAT});
    scene_rest(s);
    assert_int_equal(printer.runs, 1);
    assert_int_equal(vbackend_seen_count(alpha), 5);
    assert_slice_is(vbackend_seen_header(alpha, 4, "api-key"), "token-1");
    assert_lacks(vbackend_seen(alpha, 0).headers, "authorization");

    history_run_for(s->history, 601 * USEC_PER_S);
    scene_asks(s, (struct ask){.api = API_CHAT});
    scene_rest(s);
    assert_slice_is(vbackend_seen_header(alpha, 5, "api-key"), "token-2");

    scene_provider(s, "alpha")->status = 401; /* revoked early: the next request asks for another */
    scene_asks(s, (struct ask){.api = API_CHAT});
    scene_rest(s);
    scene_asks(s, (struct ask){.api = API_CHAT});
    scene_rest(s);
    assert_slice_is(vbackend_seen_header(alpha, 7, "api-key"), "token-3");
    scene_passed(s);
}

static void
a_command_that_fails_is_said_and_booked(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 11, .config = with_command});
    struct printer printer = {.exit_status = 1};
    struct vclient *c;

    use_printer(s, &printer);
    c = scene_asks(s, (struct ask){.api = API_CHAT});
    scene_rest(s);
    assert_int_equal(vclient_status(c), 502);
    assert_contains(vclient_body(c), "credential failed");
    assert_row_is(s, 0, state, "upstream failed");
    assert_int_equal(scene_row(s, 0)->cost, 0);
    assert_int_equal(vbackend_seen_count(scene_backend(s, "alpha")), 0);
    scene_passed(s);
}

/* The second of three backends cannot be called: it is no attempt, and what the first cost is told once. */
static void
a_backend_without_its_credential_is_passed_over(void **state)
{
    static const char three[] =
        "backends:\n"
        "  alpha: { url: \"http://alpha.example\", models: [ big ] }\n"
        "  beta:  { url: \"http://beta.example\", models: [ big ], auth: { command: \"print-token\" } }\n"
        "  gamma: { url: \"http://gamma.example\", models: [ big ] }\n"
        "routes:\n"
        "  assistant: { reference: alpha/big, candidates: [ beta/big, gamma/big ], levers: { alternatives: on } }\n"
        "prices:\n"
        "  override:\n"
        "    alpha/big: { input: $1/M, output: $1/M }\n"
        "    beta/big:  { input: $2/M, output: $2/M }\n"
        "    gamma/big: { input: $3/M, output: $3/M }\n";
    struct scene *s = scene_new(state, (struct scene_options){.seed = 13, .config = three});
    struct printer printer = {.exit_status = 1};

    use_printer(s, &printer);
    vbackend_decides(scene_backend(s, "alpha"), NULL, NULL);
    vbackend_plays(scene_backend(s, "alpha"), play_head(200, "content-type: application/json"), play_text("{"),
                   play_cut());
    scene_asks(s, (struct ask){.api = API_CHAT});
    scene_rest(s);
    assert_row_is(s, 0, state, "ok");
    assert_row_is(s, 0, backend, "gamma");
    assert_int_equal(scene_row(s, 0)->attempts, 2);
    assert_int_equal(scene_row(s, 0)->try_count, 2);
    assert_int_equal(s->attempts, 1);
    scene_passed(s);
}

static void
a_client_may_leave_while_the_command_runs(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 12, .config = with_command});
    struct printer printer = {0};

    use_printer(s, &printer);
    scene_asks(s, (struct ask){.client = {.leaves_after_us = 100 * USEC_PER_MS}});
    scene_asks(s, (struct ask){.api = API_CHAT});
    scene_rest(s);
    assert_int_equal(s->row_count, 2);
    assert_row_is(s, 0, state, "client gone");
    assert_int_equal(scene_row(s, 0)->cost, 0);
    assert_row_is(s, 1, state, "ok");
    assert_int_equal(vbackend_seen_count(scene_backend(s, "alpha")), 1);
    scene_passed(s);
}

/* Scenario 20: neither the order of keys nor what cannot change the answer tells two requests apart; tenants do. */
static void
equal_requests_have_one_fingerprint(void **state)
{
    static const char *const bodies[] = {
        "{\"model\":\"assistant\",\"temperature\":0,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
        ("{ \"messages\":[{\"content\":\"hi\", \"role\":\"user\"}],\"stream\":true,\"user\":\"u\",\"temperature\":0,"
         " \"model\":\"assistant\"}"),
        "{\"model\":\"assistant\",\"temperature\":1,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"};
    struct scene *s = scene_new(state, (struct scene_options){.seed = 20,
                                                              .more = "  second: { sha256: "
                                                                      "b464ce30b204dc60e335136ee46a01efe74914f4e4a6264f"
                                                                      "48448448642c9a0c, tenant: other }\n"
                                                                      "fingerprints: yes\n"});

    for (size_t i = 0; i < 3; i++) {
        scene_asks(s, (struct ask){.body = bodies[i]});
        scene_rest(s);
    }
    scene_asks(s, (struct ask){.body = bodies[0], .key = SECOND});
    scene_rest(s);
    assert_true(scene_row(s, 0)->fingerprint.len > 0);
    assert_true(slice_equal(scene_row(s, 0)->fingerprint, scene_row(s, 1)->fingerprint));
    assert_false(slice_equal(scene_row(s, 0)->fingerprint, scene_row(s, 2)->fingerprint));
    assert_false(slice_equal(scene_row(s, 0)->fingerprint, scene_row(s, 3)->fingerprint));
    scene_passed(s);
}

/* Answered here */

static struct vclient *
tell(struct scene *s, const char *text)
{
    return scene_asks(s, (struct ask){.target = "/v1/feedback", .body = text});
}

static void
feedback_is_kept(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 30});
    struct vclient *c = scene_asks(s, (struct ask){.api = API_CHAT});
    struct buffer text = {0};

    scene_rest(s);
    buffer_printf(&text, "{\"id\":\"%.*s\",\"useful\":true,\"value_usd\":\"0.05\"}",
                  SLICE_ARGS(vclient_header(c, "x-equipoise-id")));
    buffer_add_byte(&text, '\0');
    c = tell(s, text.data);
    scene_rest(s);
    assert_int_equal(vclient_status(c), 202);
    assert_int_equal(s->feedbacks, 1);
    assert_int_equal(s->row_count, 1); /* no row of its own */

    c = tell(s, "{\"id\":\"!\",\"useful\":true}");
    scene_rest(s);
    assert_int_equal(vclient_status(c), 400);
    history_fail_appends(s->history, 1, 1000, ERR_FULL);
    c = tell(s, text.data);
    scene_rest(s);
    assert_int_equal(vclient_status(c), 503);
    assert_int_equal(s->feedbacks, 1);
    buffer_free(&text);
    scene_passed(s);
}

/* The ledger finds out whether the request is theirs; the record says who they are. */
static void
feedback_names_the_tenant_whose_key_it_came_with(void **state)
{
    static const char more[] =
        "  second: { sha256: b464ce30b204dc60e335136ee46a01efe74914f4e4a6264f48448448642c9a0c, tenant: other }\n";
    struct scene *s = scene_new(state, (struct scene_options){.seed = 32, .more = more});
    struct journal_record record;
    struct slice bytes;

    scene_asks(
        s, (struct ask){.target = "/v1/feedback", .key = SECOND, .body = "{\"id\":\"0000000000001\",\"useful\":true}"});
    scene_rest(s);
    assert_int_equal(s->feedbacks, 1);
    bytes = history_journal(s->history, 0);
    assert_int_equal(journal_take(&bytes, &record), OK);
    assert_slice_is(record.feedback.tenant, "other");
    scene_passed(s);
}

static void
models_are_listed_in_both_dialects(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 31});
    struct ask ask = {.target = "/v1/models", .client = {.method = "GET"}};
    struct vclient *openai, *anthropic, *head;

    openai = scene_asks(s, ask);
    ask.headers = "anthropic-version: 2023-06-01\n";
    anthropic = scene_asks(s, ask);
    ask.client.method = "HEAD";
    head = scene_asks(s, ask);
    scene_rest(s);
    assert_contains(vclient_body(openai), "\"assistant\"");
    assert_contains(vclient_body(openai), "\"object\":\"list\"");
    assert_contains(vclient_body(anthropic), "\"writer\"");
    assert_int_equal(vclient_status(head), 200);
    assert_int_equal(vclient_body(head).len, 0);
    assert_int_equal(s->row_count, 0);
    scene_passed(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_tenants_requests_go_only_where_they_may, scene_teardown),
        cmocka_unit_test_teardown(pass_through_obeys_the_tenants_rules_too, scene_teardown),
        cmocka_unit_test_teardown(a_key_may_ask_only_for_its_routes, scene_teardown),
        cmocka_unit_test_teardown(a_key_expires, scene_teardown),
        cmocka_unit_test_teardown(a_lever_saves_only_where_it_is_on, scene_teardown),
        cmocka_unit_test_teardown(a_header_names_the_route, scene_teardown),
        cmocka_unit_test_teardown(a_share_of_conversations_is_held_out, scene_teardown),
        cmocka_unit_test_teardown(a_credential_is_printed_once_and_renewed_in_time, scene_teardown),
        cmocka_unit_test_teardown(a_command_that_fails_is_said_and_booked, scene_teardown),
        cmocka_unit_test_teardown(a_backend_without_its_credential_is_passed_over, scene_teardown),
        cmocka_unit_test_teardown(a_client_may_leave_while_the_command_runs, scene_teardown),
        cmocka_unit_test_teardown(equal_requests_have_one_fingerprint, scene_teardown),
        cmocka_unit_test_teardown(feedback_is_kept, scene_teardown),
        cmocka_unit_test_teardown(feedback_names_the_tenant_whose_key_it_came_with, scene_teardown),
        cmocka_unit_test_teardown(models_are_listed_in_both_dialects, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
