/* Equal requests that are under way share one call: who reads slowly, who leaves, who comes late, and who pays. */
#include "scene.h"

enum { WORKERS = 3, WORDS = 4000, FAST = 6, STALL_US = 2 * USEC_PER_S };

/* Little is kept for slow readers, and they are soon cut off. */
#define SETTING(answer)                                                                                                \
    "limits: { answer: " answer ", stall: 2s }\n"                                                                      \
    "backends:\n"                                                                                                      \
    "  alpha:  { url: \"http://alpha.example\", models: [ big ] }\n"                                                   \
    "  claude: { url: \"http://claude.example\", dialect: anthropic, models: [ opus ] }\n"                             \
    "routes:\n"                                                                                                        \
    "  assistant: { reference: alpha/big, repeatable: yes, levers: { coalesce: on } }\n"                               \
    "  writer:    { reference: claude/opus, repeatable: yes, levers: { coalesce: on } }\n"                             \
    "prices:\n"                                                                                                        \
    "  override:\n"                                                                                                    \
    "    alpha/big:   { input: $2/M, output: $8/M, cache_read: $0.50/M }\n"                                            \
    "    claude/opus: { input: $5/M, output: $25/M, cache_read: $0.50/M, cache_write: "                                \
    "$6.25/M, cache_write_1h: $10/M }\n"

static const char setting[] = SETTING("64KiB");

#define CALL_PICO (1000 * 2000000LL + 60 * 8000000LL)

static const struct vclient_script byte_a_second = {.window = 2048, .read_len = 1, .read_gap_us = USEC_PER_S};
static const struct vclient_script slow_for_a_while = {.window = 2048, .read_len = 2000, .read_gap_us = USEC_PER_S};

/* An answer of some 600 KiB within four seconds. */
static struct scene *
long_answers(void **state, uint64_t seed)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = seed, .workers = WORKERS, .config = setting});

    scene_provider(s, "alpha")->words = WORDS;
    scene_provider(s, "alpha")->word_gap_us = USEC_PER_MS;
    return s;
}

static struct vclient *
asks_on(struct scene *s, unsigned worker, bool stream, struct vclient_script script)
{
    script.worker = worker;
    return scene_asks(s, (struct ask){.stream = stream, .wants_usage = stream, .client = script});
}

static struct vclient *
asks(struct scene *s, unsigned worker)
{
    return asks_on(s, worker, true, (struct vclient_script){0});
}

static void
assert_answer(struct scene *s, const struct vclient *client, bool stream)
{
    struct buffer expected = provider_answer(scene_provider(s, "alpha"), API_CHAT, stream, "big");

    assert_int_equal(vclient_status(client), 200);
    assert_true(vclient_done(client));
    assert_true(slice_equal(vclient_body(client), buffer_content(&expected)));
    buffer_free(&expected);
}

static void
assert_whole(struct scene *s, const struct vclient *client)
{
    assert_answer(s, client, true);
}

/* One call, whose cost the rows come to; `count` of them end so. */
static void
assert_one_bill(struct scene *s, const char *ending, size_t count)
{
    usd sum = 0;
    size_t found = 0;

    assert_int_equal(vbackend_opened(scene_backend(s, "alpha")), 1);
    for (size_t i = 0; i < s->row_count; i++) {
        sum += scene_row(s, i)->cost;
        found += slice_is(scene_row(s, i)->state, ending);
    }
    assert_int_equal(found, count);
    assert_true(sum == CALL_PICO);
}

static struct row
row_where(struct scene *s, const char *state)
{
    for (size_t i = 0; i < s->row_count; i++)
        if (slice_is(scene_row(s, i)->state, state))
            return *scene_row(s, i);
    fail();
    return (struct row){0};
}

/* The fast ones have it all, later than by themselves by no more than the slow may hold them up. */
static void
assert_undisturbed(struct scene *s, struct vclient *const *fast)
{
    for (size_t i = 0; i < FAST; i++) {
        assert_whole(s, fast[i]);
        assert_true(vclient_ended_us(fast[i]) - vclient_started_us(fast[i]) <
                    WORDS * USEC_PER_MS + STALL_US + 2 * USEC_PER_S);
    }
}

