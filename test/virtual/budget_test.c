/* Budgets and rate limits through the real gateway: a ceiling that holds, and nothing reserved at rest. */
#include "scene.h"

/* Micro-dollars in pico-dollars: a token of alpha/big costs 2 in and 8 out, of beta/big 3 and 12. */
#define MICRO(amount) ((usd)(amount)*1000000)

/* The body that scene_asks sends for a chat with "max_tokens":N of one digit. */
enum { CHAT_BYTES = 100 };

static const struct provider modest = {.words = 3, .input = 20, .output = 5};

static struct budget_info
account(struct scene *s, const char *identity)
{
    struct budget_info info = {0};
    size_t at = 0;

    while (budgets_next(&s->gateway.budgets, &at, world_wall_us(history_world(s->history, 0)), &info))
        if (slice_is(info.rule.identity, identity))
            return info;
    fail_msg("no account %s", identity);
    return info;
}

static unsigned
count_status(struct vclient **clients, size_t count, unsigned status)
{
    unsigned sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += vclient_status(clients[i]) == status;
    return sum;
}

/* The backend's requests, as they came. */
static struct slice
sent(struct scene *s, const char *backend, size_t index)
{
    return vbackend_seen(scene_backend(s, backend), index).body;
}

/* Scenario 11: a thousand at once, all of them first, on a budget for ten. */
static void
concurrent_first_requests(void **state, const char *key, unsigned status, const char *says)
{
    enum { CLIENTS = 1000 };
    static struct vclient *clients[CLIENTS];
    struct scene *s = scene_new(state, (struct scene_options){.seed = 11, .workers = 4, .key = key});

    *scene_provider(s, "alpha") = modest;
    scene_provider(s, "alpha")->first_word_us = 10 * USEC_PER_S; /* none is over before the last has come */
    for (unsigned i = 0; i < CLIENTS; i++)
        clients[i] =
            scene_asks(s, (struct ask){.api = API_CHAT, .more = "\"max_tokens\":5", .client = {.worker = i % 4}});
    scene_rest(s);
    assert_int_equal(count_status(clients, CLIENTS, 200), 10);
    assert_int_equal(count_status(clients, CLIENTS, status), CLIENTS - 10);
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (vclient_status(clients[i]) == 200)
            continue;
        assert_contains(vclient_body(clients[i]), says);
        assert_slice_is(vclient_header(clients[i], "x-should-retry"), "false");
        assert_true(vclient_header(clients[i], "retry-after").len > 0);
    }
    assert_int_equal(vbackend_seen_count(scene_backend(s, "alpha")), 10);
    scene_free(s, state);
}

static void
a_budget_for_ten_lets_ten_of_a_thousand_pass(void **state)
{
    char money[64], tokens[64], text[USD_TEXT_SIZE];

    usd_format(10 * MICRO(2 * CHAT_BYTES + 5 * 8), text);
    snprintf(money, sizeof(money), "budget: $%s/day, exposure: strict", text);
    snprintf(tokens, sizeof(tokens), "budget: %d tokens/hour, exposure: strict", 10 * (CHAT_BYTES + 5));
    concurrent_first_requests(state, "budget: 10 requests/day", 429, "the budget of key web (10 requests/day)");
    concurrent_first_requests(state, money, 402, "the budget of key web ($");
    concurrent_first_requests(state, tokens, 429, "tokens left and this request may take");
}

/* Scenario 12: a key that has no budget of its own, a tenant that nothing is said of: the whole's budget holds. */
static void
first_requests_of_whoever_is_new_obey(void **state)
{
    static const char more[] =
        "  other: { sha256: \"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\", "
        "tenant: unheard-of }\n"
        "budget: 2 requests/day\n";
    struct scene *s = scene_new(state, (struct scene_options){.seed = 12, .more = more});
    struct vclient *clients[3];

    *scene_provider(s, "alpha") = modest;
    for (int i = 0; i < 3; i++) {
        clients[i] = scene_asks(s, (struct ask){.api = API_CHAT, .key = i == 0 ? KEY : "test"});
        scene_rest(s);
    }
    assert_int_equal(vclient_status(clients[1]), 200);
    assert_int_equal(vclient_status(clients[2]), 429);
    assert_contains(vclient_body(clients[2]), "the budget of everything together (2 requests/day)");
    assert_row_is(s, 2, state, "refused");
    assert_row_is(s, 2, key_name, "other");
    assert_int_equal(s->rows[2].attempts, 0);
    scene_passed(s);
}

