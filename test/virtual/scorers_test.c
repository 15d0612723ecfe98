/* Requests told apart: a model that is right about some and wrong about others serves those that it is right about, once a
 * view of what audits taught is frozen and evidence has carried the best of its arms. */
#include "scene.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "gateway/choice/choosing.h"
#include "gateway/choice/scorers_parts.h"
#include "gateway/judging/evidence_keeper.h"
#include "levers/router.h"

#define ROUTE_IN(mode, acceptable, more)                                                                               \
    "backends:\n"                                                                                                      \
    "  alpha: { url: \"http://alpha.example\", models: [ big ] }\n"                                                    \
    "  beta:  { url: \"http://beta.example\", models: [ small ] }\n"                                                   \
    "routes:\n"                                                                                                        \
    "  assistant: { reference: alpha/big, candidates: beta/small, acceptable: " acceptable ", learning: 100%,\n"       \
    "               judge: { by: exact, ceiling: 0% }, levers: { router: " mode " }" more " }\n"                       \
    "prices:\n"                                                                                                        \
    "  override:\n"                                                                                                    \
    "    alpha/big:  { input: $20/M, output: $80/M }\n"                                                                \
    "    beta/small: { input: $0.02/M, output: $0.08/M }\n"

#define ROUTE(acceptable, more) ROUTE_IN("on", acceptable, more)
#define CONFIG_IN(mode, acceptable) ROUTE_IN(mode, acceptable, "")
#define CONFIG(acceptable) CONFIG_IN("on", acceptable)

/* Half of what is asked is hard for the small model, and can be told by its words. */
static const char *const easy[] = {"What is the colour of", "Please translate the word", "Which animal is called"};
static const char *const hard[] = {"Prove the theorem about", "Integrate the function named", "Derive the formula of"};

struct model {
    bool small;
};

static void
answer(void *context, const struct vcall_seen *seen, struct vscript *script)
{
    const struct model *model = context;
    struct buffer body = {0};
    size_t at = slice_find(seen->body, SLICE_LITERAL("number "));
    struct slice number = slice_first(slice_from(seen->body, at), 12);
    bool wrong = model->small && (slice_find(seen->body, SLICE_LITERAL("Prove")) < seen->body.len ||
                                  slice_find(seen->body, SLICE_LITERAL("Integrate")) < seen->body.len ||
                                  slice_find(seen->body, SLICE_LITERAL("Derive")) < seen->body.len);

    buffer_add_text(
        &body, "{\"id\":\"x\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,"
               "\"message\":{\"role\":\"assistant\",\"content\":\"");
    buffer_printf(&body, "%s of ", wrong ? "No idea" : "The answer");
    buffer_add_json(&body, number);
    buffer_add_text(&body, "\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":20,"
                           "\"total_tokens\":120}}");
    vscript_add(script, play_wait(50 * USEC_PER_MS));
    vscript_add(script, play_head(200, "content-type: application/json"));
    vscript_add(script, play_bytes(buffer_content(&body)));
    vscript_add(script, play_end());
    buffer_free(&body);
}

static struct model large = {false}, small = {true};

static struct scene *
opens(void **state, const char *config)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 3, .config = config});

    vbackend_decides(scene_backend(s, "alpha"), answer, &large);
    vbackend_decides(scene_backend(s, "beta"), answer, &small);
    return s;
}

/* True: the small model served. */
static bool
asks(struct scene *s, size_t number, bool *is_hard)
{
    struct vclient *client;
    char text[96];

    *is_hard = rng_mix(number) % 2 == 0;
    snprintf(text, sizeof(text), "%s number %zu?", (*is_hard ? hard : easy)[rng_mix(number) / 2 % 3], number);
    client = scene_asks(s, (struct ask){.text = text});
    history_run_to_rest(s->history);
    assert_int_equal(vclient_status(client), 200);
    return slice_is(vclient_header(client, "x-equipoise-source"), "model");
}

static struct evidence_verdict
stands(struct scene *s)
{
    return shared_evidence_verdict(evidences_at(&s->gateway.evidences, "assistant", "router beta/small"));
}

