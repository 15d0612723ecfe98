/* A cascade of more than two models: what the cheapest does not have kept is asked of the next, by evidence about just that, and
 * at the end of the reference. */
#include "scene.h"

#include <stdio.h>
#include <yyjson.h>

#include "levers/cascade.h"
#include "virtual/vcommand.h"

#define CHAIN(beta, limits, by, tries)                                                                                 \
    "backends:\n"                                                                                                      \
    "  alpha: { url: \"http://alpha.example\", models: [ big ] }\n"                                                    \
    "  beta:  { url: \"http://beta.example\", models: [ small ]" beta " }\n"                                           \
    "  gamma: { url: \"http://gamma.example\", models: [ middle ] }\n"                                                 \
    "routes:\n"                                                                                                        \
    "  direct:    { reference: beta/small }\n"                                                                         \
    "  assistant: { reference: alpha/big, candidates: [ gamma/middle, beta/small ], attempts: " tries ",\n"            \
    "               acceptable: { quality: 60%" limits " }, judge: { by: exact },\n"                                   \
    "               " by ", learning: 100%, levers: { cascade: on } }\n"                                               \
    "prices:\n"                                                                                                        \
    "  override:\n"                                                                                                    \
    "    alpha/big:    { input: $20/M, output: $80/M }\n"                                                              \
    "    gamma/middle: { input: $0.20/M, output: $0.80/M }\n"                                                          \
    "    beta/small:   { input: $0.02/M, output: $0.08/M }\n"

#define CONFIG(beta, limits, validator, tries)                                                                         \
    CHAIN(beta, limits, "validate: { regex: \"w2\"" validator " }, cascade: { accept: validators }", tries)

static const char config[] = CONFIG("", "", "", "1");
static const char with_command[] = CONFIG("", "", ", command: validator", "1");
static const char in_time[] = CONFIG("", ", total: 10s", "", "1");
static const char with_many_tries[] = CONFIG("", "", "", "12");
static const char by_logprobs[] = CHAIN("", "", "cascade: { accept: logprobs }", "1");

/* Answers of so many words are those of the reference; found useful, though others; not useful. */
enum { SAME = 5, OTHER = 4, USELESS = 1 };

/* What a model says to questions by their last digit. */
struct model {
    unsigned words[10];
    struct provider provider;
    usec takes_us;
    unsigned status;
};

static void
speak(void *context, const struct vcall_seen *seen, struct vscript *script)
{
    struct model *model = context;
    struct provider provider = model->provider;

    provider.words = model->words[scene_number_behind(seen->body, "is number ") % 10];
    provider.status = model->status;
    provider.logprob_milli = provider.words == SAME ? -100 : -2000;
    provider.first_word_us += model->takes_us;
    provider_plays(&provider, seen, script);
}

static void
says(struct model *model, unsigned from, unsigned to, unsigned words)
{
    for (unsigned i = from; i < to; i++)
        model->words[i] = words;
}

/* The small one passes, and is right, up to 4; the middle one up to 8. */
static struct scene *
opens(void **state, const char *text, struct model *small, struct model *middle)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 1, .config = text});

    scene_provider(s, "alpha")->words = SAME;
    *small = (struct model){.provider = *scene_provider(s, "beta")};
    *middle = (struct model){.provider = *scene_provider(s, "gamma")};
    says(small, 0, 5, SAME);
    says(small, 5, 10, USELESS);
    says(middle, 0, 9, SAME);
    says(middle, 9, 10, USELESS);
    vbackend_decides(scene_backend(s, "beta"), speak, small);
    vbackend_decides(scene_backend(s, "gamma"), speak, middle);
    return s;
}

static struct vclient *
starts(struct scene *s, size_t number, const char *model)
{
    char text[64];

    snprintf(text, sizeof(text), "What is number %zu?", number);
    return scene_asks(s, (struct ask){.text = text, .model = model});
}

static struct vclient *
asks(struct scene *s, size_t number)
{
    struct vclient *client = starts(s, number, NULL);

    history_run_to_rest(s->history);
    assert_int_equal(vclient_status(client), 200);
    return client;
}

static struct evidence_verdict
stands(struct scene *s, const char *target)
{
    char name[64];

    snprintf(name, sizeof(name), CASCADE_EVIDENCE, target);
    return shared_evidence_verdict(evidences_at(&s->gateway.evidences, "assistant", name));
}

