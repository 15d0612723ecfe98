/* Scenario 19: two tenants ask the same. Neither what the second gets nor when tells whether the first has asked before or
 * asks at this moment: in this world time is exact, so its request must take the very same steps either way. What the
 * same measure says of two keys of one tenant, who do share, shows that it would find it. */
#include "scene.h"

#include <stdio.h>
#include <yyjson.h>

#define OTHER "sk-of-the-other"
#define QUESTION "What is our secret?"
#define ELSEWHAT "What is our answer?" /* as long */

#define LEARNING "semantic_cache: on, prompt_cache: on"

static const char setting[] =
    "backends:\n"
    "  alpha:  { url: \"http://alpha.example\", models: [ big, embedder ] }\n"
    "  claude: { url: \"http://claude.example\", dialect: anthropic, models: [ opus ] }\n"
    "routes:\n"
    "  assistant: { reference: alpha/big, levers: { exact_cache: on, coalesce: on, " LEARNING " } }\n"
    "  vectors:   { reference: alpha/embedder, levers: { exact_cache: on, coalesce: on, batching: on } }\n"
    "  writer:    { reference: claude/opus, levers: { exact_cache: on, coalesce: on, " LEARNING " } }\n"
    "prices:\n"
    "  override:\n"
    "    alpha/big:      { input: $2/M, output: $8/M, cache_read: $0.50/M }\n"
    "    alpha/embedder: { input: $0.10/M, output: $0/M }\n"
    "    claude/opus:    { input: $5/M, output: $25/M, cache_read: $0.50/M, cache_write: $6.25/M }\n";

/* Two %s: the question, and whether it wants events. */
static const struct {
    enum api api;
    bool streams;
    const char *body;
} ways[] = {
    {API_CHAT, true, "{\"model\":\"assistant\",\"seed\":1,\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]%s}"},
    {API_RESPONSES, true, "{\"model\":\"assistant\",\"temperature\":0,\"input\":\"%s\"%s}"},
    {API_MESSAGES, true,
     "{\"model\":\"writer\",\"max_tokens\":60,\"temperature\":0,\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]%"
     "s}"},
    {API_EMBEDDINGS, false, "{\"model\":\"vectors\",\"input\":[\"%s\",\"and what else?\"]%s}"},
};

enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

struct play_of {
    uint64_t seed;
    unsigned way;
    bool stream;
    bool shares;    /* both keys are of one tenant */
    bool warm;      /* the first has asked the same, and not something as long */
    bool under_way; /* and still waits for its answer when the second asks */
};

/* All that the second can see of its request, and how many calls both took. */
struct sight {
    usec first_us, ended_us;
    uint64_t steps;
    size_t calls;
    struct buffer answer; /* head and body */
};

static struct vclient *
asks(struct scene *s, const struct play_of *play, const char *key, const char *question)
{
    char body[512];

    snprintf(body, sizeof(body), ways[play->way].body, question, play->stream ? ",\"stream\":true" : "");
    return scene_asks(s, (struct ask){.api = ways[play->way].api, .body = body, .key = key});
}

/* As many embeddings as there are texts. */
static void
embed(void *context, const struct vcall_seen *seen, struct vscript *script)
{
    yyjson_doc *doc = yyjson_read(seen->body.data, seen->body.len, 0);
    size_t count = yyjson_arr_size(yyjson_obj_get(yyjson_doc_get_root(doc), "input"));
    struct buffer answer = {0};

    (void)context;
    buffer_add_text(&answer, "{\"object\":\"list\",\"data\":[");
    for (size_t i = 0; i < count; i++)
        buffer_printf(&answer, "%s{\"object\":\"embedding\",\"index\":%zu,\"embedding\":[0.5,1]}", i > 0 ? "," : "", i);
    buffer_printf(&answer, "],\"model\":\"embedder\",\"usage\":{\"prompt_tokens\":%zu,\"total_tokens\":%zu}}", count,
                  count);
    vscript_add(script, play_wait(10 * USEC_PER_MS));
    vscript_add(script, play_head(200, "content-type: application/json"));
    vscript_add(script, play_bytes(buffer_content(&answer)));
    vscript_add(script, play_end());
    buffer_free(&answer);
    yyjson_doc_free(doc);
}

