/* Slices (acceptable: slices): a floor that holds in each part of a route's traffic by itself. What is right about one tenant's
 * requests and wrong about another's serves the one, and never the other, though it is over the floor in the mean. */
#include "scene.h"
#include "sliced.h"

#include <stdio.h>

#include "gateway/choice/choosing.h"

static const char whole[] = BACKENDS("") ROUTE("{ quality: 75% }", "exact", ROUTER);
static const char by_tenant[] = BACKENDS("") ROUTE("{ quality: 75%, slices: tenant }", "exact", ROUTER);
static const char cascade_whole[] = BACKENDS("") ROUTE("{ quality: 75% }", "exact", CASCADE);
static const char cascade_by_tenant[] = BACKENDS("") ROUTE("{ quality: 75%, slices: tenant }", "exact", CASCADE);
static const char by_tag[] = BACKENDS("") ROUTE("{ quality: 75%, slices: [ tag:feature ] }", "exact", ROUTER);
static const char by_both[] = BACKENDS("") ROUTE("{ quality: 75%, slices: [ tenant, tag:feature ] }", "exact", ROUTER);

#define ACME "router beta/small" EVIDENCE_PART "tenant=acme"
#define GLOBEX "router beta/small" EVIDENCE_PART "tenant=globex"

/* Nothing in a request's words tells whether the small model will be wrong about it. */
struct model {
    bool small, wrong;
};

static void
answer(void *context, const struct vcall_seen *seen, struct vscript *script)
{
    const struct model *model = context;
    struct buffer body = {0};

    (void)seen;
    buffer_printf(
        &body,
        "{\"id\":\"x\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,"
        "\"message\":{\"role\":\"assistant\",\"content\":\"%s\"},\"finish_reason\":\"stop\"}],"
        "\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":20,\"total_tokens\":120}}",
        model->small && model->wrong ? "no answer" : "the answer");
    vscript_add(script, play_wait(50 * USEC_PER_MS));
    vscript_add(script, play_head(200, "content-type: application/json"));
    vscript_add(script, play_bytes(buffer_content(&body)));
    vscript_add(script, play_end());
    buffer_free(&body);
}

static struct model large = {false, false}, small = {true, false};

static struct scene *
opens(void **state, const char *config)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 3, .config = config, .more = other_key});

    vbackend_decides(scene_backend(s, "alpha"), answer, &large);
    vbackend_decides(scene_backend(s, "beta"), answer, &small);
    return s;
}

/* True: the small model served. */
static bool
asks(struct scene *s, size_t number, bool wrong, const char *key, const char *headers)
{
    struct vclient *client;
    char text[64], source[32];

    small.wrong = wrong;
    snprintf(text, sizeof(text), "What is question number %zu?", number);
    client = scene_asks(s, (struct ask){.text = text, .key = key, .headers = headers});
    history_run_to_rest(s->history);
    assert_int_equal(vclient_status(client), 200);
    snprintf(source, sizeof(source), "%.*s", SLICE_ARGS(vclient_header(client, "x-equipoise-source")));
    return strcmp(source, "model") == 0 || strcmp(source, "cascade") == 0;
}

static struct evidence_verdict
stands(struct scene *s, const char *lever)
{
    return shared_evidence_verdict(evidences_at(&s->gateway.evidences, "assistant", lever));
}

/* Of three in four requests, acme's, the small model is right about 97 %; of globex's about 60 %: in the mean 88 %. */
struct served {
    size_t acme, globex, acme_wrong, globex_wrong;
};

static struct served
play(void **state, const char *config, size_t count)
{
    struct scene *s = opens(state, config);
    struct served served = {0};

    for (size_t i = 0; i < count; i++) {
        bool is_acme = i % 4 != 0, wrong = rng_mix(i) % 100 < (is_acme ? 3 : 40);

        if (asks(s, i, wrong, is_acme ? KEY : OTHER_KEY, NULL)) {
            *(is_acme ? &served.acme : &served.globex) += 1;
            *(is_acme ? &served.acme_wrong : &served.globex_wrong) += wrong;
        }
    }
    print_message("served %zu to acme, %zu wrong; %zu to globex, %zu wrong\n", served.acme, served.acme_wrong,
                  served.globex, served.globex_wrong);
    scene_rest(s);
    scene_passed(s);
    scene_free(s, state);
    return served;
}

