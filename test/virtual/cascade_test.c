/* The cascade: a cheaper model is asked first, and its answer kept where it passes and evidence stands for what passes; else
 * the next is asked. Whatever becomes of its call, the client is no worse off than without it, and one row tells all of it. */
#include "scene.h"

#include <stdio.h>

#include "levers/cascade.h"

#define BACKENDS                                                                                                       \
    "backends:\n"                                                                                                      \
    "  alpha: { url: \"http://alpha.example\", models: [ big ] }\n"                                                    \
    "  beta:  { url: \"http://beta.example\", models: [ small ] }\n"                                                   \
    "  gamma: { url: \"http://gamma.example\", models: [ middle, big ] }\n"                                            \
    "prices:\n"                                                                                                        \
    "  override:\n"                                                                                                    \
    "    alpha/big:    { input: $2/M, output: $8/M }\n"                                                                \
    "    beta/small:   { input: $0.02/M, output: $0.08/M }\n"                                                          \
    "    gamma/big:    { input: $3/M, output: $12/M }\n"                                                               \
    "    gamma/middle: { input: $0.20/M, output: $0.80/M }\n"
#define ROUTE(candidates, cascade, more)                                                                               \
    "routes:\n"                                                                                                        \
    "  assistant: { reference: alpha/big, candidates: " candidates                                                     \
    ", judge: { by: exact, ceiling: 0% }, learning: 100%,\n"                                                           \
    "               validate: { regex: \"w2\" }, levers: { cascade: " cascade " } " more " }\n"
#define FLOOR ", acceptable: { quality: 80% }"
#define SKIPS ", cascade: { accept: validators }"
#define HOLDS ", cascade: { accept: validators, streams: hold }"

static const char on[] = BACKENDS ROUTE("beta/small", "on", FLOOR SKIPS);
static const char holding[] = BACKENDS ROUTE("beta/small", "on", FLOOR HOLDS);
static const char in_shadow[] = BACKENDS ROUTE("beta/small", "shadow", FLOOR SKIPS);
static const char two[] = BACKENDS ROUTE("[ gamma/middle, beta/small ]", "on", FLOOR SKIPS);

/* Answers of so many words are those of the reference; found useful, though others; not useful. */
enum { SAME = 5, OTHER = 4, USELESS = 1 };

static struct scene *
opens(void **state, const char *config)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 1, .config = config});

    scene_provider(s, "alpha")->words = SAME;
    scene_provider(s, "beta")->words = SAME;
    return s;
}

/* Each of another conversation. */
static struct vclient *
asks(struct scene *s, size_t number, bool stream)
{
    char text[64];

    snprintf(text, sizeof(text), "What is question number %zu?", number);
    return scene_asks(s, (struct ask){.text = text, .stream = stream});
}

static struct vclient *
says(struct scene *s, size_t number, bool stream)
{
    struct vclient *client = asks(s, number, stream);

    history_run_to_rest(s->history);
    return client;
}

static struct evidence_verdict
stands_of(struct scene *s, const char *target)
{
    char name[64];

    snprintf(name, sizeof(name), CASCADE_EVIDENCE, target);
    return shared_evidence_verdict(evidences_at(&s->gateway.evidences, "assistant", name));
}

static bool
is_by(const struct vclient *client, const char *source)
{
    assert_int_equal(vclient_status(client), 200);
    return slice_is(vclient_header(client, "x-equipoise-source"), source);
}

/* Asks on until the small model may serve; how often it asked. Nothing is served before. */
static size_t
earns(struct scene *s)
{
    size_t asked = 0;

    while (stands_of(s, "beta/small").reason != EVIDENCE_SERVES) {
        assert_true(is_by(says(s, asked, false), "reference"));
        assert_true(++asked < 2000);
    }
    return asked;
}

/* The first request from `from` on whose client a cascade's answer goes to, or would: no audit. */
static size_t
not_drawn(struct scene *s, size_t from)
{
    while (!is_by(says(s, from, false), "cascade"))
        from++;
    return from;
}