/* Of two that do not take a request, the one that starts anew last is named, with what is left of it and not of the other. */
static void
a_refusal_tells_what_is_left_of_the_budget_it_names(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.key = "budget: 100 tokens/hour, exposure: strict",
                                                              .more = "budget: 150 tokens/month\n"});
    struct vclient *c = scene_asks(s, (struct ask){.api = API_CHAT, .more = "\"n\":9,\"max_tokens\":99"});

    scene_rest(s);
    assert_int_equal(vclient_status(c), 429);
    assert_contains(vclient_body(c), "everything together (150 tokens/month) has 150 tokens left");
    scene_passed(s);
}

/* Scenario 15: there is no way round a budget. */
static void
every_api_obeys(void **state)
{
    static const struct ask asks[] = {
        {.api = API_CHAT},
        {.api = API_CHAT, .stream = true},
        {.api = API_COMPLETIONS},
        {.api = API_COMPLETIONS, .stream = true},
        {.api = API_RESPONSES},
        {.api = API_RESPONSES, .stream = true},
        {.api = API_MESSAGES},
        {.api = API_MESSAGES, .stream = true},
        {.api = API_EMBEDDINGS},
        {.model = "alpha/big"},
        {.model = "big", .target = "/backend/alpha/v1/chat/completions", .client = {.piece_len = 20}},
    };

    for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
        struct scene *s = scene_new(state, (struct scene_options){.seed = i, .more = "budget: 1 request/month\n"});
        struct vclient *first = scene_asks(s, asks[i]), *second;

        scene_rest(s);
        assert_int_equal(vclient_status(first), 200);
        second = scene_asks(s, asks[i]);
        scene_rest(s);
        assert_int_equal(vclient_status(second), 429);
        assert_slice_is(vclient_header(second, "x-should-retry"), "false");
        assert_contains(vclient_body(second), "\"rate_limit_error\"");
        assert_int_equal(gateway_count(&s->gateway, COUNT_REFUSED_REQUESTS), 1);
        assert_row_is(s, 1, state, "refused");
        scene_free(s, state);
    }
}

/* Scenario 15: strict refuses what nobody can bound, and says what that is; expected serves and books it. */
static void
strict_refuses_what_nothing_bounds(void **state)
{
    static const struct {
        struct ask ask;
        const char *what;
    } cases[] = {
        {{.api = API_CHAT, .model = "alpha/unheard-of"}, "alpha/unheard-of, whose price is not known"},
        {{.api = API_CHAT, .more = "\"tools\":[{\"type\":\"web_search\"}]"}, "a tool that runs at the provider"},
        {{.api = API_CHAT, .more = "\"web_search_options\":{}"}, "a search at the provider"},
        {{.api = API_CHAT,
          .body = "{\"model\":\"assistant\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\","
                  "\"image_url\":{\"url\":\"https://x.example/a.png\"}}]}]}"},
         "an image that the provider fetches"},
        {{.api = API_RESPONSES, .more = "\"previous_response_id\":\"r1\""}, "kept at the provider"},
        {{.api = API_RESPONSES, .more = "\"background\":true"}, "in the background"},
        {{.api = API_MESSAGES, .more = "\"tools\":[{\"type\":\"web_search_20250305\",\"name\":\"web_search\"}]"},
         "a tool that runs at the provider"},
        {{.model = "big", .target = "/backend/alpha/v1/chat/completions"}, "pass-through"},
    };

    for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
        bool strict = i % 2 == 0;
        struct scene *s = scene_new(
            state,
            (struct scene_options){.seed = i, .key = strict ? "budget: $5/day, exposure: strict" : "budget: $5/day"});
        struct vclient *c = scene_asks(s, cases[i / 2].ask);

        scene_rest(s);
        assert_int_equal(vclient_status(c), strict ? 402 : 200);
        assert_int_equal(gateway_count(&s->gateway, COUNT_REFUSED_UNBOUNDED), strict);
        if (strict)
            assert_contains(vclient_body(c), cases[i / 2].what);
        scene_free(s, state);
    }
}

