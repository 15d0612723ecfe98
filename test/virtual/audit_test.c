/* Model choice by evidence (lever router): another model serves nothing before audits have earned it, and nothing any more
 * once they find it worse. An audit is a call of our own: off the client's path, with a row, a saving line and a place in
 * the budgets, and no request. */
#include "scene.h"

#include <stdio.h>

#include "gateway/choice/choosing.h"
#include "levers/router.h"

#define BACKENDS                                                                                                       \
    "backends:\n"                                                                                                      \
    "  alpha: { url: \"http://alpha.example\", models: [ big ], region: eu }\n"                                        \
    "  beta:  { url: \"http://beta.example\", models: [ small, tiny ], region: us }\n"                                 \
    "  gamma: { url: \"http://gamma.example\", models: [ middle ], region: eu }\n"                                     \
    "prices:\n"                                                                                                        \
    "  override:\n"                                                                                                    \
    "    alpha/big:    { input: $2/M, output: $8/M }\n"                                                                \
    "    beta/small:   { input: $0.02/M, output: $0.08/M }\n"                                                          \
    "    gamma/middle: { input: $0.06/M, output: $0.20/M }\n"
#define ROUTE(candidates, router, more)                                                                                \
    "routes:\n"                                                                                                        \
    "  assistant: { reference: alpha/big, candidates: " candidates ", acceptable: { quality: 80% },\n"                 \
    "               judge: { by: exact, ceiling: 0% }, learning: 100%, levers: { router: " router " } " more " }\n"

static const char on[] = BACKENDS ROUTE("beta/small", "on", "");
static const char in_shadow[] = BACKENDS ROUTE("beta/small", "shadow", "");
static const char two[] = BACKENDS ROUTE("[ gamma/middle, beta/small ]", "on", "");

/* The last of a sample begins the epoch, and may be audited itself. */
enum { SAMPLE = SAMPLE_SCORES - 1 };

static struct scene *
opens(void **state, const char *config)
{
    return scene_new(state, (struct scene_options){.seed = 1, .config = config});
}

/* Each of another conversation. */
static struct vclient *
says(struct scene *s, size_t number, bool stream)
{
    char text[64];
    struct vclient *client;

    snprintf(text, sizeof(text), "What is question number %zu?", number);
    client = scene_asks(s, (struct ask){.text = text, .stream = stream});
    history_run_to_rest(s->history);
    return client;
}

static struct evidence_verdict
stands_of(struct scene *s, const char *target)
{
    char name[64];

    snprintf(name, sizeof(name), "router %s", target);
    return shared_evidence_verdict(evidences_at(&s->gateway.evidences, "assistant", name));
}

static struct evidence_verdict
stands(struct scene *s)
{
    return stands_of(s, "beta/small");
}

/* By whom a client's answer was made. */
static bool
is_by(const struct vclient *client, const char *source)
{
    assert_int_equal(vclient_status(client), 200);
    return slice_is(vclient_header(client, "x-equipoise-source"), source);
}

/* Asks on until it may serve; how often it asked. Nothing is served before. */
static size_t
earns(struct scene *s)
{
    size_t asked = 0;

    while (stands(s).reason != EVIDENCE_SERVES) {
        assert_true(is_by(says(s, asked, asked % 2 == 0), "reference"));
        assert_true(++asked < 1000);
    }
    return asked;
}

/* How many of so many requests the other model served. */
static size_t
asks_on(struct scene *s, size_t from, size_t count)
{
    size_t served = 0;

    for (size_t i = 0; i < count; i++)
        served += is_by(says(s, from + i, i % 2 == 0), "model");
    return served;
}

static size_t
rows_from(const struct scene *s, const char *source)
{
    size_t count = 0;

    for (size_t i = 0; i < s->row_count; i++)
        count += slice_is(s->rows[i].source, source);
    return count;
}

static void
nothing_is_served_before_it_is_earned(void **state)
{
    struct scene *s = opens(state, on);
    size_t asked = earns(s), served, audits;

    assert_true(asked >= SAMPLE + 17); /* ln 40 / -ln .8: fewer labels cannot earn it */
    served = asks_on(s, asked, 300);
    assert_true(served > 240 && served < 300); /* the coin takes some for audits */
    scene_rest(s);
    audits = rows_from(s, "audit");
    assert_int_equal(rows_from(s, "model"), served);
    assert_int_equal(audits, gateway_count(&s->gateway, COUNT_OWN_AUDITS));
    assert_int_equal(audits, gateway_count(&s->gateway, COUNT_ROUTER_ACCEPTABLE));
    assert_int_equal(audits, asked - SAMPLE + 300 - served); /* nobody asks before the epoch begins */
    assert_int_equal(vbackend_seen_count(scene_backend(s, "alpha")), asked + 300 - served);
    assert_int_equal(vbackend_seen_count(scene_backend(s, "beta")), audits + served);
    assert_int_equal(gateway_count(&s->gateway, COUNT_REQUESTS), asked + 300);
    scene_passed(s);
}

