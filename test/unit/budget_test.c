/* Budgets: how they are written, and how accounts, buckets and claims keep their count. */
#include "cmocka_ready.h"

#include "base/clock.h"
#include "money/budget/budget.h"
#include "money/budget/budget_print.h"

#define RULE(the_scope, the_name, the_unit, the_window, the_limit, the_identity)                                       \
    {                                                                                                                  \
        .scope = (the_scope), .name = SLICE_LITERAL(the_name), .window = (the_window), .unit = (the_unit),             \
        .limit = (the_limit), .text = SLICE_LITERAL("as written"), .identity = SLICE_LITERAL(the_identity)             \
    }

static const struct budget_rule rules[] = {
    RULE(BUDGET_KEY, "web", BUDGET_USD, BUDGET_DAY, 100, "key web usd/day"),
    RULE(BUDGET_KEY, "web", BUDGET_REQUESTS, BUDGET_MINUTE, 3, "key web requests/minute"),
    RULE(BUDGET_EVERYTHING, "", BUDGET_USD, BUDGET_MONTH, 150, "everything usd/month"),
    RULE(BUDGET_EVERYTHING, "", BUDGET_TOKENS, BUDGET_HOUR, 1000, "everything tokens/hour"),
};

enum { RULES = sizeof(rules) / sizeof(rules[0]) };

static const struct budget_rules all_rules = {rules, RULES};

static usec
moment(const char *text)
{
    usec wall_us;

    assert_int_equal(clock_parse_utc(slice_of(text), &wall_us), OK);
    return wall_us;
}

static struct budget_amounts
amounts(usd money, int64_t tokens, int64_t requests)
{
    return (struct budget_amounts){{money, tokens, requests}};
}

/* A claim with its lines. */
struct request {
    struct budget_claim claim;
    struct budget_line lines[RULES];
};

static bool
asks(struct budgets *budgets, struct request *request, const char *when, usd money, int64_t tokens)
{
    struct budget_amounts wanted = amounts(money, tokens, 1);
    struct budget_obstacle obstacle;

    *request = (struct request){0};
    assert_true(budgets_claim(budgets, &request->claim, request->lines, moment(when), &all_rules, 1));
    if (budgets_reserve(budgets, &request->claim, &wanted, false, &obstacle))
        return true;
    budgets_count_refusal(budgets, &request->claim, &obstacle);
    budgets_release(budgets, &request->claim);
    return false;
}

static bool
ends(struct budgets *budgets, struct request *request, usd money, int64_t tokens)
{
    struct budget_amounts actual = amounts(money, tokens, 1);
    bool overrun = budgets_post(budgets, &request->claim, &actual);

    budgets_release(budgets, &request->claim);
    return overrun;
}

static struct budget_info
look(struct budgets *budgets, const char *identity, const char *when)
{
    struct budget_info info;
    size_t at = 0;

    while (budgets_next(budgets, &at, moment(when), &info))
        if (slice_is(info.rule.identity, identity))
            return info;
    fail_msg("no account %s", identity);
    return info;
}

static void
assert_account(struct budgets *budgets, const char *identity, const char *when, int64_t spent, int64_t reserved)
{
    struct budget_info info = look(budgets, identity, when);

    assert_int_equal(info.spent, spent);
    assert_int_equal(info.reserved, reserved);
    budgets_check(budgets);
}

static struct budgets *
start(void)
{
    struct budgets *budgets = must_alloc(sizeof(*budgets));

    budgets_init(budgets);
    budgets_configure(budgets, rules, RULES);
    return budgets;
}

static void
stop(struct budgets *budgets)
{
    assert_int_equal(budgets_reserved(budgets), 0);
    budgets_check(budgets);
    budgets_free(budgets);
    free(budgets);
}

/* Texts */

