/* Outcomes by validators: what is judged, what is said of it, and that clients do not notice. */
#include "scene.h"

#include <stdio.h>

#include "quality/validate.h"
#include "virtual/vcommand.h"

#define WORDS "w0 w1 w2 w3 w4 "

static const char setting[] = "backends:\n"
                              "  alpha:  { url: \"http://alpha.example\", models: [ big ] }\n"
                              "  claude: { url: \"http://claude.example\", dialect: anthropic, models: [ opus ] }\n"
                              "limits: { answer: 64KiB }\n"
                              "prices: { override: { alpha/big: { input: $2/M, output: $8/M }, claude/opus: { input: "
                              "$5/M, output: $25/M } } }\n"
                              "routes:\n"
                              "  assistant: { reference: alpha/big%s }\n"
                              "  writer:    { reference: claude/opus%s }\n";

/* A scene whose routes have these validators, as YAML; "" for none. */
static struct scene *
scene_with(void **state, const char *validate, const char *more)
{
    struct buffer entry = {0};
    char text[2048];
    struct scene *scene;

    if (validate[0] != '\0')
        buffer_printf(&entry, ", validate: { %s }", validate);
    buffer_add_byte(&entry, '\0');
    snprintf(text, sizeof(text), setting, entry.data, entry.data);
    scene = scene_new(state, (struct scene_options){.seed = 5, .config = text, .more = more, .hop_most_us = 1});
    buffer_free(&entry);
    return scene;
}

/* The one outcome in the journal; false if there is none. */
static bool
outcome_of(struct scene *scene, struct feedback *out)
{
    struct slice bytes = history_journal(scene->history, 0);
    struct journal_record record;
    unsigned count = 0;

    while (journal_take(&bytes, &record) == OK)
        if (record.type == JOURNAL_FEEDBACK) {
            *out = record.feedback;
            count++;
        }
    assert_true(count <= 1);
    return count == 1;
}

/* 1: useful, 0: not, -1: no outcome. Ends the scene. */
static int
end_with(struct scene *s, void **state, char reason[REASON_SIZE])
{
    struct feedback feedback;
    int result = -1;

    scene_rest(s);
    reason[0] = '\0';
    if (outcome_of(s, &feedback)) {
        assert_true(feedback.id == scene_row(s, 0)->id);
        assert_slice_is(feedback.source, "validator");
        assert_true(feedback.useful_ppm == 0 || feedback.useful_ppm == 1000000);
        result = feedback.useful_ppm == 0 ? 0 : 1;
        snprintf(reason, REASON_SIZE, "%.*s", SLICE_ARGS(feedback.reason));
        assert_int_equal(gateway_count(&s->gateway, COUNT_FEEDBACK), 1);
    }
    scene_passed(s);
    scene_free(s, state);
    return result;
}

static void
every_api_is_judged_buffered_and_streamed(void **state)
{
    static const enum api apis[] = {API_CHAT, API_COMPLETIONS, API_RESPONSES, API_MESSAGES};
    char reason[REASON_SIZE];

    for (unsigned i = 0; i < 8; i++) {
        for (unsigned fits = 0; fits < 2; fits++) {
            struct scene *s = scene_with(state, fits ? "regex: \"^" WORDS "$\"" : "regex: \"^" WORDS "x\"", NULL);

            scene_asks(s, (struct ask){.api = apis[i / 2], .stream = i % 2 == 1});
            scene_rest(s);
            assert_int_equal(gateway_count(&s->gateway, COUNT_REGEX_USEFUL), fits);
            assert_int_equal(gateway_count(&s->gateway, COUNT_REGEX_NOT), 1 - fits);
            assert_int_equal(end_with(s, state, reason), (int)fits);
            assert_string_equal(reason, fits ? "" : "regex: it does not match");
        }
    }
}

/* A backend that says what the test says, as chat. */
static void
say_this(void *context, const struct vcall_seen *seen, struct vscript *script)
{
    (void)seen;
    vscript_add(script, play_head(200, "content-type: application/json"));
    vscript_add(script, play_text(context));
    vscript_add(script, play_end());
}

#define CHAT(message)                                                                                                  \
    "{\"choices\":[{\"index\":0,\"message\":" message ",\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,"  \
    "\"completion_tokens\":1}}"