/* The row of an audit says which request it is about, and what came of it; the request's row, that it was one. */
static void
audits_have_rows_of_their_own(void **state)
{
    struct scene *s = opens(state, on);
    size_t asked = earns(s), served = asks_on(s, asked, 300);
    const struct row *row = NULL, *about = NULL;
    char id[16];

    assert_true(served < 300);
    scene_rest(s);
    for (size_t i = 0; i < s->row_count; i++)
        if (row_is_own(&s->rows[i]))
            row = &s->rows[i];
    assert_non_null(row);
    for (size_t i = 0; i < s->row_count; i++) {
        text_format_id(s->rows[i].id, id);
        about = slice_is(row->about, id) ? &s->rows[i] : about;
    }
    assert_non_null(about);
    assert_slice_is(about->source, "reference");
    assert_contains(about->plans, "asked too, and judged by this answer");
    assert_slice_is(row->backend, "beta");
    assert_slice_is(row->key_name, "web");
    assert_slice_is(row->route, "assistant");
    assert_true(row->cost > 0 && row->baseline == 0 && row->savings[0].saved == -row->cost);
    assert_true(s->feedbacks > 0);
    scene_passed(s);
}

static void
in_the_shadow_it_learns_and_never_serves(void **state)
{
    struct scene *s = opens(state, in_shadow);
    size_t asked = earns(s);

    assert_int_equal(asks_on(s, asked, 20), 0);
    scene_rest(s);
    assert_true(s->rows[s->row_count - 2].savings[0].shadow || s->rows[s->row_count - 1].savings[0].shadow);
    scene_passed(s);
}

/* Whatever it costs less: what differs from the reference's answers is never served. */
static void
what_is_not_acceptable_is_never_served(void **state)
{
    struct scene *s = opens(state, on);

    scene_provider(s, "beta")->words = 7;
    assert_int_equal(asks_on(s, 0, SAMPLE + 100), 0);
    assert_int_equal(stands(s).reason, EVIDENCE_BELOW_FLOOR);
    assert_int_equal(s->gateway.alerts.waiting_count, 1);
    scene_rest(s);
    assert_int_equal(gateway_count(&s->gateway, COUNT_ROUTER_ACCEPTABLE), 0);
    scene_passed(s);
}

static void
what_gets_worse_is_suspended(void **state)
{
    struct scene *s = opens(state, on);
    size_t asked = earns(s), served = 0;
    struct buffer metrics = {0};
    const struct letter *told;

    scene_provider(s, "beta")->words = 7;
    while (stands(s).suspensions == 0) {
        served += asks_on(s, asked++, 1);
        assert_true(asked < 3000);
    }
    assert_true(served > 0);
    assert_int_equal(s->gateway.alerts.waiting_count, 1);
    told = CONTAINER_OF(s->gateway.alerts.waiting.next, struct letter, link);
    assert_contains(buffer_content(&told->json), "lever_suspended");
    assert_contains(buffer_content(&told->json), "router beta/small");
    choosing_print(&s->gateway, &metrics);
    assert_contains(buffer_content(&metrics),
                    "equipoise_router_suspensions{route=\"assistant\",model=\"beta/small\"} 1");
    buffer_free(&metrics);
    assert_int_equal(asks_on(s, asked, 20), 0);
    scene_rest(s);
    scene_passed(s);
}

/* It falls: asked on until audits have taken back all that was earned. */
static size_t
falls(struct scene *s, size_t asked)
{
    uint32_t suspensions = stands(s).suspensions;

    scene_provider(s, "beta")->words = 7;
    while (stands(s).suspensions == suspensions) {
        (void)asks_on(s, asked++, 1);
        assert_true(asked < 6000);
    }
    assert_int_not_equal(stands(s).reason, EVIDENCE_SERVES);
    return asked;
}

