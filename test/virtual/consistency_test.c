/* A cascade whose answers are kept by whether their model says the same again (cascade: accept: self_consistency): it is asked
 * as its client asked it, each call is booked, and whatever becomes of them the client is no worse off. */
#include "scene.h"

#include <stdio.h>
#include <yyjson.h>

#include "levers/cascade.h"

#define CONFIG(cascade, limits) CONFIG_OF("", cascade, limits)
#define CONFIG_OF(beta, cascade, limits)                                                                               \
    "backends:\n"                                                                                                      \
    "  alpha: { url: \"http://alpha.example\", models: [ big ] }\n"                                                    \
    "  beta:  { url: \"http://beta.example\", models: [ small ]" beta " }\n"                                           \
    "routes:\n"                                                                                                        \
    "  assistant: { reference: alpha/big, candidates: beta/small, acceptable: { quality: 90%" limits " },\n"           \
    "               attempts: 1,\n"                                                                                    \
    "               judge: { by: numeric }, learning: 100%, levers: { cascade: on },\n"                                \
    "               cascade: { accept: self_consistency, " cascade " } }\n"                                            \
    "prices:\n"                                                                                                        \
    "  override:\n"                                                                                                    \
    "    alpha/big:  { input: $20/M, output: $80/M }\n"                                                                \
    "    beta/small: { input: $0.02/M, output: $0.08/M }\n"

static const char config[] = CONFIG("agree: numeric, samples: 3", "");

/* Of four questions the small model knows three; to the fourth it says something else each time. */
struct small {
    size_t calls;
    size_t fails_from, fails_to; /* the calls of each request, counted from 1, that fail; 0: none, to the last */
    unsigned status;
    bool calls_tool, says_nothing;
    const char *says;             /* instead of all that */
    usec takes_us, last_takes_us; /* the third call of each request alone */
    size_t of_request;            /* calls for the question that was asked last */
    unsigned number;
};

static bool
is_hard(unsigned number)
{
    return number % 4 == 3;
}

static void
answer(struct vscript *script, const char *text, bool calls_tool)
{
    struct buffer body = {0};

    buffer_add_text(
        &body, "{\"id\":\"x\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,"
               "\"message\":{\"role\":\"assistant\",\"content\":\"");
    buffer_add_json(&body, slice_of(text));
    buffer_add_byte(&body, '"');
    if (calls_tool)
        buffer_add_text(&body, ",\"tool_calls\":[{\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":\"f\","
                               "\"arguments\":\"{}\"}}]");
    buffer_add_text(&body, "},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":20,"
                           "\"total_tokens\":120}}");
    vscript_add(script, play_head(200, "content-type: application/json"));
    vscript_add(script, play_bytes(buffer_content(&body)));
    vscript_add(script, play_end());
    buffer_free(&body);
}

static void
speak_large(void *context, const struct vcall_seen *seen, struct vscript *script)
{
    char text[64];

    (void)context;
    snprintf(text, sizeof(text), "It is %u.", scene_number_behind(seen->body, "is number "));
    vscript_add(script, play_wait(50 * USEC_PER_MS));
    answer(script, text, false);
}

static void
speak_small(void *context, const struct vcall_seen *seen, struct vscript *script)
{
    struct small *small = context;
    unsigned n = scene_number_behind(seen->body, "is number ");
    char text[64];

    small->of_request = n == small->number ? small->of_request + 1 : 1;
    small->number = n;
    small->calls++;
    vscript_add(script,
                play_wait(50 * USEC_PER_MS + small->takes_us + (small->of_request == 3 ? small->last_takes_us : 0)));
    if (small->fails_from != 0 && small->of_request >= small->fails_from &&
        (small->fails_to == 0 || small->of_request <= small->fails_to) && small->status != 0) {
        vscript_add(script, play_head(small->status, "content-type: application/json"));
        vscript_add(script, play_text("{\"error\":{\"message\":\"no\"}}"));
        vscript_add(script, play_end());
        return;
    }
    snprintf(text, sizeof(text), "I say %zu.", is_hard(n) ? n + small->calls : n);
    answer(script,
           small->says_nothing   ? ""
           : small->says != NULL ? small->says
                                 : text,
           small->calls_tool && small->of_request > 1);
}

static struct scene *
opens_with(void **state, const char *text, const char *key, struct small *small)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 1, .config = text, .key = key});

    *small = (struct small){.calls = 0};
    vbackend_decides(scene_backend(s, "alpha"), speak_large, NULL);
    vbackend_decides(scene_backend(s, "beta"), speak_small, small);
    return s;
}

static struct scene *
opens(void **state, const char *text, struct small *small)
{
    return opens_with(state, text, NULL, small);
}