static void
a_schema_is_applied_to_what_was_said(void **state)
{
    static const struct {
        const char *answer;
        int result;
        const char *reason;
    } cases[] = {
        {CHAT("{\"content\":\"{\\\"city\\\": \\\"Bonn\\\"}\"}"), 1, ""},
        {CHAT("{\"content\":[{\"type\":\"text\",\"text\":\"{\\\"city\\\": \\\"Bonn\\\"}\"}]}"), 1, ""},
        {CHAT("{\"content\":\"{\\\"city\\\": \\\"\\\"}\"}"), 0, "json_schema: #/properties/city/minLength"},
        {CHAT("{\"content\":\"{}\"}"), 0, "json_schema: #/required"},
        {CHAT("{\"content\":\"Bonn\"}"), 0, "json_schema: the answer is not JSON"},
        {CHAT("{\"content\":\"\"}"), 0, "json_schema: the answer is not JSON"},
        {CHAT("{\"content\":null,\"tool_calls\":[{\"function\":{\"name\":\"f\"}}]}"), -1, ""},
    };
    char reason[REASON_SIZE];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scene *s = scene_with(state, "json_schema: test/virtual/answer.schema.json", NULL);

        vbackend_decides(scene_backend(s, "alpha"), say_this, (void *)(uintptr_t)cases[i].answer);
        scene_asks(s, (struct ask){0});
        scene_rest(s);
        assert_int_equal(gateway_count(&s->gateway, COUNT_SCHEMA_UNKNOWN), cases[i].result < 0);
        assert_int_equal(end_with(s, state, reason), cases[i].result);
        assert_int_equal(strncmp(reason, cases[i].reason, strlen(cases[i].reason)), 0);
    }
}

static void
a_command_says_by_its_exit_status(void **state)
{
    static const struct {
        struct vcommand_script script;
        int result;
        enum counter counted;
        const char *reason;
    } cases[] = {
        {{.exit_status = 0}, 1, COUNT_COMMAND_USEFUL, ""},
        {{.exit_status = 1, .output = "too short\nreally"}, 0, COUNT_COMMAND_NOT, "command: exit status 1: too short"},
        {{.exit_status = 2}, -1, COUNT_COMMAND_UNKNOWN, ""},
        {{.takes_us = USEC_NEVER}, -1, COUNT_COMMAND_UNKNOWN, ""},
    };
    char reason[REASON_SIZE];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scene *s = scene_with(state, "command: judge", NULL);

        vcommand_does(s->history, "judge", cases[i].script);
        scene_asks(s, (struct ask){.stream = true});
        scene_rest(s);
        assert_slice_is(vcommand_input(s->history, "judge"), WORDS);
        assert_int_equal(gateway_count(&s->gateway, cases[i].counted), 1);
        assert_int_equal(end_with(s, state, reason), cases[i].result);
        assert_string_equal(reason, cases[i].reason);
    }
}

/* The place of the HTTP validator of `assistant`. */
static struct vbackend *
judge_of(struct scene *scene)
{
    return vbackend_new(scene->history, config_route(scene->config, SLICE_LITERAL("assistant"))->validate.endpoint,
                        "judge");
}

static void
an_http_validator_says_by_status_or_body(void **state)
{
    static const struct {
        unsigned status;
        const char *body;
        int result;
        const char *reason;
    } cases[] = {
        {200, "{\"useful\":true}", 1, ""},
        {204, "", 1, ""},
        {200, "{\"useful\":false,\"reason\":\"rude\"}", 0, "http: rude"},
        {422, "", 0, "http: status 422"},
        {200, "fine", -1, ""},
        {500, "{\"useful\":true}", -1, ""},
    };
    char reason[REASON_SIZE];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scene *s = scene_with(state, "http: \"http://judge.example/ask?x=1\"", NULL);
        struct vbackend *judge = judge_of(s);
        char id[32];

        vbackend_plays(judge, play_head(cases[i].status, NULL), play_text(cases[i].body), play_end());
        scene_asks(s, (struct ask){0});
        scene_rest(s);
        assert_int_equal(vbackend_seen_count(judge), 1);
        assert_slice_is(vbackend_seen(judge, 0).target, "/ask?x=1");
        text_format_id(scene_row(s, 0)->id, id);
        assert_contains(vbackend_seen(judge, 0).body, id);
        assert_contains(vbackend_seen(judge, 0).body, "\"route\":\"assistant\",\"text\":\"" WORDS "\"}");
        assert_int_equal(end_with(s, state, reason), cases[i].result);
        assert_string_equal(reason, cases[i].reason);
    }
}

