/* A cascade whose answers a model scores (cascade: accept: model): it is asked about one answer, its calls are booked, and from
 * which of its scores on answers are kept is what audits earned. */
#include "scene.h"

#include <stdio.h>

#include "levers/cascade.h"
#include "virtual/vcommand.h"

#define CONFIG_OF(levers, quality, verifier)                                                                           \
    "backends:\n"                                                                                                      \
    "  alpha: { url: \"http://alpha.example\", models: [ big ], region: eu }\n"                                        \
    "  beta:  { url: \"http://beta.example\", models: [ small ], region: eu }\n"                                       \
    "  gamma: { url: \"http://gamma.example\", models: [ checker ], region: us }\n"                                    \
    "routes:\n"                                                                                                        \
    "  assistant: { reference: alpha/big, candidates: beta/small, acceptable: { quality: " quality " },\n"             \
    "               judge: { by: numeric, ceiling: 0% }, cascade: { accept: model, verifier: gamma/checker }, "        \
    "learning: 100%,\n"                                                                                                \
    "               levers: { " levers " } }\n"                                                                        \
    "prices:\n"                                                                                                        \
    "  override:\n"                                                                                                    \
    "    alpha/big:     { input: $20/M, output: $80/M }\n"                                                             \
    "    beta/small:    { input: $0.02/M, output: $0.08/M }\n"                                                         \
    "    gamma/checker: { input: " verifier ", output: $0.04/M }\n"

#define CONFIG(quality, verifier) CONFIG_OF("cascade: on", quality, verifier)

static const char config[] = CONFIG("90%", "$0.01/M");
static const char of_route[] = CONFIG("90%, of: route }, validate: { command: validator", "$0.01/M");

/* Of ten questions the small model gets seven right; of the others the checker doubts two and is fairly sure of one. */
struct checker {
    const char *says; /* instead of all that */
    unsigned status;
    usec takes_us;
    size_t asked;
};

static bool
is_right(unsigned n)
{
    return n % 10 < 7;
}

static unsigned
sureness(unsigned n)
{
    return is_right(n) ? 95 : n % 10 == 7 ? 80 : 20;
}

static void
answer(struct vscript *script, const char *text)
{
    struct buffer body = {0};

    buffer_add_text(
        &body, "{\"id\":\"x\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,"
               "\"message\":{\"role\":\"assistant\",\"content\":\"");
    buffer_add_json(&body, slice_of(text));
    buffer_add_text(&body, "\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":20,"
                           "\"total_tokens\":120}}");
    vscript_add(script, play_head(200, "content-type: application/json"));
    vscript_add(script, play_bytes(buffer_content(&body)));
    vscript_add(script, play_end());
    buffer_free(&body);
}

static void
answer_with_status(struct vscript *script, unsigned status)
{
    vscript_add(script, play_head(status, "content-type: application/json"));
    vscript_add(script, play_text("{\"error\":{\"message\":\"no\"}}"));
    vscript_add(script, play_end());
}

static void
speak(void *context, const struct vcall_seen *seen, struct vscript *script)
{
    bool large = context != NULL;
    unsigned n = scene_number_behind(seen->body, "is number ");
    char text[64];

    snprintf(text, sizeof(text), large ? "It is %u." : "I say %u.", large || is_right(n) ? n : n + 1);
    vscript_add(script, play_wait(50 * USEC_PER_MS));
    answer(script, text);
}

static void
check(void *context, const struct vcall_seen *seen, struct vscript *script)
{
    struct checker *checker = context;
    char text[64];

    checker->asked++;
    assert_contains(seen->body, "\"model\":\"checker\"");
    assert_contains(seen->body, "\\nI say ");
    assert_lacks(seen->headers, "x-application");
    vscript_add(script, play_wait(50 * USEC_PER_MS + checker->takes_us));
    if (checker->status != 0) {
        answer_with_status(script, checker->status);
        return;
    }
    snprintf(text, sizeof(text), "%u%%", sureness(scene_number_behind(seen->body, "is number ")));
    answer(script, checker->says != NULL ? checker->says : text);
}

static struct scene *
opens(void **state, const char *text, const char *more, struct checker *checker)
{
    static int large;
    struct scene *s = scene_new(state, (struct scene_options){.seed = 1, .config = text, .more = more});

    *checker = (struct checker){.says = NULL};
    vbackend_decides(scene_backend(s, "alpha"), speak, &large);
    vbackend_decides(scene_backend(s, "beta"), speak, NULL);
    vbackend_decides(scene_backend(s, "gamma"), check, checker);
    return s;
}