static void
nothing_is_kept_before_it_is_earned(void **state)
{
    struct scene *s = opens(state, on);
    size_t asked = earns(s), served = 0;
    const struct row *row;
    struct vclient *client;

    assert_true(asked >= 18); /* ln 60 / -ln .8: fewer labels cannot earn it */
    assert_true(asked < 40);
    for (size_t i = 0; i < 200; i++)
        served += is_by(says(s, asked + i, false), "cascade");
    assert_true(served > 150 && served < 200); /* the coin takes some for audits */
    client = says(s, not_drawn(s, asked + 200), false);
    row = scene_row_of(s, client);
    assert_slice_is(row->source, "cascade");
    assert_slice_is(row->backend, "beta");
    assert_int_equal(row->try_count, 1);
    assert_true(scene_saved(row, "cascade") == row->baseline - row->cost && row->cost < row->baseline / 50);
    assert_contains(row->plans, "acceptance score 1.000, at least 1.000");
    assert_slice_is(row->look_ups, "cascade=kept");
    assert_int_equal(gateway_count(&s->gateway, COUNT_CASCADE_ACCEPTED), served + 2);
    assert_int_equal(gateway_count(&s->gateway, COUNT_CASCADE_REJECTED), 0);
    scene_passed(s);
}

/* Its call was in vain, which the row tells, and the lever's line: it costs what it cost. */
static void
what_does_not_pass_goes_on(void **state)
{
    struct scene *s = opens(state, on);
    size_t asked = not_drawn(s, earns(s));
    struct vclient *client;
    const struct row *row;

    scene_provider(s, "beta")->words = USELESS;
    client = says(s, asked, false);
    assert_true(is_by(client, "reference"));
    assert_contains(vclient_body(client), "w4");
    row = scene_row_of(s, client);
    assert_int_equal(row->try_count, 2);
    assert_slice_is(row->tries[0].target, "beta/small");
    assert_slice_is(row->tries[0].state, "rejected");
    assert_contains(row->tries[0].why, "not accepted: regex");
    assert_slice_is(row->tries[1].state, "ok");
    assert_true(row->tries[0].cost > 0 && scene_saved(row, "cascade") == -row->tries[0].cost);
    assert_true(scene_saved(row, "attempts") == 0);
    assert_contains(row->plans, "its answer was not kept");
    assert_slice_is(row->look_ups, "cascade=in_vain");
    assert_int_equal(gateway_count(&s->gateway, COUNT_CASCADE_REJECTED), 1);
    assert_int_equal(s->attempts, 1); /* in the journal before the other began */
    scene_passed(s);
}

/* Kept is only what evidence stands for: that it passes is not enough. */
static void
what_passes_and_is_wrong_never_serves(void **state)
{
    struct scene *s = opens(state, on);

    scene_provider(s, "beta")->words = OTHER;
    for (size_t i = 0; i < 150; i++)
        assert_true(is_by(says(s, i, false), "reference"));
    assert_int_equal(stands_of(s, "beta/small").reason, EVIDENCE_BELOW_FLOOR);
    scene_rest(s);
    assert_true(gateway_count(&s->gateway, COUNT_CASCADE_NOT) >= 5);
    assert_int_equal(gateway_count(&s->gateway, COUNT_CASCADE_ACCEPTED), 0);
    scene_passed(s);
}

static void
what_gets_worse_is_suspended(void **state)
{
    struct scene *s = opens(state, on);
    size_t asked = earns(s), served = 0;

    scene_provider(s, "beta")->words = OTHER;
    while (stands_of(s, "beta/small").suspensions == 0) {
        served += is_by(says(s, asked++, false), "cascade");
        assert_true(asked < 3000);
    }
    assert_true(served > 0);
    for (size_t i = 0; i < 20; i++)
        assert_true(is_by(says(s, asked + i, false), "reference"));
    scene_rest(s);
    scene_passed(s);
}