static size_t
earns(struct scene *s)
{
    size_t asked = 0;
    bool is_hard;

    while (stands(s).reason != EVIDENCE_SERVES) {
        assert_false(asks(s, asked, &is_hard));
        assert_true(++asked < 3000);
    }
    return asked;
}

static void
what_it_is_right_about_is_served(void **state)
{
    struct scene *s = opens(state, CONFIG("{ quality: 85% }"));
    size_t asked = earns(s), served_easy = 0, served_hard = 0, was_easy = 0;

    assert_true(asked > SCORER_LABELS_FIRST + SAMPLE_SCORES); /* the whole of it is below the floor */
    for (size_t i = 0; i < 600; i++) {
        bool is_hard, served = asks(s, asked + i, &is_hard);

        served_easy += served && !is_hard;
        served_hard += served && is_hard;
        was_easy += !is_hard;
    }
    print_message("served after %zu requests: %zu of %zu easy ones, %zu hard ones\n", asked, served_easy, was_easy,
                  served_hard);
    assert_true(served_easy > was_easy / 4);
    assert_true(served_hard * 100 < 15 * (served_easy + served_hard)); /* the floor, by what is known here */
    scene_rest(s);
    assert_contains(s->rows[s->row_count - 1].plans, "\"x\":0.");
    assert_contains(s->rows[s->row_count - 1].plans, "scores from 0.");
    assert_contains(s->rows[s->row_count - 1].plans, "by its words ");
    assert_contains(s->rows[s->row_count - 1].plans, " alike: ");
    scene_passed(s);
}

/* A floor for all answers of the route: what the reference answers is acceptable, so some of the hard ones may be wrong. */
static void
a_floor_of_the_route_serves_more(void **state)
{
    struct scene *s = opens(state, CONFIG("{ quality: 70%, of: route }"));
    size_t asked = earns(s), wrong = 0, served = 0;

    for (size_t i = 0; i < 1500; i++) {
        bool is_hard, was_served = asks(s, asked + i, &is_hard);

        served += i >= 900 && was_served; /* it goes on to wider arms for a while */
        wrong += i >= 900 && was_served && is_hard;
    }
    print_message("served after %zu requests: %zu of 600, %zu wrong\n", asked, served, wrong);
    assert_true(served > 330 && wrong > 0); /* more than all the easy ones that are not audited */
    assert_true(wrong < 180);               /* 30 % of the route */
    scene_rest(s);
    scene_passed(s);
}

/* So many at once that an audit by which a view is due was drawn before the one by which it was earned to serve: that view would
 * begin with nothing. */
static void
what_was_just_earned_is_not_dropped(void **state)
{
    struct scene *s = opens(state, CONFIG("{ quality: 97.05% }")); /* flawless answers: 249 labels */
    enum { CROWD = 40 };
    bool earned = false;

    for (size_t asked = 0; asked < 800; asked += CROWD) {
        for (size_t i = 0; i < CROWD; i++) {
            char text[64];

            snprintf(text, sizeof(text), "%s number %zu?", easy[i % 3], asked + i);
            scene_asks(s, (struct ask){.text = text});
        }
        history_run_to_rest(s->history);
        if (stands(s).reason == EVIDENCE_SERVES && !earned)
            print_message("earned by %zu labels\n", (size_t)stands(s).serving.labels);
        assert_true(!earned || stands(s).reason == EVIDENCE_SERVES);
        earned = earned || gateway_count(&s->gateway, COUNT_ROUTER_ACCEPTABLE) >= 250;
    }
    assert_true(earned);
    scene_rest(s);
    scene_passed(s);
}

/* What nobody had asked when the first view was frozen. Of it the small model is right about the one half and wrong about the
 * other, and neither was told apart from the rest. */
static const char *const later_easy[] = {"Which capital has the country", "Name the river that crosses"};
static const char *const later_hard[] = {"Prove by induction that term", "Derive in closed form series"};

