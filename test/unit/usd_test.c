/* Money arithmetic is exact, or says that it cannot be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "money/usd.h"

static void
assert_parses(const char *text, usd expected)
{
    usd amount;

    assert_int_equal(usd_parse(slice_of(text), &amount), OK);
    assert_int_equal(amount, expected);
}

static void
assert_refuses(const char *text, enum status expected)
{
    usd amount;

    assert_int_equal(usd_parse(slice_of(text), &amount), expected);
    assert_false(usd_known(amount));
}

static void
parses_exact_decimals(void **state)
{
    (void)state;
    assert_parses("0.05", 50000000000);
    assert_parses("1e-6", 1000000);
    assert_parses("$50", 50 * USD_ONE);
    assert_parses("-3.5", -3500000000000);
    assert_parses("0", 0);
    assert_parses("0e999", 0);
    assert_parses(".5", 500000000000);
    assert_parses("1.50000000000000000000", 1500000000000);
    assert_parses("0.000000000001", 1);
    assert_parses("1E2", 100 * USD_ONE);
    assert_parses("9223372.036854775807", INT64_MAX);
}

static void
refuses_what_is_no_exact_amount(void **state)
{
    (void)state;
    assert_refuses("", ERR_INVALID);
    assert_refuses("$", ERR_INVALID);
    assert_refuses(".", ERR_INVALID);
    assert_refuses("1.2.3", ERR_INVALID);
    assert_refuses("1e", ERR_INVALID);
    assert_refuses("1e5x", ERR_INVALID);
    assert_refuses("nan", ERR_INVALID);
    assert_refuses("0x10", ERR_INVALID);
    assert_refuses("0.0000000000001", ERR_LIMIT);
    assert_refuses("9223372.036854775808", ERR_LIMIT);
    assert_refuses("-9223372.036854775808", ERR_LIMIT); /* would be USD_UNKNOWN */
    assert_refuses("1e400", ERR_LIMIT);
    assert_refuses("1e-400", ERR_LIMIT);
}

static void
rounds_half_to_even_where_asked(void **state)
{
    usd amount;

    (void)state;
    assert_int_equal(usd_parse_rounded(slice_of("0.0000000000005"), &amount), OK);
    assert_int_equal(amount, 0);
    assert_int_equal(usd_parse_rounded(slice_of("0.0000000000015"), &amount), OK);
    assert_int_equal(amount, 2);
    assert_int_equal(usd_parse_rounded(slice_of("0.00000000000150000000001"), &amount), OK);
    assert_int_equal(amount, 2);
    assert_int_equal(usd_parse_rounded(slice_of("0.00000000000050000000001"), &amount), OK);
    assert_int_equal(amount, 1);
    assert_int_equal(usd_parse_rounded(slice_of("1e-300"), &amount), OK);
    assert_int_equal(amount, 0);
}

static void
takes_doubles_by_their_digits(void **state)
{
    usd amount;

    (void)state;
    assert_int_equal(usd_from_double(0.000151, &amount), OK);
    assert_int_equal(amount, 151000000);
    assert_int_equal(usd_from_double(0.1 + 0.2, &amount), OK);
    assert_int_equal(amount, 300000000000);
    assert_int_equal(usd_from_double(1e300, &amount), ERR_LIMIT);
    assert_int_equal(usd_from_double(0.0 / 0.0 * 1.0, &amount), ERR_INVALID);
}

static void
assert_formats(usd amount, const char *exact, unsigned places, const char *people)
{
    char text[USD_TEXT_SIZE], shown[USD_PEOPLE_SIZE];

    usd_format(amount, text);
    assert_string_equal(text, exact);
    usd_format_places(amount, places, shown);
    assert_string_equal(shown, people);
}

static void
formats_exactly_and_for_people(void **state)
{
    (void)state;
    assert_formats(42000000, "0.000042", 2, "$0.00");
    assert_formats(0, "0", 0, "$0");
    assert_formats(-3 * USD_ONE, "-3", 2, "-$3.00");
    assert_formats(12345000000000, "12.345", 2, "$12.34"); /* half to even */
    assert_formats(12355000000000, "12.355", 2, "$12.36");
    assert_formats(999999999999, "0.999999999999", 2, "$1.00");
    assert_formats(INT64_MAX, "9223372.036854775807", 12, "$9223372.036854775807");
    assert_formats(-INT64_MAX, "-9223372.036854775807", 0, "-$9223372");
    assert_formats(USD_UNKNOWN, "null", 2, "unknown");
}