/* What would not be kept is no evidence against what would: audits are about what is served. */
static void
rejected_answers_are_no_evidence(void **state)
{
    struct scene *s = opens(state, on);
    size_t asked = 0;

    while (stands_of(s, "beta/small").reason != EVIDENCE_SERVES) {
        scene_provider(s, "beta")->words = asked % 3 == 0 ? USELESS : SAME;
        assert_true(is_by(says(s, asked, false), "reference"));
        assert_true(++asked < 200);
    }
    scene_rest(s);
    assert_true(gateway_count(&s->gateway, COUNT_CASCADE_UNKEPT) > 5);
    assert_int_equal(gateway_count(&s->gateway, COUNT_CASCADE_NOT), 0);
    scene_passed(s);
}

/* The router has no epoch yet, so that where its turn is nobody but the cascade could be asked, beyond its share: that would be no
 * evidence where the floor speaks of the route, and nothing else learns of a cascade. */
static void
no_audit_is_paid_that_counts_for_nothing(void **state)
{
    struct scene *s =
        opens(state, BACKENDS ROUTE("beta/small", "on, router: on", ", acceptable: { quality: 97%, of: route }" SKIPS));
    uint64_t audits;

    for (size_t i = 0; i < SAMPLE_SCORES / 2; i++)
        assert_true(is_by(says(s, i, false), "reference"));
    scene_rest(s);
    audits = (uint64_t)gateway_count(&s->gateway, COUNT_CASCADE_ACCEPTABLE);
    print_message("%zu audits of %u requests\n", (size_t)audits, SAMPLE_SCORES / 2);
    assert_true(audits > 20);
    assert_int_equal(audits, stands_of(s, "beta/small").audits);
    scene_passed(s);
}

static void
in_the_shadow_it_learns_and_never_serves(void **state)
{
    struct scene *s = opens(state, in_shadow);
    size_t asked = earns(s);
    const struct row *row;

    for (size_t i = 0; i < 20; i++)
        assert_true(is_by(says(s, asked + i, false), "reference"));
    row = scene_row_of(s, says(s, asked + 20, false));
    assert_true(row->saving_count > 0 && row->savings[0].shadow && slice_is(row->savings[0].lever, "cascade"));
    assert_int_equal(gateway_count(&s->gateway, COUNT_CASCADE_ACCEPTED), 0);
    scene_passed(s);
}

/* Who streams is not held up, unless the route says so; then it gets events, after all of them are there. */
static void
streams_are_skipped_or_held(void **state)
{
    struct scene *s = opens(state, on);
    size_t asked = earns(s);
    struct vclient *client;
    const struct row *row;

    for (size_t i = 0; i < 30; i++)
        assert_true(is_by(says(s, asked + i, true), "reference"));
    row = scene_row_of(s, says(s, asked + 30, true));
    assert_contains(row->plans, "held back until it is whole");
    scene_passed(s);
    scene_free(s, state);

    s = opens(state, holding);
    asked = not_drawn(s, earns(s));
    scene_provider(s, "beta")->word_gap_us = 20 * USEC_PER_S;
    client = asks(s, asked, true);
    history_run_until(s->history, vbackend_working(scene_backend(s, "beta")));
    history_run_for(s->history, 70 * USEC_PER_S);
    assert_int_equal(vclient_status(client), 0); /* not even a comment */
    history_run_to_rest(s->history);
    assert_true(is_by(client, "cascade"));
    assert_contains(vclient_body(client), "data: [DONE]");
    assert_contains(vclient_body(client), "w4");
    scene_provider(s, "beta")->word_gap_us = 0;
    scene_provider(s, "beta")->words = USELESS;
    client = says(s, asked, true);
    assert_true(is_by(client, "reference"));
    assert_contains(vclient_body(client), "w4");
    scene_rest(s);
    scene_passed(s);
}

