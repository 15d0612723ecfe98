/* Slices (acceptable: slices) over restarts, reloads and in bursts, and what is said of those that have nothing. */
#include "paper.h"
#include "scene.h"
#include "sliced.h"

#include <stdio.h>

#include "gateway/judging/evidence_keeper.h"
#include "levers/router.h"

static const char whole[] = BACKENDS("") ROUTE("{ quality: 75% }", "exact", ROUTER);
static const char by_tenant[] = BACKENDS("") ROUTE("{ quality: 75%, slices: tenant }", "exact", ROUTER);
static const char by_tag[] = BACKENDS("") ROUTE("{ quality: 75%, slices: tag:feature }", "exact", ROUTER);
static const char by_both[] = BACKENDS("") ROUTE("{ quality: 75%, slices: [ tenant, tag:feature ] }", "exact", ROUTER);
static const char by_both_turned[] =
    BACKENDS("") ROUTE("{ quality: 75%, slices: [ tag:feature, tenant ] }", "exact", ROUTER);
static const char cascade[] = BACKENDS("") ROUTE("{ quality: 75%, slices: tenant }", "exact", CASCADE);
static const char numbers[] = BACKENDS("") ROUTE("{ quality: 75%, slices: tenant }", "numeric", ROUTER);
static const char sure[] =
    BACKENDS("") ROUTE("{ quality: 75%, confidence: 99.99%, slices: tag:feature }", "exact", ROUTER);
static const char abroad[] =
    BACKENDS(", dialect: anthropic") ROUTE("{ quality: 75%, slices: tenant }", "exact", ROUTER);

#define WHOLE "router beta/small"
#define ACME WHOLE EVIDENCE_PART "tenant=acme"
#define GLOBEX WHOLE EVIDENCE_PART "tenant=globex"
#define BOTH ACME ", tag:feature=f"

/* What a model says: always the same, or with the request's number; and another number at its end where it is wrong. */
struct model {
    bool numbered, constant, wrong;
    size_t number;
};

static void
answer(void *context, const struct vcall_seen *seen, struct vscript *script)
{
    const struct model *model = context;
    struct buffer body = {0};

    (void)seen;
    buffer_add_text(&body, "{\"id\":\"x\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[{"
                           "\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"");
    if (model->numbered && !model->constant)
        buffer_printf(&body, "Of question %zu ", model->number);
    buffer_printf(&body,
                  "the answer is %d\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":100,"
                  "\"completion_tokens\":20,\"total_tokens\":120}}",
                  model->wrong ? 8 : 7);
    vscript_add(script, play_wait(50 * USEC_PER_MS));
    vscript_add(script, play_head(200, "content-type: application/json"));
    vscript_add(script, play_bytes(buffer_content(&body)));
    vscript_add(script, play_end());
    buffer_free(&body);
}

static struct model large, small;

static struct scene *
opens(void **state, const char *config)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 3, .config = config, .more = other_key});

    large = small = (struct model){.numbered = config == numbers};
    vbackend_decides(scene_backend(s, "alpha"), answer, &large);
    vbackend_decides(scene_backend(s, "beta"), answer, &small);
    return s;
}

static struct vclient *
starts(struct scene *s, size_t number, const char *key, const char *headers)
{
    char text[64];

    large.number = small.number = number;
    snprintf(text, sizeof(text), "What is question number %zu?", number);
    return scene_asks(s, (struct ask){.text = text, .key = key, .headers = headers});
}

/* True: the small model served. */
static bool
asks(struct scene *s, size_t number, const char *key, const char *headers)
{
    struct vclient *client = starts(s, number, key, headers);

    history_run_to_rest(s->history);
    assert_int_equal(vclient_status(client), 200);
    return slice_is(vclient_header(client, "x-equipoise-source"), "model") ||
           slice_is(vclient_header(client, "x-equipoise-source"), "cascade");
}

static bool
serves(struct scene *s, const char *lever)
{
    return shared_evidence_verdict(evidences_at(&s->gateway.evidences, "assistant", lever)).reason == EVIDENCE_SERVES;
}

static bool
is_there(struct scene *s, const char *lever)
{
    struct evidences *all = &s->gateway.evidences;

    for (struct shared_evidence *at = evidences_next(all, NULL); at != NULL; at = evidences_next(all, at))
        if (strcmp(shared_evidence_lever(at), lever) == 0)
            return true;
    return false;
}

static void
ends(struct scene *s, void **state)
{
    scene_rest(s);
    scene_passed(s);
    scene_free(s, state);
}

/* Over a restart */

/* A gateway that finds that file, of which `paper` is a copy that it may write on. */
static struct scene *
starts_again(void **state, const char *config, const struct paper *paper, struct paper *copy)
{
    struct scene *s = opens(state, config);

    *copy = (struct paper){.disk = {.ops = &paper_ops}};
    buffer_add(&copy->file, buffer_content(&paper->file));
    (void)evidence_keeper_open(&s->gateway, &copy->disk);
    return s;
}