static void
arithmetic_is_checked_and_unknown_stays_unknown(void **state)
{
    usd out;

    (void)state;
    assert_int_equal(usd_add(1, 2, &out), OK);
    assert_int_equal(out, 3);
    assert_int_equal(usd_add(INT64_MAX, 1, &out), ERR_LIMIT);
    assert_false(usd_known(out));
    assert_int_equal(usd_sub(-INT64_MAX, 1, &out), ERR_LIMIT);
    assert_int_equal(usd_mul(USD_ONE, 10000000, &out), ERR_LIMIT);
    assert_int_equal(usd_mul(-2, 3, &out), OK);
    assert_int_equal(out, -6);
    assert_int_equal(usd_add(USD_UNKNOWN, 1, &out), OK);
    assert_false(usd_known(out));
    assert_int_equal(usd_mul(USD_UNKNOWN, 0, &out), OK);
    assert_false(usd_known(out));
    assert_int_equal(usd_share(25, 500000, &out), OK);
    assert_int_equal(out, 12);
    assert_int_equal(usd_share(27, 500000, &out), OK);
    assert_int_equal(out, 14);
}

static void
a_text_of_an_amount_reads_back(void **state)
{
    static const usd amounts[] = {1, -1, 10, 999999999999, USD_ONE, 123456789012345678, INT64_MAX, -INT64_MAX};
    char text[USD_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof amounts / sizeof amounts[0]; i++) {
        usd_format(amounts[i], text);
        assert_parses(text, amounts[i]);
    }
}

static usd
cost_of(const char *rate_text, int64_t count, int64_t per)
{
    struct usd_sum sum = {0};
    usd_rate rate;
    usd total;

    assert_int_equal(usd_rate_parse(slice_of(rate_text), &rate), OK);
    assert_int_equal(usd_sum_add(&sum, rate, count, per), OK);
    assert_int_equal(usd_sum_total(&sum, &total), OK);
    return total;
}

static void
rates_times_counts_round_once(void **state)
{
    struct usd_sum sum = {0};
    usd_rate rate;
    usd total;

    (void)state;
    assert_int_equal(cost_of("0.0375", 1, 1000000), 37500);
    assert_int_equal(cost_of("0.0123456", 1, 1000000), 12346); /* 12,345.6 pico-dollars a token */
    assert_int_equal(cost_of("0.0123456", 10, 1000000), 123456);
    assert_int_equal(cost_of("0.08333333333333334", 1000000000, 1000000), 83333333333333);
    assert_int_equal(cost_of("10", 3, 1000), 30000000000);
    assert_int_equal(cost_of("0.36", 1000000, 3600 * INT64_C(1000000)), 100000000);

    /* Ten tokens one by one cost what ten at once do: nothing is rounded in between. */
    assert_int_equal(usd_rate_parse(slice_of("0.0123456"), &rate), OK);
    for (int i = 0; i < 10; i++)
        assert_int_equal(usd_sum_add(&sum, rate, 1, 1000000), OK);
    assert_int_equal(usd_sum_total(&sum, &total), OK);
    assert_int_equal(total, 123456);
}

static void
sums_that_do_not_fit_say_so(void **state)
{
    struct usd_sum sum = {0};
    usd_rate rate;
    usd total;

    (void)state;
    assert_int_equal(usd_rate_parse(slice_of("1000000000"), &rate), OK);
    assert_int_equal(usd_sum_add(&sum, rate, INT64_C(1000000000000000), 1), ERR_LIMIT);
    assert_int_equal(usd_sum_add(&sum, rate, 10000, 1000000), OK);
    assert_int_equal(usd_sum_total(&sum, &total), ERR_LIMIT);
    assert_false(usd_known(total));
    assert_int_equal(usd_rate_parse(slice_of("-1"), &rate), ERR_INVALID);
    assert_int_equal(usd_rate_parse(slice_of("1e10"), &rate), ERR_LIMIT);
}

static void
rates_show_all_their_digits(void **state)
{
    static const char *const texts[] = {"0", "0.0375", "0.08333333333333334", "1000000000", "15"};
    char text[USD_RATE_TEXT_SIZE];
    usd_rate rate;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(usd_rate_parse(slice_of(texts[i]), &rate), OK);
        usd_rate_format(rate, text);
        assert_string_equal(text, texts[i]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_exact_decimals),
        cmocka_unit_test(refuses_what_is_no_exact_amount),
        cmocka_unit_test(rounds_half_to_even_where_asked),
        cmocka_unit_test(takes_doubles_by_their_digits),
        cmocka_unit_test(formats_exactly_and_for_people),
        cmocka_unit_test(arithmetic_is_checked_and_unknown_stays_unknown),
        cmocka_unit_test(a_text_of_an_amount_reads_back),
        cmocka_unit_test(rates_times_counts_round_once),
        cmocka_unit_test(sums_that_do_not_fit_say_so),
        cmocka_unit_test(rates_show_all_their_digits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