static void
texts_are_read(void **state)
{
    static const struct {
        const char *text;
        enum budget_unit unit;
        enum budget_window window;
        int64_t limit;
    } good[] = {
        {"$50/day", BUDGET_USD, BUDGET_DAY, 50 * USD_ONE},
        {"$0.000001/month", BUDGET_USD, BUDGET_MONTH, 1000000},
        {"200k tokens/minute", BUDGET_TOKENS, BUDGET_MINUTE, 200000},
        {"1.5M tokens / week", BUDGET_TOKENS, BUDGET_WEEK, 1500000},
        {"1 token/hour", BUDGET_TOKENS, BUDGET_HOUR, 1},
        {"2G tokens/month", BUDGET_TOKENS, BUDGET_MONTH, 2000000000},
        {"1,000 requests/hour", BUDGET_REQUESTS, BUDGET_HOUR, 1000},
        {"12,345,678 requests/hour", BUDGET_REQUESTS, BUDGET_HOUR, 12345678},
        {"1 request/day", BUDGET_REQUESTS, BUDGET_DAY, 1},
    };
    struct budget_rule rule;
    const char *why;
    size_t at;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        rule = (struct budget_rule){.scope = BUDGET_TAG};
        assert_int_equal(budget_parse(slice_of(good[i].text), &rule, &why, &at), OK);
        assert_int_equal(rule.unit, good[i].unit);
        assert_int_equal(rule.window, good[i].window);
        assert_int_equal(rule.limit, good[i].limit);
        assert_int_equal(rule.scope, BUDGET_TAG); /* is not the text's to say */
    }
}

static void
what_is_wrong_has_its_place(void **state)
{
    static const struct {
        const char *text, *why;
        size_t at;
    } bad[] = {
        {"", "expected an amount and a window", 0},
        {"$50", "expected an amount and a window", 3},
        {"$50/fortnight", "expected minute, hour", 4},
        {"$50/", "expected minute, hour", 3},
        {"/day", "expected $AMOUNT", 0},
        {"50/day", "expected $AMOUNT", 0},
        {"fifty tokens/day", "expected a number", 0},
        {"200k tokns/minute", "expected $AMOUNT", 5},
        {"$x/day", "expected an amount such as", 0},
        {"$-1/day", "a budget of nothing", 0},
        {"$0/day", "a budget of nothing", 0},
        {"0 tokens/day", "a budget of nothing", 0},
        {"1.5 tokens/day", "expected a number", 0},
        {"-5 tokens/day", "expected a number", 0},
        {"1,00 tokens/day", "expected a number", 0},
        {",100 tokens/day", "expected a number", 0},
        {"1e9 tokens/day", "expected a number", 0},
        {"99999999999999999999 tokens/day", "expected a number", 0},
        {"99999999999G tokens/day", "expected a number", 0},
        {"$99999999999/day", "too large", 0},
    };
    struct budget_rule rule = {0};
    const char *why;
    size_t at;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_not_equal(budget_parse(slice_of(bad[i].text), &rule, &why, &at), OK);
        if (strstr(why, bad[i].why) == NULL || at != bad[i].at)
            fail_msg("\"%s\": %s, at %zu", bad[i].text, why, at);
    }
}