/* It is as it was: asked on until it serves anew, and the reference answers all of it. */
static size_t
recovers(struct scene *s, size_t asked)
{
    scene_provider(s, "beta")->words = scene_provider(s, "alpha")->words;
    while (stands(s).reason != EVIDENCE_SERVES) {
        assert_int_equal(asks_on(s, asked++, 1), 0);
        assert_true(asked < 6000);
    }
    return asked;
}

/* A fall takes back all at once, and the reference answers. Once the model is good again it earns anew, with less of alpha each time: a
 * half of it first, then a sixth, then a twelfth, so that flawless answers take some more labels each time. */
static void
what_recovers_earns_anew(void **state)
{
    struct scene *s = opens(state, on);
    size_t asked = earns(s);
    uint64_t first = stands(s).serving.labels, second, third;

    asked = recovers(s, falls(s, asked));
    second = stands(s).serving.labels; /* all dropped with the fall: these came after it */
    assert_int_equal(stands(s).suspensions, 1);
    assert_true(asks_on(s, asked, 50) > 30);
    asked = falls(s, asked + 50);
    assert_int_equal(asks_on(s, asked, 5), 0); /* still bad */
    asked = recovers(s, asked + 5);
    third = stands(s).serving.labels;
    print_message("earned by %u labels, anew by %u, and by %u of which 5 were bad\n", (unsigned)first, (unsigned)second,
                  (unsigned)third);
    assert_true(second >= first + 4 && second <= first + 9);
    assert_true(third >= second + 5);
    assert_int_equal(stands(s).suspensions, 2);
    assert_true(asks_on(s, asked, 50) > 30);
    scene_rest(s);
    scene_passed(s);
}

/* The better one earns though the cheapest does not; once the cheapest does, it gets what both may serve. */
static void
candidates_earn_apart(void **state)
{
    struct scene *s = opens(state, two);
    size_t asked = 0;

    scene_provider(s, "beta")->words = 7;
    while (stands_of(s, "gamma/middle").reason != EVIDENCE_SERVES) {
        assert_true(is_by(says(s, asked++, false), "reference"));
        assert_true(asked < 1000);
    }
    assert_int_not_equal(stands(s).reason, EVIDENCE_SERVES);
    assert_true(asks_on(s, asked, 50) > 30);
    scene_rest(s);
    for (size_t i = 0; i < s->row_count; i++)
        if (slice_is(s->rows[i].source, "model"))
            assert_slice_is(s->rows[i].backend, "gamma");
    scene_passed(s);
}

