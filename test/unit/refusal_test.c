/* What refusals of providers mean: when to come again, and whether it is about money. */
#include "dialect/refusal.h"

#include "base/clock.h"
#include "cmocka_ready.h"

enum { HEADERS_MOST = 8 };

/* A head by lines of "name: value". */
struct read_head {
    struct http_header headers[HEADERS_MOST];
    struct http_head head;
};

static const struct http_head *
head_of(struct read_head *out, unsigned status, const char *lines)
{
    struct slice rest = slice_of(lines);

    out->head = (struct http_head){.status = status, .headers = out->headers};
    while (rest.data != NULL && rest.len > 0) {
        struct slice value = slice_split(&rest, '\n'), name = slice_split(&value, ':');

        out->headers[out->head.header_count++] = (struct http_header){name, slice_trim(value)};
    }
    return &out->head;
}

/* The present: Sun, 06 Nov 1994 08:49:37 GMT. */
#define WALL_US (INT64_C(784111777) * USEC_PER_S)

static void
when_to_come_again(void **state)
{
    static const struct {
        unsigned status;
        const char *headers;
        usec wanted_us;
    } cases[] = {
        {429, "retry-after: 7", 7 * USEC_PER_S},
        {503, "Retry-After: 120", 120 * USEC_PER_S},
        {429, "retry-after: 0.5", 500 * USEC_PER_MS},
        {429, "retry-after: 0", 0},
        {429, "retry-after-ms: 250\nretry-after: 7", 250 * USEC_PER_MS},
        {429, "retry-after-ms: soon\nretry-after: 7", 7 * USEC_PER_S},
        {503, "retry-after: Sun, 06 Nov 1994 08:50:07 GMT", 30 * USEC_PER_S},
        {503, "retry-after: Sun, 06 Nov 1994 08:49:07 GMT", 0}, /* is over */
        {503, "date: Mon, 07 Nov 1994 08:00:00 GMT\nretry-after: Mon, 07 Nov 1994 08:00:09 GMT", 9 * USEC_PER_S},
        {429, "retry-after: 99999999999999999999999", 366 * 86400 * USEC_PER_S},
        {429, "retry-after: -5", 0},
        {429, "retry-after: later", 0},
        {429, "retry-after:", 0},
        {429, "x-ratelimit-remaining-requests: 0\nx-ratelimit-reset-requests: 1m30s", 90 * USEC_PER_S},
        {429, "x-ratelimit-remaining-tokens: 0\nx-ratelimit-reset-tokens: 120ms", 120 * USEC_PER_MS},
        {429, "x-ratelimit-remaining-tokens: 0\nx-ratelimit-reset-tokens: 2m59.56s", 179560 * USEC_PER_MS},
        {429, "x-ratelimit-remaining-tokens: 5\nx-ratelimit-reset-tokens: 6m0s",
         0}, /* is not the one that is used up */
        {429, "x-ratelimit-remaining: 0\nx-ratelimit-reset: 784111797", 20 * USEC_PER_S},
        {429, "x-ratelimit-remaining: 0\nx-ratelimit-reset: 8", 8 * USEC_PER_S},
        {429, "x-ratelimit-remaining: 0\nx-ratelimit-reset: 8 bananas", 0},
        {429, "anthropic-ratelimit-tokens-remaining: 0\nanthropic-ratelimit-tokens-reset: 1994-11-06T08:49:59Z",
         22 * USEC_PER_S},
        {429, "retry-after: 3\nx-ratelimit-remaining-requests: 0\nx-ratelimit-reset-requests: 6m0s", 3 * USEC_PER_S},
        {500, "x-ratelimit-remaining-requests: 0\nx-ratelimit-reset-requests: 6m0s", 0}, /* not why it failed */
        {429, "", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct read_head read;

        assert_int_equal(refusal_retry_after_us(head_of(&read, cases[i].status, cases[i].headers), WALL_US),
                         cases[i].wanted_us);
    }
}

static void
what_is_about_money(void **state)
{
    static const struct {
        unsigned status;
        const char *body;
        bool wanted;
    } cases[] = {
        {429,
         "{\"error\":{\"message\":\"You exceeded your current quota\",\"type\":\"insufficient_quota\",\"code\":null}}",
         true},
        {429, "{\"error\":{\"message\":\"no\",\"type\":\"x\",\"code\":\"insufficient_quota\"}}", true},
        {400,
         "{\"error\":{\"message\":\"Billing hard limit has been reached\",\"code\":\"billing_hard_limit_reached\"}}",
         true},
        {400,
         "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"Your credit balance is too "
         "low "
         "to access the API.\"}}",
         true},
        {400,
         "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"You have reached your "
         "specified "
         "API usage limits. You will regain access on a date.\"}}",
         true},
        {403, "{\"type\":\"error\",\"error\":{\"type\":\"billing_error\",\"message\":\"no\"}}", true},
        {402, "Insufficient Balance", true},
        {402, "", true},
        {429,
         "{\"code\":\"x\",\"error\":\"Your team has either used all available credits or reached its monthly spending "
         "limit.\"}",
         true},
        {429, "{\"message\":\"Your account has reached its spend limit\"}", true},
        {429, "[{\"error\":{\"code\":429,\"message\":\"Your prepayment credits are depleted.\"}}]", true},
        /* transient ones */
        {429,
         "{\"error\":{\"message\":\"Rate limit reached for requests\",\"type\":\"requests\",\"code\":"
         "\"rate_limit_exceeded\"}}",
         false},
        {429, "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"too many tokens\"}}", false},
        {429, "slow down", false},
        {429, "", false},
        {529, "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}", false},
        {500, "{\"error\":{\"code\":\"insufficient_quota\"}}", false},
        {200, "{\"error\":{\"code\":\"insufficient_quota\"}}", false},
        /* the client's own words */
        {400, "{\"error\":{\"message\":\"no model 'Your credit balance is too low'\",\"code\":\"model_not_found\"}}",
         false},
        {400, "{\"error\":{\"message\":\"no such tool: spend limit\"}}", false},
        {429, "[\"insufficient_quota\"]", false},
        {429, "{\"error\":[\"insufficient_quota\"],\"code\":7}", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(refusal_is_spend_limit(cases[i].status, slice_of(cases[i].body)), cases[i].wanted);
}

static void
a_backend_may_say_that_retries_are_in_vain(void **state)
{
    struct read_head read;

    (void)state;
    assert_true(refusal_read(head_of(&read, 429, "X-Should-Retry: false"), SLICE_NONE, WALL_US).final);
    assert_false(refusal_read(head_of(&read, 429, "x-should-retry: true"), SLICE_NONE, WALL_US).final);
    assert_false(refusal_read(head_of(&read, 429, ""), SLICE_NONE, WALL_US).final);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(when_to_come_again),
        cmocka_unit_test(what_is_about_money),
        cmocka_unit_test(a_backend_may_say_that_retries_are_in_vain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
