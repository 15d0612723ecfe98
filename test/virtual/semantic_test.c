/* Answers to turns of the same meaning (lever semantic_cache): nothing is served before evidence, what is served is earned
 * and lost by audits, and what differs literally, or is another's, never serves. */
#include "scene.h"

#include <stdio.h>
#include <unistd.h>

#include "cache/store.h"
#include "gateway/exchange.h"
#include "levers/semantic_cache.h"
#include "levers/terms.h"

#define SETTING(levers, more)                                                                                          \
    "backends:\n"                                                                                                      \
    "  alpha:  { url: \"http://alpha.example\", models: [ big ] }\n"                                                   \
    "  claude: { url: \"http://claude.example\", dialect: anthropic, models: [ opus ] }\n"                             \
    "routes:\n"                                                                                                        \
    "  assistant: { reference: alpha/big, repeatable: yes, acceptable: { quality: 80% },\n"                            \
    "               semantic_cache: { judge: exact }, levers: { " levers " } " more " }\n"                             \
    "  other:     { reference: alpha/big, repeatable: yes, acceptable: { quality: 80% },\n"                            \
    "               semantic_cache: { judge: exact }, levers: { " levers " } }\n"                                      \
    "  single:    { reference: alpha/big, acceptable: { quality: 80% }, levers: { " levers " } }\n"                    \
    "  writer:    { reference: claude/opus, repeatable: yes, acceptable: { quality: 80% },\n"                          \
    "               semantic_cache: { judge: exact }, levers: { " levers " } }\n"                                      \
    "prices:\n"                                                                                                        \
    "  override:\n"                                                                                                    \
    "    alpha/big:   { input: $2/M, output: $8/M }\n"                                                                 \
    "    claude/opus: { input: $5/M, output: $25/M }\n"

static const char on[] = SETTING("semantic_cache: on", "");
static const char in_shadow[] = SETTING("semantic_cache: shadow", "");

/* Two ways to ask the same thing: neither differs literally from the other. */
static const char reset[] = "How do I reset the password of my account?";
static const char forgot[] = "I forgot the password of my account, how do I reset it?";

/* A sample of scores begins an epoch; evidence is counted from then on. */
enum { SAMPLE = SAMPLE_SCORES };

static struct scene *
opens(void **state, const char *config)
{
    return scene_new(state, (struct scene_options){.seed = 1, .config = config});
}

struct said {
    const char *model, *system, *text, *key, *headers;
    bool stream;
};

static struct vclient *
says(struct scene *s, struct said said)
{
    const char *model = said.model != NULL ? said.model : "assistant";
    bool messages = strcmp(model, "writer") == 0;
    struct buffer body = {0};
    struct vclient *client;

    buffer_printf(&body, "{\"model\":\"%s\",%s\"stream\":%s,\"messages\":[", model,
                  messages ? "\"max_tokens\":99," : "", said.stream ? "true" : "false");
    if (said.system != NULL)
        buffer_printf(&body, "{\"role\":\"system\",\"content\":\"%s\"},", said.system);
    buffer_printf(&body, "{\"role\":\"user\",\"content\":\"%s\"}]}", said.text);
    buffer_add_byte(&body, '\0');
    client = scene_asks(s, (struct ask){.api = messages ? API_MESSAGES : API_CHAT,
                                        .body = body.data + body.start,
                                        .key = said.key,
                                        .headers = said.headers});
    buffer_free(&body);
    history_run_to_rest(s->history);
    assert_int_equal(vclient_status(client), 200);
    return client;
}

static bool
is_hit(const struct vclient *client)
{
    return slice_is(vclient_header(client, "x-equipoise-source"), "cached");
}

/* So many requests, asked in two ways in turn; how many of them were served from the cache. */
static size_t
asks_on(struct scene *s, size_t count)
{
    size_t hits = 0;

    for (size_t i = 0; i < count; i++)
        hits += is_hit(says(s, (struct said){.text = i % 2 == 0 ? reset : forgot}));
    return hits;
}