static void
fast_ones_ask(struct scene *s, struct vclient **fast)
{
    for (unsigned i = 0; i < FAST; i++)
        fast[i] = asks(s, i % WORKERS);
}

/* Followers who read a byte a second, at their own workers and beside fast ones; some from different places on. */
static void
slow_followers_are_cut(void **state)
{
    struct scene *s = long_answers(state, 71);
    struct vclient *fast[FAST], *slow[5];

    fast_ones_ask(s, fast);
    for (unsigned i = 0; i < 5; i++) {
        struct vclient_script script = byte_a_second;

        script.window += (size_t)i * 700;
        slow[i] = asks_on(s, i % WORKERS, true, script);
    }
    scene_rest(s);
    assert_undisturbed(s, fast);
    for (unsigned i = 0; i < 5; i++)
        assert_true(vclient_cut(slow[i]));
    assert_one_bill(s, "cut", 5);
    assert_true(row_where(s, "cut").cost == 0);
    assert_contains(row_where(s, "cut").why, "limits: stall");
    assert_true(row_where(s, "ok").cost <= CALL_PICO / FAST + 1);
    scene_passed(s);
}

/* Who takes what is left of the event gets an error event behind it, and a well-formed end. */
static void
a_follower_that_is_cut_is_told(void **state)
{
    struct scene *s = long_answers(state, 72);
    struct vclient *fast[FAST], *slow;

    fast_ones_ask(s, fast);
    slow = asks_on(s, 1, true, slow_for_a_while);
    scene_rest(s);
    assert_undisturbed(s, fast);
    assert_true(vclient_done(slow));
    assert_contains(vclient_body(slow), "\n\ndata: {\"error\":{\"message\":\"the answer was cut: read so slowly");
    assert_lacks(vclient_body(slow), "[DONE]");
    assert_one_bill(s, "cut", 1);
    scene_passed(s);
}

