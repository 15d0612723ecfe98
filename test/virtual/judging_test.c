/* What stands around a judge: its ceiling, floors that need none as validators say what is right, a judge that is being asked
 * when the program stops, what is written down when something is taken back, and who answers what is judged. */
#include "paper.h"
#include "scene.h"

#include <stdio.h>

#include "gateway/choice/choosing.h"
#include "gateway/judging/audit_run.h"
#include "gateway/judging/evidence_keeper.h"
#include "gateway/judging/mission.h"
#include "levers/router.h"
#include "quality/evidences.h"

#define BACKENDS                                                                                                       \
    "backends:\n"                                                                                                      \
    "  alpha: { url: \"http://alpha.example\", models: [ big ] }\n"                                                    \
    "  beta:  { url: \"http://beta.example\", models: [ small ] }\n"                                                   \
    "prices:\n"                                                                                                        \
    "  override:\n"                                                                                                    \
    "    alpha/big:  { input: $2/M, output: $8/M }\n"                                                                  \
    "    beta/small: { input: $0.02/M, output: $0.08/M }\n"
#define ROUTE(acceptable, more)                                                                                        \
    "routes:\n"                                                                                                        \
    "  assistant: { reference: alpha/big, candidates: beta/small, acceptable: " acceptable ", learning: 100%,\n"       \
    "               levers: { router: on }, " more " }\n"

static const char judged_itself[] = BACKENDS ROUTE("{ quality: 80% }", "judge: { by: exact, ceiling: 100% }");
static const char plain[] = BACKENDS ROUTE("{ quality: 80% }", "judge: { by: exact, ceiling: 0% }");
static const char relative[] = BACKENDS ROUTE("{ quality: 90%, of: relative }", "validate: { regex: \"right\" }");
static const char same_fields[] = BACKENDS ROUTE("{ quality: 80% }", "judge: { by: json, ceiling: 0% }");
static const char fits[] = BACKENDS ROUTE(
    "{ quality: 80% }", "judge: { by: json, json_schema: test/virtual/answer.schema.json, ceiling: 0% }");
static const char service[] =
    BACKENDS ROUTE("{ quality: 80% }", "judge: { http: \"http://judge.example/ask\", ceiling: 0% }");

enum { SAMPLE = SAMPLE_SCORES - 1 };

static struct scene *
opens(void **state, const char *config)
{
    return scene_new(state, (struct scene_options){.seed = 1, .config = config});
}

/* Each of another conversation. */
static struct vclient *
says(struct scene *s, size_t number)
{
    char text[64];
    struct vclient *client;

    snprintf(text, sizeof(text), "What is question number %zu?", number);
    client = scene_asks(s, (struct ask){.text = text});
    history_run_to_rest(s->history);
    assert_int_equal(vclient_status(client), 200);
    return client;
}

static void
asks(struct scene *s, size_t from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)says(s, from + i);
}

static struct evidence_verdict
stands_of(struct scene *s, const char *lever)
{
    return shared_evidence_verdict(evidences_at(&s->gateway.evidences, "assistant", lever));
}

#define SMALL "router beta/small"

/* Backends that say something of their own */

struct speaker {
    /* Whether it is right about question number n. NULL: it never says the same twice. */
    bool (*right)(unsigned n);
    const char *names; /* not NULL: it says an object with this one member, never the same */
    unsigned asked;
};

static void
speak(void *context, const struct vcall_seen *seen, struct vscript *script)
{
    struct speaker *speaker = context;
    struct slice rest = slice_from(seen->body, slice_find(seen->body, SLICE_LITERAL("number ")) + 7);
    struct buffer body = {0};
    unsigned number = 0;

    for (; rest.len > 0 && rest.data[0] >= '0' && rest.data[0] <= '9'; rest = slice_from(rest, 1))
        number = 10 * number + (unsigned)(rest.data[0] - '0');
    buffer_add_text(
        &body, "{\"id\":\"x\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,"
               "\"message\":{\"role\":\"assistant\",\"content\":\"");
    if (speaker->names != NULL)
        buffer_printf(&body, "{\\\"%s\\\":\\\"number %u\\\"}", speaker->names, speaker->asked);
    else if (speaker->right != NULL)
        buffer_add_text(&body, speaker->right(number) ? "this is right" : "this is wrong");
    else
        buffer_printf(&body, "answer %u", speaker->asked);
    speaker->asked++;
    buffer_add_text(&body, "\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":20,"
                           "\"total_tokens\":120}}");
    vscript_add(script, play_head(200, "content-type: application/json"));
    vscript_add(script, play_bytes(buffer_content(&body)));
    vscript_add(script, play_end());
    buffer_free(&body);
}

