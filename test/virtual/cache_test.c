/* Stored answers (lever exact_cache): given to equal requests, streamed or not, and to nobody else. */
#include "heard.h"
#include "scene.h"

#include <stdio.h>

#include "cache/store.h"
#include "gateway/reuse/cached.h"

#define SETTING(levers)                                                                                                \
    "backends:\n"                                                                                                      \
    "  alpha:  { url: \"http://alpha.example\", models: [ big, embedder ] }\n"                                         \
    "  beta:   { url: \"http://beta.example\", models: [ big ] }\n"                                                    \
    "  claude: { url: \"http://claude.example\", dialect: anthropic, models: [ opus ] }\n"                             \
    "routes:\n"                                                                                                        \
    "  assistant: { reference: alpha/big, repeatable: yes, levers: { " levers " } }\n"                                 \
    "  exacting:  { reference: alpha/big, levers: { " levers " } }\n"                                                  \
    "  short:     { reference: alpha/big, repeatable: yes, ttl: 10s, levers: { " levers " } }\n"                       \
    "  either:    { reference: alpha/big, candidates: [ beta/big ], repeatable: yes,\n"                                \
    "               levers: { alternatives: on, " levers " } }\n"                                                      \
    "  vectors:   { reference: alpha/embedder, levers: { " levers " } }\n"                                             \
    "  writer:    { reference: claude/opus, repeatable: yes, levers: { " levers " } }\n"                               \
    "prices:\n"                                                                                                        \
    "  override:\n"                                                                                                    \
    "    alpha/big:      { input: $2/M, output: $8/M, cache_read: $0.50/M }\n"                                         \
    "    alpha/embedder: { input: $0.10/M, output: $0/M }\n"                                                           \
    "    beta/big:       { input: $3/M, output: $12/M, cache_read: $1/M }\n"                                           \
    "    claude/opus:    { input: $5/M, output: $25/M, cache_read: $0.50/M, cache_write: $6.25/M, "                    \
    "cache_write_1h: $10/M }\n"

static const char on[] = SETTING("exact_cache: on");

static struct scene *
opens(void **state, uint64_t seed, const char *config)
{
    return scene_new(state, (struct scene_options){.seed = seed, .config = config, .split_answers = seed % 2 == 1});
}

static struct vclient *
answers(struct scene *s, struct ask ask)
{
    struct vclient *client = scene_asks(s, ask);

    scene_rest(s);
    return client;
}

static size_t
calls(struct scene *s)
{
    return vbackend_seen_count(scene_backend(s, "alpha")) + vbackend_seen_count(scene_backend(s, "beta")) +
           vbackend_seen_count(scene_backend(s, "claude"));
}

static bool
is_hit(const struct vclient *client)
{
    assert_int_equal(vclient_status(client), 200);
    return slice_is(vclient_header(client, "x-equipoise-source"), "cached");
}

static void
assert_row_of_hit(struct scene *s, size_t index, usd baseline)
{
    const struct row *row = scene_row(s, index);

    assert_row_is(s, index, state, "ok");
    assert_row_is(s, index, source, "cached");
    assert_row_is(s, index, exactness, "exact");
    assert_true(row->cost == 0 && row->baseline == baseline);
    assert_int_equal(row->attempts, 0);
    assert_int_equal(row->try_count, 0);
    assert_int_equal(row->input_tokens + row->output_tokens, 0);
    assert_int_equal(row->backend.len, 0);
    assert_int_equal(row->saving_count, 1);
    assert_slice_is(row->savings[0].lever, "exact_cache");
    assert_true(row->savings[0].saved == baseline && !row->savings[0].shadow);
    assert_contains(row->plans, "\"s\":\"cached\"");
}