/* What only looks, or counts, costs nothing: that is bound enough. What posts is not known to. */
static void
strict_lets_pass_what_is_free(void **state)
{
    static const struct {
        const char *target, *method;
        bool free;
    } cases[] = {
        {"/backend/alpha/v1/files/3", "GET", true},
        {"/backend/alpha/v1/files/3", "DELETE", true},
        {"/backend/claude/v1/messages/count_tokens?beta=true", "POST", true},
        {"/backend/claude/v1/messages/batches", "POST", false},
        {"/backend/claude/v1/messages?x=/v1/messages/count_tokens", "POST", false},
        {"/backend/alpha/v1/messages/count_tokens", "POST", false}, /* who knows what that is, at OpenAI's */
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scene *s =
            scene_new(state, (struct scene_options){.seed = i, .key = "budget: $5/day, exposure: strict"});
        struct vbackend *backend =
            scene_backend(s, slice_starts(slice_of(cases[i].target), "/backend/alpha") ? "alpha" : "claude");
        struct vclient *c;

        vbackend_decides(backend, NULL, NULL);
        vbackend_plays(backend, play_head(200, "content-type: application/json"), play_text("{\"input_tokens\":14}"),
                       play_end());
        c = scene_asks(s, (struct ask){.target = cases[i].target, .client = {.method = cases[i].method}});
        scene_rest(s);
        assert_int_equal(vclient_status(c), cases[i].free ? 200 : 402);
        assert_int_equal(scene_row(s, 0)->cost, 0);
        assert_row_is(s, 0, exactness, "exact");
        assert_int_equal(account(s, "key web usd/day").spent, 0);
        scene_free(s, state);
    }
}

static void
what_is_free_exposes_nothing(void **state)
{
    for (int posts = 0; posts < 2; posts++) {
        struct scene *s = scene_new(state, (struct scene_options){.seed = 19, .key = "budget: $5/day"});
        struct vbackend *alpha = scene_backend(s, "alpha");

        scene_asks(s,
                   (struct ask){.target = "/backend/alpha/v1/batches", .client = {.method = posts ? "POST" : "GET"}});
        history_run_until(s->history, vbackend_working(alpha));
        assert_int_equal(account(s, "key web usd/day").unbounded, posts);
        scene_rest(s);
        scene_free(s, state);
    }
}

/* An answer that broke off may have been billed up to all that it might take: strict counts that, so that what is let in
 * afterwards stays within the budget whatever was billed; the row's cost is an estimate as ever. */
static void
strict_counts_what_it_reserved_for_a_lost_answer(void **state)
{
    for (int strict = 0; strict < 2; strict++) {
        struct scene *s = scene_new(
            state, (struct scene_options){.seed = 18,
                                          .key = strict ? "budget: [ $5/day, 1M tokens/day ], exposure: strict"
                                                        : "budget: [ $5/day, 1M tokens/day ]"});
        struct vbackend *alpha = scene_backend(s, "alpha");
        int64_t money, tokens;

        vbackend_decides(alpha, NULL, NULL);
        vbackend_plays(alpha, play_head(200, "content-type: application/json\ncontent-length: 500\n"),
                       play_text("{\"choices\":[{"), play_cut());
        scene_asks(s, (struct ask){.api = API_CHAT, .model = "alpha/big", .more = "\"max_tokens\":100000"});
        history_run_until(s->history, vbackend_working(alpha));
        money = account(s, "key web usd/day").reserved;
        tokens = account(s, "key web tokens/day").reserved;
        scene_rest(s);
        assert_row_is(s, 0, state, "upstream failed");
        assert_row_is(s, 0, exactness, "estimated");
        assert_true(scene_row(s, 0)->cost < money);
        assert_int_equal(account(s, "key web tokens/day").spent == tokens, strict);
        assert_int_equal(account(s, "key web usd/day").spent == money, strict);
        assert_int_equal(scene_row(s, 0)->counted_cost, account(s, "key web usd/day").spent);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Scenario 17: five at once on 100 tokens a minute; whatever they ask for, no minute takes more. */
static void
a_hundred_tokens_a_minute_are_a_hundred(void **state)
{
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct scene *s = scene_new(
            state, (struct scene_options){.seed = seed, .key = "budget: 100 tokens/minute, exposure: strict"});
        struct vclient *clients[5];
        struct budget_info info;

        *scene_provider(s, "alpha") = (struct provider){.words = 3, .input = 40, .output = 9};
        for (unsigned i = 0; i < 5; i++)
            clients[i] =
                scene_asks(s, (struct ask){.api = API_CHAT,
                                           .body = "{\"model\":\"assistant\",\"max_tokens\":9,\"messages\":[]}",
                                           .client = {.after_us = (usec)(seed * i) * 100 * USEC_PER_MS}});
        while (history_step(s->history)) {
            info = account(s, "key web tokens/minute");
            assert_true(info.spent + info.reserved <= 100);
        }
        scene_rest(s);
        assert_true(count_status(clients, 5, 200) >= 1);
        assert_int_equal(count_status(clients, 5, 200) + count_status(clients, 5, 429), 5);
        scene_free(s, state);
    }
}

/* Scenario 18: input that the provider had in its cache weighs as much as one likes. */
static void
cached_tokens_weigh_less(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 18,
                                                              .key = "budget: 10k tokens/hour",
                                                              .more = "limits: { cached_token_weight: 10% }\n"});

    *scene_provider(s, "alpha") = (struct provider){.words = 3, .input = 1000, .cached = 800, .output = 60};
    scene_asks(s, (struct ask){.api = API_CHAT});
    scene_rest(s);
    assert_int_equal(account(s, "key web tokens/hour").spent, 200 + 80 + 60);
    scene_passed(s);
}