static void
an_http_validator_may_fail(void **state)
{
    char reason[REASON_SIZE];
    struct scene *s = scene_with(state, "http: \"http://judge.example\"", NULL);

    vbackend_set_refusing(judge_of(s), true);
    scene_asks(s, (struct ask){0});
    scene_rest(s);
    assert_int_equal(gateway_count(&s->gateway, COUNT_HTTP_UNKNOWN), 1);
    assert_int_equal(end_with(s, state, reason), -1);
}

/* The validator's place states no region. */
static void
a_tenants_text_stays_where_its_rules_say(void **state)
{
    char reason[REASON_SIZE];
    struct scene *s = scene_new(
        state,
        (struct scene_options){.seed = 6,
                               .config = "backends:\n"
                                         "  alpha: { url: \"http://alpha.example\", models: [ big ], region: eu }\n"
                                         "prices: { override: { alpha/big: { input: $2/M, output: $8/M } } }\n"
                                         "routes:\n"
                                         "  assistant: { reference: alpha/big, validate: { http: "
                                         "\"http://judge.example\" } }\n"
                                         "tenants: { acme: { allow: { region: eu } } }\n"});
    struct vbackend *judge = judge_of(s);
    struct vclient *client = scene_asks(s, (struct ask){0});

    scene_rest(s);
    assert_int_equal(vclient_status(client), 200);
    assert_int_equal(vbackend_seen_count(judge), 0);
    assert_int_equal(gateway_count(&s->gateway, COUNT_HTTP_UNKNOWN), 1);
    assert_int_equal(end_with(s, state, reason), -1);
}

static void
all_validators_must_accept(void **state)
{
    static const struct {
        const char *validate;
        int exit_status, result;
        unsigned runs;
    } cases[] = {
        {"regex: \"^w0\", command: judge", 0, 1, 1},
        {"regex: \"^w0\", command: judge", 1, 0, 1},
        {"regex: \"^w0\", command: judge", 3, -1, 1},
        {"regex: \"^w9\", command: judge", 0, 0, 0}, /* one has refused it: the others are not asked */
    };
    char reason[REASON_SIZE];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scene *s = scene_with(state, cases[i].validate, NULL);

        vcommand_does(s->history, "judge", (struct vcommand_script){.exit_status = cases[i].exit_status});
        scene_asks(s, (struct ask){0});
        scene_rest(s);
        assert_int_equal(vcommand_runs(s->history, "judge"), cases[i].runs);
        assert_int_equal(end_with(s, state, reason), cases[i].result);
    }
}

static void
only_complete_answers_are_judged(void **state)
{
    char reason[REASON_SIZE];

    for (unsigned i = 0; i < 3; i++) {
        struct scene *s = scene_with(state, "command: judge", NULL);
        struct ask ask = {.stream = true};

        if (i == 0)
            scene_provider(s, "alpha")->cut_after = 2;
        else if (i == 1)
            scene_provider(s, "alpha")->status = 400;
        else
            ask.client.leaves_at_text = "w2";
        scene_asks(s, ask);
        scene_rest(s);
        assert_int_equal(vcommand_runs(s->history, "judge"), 0);
        assert_int_equal(gateway_count(&s->gateway, COUNT_COMMAND_UNKNOWN), 0);
        assert_false(vbackend_working(scene_backend(s, "alpha")));
        assert_int_equal(end_with(s, state, reason), -1);
    }
}

static void
what_is_too_long_has_no_outcome(void **state)
{
    char reason[REASON_SIZE];
    struct scene *s = scene_with(state, "command: judge", NULL);

    scene_provider(s, "alpha")->words = 15000;
    scene_provider(s, "alpha")->word_gap_us = 1;
    scene_asks(s, (struct ask){.stream = true});
    scene_rest(s);
    assert_int_equal(gateway_count(&s->gateway, COUNT_COMMAND_UNKNOWN), 1);
    assert_int_equal(vcommand_runs(s->history, "judge"), 0);
    assert_int_equal(end_with(s, state, reason), -1);
}