/* What is not promised: a part of the traffic is served answers of which four in ten are wrong, as the whole is good enough. */
static void
without_slices_one_tenant_pays_for_the_mean(void **state)
{
    struct served served = play(state, whole, 1600);

    assert_true(served.globex > 150);
    assert_true(served.globex_wrong * 100 > 30 * served.globex);
}

static void
with_slices_who_is_served_well_is_served_alone(void **state)
{
    struct served served = play(state, by_tenant, 1600);

    assert_int_equal(served.globex, 0);
    assert_true(served.acme > 600);
    assert_true(served.acme_wrong * 100 < 10 * served.acme);
}

static void
so_it_is_with_a_cascade(void **state)
{
    struct served served = play(state, cascade_whole, 1600);

    assert_true(served.globex > 100);
    served = play(state, cascade_by_tenant, 1600);
    assert_int_equal(served.globex, 0);
    assert_true(served.acme > 600);
}

/* Their alpha is shared: the first has a half of it, the second a sixth, for which flawless answers take
 * ln(3) ÷ -ln(.75) labels more. */
static void
the_second_has_less_alpha(void **state)
{
    struct scene *s = opens(state, by_tenant);
    size_t acme = 0, globex = 0;

    while (stands(s, ACME).reason != EVIDENCE_SERVES) {
        (void)asks(s, acme, false, KEY, NULL);
        assert_true(++acme < 600);
    }
    assert_int_equal(stands(s, GLOBEX).audits, 0);
    while (stands(s, GLOBEX).reason != EVIDENCE_SERVES) {
        assert_false(asks(s, globex, false, OTHER_KEY, NULL));
        assert_true(++globex < 600);
    }
    print_message("acme earned with %zu requests, globex with %zu\n", acme, globex);
    assert_true(stands(s, GLOBEX).serving.labels >= stands(s, ACME).serving.labels + 3);
    scene_rest(s);
    scene_passed(s);
}

static void
earns_both(struct scene *s)
{
    for (size_t i = 0; stands(s, ACME).reason != EVIDENCE_SERVES || stands(s, GLOBEX).reason != EVIDENCE_SERVES; i++) {
        (void)asks(s, i, false, i % 2 == 0 ? KEY : OTHER_KEY, NULL);
        assert_true(i < 1200);
    }
}

/* A fall in the one is none in the other. */
static void
a_slice_is_suspended_alone(void **state)
{
    struct scene *s = opens(state, by_tenant);
    size_t i = 5000, served = 0;

    earns_both(s);
    for (; stands(s, GLOBEX).suspensions == 0; i++) {
        (void)asks(s, i, true, OTHER_KEY, NULL);
        assert_true(i < 7000);
    }
    assert_int_equal(stands(s, ACME).reason, EVIDENCE_SERVES);
    for (size_t k = 0; k < 40; k++) {
        served += asks(s, i + k, false, KEY, NULL);
        assert_false(asks(s, 10000 + i + k, true, OTHER_KEY, NULL));
    }
    assert_true(served > 20);
    scene_rest(s);
    scene_passed(s);
}

/* A request without the tag is in a slice of its own, and with tenant and tag each combination is one. */
static void
each_combination_is_a_slice(void **state)
{
    struct scene *s = opens(state, by_both);
    struct buffer metrics = {0};

    (void)asks(s, 0, false, KEY, "x-equipoise-tags: feature=chat,team=a\n");
    (void)asks(s, 1, false, OTHER_KEY, NULL); /* acme's key has a tag of its own, this one has none */
    scene_rest(s);
    assert_contains(s->rows[0].plans, "slice tenant=acme, tag:feature=chat");
    assert_contains(s->rows[1].plans, "slice tenant=globex, tag:feature=");
    choosing_print(&s->gateway, &metrics);
    assert_contains(buffer_content(&metrics),
                    "\nequipoise_router_serves{route=\"assistant\",model=\"beta/small\",slice=\"tenant=acme, "
                    "tag:feature=chat\"} 0\n");
    buffer_free(&metrics);
    scene_passed(s);
}