/* Money that is not there buys no answer; what is there buys a shorter one, unless that is shorter than may be. */
static void
what_is_left_caps_the_output(void **state)
{
    char key[64], text[USD_TEXT_SIZE];
    struct vclient *clients[3];
    struct scene *s;

    usd_format(MICRO(2 * (CHAT_BYTES + 2) + 100 * 8 + 7), text);
    snprintf(key, sizeof(key), "budget: $%s/day, exposure: strict", text);
    s = scene_new(state, (struct scene_options){.seed = 20, .key = key});
    *scene_provider(s, "alpha") = (struct provider){.words = 3, .input = 110, .output = 100};
    clients[0] = scene_asks(s, (struct ask){.api = API_CHAT, .more = "\"max_tokens\":500"});
    scene_rest(s);
    assert_int_equal(vclient_status(clients[0]), 200);
    assert_contains(sent(s, "alpha", 0), "\"max_tokens\":100}");
    assert_int_equal(s->rows[0].transforms, TRANSFORM_CLIPPED);
    assert_int_equal(gateway_count(&s->gateway, COUNT_CLIPPED), 1);
    clients[1] = scene_asks(s, (struct ask){.api = API_CHAT, .more = "\"max_tokens\":1"});
    scene_rest(s);
    assert_int_equal(vclient_status(clients[1]), 402);
    assert_int_equal(vbackend_seen_count(scene_backend(s, "alpha")), 1);
    scene_passed(s);
}

/* The cap that is sent: the client's if it has one, else the route's, else a usual one; all answers count. */
static void
a_cap_is_always_sent(void **state)
{
    static const struct {
        struct ask ask;
        const char *member; /* as it is sent */
        int64_t reserved;   /* output tokens */
        unsigned transforms;
    } cases[] = {
        {{.api = API_CHAT, .more = "\"max_tokens\":77"}, "\"max_tokens\":77", 77, 0},
        {{.api = API_CHAT, .more = "\"max_tokens\":null"}, "\"max_tokens\":4096", 4096, TRANSFORM_CAPPED},
        {{.api = API_CHAT, .more = "\"max_completion_tokens\":77, \"n\":3"}, "\"max_completion_tokens\":77", 231, 0},
        {{.api = API_CHAT}, "{\"max_tokens\":4096,", 4096, TRANSFORM_CAPPED},
        {{.api = API_COMPLETIONS, .more = "\"max_tokens\":10, \"n\":2, \"best_of\":5"}, "\"max_tokens\":10", 50, 0},
        {{.api = API_RESPONSES}, "{\"max_output_tokens\":4096,", 4096, TRANSFORM_CAPPED},
        {{.api = API_MESSAGES}, "\"max_tokens\": 500", 500, 0},
        {{.api = API_EMBEDDINGS}, "", 0, 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scene *s =
            scene_new(state, (struct scene_options){.seed = i, .key = "budget: 1M tokens/day, exposure: strict"});
        struct vclient *c = scene_asks(s, cases[i].ask);
        const char *backend = cases[i].ask.api == API_MESSAGES ? "claude" : "alpha";
        int64_t most = 0;

        while (history_step(s->history)) {
            int64_t reserved = account(s, "key web tokens/day").reserved;

            most = reserved > most ? reserved : most;
        }
        scene_rest(s);
        assert_int_equal(vclient_status(c), 200);
        assert_contains(sent(s, backend, 0), cases[i].member);
        assert_int_equal(most, s->rows[0].request_bytes + cases[i].reserved);
        assert_int_equal(s->rows[0].transforms, cases[i].transforms);
        scene_free(s, state);
    }
}

/* Without a budget of money or tokens nothing is changed. */
static void
without_a_budget_bytes_stay(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 21, .key = "budget: 10 requests/day"});
    static const char body[] = "{\"model\" : \"alpha/big\" ,\"messages\":[]}";

    scene_asks(s, (struct ask){.api = API_CHAT, .body = body});
    scene_rest(s);
    assert_contains(sent(s, "alpha", 0), "\"messages\":[]}");
    assert_lacks(sent(s, "alpha", 0), "max_tokens");
    scene_passed(s);
}