/* Scenario 21: every way of asking after every way of having asked, in every API. */
static void
an_equal_request_gets_the_answer_for_nothing(void **state)
{
    static const enum api apis[] = {API_CHAT, API_COMPLETIONS, API_RESPONSES, API_MESSAGES, API_EMBEDDINGS};
    static const unsigned ways[] = {3, 3, 2, 2, 1}; /* buffered, streamed, streamed with usage */

    for (size_t i = 0; i < sizeof(apis) / sizeof(apis[0]); i++) {
        for (unsigned way = 0; way < ways[i] * ways[i]; way++) {
            unsigned one = way % ways[i], other = way / ways[i];
            struct ask first_ask = {.api = apis[i], .stream = one > 0, .wants_usage = one > 1};
            struct ask second_ask = {.api = apis[i], .stream = other > 0, .wants_usage = other > 1};
            struct scene *s = opens(state, 10 * i + way, on);
            struct vclient *first = answers(s, first_ask), *second = answers(s, second_ask);

            assert_false(is_hit(first));
            assert_true(is_hit(second));
            assert_int_equal(calls(s), 1);
            assert_heard_same(apis[i], first, second);
            assert_slice_is(vclient_header(second, "age"), "0");
            assert_int_equal(vclient_header(first, "age").len, 0);
            assert_true(
                slice_equal(vclient_header(first, "x-equipoise-model"), vclient_header(second, "x-equipoise-model")));
            assert_slice_is(vclient_header(second, "content-type"),
                            second_ask.stream ? "text/event-stream" : "application/json");
            if (!first_ask.stream && !second_ask.stream)
                assert_true(slice_equal(vclient_body(first), vclient_body(second)));
            assert_true(scene_row(s, 0)->cost > 0);
            assert_row_of_hit(s, 1, scene_row(s, 0)->cost);
            scene_passed(s);
            scene_free(s, state);
        }
    }
}

static const char *
rival_key(const char *tenant, char *room, size_t size)
{
    struct digest digest = hash_sha256(SLICE_LITERAL("sk-of-the-rival"));
    char hex[65];

    text_format_hex(slice_make((const char *)digest.bytes, sizeof(digest.bytes)), hex);
    snprintf(room, size, "  rival: { sha256: \"%s\", tenant: %s }\n", hex, tenant);
    return room;
}

