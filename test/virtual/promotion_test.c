/* The grey zone of the semantic cache: what is near what may serve is judged off the path, and if it passes serves that very
 * request from then on, and no other; it never counts as evidence, is audited as all that is served, and ends with it. */
#include "scene.h"

#include <stdio.h>

#include "cache/store.h"
#include "embed/embedder.h"
#include "levers/promotions.h"
#include "levers/semantic_cache.h"

static const char config[] = "backends:\n"
                             "  alpha:  { url: \"http://alpha.example\", models: [ big ] }\n"
                             "routes:\n"
                             "  assistant: { reference: alpha/big, repeatable: yes, acceptable: { quality: 80% },\n"
                             "               semantic_cache: { judge: exact }, levers: { semantic_cache: on } }\n"
                             "prices:\n"
                             "  override:\n"
                             "    alpha/big:   { input: $2/M, output: $8/M }\n";

static const char reset[] = "How do I reset the password of my account?";
static const char forgot[] = "I forgot the password of my account, how do I reset it?";
static const char lost[] = "The password of my account is lost, what shall I do now?";

static struct scene *
opens(void **state)
{
    return scene_new(state, (struct scene_options){.seed = 3, .config = config});
}

static bool
asks(struct scene *s, const char *text)
{
    struct buffer body = {0};
    struct vclient *client;

    buffer_printf(&body, "{\"model\":\"assistant\",\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}", text);
    buffer_add_byte(&body, '\0');
    client = scene_asks(s, (struct ask){.body = body.data + body.start});
    buffer_free(&body);
    history_run_to_rest(s->history);
    assert_int_equal(vclient_status(client), 200);
    return slice_is(vclient_header(client, "x-equipoise-source"), "cached");
}

static struct shared_evidence *
evidence_of(struct scene *s)
{
    return evidences_at(&s->gateway.evidences, "assistant", "semantic_cache");
}

static struct evidence_terms
terms_of(struct scene *s)
{
    return semantic_terms(&s->config->routes[0], embedder_table_id(s->gateway.embedder), NULL);
}

static void
observes(struct scene *s, double score, double outcome, unsigned count)
{
    struct evidence_terms terms = terms_of(s);

    while (count-- > 0)
        (void)shared_evidence_observe(evidence_of(s), &terms, &(struct audit){.score = score, .outcome = outcome});
}

/* What is nearly equal may serve, and what is less alike is not known to do. */
static void
earns_what_is_nearly_equal(struct scene *s)
{
    struct evidence_terms terms = terms_of(s);
    unsigned scores = 0;

    while (!shared_evidence_sample(evidence_of(s), &terms, scores % 2 == 0 ? 0.97 : 0.55))
        scores++;
    observes(s, 0.55, 0.0, 60);
    observes(s, 0.97, 1.0, 60);
    assert_int_equal(shared_evidence_verdict(evidence_of(s)).reason, EVIDENCE_SERVES);
}

/* The answer that came last leaves the store, as if for want of room. */
static void
newest_answer_goes(struct scene *s)
{
    struct cache_held *all;
    struct cache_entry *newest = NULL;
    size_t count = 0;

    for (unsigned shard = 0; shard < cache_shards(s->gateway.cache); shard++) {
        count = cache_hold_all(s->gateway.cache, shard, &all);
        for (size_t i = 0; i < count; i++)
            if (newest == NULL || all[i].entry->created_wall_us > newest->created_wall_us) {
                cache_entry_release(newest);
                newest = cache_entry_hold(all[i].entry);
            }
        for (size_t i = 0; i < count; i++)
            cache_entry_release(all[i].entry);
        free(all);
    }
    assert_non_null(newest);
    cache_drop(s->gateway.cache, newest);
    cache_entry_release(newest);
}

static int64_t
counted(const struct scene *s, enum counter counter)
{
    return gateway_count(&s->gateway, counter);
}

/* Asked until a judge has let its pair pass: who is drawn for an audit is judged as well. */
static void
is_promoted(struct scene *s, const char *text)
{
    int64_t before = counted(s, COUNT_PROMOTIONS);

    assert_false(asks(s, text));
    assert_int_equal(counted(s, COUNT_PROMOTIONS), before + 1);
    newest_answer_goes(s);
}