static const char for_kids[] =
    "backends:\n"
    "  alpha: { url: \"http://alpha.example\", models: [ big ] }\n"
    "  beta:  { url: \"http://beta.example\", models: [ \"small for kids\" ] }\n"
    "routes:\n"
    "  assistant: { reference: alpha/big, candidates: \"beta/small for kids\", acceptable: { quality: 75% }, learning: "
    "100%, judge: { by: exact, ceiling: 0% }, " ROUTER " }\n"
    "prices:\n"
    "  override:\n"
    "    alpha/big:  { input: $20/M, output: $80/M }\n"
    "    \"beta/small for kids\": { input: $0.02/M, output: $0.08/M }\n";

/* Of a route that is not cut no model is taken for a slice, whatever it is called. */
static void
a_model_called_for_somebody_is_no_slice(void **state)
{
    struct scene *s = opens(state, for_kids);
    struct buffer metrics = {0};

    (void)asks(s, 0, false, KEY, NULL);
    scene_rest(s);
    choosing_print(&s->gateway, &metrics);
    assert_contains(buffer_content(&metrics),
                    "\nequipoise_router_serves{route=\"assistant\",model=\"beta/small for kids\"} 0\n");
    buffer_free(&metrics);
    scene_passed(s);
}

/* Who comes when all places are taken is served by the reference, is not audited, and it is said. */
static void
what_has_no_place_is_the_references(void **state)
{
    struct scene *s = opens(state, by_tag);
    char tags[64];

    for (unsigned i = 0; i <= PARTS_MOST; i++) {
        snprintf(tags, sizeof(tags), "x-equipoise-tags: feature=f%u\n", i);
        assert_false(asks(s, i, false, KEY, tags));
    }
    assert_int_equal(gateway_count(&s->gateway, COUNT_SLICES_WITHOUT), 1);
    for (unsigned i = 0; i < 2 * SAMPLE_SCORES; i++)
        assert_false(asks(s, 100 + i, false, KEY, tags));
    assert_int_equal(gateway_count(&s->gateway, COUNT_OWN_AUDITS), 0);
    scene_rest(s);
    assert_contains(s->rows[s->row_count - 1].plans, "its slice has no evidence of its own");
    for (unsigned i = 0; i < 2 * SAMPLE_SCORES; i++)
        (void)asks(s, 1000 + i, false, KEY, "x-equipoise-tags: feature=f31\n");
    assert_int_equal(stands(s, "router beta/small" EVIDENCE_PART "tag:feature=f31").reason, EVIDENCE_SERVES);
    scene_rest(s);
    scene_passed(s);
}

static bool
is_there(struct evidences *all, const char *lever)
{
    for (struct shared_evidence *at = evidences_next(all, NULL); at != NULL; at = evidences_next(all, at))
        if (strcmp(shared_evidence_lever(at), lever) == 0)
            return true;
    return false;
}

/* What was earned of all of it says nothing of a part, nor the other way round. */
static void
another_list_begins_anew(void **state)
{
    struct scene *s = opens(state, by_tenant);
    struct scene_options other = {.config = by_both, .more = other_key};

    earns_both(s);
    scene_reload_options(s, other);
    history_run_to_rest(s->history);
    assert_false(is_there(&s->gateway.evidences, ACME));
    assert_false(asks(s, 20000, false, KEY, NULL));
    other.config = by_tenant;
    scene_reload_options(s, other);
    history_run_to_rest(s->history);
    assert_false(asks(s, 20001, false, KEY, NULL));
    assert_int_not_equal(stands(s, ACME).reason, EVIDENCE_SERVES);
    scene_rest(s);
    scene_passed(s);
}

static const char by_tag_shared[] = BACKENDS("") ROUTE("{ quality: 75%, slices: [ tag:feature ] }", "exact",
                                                       "levers: { router: on, coalesce: on }, repeatable: yes");