/* What a client would have got from the candidate alone is judged; where another would have been asked it is not. */
static void
faults_are_no_news_but_errors_are(void **state)
{
    static const struct {
        unsigned status, cut_after;
        bool refusing;
        enum counter counted;
    } cases[] = {
        {.status = 500, .counted = COUNT_ROUTER_UNANSWERED},    {.status = 429, .counted = COUNT_ROUTER_UNANSWERED},
        {.refusing = true, .counted = COUNT_ROUTER_UNANSWERED}, {.status = 400, .counted = COUNT_ROUTER_NOT},
        {.cut_after = 2, .counted = COUNT_ROUTER_NOT},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scene *s = opens(state, on);
        int64_t before;

        asks_on(s, 0, SAMPLE);
        scene_provider(s, "beta")->status = cases[i].status;
        scene_provider(s, "beta")->cut_after = cases[i].cut_after;
        vbackend_set_refusing(scene_backend(s, "beta"), cases[i].refusing);
        before = gateway_count(&s->gateway, COUNT_ATTEMPTS);
        assert_true(is_by(says(s, SAMPLE, true), "reference"));
        assert_int_equal(gateway_count(&s->gateway, cases[i].counted), 1);
        assert_int_equal(gateway_count(&s->gateway, COUNT_ATTEMPTS), before + 2); /* never tried again */
        scene_rest(s);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Its client has the whole answer before the candidate is asked, and need not stay for it. */
static void
nobody_waits_for_an_audit(void **state)
{
    struct scene *s = opens(state, on);
    struct vclient *client;

    asks_on(s, 0, SAMPLE);
    scene_provider(s, "beta")->first_word_us = 30 * USEC_PER_S;
    client = scene_asks(s, (struct ask){.text = "another"});
    history_run_until(s->history, vbackend_working(scene_backend(s, "beta")));
    history_run_for(s->history, USEC_PER_S);
    assert_true(vclient_done(client) && vbackend_working(scene_backend(s, "beta")));
    scene_rest(s);
    assert_int_equal(gateway_count(&s->gateway, COUNT_ROUTER_ACCEPTABLE), 1);
    scene_passed(s);
}

/* A request whose client left, or that was answered by nobody, has no answer to judge by. */
static void
without_the_references_answer_there_is_no_audit(void **state)
{
    struct scene *s = opens(state, on);
    struct vclient *client;

    asks_on(s, 0, SAMPLE);
    client = scene_asks(s, (struct ask){.text = "another", .stream = true});
    history_run_until(s->history, vbackend_working(scene_backend(s, "alpha")));
    vclient_leave(client);
    history_run_to_rest(s->history);
    scene_provider(s, "alpha")->status = 400;
    assert_int_equal(vclient_status(says(s, SAMPLE + 1, false)), 400);
    scene_rest(s);
    assert_int_equal(vbackend_seen_count(scene_backend(s, "beta")), 0);
    scene_passed(s);
}

static void
limits_on_requests_do_not_count_audits(void **state)
{
    struct scene *s = scene_new(
        state, (struct scene_options){.seed = 1, .config = on, .key = "budget: [ 230 requests/day, $100/day ]"});

    asks_on(s, 0, 230);
    assert_int_equal(vclient_status(says(s, 230, false)), 429);
    scene_rest(s); /* which holds budgets against rows */
    assert_true(rows_from(s, "audit") > 20);
    scene_passed(s);
}

/* What a budget has no room for is not asked; the clients' own requests go on. */
static void
audits_obey_budgets(void **state)
{
    struct scene *s = scene_new(
        state,
        (struct scene_options){
            .seed = 1,
            .config = BACKENDS ROUTE("beta/small", "on", ", budget: $0.523/day, on_exceed: refuse, output_max: 60")});
    int64_t dropped = 0;

    for (size_t i = 0; dropped == 0 && i < 400; i++) {
        says(s, i, false);
        dropped = gateway_count(&s->gateway, COUNT_ROUTER_DROPPED);
    }
    scene_rest(s);
    assert_true(dropped > 0);
    scene_passed(s);
}

/* A tenant's texts go where its rules say, for audits too. */
static void
audits_obey_the_tenants_rules(void **state)
{
    struct scene *s = scene_new(
        state,
        (struct scene_options){.seed = 1, .config = on, .more = "tenants: { acme: { allow: { region: eu } } }\n"});

    asks_on(s, 0, SAMPLE + 30);
    scene_rest(s);
    assert_int_equal(vbackend_seen_count(scene_backend(s, "beta")), 0);
    assert_int_equal(rows_from(s, "audit"), 0);
    scene_passed(s);
}

/* More at once than a worker may have: the rest is dropped and counted, and nobody notices. */
static void
too_many_at_once_are_dropped(void **state)
{
    struct scene *s = opens(state, on);
    enum { CROWD = 100 };

    asks_on(s, 0, SAMPLE);
    scene_provider(s, "beta")->first_word_us = 30 * USEC_PER_S;
    for (size_t i = 0; i < CROWD; i++) {
        char text[32];

        snprintf(text, sizeof(text), "crowd %zu", i);
        scene_asks(s, (struct ask){.text = text});
    }
    scene_rest(s);
    assert_true(gateway_count(&s->gateway, COUNT_ROUTER_DROPPED) > 0);
    assert_int_equal(
        gateway_count(&s->gateway, COUNT_ROUTER_DROPPED) + gateway_count(&s->gateway, COUNT_ROUTER_ACCEPTABLE), CROWD);
    scene_passed(s);
}

/* `equipoise bypass on`, a holdout, and who only observes: nobody is asked. */
static void
who_is_let_alone_is_not_audited(void **state)
{
    static const char *const configs[] = {
        BACKENDS ROUTE("beta/small", "on", ", holdout: 100%"),
        BACKENDS ROUTE("beta/small", "off", ""),
        BACKENDS "observe: yes\n" ROUTE("beta/small", "on", ""),
    };

    for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
        struct scene *s = opens(state, configs[i]);

        asks_on(s, 0, SAMPLE + 20);
        scene_rest(s);
        assert_int_equal(vbackend_seen_count(scene_backend(s, "beta")), 0);
        scene_passed(s);
        scene_free(s, state);
    }
}

static void
bypass_asks_nobody_else(void **state)
{
    struct scene *s = opens(state, on);
    size_t asked = earns(s), seen = vbackend_seen_count(scene_backend(s, "beta"));

    atomic_store(&s->gateway.bypass, true);
    assert_int_equal(asks_on(s, asked, 20), 0);
    assert_int_equal(vbackend_seen_count(scene_backend(s, "beta")), seen);
    scene_rest(s);
    scene_passed(s);
}

static usd
cost_of(const struct scene *s, const char *source)
{
    usd sum = 0;

    for (size_t i = 0; i < s->row_count; i++)
        if (source == NULL ? !row_is_own(&s->rows[i]) : slice_is(s->rows[i].source, source))
            sum += s->rows[i].cost;
    return sum;
}

/* A candidate at half the price: not every request can be audited for a twentieth of what is spent. */
static void
audits_cost_no_more_than_their_share(void **state)
{
    struct scene *s =
        opens(state, "backends:\n"
                     "  alpha: { url: \"http://alpha.example\", models: [ big ] }\n"
                     "  beta:  { url: \"http://beta.example\", models: [ small ] }\n"
                     "routes:\n"
                     "  assistant: { reference: alpha/big, candidates: beta/small, acceptable: { quality: 97% },\n"
                     "               judge: { by: exact, ceiling: 0% }, levers: { router: on } }\n"
                     "prices:\n"
                     "  override:\n"
                     "    alpha/big:  { input: $2/M, output: $8/M }\n"
                     "    beta/small: { input: $1/M, output: $4/M }\n");
    double share;

    asks_on(s, 0, 2000);
    assert_int_equal(stands(s).reason, EVIDENCE_FEW_LABELS); /* 198 labels are not there yet */
    scene_rest(s);
    share = (double)cost_of(s, "audit") / (double)cost_of(s, NULL);
    print_message("audits: %.4f of what was spent, %zu of them\n", share, rows_from(s, "audit"));
    assert_true(share > 0.035 && share < 0.055);
    scene_passed(s);
}

/* While it serves, what is bought for audits beside what would have served is a tenth of what is saved. */
static void
audits_cost_no_more_than_a_tenth_of_the_savings(void **state)
{
    struct scene *s = opens(state, on);
    size_t asked = earns(s);
    usd saved = 0, audits = 0;

    asks_on(s, asked, 1000);
    scene_rest(s);
    for (size_t i = 0; i < s->row_count; i++) {
        const struct row *row = &s->rows[i];

        if (slice_is(row->source, "model"))
            saved += row->baseline - row->cost;
        else if (i >= 2 * asked && !row_is_own(row))
            audits += row->cost;
    }
    print_message("audits: %.4f of what was saved\n", (double)audits / (double)saved);
    assert_true(audits > saved / 60 && audits < saved / 9);
    scene_passed(s);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_teardown(nothing_is_served_before_it_is_earned, scene_teardown),
    cmocka_unit_test_teardown(audits_have_rows_of_their_own, scene_teardown),
    cmocka_unit_test_teardown(in_the_shadow_it_learns_and_never_serves, scene_teardown),
    cmocka_unit_test_teardown(what_is_not_acceptable_is_never_served, scene_teardown),
    cmocka_unit_test_teardown(what_gets_worse_is_suspended, scene_teardown),
    cmocka_unit_test_teardown(what_recovers_earns_anew, scene_teardown),
    cmocka_unit_test_teardown(candidates_earn_apart, scene_teardown),
    cmocka_unit_test_teardown(faults_are_no_news_but_errors_are, scene_teardown),
    cmocka_unit_test_teardown(nobody_waits_for_an_audit, scene_teardown),
    cmocka_unit_test_teardown(without_the_references_answer_there_is_no_audit, scene_teardown),
    cmocka_unit_test_teardown(limits_on_requests_do_not_count_audits, scene_teardown),
    cmocka_unit_test_teardown(audits_obey_budgets, scene_teardown),
    cmocka_unit_test_teardown(audits_obey_the_tenants_rules, scene_teardown),
    cmocka_unit_test_teardown(too_many_at_once_are_dropped, scene_teardown),
    cmocka_unit_test_teardown(who_is_let_alone_is_not_audited, scene_teardown),
    cmocka_unit_test_teardown(audits_cost_no_more_than_their_share, scene_teardown),
    cmocka_unit_test_teardown(audits_cost_no_more_than_a_tenth_of_the_savings, scene_teardown),
    cmocka_unit_test_teardown(bypass_asks_nobody_else, scene_teardown),
};

int
main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