/* The ceiling */

static size_t
own_rows(const struct scene *s, const char *backend)
{
    size_t count = 0;

    for (size_t i = 0; i < s->row_count; i++)
        count += slice_is(s->rows[i].source, "audit") && slice_is(s->rows[i].backend, backend);
    return count;
}

static const struct row *
last_of_a_client(const struct scene *s)
{
    size_t i = s->row_count - 1;

    while (row_is_own(&s->rows[i]))
        i--;
    return &s->rows[i];
}

/* A reference that never says the same twice, and a judge that wants the same: no candidate could please it. */
static void
a_judge_that_rejects_the_reference_is_found_out(void **state)
{
    struct scene *s = opens(state, judged_itself);
    struct speaker speaker = {.right = NULL};
    struct evidence_verdict verdict;

    vbackend_decides(scene_backend(s, "alpha"), speak, &speaker);
    asks(s, 0, SAMPLE + 40);
    verdict = stands_of(s, JUDGE_EVIDENCE);
    assert_int_equal(verdict.reason, EVIDENCE_BELOW_FLOOR);
    assert_int_equal(verdict.next.mean_ppm, 0);
    assert_true(verdict.next.upper_ppm < 800000);
    assert_int_equal(verdict.audits, 40);
    assert_int_not_equal(stands_of(s, SMALL).reason, EVIDENCE_SERVES);
    assert_int_equal(s->gateway.alerts.waiting_count, 2); /* of the judge, and of the candidate below the floor */
    assert_int_equal(gateway_count(&s->gateway, COUNT_SELF_NOT), 40);
    atomic_store(&s->gateway.bypass, true); /* so that no audit is what there is to say of the plan */
    asks(s, SAMPLE + 40, 1);
    scene_rest(s);
    assert_int_equal(own_rows(s, "alpha"), 40);
    assert_int_equal(own_rows(s, "beta"), 40);
    assert_contains(last_of_a_client(s)->plans,
                    "its judge does not accept enough of the reference's own other answers");
    scene_passed(s);
}

/* One that says the same again is accepted, and what it costs to find that out stands in the books like any audit. */
static void
a_fair_judge_has_a_high_ceiling(void **state)
{
    struct scene *s = opens(state, judged_itself);
    struct buffer metrics = {0};

    asks(s, 0, SAMPLE + 40);
    assert_int_equal(stands_of(s, JUDGE_EVIDENCE).reason, EVIDENCE_SERVES);
    assert_int_equal(stands_of(s, SMALL).reason, EVIDENCE_SERVES);
    assert_int_equal(s->gateway.alerts.waiting_count, 0);
    choosing_print(&s->gateway, &metrics);
    assert_contains(buffer_content(&metrics), "\nequipoise_judge_ceiling{route=\"assistant\"} 1\n");
    assert_contains(buffer_content(&metrics), "\nequipoise_judge_ceiling_labels{route=\"assistant\"} ");
    buffer_free(&metrics);
    scene_rest(s);
    assert_int_equal(own_rows(s, "alpha"), gateway_count(&s->gateway, COUNT_SELF_ACCEPTABLE));
    for (size_t i = 0; i < s->row_count; i++)
        if (slice_is(s->rows[i].source, "audit") && slice_is(s->rows[i].backend, "alpha"))
            assert_true(s->rows[i].cost > 0 && s->rows[i].about.len > 0 &&
                        s->rows[i].savings[0].saved == -s->rows[i].cost);
    scene_passed(s);
}