static void
stops(struct scene *s, void **state, struct paper *paper)
{
    scene_rest(s);
    evidence_keeper_close(s->gateway.evidence_keeper);
    paper_free(paper);
    scene_passed(s);
    scene_free(s, state);
}

static void
earns_both(struct scene *s)
{
    for (size_t i = 0; !serves(s, ACME) || !serves(s, GLOBEX); i++) {
        (void)asks(s, i, i % 2 == 0 ? KEY : OTHER_KEY, NULL);
        assert_true(i < 1200);
    }
}

/* Places and evidence are kept. */
static void
slices_survive_a_restart(void **state)
{
    struct paper paper = {.disk = {.ops = &paper_ops}}, copy;
    struct scene *s = opens(state, by_tenant);
    struct evidence_keeper *keeper = evidence_keeper_open(&s->gateway, &paper.disk);
    size_t served = 0;
    bool is_new;

    earns_both(s);
    scene_rest(s);
    evidence_keeper_close(keeper);
    ends(s, state);
    s = starts_again(state, by_tenant, &paper, &copy);
    for (size_t i = 0; i < 40; i++)
        served += asks(s, i, OTHER_KEY, NULL);
    assert_true(served > 20);
    assert_int_equal(parts_place(&s->gateway.evidences.parts, "assistant", s->config->routes[0].slices.mark,
                                 "tenant=globex", &is_new),
                     2);
    assert_false(is_new);
    stops(s, state, &copy);
    paper_free(&paper);
}

/* Told apart in another way while the program stood still, nothing of it is. */
static void
another_list_after_a_restart_begins_anew(void **state)
{
    static const char *const others[] = {whole, by_tag, by_both};
    struct paper paper = {.disk = {.ops = &paper_ops}}, copy;
    struct scene *s = opens(state, by_tenant);
    struct evidence_keeper *keeper = evidence_keeper_open(&s->gateway, &paper.disk);

    earns_both(s);
    scene_rest(s);
    evidence_keeper_close(keeper);
    ends(s, state);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        s = starts_again(state, others[i], &paper, &copy);
        assert_false(is_there(s, ACME) || is_there(s, GLOBEX));
        assert_true(parts_are(&s->gateway.evidences.parts, "assistant", s->config->routes[0].slices.mark));
        assert_false(asks(s, 1, KEY, NULL));
        stops(s, state, &copy);
    }
    paper_free(&paper);
}

/* Written in another order, it is the same list. */
static void
the_order_of_the_list_is_nothing(void **state)
{
    struct scene *s = opens(state, by_both);

    for (size_t i = 0; !serves(s, BOTH); i++) {
        (void)asks(s, i, KEY, "x-equipoise-tags: feature=f\n");
        assert_true(i < 600);
    }
    scene_reload_options(s, (struct scene_options){.config = by_both_turned, .more = other_key});
    history_run_to_rest(s->history);
    assert_true(serves(s, BOTH));
    ends(s, state);
}

/* A slice for each place at once, with somebody who keeps them, or without; in how many steps of the history. */
static uint64_t
bursts(struct scene *s)
{
    for (size_t i = 0; i < PARTS_MOST; i++) {
        char tags[64];

        snprintf(tags, sizeof(tags), "x-equipoise-tags: feature=f%zu\n", i);
        (void)starts(s, i, KEY, tags);
    }
    history_run_to_rest(s->history);
    return history_steps(s->history);
}

/* All that come at once are written down together: whoever looks for what is new sees it all. */
static void
a_burst_of_slices_is_looked_at_once(void **state)
{
    struct scene *s = opens(state, by_tag);
    struct paper paper = {.disk = {.ops = &paper_ops}};
    uint64_t unkept = bursts(s), kept;
    struct evidences after;
    struct buffer name = {0};

    ends(s, state);
    s = opens(state, by_tag);
    (void)evidence_keeper_open(&s->gateway, &paper.disk);
    kept = bursts(s);
    print_message("%d slices: %d steps more where they are kept\n", PARTS_MOST, (int)(kept - unkept));
    assert_in_range(kept, unkept + 1, unkept + PARTS_MOST / 2);
    assert_in_range(paper.written, 1, PARTS_MOST / 2);
    evidences_init(&after);
    assert_int_equal(evidence_file_read(&after, NULL, buffer_content(&paper.file)), OK);
    assert_true(parts_at(&after.parts, "assistant", PARTS_MOST, &name)); /* the last one, too */
    evidences_free(&after);
    buffer_free(&name);
    stops(s, state, &paper);
}

/* Over a reload */

/* While a worker has still the configuration of before, and evidence is by the next one: what it learns would be said of other
 * requests, and its slices have no places. */