static void
windows_are_those_of_the_calendar(void **state)
{
    static const struct {
        enum budget_window window;
        const char *in, *start, *end;
    } cases[] = {
        {BUDGET_MINUTE, "2026-11-23T12:34:56.5Z", "2026-11-23T12:34:00Z", "2026-11-23T12:35:00Z"},
        {BUDGET_HOUR, "2026-11-23T12:34:56Z", "2026-11-23T12:00:00Z", "2026-11-23T13:00:00Z"},
        {BUDGET_DAY, "2026-11-23T00:00:00Z", "2026-11-23", "2026-11-24"},
        {BUDGET_WEEK, "2026-11-23T00:00:00Z", "2026-11-23", "2026-11-30"}, /* a Monday */
        {BUDGET_WEEK, "2026-11-22T23:59:59Z", "2026-11-16", "2026-11-23"},
        {BUDGET_MONTH, "2026-12-31T23:59:59Z", "2026-12-01", "2027-01-01"},
        {BUDGET_MONTH, "2028-02-29T12:00:00Z", "2028-02-01", "2028-03-01"},
        {BUDGET_DAY, "1969-12-31T12:00:00Z", "1969-12-31", "1970-01-01"}, /* a clock that was never set */
        {BUDGET_WEEK, "1970-01-01", "1969-12-29", "1970-01-05"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(budget_window_start(cases[i].window, moment(cases[i].in)), moment(cases[i].start));
        assert_int_equal(budget_window_end(cases[i].window, moment(cases[i].in)), moment(cases[i].end));
    }
}

static void
assert_amount(enum budget_unit unit, int64_t amount, const char *text)
{
    char out[BUDGET_AMOUNT_SIZE];

    budget_format_amount(unit, amount, out);
    assert_string_equal(out, text);
}

static void
amounts_are_shown(void **state)
{
    (void)state;
    assert_amount(BUDGET_USD, 50 * USD_ONE, "$50.00");
    assert_amount(BUDGET_USD, USD_ONE / 1000, "$0.00100");
    assert_amount(BUDGET_USD, 0, "$0.00");
    assert_amount(BUDGET_TOKENS, 1234567, "1,234,567 tokens");
    assert_amount(BUDGET_TOKENS, 1, "1 token");
    assert_amount(BUDGET_REQUESTS, -1000, "-1,000 requests");
    assert_amount(BUDGET_TOKENS, INT64_MIN + 1, "-9,223,372,036,854,775,807 tokens");
}

/* Accounts */

#define NOON "2026-11-23T12:00:10Z"

static void
all_accounts_take_it_or_none(void **state)
{
    struct budgets *budgets = start();
    struct request first, second, third;

    (void)state;
    assert_true(asks(budgets, &first, NOON, 60, 300));
    assert_account(budgets, "key web usd/day", NOON, 0, 60);
    assert_account(budgets, "everything usd/month", NOON, 0, 60);
    assert_account(budgets, "everything tokens/hour", NOON, 0, 300);
    assert_account(budgets, "key web requests/minute", NOON, 0, 1);
    assert_false(asks(budgets, &second, NOON, 30, 701)); /* the tokens do not fit, so nothing is charged */
    assert_account(budgets, "key web usd/day", NOON, 0, 60);
    assert_int_equal(look(budgets, "everything tokens/hour", NOON).refusals, 1);
    assert_int_equal(look(budgets, "key web usd/day", NOON).refusals, 0);
    assert_true(asks(budgets, &third, NOON, 40, 700)); /* to the very limit */
    assert_false(ends(budgets, &first, 50, 100));
    assert_account(budgets, "key web usd/day", NOON, 50, 40);
    assert_false(ends(budgets, &third, 40, 0));
    assert_account(budgets, "key web usd/day", NOON, 90, 0);
    assert_account(budgets, "key web requests/minute", NOON, 2, 0);
    stop(budgets);
}

static void
a_refusal_names_the_account_that_resets_last(void **state)
{
    struct budgets *budgets = start();
    struct budget_amounts wanted = amounts(200, 2000, 1), room;
    struct request request = {0};
    struct budget_obstacle obstacle;

    (void)state;
    budgets_claim(budgets, &request.claim, request.lines, moment(NOON), &all_rules, 1);
    assert_false(budgets_reserve(budgets, &request.claim, &wanted, false, &obstacle));
    assert_true(slice_is(obstacle.info.rule.identity, "everything usd/month"));
    assert_int_equal(obstacle.info.end_wall_us, moment("2026-12-01"));
    assert_int_equal(obstacle.left, 150); /* its own, though the key's has less */
    assert_int_equal(obstacle.room.of[BUDGET_USD], 100);
    assert_int_equal(obstacle.room.of[BUDGET_TOKENS], 1000);
    budgets_room(budgets, &request.claim, &room);
    assert_memory_equal(&room, &obstacle.room, sizeof(room));
    assert_true(budgets_reserve(budgets, &request.claim, &wanted, true, &obstacle)); /* --observe */
    assert_account(budgets, "key web usd/day", NOON, 0, 200);
    budgets_room(budgets, &request.claim, &room);
    assert_int_equal(room.of[BUDGET_USD], 100); /* what it holds itself it may have again */
    budgets_release(budgets, &request.claim);
    budgets_release(budgets, &request.claim); /* harmless */
    stop(budgets);
}

static void
a_claim_grows_and_shrinks(void **state)
{
    struct budgets *budgets = start();
    struct budget_amounts more = amounts(90, 10, 1), too_much = amounts(101, 10, 1), less = amounts(5, 10, 1);
    struct budget_obstacle obstacle;
    struct request request;

    (void)state;
    assert_true(asks(budgets, &request, NOON, 60, 10));
    assert_true(budgets_reserve(budgets, &request.claim, &more, false, &obstacle));
    assert_account(budgets, "key web usd/day", NOON, 0, 90);
    assert_false(budgets_reserve(budgets, &request.claim, &too_much, false, &obstacle));
    assert_account(budgets, "key web usd/day", NOON, 0, 90);
    assert_true(budgets_reserve(budgets, &request.claim, &less, false, &obstacle));
    assert_account(budgets, "key web usd/day", NOON, 0, 5);
    budgets_release(budgets, &request.claim);
    assert_account(budgets, "key web usd/day", NOON, 0, 0);
    stop(budgets);
}

/* What is kept for an attempt that may follow is nobody else's meanwhile, and no part of what the first was to cost. */
static void
a_part_stays_reserved_when_an_attempt_is_posted(void **state)
{
    struct budgets *budgets = start();
    struct budget_amounts actual = amounts(30, 10, 1), kept = amounts(80, 10, 0), next = amounts(80, 10, 1);
    struct budget_obstacle obstacle;
    struct request request, other;

    (void)state;
    assert_true(asks(budgets, &request, NOON, 90, 20));
    assert_true(
        budgets_post_keeping(budgets, &request.claim, &actual, &kept)); /* 30 for 10: with 80 it is 110 of 100 */
    assert_account(budgets, "key web usd/day", NOON, 30, 80);
    assert_account(budgets, "key web requests/minute", NOON, 1, 0);
    assert_false(asks(budgets, &other, NOON, 1, 1));
    assert_true(budgets_reserve(budgets, &request.claim, &next, false, &obstacle));
    next.of[BUDGET_USD]++;
    assert_false(budgets_reserve(budgets, &request.claim, &next, false, &obstacle)); /* not a pico-dollar more */
    assert_false(ends(budgets, &request, 80, 10)); /* as reserved: it was told before */
    assert_account(budgets, "key web usd/day", NOON, 110, 0);
    stop(budgets);
}

static void
attempts_of_a_request_count_as_one(void **state)
{
    struct budgets *budgets = start();
    struct budget_amounts wanted = amounts(10, 10, 1), actual = amounts(4, 5, 1);
    struct budget_obstacle obstacle;
    struct request request;

    (void)state;
    assert_true(asks(budgets, &request, NOON, 10, 10));
    budgets_post(budgets, &request.claim, &actual);
    assert_account(budgets, "key web requests/minute", NOON, 1, 0);
    assert_true(budgets_reserve(budgets, &request.claim, &wanted, false, &obstacle));
    assert_account(budgets, "key web requests/minute", NOON, 1, 0);
    assert_account(budgets, "key web usd/day", NOON, 4, 10);
    assert_false(ends(budgets, &request, 6, 5));
    assert_account(budgets, "key web requests/minute", NOON, 1, 0);
    assert_account(budgets, "key web usd/day", NOON, 10, 0);
    stop(budgets);
}

static void
a_request_keeps_to_the_window_of_its_arrival(void **state)
{
    struct budgets *budgets = start();
    struct request old, new;

    (void)state;
    assert_true(asks(budgets, &old, "2026-11-30T23:59:59Z", 70, 0));
    assert_true(asks(budgets, &new, "2026-12-01T00:00:01Z", 70, 0)); /* another day, another month */
    assert_account(budgets, "key web usd/day", "2026-12-01T12:00:00Z", 0, 70);
    assert_account(budgets, "key web usd/day", "2026-11-30T12:00:00Z", 0, 70);
    ends(budgets, &old, 66, 0);
    assert_account(budgets, "key web usd/day", "2026-11-30T12:00:00Z", 66, 0);
    assert_account(budgets, "everything usd/month", "2026-12-15", 0, 70);
    ends(budgets, &new, 1, 0);
    assert_account(budgets, "everything usd/month", "2026-12-15", 1, 0);
    assert_account(budgets, "everything usd/month", "2026-11-15", 66, 0);
    stop(budgets);
}

/* However the wall clock jumps: a bucket that was left is found again with its count, nothing leaks. */
static void
clocks_may_jump(void **state)
{
    struct budgets *budgets = start();
    struct request spends, ahead, back, many[40];

    (void)state;
    assert_true(asks(budgets, &spends, NOON, 90, 0));
    ends(budgets, &spends, 90, 0);
    assert_true(asks(budgets, &ahead, "2099-01-01T00:00:00Z", 100, 0));
    assert_false(asks(budgets, &back, NOON, 20, 0)); /* the day is as spent as it was */
    assert_true(asks(budgets, &back, NOON, 10, 0));
    ends(budgets, &ahead, 5, 0);
    ends(budgets, &back, 10, 0);
    assert_account(budgets, "key web usd/day", NOON, 100, 0);
    for (int i = 0; i < 40; i++) { /* more buckets alive than are kept when idle */
        char when[32];

        clock_format_utc(moment("2030-01-01") + i * (usec)86400 * USEC_PER_S, when);
        assert_true(asks(budgets, &many[i], when, 1, 0));
    }
    budgets_check(budgets);
    assert_int_equal(look(budgets, "key web usd/day", "2030-01-01T10:00:00Z").reserved, 1);
    for (int i = 0; i < 40; i++)
        ends(budgets, &many[i], 1, 0);
    stop(budgets);
}

static void
a_reload_keeps_the_counts(void **state)
{
    struct budget_rule changed[] = {rules[0], rules[3]};
    struct budgets *budgets = start();
    struct request first, second;

    (void)state;
    assert_true(asks(budgets, &first, NOON, 60, 10));
    changed[0].limit = 50;
    changed[0].text = SLICE_LITERAL("$0.00000000005/day");
    budgets_configure(budgets, changed, 2);
    assert_int_equal(look(budgets, "key web usd/day", NOON).rule.limit, 50);
    assert_true(slice_is(look(budgets, "key web usd/day", NOON).rule.text, "$0.00000000005/day"));
    assert_account(budgets, "key web usd/day", NOON, 0, 60); /* above its limit; nobody is cut off for it */
    assert_false(asks(budgets, &second, NOON, 1, 10));
    ends(budgets, &first, 30, 5); /* to accounts that are gone, too */
    assert_true(asks(budgets, &second, NOON, 20, 10));
    ends(budgets, &second, 20, 10);
    budgets_configure(budgets, rules, RULES);
    assert_account(budgets, "everything usd/month", NOON, 30, 0); /* it came back as it was left */
    assert_account(budgets, "key web usd/day", NOON, 50, 0);
    stop(budgets);
}

static void
what_the_ledger_knows_is_restored(void **state)
{
    struct budgets *budgets = start();
    struct budget_event events[4];
    struct request request;

    (void)state;
    budgets_restore(budgets, SLICE_LITERAL("key web usd/day"), moment(NOON), 85);
    budgets_restore(budgets, SLICE_LITERAL("key web usd/week"), moment(NOON), 85); /* no such account */
    assert_account(budgets, "key web usd/day", NOON, 85, 0);
    assert_int_equal(budgets_take_events(budgets, events, 4), 0); /* 80 % was told before the restart */
    assert_false(asks(budgets, &request, NOON, 16, 0));
    assert_true(asks(budgets, &request, NOON, 15, 0));
    ends(budgets, &request, 15, 0);
    assert_int_equal(budgets_take_events(budgets, events, 4), 2);
    assert_int_equal(events[0].kind, BUDGET_REFUSED);
    assert_int_equal(events[1].kind, BUDGET_SHARE_REACHED);
    assert_int_equal(events[1].share_ppm, 1000000);
    stop(budgets);
}

/* Events */

static void
shares_are_told_once(void **state)
{
    static const unsigned shares_ppm[] = {250000, 900000};
    struct budgets *budgets = start();
    struct budget_event events[8];
    struct request request;

    (void)state;
    budgets_set_shares(budgets, shares_ppm, 2);
    for (int i = 0; i < 3; i++) {
        assert_true(asks(budgets, &request, NOON, 30, 0));
        ends(budgets, &request, 30, 0);
    }
    /* the day at 30 (25 %), the month at 60 (25 %), the requests with each of three, the day at 90 (90 %) */
    assert_int_equal(budgets_take_events(budgets, events, 2), 2);
    assert_true(slice_is(events[0].info.rule.identity, "key web usd/day"));
    assert_int_equal(events[0].share_ppm, 250000);
    assert_int_equal(events[0].info.spent, 30);
    assert_true(slice_is(events[1].info.rule.identity, "key web requests/minute"));
    assert_int_equal(budgets_take_events(budgets, events, 8), 3);
    assert_true(slice_is(events[0].info.rule.identity, "everything usd/month"));
    assert_true(slice_is(events[1].info.rule.identity, "key web usd/day"));
    assert_int_equal(events[1].share_ppm, 900000);
    assert_true(slice_is(events[2].info.rule.identity, "key web requests/minute"));
    stop(budgets);
}

static void
overruns_are_told(void **state)
{
    struct budgets *budgets = start();
    struct budget_event events[8];
    struct request request, other;
    unsigned overruns = 0;
    size_t count;

    (void)state;
    assert_true(asks(budgets, &request, NOON, 60, 0));
    assert_true(asks(budgets, &other, NOON, 40, 0));
    assert_false(ends(budgets, &request, 70, 0)); /* more than reserved, but not above the limit */
    assert_true(ends(budgets, &other, 41, 0));
    count = budgets_take_events(budgets, events, 8);
    for (size_t i = 0; i < count; i++) {
        if (events[i].kind != BUDGET_OVERRUN)
            continue;
        overruns++;
        assert_true(slice_is(events[i].info.rule.identity, "key web usd/day"));
        assert_int_equal(events[i].info.spent, 111);
    }
    assert_int_equal(overruns, 1);
    stop(budgets);
}

static void
untaken_events_are_bounded(void **state)
{
    struct budgets *budgets = start();
    struct budget_event event;
    struct request request;
    unsigned taken = 0;

    (void)state;
    budgets_configure(budgets, rules, 1);
    for (int i = 0; i < BUDGET_EVENTS_MOST; i++) {
        char when[32];

        clock_format_utc(moment("2026-01-01") + i * (usec)86400 * USEC_PER_S, when);
        assert_true(asks(budgets, &request, when, 1, 0));
        ends(budgets, &request, 100, 0);
    }
    while (budgets_take_events(budgets, &event, 1) == 1)
        taken++;
    assert_int_equal(taken, BUDGET_EVENTS_MOST);
    assert_true(budgets->events_lost > 0);
    stop(budgets);
}

static void
exposure_is_stated(void **state)
{
    struct budgets *budgets = start();
    struct budget_amounts more = amounts(25, 0, 0), none = {0};
    struct request request, other;
    struct budget_info info;
    char words[128];

    (void)state;
    assert_true(asks(budgets, &request, NOON, 10, 0));
    assert_true(asks(budgets, &other, NOON, 10, 0));
    info = look(budgets, "key web usd/day", NOON);
    assert_non_null(strstr(budget_exposure_words(&info, words, sizeof(words)), "none"));
    budgets_expose(budgets, &request.claim, &more, false);
    budgets_expose(budgets, &other.claim, &none, true);
    info = look(budgets, "key web usd/day", NOON);
    assert_int_equal(info.exposed, 25);
    assert_int_equal(info.unbounded, 1);
    assert_non_null(strstr(budget_exposure_words(&info, words, sizeof(words)), "nothing bounds"));
    ends(budgets, &other, 5, 0);
    info = look(budgets, "key web usd/day", NOON);
    assert_int_equal(info.unbounded, 0);
    assert_non_null(strstr(budget_exposure_words(&info, words, sizeof(words)), "at most"));
    ends(budgets, &request, 5, 0);
    assert_int_equal(look(budgets, "key web usd/day", NOON).exposed, 0);
    stop(budgets);
}

static void
the_tightest_account_is_told(void **state)
{
    struct budgets *budgets = start();
    struct budget_info info;
    struct request request;

    (void)state;
    assert_true(asks(budgets, &request, NOON, 20, 0));
    assert_true(budgets_tightest(budgets, &request.claim, BUDGET_USD, &info));
    assert_true(slice_is(info.rule.identity, "key web usd/day"));
    assert_int_equal(info.reserved, 20);
    assert_true(budget_claim_has(&request.claim, BUDGET_REQUESTS));
    budgets_release(budgets, &request.claim);
    assert_false(budgets_tightest(budgets, &request.claim, BUDGET_USD, &info));
    assert_false(budget_claim_has(&request.claim, BUDGET_REQUESTS));
    stop(budgets);
}

static void
accounts_are_gauges(void **state)
{
    static const struct budget_rule odd = {
        .scope = BUDGET_ROUTE,
        .name = SLICE_LITERAL("a\\b\"c"),
        .window = BUDGET_DAY,
        .unit = BUDGET_USD,
        .limit = 7,
        .text = SLICE_LITERAL("as written"),
        .identity = SLICE_LITERAL("route odd usd/day"),
    };
    struct budgets *budgets = start();
    struct buffer page = {0};
    struct request request;

    (void)state;
    assert_true(asks(budgets, &request, NOON, 20, 0));
    budgets_print(budgets, moment(NOON), &page);
    buffer_add_byte(&page, '\0');
    assert_non_null(strstr(page.data, "# TYPE equipoise_budget_reserved gauge\n"));
    assert_non_null(strstr(page.data, "equipoise_budget_limit{scope=\"key\",name=\"web\",window=\"day\",unit=\"usd\"} "
                                      "100\n"));
    assert_non_null(strstr(page.data, "equipoise_budget_reserved{scope=\"everything\",name=\"\",window=\"month\","
                                      "unit=\"usd\"} 20\n"));
    ends(budgets, &request, 20, 0);
    buffer_clear(&page);
    budgets_configure(budgets, &odd, 1);
    budgets_print(budgets, moment(NOON), &page);
    buffer_add_byte(&page, '\0');
    assert_non_null(strstr(page.data, "name=\"a\\\\b\\\"c\""));
    buffer_clear(&page);
    budgets_configure(budgets, NULL, 0);
    budgets_print(budgets, moment(NOON), &page);
    assert_int_equal(buffer_len(&page), 0);
    buffer_free(&page);
    stop(budgets);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_read),
        cmocka_unit_test(what_is_wrong_has_its_place),
        cmocka_unit_test(windows_are_those_of_the_calendar),
        cmocka_unit_test(amounts_are_shown),
        cmocka_unit_test(all_accounts_take_it_or_none),
        cmocka_unit_test(a_refusal_names_the_account_that_resets_last),
        cmocka_unit_test(a_claim_grows_and_shrinks),
        cmocka_unit_test(a_part_stays_reserved_when_an_attempt_is_posted),
        cmocka_unit_test(attempts_of_a_request_count_as_one),
        cmocka_unit_test(a_request_keeps_to_the_window_of_its_arrival),
        cmocka_unit_test(clocks_may_jump),
        cmocka_unit_test(a_reload_keeps_the_counts),
        cmocka_unit_test(what_the_ledger_knows_is_restored),
        cmocka_unit_test(shares_are_told_once),
        cmocka_unit_test(overruns_are_told),
        cmocka_unit_test(untaken_events_are_bounded),
        cmocka_unit_test(exposure_is_stated),
        cmocka_unit_test(the_tightest_account_is_told),
        cmocka_unit_test(accounts_are_gauges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