static struct vclient *
asks(struct scene *s, size_t number)
{
    char text[64];

    snprintf(text, sizeof(text), "What is number %zu?", number);
    return scene_asks(s, (struct ask){.text = text, .headers = "x-application: shop"});
}

static bool
is_kept(const struct vclient *client)
{
    assert_int_equal(vclient_status(client), 200);
    return slice_is(vclient_header(client, "x-equipoise-source"), "cascade");
}

static bool
is_served(struct scene *s, size_t number)
{
    struct vclient *client = asks(s, number);

    history_run_to_rest(s->history);
    return is_kept(client);
}

static struct evidence_verdict
stands(struct scene *s)
{
    return shared_evidence_verdict(evidences_at(&s->gateway.evidences, "assistant", "cascade beta/small"));
}

static size_t
rows_from(const struct scene *s, const char *source)
{
    size_t count = 0;

    for (size_t i = 0; i < s->row_count; i++)
        count += slice_is(s->rows[i].source, source);
    return count;
}

/* Of what is kept nearly all is right, though three in ten of the model's answers are not. */
static void
scores_are_kept_from_where_audits_say(void **state)
{
    struct checker checker;
    struct scene *s = opens(state, config, NULL, &checker);
    size_t asked = 1, served = 0, wrong = 0, rejected;

    while (stands(s).reason != EVIDENCE_SERVES) {
        assert_false(is_served(s, asked));
        assert_true(++asked < 2000);
    }
    assert_true(asked > SAMPLE_SCORES);
    for (size_t i = 0; i < 300; i++) {
        bool kept = is_served(s, asked + i);

        served += kept;
        wrong += kept && !is_right((unsigned)(asked + i));
        assert_false(kept && sureness((unsigned)(asked + i)) < 50);
    }
    assert_true(served > 150 && wrong * 10 <= served);
    rejected = (size_t)gateway_count(&s->gateway, COUNT_CASCADE_REJECTED);
    assert_true(rejected > 30);
    scene_rest(s);
    assert_int_equal(rows_from(s, "judge") + rows_from(s, "verifier"), checker.asked);
    assert_int_equal(gateway_count(&s->gateway, COUNT_OWN_VERIFIERS), served + rejected);
    assert_int_equal(rows_from(s, "verifier"), served + rejected); /* the others were for audits */
    for (size_t i = 0; i < s->row_count; i++) {
        const struct row *row = &s->rows[i];

        if (!slice_is(row->source, "verifier"))
            continue;
        assert_true(row->cost > 0 && row->savings[0].saved == -row->cost && slice_is(row->backend, "gamma"));
        assert_slice_is(row->savings[0].lever, "cascade");
    }
    scene_passed(s);
}

/* Who says nothing that is a score, or does not answer, has nothing kept. */
static void
a_verifier_that_fails_keeps_nothing(void **state)
{
    static const struct checker cases[] = {{.says = "I am sure."}, {.says = "101"},       {.says = ""},
                                           {.says = "-1"},         {.says = "95 of 100"}, {.status = 500}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct checker checker;
        struct scene *s = opens(state, config, NULL, &checker);

        checker = cases[i];
        for (size_t n = 1; n < 30; n++)
            assert_false(is_served(s, n));
        scene_rest(s);
        assert_true(checker.asked > (checker.status == 0 ? 5 : 0)); /* who fails is left alone for a while */
        assert_int_equal(gateway_count(&s->gateway, COUNT_CASCADE_UNKNOWN), rows_from(s, "audit"));
        assert_int_equal(gateway_count(&s->gateway, COUNT_CASCADE_UNKEPT), 0);
        assert_int_equal(stands(s).audits, 0);
        scene_passed(s);
        scene_free(s, state);
    }
}

static void
refuses(void *context, const struct vcall_seen *seen, struct vscript *script)
{
    (void)seen;
    answer_with_status(script, *(const unsigned *)context);
}

/* Where the floor speaks of all answers of the route, one that the cascade refuses is a good one: the reference's. But that
 * nobody could be asked is no refusal; else all would be earned with nothing judged, and be served once it is mended. */
