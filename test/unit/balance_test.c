/* Which plan serves, and why the others do not; and where a tenant's requests may go. */
#include "dialect/translate/translate.h"
#include "gateway/balance.h"

#include "cmocka_ready.h"
#include "gateway/attempt/destination.h"

enum { REFERENCE, FIRST, SECOND };

/* A reference at 100 and two more plans at 50 and 60, all as fast, all acceptable. */
struct scale {
    struct backend_config backends[3];
    struct target targets[3];
    struct route_config route;
    struct tenant_config tenant;
    struct request_facts facts;
    struct request request;
    struct plans plans;
    bool bypass;
};

static void
set_up(struct scale *scale)
{
    static const usd costs[] = {100, 50, 60};

    *scale = (struct scale){.route = {.quality_ppm = 900000, .first_token_us = USEC_NEVER, .total_us = USEC_NEVER},
                            .facts = {.api = API_CHAT}};
    scale->request = (struct request){
        .route = &scale->route, .facts = &scale->facts, .tenant = &scale->tenant, .deadline_us = USEC_NEVER};
    for (int i = 0; i < 3; i++) {
        struct plan *plan = plans_add(&scale->plans);

        scale->targets[i].backend = &scale->backends[i];
        plan->source = i == REFERENCE ? SOURCE_REFERENCE : SOURCE_MODEL;
        plan->lever = i == REFERENCE ? LEVER_COUNT : LEVER_ALTERNATIVES;
        plan->mode = LEVER_ON;
        plan->target = &scale->targets[i];
        plan->cost = costs[i];
        plan->first_token_us = 100;
        plan->total_us = 1000;
        plan->quality_ppm = i == REFERENCE ? 1000000 : 900000;
    }
}

/* Index of the winner, -1 for none; verdicts of all three. */
static void
expect(struct scale *scale, int winner, enum verdict a, enum verdict b, enum verdict c)
{
    const enum verdict wanted[] = {a, b, c};
    struct plan *plan = balance_choose(&scale->plans, &scale->request, scale->bypass);

    assert_ptr_equal(plan, winner < 0 ? NULL : &scale->plans.all[winner]);
    for (int i = 0; i < 3; i++)
        assert_string_equal(verdict_words(scale->plans.all[i].verdict), verdict_words(wanted[i]));
}

static void
the_cheapest_acceptable_wins(void **state)
{
    struct scale s;

    (void)state;
    set_up(&s);
    expect(&s, FIRST, VERDICT_DEARER, VERDICT_CHOSEN, VERDICT_DEARER);
    s.plans.all[SECOND].cost = 49;
    expect(&s, SECOND, VERDICT_DEARER, VERDICT_DEARER, VERDICT_CHOSEN);
    s.plans.all[REFERENCE].cost = 1;
    expect(&s, REFERENCE, VERDICT_CHOSEN, VERDICT_DEARER, VERDICT_DEARER);
}

static void
ties_go_to_the_faster(void **state)
{
    struct scale s;

    (void)state;
    set_up(&s);
    s.plans.all[FIRST].cost = s.plans.all[SECOND].cost = s.plans.all[REFERENCE].cost;
    expect(&s, REFERENCE, VERDICT_CHOSEN, VERDICT_DEARER, VERDICT_DEARER);
    s.plans.all[SECOND].total_us = 999;
    expect(&s, SECOND, VERDICT_DEARER, VERDICT_DEARER, VERDICT_CHOSEN);
    s.plans.all[SECOND].total_us = 0; /* not known: no reason to leave the reference */
    expect(&s, REFERENCE, VERDICT_CHOSEN, VERDICT_DEARER, VERDICT_DEARER);
    s.plans.all[REFERENCE].total_us = 0;
    s.plans.all[SECOND].total_us = 1;
    expect(&s, REFERENCE, VERDICT_CHOSEN, VERDICT_DEARER, VERDICT_DEARER);
}

static void
the_reference_serves_when_nothing_is_acceptable(void **state)
{
    struct scale s;

    (void)state;
    set_up(&s);
    s.plans.all[FIRST].quality_ppm = 899999;
    s.plans.all[SECOND].quality_ppm = 0;
    s.plans.all[REFERENCE].quality_ppm = 0; /* exempt from quality and times */
    s.route.first_token_us = s.route.total_us = 1;
    expect(&s, REFERENCE, VERDICT_CHOSEN, VERDICT_QUALITY, VERDICT_QUALITY);
}