/* Scenario 19, two tenants, same body: nothing is shared. Two keys of one tenant share. */
static void
tenants_never_share(void **state)
{
    char more[256];

    for (unsigned same = 0; same < 2; same++) {
        struct scene *s = scene_new(
            state, (struct scene_options){
                       .seed = 1, .config = on, .more = rival_key(same ? "acme" : "rival", more, sizeof(more))});
        struct vclient *theirs;

        assert_false(is_hit(answers(s, (struct ask){.api = API_CHAT})));
        theirs = answers(s, (struct ask){.key = "sk-of-the-rival"});
        assert_int_equal(is_hit(theirs), same);
        assert_int_equal(calls(s), same ? 1 : 2);
        assert_true(is_hit(answers(s, (struct ask){.key = "sk-of-the-rival"})));
        assert_true(is_hit(answers(s, (struct ask){.api = API_CHAT})));
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Scenario 20: how it was written does not matter, what it asks does. */
static void
only_what_is_asked_counts(void **state)
{
    static const struct {
        const char *body;
        bool hits;
    } cases[] = {
        {"{\"messages\":[{\"content\":\"hello\",\"role\":\"user\"}],\"model\":\"assistant\"}", true},
        {"{ \"model\" : \"assistant\" , \"messages\":[{\"role\":\"user\",\"content\":\"\\u0068ello\"}]}", true},
        {"{\"model\":\"assistant\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}],\"user\":\"u1\"}", true},
        {"{\"model\":\"assistant\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}],\"unheard_of\":1}", false},
        {"{\"model\":\"assistant\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}],\"n\":2}", false},
        {"{\"model\":\"assistant\",\"messages\":[{\"role\":\"user\",\"content\":\"hello!\"}]}", false},
        {"{\"model\":\"short\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}", false},
    };
    struct scene *s = opens(state, 2, on);

    answers(s,
            (struct ask){.body = "{\"model\":\"assistant\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}"});
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(is_hit(answers(s, (struct ask){.body = cases[i].body})), cases[i].hits);
    scene_passed(s);
}

/* Where a route does not say that it is repeatable, only requests that want one answer, not one of many, share it. */
static void
only_deterministic_requests_share_elsewhere(void **state)
{
    static const struct {
        const char *more;
        bool hits;
    } cases[] = {{NULL, false},
                 {"\"temperature\": 0", true},
                 {"\"temperature\": 0.7", false},
                 {"\"seed\": 7", true},
                 {"\"temperature\": 0, \"tools\": [{\"type\": \"function\", \"function\": {\"name\": \"f\"}}]", true}};
    struct scene *s = opens(state, 3, on);

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ask ask = {.model = "exacting", .more = cases[i].more};

        assert_false(is_hit(answers(s, ask)));
        assert_int_equal(is_hit(answers(s, ask)), cases[i].hits);
    }
    scene_passed(s);
}

static void
cache_control_is_honoured(void **state)
{
    struct scene *s = opens(state, 4, on);

    assert_false(is_hit(answers(s, (struct ask){.headers = "cache-control: no-store\n"})));
    assert_false(is_hit(answers(s, (struct ask){.api = API_CHAT}))); /* it was not stored */
    assert_true(is_hit(answers(s, (struct ask){.api = API_CHAT})));
    assert_false(is_hit(answers(s, (struct ask){.headers = "Cache-Control: max-age=100, No-Store\n"})));
    assert_false(is_hit(answers(s, (struct ask){.headers = "cache-control: no-cache\n"})));
    assert_true(is_hit(answers(s, (struct ask){.api = API_CHAT})));
    history_run_for(s->history, 5 * USEC_PER_S);
    assert_true(is_hit(answers(s, (struct ask){.headers = "cache-control: max-age=10\n"})));
    assert_false(is_hit(answers(s, (struct ask){.headers = "cache-control: x, max-age = 3\n"})));
    assert_true(is_hit(answers(s, (struct ask){.headers = "cache-control: max-age=3\n"}))); /* that one is newer */
    assert_false(is_hit(answers(s, (struct ask){.headers = "cache-control: max-age=0\n"})));
    assert_false(is_hit(answers(s, (struct ask){.headers = "cache-control: max-age=soon\n"})));
    assert_false(is_hit(answers(s, (struct ask){.headers = "cache-control: private\ncache-control: no-cache\n"})));
    assert_true(is_hit(answers(s, (struct ask){.headers = "cache-control: max-age=99999999999999999999\n"})) ||
                calls(s) > 0);
    scene_passed(s);
}

/* An answer that no-cache bought is the newest from then on. */
static void
answers_grow_old(void **state)
{
    struct scene *s = opens(state, 5, on);
    struct vclient *c;

    assert_false(is_hit(answers(s, (struct ask){.model = "short"})));
    history_run_for(s->history, 7 * USEC_PER_S);
    c = answers(s, (struct ask){.model = "short"});
    assert_true(is_hit(c));
    assert_slice_is(vclient_header(c, "age"), "7");
    history_run_for(s->history, 4 * USEC_PER_S);
    assert_false(is_hit(answers(s, (struct ask){.model = "short"})));
    assert_true(is_hit(answers(s, (struct ask){.model = "short"})));
    scene_passed(s);
}

/* Scenario 22: a 429 is never replayed, nor a stream that was cut, nor what a filter stopped, nor what a client did not wait for. */
static void
only_whole_answers_are_stored(void **state)
{
    struct scene *s = opens(state, 6, on);
    struct provider *alpha = scene_provider(s, "alpha");
    struct vclient *c;

    alpha->status = 429;
    assert_int_equal(vclient_status(answers(s, (struct ask){.api = API_CHAT})), 429);
    alpha->status = 500;
    assert_int_equal(vclient_status(answers(s, (struct ask){.api = API_CHAT})), 500);
    alpha->status = 0;
    alpha->cut_after = 3;
    c = answers(s, (struct ask){.stream = true});
    assert_contains(vclient_body(c), "\"error\"");
    alpha->cut_after = 0;
    alpha->no_done = true;
    answers(s, (struct ask){.stream = true});
    alpha->no_done = false;
    c = answers(s, (struct ask){.stream = true, .client = {.leaves_at_text = "w2 "}});
    assert_true(vclient_left(c));
    assert_false(is_hit(answers(s, (struct ask){.stream = true})));
    assert_true(is_hit(answers(s, (struct ask){.api = API_CHAT})));
    scene_passed(s);
}

static void
what_a_filter_stopped_is_not_stored(void **state)
{
    struct scene *s = opens(state, 7, on);

    vbackend_decides(scene_backend(s, "alpha"), NULL, NULL);
    vbackend_plays(scene_backend(s, "alpha"), play_head(200, "content-type: application/json"),
                   play_text("{\"id\":\"c1\",\"model\":\"big\",\"choices\":[{\"index\":0,\"message\":{\"role\":"
                             "\"assistant\",\"content\":\"I\"},\"finish_reason\":\"content_filter\"}],\"usage\":{"
                             "\"prompt_tokens\":9,\"completion_tokens\":1,\"total_tokens\":10}}"),
                   play_end());
    assert_false(is_hit(answers(s, (struct ask){.api = API_CHAT})));
    assert_false(is_hit(answers(s, (struct ask){.api = API_CHAT})));
    scene_passed(s);
}

/* Scenario 31: parallel calls of tools keep their ids and names, both ways. */
static void
tool_calls_are_stored(void **state)
{
    static const char whole[] =
        "{\"id\":\"c1\",\"object\":\"chat.completion\",\"model\":\"big\",\"choices\":[{\"index\":0,\"message\":{"
        "\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"call_1\",\"type\":\"function\",\"function\":"
        "{\"name\":\"weather\",\"arguments\":\"{\\\"city\\\":\\\"Bern\\\"}\"}},{\"id\":\"call_2\",\"type\":"
        "\"function\",\"function\":{\"name\":\"time\",\"arguments\":\"{}\"}}]},\"finish_reason\":\"tool_calls\"}],"
        "\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":1,\"total_tokens\":10}}";
    struct scene *s = opens(state, 8, on);
    struct vclient *c;

    vbackend_decides(scene_backend(s, "alpha"), NULL, NULL);
    vbackend_plays(scene_backend(s, "alpha"), play_head(200, "content-type: application/json"), play_text(whole),
                   play_end());
    answers(s, (struct ask){.api = API_CHAT});
    c = answers(s, (struct ask){.stream = true});
    assert_true(is_hit(c));
    assert_contains(vclient_body(c), "call_1");
    assert_contains(vclient_body(c), "weather");
    assert_contains(vclient_body(c), "call_2");
    assert_contains(vclient_body(c), "\"finish_reason\":\"tool_calls\"");
    assert_contains(vclient_body(c), "data: [DONE]");
    c = answers(s, (struct ask){.api = API_CHAT});
    assert_true(is_hit(c));
    assert_slice_is(vclient_body(c), whole);
    scene_passed(s);
}

/* Scenario 34: what came cut at every byte, with any line ends and pings, is stored whole, and served both ways. */
static void
a_stream_cut_anywhere_is_stored(void **state)
{
    static const enum api apis[] = {API_CHAT, API_COMPLETIONS, API_RESPONSES, API_MESSAGES};

    for (unsigned i = 0; i < 4 * 3 * 2; i++) {
        struct ask streamed = {.api = apis[i % 4], .stream = true}, whole = {.api = apis[i % 4]};
        struct scene *s = opens(state, i, on);
        struct provider *p = scene_provider(s, apis[i % 4] == API_MESSAGES ? "claude" : "alpha");
        struct vclient *first;

        p->line_end = (enum line_end)(i / 4 % 3);
        p->byte_by_byte = p->pings = true;
        p->multi_line = i >= 12;
        first = answers(s, streamed);
        for (unsigned way = 0; way < 2; way++) {
            struct vclient *hit = answers(s, way == 0 ? streamed : whole);

            assert_true(is_hit(hit));
            assert_heard_same(apis[i % 4], first, hit);
        }
        assert_int_equal(calls(s), 1);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* In the shadow nobody gets it, and what it would have saved is booked beside. */
static void
the_shadow_tells_what_it_would_have_saved(void **state)
{
    struct scene *s = opens(state, 9, SETTING("exact_cache: shadow"));
    struct cache_stats stats;
    const struct row *row;

    assert_false(is_hit(answers(s, (struct ask){.api = API_CHAT})));
    assert_false(is_hit(answers(s, (struct ask){.stream = true})));
    assert_int_equal(calls(s), 2);
    row = scene_row(s, 1);
    assert_int_equal(row->saving_count, 1);
    assert_slice_is(row->savings[0].lever, "exact_cache");
    assert_true(row->savings[0].shadow && row->savings[0].saved == row->cost);
    assert_contains(row->plans, "its lever is in shadow");
    cache_stats(s->gateway.cache, &stats);
    assert_int_equal(stats.hits, 1);
    assert_true(stats.saved == 0);
    scene_passed(s);
}

/* `off`: nothing is looked up, nothing kept. */
static void
off_is_off(void **state)
{
    struct scene *s = opens(state, 10, SETTING("exact_cache: off"));
    struct cache_stats stats;

    answers(s, (struct ask){.api = API_CHAT});
    assert_false(is_hit(answers(s, (struct ask){.api = API_CHAT})));
    cache_stats(s->gateway.cache, &stats);
    assert_int_equal(stats.hits + stats.misses + stats.stored, 0);
    scene_passed(s);
}

static void
bypass_goes_round_it(void **state)
{
    struct scene *s = opens(state, 11, on);

    answers(s, (struct ask){.api = API_CHAT});
    atomic_store(&s->gateway.bypass, true);
    assert_false(is_hit(answers(s, (struct ask){.api = API_CHAT})));
    atomic_store(&s->gateway.bypass, false);
    assert_true(is_hit(answers(s, (struct ask){.api = API_CHAT})));
    scene_passed(s);
}

/* A hit is a request and takes neither money nor tokens. */
static void
a_hit_counts_as_a_request(void **state)
{
    struct scene *s = scene_new(
        state, (struct scene_options){.seed = 12, .config = on, .key = "budget: [ 3 requests/hour, $1/day ]"});
    struct vclient *c;

    assert_false(is_hit(answers(s, (struct ask){.api = API_CHAT})));
    assert_true(is_hit(answers(s, (struct ask){.api = API_CHAT})));
    assert_true(is_hit(answers(s, (struct ask){.stream = true})));
    c = answers(s, (struct ask){.api = API_CHAT});
    assert_int_equal(vclient_status(c), 429);
    assert_int_equal(scene_row(s, 1)->counted_requests, 1);
    assert_true(scene_row(s, 1)->counted_cost == 0 && scene_row(s, 1)->counted_tokens == 0);
    scene_passed(s);
}

/* Whatever the money that is left: a hit takes none. */
static void
a_spent_budget_still_pays_for_hits(void **state)
{
    struct scene *s = scene_new(
        state, (struct scene_options){.seed = 13, .config = on, .key = "budget: $0.0025/day, exposure: expected"});

    assert_false(is_hit(answers(s, (struct ask){.more = "\"max_tokens\": 60"})));
    assert_int_equal(vclient_status(answers(s, (struct ask){.more = "\"max_tokens\": 61"})), 402);
    assert_true(is_hit(answers(s, (struct ask){.more = "\"max_tokens\": 60"})));
    scene_passed(s);
}

static void
damage_all(struct cache *cache)
{
    for (unsigned shard = 0; shard < cache_shards(cache); shard++) {
        struct cache_held *all;
        size_t count = cache_hold_all(cache, shard, &all);

        for (size_t i = 0; i < count; i++) {
            assert_true(all[i].entry->packed);
            memset(all[i].entry->content->data, 'x', all[i].entry->content->len);
            cache_entry_release(all[i].entry);
        }
        free(all);
    }
}

/* A stored answer that cannot be read is no reason to fail: it goes, and the reference serves. */
static void
a_damaged_answer_is_dropped(void **state)
{
    for (unsigned way = 0; way < 2; way++) {
        struct scene *s = opens(state, 14, on);

        scene_provider(s, "alpha")->words = 3000;
        answers(s, (struct ask){.api = API_CHAT});
        damage_all(s->gateway.cache);
        assert_false(is_hit(answers(s, (struct ask){.stream = way == 1})));
        assert_contains(scene_row(s, 1)->plans, "tried, and failed");
        assert_true(is_hit(answers(s, (struct ask){.api = API_CHAT})));
        assert_int_equal(calls(s), 2);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Long answers are made over away from the loop; a client may leave meanwhile, at any moment. */
static void
long_answers_are_made_over_apart(void **state)
{
    for (usec leaves_us = 0; leaves_us < 3000; leaves_us += 100) {
        struct scene *s = opens(state, 15, on);
        struct vclient *first, *second;

        scene_provider(s, "alpha")->words = 20000;
        scene_provider(s, "alpha")->word_gap_us = 0;
        first = answers(s, (struct ask){.stream = leaves_us % 200 == 0});
        second = answers(s, (struct ask){.stream = true, .client = {.leaves_after_us = leaves_us}});
        if (leaves_us == 0) {
            assert_true(is_hit(second));
            assert_heard_same(API_CHAT, first, second);
        }
        assert_int_equal(calls(s), 1);
        assert_true(scene_row(s, 1)->cost == 0);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* A body of that many bytes; freed by the caller. */
static char *
long_body(size_t len, bool stream)
{
    char *body = must_alloc(len + 256);
    int at = sprintf(body, "{\"model\":\"assistant\",\"stream\":%s,\"messages\":[{\"role\":\"user\",\"content\":\"",
                     stream ? "true" : "false");

    memset(body + at, 'a', len);
    strcpy(body + (size_t)at + len, "\"}]}");
    return body;
}

/* Bodies of any length have a key: hashed on the loop, off it, and off it after they were read there. */
static void
long_bodies_have_stored_answers_too(void **state)
{
    static const size_t lens[] = {200 * 1024, 300 * 1024, 700 * 1024, 1200 * 1024};

    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        struct scene *s = opens(state, 16 + i, on);
        char *whole = long_body(lens[i], false), *streamed = long_body(lens[i], true),
             *longer = long_body(lens[i] + 1, false);
        struct vclient *first = answers(s, (struct ask){.body = whole});

        assert_false(is_hit(first));
        assert_true(is_hit(answers(s, (struct ask){.body = whole})));
        assert_true(is_hit(answers(s, (struct ask){.body = streamed})));
        assert_false(is_hit(answers(s, (struct ask){.body = longer})));
        assert_int_equal(calls(s), 2);
        scene_passed(s);
        scene_free(s, state);
        free(whole);
        free(streamed);
        free(longer);
    }
}

/* A client may leave while its body is hashed, at any moment. */
static void
who_leaves_while_its_body_is_hashed(void **state)
{
    char *body = long_body(300 * 1024, false);
    unsigned early = 0;

    for (usec leaves_us = 200; leaves_us < 12000; leaves_us += 800) {
        struct scene *s = opens(state, (uint64_t)leaves_us, on);

        answers(s, (struct ask){.body = body, .client = {.leaves_after_us = leaves_us}});
        if (s->row_count > 0) {
            assert_row_is(s, 0, state, "client gone");
            early += calls(s) == 0;
        }
        scene_passed(s);
        scene_free(s, state);
    }
    assert_true(early > 0); /* some did before anything was called */
    free(body);
}

/* Prices nobody knows do not keep an answer that costs nothing from being the cheaper one. */
static void
a_hit_is_cheaper_than_the_unknown(void **state)
{
    static const char unpriced[] =
        "backends:\n"
        "  alpha: { url: \"http://alpha.example\", models: [ unheard-of ] }\n"
        "routes:\n"
        "  assistant: { reference: alpha/unheard-of, repeatable: yes, levers: { exact_cache: on } }\n";
    struct scene *s = opens(state, 16, unpriced);

    assert_false(is_hit(answers(s, (struct ask){.api = API_CHAT})));
    assert_true(is_hit(answers(s, (struct ask){.api = API_CHAT})));
    assert_true(!usd_known(scene_row(s, 1)->baseline) && scene_row(s, 1)->cost == 0);
    scene_passed(s);
}

/* A reload keeps what is stored, as long as its route goes to the same model; another size holds at once. */
static void
reloads_keep_what_is_stored(void **state)
{
    struct scene *s = opens(state, 17, on);
    struct cache_stats stats;
    struct ask ask = {.api = API_CHAT};

    answers(s, ask);
    scene_reload(s, SETTING("exact_cache: on") "cache: { bytes: 20MiB }\n");
    scene_rest(s);
    assert_true(is_hit(answers(s, ask)));
    cache_stats(s->gateway.cache, &stats);
    assert_in_range(stats.bytes_most, (20 << 20) - 64, 20 << 20);
    scene_passed(s);
}

/* What another backend answered serves for the same model, under its own name. */
static void
an_alternatives_answer_is_stored(void **state)
{
    struct scene *s = opens(state, 18, on);
    struct vclient *c;

    scene_provider(s, "alpha")->status = 503;
    assert_false(is_hit(answers(s, (struct ask){.model = "either"})));
    scene_provider(s, "alpha")->status = 0;
    c = answers(s, (struct ask){.model = "either"});
    assert_true(is_hit(c));
    assert_slice_is(vclient_header(c, "x-equipoise-model"), "beta/big");
    assert_row_is(s, 1, model_served, "beta/big");
    scene_passed(s);
}

/* What was served from the store is the answer that the key stands for. */
static void
with_an_idempotency_key(void **state)
{
    struct scene *s = opens(state, 19, on);
    struct vclient *c;

    assert_false(is_hit(answers(s, (struct ask){.headers = "idempotency-key: one\n"})));
    assert_true(is_hit(answers(s, (struct ask){.headers = "idempotency-key: two\n"})));
    c = answers(s, (struct ask){.headers = "idempotency-key: two\n"});
    assert_slice_is(vclient_header(c, "x-equipoise-source"), "replayed");
    assert_contains(vclient_body(c), "w0 w1 w2 w3 w4 ");
    assert_int_equal(calls(s), 1);
    scene_passed(s);
}

/* One miss, three hits: the page says so. */
static void
the_metrics_tell(void **state)
{
    struct scene *s = opens(state, 20, on);
    struct buffer page = {0};

    for (unsigned i = 0; i < 4; i++)
        answers(s, (struct ask){.stream = i % 2 == 0});
    assert_int_equal(gateway_count(&s->gateway, COUNT_CACHE_MISSES), 1);
    assert_int_equal(gateway_count(&s->gateway, COUNT_CACHE_HITS), 3);
    assert_int_equal(gateway_count(&s->gateway, COUNT_CACHE_TOKENS), 3 * 1060);
    assert_true(gateway_count(&s->gateway, COUNT_CACHE_SAVED_PICO) == 3 * scene_row(s, 0)->cost);
    cached_print(&s->gateway, &page);
    assert_contains(buffer_content(&page),
                    "\nequipoise_cache_hit_ratio{lever=\"exact_cache\",of=\"requests\"} 0.750000\n");
    assert_contains(buffer_content(&page),
                    "\nequipoise_cache_hit_ratio{lever=\"exact_cache\",of=\"tokens\"} 0.750000\n");
    assert_contains(buffer_content(&page), "\nequipoise_cache_hit_ratio{lever=\"exact_cache\",of=\"usd\"} 0.750000\n");
    assert_contains(buffer_content(&page), "\nequipoise_cache_entries 1\n");
    buffer_free(&page);
    scene_passed(s);
}

#define CACHE_TEST(test) cmocka_unit_test_teardown(test, scene_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CACHE_TEST(an_equal_request_gets_the_answer_for_nothing),
        CACHE_TEST(tenants_never_share),
        CACHE_TEST(only_what_is_asked_counts),
        CACHE_TEST(only_deterministic_requests_share_elsewhere),
        CACHE_TEST(cache_control_is_honoured),
        CACHE_TEST(answers_grow_old),
        CACHE_TEST(only_whole_answers_are_stored),
        CACHE_TEST(what_a_filter_stopped_is_not_stored),
        CACHE_TEST(tool_calls_are_stored),
        CACHE_TEST(a_stream_cut_anywhere_is_stored),
        CACHE_TEST(the_shadow_tells_what_it_would_have_saved),
        CACHE_TEST(off_is_off),
        CACHE_TEST(bypass_goes_round_it),
        CACHE_TEST(a_hit_counts_as_a_request),
        CACHE_TEST(a_spent_budget_still_pays_for_hits),
        CACHE_TEST(a_damaged_answer_is_dropped),
        CACHE_TEST(long_answers_are_made_over_apart),
        CACHE_TEST(long_bodies_have_stored_answers_too),
        CACHE_TEST(who_leaves_while_its_body_is_hashed),
        CACHE_TEST(a_hit_is_cheaper_than_the_unknown),
        CACHE_TEST(reloads_keep_what_is_stored),
        CACHE_TEST(an_alternatives_answer_is_stored),
        CACHE_TEST(with_an_idempotency_key),
        CACHE_TEST(the_metrics_tell),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