/* Form */

static bool
earns_with(void **state, const char *config, const char *names)
{
    struct scene *s = opens(state, config);
    struct speaker large = {.names = "city"}, small = {.names = names, .asked = 5000};
    bool serves;

    vbackend_decides(scene_backend(s, "alpha"), speak, &large);
    vbackend_decides(scene_backend(s, "beta"), speak, &small);
    asks(s, 0, SAMPLE + 60);
    serves = stands_of(s, SMALL).reason == EVIDENCE_SERVES;
    assert_true(stands_of(s, SMALL).audits > 0);
    assert_int_equal(stands_of(s, SMALL).failures, 0);
    scene_passed(s);
    scene_free(s, state);
    return serves;
}

/* What the reference said counts only where no schema says what is acceptable. */
static void
json_is_judged_by_its_fields_or_by_a_schema(void **state)
{
    assert_false(earns_with(state, same_fields, "city"));
    assert_true(earns_with(state, fits, "city"));
    assert_false(earns_with(state, fits, "town"));
}

/* Floors beside the reference */

static bool
seven_of_ten(unsigned n)
{
    return n % 10 < 7;
}

/* Nobody can tell which. */
static bool
five_of_ten(unsigned n)
{
    return (n * 2654435761u >> 13) % 10 < 5;
}

static bool
ever_serves(void **state, bool (*small)(unsigned), size_t most)
{
    struct scene *s = opens(state, relative);
    struct speaker large = {.right = seven_of_ten}, other = {.right = small};
    bool serves;

    vbackend_decides(scene_backend(s, "alpha"), speak, &large);
    vbackend_decides(scene_backend(s, "beta"), speak, &other);
    for (size_t i = 0; i < most && stands_of(s, SMALL).reason != EVIDENCE_SERVES; i++)
        (void)says(s, i);
    serves = stands_of(s, SMALL).reason == EVIDENCE_SERVES;
    assert_int_equal(stands_of(s, SMALL).scope, FLOOR_RELATIVE);
    assert_int_equal(stands_of(s, SMALL).failures, 0);
    scene_rest(s);
    scene_passed(s);
    scene_free(s, state);
    return serves;
}

/* Seven of ten is far below nine of ten, but as good as what the reference has. No judge is asked. */
static void
what_is_as_often_right_as_the_reference_serves(void **state)
{
    assert_true(ever_serves(state, seven_of_ten, SAMPLE + SCORER_LABELS_FIRST - 1));
}

/* Before anybody can tell requests apart, when it would have to serve all. (A tenth of the route it may, once they are.) */
static void
what_is_less_often_right_does_not(void **state)
{
    assert_false(ever_serves(state, five_of_ten, SAMPLE + SCORER_LABELS_FIRST - 1));
}

/* An answer that breaks off is wrong, whatever the reference says. */
static void
what_fails_is_not_right(void **state)
{
    struct scene *s = opens(state, relative);
    struct speaker large = {.right = seven_of_ten};

    vbackend_decides(scene_backend(s, "alpha"), speak, &large);
    scene_provider(s, "beta")->status = 400;
    asks(s, 0, SAMPLE + 60);
    assert_int_equal(stands_of(s, SMALL).next.mean_ppm, 0);
    assert_int_equal(stands_of(s, SMALL).reason, EVIDENCE_BELOW_FLOOR);
    scene_rest(s);
    scene_passed(s);
}

/* The end of the program */

static void
never_answers(void *context, const struct vcall_seen *seen, struct vscript *script)
{
    unsigned *asked = context;

    (void)seen;
    ++*asked;
    vscript_add(script, play_wait(20 * USEC_PER_S));
    vscript_add(script, play_head(200, "content-type: application/json"));
    vscript_add(script, play_text("{\"acceptable\":true}"));
    vscript_add(script, play_end());
}