static struct evidence_verdict
stands(struct scene *s)
{
    return shared_evidence_verdict(evidences_at(&s->gateway.evidences, "assistant", "semantic_cache"));
}

/* Until it serves: a sample of scores, then labels for a floor of 80 % at 95 %. */
static size_t
earns(struct scene *s)
{
    size_t asked = 0;

    while (stands(s).reason != EVIDENCE_SERVES) {
        assert_false(is_hit(says(s, (struct said){.text = asked++ % 2 == 0 ? reset : forgot}))); /* nothing before */
        assert_true(asked < 1000);
    }
    return asked;
}

static size_t
rows_with(const struct scene *s, const char *look_ups)
{
    size_t count = 0;

    for (size_t i = 0; i < s->row_count; i++)
        count += slice_is(s->rows[i].look_ups, look_ups);
    return count;
}

static void
nothing_is_served_before_it_is_earned(void **state)
{
    struct scene *s = opens(state, on);
    size_t asked = earns(s), hits;

    assert_true(asked >= SAMPLE + 14); /* ln 20 / -ln .8: fewer labels cannot earn it */
    hits = asks_on(s, 200);
    assert_true(hits > 150 && hits < 200); /* the coin takes some for audits */
    scene_rest(s);
    assert_int_equal(vbackend_seen_count(scene_backend(s, "alpha")), asked + 200 - hits);
    for (size_t i = 0; i < s->row_count; i++)
        if (slice_is(s->rows[i].source, "cached")) {
            assert_slice_is(s->rows[i].savings[0].lever, "semantic_cache");
            assert_true(s->rows[i].cost == 0 && s->rows[i].savings[0].saved == s->rows[i].baseline);
            assert_slice_is(s->rows[i].look_ups, "semantic_cache=hit");
        }
    assert_slice_is(s->rows[0].look_ups, "semantic_cache=miss");
    assert_slice_is(s->rows[1].look_ups, "semantic_cache=unearned");
    assert_int_equal(rows_with(s, "semantic_cache=hit"), hits);
    assert_int_equal(rows_with(s, "semantic_cache=hit"), gateway_count(&s->gateway, COUNT_SEMANTIC_HITS));
    assert_int_equal(rows_with(s, "semantic_cache=audited"), gateway_count(&s->gateway, COUNT_SEMANTIC_AUDITED));
    assert_int_equal(rows_with(s, "semantic_cache=audited"), 200 - hits);
    scene_passed(s);
}

/* What its own judge is known to get wrong moves what it must accept, and the bound; and earning has half of alpha left. */
static void
its_judge_may_be_calibrated(void **state)
{
    char path[] = "/tmp/semantic-test-XXXXXX", config[sizeof(on) + 128];
    static const char before[] = "semantic_cache: { judge: exact ";
    const char *at = strstr(on, before) + strlen(before) - 1;
    int fd = mkstemp(path);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    struct evidence_verdict verdict;
    struct evidence evidence;
    struct buffer bytes = {0};
    struct judge_noise noise;
    struct scene *s;

    assert_non_null(file);
    fputs("{\"calibration\":{\"judge\":\"exact\",\"acceptable\":[40,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,360],"
          "\"not_acceptable\":[300,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]}}\n",
          file);
    assert_int_equal(fclose(file), 0);
    snprintf(config, sizeof(config), "%.*s, calibration: %s%s", (int)(at - on), on, path, at);
    s = opens(state, config);
    noise = terms_semantic_noise(&s->config->routes[0]);
    assert_true(noise_is_set(&noise) && noise.sensitive_high_ppm < 960000);
    earns(s);
    verdict = stands(s);
    assert_int_equal(verdict.floor_ppm, 800000);
    assert_int_equal(verdict.judged_floor_ppm, noise_earn_ppm(&noise, false, 800000));
    assert_int_not_equal(verdict.judged_floor_ppm, 800000);
    shared_evidence_save(evidences_at(&s->gateway.evidences, "assistant", "semantic_cache"), &bytes);
    assert_int_equal(evidence_restore(&evidence, buffer_content(&bytes)), OK);
    assert_int_equal(evidence.terms.alpha_ppm, terms_alpha_ppm(&s->config->routes[0]) / 2);
    buffer_free(&bytes);
    scene_rest(s);
    scene_passed(s);
    unlink(path);
}