static bool
asks_later(struct scene *s, size_t number, bool *is_hard)
{
    struct vclient *client;
    char text[96];

    if (rng_mix(number) % 4 == 0)
        return asks(s, number, is_hard);
    *is_hard = rng_mix(number) / 4 % 3 == 0;
    snprintf(text, sizeof(text), "%s number %zu?", (*is_hard ? later_hard : later_easy)[rng_mix(number) / 16 % 2],
             number);
    client = scene_asks(s, (struct ask){.text = text});
    history_run_to_rest(s->history);
    assert_int_equal(vclient_status(client), 200);
    return slice_is(vclient_header(client, "x-equipoise-source"), "model");
}

/* While something is earned, its scores stay; what was learned since is tried beside them, and takes over when it has earned
 * more. In shadow every request is an audit, so that it takes hundreds of requests and not ten thousands. */
static void
what_is_learned_since_is_tried_before_it_serves(void **state)
{
    struct scene *s = opens(state, CONFIG_IN("shadow", "{ quality: 75% }"));
    size_t asked = earns(s), served = 0, wrong = 0;
    unsigned before = ARM_NONE;
    bool is_hard;

    while (gateway_count(&s->gateway, COUNT_ROUTER_TAKEN_OVER) == 0) {
        before = stands(s).serving.arm;
        assert_int_not_equal(before, ARM_NONE);
        assert_false(asks_later(s, asked++, &is_hard));
        assert_true(asked < 6000);
    }
    print_message("taken over after %zu requests: by arm %u, it was %u\n", asked, stands(s).serving.arm, before);
    assert_int_equal(stands(s).reason, EVIDENCE_SERVES); /* at once, by what it earned on trial */
    assert_true(stands(s).serving.arm > before);
    scene_reload(s, CONFIG("{ quality: 75% }"));
    history_run_to_rest(s->history);
    for (size_t i = 0; i < 400; i++) {
        bool was_served = asks_later(s, asked + i, &is_hard);

        served += was_served;
        wrong += was_served && is_hard;
    }
    print_message("then served %zu of 400, %zu of them wrong\n", served, wrong);
    assert_true(served > 100 && wrong * 100 < 30 * served);
    scene_rest(s);
    scene_passed(s);
}

static struct evidence_verdict
on_trial(struct scene *s)
{
    return shared_evidence_verdict(evidences_at(&s->gateway.on_trial, "assistant", "router beta/small"));
}

/* While it serves, the coin draws a part of the conversations, the same for an hour: what learned of that part is not proved by
 * it. */
static void
waits_for_the_next_draw(void **state, uint64_t taught_until)
{
    static const usec hour_us = 3600 * USEC_PER_S;
    struct scene *s = scene_new(
        state, (struct scene_options){.seed = 3, .config = CONFIG("{ quality: 85% }"), .wall_us = 480000 * hour_us});
    size_t asked;
    bool is_hard;

    vbackend_decides(scene_backend(s, "alpha"), answer, &large);
    vbackend_decides(scene_backend(s, "beta"), answer, &small);
    asked = earns(s);
    if (taught_until != 0)
        scorer_at(&s->gateway.scorers, "assistant")->taught_until = taught_until;
    while (on_trial(s).next.arm == ARM_NONE) {
        asks(s, asked++, &is_hard);
        assert_true(asked < 9000);
    }
    for (size_t i = 0; i < 200; i++)
        asks(s, asked++, &is_hard);
    assert_int_equal(on_trial(s).audits, 0);
    history_run_for(s->history, hour_us);
    for (size_t i = 0; i < 200; i++)
        asks(s, asked++, &is_hard);
    print_message("on trial after %zu requests: %zu audits\n", asked, (size_t)on_trial(s).audits);
    assert_true(on_trial(s).audits > 5);
    scene_rest(s);
    scene_passed(s);
}

static void
a_trial_waits_for_the_next_draw(void **state)
{
    waits_for_the_next_draw(state, 0);
}