/* A plan that is thought cheaper may cost more at worst. Where a budget does not take it, another may serve; with
 * `degrade` only what is cheaper than the reference. */
static void
the_next_plan_is_tried(void **state)
{
    /* 100 bytes, 80 tokens out: lean is expected to cost 830 millionths and 3,080 at worst, stout 985 and 1,060. */
    static const char config[] = "backends:\n"
                                 "  lean:  { url: \"http://lean.example\", models: [ big ] }\n"
                                 "  stout: { url: \"http://stout.example\", models: [ big ] }\n"
                                 "prices: { override: { lean/big: { input: $30/M, output: $1/M },\n"
                                 "                      stout/big: { input: $1/M, output: $12/M } } }\n"
                                 "routes:\n"
                                 "  assistant: { reference: %s/big, candidates: [ %s/big ],\n"
                                 "               levers: { alternatives: on }, on_exceed: %s }\n"
                                 "budget: $0.0012/day\nexposure: strict\n";
    static const struct {
        const char *reference, *candidate, *on_exceed;
        unsigned status;
    } cases[] = {
        {"lean", "stout", "refuse", 200},
        {"lean", "stout", "degrade", 402},
        {"stout", "lean", "refuse", 200},
        {"stout", "lean", "degrade", 402},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer text = {0};
        struct vclient *c;
        struct scene *s;

        buffer_printf(&text, config, cases[i].reference, cases[i].candidate, cases[i].on_exceed);
        buffer_add_byte(&text, '\0');
        s = scene_new(state, (struct scene_options){.seed = i, .config = text.data});
        *scene_provider(s, "stout") = (struct provider){.words = 3, .input = 100, .output = 80};
        c = scene_asks(s, (struct ask){.api = API_CHAT, .more = "\"max_tokens\":80"});
        scene_rest(s);
        assert_int_equal(vclient_status(c), cases[i].status);
        assert_int_equal(vbackend_seen_count(scene_backend(s, "lean")), 0);
        assert_contains(s->rows[0].plans, "over budget");
        scene_free(s, state);
        buffer_free(&text);
    }
}

/* An attempt that failed and was billed for counts; the next one reserves anew. */
static void
every_attempt_reserves(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 22,
                                                              .key = "budget: [ 1000 tokens/day, 5 requests/day ], "
                                                                     "exposure: strict"});
    struct vclient *c;

    *scene_provider(s, "alpha") = modest;
    scene_provider(s, "alpha")->status = 503;
    *scene_provider(s, "beta") = modest;
    c = scene_asks(s, (struct ask){.api = API_CHAT, .more = "\"max_tokens\":5"});
    scene_rest(s);
    assert_int_equal(vclient_status(c), 200);
    assert_int_equal(s->rows[0].attempts, 2);
    assert_int_equal(account(s, "key web tokens/day").spent, 25);
    assert_int_equal(account(s, "key web requests/day").spent, 1);
    scene_passed(s);
}

/* --observe: counted, never refused, nothing changed. */
static void
observed_budgets_only_count(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 23,
                                                              .key = "budget: [ 10 tokens/day, 1 request/day ], "
                                                                     "exposure: strict",
                                                              .more = "observe: yes\n"});
    struct vclient *c;

    for (int i = 0; i < 3; i++) {
        c = scene_asks(s, (struct ask){.api = API_CHAT});
        scene_rest(s);
        assert_int_equal(vclient_status(c), 200);
        assert_lacks(sent(s, "alpha", (size_t)i), "max_tokens");
    }
    assert_int_equal(account(s, "key web requests/day").spent, 3);
    scene_passed(s);
}

/* Each tag that has a budget counts, the request's own too. */
static void
tags_have_budgets(void **state)
{
    struct scene *s = scene_new(
        state, (struct scene_options){
                   .seed = 24, .more = "tag_budgets: { feature=search: 2 requests/day, job=nightly: $1/day }\n"});
    struct vclient *c;

    *scene_provider(s, "alpha") = modest;
    scene_asks(s, (struct ask){.api = API_CHAT});
    scene_asks(s, (struct ask){.api = API_CHAT, .headers = "x-equipoise-tags: job=nightly\n"});
    scene_rest(s);
    assert_int_equal(account(s, "tag feature=search requests/day").spent, 2);
    assert_int_equal(account(s, "tag job=nightly usd/day").spent, MICRO(20 * 2 + 5 * 8));
    c = scene_asks(s, (struct ask){.api = API_CHAT});
    scene_rest(s);
    assert_int_equal(vclient_status(c), 429);
    assert_contains(vclient_body(c), "the budget of tag feature=search (2 requests/day)");
    scene_passed(s);
}

