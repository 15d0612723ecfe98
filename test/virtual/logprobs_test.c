/* A cascade whose answers are kept by how sure their model was of its own words (cascade: accept: logprobs): they are asked for
 * where the client does not, taken out of what it gets, and left alone where a backend tells none. */
#include "scene.h"

#include <stdio.h>

#include "levers/cascade.h"

#define CONFIG(backends, candidate, more)                                                                              \
    "backends:\n"                                                                                                      \
    "  alpha: { url: \"http://alpha.example\", models: [ big ] }\n"                                                    \
    "  beta:  { url: \"http://beta.example\", models: [ small ]" backends " }\n"                                       \
    "routes:\n"                                                                                                        \
    "  assistant: { reference: alpha/big, candidates: " candidate ", acceptable: { quality: 80% }, attempts: 1,\n"     \
    "               judge: { by: exact }, cascade: { accept: logprobs, streams: hold }, learning: 100%,\n"             \
    "               levers: { cascade: on } " more " }\n"                                                              \
    "prices:\n"                                                                                                        \
    "  override:\n"                                                                                                    \
    "    alpha/big:  { input: $20/M, output: $80/M }\n"                                                                \
    "    beta/small: { input: $0.02/M, output: $0.08/M }\n"

static const char config[] = CONFIG("", "beta/small", "");

enum { RIGHT = 5, WRONG = 4 };

/* A small model that is wrong about every fourth question, and not sure of it. */
struct small {
    struct provider provider;
    bool refuses;        /* with words about logprobs */
    unsigned long_words; /* 0: as many as it has */
};

static bool
is_hard(unsigned number)
{
    return number % 4 == 3;
}

static void
speak(void *context, const struct vcall_seen *seen, struct vscript *script)
{
    struct small *small = context;
    struct provider provider = small->provider;
    bool hard = is_hard(scene_number_behind(seen->body, "is number "));

    provider.words = small->long_words > 0 ? small->long_words : hard ? WRONG : RIGHT;
    provider.logprob_milli = hard ? -1000 : -100;
    if (!small->refuses) {
        provider_plays(&provider, seen, script);
        return;
    }
    vscript_add(script, play_head(400, "content-type: application/json"));
    vscript_add(script, play_text("{\"error\":{\"message\":\"Logprobs is not supported for this model\"}}"));
    vscript_add(script, play_end());
}

static struct scene *
opens(void **state, const char *text, struct small *small)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 1, .config = text});

    *small = (struct small){.provider = *scene_provider(s, "beta")};
    scene_provider(s, "alpha")->words = RIGHT;
    vbackend_decides(scene_backend(s, "beta"), speak, small);
    return s;
}

static struct vclient *
asks(struct scene *s, struct ask ask, size_t number)
{
    char text[64];
    struct vclient *client;

    snprintf(text, sizeof(text), "What is number %zu?", number);
    ask.text = text;
    if (ask.model == NULL)
        ask.model = "assistant";
    client = scene_asks(s, ask);
    history_run_to_rest(s->history);
    assert_int_equal(vclient_status(client), 200);
    return client;
}

static bool
is_kept(const struct vclient *client)
{
    return slice_is(vclient_header(client, "x-equipoise-source"), "cascade");
}

static struct evidence_verdict
stands(struct scene *s)
{
    return shared_evidence_verdict(evidences_at(&s->gateway.evidences, "assistant", "cascade beta/small"));
}

static size_t
earns(struct scene *s, struct ask ask)
{
    size_t asked = 1;

    while (stands(s).reason != EVIDENCE_SERVES) {
        assert_false(is_kept(asks(s, ask, asked)));
        assert_true(++asked < 2000);
    }
    return asked;
}

/* The next that is none of the hard ones, and drawn for no audit. */
static struct vclient *
kept_one(struct scene *s, struct ask ask, size_t *asked)
{
    for (;;) {
        struct vclient *client = asks(s, ask, ++*asked);

        assert_false(is_kept(client) && is_hard((unsigned)*asked));
        if (is_kept(client))
            return client;
    }
}