static void
a_service_is_hung_up_on_when_the_program_stops(void **state)
{
    struct scene *s = opens(state, service);
    struct gateway_worker *worker = s->gateway.workers[0];
    struct vbackend *judge = vbackend_new(s->history, s->config->routes[0].judge.endpoint, "judge");
    unsigned asked = 0;

    vbackend_decides(judge, never_answers, &asked);
    scene_provider(s, "beta")->words = 7; /* not what the reference says, so that somebody has to judge */
    asks(s, 0, SAMPLE);
    (void)scene_asks(s, (struct ask){.text = "What is question number 1000?"});
    history_run_until(s->history, vbackend_working(judge));
    assert_int_equal(worker->outside_judges, 1);
    missions_stop(worker);
    outside_judges_stop(worker);
    assert_int_equal(worker->outside_judges, 0);
    assert_int_equal(gateway_count(&s->gateway, COUNT_ROUTER_DROPPED), 1);
    assert_int_equal(stands_of(s, SMALL).audits, 0); /* that it was not told says nothing of the judge */
    (void)says(s, 2000);
    assert_int_equal(asked, 1);
    scene_rest(s);
    scene_passed(s);
}

/* Between the candidate's answer and the question about it. */
static void
nobody_is_asked_any_more_when_the_program_stops(void **state)
{
    struct scene *s = opens(state, service);
    struct gateway_worker *worker = s->gateway.workers[0];
    struct vbackend *judge = vbackend_new(s->history, s->config->routes[0].judge.endpoint, "judge");
    unsigned asked = 0;

    vbackend_decides(judge, never_answers, &asked);
    scene_provider(s, "beta")->words = 7;
    asks(s, 0, SAMPLE);
    (void)scene_asks(s, (struct ask){.text = "What is question number 1000?"});
    history_run_until(s->history, worker->comparing > 0);
    missions_stop(worker);
    outside_judges_stop(worker);
    scene_rest(s);
    assert_int_equal(asked, 0);
    assert_int_equal(gateway_count(&s->gateway, COUNT_ROUTER_DROPPED), 1);
    scene_passed(s);
}

/* What was taken back */

/* A gateway that is killed right after a suspension does not serve again what it had lost. */
static void
a_suspension_is_written_down_at_once(void **state)
{
    struct scene *s = opens(state, plain);
    struct paper paper = {.disk = {.ops = &paper_ops}};
    struct evidence_keeper *keeper = evidence_keeper_open(&s->gateway, &paper.disk);
    struct evidences after;
    size_t asked = 0;

    while (stands_of(s, SMALL).reason != EVIDENCE_SERVES)
        (void)says(s, asked++);
    assert_int_equal(evidence_keeper_write(keeper), OK); /* as its timer would */
    paper.written = 0;
    scene_provider(s, "beta")->words = 7;
    while (stands_of(s, SMALL).suspensions == 0) {
        assert_int_equal(paper.written, 0);
        (void)says(s, asked++);
        assert_true(asked < 3000);
    }
    assert_int_equal(paper.written, 1);
    evidences_init(&after);
    assert_int_equal(evidence_file_read(&after, NULL, buffer_content(&paper.file)), OK);
    assert_int_equal(shared_evidence_verdict(evidences_at(&after, "assistant", SMALL)).suspensions, 1);
    assert_int_not_equal(shared_evidence_verdict(evidences_at(&after, "assistant", SMALL)).reason, EVIDENCE_SERVES);
    evidences_free(&after);
    evidence_keeper_close(keeper);
    paper_free(&paper);
    scene_rest(s);
    scene_passed(s);
}

/* Who answers what is judged */

#define BOTH_IN(router, cache)                                                                                         \
    BACKENDS                                                                                                           \
    "routes:\n"                                                                                                        \
    "  assistant: { reference: alpha/big, candidates: beta/small, acceptable: { quality: 80% }, learning: 100%,\n"     \
    "               repeatable: yes, judge: { by: exact, ceiling: 0% }, semantic_cache: { judge: exact },\n"           \
    "               levers: { router: " router ", semantic_cache: " cache " } }\n"
#define BOTH(cache) BOTH_IN("on", cache)

static bool
is_by(const struct vclient *client, const char *source)
{
    return slice_is(vclient_header(client, "x-equipoise-source"), source);
}