static void
in_the_shadow_it_learns_and_never_serves(void **state)
{
    struct scene *s = opens(state, in_shadow);

    assert_int_equal(asks_on(s, SAMPLE + 60), 0);
    assert_int_equal(stands(s).reason, EVIDENCE_SERVES); /* it could */
    assert_int_equal(asks_on(s, 20), 0);
    scene_rest(s);
    assert_slice_is(s->rows[s->row_count - 1].savings[0].lever, "semantic_cache");
    assert_true(s->rows[s->row_count - 1].savings[0].shadow);
    assert_true(gateway_count(&s->gateway, COUNT_SEMANTIC_SHADOW) >= 20);
    scene_passed(s);
}

/* The model says something else each time: what is stored is wrong from then on. */
static void
what_gets_worse_is_suspended(void **state)
{
    struct scene *s = opens(state, on);
    size_t hits = 0, asked = 0;

    earns(s);
    while (stands(s).suspensions == 0) {
        scene_provider(s, "alpha")->words = 3 + (unsigned)(asked % 8);
        hits += asks_on(s, 2);
        asked += 2;
        assert_true(asked < 3000);
    }
    assert_true(hits > 0);
    assert_int_equal(stands(s).reason, EVIDENCE_FEW_LABELS);
    assert_int_equal(asks_on(s, 10), 0);
    assert_int_equal(s->gateway.alerts.waiting_count, 1);
    scene_rest(s);
    scene_passed(s);
}