static struct vcall_seen
last_seen(struct scene *s)
{
    struct vbackend *beta = scene_backend(s, "beta");

    return vbackend_seen(beta, vbackend_seen_count(beta) - 1);
}

/* The text without what stands for none of them. */
static void
without(struct slice text, const char *what, struct buffer *out)
{
    size_t at;

    while ((at = slice_find(text, slice_of(what))) < text.len) {
        buffer_add(out, slice_first(text, at));
        text = slice_from(text, at + strlen(what));
    }
    buffer_add(out, text);
}

/* What the model would have said to the client itself, but for the word that there are none. */
static void
assert_nothing_else(struct scene *s, const struct vclient *client, enum api api, bool stream)
{
    struct small plain = {.provider = *scene_provider(s, "beta")};
    struct buffer expected, got = {0};

    plain.provider.words = RIGHT;
    if (!stream || api == API_RESPONSES || api == API_MESSAGES)
        plain.provider.usage_place = USAGE_IN_OWN_CHUNK;
    else
        plain.provider.usage_place = USAGE_NOWHERE;
    expected = provider_answer(&plain.provider, api, stream, "small");
    without(vclient_body(client), api == API_RESPONSES ? ",\"logprobs\":[]" : ",\"logprobs\":null", &got);
    assert_true(slice_equal(buffer_content(&got), buffer_content(&expected)));
    buffer_free(&expected);
    buffer_free(&got);
}

