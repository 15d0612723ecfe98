/* One tenant whose requests the semantic cache answers badly, beside another that it serves well (lever semantic_cache): what
 * is earned by both together does not serve the one for whom its own audits speak against it. */
#include "scene.h"

#include <stdio.h>

#include "gateway/reuse/semantic.h"
#include "levers/semantic_cache.h"

#define RIVAL "sk-of-the-rival"
#define ROUTE "assistant"

static const char config[] = "backends:\n"
                             "  alpha: { url: \"http://alpha.example\", models: [ big ] }\n"
                             "routes:\n"
                             "  assistant: { reference: alpha/big, repeatable: yes, acceptable: { quality: 80% },\n"
                             "               semantic_cache: { judge: exact }, levers: { semantic_cache: on } }\n"
                             "prices: { override: { alpha/big: { input: $2/M, output: $8/M } } }\n";

static const char *const ways[] = {"How do I reset the password of my account?",
                                   "I forgot the password of my account, how do I reset it?"};

/* Asked for dice it throws some, and says something else each time. */
struct speaker {
    struct provider provider;
    bool honest; /* it says the same to all */
    unsigned thrown;
};

static void
speak(void *context, const struct vcall_seen *seen, struct vscript *script)
{
    struct speaker *speaker = context;
    struct provider provider = speaker->provider;
    bool dice = slice_find(seen->body, SLICE_LITERAL("dice")) < seen->body.len;

    provider.words = dice && !speaker->honest ? 3 + speaker->thrown++ % 40 : 5;
    provider_plays(&provider, seen, script);
}

static struct scene *
opens(void **state, struct speaker *speaker)
{
    struct digest digest = hash_sha256(SLICE_LITERAL(RIVAL));
    char hex[65], rival[256];
    struct scene *s;

    text_format_hex(slice_make((const char *)digest.bytes, sizeof(digest.bytes)), hex);
    snprintf(rival, sizeof(rival), "  rival: { sha256: \"%s\", tenant: rival }\n", hex);
    s = scene_new(state, (struct scene_options){.seed = 1, .config = config, .more = rival});
    *speaker = (struct speaker){.provider = *scene_provider(s, "alpha")};
    vbackend_decides(scene_backend(s, "alpha"), speak, speaker);
    return s;
}

static bool
is_hit(struct scene *s, const char *key, const char *system, size_t number)
{
    char body[512];
    struct vclient *client;

    snprintf(body, sizeof(body),
             "{\"model\":\"" ROUTE "\",\"messages\":[{\"role\":\"system\",\"content\":\"%s\"},"
             "{\"role\":\"user\",\"content\":\"%s\"}]}",
             system, ways[number % 2]);
    client = scene_asks(s, (struct ask){.body = body, .key = key});
    history_run_to_rest(s->history);
    assert_int_equal(vclient_status(client), 200);
    return slice_is(vclient_header(client, "x-equipoise-source"), "cached");
}

static struct evidence_verdict
stands(struct scene *s, const char *of)
{
    return shared_evidence_verdict(evidences_at(&s->gateway.evidences, ROUTE, of));
}

/* Nine requests of the one to one of the other; how many of the other's were served. */
static size_t
goes_on(struct scene *s, size_t rounds, size_t *well)
{
    size_t hits = 0;

    for (size_t i = 0; i < rounds; i++) {
        for (size_t k = 0; k < 9; k++)
            *well += is_hit(s, NULL, "You help.", i + k);
        hits += is_hit(s, RIVAL, "You throw dice.", i);
    }
    return hits;
}

/* Nothing but its own audits stops it, and it may earn anew what they took. */
static void
who_fares_badly_is_served_no_more(void **state)
{
    struct speaker speaker;
    struct scene *s = opens(state, &speaker);
    size_t asked = 0, well = 0, served = 0;
    struct buffer page = {0};

    while (stands(s, "semantic_cache").reason != EVIDENCE_SERVES)
        assert_false(is_hit(s, NULL, "You help.", asked++) || asked > 1000);
    while (!stands(s, SEMANTIC_GUARD "rival").refutes) {
        served += goes_on(s, 10, &well);
        assert_true(well < 9 * 2000);
    }
    assert_true(served > 0); /* what was earned by others was its to begin with */
    well = 0;
    assert_int_equal(goes_on(s, 100, &well), 0);
    assert_true(well > 800);
    assert_int_equal(stands(s, "semantic_cache").reason, EVIDENCE_SERVES);
    assert_int_equal(stands(s, "semantic_cache").suspensions, 0);
    assert_false(stands(s, SEMANTIC_GUARD "acme").refutes);
    (void)evidences_at(&s->gateway.evidences, "assistant", SEMANTIC_GUARD "nobody"); /* no audits */
    semantic_print(&s->gateway, &page);
    assert_contains(buffer_content(&page), "tenant_guarded{route=\"assistant\",tenant=\"rival\"} 1\n");
    assert_contains(buffer_content(&page), "tenant_guarded{route=\"assistant\",tenant=\"acme\"} 0\n");
    assert_lacks(buffer_content(&page), "nobody");
    buffer_free(&page);
    (void)is_hit(s, RIVAL, "You throw dice.", 0);
    scene_rest(s);
    assert_contains(scene_row(s, s->row_count - 1)->plans, "audits of this tenant's own requests speak against it");
    speaker.honest = true;
    assert_true(goes_on(s, 300, &well) > 100);
    assert_false(stands(s, SEMANTIC_GUARD "rival").refutes);
    scene_passed(s);
}

/* What a guard finds is not counted for all: that is about what is served. */
static void
a_guarded_tenant_takes_nothing_from_others(void **state)
{
    struct speaker speaker;
    struct scene *s = opens(state, &speaker);
    size_t asked = 0, well = 0;
    uint64_t audits;

    while (stands(s, "semantic_cache").reason != EVIDENCE_SERVES)
        assert_false(is_hit(s, NULL, "You help.", asked++) || asked > 1000);
    while (!stands(s, SEMANTIC_GUARD "rival").refutes)
        (void)goes_on(s, 10, &well);
    audits = stands(s, "semantic_cache").audits;
    for (size_t i = 0; i < 500; i++)
        assert_false(is_hit(s, RIVAL, "You throw dice.", i));
    assert_int_equal(stands(s, "semantic_cache").audits, audits);
    assert_int_equal(stands(s, "semantic_cache").reason, EVIDENCE_SERVES);
    scene_rest(s);
    scene_passed(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(who_fares_badly_is_served_no_more, scene_teardown),
        cmocka_unit_test_teardown(a_guarded_tenant_takes_nothing_from_others, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
