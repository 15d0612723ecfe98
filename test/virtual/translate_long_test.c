/* Long requests and answers whose backend speaks another API: what is more than a moment's work is done off the loop, and
 * only what may be wanted is done. */
#include "gateway/exchange.h"
#include "scene.h"

static const char config[] =
    "backends:\n"
    "  claude: { url: \"http://claude.example\", dialect: anthropic, models: [ big, opus ] }\n"
    "  alpha:  { url: \"http://alpha.example\", models: [ big ], apis: [ chat ] }\n"
    "  newer:  { url: \"http://newer.example\", models: [ big ], apis: [ responses ] }\n"
    "routes:\n"
    "  assistant: { reference: claude/big }\n"
    "  plain:     { reference: alpha/big }\n"
    "  mixed:     { reference: alpha/big, candidates: [ claude/big ], levers: { alternatives: on } }\n"
    "prices:\n"
    "  override:\n"
    "    claude/big: { input: $2/M, output: $8/M }\n"
    "    alpha/big:  { input: $2/M, output: $8/M }\n"
    "    newer/big:  { input: $2/M, output: $8/M }\n";

static struct scene *
opens(void **state, uint64_t seed)
{
    return scene_new(state, (struct scene_options){.seed = seed, .config = config});
}

/* Requests */