static struct vclient *
starts(struct scene *s, size_t number, const char *more)
{
    char text[64];

    snprintf(text, sizeof(text), "What is number %zu?", number);
    return scene_asks(s, (struct ask){.text = text, .more = more, .headers = "x-application: shop"});
}

static struct vclient *
asks(struct scene *s, size_t number, const char *more)
{
    struct vclient *client = starts(s, number, more);

    history_run_to_rest(s->history);
    assert_int_equal(vclient_status(client), 200);
    return client;
}

static bool
is_kept(const struct vclient *client)
{
    return slice_is(vclient_header(client, "x-equipoise-source"), "cascade");
}

static struct evidence_verdict
stands(struct scene *s)
{
    return shared_evidence_verdict(evidences_at(&s->gateway.evidences, "assistant", "cascade beta/small"));
}

static size_t
earns(struct scene *s)
{
    size_t asked = 1;

    while (stands(s).reason != EVIDENCE_SERVES) {
        assert_false(is_kept(asks(s, asked, NULL)));
        assert_true(++asked < 2000);
    }
    return asked;
}

/* The next that is asked first, or would be: no audit. */
static size_t
not_drawn(struct scene *s, size_t from)
{
    do
        from++;
    while (!is_kept(asks(s, 4 * from, NULL)));
    return from;
}

static size_t
rows_from(struct scene *s, const char *source)
{
    size_t count = 0;

    scene_rest(s);
    for (size_t i = 0; i < s->row_count; i++)
        count += slice_is(s->rows[i].source, source);
    return count;
}

/* Of what is kept all is right, though of four answers of the model one is not; each further answer has a row of its own. */
static void
what_it_says_again_is_kept(void **state)
{
    struct small small;
    struct scene *s = opens(state, config, &small);
    size_t asked = earns(s), served = 0, samples, before;

    before = small.calls;
    for (size_t i = 1; i <= 200; i++) {
        bool kept = is_kept(asks(s, asked + i, NULL));

        served += kept;
        assert_false(kept && is_hard((unsigned)(asked + i)));
    }
    assert_true(served > 100);
    samples = rows_from(s, "sample");
    assert_int_equal(samples, gateway_count(&s->gateway, COUNT_OWN_SAMPLES));
    assert_int_equal(samples, 2 * (served + (size_t)gateway_count(&s->gateway, COUNT_CASCADE_REJECTED)));
    assert_true(small.calls - before >= 3 * served);
    for (size_t i = 0; i < s->row_count; i++)
        if (slice_is(s->rows[i].source, "sample")) {
            assert_true(s->rows[i].savings[0].saved == -s->rows[i].cost && s->rows[i].cost > 0);
            assert_slice_is(s->rows[i].savings[0].lever, "cascade");
        }
    scene_passed(s);
}

/* The same words and headers, so that nothing of what the client asked is another: not its sampling, its tools, its cap. */
static void
it_is_asked_as_its_client_asks(void **state)
{
    static const char more[] = "\"temperature\":0.7,\"top_p\":0.9,\"max_tokens\":77,\"n\":1";
    struct small small;
    struct scene *s = opens(state, config, &small);
    struct vbackend *beta = scene_backend(s, "beta");
    size_t asked = not_drawn(s, earns(s)), count;

    while (!is_kept(asks(s, 4 * ++asked, more)))
        ;
    count = vbackend_seen_count(beta);
    for (size_t i = count - 3; i < count; i++) {
        assert_true(slice_equal(vbackend_seen(beta, i).body, vbackend_seen(beta, count - 3).body));
        assert_contains(vbackend_seen(beta, i).body, more);
        assert_contains(vbackend_seen(beta, i).headers, "x-application: shop");
    }
    scene_passed(s);
}

/* What the plan of the small model costs in dollars, but for the reference's part of it. */
static double
own_cost(const struct row *row)
{
    yyjson_doc *doc = yyjson_read(row->plans.data, row->plans.len, 0);
    yyjson_val *reference = yyjson_arr_get(yyjson_doc_get_root(doc), 0),
               *plan = yyjson_arr_get(yyjson_doc_get_root(doc), 1);
    double goes_on = yyjson_get_num(yyjson_obj_get(plan, "g")) / 1e6;
    double cost = strtod(yyjson_get_str(yyjson_obj_get(plan, "c")), NULL) -
                  goes_on * strtod(yyjson_get_str(yyjson_obj_get(reference, "c")), NULL);

    assert_true(yyjson_equals_str(yyjson_obj_get(plan, "t"), "beta/small"));
    yyjson_doc_free(doc);
    return cost;
}