/* Errors, refusals, cuts: the reference answers, though its route allows one attempt only and risks no second. */
static void
faults_of_the_first_are_not_the_clients(void **state)
{
    static const struct {
        unsigned status, cut_after;
        bool refusing;
    } cases[] = {{.status = 500}, {.status = 429},  {.status = 400},
                 {.status = 404}, {.cut_after = 2}, {.refusing = true}};

    for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
        size_t at = i / 2;
        struct scene *s = opens(state, i % 2 == 0 ? BACKENDS ROUTE("beta/small", "on", FLOOR HOLDS ", attempts: 1")
                                                  : BACKENDS ROUTE("beta/small", "on", FLOOR HOLDS ", retry: safe"));
        size_t asked = not_drawn(s, earns(s));
        struct vclient *client;
        const struct row *row;

        scene_provider(s, "beta")->status = cases[at].status;
        scene_provider(s, "beta")->cut_after = cases[at].cut_after;
        vbackend_set_refusing(scene_backend(s, "beta"), cases[at].refusing);
        client = says(s, asked, i / 2 % 2 == 0);
        assert_true(is_by(client, "reference"));
        assert_contains(vclient_body(client), "w4");
        row = scene_row_of(s, client);
        assert_int_equal(row->try_count, 2);
        assert_slice_is(row->tries[0].state, "failed");
        assert_int_equal(gateway_count(&s->gateway, COUNT_CASCADE_FAILED), 1);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* As many attempts as without it are left for the others. */
static void
its_calls_are_not_among_the_routes_attempts(void **state)
{
    struct scene *s =
        opens(state, BACKENDS ROUTE("[ gamma/big, beta/small ]", "on, alternatives: on",
                                    ", acceptable: { quality: 80% }, cascade: { accept: validators }, attempts: 2"));
    size_t asked = not_drawn(s, earns(s));
    struct vclient *client;
    const struct row *row;

    scene_provider(s, "gamma")->words = SAME;
    scene_provider(s, "beta")->words = USELESS;
    scene_provider(s, "alpha")->status = 500;
    client = says(s, asked, false);
    assert_true(is_by(client, "model"));
    row = scene_row_of(s, client);
    assert_int_equal(row->try_count, 3);
    assert_slice_is(row->backend, "gamma");
    scene_passed(s);
}

/* A client may leave at any step. */
static void
clients_may_leave_at_any_step(void **state)
{
    for (unsigned step = 0, over = 0; over < 3; step++) {
        struct scene *s = opens(state, step % 2 == 0 ? holding : on);
        size_t asked = not_drawn(s, earns(s));
        struct vclient *client;

        scene_provider(s, "beta")->words = step % 4 < 2 ? SAME : USELESS;
        client = asks(s, asked, step % 2 == 0);
        for (unsigned i = 0; i < step / 2; i++)
            history_step(s->history);
        over += vclient_done(client);
        vclient_leave(client);
        scene_rest(s);
        scene_passed(s);
        scene_free(s, state);
        assert_true(step < 400);
    }
}

/* A budget with room for one call of the reference's, and not for both: it serves, and nobody is refused. */
static void
budgets_have_room_for_both_or_it_does_not_begin(void **state)
{
    struct scene *s = scene_new(
        state, (struct scene_options){.seed = 1,
                                      .config = BACKENDS ROUTE("beta/small", "on", FLOOR SKIPS ", output_max: 60"),
                                      .key = "budget: $0.007/day, exposure: strict"});
    size_t asked = 0;
    struct vclient *client;

    scene_provider(s, "alpha")->words = scene_provider(s, "beta")->words = SAME;
    scene_provider(s, "alpha")->input = scene_provider(s, "beta")->input = 20; /* no more than is reserved */
    scene_provider(s, "alpha")->output = scene_provider(s, "beta")->output = 10;
    for (;; asked++) {
        client = says(s, asked, false);
        if (vclient_status(client) != 200)
            break;
        assert_true(asked < 400);
        if (stands_of(s, "beta/small").reason == EVIDENCE_SERVES)
            scene_provider(s, "beta")->words = USELESS; /* each has to go on */
    }
    assert_int_equal(vclient_status(client), 402);
    assert_slice_is(scene_row_of(s, client)->state, "refused");
    assert_int_equal(scene_row_of(s, client)->try_count, 0); /* not after a call */
    assert_true(gateway_count(&s->gateway, COUNT_CASCADE_REJECTED) > 3);
    scene_passed(s);
}

static struct scene *
opens_with_budget(void **state, const char *key)
{
    struct scene *s = scene_new(
        state, (struct scene_options){.seed = 1,
                                      .config = BACKENDS ROUTE("beta/small", "on",
                                                               ", acceptable: { quality: 80%, total: 10s }" SKIPS
                                                               ", output_max: 60"),
                                      .key = key});

    scene_provider(s, "alpha")->words = scene_provider(s, "beta")->words = SAME;
    scene_provider(s, "alpha")->input = scene_provider(s, "beta")->input = 20;
    scene_provider(s, "alpha")->output = scene_provider(s, "beta")->output = 10;
    return s;
}

/* Where nobody told what the first used, strict budgets count the most that the first can cost: not what was set aside for
 * the reference, which costs a hundred times that. */
static void
what_is_set_aside_for_the_reference_is_not_spent(void **state)
{
    enum { LATE, CUT, UNTOLD, LEFT, WAYS };

    for (unsigned way = 0; way < WAYS; way++) {
        struct scene *s = opens_with_budget(state, "budget: $1/day, exposure: strict");
        size_t asked = not_drawn(s, earns(s));
        struct provider *beta = scene_provider(s, "beta");
        struct vclient *client;
        const struct row *row;

        beta->words = USELESS;
        beta->first_word_us = way == LATE || way == LEFT ? 60 * USEC_PER_S : 0;
        beta->cut_after = way == CUT ? 1 : 0;
        beta->usage_place = way == UNTOLD ? USAGE_NOWHERE : USAGE_IN_OWN_CHUNK;
        client = asks(s, asked, false);
        if (way == LEFT) {
            history_run_until(s->history, vbackend_working(scene_backend(s, "beta")));
            vclient_leave(client);
        }
        scene_rest(s);
        assert_true(way == LEFT || is_by(client, "reference"));
        row = way == LEFT ? &s->rows[s->row_count - 1] : scene_row_of(s, client);
        assert_int_equal(row->try_count, way == LEFT ? 1 : 2);
        assert_slice_is(row->tries[0].target, "beta/small");
        /* Of beta, some 200 bytes and 60 tokens at $0.02/M and $0.08/M: ten millionths. Of alpha it would be more than 500 millionths. */
        assert_true(row->counted_cost > row->cost - row->tries[0].cost);
        assert_true(row->counted_cost - (row->cost - row->tries[0].cost) < 20 * USD_ONE / 1000000);
        assert_int_equal(budgets_reserved(&s->gateway.budgets), 0);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Its answer costs more than was expected, and than the budget has: the reference has what was set aside for it, whole. */
static void
a_dear_answer_takes_nothing_from_the_reference(void **state)
{
    struct scene *s = scene_new(
        state, (struct scene_options){.seed = 1, .config = on, .key = "budget: $0.05/day, exposure: expected"});
    struct vclient *client;
    const struct row *row;
    size_t asked;

    scene_provider(s, "alpha")->words = scene_provider(s, "beta")->words = SAME;
    scene_provider(s, "alpha")->input = scene_provider(s, "beta")->input = 20;
    scene_provider(s, "alpha")->output = scene_provider(s, "beta")->output = 10;
    asked = not_drawn(s, earns(s));
    scene_provider(s, "beta")->words = USELESS;
    scene_provider(s, "beta")->output = 1000000; /* $0.08 */
    client = says(s, asked, false);
    assert_true(is_by(client, "reference"));
    row = scene_row_of(s, client);
    assert_int_equal(row->try_count, 2);
    assert_true(row->tries[0].cost > 50 * USD_ONE / 1000);
    assert_int_equal(gateway_count(&s->gateway, COUNT_CLIPPED), 0);
    assert_int_equal(budgets_reserved(&s->gateway.budgets), 0);
    client = says(s, asked, false);
    assert_int_equal(vclient_status(client), 402); /* nothing was called for it */
    assert_int_equal(scene_row_of(s, client)->try_count, 0);
    scene_passed(s);
}

/* What is left of the route's limit must do for the reference. */
static void
who_is_late_is_not_waited_for(void **state)
{
    struct scene *s =
        opens(state, BACKENDS ROUTE("beta/small", "on", ", acceptable: { quality: 80%, total: 10s }" SKIPS));
    size_t asked = not_drawn(s, earns(s));
    struct vclient *client;
    const struct row *row;

    scene_provider(s, "beta")->first_word_us = 60 * USEC_PER_S;
    client = says(s, asked, false);
    assert_true(is_by(client, "reference"));
    row = scene_row_of(s, client);
    assert_contains(row->tries[0].why, "not accepted in time");
    assert_true(row->total_us <= 10 * USEC_PER_S);
    assert_int_equal(gateway_count(&s->gateway, COUNT_CASCADE_LATE), 1);
    scene_passed(s);
}

/* A kept connection that its peer had closed is no answer: the model is asked once more, over another, in the time that is
 * left. */
static void
a_closed_connection_is_asked_again(void **state)
{
    struct scene *s =
        opens(state, BACKENDS ROUTE("beta/small", "on", ", acceptable: { quality: 80%, total: 10s }" SKIPS));
    size_t asked = not_drawn(s, earns(s));
    struct vclient *client;

    for (unsigned i = 0; i < 2; i++) {
        vbackend_set_stale(scene_backend(s, "beta"), true);
        scene_provider(s, "beta")->first_word_us = i == 0 ? 0 : 60 * USEC_PER_S;
        client = says(s, asked, false);
        assert_true(is_by(client, i == 0 ? "cascade" : "reference"));
    }
    assert_true(scene_row_of(s, client)->total_us <= 10 * USEC_PER_S);
    scene_passed(s);
}

/* Each candidate earns apart; the cheapest that has is asked. */
static void
the_cheapest_that_has_earned_is_asked(void **state)
{
    struct scene *s = opens(state, two);
    size_t asked = 0;
    struct vclient *client;

    scene_provider(s, "gamma")->words = SAME;
    scene_provider(s, "beta")->words = OTHER;
    do
        client = says(s, asked, false);
    while (!is_by(client, "cascade") && ++asked < 1000);
    assert_slice_is(scene_row_of(s, client)->backend, "gamma");
    assert_int_not_equal(stands_of(s, "beta/small").reason, EVIDENCE_SERVES);
    scene_passed(s);
    scene_free(s, state);

    s = opens(state, two);
    scene_provider(s, "gamma")->words = SAME;
    asked = 0;
    do
        client = says(s, asked, false);
    while (stands_of(s, "beta/small").reason != EVIDENCE_SERVES && ++asked < 1000);
    client = says(s, not_drawn(s, asked), false);
    assert_slice_is(scene_row_of(s, client)->backend, "beta");
    scene_passed(s);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_teardown(nothing_is_kept_before_it_is_earned, scene_teardown),
    cmocka_unit_test_teardown(what_does_not_pass_goes_on, scene_teardown),
    cmocka_unit_test_teardown(what_passes_and_is_wrong_never_serves, scene_teardown),
    cmocka_unit_test_teardown(what_gets_worse_is_suspended, scene_teardown),
    cmocka_unit_test_teardown(rejected_answers_are_no_evidence, scene_teardown),
    cmocka_unit_test_teardown(no_audit_is_paid_that_counts_for_nothing, scene_teardown),
    cmocka_unit_test_teardown(in_the_shadow_it_learns_and_never_serves, scene_teardown),
    cmocka_unit_test_teardown(streams_are_skipped_or_held, scene_teardown),
    cmocka_unit_test_teardown(faults_of_the_first_are_not_the_clients, scene_teardown),
    cmocka_unit_test_teardown(its_calls_are_not_among_the_routes_attempts, scene_teardown),
    cmocka_unit_test_teardown(clients_may_leave_at_any_step, scene_teardown),
    cmocka_unit_test_teardown(budgets_have_room_for_both_or_it_does_not_begin, scene_teardown),
    cmocka_unit_test_teardown(what_is_set_aside_for_the_reference_is_not_spent, scene_teardown),
    cmocka_unit_test_teardown(a_dear_answer_takes_nothing_from_the_reference, scene_teardown),
    cmocka_unit_test_teardown(who_is_late_is_not_waited_for, scene_teardown),
    cmocka_unit_test_teardown(a_closed_connection_is_asked_again, scene_teardown),
    cmocka_unit_test_teardown(the_cheapest_that_has_earned_is_asked, scene_teardown),
};

int
main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