/* A clock that was far ahead, once: the views to come would wait for that hour. */
static void
a_clock_that_was_ahead_is_forgotten(void **state)
{
    waits_for_the_next_draw(state, 480000 + 24 * 365);
}

/* The view is kept with the evidence that is about it: a new process serves on. */
static void
scores_survive_a_restart(void **state)
{
    struct scene *s = opens(state, CONFIG("{ quality: 85% }"));
    struct buffer file = {0}, again = {0};
    size_t asked = earns(s), served = 0;
    bool is_hard;

    evidence_file_write(&s->gateway.evidences, &s->gateway.scorers, &file);
    scene_rest(s);
    scene_passed(s);
    scene_free(s, state);
    s = opens(state, CONFIG("{ quality: 85% }"));
    assert_int_equal(evidence_file_read(&s->gateway.evidences, &s->gateway.scorers, buffer_content(&file)), OK);
    evidence_file_write(&s->gateway.evidences, &s->gateway.scorers, &again); /* nobody has asked for it yet */
    assert_true(slice_equal(buffer_content(&file), buffer_content(&again)));
    for (size_t i = 0; i < 40; i++)
        served += asks(s, asked + i, &is_hard);
    assert_true(served > 2);
    scene_rest(s);
    buffer_free(&file);
    buffer_free(&again);
    scene_passed(s);
}

/* What cannot be read leaves nothing behind, and no hour until which nothing would be proved. */
static void
scores_that_cannot_be_read_leave_nothing(void **state)
{
    struct scene *s = opens(state, CONFIG("{ quality: 85% }"));
    struct scorer *scorer = scorer_at(&s->gateway.scorers, "assistant");
    const struct route_config *route = map_get(&s->config->route_by_name, SLICE_LITERAL("assistant"));
    struct buffer kept = {0};

    gateway_open_meanings(&s->gateway);
    buffer_add(&kept,
               slice_make((const char *)&(struct kept_head){scorer_mark_models(route, s->gateway.embedder), 480000},
                          sizeof(struct kept_head)));
    buffer_add_text(&kept, "and nothing that a router has written");
    scorer_restore(scorer, buffer_content(&kept));
    scorers_open(&s->gateway.scorers, s->config, s->gateway.embedder);
    assert_null(scorer->frozen);
    assert_int_equal(scorer->taught_until, 0);
    buffer_free(&kept);
    scene_rest(s);
    scene_passed(s);
}

/* Labelled requests like those that are asked, of which the small model is right about the easy ones; if `wrong`, about the
 * hard ones. */
static void
label(char *path, bool wrong)
{
    int fd = mkstemp(path);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;

    assert_non_null(file);
    for (size_t i = 0; i < 400; i++) {
        bool is_hard = rng_mix(i + 90000) % 2 == 0;

        fprintf(file, "{\"prompt\":\"%s number %zu?\",\"scores\":{\"small\":%d,\"big\":1}}\n",
                (is_hard ? hard : easy)[rng_mix(i + 90000) / 2 % 3], i + 90000, is_hard == wrong);
    }
    assert_int_equal(fclose(file), 0);
}

/* The route with that file. */
static char *
warm(const char *path)
{
    static const char config[] = ROUTE("{ quality: 85%, of: route }", ", router: { warm_start: @ }");
    const char *at = strchr(config, '@');
    struct buffer text = {0};
    char *copy;

    buffer_add(&text, slice_make(config, (size_t)(at - config)));
    buffer_add_text(&text, path);
    buffer_add_text(&text, at + 1);
    copy = slice_strdup(buffer_content(&text));
    buffer_free(&text);
    return copy;
}