static int64_t
semantic_audits(struct scene *s)
{
    return gateway_count(&s->gateway, COUNT_AUDITS_ACCEPTABLE) + gateway_count(&s->gateway, COUNT_AUDITS_NOT) +
           gateway_count(&s->gateway, COUNT_AUDITS_UNKNOWN);
}

/* Two ways to ask the same, of a conversation each. */
static struct vclient *
asks_alike(struct scene *s, size_t number)
{
    static const char *const texts[] = {"How do I reset the password of my account?",
                                        "I forgot the password of my account, how do I reset it?"};
    char headers[64];
    struct vclient *client;

    snprintf(headers, sizeof(headers), "x-equipoise-conversation: c%zu", number);
    client = scene_asks(s, (struct ask){.text = texts[number % 2], .headers = headers});
    history_run_to_rest(s->history);
    assert_int_equal(vclient_status(client), 200);
    return client;
}

/* With a router that serves, stored answers are judged by the reference's fresh one only, and by a part of the requests. */
static void
stored_answers_are_judged_by_the_reference(void **state)
{
    const char *const configs[] = {BOTH("on"), BOTH("shadow")};

    for (size_t k = 0; k < 2; k++) {
        struct scene *s = opens(state, configs[k]);
        size_t asked = 0, audited = 0, by_model = 0;

        /* What is asked otherwise teaches the router, until it serves. */
        while (stands_of(s, SMALL).reason != EVIDENCE_SERVES)
            (void)says(s, asked++);
        for (size_t i = 0; i < 600; i++) {
            int64_t before = semantic_audits(s);
            struct vclient *client = asks_alike(s, i);

            by_model += is_by(client, "model");
            if (semantic_audits(s) == before)
                continue;
            audited++;
            assert_true(is_by(client, "reference"));
        }
        assert_true(audited > 5 && audited < 150);
        assert_true(by_model > (k == 0 ? 50 : 400));
        scene_rest(s);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* What stored answers serve is none of the router's business, also where one of them is an audit of its own. */
static void
what_stored_answers_serve_is_no_audit_of_a_model(void **state)
{
    struct scene *s = opens(state, BOTH_IN("shadow", "on"));
    size_t asked = 0, hits = 0;
    int64_t audits;

    scene_provider(s, "beta")->words = 7;
    while (stands_of(s, "semantic_cache").reason != EVIDENCE_SERVES)
        (void)asks_alike(s, asked++);
    audits = gateway_count(&s->gateway, COUNT_OWN_AUDITS);
    assert_true(audits > 0); /* while they did not serve they were anybody's */
    for (size_t i = 0; i < 300; i++)
        hits += is_by(asks_alike(s, asked++), "cached");
    assert_true(hits > 200 && hits < 300);
    assert_int_equal(gateway_count(&s->gateway, COUNT_OWN_AUDITS), audits);
    scene_rest(s);
    scene_passed(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_judge_that_rejects_the_reference_is_found_out, scene_teardown),
        cmocka_unit_test_teardown(a_fair_judge_has_a_high_ceiling, scene_teardown),
        cmocka_unit_test_teardown(json_is_judged_by_its_fields_or_by_a_schema, scene_teardown),
        cmocka_unit_test_teardown(what_is_as_often_right_as_the_reference_serves, scene_teardown),
        cmocka_unit_test_teardown(what_is_less_often_right_does_not, scene_teardown),
        cmocka_unit_test_teardown(what_fails_is_not_right, scene_teardown),
        cmocka_unit_test_teardown(a_service_is_hung_up_on_when_the_program_stops, scene_teardown),
        cmocka_unit_test_teardown(nobody_is_asked_any_more_when_the_program_stops, scene_teardown),
        cmocka_unit_test_teardown(a_suspension_is_written_down_at_once, scene_teardown),
        cmocka_unit_test_teardown(stored_answers_are_judged_by_the_reference, scene_teardown),
        cmocka_unit_test_teardown(what_stored_answers_serve_is_no_audit_of_a_model, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