/* The window turns: what came before it stays there. */
static void
a_new_window_starts_from_nothing(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 25, .key = "budget: 1 request/minute"});
    struct vclient *c = NULL;

    for (int i = 0; i < 3; i++) {
        c = scene_asks(s, (struct ask){.api = API_CHAT});
        history_run_to_rest(s->history);
        assert_int_equal(vclient_status(c), 200);
        c = scene_asks(s, (struct ask){.api = API_CHAT});
        history_run_to_rest(s->history);
        history_wall_jump(s->history, 60 * USEC_PER_S);
    }
    scene_rest(s);
    scene_passed(s);
}

/* Streams that outrun their budget */

static const struct provider endless = {
    .words = 4000, .input = 20, .output = 8000, .first_word_us = 1000, .word_gap_us = 1000};

static const struct {
    enum api api;
    const char *backend, *reason, *end;
} streams[] = {
    {API_CHAT, "alpha", "\"finish_reason\":\"length\"", "data: [DONE]\n\n"},
    {API_COMPLETIONS, "alpha", "\"finish_reason\":\"length\"", "data: [DONE]\n\n"},
    {API_MESSAGES, "claude", "\"stop_reason\":\"max_tokens\"", "data: {\"type\":\"message_stop\"}\n\n"},
    {API_RESPONSES, "alpha", "\"incomplete_details\":{\"reason\":\"max_output_tokens\"}", "}\n\n"},
};

enum { STREAMS = sizeof(streams) / sizeof(streams[0]) };

static void
assert_ended_at_ceiling(struct scene *s, size_t row, const struct vclient *c, const char *backend, const char *why)
{
    assert_int_equal(vclient_status(c), 200);
    assert_true(vclient_done(c));
    assert_lacks(vclient_body(c), "\"error\":{");
    assert_row_is(s, row, state, "ok");
    assert_contains(s->rows[row].why, why);
    assert_true((s->rows[row].transforms & TRANSFORM_ENDED) != 0);
    assert_slice_is(s->rows[row].tries[0].state, "closed");
    assert_row_is(s, row, exactness, "estimated");
    assert_int_equal(vbackend_worked_after_us(scene_backend(s, backend), vclient_ended_us(c)), 0);
    assert_true(gateway_count(&s->gateway, COUNT_ENDED_AT_CEILING) > 0);
}

/* In every dialect: what came stays, the reason is that of a cap, the end is marked, and no more was spent than there
 * was. */
static void
a_stream_ends_cleanly_at_its_ceiling(void **state)
{
    for (size_t i = 0; i < 2 * STREAMS; i++) {
        const char *backend = streams[i / 2].backend;
        struct scene *s = scene_new(
            state, (struct scene_options){.seed = i, .split_answers = i % 2 == 0, .key = "budget: 3000 tokens/hour"});
        struct vclient *c;

        *scene_provider(s, backend) = endless;
        c = scene_asks(s, (struct ask){.api = streams[i / 2].api,
                                       .stream = true,
                                       .more = i / 2 == 2 ? "\"metadata\":{}" : "\"user\":\"u\"",
                                       .body = i / 2 == 2 ? "{\"model\":\"writer\",\"stream\":true,\"max_tokens\":9000,"
                                                            "\"messages\":[]}"
                                                          : NULL,
                                       .client = {.read_len = i % 2 == 1 ? 4000 : 0,
                                                  .read_gap_us = i % 2 == 1 ? 300 * USEC_PER_MS : 0}});
        scene_rest(s);
        assert_ended_at_ceiling(s, 0, c, backend, "the budget of key web (3000 tokens/hour) has no more for it");
        assert_contains(vclient_body(c), "w1000 ");
        assert_contains(vclient_body(c), streams[i / 2].reason);
        assert_true(slice_ends(vclient_body(c), streams[i / 2].end));
        assert_true(account(s, "key web tokens/hour").spent <= 3000);
        assert_true(account(s, "key web tokens/hour").spent > 2800);
        assert_int_equal(gateway_count(&s->gateway, COUNT_OVERRUNS), 0);
        scene_free(s, state);
    }
}

/* A backend that does not keep to the cap it was sent. */
static void
a_stream_beyond_its_cap_is_ended(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 31, .key = "budget: $1/day, exposure: strict"});
    struct vclient *c;

    *scene_provider(s, "alpha") = endless;
    c = scene_asks(s, (struct ask){.api = API_CHAT, .stream = true, .more = "\"max_tokens\":50"});
    scene_rest(s);
    assert_ended_at_ceiling(s, 0, c, "alpha", "did not keep to the cap of 50 tokens");
    scene_passed(s);
}