static void
what_passes_serves_that_very_request(void **state)
{
    struct scene *s = opens(state);
    uint64_t audits;
    size_t hits = 0;

    asks(s, reset);
    earns_what_is_nearly_equal(s);
    audits = shared_evidence_verdict(evidence_of(s)).audits;
    is_promoted(s, forgot);
    assert_int_equal(shared_evidence_verdict(evidence_of(s)).audits,
                     audits + (uint64_t)counted(s, COUNT_AUDITS_ACCEPTABLE)); /* only what the coin drew */
    assert_int_equal(counted(s, COUNT_AUDITS_ACCEPTABLE), 0);
    for (unsigned i = 0; i < 10; i++)
        hits += asks(s, forgot);
    assert_true(hits >= 6);
    assert_int_equal(counted(s, COUNT_SEMANTIC_PROMOTED) + counted(s, COUNT_SEMANTIC_HITS), hits);
    assert_true(counted(s, COUNT_SEMANTIC_PROMOTED) > 0);
    scene_rest(s);
    for (size_t i = 0; i < s->row_count; i++)
        if (slice_is(s->rows[i].look_ups, "semantic_cache=promoted")) {
            assert_contains(s->rows[i].plans, "promoted: a judge let this very pair pass");
            assert_true(s->rows[i].cost == 0 && s->rows[i].savings[0].saved == s->rows[i].baseline);
        }
    scene_passed(s);
}

static void
another_request_as_near_is_not_served(void **state)
{
    struct scene *s = opens(state);

    asks(s, reset);
    earns_what_is_nearly_equal(s);
    is_promoted(s, forgot);
    assert_false(asks(s, lost));
    assert_int_equal(counted(s, COUNT_PROMOTIONS), 2);
    scene_rest(s);
    scene_passed(s);
}

static void
what_does_not_pass_is_not_promoted(void **state)
{
    struct scene *s = opens(state);

    asks(s, reset);
    earns_what_is_nearly_equal(s);
    scene_provider(s, "alpha")->words = 7; /* it says something else now */
    assert_false(asks(s, forgot));
    newest_answer_goes(s);
    assert_false(asks(s, forgot));
    assert_int_equal(counted(s, COUNT_PROMOTIONS), 0);
    scene_rest(s);
    scene_passed(s);
}

static void
nothing_is_judged_beyond_audits_before_something_serves(void **state)
{
    struct scene *s = opens(state);

    asks(s, reset);
    asks(s, forgot);
    asks(s, lost);
    assert_int_equal(counted(s, COUNT_PROMOTIONS), 0);
    scene_rest(s);
    scene_passed(s);
}

/* An audit draws it as all others of its score, and finds that it has become wrong. */
static void
an_audit_takes_it_back(void **state)
{
    struct scene *s = opens(state);
    unsigned asked = 0;

    asks(s, reset);
    earns_what_is_nearly_equal(s);
    is_promoted(s, forgot);
    scene_provider(s, "alpha")->words = 7;
    while (counted(s, COUNT_DEMOTIONS) == 0) {
        assert_int_equal(counted(s, COUNT_AUDITS_NOT), 0);
        asks(s, forgot);
        assert_true(asked++ < 500);
    }
    assert_int_equal(counted(s, COUNT_AUDITS_NOT), 1);
    newest_answer_goes(s);
    assert_false(asks(s, forgot));
    scene_rest(s);
    scene_passed(s);
}

static void
it_ends_with_what_was_earned(void **state)
{
    struct scene *s = opens(state);
    int64_t served;

    asks(s, reset);
    earns_what_is_nearly_equal(s);
    is_promoted(s, forgot);
    while (shared_evidence_verdict(evidence_of(s)).suspensions == 0)
        observes(s, 0.97, 0.0, 1);
    served = counted(s, COUNT_SEMANTIC_PROMOTED);
    assert_false(asks(s, forgot));
    newest_answer_goes(s);
    observes(s, 0.55, 0.0, 60);
    observes(s, 0.97, 1.0, 200);
    assert_int_equal(shared_evidence_verdict(evidence_of(s)).reason, EVIDENCE_SERVES);
    assert_false(asks(s, forgot)); /* it has to pass anew */
    assert_int_equal(counted(s, COUNT_SEMANTIC_PROMOTED), served);
    scene_rest(s);
    scene_passed(s);
}

/* The answer that was let pass is another one now. */
static void
another_answer_is_not_the_one_that_passed(void **state)
{
    struct scene *s = opens(state);

    asks(s, reset);
    earns_what_is_nearly_equal(s);
    is_promoted(s, forgot);
    newest_answer_goes(s); /* the first one, as the only one left */
    scene_provider(s, "alpha")->words = 7;
    asks(s, reset);
    assert_false(asks(s, forgot));
    assert_int_equal(counted(s, COUNT_SEMANTIC_PROMOTED), 0);
    scene_rest(s);
    scene_passed(s);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_teardown(what_passes_serves_that_very_request, scene_teardown),
    cmocka_unit_test_teardown(another_request_as_near_is_not_served, scene_teardown),
    cmocka_unit_test_teardown(what_does_not_pass_is_not_promoted, scene_teardown),
    cmocka_unit_test_teardown(nothing_is_judged_beyond_audits_before_something_serves, scene_teardown),
    cmocka_unit_test_teardown(an_audit_takes_it_back, scene_teardown),
    cmocka_unit_test_teardown(it_ends_with_what_was_earned, scene_teardown),
    cmocka_unit_test_teardown(another_answer_is_not_the_one_that_passed, scene_teardown),
};

int
main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