/* Nobody can read it: that is no reason to call it useless. */
static void
what_came_compressed_has_no_outcome(void **state)
{
    char reason[REASON_SIZE];
    struct scene *s = scene_with(state, "json_schema: test/virtual/answer.schema.json", NULL);

    vbackend_decides(scene_backend(s, "alpha"), NULL, NULL);
    vbackend_plays(scene_backend(s, "alpha"), play_head(200, "content-type: application/json\ncontent-encoding: gzip"),
                   play_text("\x1f\x8b"), play_end());
    scene_asks(s, (struct ask){0});
    scene_rest(s);
    assert_int_equal(gateway_count(&s->gateway, COUNT_SCHEMA_UNKNOWN), 1);
    assert_int_equal(end_with(s, state, reason), -1);
}

/* Byte for byte and microsecond for microsecond the same, whatever the validators do. */
static void
a_validator_never_delays_the_client(void **state)
{
    static const char *const validate[] = {"", "regex: \"^w9\"", "json_schema: test/virtual/answer.schema.json",
                                           "command: judge", "http: \"http://judge.example\""};

    for (unsigned streamed = 0; streamed < 2; streamed++) {
        usec first_us = 0, end_us = 0;
        size_t len = 0;

        for (size_t i = 0; i < sizeof(validate) / sizeof(validate[0]); i++) {
            struct scene *s = scene_with(state, validate[i], NULL);
            struct vclient *c;

            if (i == 4)
                vbackend_plays(judge_of(s), play_wait(USEC_PER_S), play_head(204, NULL), play_end());
            vcommand_does(s->history, "judge", (struct vcommand_script){.takes_us = 10 * USEC_PER_S});
            c = scene_asks(s, (struct ask){.stream = streamed == 1});
            scene_rest(s);
            assert_int_equal(vclient_status(c), 200);
            if (i == 0) {
                first_us = vclient_first_byte_us(c) - vclient_started_us(c);
                end_us = vclient_ended_us(c) - vclient_started_us(c);
                len = vclient_body(c).len;
            }
            assert_int_equal(vclient_first_byte_us(c) - vclient_started_us(c), first_us);
            assert_int_equal(vclient_ended_us(c) - vclient_started_us(c), end_us);
            assert_int_equal(vclient_body(c).len, len);
            scene_passed(s);
            scene_free(s, state);
        }
    }
}

/* More answers than are judged at once wait in line, and each has its outcome. */
static void
many_answers_wait_in_line(void **state)
{
    struct scene *s = scene_with(state, "command: judge", NULL);

    vcommand_does(s->history, "judge", (struct vcommand_script){.takes_us = USEC_PER_S});
    for (unsigned i = 0; i < 100; i++)
        scene_asks(s, (struct ask){0});
    scene_rest(s);
    assert_int_equal(gateway_count(&s->gateway, COUNT_COMMAND_USEFUL), 100);
    assert_int_equal(s->feedbacks, 100);
    scene_passed(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(every_api_is_judged_buffered_and_streamed, scene_teardown),
        cmocka_unit_test_teardown(a_schema_is_applied_to_what_was_said, scene_teardown),
        cmocka_unit_test_teardown(a_command_says_by_its_exit_status, scene_teardown),
        cmocka_unit_test_teardown(an_http_validator_says_by_status_or_body, scene_teardown),
        cmocka_unit_test_teardown(an_http_validator_may_fail, scene_teardown),
        cmocka_unit_test_teardown(a_tenants_text_stays_where_its_rules_say, scene_teardown),
        cmocka_unit_test_teardown(all_validators_must_accept, scene_teardown),
        cmocka_unit_test_teardown(only_complete_answers_are_judged, scene_teardown),
        cmocka_unit_test_teardown(what_is_too_long_has_no_outcome, scene_teardown),
        cmocka_unit_test_teardown(what_came_compressed_has_no_outcome, scene_teardown),
        cmocka_unit_test_teardown(a_validator_never_delays_the_client, scene_teardown),
        cmocka_unit_test_teardown(many_answers_wait_in_line, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