static struct buffer
long_chat(const char *model, size_t len)
{
    struct buffer body = {0};

    buffer_printf(&body, "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"", model);
    while (buffer_len(&body) < len)
        buffer_printf(&body, "word %zu ", buffer_len(&body));
    buffer_add_text(&body, "\"}]}");
    buffer_add_byte(&body, '\0');
    return body;
}

/* The only request under way has come so far that its plans are made. */
static const struct exchange *
weighed(struct scene *s, const char *backend)
{
    struct gateway_worker *worker = s->gateway.workers[0];

    history_run_until(s->history, vbackend_working(scene_backend(s, backend)));
    return CONTAINER_OF(list_first(&worker->exchanges), struct exchange, link);
}

/* Who is not asked for the model, whatever it speaks, has nothing put in its words. */
static void
only_what_the_route_may_want_is_translated(void **state)
{
    static const struct {
        const char *model, *headers, *backend;
        bool messages;
    } cases[] = {
        {"plain", NULL, "alpha", false},
        {"mixed", NULL, "alpha", true},
        {"whatever", "x-equipoise-route: mixed", "alpha", true},
        {"mixed", "x-equipoise-route: plain", "alpha", false},
        {"assistant", NULL, "claude", true},
        {"claude/opus", NULL, "claude", true},
        {"opus", NULL, "claude", true},
        {"alpha/big", NULL, "alpha", false},
    };
    static const size_t lens[] = {300 * 1024, 1200 * 1024};

    for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
        struct scene *s = opens(state, i);
        struct buffer body = long_chat(cases[i / 2].model, lens[i % 2]);
        const struct exchange *exchange;

        scene_provider(s, "alpha")->first_word_us = scene_provider(s, "claude")->first_word_us = USEC_PER_S;
        scene_asks(s, (struct ask){.body = body.data, .headers = cases[i / 2].headers});
        exchange = weighed(s, cases[i / 2].backend);
        assert_true((exchange->translated[API_MESSAGES] != NULL) == cases[i / 2].messages);
        assert_null(exchange->translated[API_RESPONSES]);
        scene_rest(s);
        assert_row_is(s, 0, state, "ok");
        assert_row_is(s, 0, backend, cases[i / 2].backend);
        buffer_free(&body);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Answers */

/* Two MiB of words. */
static const struct provider talkative = {.words = 280000, .input = 50, .output = 280000, .first_word_us = 1000};

static bool
is_told(const struct scene *s)
{
    struct list *first = list_first(&s->gateway.workers[0]->exchanges);
    const struct flight *flight = first != NULL ? CONTAINER_OF(first, struct exchange, link)->cursor.flight : NULL;

    return flight != NULL && flight->telling != NULL;
}

static void
long_answers_are_put_back_off_the_loop(void **state)
{
    for (uint64_t seed = 0; seed < 3; seed++) {
        struct scene *s = opens(state, seed);
        struct buffer text = provider_text(&talkative);
        struct vclient *c;
        usec began_us;

        *scene_provider(s, "claude") = talkative;
        c = scene_asks(s, (struct ask){.model = "assistant"});
        history_run_until(s->history, is_told(s));
        assert_int_equal(vclient_status(c), 0);
        began_us = history_now_us(s->history);
        history_run_until(s->history, vclient_done(c));
        assert_true(history_now_us(s->history) > began_us);
        scene_rest(s);
        assert_int_equal(vclient_status(c), 200);
        assert_contains(vclient_body(c), "\"object\":\"chat.completion\"");
        buffer_add_byte(&text, '\0');
        assert_contains(vclient_body(c), text.data);
        assert_row_is(s, 0, state, "ok");
        assert_row_is(s, 0, exactness, "exact");
        assert_int_equal(s->rows[0].output_tokens, 280000);
        buffer_free(&text);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Its provider bills it whole, though the client left while it was put in its API. */
static void
a_client_that_leaves_meanwhile(void **state)
{
    for (uint64_t seed = 0; seed < 3; seed++) {
        struct scene *s = opens(state, seed);
        struct vclient *c;

        *scene_provider(s, "claude") = talkative;
        c = scene_asks(s, (struct ask){.model = "assistant"});
        history_run_until(s->history, is_told(s));
        vclient_leave(c);
        scene_rest(s);
        assert_row_is(s, 0, state, "client gone");
        assert_row_is(s, 0, exactness, "exact");
        assert_int_equal(s->rows[0].output_tokens, 280000);
        scene_passed(s);
        scene_free(s, state);
    }
}

static struct buffer
long_error(void)
{
    struct buffer body = {0};

    buffer_add_text(&body, "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"No: ");
    while (buffer_len(&body) < 1500 * 1024)
        buffer_add_text(&body, "and so on ");
    buffer_add_text(&body, "\"}}");
    buffer_add_byte(&body, '\0');
    return body;
}

/* What cannot be told fails, whatever its length; an error is told in the client's words; and who has left hears nothing. */
static void
long_answers_that_are_none(void **state)
{
    static const struct {
        unsigned status;
        bool leaves;
        unsigned told;
        const char *words, *row;
    } cases[] = {
        {200, false, 502, "cannot be put in the client's API", "upstream failed"},
        {400, false, 400, "No: and so on", "invalid"},
        {200, true, 0, NULL, "client gone"},
        {400, true, 0, NULL, "client gone"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scene *s = opens(state, i);
        struct buffer body = long_error();
        struct vclient *c;

        vbackend_decides(scene_backend(s, "claude"), NULL, NULL);
        vbackend_plays(scene_backend(s, "claude"), play_wait(1000),
                       play_head(cases[i].status, "content-type: application/json"), play_text(body.data), play_end());
        c = scene_asks(s, (struct ask){.model = "assistant"});
        history_run_until(s->history, is_told(s));
        if (cases[i].leaves)
            vclient_leave(c);
        scene_rest(s);
        assert_int_equal(vclient_status(c), cases[i].told);
        if (cases[i].told != 0)
            assert_contains(vclient_body(c), cases[i].words);
        assert_true(vclient_body(c).len < 4096);
        assert_row_is(s, 0, state, cases[i].row);
        buffer_free(&body);
        scene_passed(s);
        scene_free(s, state);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(only_what_the_route_may_want_is_translated, scene_teardown),
        cmocka_unit_test_teardown(long_answers_are_put_back_off_the_loop, scene_teardown),
        cmocka_unit_test_teardown(a_client_that_leaves_meanwhile, scene_teardown),
        cmocka_unit_test_teardown(long_answers_that_are_none, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