/* Who learns may take long, and who scores, tells of it or begins with a file waits for nobody. */
static void
nobody_waits_for_who_learns(void **state)
{
    char path[] = "/tmp/scorers-test-XXXXXX", *config;
    struct buffer page = {0};
    struct scored now, on_trial;
    struct scorer *scorer;
    struct scene *s;
    const struct route_config *route;
    uint64_t labels;

    label(path, false);
    config = warm(path);
    s = opens(state, config);
    route = map_get(&s->config->route_by_name, SLICE_LITERAL("assistant"));
    gateway_open_meanings(&s->gateway);
    scorer = scorer_at(&s->gateway.scorers, "assistant");
    scorer_score(scorer, route, s->gateway.embedder, API_CHAT, SLICE_LITERAL("{}"), &now, &on_trial, NULL);
    lock_take(&scorer->lock);
    scorer_score(scorer, route, s->gateway.embedder, API_CHAT, SLICE_LITERAL("{}"), &now, &on_trial, NULL);
    assert_true(scorer_wants_warm(scorer, route, s->gateway.embedder));
    assert_false(scorer_wants_warm(scorer, route, s->gateway.embedder)); /* one is enough */
    assert_true(scorer_warm_labels(scorer, &labels) && labels == 0);
    choosing_print(&s->gateway, &page);
    lock_drop(&scorer->lock);
    buffer_free(&page);
    scene_rest(s);
    scene_passed(s);
    unlink(path);
    free(config);
}

/* What a file says makes a view at once, so that the audits are about arms cut by it: those are all that is missing. */
static void
labelled_requests_tell_the_first_ones_apart(void **state)
{
    char path[] = "/tmp/scorers-test-XXXXXX", *config;
    size_t asked, served_hard = 0, served = 0;
    struct scene *s;

    label(path, false);
    config = warm(path);
    s = opens(state, config);
    asked = earns(s);
    assert_true(asked > SAMPLE_SCORES + 20); /* evidence begins with nothing: it is not the file that earns */
    print_message("warm: served after %zu requests\n", asked);
    assert_true(asked < SCORER_LABELS_FIRST + SAMPLE_SCORES);
    for (size_t i = 0; i < 300; i++) {
        bool is_hard, was_served = asks(s, asked + i, &is_hard);

        served += was_served;
        served_hard += was_served && is_hard;
    }
    print_message("warm: %zu served of 300, %zu hard ones\n", served, served_hard);
    assert_true(served > 40 && served_hard * 100 < 15 * 300);
    scene_rest(s);
    scene_passed(s);
    unlink(path);
    free(config);
}

/* A file that has it the wrong way round cuts bad arms, and earns nothing by that: audits teach better. */
static void
labels_that_are_wrong_earn_nothing(void **state)
{
    char path[] = "/tmp/scorers-test-XXXXXX", *config;
    size_t served = 0, served_hard = 0, i = 0;
    struct scene *s;

    label(path, true);
    config = warm(path);
    s = opens(state, config);
    for (; i < 2500; i++) {
        bool is_hard, was_served = asks(s, i, &is_hard);

        served += was_served;
        served_hard += was_served && is_hard;
        assert_true(i > SAMPLE_SCORES || !was_served);
    }
    print_message("warm with wrong labels: served %zu, %zu hard ones\n", served, served_hard);
    assert_true(served_hard * 100 <= 15 * i);
    scene_rest(s);
    scene_passed(s);
    unlink(path);
    free(config);
}

/* Another model beside it, dearer, which is asked where the small one does not serve. */
#define TWO                                                                                                            \
    "backends:\n"                                                                                                      \
    "  alpha: { url: \"http://alpha.example\", models: [ big ] }\n"                                                    \
    "  beta:  { url: \"http://beta.example\", models: [ small ] }\n"                                                   \
    "  gamma: { url: \"http://gamma.example\", models: [ middle ] }\n"                                                 \
    "routes:\n"                                                                                                        \
    "  assistant: { reference: alpha/big, candidates: [ beta/small, gamma/middle ], learning: 100%,\n"                 \
    "               acceptable: { quality: 95% }, judge: { by: exact, ceiling: 0% }, levers: { router: shadow } }\n"   \
    "prices:\n"                                                                                                        \
    "  override:\n"                                                                                                    \
    "    alpha/big:    { input: $20/M, output: $80/M }\n"                                                              \
    "    beta/small:   { input: $0.02/M, output: $0.08/M }\n"                                                          \
    "    gamma/middle: { input: $0.03/M, output: $0.09/M }\n"