/* Answers so far had many tokens for little text, this one keeps to its cap with more text than that. It is not for us to
 * say that it is too long while the budget has room for what it may come to; where it has none, the stream ends. */
static void
a_stream_of_wordy_tokens_keeps_to_its_cap(void **state)
{
    for (int scarce = 0; scarce < 2; scarce++) {
        struct scene *s = scene_new(
            state, (struct scene_options){.seed = 34, .key = scarce ? "budget: 1250 tokens/hour" : "budget: $1/day"});
        struct vclient *c;

        *scene_provider(s, "alpha") = (struct provider){.words = 9, .input = 20, .output = 40};
        for (int i = 0; i < 16; i++) {
            scene_asks(s, (struct ask){.api = API_CHAT, .more = "\"max_tokens\":40"});
            scene_rest(s);
        }
        *scene_provider(s, "alpha") =
            (struct provider){.words = 300, .input = 20, .output = 50, .first_word_us = 1000, .word_gap_us = 1000};
        c = scene_asks(s, (struct ask){.api = API_CHAT, .stream = true, .more = "\"max_tokens\":50"});
        scene_rest(s);
        if (scarce) {
            assert_ended_at_ceiling(s, 16, c, "alpha", "the budget of key web (1250 tokens/hour) has no more for it");
        } else {
            assert_contains(vclient_body(c), "w299 ");
            assert_row_is(s, 16, exactness, "exact");
            assert_int_equal(gateway_count(&s->gateway, COUNT_ENDED_AT_CEILING), 0);
        }
        scene_free(s, state);
    }
}

/* A token may be a line of dashes: little text says nothing of a short cap. */
static void
a_short_cap_may_hold_long_tokens(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 36, .key = "budget: $1/day"});
    struct vclient *c;

    *scene_provider(s, "alpha") =
        (struct provider){.words = 300, .input = 20, .output = 12, .first_word_us = 1000, .word_gap_us = 1000};
    c = scene_asks(s, (struct ask){.api = API_CHAT, .stream = true, .more = "\"max_tokens\":12"});
    scene_rest(s);
    assert_contains(vclient_body(c), "w299 ");
    assert_row_is(s, 0, exactness, "exact");
    assert_int_equal(gateway_count(&s->gateway, COUNT_ENDED_AT_CEILING), 0);
    scene_passed(s);
}

/* Once text was seen to bound what is billed, a strict stream takes its reservation piece by piece, and others get in;
 * where a stream thinks unseen, all of its cap stays reserved. */
static void
strict_streams_reserve_piece_by_piece(void **state)
{
    for (int thinks = 0; thinks < 2; thinks++) {
        struct scene *s =
            scene_new(state, (struct scene_options){.seed = 32, .key = "budget: 200k tokens/day, exposure: strict"});
        struct vclient *c;
        int64_t most = 0;

        *scene_provider(s, "alpha") = (struct provider){.words = 9, .input = 20, .output = 9, .reasoning = thinks};
        for (int i = 0; i < 16; i++) {
            scene_asks(s, (struct ask){.api = API_CHAT, .more = "\"max_tokens\":9"});
            scene_rest(s);
        }
        *scene_provider(s, "alpha") = endless;
        c = scene_asks(s, (struct ask){.api = API_CHAT, .stream = true, .more = "\"max_tokens\":100000"});
        history_run_until(s->history, vclient_body(c).len > 0);
        assert_true(thinks ? account(s, "key web tokens/day").reserved > 100000
                           : account(s, "key web tokens/day").reserved < 3000);
        while (history_step(s->history)) {
            int64_t reserved = account(s, "key web tokens/day").reserved;

            most = reserved > most ? reserved : most;
        }
        scene_rest(s);
        assert_true(vclient_done(c));
        assert_contains(vclient_body(c), "w3999 ");
        assert_true(most > 20000); /* a token for each byte */
        scene_free(s, state);
    }
}