static size_t
calls(struct scene *s)
{
    return vbackend_seen_count(scene_backend(s, "alpha")) + vbackend_seen_count(scene_backend(s, "claude"));
}

static struct sight
look(void **state, const struct play_of *play)
{
    struct digest digest = hash_sha256(SLICE_LITERAL(OTHER));
    struct sight sight = {0};
    char hex[65], more[256];
    struct vclient *second;
    struct scene *s;
    uint64_t steps;

    text_format_hex(slice_make((const char *)digest.bytes, sizeof(digest.bytes)), hex);
    snprintf(more, sizeof(more), "  other: { sha256: \"%s\", tenant: %s }\n", hex, play->shares ? "acme" : "globex");
    s = scene_new(state, (struct scene_options){.seed = play->seed, .config = setting, .more = more});
    if (ways[play->way].api == API_EMBEDDINGS)
        vbackend_decides(scene_backend(s, "alpha"), embed, NULL);
    asks(s, play, KEY, play->warm ? QUESTION : ELSEWHAT);
    if (play->under_way)
        history_run_until(s->history, calls(s) == 1);
    else
        scene_rest(s);
    steps = history_steps(s->history);
    second = asks(s, play, OTHER, QUESTION);
    history_run_until(s->history, vclient_done(second));
    sight.steps = history_steps(s->history) - steps;
    sight.first_us = vclient_first_byte_us(second) - vclient_started_us(second);
    sight.ended_us = vclient_ended_us(second) - vclient_started_us(second);
    buffer_add(&sight.answer, vclient_headers(second));
    buffer_add(&sight.answer, vclient_body(second));
    scene_rest(s);
    assert_int_equal(vclient_status(second), 200);
    sight.calls = calls(s);
    scene_passed(s);
    scene_free(s, state);
    return sight;
}

static bool
same(const struct sight *a, const struct sight *b)
{
    return a->first_us == b->first_us && a->ended_us == b->ended_us && a->steps == b->steps && a->calls == b->calls &&
           slice_equal(buffer_content(&a->answer), buffer_content(&b->answer));
}

/* After the same and after something else, in every way: if the two share, the second sees a difference; else none. */
static void
check_all_ways(void **state, bool shares, bool under_way)
{
    for (unsigned i = 0; i < 2 * WAYS; i++) {
        struct play_of play = {.seed = i, .way = i / 2, .stream = i % 2, .shares = shares, .under_way = under_way};
        struct sight cold, warm;

        if (play.stream && !ways[play.way].streams)
            continue;
        cold = look(state, &play);
        play.warm = true;
        warm = look(state, &play);
        assert_int_equal(same(&cold, &warm), !shares);
        assert_int_equal(cold.calls, 2);
        assert_int_equal(warm.calls, shares ? 1 : 2);
        buffer_free(&cold.answer);
        buffer_free(&warm.answer);
    }
}

static void
what_another_tenant_has_asked_cannot_be_seen(void **state)
{
    check_all_ways(state, false, false);
}

static void
what_another_tenant_is_asking_cannot_be_seen(void **state)
{
    check_all_ways(state, false, true);
}

static void
what_the_same_tenant_has_asked_is_seen(void **state)
{
    check_all_ways(state, true, false);
}

static void
what_the_same_tenant_is_asking_is_seen(void **state)
{
    check_all_ways(state, true, true);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_another_tenant_has_asked_cannot_be_seen, scene_teardown),
        cmocka_unit_test_teardown(what_another_tenant_is_asking_cannot_be_seen, scene_teardown),
        cmocka_unit_test_teardown(what_the_same_tenant_has_asked_is_seen, scene_teardown),
        cmocka_unit_test_teardown(what_the_same_tenant_is_asking_is_seen, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