/* How many labels each arm of it has. */
static void
count_labels(struct scene *s, const char *lever, struct evidence *evidence, uint64_t labels[ARMS])
{
    struct buffer bytes = {0};

    shared_evidence_save(evidences_at(&s->gateway.evidences, "assistant", lever), &bytes);
    assert_int_equal(evidence_restore(evidence, buffer_content(&bytes)), OK);
    for (unsigned arm = 0; arm < ARMS; arm++)
        labels[arm] = evidence_arm(evidence, arm).labels;
    buffer_free(&bytes);
}

/* Of the requests after so many, the share that the small model would have served. */
static double
shadowed_of(const struct scene *s, size_t asked)
{
    size_t seen = 0, count = 0, shadowed = 0;

    for (size_t i = 0; i < s->row_count; i++) {
        const struct row *row = &s->rows[i];
        bool would = false;

        if (row_is_own(row) || seen++ < asked)
            continue;
        count++;
        for (size_t line = 0; line < row->saving_count; line++)
            would = would || row->savings[line].shadow;
        shadowed += would;
    }
    return (double)shadowed / (double)count;
}

/* Where the small model serves, nobody else is to be audited, and it could be twice as often: then what it is best at would
 * speak twice for its wider arms. */
static void
audits_are_even_over_what_a_model_would_serve(void **state)
{
    struct scene *s = opens(state, TWO);
    uint64_t before[ARMS], after[ARMS];
    struct evidence evidence;
    size_t asked = 0;
    unsigned serving;
    double inside, share;
    bool is_hard;

    vbackend_decides(scene_backend(s, "gamma"), answer, &small);
    for (; stands(s).reason != EVIDENCE_SERVES; asked++) {
        asks(s, asked, &is_hard);
        if (asked % 50 == 0)
            history_wall_jump(s->history, 3600 * USEC_PER_S); /* another draw */
        assert_true(asked < 5000);
    }
    serving = stands(s).serving.arm;
    assert_true(serving < ARMS / 2 + 1);
    count_labels(s, "router beta/small", &evidence, before);
    for (size_t i = 0; i < 1200; i++) {
        asks(s, 10000 + i, &is_hard);
        if (i % 50 == 0)
            history_wall_jump(s->history, 3600 * USEC_PER_S);
    }
    count_labels(s, "router beta/small", &evidence, after);
    scene_rest(s);
    share = shadowed_of(s, asked);
    inside = (double)(after[serving] - before[serving]) / (double)(after[ARMS - 1] - before[ARMS - 1]);
    print_message("arm %u: %.3f of %u labels in it, %.3f of the requests would be served\n", serving, inside,
                  (unsigned)(after[ARMS - 1] - before[ARMS - 1]), share);
    assert_true(fabs(inside - share) < .07);
    scene_rest(s);
    scene_passed(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_it_is_right_about_is_served, scene_teardown),
        cmocka_unit_test_teardown(a_floor_of_the_route_serves_more, scene_teardown),
        cmocka_unit_test_teardown(what_is_learned_since_is_tried_before_it_serves, scene_teardown),
        cmocka_unit_test_teardown(a_trial_waits_for_the_next_draw, scene_teardown),
        cmocka_unit_test_teardown(a_clock_that_was_ahead_is_forgotten, scene_teardown),
        cmocka_unit_test_teardown(audits_are_even_over_what_a_model_would_serve, scene_teardown),
        cmocka_unit_test_teardown(what_was_just_earned_is_not_dropped, scene_teardown),
        cmocka_unit_test_teardown(nobody_waits_for_who_learns, scene_teardown),
        cmocka_unit_test_teardown(scores_survive_a_restart, scene_teardown),
        cmocka_unit_test_teardown(scores_that_cannot_be_read_leave_nothing, scene_teardown),
        cmocka_unit_test_teardown(labelled_requests_tell_the_first_ones_apart, scene_teardown),
        cmocka_unit_test_teardown(labels_that_are_wrong_earn_nothing, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