/* The leader may be the slow one. */
static void
a_slow_leader_is_cut(void **state)
{
    for (uint64_t seed = 73; seed < 75; seed++) {
        struct scene *s = long_answers(state, seed);
        struct vclient *fast[FAST], *slow = asks_on(s, 0, true, seed == 73 ? byte_a_second : slow_for_a_while);

        history_run_until(s->history, vbackend_working(scene_backend(s, "alpha")));
        fast_ones_ask(s, fast);
        scene_rest(s);
        assert_undisturbed(s, fast);
        assert_true(seed == 73 ? vclient_cut(slow) : vclient_done(slow));
        assert_one_bill(s, "cut", 1);
        assert_contains(row_where(s, "cut").why, "limits: stall");
        assert_true(row_where(s, "cut").cost == 0);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Alone it holds up nobody. */
static void
a_slow_leader_alone_is_not_cut(void **state)
{
    struct scene *s = long_answers(state, 75);
    struct vclient *slow = asks_on(s, 0, true, slow_for_a_while);

    scene_rest(s);
    assert_whole(s, slow);
    assert_one_bill(s, "ok", 1);
    scene_passed(s);
}

/* As long as what is kept for the slowest is within the limit nobody waits, and nobody is cut: be it the leader that lags
 * behind, or a follower. */
static void
nobody_is_held_up_within_the_limit(void **state)
{
    for (unsigned slow_leads = 0; slow_leads < 2; slow_leads++) {
        struct scene *s =
            scene_new(state, (struct scene_options){.seed = 90, .workers = WORKERS, .config = SETTING("1MiB")});
        struct vclient *fast[FAST], *slow = NULL;

        scene_provider(s, "alpha")->words = WORDS;
        scene_provider(s, "alpha")->word_gap_us = USEC_PER_MS;
        if (slow_leads != 0) {
            slow = asks_on(s, 0, true, slow_for_a_while);
            history_run_until(s->history, vbackend_working(scene_backend(s, "alpha")));
        }
        fast_ones_ask(s, fast);
        if (slow == NULL)
            slow = asks_on(s, 1, true, slow_for_a_while);
        scene_rest(s);
        for (unsigned i = 0; i < FAST; i++) {
            assert_whole(s, fast[i]);
            assert_true(vclient_ended_us(fast[i]) - vclient_started_us(fast[i]) < WORDS * USEC_PER_MS + USEC_PER_S);
        }
        assert_whole(s, slow);
        assert_one_bill(s, "ok", FAST + 1);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* It had the call paused when it left: that goes on at once. */
static void
a_slow_leader_leaves(void **state)
{
    struct scene *s = long_answers(state, 76);
    struct vclient_script script = byte_a_second;
    struct vclient *fast[FAST], *slow;

    script.leaves_after_us = 2 * USEC_PER_S;
    slow = asks_on(s, 0, true, script);
    history_run_until(s->history, vbackend_working(scene_backend(s, "alpha")));
    fast_ones_ask(s, fast);
    scene_rest(s);
    assert_true(vclient_left(slow));
    assert_undisturbed(s, fast);
    assert_one_bill(s, "client gone", 1);
    scene_passed(s);
}

/* Whole answers that are too long to be held are passed on as they come: nothing can be said within one. */
static void
a_slow_reader_of_a_whole_answer_is_cut(void **state)
{
    for (unsigned which = 0; which < 2; which++) { /* the leader, a follower */
        struct scene *s = long_answers(state, 77 + which);
        struct vclient *fast, *slow;

        scene_provider(s, "alpha")->words = 100000;
        if (which == 0) {
            slow = asks_on(s, 1, false, byte_a_second);
            history_run_until(s->history, vbackend_working(scene_backend(s, "alpha")));
            fast = asks_on(s, 2, false, (struct vclient_script){0});
        } else {
            fast = asks_on(s, 2, false, (struct vclient_script){0});
            history_run_until(s->history, vbackend_working(scene_backend(s, "alpha")));
            slow = asks_on(s, 1, false, byte_a_second);
        }
        scene_rest(s);
        assert_answer(s, fast, false);
        assert_true(vclient_cut(slow));
        assert_one_bill(s, "cut", 1);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* Who comes between two words gets at once what is there, from its worker's mirror and from the leader's flight. */
static void
who_comes_late_gets_what_is_there(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 79, .workers = WORKERS, .config = setting});
    struct vclient *late[4];

    scene_provider(s, "alpha")->words = 3;
    scene_provider(s, "alpha")->word_gap_us = 10 * USEC_PER_S;
    asks(s, 0);
    history_run_until(s->history, vbackend_working(scene_backend(s, "alpha")));
    asks(s, 1);
    history_run_for(s->history, 2 * USEC_PER_S);
    for (unsigned i = 0; i < 4; i++) {
        late[i] = asks(s, i % WORKERS);
        history_run_for(s->history, USEC_PER_S);
    }
    scene_rest(s);
    for (unsigned i = 0; i < 4; i++) {
        assert_whole(s, late[i]);
        assert_true(vclient_first_byte_us(late[i]) - vclient_started_us(late[i]) < 100 * USEC_PER_MS);
    }
    assert_one_bill(s, "ok", 6);
    scene_passed(s);
}

/* Who is on the way to the call's worker when the answer ends, or grows too long for others to come, has its start too. */
static void
who_is_on_the_way_has_the_start(void **state)
{
    unsigned shared = 0;

    for (unsigned i = 0; i < 60; i++) {
        struct scene *s = scene_new(
            state, (struct scene_options){
                       .seed = 100 + i, .workers = WORKERS, .config = setting, .hop_most_us = 20 * USEC_PER_MS});
        bool is_long = i % 2 == 1;
        struct vclient *late;

        scene_provider(s, "alpha")->words = is_long ? 1000 : 3;
        scene_provider(s, "alpha")->word_gap_us = USEC_PER_MS;
        asks(s, 0);
        history_run_until(s->history, vbackend_working(scene_backend(s, "alpha")));
        history_run_for(s->history, (is_long ? 7500 + (usec)i * 20 : 220 + i) * USEC_PER_MS);
        late = asks(s, 1);
        scene_rest(s);
        assert_whole(s, late);
        shared += slice_is(scene_row(s, 0)->source, "shared") || slice_is(scene_row(s, 1)->source, "shared");
        scene_passed(s);
        scene_free(s, state);
    }
    assert_in_range(shared, 10, 50);
}

/* What a header may change of an answer is not shared, on whichever of its lines it stands. */
static void
betas_do_not_share(void **state)
{
    static const char *const headers[] = {"anthropic-beta: one\nanthropic-beta: two",
                                          "anthropic-beta: one",
                                          "anthropic-beta: one\nanthropic-beta: three",
                                          "openai-project: p",
                                          "openai-organization: o",
                                          "openai-beta: b",
                                          NULL,
                                          "anthropic-beta: one\nanthropic-beta: two"};
    struct scene *s = scene_new(state, (struct scene_options){.seed = 80, .config = setting});

    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
        scene_asks(s, (struct ask){.api = API_MESSAGES, .headers = headers[i]});
    scene_rest(s);
    assert_int_equal(vbackend_opened(scene_backend(s, "claude")), 7);
    scene_passed(s);
}

#define TIGHT "test"
#define TIGHT_KEY                                                                                                      \
    "  tight: { sha256: \"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\", tenant: acme, budget: "

static struct scene *
with_budget(void **state, uint64_t seed, const char *key)
{
    struct scene *s =
        scene_new(state, (struct scene_options){.seed = seed, .workers = WORKERS, .config = setting, .more = key});

    scene_provider(s, "alpha")->words = WORDS;
    scene_provider(s, "alpha")->word_gap_us = USEC_PER_MS;
    scene_provider(s, "alpha")->output = 3000;
    return s;
}

static struct vclient *
tight_asks(struct scene *s, usec leaves_after_us)
{
    return scene_asks(s, (struct ask){.stream = true,
                                      .wants_usage = true,
                                      .key = TIGHT,
                                      .client = {.worker = 1, .leaves_after_us = leaves_after_us}});
}

/* What the leader's budget has no more for, others' may: its answer ends, theirs goes on. */
static void
a_ceiling_is_the_leaders_alone(void **state)
{
    struct scene *s = with_budget(state, 81, TIGHT_KEY "3000 tokens/hour }\n");
    struct vclient *tight = tight_asks(s, 0), *free;

    history_run_until(s->history, vbackend_working(scene_backend(s, "alpha")));
    free = asks(s, 2);
    scene_rest(s);
    assert_whole(s, free);
    assert_true(vclient_done(tight));
    assert_contains(vclient_body(tight), "\"finish_reason\":\"length\"");
    assert_true(vclient_body(tight).len < vclient_body(free).len);
    assert_int_equal(vbackend_opened(scene_backend(s, "alpha")), 1);
    assert_true(scene_row(s, 0)->cost + scene_row(s, 1)->cost == 1000 * 2000000LL + 3000 * 8000000LL);
    scene_passed(s);
}

/* A strict budget holds also for who may come to pay for all of it. */
static void
strict_budgets_hold_for_followers(void **state)
{
    struct scene *s = with_budget(state, 82, TIGHT_KEY "$0.025/day, exposure: strict }\n");

    asks_on(s, 0, true, (struct vclient_script){.leaves_after_us = 2 * USEC_PER_S});
    history_run_until(s->history, vbackend_working(scene_backend(s, "alpha")));
    tight_asks(s, 3 * USEC_PER_S);
    scene_rest(s);
    for (size_t i = 0; i < s->row_count; i++)
        assert_lacks(scene_row(s, i)->source, "shared");
    assert_int_equal(vbackend_opened(scene_backend(s, "alpha")), 2);
    scene_passed(s);
}

/* What we made shorter is no answer for others. */
static void
who_is_clipped_does_not_lead(void **state)
{
    struct scene *s = with_budget(state, 83, TIGHT_KEY "$0.02/day, exposure: strict }\n");
    struct vclient *free;

    tight_asks(s, 0);
    history_run_until(s->history, vbackend_working(scene_backend(s, "alpha")));
    free = asks(s, 2);
    scene_rest(s);
    assert_whole(s, free);
    assert_int_equal(vbackend_opened(scene_backend(s, "alpha")), 2);
    scene_passed(s);
}

/* A slow follower is all that is left of them: it holds up nobody but itself, is cut, and pays, whenever it leaves. */
static void
the_last_one_pays(void **state)
{
    for (unsigned ms = 0; ms < 12; ms++) {
        struct scene *s = long_answers(state, 800 + ms);
        struct vclient_script gone = {.leaves_after_us = 500 * USEC_PER_MS}, slow = byte_a_second;
        struct row row;

        asks_on(s, 0, true, gone);
        history_run_until(s->history, vbackend_working(scene_backend(s, "alpha")));
        slow.leaves_after_us = 2500 * USEC_PER_MS + (usec)ms * 60 * USEC_PER_MS;
        asks_on(s, 1, true, slow);
        scene_rest(s);
        row = *scene_row(s, 1);
        assert_int_equal(s->row_count, 2);
        assert_true(scene_row(s, 0)->cost + row.cost > 0);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* The last to leave is a follower, on another worker than the call's: that is closed at once all the same. */
static void
the_call_is_closed_when_the_last_follower_leaves(void **state)
{
    struct scene *s = long_answers(state, 86);
    struct vclient_script first = {.leaves_after_us = 500 * USEC_PER_MS}, last = {.leaves_after_us = USEC_PER_S};
    struct vcall_seen seen;
    struct vclient *client;

    asks_on(s, 0, true, first);
    history_run_until(s->history, vbackend_working(scene_backend(s, "alpha")));
    client = asks_on(s, 1, true, last);
    scene_rest(s);
    seen = vbackend_seen(scene_backend(s, "alpha"), 0);
    assert_int_equal(vbackend_opened(scene_backend(s, "alpha")), 1);
    assert_false(seen.completed);
    assert_true(seen.over_us < vclient_started_us(client) + last.leaves_after_us + 50 * USEC_PER_MS);
    for (size_t i = 0; i < 2; i++) /* who left last pays */
        assert_true((scene_row(s, i)->cost > 0) == slice_is(scene_row(s, i)->source, "shared"));
    scene_passed(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(slow_followers_are_cut, scene_teardown),
        cmocka_unit_test_teardown(a_follower_that_is_cut_is_told, scene_teardown),
        cmocka_unit_test(a_slow_leader_is_cut),
        cmocka_unit_test_teardown(a_slow_leader_alone_is_not_cut, scene_teardown),
        cmocka_unit_test(nobody_is_held_up_within_the_limit),
        cmocka_unit_test_teardown(a_slow_leader_leaves, scene_teardown),
        cmocka_unit_test(a_slow_reader_of_a_whole_answer_is_cut),
        cmocka_unit_test_teardown(who_comes_late_gets_what_is_there, scene_teardown),
        cmocka_unit_test(who_is_on_the_way_has_the_start),
        cmocka_unit_test_teardown(betas_do_not_share, scene_teardown),
        cmocka_unit_test_teardown(a_ceiling_is_the_leaders_alone, scene_teardown),
        cmocka_unit_test_teardown(strict_budgets_hold_for_followers, scene_teardown),
        cmocka_unit_test_teardown(who_is_clipped_does_not_lead, scene_teardown),
        cmocka_unit_test(the_last_one_pays),
        cmocka_unit_test_teardown(the_call_is_closed_when_the_last_follower_leaves, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