static void
each_call_has_its_price(void **state)
{
    static const char *const configs[] = {CONFIG("samples: 2", ""), CONFIG("samples: 6", "")};
    double costs[2];

    for (unsigned i = 0; i < 2; i++) {
        struct small small;
        struct scene *s = opens(state, configs[i], &small);

        costs[i] = own_cost(scene_row_of(s, asks(s, 4, NULL)));
        scene_passed(s);
        scene_free(s, state);
    }
    assert_true(costs[0] > 0.0 && costs[1] / costs[0] > 2.99 && costs[1] / costs[0] < 3.01);
}

/* All calls are in what the plan is expected to cost and take. */
static void
every_call_is_expected(void **state)
{
    struct small small;
    struct scene *s = opens(state, config, &small);
    size_t asked = not_drawn(s, earns(s));
    const struct row *row = scene_row_of(s, asks(s, 4 * asked, NULL));
    usd call = row->tries[0].cost;

    while (!slice_is(row->source, "cascade"))
        row = scene_row_of(s, asks(s, 4 * ++asked, NULL));
    call = row->tries[0].cost;
    /* three calls, and of the reference's some share, which costs a thousand times that */
    assert_true(row->reserved_estimate > 3 * call);
    assert_true(row->first_token_us >= 100 * USEC_PER_MS); /* one after the other, the further ones side by side */
    assert_true(row->first_token_us < 150 * USEC_PER_MS);
    scene_passed(s);
}