static void
what_could_not_be_asked_earns_nothing(void **state)
{
    static const struct {
        const char *whose;
        unsigned status;
        const char *says; /* the checker */
        int exit_status;  /* of the validator's command */
        enum counter counted;
    } cases[] = {
        {.whose = "beta", .status = 404, .counted = COUNT_CASCADE_UNANSWERED},
        {.whose = "beta", .status = 400, .counted = COUNT_CASCADE_UNANSWERED},
        {.whose = "beta", .status = 429, .counted = COUNT_CASCADE_UNANSWERED},
        {.whose = "gamma", .status = 404, .counted = COUNT_CASCADE_UNKNOWN},
        {.says = "I am sure.", .counted = COUNT_CASCADE_UNKNOWN},
        {.exit_status = 2, .counted = COUNT_CASCADE_UNKNOWN},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct checker checker;
        struct scene *s = opens(state, of_route, NULL, &checker);
        struct evidence_verdict before;
        size_t asked = 0;
        unsigned status = cases[i].status;

        vcommand_does(s->history, "validator", (struct vcommand_script){.exit_status = 0});
        while (stands(s).reason == EVIDENCE_NO_EPOCH) {
            assert_false(is_served(s, ++asked));
            assert_true(asked < 1000);
        }
        before = stands(s);
        checker.says = cases[i].says;
        vcommand_does(s->history, "validator", (struct vcommand_script){.exit_status = cases[i].exit_status});
        if (status != 0)
            vbackend_decides(scene_backend(s, cases[i].whose), refuses, &status);
        for (size_t n = 1; n < 200; n++)
            assert_false(is_served(s, asked + n));
        assert_int_not_equal(stands(s).reason, EVIDENCE_SERVES);
        assert_int_equal(stands(s).next.arm, before.next.arm);
        assert_int_equal(stands(s).next.labels, before.next.labels);
        scene_rest(s);
        assert_true(gateway_count(&s->gateway, cases[i].counted) > 5);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Its client leaves at any step while the verifier is asked, or before. */
static void
clients_may_leave_while_it_is_asked(void **state)
{
    struct checker checker;
    struct scene *s = opens(state, config, NULL, &checker);
    size_t asked = 1;

    while (!is_served(s, asked))
        assert_true(++asked < 2000);
    checker.takes_us = 100 * USEC_PER_MS;
    for (unsigned step = 0, over = 0; over < 2; step++) {
        struct vclient *client = asks(s, 10 * (asked + step));

        for (unsigned i = 0; i < step; i++)
            history_step(s->history);
        over += vclient_done(client);
        vclient_leave(client);
        history_run_to_rest(s->history);
        assert_true(step < 100);
    }
    scene_rest(s);
    scene_passed(s);
}

/* A tenant's texts go to no verifier beyond what its rules allow; and none is asked that costs more than it saves. */
static void
who_may_not_or_does_not_pay_is_not_asked(void **state)
{
    static const struct {
        const char *config, *more;
    } cases[] = {{CONFIG("90%", "$0.01/M"), "tenants: { acme: { allow: { region: eu } } }\n"},
                 {CONFIG("90%", "$40/M"), NULL}};

    for (size_t i = 0; i < 2; i++) {
        struct checker checker;
        struct scene *s = opens(state, cases[i].config, cases[i].more, &checker);

        for (size_t n = 1; n < 30; n++)
            assert_false(is_served(s, n));
        scene_rest(s);
        assert_int_equal(checker.asked, 0);
        assert_int_equal(vbackend_seen_count(scene_backend(s, "beta")), 0);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Whose texts go to no verifier has no plans of the cascade; its requests speak for the router no more often for that. */
static void
who_may_not_be_scored_is_audited_no_more_often(void **state)
{
    struct checker checker;
    struct scene *s = opens(state, CONFIG_OF("router: on, cascade: on", "97%", "$0.01/M"),
                            "tenants: { acme: { allow: { region: eu } } }\n", &checker);
    struct evidence_verdict verdict;

    for (size_t n = 1; n <= SAMPLE_SCORES + 200; n++)
        assert_false(is_served(s, n));
    scene_rest(s);
    verdict = shared_evidence_verdict(evidences_at(&s->gateway.evidences, "assistant", "router beta/small"));
    print_message("%zu labels of 200 audits\n", (size_t)verdict.next.labels);
    assert_int_equal(checker.asked, 0);
    assert_int_equal(verdict.audits, 201);
    assert_in_range(verdict.next.labels, 75, 125);
    scene_passed(s);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_teardown(scores_are_kept_from_where_audits_say, scene_teardown),
    cmocka_unit_test_teardown(a_verifier_that_fails_keeps_nothing, scene_teardown),
    cmocka_unit_test_teardown(what_could_not_be_asked_earns_nothing, scene_teardown),
    cmocka_unit_test_teardown(clients_may_leave_while_it_is_asked, scene_teardown),
    cmocka_unit_test_teardown(who_may_not_or_does_not_pay_is_not_asked, scene_teardown),
    cmocka_unit_test_teardown(who_may_not_be_scored_is_audited_no_more_often, scene_teardown),
};

int
main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
