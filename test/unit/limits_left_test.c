/* What providers tell of their rate limits. */
#include "dialect/limits_left.h"

#include "cmocka_ready.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HEADER(name, value)                                                                                            \
    {                                                                                                                  \
        SLICE_CONSTANT(name), SLICE_CONSTANT(value)                                                                    \
    }

static bool
read_head(const struct http_header *headers, size_t count, struct limits_left *out)
{
    struct http_head head = {.status = 200, .headers = headers, .header_count = count};

    return limits_left_read(&head, 1700000000 * USEC_PER_S, out);
}

static void
openai(void **state)
{
    static const struct http_header headers[] = {
        HEADER("x-ratelimit-limit-requests", "500"),     HEADER("x-ratelimit-remaining-requests", "499"),
        HEADER("x-ratelimit-reset-requests", "120ms"),   HEADER("x-ratelimit-limit-tokens", "30000"),
        HEADER("x-ratelimit-remaining-tokens", "21000"), HEADER("x-ratelimit-reset-tokens", "18s")};
    struct limits_left left;

    (void)state;
    assert_true(read_head(headers, COUNT(headers), &left));
    assert_int_equal(left.of[LIMIT_REQUESTS].limit, 500);
    assert_int_equal(left.of[LIMIT_REQUESTS].left, 499);
    assert_int_equal(left.of[LIMIT_REQUESTS].reset_us, 120 * USEC_PER_MS);
    assert_int_equal(left.of[LIMIT_TOKENS].left, 21000);
    assert_int_equal(left.of[LIMIT_TOKENS].reset_us, 18 * USEC_PER_S);
}

/* Of several limits on tokens the one counts of which the least is left. */
static void
anthropic(void **state)
{
    static const struct http_header headers[] = {
        HEADER("anthropic-ratelimit-input-tokens-limit", "50000"),
        HEADER("anthropic-ratelimit-input-tokens-remaining", "40000"),
        HEADER("anthropic-ratelimit-input-tokens-reset", "2023-11-14T22:13:30Z"),
        HEADER("anthropic-ratelimit-output-tokens-limit", "10000"),
        HEADER("anthropic-ratelimit-output-tokens-remaining", "1000"),
        HEADER("anthropic-ratelimit-output-tokens-reset", "2023-11-14T22:14:20Z"),
        HEADER("anthropic-ratelimit-requests-limit", "50"),
        HEADER("anthropic-ratelimit-requests-remaining", "0"),
        HEADER("anthropic-ratelimit-requests-reset", "2023-11-14T22:13:21Z")};
    struct limits_left left;

    (void)state;
    assert_true(read_head(headers, COUNT(headers), &left));
    assert_int_equal(left.of[LIMIT_TOKENS].limit, 10000);
    assert_int_equal(left.of[LIMIT_TOKENS].left, 1000);
    assert_int_equal(left.of[LIMIT_TOKENS].reset_us, 60 * USEC_PER_S);
    assert_int_equal(left.of[LIMIT_REQUESTS].left, 0);
    assert_int_equal(left.of[LIMIT_REQUESTS].reset_us, 1 * USEC_PER_S);
}

static void
what_is_no_number_tells_nothing(void **state)
{
    static const struct http_header heads[][2] = {
        {HEADER("x-ratelimit-limit-tokens", "many"), HEADER("x-ratelimit-remaining-tokens", "1")},
        {HEADER("x-ratelimit-limit-tokens", "10"), HEADER("x-ratelimit-remaining-tokens", "-1")},
        {HEADER("x-ratelimit-limit-tokens", "0"), HEADER("x-ratelimit-remaining-tokens", "0")},
        {HEADER("x-ratelimit-limit-tokens", "99999999999999999999"), HEADER("x-ratelimit-remaining-tokens", "1")},
        {HEADER("x-ratelimit-limit-tokens", "10"), HEADER("x-ratelimit-reset-tokens", "1s")}};
    struct limits_left left;

    (void)state;
    for (size_t i = 0; i < COUNT(heads); i++) {
        assert_false(read_head(heads[i], 2, &left));
        assert_int_equal(left.of[LIMIT_TOKENS].limit, -1);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openai),
        cmocka_unit_test(anthropic),
        cmocka_unit_test(what_is_no_number_tells_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