/* Asked again a model would repeat itself, which says nothing of it: then nothing is asked first, and explain says why. */
static void
who_wants_one_answer_is_not_served(void **state)
{
    static const char *const cases[] = {"\"temperature\":0", "\"seed\":7", "\"temperature\":0.0,\"top_p\":1"};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct small small;
        struct scene *s = opens(state, config, &small);

        for (size_t n = 1; n < 20; n++)
            assert_contains(scene_row_of(s, asks(s, n, cases[i]))->plans,
                            "asked again, a model would only repeat itself");
        assert_int_equal(small.calls, 0);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Whatever becomes of the further calls: the reference answers, and nothing is learned of what they say. */
static void
further_calls_that_fail_keep_nothing(void **state)
{
    static const struct {
        unsigned status;
        const char *why;
    } cases[] = {{500, "could not be had"}, {429, "could not be had"}, {400, "could not be had"}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct small small;
        struct scene *s = opens(state, config, &small);
        size_t asked = not_drawn(s, earns(s));
        uint64_t audits;
        const struct row *row;

        scene_rest(s);
        audits = stands(s).audits;
        small.fails_from = 2;
        small.status = cases[i].status;
        row = scene_row_of(s, asks(s, 4 * ++asked, NULL));
        assert_slice_is(row->source, "reference");
        if (row->try_count == 2)
            assert_contains(row->tries[0].why, cases[i].why);
        for (size_t n = 1; n < 40; n++)
            assert_false(is_kept(asks(s, 4 * (asked + n), NULL)));
        scene_rest(s);
        assert_int_equal(stands(s).audits, audits);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Where one cannot be had nothing is known whatever the others say: they are ended, and nobody waits for them. */
static void
without_one_the_others_are_ended(void **state)
{
    struct small small;
    struct scene *s = opens(state, config, &small);
    size_t asked = not_drawn(s, earns(s)), ended = 0;

    small.fails_from = small.fails_to = 2;
    small.status = 500;
    small.last_takes_us = 60 * USEC_PER_S;
    for (size_t n = 1; n < 20; n++) {
        const struct row *row = scene_row_of(s, asks(s, 4 * (asked + n), NULL));

        assert_slice_is(row->source, "reference");
        assert_true(row->total_us < USEC_PER_S);
    }
    for (size_t i = 0; i < s->row_count; i++)
        ended += slice_find(s->rows[i].why, SLICE_LITERAL("another of the further answers")) < s->rows[i].why.len;
    assert_true(ended > 10);
    for (size_t i = 0; i < vbackend_seen_count(scene_backend(s, "beta")); i++)
        assert_true(vbackend_seen(scene_backend(s, "beta"), i).over_us != 0);
    scene_passed(s);
}

/* One that has no place ends those before it, whose place is free again then: those behind it are not to take that. */
static void
without_one_the_rest_are_not_asked(void **state)
{
    enum { AUDITS = 30 };
    struct small small;
    struct scene *s =
        opens(state, CONFIG_OF(", admission: { mode: on, requests: 1 }", "agree: numeric, samples: 4", ""), &small);
    size_t dropped = 0;

    for (size_t n = 1; n <= AUDITS; n++)
        assert_false(is_kept(asks(s, 4 * n, NULL)));
    scene_rest(s);
    for (size_t i = 0; i < s->row_count; i++)
        dropped += slice_find(s->rows[i].why, SLICE_LITERAL("another of the further answers")) < s->rows[i].why.len;
    print_message("%zu calls, %zu dropped\n", small.calls, dropped);
    assert_true(small.calls > AUDITS / 2);
    assert_int_equal(dropped, 2 * small.calls); /* one call for each audit: the third answer had no place */
    scene_passed(s);
}

/* An answer that says nothing, nothing that could be compared, or calls a tool the next time. */
static void
what_cannot_be_compared_is_not_kept(void **state)
{
    for (unsigned way = 0; way < 3; way++) {
        struct small small;
        struct scene *s = opens(state, config, &small);
        size_t asked = not_drawn(s, earns(s));

        small.says_nothing = way == 0;
        small.says = way == 1 ? "No idea." : NULL;
        small.calls_tool = way == 2;
        for (size_t n = 1; n < 40; n++)
            assert_false(is_kept(asks(s, 4 * (asked + n), NULL)));
        scene_rest(s);
        assert_true(gateway_count(&s->gateway, COUNT_CASCADE_REJECTED) > 20);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* A client may leave at any step: what is asked for it is ended with it. */
static void
clients_may_leave_at_any_step(void **state)
{
    struct small small;
    struct scene *s = opens(state, config, &small);
    size_t asked = not_drawn(s, earns(s));

    small.takes_us = 100 * USEC_PER_MS;
    for (unsigned step = 0, over = 0; over < 2; step++) {
        size_t before = vbackend_seen_count(scene_backend(s, "alpha"));
        struct vclient *client = starts(s, 4 * (asked + step), NULL);
        usec left_us;

        for (unsigned i = 0; i < step; i++)
            history_step(s->history);
        over += vclient_done(client);
        vclient_leave(client);
        left_us = world_now_us(history_world(s->history, 0));
        history_run_to_rest(s->history);
        if (vbackend_seen_count(scene_backend(s, "alpha")) == before) /* else what is asked may be an audit */
            assert_true(vbackend_worked_after_us(scene_backend(s, "beta"), left_us) <= 5 * USEC_PER_MS);
        assert_true(step < 200);
    }
    scene_rest(s);
    scene_passed(s);
}

/* Who is in a hurry has the reference's answer in time, and what was asked meanwhile is ended. */
static void
who_is_late_is_not_waited_for(void **state)
{
    struct small small;
    struct scene *s = opens(state, CONFIG("agree: numeric", ", total: 10s"), &small);
    size_t asked = not_drawn(s, earns(s));
    const struct row *row;

    small.takes_us = 6 * USEC_PER_S; /* the first is there in time, the others are not */
    row = scene_row_of(s, asks(s, 4 * asked, NULL));
    assert_slice_is(row->source, "reference");
    assert_true(row->total_us <= 10 * USEC_PER_S);
    assert_int_equal(gateway_count(&s->gateway, COUNT_CASCADE_LATE), 1);
    scene_passed(s);
}

/* A budget that has no room for the further calls: the client has its answer all the same. */
static void
budgets_refuse_no_client_for_them(void **state)
{
    struct small small;
    struct scene *s = opens_with(state, config, "budget: 400 tokens/minute, exposure: expected", &small);
    size_t refused = 0;

    for (size_t n = 1; n < 400; n++) {
        struct vclient *client = starts(s, 4 * n, NULL);

        history_run_for(s->history, 20 * USEC_PER_S);
        refused += vclient_status(client) != 200;
    }
    scene_rest(s);
    assert_int_equal(refused, 0);
    scene_passed(s);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_teardown(what_it_says_again_is_kept, scene_teardown),
    cmocka_unit_test_teardown(it_is_asked_as_its_client_asks, scene_teardown),
    cmocka_unit_test_teardown(each_call_has_its_price, scene_teardown),
    cmocka_unit_test_teardown(every_call_is_expected, scene_teardown),
    cmocka_unit_test_teardown(who_wants_one_answer_is_not_served, scene_teardown),
    cmocka_unit_test_teardown(further_calls_that_fail_keep_nothing, scene_teardown),
    cmocka_unit_test_teardown(without_one_the_others_are_ended, scene_teardown),
    cmocka_unit_test_teardown(without_one_the_rest_are_not_asked, scene_teardown),
    cmocka_unit_test_teardown(what_cannot_be_compared_is_not_kept, scene_teardown),
    cmocka_unit_test_teardown(clients_may_leave_at_any_step, scene_teardown),
    cmocka_unit_test_teardown(who_is_late_is_not_waited_for, scene_teardown),
    cmocka_unit_test_teardown(budgets_refuse_no_client_for_them, scene_teardown),
};

int
main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
