/* Requests whose backend speaks another API, in the virtual world: what a backend bills is booked, once, in every ending,
 * and clients hear their own API. */
#include "heard.h"
#include "scene.h"

/* `assistant` is asked for in chat and responses, `writer` in messages; all backends but `native` speak the other dialect. */
#define BACKENDS                                                                                                       \
    "  claude: { url: \"http://claude.example\", dialect: anthropic, models: [ big, opus ] }\n"                        \
    "  alpha:  { url: \"http://alpha.example\", models: [ big, opus ], apis: [ chat ] }\n"                             \
    "  newer:  { url: \"http://newer.example\", models: [ big, opus ], apis: [ responses ] }\n"                        \
    "  native: { url: \"http://native.example\", models: [ big ] }\n"
#define PRICES                                                                                                         \
    "prices:\n"                                                                                                        \
    "  override:\n"                                                                                                    \
    "    claude/big:  { input: $2/M, output: $8/M, cache_read: $0.50/M, cache_write: $2.50/M, cache_write_1h: $4/M "   \
    "}\n"                                                                                                              \
    "    alpha/big:   { input: $2/M, output: $8/M, cache_read: $0.50/M }\n"                                            \
    "    alpha/opus:  { input: $2/M, output: $8/M, cache_read: $0.50/M }\n"                                            \
    "    newer/big:   { input: $2/M, output: $8/M, cache_read: $0.50/M }\n"                                            \
    "    newer/opus:  { input: $2/M, output: $8/M, cache_read: $0.50/M }\n"                                            \
    "    native/big:  { input: $4/M, output: $16/M, cache_read: $1/M }\n"

static const char config[] =
    "backends:\n" BACKENDS "routes:\n"
    "  assistant: { reference: claude/big, repeatable: yes, levers: { coalesce: on } }\n"
    "  plain:     { reference: alpha/big }\n"
    "  modern:    { reference: newer/big }\n"
    "  writer:    { reference: alpha/opus, repeatable: yes, levers: { coalesce: on } }\n"
    "  mixed:     { reference: native/big, candidates: [ claude/big ], levers: { alternatives: on } }\n" PRICES;

static const struct {
    enum api api;
    const char *model, *backend, *path;
} crossings[] = {
    {API_CHAT, "assistant", "claude", "/v1/messages"},         {API_CHAT, "modern", "newer", "/v1/responses"},
    {API_MESSAGES, "writer", "alpha", "/v1/chat/completions"}, {API_MESSAGES, "modern", "newer", "/v1/responses"},
    {API_RESPONSES, "plain", "alpha", "/v1/chat/completions"}, {API_RESPONSES, "assistant", "claude", "/v1/messages"},
};

#define SAYS_HI "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]"

enum { CROSSINGS = sizeof(crossings) / sizeof(crossings[0]) };

static struct scene *
opens(void **state, uint64_t seed, const char *key)
{
    return scene_new(
        state, (struct scene_options){.seed = seed, .split_answers = seed % 2 == 1, .config = config, .key = key});
}

static struct vclient *
asks(struct scene *s, size_t crossing, bool stream)
{
    return scene_asks(
        s, (struct ask){.api = crossings[crossing].api, .model = crossings[crossing].model, .stream = stream});
}

/* In chat, the usage of a stream is told to who asks for it; 1,500 tokens went in, of which 500 were read from a cache. */
static const struct provider habits = {.words = 12,
                                       .input = 1500,
                                       .cached = 500,
                                       .output = 40,
                                       .first_word_us = 30 * USEC_PER_MS,
                                       .word_gap_us = 5 * USEC_PER_MS};

static void
behaves(struct scene *s, const char *backend, struct provider provider)
{
    if (strcmp(backend, "claude") == 0)
        provider.input -= provider.cached; /* what it calls its input leaves out the cached */
    *scene_provider(s, backend) = provider;
}