static void
unknown_prices(void **state)
{
    struct scale s;

    (void)state;
    set_up(&s);
    s.plans.all[FIRST].cost = USD_UNKNOWN;
    expect(&s, SECOND, VERDICT_DEARER, VERDICT_UNPRICED, VERDICT_CHOSEN);
    s.plans.all[REFERENCE].cost = USD_UNKNOWN; /* nobody can say that another is cheaper */
    expect(&s, REFERENCE, VERDICT_CHOSEN, VERDICT_UNPRICED, VERDICT_DEARER);
    s.plans.all[REFERENCE].tried = true;
    expect(&s, SECOND, VERDICT_FAILED, VERDICT_UNPRICED, VERDICT_CHOSEN); /* a known price before an unknown one */
    s.plans.all[FIRST].cost = 70;
    s.plans.all[SECOND].cost = USD_UNKNOWN;
    expect(&s, FIRST, VERDICT_FAILED, VERDICT_CHOSEN, VERDICT_UNPRICED);
    s.plans.all[FIRST].tried = true; /* better than no answer */
    expect(&s, SECOND, VERDICT_FAILED, VERDICT_FAILED, VERDICT_CHOSEN);
}

/* Its part may be more than an own call would cost; but all together pay less when it makes none. */
static void
a_shared_call_beats_an_own_one(void **state)
{
    struct scale s;

    (void)state;
    set_up(&s);
    s.plans.all[SECOND].source = SOURCE_SHARED;
    expect(&s, SECOND, VERDICT_DEARER, VERDICT_DEARER, VERDICT_CHOSEN);
    s.plans.all[REFERENCE].cost = s.plans.all[SECOND].cost = USD_UNKNOWN;
    expect(&s, SECOND, VERDICT_UNPRICED, VERDICT_DEARER, VERDICT_CHOSEN);
    s.plans.all[FIRST].target = NULL; /* the answer is there */
    expect(&s, FIRST, VERDICT_UNPRICED, VERDICT_CHOSEN, VERDICT_UNPRICED);
    s.plans.all[FIRST].tried = true;
    s.plans.all[SECOND].mode = LEVER_SHADOW;
    expect(&s, REFERENCE, VERDICT_CHOSEN, VERDICT_FAILED, VERDICT_SHADOW);
}

static void
shadow_never_serves(void **state)
{
    struct scale s;

    (void)state;
    set_up(&s);
    s.plans.all[FIRST].mode = LEVER_SHADOW;
    expect(&s, SECOND, VERDICT_DEARER, VERDICT_SHADOW, VERDICT_CHOSEN);
    s.plans.all[REFERENCE].tried = s.plans.all[SECOND].tried = true;
    expect(&s, -1, VERDICT_FAILED, VERDICT_SHADOW, VERDICT_FAILED);
}

static void
times_within_the_limits(void **state)
{
    struct scale s;

    (void)state;
    set_up(&s);
    s.route.first_token_us = 100;
    s.route.total_us = 1000;
    expect(&s, FIRST, VERDICT_DEARER, VERDICT_CHOSEN, VERDICT_DEARER); /* just within */
    s.plans.all[FIRST].first_token_us = 101;
    s.plans.all[SECOND].total_us = 1001;
    expect(&s, REFERENCE, VERDICT_CHOSEN, VERDICT_FIRST_TOKEN, VERDICT_TOTAL);
    s.plans.all[FIRST].first_token_us = s.plans.all[FIRST].total_us = 0; /* nothing known yet */
    expect(&s, FIRST, VERDICT_DEARER, VERDICT_CHOSEN, VERDICT_TOTAL);
}

static void
not_where_it_may_not_go(void **state)
{
    struct scale s;

    (void)state;
    set_up(&s);
    s.tenant.region = "eu";
    s.backends[SECOND].facts.region = "eu";
    expect(&s, SECOND, VERDICT_NOT_ALLOWED, VERDICT_NOT_ALLOWED, VERDICT_CHOSEN); /* the reference neither */
    s.backends[SECOND].facts.region = "us";
    expect(&s, -1, VERDICT_NOT_ALLOWED, VERDICT_NOT_ALLOWED, VERDICT_NOT_ALLOWED);
}

