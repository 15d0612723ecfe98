/* Rate limits that are respected before they bite. */
#include "fleet/admission/quota.h"

#include <pthread.h>

#include "cmocka_ready.h"
/* labels: threads */

#define S USEC_PER_S

static const int64_t hundred_tokens[LIMIT_UNITS] = {[LIMIT_TOKENS] = 100};

static struct quota_need
need(int64_t requests, int64_t tokens)
{
    return (struct quota_need){.of = {[LIMIT_REQUESTS] = requests, [LIMIT_TOKENS] = tokens}};
}

static bool
take(struct quota *quota, int64_t tokens, usec now_us, struct quota_ticket *ticket)
{
    struct quota_need wanted = need(1, tokens);

    return quota_take(quota, &wanted, now_us, ticket);
}

static usec
open_for(struct quota *quota, int64_t tokens, usec now_us)
{
    struct quota_need wanted = need(1, tokens);

    return quota_open_us(quota, &wanted, now_us);
}

/* Scenario 17: 100 tokens a minute. No 60 seconds see more, whenever they begin. */
static void
no_minute_sees_more(void **state)
{
    struct quota quota;
    struct quota_ticket tickets[400] = {{0}};
    usec taken_us[400];
    size_t taken = 0;

    (void)state;
    quota_init(&quota);
    quota_limit(&quota, hundred_tokens);
    for (usec now_us = 1000 * S; now_us < 1600 * S && taken < 400; now_us += S / 3)
        if (take(&quota, 30, now_us, &tickets[taken]))
            taken_us[taken++] = now_us;
    assert_in_range(taken, 25, 30);
    for (size_t i = 0; i + 3 < taken; i++)
        assert_true(taken_us[i + 3] - taken_us[i] > QUOTA_WINDOW_US);
    quota_free(&quota);
}

/* When there is room is known, and then there is. */
static void
the_time_of_room_is_true(void **state)
{
    struct quota quota;
    struct quota_ticket tickets[4] = {{0}};
    usec open_us;

    (void)state;
    quota_init(&quota);
    assert_int_equal(open_for(&quota, 1000000, 5 * S), 0);
    quota_limit(&quota, hundred_tokens);
    assert_true(take(&quota, 60, 10 * S, &tickets[0]));
    assert_true(take(&quota, 40, 30 * S, &tickets[1]));
    assert_false(take(&quota, 1, 40 * S, &tickets[2]));
    open_us = open_for(&quota, 50, 40 * S);
    assert_int_equal(open_us, 71 * S);
    assert_false(take(&quota, 50, open_us - 1, &tickets[2]));
    assert_true(take(&quota, 50, open_us, &tickets[2]));
    /* More than the limit has room when nothing else is there. */
    open_us = open_for(&quota, 500, 75 * S);
    assert_int_equal(open_us, (71 + 61) * S);
    assert_true(take(&quota, 500, open_us, &tickets[3]));
    quota_free(&quota);
}

/* Several that go as one request take its tokens, but one request. */
static void
who_goes_along_is_no_request(void **state)
{
    static const int64_t two_requests[LIMIT_UNITS] = {[LIMIT_REQUESTS] = 2, [LIMIT_TOKENS] = 100};
    struct quota quota;
    struct quota_ticket tickets[4] = {{0}};

    (void)state;
    quota_init(&quota);
    quota_limit(&quota, two_requests);
    assert_true(take(&quota, 30, 10 * S, &tickets[0]));
    assert_true(take(&quota, 30, 10 * S, &tickets[1]));
    assert_false(take(&quota, 10, 10 * S, &tickets[2]));
    quota_forgo_request(&tickets[1], 11 * S);
    assert_int_equal(quota_left(&quota, LIMIT_REQUESTS, 11 * S), 1);
    assert_int_equal(quota_left(&quota, LIMIT_TOKENS, 11 * S), 40);
    assert_true(take(&quota, 10, 11 * S, &tickets[2]));
    quota_settle(&tickets[1], 20, 12 * S);
    assert_int_equal(quota_left(&quota, LIMIT_TOKENS, 12 * S), 40);
    assert_int_equal(quota_left(&quota, LIMIT_REQUESTS, 12 * S), 0);
    quota_forgo_request(&tickets[3], 12 * S); /* it took nothing */
    quota_free(&quota);
}