static bool
serves(struct scene *s, const char *target)
{
    return stands(s, target).reason == EVIDENCE_SERVES;
}

static size_t
until(struct scene *s, const char *target, size_t asked)
{
    while (!serves(s, target)) {
        (void)asks(s, asked);
        assert_true(++asked < 4000);
    }
    return asked;
}

static bool
is_by(const struct vclient *client, const char *model)
{
    return slice_is(vclient_header(client, "x-equipoise-model"), model);
}

/* Asks on until the one serves, and the other what it hands on; how often. */
static size_t
both_earn(struct scene *s)
{
    size_t asked = until(s, "beta/small", 0);

    while (!is_by(asks(s, asked), "gamma/middle")) /* before the small one it was another epoch's */
        assert_true(++asked < 8000);
    return asked;
}

/* The first of that digit from a hundred on after `asked` that was drawn for no audit. */
static const struct row *
of_digit(struct scene *s, size_t asked, size_t digit)
{
    size_t number = asked / 10 * 10 + digit;
    const struct row *row;

    do
        row = scene_row_of(s, asks(s, number += 10));
    while (slice_find(row->plans, SLICE_LITERAL("drawn for an audit")) < row->plans.len);
    return row;
}

static void
what_one_does_not_keep_the_next_is_asked(void **state)
{
    struct model small, middle;
    struct scene *s = opens(state, config, &small, &middle);
    size_t asked = both_earn(s);
    const struct row *row;

    row = of_digit(s, asked, 2);
    assert_slice_is(row->backend, "beta");
    assert_int_equal(row->try_count, 1);
    assert_contains(row->plans, "asked only where a cheaper model's answer is not kept");
    assert_contains(row->plans, "\"n\":\"gamma/middle\"");
    row = of_digit(s, asked, 7);
    assert_slice_is(row->backend, "gamma");
    assert_int_equal(row->try_count, 2);
    assert_slice_is(row->tries[0].target, "beta/small");
    assert_slice_is(row->tries[0].state, "rejected");
    assert_true(scene_saved(row, "cascade") == row->baseline - row->cost && row->cost < row->baseline / 50);
    assert_slice_is(row->look_ups, "cascade=kept");
    row = of_digit(s, asked, 9);
    assert_slice_is(row->backend, "alpha");
    assert_int_equal(row->try_count, 3);
    assert_slice_is(row->tries[1].target, "gamma/middle");
    assert_slice_is(row->tries[1].state, "rejected");
    assert_true(scene_saved(row, "cascade") == -(row->tries[0].cost + row->tries[1].cost));
    assert_slice_is(row->look_ups, "cascade=in_vain");
    assert_int_equal(s->attempts, gateway_count(&s->gateway, COUNT_CASCADE_REJECTED));
    scene_passed(s);
}

/* Of a row's plan on that model: what it is expected to cost, in dollars, and how many of its answers not to be kept. */
static double
expected(const struct row *row, const char *model, const char *source, double *goes_on)
{
    yyjson_doc *doc = yyjson_read(row->plans.data, row->plans.len, 0);
    double cost = -1.0;
    yyjson_val *plan;
    size_t i, count;

    yyjson_arr_foreach(yyjson_doc_get_root(doc), i, count, plan)
    {
        if (!yyjson_equals_str(yyjson_obj_get(plan, "t"), model) ||
            !yyjson_equals_str(yyjson_obj_get(plan, "s"), source))
            continue;
        cost = strtod(yyjson_get_str(yyjson_obj_get(plan, "c")), NULL);
        *goes_on = yyjson_get_num(yyjson_obj_get(plan, "g")) / 1e6;
    }
    yyjson_doc_free(doc);
    return cost;
}

/* What it costs in the mean: its call, half of the time the next's, and of a fifth of that the reference's. */
static void
the_way_on_is_expected(void **state)
{
    struct model small, middle;
    struct scene *s = opens(state, config, &small, &middle);
    size_t asked = both_earn(s);
    double first, next, reference, first_on, next_on, none;
    const struct row *row;

    for (size_t i = 0; i < 400; i++)
        (void)asks(s, asked++);
    row = of_digit(s, asked, 1);
    first = expected(row, "beta/small", "cascade", &first_on);
    next = expected(row, "gamma/middle", "cascade", &next_on);
    reference = expected(row, "alpha/big", "reference", &none);
    assert_true(first_on > 0.4 && first_on < 0.6 && next_on > 0.1 && next_on < 0.3);
    assert_true(next > next_on * reference && next < next_on * reference + 0.05 * reference);
    assert_true(first > first_on * next && first < first_on * next + 0.005 * reference);
    scene_passed(s);
}