static void
the_request_must_be_put_in_words_that_the_backend_knows(void **state)
{
    struct translated translated = {.api = API_MESSAGES};
    struct scale s;

    (void)state;
    set_up(&s);
    s.plans.all[FIRST].api = API_COUNT;
    expect(&s, SECOND, VERDICT_DEARER, VERDICT_OTHER_DIALECT, VERDICT_CHOSEN);
    s.plans.all[FIRST].api = API_MESSAGES;
    s.plans.all[FIRST].translated = &translated;
    expect(&s, FIRST, VERDICT_DEARER, VERDICT_CHOSEN, VERDICT_DEARER);
    translated.why = "it has a seed";
    expect(&s, SECOND, VERDICT_DEARER, VERDICT_UNTRANSLATABLE, VERDICT_CHOSEN);
    s.plans.all[REFERENCE].api = s.plans.all[SECOND].api = API_COUNT;
    expect(&s, -1, VERDICT_OTHER_DIALECT, VERDICT_UNTRANSLATABLE, VERDICT_OTHER_DIALECT);
}

static void
bypass_leaves_the_reference_only(void **state)
{
    struct scale s;

    (void)state;
    set_up(&s);
    s.bypass = true;
    expect(&s, REFERENCE, VERDICT_CHOSEN, VERDICT_BYPASSED, VERDICT_BYPASSED);
    s.plans.all[REFERENCE].tried = true;
    expect(&s, -1, VERDICT_FAILED, VERDICT_BYPASSED, VERDICT_BYPASSED);
}

static void
what_failed_is_out(void **state)
{
    struct scale s;

    (void)state;
    set_up(&s);
    s.plans.all[FIRST].tried = true;
    expect(&s, SECOND, VERDICT_DEARER, VERDICT_FAILED, VERDICT_CHOSEN);
    s.plans.all[SECOND].tried = true;
    expect(&s, REFERENCE, VERDICT_CHOSEN, VERDICT_FAILED, VERDICT_FAILED);
    s.plans.count = 0;
    assert_null(balance_choose(&s.plans, &s.request, false));
}

static const char *both[] = {"hipaa", "soc2", NULL}, *hipaa[] = {"hipaa", NULL}, *none[] = {NULL};

static void
destinations(void **state)
{
    static const struct {
        struct tenant_config tenant;
        struct destination_facts backend;
        bool allowed;
    } cases[] = {
        {{.name = "free"}, {NULL, NULL, NULL}, true},
        {{.name = "free"}, {"us", "30d", hipaa}, true},
        {{.region = "eu"}, {"eu", NULL, NULL}, true},
        {{.region = "eu"}, {"us", NULL, NULL}, false},
        {{.region = "eu"}, {"eu-west", NULL, NULL}, false},
        {{.region = "eu"}, {NULL, NULL, NULL}, false}, /* what is not stated is not so */
        {{.retention = "none"}, {NULL, "none", NULL}, true},
        {{.retention = "none"}, {NULL, "30d", NULL}, false},
        {{.retention = "none"}, {"none", NULL, NULL}, false},
        {{.classes = hipaa}, {NULL, NULL, both}, true},
        {{.classes = both}, {NULL, NULL, both}, true},
        {{.classes = both}, {NULL, NULL, hipaa}, false},
        {{.classes = hipaa}, {NULL, NULL, NULL}, false},
        {{.classes = hipaa}, {NULL, NULL, none}, false},
        {{.classes = none}, {NULL, NULL, NULL}, true},
        {{.region = "eu", .retention = "none", .classes = hipaa}, {"eu", "none", both}, true},
        {{.region = "eu", .retention = "none", .classes = hipaa}, {"eu", "30d", both}, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct backend_config backend = {.facts = cases[i].backend};

        assert_int_equal(destination_allowed(&cases[i].tenant, &backend), cases[i].allowed);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cheapest_acceptable_wins),
        cmocka_unit_test(ties_go_to_the_faster),
        cmocka_unit_test(the_reference_serves_when_nothing_is_acceptable),
        cmocka_unit_test(unknown_prices),
        cmocka_unit_test(a_shared_call_beats_an_own_one),
        cmocka_unit_test(shadow_never_serves),
        cmocka_unit_test(times_within_the_limits),
        cmocka_unit_test(not_where_it_may_not_go),
        cmocka_unit_test(the_request_must_be_put_in_words_that_the_backend_knows),
        cmocka_unit_test(bypass_leaves_the_reference_only),
        cmocka_unit_test(what_failed_is_out),
        cmocka_unit_test(destinations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