static void
what_was_not_used_is_free_again(void **state)
{
    struct quota quota;
    struct quota_ticket a = {0}, b = {0};

    (void)state;
    quota_init(&quota);
    quota_limit(&quota, hundred_tokens);
    assert_true(take(&quota, 100, 1 * S, &a));
    quota_refund(&a, 2 * S);
    quota_refund(&a, 2 * S);
    assert_int_equal(quota_left(&quota, LIMIT_TOKENS, 2 * S), 100);
    assert_true(take(&quota, 90, 3 * S, &a));
    quota_settle(&a, 20, 4 * S);
    assert_int_equal(quota_left(&quota, LIMIT_TOKENS, 4 * S), 80);
    assert_true(take(&quota, 80, 5 * S, &b));
    quota_settle(&b, 200, 6 * S); /* it came to more */
    assert_int_equal(quota_left(&quota, LIMIT_TOKENS, 6 * S), 0);
    assert_int_equal(open_for(&quota, 1, 6 * S), (5 + 61) * S);
    /* What ends long after its minute changes nothing of the present one. */
    assert_true(take(&quota, 10, 100 * S, &a));
    quota_settle(&a, 90, 300 * S);
    assert_int_equal(quota_left(&quota, LIMIT_TOKENS, 300 * S), 100);
    quota_free(&quota);
}

static struct limits_left
left(int64_t limit, int64_t tokens, usec reset_us)
{
    return (struct limits_left){
        .of = {
            [LIMIT_REQUESTS] = {.limit = -1}, [LIMIT_TOKENS] = {.limit = limit, .left = tokens, .reset_us = reset_us}}};
}

/* An answer says what is left; what was sent since its request is subtracted, and what grows back is added. */
static void
what_answers_tell_is_respected(void **state)
{
    struct quota quota;
    struct quota_ticket first = {0}, second = {0}, third = {0};
    struct limits_left told = left(1000, 200, 40 * S);

    (void)state;
    quota_init(&quota);
    assert_true(take(&quota, 0, 10 * S, &first));
    assert_true(take(&quota, 150, 10 * S + 1, &second)); /* after the request whose answer tells */
    quota_learn(&first, &told, 11 * S);
    quota_settle(&first, -1, 11 * S);
    assert_int_equal(quota_left(&quota, LIMIT_TOKENS, 11 * S), 50);
    assert_false(take(&quota, 51, 11 * S, &third));
    assert_int_equal(open_for(&quota, 150, 11 * S), 11 * S + 5 * S + 1); /* 800 in 40 s: 100 in 5 */
    assert_true(take(&quota, 150, 16 * S + 1, &third));
    assert_int_equal(open_for(&quota, 100000, 17 * S), 51 * S); /* the reset, and not beyond */
    assert_int_equal(open_for(&quota, 100000, 51 * S), 0);
    quota_free(&quota);
}

/* Answers come in any order: the one whose request was sent last knows best. */
static void
an_older_answer_does_not_overrule(void **state)
{
    struct quota quota;
    struct quota_ticket first = {0}, second = {0};
    struct limits_left early = left(1000, 900, 60 * S), late = left(1000, 10, 60 * S);

    (void)state;
    quota_init(&quota);
    assert_true(take(&quota, 5, 1 * S, &first));
    assert_true(take(&quota, 5, 1 * S, &second));
    quota_learn(&second, &late, 2 * S);
    quota_learn(&first, &early, 2 * S);
    assert_true(quota_left(&quota, LIMIT_TOKENS, 2 * S) <= 10);
    quota_free(&quota);
}

/* Of many who ask at once, no more get room than there is. */
enum { THREADS = 5, ASKS = 2000 };

struct asker {
    struct quota *quota;
    unsigned taken;
};

static void *
ask_many_times(void *context)
{
    struct asker *asker = context;

    for (unsigned i = 0; i < ASKS; i++) {
        struct quota_ticket ticket = {0};

        asker->taken += take(asker->quota, 7, 1000 * S + i, &ticket);
    }
    return NULL;
}

static void
many_at_once_get_no_more(void **state)
{
    struct quota quota;
    struct asker askers[THREADS];
    pthread_t threads[THREADS];
    unsigned sum = 0;

    (void)state;
    quota_init(&quota);
    quota_limit(&quota, hundred_tokens);
    for (size_t i = 0; i < THREADS; i++) {
        askers[i] = (struct asker){.quota = &quota};
        assert_int_equal(pthread_create(&threads[i], NULL, ask_many_times, &askers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        sum += askers[i].taken;
    }
    assert_int_equal(sum, 14); /* 98 of 100 tokens */
    quota_free(&quota);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_minute_sees_more),
        cmocka_unit_test(the_time_of_room_is_true),
        cmocka_unit_test(who_goes_along_is_no_request),
        cmocka_unit_test(what_was_not_used_is_free_again),
        cmocka_unit_test(what_answers_tell_is_respected),
        cmocka_unit_test(an_older_answer_does_not_overrule),
        cmocka_unit_test(many_at_once_get_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