/* The middle one is right about all that the small one keeps as well, and wrong about what that hands on: of all requests it
 * would be right nine times of ten. But it is asked for the tenth. */
static void
evidence_is_about_what_is_handed_on(void **state)
{
    struct model small, middle;
    struct scene *s = opens(state, config, &small, &middle);
    size_t asked, kept = 0;

    says(&small, 0, 9, SAME);
    says(&middle, 0, 9, SAME);
    says(&middle, 9, 10, OTHER);
    asked = until(s, "beta/small", 0);
    for (size_t i = 0; i < 1500; i++) {
        struct vclient *client = asks(s, asked + i);

        kept += is_by(client, "beta/small");
        assert_false(is_by(client, "gamma/middle"));
    }
    assert_true(kept > 1000);
    scene_rest(s);
    assert_true(gateway_count(&s->gateway, COUNT_CASCADE_CHEAPER) > 10); /* audits that the small one's answer ended */
    scene_passed(s);
}

/* Nothing is known of the middle one's answers to what the small one failed to answer, was too late for, or has no line for. */
static void
who_fails_hands_nothing_on(void **state)
{
    static const unsigned statuses[] = {500, 429, 400};

    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        struct model small, middle;
        struct scene *s = opens(state, config, &small, &middle);
        size_t asked = both_earn(s);
        const struct row *row;

        small.status = statuses[i];
        row = of_digit(s, asked, 7);
        assert_slice_is(row->backend, "alpha");
        assert_int_equal(row->try_count, 2);
        for (size_t n = 0; n < 30; n++)
            assert_false(is_by(asks(s, asked + 20 + n), "gamma/middle"));
        scene_rest(s);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Nor to what it answered where nobody could be asked whether that is useful. */
static void
who_is_not_scored_hands_nothing_on(void **state)
{
    struct model small, middle;
    struct scene *s = opens(state, with_command, &small, &middle);
    const struct row *row;
    size_t asked;

    vcommand_does(s->history, "validator", (struct vcommand_script){.exit_status = 0});
    asked = both_earn(s);
    vcommand_does(s->history, "validator", (struct vcommand_script){.exit_status = 2});
    row = of_digit(s, asked, 2);
    assert_slice_is(row->backend, "alpha");
    assert_int_equal(row->try_count, 2);
    for (size_t n = 0; n < 30; n++)
        assert_false(is_by(asks(s, asked + 20 + n), "gamma/middle"));
    scene_rest(s);
    scene_passed(s);
}

/* The small one tells no logprobs any more: for an hour neither it nor who comes after it is asked, by audits neither. */
static void
who_tells_nothing_is_asked_for_nobody(void **state)
{
    struct model small, middle;
    struct scene *s = opens(state, by_logprobs, &small, &middle);
    struct vbackend *first = scene_backend(s, "beta"), *next = scene_backend(s, "gamma");
    size_t asked = until(s, "beta/small", 0), calls, further;

    small.provider.tells_none = true;
    for (calls = vbackend_seen_count(first); vbackend_seen_count(first) == calls;)
        (void)asks(s, ++asked);
    calls = vbackend_seen_count(first);
    further = vbackend_seen_count(next);
    for (size_t i = 1; i <= 300; i++)
        assert_true(is_by(asks(s, asked + i), "alpha/big"));
    assert_int_equal(vbackend_seen_count(first), calls);
    assert_int_equal(vbackend_seen_count(next), further);
    assert_contains(scene_row_of(s, asks(s, asked))->plans, "of one that is asked before it");
    small.provider.tells_none = false;
    history_run_for(s->history, 3601 * USEC_PER_S);
    for (size_t i = 1; i <= 300; i++)
        (void)asks(s, asked + i);
    assert_true(vbackend_seen_count(first) > calls + 200 && vbackend_seen_count(next) > further);
    scene_passed(s);
}

/* The next is asked if that leaves time for the reference. */
static void
a_chain_ends_where_time_does(void **state)
{
    struct model small, middle;
    struct scene *s = opens(state, in_time, &small, &middle);
    size_t asked = both_earn(s);
    const struct row *row;

    middle.takes_us = 60 * USEC_PER_S;
    row = of_digit(s, asked, 7);
    assert_slice_is(row->backend, "alpha");
    assert_int_equal(row->try_count, 3);
    assert_contains(row->tries[1].why, "not accepted in time");
    assert_true(row->total_us <= 10 * USEC_PER_S);
    middle.takes_us = 0;
    small.takes_us = 9400 * USEC_PER_MS;
    row = of_digit(s, asked + 1000, 7);
    assert_slice_is(row->backend, "alpha");
    assert_int_equal(row->try_count, 2);
    assert_contains(row->plans, "expected to take longer than the route allows");
    assert_true(row->total_us <= 10 * USEC_PER_S);
    scene_passed(s);
}

/* A client may leave at any step of it. */
static void
clients_may_leave_at_any_step(void **state)
{
    struct model small, middle;
    struct scene *s = opens(state, config, &small, &middle);
    size_t asked = both_earn(s);

    for (unsigned step = 0, over = 0; over < 3; step++) {
        struct vclient *client = starts(s, asked / 10 * 10 + 10 * (size_t)step + 9, NULL);

        for (unsigned i = 0; i < step; i++)
            history_step(s->history);
        over += vclient_done(client);
        vclient_leave(client);
        history_run_to_rest(s->history);
        assert_true(step < 300);
    }
    scene_rest(s);
    scene_passed(s);
}

/* A line in front of the small one that does not move: who waits in it leaves it in time for the reference. */
static void
nobody_waits_in_line_beyond_the_references_time(void **state)
{
    struct model small, middle;
    struct scene *s =
        opens(state, CONFIG(", admission: { mode: on, requests: 1 }", ", total: 10s", "", "1"), &small, &middle);
    size_t asked, waited = 0;

    scene_provider(s, "alpha")->first_word_us = 2 * USEC_PER_S;
    asked = until(s, "beta/small", 0);
    small.takes_us = 60 * USEC_PER_S;
    for (size_t i = 0; i < 12; i++) {
        struct vclient *client;
        const struct row *row;

        for (unsigned others = 0; others < 3; others++)
            (void)starts(s, 1, "direct");
        history_run_for(s->history, 100 * USEC_PER_MS);
        client = starts(s, (asked + 20) / 10 * 10 + 10 * i + 2, NULL);
        history_run_to_rest(s->history);
        assert_int_equal(vclient_status(client), 200);
        row = scene_row_of(s, client);
        assert_slice_is(row->backend, "alpha");
        assert_true(row->total_us <= 10 * USEC_PER_S);
        waited += row->total_us > 3 * USEC_PER_S && row->try_count == 1; /* it was never let in */
    }
    assert_true(waited > 0);
    scene_passed(s);
}

/* A row has room for 16 attempts: of the route's own, and two for each model that a cascade asks (its connection may be stale).
 * What does not fit is not begun. */
static void
a_chain_fits_into_its_row(void **state)
{
    struct model small, middle;
    struct scene *s = opens(state, with_many_tries, &small, &middle);
    size_t asked = until(s, "beta/small", 0);
    const struct row *row = of_digit(s, asked, 2);

    assert_contains(row->plans, "beta/small");
    for (size_t i = 0; i < 300; i++)
        assert_false(is_by(asks(s, asked + 10 + i), "gamma/middle"));
    scene_rest(s);
    for (size_t i = 0; i < s->row_count; i++)
        for (size_t k = 0; k < s->rows[i].try_count; k++)
            assert_lacks(s->rows[i].tries[k].target, "gamma");
    scene_passed(s);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_teardown(a_chain_fits_into_its_row, scene_teardown),
    cmocka_unit_test_teardown(what_one_does_not_keep_the_next_is_asked, scene_teardown),
    cmocka_unit_test_teardown(the_way_on_is_expected, scene_teardown),
    cmocka_unit_test_teardown(evidence_is_about_what_is_handed_on, scene_teardown),
    cmocka_unit_test_teardown(who_fails_hands_nothing_on, scene_teardown),
    cmocka_unit_test_teardown(who_is_not_scored_hands_nothing_on, scene_teardown),
    cmocka_unit_test_teardown(who_tells_nothing_is_asked_for_nobody, scene_teardown),
    cmocka_unit_test_teardown(a_chain_ends_where_time_does, scene_teardown),
    cmocka_unit_test_teardown(clients_may_leave_at_any_step, scene_teardown),
    cmocka_unit_test_teardown(nobody_waits_in_line_beyond_the_references_time, scene_teardown),
};

int
main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