/* Equal requests of two slices come at the same time, and one of the slices has earned the small model. */
static void
what_one_has_earned_is_not_shared_with_others(void **state)
{
    struct scene *scene = opens(state, by_tag_shared);
    unsigned by_model = 0;

    for (size_t i = 0; stands(scene, "router beta/small" EVIDENCE_PART "tag:feature=a").reason != EVIDENCE_SERVES;
         i++) {
        (void)asks(scene, i, false, KEY, "x-equipoise-tags: feature=a\n");
        assert_true(i < 1200);
    }
    small.wrong = true;
    for (size_t i = 0; i < 30; i++) {
        char text[64];
        struct vclient *first, *second, *third;

        snprintf(text, sizeof(text), "What is shared %zu?", i);
        first = scene_asks(scene, (struct ask){.text = text, .key = KEY, .headers = "x-equipoise-tags: feature=a\n"});
        history_run_for(scene->history, 10 * USEC_PER_MS);
        second = scene_asks(scene, (struct ask){.text = text, .key = KEY, .headers = "x-equipoise-tags: feature=b\n"});
        history_run_for(scene->history, 10 * USEC_PER_MS);
        third = scene_asks(scene, (struct ask){.text = text, .key = KEY, .headers = "x-equipoise-tags: feature=b\n"});
        history_run_to_rest(scene->history);
        by_model += slice_is(vclient_header(first, "x-equipoise-source"), "model");
        assert_true(slice_is(vclient_header(second, "x-equipoise-source"), "reference"));
        assert_true(slice_is(vclient_header(third, "x-equipoise-source"), "shared")); /* with its own kind it is */
        assert_true(slice_find(vclient_body(third), SLICE_LITERAL("no answer")) == vclient_body(third).len);
    }
    assert_true(by_model > 0);
    assert_int_equal(gateway_count(&scene->gateway, COUNT_ALONE_SLICE), 30);
    scene_rest(scene);
    scene_passed(scene);
}

static bool
a_kind_of_question_is_by_the_model(struct scene *scene, size_t number, bool hard, const char *headers)
{
    struct vclient *client;
    char text[96];

    small.wrong = hard;
    snprintf(text, sizeof(text),
             hard ? "Prove the theorem about manifolds and cohomology, lemma %zu"
                  : "Please say hello kindly to my friend, guest %zu",
             number);
    client = scene_asks(scene, (struct ask){.text = text, .key = KEY, .headers = headers});
    history_run_to_rest(scene->history);
    return slice_is(vclient_header(client, "x-equipoise-source"), "model");
}

/* Half of what b asks is hard, which its words tell. a has almost earned when it falls silent. */
static void
a_slice_that_falls_silent_half_way_does_not_hold_up_others_for_ever(void **state)
{
    struct scene *scene = opens(state, by_tag);
    size_t served = 0, wrong = 0;

    for (size_t i = 0; i < 216; i++)
        assert_false(a_kind_of_question_is_by_the_model(scene, i, false, "x-equipoise-tags: feature=a\n"));
    assert_true(stands(scene, "router beta/small" EVIDENCE_PART "tag:feature=a").next.missing_as_so_far <
                stands(scene, "router beta/small" EVIDENCE_PART "tag:feature=a").next.labels);
    for (size_t i = 0; i < 2500; i++) {
        bool hard = rng_mix(i) % 2 == 0;
        bool by_model = a_kind_of_question_is_by_the_model(scene, 10000 + i, hard, "x-equipoise-tags: feature=b\n");

        served += by_model;
        wrong += by_model && hard;
    }
    print_message("served %zu of 2500 (%zu wrong)\n", served, wrong);
    assert_true(served > 200 && wrong * 4 < served);
    scene_rest(scene);
    scene_passed(scene);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_one_has_earned_is_not_shared_with_others, scene_teardown),
        cmocka_unit_test_teardown(a_slice_that_falls_silent_half_way_does_not_hold_up_others_for_ever, scene_teardown),
        cmocka_unit_test_teardown(without_slices_one_tenant_pays_for_the_mean, scene_teardown),
        cmocka_unit_test_teardown(with_slices_who_is_served_well_is_served_alone, scene_teardown),
        cmocka_unit_test_teardown(so_it_is_with_a_cascade, scene_teardown),
        cmocka_unit_test_teardown(the_second_has_less_alpha, scene_teardown),
        cmocka_unit_test_teardown(a_slice_is_suspended_alone, scene_teardown),
        cmocka_unit_test_teardown(each_combination_is_a_slice, scene_teardown),
        cmocka_unit_test_teardown(a_model_called_for_somebody_is_no_slice, scene_teardown),
        cmocka_unit_test_teardown(what_has_no_place_is_the_references, scene_teardown),
        cmocka_unit_test_teardown(another_list_begins_anew, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