static void
they_are_asked_for_and_taken_out(void **state)
{
    static const struct {
        enum api api;
        bool stream;
        const char *asking;
    } cases[] = {
        {API_CHAT, false, "{\"logprobs\":true,\"model\""},
        {API_CHAT, true, "\"logprobs\":true,"},
        {API_COMPLETIONS, false, "{\"logprobs\":1,\"model\""},
        {API_COMPLETIONS, true, "\"logprobs\":1,"},
        {API_RESPONSES, false, "{\"include\":[\"message.output_text.logprobs\"],\"model\""},
        {API_RESPONSES, true, "\"include\":[\"message.output_text.logprobs\"],"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ask ask = {.api = cases[i].api, .stream = cases[i].stream};
        struct small small;
        struct scene *s = opens(state, config, &small);
        size_t asked = earns(s, ask);
        struct vclient *client;
        const struct row *row;

        assert_true(asked > SAMPLE_SCORES);
        client = kept_one(s, ask, &asked);
        assert_contains(last_seen(s).body, cases[i].asking);
        assert_nothing_else(s, client, cases[i].api, cases[i].stream);
        row = scene_row_of(s, client);
        assert_true((row->transforms & TRANSFORM_LOGPROBS) != 0);
        assert_contains(row->plans, "acceptance score 0.905");
        assert_true(row->cost < row->baseline / 50);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Of what the small model is not sure of nothing is kept: the reference answers, and the row says why. */
static void
what_it_is_not_sure_of_goes_on(void **state)
{
    struct small small;
    struct scene *s = opens(state, config, &small);
    size_t asked = earns(s, (struct ask){0}), served = 0, hard = 0;
    const struct row *row;
    struct vclient *client;

    for (size_t i = 1; i <= 200; i++) {
        client = asks(s, (struct ask){0}, asked + i);
        served += is_kept(client);
        hard += is_hard((unsigned)(asked + i));
        assert_false(is_kept(client) && is_hard((unsigned)(asked + i)));
    }
    assert_true(hard == 50 && served > 110);
    do
        row = scene_row_of(s, asks(s, (struct ask){0}, 4 * ++asked + 3));
    while (row->try_count < 2);
    assert_contains(row->tries[0].why, "acceptance score 0.368, below");
    assert_slice_is(row->tries[0].state, "rejected");
    scene_passed(s);
}

/* Who asks for them has them, and its bytes are its own. */
static void
who_asks_has_them(void **state)
{
    struct small small;
    struct scene *s = opens(state, config, &small);
    struct ask ask = {.more = "\"logprobs\":true"};
    size_t asked = earns(s, ask);
    struct vclient *client = kept_one(s, ask, &asked);

    assert_contains(vclient_body(client), "\"logprob\":-0.100");
    assert_lacks(last_seen(s).body, "{\"logprobs\":true,\"model\"");
    assert_int_equal(scene_row_of(s, client)->transforms & TRANSFORM_LOGPROBS, 0);
    scene_passed(s);
}

/* Or says by words that it has none: it is not asked again for an hour, and explain says why. */
static void
who_tells_none_is_left_alone(void **state)
{
    for (unsigned way = 0; way < 2; way++) {
        struct small small;
        struct scene *s = opens(state, config, &small);
        size_t before;

        small.provider.tells_none = way == 0;
        small.refuses = way == 1;
        for (size_t n = 1; n < 30; n++)
            assert_false(is_kept(asks(s, (struct ask){0}, n)));
        before = vbackend_seen_count(scene_backend(s, "beta"));
        assert_true(before >= 1 && before <= 2);
        assert_contains(scene_row_of(s, asks(s, (struct ask){0}, 30))->plans, "its backend told no logprobs");
        assert_int_equal(stands(s).audits, 0);
        small.provider.tells_none = small.refuses = false;
        history_run_for(s->history, 3601 * USEC_PER_S);
        (void)earns(s, (struct ask){0});
        assert_true(vbackend_seen_count(scene_backend(s, "beta")) > before);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* An error may repeat what it did not like: one that speaks of them as its request does says nothing of the model. */
static void
a_requests_own_words_silence_nobody(void **state)
{
    struct small small;
    struct scene *s = opens(state, config, &small);
    struct ask ask = {.more = "\"user\":\"logprobs\""};
    const struct row *row;

    small.refuses = true;
    for (size_t n = 1; n < 30; n++)
        assert_false(is_kept(asks(s, ask, n)));
    assert_true(vbackend_seen_count(scene_backend(s, "beta")) > 20); /* audits */
    small.refuses = false;
    (void)earns(s, ask);
    small.refuses = true;
    for (size_t n = 1; n < 30; n++)
        assert_false(is_kept(asks(s, ask, n)));
    row = scene_row_of(s, asks(s, ask, 30));
    assert_lacks(row->plans, "its backend told no logprobs");
    scene_passed(s);
}

/* Once it serves and then tells none, the client has the reference's answer. */
static void
who_stops_telling_fails_nobody(void **state)
{
    struct small small;
    struct scene *s = opens(state, config, &small);
    size_t asked = earns(s, (struct ask){0});
    const struct row *row;

    small.provider.tells_none = true;
    do
        row = scene_row_of(s, asks(s, (struct ask){0}, ++asked));
    while (row->try_count < 2);
    assert_contains(row->tries[0].why, "not accepted: its backend told no logprobs");
    assert_slice_is(row->source, "reference");
    scene_passed(s);
}

/* What cannot be asked is not, and the plan says why. */
static void
what_cannot_be_asked_is_told(void **state)
{
    static const struct {
        const char *config;
        struct ask ask;
        const char *why;
    } cases[] = {
        {CONFIG("", "beta/small", ""), {.more = "\"top_logprobs\":2"}, "top_logprobs"},
        {CONFIG("", "beta/small", ""), {.api = API_COMPLETIONS, .more = "\"echo\":true"}, "echo"},
        {CONFIG(", dialect: anthropic", "beta/small", ""),
         {.more = "\"max_tokens\":90"},
         "the API of its backend has no logprobs"},
        {CONFIG("", "beta/small", ""), {.more = "\"n\":2"}, "it asks for several answers"},
        {CONFIG("", "beta/small", ""),
         {.api = API_RESPONSES, .more = "\"conversation\":\"c1\""},
         "goes on with a conversation"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct small small;
        struct scene *s = opens(state, cases[i].config, &small);

        for (size_t n = 1; n < 20; n++)
            assert_contains(scene_row_of(s, asks(s, cases[i].ask, n))->plans, cases[i].why);
        assert_int_equal(vbackend_seen_count(scene_backend(s, "beta")), 0);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* A request of another API is put in words that ask for them; its client's API has no place for any. */
static void
translated_requests_ask_as_well(void **state)
{
    struct small small;
    struct scene *s = opens(state, CONFIG("", "beta/small", ""), &small);
    struct ask ask = {.api = API_MESSAGES};
    size_t asked = earns(s, ask);
    struct vclient *client = kept_one(s, ask, &asked);

    assert_contains(last_seen(s).body, ",\"logprobs\":true");
    assert_contains(vclient_body(client), "\"type\":\"message\"");
    assert_lacks(vclient_body(client), "logprob");
    scene_passed(s);
}

/* What was cut is paid for as text, of which there is little among logprobs: 25 bytes of 400, and not 100 tokens. */
static void
assert_little_is_billed(struct scene *s)
{
    size_t cut = 0;

    for (size_t i = 0; i < s->row_count; i++)
        for (size_t k = 0; k < s->rows[i].try_count; k++)
            if (slice_is(s->rows[i].tries[k].target, "beta/small") && slice_is(s->rows[i].tries[k].state, "failed")) {
                assert_true(s->rows[i].tries[k].cost < 3 * USD_ONE / 1000000);
                cut++;
            }
    assert_true(cut > 10);
}

/* A whole answer that is longer with them than may be held back, and events that cannot be read: nothing of them is kept. */
static void
what_cannot_be_read_is_not_kept(void **state)
{
    for (unsigned way = 0; way < 2; way++) {
        struct small small;
        struct scene *s = opens(state, config, &small);
        size_t answer_max = s->config->limits.answer_max;
        struct ask ask = {.stream = way == 1};
        size_t asked = earns(s, ask);

        small.provider.multi_line = way == 1;
        if (way == 0)
            s->config->limits.answer_max = 400;
        for (size_t i = 1; i < 60; i++)
            assert_false(is_kept(asks(s, ask, asked + i)));
        scene_rest(s);
        assert_true(gateway_count(&s->gateway, way == 0 ? COUNT_CASCADE_FAILED : COUNT_CASCADE_REJECTED) > 10);
        if (way == 0)
            assert_little_is_billed(s);
        s->config->limits.answer_max = answer_max; /* scenes of one configuration share it */
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Of one that is longer than what is read the rest is not awaited: it would be paid for, and not be kept. */
static void
what_is_too_long_is_ended(void **state)
{
    struct small small;
    struct scene *s = opens(state, config, &small);
    size_t asked = earns(s, (struct ask){0});
    const struct row *row;

    small.long_words = 30000;
    do
        row = scene_row_of(s, asks(s, (struct ask){0}, 4 * ++asked));
    while (row->try_count < 2);
    assert_slice_is(row->tries[0].state, "failed");
    assert_contains(row->tries[0].why, "longer, with its logprobs");
    assert_slice_is(row->source, "reference");
    assert_false(last_seen(s).completed);
    scene_passed(s);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_teardown(they_are_asked_for_and_taken_out, scene_teardown),
    cmocka_unit_test_teardown(what_it_is_not_sure_of_goes_on, scene_teardown),
    cmocka_unit_test_teardown(who_asks_has_them, scene_teardown),
    cmocka_unit_test_teardown(who_tells_none_is_left_alone, scene_teardown),
    cmocka_unit_test_teardown(a_requests_own_words_silence_nobody, scene_teardown),
    cmocka_unit_test_teardown(what_is_too_long_is_ended, scene_teardown),
    cmocka_unit_test_teardown(who_stops_telling_fails_nobody, scene_teardown),
    cmocka_unit_test_teardown(what_cannot_be_asked_is_told, scene_teardown),
    cmocka_unit_test_teardown(translated_requests_ask_as_well, scene_teardown),
    cmocka_unit_test_teardown(what_cannot_be_read_is_not_kept, scene_teardown),
};

int
main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