/* Whole and streamed, however the stream comes in: the same text, the same usage, the same money; once. */
static void
answers_are_put_back_and_booked_once(void **state)
{
    for (size_t i = 0; i < 4 * CROSSINGS; i++) {
        size_t crossing = i / 4;
        struct scene *s = opens(state, i, NULL);
        struct provider provider = habits;
        struct vclient *whole, *stream;
        struct vcall_seen seen;

        provider.pings = i % 2 == 0;
        provider.line_end = (enum line_end)(i % 3);
        provider.byte_by_byte = i % 4 == 1;
        provider.multi_line = i % 4 == 2;
        provider.no_done = i % 4 == 3 && crossings[crossing].path[4] == 'c';
        behaves(s, crossings[crossing].backend, provider);
        whole = asks(s, crossing, false);
        scene_rest(s);
        stream = asks(s, crossing, true);
        scene_rest(s);
        seen = vbackend_seen(scene_backend(s, crossings[crossing].backend), 0);
        assert_slice_is(seen.target, crossings[crossing].path);
        assert_int_equal(vclient_status(whole), 200);
        assert_heard_same(crossings[crossing].api, whole, stream);
        assert_contains(vclient_body(whole), "w0 w1 w2");
        for (size_t row = 0; row < 2; row++) {
            assert_row_is(s, row, state, "ok");
            assert_row_is(s, row, exactness, "exact");
            assert_int_equal(s->rows[row].input_tokens, 1500);
            assert_int_equal(s->rows[row].cache_read_tokens, 500);
            assert_int_equal(s->rows[row].output_tokens, 40);
            assert_int_equal(s->rows[row].cost, 1000 * 2000000LL + 500 * 500000LL + 40 * 8000000LL);
            assert_int_equal(s->rows[row].try_count, 1);
        }
        scene_passed(s);
        scene_free(s, state);
    }
}