/* And it is ended where the pieces end, before what is reserved is used. */
static void
a_strict_stream_ends_before_it_overspends(void **state)
{
    struct scene *s =
        scene_new(state, (struct scene_options){.seed = 33, .key = "budget: 10k tokens/day, exposure: strict"});
    struct vclient *c;

    *scene_provider(s, "alpha") = (struct provider){.words = 9, .input = 20, .output = 9};
    for (int i = 0; i < 16; i++) {
        scene_asks(s, (struct ask){.api = API_CHAT, .more = "\"max_tokens\":9"});
        scene_rest(s);
    }
    *scene_provider(s, "alpha") = endless;
    c = scene_asks(s, (struct ask){.api = API_CHAT, .stream = true, .more = "\"max_tokens\":100000"});
    while (history_step(s->history)) {
        struct budget_info info = account(s, "key web tokens/day");

        assert_true(info.spent + info.reserved <= 10000);
    }
    scene_rest(s);
    assert_ended_at_ceiling(s, 16, c, "alpha", "has no more for it");
    scene_passed(s);
}

static void
limits_are_told(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 34,
                                                              .wall_us = (usec)1780000020 * USEC_PER_S,
                                                              .key = "budget: [ 2 requests/minute, 500 tokens/day ]"});
    struct vclient *c;

    *scene_provider(s, "alpha") = modest;
    c = scene_asks(s, (struct ask){.api = API_CHAT, .more = "\"max_tokens\":5"});
    scene_rest(s);
    assert_slice_is(vclient_header(c, "x-ratelimit-limit-requests"), "2");
    assert_slice_is(vclient_header(c, "x-ratelimit-remaining-requests"), "1");
    assert_slice_is(vclient_header(c, "x-ratelimit-reset-requests"), "1m0s");
    assert_slice_is(vclient_header(c, "x-ratelimit-limit-tokens"), "500");
    assert_slice_is(vclient_header(c, "x-ratelimit-remaining-tokens"), "475");
    assert_true(slice_ends(vclient_header(c, "x-ratelimit-reset-tokens"), "s"));
    scene_asks(s, (struct ask){.api = API_CHAT, .more = "\"max_tokens\":5"});
    scene_rest(s);
    c = scene_asks(s, (struct ask){.api = API_CHAT, .more = "\"max_tokens\":5"});
    scene_rest(s);
    assert_int_equal(vclient_status(c), 429);
    assert_slice_is(vclient_header(c, "x-ratelimit-remaining-requests"), "0");
    assert_slice_is(vclient_header(c, "x-ratelimit-remaining-tokens"), "450");
    assert_slice_is(vclient_header(c, "retry-after"), "60");
    scene_passed(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_budget_for_ten_lets_ten_of_a_thousand_pass, scene_teardown),
        cmocka_unit_test_teardown(first_requests_of_whoever_is_new_obey, scene_teardown),
        cmocka_unit_test_teardown(a_refusal_tells_what_is_left_of_the_budget_it_names, scene_teardown),
        cmocka_unit_test_teardown(every_api_obeys, scene_teardown),
        cmocka_unit_test_teardown(strict_refuses_what_nothing_bounds, scene_teardown),
        cmocka_unit_test_teardown(strict_lets_pass_what_is_free, scene_teardown),
        cmocka_unit_test_teardown(what_is_free_exposes_nothing, scene_teardown),
        cmocka_unit_test_teardown(strict_counts_what_it_reserved_for_a_lost_answer, scene_teardown),
        cmocka_unit_test_teardown(a_hundred_tokens_a_minute_are_a_hundred, scene_teardown),
        cmocka_unit_test_teardown(cached_tokens_weigh_less, scene_teardown),
        cmocka_unit_test_teardown(what_is_left_caps_the_output, scene_teardown),
        cmocka_unit_test_teardown(a_cap_is_always_sent, scene_teardown),
        cmocka_unit_test_teardown(without_a_budget_bytes_stay, scene_teardown),
        cmocka_unit_test_teardown(the_next_plan_is_tried, scene_teardown),
        cmocka_unit_test_teardown(every_attempt_reserves, scene_teardown),
        cmocka_unit_test_teardown(observed_budgets_only_count, scene_teardown),
        cmocka_unit_test_teardown(tags_have_budgets, scene_teardown),
        cmocka_unit_test_teardown(a_new_window_starts_from_nothing, scene_teardown),
        cmocka_unit_test_teardown(a_stream_ends_cleanly_at_its_ceiling, scene_teardown),
        cmocka_unit_test_teardown(a_stream_of_wordy_tokens_keeps_to_its_cap, scene_teardown),
        cmocka_unit_test_teardown(a_short_cap_may_hold_long_tokens, scene_teardown),
        cmocka_unit_test_teardown(a_stream_beyond_its_cap_is_ended, scene_teardown),
        cmocka_unit_test_teardown(strict_streams_reserve_piece_by_piece, scene_teardown),
        cmocka_unit_test_teardown(a_strict_stream_ends_before_it_overspends, scene_teardown),
        cmocka_unit_test_teardown(limits_are_told, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