static void
what_differs_literally_never_serves(void **state)
{
    static const struct {
        const char *known, *asked;
        bool alike;
    } cases[] = {
        {"How do I reset the password of my account?", "how do I reset the password of my account", true},
        {"What is 20 percent of my salary of 4000 dollars?", "What is 20 percent of my salary of 5000 dollars?", false},
        {"May I take the medicine with milk?", "May I not take the medicine with milk?", false},
        {"Write a letter to my friend Alice about the party.", "Write a letter to my friend Robert about the party.",
         false},
        {"What happened on 3 May 1998 in the city?", "What happened on 4 May 1998 in the city?", false},
        {"Explain the word 'bank' in a few words.", "Explain the word 'bark' in a few words.", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scene *s = opens(state, on);

        says(s, (struct said){.text = cases[i].known});
        says(s, (struct said){.text = cases[i].asked});
        assert_int_equal(gateway_count(&s->gateway, COUNT_SEMANTIC_NEAR), cases[i].alike ? 0 : 1);
        assert_int_equal(gateway_count(&s->gateway, COUNT_SEMANTIC_UNEARNED), cases[i].alike ? 1 : 0);
        scene_rest(s);
        assert_contains(scene_row(s, 1)->plans,
                        cases[i].alike ? "quality bound below" : "differs in what must not differ");
        scene_passed(s);
        scene_free(s, state);
    }
}

static bool
finds(struct scene *s, struct said said)
{
    int64_t before = gateway_count(&s->gateway, COUNT_SEMANTIC_UNEARNED);

    says(s, said);
    return gateway_count(&s->gateway, COUNT_SEMANTIC_UNEARNED) > before;
}

/* What is another's, or was said in other circumstances, is not even found. */
static void
only_the_last_turn_may_differ(void **state)
{
    struct digest digest = hash_sha256(SLICE_LITERAL("sk-of-the-rival"));
    char hex[65], rival[256];
    struct scene *s;

    text_format_hex(slice_make((const char *)digest.bytes, sizeof(digest.bytes)), hex);
    snprintf(rival, sizeof(rival), "  rival: { sha256: \"%s\", tenant: rival }\n", hex);
    s = scene_new(state, (struct scene_options){.seed = 1, .config = on, .more = rival});

    assert_false(finds(s, (struct said){.text = reset}));
    assert_true(finds(s, (struct said){.text = forgot}));
    assert_true(finds(s, (struct said){.text = reset, .stream = true}));
    assert_false(finds(s, (struct said){.text = forgot, .key = "sk-of-the-rival"}));
    assert_true(finds(s, (struct said){.text = reset, .key = "sk-of-the-rival"}));
    assert_false(finds(s, (struct said){.text = reset, .system = "You are a pirate."}));
    assert_true(finds(s, (struct said){.text = forgot, .system = "You are a pirate."}));
    assert_false(finds(s, (struct said){.text = reset, .system = "You are a parrot."}));
    assert_false(finds(s, (struct said){.text = reset, .model = "other"}));
    assert_false(finds(s, (struct said){.text = reset, .model = "writer"}));
    assert_true(finds(s, (struct said){.text = forgot, .model = "writer"}));
    assert_false(finds(s, (struct said){.text = reset, .model = "single"})); /* wants an answer of its own */
    assert_false(finds(s, (struct said){.text = forgot, .model = "single"}));
    assert_false(finds(s, (struct said){.text = forgot, .headers = "cache-control: no-cache"}));
    assert_false(finds(s, (struct said){.text = "Which wine goes with fish?"}));
    scene_rest(s);
    scene_passed(s);
}

/* Answers past their time, or purged, are found no more, and their turns go. */
static void
what_is_gone_is_forgotten(void **state)
{
    struct scene *s = opens(state, on);
    struct semantic_index_stats stats;

    says(s, (struct said){.text = reset});
    semantic_index_stats(s->gateway.turns, &stats);
    assert_int_equal(stats.entries, 1);
    cache_purge(s->gateway.cache, CACHE_MARKS, 0);
    assert_false(finds(s, (struct said){.text = forgot}));
    semantic_index_stats(s->gateway.turns, &stats);
    assert_int_equal(stats.entries, 1);
    assert_true(finds(s, (struct said){.text = reset}));
    scene_rest(s);
    scene_passed(s);
}

/* An equal request is the exact cache's: it is no audit of this one. And the turn of what the exact cache gives is known
 * from then on, if it was not. */
static void
equal_requests_are_not_its_own(void **state)
{
    struct scene *s = opens(state, SETTING("exact_cache: on, semantic_cache: on", ""));
    struct semantic_index_stats stats;

    says(s, (struct said){.text = reset});
    assert_true(is_hit(says(s, (struct said){.text = reset})));
    assert_int_equal(gateway_count(&s->gateway, COUNT_SEMANTIC_UNEARNED), 0);
    assert_int_equal(gateway_count(&s->gateway, COUNT_SEMANTIC_MISSES), 1);
    assert_true(finds(s, (struct said){.text = forgot}));
    semantic_index_stats(s->gateway.turns, &stats);
    assert_int_equal(stats.entries, 2);
    scene_rest(s);
    assert_slice_is(scene_row(s, 1)->savings[0].lever, "exact_cache");
    scene_passed(s);
}

/* A long prompt is read off the loop; who leaves meanwhile has a row all the same. */
static void
long_prompts_are_looked_up_apart(void **state)
{
    struct scene *s = opens(state, on);
    struct buffer prompt = {0}, body = {0};
    struct vclient *leaves;

    for (unsigned i = 0; i < 5000; i++)
        buffer_printf(&prompt, "word%u ", i);
    buffer_add_byte(&prompt, '\0');
    buffer_printf(&body,
                  "{\"model\":\"assistant\",\"messages\":[{\"role\":\"system\",\"content\":\"%s\"},"
                  "{\"role\":\"user\",\"content\":\"%s\"}]}",
                  prompt.data + prompt.start, forgot);
    buffer_add_byte(&body, '\0');
    assert_false(finds(s, (struct said){.text = reset, .system = prompt.data + prompt.start}));
    assert_true(finds(s, (struct said){.text = forgot, .system = prompt.data + prompt.start}));
    leaves = scene_asks(s, (struct ask){.body = body.data + body.start});
    history_run_until(s->history,
                      !list_empty(&s->gateway.workers[0]->exchanges) &&
                          CONTAINER_OF(s->gateway.workers[0]->exchanges.next, struct exchange, link)->look_up != NULL);
    vclient_leave(leaves);
    scene_rest(s);
    assert_int_equal(s->row_count, 3);
    assert_row_is(s, 2, state, "client gone");
    assert_int_equal(vbackend_seen_count(scene_backend(s, "alpha")), 2);
    buffer_free(&prompt);
    buffer_free(&body);
    scene_passed(s);
}

/* So many that are all a little like that one, in its partition, that a search among them is none for a worker's loop. */
static void
fill(struct scene *s)
{
    struct semantic_turn turn, other;
    struct rng rng;
    struct digest key;
    uint64_t at = 0;

    rng_seed(&rng, 1);
    assert_true(semantic_index_next(s->gateway.turns, &at, &turn, &key));
    for (unsigned i = 0; i < SEMANTIC_AT_ONCE; i++) {
        other = turn;
        for (unsigned k = 0; k < EMBED_DIMS_MOST; k++)
            other.vector[k] = (int8_t)(rng_below(&rng, 255) - 127);
        memcpy(key.bytes, &i, sizeof(i));
        memset(key.bytes + sizeof(i), 0x5a, sizeof(i));
        semantic_index_add(s->gateway.turns, &other, &key);
    }
}

static struct vclient *
starts(struct scene *s, const char *text)
{
    return scene_asks(s, (struct ask){.text = text, .model = "assistant"});
}

static usec
took_us(const struct vclient *client)
{
    return vclient_ended_us(client) - vclient_started_us(client);
}

/* Many turns are searched on another thread, and found as well. Who asks meanwhile is not held up, and where that takes too
 * long nobody waits for it: the request goes on as if nothing had been found, and its turn is kept. */
static void
long_searches_hold_up_nobody(void **state)
{
    struct scene *s = opens(state, on);
    struct vclient *searches, *other;
    usec usual_us;

    usual_us = took_us(says(s, (struct said){.text = reset}));
    fill(s);
    assert_true(finds(s, (struct said){.text = forgot}));
    assert_int_equal(gateway_count(&s->gateway, COUNT_SEMANTIC_LATE), 0);
    history_slow_jobs(s->history, 60 * USEC_PER_S);
    searches = starts(s, "Please tell me how I reset the password of my account.");
    history_run_until(s->history,
                      !list_empty(&s->gateway.workers[0]->exchanges) &&
                          CONTAINER_OF(s->gateway.workers[0]->exchanges.next, struct exchange, link)->look_up != NULL);
    other = scene_asks(s, (struct ask){.text = forgot, .model = "other"});
    history_run_until(s->history, vclient_done(other) && vclient_done(searches));
    assert_true(took_us(other) < usual_us + 2 * USEC_PER_MS);
    assert_true(took_us(searches) >= 10 * USEC_PER_MS && took_us(searches) < usual_us + 12 * USEC_PER_MS);
    assert_int_equal(gateway_count(&s->gateway, COUNT_SEMANTIC_LATE), 1);
    history_slow_jobs(s->history, 0);
    assert_true(finds(s, (struct said){.text = "Please tell me how I reset my account's password."}));
    scene_rest(s);
    scene_passed(s);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_teardown(long_prompts_are_looked_up_apart, scene_teardown),
    cmocka_unit_test_teardown(long_searches_hold_up_nobody, scene_teardown),
    cmocka_unit_test_teardown(only_the_last_turn_may_differ, scene_teardown),
    cmocka_unit_test_teardown(what_is_gone_is_forgotten, scene_teardown),
    cmocka_unit_test_teardown(equal_requests_are_not_its_own, scene_teardown),
    cmocka_unit_test_teardown(nothing_is_served_before_it_is_earned, scene_teardown),
    cmocka_unit_test_teardown(its_judge_may_be_calibrated, scene_teardown),
    cmocka_unit_test_teardown(in_the_shadow_it_learns_and_never_serves, scene_teardown),
    cmocka_unit_test_teardown(what_gets_worse_is_suspended, scene_teardown),
    cmocka_unit_test_teardown(what_differs_literally_never_serves, scene_teardown),
};

int
main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