static void
assert_untouched(void **state, const char *config, const char *lever)
{
    struct scene *s = opens(state, config);

    (void)parts_follow(&s->gateway.evidences.parts, "assistant", 4711);
    for (size_t i = 0; i < 2 * SAMPLE_SCORES; i++)
        assert_false(asks(s, i, KEY, NULL));
    assert_null(evidences_next(&s->gateway.evidences, NULL));
    assert_int_equal(gateway_count(&s->gateway, COUNT_OWN_AUDITS), 0);
    assert_int_equal(gateway_count(&s->gateway, COUNT_SLICES_WITHOUT), 0);
    scene_rest(s);
    assert_false(is_there(s, lever));
    assert_null(strstr(s->rows[0].plans.data, "slice tenant"));
    ends(s, state);
}

static void
a_view_of_before_touches_no_evidence(void **state)
{
    assert_untouched(state, by_tenant, WHOLE);
    assert_untouched(state, cascade, "cascade beta/small");
}

/* Whatever finds its way into the same piece of evidence: by another list it is another epoch. */
static void
two_lists_are_two_epochs(void **state)
{
    struct scene *s = opens(state, by_tenant);
    struct route_config route = s->config->routes[0];
    struct request request = {
        .route = &route, .targets = &s->gateway.workers[0]->view->targets, .part = {.name = "tenant=acme", .place = 1}};
    struct routed one = {.target = &route.candidates[0],
                         .evidence = evidences_at(&s->gateway.evidences, "assistant", ACME),
                         .score = 1.0};
    struct choosing choosing = {.all = &one, .count = 1};
    uint64_t epoch;

    router_order(&choosing, &request, 0);
    epoch = one.terms.epoch;
    router_order(&choosing, &request, 0);
    assert_int_equal(one.terms.epoch, epoch);
    route.slices.mark++;
    router_order(&choosing, &request, 0);
    assert_int_not_equal(one.terms.epoch, epoch);
    ends(s, state);
}

/* What is said */

/* Why a plan's model cannot be asked stands behind the slice, in one member. */
static void
why_it_cannot_be_translated_is_told(void **state)
{
    struct scene *s = opens(state, abroad);
    struct slice rest;

    (void)scene_asks(s,
                     (struct ask){.text = "Say it in JSON", .more = "\"response_format\":{\"type\":\"json_object\"}"});
    scene_rest(s);
    assert_contains(s->rows[0].plans, "slice tenant=acme; JSON without a schema");
    rest = slice_from(s->rows[0].plans, slice_find(s->rows[0].plans, SLICE_LITERAL("beta/small")));
    rest = slice_first(rest, slice_find_byte(rest, '}'));
    rest = slice_from(rest, slice_find(rest, SLICE_LITERAL("\"d\":")) + 4);
    assert_int_equal(slice_find(rest, SLICE_LITERAL("\"d\":")), rest.len);
    ends(s, state);
}

/* A place alone is not enough: at a high confidence there is too little to share. */
static void
too_little_alpha_is_called_so(void **state)
{
    struct scene *s = opens(state, sure);

    for (size_t i = 0; i < 16; i++) {
        char tags[64];

        snprintf(tags, sizeof(tags), "x-equipoise-tags: feature=f%zu\n", i);
        (void)asks(s, i, KEY, tags);
    }
    scene_rest(s);
    assert_contains(s->rows[s->row_count - 1].plans, "those that came before it left too little alpha");
    assert_null(strstr(s->rows[s->row_count - 1].plans.data, "all the places"));
    ends(s, state);
}

/* Who judges */

/* How many of globex's requests the small model serves, which is right about them in the judge's eyes; twice as many are acme's, where
 * it is wrong too often to be served. */
static size_t
served_to_globex(void **state, bool constant)
{
    struct scene *s = opens(state, numbers);
    size_t served = 0;

    for (size_t i = 0; i < 1000; i++) {
        bool is_acme = i % 3 != 0, serves;

        small.constant = !is_acme && constant;
        small.wrong = is_acme && rng_mix(i) % 100 < 40;
        serves = asks(s, i, is_acme ? KEY : OTHER_KEY, NULL);
        served += !is_acme && serves;
    }
    ends(s, state);
    return served;
}

/* What is the same in each of its answers there is one of many in all of the route. */
static void
who_always_says_the_same_in_a_slice_is_found_there(void **state)
{
    assert_true(served_to_globex(state, false) > 50);
    assert_int_equal(served_to_globex(state, true), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(slices_survive_a_restart, scene_teardown),
        cmocka_unit_test_teardown(another_list_after_a_restart_begins_anew, scene_teardown),
        cmocka_unit_test_teardown(the_order_of_the_list_is_nothing, scene_teardown),
        cmocka_unit_test_teardown(a_burst_of_slices_is_looked_at_once, scene_teardown),
        cmocka_unit_test_teardown(a_view_of_before_touches_no_evidence, scene_teardown),
        cmocka_unit_test_teardown(two_lists_are_two_epochs, scene_teardown),
        cmocka_unit_test_teardown(why_it_cannot_be_translated_is_told, scene_teardown),
        cmocka_unit_test_teardown(too_little_alpha_is_called_so, scene_teardown),
        cmocka_unit_test_teardown(who_always_says_the_same_in_a_slice_is_found_there, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
