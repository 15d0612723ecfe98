/* What a request is expected to cost, also when it asks for absurd amounts. */
#include "levers/estimate.h"

#include "cmocka_ready.h"
#include "config/config.h"

static const char text[] = "backends:\n"
                           "  alpha: { url: 'http://alpha.example', private: true }\n"
                           "routes:\n"
                           "  plain: { reference: alpha/big }\n"
                           "prices:\n"
                           "  override:\n"
                           "    alpha/big: { input: $1/M, output: $2/M }\n";

/* A hundred bytes are 25 tokens and an answer 256 until more is known. */
static void
expected_costs(void **state)
{
    static const struct {
        enum api api;
        int64_t cap, choices;
        int64_t output; /* tokens; -1: not to be expressed in money */
    } cases[] = {
        {API_CHAT, -1, 1, 256},
        {API_CHAT, 10, 1, 10},
        {API_CHAT, 0, 1, 0},
        {API_CHAT, 1000, 3, 768},
        {API_CHAT, 10, 3, 30},
        {API_CHAT, INT64_MAX, 1, 256},
        {API_CHAT, -1, INT64_MAX, -1},
        {API_CHAT, INT64_MAX, INT64_MAX, -1},
        {API_CHAT, -1, INT64_C(1) << 56, -1},
        {API_CHAT, 0, INT64_MAX, 0},
        {API_EMBEDDINGS, -1, 1, 0},
        {API_EMBEDDINGS, 7, INT64_MAX, 0},
    };
    struct problems problems;
    struct config *config = NULL;
    struct experiences experiences;
    struct healths healths;
    struct facts_source source;
    struct request_facts facts = {0};
    struct request request = {.facts = &facts, .body = {text, 100}, .targets = &source};
    struct plan plan = {0};

    (void)state;
    problems_init(&problems);
    assert_int_equal(config_load("f.yaml", slice_of(text), &problems, &config), OK);
    experiences_init(&experiences);
    healths_init(&healths);
    facts_source_init(&source, &experiences, &healths, config);
    plan.facts = facts_of(&source, &config->routes[0].reference);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        facts = (struct request_facts){
            .api = cases[i].api, .output_cap = cases[i].cap, .choices = cases[i].choices, .inputs = 1};
        estimate_plan(&request, &plan);
        if (cases[i].output < 0)
            assert_false(usd_known(plan.cost));
        else
            assert_int_equal(plan.cost, 25 * USD_ONE / 1000000 + cases[i].output * 2 * USD_ONE / 1000000);
    }
    facts_source_free(&source);
    healths_free(&healths);
    experiences_free(&experiences);
    config_release(config);
    problems_free(&problems);
}

/* Clients name more models than are kept apart, before and after every reload: what all of them together are known by
 * does not grow with that. */
static void
reloads_make_no_names(void **state)
{
    enum { NAMES = 4200, RELOADS = 3 };
    struct problems problems;
    struct config *configs[RELOADS];
    struct experiences experiences;
    struct healths healths;
    size_t known = 0;

    (void)state;
    problems_init(&problems);
    experiences_init(&experiences);
    healths_init(&healths);
    for (unsigned reload = 0; reload < RELOADS; reload++) {
        struct config *config = NULL;
        struct facts_source source;

        assert_int_equal(config_load("f.yaml", slice_of(text), &problems, &config), OK);
        configs[reload] = config; /* kept, so that nothing of the next stands at the same address */
        facts_source_init(&source, &experiences, &healths, config);
        for (unsigned i = 0; i < NAMES; i++) {
            char name[32];
            struct target target = config->routes[0].reference;

            snprintf(name, sizeof(name), "alpha/m%u", i);
            target.name = name;
            target.upstream = i % 2 == 0 ? "big" : "unpriced";
            assert_int_equal(facts_of(&source, &target)->price != NULL, i % 2 == 0);
        }
        if (reload > 0)
            assert_int_equal(experiences.by_name.count, known);
        known = experiences.by_name.count;
        facts_source_free(&source);
    }
    for (unsigned reload = 0; reload < RELOADS; reload++)
        config_release(configs[reload]);
    assert_true(known <= 4096 + 2);
    healths_free(&healths);
    experiences_free(&experiences);
    problems_free(&problems);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(expected_costs), cmocka_unit_test(reloads_make_no_names)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