/* What the client is told of its usage is what is booked. */
static void
usage_in_the_clients_way_of_counting(void **state)
{
    static const char *const told[] = {"\"prompt_tokens\":1500", "\"prompt_tokens\":1500", "\"input_tokens\":1000",
                                       "\"input_tokens\":1000",  "\"input_tokens\":1500",  "\"input_tokens\":1500"};

    for (size_t i = 0; i < CROSSINGS; i++) {
        struct scene *s = opens(state, i, NULL);
        struct vclient *whole, *quiet;

        behaves(s, crossings[i].backend, habits);
        whole = asks(s, i, false);
        quiet = asks(s, i, true);
        scene_rest(s);
        assert_contains(vclient_body(whole), told[i]);
        if (crossings[i].api == API_CHAT)
            assert_lacks(vclient_body(quiet), "prompt_tokens"); /* it did not ask */
        else
            assert_contains(vclient_body(quiet), told[i]);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* A stream that outruns its budget ends as the client's API would end it, and what it has said is whole. */
static void
a_stream_ends_at_its_ceiling_in_the_clients_words(void **state)
{
    /* What a stream's end repeats of its beginning: an id, an open block, an open item. */
    static const char *const ends[API_COUNT] = {
        [API_CHAT] = "\"finish_reason\":\"length\"}],\"usage\":null}\n\ndata: [DONE]\n\n",
        [API_MESSAGES] =
            "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
            "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\"",
        [API_RESPONSES] = "event: response.output_item.done\n"};

    for (size_t i = 0; i < CROSSINGS; i++) {
        struct scene *s = opens(state, i, "budget: 3000 tokens/hour");
        enum api api = crossings[i].api;
        char body[256];
        struct vclient *c;

        snprintf(body, sizeof(body), "{\"model\":\"%s\",\"stream\":true,\"max_tokens\":9000,%s}", crossings[i].model,
                 SAYS_HI);
        behaves(
            s, crossings[i].backend,
            (struct provider){.words = 4000, .input = 20, .output = 8000, .first_word_us = 1000, .word_gap_us = 1000});
        c = scene_asks(s, (struct ask){.api = api,
                                       .model = crossings[i].model,
                                       .stream = true,
                                       .body = api == API_RESPONSES ? NULL : body,
                                       .more = api == API_RESPONSES ? "\"max_output_tokens\":9000" : NULL});
        scene_rest(s);
        assert_int_equal(vclient_status(c), 200);
        assert_contains(vclient_body(c), ends[api]);
        assert_lacks(vclient_body(c), "\"error\":{");
        if (api == API_CHAT) /* so all chunks but the last have an id */
            assert_contains(vclient_body(c), "\"model\":\"big\",\"choices\":[{\"index\":0,\"delta\":{},");
        assert_row_is(s, 0, state, "ok");
        assert_int_equal(gateway_count(&s->gateway, COUNT_ENDED_AT_CEILING), 1);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Those who share a call hear it in their API, in the form that each of them wants. */
static void
shared_calls_are_heard_in_the_clients_api(void **state)
{
    static const size_t shared[] = {0, 2, 5};

    for (size_t i = 0; i < 3 * 2; i++) {
        size_t crossing = shared[i / 2];
        struct scene *s = scene_new(state, (struct scene_options){.seed = i, .workers = 3, .config = config});
        struct vclient *leader, *followers[4];

        behaves(s, crossings[crossing].backend, habits);
        leader = asks(s, crossing, true);
        history_run_for(s->history, 10 * USEC_PER_MS);
        for (unsigned j = 0; j < 4; j++)
            followers[j] = scene_asks(s, (struct ask){.api = crossings[crossing].api,
                                                      .model = crossings[crossing].model,
                                                      .stream = j % 2 == 0,
                                                      .client = {.worker = j % 3}});
        scene_rest(s);
        for (unsigned j = 0; j < 4; j++) {
            assert_int_equal(vclient_status(followers[j]), 200);
            assert_heard_same(crossings[crossing].api, leader, followers[j]);
        }
        assert_int_equal(vbackend_opened(scene_backend(s, crossings[crossing].backend)), 1);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Where the cheaper backend cannot be asked, fails, or refuses what was put in other words, the route's own serves. */
static void
another_plan_serves_where_translation_cannot(void **state)
{
    static const struct {
        const char *more, *headers, *d;
        unsigned status, attempts;
        const char *backend;
    } cases[] = {
        {.more = "\"user\":\"u\"", .attempts = 1, .backend = "claude"},
        {.more = "\"seed\":4", .attempts = 1, .backend = "native", .d = "'seed' has no place in messages"},
        {.headers = "openai-beta: assistants=v2\n", .attempts = 1, .backend = "native", .d = "the header openai-beta"},
        {.status = 400, .attempts = 2, .backend = "native"},
        {.status = 422, .attempts = 2, .backend = "native"},
        {.status = 503, .attempts = 2, .backend = "native"},
        {.status = 529, .attempts = 2, .backend = "native"},
    };

    for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
        size_t at = i / 2;
        struct scene *s = opens(state, i, NULL);
        struct provider failing = habits;
        struct vclient *c;

        failing.status = cases[at].status;
        behaves(s, "claude", failing);
        behaves(s, "native", habits);
        c = scene_asks(
            s,
            (struct ask){.model = "mixed", .stream = i % 2 == 1, .more = cases[at].more, .headers = cases[at].headers});
        scene_rest(s);
        assert_int_equal(vclient_status(c), 200);
        assert_contains(vclient_body(c), "w5");
        assert_row_is(s, 0, backend, cases[at].backend);
        assert_row_is(s, 0, state, "ok");
        assert_int_equal(s->rows[0].attempts, cases[at].attempts);
        if (cases[at].d != NULL)
            assert_contains(s->rows[0].plans, cases[at].d);
        assert_contains(s->rows[0].plans, "\"a\":\"messages\"");
        scene_passed(s);
        scene_free(s, state);
    }
}

/* A backend that answers what nobody can put in other words has failed, and the client hears of it in its own. */
static void
what_cannot_be_told_is_a_failure(void **state)
{
    static const struct {
        const char *head, *body;
        bool stream;
        const char *words;
    } cases[] = {
        {"content-type: application/json", "{\"id\":\"x\"", false, "cannot be put in the client's API"},
        {"content-type: application/json", "<html>", false, "cannot be put in the client's API"},
        {"content-type: application/json\ncontent-encoding: gzip", "xxxx", false, "compressed"},
        {"content-type: text/event-stream", "event: message_start\ndata: nonsense\n\n", true,
         "cannot be put in the client's API"},
        {"content-type: text/event-stream",
         "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"model\":\"big\"}}\n\n"
         "event: content_block_start\ndata: "
         "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"server_tool_use\"}}\n\n",
         true, "cannot be put in the client's API"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scene *s = opens(state, i, NULL);
        struct vclient *c;

        vbackend_decides(scene_backend(s, "claude"), NULL, NULL);
        vbackend_plays(scene_backend(s, "claude"), play_wait(1000), play_head(200, cases[i].head),
                       play_text(cases[i].body), play_end());
        c = scene_asks(s, (struct ask){.model = "assistant", .stream = cases[i].stream});
        scene_rest(s);
        assert_int_equal(vclient_status(c), 502);
        assert_contains(vclient_body(c), "{\"error\":{\"message\":\"");
        assert_contains(vclient_body(c), cases[i].words);
        assert_row_is(s, 0, state, "upstream failed");
        assert_true(s->rows[0].attempts <= 2);
        scene_free(s, state);
    }
}

/* Errors pass on with the client's status and shape; that the money is at its end is understood in any words. */
static void
errors_are_told_in_the_clients_words(void **state)
{
    struct scene *s = opens(state, 7, NULL);
    struct vclient *c;

    vbackend_decides(scene_backend(s, "claude"), NULL, NULL);
    vbackend_plays(
        scene_backend(s, "claude"), play_wait(1000),
        play_head(529, "content-type: application/json\nrequest-id: req_9\nanthropic-ratelimit-requests-limit: 5"),
        play_text("{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}"),
        play_end());
    c = scene_asks(s, (struct ask){.model = "assistant"});
    scene_rest(s);
    assert_int_equal(vclient_status(c), 503);
    assert_contains(vclient_body(c), "{\"error\":{\"message\":\"Overloaded\",\"type\":\"server_error\"");
    assert_slice_is(vclient_header(c, "x-request-id"), "req_9");
    assert_int_equal(vclient_header(c, "anthropic-ratelimit-requests-limit").len, 0);
    vbackend_decides(scene_backend(s, "alpha"), NULL, NULL);
    vbackend_plays(scene_backend(s, "alpha"), play_wait(1000), play_head(429, "content-type: application/json"),
                   play_text("{\"error\":{\"message\":\"You exceeded your current "
                             "quota\",\"type\":\"insufficient_quota\",\"code\":\"insufficient_quota\"}}"),
                   play_end());
    c = scene_asks(s, (struct ask){.api = API_MESSAGES, .model = "writer"});
    scene_rest(s);
    assert_int_equal(vclient_status(c), 429);
    assert_contains(vclient_body(c), "\"type\":\"billing_error\",\"message\":\"You exceeded your current quota\"");
    assert_slice_is(vclient_header(c, "x-should-retry"), "false");
    assert_int_equal(gateway_count(&s->gateway, COUNT_SPEND_LIMITS), 1);
    scene_passed(s);
}

/* A backend that repeats our key in an error, where the message is cut. */
static void
our_key_is_no_part_of_an_error(void **state)
{
    static const char keyed[] = "backends:\n"
                                "  claude: { url: \"http://claude.example\", dialect: anthropic, models: [ big ], key: "
                                "sk-of-the-gateway-0123456789 }\n"
                                "routes: { assistant: { reference: claude/big } }\n";
    struct scene *s = scene_new(state, (struct scene_options){.seed = 12, .config = keyed});
    char body[4096];
    struct vclient *c;

    snprintf(body, sizeof(body),
             "{\"type\":\"error\",\"error\":{\"type\":\"authentication_error\",\"message\":\"%*ssk-of-the-gateway-"
             "0123456789\"}}",
             2034, "");
    vbackend_decides(scene_backend(s, "claude"), NULL, NULL);
    vbackend_plays(scene_backend(s, "claude"), play_wait(1000), play_head(400, "content-type: application/json"),
                   play_text(body), play_end());
    c = scene_asks(s, (struct ask){.model = "assistant"});
    scene_rest(s);
    assert_int_equal(vclient_status(c), 400);
    assert_lacks(vclient_body(c), "sk-of-the-g");
    assert_contains(vclient_body(c), "****");
    scene_passed(s);
}

/* An error in the middle of a stream. */
static void
an_error_within_a_stream(void **state)
{
    struct scene *s = opens(state, 8, NULL);
    struct vclient *c;

    vbackend_decides(scene_backend(s, "claude"), NULL, NULL);
    vbackend_plays(
        scene_backend(s, "claude"), play_wait(1000), play_head(200, "content-type: text/event-stream"),
        play_text(
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"model\":\"big\"}}\n\n"
            "event: content_block_delta\ndata: "
            "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n"
            "event: error\ndata: "
            "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Busy\"}}\n\n"),
        play_end());
    c = scene_asks(s, (struct ask){.model = "assistant", .stream = true});
    scene_rest(s);
    assert_int_equal(vclient_status(c), 200);
    assert_contains(vclient_body(c), "\"content\":\"Hi\"");
    assert_contains(vclient_body(c), "data: {\"error\":{\"message\":\"Busy\"");
    assert_lacks(vclient_body(c), "[DONE]");
    scene_passed(s);
}

/* A whole answer that is longer than those that are held fails, instead of growing without an end. */
static void
a_whole_answer_is_bounded(void **state)
{
    static const char small[] =
        "limits: { answer: 64KiB }\nbackends:\n" BACKENDS "routes:\n  assistant: { reference: claude/big }\n" PRICES;
    struct scene *s = scene_new(state, (struct scene_options){.seed = 9, .config = small});
    struct vclient *c;

    *scene_provider(s, "claude") = (struct provider){.words = 20000, .input = 5, .output = 20000};
    c = scene_asks(s, (struct ask){.model = "assistant"});
    scene_rest(s);
    assert_int_equal(vclient_status(c), 502);
    assert_contains(vclient_body(c), "limits: answer");
    /* What came of it is billed by its provider. */
    assert_true(s->rows[0].output_tokens > 4000);
    scene_passed(s);
}

/* What came of a whole answer is counted though its client leaves before it could be told. */
static void
a_whole_answer_whose_client_leaves(void **state)
{
    static const char begun[] = "{\"id\":\"x\",\"content\":[";
    struct scene *s = opens(state, 11, NULL);
    struct vclient *c;

    vbackend_decides(scene_backend(s, "claude"), NULL, NULL);
    vbackend_plays(scene_backend(s, "claude"), play_wait(1000), play_head(200, "content-type: application/json"),
                   play_text(begun), play_hang());
    c = scene_asks(s, (struct ask){.model = "assistant"});
    history_run_for(s->history, 500000);
    vclient_leave(c);
    scene_rest(s);
    assert_row_is(s, 0, state, "client gone");
    assert_int_equal(s->rows[0].answer_bytes, strlen(begun));
    scene_passed(s);
}

/* A model that no route names is found at a backend that has to be asked in another API, if none speaks the request's. */
static void
a_model_is_found_at_a_backend_of_another_api(void **state)
{
    static const char small[] =
        "backends:\n"
        "  claude: { url: \"http://claude.example\", dialect: anthropic, models: [ opus, both ] }\n"
        "  alpha:  { url: \"http://alpha.example\", models: [ big, both ], apis: [ chat ] }\n"
        "routes: { assistant: { reference: alpha/big } }\n";
    struct scene *s = scene_new(state, (struct scene_options){.seed = 10, .config = small});
    struct vclient *list;

    scene_asks(s, (struct ask){.model = "opus"});
    scene_rest(s);
    scene_asks(s, (struct ask){.model = "both"});
    scene_rest(s);
    scene_asks(s, (struct ask){.api = API_MESSAGES, .model = "big"});
    scene_rest(s);
    scene_asks(s, (struct ask){.api = API_EMBEDDINGS, .model = "opus"}); /* of which nothing can be translated */
    list = scene_asks(s, (struct ask){.target = "/v1/models", .client = {.method = "GET"}});
    scene_rest(s);
    assert_row_is(s, 0, backend, "claude");
    assert_row_is(s, 1, backend, "alpha");
    assert_row_is(s, 2, backend, "alpha");
    assert_row_is(s, 3, state, "invalid");
    assert_contains(vclient_body(list), "\"opus\"");
    scene_passed(s);
}

/* A conversation of its own. */
static struct vclient *
asks_anew(struct scene *s, size_t number, const char *more)
{
    char text[64];
    struct vclient *client;

    snprintf(text, sizeof(text), "What is question number %zu?", number);
    client = scene_asks(s, (struct ask){.text = text, .stream = number % 2 == 0, .more = more});
    history_run_to_rest(s->history);
    assert_int_equal(vclient_status(client), 200);
    return client;
}

static bool
is_by_model(const struct vclient *client)
{
    return slice_is(vclient_header(client, "x-equipoise-source"), "model");
}

/* The router's audits ask the other provider in its own words, and judge what is put back; once it has earned it, another
 * provider's model serves. What cannot be put in its words is neither audited nor served by it. */
static void
a_model_of_another_provider_earns_what_it_serves(void **state)
{
    static const char routed[] =
        "backends:\n"
        "  alpha:  { url: \"http://alpha.example\", models: [ big ] }\n"
        "  claude: { url: \"http://claude.example\", dialect: anthropic, models: [ small ] }\n"
        "prices:\n"
        "  override:\n"
        "    alpha/big:    { input: $2/M, output: $8/M }\n"
        "    claude/small: { input: $0.02/M, output: $0.08/M }\n"
        "routes:\n"
        "  assistant: { reference: alpha/big, candidates: claude/small, acceptable: { quality: 80% },\n"
        "               judge: { by: exact }, learning: 100%, levers: { router: on } }\n";
    struct scene *s = scene_new(state, (struct scene_options){.seed = 11, .config = routed});
    struct vclient *client = asks_anew(s, 0, NULL);
    size_t number = 1, served = 0;

    while (!is_by_model(client) && number < 1000)
        client = asks_anew(s, number++, NULL);
    assert_true(gateway_count(&s->gateway, COUNT_ROUTER_ACCEPTABLE) >= 17 && number < 1000);
    assert_contains(vclient_body(client),
                    number % 2 == 0 ? "\"object\":\"chat.completion\"" : "\"chat.completion.chunk\"");
    for (size_t i = 0; i < 50; i++) {
        served += is_by_model(asks_anew(s, number++, NULL));
        assert_false(is_by_model(asks_anew(s, number++, "\"seed\":4")));
    }
    assert_true(served > 35);
    assert_int_equal(gateway_count(&s->gateway, COUNT_ROUTER_NOT), 0);
    scene_rest(s);
    for (size_t i = 0; i < s->row_count; i++)
        if (slice_is(s->rows[i].backend, "claude"))
            assert_slice_is(s->rows[i].exactness, "exact");
    scene_passed(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(answers_are_put_back_and_booked_once, scene_teardown),
        cmocka_unit_test_teardown(usage_in_the_clients_way_of_counting, scene_teardown),
        cmocka_unit_test_teardown(a_stream_ends_at_its_ceiling_in_the_clients_words, scene_teardown),
        cmocka_unit_test_teardown(shared_calls_are_heard_in_the_clients_api, scene_teardown),
        cmocka_unit_test_teardown(another_plan_serves_where_translation_cannot, scene_teardown),
        cmocka_unit_test_teardown(what_cannot_be_told_is_a_failure, scene_teardown),
        cmocka_unit_test_teardown(errors_are_told_in_the_clients_words, scene_teardown),
        cmocka_unit_test_teardown(our_key_is_no_part_of_an_error, scene_teardown),
        cmocka_unit_test_teardown(an_error_within_a_stream, scene_teardown),
        cmocka_unit_test_teardown(a_whole_answer_whose_client_leaves, scene_teardown),
        cmocka_unit_test_teardown(a_whole_answer_is_bounded, scene_teardown),
        cmocka_unit_test_teardown(a_model_is_found_at_a_backend_of_another_api, scene_teardown),
        cmocka_unit_test_teardown(a_model_of_another_provider_earns_what_it_serves, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
